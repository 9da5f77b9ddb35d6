package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/explain"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/registry"
)

// panelAt is when the messages of these tests came.
var panelAt = pos.Instant(time.Date(2026, 3, 2, 10, 41, 25, 0, time.UTC).UnixNano())

// entryOf is an exchange as the journal has it.
func entryOf(seq uint64, x *journal.Exchange) journal.Entry {
	b, kind := x.AppendEntry(nil, seq)
	head := len(journal.AppendHead(nil, kind, x.At))
	return journal.Entry{Seq: seq, Kind: kind, At: x.At, Body: b[head:]}
}

// decided is a message that proof.Decide judged, with everything it noted.
func decided(spoil func(*proof.Request, *proof.Snapshot, *proof.Evidence)) journal.Entry {
	d := &registry.Device{Serial: "00000304TS0000000023", DeviceType: sampleDeviceType, State: registry.Active, Key: []byte{1}, Licence: sampleLicence}
	r := &proof.Request{Source: must(addressOf("10.8.0.23")), Terminal: sampleID(23), Merchant: sampleMerchant(1), MTI: 0x0200, Type: 22, Need: proof.Financial, Batch: 1, HasBatch: true,
		STAN: 42, Amount: 8800, HasAmount: true, Currency: [3]byte{'1', '5', '6'}, EntryMode: 21, HasEntry: true, HasCapture: true, HasPINBlock: true, HasTrack2: true, HasMAC: true, DE64: [8]byte([]byte("1AD54D7D")),
		HasSecurity: true, Security: [16]byte([]byte("2600000000000000")), HasA2: true, HasCipher: true, HasFactor: true, Cipher: [8]byte([]byte("8C41D0F2")), Factor: [6]byte([]byte("567896")), HasApp: true}
	copy(r.DeviceType[:], sampleDeviceType)
	r.SerialLen = copy(r.Serial[:], d.Serial)
	terminal := &registry.Terminal{ID: r.Terminal, Merchant: r.Merchant, Serial: d.Serial, AnyNetwork: true, Permit: registry.FullPermit, Profile: registry.Profile{SignInCode: 3}}
	s := &proof.Snapshot{Terminal: terminal, Merchant: &registry.Merchant{ID: r.Merchant}, Device: d}
	s.Money.Batch = 1
	s.Session.InForce.Number, s.Session.InForce.Code, s.Session.InForce.Issued = 7, 3, panelAt-pos.Instant(time.Hour)
	e := &proof.Evidence{MAC: proof.Passed, Serial: proof.Passed, Factor: proof.Passed}
	if spoil != nil {
		spoil(r, s, e)
	}
	policy := proof.DefaultPolicy()
	policy.AllowSingleDES = true
	c := &proof.Claims{MAB: make([]byte, 192)}
	mab := c.MAB
	proof.Prepare(&policy, r, s, panelAt, c)
	c.MAB = mab
	v := proof.Decide(&policy, r, s, c, e, panelAt)
	x := &journal.Exchange{At: panelAt}
	v.Record(r, x)
	x.At = panelAt
	return entryOf(9001, x)
}

// linesIn are the words of a language, for many panels.
func linesIn(t testing.TB, lang string) *lines {
	t.Helper()
	l, err := newLines(&bytes.Buffer{}, lang, false)
	if err != nil {
		t.Fatal(err)
	}
	l.zone = time.UTC
	return l
}

// drawnPanel is a panel as a terminal without colours shows it.
func drawnPanel(t testing.TB, l *lines, reader string, e journal.Entry, cause *journal.Cause, why notExamined) string {
	t.Helper()
	var out bytes.Buffer
	p, err := newPanel(e)
	if err != nil {
		t.Fatal(err)
	}
	if p.Certainty == certainNotTried {
		p.Cause, p.Why = cause, why
		p.Certainty = certaintyOf(cause)
	}
	p.fill(l.catalogue)
	d := &drawing{w: &out, l: l}
	p.draw(d, reader)
	if d.err != nil {
		t.Fatal(d.err)
	}
	fits(t, out.String())
	return out.String()
}

// fits holds text to the panel's width by columns of Chinese.
func fits(t testing.TB, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := explain.Columns(strings.TrimSuffix(line, "\n")); n > panelWidth {
			t.Errorf("a line of %d columns: %q", n, line)
		}
	}
}

func macWrong(_ *proof.Request, _ *proof.Snapshot, e *proof.Evidence) { e.MAC = proof.Failed }
func serialWrong(_ *proof.Request, _ *proof.Snapshot, e *proof.Evidence) {
	e.Serial = proof.Failed
}

