// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package framing

import (
	"math"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/genai"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

// imageRule is how the models of a family bill an image that is not asked for in low detail: by tiles, or, if there is a
// multiplier, by patches.
type imageRule struct {
	base, tile int64
	multiplier float64 // tokens per patch
}

var (
	tiles      = imageRule{base: 85, tile: 170}
	noRule     = imageRule{}
	perPatch12 = imageRule{multiplier: 1.2}
)

// images has the rules of OpenAI's guide "Images and vision" for the models on which recorded usage, or a measurement that
// others published, agrees with it. Where both say otherwise than the guide, as for GPT-5 mini and nano
// (https://community.openai.com/t/1344040, https://community.openai.com/t/1377015), they count.
var images = tiktoken.ByFamily[imageRule]{
	"gpt-4-turbo":  tiles,
	"gpt-4-vision": tiles,
	"gpt-4o":       tiles,
	"gpt-4o-mini":  {base: 2833, tile: 5667},
	"chatgpt-4o":   tiles,
	"gpt-4.1":      tiles,
	"gpt-4.1-mini": {multiplier: 1.62},
	"gpt-4.1-nano": {multiplier: 2.46},
	"gpt-4.5":      tiles,
	"o3":           {base: 75, tile: 150},
	"o3-mini":      noRule, // takes no images
	"o4-mini":      {multiplier: 1.72},
	"gpt-5-mini":   perPatch12,
	"gpt-5-nano":   {multiplier: 1.5},
	"gpt-5.2":      perPatch12,
	"gpt-5.4":      perPatch12,
}

// image adds an image. Its size is known only if the message carries it.
func (t *tally) image(part *genai.Part) {
	if t.model.image == noRule || part.Width <= 0 || part.Height <= 0 {
		t.miss(ReasonImage)
		return
	}
	t.tokens += t.model.image.tokens(float64(part.Width), float64(part.Height))
	t.estimated = true
}

func (r imageRule) tokens(width, height float64) int64 {
	if r.multiplier == 0 {
		return r.base + r.tile*tileCount(width, height)
	}
	// The one more is on record for most patch models, and not in the guide.
	return int64(math.Ceil(r.multiplier*patchCount(width, height))) + 1
}

// tileCount is the number of squares of 512 pixels that an image has when it is shrunk to fit into 2048 by 2048 pixels, and
// then until its shorter side has at most 768.
func tileCount(width, height float64) int64 {
	scale := min(1, 2048/max(width, height))
	scale = min(scale, 768/min(width, height))
	return int64(math.Ceil(width*scale/512) * math.Ceil(height*scale/512))
}

// patchCount is the number of squares of 32 pixels that an image has, shrunk until these are at most 1536.
func patchCount(width, height float64) float64 {
	const size, most = 32, 1536
	if count := math.Ceil(width/size) * math.Ceil(height/size); count <= most {
		return count
	}
	scale := math.Sqrt(size * size * most / (width * height))
	across, down := width*scale/size, height*scale/size
	scale = min(max(1, math.Floor(across))/across, max(1, math.Floor(down))/down)
	return min(most, math.Ceil(across*scale)*math.Ceil(down*scale))
}
