package proof

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"touchstone/paycrypto/mac"
)

// MACRefusal is which MACs a policy does not accept although they are right: those of an algorithm with one of
// these weaknesses, and those of algorithms named. The zero value refuses none; it may be compared.
type MACRefusal struct {
	why        mac.Weakness
	algorithms uint64 // bit of mac.Algorithm
}

// maxAlgorithm is one above the highest number that the set of a MACRefusal has room for.
const maxAlgorithm = 64

// AnyWeak is the word of a refusal of every algorithm graded weaker than strong.
const AnyWeak = "weak"

// ErrMACRefusal is returned for a word that names no weakness and no algorithm.
var ErrMACRefusal = errors.New("want weak, xor-fold, single DES, open chain, or an algorithm such as UnionPay ECB DES")

// weaknesses are those of package mac, each of which has a word.
var weaknesses = [...]mac.Weakness{mac.XORFold, mac.SingleDES, mac.OpenChain}

// plainWord is a word without what people write differently: case, hyphens, spaces.
func plainWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' || r == '_' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// ParseMACRefusal reads the words of a policy, such as "single DES" and "xor-fold".
func ParseMACRefusal(words []string) (m MACRefusal, err error) {
	for _, word := range words {
		one, known := refusalOf(plainWord(word))
		if !known {
			return MACRefusal{}, fmt.Errorf("%q: %w", word, ErrMACRefusal)
		}
		m.why, m.algorithms = m.why|one.why, m.algorithms|one.algorithms
	}
	return m, nil
}

func refusalOf(word string) (m MACRefusal, known bool) {
	if word == AnyWeak {
		for _, w := range weaknesses {
			m.why |= w
		}
		return m, true
	}
	for _, w := range weaknesses {
		if plainWord(w.String()) == word {
			return MACRefusal{why: w}, true
		}
	}
	for a := mac.Algorithm(1); a < maxAlgorithm; a++ {
		if name := a.String(); name != mac.None.String() && plainWord(name) == word {
			return MACRefusal{algorithms: 1 << a}, true
		}
	}
	return MACRefusal{}, false
}

// Any tells whether anything is refused.
func (m MACRefusal) Any() bool { return m != MACRefusal{} }

// Refuses tells whether a MAC under an algorithm is refused. What has no algorithm is refused wherever anything is.
func (m MACRefusal) Refuses(a mac.Algorithm) bool {
	if !m.Any() {
		return false
	}
	grade := a.Grade()
	return grade.Strength == mac.Worthless || a < maxAlgorithm && m.algorithms>>a&1 != 0 || grade.Why&m.why != 0
}

// Words are the policy's words in one order, weaknesses first.
func (m MACRefusal) Words() (words []string) {
	for _, w := range weaknesses {
		if m.why.Has(w) {
			words = append(words, w.String())
		}
	}
	for a := mac.Algorithm(1); a < maxAlgorithm; a++ {
		if m.algorithms>>a&1 != 0 {
			words = append(words, a.String())
		}
	}
	return slices.Clip(words)
}

// String is the words with commas between them.
func (m MACRefusal) String() string { return strings.Join(m.Words(), ", ") }
