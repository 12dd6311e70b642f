// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package run

// tagLinkedPrompts is the tag of a run or a trace that MLflow's pages link to the prompt registry.
const tagLinkedPrompts = "mlflow.linkedPrompts"

// Prompt is a version of a prompt in MLflow's registry.
type Prompt struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Prompt returns the prompt version that the call was made with; false where the span does not name one.
func (s *Span) Prompt() (Prompt, bool) {
	p := Prompt{Name: line(s.Call.PromptName, maxName), Version: line(s.Call.PromptVersion, maxName)}
	return p, p.Name != "" && p.Version != ""
}

func linkedPrompts(s *Span) string {
	if p, ok := s.Prompt(); ok {
		return jsonText([]Prompt{p})
	}
	return ""
}
