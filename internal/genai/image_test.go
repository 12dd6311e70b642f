// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package genai

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
)

func TestImagesHaveTheirSize(t *testing.T) {
	encoded := func(encode func(*bytes.Buffer) error) string {
		var b bytes.Buffer
		require.NoError(t, encode(&b))
		return base64.StdEncoding.EncodeToString(b.Bytes())
	}
	gray := image.NewGray(image.Rect(0, 0, 300, 346))
	data := map[string]string{
		"image/png":  encoded(func(b *bytes.Buffer) error { return png.Encode(b, gray) }),
		"image/jpeg": encoded(func(b *bytes.Buffer) error { return jpeg.Encode(b, gray, nil) }),
		"image/gif":  encoded(func(b *bytes.Buffer) error { return gif.Encode(b, gray, nil) }),
	}
	for mimeType, data := range data {
		for name, part := range map[string]string{
			"conventions": fmt.Sprintf(`{"type":"blob","modality":"image","mime_type":%q,"content":%q}`, mimeType, data),
			"chat":        fmt.Sprintf(`{"type":"image_url","image_url":{"url":"data:%s;base64,%s"}}`, mimeType, data),
			"responses":   fmt.Sprintf(`{"type":"input_image","image_url":"data:%s;base64,%s"}`, mimeType, data),
		} {
			got := imagePart(t, part)
			require.Equal(t, [2]int{300, 346}, [2]int{got.Width, got.Height}, "%s, %s", mimeType, name)
		}
	}
	for name, part := range map[string]string{
		"cut off":        fmt.Sprintf(`{"type":"blob","mime_type":"image/png","content":%q}`, data["image/png"][:20]),
		"another format": fmt.Sprintf(`{"type":"blob","mime_type":"image/webp","content":%q}`, data["image/png"]),
		"no base64":      `{"type":"blob","mime_type":"image/png","content":"?"}`,
	} {
		got := imagePart(t, part)
		require.Equal(t, [2]int{}, [2]int{got.Width, got.Height}, name)
	}
}

func imagePart(t *testing.T, part string) Part {
	t.Helper()
	span := ptrace.NewSpan()
	span.Attributes().PutStr(semconv.GenAIOperationName, semconv.OperationChat)
	span.Attributes().PutStr(semconv.GenAIInputMessages, `[{"role":"user","parts":[`+part+`]}]`)
	call, ok := NewReader(Options{}).Read(pcommon.NewResource(), pcommon.NewInstrumentationScope(), span)
	require.True(t, ok)
	messages := call.Messages()
	require.Len(t, messages.Input, 1)
	require.Len(t, messages.Input[0].Parts, 1)
	return messages.Input[0].Parts[0]
}

func TestWhatOpenAISpansSayOfTheAPI(t *testing.T) {
	span := ptrace.NewSpan()
	for key, value := range map[string]string{
		semconv.GenAIOperationName: semconv.OperationChat, semconv.OpenAIAPIType: semconv.APITypeResponses,
		semconv.GenAIResponseID: "resp_2", semconv.GenAIRequestPreviousResponse: "resp_1",
	} {
		span.Attributes().PutStr(key, value)
	}
	call, ok := NewReader(Options{}).Read(pcommon.NewResource(), pcommon.NewInstrumentationScope(), span)
	require.True(t, ok)
	require.Equal(t, []string{semconv.APITypeResponses, "resp_2", "resp_1"}, []string{call.API, call.ResponseID, call.Request.PreviousResponse})
}
