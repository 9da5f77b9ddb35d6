package sqlite_test

import (
	"fmt"
	"slices"
	"testing"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/sqlite"
)

// mixed writes n messages of six terminals of two merchants, every fourth refused, from number from on, block of them in one.
func mixed(t *testing.T, s *sqlite.Store, from, n, block int) (all []*journal.Exchange) {
	t.Helper()
	w := newWriter(t, s)
	for i := from; i < from+n; i++ {
		x := exchange(i%6, i%40)
		x.At = pos.Instant(1000 * (i + 1))
		if i%6 > 3 {
			x.Merchant[14] = '2'
		}
		if i%4 == 3 {
			x.Reason, x.DE39, x.Effect = reason.MACFailed, reason.MACFailed.DE39(), journal.NoEffect
			if i%8 == 7 {
				x.Reason, x.DE39 = reason.BatchMismatch, reason.BatchMismatch.DE39()
			}
		}
		if i%50 == 49 {
			x.Flags |= journal.FlagCanary
		}
		w.add(x)
		all = append(all, x)
		if i%block == 0 {
			w.flush()
		}
	}
	w.flush()
	return all
}

// TestMessages compares every page of every kind of question with what a reading of the whole journal gives, while the view
// covers nothing, a part and all of it.
func TestMessages(t *testing.T) {
	s := openStore(t, t.TempDir())
	all := mixed(t, s, 0, 240, 11)
	p := openProjector(t, s)
	compareMessages(t, "no view", p, all)
	if err := p.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	compareMessages(t, "the view covers all", p, all)
	all = append(all, mixed(t, s, 240, 120, 11)...)
	compareMessages(t, "the view covers the older", p, all)
}

func compareMessages(t *testing.T, name string, p *sqlite.Projector, all []*journal.Exchange) {
	t.Helper()
	trace := pos.STAN(7)
	var shop2 pos.MerchantID
	copy(shop2[:], "898320554110002")
	n := 0
	for _, terminals := range [][]pos.TerminalID{nil, {terminalID(3)}, {terminalID(1), terminalID(5)}} {
		for _, merchant := range []pos.MerchantID{{}, shop2} {
			for _, stan := range []*pos.STAN{nil, &trace} {
				for _, outcome := range []int{0, 1, 2, 3, 4} {
					for _, within := range [][2]pos.Instant{{}, {40_000, 0}, {100_000, 200_000}} {
						q := &sqlite.MessageQuery{Terminals: terminals, Merchant: merchant, STAN: stan, From: within[0], To: within[1], Most: 7}
						switch outcome {
						case 1:
							q.Refused = true
						case 2:
							q.Approved = true
						case 3:
							q.Reason = reason.BatchMismatch
						case 4:
							q.Code = reason.MACFailed.DE39()
						}
						onePaging(t, fmt.Sprintf("%s: %d terminals, %s, trace %v, outcome %d, %v", name, len(terminals), merchant, stan != nil, outcome, within), p, q, all)
						n++
					}
				}
			}
		}
	}
	if n < 100 {
		t.Errorf("%d questions", n)
	}
}

func wanted(q *sqlite.MessageQuery, x *journal.Exchange) bool {
	return (len(q.Terminals) > 0 || x.Flags&journal.FlagCanary == 0) && (len(q.Terminals) == 0 || slices.Contains(q.Terminals, x.Terminal)) &&
		(q.Merchant == pos.MerchantID{} || x.Merchant == q.Merchant) && (q.STAN == nil || x.STAN == *q.STAN) &&
		(q.Reason == reason.None || x.Reason == q.Reason) && (q.Code == pos.ResponseCode{} || x.DE39 == q.Code) &&
		(!q.Refused || x.Reason != reason.None) && (!q.Approved || x.Reason == reason.None) && (q.From == 0 || x.At >= q.From) && (q.To == 0 || x.At < q.To)
}

// onePaging reads every page of a question.
func onePaging(t *testing.T, name string, p *sqlite.Projector, q *sqlite.MessageQuery, all []*journal.Exchange) {
	t.Helper()
	var want, got []uint64
	for i, x := range slices.Backward(all) {
		if wanted(q, x) {
			want = append(want, uint64(i+1))
		}
	}
	for range len(all) + 2 {
		m, err := p.Messages(t.Context(), q)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(m.List) > q.Most {
			t.Fatalf("%s: %d in a page", name, len(m.List))
		}
		for _, x := range m.List {
			got = append(got, x.Seq)
		}
		if q.Before = m.From; !m.More {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: found %d, want %d", name, got, want)
	}
}

// TestMessagesAfter: what a terminal sent next, across the end of what the view covers.
func TestMessagesAfter(t *testing.T) {
	s := openStore(t, t.TempDir())
	all := mixed(t, s, 0, 60, 11)
	p := openProjector(t, s)
	if err := p.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	all = append(all, mixed(t, s, 60, 60, 11)...)
	for seq := range uint64(len(all) + 1) {
		var want []uint64
		for i, x := range all {
			if uint64(i+1) > seq && x.Terminal == terminalID(2) && len(want) < 5 {
				want = append(want, uint64(i+1))
			}
		}
		list, err := p.MessagesAfter(t.Context(), terminalID(2), seq, 5)
		var got []uint64
		for _, m := range list {
			got = append(got, m.Seq)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("after %d: %d, want %d, %v", seq, got, want, err)
		}
	}
}

// TestMessagesBeyondTheBound: what one answer does not look at, it says, and the next one goes on there.
func TestMessagesBeyondTheBound(t *testing.T) {
	s := openStore(t, t.TempDir())
	mixed(t, s, 0, 7_000, 200)
	r := s.Reader
	var never pos.MerchantID
	copy(never[:], "898320554119999")
	q := &sqlite.MessageQuery{Merchant: never, Approved: true, Most: 50}
	m, err := r.Messages(t.Context(), q)
	if err != nil || len(m.List) != 0 || !m.More || m.From < 800 || m.From > 1_001 {
		t.Fatalf("%d found, from %d, more %v, %v", len(m.List), m.From, m.More, err)
	}
	q.Before = m.From
	if m, err = r.Messages(t.Context(), q); err != nil || m.More || m.From != 1 {
		t.Fatalf("from %d, more %v, %v", m.From, m.More, err)
	}
}
