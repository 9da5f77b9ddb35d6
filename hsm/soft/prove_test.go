package soft_test

import (
	"errors"
	"strings"
	"testing"

	"touchstone/hsm/soft"
	"touchstone/keys"
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
)

func TestMACAlgorithms(t *testing.T) {
	r := newRig(t)
	all := []mac.Algorithm{mac.None, mac.UnionPayECBDES, mac.UnionPayECBTDES, mac.UnionPayECBSM4, mac.X99, mac.X919, mac.CBCMACTDES, mac.CMACAES, mac.HMACSHA256}
	for _, c := range []struct {
		code pos.NetworkCode
		keys []string
		fit  map[mac.Algorithm]string // the key each algorithm takes
	}{
		{1, []string{demoPIK[:16], demoMAK}, map[mac.Algorithm]string{mac.UnionPayECBDES: demoMAK}},
		{3, []string{demoPIK, demoMAK}, map[mac.Algorithm]string{mac.UnionPayECBDES: demoMAK}},
		{4, []string{demoPIK, demoMAK, demoTDK}, map[mac.Algorithm]string{mac.UnionPayECBDES: demoMAK}},
		{3, []string{demoPIK, demoLong}, map[mac.Algorithm]string{mac.UnionPayECBTDES: demoLong, mac.X919: demoLong, mac.CBCMACTDES: demoLong}},
		{5, []string{demoPIK, demoLong}, map[mac.Algorithm]string{mac.UnionPayECBSM4: demoLong}},
		{6, []string{demoPIK, demoLong, demoTDK}, map[mac.Algorithm]string{mac.UnionPayECBSM4: demoLong}},
	} {
		set := r.set(t, terminalA, c.code, c.keys...)
		for _, a := range all {
			cl := claims(t, set)
			cl.Algorithms[0] = a
			key, fits := c.fit[a]
			if fits {
				cl.DE64 = macOf(t, a, key, mabA)
			}
			for range 2 { // fresh and cached, and after another algorithm was cached
				e := r.prove(cl)
				if fits && (e.MAC != proof.Passed || e.Err != nil) {
					t.Errorf("code %s, %v: %v, %v", c.code, a, e.MAC, e.Err)
				}
				if !fits && (e.MAC != proof.Unavailable || !errors.Is(e.Err, keys.ErrUsage)) {
					t.Errorf("code %s, %v does not fit: %v, %v", c.code, a, e.MAC, e.Err)
				}
			}
			de64, err := r.Seal(terminalA, set, a, mabA)
			if fits && (err != nil || de64 != cl.DE64) || !fits && (!errors.Is(err, keys.ErrUsage) || de64 != [8]byte{}) {
				t.Errorf("code %s, %v: sealed %v", c.code, a, err)
			}
		}
	}
}

func TestMACPendingAndInForce(t *testing.T) {
	r := newRig(t)
	inForce := r.set(t, terminalA, 3, demoPIK, demoMAK)
	pending := r.set(t, terminalA, 3, demoPIK, demoDES)
	underPending := macOf(t, mac.UnionPayECBDES, demoDES, mabA)
	underInForce := macOf(t, mac.UnionPayECBDES, demoMAK, mabA)
	broken := *pending
	broken.Wrapped[40] ^= 1
	none := &keys.Set{}
	for _, c := range []struct {
		name string
		sets [2]*keys.Set
		de64 [8]byte
		want proof.Outcome
		used int
		err  error
	}{
		{"pending", [2]*keys.Set{pending, inForce}, underPending, proof.Passed, 0, nil},
		{"in force", [2]*keys.Set{pending, inForce}, underInForce, proof.Passed, 1, nil},
		{"in force alone", [2]*keys.Set{nil, inForce}, underInForce, proof.Passed, 1, nil},
		{"pending alone", [2]*keys.Set{pending, nil}, underPending, proof.Passed, 0, nil},
		{"the zero set is none", [2]*keys.Set{none, inForce}, underInForce, proof.Passed, 1, nil},
		{"former keys", [2]*keys.Set{pending, nil}, underInForce, proof.Failed, 0, nil},
		{"neither", [2]*keys.Set{pending, inForce}, macOf(t, mac.UnionPayECBDES, "7CA110454A1A6E57", mabA), proof.Failed, 0, nil},
		{"pending does not open, in force verifies", [2]*keys.Set{&broken, inForce}, underInForce, proof.Passed, 1, nil},
		{"pending does not open, in force does not verify", [2]*keys.Set{&broken, inForce}, underPending, proof.Unavailable, 0, keys.ErrOwner},
		{"no set", [2]*keys.Set{}, underInForce, proof.Failed, 0, nil},
		{"two zero sets", [2]*keys.Set{none, none}, underInForce, proof.Failed, 0, nil},
	} {
		cl := claims(t, nil)
		cl.Sets, cl.DE64 = c.sets, c.de64
		for range 2 {
			if e := r.prove(cl); e.MAC != c.want || e.Used != c.used || !errors.Is(e.Err, c.err) {
				t.Errorf("%s: %v under %d, %v", c.name, e.MAC, e.Used, e.Err)
			}
		}
	}
}

