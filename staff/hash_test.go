package staff_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"touchstone/secret"
	"touchstone/staff"
)

func text(s string) secret.Bytes { return secret.Take([]byte(s)) }

func TestPublishedHashes(t *testing.T) {
	raw, err := os.ReadFile("testdata/argon2id.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Source  string
		Vectors []struct {
			Password, Salt, Want string
			Time, Memory         uint32
			Threads              uint8
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil || file.Source == "" || len(file.Vectors) < 3 {
		t.Fatalf("vectors: %v", err)
	}
	for _, v := range file.Vectors {
		sum, err := hex.DecodeString(v.Want)
		if err != nil {
			t.Fatal(err)
		}
		h := staff.Hash{Salt: []byte(v.Salt), Time: v.Time, Memory: v.Memory, Threads: v.Threads, Sum: sum}
		if !h.Matches(text(v.Password)) {
			t.Errorf("memory %d, threads %d: the published sum does not match", v.Memory, v.Threads)
		}
		for i := range h.Sum {
			h.Sum[i] ^= 1
			if v.Memory < 1000 && h.Matches(text(v.Password)) {
				t.Errorf("a bit of byte %d of the sum does not count", i)
			}
			h.Sum[i] ^= 1
		}
	}
}

// TestHashWitness: the reference program computes the stored hash from the passphrase and what is stored.
func TestHashWitness(t *testing.T) {
	argon2, err := exec.LookPath("argon2")
	if err != nil {
		t.Skip("NOT RUN: argon2 (Debian package argon2) is not installed; make need installs it")
	}
	const passphrase = "四个词 correct horse battery"
	h, err := staff.NewHash(text(passphrase), []byte("saltsaltsaltsalt"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(argon2, string(h.Salt), "-id", "-t", "2", "-k", "19456", "-p", "1", "-l", "32", "-r")
	cmd.Stdin = strings.NewReader(passphrase)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(out)); got != hex.EncodeToString(h.Sum) || h.Time != 2 || h.Memory != 19456 || h.Threads != 1 {
		t.Errorf("the reference program says %s", got)
	}
}

func TestHashBounds(t *testing.T) {
	salt := []byte("0123456789abcdef")
	for name, c := range map[string]struct {
		passphrase string
		salt       []byte
		ok         bool
	}{
		"one byte": {"x", salt, true}, "none": {"", salt, false}, "the longest": {strings.Repeat("x", staff.MaxPassphrase), salt, true},
		"one too long": {strings.Repeat("x", staff.MaxPassphrase+1), salt, false}, "short salt": {"x", salt[:15], false}, "long salt": {"x", append(salt[:16:16], 0), false},
	} {
		h, err := staff.NewHash(text(c.passphrase), c.salt)
		if (err == nil) != c.ok || !c.ok && (!errors.Is(err, staff.ErrPassphrase) || h != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := quick("it is this one")
	if !good.Matches(text("it is this one")) || good.Matches(text("it is this on")) || (*staff.Hash)(nil).Matches(text("x")) {
		t.Error("a hash matches another passphrase, or not its own")
	}
	for name, damage := range map[string]func(h *staff.Hash){
		"no passes": func(h *staff.Hash) { h.Time = 0 }, "too many passes": func(h *staff.Hash) { h.Time = 17 }, "no memory": func(h *staff.Hash) { h.Memory = 0 },
		"all the memory": func(h *staff.Hash) { h.Memory = 256<<10 + 1 }, "no lanes": func(h *staff.Hash) { h.Threads = 0 },
		"short sum": func(h *staff.Hash) { h.Sum = h.Sum[:31] }, "no sum": func(h *staff.Hash) { h.Sum = nil }, "other salt": func(h *staff.Hash) { h.Salt = []byte("fedcba9876543210") },
	} {
		h := *good
		damage(&h)
		if h.Matches(text("it is this one")) {
			t.Errorf("%s: matches", name)
		}
	}
}

func TestCheckPassphrase(t *testing.T) {
	of := account("qianjin", "E-1002", staff.Security)
	of.FullName, of.Organisation = "钱进 Qian Jin", "Sample Acquirer 示例收单机构"
	for passphrase, ok := range map[string]bool{
		"purple kettle under the bridge":   true,
		"四个词放在一起谁也猜不到的那种":                  true,
		"Zf7!kk29 mRt#qq 81":               true,
		strings.Repeat("长口令 with 空格 ", 12): false, // it repeats itself
		"六十四个字符的长口令也可以带空格 and a second language in it, no more no less": true,

		"":                false,
		"short one":       false,
		"fourteen chars":  false, // 14 characters
		"fifteen charact": true,
		"Password123!":    false,
		"111111111111":    false, "1111111111111111": false, "12345678901234567890": false, "abcdefghijklmnopqrst": false,
		"PasswordPassword": false, "passwordpassword1": false, "P4ssw0rd P4$$w0rd!": false, "qwertyuiop123456": false, "qwerty-asdfgh-zxcvbn": false,
		"qianjin qianjin 1": false, "QianJin-E-1002-2026": false, "Sample Acquirer 2026": false, "钱进钱进钱进钱进钱进钱进钱进钱进": false,
		"administrator2026": false, "welcome welcome 1": false, "88888888 66666666": false, "密码密码密码密码密码密码密码密码": false,
		"aaaaaaaabbbbbbbb": false, "5201314 5201314 520": false, "touchstone-terminal-1": false,
		strings.Repeat("x9", 60) + "purple kettle under the bridge": true,
		"\xff\xfe not text at all, but long enough":                 false,
	} {
		err := staff.CheckPassphrase(text(passphrase), &of)
		if (err == nil) != ok || !ok && !errors.Is(err, staff.ErrPassphrase) {
			t.Errorf("%q: %v", passphrase, err)
		}
		if err != nil && len(passphrase) > 3 && strings.Contains(err.Error(), passphrase) {
			t.Errorf("%q: the error tells the passphrase", passphrase)
		}
	}
	long := strings.Repeat("an elephant, ", 20) // 260 bytes
	if err := staff.CheckPassphrase(text(long), &of); !errors.Is(err, staff.ErrPassphrase) {
		t.Errorf("%d bytes: %v", len(long), err)
	}
}

// FuzzCheckPassphrase: no passphrase makes it fail otherwise than by a refusal.
func FuzzCheckPassphrase(f *testing.F) {
	of := account("qian", "E-1002", staff.Security)
	for _, s := range []string{"", "purple kettle under the bridge", "\xff", "密码密码", "p4$$w0rd p4$$w0rd", "00000000000000000"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if err := staff.CheckPassphrase(secret.Take(append([]byte(nil), p...)), &of); err != nil && !errors.Is(err, staff.ErrPassphrase) {
			t.Error(err)
		}
	})
}
