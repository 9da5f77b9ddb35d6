package staff

import (
	_ "embed"
	"sort"
	"strings"
)

// commonPasswords are passwords from leaks, sorted; see the file for its source. NIST SP 800-63B-4, 3.1.1.2: a new
// passphrase is compared with a list of commonly used and compromised ones.
//
//go:embed common.txt
var commonPasswords string

// A passphrase is refused that is no more than commonWords passwords of the list and commonSpare figures around them.
const (
	commonWords   = 2
	commonSpare   = 4
	commonLongest = 40 // no entry is longer
	commonLeast   = 4  // nor shorter
)

// common tells whether p, as letters makes it, is little more than passwords of the list.
func common(p []byte) bool {
	plain := string(p)
	meant := strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s").Replace(plain)
	const far = 1 << 20
	// spare[k][i] is the fewest figures outside of k words at most among the first i characters; far where letters are.
	var spare [commonWords + 1][]int
	for k := range spare {
		spare[k] = make([]int, len(plain)+1)
	}
	for i := 1; i <= len(plain); i++ {
		for k := range spare {
			spare[k][i] = far
			if c := plain[i-1]; c >= '0' && c <= '9' {
				spare[k][i] = min(far, spare[k][i-1]+1)
			}
			if k == 0 {
				continue
			}
			spare[k][i] = min(spare[k][i], spare[k-1][i])
			for from := max(0, i-commonLongest); from <= i-commonLeast; from++ {
				if spare[k-1][from] < spare[k][i] && (listed(plain[from:i]) || listed(meant[from:i])) {
					spare[k][i] = spare[k-1][from]
				}
			}
		}
	}
	return spare[commonWords][len(plain)] <= commonSpare
}

// listed looks a password up by halving the sorted text: no index of it is built.
func listed(word string) bool {
	text := commonPasswords
	line := func(at int) (from, to int) { // the line that the byte is in
		from = strings.LastIndexByte(text[:at], '\n') + 1
		if n := strings.IndexByte(text[at:], '\n'); n >= 0 {
			return from, at + n
		}
		return from, len(text)
	}
	at := sort.Search(len(text), func(i int) bool {
		from, to := line(i)
		return text[from:to] >= word
	})
	if at == len(text) {
		return false
	}
	from, to := line(at)
	return text[from:to] == word
}
