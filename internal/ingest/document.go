package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a document.
const maxDepth = 32

// document checks that raw is a JSON object the store can keep and every reader
// can decode: valid UTF-8, at most maxDocument bytes and maxDepth levels, no
// NUL characters or lone surrogates (PostgreSQL's jsonb refuses both), numbers
// within the range of a float64.
func document(column string, raw []byte) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) > maxDocument {
		return reject(column, "is larger than %d KB", maxDocument>>10)
	}
	if len(raw) == 0 || raw[0] != '{' {
		return reject(column, "is not a JSON object")
	}
	if !json.Valid(raw) {
		return reject(column, "is not valid JSON")
	}
	if !utf8.Valid(raw) {
		return reject(column, "is not valid UTF-8")
	}
	return storable(column, raw)
}

// storable walks valid JSON once, looking only for what the store refuses.
func storable(column string, raw []byte) error {
	depth := 0
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return reject(column, "is nested deeper than %d levels", maxDepth)
			}
			i++
		case c == '}' || c == ']':
			depth--
			i++
		case c == '"':
			end, err := storableString(column, raw, i+1)
			if err != nil {
				return err
			}
			i = end
		case c == '-' || (c >= '0' && c <= '9'):
			j := i + 1
			for j < len(raw) && bytes.IndexByte([]byte("0123456789+-.eE"), raw[j]) >= 0 {
				j++
			}
			if j-i > 15 || bytes.ContainsAny(raw[i:j], "eE") {
				if f, err := strconv.ParseFloat(string(raw[i:j]), 64); err != nil || math.IsInf(f, 0) {
					return reject(column, "has a number out of range")
				}
			}
			i = j
		default:
			i++
		}
	}
	return nil
}

// storableString checks the string that starts at i, after its quote, and
// returns the index after its closing quote.
func storableString(column string, raw []byte, i int) (int, error) {
	high := false // the escape before this one was a high surrogate
	for i < len(raw) {
		c := raw[i]
		if c == '\\' && i+5 < len(raw) && raw[i+1] == 'u' {
			unit, err := strconv.ParseUint(string(raw[i+2:i+6]), 16, 16)
			if err != nil {
				return 0, reject(column, "is not valid JSON")
			}
			low := unit >= 0xDC00 && unit <= 0xDFFF
			if unit == 0 {
				return 0, reject(column, "contains a NUL character")
			}
			if low != high {
				return 0, reject(column, "contains half of a surrogate pair")
			}
			high = unit >= 0xD800 && unit <= 0xDBFF
			i += 6
			continue
		}
		if high {
			return 0, reject(column, "contains half of a surrogate pair")
		}
		switch c {
		case '\\':
			i += 2
		case '"':
			return i + 1, nil
		default:
			i++
		}
	}
	return 0, reject(column, "is not valid JSON")
}

// wholeNumber reads a decimal integer.
func wholeNumber(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("not a whole number")
	}
	return n, nil
}
