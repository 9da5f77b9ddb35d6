package soft_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"touchstone/hsm/soft"
	"touchstone/keys"
	"touchstone/proof"
)

func TestCreateNeverOverwrites(t *testing.T) {
	r := sealedRig(t, soft.Options{})
	before, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := soft.Create(r.path, r.lock, nil); !errors.Is(err, soft.ErrExists) {
		t.Fatalf("got %v", err)
	}
	after, _ := os.ReadFile(r.path)
	if string(before) != string(after) {
		t.Fatal("the keyring changed")
	}
	stat, err := os.Stat(r.path)
	if err != nil || stat.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", stat.Mode(), err)
	}
	if list, _ := os.ReadDir(filepath.Dir(r.path)); len(list) != 1 {
		t.Fatalf("%d files were left behind", len(list))
	}
}

func TestCreateBrokenSource(t *testing.T) {
	path := filepath.Join(t.TempDir(), "module.age")
	if err := soft.Create(path, testLock(t), strings.NewReader("too short")); err == nil {
		t.Fatal("a keyring of too few random bytes was made")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("a file was left behind")
	}
}

func TestDefaultWorkFactor(t *testing.T) {
	if testing.Short() {
		t.Skip("two scrypt runs of a second")
	}
	lock := soft.Lock{PassphraseFile: writeFile(t, "p", "published test passphrase", 0o400)}
	path := filepath.Join(t.TempDir(), "module.age")
	if err := soft.Create(path, lock, nil); err != nil {
		t.Fatal(err)
	}
	file, _ := os.ReadFile(path)
	if head, _, _ := strings.Cut(string(file), "\n---"); !strings.HasSuffix(strings.Split(head, "\n")[1], " 18") {
		t.Fatal("the work factor is not 18")
	}
	if err := soft.New(soft.Options{}).Unseal(path, lock); err != nil {
		t.Fatal(err)
	}
}

