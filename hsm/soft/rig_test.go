package soft_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"touchstone/hsm/soft"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/secret"
)

// Published demonstration keys of testdata/vectors/cup.json and of the literature. Never load them elsewhere.
const (
	demoDES    = "0123456789ABCDEF"
	demoDouble = "0123456789ABCDEFFEDCBA9876543210"
	demoPIK    = "11223344556677889900AABBCCDDEEFF"
	demoTDK    = "00112233445566778899AABBCCDDEEFF"
	demoMAK    = "A1B2C3D4E5F60718"
	demoLong   = "A1B2C3D4E5F60718293A4B5C6D7E8F90"
)

var terminalA, terminalB = pos.TerminalID([]byte("00000011")), pos.TerminalID([]byte("00000027"))

const serialA = pos.Serial("00000304N9NL10000001") // of the vector tusn-cipher-1

// script gives queued bytes and then random ones.
type script struct {
	mu    sync.Mutex
	queue []byte
}

func (s *script) push(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, b...)
}

func (s *script) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := copy(p, s.queue)
	s.queue = s.queue[n:]
	rand.Read(p[n:])
	return len(p), nil
}

// counting gives the bytes 00 01 02 ...: the published seed of these tests' keyring.
type counting struct{ next byte }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = c.next
		c.next++
	}
	return len(p), nil
}

type rig struct {
	*soft.Module
	random *script
	path   string
	lock   soft.Lock
	number uint32
}

func writeFile(t testing.TB, name, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

func testLock(t testing.TB) soft.Lock {
	return soft.Lock{PassphraseFile: writeFile(t, "passphrase", "published test passphrase\n", 0o600), WorkFactor: 1, Test: true}
}

// sealedRig has a keyring drawn from counting.
func sealedRig(t testing.TB, o soft.Options) *rig {
	t.Helper()
	r := &rig{random: &script{}, path: filepath.Join(t.TempDir(), "module.age"), lock: testLock(t)}
	if err := soft.Create(r.path, r.lock, &counting{}); err != nil {
		t.Fatal(err)
	}
	if o.Random == nil {
		o.Random = r.random
	}
	r.Module = soft.New(o)
	return r
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := sealedRig(t, soft.Options{})
	if err := r.Unseal(r.path, r.lock); err != nil {
		t.Fatal(err)
	}
	return r
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatalf("hex in the test's own data: %v", err)
	}
	return b
}

func part(t testing.TB, s string) secret.Bytes { return secret.Take(unhex(t, s)) }

func (r *rig) form(t testing.TB, owner keys.Owner, u keys.Usage, c keys.Cipher, key string) keys.Wrapped {
	t.Helper()
	w, _, err := r.Form(context.Background(), owner, u, c, []secret.Bytes{part(t, key)})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (r *rig) master(t testing.TB, terminal pos.TerminalID, c keys.Cipher) keys.Wrapped {
	key := demoDouble
	if c == keys.DES {
		key = demoDES
	}
	return r.form(t, keys.OfTerminal(terminal[:]), keys.TerminalMaster, c, key)
}

// set issues a working key set with the keys given in hex.
func (r *rig) set(t testing.TB, terminal pos.TerminalID, code pos.NetworkCode, keysHex ...string) *keys.Set {
	t.Helper()
	master := r.master(t, terminal, keys.CipherOf(code)) // draws a nonce
	for _, k := range keysHex {
		r.random.push(unhex(t, k))
	}
	long := len(keysHex) > 1 && len(keysHex[1]) == 32
	w, _, err := r.IssueSet(context.Background(), terminal, master, code, long)
	if err != nil {
		t.Fatal(err)
	}
	r.number++
	return &keys.Set{Number: r.number, Code: code, Wrapped: w}
}

// macOf computes DE64 with a key of the test, not with the module.
func macOf(t testing.TB, a mac.Algorithm, key string, mab []byte) (de64 [8]byte) {
	t.Helper()
	padding := mac.Padding(0)
	if a.TakesPadding() {
		padding = mac.Padding1
	}
	k, err := mac.New(a, padding, unhex(t, key))
	if err != nil {
		t.Fatal(err)
	}
	return k.Sum8(mab)
}

var mabA = bytes.Repeat([]byte{0x02, 0x00, 0x30, 0x24, 0x04}, 40)

// claims are those of a message that verifies under demoMAK with single DES.
func claims(t testing.TB, set *keys.Set) *proof.Claims {
	return &proof.Claims{
		Terminal: terminalA, Sets: [2]*keys.Set{set}, Algorithms: [2]mac.Algorithm{mac.UnionPayECBDES, mac.UnionPayECBDES},
		MAB: mabA, DE64: macOf(t, mac.UnionPayECBDES, demoMAK, mabA), HasMAC: true, NeedMAC: true, PAN: pos.NewPAN(),
	}
}

func (r *rig) prove(c *proof.Claims) (e proof.Evidence) {
	e.MAC, e.Serial, e.Factor, e.Track, e.TrackPAN = proof.Passed, proof.Passed, proof.Passed, proof.Passed, proof.Passed
	r.Prove(c, &e) // a module that writes nothing must not leave what was there
	return e
}

func card(t testing.TB, digits string) pos.PAN {
	t.Helper()
	p, err := pos.ParsePAN(digits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// vector reads one vector of testdata/vectors/cup.json by its id.
func vector(t testing.TB, id string) map[string]any {
	t.Helper()
	b, err := os.ReadFile("../../testdata/vectors/cup.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []map[string]any }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	for _, v := range file.Vectors {
		if v["id"] == id {
			return v
		}
	}
	t.Fatalf("no vector %s", id)
	return nil
}
