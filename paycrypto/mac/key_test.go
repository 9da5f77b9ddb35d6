package mac_test

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"touchstone/paycrypto/mac"
	"touchstone/secret"
)

// every names each algorithm with its journal number, which must never change,
// and the key lengths it takes up to 40 bytes.
var every = []struct {
	number uint8
	a      mac.Algorithm
	keys   []int
	grade  mac.Grade
}{
	{1, mac.UnionPayECBDES, []int{8}, mac.Grade{Strength: mac.Weak, Why: mac.XORFold | mac.SingleDES}},
	{2, mac.UnionPayECBTDES, []int{16, 24}, mac.Grade{Strength: mac.Weak, Why: mac.XORFold}},
	{3, mac.UnionPayECBSM4, []int{16}, mac.Grade{Strength: mac.Weak, Why: mac.XORFold}},
	{4, mac.X99, []int{8}, mac.Grade{Strength: mac.Weak, Why: mac.SingleDES | mac.OpenChain}},
	{5, mac.X919, []int{16}, mac.Grade{Strength: mac.Strong}},
	{16, mac.CBCMACDES, []int{8}, mac.Grade{Strength: mac.Weak, Why: mac.SingleDES | mac.OpenChain}},
	{17, mac.CBCMACTDES, []int{16, 24}, mac.Grade{Strength: mac.Weak, Why: mac.OpenChain}},
	{18, mac.CBCMACAES, []int{16, 24, 32}, mac.Grade{Strength: mac.Weak, Why: mac.OpenChain}},
	{19, mac.CBCMACSM4, []int{16}, mac.Grade{Strength: mac.Weak, Why: mac.OpenChain}},
	{24, mac.RetailDES, []int{16}, mac.Grade{Strength: mac.Strong}},
	{25, mac.RetailTDES, []int{32}, mac.Grade{Strength: mac.Strong}},
	{26, mac.RetailSM4, []int{32}, mac.Grade{Strength: mac.Strong}},
	{27, mac.EMACSM4, []int{32}, mac.Grade{Strength: mac.Strong}},
	{28, mac.MACDESSM4, []int{32}, mac.Grade{Strength: mac.Strong}},
	{32, mac.CMACTDES, []int{16, 24}, mac.Grade{Strength: mac.Strong}},
	{33, mac.CMACAES, []int{16, 24, 32}, mac.Grade{Strength: mac.Strong}},
	{34, mac.CMACSM4, []int{16}, mac.Grade{Strength: mac.Strong}},
	{48, mac.HMACSHA1, nil, mac.Grade{Strength: mac.Strong}},
	{49, mac.HMACSHA256, nil, mac.Grade{Strength: mac.Strong}},
	{50, mac.HMACSHA384, nil, mac.Grade{Strength: mac.Strong}},
	{51, mac.HMACSHA512, nil, mac.Grade{Strength: mac.Strong}},
	{52, mac.HMACSM3, nil, mac.Grade{Strength: mac.Strong}},
}

// demo is made of the two published demonstration keys of payment vectors.
var demo = bytes.Repeat([]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10}, 3)

func paddingFor(a mac.Algorithm) mac.Padding {
	if a.TakesPadding() {
		return mac.Padding2
	}
	return 0
}

func TestAlgorithms(t *testing.T) {
	names := map[string]bool{"none": true}
	known := map[mac.Algorithm]bool{}
	for _, e := range every {
		known[e.a] = true
		if uint8(e.a) != e.number {
			t.Errorf("%v has number %d, the journal has %d", e.a, e.a, e.number)
		}
		if names[e.a.String()] {
			t.Errorf("%d has the name of another: %v", e.number, e.a)
		}
		names[e.a.String()] = true
		if e.a.Grade() != e.grade {
			t.Errorf("%v: grade %v", e.a, e.a.Grade())
		}
		for n := range 41 {
			want := e.keys == nil && n > 0
			for _, size := range e.keys {
				want = want || n == size
			}
			k, err := mac.New(e.a, paddingFor(e.a), demo[:n])
			if want != (err == nil) || !want && (k != nil || !errors.Is(err, mac.ErrKey)) {
				t.Errorf("%v with %d bytes: %v", e.a, n, err)
			}
		}
		for p := range mac.Padding(6) {
			_, err := mac.New(e.a, p, demo[:max(1, first(e.keys))])
			want := e.a.TakesPadding() == (p >= mac.Padding1 && p <= mac.Padding3) && p <= mac.Padding3
			if want != (err == nil) || !want && !errors.Is(err, mac.ErrPadding) {
				t.Errorf("%v with padding %d: %v", e.a, p, err)
			}
		}
	}
	for a := range mac.Algorithm(255) {
		if known[a] {
			continue
		}
		k, err := mac.New(a, 0, demo[:16])
		if k != nil || !errors.Is(err, mac.ErrKey) || a.String() != "none" || a.Size() != 0 || a.Grade() != (mac.Grade{}) {
			t.Errorf("number %d is something: %v", a, a)
		}
	}
}

