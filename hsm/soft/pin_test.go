package soft_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"touchstone/issuer"
	"touchstone/pos"
	"touchstone/secret"
)

// setPIN asks for a new PIN of the test card.
func (r *rig) setPIN(pan pos.PAN, pin, birth string, former [16]byte, refused issuer.PINValues) ([16]byte, issuer.PINValues, error) {
	return r.SetPIN(context.Background(), &issuer.PINChange{PAN: pan, PIN: secret.Take([]byte(pin)), Birth: secret.Take([]byte(birth)), Former: former, Refused: refused})
}

// TestSetPINBirthDate: of 14 February 1990 every usual form is refused, when the date is given and at every later
// change when it is not; what is kept are the verifiers of those PINs, computed apart from the module.
func TestSetPINBirthDate(t *testing.T) {
	r := newRig(t)
	const digits, birth = "6225885916163157", "19900214"
	pan := card(t, digits)
	forms := []string{"0214", "1402", "1990", "9002", "0290", "900214", "140290", "021490", "199002", "021990", "19900214", "14021990", "02141990"}
	first, kept, err := r.setPIN(pan, "192837", birth, [16]byte{}, "")
	if err != nil || first != verifierOf(t, digits, "192837") {
		t.Fatal(err)
	}
	var want []byte
	for _, f := range forms {
		v := verifierOf(t, digits, f)
		want = append(want, v[:]...)
	}
	if string(kept) != string(want) {
		t.Error("the values kept are not those of the thirteen forms")
	}
	if strings.Contains(string(kept), birth) {
		t.Error("the date is kept")
	}
	for _, pin := range forms {
		for name, c := range map[string]struct {
			birth   string
			refused issuer.PINValues
		}{"given": {birth, ""}, "on record": {"", kept}, "both": {birth, kept}} {
			got, more, err := r.setPIN(pan, pin, c.birth, first, c.refused)
			if !errors.Is(err, issuer.ErrTrivialPIN) || got != [16]byte{} || more != "" {
				t.Errorf("a form of %d digits, %s: %v", len(pin), name, err)
			}
		}
		if _, _, err := r.setPIN(pan, pin, "", first, ""); err != nil {
			t.Errorf("a form of %d digits without a date: %v", len(pin), err)
		}
	}
	for _, pin := range []string{"0215", "9914", "900215", "199014", "214199", "19900215"} {
		if _, again, err := r.setPIN(pan, pin, "", first, kept); err != nil || again != kept {
			t.Errorf("a PIN of %d digits that is no form: %v", len(pin), err)
		}
	}
	// Another date replaces the values; the same date of another card makes others.
	if _, other, err := r.setPIN(pan, "900214", "19910315", first, kept); err != nil || other == kept {
		t.Errorf("another date: %v", err)
	}
	if _, other, _ := r.setPIN(card(t, "6225885916163158"), "192837", birth, [16]byte{}, ""); other == kept || len(other) != len(kept) {
		t.Error("two cards share their values")
	}
}

func TestSetPINFormer(t *testing.T) {
	r := newRig(t)
	pan := card(t, "6225885916163157")
	first, _, err := r.setPIN(pan, "1928", "", [16]byte{}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.setPIN(pan, "1928", "", first, ""); !errors.Is(err, issuer.ErrTrivialPIN) {
		t.Errorf("the PIN before: %v", err)
	}
	for i := range first {
		other := first
		other[i] ^= 1
		if _, _, err := r.setPIN(pan, "1928", "", other, ""); err != nil {
			t.Errorf("another PIN before, byte %d: %v", i, err)
		}
	}
	if second, _, err := r.setPIN(pan, "1929", "", first, ""); err != nil || second == first {
		t.Errorf("another PIN: %v", err)
	}
}

func TestSetPINRefusesDates(t *testing.T) {
	r := newRig(t)
	pan := card(t, "6225885916163157")
	for _, birth := range []string{"1990021", "199002144", "1990-2-1", "19901314", "19900014", "19900200", "19900232", "１９９", "        "} {
		if v, kept, err := r.setPIN(pan, "1928", birth, [16]byte{}, ""); !errors.Is(err, issuer.ErrBirthDate) || v != [16]byte{} || kept != "" {
			t.Errorf("%q: %v", birth, err)
		}
	}
}

// TestPINValuesText: the values go to the journal as base64 of whole values and back; anything else is refused.
func TestPINValuesText(t *testing.T) {
	r := newRig(t)
	_, kept, err := r.setPIN(card(t, "6225885916163157"), "1928", "19900214", [16]byte{}, "")
	if err != nil {
		t.Fatal(err)
	}
	o := issuer.Opening{Card: pos.PANHash{1}, PINRefused: kept, PINSince: 5}
	raw, err := json.Marshal(&o)
	if err != nil || len(raw) > 1024 {
		t.Fatalf("%d bytes: %v", len(raw), err)
	}
	var back issuer.Opening
	if err := json.Unmarshal(raw, &back); err != nil || back != o {
		t.Errorf("back from the journal: %v", err)
	}
	var v issuer.PINValues
	for _, text := range []string{"!", "QUJD", strings.Repeat("QUJD", 100)} {
		if err := v.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%.8s... was taken", text)
		}
	}
	if v != "" {
		t.Error("a refused text left values")
	}
}
