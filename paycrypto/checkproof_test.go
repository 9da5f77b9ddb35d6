package paycrypto_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"touchstone/paycrypto"
)

const proofSerial, proofStep = "00000304TS0090000008", uint64(29924040)

func proofKey(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestCheckProof: a proof is of one key, one number and one minute; every other is refused.
func TestCheckProof(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384()} {
		key, other := proofKey(t, curve), proofKey(t, curve)
		p, err := paycrypto.SignCheckProof(rand.Reader, key, proofSerial, proofStep)
		if err != nil {
			t.Fatal(err)
		}
		read, err := paycrypto.ParseCheckProof(p.String())
		if err != nil || read.Step != proofStep || !bytes.Equal(read.Signature, p.Signature) || len(p.String()) > paycrypto.MaxCheckProof {
			t.Fatalf("read back %+v, %v", read, err)
		}
		long, moved, flipped := read, read, read
		moved.Step++
		flipped.Signature = bytes.Clone(read.Signature)
		flipped.Signature[len(flipped.Signature)-1] ^= 1
		long.Signature = append(bytes.Clone(read.Signature), 0)
		for name, c := range map[string]struct {
			p      paycrypto.CheckProof
			key    crypto.PublicKey
			serial string
			want   bool
		}{
			"its own":                 {read, &key.PublicKey, proofSerial, true},
			"another device's key":    {read, &other.PublicKey, proofSerial, false},
			"another device's number": {read, &key.PublicKey, proofSerial[:19] + "9", false},
			"another minute":          {moved, &key.PublicKey, proofSerial, false},
			"a bit of the signature":  {flipped, &key.PublicKey, proofSerial, false},
			"a byte after it":         {long, &key.PublicKey, proofSerial, false},
			"no signature":            {paycrypto.CheckProof{Step: proofStep}, &key.PublicKey, proofSerial, false},
			"no key":                  {read, nil, proofSerial, false},
		} {
			if got := c.p.SignedBy(c.key, c.serial); got != c.want {
				t.Errorf("%s, %s: %v", curve.Params().Name, name, got)
			}
		}
	}
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := paycrypto.SignCheckProof(rand.Reader, weak, proofSerial, proofStep); !errors.Is(err, paycrypto.ErrCheckProof) {
		t.Errorf("RSA: %v", err)
	}
}

// TestCheckStepNear: the window is one step to either side.
func TestCheckStepNear(t *testing.T) {
	for _, c := range []struct {
		step, now uint64
		want      bool
	}{{98, 100, false}, {99, 100, true}, {100, 100, true}, {101, 100, true}, {102, 100, false}, {0, 0, true}, {1, 0, true}, {^uint64(0), 0, false}} {
		if got := paycrypto.CheckStepNear(c.step, c.now); got != c.want {
			t.Errorf("step %d at %d: %v", c.step, c.now, got)
		}
	}
}

// TestCheckProofByOpenSSL: OpenSSL verifies what we sign, and we verify what OpenSSL signs; the text that is signed is
// written here byte by byte.
func TestCheckProofByOpenSSL(t *testing.T) {
	tool, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("NOT RUN: no openssl")
	}
	key, dir := proofKey(t, elliptic.P256()), t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	private, err1 := x509.MarshalPKCS8PrivateKey(key)
	public, err2 := x509.MarshalPKIXPublicKey(&key.PublicKey)
	text, err3 := hex.DecodeString(hex.EncodeToString([]byte("touchstone/check-proof/1")) + "00" + hex.EncodeToString([]byte(proofSerial)) + "00" + "0000000001c89ac8")
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	secret, open, message := write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), write("public.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})), write("text", text)
	ours, err := paycrypto.SignCheckProof(rand.Reader, key, proofSerial, proofStep)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "dgst", "-sha256", "-verify", open, "-signature", write("ours", ours.Signature), message).CombinedOutput(); err != nil || !strings.Contains(string(out), "Verified OK") {
		t.Errorf("openssl on ours: %v: %s", err, out)
	}
	theirs, err := exec.Command(tool, "dgst", "-sha256", "-sign", secret, message).Output()
	if err != nil {
		t.Fatal(err)
	}
	if p := (paycrypto.CheckProof{Step: proofStep, Signature: theirs}); !p.SignedBy(&key.PublicKey, proofSerial) {
		t.Error("what openssl signed does not verify")
	}
}

// FuzzParseCheckProof: what is read packs back to the same text, and is within its bounds.
func FuzzParseCheckProof(f *testing.F) {
	for _, s := range []string{"29924040.ZnJlc2g", "0.AA", "00.AA", "1.", ".AA", "1.AA=", "1.A\nA", "18446744073709551615.AA"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := paycrypto.ParseCheckProof(s)
		if err != nil {
			return
		}
		if p.String() != s || len(p.Signature) == 0 || len(p.Signature) > paycrypto.MaxCheckSignature {
			t.Errorf("%q is read as %q", s, p.String())
		}
	})
}