func first(sizes []int) int {
	if len(sizes) == 0 {
		return 0
	}
	return sizes[0]
}

func TestGradeWords(t *testing.T) {
	g := mac.UnionPayECBDES.Grade()
	if got := fmt.Sprint(g.Strength, ": ", g.Why); got != "weak: xor-fold, single DES" {
		t.Error(got)
	}
	if got := fmt.Sprint(mac.Strong, mac.Worthless, mac.Weakness(0), mac.OpenChain); got != "strong worthless  open chain" {
		t.Error(got)
	}
	if !g.Why.Has(mac.XORFold) || g.Why.Has(mac.XORFold|mac.OpenChain) {
		t.Error("Has is wrong")
	}
}

// TestUnusableKey: what has no key verifies nothing, and gives nothing that verifies.
func TestUnusableKey(t *testing.T) {
	keys := map[string]*mac.Key{"nil": nil, "zero": {}}
	for _, e := range every {
		k := keyFor(t, e.a, paddingFor(e.a))
		k.Wipe()
		k.Wipe()
		keys["wiped "+e.a.String()] = k
	}
	var none *mac.Key
	none.Wipe()
	for name, k := range keys {
		sum := k.Sum8([]byte("message"))
		if sum != [8]byte{} || k.Algorithm() != mac.None || len(k.AppendSum(nil, nil)) != 0 {
			t.Errorf("%s: gives a code", name)
		}
		if k.Verify([]byte("message"), sum[:]) || k.Verify(nil, nil) || k.VerifyTag(nil, nil) || k.VerifyTag(nil, make([]byte, 8)) {
			t.Errorf("%s: verifies", name)
		}
		if mac.VerifySerial(k, "1", "1", make([]byte, 8)) {
			t.Errorf("%s: verifies a serial number", name)
		}
		if _, traced := k.Trace(nil); traced {
			t.Errorf("%s: traces", name)
		}
	}
}

// TestSum8IsPrefix ties Sum8 to AppendSum for every algorithm and many lengths.
func TestSum8IsPrefix(t *testing.T) {
	for _, e := range every {
		k := keyFor(t, e.a, paddingFor(e.a))
		for n := range 48 {
			full := k.AppendSum([]byte("x"), demo[:n])[1:]
			if len(full) != e.a.Size() {
				t.Fatalf("%v: %d bytes", e.a, len(full))
			}
			want := strings.ToUpper(hex.EncodeToString(full[:4]))
			if got := k.Sum8(demo[:n]); string(got[:]) != want {
				t.Errorf("%v over %d bytes: Sum8 is not the first four bytes", e.a, n)
			}
		}
	}
}

