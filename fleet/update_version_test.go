package fleet_test

import (
	"errors"
	"testing"

	"touchstone/fleet"
)

func TestVersion(t *testing.T) {
	for _, c := range []struct {
		text string
		ok   bool
	}{
		{"1", true}, {"1.0", true}, {"1.0.3", true}, {"1.2.3.4", true}, {"0", true}, {"12345.67", true}, {"99999", true},
		{"", false}, {"1.", false}, {".1", false}, {"1..2", false}, {"1.2.3.4.5", false}, {"v1", false}, {"1.0.0-rc", false}, {"+1", false}, {"-1", false},
		{"01", false}, {"1.00", false}, {"100000", false}, {"1.0.0.1.1", false}, {"123456.78", false}, {"1 ", false}, {"１", false},
	} {
		if _, err := fleet.ParseVersion(c.text); (err == nil) != c.ok || err != nil && !errors.Is(err, fleet.ErrVersion) {
			t.Errorf("version %q: %v, want readable %t", c.text, err, c.ok)
		}
	}
	a, _ := fleet.ParseVersion("1.0")
	b, _ := fleet.ParseVersion("1.0.0")
	c, _ := fleet.ParseVersion("1.10")
	d, _ := fleet.ParseVersion("1.9")
	if a.Compare(b) != 0 || c.Compare(d) != 1 || d.Compare(c) != -1 {
		t.Error("1.0 is not 1.0.0, or 1.10 is not above 1.9")
	}
}

func TestRange(t *testing.T) {
	for _, c := range []struct {
		name, text, canonical string
		in, out               []string
	}{
		{"all", "*", "*", []string{"0", "99999"}, nil},
		{"vers with its scheme", "vers:generic/>=1.0.0|<1.0.3", ">=1.0.0|<1.0.3", []string{"1", "1.0.2"}, []string{"0.9", "1.0.3", "2"}},
		{"spaces", ">= 1.0 | < 1.3", ">=1.0|<1.3", []string{"1.0"}, []string{"1.3"}},
		{"from the beginning", "<2.0", "<2.0", []string{"0", "1.9"}, []string{"2", "2.0.1"}},
		{"without an end", ">=2.0", ">=2.0", []string{"2", "99999"}, []string{"1.9"}},
		{"open below", ">1.0|<=1.3", ">1.0|<=1.3", []string{"1.0.1", "1.3"}, []string{"1.0", "1.3.1"}},
		{"two intervals", ">=1.0|<1.3|>=2.0|<2.2", ">=1.0|<1.3|>=2.0|<2.2", []string{"1.2", "2.1"}, []string{"1.3", "1.9", "2.2"}},
		{"touching, and open", "<1.3|>=1.3|<2", "<1.3|>=1.3|<2", []string{"1.2", "1.3"}, []string{"2"}},
		{"one version", "1.0.2", "1.0.2", []string{"1.0.2", "1.0.2.0"}, []string{"1.0.1"}},
		{"versions and spans", "1.0,2.0-2.5", "1.0|>=2.0|<=2.5", []string{"1.0", "2.0", "2.5"}, []string{"1.1", "2.6"}},
		{"version and interval", "1.0|>=2.0", "1.0|>=2.0", []string{"1", "3"}, []string{"1.5"}},
	} {
		r, err := fleet.ParseRange(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if r.String() != c.canonical {
			t.Errorf("%s: %s, want %s", c.name, r, c.canonical)
		}
		for _, v := range c.in {
			if x, _ := fleet.ParseVersion(v); !r.Has(x) {
				t.Errorf("%s: %s is not in %s", c.name, v, r)
			}
		}
		for _, v := range c.out {
			if x, _ := fleet.ParseVersion(v); r.Has(x) {
				t.Errorf("%s: %s is in %s", c.name, v, r)
			}
		}
	}
	for name, text := range map[string]string{
		"nothing": "", "ends before it begins": ">=2.0|<1.0", "empty because open": ">=1.0|<1.0", "empty because open below": ">1.0|<=1.0", "span backwards": "2.0-1.0",
		"two lower bounds": ">=1.0|>=2.0", "upper without lower": ">=1.0|<2.0|<3.0", "out of order": ">=2.0|<3.0|>=1.0|<1.5", "overlap": "1.0-2.0,1.5-3.0", "same twice": "1.0,1.0",
		"not equal": "!=1.0", "no version": ">=x", "scheme without a slash": "vers:generic", "a word": "all", "star and more": "*|1.0",
		"after an open end": ">=1.0|2.0|<3", "too many": ">=1|<2|>=3|<4|>=5|<6|>=7|<8|>=9|<10|>=11|<12|>=13|<14|>=15|<16|>=17|<18|>=19|<20|>=21|<22|>=23|<24|>=25|<26|>=27|<28|>=29|<30|>=31|<32|33",
	} {
		if r, err := fleet.ParseRange(text); !errors.Is(err, fleet.ErrRange) {
			t.Errorf("%s: %q gave %s and %v, want it refused", name, text, r, err)
		}
	}
}

// FuzzRange: no panic; what is read is written to a text that reads to the same range.
func FuzzRange(f *testing.F) {
	for _, s := range []string{"*", ">=1.0|<1.0.3", "vers:semver/>=1.0.0|<2", "1.0,2.0-2.5", "<2", ">1|<=2|3", "!=1", ">=2|<1"} {
		f.Add(s, "1.0.2")
	}
	f.Fuzz(func(t *testing.T, text, version string) {
		r, err := fleet.ParseRange(text)
		if err != nil {
			return
		}
		again, err := fleet.ParseRange(r.String())
		if err != nil || again.String() != r.String() {
			t.Fatalf("%q is %q, which reads as %q: %v", text, r, again, err)
		}
		if v, err := fleet.ParseVersion(version); err == nil && r.Has(v) != again.Has(v) {
			t.Fatalf("%s is in one of %q and %q", version, r, again)
		}
	})
}
