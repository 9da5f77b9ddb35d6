package explain

import (
	"errors"
	"strings"
)

// Language is the language a person reads. The zero value is English.
type Language uint8

// The languages of the catalogue.
const (
	English Language = iota
	Chinese
)

// ErrLanguage is returned for a language the catalogue is not written in.
var ErrLanguage = errors.New("language: not en or zh")

// ParseLanguage reads "en" or "zh", alone or with a region ("zh-CN", "en_US"), in any case
// (RFC 5646, 2.1.1). Any other language is ErrLanguage.
func ParseLanguage(s string) (Language, error) {
	primary := s
	if i := strings.IndexAny(s, "-_"); i >= 0 {
		primary = s[:i]
	}
	switch strings.ToLower(primary) {
	case "en":
		return English, nil
	case "zh":
		return Chinese, nil
	}
	return English, ErrLanguage
}

// String is "en" or "zh", the language subtag of RFC 5646; "en" outside the list, as In reads it.
func (l Language) String() string {
	if l == Chinese {
		return "zh"
	}
	return "en"
}

// Text is one saying in both languages, UTF-8.
type Text struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// In is the saying in l; a language outside the list gives English.
func (t Text) In(l Language) string {
	if l == Chinese {
		return t.ZH
	}
	return t.EN
}

func (t Text) whole() bool { return sound(t.EN) && sound(t.ZH) }

// sound tells whether s can stand on a screen: not empty, no control character, no space around it.
func sound(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7F || r == '\uFFFD' {
			return false
		}
	}
	return s != "" && strings.TrimSpace(s) == s
}

// wide holds the ranges of characters that take two columns: Unicode Standard Annex 11,
// East_Asian_Width W and F, as whole blocks.
var wide = [...][2]rune{
	{0x1100, 0x115F}, {0x2E80, 0x303E}, {0x3041, 0x4DBF}, {0x4E00, 0xA4CF}, {0xA960, 0xA97F},
	{0xAC00, 0xD7A3}, {0xF900, 0xFAFF}, {0xFE30, 0xFE6F}, {0xFF01, 0xFF60}, {0xFFE0, 0xFFE6},
	{0x1F300, 0x1F64F}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD},
}

// Columns is the width of s in terminal columns: two for a wide East Asian character, one for any
// other. It knows no combining marks and no control characters; the catalogue has neither.
func Columns(s string) int {
	n := 0
	for _, r := range s {
		n++
		for _, w := range wide {
			if r >= w[0] && r <= w[1] {
				n++
				break
			}
		}
	}
	return n
}
