package soft_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"testing"

	"touchstone/hsm/soft"
	"touchstone/keys"
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/secret"
)

func TestForm(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		name, kcv string
		usage     keys.Usage
		cipher    keys.Cipher
		parts     []string
	}{
		// The check values were computed with openssl enc of a zero block; that of DES with single DES as K1 = K2.
		{"DES", "D5D44FF7", keys.TerminalMaster, keys.DES, []string{demoDES}},
		{"TDES", "08D7B4FB", keys.TerminalMaster, keys.TDES, []string{demoDouble}},
		{"TDES of two", "08D7B4FB", keys.TerminalMaster, keys.TDES, []string{demoPIK, ""}},
		{"SM4", "2677F46B", keys.TerminalMaster, keys.SM4, []string{demoDouble}},
		{"serial key", "2677F46B", keys.SerialKey, keys.SM4, []string{demoDouble}},
	} {
		var parts []secret.Bytes
		if len(c.parts) == 2 { // the second component is what completes the demonstration key
			rest := unhex(t, demoDouble)
			for i, b := range unhex(t, c.parts[0]) {
				rest[i] ^= b
			}
			parts = []secret.Bytes{part(t, c.parts[0]), secret.Take(rest)}
		} else {
			parts = []secret.Bytes{part(t, c.parts[0])}
		}
		w, kcv, err := r.Form(context.Background(), "terminal 00000011", c.usage, c.cipher, parts)
		if err != nil || kcv != c.kcv {
			t.Errorf("%s: check value %s, want %s, %v", c.name, kcv, c.kcv, err)
			continue
		}
		term, usage, cipher, _, err := w.Head()
		if term != 1 || usage != c.usage || cipher != c.cipher || err != nil {
			t.Errorf("%s: head %d %v %v %v", c.name, term, usage, cipher, err)
		}
	}
}

