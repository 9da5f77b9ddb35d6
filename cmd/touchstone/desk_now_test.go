package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/effectiveness"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/observe"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

var (
	officer  = &web.Caller{Account: "qian", Roles: []staff.Role{staff.Security}}
	merchant = &web.Caller{Account: "shop", Roles: []staff.Role{staff.Merchant}, Shop: pulseShop}
)

// proofWitness recomputes each proof of a list as docs/design/035-live-pages.md says, with Python's own SHA-256.
const proofWitness = `
import hashlib, json, sys
for p in json.load(sys.stdin):
    h = bytes.fromhex(p["previous"])
    for link in p["links"]:
        if link.get("withheld"):
            h = bytes.fromhex(link["hash"])
            continue
        e = bytes.fromhex(link["hex"])
        h = hashlib.sha256(b"touchstone/1" + h + len(e).to_bytes(4, "big") + e).digest()
    print("whole" if p["whole"] else "with gaps", h.hex() == p["head"])
`

// TestLivePages: what the pages Now, Failures and Journal read of a host.
func TestLivePages(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a whole host")
	}
	h := newPeopleHouse(t)
	d := &desk{h.engine}
	<-h.watch.ready
	t.Run("the status is that of the command", func(t *testing.T) { statusIsTheCommands(t, d) })
	t.Run("a proof recomputes to the head", func(t *testing.T) { proofRecomputes(t, d) })
	t.Run("nothing secret leaves the journal", func(t *testing.T) { journalIsMasked(t, d) })
	t.Run("the journal is listed by kind and account", func(t *testing.T) { journalIsListed(t, d) })
	t.Run("the chain is verified from an entry", func(t *testing.T) { chainIsVerified(t, d) })
	t.Run("failures are those of the command", func(t *testing.T) { failuresAreTheCommands(t, d) })
	t.Run("a moment that is not kept is refused", func(t *testing.T) { momentsNotKept(t, d) })
	t.Run("a merchant is given its own day alone", func(t *testing.T) { merchantsNow(t, d) })
	t.Run("one picture a second for all who watch", func(t *testing.T) { pictures(t, d) })
}

func statusIsTheCommands(t *testing.T, d *desk) {
	raw, err := json.Marshal(d.status())
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var s api.Status
	if err := dec.Decode(&s); err != nil {
		t.Fatalf("the interface lacks a member that touchstone status has: %v", err)
	}
	var back observe.Status
	again, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	dec = json.NewDecoder(bytes.NewReader(again))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&back); err != nil || !bytes.Equal(raw, again) {
		t.Errorf("%v\nthe command says   %s\nthe interface says %s", err, raw, again)
	}
}

func proofRecomputes(t *testing.T, d *desk) {
	needPrograms(t, "python3")
	head, _, err := d.store.Reader.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var list []api.JournalProof
	var want []string
	add := func(p api.JournalProof, says string) { list, want = append(list, p), append(want, says) }
	whole := 0
	for n := uint64(1); n <= head; n += 1 + head/12 {
		p, err := d.Proof(t.Context(), officer, n, 0)
		if err != nil {
			t.Fatal(err)
		}
		if p.Whole {
			whole++
			add(p, "whole True")
		} else {
			add(p, "with gaps True")
		}
	}
	through, err := d.Proof(t.Context(), officer, 1, head)
	if err != nil || through.Through != head || through.Head != through.NewestIs {
		t.Errorf("to the head: through %d of %d: %v", through.Through, head, err)
	}
	first, err := d.Proof(t.Context(), officer, 1, 0)
	if err != nil || !first.Whole || whole == 0 {
		t.Fatalf("the first entry's proof: %+v, %v", first, err)
	}
	for at := 0; at < len(first.Links[0].Hex); at += 2 { // every byte of the entry, one after the other
		flipped, digit := first, "0"
		if first.Links[0].Hex[at] == '0' {
			digit = "1"
		}
		flipped.Links = []api.JournalLink{first.Links[0]}
		flipped.Links[0].Hex = first.Links[0].Hex[:at] + digit + first.Links[0].Hex[at+1:]
		add(flipped, "whole False")
	}
	raw, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	said, err := runWitness(t, string(raw), "python3", "-c", proofWitness)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(said), "\n") {
		if i >= len(want) || line != want[i] {
			t.Fatalf("proof %d, of entry %d: the witness says %q, want %q", i, list[i].Entry, line, want[i])
		}
	}
	if n := strings.Count(said, "\n"); n != len(want) {
		t.Errorf("the witness looked at %d proofs of %d", n, len(want))
	}
	for _, c := range []struct{ n, through uint64 }{{0, 0}, {head + 1, 0}, {1, head + 1}} {
		var refused *api.Problem
		if _, err := d.Proof(t.Context(), officer, c.n, c.through); !errors.As(err, &refused) || refused.Status != 404 {
			t.Errorf("entry %d through %d: %v", c.n, c.through, err)
		}
	}
}

