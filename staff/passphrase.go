package staff

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/secret"
)

// What is left of a passphrase when every word known to a guesser is struck out must have this many characters,
// and this many different ones.
const (
	leastOwn       = 8
	leastDifferent = 5
)

// KeptHashes is how many former passphrases are refused when a new one is set. PCI DSS 8.3.7: the last four.
const KeptHashes = 4

// trivialWords are words and runs that guessers try first, one a line; see the file for its sources.
//
//go:embed trivial.txt
var trivialWords string

// CheckPassphrase refuses a passphrase that a guesser would try: too short or long, of few characters, made of
// well-known words, keyboard walks and runs of digits, or of the account's own name, person or organisation. An
// error wraps ErrPassphrase and says which rule, never what was refused.
func CheckPassphrase(passphrase secret.Bytes, of *Account) (err error) {
	passphrase.Use(func(p []byte) { err = checkPassphrase(p, of) })
	return err
}

func checkPassphrase(p []byte, of *Account) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrPassphrase, fmt.Sprintf(format, args...))
	}
	switch n := utf8.RuneCount(p); {
	case !utf8.Valid(p):
		return bad("want text in UTF-8")
	case n < MinPassphrase:
		return bad("want %d characters at least: several words that nobody else would put together", MinPassphrase)
	case len(p) > MaxPassphrase:
		return bad("want %d bytes at most", MaxPassphrase)
	}
	plain := letters(p)
	defer clear(plain)
	if period(plain) {
		return bad("it repeats itself")
	}
	if common(plain) {
		return bad("it is little more than one or two of the passwords that guessers try first")
	}
	words := []string{of.Name, of.Person, of.Organisation, of.FullName}
	words = append(words, strings.FieldsFunc(of.Name+" "+of.FullName+" "+of.Organisation, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })...)
	for _, w := range words {
		if key := letters([]byte(w)); len(key) >= 3 {
			plain = strike(plain, key)
		}
	}
	if utf8.RuneCount(plain) < leastOwn {
		return bad("it is little more than the account's own name, person or organisation")
	}
	for line := range strings.Lines(trivialWords) {
		if word := strings.TrimSpace(line); word != "" && word[0] != '#' {
			plain = strike(plain, []byte(word))
		}
	}
	plain = strikeRuns(plain)
	if utf8.RuneCount(plain) < leastOwn || different(plain) < leastDifferent {
		return bad("it is little more than well-known words, runs or one thing repeated")
	}
	return nil
}

// letters is p with letters and digits alone, lower case, and the figures that are often put for letters put back:
// p4$$w0rd is password. The caller clears it.
func letters(p []byte) []byte {
	out := make([]byte, 0, len(p)+utf8.UTFMax)
	for _, r := range string(p) {
		switch r {
		case '@':
			r = 'a'
		case '$':
			r = 's'
		case '!':
			r = 'i'
		}
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			out = utf8.AppendRune(out, unicode.ToLower(r))
		}
	}
	return out
}

// strike removes every place of a word, also where 0, 1, 3, 4, 5 stand for o, i, e, a, s.
func strike(p, word []byte) []byte {
	for at := 0; at+len(word) <= len(p); {
		if !alike(p[at:at+len(word)], word) {
			at++
			continue
		}
		p = append(p[:at], p[at+len(word):]...)
	}
	return p
}

func alike(p, word []byte) bool {
	for i, c := range p {
		if c == word[i] {
			continue
		}
		if k := strings.IndexByte("01345", c); k < 0 || word[i] != "oieas"[k] {
			return false
		}
	}
	return true
}

// strikeRuns shortens every run of three or more bytes that are equal, or each one above or below the one before,
// to its first byte: 111, abcd, 4321.
func strikeRuns(p []byte) []byte {
	out := p[:0]
	for i := 0; i < len(p); {
		n := 1
		if i+1 < len(p) {
			if step := int(p[i+1]) - int(p[i]); step >= -1 && step <= 1 && p[i] < utf8.RuneSelf {
				for i+n < len(p) && int(p[i+n])-int(p[i+n-1]) == step {
					n++
				}
			}
		}
		out = append(out, p[i])
		if n >= 3 {
			i += n
		} else {
			i++
		}
	}
	return out
}

// period tells whether p is one part of at most half its length, over and over.
func period(p []byte) bool {
	for n := 1; n <= len(p)/2; n++ {
		if bytes.Equal(p[n:], p[:len(p)-n]) {
			return true
		}
	}
	return false
}

func different(p []byte) int {
	seen := map[rune]bool{}
	for _, r := range string(p) {
		seen[r] = true
	}
	return len(seen)
}

// Reuses tells whether a passphrase is the account's own or one of the KeptHashes before it. It costs a hash each.
func (a *Account) Reuses(passphrase secret.Bytes) bool {
	if a.Passphrase.Matches(passphrase) {
		return true
	}
	for _, h := range a.Former {
		if h.Matches(passphrase) {
			return true
		}
	}
	return false
}

// keepFormer puts the hash that is replaced among the former ones of a.
func (a *Account) keepFormer(old *Account) {
	a.Former = old.Former
	if old.Passphrase == nil || a.Passphrase == nil && a.Invited == nil || a.Passphrase != nil && bytes.Equal(old.Passphrase.Sum, a.Passphrase.Sum) {
		return
	}
	a.Former = append([]*Hash{old.Passphrase}, old.Former...)
	a.Former = a.Former[:min(len(a.Former), KeptHashes)]
}

// ChangePassphrase is the decision to give an account the new passphrase that its own person chose. The program
// has proven the old one, checked the new one and hashed it.
func ChangePassphrase(s *State, name string, hash *Hash, now pos.Instant) ([]journal.Draft, error) {
	old := s.accounts[name]
	if old == nil || old.Disabled || hash == nil {
		return nil, ErrUnknown
	}
	a := *old
	a.Passphrase, a.PassphraseAt = hash, now
	a.keepFormer(old)
	return draft("passphrase_changed", []string{name}, "", NounAccount, name, &a)
}
