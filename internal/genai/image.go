// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import (
	"encoding/base64"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
)

// maxImageHeader is how many bytes of an image are read to find its size. A JPEG can have a preview before it.
const maxImageHeader = 1 << 17

// imageHeaders reads the size of an image from its first bytes, by its MIME type.
var imageHeaders = map[string]func(io.Reader) (image.Config, error){
	"image/png":  png.DecodeConfig,
	"image/jpeg": jpeg.DecodeConfig,
	"image/jpg":  jpeg.DecodeConfig,
	"image/gif":  gif.DecodeConfig,
}

// inline makes the part media that the message carries itself, as base64 data.
func (p *Part) inline(mimeType, data string) {
	p.Kind, p.MIMEType, p.Size = PartBlob, mimeType, base64Size(data)
	header, known := imageHeaders[mimeType]
	if !known {
		return
	}
	bytes := base64.NewDecoder(base64.StdEncoding, strings.NewReader(data))
	if config, err := header(io.LimitReader(bytes, maxImageHeader)); err == nil {
		p.Width, p.Height = config.Width, config.Height
	}
}
