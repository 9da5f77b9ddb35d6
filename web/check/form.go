package check

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"touchstone/pos"
)

// What a form may be wrong in; told to the person in their language, never repeated to them.
var (
	errForm   = errors.New("form")
	errSerial = errors.New("serial number")
	errCode   = errors.New("code")
)

// narrow maps what keyboards of East Asia write in full width to ASCII, and drops what people put between digits.
func narrow(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '！' && r <= '～':
			return r - '！' + '!'
		case r == '\u3000' || r == '\u00A0' || r == '\u200B' || r == '\uFEFF' || r == '\t' || r == '\r' || r == '\n':
			return ' '
		}
		return r
	}, s)
}

// parseSerial reads a serial number as people type it: spaces left out, letters as capitals.
func parseSerial(typed string) (pos.Serial, error) {
	if len(typed) > 4*pos.MaxSerial {
		return "", errSerial
	}
	s, err := pos.ParseSerial(strings.ToUpper(strings.ReplaceAll(narrow(typed), " ", "")))
	if err != nil {
		return "", errSerial
	}
	return s, nil
}

// parseCode reads a code as people type it: with spaces or hyphens between the digits or without. given is false for
// none at all.
func parseCode(typed string) (c Code, given bool, err error) {
	if len(typed) > 64 {
		return Code{}, true, errCode
	}
	digits := strings.NewReplacer(" ", "", "-", "", ".", "").Replace(narrow(typed))
	if digits == "" {
		return Code{}, false, nil
	}
	if len(digits) != len(c) || strings.Trim(digits, "0123456789") != "" {
		return Code{}, true, errCode
	}
	copy(c[:], digits)
	return c, true, nil
}

// caseNumber is the two parts of a case's number: RPT-12 and its end.
type caseNumber struct {
	kind   string // RPT or CLM
	number int
	end    string
}

// parseCase reads a number and its code as people copy them: apart, or the whole in one field.
func parseCase(number, code string) (n caseNumber, ok bool) {
	if len(number) > 64 || len(code) > 64 {
		return caseNumber{}, false
	}
	clean := func(s string) string { return strings.ToUpper(strings.ReplaceAll(narrow(s), " ", "")) }
	parts := strings.Split(strings.Trim(clean(number), "-"), "-")
	end := strings.ReplaceAll(clean(code), "-", "")
	if len(parts) == 3 && end == "" {
		parts, end = parts[:2], parts[2]
	}
	if len(parts) != 2 || parts[0] != "RPT" && parts[0] != "CLM" || end == "" || len(end) > 16 || len(parts[1]) > 9 || strings.Trim(parts[1], "0123456789") != "" {
		return caseNumber{}, false
	}
	v, err := strconv.Atoi(parts[1])
	if err != nil || v < 1 {
		return caseNumber{}, false
	}
	return caseNumber{kind: parts[0], number: v, end: end}, true
}

// split is a whole number, RPT-1-7KQ2M9XD, as the two parts that a person is given.
func split(whole string) (number, code string) {
	if i := strings.LastIndexByte(whole, '-'); i > 0 {
		return whole[:i], whole[i+1:]
	}
	return whole, ""
}

// form reads an ordinary form strictly: the fields named, each at most once, no others.
func form(r *http.Request, fields ...string) (url.Values, error) {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
		return nil, errForm
	}
	if err := r.ParseForm(); err != nil {
		return nil, errForm
	}
	return strict(r.PostForm, fields)
}

// query reads what a link says, as strictly.
func query(r *http.Request, fields ...string) (url.Values, error) {
	v, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, errForm
	}
	return strict(v, fields)
}

func strict(v url.Values, fields []string) (url.Values, error) {
	for name, values := range v {
		if len(values) != 1 || name != langField && !slices.Contains(fields, name) || !soundText(values[0]) {
			return nil, errForm
		}
	}
	return v, nil
}

// soundText tells whether a text is UTF-8 without control characters but line ends and tabs.
func soundText(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7F || r >= 0x80 && r < 0xA0 || bidi(r)
	}) < 0
}

// bidi are the marks that make a text read otherwise than it is written; UAX #9.
func bidi(r rune) bool { return r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 }
