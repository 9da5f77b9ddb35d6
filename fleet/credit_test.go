package fleet_test

import (
	"encoding/json"
	"os"
	"testing"

	"touchstone/fleet"
)

func TestCreditCode(t *testing.T) {
	raw, err := os.ReadFile("testdata/credit_code.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Source string
		Cases  []struct {
			Code string
			Want bool
		}
	}
	if err := json.Unmarshal(raw, &vectors); err != nil || vectors.Source == "" || len(vectors.Cases) == 0 {
		t.Fatalf("vectors without a source or cases: %v", err)
	}
	for _, c := range vectors.Cases {
		if got := fleet.IsCreditCode(c.Code); got != c.Want {
			t.Errorf("%q: %v, want %v", c.Code, got, c.Want)
		}
		if !c.Want {
			continue
		}
		for i := range c.Code { // one character altered is always found, for 31 is prime
			for _, other := range "0123456789ABCDEFGHJKLMNPQRTUWXY" {
				altered := []byte(c.Code)
				if altered[i] = byte(other); string(altered) != c.Code && fleet.IsCreditCode(altered) {
					t.Errorf("%q passes, altered from %q", altered, c.Code)
				}
			}
		}
	}
}

func FuzzCreditCode(f *testing.F) {
	f.Add("91350100M000100Y43")
	f.Add("")
	f.Fuzz(func(t *testing.T, code string) {
		if fleet.IsCreditCode(code) && len(code) != 18 {
			t.Errorf("%q", code)
		}
	})
}
