package redress_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/redress"
)

var noticePolicy = redress.NoticePolicy{Attempts: 3, First: time.Second, Longest: 3 * time.Second}

func drafted(n int, more ...func(*redress.Notice)) redress.Notice {
	x := redress.Notice{ID: fmt.Sprintf("NTC-%d", n), Incident: "INC-1", Kind: redress.ConsumerNotice, To: redress.NoticeTo{Name: "desk", Group: redress.GroupPublic,
		Channel: redress.ByMail, Address: "desk@acquirer.example"}, Subject: "Notice", Key: fmt.Sprintf("ntc-%d.00@acquirer.example", n), Message: strings.Repeat("a", 64),
		Contents: []redress.NoticeContent{{Name: "text.txt", Type: "text/plain", Digest: strings.Repeat("b", 64), Bytes: 10}}, Basis: fmt.Sprint("basis ", n)}
	for _, f := range more {
		f(&x)
	}
	return x
}

// room folds what rules decide, as the journal does.
type room struct {
	t *testing.T
	s *redress.State
}

func newRoom(t *testing.T) *room { return &room{t, redress.NewState()} }

func (r *room) do(drafts []journal.Draft, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, d := range drafts {
		if err := d.Act.Check(); err != nil {
			r.t.Fatal(err)
		}
		for _, c := range d.Act.Changes {
			for range 2 { // folding twice changes nothing
				if err := r.s.Fold(1, c); err != nil {
					r.t.Fatal(err)
				}
			}
		}
	}
}

// queue drafts n notices and has two people agree to them.
func (r *room) queue(n int) {
	r.t.Helper()
	var list []redress.Notice
	for i := range n {
		list = append(list, drafted(r.s.NextNotice()+i, func(x *redress.Notice) { x.To.Address = fmt.Sprintf("desk%d@acquirer.example", i) }))
	}
	r.do(redress.DraftNotices(r.s, list, "chen", 1))
	r.do(redress.QueueNotices(r.s, "INC-1", r.s.NoticeSet("INC-1", ""), []string{"chen", "wang"}, "PRP-1", 2))
}

func TestNoticeIsSentOnceWithProof(t *testing.T) {
	r := newRoom(t)
	r.queue(1)
	r.do(redress.BeginAttempt(r.s, "NTC-1", 3))
	if _, err := redress.BeginAttempt(r.s, "NTC-1", 4); !errors.Is(err, redress.ErrNotice) {
		t.Errorf("a second attempt while one is going on: %v", err)
	}
	r.do(redress.EndAttempt(r.s, "NTC-1", redress.Attempt{Result: redress.Accepted, Code: 250, Text: "2.0.0 Ok: queued as 4F5A1", Reference: "4F5A1"}, true, noticePolicy, 5))
	proof, err := r.s.ProofOf("NTC-1")
	if err != nil || proof.Code != 250 || proof.At != 5 || len(proof.Digest) != 64 || proof.Notice != "NTC-1" {
		t.Errorf("proof %+v, %v", proof, err)
	}
	for name, try := range map[string]func() error{
		"begin": func() error { _, err := redress.BeginAttempt(r.s, "NTC-1", 9); return err },
		"end": func() error {
			_, err := redress.EndAttempt(r.s, "NTC-1", redress.Attempt{Result: redress.Accepted}, true, noticePolicy, 9)
			return err
		},
		"retry": func() error { _, err := redress.RetryNotice(r.s, []string{"NTC-1"}, "chen", 9); return err },
		"queue": func() error {
			_, err := redress.QueueNotices(r.s, "INC-1", r.s.NoticeSet("INC-1", ""), []string{"chen", "wang"}, "PRP-2", 9)
			return err
		},
	} {
		if try() == nil {
			t.Errorf("%s of a notice that was sent is not refused", name)
		}
	}
	if due, _ := r.s.DueNotices(1<<60, 10); len(due) != 0 {
		t.Error("a notice that was sent is due")
	}
}

