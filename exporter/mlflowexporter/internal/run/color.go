// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package run

import "hash/fnv"

// palette are colours that are told apart on white and on black: Tableau's twenty, without its greys.
var palette = []string{
	"#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#9c755f", "#d37295", "#499894", "#b6992d",
	"#a0cbe8", "#ffbe7d", "#8cd17d", "#ff9d9a", "#d4a6c8", "#d7b5a6", "#fabfd2", "#86bcb6", "#f1ce63",
}

// color is the colour of the run in MLflow's table and charts, the same for the same expansion of the template everywhere.
func (b *Builder) color(s *Span) string {
	name := b.Color.expand(func(variable string) string {
		switch variable {
		case "persona_id":
			return b.Persona(s)
		case "model":
			return subject(s)
		case "operation":
			return s.Call.Operation
		default:
			return s.attribute(variable)
		}
	})
	if name == "" {
		return ""
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	return palette[h.Sum32()%uint32(len(palette))]
}