// TestDummyNeverVerifies: the dummy key is known here (the counting source), and its MAC must not pass.
func TestDummyNeverVerifies(t *testing.T) {
	r := newRig(t)
	cl := claims(t, nil)
	for a, key := range map[mac.Algorithm]string{mac.None: "6061626364656667", mac.UnionPayECBDES: "6061626364656667",
		mac.UnionPayECBTDES: "606162636465666768696A6B6C6D6E6F", mac.UnionPayECBSM4: "606162636465666768696A6B6C6D6E6F"} {
		with := a
		if a == mac.None {
			with = mac.UnionPayECBDES
		}
		cl.Algorithms[0], cl.DE64 = a, macOf(t, with, key, mabA)
		if e := r.prove(cl); e.MAC != proof.Failed {
			t.Errorf("%v: %v", a, e.MAC)
		}
		// A set that does not open has the dummy too.
		broken := r.set(t, terminalA, 3, demoPIK, demoMAK)
		broken.Wrapped[50] ^= 1
		one := *cl
		one.Sets[0] = broken
		if e := r.prove(&one); e.MAC != proof.Unavailable {
			t.Errorf("%v, broken set: %v", a, e.MAC)
		}
	}
}

func TestWrongMACStopsEverything(t *testing.T) {
	r := newRig(t)
	set := r.set(t, terminalA, keys.SignInTDESTrack, demoPIK, demoMAK, demoTDK)
	base := fullClaims(t, r, set)
	if e := r.prove(base); e.MAC != proof.Passed || e.Serial != proof.Passed || e.Factor != proof.Passed || e.Track != proof.Passed {
		t.Fatalf("the right message: %+v", e)
	}
	for i := range 64 {
		c := fullClaims(t, r, set)
		c.DE64[i/8] ^= 1 << (i % 8)
		if e := r.prove(c); e != (proof.Evidence{MAC: proof.Failed}) {
			t.Errorf("bit %d of DE64: %+v", i, e)
		}
		if c.PAN.Len() != 0 {
			t.Fatal("the track was opened for an unproven message")
		}
	}
	lower := fullClaims(t, r, set)
	copy(lower.DE64[:], strings.ToLower(string(lower.DE64[:])))
	if lower.DE64 == base.DE64 {
		t.Fatal("the MAC of this test has no letter")
	}
	absent := fullClaims(t, r, set)
	absent.HasMAC = false
	noKey := fullClaims(t, r, set)
	altered := *set
	altered.Wrapped[30] ^= 1
	noKey.HasMAC, noKey.Sets[0] = false, &altered
	changed := fullClaims(t, r, set)
	changed.MAB = append([]byte{3}, mabA[1:]...)
	empty := fullClaims(t, r, set)
	empty.DE64 = [8]byte{}
	for name, c := range map[string]*proof.Claims{"lower case": lower, "absent": absent, "absent and the set does not open": noKey, "other bytes": changed, "zero": empty} {
		if e := r.prove(c); e != (proof.Evidence{MAC: proof.Failed}) {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// fullClaims are claims with serial number and sealed track, of the vectors tusn-cipher-1 and track2-37.
func fullClaims(t testing.TB, r *rig, set *keys.Set) *proof.Claims {
	t.Helper()
	c := claims(t, set)
	v := vector(t, "tusn-cipher-1")
	c.CheckSerial, c.Registered = true, serialA
	c.SerialKey = r.form(t, keys.OfSerial(serialA), keys.SerialKey, keys.SM4, v["key"].(string))
	c.Serial, c.Factor = []byte(v["tusn"].(string)), []byte(v["factor"].(string))
	copy(c.Cipher[:], v["ciphertext_ascii"].(string))
	c.TrackSealed = true
	c.Track, c.TrackDigits = packed(t, vector(t, "track2-37")["tdes"].(string))
	return c
}

func packed(t testing.TB, nibbles string) ([]byte, int) {
	t.Helper()
	n := len(nibbles)
	if n%2 == 1 {
		nibbles += "0"
	}
	return unhex(t, nibbles), n
}

func TestSerial(t *testing.T) {
	r := newRig(t)
	set := r.set(t, terminalA, 3, demoPIK, demoMAK)
	make := func(change func(*proof.Claims)) *proof.Claims {
		c := fullClaims(t, r, set)
		c.TrackSealed, c.Track = false, nil
		if err := c.PAN.Set([]byte("6225885916163157")); err != nil {
			t.Fatal(err)
		}
		change(c)
		return c
	}
	anotherKey := r.form(t, keys.OfSerial(serialA), keys.SerialKey, keys.SM4, demoTDK)
	own := serialKey(t)
	for _, c := range []struct {
		name           string
		change         func(*proof.Claims)
		serial, factor proof.Outcome
		err            error
	}{
		{"right", func(c *proof.Claims) {}, proof.Passed, proof.Passed, nil},
		{"another key", func(c *proof.Claims) { c.SerialKey = anotherKey }, proof.Failed, proof.NotRun, nil},
		{"another serial presented", func(c *proof.Claims) { c.Serial = []byte("00000304N9NL10000002") }, proof.Failed, proof.NotRun, nil},
		{"another factor presented", func(c *proof.Claims) { c.Factor = []byte("163158") }, proof.Failed, proof.NotRun, nil},
		{"serial one shorter, factor one longer", func(c *proof.Claims) { c.Serial, c.Factor = c.Serial[:19], []byte("1163157") }, proof.Passed, proof.Failed, nil},
		{"no serial", func(c *proof.Claims) { c.Serial = nil }, proof.Failed, proof.NotRun, nil},
		{"no factor", func(c *proof.Claims) { c.Factor = nil }, proof.Failed, proof.NotRun, nil},
		{"lower case", func(c *proof.Claims) { copy(c.Cipher[:], "7d3233ee") }, proof.Failed, proof.NotRun, nil},
		{"no ciphertext", func(c *proof.Claims) { c.Cipher = [8]byte{} }, proof.Failed, proof.NotRun, nil},
		{"right for another card", func(c *proof.Claims) {
			c.Factor = []byte("163150")
			c.Cipher = mac.SerialCiphertext(own, serialA, "163150")
		}, proof.Passed, proof.Failed, nil},
		{"no card", func(c *proof.Claims) { c.PAN.Clear() }, proof.Passed, proof.Failed, nil},
		{"card never set", func(c *proof.Claims) { c.PAN = pos.PAN{} }, proof.Passed, proof.Failed, nil},
		{"tamper report", func(c *proof.Claims) { c.PAN.Clear(); c.FactorTail = []byte("163157") }, proof.Passed, proof.Passed, nil},
		{"tamper report, another trace", func(c *proof.Claims) { c.FactorTail = []byte("163158") }, proof.Passed, proof.Failed, nil},
		{"tail of five", func(c *proof.Claims) { c.FactorTail = []byte("63157") }, proof.Passed, proof.Failed, nil},
		{"factor and tail of five", func(c *proof.Claims) {
			c.Factor, c.FactorTail = []byte("63157"), []byte("63157")
			c.Cipher = mac.SerialCiphertext(own, serialA, "63157")
		}, proof.Passed, proof.Failed, nil},
		{"factor of five", func(c *proof.Claims) {
			c.Factor, c.Cipher = []byte("63157"), mac.SerialCiphertext(own, serialA, "63157")
		}, proof.Passed, proof.Failed, nil},
		{"empty tail", func(c *proof.Claims) { c.FactorTail = []byte{} }, proof.Passed, proof.Failed, nil},
		{"no key", func(c *proof.Claims) { c.SerialKey = nil }, proof.Unavailable, proof.NotRun, keys.ErrOwner},
		{"key of another serial", func(c *proof.Claims) { c.Registered = "00000304N9NL10000002" }, proof.Unavailable, proof.NotRun, keys.ErrOwner},
		{"a master key", func(c *proof.Claims) { c.SerialKey = r.master(t, terminalA, keys.SM4) }, proof.Unavailable, proof.NotRun, keys.ErrUsage},
	} {
		cl := make(c.change)
		for range 2 {
			e := r.prove(cl)
			if e.MAC != proof.Passed || e.Serial != c.serial || e.Factor != c.factor || !errors.Is(e.Err, c.err) {
				t.Errorf("%s: MAC %v, serial %v, factor %v, %v", c.name, e.MAC, e.Serial, e.Factor, e.Err)
			}
		}
	}
	for i := range 64 {
		c := make(func(c *proof.Claims) { c.Cipher[i/8] ^= 1 << (i % 8) })
		if e := r.prove(c); e.Serial != proof.Failed || e.Factor != proof.NotRun {
			t.Errorf("bit %d of the ciphertext: %v", i, e.Serial)
		}
	}
	// A message without MAC (a tamper report) proves its serial number all the same.
	if e := r.prove(make(func(c *proof.Claims) { c.NeedMAC = false })); e.MAC != proof.NotRun || e.Serial != proof.Passed || e.Factor != proof.Passed {
		t.Errorf("no MAC needed: %+v", e)
	}
}

func TestSealedTrack(t *testing.T) {
	r := newRig(t)
	tdes := r.set(t, terminalA, keys.SignInTDESTrack, demoPIK, demoMAK, demoTDK)
	sm4 := r.set(t, terminalA, keys.SignInSM4Track, demoPIK, demoLong, demoTDK)
	for _, id := range []string{"track2-37", "track2-36"} {
		v := vector(t, id)
		for field, set := range map[string]*keys.Set{"tdes": tdes, "sm4": sm4} {
			base := func() *proof.Claims {
				c := claims(t, set)
				if set == sm4 {
					c.Algorithms[0], c.DE64 = mac.UnionPayECBSM4, macOf(t, mac.UnionPayECBSM4, demoLong, mabA)
				}
				c.TrackSealed = true
				c.Track, c.TrackDigits = packed(t, v[field].(string))
				return c
			}
			c := base()
			before := string(c.Track)
			e := r.prove(c)
			want := card(t, "6225885916163157")
			if e.Track != proof.Passed || e.TrackPAN != proof.NotRun || e.Expiry != 3012 || string(e.ServiceCode[:]) != "201" || !c.PAN.Equal(want) {
				t.Errorf("%s, %s: track %v, expiry %d, %v", id, field, e.Track, e.Expiry, e.Err)
			}
			if string(c.Track) != before {
				t.Errorf("%s, %s: the received bytes were changed", id, field)
			}
			c = base()
			c.PAN, c.PANFromDE2 = want, true
			if e := r.prove(c); e.Track != proof.Passed || e.TrackPAN != proof.Passed || e.Expiry != 3012 {
				t.Errorf("%s, %s, right DE2: %v, %v", id, field, e.Track, e.TrackPAN)
			}
			for _, pan := range []string{"6225885916163158", "622588591616315", "62258859161631570"} {
				c.PAN = card(t, pan)
				if e := r.prove(c); e.Track != proof.Passed || e.TrackPAN != proof.Failed || e.Expiry != 0 || e.ServiceCode != [3]byte{} {
					t.Errorf("%s, %s, another DE2: %v, %v, %d", id, field, e.Track, e.TrackPAN, e.Expiry)
				}
			}
			c = base()
			c.PANFromDE2 = true // and the number is empty
			if e := r.prove(c); e.TrackPAN != proof.Failed || c.PAN.Len() != 0 {
				t.Errorf("%s, %s, DE2 lost: %v", id, field, e.TrackPAN)
			}
			c = base()
			c.PAN = pos.PAN{}
			if e := r.prove(c); e.Track != proof.Unavailable || !errors.Is(e.Err, pos.ErrPAN) {
				t.Errorf("%s, %s, no room for the card: %v, %v", id, field, e.Track, e.Err)
			}
			for name, change := range map[string]func(*proof.Claims){
				"cut":               func(c *proof.Claims) { c.Track = c.Track[:len(c.Track)-1] },
				"digits fewer":      func(c *proof.Claims) { c.TrackDigits -= 2 },
				"digits more":       func(c *proof.Claims) { c.TrackDigits += 2 },
				"no digits":         func(c *proof.Claims) { c.TrackDigits = 0 },
				"negative":          func(c *proof.Claims) { c.TrackDigits = -1 },
				"nothing":           func(c *proof.Claims) { c.Track, c.TrackDigits = nil, 0 },
				"one byte":          func(c *proof.Claims) { c.Track, c.TrackDigits = c.Track[:1], 2 },
				"too long":          func(c *proof.Claims) { c.Track, c.TrackDigits = make([]byte, 20), 40 },
				"one bit of block":  func(c *proof.Claims) { c.Track[len(c.Track)-3] ^= 1 },
				"first bit of card": func(c *proof.Claims) { c.Track[0] |= 0xF0 },
			} {
				c := base()
				change(c)
				if e := r.prove(c); e.Track != proof.Failed || e.Expiry != 0 || c.PAN.Len() != 0 {
					t.Errorf("%s, %s, %s: %v", id, field, name, e.Track)
				}
			}
		}
	}
}

func TestSealedTrackWithoutKey(t *testing.T) {
	r := newRig(t)
	c := claims(t, r.set(t, terminalA, keys.SignInTDES, demoPIK, demoMAK))
	c.TrackSealed = true
	c.Track, c.TrackDigits = packed(t, vector(t, "track2-37")["tdes"].(string))
	if e := r.prove(c); e.Track != proof.Unavailable || !errors.Is(e.Err, keys.ErrUsage) {
		t.Errorf("no TDK: %v, %v", e.Track, e.Err)
	}
	c = claims(t, r.set(t, terminalA, keys.SignInTDESTrack, demoPIK, demoMAK, demoTDK))
	c.TrackSealed, c.NeedMAC = true, false
	c.Track, c.TrackDigits = packed(t, vector(t, "track2-37")["tdes"].(string))
	if e := r.prove(c); e.Track != proof.Unavailable || !errors.Is(e.Err, keys.ErrUsage) || c.PAN.Len() != 0 {
		t.Errorf("no set verified: %v, %v", e.Track, e.Err)
	}
}

// TestSealedTrackShort: a track of 29 digits does not fill an SM4 block before its last byte.
func TestSealedTrackShort(t *testing.T) {
	r := newRig(t)
	c := claims(t, r.set(t, terminalA, keys.SignInSM4Track, demoPIK, demoLong, demoTDK))
	c.Algorithms[0], c.DE64 = mac.UnionPayECBSM4, macOf(t, mac.UnionPayECBSM4, demoLong, mabA)
	clear := unhex(t, "6225885916163157D301220195592"+"0") // 15 bytes
	tdk, err := paycrypto.NewSM4(unhex(t, demoTDK))
	if err != nil {
		t.Fatal(err)
	}
	block := append(append([]byte(nil), clear[:14]...), 0xFF, 0xFF)
	tdk.Encrypt(block, block)
	c.TrackSealed, c.Track, c.TrackDigits = true, append(block, clear[14]), 33
	if e := r.prove(c); e.Track != proof.Passed || e.Expiry != 3012 || string(e.ServiceCode[:]) != "201" || !c.PAN.Equal(card(t, "6225885916163157")) {
		t.Errorf("%v, %d, %v", e.Track, e.Expiry, e.Err)
	}
	c.PAN.Clear()
	c.Track, c.TrackDigits = clear, 29
	if e := r.prove(c); e.Track != proof.Failed {
		t.Errorf("shorter than a block: %v", e.Track)
	}
}

// TestFactorOfSealedCard: the card is known only from the track, so the factor waits for it.
func TestFactorOfSealedCard(t *testing.T) {
	r := newRig(t)
	set := r.set(t, terminalA, keys.SignInTDESTrack, demoPIK, demoMAK, demoTDK)
	c := fullClaims(t, r, set)
	if e := r.prove(c); e.Serial != proof.Passed || e.Track != proof.Passed || e.Factor != proof.Passed {
		t.Errorf("right: %+v", e)
	}
	c = fullClaims(t, r, set)
	c.Factor = []byte("163150")
	c.Cipher = mac.SerialCiphertext(serialKey(t), serialA, "163150")
	if e := r.prove(c); e.Serial != proof.Passed || e.Track != proof.Passed || e.Factor != proof.Failed {
		t.Errorf("factor of another card: %+v", e)
	}
	c = fullClaims(t, r, set)
	c.Track[3] ^= 0xF0
	c.Track[12] ^= 1
	if e := r.prove(c); e.Track != proof.Failed || e.Factor != proof.NotRun {
		t.Errorf("track unreadable: %+v", e)
	}
	c = fullClaims(t, r, set)
	c.PAN, c.PANFromDE2 = card(t, "6225885916163150"), true
	if e := r.prove(c); e.Factor != proof.Failed || e.Track != proof.NotRun {
		t.Errorf("factor before the track where DE2 names the card: %+v", e)
	}
}

func TestSealedModule(t *testing.T) {
	r := newRig(t)
	set := r.set(t, terminalA, keys.SignInTDESTrack, demoPIK, demoMAK, demoTDK)
	c := fullClaims(t, r, set)
	r.prove(c)
	r.Wipe()
	r.Wipe()
	refuses(t, r, set, c)
	never := sealedRig(t, soft.Options{})
	refuses(t, never, set, c)
	if err := r.Unseal(r.path, r.lock); err != nil {
		t.Fatal(err)
	}
	if e := r.prove(fullClaims(t, r, set)); e.MAC != proof.Passed || e.Track != proof.Passed {
		t.Errorf("open again: %+v", e)
	}
}

func TestSealRefused(t *testing.T) {
	r := newRig(t)
	set := r.set(t, terminalA, 3, demoPIK, demoMAK)
	broken := *set
	broken.Wrapped[30] ^= 1
	for name, c := range map[string]struct {
		terminal pos.TerminalID
		set      *keys.Set
		want     error
	}{
		"no set":           {terminalA, nil, keys.ErrUsage},
		"zero set":         {terminalA, &keys.Set{}, keys.ErrUsage},
		"another terminal": {terminalB, set, keys.ErrOwner},
		"altered":          {terminalA, &broken, keys.ErrOwner},
	} {
		if de64, err := r.Seal(c.terminal, c.set, mac.UnionPayECBDES, mabA); !errors.Is(err, c.want) || de64 != [8]byte{} {
			t.Errorf("%s: %v", name, err)
		}
	}
	if de64, err := r.Seal(terminalA, set, mac.UnionPayECBDES, mabA); err != nil || de64 != macOf(t, mac.UnionPayECBDES, demoMAK, mabA) {
		t.Errorf("right: %v", err)
	}
}
