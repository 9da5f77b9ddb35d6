package soft_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"touchstone/keys"
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
)

// TestAdoptSet: the keys of a sign-in that was only overheard are the keys that were issued.
func TestAdoptSet(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		code pos.NetworkCode
		long bool
		algo mac.Algorithm
	}{
		{keys.SignInDES, false, mac.UnionPayECBDES}, {keys.SignInTDES, false, mac.UnionPayECBDES}, {keys.SignInTDES, true, mac.X919}, {keys.SignInTDESTrack, false, mac.UnionPayECBDES},
		{keys.SignInTDESTrack, true, mac.UnionPayECBTDES}, {keys.SignInSM4, false, mac.UnionPayECBSM4}, {keys.SignInSM4Track, false, mac.UnionPayECBSM4},
	} {
		master := r.master(t, terminalA, keys.CipherOf(c.code))
		issued, de62, err := r.IssueSet(t.Context(), terminalA, master, c.code, c.long)
		if err != nil {
			t.Fatal(err)
		}
		adopted, err := r.AdoptSet(t.Context(), terminalA, master, c.code, de62)
		if err != nil {
			t.Errorf("code %s, long %t: %v", c.code, c.long, err)
			continue
		}
		if adopted == issued {
			t.Errorf("code %s: the same record; a nonce was used again", c.code)
		}
		mab := []byte("a message of some bytes")
		one, err := r.Seal(terminalA, &keys.Set{Number: 1, Code: c.code, Wrapped: issued}, c.algo, mab)
		two, err2 := r.Seal(terminalA, &keys.Set{Number: 2, Code: c.code, Wrapped: adopted}, c.algo, mab)
		if err := errors.Join(err, err2); err != nil || one != two {
			t.Errorf("code %s, long %t: another MAC under the adopted keys: %v", c.code, c.long, err)
		}
	}
}

func TestAdoptSetRefused(t *testing.T) {
	r := newRig(t)
	master, other, sm4 := r.master(t, terminalA, keys.TDES), r.master(t, terminalB, keys.TDES), r.master(t, terminalA, keys.SM4)
	_, de62, err := r.IssueSet(t.Context(), terminalA, master, keys.SignInTDES, false)
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx      context.Context
		terminal pos.TerminalID
		master   keys.Wrapped
		code     pos.NetworkCode
		de62     []byte
		want     error
	}{
		"no sign-in code":       {t.Context(), terminalA, master, 2, de62, keys.ErrUsage},
		"another cipher":        {t.Context(), terminalA, sm4, keys.SignInTDES, de62, keys.ErrUsage},
		"another terminal":      {t.Context(), terminalB, master, keys.SignInTDES, de62, keys.ErrOwner},
		"another's master key":  {t.Context(), terminalA, other, keys.SignInTDES, de62, keys.ErrOwner},
		"no master key":         {t.Context(), terminalA, nil, keys.SignInTDES, de62, keys.ErrOwner},
		"one byte short":        {t.Context(), terminalA, master, keys.SignInTDES, de62[1:], paycrypto.ErrLayout},
		"nothing":               {t.Context(), terminalA, master, keys.SignInTDES, nil, paycrypto.ErrLayout},
		"a code with track key": {t.Context(), terminalA, master, keys.SignInTDESTrack, de62, paycrypto.ErrLayout},
		"the context is over":   {over, terminalA, master, keys.SignInTDES, de62, context.Canceled},
	} {
		set, err := r.AdoptSet(c.ctx, c.terminal, c.master, c.code, c.de62)
		if !errors.Is(err, c.want) || set != [keys.SetSize]byte{} {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for i := range de62 {
		flipped := slices.Clone(de62)
		flipped[i] ^= 1
		if _, err := r.AdoptSet(t.Context(), terminalA, master, keys.SignInTDES, flipped); !errors.Is(err, paycrypto.ErrCheckValue) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
	}
	// Keys under a master key that the terminal no longer has.
	second := r.form(t, keys.OfTerminal(terminalA.String()), keys.TerminalMaster, keys.TDES, demoPIK)
	if _, err := r.AdoptSet(t.Context(), terminalA, second, keys.SignInTDES, de62); !errors.Is(err, paycrypto.ErrCheckValue) {
		t.Errorf("under another master key: %v", err)
	}
	r.Wipe()
	if _, err := r.AdoptSet(t.Context(), terminalA, master, keys.SignInTDES, de62); !errors.Is(err, keys.ErrSealed) {
		t.Errorf("a sealed module: %v", err)
	}
}
