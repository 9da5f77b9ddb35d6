package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"unicode/utf8"
)

// Bounds of a JSON body.
const (
	MaxDepth   = 32    // of arrays and objects within each other
	maxMembers = 10000 // of all objects of one body
	// maxDocument is how many members a document of others may have, such as an advisory about many products.
	maxDocument = 1_000_000
)

// Strict refuses what two readers of one JSON text could take for different things: bytes that are no UTF-8, halves of
// a surrogate pair, a member named twice in one object, more than one value, and nesting that costs a reader its
// stack. What it lets pass is one JSON value by RFC 8259. Members that a schema does not have are its reader's to
// refuse.
func Strict(body []byte) *Problem { return strict(body, maxMembers) }

// StrictDocument is Strict of a whole file that others made by a published schema, which may be long.
func StrictDocument(body []byte) *Problem { return strict(body, maxDocument) }

func strict(body []byte, most int) *Problem {
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return Refuse(http.StatusBadRequest, "body_missing", "the body is empty: want one JSON value")
	case !utf8.Valid(body):
		return Refuse(http.StatusBadRequest, "invalid_utf8", "the body is not UTF-8")
	case halfSurrogate(body):
		return Refuse(http.StatusBadRequest, "invalid_utf8", "the body has half of a surrogate pair")
	}
	w := walker{dec: json.NewDecoder(bytes.NewReader(body)), most: most}
	w.dec.UseNumber()
	if p := w.value(0, ""); p != nil {
		return p
	}
	if _, err := w.dec.Token(); !errors.Is(err, io.EOF) {
		return Refuse(http.StatusBadRequest, "trailing_data", "something follows the JSON value")
	}
	if !json.Valid(body) { // a decoder of tokens is more lenient about commas and colons than the grammar
		return notJSON()
	}
	return nil
}

func notJSON() *Problem {
	return Refuse(http.StatusBadRequest, "not_json", "the body is not JSON: RFC 8259 has neither NaN nor comments nor trailing commas")
}

type walker struct {
	dec     *json.Decoder
	members int
	most    int // members
}

func (w *walker) value(depth int, path string) *Problem {
	t, err := w.dec.Token()
	if err != nil {
		return notJSON()
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	if depth == MaxDepth {
		return Refuse(http.StatusBadRequest, "too_deep", fmt.Sprintf("more than %d arrays and objects within each other", MaxDepth))
	}
	switch delim {
	case '{':
		return w.object(depth+1, path)
	case '[':
		for i := 0; w.dec.More(); i++ {
			if p := w.value(depth+1, path+"["+strconv.Itoa(i)+"]"); p != nil {
				return p
			}
		}
		return w.end()
	}
	return notJSON()
}

func (w *walker) object(depth int, path string) *Problem {
	seen := map[string]bool{}
	for w.dec.More() {
		t, err := w.dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return notJSON()
		}
		if w.members++; w.members > w.most {
			return Refuse(http.StatusBadRequest, "too_large", fmt.Sprintf("more than %d members", w.most))
		}
		at := joined(path, name)
		if seen[name] {
			p := Refuse(http.StatusBadRequest, "duplicate_member", "a member is there twice")
			p.Param = shortened(at)
			return p
		}
		seen[name] = true
		if p := w.value(depth, at); p != nil {
			return p
		}
	}
	return w.end()
}

func (w *walker) end() *Problem {
	if _, err := w.dec.Token(); err != nil {
		return notJSON()
	}
	return nil
}

func joined(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// shortened keeps what a caller sent from filling an answer.
func shortened(param string) string {
	const most = 100
	if len(param) <= most {
		return param
	}
	cut := most
	for !utf8.RuneStart(param[cut]) {
		cut--
	}
	return param[:cut] + "…"
}

// halfSurrogate tells whether an escape of UTF-16 in a string has no partner: Go's decoder would read another character
// in its place.
func halfSurrogate(body []byte) bool {
	for i := 0; i+1 < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		if body[i+1] != 'u' {
			i++ // the character that is escaped
			continue
		}
		switch unit := hexUnit(body, i+2); {
		case unit >= 0xDC00 && unit < 0xE000:
			return true
		case unit >= 0xD800 && unit < 0xDC00:
			if i+7 >= len(body) || body[i+6] != '\\' || body[i+7] != 'u' {
				return true
			}
			if low := hexUnit(body, i+8); low < 0xDC00 || low >= 0xE000 {
				return true
			}
			i += 11
		default:
			i += 5
		}
	}
	return false
}

// hexUnit reads four hexadecimal digits; -1 where there are none, which the grammar refuses.
func hexUnit(body []byte, at int) int {
	if at+4 > len(body) {
		return -1
	}
	n, err := strconv.ParseUint(string(body[at:at+4]), 16, 16)
	if err != nil {
		return -1
	}
	return int(n)
}
