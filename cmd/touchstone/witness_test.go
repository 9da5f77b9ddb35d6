package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// witnessEnds bounds one run of a program of somebody else's.
const witnessEnds = patience

// needPrograms fails a test whose programs are missing, or says NOT RUN where that was allowed by name.
func needPrograms(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if os.Getenv("TOUCHSTONE_ALLOW_NOT_RUN") == "1" {
			t.Skipf("NOT RUN: there is no %s here", name)
		}
		t.Fatalf("there is no %s here; TOUCHSTONE_ALLOW_NOT_RUN=1 lets this test be left out", name)
	}
}

// runWitness runs a program to its end.
func runWitness(t *testing.T, stdin string, name string, args ...string) (stdout string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), witnessEnds)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil && said.Len() > 0 {
		t.Logf("%s said: %s", name, said.String())
	}
	return string(out), err
}

// pythonClient runs the witness as a visitor of a quiet demonstration and returns what it printed and
// what --dump-mab wrote.
func pythonClient(t *testing.T, terminal string) (said, dump string) {
	t.Helper()
	said, dump, err := tryPythonClient(t, terminal, func(*printedFixture) {})
	if err != nil {
		t.Fatalf("the witness disagrees: %v\n%s", err, said)
	}
	return said, dump
}

// tryPythonClient gives the witness a fixture that change has changed.
func tryPythonClient(t *testing.T, terminal string, change func(*printedFixture)) (said, dump string, err error) {
	t.Helper()
	dir, addr := startTestHost(t)
	fixture := filepath.Join(dir, "fixture.json")
	world := makeFixture(addr, "")
	change(&world)
	raw, err := json.Marshal(world)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fixture, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	dump = filepath.Join(dir, "dump")
	if err := os.Mkdir(dump, 0o700); err != nil {
		t.Fatal(err)
	}
	said, err = runWitness(t, "", "python3", filepath.Join("testdata", "witness", "client.py"),
		"--fixture", fixture, "--terminal", terminal, "--dump-mab", dump)
	return said, dump, err
}

// witnesses are the visitors whose sign-in brings two keys, under DES and under SM4.
var witnesses = []struct{ name, terminal string }{{"003", "90000001"}, {"005", "90000005"}}

// TestPythonWitness lets a client in another language, with ciphers of another hand, speak to the host:
// both read docs/protocol/unionpay-pos.md alike, or this fails.
func TestPythonWitness(t *testing.T) {
	needPrograms(t, "python3", "openssl")
	for _, w := range witnesses {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			said, _ := pythonClient(t, w.terminal)
			for _, want := range []string{
				"the PIK's check value is right", "the MAK's check value is right", "the sale is approved", "the sale: the answer's MAC is right",
				"the same bytes get the same answer", "the same bytes: the answer's MAC is right", "an altered amount is A0",
				"a reversal with a wrong MAC is A0 and undoes nothing", "the reversal is answered 00", "the reversal: the answer's MAC is right",
				"the sale sent after its reversal is 94",
			} {
				if !strings.Contains(said, "ok "+want+"\n") {
					t.Errorf("the witness did not check: %s", want)
				}
			}
			if !strings.HasSuffix(said, "every check held\n") {
				t.Error("the witness did not come to its end")
			}
		})
	}
}

// TestPythonWitnessCanDisagree: where the host and the witness hold different keys, the witness says so.
func TestPythonWitnessCanDisagree(t *testing.T) {
	needPrograms(t, "python3", "openssl")
	for _, c := range []struct {
		name, want string
		change     func(*printedFixture)
	}{
		{"another master key", "FAILED: the PIK's check value is right\n", func(f *printedFixture) { f.Terminals[0].TMK = f.Terminals[1].TMK }},
		{"another serial-number key", "FAILED: the sale is approved\n", func(f *printedFixture) { f.Terminals[0].SerialKey = f.Terminals[1].SerialKey }},
		{"another PIN", "FAILED: the sale is approved\n", func(f *printedFixture) { f.Cards[0].PIN = f.Cards[1].PIN }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			said, _, err := tryPythonClient(t, "90000001", c.change)
			if err == nil || !strings.HasSuffix(said, c.want) {
				t.Errorf("error %v, want the last line %q", err, c.want)
			}
		})
	}
}

var verifyMAC = filepath.Join("..", "..", "docs", "verify-mac.sh")

// TestVerifyMACOfAMessage recomputes the MAC of a sale that a host approved.
func TestVerifyMACOfAMessage(t *testing.T) {
	needPrograms(t, "python3", "openssl", "od")
	for _, w := range witnesses {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			_, dump := pythonClient(t, w.terminal)
			want, err := os.ReadFile(filepath.Join(dump, "mac"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := runWitness(t, "", "sh", verifyMAC, filepath.Join(dump, "mak"), filepath.Join(dump, "mab"))
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) || !regexp.MustCompile(`^[0-9A-F]{8}\n$`).MatchString(got) {
				t.Errorf("the script says %q, the message carries %q", got, want)
			}
		})
	}
}

// TestVerifyMACVectors gives the script the MAC vectors of testdata/vectors/cup.json that are of its kind.
func TestVerifyMACVectors(t *testing.T) {
	needPrograms(t, "openssl", "od")
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "vectors", "cup.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct{ ID, Kind, Key, MAB, MAC string }
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, v := range file.Vectors {
		if v.Kind != "mac" || !regexp.MustCompile(`^ecb-mac-(des|sm4)-`).MatchString(v.ID) || v.MAB == "" || v.MAC == "" {
			continue
		}
		ran++
		t.Run(v.ID, func(t *testing.T) {
			key := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(key, []byte(v.Key+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, how := range []struct{ name, mab, stdin string }{{"argument", v.MAB, ""}, {"standard input", "-", strings.ToLower(v.MAB) + "\n"}} {
				got, err := runWitness(t, how.stdin, "sh", verifyMAC, key, how.mab)
				if err != nil {
					t.Fatal(err)
				}
				if got != v.MAC+"\n" {
					t.Errorf("%s: got %q, want %q", how.name, got, v.MAC)
				}
			}
		})
	}
	if ran < 3 {
		t.Errorf("%d vectors, want at least 3", ran)
	}
}

// TestVerifyMACRefuses: what is no key and no message is refused, with nothing on standard output.
func TestVerifyMACRefuses(t *testing.T) {
	needPrograms(t, "openssl", "od")
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key := write("key", "DAB36167E6DFB5EF") // of the published vector ecb-mac-des-1
	for _, c := range []struct {
		name string
		args []string
	}{
		{"no arguments", nil},
		{"no MAB", []string{key}},
		{"an empty MAB", []string{key, ""}},
		{"half a byte", []string{key, "020"}},
		{"no digits", []string{key, "02GG"}},
		{"no key file", []string{filepath.Join(dir, "none"), "0200"}},
		{"a key of 8 digits", []string{write("short", "DAB36167"), "0200"}},
		{"a key of two lengths", []string{write("long", "DAB36167E6DFB5EFDAB36167E6DFB5EFDAB36167E6DFB5EF"), "0200"}},
		{"a key that is no digits", []string{write("bad", "DAB36167E6DFB5EX"), "0200"}},
	} {
		got, err := runWitness(t, "", "sh", append([]string{verifyMAC}, c.args...)...)
		if err == nil || got != "" {
			t.Errorf("%s: printed %q, error %v", c.name, got, err)
		}
	}
}
