package proof_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"touchstone/keys"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/transaction"
)

func permit(t *testing.T, words string) registry.Permit {
	t.Helper()
	p, err := registry.ParsePermit(words)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// withPIN gives the healthy sale a PIN of format 0 under 3DES.
func withPIN(w *world) {
	w.Request.EntryMode, w.Request.HasPINBlock, w.Request.HasCapture, w.Request.HasSecurity = 21, true, true, true
	put(w.Request.Security[:], "2600000000000000")
}

// TestPermit: what each permit lets pass, message by message.
func TestPermit(t *testing.T) {
	all := []string{"sale", "sale with PIN", "sale of 18.51 with PIN", "void", "balance", "refund", "reversal", "sign-in", "sign-off", "echo", "status", "tamper", "settlement"}
	for words, passes := range map[string]string{
		"full":                   strings.Join(all, ","),
		"no_refund":              "sale,sale with PIN,sale of 18.51 with PIN,void,balance,reversal,sign-in,sign-off,echo,status,tamper,settlement",
		"online_only":            "sale with PIN,sale of 18.51 with PIN,void,balance,refund,reversal,sign-in,sign-off,echo,status,tamper,settlement",
		"limit:18.50":            "sale,sale with PIN,void,balance,refund,reversal,sign-in,sign-off,echo,status,tamper,settlement",
		"limit:18.49":            "void,balance,reversal,sign-in,sign-off,echo,status,tamper,settlement",
		"sign_in_only":           "reversal,sign-in,sign-off,echo,status,tamper,settlement",
		"blocked":                "reversal,sign-off,echo,tamper",
		"no_refund, online_only": "sale with PIN,sale of 18.51 with PIN,void,balance,reversal,sign-in,sign-off,echo,status,tamper,settlement",
	} {
		var passed []string
		for _, kind := range all {
			w := healthy()
			name, pin := strings.CutSuffix(kind, " with PIN")
			name, more := strings.CutSuffix(name, " of 18.51")
			kinds[name](w)
			if pin {
				withPIN(w)
			}
			if more {
				w.Request.Amount++
			}
			w.Snapshot.Permit = &registry.Standing{Permit: permit(t, words), Entry: 77}
			v, _ := w.judge()
			if v.Reason == reason.None {
				passed = append(passed, kind)
			} else if v.Reason != reason.PermitRefused || v.Checks.Of(proof.PermitCheck) != proof.Failed {
				t.Errorf("%s, %s: %s", words, kind, v.Reason)
			}
		}
		if got := strings.Join(passed, ","); got != passes {
			t.Errorf("%s lets pass\n%s, want\n%s", words, got, passes)
		}
	}
}

// TestOnlineOnly: what was decided at the terminal alone is refused, each by itself.
func TestOnlineOnly(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*world)
		says   string
	}{
		"swiped, stripe card, PIN": {func(*world) {}, ""},
		"DE22 80":                  {func(w *world) { w.Request.EntryMode = 801 }, "fallback"},
		"DE22 90":                  {func(w *world) { w.Request.EntryMode = 901 }, "fallback"},
		"DE60.5 says fallback":     {func(w *world) { w.Request.Fallback = true }, "fallback"},
		"service code 201 swiped":  {func(w *world) { put(w.Request.Service[:], "201") }, "fallback"},
		"service code 620 swiped":  {func(w *world) { put(w.Request.Service[:], "620") }, "fallback"},
		"service code 101 swiped":  {func(w *world) { put(w.Request.Service[:], "101") }, ""},
		"service code 201 by chip": {func(w *world) {
			put(w.Request.Service[:], "201")
			w.Request.EntryMode, w.Request.HasChipData = 51, true
		}, ""},
		"no PIN":                            {func(w *world) { w.Request.EntryMode, w.Request.HasPINBlock = 22, false }, "no PIN"},
		"balance by fallback":               {func(w *world) { kinds["balance"](w); w.Request.Fallback = true }, "fallback"},
		"reversal of a sale by fallback":    {func(w *world) { kinds["reversal"](w); w.Request.Fallback = true }, ""},
		"settlement of a terminal that did": {func(w *world) { kinds["settlement"](w); w.Request.Fallback = true }, ""},
	} {
		w := healthy()
		withPIN(w)
		c.change(w)
		w.Snapshot.Permit = &registry.Standing{Permit: registry.OnlineOnly, Facts: []registry.Fact{{Name: registry.FactAdvisory, State: "open", Detail: "ADV-1"}}, Entry: 77}
		v, x := w.judge()
		expected := proof.Show(x)[proof.PermitCheck].Expected
		switch refused := v.Reason == reason.PermitRefused; {
		case refused != (c.says != ""):
			t.Errorf("%s: %s %s", name, v.Reason, expected)
		case refused && (!strings.Contains(expected, c.says) || !strings.Contains(expected, "advisory open ADV-1; journal entry 77")):
			t.Errorf("%s: the evidence is %q", name, expected)
		}
	}
}

