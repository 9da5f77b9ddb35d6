package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"touchstone/pos"
	"touchstone/reason"
	"touchstone/staff"
	"touchstone/terminal"
	"touchstone/web"
	"touchstone/web/api"
)

// The callers of these tests.
var (
	anOfficer = &web.Caller{Account: "qian", Roles: []staff.Role{staff.Security}}
)

func ofShop(m pos.MerchantID) *web.Caller {
	return &web.Caller{Account: "shop", Roles: []staff.Role{staff.Merchant}, Shop: m}
}

// refusedFor is the entries of real messages that were refused, by what was wrong with them.
func refusedFor(t *testing.T, r *canaryRig) map[string]uint64 {
	t.Helper()
	opened, card := r.visitor(t, 0)
	own, sibling, former := r.shopMates(t)
	wire, seqs := behindA0(own, sibling, former), map[string]uint64{}
	for _, name := range []string{"unknown", "coverage", "stale", "altered", "sibling"} {
		own.answer(t, wire[name]())
		seqs[name], _ = r.newestRefusal(t)
		r.causeOf(t, seqs[name])
	}
	for _, f := range []terminal.Fault{terminal.WrongSerialCipher, terminal.WrongBatch} {
		if _, err := opened.Misbehave(t.Context(), f, card, 1850); err != nil {
			t.Fatal(err)
		}
		seqs[string(f)], _ = r.newestRefusal(t)
	}
	r.causeOf(t, seqs[string(terminal.WrongSerialCipher)])
	for _, name := range []string{"sold", "voided"} {
		res, err := opened.Sale(t.Context(), card, 1999)
		if name == "voided" && err == nil {
			res, err = opened.Void(t.Context(), opened.Trace(), card)
		}
		if err != nil || !res.Approved {
			t.Fatalf("%s: %+v, %v", name, res, err)
		}
		if seqs[name], err = strconv.ParseUint(res.RRN.String(), 10, 64); err != nil { // the newest entry may be what the host found out meanwhile
			t.Fatal(err)
		}
	}
	if err := r.e.view.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	return seqs
}