// TestAgainstComposition builds the DES codes from crypto/des and AppendPadded.
func TestAgainstComposition(t *testing.T) {
	left, err := des.NewCipher(demo[:8])
	if err != nil {
		t.Fatal(err)
	}
	right, err := des.NewCipher(demo[8:16])
	if err != nil {
		t.Fatal(err)
	}
	for p := mac.Padding1; p <= mac.Padding3; p++ {
		one, two := newKey(t, mac.CBCMACDES, p, demo[:8]), newKey(t, mac.RetailDES, p, demo[:16])
		for n := range len(demo) {
			padded, err := p.AppendPadded(nil, demo[:n], 8)
			if err != nil {
				t.Fatal(err)
			}
			chained := make([]byte, len(padded))
			cipher.NewCBCEncrypter(left, make([]byte, 8)).CryptBlocks(chained, padded)
			want := chained[len(chained)-8:]
			check(t, fmt.Sprintf("CBC-MAC, padding %d, %d bytes", p, n), one.AppendSum(nil, demo[:n]), want)
			right.Decrypt(want, want)
			left.Encrypt(want, want)
			check(t, fmt.Sprintf("retail MAC, padding %d, %d bytes", p, n), two.AppendSum(nil, demo[:n]), want)
			if p == mac.Padding1 {
				check(t, "X9.19", newKey(t, mac.X919, 0, demo[:16]).AppendSum(nil, demo[:n]), want)
			}
		}
	}
	check(t, "X9.9", newKey(t, mac.X99, 0, demo[:8]).AppendSum(nil, demo), newKey(t, mac.CBCMACDES, 1, demo[:8]).AppendSum(nil, demo))
}

// TestFoldAgainstSteps follows docs/protocol/unionpay-pos.md, section 4.1, word for word.
func TestFoldAgainstSteps(t *testing.T) {
	des8, err := des.NewCipher(demo[:8])
	if err != nil {
		t.Fatal(err)
	}
	k := newKey(t, mac.UnionPayECBDES, 0, demo[:8])
	for n := range len(demo) {
		r := make([]byte, 8)
		for i, b := range demo[:n] {
			r[i%8] ^= b
		}
		h := []byte(strings.ToUpper(hex.EncodeToString(r)))
		e := make([]byte, 8)
		des8.Encrypt(e, h[:8])
		for i := range e {
			e[i] ^= h[8+i]
		}
		des8.Encrypt(e, e)
		check(t, fmt.Sprintf("%d bytes", n), k.AppendSum(nil, demo[:n]), e)
	}
}

func TestAgainstOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl command")
	}
	for _, c := range []struct {
		a    mac.Algorithm
		name string
	}{{mac.HMACSHA1, "SHA1"}, {mac.HMACSHA256, "SHA256"}, {mac.HMACSHA384, "SHA384"}, {mac.HMACSHA512, "SHA512"}, {mac.HMACSM3, "SM3"}} {
		for _, n := range []int{1, 16, 48} {
			command := exec.Command("openssl", "mac", "-digest", c.name, "-macopt", "hexkey:"+hex.EncodeToString(demo[:n]), "-in", "-", "-binary", "HMAC")
			command.Stdin = strings.NewReader("touchstone")
			out, err := command.Output()
			if err != nil {
				t.Fatal(err)
			}
			check(t, c.name, newKey(t, c.a, 0, demo[:n]).AppendSum(nil, []byte("touchstone")), out)
		}
	}
}

func TestPadding(t *testing.T) {
	for p := mac.Padding1; p <= mac.Padding3; p++ {
		for _, size := range []int{1, 4, 7, 8, 16, 255} {
			for n := range len(demo) {
				got, err := p.AppendPadded([]byte("x"), demo[:n], size)
				if err != nil {
					t.Fatal(err)
				}
				if got[0] != 'x' || (len(got)-1)%size != 0 || len(got) == 1 {
					t.Errorf("padding %d, block %d, %d bytes: %d", p, size, n, len(got)-1)
				}
				body, head := got[1:], 0
				if p == mac.Padding3 {
					head = size
				}
				if !bytes.Equal(body[head:head+n], demo[:n]) {
					t.Errorf("padding %d, block %d, %d bytes: the data moved", p, size, n)
				}
				tail := body[head+n:]
				if p == mac.Padding2 && (len(tail) == 0 || tail[0] != 0x80 || len(tail) > size) {
					t.Errorf("padding 2, block %d, %d bytes: wrong mark", size, n)
				}
				if p != mac.Padding2 && n > 0 && len(tail) >= size {
					t.Errorf("padding %d, block %d, %d bytes: a block too many", p, size, n)
				}
			}
		}
	}
	for _, c := range []struct {
		p    mac.Padding
		size int
	}{{0, 8}, {4, 8}, {1, 0}, {1, -1}, {1, 256}} {
		if out, err := c.p.AppendPadded([]byte("x"), nil, c.size); !errors.Is(err, mac.ErrPadding) || string(out) != "x" {
			t.Errorf("padding %d, block %d: %v", c.p, c.size, err)
		}
	}
}