// TestPermitNeverExceedsRegistration: whatever stands, a terminal may do no more than it was registered for; and
// where the ledger keeps no permits the registration alone decides.
func TestPermitNeverExceedsRegistration(t *testing.T) {
	for name, c := range map[string]struct {
		registered string
		standing   *registry.Standing
		passes     bool
	}{
		"no permits kept":                    {"full", nil, true},
		"no permits kept, registered less":   {"no_refund", nil, false},
		"full, registered less":              {"no_refund", &registry.Standing{Permit: registry.FullPermit}, false},
		"full, registered blocked":           {"blocked", &registry.Standing{Permit: registry.FullPermit}, false},
		"the zero standing permits nothing":  {"full", &registry.Standing{}, false},
		"a limit of the registration counts": {"limit:18.49", &registry.Standing{Permit: registry.FullPermit}, false},
		"both full":                          {"full", &registry.Standing{Permit: registry.FullPermit}, true},
	} {
		w := healthy()
		kinds["refund"](w)
		w.Snapshot.Terminal.Permit, w.Snapshot.Permit = permit(t, c.registered), c.standing
		if v, _ := w.judge(); (v.Reason == reason.None) != c.passes {
			t.Errorf("%s: %s", name, v.Reason)
		}
	}
}

// TestCashierPermit: what a cashier may do counts for messages under the keys of that cashier's own sign-in, after
// their MAC; and a sign-in under that number is judged by it.
func TestCashierPermit(t *testing.T) {
	lapsed := &registry.Standing{Permit: registry.NoRefund, Facts: []registry.Fact{{Name: registry.FactCashier, State: "lapsed", Detail: "898110053110011/001"}}}
	left := &registry.Standing{Permit: registry.BlockedPermit, Facts: []registry.Fact{{Name: registry.FactCashier, State: "left"}}}
	for name, c := range map[string]struct {
		kind     string
		cashiers [2]*registry.Standing
		pending  bool // the message is under the pending keys
		badMAC   bool
		want     reason.Reason
	}{
		"refund, lapsed in force":               {"refund", [2]*registry.Standing{nil, lapsed}, false, false, reason.PermitRefused},
		"refund, lapsed pending only":           {"refund", [2]*registry.Standing{lapsed, nil}, false, false, reason.None},
		"refund under pending keys of lapsed":   {"refund", [2]*registry.Standing{lapsed, nil}, true, false, reason.PermitRefused},
		"refund under pending keys of a good":   {"refund", [2]*registry.Standing{nil, lapsed}, true, false, reason.None},
		"sale of a lapsed cashier":              {"sale", [2]*registry.Standing{nil, lapsed}, false, false, reason.None},
		"sale of one who left":                  {"sale", [2]*registry.Standing{nil, left}, false, false, reason.PermitRefused},
		"reversal of one who left":              {"reversal", [2]*registry.Standing{nil, left}, false, false, reason.None},
		"refund whose MAC is wrong":             {"refund", [2]*registry.Standing{nil, lapsed}, false, true, reason.MACFailed},
		"sign-in of one who left":               {"sign-in", [2]*registry.Standing{left, nil}, false, false, reason.PermitRefused},
		"sign-in of a lapsed one":               {"sign-in", [2]*registry.Standing{lapsed, left}, false, false, reason.None},
		"echo whoever signed in":                {"echo", [2]*registry.Standing{left, left}, false, false, reason.None},
		"settlement of one who left goes on":    {"settlement", [2]*registry.Standing{left, left}, false, false, reason.None},
		"balance of one who may sign in (only)": {"balance", [2]*registry.Standing{nil, {Permit: registry.SignInOnly}}, false, false, reason.PermitRefused},
	} {
		w := healthy()
		kinds[c.kind](w)
		w.Snapshot.Cashiers = c.cashiers
		if c.pending {
			w.Snapshot.Session.Pending = keys.Set{Number: 8, Code: keys.SignInTDES, Issued: now}
		}
		if c.badMAC {
			w.Evidence.MAC = proof.Failed
		}
		v, x := w.judge()
		if v.Reason != c.want {
			t.Errorf("%s: %s, want %s", name, v.Reason, c.want)
		}
		if c.want != reason.PermitRefused {
			continue
		}
		row := proof.Show(x)[proof.PolicyCheck]
		if v.Checks.Of(proof.PolicyCheck) != proof.Failed || v.Checks.Of(proof.PermitCheck) != proof.Passed {
			t.Errorf("%s: %v", name, row)
		}
		if c.cashiers[1] == lapsed && !strings.Contains(row.Expected, "cashier lapsed 898110053110011/001") {
			t.Errorf("%s: the evidence is %q", name, row.Expected)
		}
	}
}

