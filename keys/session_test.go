package keys_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
)

func aSet(n uint32) keys.Set {
	return keys.Set{Number: n, Code: keys.SignInTDES, Issued: pos.Instant(n), Wrapped: [keys.SetSize]byte{byte(n)}}
}

// TestSessionFold: docs/protocol/unionpay-pos.md 9A.7, 9A.9, 9A.12.
func TestSessionFold(t *testing.T) {
	issued := &journal.Exchange{Effect: journal.KeysIssued, KeyCode: keys.SignInTDES, At: 3, Wrapped: []byte{3}}
	under := func(set uint32, promoted bool) *journal.Exchange {
		x := &journal.Exchange{Effect: journal.Recorded, KeySet: set, Flags: journal.FlagMACVerified}
		if promoted {
			x.Flags |= journal.FlagPromoted
		}
		return x
	}
	for name, c := range map[string]struct {
		before keys.Session
		x      *journal.Exchange
		want   keys.Session
	}{
		"first sign-in":                 {keys.Session{Last: 2}, issued, keys.Session{Pending: aSet(3), Last: 3}},
		"sign-in, keys in force stay":   {keys.Session{InForce: aSet(1), Last: 2}, issued, keys.Session{InForce: aSet(1), Pending: aSet(3), Last: 3}},
		"sign-in replaces the pending":  {keys.Session{InForce: aSet(1), Pending: aSet(2), Last: 2}, issued, keys.Session{InForce: aSet(1), Pending: aSet(3), Last: 3}},
		"sign-in after sign-off":        {keys.Session{InForce: aSet(1), Last: 2, SignedOff: true}, issued, keys.Session{Pending: aSet(3), Last: 3}},
		"verified under the pending":    {keys.Session{InForce: aSet(1), Pending: aSet(2), Last: 2}, under(2, true), keys.Session{InForce: aSet(2), Last: 2}},
		"first verified":                {keys.Session{Pending: aSet(2), Last: 2}, under(2, true), keys.Session{InForce: aSet(2), Last: 2}},
		"verified under those in force": {keys.Session{InForce: aSet(1), Pending: aSet(2), Last: 2}, under(1, false), keys.Session{InForce: aSet(1), Pending: aSet(2), Last: 2}},
		"promoted, but replaced since":  {keys.Session{InForce: aSet(1), Pending: aSet(3), Last: 3}, under(2, true), keys.Session{InForce: aSet(1), Pending: aSet(3), Last: 3}},
		"promoted without a set":        {keys.Session{InForce: aSet(1), Last: 1}, under(0, true), keys.Session{InForce: aSet(1), Last: 1}},
		"sign-off":                      {keys.Session{InForce: aSet(1), Pending: aSet(2), Last: 2}, &journal.Exchange{Effect: journal.SignedOff}, keys.Session{InForce: aSet(1), Last: 2, SignedOff: true}},
		"tamper":                        {keys.Session{InForce: aSet(1), Pending: aSet(2), Last: 2}, &journal.Exchange{Effect: journal.Tampered}, keys.Session{Last: 2, SignedOff: true}},
		"tamper under the pending": {keys.Session{InForce: aSet(1), Pending: aSet(2), Last: 2},
			&journal.Exchange{Effect: journal.Tampered, KeySet: 2, Flags: journal.FlagPromoted}, keys.Session{Last: 2, SignedOff: true}},
		"refused": {keys.Session{InForce: aSet(1), Pending: aSet(2), Last: 2}, &journal.Exchange{}, keys.Session{InForce: aSet(1), Pending: aSet(2), Last: 2}},
		"sale":    {keys.Session{InForce: aSet(1), Last: 2}, &journal.Exchange{Effect: journal.Sold}, keys.Session{InForce: aSet(1), Last: 2}},
	} {
		got := c.before
		if got.Fold(c.x); got != c.want {
			t.Errorf("%s: in force %d, pending %d, last %d, signed off %t", name, got.InForce.Number, got.Pending.Number, got.Last, got.SignedOff)
		}
	}
}

