package pos_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"touchstone/pos"
	"touchstone/secret"
)

// published are card numbers that payment networks and processors publish for tests; no one holds them.
var published = []string{
	"4111111111111111", "5555555555554444", "378282246310005", "6011111111111117", "30569309025904", "3530111333300000",
	"6200000000000005", "4222222222222",
}

func pan(t *testing.T, digits string) pos.PAN {
	t.Helper()
	p, err := pos.ParsePAN(digits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLuhn(t *testing.T) {
	for i, number := range published {
		if !pan(t, number).Luhn() {
			t.Errorf("published number %d is wrong by Luhn", i)
		}
		for at := range len(number) {
			other := []byte(number)
			other[at] = '0' + (other[at]-'0'+1)%10
			if pan(t, string(other)).Luhn() {
				t.Errorf("published number %d is right with digit %d altered", i, at)
			}
		}
	}
	if (pos.PAN{}).Luhn() || pos.NewPAN().Luhn() {
		t.Error("no number is right")
	}
}

// TestPANBounds: 12 to 19 digits, and nothing but digits.
func TestPANBounds(t *testing.T) {
	for n := range pos.MaxPAN + 3 {
		p, err := pos.ParsePAN(strings.Repeat("7", n))
		if right := n >= pos.MinPAN && n <= pos.MaxPAN; (err == nil) != right || (right && p.Len() != n) || (!right && p.Len() != 0) {
			t.Errorf("%d digits: %v", n, err)
		}
	}
	for _, b := range []byte{'0' - 1, '9' + 1, ' ', 0, 0xff, 'A'} {
		p := pan(t, published[0])
		if err := p.Set(append([]byte("62258800000"), b, '1')); !errors.Is(err, pos.ErrPAN) || p.Len() != 0 {
			t.Errorf("with byte %#x: %v, and %d digits stay", b, err, p.Len())
		}
	}
	if err := (pos.PAN{}).Set([]byte(published[0])); !errors.Is(err, pos.ErrPAN) {
		t.Errorf("the zero value was set: %v", err)
	}
}

// TestPANIsSetAgain: copies share one buffer; a shorter number leaves nothing of a longer one.
func TestPANIsSetAgain(t *testing.T) {
	p := pan(t, "6225880000000000123")
	c := p
	if err := p.Set([]byte(published[7])); err != nil || c.Len() != 13 || !c.Equal(pan(t, published[7])) {
		t.Errorf("set again: %v, %d digits", err, c.Len())
	}
	c.Clear()
	p.Use(func(digits []byte) {
		if len(digits) != 0 || p.Len() != 0 {
			t.Error("a copy outlived Clear")
		}
	})
	(pos.PAN{}).Clear()
	(pos.PAN{}).Use(func(digits []byte) {
		if digits != nil {
			t.Error("the zero value lends something")
		}
	})
}

func TestPANEqual(t *testing.T) {
	a := pan(t, published[0])
	for name, c := range map[string]struct {
		b    pos.PAN
		want bool
	}{"itself": {a, true}, "the same": {pan(t, published[0]), true}, "last digit": {pan(t, "4111111111111112"), false},
		"first digit": {pan(t, "5111111111111111"), false}, "longer": {pan(t, "41111111111111110"), false}, "zero": {pos.PAN{}, false}, "empty": {pos.NewPAN(), false}} {
		if a.Equal(c.b) != c.want || c.b.Equal(a) != c.want {
			t.Errorf("%s: not %t", name, c.want)
		}
	}
	if (pos.PAN{}).Equal(pos.PAN{}) || pos.NewPAN().Equal(pos.NewPAN()) {
		t.Error("two empty numbers are equal")
	}
}

// TestTruncated: the first six and last four, and nothing of a number under 13 digits.
func TestTruncated(t *testing.T) {
	for digits, want := range map[string]string{"123456789012": "", "1234567890123": "123456******0123", "1234567890123456789": "123456******6789"} {
		if got := pan(t, digits).Truncated().String(); got != want {
			t.Errorf("of %d digits: %q, want %q", len(digits), got, want)
		}
	}
	if (pos.PAN{}).Truncated() != (pos.TruncatedPAN{}) {
		t.Error("of none")
	}
}

type cardHolder struct {
	PAN    pos.PAN
	hidden pos.PAN // reached by fmt through reflection, without methods
}

// TestPANNeverPrints: not by any verb, log or encoder, also inside another struct.
func TestPANNeverPrints(t *testing.T) {
	number := published[0]
	h := cardHolder{pan(t, number), pan(t, number)}
	forms := []string{number, number[:7], number[6:], fmt.Sprintf("%x", number), fmt.Sprint([]byte(number)), "52 49 49"}
	search := func(route, out string) {
		t.Helper()
		for i, form := range forms {
			if strings.Contains(out, form) {
				t.Errorf("%s printed the number in form %d", route, i)
			}
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p"} {
		for _, arg := range []any{h, &h, h.PAN, &h.PAN, []pos.PAN{h.PAN}, map[string]pos.PAN{"k": h.PAN}, fmt.Errorf("card: %v", h)} {
			search(fmt.Sprintf("%s of %T", verb, arg), fmt.Sprintf(verb, arg))
		}
	}
	if got := fmt.Sprint(h.PAN); got != secret.Redacted {
		t.Error("is not redacted")
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("read", "card", h.PAN, "holder", h)
	slog.New(slog.NewTextHandler(&log, nil)).Info("read", "card", h.PAN, "holder", h)
	search("slog", log.String())
	if _, err := json.Marshal(h); !errors.Is(err, secret.ErrPrinted) {
		t.Errorf("json: %v", err)
	}
	if _, err := xml.Marshal(h.PAN); err == nil {
		t.Error("xml encoded it")
	}
	if err := gob.NewEncoder(&bytes.Buffer{}).Encode(h.PAN); err == nil {
		t.Error("gob encoded it")
	}
	if _, err := h.PAN.MarshalBinary(); !errors.Is(err, secret.ErrPrinted) {
		t.Errorf("binary: %v", err)
	}
	_, err := pos.ParsePAN(number + "A")
	search("an error", fmt.Sprint(err))
}
