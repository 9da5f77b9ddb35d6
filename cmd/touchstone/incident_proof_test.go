package main

import (
	"bytes"
	"encoding/json"
	"net"
	"strings"
	"testing"

	"touchstone/incident"
	"touchstone/journal"
	"touchstone/notify"
	"touchstone/pos"
	"touchstone/redress"
)

// TestDrillTellsByTheNoticesWay: a drill's clocks are answered by the notices that the drill recipients took; where the mail
// server is down it ends all the same, with its documents.
func TestDrillTellsByTheNoticesWay(t *testing.T) {
	skipUnderRace(t)
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	down := ln.Addr().String()
	ln.Close()
	for name, c := range map[string]struct {
		mail    string
		notices int // that answer clocks: of consumer-notice, regulator-report and containment-checklist
	}{"mail is taken": {testCatcher(t, &notify.Catcher{}), 6}, "the mail server is down": {down, 0}} {
		t.Run(name, func(t *testing.T) {
			b := newNoticeBed(t, c.mail)
			defer b.close()
			defer b.e.startOutbox(t.Context())()
			b.e.noticeSource = nil
			told := b.must(b.apply(change{Incident: &incidentChange{Op: incidentDrill}}, "qian", "sun"))
			a := must(b.e.incidents(&incidentQuery{ID: told.Facts["incident"]}))
			if i := &a.Incidents[0]; i.State != incident.Closed || !i.Drill {
				t.Fatalf("the drill is %s", i.State)
			}
			n := 0
			for _, k := range a.Incidents[0].Clocks {
				if k.Sending == nil {
					continue // waits for an investigator who was never engaged
				}
				if k.Sending.Notice != "" {
					n++
				} else if k.Sending.Document == "" {
					t.Errorf("%s is answered with nothing", k.Rule)
				}
			}
			if n != c.notices {
				t.Errorf("%d clocks answered with a notice, want %d", n, c.notices)
			}
			for _, x := range b.notices(told.Facts["incident"]) {
				if x.To.Group != redress.GroupDrill || !x.Drill {
					t.Errorf("%s went to %s", x.ID, x.To.Name)
				}
			}
		})
	}
}

// TestMoneyThatDoesNotReconcile: a claim that is noted as paid though no exchange paid it is found from the journal alone, in
// both languages, and the exit code is 1.
func TestMoneyThatDoesNotReconcile(t *testing.T) {
	b := newNoticeBed(t, "127.0.0.1:1")
	money := func(args ...string) (int, string) {
		var out, errs bytes.Buffer
		code := run(&app{t.Context(), strings.NewReader(""), &out, &errs, func(string) string { return "" }, false}, append([]string{"money", "--data", b.dir}, args...))
		return code, out.String() + errs.String()
	}
	if code, out := money(); code != 0 || !strings.Contains(out, "reconciles to the cent") {
		t.Errorf("empty books: exit code %d\n%s", code, out)
	}
	c := redress.Claim{ID: "CLM-1-AAAAAAAAAAAA", State: redress.ClaimPaid, Terminal: sampleID(11), Merchant: sampleMerchant(1), Amount: 8800, Refund: 8800, Decided: []string{"chen", "wang"},
		Settled: []redress.Settlement{{Part: journal.RefundPart, Amount: 8800, Entry: 1}}}
	record := must(json.Marshal(&c))
	err := b.e.act(t.Context(), func(*rooms, pos.Instant) ([]journal.Draft, error) {
		return []journal.Draft{{Kind: journal.KindRedress, Act: journal.Act{Verb: "claim_paid", Actors: []string{"chen"}, Changes: []journal.Change{{Noun: redress.NounClaim, ID: c.ID, Record: record}}}}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []struct{ lang, differs, verdict string }{{"en", "DIFFERS", "DOES NOT RECONCILE"}, {"zh", "不符", "账目不符"}} {
		if code, out := money("--lang", l.lang); code != 1 || !strings.Contains(out, l.differs) || !strings.Contains(out, l.verdict) {
			t.Errorf("%s: exit code %d\n%s", l.lang, code, out)
		}
	}
	b.close()
}
