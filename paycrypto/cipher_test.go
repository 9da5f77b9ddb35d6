package paycrypto_test

import (
	"bytes"
	"crypto/aes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"touchstone/paycrypto"
	"touchstone/secret"
)

var algorithms = []paycrypto.Algorithm{paycrypto.DES, paycrypto.TDES, paycrypto.AES, paycrypto.SM4}

// demo is made of the two published demonstration keys of payment vectors.
var demo = bytes.Repeat([]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10}, 5)

// demoCipher is a cipher under the shortest demonstration key that fits.
func demoCipher(t testing.TB, a paycrypto.Algorithm) *paycrypto.Cipher {
	t.Helper()
	for _, n := range []int{8, 16} {
		if a.KeySize(n) {
			return newCipher(t, a, demo[:n])
		}
	}
	t.Fatalf("no demonstration key fits %v", a)
	return nil
}

func TestNewCipherLengths(t *testing.T) {
	right := map[paycrypto.Algorithm][]int{
		paycrypto.DES: {8}, paycrypto.TDES: {16, 24}, paycrypto.AES: {16, 24, 32}, paycrypto.SM4: {16},
		0: nil, 5: nil,
	}
	for a, sizes := range right {
		for n := range 41 {
			c, err := paycrypto.NewCipher(a, demo[:n])
			if slices.Contains(sizes, n) {
				if err != nil || c.Algorithm() != a || c.BlockSize() != a.BlockSize() {
					t.Errorf("%v, %d bytes: %v", a, n, err)
				}
				continue
			}
			if c != nil || !errors.Is(err, paycrypto.ErrKeySize) {
				t.Errorf("%v, %d bytes: %v", a, n, err)
			}
		}
	}
	for i, build := range []func([]byte) (*paycrypto.Cipher, error){paycrypto.NewDES, paycrypto.NewTDES, paycrypto.NewAES, paycrypto.NewSM4} {
		c, err := build(demo[:[]int{8, 16, 16, 16}[i]])
		if err != nil || c.Algorithm() != algorithms[i] {
			t.Errorf("constructor of %v: %v", algorithms[i], err)
		}
		if c, err := build(demo[:7]); c != nil || err == nil {
			t.Errorf("constructor of %v takes 7 bytes", algorithms[i])
		}
	}
	if got := fmt.Sprint(algorithms, paycrypto.Algorithm(9)); got != "[DES TDES AES SM4] none" {
		t.Errorf("names: %s", got)
	}
}

type holder struct {
	Key    *paycrypto.Cipher
	hidden paycrypto.Cipher // reached by fmt through reflection, without methods
}

// maxPrinted is more than the two addresses a holder prints need, and less than
// the 16 round keys of the shortest schedule.
const maxPrinted = 200

// TestNeverPrinted looks for the key, and for a schedule by its length.
func TestNeverPrinted(t *testing.T) {
	for _, a := range algorithms {
		c := demoCipher(t, a)
		h := holder{c, *c}
		forms := []string{"0123456789ABCDEF", "0123456789abcdef", "1 35 69 103", "0x1, 0x23", "81985529216486895"}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p"} {
			for _, arg := range []any{h, &h, c, *c, []*paycrypto.Cipher{c}, fmt.Errorf("bad key: %v", h)} {
				out := fmt.Sprintf(verb, arg)
				if len(out) > maxPrinted {
					t.Errorf("%v: %s of %T prints %d characters", a, verb, arg, len(out))
				}
				findForms(t, out, forms)
			}
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("loaded", "key", c, "holder", h)
		slog.New(slog.NewTextHandler(&log, nil)).Info("loaded", "key", c, "holder", h)
		if log.Len() > 4*maxPrinted {
			t.Errorf("%v: slog prints %d characters", a, log.Len())
		}
		findForms(t, log.String(), forms)
		if fmt.Sprint(c) != secret.Redacted {
			t.Errorf("%v: prints %v", a, c)
		}
		if _, err := json.Marshal(c); !errors.Is(err, secret.ErrPrinted) {
			t.Errorf("json: %v", err)
		}
		if err := gob.NewEncoder(&bytes.Buffer{}).Encode(c); err == nil {
			t.Error("gob encoded it")
		}
		for _, encode := range []func() ([]byte, error){c.MarshalText, c.MarshalBinary} {
			if _, err := encode(); !errors.Is(err, secret.ErrPrinted) {
				t.Errorf("encoding: %v", err)
			}
		}
	}
}