// TestTransactionsOfRealMessages: messages that a real host refused and approved, through every question of the interface.
func TestTransactionsOfRealMessages(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole host")
	}
	r := newDiagnosisRig(t, roomy, nil)
	d := &desk{r.e}
	seqs := refusedFor(t, r)
	for name, seq := range seqs {
		got, err := d.Transaction(t.Context(), anOfficer, transactionPrefix+fmt.Sprint(seq), time.Time{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sameAsExplained(t, r, name, &got)
		wholeVerdict(t, name, &got)
		foundByEveryQuestion(t, d, name, &got)
		asItWasKnown(t, d, name, &got)
		forTheShopAlone(t, d, name, &got)
	}
	list, err := d.Transactions(t.Context(), anOfficer, &api.TransactionQuery{Terminal: sampleVisitor(0)})
	if err != nil || len(list.Data) < 4 {
		t.Fatalf("%d messages of the visitor, %v", len(list.Data), err)
	}
	voided, err := d.Transaction(t.Context(), anOfficer, transactionPrefix+fmt.Sprint(seqs["voided"]), time.Time{})
	if err != nil || voided.What != "void" || len(voided.SameSale) != 1 || voided.SameSale[0].Kind != "original" {
		t.Fatalf("the void: %+v, %v", voided.SameSale, err)
	}
	sale, err := d.Transaction(t.Context(), anOfficer, voided.SameSale[0].ID, time.Time{})
	if err != nil || len(sale.SameSale) != 1 || sale.SameSale[0].ID != voided.ID || sale.SameSale[0].Kind != "void" || sale.Later[0].ID != voided.ID {
		t.Errorf("the sale that was voided: %+v, %v", sale.SameSale, err)
	}
}

func sampleVisitor(n int) string { return visitors()[n].id.String() }

// sameAsExplained compares with what touchstone explain --rrn says of the same message.
func sameAsExplained(t *testing.T, r *canaryRig, name string, got *api.TransactionDetail) {
	t.Helper()
	var out bytes.Buffer
	c := explainCmd{explainFlags: explainFlags{For: "all", Lang: "en", JSON: true, Data: r.dir}, explainJournalFlags: explainJournalFlags{RRN: fmt.Sprint(got.Entry)}}
	if err := c.Run(&app{ctx: t.Context(), stdout: &out, stderr: &out, getenv: os.Getenv}); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var p panel
	if err := json.Unmarshal(out.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	x := &got.Explained
	if x.Certainty != p.Certainty || x.Presented != textOf(p.Presented) || x.Expected != textOf(p.Expected) || p.Certainty != notRefused && x.Short != textOf(p.Short) || x.Meaning != textOf(p.Meaning) {
		t.Errorf("%s: the page says %+v, touchstone explain %s", name, x, out.String())
	}
	if p.Cause != nil && (got.Cause == nil || got.Cause.Name != p.Cause.Cause || got.Cause.Tried != p.Cause.Tried) {
		t.Errorf("%s: cause %+v, touchstone explain %+v", name, got.Cause, p.Cause)
	}
	if p.Certainty != notRefused && !slices.Equal(got.Remedy.Engineer, textsOf(p.Steps.Engineer)) {
		t.Errorf("%s: the engineer is told %v, by touchstone explain %v", name, got.Remedy.Engineer, p.Steps.Engineer)
	}
}

// wholeVerdict: every check in order, a refusal by one of them; the bytes masked, the MAC's coverage inside them.
func wholeVerdict(t *testing.T, name string, got *api.TransactionDetail) {
	t.Helper()
	failed := 0
	for _, c := range got.Verdict {
		if c.Result == "failed" || c.Result == "unavailable" {
			failed++
		}
	}
	if want := map[string]int{"refused": 1}[got.Outcome]; failed != want || len(got.Verdict) != 24 {
		t.Errorf("%s: %d of %d checks failed, want %d", name, failed, len(got.Verdict), want)
	}
	if refused := got.Outcome == "refused"; refused && (got.Remedy == nil || len(got.Remedy.Support) == 0 || len(got.Remedy.Cashier) == 0 || got.Remedy.SignIn.ZH == "" || got.Explained.Owner.ZH == "") {
		t.Errorf("%s: nothing to do: %+v", name, got.Remedy)
	}
	m := got.Message
	if got.Outcome == "refused" && m == nil {
		t.Fatalf("%s: the bytes of a refusal were not kept", name)
	}
	if m == nil {
		return
	}
	if m.Covered == nil || m.Covered.From != 11 || m.Covered.To >= m.Bytes {
		t.Errorf("%s: the MAC covers %+v of %d bytes", name, m.Covered, m.Bytes)
	}
	shown, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cards() {
		if bytes.Contains(shown, []byte(c.pan())) || bytes.Contains(shown, []byte(c.pan()[:12])) {
			t.Errorf("%s: a card number in clear", name)
		}
	}
}

// foundByEveryQuestion: each filter that fits finds it, and each that does not leaves it out.
func foundByEveryQuestion(t *testing.T, d *desk, name string, got *api.TransactionDetail) {
	t.Helper()
	around := got.At.Add(time.Second)
	other := map[string]string{"refused": "approved", "approved": "refused"}[got.Outcome]
	why := got.Reason
	if why == "none" {
		why = ""
	}
	for _, q := range []struct {
		q    api.TransactionQuery
		want bool
	}{
		{api.TransactionQuery{Terminal: got.Terminal, Trace: got.Trace}, true}, {api.TransactionQuery{RRN: got.RRN}, true}, {api.TransactionQuery{Reason: why}, true},
		{api.TransactionQuery{Code: got.Answer}, true}, {api.TransactionQuery{Outcome: got.Outcome}, true}, {api.TransactionQuery{Merchant: got.Merchant}, true},
		{api.TransactionQuery{From: got.At, To: around}, true}, {api.TransactionQuery{Merchant: got.Merchant, Outcome: got.Outcome}, true},
		{api.TransactionQuery{Outcome: other}, false}, {api.TransactionQuery{Terminal: "99999999"}, false}, {api.TransactionQuery{From: around.Add(time.Hour)}, false},
		{api.TransactionQuery{RRN: got.RRN, Outcome: other}, false}, {api.TransactionQuery{To: got.At}, false}, {api.TransactionQuery{AsOf: got.At.Add(-time.Millisecond)}, false},
	} {
		q.q.Limit = 200
		list, err := d.Transactions(t.Context(), anOfficer, &q.q)
		if err != nil {
			t.Fatalf("%s: %+v: %v", name, q.q, err)
		}
		if found := slices.ContainsFunc(list.Data, func(x api.Transaction) bool { return x.ID == got.ID }); found != q.want {
			t.Errorf("%s: %+v: found %v, want %v", name, q.q, found, q.want)
		}
	}
}

// asItWasKnown: before a message there is none, and before its cause was found there is no cause.
func asItWasKnown(t *testing.T, d *desk, name string, got *api.TransactionDetail) {
	t.Helper()
	if _, err := d.Transaction(t.Context(), anOfficer, got.ID, got.At.Add(-time.Millisecond)); !notFound(err) {
		t.Errorf("%s: known before it came: %v", name, err)
	}
	if got.Cause == nil {
		return
	}
	then, err := d.Transaction(t.Context(), anOfficer, got.ID, got.Cause.At.Add(-1))
	if err != nil || then.Cause != nil && !then.Cause.At.Before(got.Cause.At) || then.Cause == nil && then.Explained.Certainty != certainNotTried {
		t.Errorf("%s: before its cause was found: %+v, %v", name, then.Cause, err)
	}
	now, err := d.Transaction(t.Context(), anOfficer, got.ID, got.Cause.At)
	if err != nil || now.Cause == nil || now.Cause.Entry != got.Cause.Entry {
		t.Errorf("%s: when its cause was found: %+v, %v", name, now.Cause, err)
	}
}

func notFound(err error) bool {
	var p *api.Problem
	return errors.As(err, &p) && *p == *api.NotFound()
}

// forTheShopAlone: its own shop sees it, without a word of the cause; another's account is told what it would be told of a
// message that does not exist.
func forTheShopAlone(t *testing.T, d *desk, name string, got *api.TransactionDetail) {
	t.Helper()
	shop := must(pos.ParseMerchantID(got.Merchant))
	own, err := d.Transaction(t.Context(), ofShop(shop), got.ID, time.Time{})
	if err != nil || own.Answer != got.Answer {
		t.Fatalf("%s: its own shop: %v", name, err)
	}
	shown, err := json.Marshal(own)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{`"verdict"`, `"message"`, `"cause"`, `"engineer"`, `"support"`, `"reason"`, got.Reason + `"`} {
		if word != `none"` && bytes.Contains(shown, []byte(word)) {
			t.Errorf("%s: its shop is shown %s: %s", name, word, shown)
		}
	}
	foreign := ofShop(sampleMerchant(7))
	if foreign.Shop == shop {
		t.Fatal("the shops are one")
	}
	_, hidden := d.Transaction(t.Context(), foreign, got.ID, time.Time{})
	_, missing := d.Transaction(t.Context(), foreign, "txn_99999999", time.Time{})
	if !notFound(hidden) || hidden.Error() != missing.Error() {
		t.Errorf("%s: another shop: %v, of none: %v", name, hidden, missing)
	}
	for _, q := range []api.TransactionQuery{{}, {RRN: got.RRN}, {Terminal: got.Terminal}, {Merchant: got.Merchant}, {Outcome: got.Outcome}} {
		list, err := d.Transactions(t.Context(), foreign, &q)
		if err != nil || slices.ContainsFunc(list.Data, func(x api.Transaction) bool { return x.Merchant != foreign.Shop.String() }) {
			t.Errorf("%s: another shop lists %+v: %d, %v", name, q, len(list.Data), err)
		}
		mine, err := d.Transactions(t.Context(), ofShop(shop), &q)
		if err != nil || !slices.ContainsFunc(mine.Data, func(x api.Transaction) bool { return x.ID == got.ID }) {
			t.Errorf("%s: its own shop lists %+v: %d, %v", name, q, len(mine.Data), err)
		}
	}
	if _, err := d.Transactions(t.Context(), ofShop(shop), &api.TransactionQuery{Reason: reason.MACFailed.String()}); err == nil {
		t.Errorf("%s: a shop may ask by reason", name)
	}
}

// TestTransactionQuestionsThatAreNone: each is refused, with the parameter that was wrong.
func TestTransactionQuestionsThatAreNone(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole host")
	}
	r := newDiagnosisRig(t, roomy, nil)
	d := &desk{r.e}
	for want, q := range map[string]api.TransactionQuery{"terminal": {Terminal: "1"}, "trace": {Trace: "1000000"}, "reason": {Reason: "bad luck"}, "code": {Code: "A"},
		"merchant": {Merchant: "1"}, "cursor": {Paging: api.Paging{Cursor: "x"}}} {
		_, err := d.Transactions(t.Context(), anOfficer, &q)
		var p *api.Problem
		if !errors.As(err, &p) || p.Status != 400 || p.Param != want {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, id := range []string{"", "9", "txn_", "txn_0", "txn_-1", "txn_9999999999999999999999", "txn_01", "mer_1", "txn_1"} { // entry 1 is no message
		if _, err := d.Transaction(t.Context(), anOfficer, id, time.Time{}); !notFound(err) {
			t.Errorf("%q: %v", id, err)
		}
	}
	findsAll(t, d)
}

// findsAll: each thing that a person may have in the hand leads to its page.
func findsAll(t *testing.T, d *desk) {
	t.Helper()
	until(t, "the index of the estate", func() bool { d.estate.start(); return d.estate.built.Load() })
	v := visitors()[0]
	shop, other := ofShop(v.merchant), ofShop(sampleMerchant(7))
	for _, c := range []struct {
		q, path string
		who     *web.Caller
		exact   bool
	}{
		{v.id.String(), "/terminals/" + v.id.String(), anOfficer, true}, {v.id.String(), "/terminals/" + v.id.String(), shop, true}, {v.id.String(), "", other, false},
		{string(v.serial), "/devices/" + string(v.serial), anOfficer, true}, {string(v.serial), "", other, false}, {string(v.serial[:18]), "/devices/" + string(v.serial), anOfficer, false},
		{v.merchant.String(), "/merchants/" + v.merchant.String(), anOfficer, true}, {v.merchant.String(), "", other, false},
		{"a7", "/transactions?code=A7", anOfficer, false}, {"MAC failed", "/transactions?reason=mac_failed", anOfficer, false}, {"mac_failed", "", shop, false},
		{"42", "/transactions?trace=42", anOfficer, false}, {"INC-99", "", anOfficer, false}, {"<script>alert(1)</script>", "", anOfficer, false}, {strings.Repeat("字", 400), "", anOfficer, false}, {"", "", anOfficer, false},
	} {
		found, err := d.Find(t.Context(), c.who, c.q)
		if err != nil {
			t.Fatalf("%q: %v", c.q, err)
		}
		i := slices.IndexFunc(found.List, func(x api.Found) bool { return x.Path == c.path })
		if c.path != "" && (i < 0 || found.List[i].Exact != c.exact) {
			t.Errorf("%q: want %s, exact %v, found %+v", c.q, c.path, c.exact, found.List)
		}
		if c.path == "" && slices.ContainsFunc(found.List, func(x api.Found) bool { return x.Group != "words" }) {
			t.Errorf("%q by %s: found %+v", c.q, c.who.Account, found.List)
		}
	}
}

// TestCloneOfThePageIsThatOfTheCommand: the page's two lanes, made from the indexes of view.db, are those that a reading of
// the whole journal gives.
func TestCloneOfThePageIsThatOfTheCommand(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole host")
	}
	r := newCloneRig(t, rigOptions{change: func(o *engineOptions) { o.diagnosis, o.withoutView = roomy, false }})
	d := &desk{r.e}
	copied := r.copied(t, terminal.Copying{From: "127.0.0.66", Fresh: true})
	for n := 0; r.e.ledger.Suspected(r.sample.id) == 0 && n < 12; n++ {
		for _, by := range []*terminal.Terminal{copied, r.honest} {
			_, _ = by.Sale(t.Context(), r.card, pos.Amount(5000+n)) // what is refused signs in anew: that is the ping-pong
			r.e.diagnoser.drain()
		}
	}
	r.awaitSuspect(t)
	r.quiet(t)
	if err := r.e.view.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := d.speaker()
	if err != nil {
		t.Fatal(err)
	}
	cases, err := clonesOf(t.Context(), r.e.store.Reader, r.sample.id.String())
	if err != nil {
		t.Fatal(err)
	}
	whole, err := readTimeline(t.Context(), r.e.store.Reader, r.sample.id, &timelineSpan{cases, pos.Instant(time.Now().UnixNano()), 1 << 62, cloneSteps}, allEntries(t.Context(), r.e.store.Reader))
	if err != nil {
		t.Fatal(err)
	}
	want, err := d.present().cloneDetail(t.Context(), s, whole, r.sample.merchant)
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Clone(t.Context(), anOfficer, "ter_"+r.sample.id.String(), &api.AsOf{})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(want)
	b, _ := json.Marshal(got)
	if string(a) != string(b) || got.State != "open" || got.Weight < got.Suspect || len(got.Messages) == 0 {
		t.Errorf("the command has\n%s\nthe page\n%s", a, b)
	}
	list, err := d.Clones(t.Context(), anOfficer, &api.CloneQuery{})
	if err != nil || len(list.Data) != 1 || list.Data[0].Terminal != r.sample.id.String() {
		t.Errorf("suspected: %+v, %v", list.Data, err)
	}
	if _, err := d.Clone(t.Context(), anOfficer, "ter_99999999", &api.AsOf{}); !notFound(err) {
		t.Errorf("of no terminal: %v", err)
	}
}
