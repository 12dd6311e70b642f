# Copyright The otelcol-mlflow Authors
# SPDX-License-Identifier: Apache-2.0
"""Counts tokens with Python's tiktoken, for internal/tiktoken/internal/bench. The first argument is the file of texts."""

import struct
import sys
import time

import tiktoken

encodings = {name: tiktoken.get_encoding(name) for name in ("o200k_base", "cl100k_base")}
with open(sys.argv[1], "rb") as file:
    data = file.read()
corpora, at = [], 0
while at < len(data):
    (count,) = struct.unpack_from("<I", data, at)
    at += 4
    texts = []
    for _ in range(count):
        (size,) = struct.unpack_from("<I", data, at)
        texts.append(data[at + 4 : at + 4 + size].decode())
        at += 4 + size
    corpora.append(texts)

for request in sys.stdin:
    encoding, corpus = request.split()
    encode, texts = encodings[encoding].encode_ordinary, corpora[int(corpus)]
    start = time.perf_counter_ns()
    tokens = 0
    for text in texts:
        tokens += len(encode(text))
    print(time.perf_counter_ns() - start, tokens, flush=True)
