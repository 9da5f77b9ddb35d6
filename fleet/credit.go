package fleet

import "strings"

// creditSigns are the characters of a unified social credit code, each at the place of its value: digits and capital
// letters without I, O, S, V and Z; GB 32100-2015, table 2 (unverified: from descriptions of the standard, with codes
// of well-known companies as witnesses).
const creditSigns = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// IsCreditCode tells whether a text is a unified social credit code (统一社会信用代码): 18 characters of which the last is
// the check character, 31 less the sum of the values weighted with 3^i modulo 31, itself modulo 31.
func IsCreditCode[T string | []byte](code T) bool {
	if len(code) != 18 {
		return false
	}
	sum, weight := 0, 1
	for i := range 17 {
		value := strings.IndexByte(creditSigns, code[i])
		if value < 0 {
			return false
		}
		sum += value * weight
		weight = weight * 3 % 31
	}
	return code[17] == creditSigns[(31-sum%31)%31]
}