func TestLockRefused(t *testing.T) {
	const phrase = "never echo me"
	good := writeFile(t, "good", phrase, 0o600)
	identity := writeFile(t, "identity", "AGE-SECRET-KEY-never echo me", 0o600)
	for name, lock := range map[string]soft.Lock{
		"no file":                  {},
		"two files":                {PassphraseFile: good, IdentityFile: good},
		"absent file":              {PassphraseFile: good + "-absent"},
		"folder":                   {PassphraseFile: filepath.Dir(good)},
		"group may read":           {PassphraseFile: writeFile(t, "p", phrase, 0o640)},
		"world may read":           {PassphraseFile: writeFile(t, "p", phrase, 0o604)},
		"world may write":          {PassphraseFile: writeFile(t, "p", phrase, 0o602)},
		"identity world may read":  {IdentityFile: writeFile(t, "p", phrase, 0o604)},
		"empty":                    {PassphraseFile: writeFile(t, "p", "", 0o600)},
		"only a newline":           {PassphraseFile: writeFile(t, "p", "\n", 0o600)},
		"only a carriage return":   {PassphraseFile: writeFile(t, "p", "\r\n", 0o600)},
		"too long":                 {PassphraseFile: writeFile(t, "p", strings.Repeat("x", 64<<10+1), 0o600)},
		"no identity in it":        {IdentityFile: identity},
		"work factor 17":           {PassphraseFile: good, WorkFactor: 17},
		"work factor 21":           {PassphraseFile: good, WorkFactor: 21},
		"work factor -1 in a test": {PassphraseFile: good, WorkFactor: -1, Test: true},
	} {
		path := filepath.Join(t.TempDir(), "module.age")
		err := soft.Create(path, lock, nil)
		if !errors.Is(err, soft.ErrLock) {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		if strings.Contains(err.Error(), phrase) {
			t.Errorf("%s: the error echoes the file", name)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: a keyring was written", name)
		}
	}
	if err := os.Chmod(good, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := soft.Create(filepath.Join(t.TempDir(), "m"), soft.Lock{PassphraseFile: good, WorkFactor: 1, Test: true}, nil); err != nil {
		t.Errorf("a test data directory: %v", err)
	}
}

func TestPassphraseLineEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "module.age")
	lock := func(s string) soft.Lock {
		return soft.Lock{PassphraseFile: writeFile(t, "p", s, 0o600), WorkFactor: 1, Test: true}
	}
	if err := soft.Create(path, lock("phrase"), nil); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]error{"phrase": nil, "phrase\n": nil, "phrase\r\n": nil,
		"phrase\n\n": soft.ErrWrongLock, " phrase": soft.ErrWrongLock, "phrase ": soft.ErrWrongLock, "Phrase": soft.ErrWrongLock} {
		if err := soft.New(soft.Options{}).Unseal(path, lock(text)); !errors.Is(err, want) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestIdentityLock(t *testing.T) {
	x, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	h, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	wrong := soft.Lock{IdentityFile: writeFile(t, "i", other.String(), 0o600)}
	for name, text := range map[string]string{"X25519": "# a comment\n" + x.String() + "\n", "hybrid": h.String()} {
		lock := soft.Lock{IdentityFile: writeFile(t, "i", text, 0o600)}
		path := filepath.Join(t.TempDir(), "module.age")
		if err := soft.Create(path, lock, nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m := soft.New(soft.Options{})
		for what, w := range map[string]soft.Lock{"another identity": wrong, "a passphrase": testLock(t)} {
			if err := m.Unseal(path, w); !errors.Is(err, soft.ErrWrongLock) || !m.Sealed() {
				t.Errorf("%s under %s: %v, sealed %v", name, what, err, m.Sealed())
			}
		}
		if err := m.Unseal(path, lock); err != nil || m.Sealed() {
			t.Errorf("%s: %v, sealed %v", name, err, m.Sealed())
		}
	}
}

func TestWrongPassphraseStaysSealed(t *testing.T) {
	r := sealedRig(t, soft.Options{})
	wrong := r.lock
	wrong.PassphraseFile = writeFile(t, "p", "another passphrase", 0o600)
	if err := r.Unseal(r.path, wrong); !errors.Is(err, soft.ErrWrongLock) || strings.Contains(err.Error(), "another") {
		t.Fatalf("got %v", err)
	}
	if !r.Sealed() || !errors.Is(r.Check(), keys.ErrSealed) {
		t.Fatal("it is open")
	}
}

func TestDamagedKeyring(t *testing.T) {
	r := sealedRig(t, soft.Options{})
	file, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, at int, b []byte) {
		t.Helper()
		path := writeFile(t, "module.age", string(b), 0o600)
		err := r.Unseal(path, r.lock)
		if !errors.Is(err, soft.ErrKeyring) && !errors.Is(err, soft.ErrWrongLock) || !r.Sealed() {
			t.Errorf("%s at %d: got %v, sealed %v", what, at, err, r.Sealed())
		}
	}
	for n := range file {
		refused("cut", n, file[:n])
		b := append([]byte(nil), file...)
		b[n] ^= 1
		if string(b) == string(file) {
			t.Fatal("nothing was flipped")
		}
		// A work factor of 2^20 would only make the test slow; it fails like any other.
		refused("flipped", n, b)
	}
	refused("longer", len(file), append(append([]byte(nil), file...), 0))
	refused("too long", 0, make([]byte, 1<<20+1))
	if err := r.Unseal(r.path+"-absent", r.lock); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if err := r.Unseal(r.path, r.lock); err != nil {
		t.Errorf("whole: %v", err)
	}
	if err := r.Unseal(r.path, r.lock); !errors.Is(err, soft.ErrUnsealed) {
		t.Errorf("twice: %v", err)
	}
}

func TestRotateMaster(t *testing.T) {
	r := newRig(t)
	backup, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	old := r.set(t, terminalA, keys.SignInTDES, demoPIK, demoMAK)
	hash, _ := r.HashPAN(card(t, "6225885916163157"))
	term, err := r.RotateMaster(r.path, r.lock)
	if err != nil || term != 2 {
		t.Fatalf("term %d, %v", term, err)
	}
	young := r.set(t, terminalA, keys.SignInTDES, demoPIK, demoMAK)
	if got, _, _, _, _ := keys.Wrapped(young.Wrapped[:]).Head(); got != 2 {
		t.Fatalf("new keys are wrapped under term %d", got)
	}
	again := soft.New(soft.Options{})
	if err := again.Unseal(r.path, r.lock); err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*soft.Module{"rotated": r.Module, "opened again": again} {
		for _, set := range []*keys.Set{old, young} {
			var e proof.Evidence
			if m.Prove(claims(t, set), &e); e.MAC != proof.Passed {
				t.Errorf("%s, set %d: %v, %v", name, set.Number, e.MAC, e.Err)
			}
		}
		if h, _ := m.HashPAN(card(t, "6225885916163157")); h != hash {
			t.Errorf("%s: card hashes changed", name)
		}
	}
	former := soft.New(soft.Options{})
	path := writeFile(t, "module.age", string(backup), 0o600)
	if err := former.Unseal(path, r.lock); err != nil {
		t.Fatal(err)
	}
	var e proof.Evidence
	if former.Prove(claims(t, young), &e); e.MAC != proof.Unavailable || !errors.Is(e.Err, keys.ErrOwner) {
		t.Errorf("a keyring without the term: %v, %v", e.MAC, e.Err)
	}
}

func TestRotateMasterRefused(t *testing.T) {
	r, other := newRig(t), newRig(t)
	before, _ := os.ReadFile(r.path)
	foreign := filepath.Join(t.TempDir(), "module.age")
	if err := soft.Create(foreign, r.lock, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := r.RotateMaster(foreign, r.lock); !errors.Is(err, soft.ErrKeyring) {
		t.Errorf("another keyring: %v", err)
	}
	wrong := soft.Lock{PassphraseFile: writeFile(t, "p", "wrong", 0o600), WorkFactor: 1, Test: true}
	if _, err := r.RotateMaster(r.path, wrong); !errors.Is(err, soft.ErrWrongLock) {
		t.Errorf("wrong passphrase: %v", err)
	}
	weak := r.lock
	weak.Test, weak.WorkFactor = false, 1
	if _, err := r.RotateMaster(r.path, weak); !errors.Is(err, soft.ErrLock) {
		t.Errorf("low work factor: %v", err)
	}
	other.Wipe()
	if _, err := other.RotateMaster(other.path, other.lock); !errors.Is(err, keys.ErrSealed) {
		t.Errorf("sealed: %v", err)
	}
	if after, _ := os.ReadFile(r.path); string(after) != string(before) {
		t.Error("the keyring changed")
	}
	if err := r.Check(); err != nil {
		t.Errorf("the module changed: %v", err)
	}
	w := r.master(t, terminalA, keys.TDES)
	if term, _, _, _, _ := w.Head(); term != 1 {
		t.Errorf("term %d", term)
	}
	if _, _, err := r.IssueSet(context.Background(), terminalA, w, keys.SignInTDES, false); err != nil {
		t.Error(err)
	}
}
