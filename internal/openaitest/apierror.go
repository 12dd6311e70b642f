// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// apiError is an error response of the OpenAI API. The fields without a tag are not in the body.
type apiError struct {
	status       int
	retryAfter   string // seconds
	retryAfterMs string // milliseconds; the SDKs of OpenAI prefer it

	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

const typeInvalidRequest = "invalid_request_error"

var (
	errNoKey = &apiError{
		status: http.StatusUnauthorized,
		Message: "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer " +
			"auth (i.e. Authorization: Bearer YOUR_KEY).",
		Type: typeInvalidRequest,
	}
	errBadRequest = invalid("model", "invalid_value", "Invalid value: 'error-400'.")
	errRateLimit  = &apiError{
		status:       http.StatusTooManyRequests,
		retryAfter:   "1",
		retryAfterMs: "10",
		Message:      "Rate limit reached on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 10ms.",
		Type:         "requests",
		Code:         new("rate_limit_exceeded"),
	}
	errServer = &apiError{
		status:  http.StatusInternalServerError,
		Message: "The server had an error while processing your request. Sorry about that!",
		Type:    "server_error",
	}
	errMalformed = &apiError{
		status: http.StatusBadRequest,
		Message: "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP " +
			"library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)",
		Type: typeInvalidRequest,
	}
	errTooLarge = &apiError{
		status:  http.StatusRequestEntityTooLarge,
		Message: fmt.Sprintf("Maximum content size limit (%d) exceeded.", maxBodyBytes),
		Type:    typeInvalidRequest,
	}
)

// invalid makes a 400 about one parameter. An empty code becomes null.
func invalid(param, code, message string) *apiError {
	e := &apiError{status: http.StatusBadRequest, Message: message, Type: typeInvalidRequest, Param: &param}
	if code != "" {
		e.Code = &code
	}
	return e
}

func errUnknownModel(model string) *apiError {
	return &apiError{
		status:  http.StatusNotFound,
		Message: fmt.Sprintf("The model `%s` does not exist or you do not have access to it.", model),
		Type:    typeInvalidRequest,
		Code:    new("model_not_found"),
	}
}

func errWrongModel(model string, kind modelKind) *apiError {
	return &apiError{
		status:  http.StatusNotFound,
		Message: fmt.Sprintf("The model `%s` is not %s model and thus not supported by this endpoint.", model, kind),
		Type:    typeInvalidRequest,
		Param:   new("model"),
	}
}

func errNotFound(what, id string) *apiError {
	return &apiError{
		status:  http.StatusNotFound,
		Message: fmt.Sprintf("%s with id '%s' not found.", what, id),
		Type:    typeInvalidRequest,
	}
}

func errUnknownURL(r *http.Request) *apiError {
	return &apiError{
		status:  http.StatusNotFound,
		Message: fmt.Sprintf("Invalid URL (%s %s)", r.Method, r.URL.Path),
		Type:    typeInvalidRequest,
	}
}

func errMethod(r *http.Request) *apiError {
	return &apiError{
		status:  http.StatusMethodNotAllowed,
		Message: fmt.Sprintf("Not allowed to %s on %s.", r.Method, r.URL.Path),
		Type:    typeInvalidRequest,
		Code:    new("method_not_supported"),
	}
}

// write sends the error. A client that has gone needs no answer, so the error of the last write is dropped.
func (e *apiError) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	if e.retryAfter != "" {
		header.Set("Retry-After", e.retryAfter)
		header.Set("Retry-After-Ms", e.retryAfterMs)
	}
	w.WriteHeader(e.status)
	_ = json.NewEncoder(w).Encode(struct {
		Error *apiError `json:"error"`
	}{e})
}