func TestProofIsOfWhatWasSaid(t *testing.T) {
	n := drafted(1)
	base := redress.Attempt{Ended: 5, Code: 250, Text: "ok", Reference: "1"}
	seen := map[string]string{n.ProofText(base): "base"}
	for name, change := range map[string]func(*redress.Notice, *redress.Attempt){
		"instant": func(_ *redress.Notice, a *redress.Attempt) { a.Ended++ }, "code": func(_ *redress.Notice, a *redress.Attempt) { a.Code++ },
		"words": func(_ *redress.Notice, a *redress.Attempt) { a.Text += "." }, "queue id": func(_ *redress.Notice, a *redress.Attempt) { a.Reference += "2" },
		"address": func(n *redress.Notice, _ *redress.Attempt) { n.To.Address += "x" }, "message": func(n *redress.Notice, _ *redress.Attempt) { n.Message += "x" },
		"key": func(n *redress.Notice, _ *redress.Attempt) { n.Key += "x" }, "notice": func(n *redress.Notice, _ *redress.Attempt) { n.ID += "1" },
	} {
		m, a := n, base
		change(&m, &a)
		text := m.ProofText(a)
		if other, dup := seen[text]; dup {
			t.Errorf("another %s has the proof text of %s", name, other)
		}
		seen[text] = name
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	r := newRoom(t)
	r.queue(1)
	now := pos.Instant(10)
	var waits []time.Duration
	for r.s.Notice("NTC-1").State == redress.NoticeQueued {
		now = max(now, r.s.Notice("NTC-1").Next)
		r.do(redress.BeginAttempt(r.s, "NTC-1", now))
		r.do(redress.EndAttempt(r.s, "NTC-1", redress.Attempt{Result: redress.RefusedNow, Code: 451, Text: "4.3.0 later"}, true, noticePolicy, now))
		if n := r.s.Notice("NTC-1"); n.State == redress.NoticeQueued {
			waits = append(waits, n.Next.Sub(now))
		}
	}
	n := r.s.Notice("NTC-1")
	if n.State != redress.NoticeGivenUp || len(n.Attempts) != 3 || n.Attempts[2].Code != 451 || n.Proof != nil {
		t.Errorf("after the last attempt: %+v", n)
	}
	if fmt.Sprint(waits) != "[1s 2s]" {
		t.Errorf("waits %v, want 1s 2s", waits)
	}
	r.do(redress.RetryNotice(r.s, []string{"NTC-1"}, "chen", now))
	r.do(redress.BeginAttempt(r.s, "NTC-1", now))
	r.do(redress.EndAttempt(r.s, "NTC-1", redress.Attempt{Result: redress.Accepted, Code: 250}, true, noticePolicy, now))
	if n := r.s.Notice("NTC-1"); n.State != redress.NoticeSent || n.Attempts[3].N != 4 {
		t.Errorf("after a person's retry: %+v", n)
	}
}

func TestWhatFollowsAnAttempt(t *testing.T) {
	for _, c := range []struct {
		name   string
		result redress.AttemptResult
		resend bool
		state  redress.NoticeState
		kept   redress.AttemptResult
	}{
		{"taken", redress.Accepted, false, redress.NoticeSent, redress.Accepted},
		{"refused for good", redress.Refused, true, redress.NoticeFailed, redress.Refused},
		{"refused for now", redress.RefusedNow, false, redress.NoticeQueued, redress.RefusedNow},
		{"no server", redress.Unreachable, false, redress.NoticeQueued, redress.Unreachable},
		{"in doubt, receiver knows the key", redress.Doubtful, true, redress.NoticeQueued, redress.Doubtful},
		{"in doubt, receiver does not", redress.Doubtful, false, redress.NoticeInDoubt, redress.Doubtful},
		{"nothing said, receiver knows the key", "", true, redress.NoticeQueued, redress.Doubtful},
		{"nothing said, receiver does not", "", false, redress.NoticeInDoubt, redress.Doubtful},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRoom(t)
			r.queue(1)
			r.do(redress.BeginAttempt(r.s, "NTC-1", 3))
			r.do(redress.EndAttempt(r.s, "NTC-1", redress.Attempt{Result: c.result}, c.resend, noticePolicy, 4))
			n := r.s.Notice("NTC-1")
			if n.State != c.state || n.Attempts[0].Result != c.kept {
				t.Errorf("%s, %s; want %s, %s", n.State, n.Attempts[0].Result, c.state, c.kept)
			}
			if (n.Proof != nil) != (c.state == redress.NoticeSent) {
				t.Errorf("proof %v of a notice that is %s", n.Proof, n.State)
			}
		})
	}
}

func TestDraftsAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*redress.Notice){
		"a drill to the public":         func(n *redress.Notice) { n.Drill = true },
		"no drill to drill recipients":  func(n *redress.Notice) { n.To.Group = redress.GroupDrill },
		"a number out of turn":          func(n *redress.Notice) { n.ID = "NTC-2" },
		"no address":                    func(n *redress.Notice) { n.To.Address = "" },
		"an address of two lines":       func(n *redress.Notice) { n.To.Address = "a@b\r\nRCPT TO:<c@d>" },
		"a subject of two lines":        func(n *redress.Notice) { n.Subject = "a\nBcc: x@y" },
		"a subject over the bound":      func(n *redress.Notice) { n.Subject = strings.Repeat("x", redress.MaxNoticeText+1) },
		"no such channel":               func(n *redress.Notice) { n.To.Channel = "pigeon" },
		"no content":                    func(n *redress.Notice) { n.Contents = nil },
		"too many contents":             func(n *redress.Notice) { n.Contents = make([]redress.NoticeContent, redress.MaxNoticeContents+1) },
		"a key that is not UTF-8":       func(n *redress.Notice) { n.Key = "\xff" },
		"an incident that is not named": func(n *redress.Notice) { n.Incident = "" },
	} {
		if _, err := redress.DraftNotices(redress.NewState(), []redress.Notice{drafted(1, spoil)}, "chen", 1); !errors.Is(err, redress.ErrNotice) {
			t.Errorf("%s: %v", name, err)
		}
	}
	whole := drafted(1, func(n *redress.Notice) { n.Subject = strings.Repeat("x", redress.MaxNoticeText) })
	if _, err := redress.DraftNotices(redress.NewState(), []redress.Notice{whole}, "chen", 1); err != nil {
		t.Errorf("a subject at the bound: %v", err)
	}
}

func TestQueueIsRefused(t *testing.T) {
	r := newRoom(t)
	r.do(redress.DraftNotices(r.s, []redress.Notice{drafted(1)}, "chen", 1))
	set := r.s.NoticeSet("INC-1", "")
	two := []string{"chen", "wang"}
	refused := func(name string, err error) {
		t.Helper()
		var refusal *journal.Refusal
		if !errors.As(err, &refusal) {
			t.Errorf("%s: %v, want a refusal that is journaled", name, err)
		}
	}
	_, err := redress.QueueNotices(r.s, "INC-1", set, []string{"chen"}, "PRP-1", 2)
	refused("one person", err)
	_, err = redress.QueueNotices(r.s, "INC-2", set, two, "PRP-1", 2)
	refused("another incident", err)
	r.do(redress.DraftNotices(r.s, []redress.Notice{drafted(2, func(n *redress.Notice) { n.To.Name = "press" })}, "chen", 1))
	_, err = redress.QueueNotices(r.s, "INC-1", set, two, "PRP-1", 2)
	refused("drafts that came after what was agreed to", err)

	set = r.s.NoticeSet("INC-1", "")
	drafts, err := redress.QueueNotices(r.s, "INC-1", set, two, "PRP-1", 3)
	if err != nil {
		t.Fatal(err)
	}
	// The program dies after the act. Carried out again under the same proposal it changes nothing, and is no refusal.
	r.do(drafts, nil)
	if again, err := redress.QueueNotices(r.s, "INC-1", set, two, "PRP-1", 4); err != nil || len(again) != 0 {
		t.Errorf("carried out again: %d acts, %v", len(again), err)
	}
	_, err = redress.QueueNotices(r.s, "INC-1", set, two, "PRP-9", 4)
	refused("the same under another proposal", err)
}

// TestQueueInParts: many notices are more than one act; where the program dies between two of them, carrying out again does
// the rest.
func TestQueueInParts(t *testing.T) {
	r := newRoom(t)
	var list []redress.Notice
	for i := range 100 {
		list = append(list, drafted(1+i, func(n *redress.Notice) { n.To.Name = fmt.Sprint("shop-", i) }))
	}
	r.do(redress.DraftNotices(r.s, list, "chen", 1))
	set := r.s.NoticeSet("INC-1", "")
	drafts, err := redress.QueueNotices(r.s, "INC-1", set, []string{"chen", "wang"}, "PRP-1", 2)
	if err != nil || len(drafts) < 2 {
		t.Fatalf("%d acts, %v; want several", len(drafts), err)
	}
	r.do(drafts[:1], nil)
	r.do(redress.QueueNotices(r.s, "INC-1", set, []string{"chen", "wang"}, "PRP-1", 3))
	if due, _ := r.s.DueNotices(10, 1000); len(due) != 100 {
		t.Errorf("%d due, want 100", len(due))
	}
	first := 0
	for _, n := range r.s.Notices("INC-1") {
		if n.Queued == 2 {
			first++
		}
	}
	if first != len(drafts[0].Act.Changes) {
		t.Errorf("%d were queued by the act before the crash, want %d: those stay as they were", first, len(drafts[0].Act.Changes))
	}
}