func findForms(t *testing.T, out string, forms []string) {
	t.Helper()
	for _, form := range forms {
		if strings.Contains(out, form) {
			t.Error("a form of the key was printed")
		}
	}
}

func TestWipe(t *testing.T) {
	for _, a := range algorithms {
		c := demoCipher(t, a)
		other := *c
		c.Wipe()
		c.Wipe()
		if other.Algorithm() != 0 || other.BlockSize() != 0 {
			t.Errorf("%v: a copy outlived Wipe", a)
		}
		for name, use := range map[string]func(){
			"Encrypt": func() { c.Encrypt(make([]byte, 16), make([]byte, 16)) },
			"Decrypt": func() { c.Decrypt(make([]byte, 16), make([]byte, 16)) },
			"CMAC":    func() { c.AppendCMAC(nil, nil) },
			"ECB":     func() { _ = c.EncryptECB(nil, nil) },
		} {
			if !panics(use) {
				t.Errorf("%v: %s works after Wipe", a, name)
			}
		}
	}
	var none *paycrypto.Cipher
	none.Wipe()
	if none.Algorithm() != 0 || (&paycrypto.Cipher{}).Algorithm() != 0 {
		t.Error("a nil or zero cipher has an algorithm")
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

// TestModesRefuse tests the lengths of every mode at the bounds.
func TestModesRefuse(t *testing.T) {
	for _, a := range algorithms {
		c, n := demoCipher(t, a), a.BlockSize()
		block, iv := make([]byte, 2*n), make([]byte, n)
		for name, err := range map[string]error{
			"ECB one under":       c.EncryptECB(block[:n-1], block[:n-1]),
			"ECB one over":        c.DecryptECB(block[:n+1], block[:n+1]),
			"ECB unequal":         c.EncryptECB(block, block[:n]),
			"CBC one under":       c.EncryptCBC(block[:n-1], block[:n-1], iv),
			"CBC short iv":        c.EncryptCBC(block, block, iv[:n-1]),
			"CBC long iv":         c.DecryptCBC(block, block, block),
			"CBC unequal":         c.DecryptCBC(block[:n], block, iv),
			"chain short state":   c.ChainBlocks(iv[:n-1], block),
			"chain long state":    c.ChainBlocks(block, block),
			"chain one over":      c.ChainBlocks(iv, block[:n+1]),
			"track, only a block": paycrypto.DecryptTrack(c, block[:n]),
		} {
			if !errors.Is(err, paycrypto.ErrDataSize) {
				t.Errorf("%v, %s: %v", a, name, err)
			}
		}
		if !bytes.Equal(block, make([]byte, 2*n)) || !bytes.Equal(iv, make([]byte, n)) {
			t.Errorf("%v: a refused call wrote something", a)
		}
		if err := c.EncryptECB(nil, nil); err != nil {
			t.Errorf("%v, ECB of nothing: %v", a, err)
		}
		if !panics(func() { c.Encrypt(block, block[:n-1]) }) || !panics(func() { c.Decrypt(block[:n-1], block) }) {
			t.Errorf("%v: a short block does not panic", a)
		}
	}
}

// TestConcurrentUse has many goroutines use one cipher at once.
func TestConcurrentUse(t *testing.T) {
	for _, a := range algorithms {
		c, n := demoCipher(t, a), a.BlockSize()
		want := c.AppendCMAC(nil, demo)
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				var room [16]byte
				for range 500 {
					if !bytes.Equal(c.AppendCMAC(room[:0], demo), want) {
						t.Errorf("%v: goroutines disturb each other", a)
						return
					}
					x := [16]byte{1, 2, 3}
					c.Encrypt(x[:n], x[:n])
					if c.Decrypt(x[:n], x[:n]); x != [16]byte{1, 2, 3} {
						t.Errorf("%v: goroutines disturb each other", a)
						return
					}
				}
			})
		}
		wait.Wait()
	}
}

