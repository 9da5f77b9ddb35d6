package soft_test

import (
	"context"
	"errors"
	"testing"

	"touchstone/hsm/soft"
	"touchstone/issuer"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/secret"
)

// refuses asks a sealed module for everything.
func refuses(t *testing.T, r *rig, set *keys.Set, c *proof.Claims) {
	t.Helper()
	ctx, pan := context.Background(), card(t, "6225885916163157")
	c.PAN = pos.NewPAN()
	if e := r.prove(c); e != (proof.Evidence{MAC: proof.Unavailable, Err: keys.ErrSealed}) {
		t.Errorf("Prove: %+v", e)
	}
	noMAC := *c
	noMAC.NeedMAC = false
	if e := r.prove(&noMAC); e != (proof.Evidence{Serial: proof.Unavailable, Err: keys.ErrSealed}) {
		t.Errorf("Prove without MAC: %+v", e)
	}
	noMAC.CheckSerial = false
	if e := r.prove(&noMAC); e != (proof.Evidence{Track: proof.Unavailable, Err: keys.ErrSealed}) {
		t.Errorf("Prove the track only: %+v", e)
	}
	_, err1 := r.Seal(terminalA, set, mac.UnionPayECBDES, mabA)
	_, err2 := r.HashPAN(pan)
	_, err3 := r.Fingerprint(mabA)
	_, err4 := r.MakePIN(ctx, pan, secret.Take([]byte("1928")))
	_, _, err5 := r.Form(ctx, "x", keys.TerminalMaster, keys.TDES, []secret.Bytes{part(t, demoDouble)})
	_, _, err6 := r.IssueSet(ctx, terminalA, nil, keys.SignInTDES, false)
	_, err7 := r.RotateMaster(r.path, r.lock)
	_, err8 := r.HashText("a", secret.Take([]byte("1")))
	for i, err := range []error{err1, err2, err3, err4, err5, err6, err7, err8, r.Check()} {
		if !errors.Is(err, keys.ErrSealed) {
			t.Errorf("operation %d: %v", i+1, err)
		}
	}
	if got := r.VerifyPIN(&issuer.PINQuestion{Terminal: terminalA, Set: set, Form: issuer.PINFormat0, Block: make([]byte, 8), PAN: pan}); got != issuer.PINUnavailable {
		t.Errorf("VerifyPIN: %v", got)
	}
	if !r.Sealed() {
		t.Error("it says that it is open")
	}
}

// question asks for a PIN of a vector; the card's verifier is of pin.
func question(t testing.TB, r *rig, set *keys.Set, form issuer.PINForm, block, pan, pin string) *issuer.PINQuestion {
	t.Helper()
	q := &issuer.PINQuestion{Terminal: terminalA, Set: set, Form: form, Block: unhex(t, block), PAN: card(t, pan)}
	q.Verifier = verifierOf(t, pan, pin)
	return q
}

