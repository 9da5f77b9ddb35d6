package pos

import "testing"

func TestHasPAN(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                       false,
		"a loose bezel":                          false,
		"4111111111111111":                       true,
		"card 4111 1111 1111 1111, yesterday":    true,
		"4111-1111-1111-1111":                    true,
		"at 12:30 4111111111111111":              true,
		"4111111111111111 20 yuan":               true,
		"4111111111111112":                       false, // another check digit
		"411111111111111":                        false,
		"merchant 898310058120002":               false,
		"reference 000000003968, 2026-11-28":     false,
		"00000304TS0000000024":                   false,
		"card 62 2260 0260 0107 2324":            false,
		"卡号4111111111111111被盗刷":                  true,
		"last four 1111":                         false,
		"x4111111111111111":                      true,
		"41111111111111114111111111111111411111": false, // no card's length
	} {
		if got := HasPAN(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
