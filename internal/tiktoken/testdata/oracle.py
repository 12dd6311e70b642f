# Copyright The otelcol-mlflow Authors
# SPDX-License-Identifier: Apache-2.0
"""Encodes texts with Python's tiktoken, in the encoding that the first argument names.

Reads batches from standard input and answers each on standard output. A batch is a number of texts, then each of them; a text
is a number of bytes, then these. The answer has for each text the number of its tokens, then these. Every number and every
token is four bytes, little endian. Invalid UTF-8 is replaced, special tokens are text.
"""

import array
import struct
import sys

import tiktoken


def main():
    encoding = tiktoken.get_encoding(sys.argv[1])
    requests, responses = sys.stdin.buffer, sys.stdout.buffer

    def number():
        return struct.unpack("<I", requests.read(4))[0]

    while header := requests.read(4):
        answer = array.array("I")
        for _ in range(struct.unpack("<I", header)[0]):
            text = requests.read(number()).decode("utf-8", errors="replace")
            tokens = encoding.encode_ordinary(text)
            answer.append(len(tokens))
            answer.extend(tokens)
        responses.write(answer.tobytes())
        responses.flush()


main()
