package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"touchstone/explain"
	"touchstone/iso8583"
)

// foldSaid is what touchstone explain fold says.
func foldSaid(t *testing.T, lang explain.Language) string {
	t.Helper()
	var b bytes.Buffer
	if err := explainFold(&b, lang); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestFoldGolden: the words in both languages, as they were read and approved.
func TestFoldGolden(t *testing.T) {
	for name, lang := range map[string]explain.Language{"fold-en": explain.English, "fold-zh": explain.Chinese} {
		golden(t, name, foldSaid(t, lang))
	}
}

// golden compares with testdata/grade/NAME.txt; with -update it writes it anew.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "grade", name+".txt")
	if os.Getenv("TOUCHSTONE_UPDATE") == "1" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; TOUCHSTONE_UPDATE=1 writes it anew, read the difference before keeping it:\n%s", path, got)
	}
}

// TestFoldIsRealAndRecomputed: the messages parse and differ in money, their MACs are the ones this program computes, and
// a shell with openssl, given the printed lines and nothing of ours, computes the same. A message that is altered without
// its counterpart has another MAC.
func TestFoldIsRealAndRecomputed(t *testing.T) {
	f, err := newFold()
	if err != nil {
		t.Fatal(err)
	}
	want, err := foldMAC(f.honest)
	if err != nil {
		t.Fatal(err)
	}
	for name, frame := range map[string][]byte{"honest": f.honest, "two bytes": f.changed.frame, "two blocks": f.swapped.frame} {
		m, err := foldParse(frame)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(m.Raw(64), want[:]) {
			t.Errorf("%s: DE64 is not the MAC", name)
		}
		if amount, ok := m.Number(4); !ok || (amount == 8800) != (name == "honest") {
			t.Errorf("%s: amount %d", name, amount)
		}
		again, err := iso8583.NewBuilder(&iso8583.UnionPay).Repack(m, make([]byte, iso8583.LengthSize+iso8583.MaxFrame))
		if err != nil || !bytes.Equal(again, frame) {
			t.Errorf("%s: the codec does not pack it back: %v", name, err)
		}
	}
	lone := bytes.Clone(f.honest)
	lone[mabStart+f.changed.a] ^= f.changed.delta
	if sum, err := foldMAC(lone); err != nil || sum == want {
		t.Errorf("a byte that is altered alone keeps the MAC: %v", err)
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("NOT RUN: openssl is not here to recompute the MACs: scripts/need.sh")
	}
	text := foldSaid(t, explain.English)
	_, shell, _ := strings.Cut(text, "fold() {")
	shell, _, _ = strings.Cut("fold() {"+shell, "\nWhat it means")
	out, err := exec.Command("sh", "-c", shell).CombinedOutput()
	if err != nil {
		t.Fatalf("the printed lines fail: %v\n%s", err, out)
	}
	if lines := strings.Fields(string(out)); !slices.Equal(lines, []string{string(want[:]), string(want[:]), string(want[:])}) {
		t.Errorf("openssl computes %q, want three times %s", lines, want)
	}
}
