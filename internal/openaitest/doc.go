// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package openaitest is a loopback stand-in for the OpenAI API. It is test equipment: it answers from a small table of
// sentences and must never be shipped or put in front of anything but tests and the demo.
//
// It serves, in the shapes of the real API (field order, headers, error bodies, `usage: null` in the chunks of a stream that
// asked for usage), and under /openai/v1 as Azure does:
//
//	POST /v1/chat/completions                        plain and streamed
//	POST /v1/responses, GET /v1/responses/{id}       plain, streamed, in the background (over when it is fetched)
//	POST /v1/completions                             plain and streamed
//	POST /v1/embeddings                              as numbers and as base64
//	POST /v1/files, GET /v1/files/{id}/content       in memory
//	POST /v1/batches, GET /v1/batches/{id}           over at once, results in another order than requests
//
// It is deterministic: the answer, its id and its usage are a function of the request, and stream and stream_options do not
// change them, so that a streamed call and the same call unstreamed can be compared. Only the attempts of [ModelRateLimited]
// are counted.
//
// # Answers
//
// The known models are gpt-4o, gpt-4o-mini, gpt-4.1, gpt-4.1-mini, gpt-4.1-nano, gpt-4, gpt-3.5-turbo, for legacy completions
// gpt-3.5-turbo-instruct, for embeddings text-embedding-3-small, text-embedding-3-large, text-embedding-ada-002, and the dated
// names that they answer as. An embedding is made from its text alone. With tools and a last message from the user the answer calls the tools that the message names, or
// else the first one, with arguments made from the tool's JSON schema and the message. tool_choice and
// parallel_tool_calls are honoured. A last message from a tool gets an answer in text. max_tokens cuts an answer
// (finish_reason length).
//
// # Failures
//
// The model name selects a failure, because every SDK can set it:
//
//	model       what happens
//	error-400   400 invalid_value
//	error-429   429 rate_limit_exceeded with Retry-After and Retry-After-Ms; the next attempt of the same request succeeds
//	error-500   500 server_error, always
//	cut-stream  200, and the connection breaks half-way through the answer, streamed or plain
//
// Requests that the real API refuses get its error: no API key (401), a model that does not exist (404), malformed JSON,
// missing or empty messages, parameters out of range, a tool message without its call, stream_options without stream (400).
//
// # Usage
//
// Prompt tokens follow the OpenAI cookbook ("How to count tokens with tiktoken"): for each message 3 + role + content,
// + 1 + name where it has one; 3 at the end; its additive formula for tool definitions. Completion tokens are the tokens
// of the content, summed over the choices. The input and the instructions of a response cost what the same messages cost in
// a chat, and so does what previous_response_id repeats; the prompt of a legacy completion and the input of embeddings cost
// their tokens. The cookbook has no rule for tool calls: here a call in the answer costs its
// name and arguments + 7, and in a message + 8, both close to what the real API bills. An image costs 85 tokens, the
// low-detail price of gpt-4o. Reasoning models are left out: what they bill cannot be derived from the text. Counting is
// quadratic in the length of a run without a break, so do not send 100 KB of one letter.
package openaitest