// otherDeviceFound is the finding of the kind: another device under this serial number.
func otherDeviceFound(c journal.Certainty) *journal.Cause {
	f := journal.CauseOf(9001, sampleID(23), reason.SerialProofFailed, reason.SerialOtherDeviceKey, c)
	f.Variant, f.Tried, f.Fit, f.OneIn, f.TookUS = "same_shop", 54, 1, 80_000_000, 3100
	f.Facts = map[string]string{"source": "serial_sibling", "serial": "00000304TS0000000031", "bound_to": "00000024"}
	return f
}

// explainedCases are one panel for each certainty, and for each thing that is no refusal.
func explainedCases() map[string]struct {
	entry journal.Entry
	cause *journal.Cause
	why   notExamined
} {
	proven := otherDeviceFound(journal.Proven)
	proven.With = 8990
	altered := journal.CauseOf(9001, sampleID(23), reason.MACFailed, reason.MessageAltered, journal.Indicated)
	altered.Facts, altered.Tried, altered.Fit, altered.OneIn, altered.TookUS = map[string]string{"column": "3", "difference": "10", "candidates": "11"}, 1904, 1, 2_255_000, 900
	unproven := journal.CauseOf(9001, sampleID(23), reason.MACFailed, reason.NoCause, journal.Unproven)
	unproven.Tried, unproven.TookUS = 4160, 12_400
	untried := journal.CauseOf(9001, sampleID(23), reason.MACFailed, reason.NoCause, journal.Untried)
	untried.Facts = map[string]string{"why": "budget"}
	type one = struct {
		entry journal.Entry
		cause *journal.Cause
		why   notExamined
	}
	return map[string]one{
		"proven": {decided(serialWrong), proven, ""}, "indicated": {decided(macWrong), altered, ""}, "unproven": {decided(macWrong), unproven, ""},
		"untried": {decided(macWrong), untried, ""}, "not-yet": {decided(macWrong), nil, notYet}, "never": {decided(macWrong), nil, neverExamined},
		"unsearched": {decided(macWrong), nil, notSearched},
		"by-check":   {decided(func(r *proof.Request, _ *proof.Snapshot, _ *proof.Evidence) { r.Batch = 2 }), nil, ""},
		"by-check-silent": {decided(func(r *proof.Request, s *proof.Snapshot, _ *proof.Evidence) {
			s.Device.Certificate = strings.Repeat("ab", 32)
		}), nil, ""},
		"approved": {decided(nil), nil, ""},
	}
}

// TestExplainPanel compares the panels with testdata/explain in both languages. Write them anew with -update-explain.
func TestExplainPanel(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		l := linesIn(t, lang)
		for name, c := range explainedCases() {
			readers := []string{"engineer"}
			if name == "proven" || name == "unproven" {
				readers = []string{"engineer", "support", "cashier"}
			}
			for _, reader := range readers {
				file := name + "." + lang
				if reader != "engineer" {
					file = name + "-" + reader + "." + lang
				}
				panelGolden(t, file, drawnPanel(t, l, reader, c.entry, c.cause, c.why))
			}
		}
	}
}

func panelGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "explain", name+".txt")
	if *updateExplain {
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
	if string(want) != got {
		t.Errorf("%s is another: write it anew with -update-explain and look at the difference\n%s", path, got)
	}
}