func journalIsMasked(t *testing.T, d *desk) {
	seen := map[string]bool{}
	_, err := d.store.Reader.Back(t.Context(), 1<<40, 1<<20, func(e journal.Entry) bool {
		shown, err := d.Entry(t.Context(), officer, e.Seq)
		if err != nil {
			t.Fatal(err)
		}
		seen[shown.Kind] = true
		if shown.Withheld != (shown.Hex == "") {
			t.Errorf("entry %d (%s): withheld %v, bytes %d", e.Seq, shown.Kind, shown.Withheld, len(shown.Hex))
		}
		var whole any
		if json.Unmarshal(e.Body, &whole) != nil {
			return true
		}
		eachSecret(whole, func(name, value string) {
			if bytes.Contains(shown.Record, []byte(value)) || strings.Contains(shown.Hex, value) {
				t.Errorf("entry %d (%s): %s is shown", e.Seq, shown.Kind, name)
			}
		})
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"terminal", "device", "card", "staff", "opened"} {
		if !seen[kind] {
			t.Errorf("no entry of kind %s was looked at", kind)
		}
	}
}

// eachSecret calls f with every wrapped key and every part of a verifier in a record, at any depth.
func eachSecret(v any, f func(name, value string)) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if text, ok := member.(string); ok && len(text) > 16 {
				switch name {
				case "master_key", "serial_key", "wrapped", "pin_verifier", "salt", "sum":
					f(name, text)
				}
			}
			eachSecret(member, f)
		}
	case []any:
		for _, x := range v {
			eachSecret(x, f)
		}
	}
}

