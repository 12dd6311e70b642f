// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import "encoding/json"

// texts is the prompt of a legacy completion or the input of embeddings: a text, a list of them, a list of tokens, or a list
// of those.
type texts []text

// text is a text, or tokens in its place.
type text struct {
	text   string
	tokens int
}

// UnmarshalJSON takes any of the four forms.
func (t *texts) UnmarshalJSON(data []byte) error {
	var list []json.RawMessage
	if json.Unmarshal(data, &list) != nil {
		var one string
		err := json.Unmarshal(data, &one)
		*t = texts{{text: one}}
		return err
	}
	*t = nil
	for i, item := range list {
		var tokens []int
		switch {
		case json.Unmarshal(item, new(int)) == nil && i == 0:
			err := json.Unmarshal(data, &tokens)
			*t = texts{{tokens: len(tokens)}}
			return err
		case json.Unmarshal(item, &tokens) == nil && tokens != nil:
			*t = append(*t, text{tokens: len(tokens)})
		default:
			var one string
			if err := json.Unmarshal(item, &one); err != nil {
				return err
			}
			*t = append(*t, text{text: one})
		}
	}
	return nil
}

// count is what a text costs.
func (t text) count(e *encoding) int { return t.tokens + e.count(t.text) }