func TestSerialBounds(t *testing.T) {
	k := keyFor(t, mac.UnionPayECBSM4, 0)
	for _, c := range []struct {
		serial, factor int
		ok             bool
	}{{0, 6, false}, {1, 0, false}, {1, 1, true}, {50, 6, true}, {50, 46, true}, {50, 47, false}} {
		got := mac.SerialCiphertext(k, strings.Repeat("S", c.serial), strings.Repeat("6", c.factor))
		if (got != [8]byte{}) != c.ok {
			t.Errorf("%d and %d bytes: %v, want %v", c.serial, c.factor, !c.ok, c.ok)
		}
		if mac.VerifySerial(k, strings.Repeat("S", c.serial), strings.Repeat("6", c.factor), got[:]) != c.ok {
			t.Errorf("%d and %d bytes verify wrongly", c.serial, c.factor)
		}
	}
	if got := mac.SerialCiphertext(keyFor(t, mac.CMACSM4, 0), "S", "6"); got != [8]byte{} {
		t.Error("a key for another algorithm gives a ciphertext")
	}
}

func TestConcurrentUse(t *testing.T) {
	for _, e := range every {
		k := keyFor(t, e.a, paddingFor(e.a))
		want := k.Sum8(demo)
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				for range 200 {
					if k.Sum8(demo) != want {
						t.Errorf("%v: goroutines disturb each other", e.a)
						return
					}
				}
			})
		}
		wait.Wait()
	}
}

func TestNoAllocation(t *testing.T) {
	for _, e := range every {
		if strings.HasPrefix(e.a.String(), "HMAC") {
			continue
		}
		k := keyFor(t, e.a, paddingFor(e.a))
		if got := testing.AllocsPerRun(100, func() {
			de64 := k.Sum8(demo)
			k.Verify(demo, de64[:])
			var room [16]byte
			k.VerifyTag(demo, k.AppendSum(room[:0], demo))
		}); got != 0 {
			t.Errorf("%v: %v allocations", e.a, got)
		}
	}
	k := keyFor(t, mac.UnionPayECBSM4, 0)
	if got := testing.AllocsPerRun(100, func() { mac.SerialCiphertext(k, "00000304N9NL10000001", "163157") }); got != 0 {
		t.Errorf("serial: %v allocations", got)
	}
}

type holder struct {
	Key    *mac.Key
	hidden mac.Key // reached by fmt through reflection, without methods
}

func TestNeverPrinted(t *testing.T) {
	for _, e := range every {
		k := keyFor(t, e.a, paddingFor(e.a))
		h := holder{k, *k}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("loaded", "key", k, "holder", h)
		slog.New(slog.NewTextHandler(&log, nil)).Info("loaded", "key", k, "holder", h)
		out := log.String()
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p"} {
			for _, arg := range []any{h, &h, k, *k, []*mac.Key{k}, fmt.Errorf("bad key: %v", h)} {
				out += fmt.Sprintf(verb, arg)
			}
		}
		for _, form := range []string{"0123456789ABCDEF", "0123456789abcdef", "1 35 69 103", "0x1, 0x23", "81985529216486895"} {
			if strings.Contains(out, form) {
				t.Errorf("%v: a form of the key was printed", e.a)
			}
		}
		if fmt.Sprint(k) != secret.Redacted {
			t.Errorf("%v: prints", e.a)
		}
		if _, err := json.Marshal(k); !errors.Is(err, secret.ErrPrinted) {
			t.Errorf("json: %v", err)
		}
		if err := gob.NewEncoder(&bytes.Buffer{}).Encode(k); err == nil {
			t.Error("gob encoded it")
		}
		for _, encode := range []func() ([]byte, error){k.MarshalText, k.MarshalBinary} {
			if _, err := encode(); !errors.Is(err, secret.ErrPrinted) {
				t.Errorf("encoding: %v", err)
			}
		}
	}
}
