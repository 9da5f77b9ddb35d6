package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"touchstone/web/api"
)

// TestStrict: what two readers of one text could take for different things is refused, each with its code.
func TestStrict(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`[`, n) + strings.Repeat(`]`, n) }
	for _, c := range []struct{ name, body, code, param string }{
		{"an object", `{"a":1,"b":[{"a":2}]}`, "", ""}, {"a number", `12`, "", ""}, {"white space around", " \n{}\t", "", ""},
		{"the same name in two objects", `{"a":{"a":1},"b":{"a":1}}`, "", ""}, {"an escaped pair", `"\ud83d\ude00"`, "", ""}, {"an escaped backslash before u", `"\\ud800"`, "", ""},
		{"nothing", ``, "body_missing", ""}, {"only white space", " \n", "body_missing", ""},
		{"bytes that are no UTF-8", "{\"a\":\"\xff\"}", "invalid_utf8", ""}, {"a surrogate in UTF-8", "\"\xed\xa0\x80\"", "invalid_utf8", ""},
		{"a high surrogate alone", `"\ud83d"`, "invalid_utf8", ""}, {"a low one alone", `"\ude00"`, "invalid_utf8", ""}, {"a pair the wrong way", `"\ude00\ud83d"`, "invalid_utf8", ""},
		{"a member twice", `{"a":1,"b":{"c":1,"c":2}}`, "duplicate_member", "b.c"}, {"twice, once escaped", `{"a":1,"\u0061":2}`, "duplicate_member", "a"}, {"twice in a list", `[{"a":1},{"a":1,"a":1}]`, "duplicate_member", "[1].a"},
		{"a second value", `{} {}`, "trailing_data", ""}, {"a closing brace too many", `{}}`, "trailing_data", ""},
		{"32 deep", deep(32), "", ""}, {"33 deep", deep(33), "too_deep", ""}, {"100000 deep", deep(100_000), "too_deep", ""},
		{"NaN", `{"a":NaN}`, "not_json", ""}, {"Infinity", `Infinity`, "not_json", ""}, {"a trailing comma", `{"a":1,}`, "not_json", ""}, {"a comment", `{"a":1/**/}`, "not_json", ""},
		{"cut off", `{"a":`, "not_json", ""}, {"single quotes", `{'a':1}`, "not_json", ""}, {"no comma", `[1 2]`, "not_json", ""}, {"no colon", `{"a" 1}`, "not_json", ""}, {"a leading zero", `01`, "trailing_data", ""},
		{"a byte order mark", "\ufeff{}", "not_json", ""}, {"a control character in a string", "\"\n\"", "not_json", ""},
	} {
		p := api.Strict([]byte(c.body))
		code, param := "", ""
		if p != nil {
			code, param = p.Code, p.Param
		}
		if code != c.code || param != c.param {
			t.Errorf("%s: %s %q, want %s %q", c.name, code, param, c.code, c.param)
		}
	}
	var many strings.Builder
	for i := range 10_001 {
		fmt.Fprintf(&many, `,"m%d":1`, i)
	}
	if p := api.Strict([]byte("{" + many.String()[1:] + "}")); p == nil || p.Code != "too_large" {
		t.Errorf("10001 members: %v", p)
	}
}

// FuzzStrict: what is let through is one JSON value in UTF-8, reads back as it was written, and has no member twice in
// any reader's eyes: encoding keeps its number of members.
func FuzzStrict(f *testing.F) {
	for _, seed := range []string{`{"a":1}`, `{"a":1,"a":2}`, `[[[[]]]]`, `"\ud83d\ude00"`, `"\ud83d"`, `{} {}`, `{"a":NaN}`, "\xff", `{"a":{"b":[1,2,{"c":null}]}}`, `1e999`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p := api.Strict(body)
		if p != nil {
			if p.Status != 400 || p.Code == "" || len(p.Param) > 110 {
				t.Fatalf("refused by %d %q, param of %d bytes", p.Status, p.Code, len(p.Param))
			}
			return
		}
		if !json.Valid(body) {
			t.Fatal("let through what is no JSON")
		}
		var value any
		if err := json.Unmarshal(body, &value); err != nil {
			return // a number beyond float64
		}
		again, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if members(value) != strings.Count(string(strip(body)), ":") {
			t.Fatal("a member is lost when it is read")
		}
		if p := api.Strict(again); p != nil {
			t.Fatalf("what was read is refused when it is written: %s", p.Code)
		}
	})
}

func members(v any) (n int) {
	switch x := v.(type) {
	case map[string]any:
		for _, inner := range x {
			n += 1 + members(inner)
		}
	case []any:
		for _, inner := range x {
			n += members(inner)
		}
	}
	return n
}

// strip leaves the text out of strings, so that what is left counts members.
func strip(body []byte) (out []byte) {
	inside := false
	for i := 0; i < len(body); i++ {
		switch {
		case body[i] == '"':
			inside = !inside
		case inside && body[i] == '\\':
			i++
		case !inside:
			out = append(out, body[i])
		}
	}
	return out
}
