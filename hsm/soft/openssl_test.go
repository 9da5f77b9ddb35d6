package soft_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"os/exec"
	"strings"
	"testing"

	"touchstone/hsm/soft"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/secret"
)

// The keyring of these tests is drawn from counting: card-hash key 20..3F, PIN key 40..5F, dummy 60..7F.
func ringKey(first byte) []byte {
	k := make([]byte, 32)
	for i := range k {
		k[i] = first + byte(i)
	}
	return k
}

func cardKey(testing.TB) []byte  { return whole(ringKey(0x20), []byte("touchstone/1 card")) }
func printKey(testing.TB) []byte { return whole(ringKey(0x20), []byte("touchstone/1 fingerprint")) }

func whole(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}

func hmacOf(_ testing.TB, key, data []byte) (v [16]byte) {
	copy(v[:], whole(key, data))
	return v
}

func verifierOf(t testing.TB, pan, pin string) [16]byte {
	return hmacOf(t, ringKey(0x40), []byte(pan+"\x00"+pin))
}

// openssl runs the command as an independent witness.
func openssl(t *testing.T, in []byte, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl command here")
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl %s: %v", args[0], err)
	}
	return out
}

// TestOpenSSLWorkingKeys unwraps what was issued with another program and compares the check values.
func TestOpenSSLWorkingKeys(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		code pos.NetworkCode
		ecb  string
		long bool
	}{{keys.SignInTDESTrack, "-des-ede-ecb", true}, {keys.SignInTDESTrack, "-des-ede-ecb", false}, {keys.SignInSM4Track, "-sm4-ecb", false}} {
		set := []string{demoPIK, demoLong, demoTDK}
		wantMAK := unhex(t, demoLong)
		if c.code == keys.SignInTDESTrack && !c.long {
			set[1], wantMAK = demoMAK, unhex(t, demoMAK)
		}
		cipher := keys.CipherOf(c.code)
		master := r.master(t, terminalA, cipher)
		for _, k := range set {
			r.random.push(unhex(t, k))
		}
		_, de62, err := r.IssueSet(context.Background(), terminalA, master, c.code, c.long)
		if err != nil {
			t.Fatal(err)
		}
		decrypt := func(b []byte) []byte { return openssl(t, b, "enc", "-d", c.ecb, "-K", demoDouble, "-nopad") }
		pik, mak, tdk := decrypt(de62[:16]), decrypt(de62[20:20+len(wantMAK)]), decrypt(de62[40:56])
		for name, pair := range map[string][2][]byte{"PIK": {pik, unhex(t, demoPIK)}, "MAK": {mak, wantMAK}, "TDK": {tdk, unhex(t, demoTDK)}} {
			if !bytes.Equal(withoutParity(cipher, pair[0]), withoutParity(cipher, pair[1])) {
				t.Errorf("%s: the %s differs from what was drawn", c.code, name)
			}
		}
		block := make([]byte, map[keys.Cipher]int{keys.TDES: 8, keys.SM4: 16}[cipher])
		check := func(name string, key, want []byte) {
			ecb := c.ecb
			if len(key) == 8 { // single DES as K1 = K2
				key = append(append([]byte(nil), key...), key...)
			}
			if got := openssl(t, block, "enc", ecb, "-K", hex.EncodeToString(key), "-nopad"); !bytes.Equal(got[:4], want) {
				t.Errorf("%s: the check value of the %s differs", c.code, name)
			}
		}
		check("PIK", pik, de62[16:20])
		check("MAK", mak, de62[36:40])
		check("TDK", tdk, de62[56:60])
	}
}

func withoutParity(c keys.Cipher, key []byte) []byte {
	out := bytes.Clone(key)
	for i := range out {
		if c != keys.SM4 {
			out[i] &^= 1
		}
	}
	return out
}

// TestOpenSSLHashes recomputes a card hash, a fingerprint and a PIN verifier from the published seed.
func TestOpenSSLHashes(t *testing.T) {
	r := newRig(t)
	dgst := func(key, data []byte) []byte {
		out := strings.TrimSpace(string(openssl(t, data, "dgst", "-sha256", "-mac", "HMAC", "-macopt", "hexkey:"+hex.EncodeToString(key))))
		return unhex(t, out[strings.LastIndex(out, " ")+1:])
	}
	pan := card(t, "6225885916163157")
	hash, err := r.HashPAN(pan)
	if want := dgst(dgst(ringKey(0x20), []byte("touchstone/1 card")), []byte("6225885916163157")); err != nil || !bytes.Equal(hash[:], want[:16]) {
		t.Errorf("card hash differs from openssl's, %v", err)
	}
	print, err := r.Fingerprint(mabA)
	if want := dgst(dgst(ringKey(0x20), []byte("touchstone/1 fingerprint")), mabA); err != nil || !bytes.Equal(print[:], want[:16]) {
		t.Errorf("fingerprint differs from openssl's, %v", err)
	}
	account := secret.Take([]byte("6222000011112222333"))
	text, err := r.HashText("settlement_account", account)
	if want := dgst(dgst(ringKey(0x20), []byte("touchstone/1 text")), []byte("settlement_account\x006222000011112222333")); err != nil || !bytes.Equal(text[:], want[:16]) {
		t.Errorf("hash of a text differs from openssl's, %v", err)
	}
	if use, err := r.HashText("personal_id", account); err != nil || use == text {
		t.Errorf("the use does not count, %v", err)
	}
	for _, bad := range []struct{ use, text string }{{"", "1"}, {"a", ""}, {"a", strings.Repeat("1", soft.MaxHashText-1)}} {
		if _, err := r.HashText(bad.use, secret.Take([]byte(bad.text))); err == nil {
			t.Errorf("hashed a text of %d bytes for %q", len(bad.text), bad.use)
		}
	}
	if _, err := r.HashText("a", secret.Take([]byte(strings.Repeat("1", soft.MaxHashText-2)))); err != nil {
		t.Error(err)
	}
	pin, err := r.MakePIN(context.Background(), pan, secret.Take([]byte("1928")))
	if want := dgst(ringKey(0x40), []byte("6225885916163157\x001928")); err != nil || !bytes.Equal(pin[:], want[:16]) {
		t.Errorf("PIN verifier differs from openssl's, %v", err)
	}
}

func TestSelfTestPasses(t *testing.T) {
	if err := soft.SelfTest(); err != nil {
		t.Fatal(err)
	}
	if err := newRig(t).Check(); err != nil {
		t.Fatal(err)
	}
}
