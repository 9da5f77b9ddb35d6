package anatomy_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"touchstone/explain"
	"touchstone/explain/anatomy"
	"touchstone/paycrypto/mac"
	"touchstone/secret"
)

// macAlgorithms are those of terminals, each with a published demonstration key.
var macAlgorithms = map[mac.Algorithm]string{
	mac.UnionPayECBDES: "0123456789ABCDEF", mac.UnionPayECBTDES: "0123456789ABCDEFFEDCBA9876543210", mac.UnionPayECBSM4: "0123456789ABCDEFFEDCBA9876543210",
	mac.X919: "0123456789ABCDEFFEDCBA9876543210", mac.CBCMACTDES: "0123456789ABCDEFFEDCBA9876543210",
}

// TestOpenSSLLines runs the printed lines, as they are printed, in sh and compares what OpenSSL says with the MAC, for
// every algorithm and for messages that end at, before and behind a block.
func TestOpenSSLLines(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("NOT RUN: there is no openssl here")
	}
	c := catalogue(t)
	for algorithm, digits := range macAlgorithms {
		key, _ := hex.DecodeString(digits)
		for name, m := range map[string][]byte{"full": full(t, false), "sealed": full(t, true), "void-reversal": published(t)["mocredit-void-reversal"], "sale": published(t)["mocredit-sale"]} {
			a := anatomy.Of(m, c)
			computed, err := anatomy.NewMAC(a, algorithm, secret.Take(bytes.Clone(key)))
			if err != nil {
				t.Fatalf("%s, %s: %v", algorithm, name, err)
			}
			padding := mac.Padding(0)
			if algorithm.TakesPadding() {
				padding = mac.Padding1
			}
			k, err := mac.New(algorithm, padding, key)
			if err != nil {
				t.Fatal(err)
			}
			want := k.Sum8(m[a.Covered.From:a.Covered.To])
			var page strings.Builder
			if err := computed.Draw(&page, anatomy.Style{}); err != nil {
				t.Fatal(err)
			}
			_, lines, ok := strings.Cut(page.String(), "any POSIX shell:\n")
			if !ok {
				t.Fatal("no lines were printed")
			}
			for line := range strings.Lines(page.String()) {
				if n := explain.Columns(strings.TrimRight(line, "\n")); n > 160 { // a command is not broken
					t.Errorf("a line of %d columns: %s", n, line)
				}
			}
			for _, shell := range []string{"sh", "bash"} {
				if _, err := exec.LookPath(shell); err != nil {
					continue
				}
				script := filepath.Join(t.TempDir(), "mac.sh")
				if err := os.WriteFile(script, []byte(lines), 0o600); err != nil {
					t.Fatal(err)
				}
				out, err := exec.CommandContext(t.Context(), shell, script).CombinedOutput()
				if got := strings.TrimSpace(string(out)); err != nil || got != string(want[:]) || computed.Right != got {
					t.Errorf("%s, %s, %s: OpenSSL says %q, the MAC is %s (%v)", algorithm, name, shell, got, want, err)
				}
			}
			if text := fmt.Sprintf("%v %+v %#v", computed, computed, *computed); strings.Contains(strings.ToUpper(text), digits[:12]) {
				t.Error("the key was printed by a verb")
			}
			computed.Wipe()
		}
	}
}

func TestMACNeedsAWholeMessage(t *testing.T) {
	c := catalogue(t)
	key := secret.Take([]byte("01234567"))
	cut := full(t, false)
	for name, x := range map[string]struct {
		message   []byte
		algorithm mac.Algorithm
		err       error
	}{
		"cut off": {cut[:len(cut)-9], mac.UnionPayECBDES, anatomy.ErrNotWhole}, "no DE64": {published(t)["signin-req"], mac.UnionPayECBDES, anatomy.ErrNoMAC},
		"CMAC": {cut, mac.CMACAES, anatomy.ErrAlgorithm},
	} {
		if _, err := anatomy.NewMAC(anatomy.Of(x.message, c), x.algorithm, key); !errors.Is(err, x.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := anatomy.NewMAC(anatomy.Of(cut, c), mac.UnionPayECBSM4, key); err == nil {
		t.Error("a key of 8 bytes was taken for SM4")
	}
}