func TestVerifyPIN(t *testing.T) {
	r := newRig(t)
	str := func(v map[string]any, field string) string { return v[field].(string) }
	type want struct {
		id, field string
		form      issuer.PINForm
		code      pos.NetworkCode
	}
	for _, w := range []want{
		{"ansi98-pin-1", "block", issuer.PINFormat0, keys.SignInTDES},
		{"ansi98-derived", "block", issuer.PINFormat0, keys.SignInTDES},
		{"ansi98-derived", "block_without_pan", issuer.PINWithoutPAN, keys.SignInTDES},
		{"sm4-pin-3", "block", issuer.PINSM4, keys.SignInSM4},
		{"sm4-pin-4", "block", issuer.PINSM4, keys.SignInSM4},
		{"sm4-pin-5", "block", issuer.PINSM4, keys.SignInSM4},
		{"sm4-pin-derived", "block", issuer.PINSM4, keys.SignInSM4},
	} {
		v := vector(t, w.id)
		mak := demoMAK
		if w.code == keys.SignInSM4 {
			mak = demoLong
		}
		set := r.set(t, terminalA, w.code, str(v, "key"), mak)
		pan, pin := str(v, "pan"), str(v, "pin")
		ask := func() *issuer.PINQuestion { return question(t, r, set, w.form, str(v, w.field), pan, pin) }
		name := w.id + " " + w.field
		expect := func(what string, q *issuer.PINQuestion, want issuer.PINResult) {
			t.Helper()
			if got := r.VerifyPIN(q); got != want {
				t.Errorf("%s, %s: %d, want %d", name, what, got, want)
			}
		}
		expect("right", ask(), issuer.PINRight)
		cl := claims(t, set)
		if w.code == keys.SignInSM4 {
			cl.Algorithms[0], cl.DE64 = mac.UnionPayECBSM4, macOf(t, mac.UnionPayECBSM4, demoLong, mabA)
		}
		if e := r.prove(cl); e.MAC != proof.Passed {
			t.Fatalf("%s: MAC %v, %v", name, e.MAC, e.Err)
		}
		expect("right, cached", ask(), issuer.PINRight)
		q := ask()
		q.Verifier = verifierOf(t, pan, "9753")
		expect("wrong", q, issuer.PINWrong)
		q.Verifier = [16]byte{}
		expect("card without PIN", q, issuer.PINWrong)
		for i := range 128 {
			q := ask()
			q.Verifier[i/8] ^= 1 << (i % 8)
			expect("verifier altered", q, issuer.PINWrong)
		}
		for i := range q.Block {
			q := ask()
			q.Block[i] ^= 1
			if got := r.VerifyPIN(q); got != issuer.PINUnreadable {
				t.Errorf("%s, byte %d of the block: %d", name, i, got)
			}
		}
		for what, change := range map[string]func(*issuer.PINQuestion){
			"one byte short": func(q *issuer.PINQuestion) { q.Block = q.Block[1:] },
			"one byte long":  func(q *issuer.PINQuestion) { q.Block = append(q.Block, 0) },
			"no block":       func(q *issuer.PINQuestion) { q.Block = nil },
			"zero block":     func(q *issuer.PINQuestion) { clear(q.Block) },
			"no card":        func(q *issuer.PINQuestion) { q.PAN = pos.PAN{} },
			"no form":        func(q *issuer.PINQuestion) { q.Form = 0 },
			"unknown form":   func(q *issuer.PINQuestion) { q.Form = 9 },
			"form of another cipher": func(q *issuer.PINQuestion) {
				q.Form = map[issuer.PINForm]issuer.PINForm{issuer.PINSM4: issuer.PINFormat0}[q.Form]
				if q.Form == 0 {
					q.Form = issuer.PINSM4
				}
			},
		} {
			q := ask()
			change(q)
			expect(what, q, issuer.PINUnreadable)
		}
		other := ask()
		other.PAN = card(t, "6222021234567890128")
		if w.form == issuer.PINWithoutPAN {
			expect("another card", other, issuer.PINWrong) // the block is not tied to it, the verifier is
		} else {
			expect("another card", other, issuer.PINUnreadable)
		}
		for what, change := range map[string]func(*issuer.PINQuestion){
			"no set":           func(q *issuer.PINQuestion) { q.Set = nil },
			"zero set":         func(q *issuer.PINQuestion) { q.Set = &keys.Set{} },
			"another terminal": func(q *issuer.PINQuestion) { q.Terminal = terminalB },
			"altered set":      func(q *issuer.PINQuestion) { s := *q.Set; s.Wrapped[25] ^= 1; q.Set = &s },
		} {
			q := ask()
			change(q)
			expect(what, q, issuer.PINUnavailable)
		}
	}
	// Mode 2 of SM4 is not the one in DE59 A1: vector sm4-pin-6.
	v := vector(t, "sm4-pin-6")
	set := r.set(t, terminalA, keys.SignInSM4, str(v, "key"), demoLong)
	if got := r.VerifyPIN(question(t, r, set, issuer.PINSM4, str(v, "block"), str(v, "pan"), str(v, "pin"))); got != issuer.PINUnreadable {
		t.Errorf("mode 2: %d", got)
	}
}

