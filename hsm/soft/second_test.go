package soft

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/keys"
	"touchstone/pos"
)

func seconds(n int64) pos.Instant { return pos.Instant(n * int64(time.Second)) }

// TestCodesOfTheRFC: the published codes are those of their steps, and nothing else is.
func TestCodesOfTheRFC(t *testing.T) {
	raw, err := os.ReadFile("../../testdata/vectors/totp.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Source  string
		Secret  string `json:"secret_ascii"`
		Vectors []struct {
			Time, Step int64
			Want       string
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil || file.Source == "" || len(file.Vectors) < 6 {
		t.Fatalf("vectors: %v", err)
	}
	for _, v := range file.Vectors {
		code := v.Want[2:]
		if v.Time > 9_000_000_000 {
			continue // an Instant ends in 2262
		}
		for off, want := range map[int64]bool{-61: false, -30: true, 0: true, 30: true, 61: false} {
			step, err := matchCode([]byte(file.Secret), code, seconds(max(v.Time-v.Time%30+off, 0)), 0)
			if v.Time > 100 && ((err == nil) != want || want && step != v.Step) {
				t.Errorf("%d, off by %d s: step %d, %v", v.Time, off, step, err)
			}
		}
		if step, err := matchCode([]byte(file.Secret), code[:3]+" "+code[3:], seconds(v.Time), v.Step-1); err != nil || step != v.Step {
			t.Errorf("%d, as apps show it: %d, %v", v.Time, step, err)
		}
		if _, err := matchCode([]byte(file.Secret), code, seconds(v.Time), v.Step); !errors.Is(err, ErrCode) {
			t.Errorf("%d again: %v", v.Time, err)
		}
		for i := range code {
			bad := []byte(code)
			bad[i] = '0' + (bad[i]-'0'+1)%10
			if _, err := matchCode([]byte(file.Secret), string(bad), seconds(v.Time), 0); !errors.Is(err, ErrCode) {
				t.Errorf("%d: digit %d does not count: %v", v.Time, i, err)
			}
		}
		for _, bad := range []string{"", code[1:], code + "0", v.Want, "12345a", "１２３４５６"} {
			if _, err := matchCode([]byte(file.Secret), bad, seconds(v.Time), 0); !errors.Is(err, ErrCode) {
				t.Errorf("%q: %v", bad, err)
			}
		}
	}
}

// TestSecondFactor: a secret is shown while it is offered and never after it was taken up; it opens for its account
// alone, and oathtool computes the same codes from what was shown.
func TestSecondFactor(t *testing.T) {
	m := unsealed(t)
	ctx, now := t.Context(), seconds(1_800_000_000)
	offered, err := m.DrawSecond(ctx, "qian")
	if err != nil {
		t.Fatal(err)
	}
	shown, err := m.ShowSecond("qian", offered)
	if err != nil {
		t.Fatal(err)
	}
	var text string
	shown.Use(func(b []byte) { text = string(b) })
	if len(text) != 32 {
		t.Fatalf("%d characters of base32", len(text))
	}
	if _, err := m.ShowSecond("sun", offered); !errors.Is(err, keys.ErrOwner) {
		t.Errorf("another's: %v", err)
	}
	tool, err := exec.LookPath("oathtool")
	if err != nil {
		t.Skip("NOT RUN: oathtool (Debian package oathtool) is not installed; make need installs it")
	}
	code := func(at pos.Instant) string {
		cmd := exec.Command(tool, "--totp", "--base32", "--now", time.Unix(0, int64(at)).UTC().Format("2006-01-02 15:04:05 UTC"), "-")
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	if _, _, err := m.TakeSecond(ctx, "qian", offered, code(now+seconds(300)), now); !errors.Is(err, ErrCode) {
		t.Errorf("taken up with the code of another time: %v", err)
	}
	kept, first, err := m.TakeSecond(ctx, "qian", offered, code(now), now)
	if err != nil || first != 60_000_000 {
		t.Fatalf("step %d, %v", first, err)
	}
	if _, err := m.ShowSecond("qian", kept); !errors.Is(err, keys.ErrOwner) {
		t.Errorf("shown again: %v", err)
	}
	if strings.Contains(fmt.Sprintf("%s%v%x", kept, kept, []byte(kept)), text) {
		t.Error("the secret stands in what is kept")
	}
	if _, err := m.CheckCode("qian", kept, code(now), now, first); !errors.Is(err, ErrCode) {
		t.Errorf("the code of the enrolment again: %v", err)
	}
	later := now + seconds(30)
	if step, err := m.CheckCode("qian", kept, code(later), later, first); err != nil || step != first+1 {
		t.Errorf("the next: %d, %v", step, err)
	}
	for name, err := range map[string]error{
		"another account": second(m.CheckCode("sun", kept, code(later), later, first)), "offered only": second(m.CheckCode("qian", offered, code(later), later, first)),
	} {
		if !errors.Is(err, keys.ErrOwner) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m.Wipe()
	if _, err := m.CheckCode("qian", kept, code(later), later, first); !errors.Is(err, keys.ErrSealed) {
		t.Errorf("sealed: %v", err)
	}
}

func second(_ int64, err error) error { return err }

func unsealed(t *testing.T) *Module {
	t.Helper()
	dir := t.TempDir()
	lock := Lock{PassphraseFile: filepath.Join(dir, "p"), WorkFactor: 1, Test: true}
	if err := os.WriteFile(lock.PassphraseFile, []byte("published"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "module.age")
	if err := Create(path, lock, nil); err != nil {
		t.Fatal(err)
	}
	m := New(Options{})
	if err := m.Unseal(path, lock); err != nil {
		t.Fatal(err)
	}
	return m
}
