package incident

import "unicode/utf8"

// Text is one saying in both languages.
type Text struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// Same is a text that a person wrote: it is shown as it is in both languages.
func Same(s string) Text { return Text{EN: s} }

// In is the saying in Chinese or in English; where one is missing, the other.
func (t Text) In(chinese bool) string {
	if chinese && t.ZH != "" || t.EN == "" {
		return t.ZH
	}
	return t.EN
}

func (t Text) whole() bool { return t.EN != "" && t.ZH != "" }

func (t Text) fits(most int) bool { return sound(t.EN, most) && sound(t.ZH, most) }

// sound tells whether a text may be kept and shown: UTF-8 without control characters but line breaks.
func sound(s string, most int) bool {
	if len(s) > most || !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if c < ' ' && c != '\n' || c == 0x7f {
			return false
		}
	}
	return true
}

// id tells whether a text is 1 to 48 of a to z, 0 to 9, - and _.
func isID(s string) bool {
	for _, c := range []byte(s) {
		if c != '_' && c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 48
}

// Bounds of what one record holds, so that an act with its incident and clocks stays within an entry.
const (
	MaxTitle     = 160 // bytes a language
	MaxNote      = 2000
	MaxCause     = 1500
	MaxActions   = 16
	MaxAction    = 300
	MaxLinks     = 32
	MaxTerminals = 200 // listed by name; Scope.More counts the others
	MaxNames     = 16  // models, versions, shops of a scope
	MaxProof     = 64  // entries named as proof
	MaxSteps     = 500 // of one incident's timeline
)