func journalIsListed(t *testing.T, d *desk) {
	all, err := d.Entries(t.Context(), officer, &api.JournalQuery{Paging: api.Paging{Limit: 10}})
	if err != nil || len(all.Data) != 10 || all.Data[0].Entry != all.Head || all.LookedTo != all.Head || all.LookedFrom != all.Data[9].Entry {
		t.Fatalf("%+v, %v", all, err)
	}
	next, err := d.Entries(t.Context(), officer, &api.JournalQuery{Paging: api.Paging{Limit: 10, Cursor: all.Next}})
	if err != nil || next.Data[0].Entry != all.Data[9].Entry-1 {
		t.Errorf("the next piece begins with %d: %v", next.Data[0].Entry, err)
	}
	acts, err := d.Entries(t.Context(), officer, &api.JournalQuery{Paging: api.Paging{Limit: 200}, Kind: "staff"})
	if err != nil || len(acts.Data) == 0 || acts.Data[0].Kind != "staff" || acts.LookedFrom > 1 && acts.Next == "" {
		t.Fatalf("acts: %d, %v", len(acts.Data), err)
	}
	account := acts.Data[0].Accounts[0]
	own, err := d.Entries(t.Context(), officer, &api.JournalQuery{Paging: api.Paging{Limit: 200}, Account: account})
	if err != nil || len(own.Data) == 0 {
		t.Fatalf("acts of %s: %d, %v", account, len(own.Data), err)
	}
	for _, l := range own.Data {
		if l.Accounts == nil || l.Words.EN == "" || l.Words.ZH == "" {
			t.Errorf("%+v", l)
		}
	}
	for _, bad := range []api.JournalQuery{{Kind: "x"}, {Paging: api.Paging{Cursor: "x"}}, {Terminal: "1"}, {AsOf: "yesterday"}} {
		var refused *api.Problem
		if bad.Limit = 5; true {
			if _, err := d.Entries(t.Context(), officer, &bad); !errors.As(err, &refused) || refused.Status != 400 {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	}
	before, err := d.Entries(t.Context(), officer, &api.JournalQuery{Paging: api.Paging{Limit: 5}, AsOf: all.Data[0].At.Add(-24 * time.Hour).Format(time.RFC3339)})
	if err != nil || len(before.Data) != 0 {
		t.Errorf("a day before there was a journal: %d entries, %v", len(before.Data), err)
	}
}

func chainIsVerified(t *testing.T, d *desk) {
	head := d.ledger.Durable()
	began, err := d.Verify(t.Context(), officer, 1)
	if err != nil || began.State != "running" || began.To < head || began.By != "qian" {
		t.Fatalf("%+v, %v", began, err)
	}
	deadline := time.After(patience)
	for {
		v, err := d.Verification(t.Context(), officer)
		if err != nil {
			t.Fatal(err)
		}
		if v.State == "intact" {
			if v.At < head || v.Says.EN == "" || v.Says.ZH == "" {
				t.Errorf("%+v", v)
			}
			break
		}
		if v.State != "running" {
			t.Fatalf("%+v", v)
		}
		select {
		case <-deadline:
			t.Fatalf("it does not end: %+v", v)
		case <-time.After(time.Millisecond):
		}
	}
	var refused *api.Problem
	d.now.verifying.mu.Lock()
	d.now.verifying.last.State = "running"
	d.now.verifying.mu.Unlock()
	if _, err := d.Verify(t.Context(), officer, 1); !errors.As(err, &refused) || refused.Code != "verification_runs" {
		t.Errorf("a second at once: %v", err)
	}
	if _, err := d.Verify(t.Context(), officer, 1<<40); !errors.As(err, &refused) || refused.Status != 404 {
		t.Errorf("an entry that is not there: %v", err)
	}
}

func failuresAreTheCommands(t *testing.T, d *desk) {
	for i := range 40 { // as if they had come over the wire
		x := journal.Exchange{At: d.clock(), Terminal: pos.TerminalID([]byte("00000011")), MTI: 0x0200, Type: pos.Sale, Amount: 1000, Currency: pos.CNY}
		if i%4 == 0 {
			x.Reason, x.DE39 = reason.MACFailed, reason.MACFailed.DE39()
		} else {
			x.DE39 = pos.Approved
		}
		d.failures.fold(journal.Entry{Seq: d.ledger.Durable() + 1 + uint64(i), Kind: journal.KindExchange, At: x.At, Body: x.AppendBody(nil)})
	}
	f, err := d.Failures(t.Context(), officer, &api.FailureQuery{})
	if err != nil {
		t.Fatal(err)
	}
	c := d.failuresOf(&failuresQuery{effectiveness.Range{}})
	if f.Approved != c.Approved || f.Total != countFrom(&c.Total) || f.Least != c.FalseFailures.Least || f.Most != c.FalseFailures.Most || f.Total.Messages != 10 || f.Most == 0 {
		t.Errorf("the page has %+v of %d, the command %+v of %d", f.Total, f.Approved, c.Total, c.Approved)
	}
	for dimension, rows := range c.Tables {
		if len(rows) != len(f.Tables[dimension]) {
			t.Errorf("%s: %d rows, the command has %d", dimension, len(f.Tables[dimension]), len(rows))
		}
		for i, row := range f.Tables[dimension] {
			if row.Count != countFrom(&rows[i].Count) || row.Key != "" && (row.Words.EN == "" || row.Words.ZH == "") {
				t.Errorf("%s: %+v, the command has %+v", dimension, row, rows[i])
			}
		}
	}
	narrow, err := d.Failures(t.Context(), officer, &api.FailureQuery{Reason: "batch_mismatch"})
	if err != nil || !narrow.Narrowed || narrow.Total.Messages != 0 || narrow.Least != f.Least {
		t.Errorf("narrowed to what did not happen: %+v, %v", narrow.Total, err)
	}
	deadline := time.After(patience)
	for {
		old, err := d.Failures(t.Context(), officer, &api.FailureQuery{From: "2026-01-01", To: "2026-01-03"})
		if err != nil {
			t.Fatal(err)
		}
		if old.Range == "ready" {
			if old.Total.Messages != 0 {
				t.Errorf("a range before the journal has %d refusals", old.Total.Messages)
			}
			break
		}
		select {
		case <-deadline:
			t.Fatal("an old range is never counted")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func momentsNotKept(t *testing.T, d *desk) {
	for name, ask := range map[string]func() error{
		"effectiveness before the journal": func() error {
			_, err := d.Effectiveness(t.Context(), officer, &api.EffectivenessQuery{AsOf: api.AsOf{AsOf: "2026-01-01"}})
			return err
		},
		"effectiveness of old hours": func() error {
			_, err := d.Effectiveness(t.Context(), officer, &api.EffectivenessQuery{From: "2026-01-01"})
			return err
		},
		"failures to before from": func() error {
			_, err := d.Failures(t.Context(), officer, &api.FailureQuery{From: "2026-01-02", To: "2026-01-01"})
			return err
		},
	} {
		var refused *api.Problem
		if err := ask(); !errors.As(err, &refused) || refused.Status != 400 || refused.Message == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if e, err := d.Effectiveness(t.Context(), officer, &api.EffectivenessQuery{}); err != nil || e.Sentence.EN == "" || e.Sentence.ZH == "" {
		t.Errorf("%+v, %v", e, err)
	}
	if page, err := d.Events(t.Context(), officer, &api.EventQuery{Paging: api.Paging{Limit: 5}, AsOf: "2026-01-01"}); err != nil || len(page.Data) != 0 {
		t.Errorf("events of before the journal: %d, %v", len(page.Data), err)
	}
}

func merchantsNow(t *testing.T, d *desk) {
	n, err := d.Now(t.Context(), merchant, "en")
	if err != nil || n.Shop == nil {
		t.Fatalf("%+v, %v", n, err)
	}
	n.Shop, n.At, n.Rebuilding = nil, time.Time{}, false
	empty := api.Now{Needs: []api.Need{}, Latest: []api.Refusal{}, Reasons: []api.ReasonNow{}, Points: []api.Point{}}
	a, _ := json.Marshal(n)
	if b, _ := json.Marshal(empty); !bytes.Equal(a, b) {
		t.Errorf("a merchant is told of the fleet: %s", a)
	}
	lost := &web.Caller{Account: "x", Roles: []staff.Role{staff.Merchant}}
	if n, err := d.Now(t.Context(), lost, "en"); err != nil || n.Shop == nil || n.Shop.Approved != 0 || n.Shop.Merchant != "" {
		t.Errorf("a merchant without a shop: %+v, %v", n.Shop, err)
	}
}

func pictures(t *testing.T, d *desk) {
	for i := range 200 { // as many refusals as are ever kept, with the longest words
		x := journal.Exchange{At: d.clock(), Terminal: pos.TerminalID([]byte("00000011")), MTI: 0x0200, Type: pos.Sale, Amount: 999_999_999_999, Currency: pos.CNY,
			Reason: reason.All()[i%len(reason.All())]}
		x.DE39 = x.Reason.DE39()
		d.now.pulse.fold(journal.Entry{Seq: 1<<40 + uint64(i), Kind: journal.KindExchange, At: x.At, Body: x.AppendBody(nil)})
	}
	ctx, cancel := context.WithCancel(t.Context())
	first, err1 := d.Watch(ctx, officer, "zh")
	second, err2 := d.Watch(ctx, officer, "zh")
	own, err3 := d.Watch(ctx, merchant, "en")
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	a, b, c := <-first, <-second, <-own
	for range 30 { // between the two a second may have turned: who is slow is given the newest
		if len(a) > 0 && len(b) > 0 && &a[0] == &b[0] {
			break
		}
		a, b = <-first, <-second
	}
	if len(a) == 0 || len(a) > beatBytes || &a[0] != &b[0] {
		t.Errorf("%d bytes, at most %d; the same picture for both: %v", len(a), beatBytes, &a[0] == &b[0])
	}
	if bytes.Contains(c, []byte(`"messages_per_second":0,`)) == false || !bytes.Contains(c, []byte(`"shop":{`)) {
		t.Errorf("a merchant's picture: %s", c)
	}
	cancel()
	for _, ended := range []<-chan []byte{first, second, own} {
		for range ended { // until it ends
		}
	}
	var more []context.CancelFunc
	for {
		ctx, cancel := context.WithCancel(t.Context())
		more = append(more, cancel)
		if _, err := d.Watch(ctx, officer, "en"); err != nil {
			if !errors.Is(err, api.ErrWatched) || len(more) <= mostWatchers {
				t.Errorf("after %d: %v", len(more), err)
			}
			break
		}
	}
	for _, end := range more {
		end()
	}
}

// BenchmarkPicture is what one second costs the host while acquirer and shop are watched in both languages.
func BenchmarkPicture(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "data")
	if err := makeTestDirectory(dir, slog.New(slog.DiscardHandler)); err != nil {
		b.Fatal(err)
	}
	h, err := openEngine(engineOptions{dir: dir, lock: testLock(dir), policy: proof.DefaultPolicy(), ledger: ledger.DefaultOptions(), zone: time.UTC, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { h.close() })
	for i := range 200_000 {
		x := journal.Exchange{At: h.clock(), Terminal: pos.TerminalID([]byte("00000011")), MTI: 0x0200, Type: pos.Sale, Amount: 1000, Currency: pos.CNY}
		if x.DE39 = pos.Approved; i%20 == 0 {
			x.Reason = reason.All()[i%len(reason.All())]
			x.DE39 = x.Reason.DE39()
		}
		h.now.pulse.fold(journal.Entry{Seq: 1<<40 + uint64(i), Kind: journal.KindExchange, At: x.At, Body: x.AppendBody(nil)})
	}
	views := []viewOf{{lang: "en"}, {lang: "zh"}, {pulseShop, "en"}}
	for b.Loop() {
		for _, v := range views {
			if len(h.now.picture(v)) == 0 {
				b.Fatal("no picture")
			}
		}
	}
}