func TestNoAllocation(t *testing.T) {
	for _, a := range algorithms {
		c, n := demoCipher(t, a), a.BlockSize()
		if got := testing.AllocsPerRun(100, func() {
			var x, y [48]byte
			c.Encrypt(x[:n], x[:n])
			c.Decrypt(x[:n], x[:n])
			_ = c.EncryptECB(y[:], y[:])
			_ = c.EncryptCBC(y[:], y[:], x[:n])
			_ = c.ChainBlocks(x[:n], y[:])
			c.AppendCMAC(y[:0], x[:])
		}); got != 0 {
			t.Errorf("%v: %v allocations", a, got)
		}
	}
}

func TestAESAgainstStandardLibrary(t *testing.T) {
	random := rand.NewChaCha8([32]byte{'a', 'e', 's'})
	var key [32]byte
	var block, got, want [16]byte
	for i := range 3000 {
		random.Read(key[:])
		random.Read(block[:])
		size := 16 + i%3*8
		theirs, err := aes.NewCipher(key[:size])
		if err != nil {
			t.Fatal(err)
		}
		newCipher(t, paycrypto.AES, key[:size]).Encrypt(got[:], block[:])
		if theirs.Encrypt(want[:], block[:]); got != want {
			t.Fatalf("round %d: %d-byte key enciphers wrongly", i, size)
		}
	}
}

// openssl runs OpenSSL's own command, the independent second source.
func openssl(t *testing.T, input []byte, args ...string) []byte {
	t.Helper()
	command := exec.Command("openssl", args...)
	command.Stdin = bytes.NewReader(input)
	out, err := command.Output()
	if err != nil {
		t.Fatalf("openssl %s: %v", args[0], err)
	}
	return out
}

// TestAgainstOpenSSL compares CBC, ECB and CMAC. The keys are the published
// demonstration ones, for they stand on a command line.
func TestAgainstOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl command")
	}
	data := bytes.Repeat([]byte("touchstone 16 by"), 13)
	for _, c := range []struct {
		name, cmac string
		alg        paycrypto.Algorithm
		size       int
	}{
		{"des", "", paycrypto.DES, 8},
		{"des-ede", "", paycrypto.TDES, 16},
		{"des-ede3", "DES-EDE3-CBC", paycrypto.TDES, 24},
		{"aes-128", "AES-128-CBC", paycrypto.AES, 16},
		{"aes-192", "AES-192-CBC", paycrypto.AES, 24},
		{"aes-256", "AES-256-CBC", paycrypto.AES, 32},
		{"sm4", "", paycrypto.SM4, 16},
	} {
		t.Run(c.name, func(t *testing.T) {
			own := newCipher(t, c.alg, demo[:c.size])
			n, key := own.BlockSize(), hex.EncodeToString(demo[:c.size])
			common := []string{"-K", key, "-nopad", "-provider", "legacy", "-provider", "default"}
			iv := demo[:n]
			got := make([]byte, len(data))
			if err := own.EncryptCBC(got, data, iv); err != nil {
				t.Fatal(err)
			}
			check(t, "CBC", got, openssl(t, data, append([]string{"enc", "-" + c.name + "-cbc", "-iv", hex.EncodeToString(iv)}, common...)...))
			if err := own.EncryptECB(got, data); err != nil {
				t.Fatal(err)
			}
			name := "-" + c.name + "-ecb"
			if c.alg == paycrypto.TDES {
				name = "-" + c.name
			}
			check(t, "ECB", got, openssl(t, data, append([]string{"enc", name}, common...)...))
			if c.cmac == "" {
				return
			}
			for _, size := range []int{1, n - 1, n, n + 1, 200} {
				out := openssl(t, data[:size], "mac", "-cipher", c.cmac, "-macopt", "hexkey:"+key, "-in", "-", "-binary", "CMAC")
				check(t, "CMAC", own.AppendCMAC(nil, data[:size]), out)
			}
		})
	}
}

