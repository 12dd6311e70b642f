// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
)

// maxInputs is how many texts a request for embeddings may have.
const maxInputs = 2048

type (
	embeddingsBody struct {
		Object string          `json:"object"`
		Data   []embeddingBody `json:"data"`
		Model  string          `json:"model"`
		Usage  embeddingsUsage `json:"usage"`
	}
	embeddingBody struct {
		Object    string `json:"object"`
		Index     int    `json:"index"`
		Embedding any    `json:"embedding"` // numbers, or base64
	}
	embeddingsUsage struct {
		PromptTokens int `json:"prompt_tokens"`
		TotalTokens  int `json:"total_tokens"`
	}
)

type embeddingRequest struct {
	Model          string   `json:"model"`
	Input          texts    `json:"input"`
	Dimensions     *float64 `json:"dimensions"`
	EncodingFormat string   `json:"encoding_format"`
}

// readEmbedding reads a request to POST /embeddings.
func (s *Server) readEmbedding(body []byte) (request, func() answer, *apiError) {
	var read embeddingRequest
	var req request
	refusal := decode(body, &read, &req.digest)
	req.Model = read.Model
	if refusal == nil {
		refusal = read.check()
	}
	return req, func() answer {
		m := modelOf(read.Model, embeddingModel)
		b := embeddingsBody{Object: "list", Model: m.version}
		for i, input := range read.Input {
			b.Usage.PromptTokens += input.count(m.encoding)
			b.Data = append(b.Data, embeddingBody{Object: "embedding", Index: i, Embedding: read.vector(m, input)})
		}
		b.Usage.TotalTokens = b.Usage.PromptTokens
		return answer{body: b, usageSent: true, usage: Usage{PromptTokens: b.Usage.PromptTokens, TotalTokens: b.Usage.TotalTokens}}
	}, refusal
}

func (r embeddingRequest) check() *apiError {
	if err := checkModel(r.Model, embeddingModel); err != nil {
		return err
	}
	longest := float64(modelOf(r.Model, embeddingModel).length)
	switch {
	case len(r.Input) == 0:
		return invalid("input", "missing_required_parameter", "Missing required parameter: 'input'.")
	case len(r.Input) > maxInputs:
		return invalid("input", "array_above_max_length", fmt.Sprintf("Invalid 'input': array too long. Expected an array with "+
			"maximum length %d, but got an array with length %d instead.", maxInputs, len(r.Input)))
	case r.EncodingFormat != "" && r.EncodingFormat != "float" && r.EncodingFormat != "base64":
		return invalid("encoding_format", "invalid_value", fmt.Sprintf("Invalid value: '%s'. Supported values are: 'float' and 'base64'.", r.EncodingFormat))
	default:
		return bound{"dimensions", r.Dimensions, 1, longest, true}.check()
	}
}

// vector is made from the text alone: one text has one vector, of length 1.
func (r embeddingRequest) vector(m model, input text) any {
	length := m.length
	if r.Dimensions != nil {
		length = int(*r.Dimensions)
	}
	seed := newDigest(fmt.Appendf(nil, "%s %d %s", m.name, input.tokens, input.text))
	numbers, square := make([]float32, length), 0.0
	for i := range numbers {
		numbers[i] = float32(seed.sub(i).number(2001)-1000) / 1000
		square += float64(numbers[i]) * float64(numbers[i])
	}
	for i := range numbers {
		numbers[i] /= float32(math.Sqrt(square))
	}
	if r.EncodingFormat != "base64" {
		return numbers
	}
	var encoded []byte
	for _, n := range numbers {
		encoded = binary.LittleEndian.AppendUint32(encoded, math.Float32bits(n))
	}
	return base64.StdEncoding.EncodeToString(encoded)
}
