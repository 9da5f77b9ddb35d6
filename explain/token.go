package explain

import (
	"slices"
	"strings"
	"unicode"
)

// stopWords tell nothing: English words, and Chinese phrases, the longest first.
type stopWords struct {
	en map[string]bool
	zh []string
}

// normal is s as it is compared: small letters, half width, one space between a word and the next, and between Latin
// and Chinese; no signs. "MAC校验错!" is "mac 校验错".
func normal(s string) string {
	var out strings.Builder
	last := kindSpace
	for _, r := range s {
		if r >= 0xFF01 && r <= 0xFF5E {
			r -= 0xFF01 - '!' // the full-width forms of ASCII
		}
		r = unicode.ToLower(r)
		kind := kindOf(r)
		if kind == kindSpace {
			last = kindSpace
			continue
		}
		if out.Len() > 0 && kind != last {
			out.WriteByte(' ')
		}
		out.WriteRune(r)
		last = kind
	}
	return out.String()
}

// The kinds of characters.
const (
	kindSpace = iota
	kindWord
	kindHan
)

func kindOf(r rune) int {
	switch {
	case unicode.Is(unicode.Han, r):
		return kindHan
	case unicode.IsLetter(r) || unicode.IsDigit(r):
		return kindWord
	}
	return kindSpace
}

func isHan(word string) bool {
	for _, r := range word {
		return kindOf(r) == kindHan
	}
	return false
}

// strip takes out of a normalized text what tells nothing. A text of nothing else stays as it is.
func (s *stopWords) strip(text string) string {
	var kept []string
	joined := text
	for _, phrase := range s.zh {
		joined = removeAround(joined, phrase)
	}
	for _, word := range strings.Fields(joined) {
		if !s.en[word] {
			kept = append(kept, word)
		}
	}
	if len(kept) == 0 {
		return text
	}
	return strings.Join(kept, " ")
}

// removeAround takes a normalized phrase out of a normalized text; what stood before and behind stays apart.
func removeAround(text, phrase string) string {
	if !strings.Contains(text, phrase) {
		return text
	}
	if isHan(phrase) {
		return strings.ReplaceAll(text, phrase, " ")
	}
	return strings.TrimSpace(strings.ReplaceAll(" "+text, " "+phrase, " "))
}

// tokensOf are the tokens of a normalized text, each once, in order: the stem of a word, pairs of neighbours of Chinese
// characters, a Chinese character that stands alone.
func tokensOf(text string) []string {
	var tokens []string
	add := func(t string) {
		if !slices.Contains(tokens, t) {
			tokens = append(tokens, t)
		}
	}
	for _, word := range strings.Fields(text) {
		if !isHan(word) {
			add(stem(word))
			continue
		}
		runes := []rune(word)
		if len(runes) == 1 {
			add(word)
		}
		for i := 1; i < len(runes); i++ {
			add(string(runes[i-1 : i+1]))
		}
	}
	return tokens
}

// stem cuts the commonest English endings, so that "locked", "locks" and "locking" are one.
func stem(word string) string {
	for _, ending := range []string{"ing", "ed", "es", "s"} {
		if cut, ok := strings.CutSuffix(word, ending); ok && len(cut) >= 3 && !strings.HasSuffix(cut, "s") {
			return cut
		}
	}
	return strings.TrimSuffix(word, "e")
}

// holds tells whether a normalized text has a phrase in it, its Latin words whole.
func holds(text, phrase string) bool {
	if phrase == "" {
		return false
	}
	words := strings.Fields(phrase)
	if !isHan(words[0]) {
		phrase = " " + phrase
	}
	if !isHan(words[len(words)-1]) {
		phrase += " "
	}
	return strings.Contains(" "+text+" ", phrase)
}
