package pos

// HasPAN tells whether a text holds 13 to 19 digits with a right check digit (Luhn; ISO/IEC 7812-1), spaces and
// hyphens between groups of them or not, that begin as payment cards do, 3 to 6. A number of something else beside it,
// such as a time, hides none. What people write is kept for ever: no card number may be in it.
func HasPAN(text string) bool {
	var digits []byte // of the groups that follow one another
	starts := []int{0}
	for i := 0; i <= len(text); i++ {
		c := byte(0)
		if i < len(text) {
			c = text[i]
		}
		switch {
		case c >= '0' && c <= '9':
			digits = append(digits, c-'0')
		case (c == ' ' || c == '-') && len(digits) > 0:
			if starts[len(starts)-1] != len(digits) {
				starts = append(starts, len(digits))
			}
		default:
			if panIn(digits, starts) {
				return true
			}
			digits, starts = digits[:0], starts[:1]
		}
	}
	return false
}

// panIn looks at every row of whole groups.
func panIn(digits []byte, starts []int) bool {
	for n, from := range starts {
		for m := n + 1; m <= len(starts); m++ {
			to := len(digits)
			if m < len(starts) {
				to = starts[m]
			}
			if to-from > 19 {
				break
			}
			if to-from >= 13 && digits[from] >= 3 && digits[from] <= 6 && luhn(digits[from:to]) {
				return true
			}
		}
	}
	return false
}

func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i])
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
