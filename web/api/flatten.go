package api

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// flatten adds the values of one JSON value under a path. A list of plain values is one field.
func flatten(path string, raw json.RawMessage, fields *[]Field) {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) > 0 && raw[0] == '{':
		eachMember(raw, func(name string, value json.RawMessage) { flatten(join(path, name), value, fields) })
	case len(raw) > 0 && raw[0] == '[':
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil {
			return
		}
		var plain []string
		for i, v := range list {
			if v[0] == '{' || v[0] == '[' {
				flatten(join(path, strconv.Itoa(i+1)), v, fields)
				continue
			}
			plain = append(plain, text(v))
		}
		if len(plain) > 0 {
			*fields = append(*fields, Field{path, strings.Join(plain, ", ")})
		}
	case len(raw) > 0:
		*fields = append(*fields, Field{path, text(raw)})
	}
}

// eachMember shows the members of an object in the order in which they stand.
func eachMember(raw json.RawMessage, f func(name string, value json.RawMessage)) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return
		}
		if name, ok := key.(string); ok {
			f(name, value)
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// text is a plain JSON value as a person reads it.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
