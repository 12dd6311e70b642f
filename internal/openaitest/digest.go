// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// digest is the hash of a request, from which everything that looks random in its answer is derived.
type digest [sha256.Size]byte

func newDigest(data []byte) digest { return sha256.Sum256(data) }

// number returns a number below limit.
func (d digest) number(limit int) int {
	return int(binary.BigEndian.Uint32(d[:])>>1) % limit
}

// id returns prefix and up to 64 hexadecimal digits.
func (d digest) id(prefix string, digits int) string {
	return prefix + hex.EncodeToString(d[:])[:digits]
}

// sub derives the digest of one numbered part, such as a choice.
func (d digest) sub(part int) digest {
	return newDigest(strconv.AppendInt(d[:], int64(part), 10))
}
