// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package tiktoken counts the tokens of a text as OpenAI's models see it: exactly, and in time that grows with the length
// of the text and nothing else.
//
//	encoding, ok := tiktoken.ForModel("gpt-4o")
//	…
//	tokenizer, err := tiktoken.Get(encoding)
//	…
//	n := tokenizer.Count("Hello, world!")
//
// # What is counted
//
// Tokens are those of Python's tiktoken with encode_ordinary: special tokens in the text are text, so "<|endoftext|>" is
// what a user typed and never a control token. Invalid UTF-8 is read as the replacement characters that Python's
// errors="replace" gives. How many tokens a call is billed for also depends on how its messages are framed, which is not
// this package's subject.
//
// The vocabularies are part of the program, 1.7 MB for all encodings; nothing is ever fetched. One is unpacked when it is
// first asked for, which takes some 30 ms, and then kept: 15 MB for o200k_base, half of that for cl100k_base.
//
// # How it works
//
// A text is cut into pieces, which are words, numbers, runs of punctuation or white space, by a scanner for each encoding
// that does what tiktoken's regular expression does, with the character classes of the same regular expression library. Most
// pieces are tokens, so that they are looked up once. Of the others, tiktoken merges adjacent tokens, beginning with single
// bytes, always those that make the token of the lowest rank. For up to 16 bytes that is done here, too. In longer pieces the
// same tokens are found from left to right: by the longest token at each place that can stand behind the one before it, going
// back where none can. Whether two tokens can stand side by side depends on these two alone, which is the discovery of the bpe
// crate in github.com/github/rust-gems.
package tiktoken