func TestFormRefused(t *testing.T) {
	r := newRig(t)
	const other = "00112233445566778899AABBCCDDEEFF"
	for _, c := range []struct {
		name   string
		want   error
		usage  keys.Usage
		cipher keys.Cipher
		parts  []string
	}{
		{"none", keys.ErrComponents, keys.TerminalMaster, keys.TDES, nil},
		{"nine", keys.ErrComponents, keys.TerminalMaster, keys.TDES, strings.Fields(strings.Repeat(demoDouble+" ", 9))},
		{"one byte short", keys.ErrComponents, keys.TerminalMaster, keys.TDES, []string{demoDouble[:30]}},
		{"one byte long", keys.ErrComponents, keys.TerminalMaster, keys.TDES, []string{demoDouble + "00"}},
		{"DES length for TDES", keys.ErrComponents, keys.TerminalMaster, keys.TDES, []string{demoDES}},
		{"TDES length for DES", keys.ErrComponents, keys.TerminalMaster, keys.DES, []string{demoDouble}},
		{"second too short", keys.ErrComponents, keys.TerminalMaster, keys.TDES, []string{demoDouble, demoDES}},
		{"empty", keys.ErrComponents, keys.TerminalMaster, keys.SM4, []string{""}},
		{"zero", keys.ErrComponents, keys.TerminalMaster, keys.SM4, []string{strings.Repeat("0", 32)}},
		{"one of two zero", keys.ErrComponents, keys.TerminalMaster, keys.SM4, []string{demoDouble, strings.Repeat("0", 32)}},
		{"two alike", keys.ErrComponents, keys.TerminalMaster, keys.SM4, []string{demoDouble, demoDouble}},
		{"two of three alike", keys.ErrComponents, keys.TerminalMaster, keys.SM4, []string{demoDouble, other, demoDouble}},
		{"three that cancel", keys.ErrComponents, keys.TerminalMaster, keys.DES, []string{"0123456789ABCDEF", "1111111111111111", "1032547698BADCFE"}},
		{"weak DES", keys.ErrComponents, keys.TerminalMaster, keys.DES, []string{"0101010101010101"}},
		{"weak DES, even parity", keys.ErrComponents, keys.TerminalMaster, keys.DES, []string{"FFFFFFFFFFFFFFFF"}},
		{"semi-weak DES", keys.ErrComponents, keys.TerminalMaster, keys.DES, []string{"1FE01FE00EF10EF1"}},
		{"weak second half", keys.ErrComponents, keys.TerminalMaster, keys.TDES, []string{demoDES + "E0E0E0E0F1F1F1F1"}},
		{"equal halves", keys.ErrComponents, keys.TerminalMaster, keys.TDES, []string{demoDES + demoDES}},
		{"halves equal but for parity", keys.ErrComponents, keys.TerminalMaster, keys.TDES, []string{demoDES + "0022446688AACCEE"}},
		{"serial key of TDES", keys.ErrUsage, keys.SerialKey, keys.TDES, []string{demoDouble}},
		{"working set", keys.ErrUsage, keys.WorkingSet, keys.TDES, []string{demoDouble}},
		{"card hash key", keys.ErrUsage, keys.CardHash, keys.HMAC, []string{demoDouble + other}},
		{"PIN verification key", keys.ErrUsage, keys.PINVerify, keys.HMAC, []string{demoDouble + other}},
		{"no cipher", keys.ErrUsage, keys.TerminalMaster, keys.NoCipher, []string{demoDouble}},
		{"no usage", keys.ErrUsage, 0, keys.TDES, []string{demoDouble}},
	} {
		var parts []secret.Bytes
		for _, p := range c.parts {
			parts = append(parts, part(t, p))
		}
		w, kcv, err := r.Form(context.Background(), "terminal 00000011", c.usage, c.cipher, parts)
		if !errors.Is(err, c.want) || w != nil || kcv != "" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, _, err := r.Form(context.Background(), "", keys.TerminalMaster, keys.TDES, []secret.Bytes{part(t, demoDouble)}); !errors.Is(err, keys.ErrUsage) {
		t.Errorf("no owner: %v", err)
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := r.Form(done, "x", keys.TerminalMaster, keys.TDES, []secret.Bytes{part(t, demoDouble)}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestIssueSet parses every layout back as a terminal would, under the published master key.
func TestIssueSet(t *testing.T) {
	r := newRig(t)
	for code, size := range map[pos.NetworkCode]int{1: 24, 3: 40, 4: 60, 5: 40, 6: 60} {
		for _, long := range []bool{false, true} {
			c := keys.CipherOf(code)
			if long && c == keys.DES {
				continue
			}
			set, de62, err := r.IssueSet(context.Background(), terminalA, r.master(t, terminalA, c), code, long)
			if err != nil || len(de62) != size {
				t.Fatalf("%s: %d bytes, %v", code, len(de62), err)
			}
			key := demoDouble
			if c == keys.DES {
				key = demoDES
			}
			tmk, err := paycrypto.NewCipher(paycrypto.SignInCode(code).Algorithm(), unhex(t, key))
			if err != nil {
				t.Fatal(err)
			}
			k, err := paycrypto.ParseWorkingKeys(paycrypto.SignInCode(code), tmk, de62)
			if err != nil {
				t.Fatalf("%s: %v", code, err)
			}
			wantMAK := map[keys.Cipher]int{keys.DES: 8, keys.TDES: 8, keys.SM4: 16}[c]
			if long {
				wantMAK = 16
			}
			if k.MAK.Len() != wantMAK || keys.HasTrackKey(code) != (k.TDK.Len() > 0) {
				t.Errorf("%s: MAK of %d bytes, TDK of %d", code, k.MAK.Len(), k.TDK.Len())
			}
			for _, one := range []secret.Bytes{k.PIK, k.MAK, k.TDK} {
				one.Use(func(b []byte) {
					for _, x := range b {
						if c != keys.SM4 && bits.OnesCount8(x)%2 == 0 {
							t.Errorf("%s: a key has even parity", code)
						}
					}
				})
			}
			alg := map[keys.Cipher]mac.Algorithm{keys.DES: mac.UnionPayECBDES, keys.TDES: mac.UnionPayECBDES, keys.SM4: mac.UnionPayECBSM4}[c]
			if long && c == keys.TDES {
				alg = mac.X919
			}
			k.MAK.Use(func(b []byte) {
				theirs, err := mac.New(alg, 0, b)
				if err != nil {
					t.Fatal(err)
				}
				issued := &keys.Set{Number: 1, Code: code, Wrapped: set}
				cl := &proof.Claims{Terminal: terminalA, Sets: [2]*keys.Set{issued}, Algorithms: [2]mac.Algorithm{alg},
					MAB: mabA, DE64: theirs.Sum8(mabA), HasMAC: true, NeedMAC: true}
				if e := r.prove(cl); e.MAC != proof.Passed {
					t.Errorf("%s, long MAK %v: the set does not verify what the terminal's keys sign: %v, %v", code, long, e.MAC, e.Err)
				}
			})
		}
	}
}

func TestIssueSetRefused(t *testing.T) {
	r := newRig(t)
	tdes := r.master(t, terminalA, keys.TDES)
	serial := r.form(t, keys.OfTerminal(terminalA[:]), keys.SerialKey, keys.SM4, demoDouble)
	for _, c := range []struct {
		name     string
		terminal pos.TerminalID
		master   keys.Wrapped
		code     pos.NetworkCode
		long     bool
		want     error
	}{
		{"another terminal", terminalB, tdes, 3, false, keys.ErrOwner},
		{"no key", terminalA, nil, 3, false, keys.ErrOwner},
		{"cut", terminalA, tdes[:len(tdes)-1], 3, false, keys.ErrOwner},
		{"TDES key for DES", terminalA, tdes, 1, false, keys.ErrUsage},
		{"TDES key for SM4", terminalA, tdes, 5, false, keys.ErrUsage},
		{"code 002", terminalA, tdes, 2, false, keys.ErrUsage},
		{"code 000", terminalA, tdes, 0, false, keys.ErrUsage},
		{"long MAK after 001", terminalA, r.master(t, terminalA, keys.DES), 1, true, keys.ErrUsage},
		{"serial key", terminalA, serial, 5, false, keys.ErrUsage},
		{"a working set", terminalA, keys.Wrapped(r.set(t, terminalA, 3).Wrapped[:]), 3, false, keys.ErrUsage},
	} {
		set, de62, err := r.IssueSet(context.Background(), c.terminal, c.master, c.code, c.long)
		if !errors.Is(err, c.want) || de62 != nil || set != [keys.SetSize]byte{} {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

func TestIssueSetWeakDraws(t *testing.T) {
	r := newRig(t)
	weak := bytes.Repeat([]byte{0xFE}, 16)
	r.master(t, terminalA, keys.TDES)
	set := r.set(t, terminalA, keys.SignInTDES, fmt.Sprintf("%X", weak)+demoPIK, demoMAK)
	if e := r.prove(claims(t, set)); e.MAC != proof.Passed {
		t.Errorf("the weak draw was not passed over: %v", e.MAC)
	}
	broken := sealedRig(t, soft.Options{Random: zeros{}})
	if err := broken.Unseal(broken.path, broken.lock); err != nil {
		t.Fatal(err)
	}
	_, _, err := broken.IssueSet(context.Background(), terminalA, broken.master(t, terminalA, keys.TDES), 3, false)
	if !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("a source of zeros: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestRecordsAltered flips every bit of each kind of record, moves it and reuses it, fresh and after
// the true record is in the cache.
func TestRecordsAltered(t *testing.T) {
	r := newRig(t)
	master := r.master(t, terminalA, keys.TDES)
	serial := r.form(t, keys.OfSerial(serialA), keys.SerialKey, keys.SM4, demoDouble)
	set := r.set(t, terminalA, keys.SignInTDES, demoPIK, demoMAK)
	cipher := mac.SerialCiphertext(serialKey(t), serialA, "163157")
	issue := func(w []byte) error {
		_, _, err := r.IssueSet(context.Background(), terminalA, w, keys.SignInTDES, false)
		return err
	}
	prove := func(w []byte) error {
		moved := *set
		copy(moved.Wrapped[:], w)
		e := r.prove(claims(t, &moved))
		if e.MAC == proof.Passed && e.Err != nil || e.MAC != proof.Passed && e.MAC != proof.Unavailable {
			t.Fatalf("MAC %v, %v", e.MAC, e.Err)
		}
		return e.Err
	}
	proveSerial := func(w []byte) error {
		e := r.prove(&proof.Claims{CheckSerial: true, SerialKey: w, Registered: serialA, Serial: []byte(serialA),
			Factor: []byte("163157"), FactorTail: []byte("163157"), Cipher: cipher})
		if e.Serial == proof.Passed && (e.Err != nil || e.Factor != proof.Passed) || e.Serial != proof.Passed && e.Serial != proof.Unavailable {
			t.Fatalf("serial %v, factor %v, %v", e.Serial, e.Factor, e.Err)
		}
		return e.Err
	}
	for _, k := range []struct {
		name string
		w    []byte
		use  func([]byte) error
	}{{"master", master, issue}, {"set", set.Wrapped[:], prove}, {"serial", serial, proveSerial}} {
		for _, state := range []string{"fresh", "cached"} {
			for i := range 8 * len(k.w) {
				b := bytes.Clone(k.w)
				b[i/8] ^= 1 << (i % 8)
				if err := k.use(b); !errors.Is(err, keys.ErrOwner) && !errors.Is(err, keys.ErrUsage) {
					t.Fatalf("%s, %s, byte %d: %v", k.name, state, i/8, err)
				}
			}
			if err := k.use(k.w); err != nil {
				t.Fatalf("%s, %s, unaltered: %v", k.name, state, err)
			}
		}
	}
	// The set is cached for terminal A; terminal B must not have it.
	c := claims(t, set)
	c.Terminal = terminalB
	if e := r.prove(c); e.MAC != proof.Unavailable || !errors.Is(e.Err, keys.ErrOwner) {
		t.Errorf("moved set: %v, %v", e.MAC, e.Err)
	}
	if e := r.prove(&proof.Claims{CheckSerial: true, SerialKey: serial, Registered: serialA + "x", Serial: []byte(serialA),
		Factor: []byte("163157"), Cipher: cipher}); e.Serial != proof.Unavailable || !errors.Is(e.Err, keys.ErrOwner) {
		t.Errorf("moved serial key: %v, %v", e.Serial, e.Err)
	}
	// A set's record in place of a serial key and the other way round.
	if err := proveSerial(set.Wrapped[:]); !errors.Is(err, keys.ErrUsage) && !errors.Is(err, keys.ErrOwner) {
		t.Errorf("set as a serial key: %v", err)
	}
	if err := issue(serial); !errors.Is(err, keys.ErrUsage) {
		t.Errorf("serial key as a master key: %v", err)
	}
	// A header made to agree with what is asked: only the tag can tell.
	forged := *set
	forged.Wrapped[6], forged.Code = byte(keys.SM4), keys.SignInSM4
	if e := r.prove(claims(t, &forged)); e.MAC != proof.Unavailable || !errors.Is(e.Err, keys.ErrOwner) {
		t.Errorf("set with another cipher: %v, %v", e.MAC, e.Err)
	}
	w := bytes.Clone(master)
	w[6] = byte(keys.SM4)
	if _, _, err := r.IssueSet(context.Background(), terminalA, w, keys.SignInSM4, false); !errors.Is(err, keys.ErrOwner) {
		t.Errorf("master key with another cipher: %v", err)
	}
	w = bytes.Clone(r.form(t, keys.OfTerminal(terminalA[:]), keys.SerialKey, keys.SM4, demoDouble))
	w[5] = byte(keys.TerminalMaster)
	if _, _, err := r.IssueSet(context.Background(), terminalA, w, keys.SignInSM4, false); !errors.Is(err, keys.ErrOwner) {
		t.Errorf("serial key with another use: %v", err)
	}
	// A sign-in code that does not go with the record's cipher.
	other := *set
	other.Code = keys.SignInSM4
	if e := r.prove(claims(t, &other)); e.MAC != proof.Unavailable || !errors.Is(e.Err, keys.ErrUsage) {
		t.Errorf("another sign-in code: %v, %v", e.MAC, e.Err)
	}
}

func serialKey(t testing.TB) *mac.Key {
	t.Helper()
	k, err := mac.New(mac.UnionPayECBSM4, 0, unhex(t, demoDouble))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestOtherKeyringDoesNotOpen: the same owner, another master key.
func TestOtherKeyringDoesNotOpen(t *testing.T) {
	r := newRig(t)
	set := r.set(t, terminalA, keys.SignInTDES, demoPIK, demoMAK)
	path := r.path + "-other"
	if err := soft.Create(path, r.lock, nil); err != nil {
		t.Fatal(err)
	}
	m := soft.New(soft.Options{})
	if err := m.Unseal(path, r.lock); err != nil {
		t.Fatal(err)
	}
	var e proof.Evidence
	if m.Prove(claims(t, set), &e); e.MAC != proof.Unavailable || !errors.Is(e.Err, keys.ErrOwner) {
		t.Errorf("%v, %v", e.MAC, e.Err)
	}
}

func TestNothingPrints(t *testing.T) {
	r := newRig(t)
	r.prove(claims(t, r.set(t, terminalA, keys.SignInTDES, demoPIK, demoMAK)))
	type holder struct{ hidden *soft.Module }
	first := [][]byte{{0, 1, 2, 3, 4, 5, 6, 7}, {32, 33, 34, 35, 36, 37, 38, 39}, {64, 65, 66, 67, 68, 69, 70, 71}, unhex(t, demoMAK), unhex(t, demoPIK)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T"} {
		for _, arg := range []any{r.Module, holder{r.Module}, &holder{r.Module}, r, *r} {
			out := fmt.Sprintf(verb, arg)
			for _, key := range first {
				for _, form := range []string{"%x", "%X", "%d", "%v", "%#v", "%s", "% x"} {
					text := strings.Trim(fmt.Sprintf(form, key), "[]")
					if strings.Contains(out, text) {
						t.Errorf("%s of %T prints a key", verb, arg)
					}
				}
			}
			if len(out) > 1000 {
				t.Errorf("%s of %T prints %d characters: it walks into the module", verb, arg, len(out))
			}
		}
	}
}
