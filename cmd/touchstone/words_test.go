package main

import (
	"testing"

	"touchstone/explain"
	"touchstone/proof"
	"touchstone/reason"
)

// TestEveryCheckHasWords: what a reader of a verdict sees has a name in both languages that fits its column.
func TestEveryCheckHasWords(t *testing.T) {
	c, err := explain.Load()
	if err != nil {
		t.Fatal(err)
	}
	for check := range proof.Checks {
		text, ok := c.Check(check.String())
		if !ok || text.EN == "" || text.ZH == "" {
			t.Errorf("check %q has no words", check)
		}
		if explain.Columns(text.EN) > 25 || explain.Columns(text.ZH) > 25 {
			t.Errorf("check %q: words are wider than their column", check)
		}
	}
	for _, o := range []proof.Outcome{proof.NotRun, proof.Passed, proof.Failed, proof.Unavailable} {
		if _, ok := c.Outcome(o.String()); !ok {
			t.Errorf("outcome %q has no words", o)
		}
	}
}

// TestScreenFits: the reason column of the screen holds every reason's short words.
func TestScreenFits(t *testing.T) {
	c, err := explain.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range reason.All() {
		for _, l := range []explain.Language{explain.English, explain.Chinese} {
			if n := explain.Columns(c.Reason(r).Short.In(l)); n > whyColumns {
				t.Errorf("%s in %s: %d columns, the screen has %d", r, l, n, whyColumns)
			}
		}
	}
}

// TestPublishedWorldIsWellFormed: the sample cards have right check digits and PINs that the module accepts
// as not too easy; the visitors come in the order that the fixture promises.
func TestPublishedWorldIsWellFormed(t *testing.T) {
	for _, c := range cards() {
		card, err := cardOf(c)
		if err != nil || !card.PAN.Luhn() {
			t.Errorf("sample card %q is malformed", c.label)
		}
	}
	want := []string{"003", "003", "001", "004", "005", "006", "003", "003"}
	for i, v := range visitors() {
		if v.code.String() != want[i] || v.keyless != (i == 6) || v.tls != (i == 7) || !v.visitor {
			t.Errorf("visitor %d: code %s, keyless %v", i, v.code, v.keyless)
		}
	}
}
