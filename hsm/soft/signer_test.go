package soft_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"touchstone/keys"
	"touchstone/secret"
)

// The key and signature of RFC 6979, A.2.5: P-256, SHA-256, message "sample".
const (
	rfcKey = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"
	rfcR   = "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
	rfcS   = "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
)

func TestSignerVector(t *testing.T) {
	m := newRig(t)
	w, err := m.FormSigner(context.Background(), keys.OfAuthority, part(t, rfcKey))
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Signer(keys.OfAuthority, w)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("sample"))
	signature, err := s.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &got); err != nil || fmt.Sprintf("%X", got.R) != rfcR || fmt.Sprintf("%X", got.S) != rfcS {
		t.Errorf("r %X s %X, %v", got.R, got.S, err)
	}
}

// TestSigner: what is drawn signs, for its owner and its use only, and not when the module is sealed.
func TestSigner(t *testing.T) {
	m := newRig(t)
	w, err := m.DrawSigner(context.Background(), keys.OfListener)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Signer(keys.OfListener, w)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("message"))
	signature, err := s.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil || !ecdsa.VerifyASN1(s.Public().(*ecdsa.PublicKey), digest[:], signature) {
		t.Fatalf("signature does not verify: %v", err)
	}
	if _, err := m.Signer(keys.OfAuthority, w); !errors.Is(err, keys.ErrOwner) {
		t.Errorf("another owner: %v", err)
	}
	moved := append(keys.Wrapped(nil), w...)
	moved[5] = byte(keys.SerialKey)
	if _, err := m.Signer(keys.OfListener, moved); !errors.Is(err, keys.ErrUsage) {
		t.Errorf("another use: %v", err)
	}
	for i := range w {
		bad := append(keys.Wrapped(nil), w...)
		bad[i] ^= 1
		if _, err := m.Signer(keys.OfListener, bad); err == nil {
			t.Errorf("byte %d altered: it opens", i)
		}
	}
	serial, _, err := m.Form(context.Background(), keys.OfListener, keys.SerialKey, keys.SM4, []secret.Bytes{part(t, rfcKey[:32])})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Signer(keys.OfListener, serial); !errors.Is(err, keys.ErrUsage) {
		t.Errorf("a serial-number key: %v", err)
	}
	if _, err := s.Sign(rand.Reader, digest[:31], crypto.SHA256); err == nil {
		t.Error("31 bytes were signed as a digest")
	}
	if _, err := s.Sign(rand.Reader, digest[:], crypto.Hash(0)); err == nil {
		t.Error("signed without a hash function")
	}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %x %s", s, s, s, s)} {
		if strings.Trim(strings.ReplaceAll(text, "[signing key]", ""), " ") != "" {
			t.Errorf("printed %q", text)
		}
	}
	if _, err := json.Marshal(s); !errors.Is(err, secret.ErrPrinted) {
		t.Errorf("encoded: %v", err)
	}
	m.Wipe()
	if _, err := s.Sign(rand.Reader, digest[:], crypto.SHA256); !errors.Is(err, keys.ErrSealed) {
		t.Errorf("a sealed module signed: %v", err)
	}
	if _, err := m.DrawSigner(context.Background(), keys.OfListener); !errors.Is(err, keys.ErrSealed) {
		t.Errorf("a sealed module drew: %v", err)
	}
}

func TestFormSignerRefuses(t *testing.T) {
	m := newRig(t)
	for name, text := range map[string]string{
		"zero": strings.Repeat("00", 32), "31 bytes": rfcKey[2:], "33 bytes": "00" + rfcKey, "none": "",
		"the order of the group": "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551",
	} {
		if _, err := m.FormSigner(context.Background(), keys.OfAuthority, part(t, text)); !errors.Is(err, keys.ErrComponents) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := m.FormSigner(context.Background(), keys.OfAuthority, part(t, "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632550")); err != nil {
		t.Errorf("the order less one: %v", err)
	}
}

func BenchmarkSigner(b *testing.B) {
	m := newRig(b)
	w, err := m.DrawSigner(context.Background(), keys.OfListener)
	if err != nil {
		b.Fatal(err)
	}
	s, err := m.Signer(keys.OfListener, w)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("message"))
	for b.Loop() {
		if _, err := s.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}
}
