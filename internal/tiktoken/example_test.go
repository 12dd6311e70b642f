// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tiktoken_test

import (
	"fmt"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
)

func Example() {
	encoding, ok := tiktoken.ForModel("gpt-4o-mini-2024-07-18")
	if !ok {
		fmt.Println("not a known model of OpenAI")
		return
	}
	tokenizer, err := tiktoken.Get(encoding)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(encoding, tokenizer.Count("Hello, world!"))
	// Output: o200k_base 4
}

func ExampleForModel() {
	for _, model := range []string{"gpt-5.1", "openai/gpt-4o:free", "ft:gpt-3.5-turbo-0613:acme::id", "gpt-oss:120b", "prod-chat"} {
		encoding, ok := tiktoken.ForModel(model)
		fmt.Println(model, encoding, ok)
	}
	// Output:
	// gpt-5.1 o200k_base true
	// openai/gpt-4o:free o200k_base true
	// ft:gpt-3.5-turbo-0613:acme::id cl100k_base true
	// gpt-oss:120b o200k_harmony true
	// prod-chat  false
}

func ExampleTokenizer_Encode() {
	tokenizer, err := tiktoken.Get(tiktoken.Cl100kBase)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tokenizer.Encode("tiktoken is great!"))
	// Special tokens in the text are text.
	fmt.Println(tokenizer.Encode("<|endoftext|>"))
	// Output:
	// [83 1609 5963 374 2294 0]
	// [27 91 8862 728 428 91 29]
}
