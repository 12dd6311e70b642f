// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

// Model names that select a failure; see the package documentation.
const (
	ModelBadRequest  = "error-400"  // 400, always
	ModelRateLimited = "error-429"  // 429 with Retry-After, then an answer
	ModelServerError = "error-500"  // 500, always
	ModelCutStream   = "cut-stream" // 200, and the connection breaks
)

// fault returns the error that the request asked for by its model name, or nil.
func (s *Server) fault(req request) *apiError {
	switch req.Model {
	case ModelBadRequest:
		return errBadRequest
	case ModelServerError:
		return errServer
	case ModelRateLimited:
		if s.attempt(req.digest)%2 == 1 {
			return errRateLimit
		}
	}
	return nil
}
