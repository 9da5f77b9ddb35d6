package clone_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"touchstone/diagnosis/clone"
)

// TestWeights: the table of this release holds every kind, and no weight is more than its own chances give.
func TestWeights(t *testing.T) {
	w := clone.Builtin()
	for k := clone.TraceBack; k <= clone.VersionReturn; k++ {
		row := w.Of(k)
		if row.Kind != k.String() || row.Weight <= 0 {
			t.Errorf("%s: no row, or no weight", k)
		}
		if most := 10 * math.Log10(row.Two/row.One); float64(row.Weight) > most+1e-6 {
			t.Errorf("%s: weight %d, its chances give %.1f", k, row.Weight, most)
		}
		for _, text := range []string{row.Why, row.WhyZH} { // a person reads it: no name of this program's
			if text == "" || strings.Contains(text, "_") {
				t.Errorf("%s: why it weighs so: %q", k, text)
			}
		}
		if row.Confidence != "unverified" {
			t.Errorf("%s: %q: no fleet was measured yet", k, row.Confidence)
		}
	}
	for _, k := range []clone.Kind{clone.AddressReturn, clone.Travel, clone.SerialReturn, clone.VersionReturn, clone.PingPong} {
		if !w.Of(k).Soft {
			t.Errorf("%s alone suffices", k)
		}
	}
}

func TestParseWeightsRefuses(t *testing.T) {
	good := `{"threshold":50,"window":"6h","at_once":"10m","apart":"60m","gap":20,"near":4,"far":64,"speed_km_h":1000,"uncertainty_m":5000,"soft_most":24,"kinds":[]}`
	for name, raw := range map[string]string{
		"nothing":         "",
		"no kinds":        good,
		"soft suffices":   strings.Replace(good, `"soft_most":24`, `"soft_most":25`, 1),
		"low threshold":   strings.Replace(good, "50", "49", 1),
		"no window":       strings.Replace(good, "6h", "", 1),
		"endless window":  strings.Replace(good, "6h", "25h", 1),
		"gap of none":     strings.Replace(good, `"gap":20`, `"gap":0`, 1),
		"near beyond gap": strings.Replace(good, `"near":4`, `"near":21`, 1),
		"far within gap":  strings.Replace(good, `"far":64`, `"far":20`, 1),
		"a snail's speed": strings.Replace(good, "1000", "99", 1),
		"unknown member":  strings.Replace(good, `"gap"`, `"gop"`, 1),
		"unknown kind":    strings.Replace(good, "[]", `[{"kind":"x","weight":1,"one":0.1,"two":0.5,"confidence":"x","says":{"en":"x","zh":"x"},"why":"x"}]`, 1),
		"too heavy":       strings.Replace(good, "[]", `[{"kind":"travel","weight":21,"one":0.005,"two":0.5,"confidence":"x","says":{"en":"x","zh":"x"},"why":"x"}]`, 1),
	} {
		if _, err := clone.ParseWeights([]byte(raw)); !errors.Is(err, clone.ErrWeights) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOneIn(t *testing.T) {
	for weight, want := range map[int]uint64{0: 1, 10: 10, 25: 310, 50: 100_000, 55: 310_000, 60: 1_000_000, 150: 1_000_000_000_000_000, 400: 1_000_000_000_000_000} {
		if got := clone.OneIn(weight); got != want {
			t.Errorf("%d: one in %d, want %d", weight, got, want)
		}
	}
}