func TestMakePIN(t *testing.T) {
	r := newRig(t)
	const digits = "6225885916163157"
	pan := card(t, digits)
	for pin, want := range map[string]error{
		"1928": nil, "123457": nil, "1233": nil, "112233": nil, "192837465564": nil, "8901": nil, "5813": nil, "3158": nil, "246802": nil,
		"": issuer.ErrPIN, "192": issuer.ErrPIN, "1928374655647": issuer.ErrPIN, "19a8": issuer.ErrPIN, "19 8": issuer.ErrPIN, "１９": issuer.ErrPIN,
		"0000": issuer.ErrTrivialPIN, "999999999999": issuer.ErrTrivialPIN, "1234": issuer.ErrTrivialPIN, "123456": issuer.ErrTrivialPIN,
		"0123456789": issuer.ErrTrivialPIN, "9876": issuer.ErrTrivialPIN, "543210": issuer.ErrTrivialPIN,
		"3157": issuer.ErrTrivialPIN, "163157": issuer.ErrTrivialPIN, "885916163157": issuer.ErrTrivialPIN,
		"6315": issuer.ErrTrivialPIN, "6225": issuer.ErrTrivialPIN, "588591": issuer.ErrTrivialPIN,
	} {
		got, err := r.MakePIN(context.Background(), pan, secret.Take([]byte(pin)))
		if !errors.Is(err, want) || (err == nil) != (got != [16]byte{}) {
			t.Errorf("a PIN of %d digits: %v, want %v", len(pin), err, want)
		}
		if err == nil && got != verifierOf(t, digits, pin) {
			t.Errorf("a PIN of %d digits: the verifier differs from the independent one", len(pin))
		}
	}
	if _, err := r.MakePIN(context.Background(), pos.PAN{}, secret.Take([]byte("1928"))); !errors.Is(err, pos.ErrPAN) {
		t.Errorf("no card: %v", err)
	}
	if _, err := r.MakePIN(context.Background(), pan, secret.Bytes{}); !errors.Is(err, issuer.ErrPIN) {
		t.Errorf("no PIN: %v", err)
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.MakePIN(done, pan, secret.Take([]byte("1928"))); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestHashes(t *testing.T) {
	r := newRig(t)
	pan := card(t, "6225885916163157")
	hash, err := r.HashPAN(pan)
	if err != nil || hash != pos.PANHash(hmacOf(t, cardKey(t), []byte("6225885916163157"))) {
		t.Errorf("card hash: %v", err)
	}
	again, _ := r.HashPAN(pan)
	print, err := r.Fingerprint([]byte("6225885916163157"))
	if err != nil || print != hmacOf(t, printKey(t), []byte("6225885916163157")) {
		t.Errorf("fingerprint: %v", err)
	}
	other, _ := r.HashPAN(card(t, "6225885916163158"))
	if hash != again || hash == other || hash == pos.PANHash(print) || hash == (pos.PANHash{}) {
		t.Error("hashes do not tell apart what they should")
	}
	for _, p := range []pos.PAN{{}, pos.NewPAN()} {
		if hash, err := r.HashPAN(p); !errors.Is(err, pos.ErrPAN) || hash != (pos.PANHash{}) {
			t.Errorf("no card: %v", err)
		}
	}
	// Another keyring, another hash.
	m := soft.New(soft.Options{})
	path := r.path + "-other"
	if err := soft.Create(path, r.lock, nil); err != nil {
		t.Fatal(err)
	}
	if err := m.Unseal(path, r.lock); err != nil {
		t.Fatal(err)
	}
	if foreign, _ := m.HashPAN(pan); foreign == hash {
		t.Error("two keyrings make one hash")
	}
}