// TestPermitEvidence: however many facts there are and however long, the evidence of a refusal has the permit, as
// many facts as fit, and the entry that has them all.
func TestPermitEvidence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := healthy()
		kinds["refund"](w)
		w.Request.Amount = pos.Amount(rapid.Int64Range(1, int64(pos.MaxAmount)).Draw(t, "amount"))
		w.Request.HasPlace, w.Snapshot.Terminal.Place = rapid.Bool().Draw(t, "place"), &registry.Circle{Metres: 1 << 30}
		s := &registry.Standing{Permit: registry.NoRefund, Entry: rapid.Uint64Range(1, 1<<62).Draw(t, "entry")}
		for range rapid.IntRange(0, 9).Draw(t, "facts") {
			s.Facts = append(s.Facts, registry.Fact{Name: registry.FactCertificate, State: "suspended", Detail: rapid.StringMatching(`[A-Z0-9-]{0,100}`).Draw(t, "detail")})
		}
		w.Snapshot.Permit = s
		v, x := w.judge()
		row := proof.Show(x)[proof.PermitCheck]
		if v.Reason != reason.PermitRefused || !strings.HasPrefix(row.Expected, "no_refund") || !strings.HasPrefix(row.Presented, transaction.Refund.String()) {
			t.Fatalf("%s: %+v", v.Reason, row)
		}
		if !strings.Contains(row.Expected, "journal entry ") || len(s.Facts) > 0 && !strings.Contains(row.Expected, "certificate") && !strings.Contains(row.Expected, "+") {
			t.Fatalf("the evidence is %q", row.Expected)
		}
	})
}

// BenchmarkPermit is what the permit costs a decision: the check and the reading of what stands.
func BenchmarkPermit(b *testing.B) {
	w := healthy()
	w.Snapshot.Permit = &registry.Standing{Permit: registry.FullPermit}
	b.ReportAllocs()
	for b.Loop() {
		if proof.PermitOf(&w.Request, &w.Snapshot) != "" {
			b.Fatal("refused")
		}
	}
}