func TestUsable(t *testing.T) {
	const life = 24 * time.Hour
	set := aSet(1)
	for name, c := range map[string]struct {
		s    keys.Session
		set  keys.Set
		now  pos.Instant
		want bool
	}{
		"new":        {keys.Session{}, set, set.Issued, true},
		"nearly old": {keys.Session{}, set, set.Issued.Add(life - 1), true},
		"old":        {keys.Session{}, set, set.Issued.Add(life), false},
		"older":      {keys.Session{}, set, set.Issued.Add(life + 1), false},
		"no set":     {keys.Session{}, keys.Set{}, 0, false},
		"signed off": {keys.Session{SignedOff: true}, set, set.Issued, false},
	} {
		if got := c.s.Usable(&c.set, life, c.now); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestSignInCodes(t *testing.T) {
	for code, want := range map[pos.NetworkCode]struct {
		cipher keys.Cipher
		track  bool
	}{0: {keys.NoCipher, false}, 1: {keys.DES, false}, 2: {keys.NoCipher, false}, 3: {keys.TDES, false}, 4: {keys.TDES, true},
		5: {keys.SM4, false}, 6: {keys.SM4, true}, 7: {keys.NoCipher, false}, 999: {keys.NoCipher, false}} {
		if keys.CipherOf(code) != want.cipher || keys.HasTrackKey(code) != want.track {
			t.Errorf("code %s: %s, track key %t", code, keys.CipherOf(code), keys.HasTrackKey(code))
		}
	}
}

// aWrapped is a made-up wrapped key: its bytes are 0x5A throughout behind the head.
func aWrapped(cipherBytes int) keys.Wrapped {
	w := keys.Wrapped{1, 0, 0, 0, 7, byte(keys.TerminalMaster), byte(keys.TDES)}
	return append(w, bytes.Repeat([]byte{0x5A}, keys.WrapHead-7+cipherBytes+keys.WrapTag)...)
}

func TestWrappedHead(t *testing.T) {
	term, usage, cipher, id, err := aWrapped(16).Head()
	if err != nil || term != 7 || usage != keys.TerminalMaster || cipher != keys.TDES || id[11] != 0x5A {
		t.Errorf("term %d, usage %s, cipher %s: %v", term, usage, cipher, err)
	}
	least := aWrapped(0)
	for name, c := range map[string]struct {
		w    keys.Wrapped
		want error
	}{
		"nothing": {nil, keys.ErrWrapped}, "one short": {least[:len(least)-1], keys.ErrWrapped}, "least": {least, nil},
		"next version": {append(keys.Wrapped{2}, least[1:]...), keys.ErrWrapped},
	} {
		if _, _, _, _, err := c.w.Head(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWrappedDoesNotPrint: a wrapped key is named, never shown, whatever the verb.
func TestWrappedDoesNotPrint(t *testing.T) {
	w := aWrapped(16)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, arg := range []any{w, struct{ Key keys.Wrapped }{w}, []keys.Wrapped{w}} {
			out := fmt.Sprintf(verb, arg)
			if strings.Count(strings.ToLower(out), "5a") > 4 || strings.Contains(out, "ZZZZZ") || strings.Contains(out, "90 90 90 90 90") {
				t.Errorf("%s of %T printed more than the key's name", verb, arg)
			}
		}
	}
	if keys.Wrapped(nil).String() != "[no key]" || !strings.Contains(w.String(), "TDES TMK") {
		t.Errorf("named %q", w)
	}
}

func TestWords(t *testing.T) {
	if keys.Usage(10).String() != "unknown" || keys.TransportKey.String() != "transport key" || keys.X25519.String() != "X25519" || keys.Cipher(9).String() != "unknown" || keys.SM4.String() != "SM4" || keys.SerialKey.String() != "serial key" {
		t.Error("words of usages and ciphers")
	}
	if keys.OfTerminal("00000001") != "terminal 00000001" || keys.OfSerial([]byte("A1")) != "serial A1" || keys.OfTerminal("X") == keys.OfSerial("X") {
		t.Error("labels of owners")
	}
}

// FuzzWrapped: what is read as text is written as the same key, and no bytes make Head panic.
func FuzzWrapped(f *testing.F) {
	for _, w := range []keys.Wrapped{aWrapped(16), aWrapped(0), nil, {1}} {
		text, _ := w.MarshalText()
		f.Add(text)
	}
	f.Add([]byte("!"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var w, again keys.Wrapped
		if w.UnmarshalText(text) != nil {
			return
		}
		back, err := w.MarshalText()
		if err != nil || again.UnmarshalText(back) != nil || !bytes.Equal(again, w) {
			t.Fatal("a key differs after a round trip")
		}
		if _, usage, cipher, _, err := w.Head(); err != nil && (usage != 0 || cipher != 0) {
			t.Fatal("a value came with the error")
		}
	})
}
