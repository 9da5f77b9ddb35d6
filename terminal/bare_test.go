package terminal_test

import (
	"errors"
	"testing"

	"touchstone/iso8583"
	"touchstone/pos"
	"touchstone/secret"
	"touchstone/terminal"
)

func bareTerminal(t *testing.T) (*terminal.Bare, []byte) {
	t.Helper()
	id, err := pos.ParseTerminalID("00000001")
	if err != nil {
		t.Fatal(err)
	}
	merchant, err := pos.ParseMerchantID("898310058120001")
	if err != nil {
		t.Fatal(err)
	}
	// The double-length key of testdata/vectors/cup.json, published as an example.
	tmk := []byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10}
	b, err := terminal.NewBare(terminal.Config{Terminal: id, Merchant: merchant, SignInCode: 3, TMK: secret.Take(tmk)})
	if err != nil {
		t.Fatal(err)
	}
	return b, make([]byte, iso8583.LengthSize+iso8583.MaxFrame)
}

// TestBareNeedsKeys: a terminal that has not signed in sells nothing, and takes no keys from what is no
// answer to its sign-in.
func TestBareNeedsKeys(t *testing.T) {
	b, buf := bareTerminal(t)
	if frame, err := b.Sale(buf, terminal.Card{}, 1); !errors.Is(err, terminal.ErrAnswer) || frame != nil {
		t.Errorf("a sale without a sign-in: %v", err)
	}
	if b.MAK() != nil || b.Batch() != 0 {
		t.Error("there are keys before a sign-in")
	}
	frame, err := b.SignIn(buf)
	if err != nil {
		t.Fatal(err)
	}
	answer := func(mti pos.MTI, id, code string, de62 []byte) []byte {
		w := iso8583.NewBuilder(&iso8583.UnionPay)
		w.Begin(make([]byte, iso8583.LengthSize+iso8583.MaxFrame), terminal.DefaultEnvelope, mti)
		w.PutNumber(11, 1)
		if code != "" {
			w.PutText(39, []byte(code))
		}
		w.PutText(41, []byte(id))
		if de62 != nil {
			w.PutRaw(62, de62)
		}
		out, err := w.Frame()
		if err != nil {
			t.Fatal(err)
		}
		return out[iso8583.LengthSize:]
	}
	for _, c := range []struct {
		name   string
		answer []byte
	}{
		{"nothing", nil},
		{"the request itself", frame[iso8583.LengthSize:]},
		{"the answer to something else", answer(0x0830, "00000001", "00", make([]byte, 40))},
		{"another terminal's", answer(0x0810, "00000002", "00", make([]byte, 40))},
		{"no answer code", answer(0x0810, "00000001", "", make([]byte, 40))},
		{"approved without keys", answer(0x0810, "00000001", "00", nil)},
		{"keys that do not open", answer(0x0810, "00000001", "00", make([]byte, 40))},
		{"keys of another length", answer(0x0810, "00000001", "00", make([]byte, 24))},
	} {
		if _, err := b.TakeSignIn(c.answer); !errors.Is(err, terminal.ErrAnswer) || b.MAK() != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if code, err := b.TakeSignIn(answer(0x0810, "00000001", "97", make([]byte, 40))); err != nil || code != pos.Code("97") || b.MAK() != nil {
		t.Errorf("a refused sign-in: %s, %v", code, err)
	}
}

// TestBareConfig: what makes no terminal makes no bare one either.
func TestBareConfig(t *testing.T) {
	for name, cfg := range map[string]terminal.Config{
		"nothing":    {},
		"no key":     {Terminal: pos.TerminalID{'1'}, Merchant: pos.MerchantID{'1'}, SignInCode: 3},
		"a bad code": {Terminal: pos.TerminalID{'1'}, Merchant: pos.MerchantID{'1'}, SignInCode: 2},
	} {
		if _, err := terminal.NewBare(cfg); !errors.Is(err, terminal.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
