package console

import "testing"

// TestPercent: the card rounds a share as the sentence of effectiveness beside it does, and never up to the whole.
func TestPercent(t *testing.T) {
	for _, c := range []struct {
		share float64
		want  string
	}{{0, "0 %"}, {0.00004, "0.0040 %"}, {0.0074, "0.74 %"}, {0.8514, "85.1 %"}, {0.85166, "85.2 %"}, {2.0 / 3, "66.7 %"}, {0.9999, "99.9 %"}, {1, "100.0 %"}} {
		if got := percent(c.share); got != c.want {
			t.Errorf("%v is %q, want %q", c.share, got, c.want)
		}
	}
}
