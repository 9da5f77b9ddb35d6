package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"touchstone/explain"
	"touchstone/reason"
	"touchstone/terminal"
)

var updateExplain = flag.Bool("update-explain", false, "write testdata/explain anew")

// explained runs touchstone explain and gives what it prints.
func explained(t testing.TB, args ...string) (string, int) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(&app{ctx: context.Background(), stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: func(string) string { return "" }},
		append([]string{"explain"}, args...))
	if errs.Len() > 0 {
		t.Logf("%q says %s", args, errs.String())
	}
	return out.String(), code
}

// asked runs a call as kong would have read it, without the cost of reading it.
func asked(t *testing.T, call explainCmd) string {
	t.Helper()
	var out bytes.Buffer
	if err := call.Run(&app{ctx: context.Background(), stdin: strings.NewReader(""), stdout: &out}); err != nil {
		t.Fatalf("%q: %v", call.Words, err)
	}
	return out.String()
}

// TestExplainGoldens: what a person reads, word for word, in both languages.
func TestExplainGoldens(t *testing.T) {
	if testing.Short() {
		t.Skip("in full without the race detector")
	}
	for _, lang := range []string{"en", "zh"} {
		for name, args := range map[string][]string{
			"A7": {"A7"}, "A0": {"A0"}, "mac_stale_key": {"mac_stale_key"}, "mac_stale_key-used_newer": {"mac_stale_key", "used_newer"},
			"serial_proof_failed": {"serial_proof_failed"}, "which": {"安全认证失败"}, "A7-cashier": {"A7", "--for", "cashier", "--as-code"},
			"keys_not_taken-cashier": {"keys_not_taken", "--for", "cashier"}, "tamper": {"tamper"},
		} {
			t.Run(name+"."+lang, func(t *testing.T) {
				got, code := explained(t, append(args, "--lang", lang)...)
				if code != 0 {
					t.Fatalf("exit code %d", code)
				}
				path := filepath.Join("testdata", "explain", name+"."+lang+".txt")
				if *updateExplain {
					if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil || got != string(want) {
					t.Errorf("%s is not what is printed (-update-explain writes it anew), %v:\n%s", path, err, got)
				}
				for _, line := range strings.Split(got, "\n") {
					if n := explain.Columns(line); n > 120 {
						t.Errorf("%d columns: %s", n, line)
					}
				}
			})
		}
	}
}

// TestExplainForCashier: whoever asks for the cashier's part of a reason or a cause reads what the code alone tells.
func TestExplainForCashier(t *testing.T) {
	c, err := explain.Load()
	if err != nil {
		t.Fatal(err)
	}
	behind := map[string]string{}
	for _, r := range reason.All() {
		got := asked(t, explainCmd{Words: []string{r.String()}, explainFlags: explainFlags{For: forCashier, Lang: "en"}})
		if strings.Contains(got, r.String()) {
			t.Errorf("%s: the cashier is told its name: %s", r, got)
		}
		if own := c.Reason(r).Cashier; r.DE39().String() == "" || r == reason.TotalsMismatch || own == (explain.Text{}) {
			continue
		}
		if first, ok := behind[r.DE39().String()]; ok && first != got {
			t.Errorf("%s is answered %s and reads otherwise:\n%s", r, r.DE39(), got)
		}
		behind[r.DE39().String()] = got
	}
	for _, cause := range reason.Causes() {
		got := asked(t, explainCmd{Words: []string{cause.String()}, explainFlags: explainFlags{For: forCashier, Lang: "en", JSON: true}})
		var shown shownGuide
		if err := json.Unmarshal([]byte(got), &shown); err != nil {
			t.Fatalf("%s: %v", cause, err)
		}
		if strings.Contains(got, cause.String()) || shown.Reason != "" || len(shown.Support)+len(shown.Engineer) > 0 || shown.NotProven != nil {
			t.Errorf("%s: the cashier is told %s", cause, got)
		}
	}
}

// TestReasonPages: docs/reasons is what the catalogue makes, no more and no less; go generate ./cmd/touchstone makes it.
func TestReasonPages(t *testing.T) {
	if testing.Short() {
		t.Skip("in full without the race detector")
	}
	l, err := newLines(&bytes.Buffer{}, "en", false)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := (&explainCall{explainCmd: &explainCmd{}, l: l}).pages()
	if err != nil {
		t.Fatal(err)
	}
	root, made := filepath.Join("..", "..", "docs", "reasons"), map[string]bool{}
	for _, page := range pages {
		made[filepath.FromSlash(page.Path)] = true
		for _, line := range strings.Split(page.Text, "\n") {
			if typed, _, _ := strings.Cut(line, "  #"); strings.HasPrefix(typed, "touchstone ") && !taken(t, strings.Fields(typed)[1:]) {
				t.Errorf("docs/reasons/%s has a command that the program does not take: %s", page.Path, typed)
			}
		}
		have, err := os.ReadFile(filepath.Join(root, page.Path))
		if err != nil || string(have) != page.Text {
			t.Errorf("docs/reasons/%s is not what the catalogue makes, %v: go generate ./cmd/touchstone", page.Path, err)
		}
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if name, _ := filepath.Rel(root, path); !made[name] {
				t.Errorf("docs/reasons/%s is made by nothing", name)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestFaultsFitTheCatalogue: what each fault of the reference terminal makes found has words: its cause may stand behind
// its reason, and its case is one of the cause's.
func TestFaultsFitTheCatalogue(t *testing.T) {
	c, err := explain.Load()
	if err != nil {
		t.Fatal(err)
	}
	faults, err := shownFaults()
	if err != nil {
		t.Fatal(err)
	}
	if len(faults) != len(terminal.Faults()) {
		t.Errorf("%d faults of %d", len(faults), len(terminal.Faults()))
	}
	for _, f := range faults {
		if f.Cause == reason.NoCause {
			continue
		}
		e, behind, known := c.Cause(f.Cause), false, f.Variant == ""
		for _, r := range e.Behind {
			behind = behind || r == f.Reason
		}
		for _, v := range e.Variants {
			known = known || v.Name == f.Variant
		}
		if !behind || !known {
			t.Errorf("fault %s: %s %s behind %s is not in the catalogue", f.Fault, f.Cause, f.Variant, f.Reason)
		}
	}
}

// BenchmarkExplainOffline is touchstone explain A7 as a person waits for it: the whole process, from its start to its
// end, without a data directory. It is to take less than 50 ms.
func BenchmarkExplainOffline(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "touchstone")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("build: %v: %s", err, out)
	}
	for _, args := range [][]string{{"explain", "A7"}, {"explain", "显示安全认证失败"}} {
		b.Run(args[1], func(b *testing.B) {
			for b.Loop() {
				if err := exec.Command(binary, args...).Run(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/run")
		})
	}
}

// taken tells whether the program takes a command as a page has it; of a reference terminal, whether it names a fault.
func taken(t *testing.T, args []string) bool {
	t.Helper()
	if n := slices.Index(args, ">"); n >= 0 {
		args = args[:n]
	}
	parser, err := kong.New(grammarOf(args), kong.Exit(func(int) {}), kong.Bind(&app{}), kong.Configuration(loadTOML))
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(args)
	return err == nil && (args[0] != "terminal" || slices.Contains(args, "--fault"))
}
