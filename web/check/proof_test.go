package check_test

import (
	"errors"
	"strings"
	"testing"

	"touchstone/paycrypto"
	"touchstone/pos"
	"touchstone/web/check"
)

// proofOf is a proof whose signature is a word that the world of these tests knows.
func proofOf(word string) string {
	return paycrypto.CheckProof{Step: 29924040, Signature: []byte(word)}.String()
}

// path is what a phone opens that scanned it.
func path(serial pos.Serial, word string) string {
	return strings.TrimPrefix(check.ProofURL("https://check.example", serial, proofOf(word)), "https://check.example")
}

// TestScannedAnswers: what a phone shows that scanned the QR code of a screen. Only a fresh proof of a terminal in order is
// a yes; one of another minute is a no that says so; anything else is no page or not proven.
func TestScannedAnswers(t *testing.T) {
	working := newRig(t).place
	blocked := working
	blocked.Standing = check.Blocked
	for name, c := range map[string]struct {
		path   string
		place  check.Place
		broken error
		want   string
		says   string
		status int
	}{
		"fresh":                       {path(serial, "fresh"), working, nil, "yes", "Sample Tea", 200},
		"fresh, blocked":              {path(serial, "fresh"), blocked, nil, "no", "Do not pay with this terminal", 200},
		"of another minute":           {path(serial, "over"), working, nil, "no", "and that is over", 200},
		"foreign":                     {path(serial, "foreign"), working, nil, "no", "not the code of the terminal", 200},
		"unknown number":              {path("NOSUCH", "fresh"), working, nil, "no", "not the code of the terminal", 200},
		"host failed":                 {path(serial, "fresh"), working, errors.New("no"), "cannot_tell", "This is not a yes", 200},
		"no proof":                    {"/p/" + serial + "/29924040", working, nil, "", "no such page", 404},
		"a step with a leading zero":  {"/p/" + serial + "/029924040.ZnJlc2g", working, nil, "", "no such page", 404},
		"a signature that is padded":  {"/p/" + serial + "/29924040.ZnJlc2g=", working, nil, "", "no such page", 404},
		"a signature with loose bits": {"/p/" + serial + "/29924040.ZnJlc2h", working, nil, "", "no such page", 404},
		"a signature of 113 bytes":    {path(serial, strings.Repeat("x", 113)), working, nil, "", "no such page", 404},
		"a step beyond time":          {"/p/" + serial + "/18446744073709551615.ZnJlc2g", working, nil, "", "no such page", 404},
		"a field that is none":        {path(serial, "fresh") + "?code=1", working, nil, "", "", 400},
	} {
		r := newRig(t)
		r.place, r.broken = c.place, c.broken
		a := r.get(c.path)
		found := strings.Contains(a.body, c.says)
		if a.shape() != c.want || a.status != c.status || !found {
			t.Errorf("%s: %q, %d; says %q: %v", name, a.shape(), a.status, c.says, found)
		}
		if told := strings.Contains(a.body, "Sample Road"); told != (c.want == "yes") {
			t.Errorf("%s: the street is told: %v", name, told)
		}
	}
}

// TestScannedTellsNothing: a foreign proof of a known number and any proof of an unknown one are the same bytes but for the
// number; foreign proofs are counted by their address, and make no number ask for two codes.
func TestScannedTellsNothing(t *testing.T) {
	r := newRig(t)
	const unknown = "00000304TS0099999999"
	a, b := r.get(path(serial, "foreign")), r.get(path(unknown, "foreign"))
	if strings.ReplaceAll(a.body, serial, "N") != strings.ReplaceAll(b.body, unknown, "N") || a.status != b.status {
		t.Error("a known number is told from an unknown one")
	}
	refused := 0
	for range 30 {
		if r.get(path(serial, "foreign")).status == 429 {
			refused++
		}
	}
	if refused != 12 { // 20 wrong ones of one address, two of which were asked above
		t.Errorf("%d of 30 more foreign proofs were not heard, want 12", refused)
	}
	for n := range 100 {
		r.ask("GET", path(serial, "foreign"), "198.51.100."+string(rune('0'+n%10))+":1", nil)
	}
	if a := r.postFrom("198.51.99.9:1", "/t", "serial", serial, "code", code); a.shape() != "yes" {
		t.Errorf("after foreign proofs a right code is %q", a.shape())
	}
}

// TestScannedAsksForDevice: what was scanned goes on to the question of shop and buyer, in the body of a form.
func TestScannedAsksForDevice(t *testing.T) {
	r := newRig(t)
	proof := proofOf("fresh")
	if a := r.get(path(serial, "fresh")); !strings.Contains(a.body, `name="proof" value="`+proof+`"`) {
		t.Error("the proof does not go on")
	}
	for name, c := range map[string]struct {
		signature, code, want string
		status                int
	}{"fresh": {"fresh", "", "yes", 200}, "over": {"over", "", "no", 200}, "foreign": {"foreign", "", "no", 200}, "proof and code at once": {"fresh", code, "", 422}} {
		proof := proofOf(c.signature)
		if a := r.post("/device", "serial", serial, "proof", proof, "code", c.code); a.shape() != c.want || a.status != c.status {
			t.Errorf("%s: %q, %d", name, a.shape(), a.status)
		}
	}
	program := func(signature string) string {
		proof := proofOf(signature)
		return r.ask("POST", "/api/v1/checks", customer, strings.NewReader(`{"serial":"`+serial+`","proof":"`+proof+`"}`), "Content-Type", "application/json").body
	}
	if a := program("fresh"); !strings.Contains(a, `"answer":"yes"`) {
		t.Errorf("program, fresh: %s", a)
	}
	if a := program("over"); !strings.Contains(a, `"why":"code_over"`) || strings.Contains(a, "Sample") {
		t.Errorf("program, over: %s", a)
	}
}
