package soft_test

import (
	"context"
	"errors"
	"testing"

	"touchstone/hsm/soft"
	"touchstone/keys"
	"touchstone/paycrypto"
	"touchstone/pos"
	"touchstone/secret"
)

func checkCode(t testing.TB, key string, serial pos.Serial, step uint64) paycrypto.CheckCode {
	k := paycrypto.CheckKey(unhex(t, key), string(serial))
	return paycrypto.CheckCodeAt(&k, step)
}

// TestProveCheckCodes: a code passes one step early and late, two only in a row, and never for another device.
func TestProveCheckCodes(t *testing.T) {
	r := newRig(t)
	component := secret.Take(unhex(t, demoDouble))
	w, _, err := r.Form(context.Background(), keys.OfSerial(serialA), keys.SerialKey, keys.SM4, []secret.Bytes{component})
	if err != nil {
		t.Fatal(err)
	}
	const now, other = 29924040, pos.Serial("00000304N9NL10000002")
	at := func(step uint64) paycrypto.CheckCode { return checkCode(t, demoDouble, serialA, step) }
	wrong := at(now)
	wrong[7] = '0' + (wrong[7]-'0'+1)%10
	for name, c := range map[string]struct {
		w     keys.Wrapped
		codes []paycrypto.CheckCode
		want  bool
	}{
		"now": {w, []paycrypto.CheckCode{at(now)}, true}, "one step late": {w, []paycrypto.CheckCode{at(now - 1)}, true}, "one step early": {w, []paycrypto.CheckCode{at(now + 1)}, true},
		"two steps late": {w, []paycrypto.CheckCode{at(now - 2)}, false}, "two steps early": {w, []paycrypto.CheckCode{at(now + 2)}, false},
		"last digit wrong": {w, []paycrypto.CheckCode{wrong}, false}, "no code": {w, nil, false}, "zeros": {w, []paycrypto.CheckCode{{}}, false},
		"of another device under the same key": {w, []paycrypto.CheckCode{checkCode(t, demoDouble, other, now)}, false},
		"of this device under another key":     {w, []paycrypto.CheckCode{checkCode(t, demoPIK, serialA, now)}, false},
		"two in a row":                         {w, []paycrypto.CheckCode{at(now - 1), at(now)}, true}, "two in a row, early": {w, []paycrypto.CheckCode{at(now + 1), at(now + 2)}, true},
		"the same twice": {w, []paycrypto.CheckCode{at(now), at(now)}, false}, "two the wrong way round": {w, []paycrypto.CheckCode{at(now), at(now - 1)}, false},
		"second wrong":                        {w, []paycrypto.CheckCode{at(now - 1), wrong}, false},
		"no key":                              {nil, []paycrypto.CheckCode{at(now)}, false},
		"no key, and the stand-in's own code": {nil, []paycrypto.CheckCode{checkCode(t, "00000000000000000000000000000000", "00000000DECOY0000000", now)}, false},
	} {
		if got, err := r.ProveCheckCodes(serialA, c.w, now, c.codes...); err != nil || got != c.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := r.ProveCheckCodes(other, w, now, at(now)); !errors.Is(err, keys.ErrOwner) {
		t.Errorf("a key moved to another device: %v", err)
	}
	if ok, err := r.ProveCheckCodes(serialA, w, 0, at(0)); !ok || err != nil {
		t.Errorf("step 0: %v, %v", ok, err)
	}
	if ok, err := sealedRig(t, soft.Options{}).ProveCheckCodes(serialA, w, now, at(now)); ok || !errors.Is(err, keys.ErrSealed) {
		t.Errorf("sealed: %v, %v", ok, err)
	}
}
