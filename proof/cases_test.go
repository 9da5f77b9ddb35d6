package proof_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
)

var update = flag.Bool("update", false, "write the passed and marks lines of testdata/decide anew; read the difference before keeping it")

// decision is one case of testdata/decide:
//
//	== name
//	Path.Of.Field: value        over the healthy default; "kind: void" first, if at all
//	> reason: name              none when approved
//	> de39: two characters      or "close"
//	> stop: check outcome       the check that did not pass, or "none"
//	> passed: check, check      every check that passed; all others did not run
//	> marks: …                  MAC verified, promotes, repeats, outside; or "none"
//	> show check: presented => expected
type decision struct {
	name   string
	inputs [][2]string
	wants  [][2]string
}

func readCases(t *testing.T, path string) (all []*decision) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		if name, ok := strings.CutPrefix(line, "== "); ok {
			all = append(all, &decision{name: name})
			continue
		}
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		body, want := strings.CutPrefix(line, "> ")
		key, value, ok := strings.Cut(body, ":")
		if !ok || len(all) == 0 {
			t.Fatalf("%s:%d: not a line of a case", path, i+1)
		}
		pair, c := [2]string{key, strings.Trim(strings.Trim(value, " "), `"`)}, all[len(all)-1] // quotes keep spaces
		if want {
			c.wants = append(c.wants, pair)
		} else {
			c.inputs = append(c.inputs, pair)
		}
	}
	return all
}

// outcome is what a verdict comes to, by the keys of the want lines.
func outcome(v *proof.Verdict, x *journal.Exchange) map[string]string {
	got := map[string]string{"reason": v.Reason.String(), "de39": v.DE39.String(), "stop": "none"}
	if v.DE39 == (pos.ResponseCode{}) {
		got["de39"] = "close"
	}
	if c, ok := v.Checks.First(); ok {
		got["stop"] = c.String() + " " + v.Checks.Of(c).String()
	}
	var passed, marks []string
	for i, s := range proof.Show(x) {
		if s.State == proof.Passed.String() {
			passed = append(passed, s.Check)
		}
		got["show "+proof.Check(i).String()] = strings.TrimSpace(s.Presented + " => " + s.Expected)
	}
	for _, m := range []struct {
		on   bool
		word string
	}{{v.MACVerified, "MAC verified"}, {v.Promote, "promotes"}, {v.Repeat, "repeats"}, {v.Outside, "outside"}} {
		if m.on {
			marks = append(marks, m.word)
		}
	}
	got["passed"], got["marks"] = strings.Join(passed, ", "), strings.Join(marks, ", ")
	if marks == nil {
		got["marks"] = "none"
	}
	return got
}

func TestDecide(t *testing.T) {
	paths, err := filepath.Glob("testdata/decide/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no cases", err)
	}
	reached := map[reason.Reason]bool{}
	for _, path := range paths {
		if *update {
			rewrite(t, path)
		}
		for _, c := range readCases(t, path) {
			t.Run(strings.TrimSuffix(filepath.Base(path), ".txt")+"/"+c.name, func(t *testing.T) {
				reached[c.run(t)] = true
			})
		}
	}
	for _, r := range reachable {
		if !reached[r] {
			t.Errorf("no case is refused for %s", r)
		}
	}
}

// reachable are the reasons Decide and Conclude give; those of the issuer and of the money rules come
// through Conclude.
var reachable = []reason.Reason{
	reason.None, reason.MessageMalformed, reason.FunctionUnsupported, reason.TerminalUnknown, reason.MerchantUnknown,
	reason.BindingMismatch, reason.TerminalSuspended, reason.MerchantSuspended, reason.PermitRefused,
	reason.DeviceCertificateMismatch, reason.TransportRefused, reason.NetworkNotAllowed, reason.LocationOutside, reason.NotSignedIn,
	reason.BatchMismatch, reason.KeyAbsent, reason.KeyAlgorithmMismatch, reason.ModuleUnavailable, reason.MACMissing,
	reason.MACFailed, reason.MACGradeRefused, reason.Replayed, reason.DuplicateTrace, reason.SerialMissing,
	reason.SerialMismatch, reason.SerialProofFailed, reason.SerialFactorMismatch, reason.DeviceTypeMismatch,
	reason.AppVersionUnknown, reason.PINMissing, reason.PINUnexpected, reason.PINFormat, reason.TrackDecryptFailed,
	reason.TrackPANMismatch, reason.EMVMissing, reason.FallbackRefused, reason.OriginalNotFound, reason.OriginalMismatch,
	reason.OriginalClosed, reason.RefundWithoutOriginal, reason.ReversedBeforeArrival, reason.TotalsMismatch,
	reason.LimitExceeded, reason.AmountInvalid, reason.CurrencyMismatch, reason.CardUnknown, reason.CardExpired,
	reason.InsufficientFunds, reason.PINWrong, reason.PINTriesExceeded, reason.CardRestricted, reason.CardLost,
	reason.CardStolen, reason.IssuerDeclined, reason.JournalUnavailable, reason.RateLimited, reason.SignInCodeRefused,
	reason.DeviceUnknown, reason.DeviceSuspended, reason.DeviceTampered, reason.NoCardholderVerification,
}

func (c *decision) run(t *testing.T) reason.Reason {
	w := healthy()
	for _, in := range c.inputs {
		w.set(t, in[0], in[1])
	}
	v, x := w.judge()
	got := outcome(&v, x)
	told := map[string]bool{}
	for _, want := range c.wants {
		told[want[0]] = true
		if g, ok := got[want[0]]; !ok || g != want[1] {
			t.Errorf("%s: %s, want %s", want[0], g, want[1])
		}
	}
	for _, must := range []string{"reason", "de39", "stop", "passed", "marks"} {
		if !told[must] {
			t.Errorf("the case does not say %s: %s", must, got[must])
		}
	}
	if v.Reason != reason.None && v.DE39 != v.Reason.DE39() {
		t.Errorf("DE39 %s is not the reason's", v.DE39)
	}
	if !v.Repeat && v.Approved() != (v.Reason == reason.None) {
		t.Errorf("approved %v with reason %s", v.Approved(), v.Reason)
	}
	return v.Reason
}

// rewrite fills in the passed and marks lines; what is to be refused, and where, is written by hand.
func rewrite(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cases := readCases(t, path)
	next := 0
	var got map[string]string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "== ") {
			w := healthy()
			for _, in := range cases[next].inputs {
				w.set(t, in[0], in[1])
			}
			v, x := w.judge()
			got, next = outcome(&v, x), next+1
		}
		if strings.HasPrefix(line, "> passed:") || strings.HasPrefix(line, "> marks:") {
			continue
		}
		out.WriteString(line)
		if strings.HasPrefix(line, "> stop:") {
			fmt.Fprintf(&out, "> passed: %s\n> marks: %s\n", got["passed"], got["marks"])
		}
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
