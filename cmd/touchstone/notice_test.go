package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/notify"
	"touchstone/pos"
	"touchstone/redress"
	"touchstone/staff"
)

// noticeBed is a test data directory with people and an address book whose mail server is at an address.
type noticeBed struct {
	t   *testing.T
	dir string
	e   *engine
}

func newNoticeBed(t *testing.T, mail string) *noticeBed {
	t.Helper()
	b := &noticeBed{t: t, dir: filepath.Join(t.TempDir(), "data")}
	b.e = openForTest(t, b.dir, func(dir string) error { return makeTestDirectory(dir, slog.New(slog.DiscardHandler)) })
	if err := b.e.seedStaff(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.e.seedNotices(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(b.dir, noticeFile)
	text := must(os.ReadFile(path))
	text = bytes.Replace(text, []byte(demoMail), []byte(mail), 1)
	text = bytes.Replace(text, []byte("attempts = 8\nfirst = \"1s\"\nlongest = \"1m\""), []byte("attempts = 3\nfirst = \"20ms\"\nlongest = \"50ms\""), 1)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	b.ready()
	return b
}

// ready has an engine know its address book and the facts of any incident.
func (b *noticeBed) ready() {
	b.t.Helper()
	if err := b.e.loadNotices(""); err != nil {
		b.t.Fatal(err)
	}
	b.e.rest = 10 * time.Millisecond
	b.e.noticeSource = func(_ context.Context, d *noticeDraftChange) (*notify.Facts, error) { return sampleFacts(d), nil }
}

func (b *noticeBed) close() {
	b.t.Helper()
	if err := b.e.close(); err != nil {
		b.t.Error(err)
	}
}

// sampleFacts are of an incident with one card at two shops; INC-…-DRILL is a drill.
func sampleFacts(d *noticeDraftChange) *notify.Facts {
	day := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	f := &notify.Facts{Incident: d.Incident, Drill: strings.HasSuffix(d.Incident, "-DRILL"), Title: notify.Text{EN: "a skimmer"}, Severity: notify.Text{EN: "major"}, Cause: d.Cause, Kinds: d.Kinds, Measures: d.Measures,
		Aware: pos.Instant(day.UnixNano()), From: pos.Instant(day.Add(-time.Hour).UnixNano()), To: pos.Instant(day.UnixNano()), Terminals: 2, Now: pos.Instant(day.UnixNano()), Zone: time.UTC,
		Shops: map[pos.MerchantID]string{sampleMerchant(1): "Sample Noodles", sampleMerchant(12): "Sample Cinema"}}
	for i, m := range []pos.MerchantID{sampleMerchant(1), sampleMerchant(12)} {
		s := notify.Sale{At: f.From, Terminal: sampleID(11 + i), Merchant: m, Amount: 1850}
		copy(s.RRN[:], fmt.Sprintf("%012d", 77+i))
		copy(s.Shown[:], "6299990042")
		f.Sales = append(f.Sales, s)
	}
	return f
}

// as is the credentials of sample people.
func (b *noticeBed) as(names ...string) (by []credential) {
	for _, n := range names {
		by = append(by, credential{Name: n, PassphraseFile: filepath.Join(b.dir, sampleStaffDirectory, n+".pass")})
	}
	return by
}

func (b *noticeBed) apply(c change, names ...string) (changed, error) {
	c.By = b.as(names...)
	return b.e.apply(b.t.Context(), c)
}

func (b *noticeBed) must(told changed, err error) changed {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	return told
}

// draft makes the notices of an incident, and set is what sending would send.
func (b *noticeBed) draft(incident string) (set string) {
	b.t.Helper()
	b.must(b.apply(change{NoticeDraft: &noticeDraftChange{Incident: incident}}, "chen"))
	return b.set(incident)
}

func (b *noticeBed) set(incident string) (set string) {
	b.e.office.view(func(r *rooms) { set = r.redress.NoticeSet(incident, "") })
	return set
}

// notices are the newest records.
func (b *noticeBed) notices(incident string) (list []redress.Notice) {
	return must(b.e.noticesOf(&noticesQuery{Incident: incident})).Notices
}

// send has two people send what is drafted.
func (b *noticeBed) send(incident string) {
	b.t.Helper()
	b.must(b.apply(change{NoticeSend: &noticeSendChange{incident, b.set(incident)}}, "chen", "wang"))
}

// until waits until notices are as told, by the outbox's own pace.
func (b *noticeBed) until(incident string, done func([]redress.Notice) bool) []redress.Notice {
	b.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if list := b.notices(incident); done(list) {
			return list
		}
	}
	list := b.notices(incident)
	for i := range list {
		b.t.Logf("%s %s %s %+v", list[i].ID, list[i].To.Channel, list[i].State, list[i].Attempts)
	}
	b.t.Fatal("the outbox does not come to its end")
	return nil
}

// refusals counts what the journal holds of refused acts.
func (b *noticeBed) refusals() (n int) {
	b.t.Helper()
	next := uint64(1)
	err := eachEntry(b.t.Context(), b.e.store.Reader, &next, func(e journal.Entry) error {
		if e.Kind.OfActs() && bytes.Contains(e.Body, []byte(`"refused":`)) {
			n++
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// testCatcher is a mail catcher on a free port until the test ends.
func testCatcher(t *testing.T, c *notify.Catcher) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if err := c.Open(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(ln) }()
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), <-ended); err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

func states(list []redress.Notice) map[redress.NoticeState]int {
	n := map[redress.NoticeState]int{}
	for i := range list {
		n[list[i].State]++
	}
	return n
}

// stopped is the end of an incident's notices: nothing more happens without people.
func stopped(list []redress.Notice) bool { return len(list) > 0 && !moving(list) }

// skipUnderRace leaves a test out of the race detector's run: a page of a shop's kit takes seconds there, and
// TestMailServerThatSaysLaterForEver runs the whole outbox under it.
func skipUnderRace(t *testing.T) {
	t.Helper()
	if underRace {
		t.Skip("left out of -race: making pages takes seconds there")
	}
}

func TestNoticesNeedTwoPeopleAndWhatTheySaw(t *testing.T) {
	skipUnderRace(t)
	box := &notify.Catcher{}
	b := newNoticeBed(t, testCatcher(t, box))
	defer b.close()
	stop := b.e.startOutbox(t.Context())
	defer stop()
	set := b.draft("INC-1")
	if n := states(b.notices("INC-1")); n[redress.NoticeDrafted] != 7 {
		t.Fatalf("drafted %v, want 7: issuer, two public, regulator, internal, two shops", n)
	}
	send := func(set string) change { return change{NoticeSend: &noticeSendChange{"INC-1", set}} }

	before := b.refusals()
	if _, err := b.apply(send(set), "li"); !errors.Is(err, staff.ErrRole) {
		t.Errorf("a field engineer sends: %v", err)
	}
	if _, err := b.apply(send(set), "chen", "chen"); !errors.Is(err, staff.ErrSame) {
		t.Errorf("one person twice: %v", err)
	}
	if _, err := b.apply(send("another set"), "chen", "wang"); !errors.Is(err, redress.ErrNotice) {
		t.Errorf("what nobody saw: %v", err)
	}
	if got := b.refusals() - before; got != 3 {
		t.Errorf("%d refusals are journaled, want 3", got)
	}
	told := b.must(b.apply(send(set), "chen"))
	if told.Proposal == "" {
		t.Fatal("one person's request is no proposal")
	}
	if n := states(b.notices("INC-1")); n[redress.NoticeDrafted] != 7 {
		t.Errorf("after a proposal alone: %v", n)
	}
	b.must(b.apply(change{Approve: &approveChange{ID: told.Proposal}}, "wang"))
	list := b.until("INC-1", stopped)
	if n := states(list); n[redress.NoticeSent] != 7 {
		t.Fatalf("%v, want 7 sent", n)
	}
	for i := range list {
		if list[i].Proof == nil || len(list[i].By) != 2 || list[i].Proposal != told.Proposal {
			t.Errorf("%s has no proof, or not two people: %+v", list[i].ID, list[i])
		}
	}
	if got := must(notify.Mailbox(box.Dir)); len(got) != 5 {
		t.Errorf("%d mails, want 5", len(got))
	}
	if again := b.must(b.apply(change{NoticeDraft: &noticeDraftChange{Incident: "INC-1"}}, "chen")); !strings.Contains(again.What, "made already") {
		t.Errorf("drafted again: %s", again.What)
	}
	if _, err := b.apply(send(b.set("INC-1")), "chen", "wang"); !errors.Is(err, redress.ErrNotice) {
		t.Errorf("sent again: %v", err)
	}
}

func TestDrillGoesToDrillRecipientsOnly(t *testing.T) {
	skipUnderRace(t)
	box := &notify.Catcher{}
	b := newNoticeBed(t, testCatcher(t, box))
	defer b.close()
	defer b.e.startOutbox(t.Context())()
	b.draft("INC-3-DRILL")
	b.send("INC-3-DRILL")
	list := b.until("INC-3-DRILL", stopped)
	if n := states(list); n[redress.NoticeSent] != 5 || len(list) != 5 {
		t.Fatalf("%v", n)
	}
	for _, m := range must(notify.Mailbox(box.Dir)) {
		raw := must(notify.CaughtMessage(box.Dir, m.N))
		if m.To[0] != "drill@acquirer.example" || len(m.To) != 1 || !strings.Contains(notify.Subject(raw), "DRILL 演练") {
			t.Errorf("mail %d to %v, %q", m.N, m.To, notify.Subject(raw))
		}
	}
	if _, err := os.Stat(filepath.Join(b.dir, outgoingDirectory)); !errors.Is(err, os.ErrNotExist) {
		t.Error("a drill put files into the outgoing directory")
	}
}

// TestMailServerThatSaysLaterForEver: its notices are given up with the server's words after the bound, nothing is half done, the
// rest goes its way; a person has them tried again when the server is well.
func TestMailServerThatSaysLaterForEver(t *testing.T) {
	box := &notify.Catcher{Answer: 451}
	b := newNoticeBed(t, testCatcher(t, box))
	defer b.close()
	defer b.e.startOutbox(t.Context())()
	b.draft("INC-1")
	b.send("INC-1")
	list := b.until("INC-1", stopped)
	if n := states(list); n[redress.NoticeGivenUp] != 5 || n[redress.NoticeSent] != 2 {
		t.Fatalf("%v, want 5 given up and the 2 files sent", n)
	}
	for i := range list {
		n := &list[i]
		if n.To.Channel == redress.ByMail && (len(n.Attempts) != 3 || n.Attempts[2].Code != 451 || n.Attempts[2].Result != redress.RefusedNow || n.Proof != nil) {
			t.Errorf("%s: %+v", n.ID, n.Attempts)
		}
	}
	if got := must(notify.Mailbox(box.Dir)); len(got) != 0 {
		t.Errorf("%d mails kept", len(got))
	}
	well := &notify.Catcher{}
	b.e.notices.SMTP.Address = testCatcher(t, well)
	b.must(b.apply(change{NoticeRetry: &noticeRetryChange{Incident: "INC-1"}}, "wang"))
	if n := states(b.until("INC-1", stopped)); n[redress.NoticeSent] != 7 {
		t.Errorf("after a retry: %v", n)
	}
	if got := must(notify.Mailbox(well.Dir)); len(got) != 5 {
		t.Errorf("%d mails kept, want 5", len(got))
	}
}

func TestMailServerThatIsDown(t *testing.T) {
	skipUnderRace(t)
	b := newNoticeBed(t, newClosedDoor(t).at)
	defer b.close()
	defer b.e.startOutbox(t.Context())()
	b.draft("INC-1")
	b.send("INC-1")
	list := b.until("INC-1", func(l []redress.Notice) bool {
		n := states(l)
		return n[redress.NoticeSent] == 2 && n[redress.NoticeGivenUp] > 0
	})
	for i := range list {
		for _, a := range list[i].Attempts {
			if list[i].To.Channel == redress.ByMail && a.Result != "" && (a.Result != redress.Unreachable || !strings.Contains(a.Text, "connection refused")) {
				t.Errorf("%s: %+v", list[i].ID, a)
			}
		}
	}
}

// TestDraftsThatCannotBeMade: what is wrong is told and journaled, and nothing is drafted.
func TestDraftsThatCannotBeMade(t *testing.T) {
	skipUnderRace(t)
	b := newNoticeBed(t, "127.0.0.1:1")
	defer b.close()
	for name, c := range map[string]noticeDraftChange{
		"a link":               {Incident: "INC-1", Cause: notify.Text{EN: "see https://x.example/", ZH: "x"}},
		"a card number":        {Incident: "INC-1", Measures: []notify.Text{{EN: "card 6299990000000004 was blocked", ZH: "x"}}},
		"no such information":  {Incident: "INC-1", Kinds: []string{"shoe_size"}},
		"too long for a page":  {Incident: "INC-1", Cause: notify.Text{EN: strings.Repeat("a long cause ", 600), ZH: "x"}},
		"an incident too long": {Incident: "INC-" + strings.Repeat("9", redress.MaxNoticeText)},
	} {
		before := b.refusals()
		_, err := b.apply(change{NoticeDraft: &c}, "chen")
		if err == nil || b.refusals() != before+1 || len(b.notices("")) != 0 {
			t.Errorf("%s: %v, %d refusals, %d notices", name, err, b.refusals()-before, len(b.notices("")))
		}
	}
	b.e.notices, b.e.noticesErr = nil, errNoNotices
	if _, err := b.apply(change{NoticeDraft: &noticeDraftChange{Incident: "INC-1"}}, "chen"); err == nil || !strings.Contains(err.Error(), noticeFile) {
		t.Errorf("without an address book: %v", err)
	}
}

// cutting is a proxy before a mail server. When the server has said that it keeps a message, the proxy calls cut instead of passing
// that on, once.
type cutting struct {
	to   string
	cut  func()
	done chan struct{}
}

var keptLine = regexp.MustCompile(`250 2\.0\.0 Ok: kept as`)

func (p *cutting) serve(ln net.Listener) {
	first := true
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		up, err := net.Dial("tcp", p.to)
		if err != nil {
			conn.Close()
			continue
		}
		go func() {
			_, _ = io.Copy(up, conn)
			up.Close()
		}()
		b := make([]byte, 4096)
		for {
			n, err := up.Read(b)
			if first && keptLine.Match(b[:n]) {
				first = false
				p.cut()
				close(p.done)
				break
			}
			if _, werr := conn.Write(b[:n]); err != nil || werr != nil {
				break
			}
		}
		conn.Close()
	}
}

// TestKillNineBetweenAttemptAndRecord: the host dies by kill -9 when the mail server has taken a message and the host has not heard
// it. Afterwards the attempt is recorded as in doubt, the notice goes again under its Message-ID, and the server has each once.
func TestKillNineBetweenAttemptAndRecord(t *testing.T) {
	skipInShort(t)
	box := &notify.Catcher{}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := newNoticeBed(t, ln.Addr().String())
	bed := &crashBed{t: t, root: t.TempDir()}
	proxy := &cutting{to: testCatcher(t, box), done: make(chan struct{})}
	var host *crashHost
	started := make(chan struct{})
	proxy.cut = func() {
		<-started
		host.kill()
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		proxy.serve(ln)
	}()
	defer func() {
		ln.Close()
		<-served
	}()
	b.draft("INC-1")
	b.send("INC-1")
	b.close()
	if host, err = bed.serve(b.dir, nil); err != nil {
		t.Fatal(err)
	}
	close(started)
	select {
	case <-proxy.done:
	case <-time.After(hostStarts):
		t.Fatal("no mail was sent")
	}
	b.e = openForTest(t, b.dir, nil)
	b.ready()
	doubt := ""
	for _, n := range b.notices("INC-1") {
		if n.State == redress.NoticeSending && n.To.Channel == redress.ByMail {
			doubt = n.ID
		}
	}
	if doubt == "" || len(must(notify.Mailbox(box.Dir))) != 1 {
		t.Fatalf("after kill -9: %v, %d mails", states(b.notices("INC-1")), len(must(notify.Mailbox(box.Dir))))
	}
	stop := b.e.startOutbox(t.Context())
	list := b.until("INC-1", stopped)
	stop()
	for i := range list {
		n := &list[i]
		if n.State != redress.NoticeSent {
			t.Errorf("%s is %s", n.ID, n.State)
		}
		if n.ID == doubt && (len(n.Attempts) != 2 || n.Attempts[0].Result != redress.Doubtful || !strings.Contains(n.Attempts[0].Text, "program ended") || !strings.Contains(n.Proof.Text, "offered 2 times")) {
			t.Errorf("%s: %+v", n.ID, n.Attempts)
		}
	}
	all := must(notify.Mailbox(box.Dir))
	seen := map[string]bool{}
	for i := range all {
		if seen[all[i].To[0]] {
			t.Errorf("%s has two mails", all[i].To[0])
		}
		seen[all[i].To[0]] = true
	}
	if len(all) != 5 {
		t.Errorf("%d mails, want 5", len(all))
	}
	b.close()
}
