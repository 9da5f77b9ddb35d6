package check

import (
	"encoding/json"
	"errors"
	"io"
)

// strictJSON reads one object of strings: no member twice, none that is not known, in the letters that it has here,
// and nothing after it.
func strictJSON(body io.Reader, into *checkRequest) error {
	dec := json.NewDecoder(body)
	seen := map[string]bool{}
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errForm
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return errForm
		}
		value, err := dec.Token()
		text, isText := value.(string)
		key, _ := name.(string)
		if err != nil || !isText || seen[key] {
			return errForm
		}
		seen[key] = true
		switch key {
		case "serial":
			into.Serial = text
		case "code":
			into.Code = text
		case "next_code":
			into.Next = text
		case "proof":
			into.Proof = text
		default:
			return errForm
		}
	}
	if _, err := dec.Token(); err != nil {
		return errForm
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errForm
	}
	return nil
}