func TestDraftTakesThePlaceOfDraft(t *testing.T) {
	r := newRoom(t)
	r.do(redress.DraftNotices(r.s, []redress.Notice{drafted(1)}, "chen", 1))
	if !r.s.NoticeMade("INC-1", redress.ConsumerNotice, drafted(1).To, "basis 1") {
		t.Error("a notice that is drafted is not known to be made")
	}
	r.do(redress.DraftNotices(r.s, []redress.Notice{drafted(2)}, "chen", 2))
	if s := r.s.Notice("NTC-1").State; s != redress.NoticeSuperseded {
		t.Errorf("the earlier draft is %s", s)
	}
	if r.s.NoticeMade("INC-1", redress.ConsumerNotice, drafted(1).To, "basis 1") {
		t.Error("a superseded notice counts as made")
	}
	r.do(redress.QueueNotices(r.s, "INC-1", r.s.NoticeSet("INC-1", ""), []string{"chen", "wang"}, "PRP-1", 3))
	r.do(redress.DraftNotices(r.s, []redress.Notice{drafted(3)}, "chen", 4))
	if s := r.s.Notice("NTC-2").State; s != redress.NoticeQueued {
		t.Errorf("a notice that people agreed to was taken back by a draft: %s", s)
	}
}

// TestRecordFitsItsEntry: whatever the other side says, at every attempt, the record is no more than an entry holds.
func TestRecordFitsItsEntry(t *testing.T) {
	r := newRoom(t)
	long := strings.Repeat("\u2028<&\x00\xff\"", 400)
	wide := func(n *redress.Notice) {
		n.Subject, n.Key, n.To.Address = strings.Repeat("\u2028", 66), strings.Repeat("<", 200), strings.Repeat("&", 200)
		n.Contents = nil
		for i := range redress.MaxNoticeContents {
			n.Contents = append(n.Contents, redress.NoticeContent{Name: fmt.Sprintf("%040d", i), Type: strings.Repeat("x", 60), Digest: strings.Repeat("c", 64), Bytes: 1 << 40})
		}
	}
	r.do(redress.DraftNotices(r.s, []redress.Notice{drafted(1, wide)}, "chen", 1))
	r.do(redress.QueueNotices(r.s, "INC-1", r.s.NoticeSet("INC-1", ""), []string{strings.Repeat("a", 32), strings.Repeat("b", 32)}, "PRP-1", 2))
	many := redress.NoticePolicy{Attempts: redress.MaxAttempts, First: time.Second, Longest: time.Second}
	for now := pos.Instant(10); r.s.Notice("NTC-1").State == redress.NoticeQueued; now = r.s.Notice("NTC-1").Next {
		r.do(redress.BeginAttempt(r.s, "NTC-1", now))
		drafts, err := redress.EndAttempt(r.s, "NTC-1", redress.Attempt{Result: redress.RefusedNow, Code: 451, Text: long, Reference: long, Talk: strings.Repeat("d", 64)}, true, many, now)
		r.do(drafts, err)
		if n := len(drafts[0].Act.Changes[0].Record); n > journal.MaxEntry-1024 {
			t.Fatalf("a record of %d bytes", n)
		}
	}
	n := r.s.Notice("NTC-1")
	if len(n.Attempts) != redress.MaxAttemptsKept || n.Attempts[len(n.Attempts)-1].N != redress.MaxAttempts {
		t.Errorf("%d attempts kept, the last is %d", len(n.Attempts), n.Attempts[len(n.Attempts)-1].N)
	}
}

func FuzzNoticeRecord(f *testing.F) {
	f.Add("NTC-1", []byte(`{"id":"NTC-1","incident":"INC-1","state":"queued"}`))
	f.Add("NTC-x", []byte(`{`))
	f.Add("NTC-2", []byte(`{"attempts":[{"n":-1}],"state":"sending"}`))
	f.Fuzz(func(t *testing.T, id string, record []byte) {
		s := redress.NewState()
		if s.Fold(1, journal.Change{Noun: redress.NounNotice, ID: id, Record: record}) != nil {
			return
		}
		s.DueNotices(1<<62, 10)
		s.Interrupted()
		s.Notices("")
		s.NoticeSet("INC-1", "PRP-1")
		_, _ = redress.BeginAttempt(s, id, 1<<62)
		_, _ = redress.EndAttempt(s, id, redress.Cut(), true, noticePolicy, 5)
		_, _ = redress.RetryNotice(s, []string{id}, "chen", 5)
	})
}