func TestAEADBounds(t *testing.T) {
	key := demo[:16]
	for _, c := range []struct {
		mode       paycrypto.AEAD
		nonce, tag int
		ok         bool
	}{
		{paycrypto.SM4GCM, 0, 16, false}, {paycrypto.SM4GCM, 1, 16, true}, {paycrypto.SM4GCM, 64, 16, true}, {paycrypto.SM4GCM, 65, 16, false},
		{paycrypto.SM4GCM, 12, 11, false}, {paycrypto.SM4GCM, 12, 12, true}, {paycrypto.SM4GCM, 12, 17, false}, {paycrypto.SM4GCM, 13, 15, false},
		{paycrypto.SM4CCM, 6, 16, false}, {paycrypto.SM4CCM, 7, 16, true}, {paycrypto.SM4CCM, 13, 16, true}, {paycrypto.SM4CCM, 14, 16, false},
		{paycrypto.SM4CCM, 12, 3, false}, {paycrypto.SM4CCM, 12, 4, true}, {paycrypto.SM4CCM, 12, 5, false}, {paycrypto.SM4CCM, 12, 18, false},
		{0, 12, 16, false}, {3, 12, 16, false},
	} {
		sealed, err := c.mode.Seal(nil, key, demo[:c.nonce], []byte("plain"), nil, min(c.tag, 18))
		if c.ok != (err == nil) || !c.ok && !errors.Is(err, paycrypto.ErrAEAD) {
			t.Errorf("%d, nonce %d, tag %d: %v", c.mode, c.nonce, c.tag, err)
		}
		if !c.ok {
			continue
		}
		if got, err := c.mode.Open(nil, key, demo[:c.nonce], sealed, nil, c.tag); err != nil || string(got) != "plain" {
			t.Errorf("%d, nonce %d, tag %d does not open: %v", c.mode, c.nonce, c.tag, err)
		}
		for cut := range c.tag {
			if _, err := c.mode.Open(nil, key, demo[:c.nonce], sealed[:cut], nil, c.tag); !errors.Is(err, paycrypto.ErrTag) {
				t.Errorf("%d: %d bytes: %v", c.mode, cut, err)
			}
		}
	}
	if _, err := paycrypto.SM4GCM.Seal(nil, key[:15], demo[:12], nil, nil, 16); !errors.Is(err, paycrypto.ErrKeySize) {
		t.Errorf("short key: %v", err)
	}
	if _, err := paycrypto.SM4CCM.Seal(nil, key, demo[:13], make([]byte, 1<<16), nil, 16); !errors.Is(err, paycrypto.ErrAEAD) {
		t.Errorf("a plaintext whose length two bytes do not hold: %v", err)
	}
	if _, err := paycrypto.SM4CCM.Seal(nil, key, demo[:13], make([]byte, 1<<16-1), nil, 16); err != nil {
		t.Errorf("the longest plaintext: %v", err)
	}
}

func TestAdjustParity(t *testing.T) {
	for b := range 256 {
		key := []byte{byte(b)}
		paycrypto.AdjustParity(key)
		ones := 0
		for i := range 8 {
			ones += int(key[0] >> i & 1)
		}
		if ones%2 != 1 || key[0]&^1 != byte(b)&^1 {
			t.Errorf("byte %d becomes %d", b, key[0])
		}
	}
}
