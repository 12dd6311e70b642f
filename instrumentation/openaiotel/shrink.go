// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaiotel

import "bytes"

// maxShrunk is how much may be left of a document, in bytes.
const maxShrunk = 256 << 10

// shrinker takes a JSON document piece by piece and keeps what the readers of this package need when content is off: it
// empties strings that are longer than a name and puts null for the values of some keys. What is left of a body of any size
// is small, found in one pass, and can be parsed like the body itself.
//
// It follows only strings and brackets. Whether the rest is JSON is found out when what is left is parsed.
type shrinker struct {
	out     *bytes.Buffer
	content string // a key whose value is content, beside those that always are

	depth    int
	inString bool
	odd      bool // the string so far ends in an odd number of backslashes
	long     bool // the string was emptied
	start    int  // in out, of the last string
	skipping bool // a value
	skipped  int  // the depth of its key
	overflow bool
}

// isContent reports whether no reader needs the value of a key when content is off.
func (s *shrinker) isContent(key []byte) bool {
	switch string(key) {
	case "content", "tools", "functions", "instructions", "embedding", "logprobs", "annotations", "arguments", "metadata", "variables":
		return true
	default:
		return s.content != "" && string(key) == s.content
	}
}

// document returns what is left, once all was written; nil when that is too much.
func (s *shrinker) document() []byte {
	if s.overflow {
		return nil
	}
	return s.out.Bytes()
}

func (s *shrinker) write(p []byte) {
	for len(p) > 0 && !s.overflow {
		if s.inString {
			p = s.writeString(p)
			continue
		}
		b := p[0]
		p = p[1:]
		switch b {
		case ' ', '\t', '\r', '\n':
			continue
		case '"':
			s.inString, s.odd, s.long = true, false, false
			if !s.skipping {
				s.start = s.out.Len()
			}
		case '{', '[':
			s.depth++
		case '}', ']', ',':
			if s.skipping && s.depth == s.skipped {
				s.skipping = false
			}
			if b != ',' {
				s.depth--
			}
		}
		if s.skipping {
			continue
		}
		s.out.WriteByte(b)
		if b == ':' && s.out.Len()-s.start > 2 && s.isContent(s.out.Bytes()[s.start+1:s.out.Len()-2]) {
			s.out.WriteString("null")
			s.skipping, s.skipped = true, s.depth
		}
		s.overflow = s.out.Len() > maxShrunk
	}
}

// writeString takes the rest of a string, or as much of it as there is, and returns what follows.
func (s *shrinker) writeString(p []byte) []byte {
	end, closed := 0, false
	for !closed {
		quote := bytes.IndexByte(p[end:], '"')
		if quote < 0 {
			s.odd = s.oddBackslashes(p[end:])
			end = len(p)
			break
		}
		closed = !s.oddBackslashes(p[end : end+quote])
		s.odd = false
		end += quote + 1
	}
	s.inString = !closed
	switch {
	case s.skipping:
	case s.long:
		if closed {
			s.out.WriteByte('"')
		}
	case s.out.Len()-s.start+end > maxNameLength+2:
		s.out.Truncate(s.start + 1)
		s.long = true
		if closed {
			s.out.WriteByte('"')
		}
	default:
		s.out.Write(p[:end])
	}
	return p[end:]
}

// oddBackslashes reports whether the string, which goes on with p, then ends in an odd number of backslashes.
func (s *shrinker) oddBackslashes(p []byte) bool {
	n := len(p)
	for n > 0 && p[n-1] == '\\' {
		n--
	}
	odd := (len(p)-n)%2 == 1
	if n == 0 {
		odd = odd != s.odd
	}
	return odd
}