// TestExplainPanelOfEveryReasonAndCause: whatever was refused and found, the panel fits, says how well it is known, and tells a
// cashier nothing of the cause.
func TestExplainPanelOfEveryReasonAndCause(t *testing.T) {
	if testing.Short() {
		t.Skip("in full without the race detector")
	}
	both := map[string]*lines{"en": linesIn(t, "en"), "zh": linesIn(t, "zh")}
	for _, r := range reason.All() {
		e := decided(macWrong)
		var x journal.Exchange
		if err := x.Parse(e); err != nil {
			t.Fatal(err)
		}
		x.Reason, x.DE39 = r, r.DE39()
		e = entryOf(9001, &x)
		causes := []*journal.Cause{nil}
		if r.Sought() {
			for _, cause := range reason.Causes() {
				f := journal.CauseOf(9001, sampleID(23), r, cause, journal.Proven)
				f.Tried, f.Fit, f.OneIn = 64, 1, 1<<32
				f.Facts = map[string]string{"source": "own_former", "key_set": "6", "issued": "2026-03-02T09:00:00Z", "terminal": "00000024", "serial": "00000304TS0000000031", "bound_to": "00000024",
					"algorithm": "X9.19", "coverage": "last_missing:60", "encoding": "lower_case", "form": "left_half", "element": "4", "was": "88.00", "is": "89.00", "pin_format": "ISO 9564-1 format 0", "unheard_of": "x"}
				causes = append(causes, f)
			}
		}
		for _, c := range causes {
			for _, lang := range []string{"en", "zh"} {
				for _, reader := range []string{"engineer", "support", "cashier"} {
					text := drawnPanel(t, both[lang], reader, e, c, neverExamined)
					word := map[string]string{"en": "PROVEN", "zh": "证实"}[lang]
					if c == nil && r.Sought() {
						word = map[string]string{"en": "NOT EXAMINED", "zh": "未检验"}[lang]
					}
					if reader != "cashier" && !strings.Contains(text, word) {
						t.Errorf("%s, %s: %s is not said:\n%s", r, lang, word, text)
					}
					if reader == "cashier" && c != nil && (strings.Contains(text, c.Cause) || strings.Contains(text, "00000024") || strings.Contains(text, r.String())) {
						t.Errorf("%s: a cashier is told of the cause:\n%s", r, text)
					}
				}
				var out bytes.Buffer
				var err error
				l := both[lang]
				l.w = &out
				if c != nil {
					err = l.below(string(c.Certainty), mustText(l.causeText(c)), "")
				} else {
					err = l.fact(&x)
				}
				if err != nil {
					t.Fatal(err)
				}
				fits(t, out.String())
			}
		}
	}
}

func mustText(text, found string) string { return text + ": " + found }

// TestHintAlways: every line below a refusal names the command that explains, also where it takes the room of what was
// found; on a page none does.
func TestHintAlways(t *testing.T) {
	var out bytes.Buffer
	l, err := newLines(&out, "en", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range []string{"found", strings.Repeat("found ", 40)} {
		for _, c := range []journal.Certainty{journal.Proven, journal.Indicated, journal.Unproven} {
			for _, unhinted := range []bool{false, true} {
				out.Reset()
				l.unhinted = unhinted
				if err := l.below(string(c), "key of an earlier sign-in", found); err != nil {
					t.Fatal(err)
				}
				line := strings.TrimSuffix(out.String(), "\n")
				if strings.HasSuffix(line, "   touchstone explain last") == unhinted || explain.Columns(line) > lineWidth || !strings.Contains(line, "found") {
					t.Errorf("%s, unhinted %t: %q", c, unhinted, line)
				}
				if first := strings.Fields(line)[1]; !strings.EqualFold(first, string(c)) {
					t.Errorf("the line begins with %q", first)
				}
			}
		}
	}
}

// TestEarlierMessage: a cause that a later message made better known says that it is about the earlier one.
func TestEarlierMessage(t *testing.T) {
	for _, c := range []struct {
		lang    string
		verdict uint64
		want    string
	}{{"en", 12, "PROVEN 00000044 (the earlier one, entry 12): key"}, {"zh", 12, "证实 00000044（此前一笔，记录 12）: "}, {"en", 30, "PROVEN 00000044: key"}} {
		var out bytes.Buffer
		l, err := newLines(&out, c.lang, false)
		if err != nil {
			t.Fatal(err)
		}
		cause := journal.CauseOf(c.verdict, must(pos.ParseTerminalID("00000044")), reason.MACFailed, reason.MACStaleKey, journal.Proven)
		cause.Tried, cause.Fit, cause.OneIn, cause.With = 50, 1, 1000, 20
		if err := l.cause(coldEntryOf(t, 21, 1, cause)); err != nil || !strings.Contains(out.String(), c.want) {
			t.Errorf("%q, %v; want %q", out.String(), err, c.want)
		}
	}
}

// TestBreakText: no line is wider than asked, nothing is lost, and no line begins with a stop.
func TestBreakText(t *testing.T) {
	for _, s := range []string{"", "word", strings.Repeat("word and ", 40), strings.Repeat("终端与商户，", 40), strings.Repeat("x", 300), "a " + strings.Repeat("汉字。", 60), "\x1b[31m" + strings.Repeat("red ", 60) + "\x1b[0m"} {
		for _, width := range []int{20, 50, 112} {
			joined := ""
			for i, line := range breakText(s, width) {
				if n := seen(line); n > width {
					t.Errorf("%d columns of %d: %q", n, width, line)
				}
				line = strings.TrimSpace(line)
				if i > 0 && strings.ContainsAny(string([]rune(line + " ")[0]), stops) {
					t.Errorf("a line begins with a stop: %q", line)
				}
				joined += line
			}
			if strip(joined) != strip(s) {
				t.Errorf("%q became %q", s, joined)
			}
		}
	}
}

func strip(s string) string { return strings.ReplaceAll(s, " ", "") }
