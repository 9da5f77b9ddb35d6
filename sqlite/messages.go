package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// messageSchema lets the refusals of a terminal, and of a merchant, be read newest first without looking at the others.
const messageSchema = `
CREATE INDEX IF NOT EXISTS refusal_terminal ON refusal(terminal, seq);
CREATE INDEX refusal_merchant ON refusal(merchant, seq);`

// MessageQuery says which messages are listed, newest first. A zero field does not narrow.
type MessageQuery struct {
	Terminals []pos.TerminalID // of any of these; nil: of all
	Merchant  pos.MerchantID   // that the message claims
	STAN      *pos.STAN
	Reason    reason.Reason
	Code      pos.ResponseCode
	Refused   bool
	Approved  bool
	From, To  pos.Instant                                // at or after From, before To
	Before    uint64                                     // entries below this number
	After     uint64                                     // entries above this number
	Match     func(seq uint64, x *journal.Exchange) bool // what else must hold; nil: nothing
	Most      int
	Walk      int // entries of blocks looked at, at the most; 0 or more than mostWalked is mostWalked
}

// walk is how many entries of blocks may be looked at.
func (q *MessageQuery) walk() int {
	if q.Walk > 0 {
		return min(q.Walk, mostWalked)
	}
	return mostWalked
}

// Bounds of one listing. What they leave unseen is asked for by the next one, from Messages.From on.
const (
	mostWalked   = 6_000  // entries of blocks looked at, newest backward
	mostRefusals = 20_000 // rows of view.db's refusals looked at
	mostFetched  = 2_000  // entries of a terminal's postings that were read
	mostMerged   = 256    // terminals whose postings are read side by side; of more, the blocks are
)

// Judged is one exchange and its entry. The exchange's Details and Wrapped are its own.
type Judged struct {
	Seq uint64
	journal.Exchange
}

// Messages is the answer of a listing.
type Messages struct {
	List []Judged // newest first, at most Most
	From uint64   // every entry from here to where it began was looked at
	More bool     // there are older entries
	Lag  uint64   // entries that view.db does not cover; they were looked at all the same
}

// Messages lists exchanges, newest first. view.db gives refusals and each terminal's messages as far as it reaches;
// newer entries, and questions that it has no index for, are answered from the blocks.
func (r *Reader) Messages(ctx context.Context, q *MessageQuery) (Messages, error) {
	view, done := r.ownView(ctx)
	if view != nil {
		defer done()
	}
	return r.messages(ctx, view, q)
}

// Messages is Reader.Messages over the projector's own open files.
func (p *Projector) Messages(ctx context.Context, q *MessageQuery) (Messages, error) {
	return p.journal.messages(ctx, p.read.Load(), q)
}

// listing is a listing being made.
type listing struct {
	r    *Reader
	q    *MessageQuery
	out  Messages
	left int // entries of blocks that may still be looked at
	last journal.Block

	scratch Judged // of the entry that is looked at: of fifty thousand a few are kept
}

func (r *Reader) messages(ctx context.Context, view *sql.DB, q *MessageQuery) (Messages, error) {
	l := &listing{r: r, q: q, left: q.walk()}
	low, high, err := l.span(ctx)
	if err != nil || low > high {
		return Messages{From: low}, err
	}
	covered := uint64(0)
	if view != nil {
		p, err := readPosition(ctx, view)
		if err != nil {
			return Messages{}, err
		}
		covered = p.last
		if head, _, err := r.Head(ctx); err == nil && head > covered {
			l.out.Lag = head - covered
		}
	}
	l.out.From = high + 1
	if high > covered {
		if err := l.walk(ctx, max(low, covered+1), high); err != nil {
			return Messages{}, err
		}
	}
	if !l.full() && l.out.From > low && l.left > 0 {
		if err := l.covered(ctx, view, low, min(high, covered)); err != nil {
			return Messages{}, fmt.Errorf("list messages: %w", err)
		}
	}
	if len(l.out.List) >= q.Most && q.Most > 0 {
		l.out.From = l.out.List[len(l.out.List)-1].Seq
	}
	l.out.More = l.out.From > low
	return l.out, nil
}

// covered lists what view.db covers, by what narrows most.
func (l *listing) covered(ctx context.Context, view *sql.DB, low, high uint64) error {
	switch n := len(l.q.Terminals); {
	case view == nil || low > high:
	case n > 0 && n <= mostMerged && (!l.q.Refused && l.q.Reason == reason.None || n > 1 || l.q.STAN != nil):
		return l.postings(ctx, view, low, high)
	case l.q.Refused || l.q.Reason != reason.None:
		return l.refusals(ctx, view, low, high)
	}
	return l.walk(ctx, low, min(high, l.out.From-1))
}

// span is the first and the last entry that may be listed.
func (l *listing) span(ctx context.Context) (low, high uint64, err error) {
	head, _, err := l.r.Head(ctx)
	if err != nil {
		return 0, 0, err
	}
	low, high = l.q.After+1, head
	if l.q.Before > 0 {
		high = min(high, l.q.Before-1)
	}
	if l.q.From > 0 {
		first, err := l.r.FirstAt(ctx, l.q.From)
		if err != nil {
			return 0, 0, err
		}
		if first == 0 {
			return head + 1, head, nil
		}
		low = max(low, first)
	}
	if l.q.To > 0 {
		first, err := l.r.FirstAt(ctx, l.q.To)
		if err != nil {
			return 0, 0, err
		}
		if first > 0 {
			high = min(high, first-1)
		}
	}
	return low, high, nil
}

func (l *listing) full() bool { return len(l.out.List) >= l.q.Most }

// Fits tells whether a message is one that is asked for. Messages of a reserved terminal, which is made to be refused, are
// only where that terminal is asked for.
func (q *MessageQuery) Fits(m *Judged) bool {
	x := &m.Exchange
	switch {
	case len(q.Terminals) == 0 && x.Flags&journal.FlagCanary != 0,
		len(q.Terminals) > 0 && !contains(q.Terminals, x.Terminal),
		q.Merchant != (pos.MerchantID{}) && x.Merchant != q.Merchant,
		q.STAN != nil && x.STAN != *q.STAN,
		q.Reason != reason.None && x.Reason != q.Reason,
		q.Code != (pos.ResponseCode{}) && x.DE39 != q.Code,
		q.Refused && x.Reason == reason.None, q.Approved && x.Reason != reason.None,
		q.From > 0 && x.At < q.From, q.To > 0 && x.At >= q.To:
		return false
	}
	return q.Match == nil || q.Match(m.Seq, x)
}

func contains(ids []pos.TerminalID, id pos.TerminalID) bool {
	for i := range ids {
		if ids[i] == id {
			return true
		}
	}
	return false
}

// take lists an entry if it is wanted.
func (l *listing) take(e journal.Entry) {
	x := &l.scratch
	*x = Judged{Seq: e.Seq}
	if e.Kind != journal.KindExchange || x.Parse(e) != nil || !l.q.Fits(x) { // one of a newer program cannot be read here
		return
	}
	kept := *x
	kept.Details, kept.Wrapped = append([]byte(nil), x.Details...), nil // views of the block
	l.out.List = append(l.out.List, kept)
}

// leastOfBlock is how many entries a block counts as at the least: an idle host has blocks of one, and reading one has its price.
const leastOfBlock = 12

// walk looks at the blocks from entry high down to low, as many as are left. It reads few at first, since mostly the newest have
// what is wanted, and then more at once.
func (l *listing) walk(ctx context.Context, low, high uint64) error {
	next := high
	for few := 1; next >= low && next > 0 && !l.full() && l.left > 0; few = min(2*few, batchBlocks) {
		batch, err := l.r.blocksBefore(ctx, next+1, few)
		if err != nil {
			return err
		}
		if len(batch) == 0 || batch[0].Last() < next {
			return fmt.Errorf("read journal entry %d: %w", next, ErrNoEntry)
		}
		for _, b := range batch {
			if l.left <= 0 || l.full() {
				return nil
			}
			if err := l.block(b, low, next); err != nil {
				return err
			}
			if b.First <= low || b.First <= 1 {
				return nil
			}
			next = b.First - 1
		}
	}
	return nil
}

// block lists what is wanted of a block, newest first.
func (l *listing) block(b journal.Block, low, high uint64) error {
	var entries []journal.Entry
	err := b.Each(func(e journal.Entry) error {
		if e.Seq >= low && e.Seq <= high && e.Kind == journal.KindExchange {
			entries = append(entries, e)
		}
		return nil
	})
	for i := len(entries) - 1; err == nil && i >= 0 && !l.full(); i-- {
		l.take(entries[i])
	}
	l.left -= max(b.N, leastOfBlock)
	l.out.From = max(b.First, low)
	return err
}

// entry reads one entry; those that stand in one block cost one reading.
func (l *listing) entry(ctx context.Context, seq uint64) error {
	if l.last.N == 0 || seq < l.last.First || seq > l.last.Last() {
		b, err := l.r.blockOf(ctx, seq)
		if err != nil {
			return err
		}
		l.last = b
	}
	err := l.last.Each(func(e journal.Entry) error {
		if e.Seq == seq {
			l.take(e)
			return errEnd
		}
		return nil
	})
	if errors.Is(err, errEnd) {
		return nil
	}
	return err
}

// fewRead is the fewest entries that are read together.
const fewRead = 16

// several reads the first of some entries, which come newest first, as many as may fill the list, and lists those that are
// wanted: n were looked at, one at least.
func (l *listing) several(ctx context.Context, seqs []uint64) (n int, err error) {
	piece := seqs[:min(len(seqs), max(l.q.Most-len(l.out.List), fewRead))]
	read := make([]journal.Entry, 0, len(piece))
	err = l.r.Entries(ctx, piece, func(e journal.Entry) error { read = append(read, e); return nil })
	for i := len(read) - 1; err == nil && i >= 0 && !l.full(); i-- {
		l.take(read[i])
		n++
	}
	return n, err
}

// refusals looks at the rows of refused messages.
func (l *listing) refusals(ctx context.Context, view *sql.DB, low, high uint64) error {
	query, args := l.q.refusalRows(low, high)
	seqs, bottom, err := l.refused(ctx, view, query, args)
	if err != nil {
		return err
	}
	for len(seqs) > 0 {
		n, err := l.several(ctx, seqs)
		if err != nil || l.full() {
			return err
		}
		seqs = seqs[n:]
	}
	l.out.From = low
	if bottom > 0 {
		l.out.From = bottom
	}
	return nil
}

// refusalRows asks for the rows of refusals that may fit, by the index of what narrows most: a terminal has fewer than a merchant,
// and a merchant fewer than a reason. What is asked besides is only looked at ("+" keeps an index from being used for it).
func (q *MessageQuery) refusalRows(low, high uint64) (query string, args []any) {
	query, args = "SELECT seq, stan, de39, merchant FROM refusal WHERE seq >= ? AND seq <= ?", []any{int64(low), int64(high)}
	narrowed := false
	for _, by := range []struct {
		on          bool
		index, look string
		value       any
	}{{len(q.Terminals) == 1, " AND terminal = ?", "", first(q.Terminals)},
		{q.Merchant != pos.MerchantID{} && len(q.Terminals) != 1, " AND merchant = ?", "", q.Merchant.String()},
		{q.Reason != reason.None, " AND reason = ?", " AND +reason = ?", q.Reason.String()}} {
		switch {
		case !by.on:
			continue
		case narrowed:
			query += by.look
		default:
			query += by.index
		}
		narrowed, args = true, append(args, by.value)
	}
	return query + " ORDER BY seq DESC LIMIT ?", append(args, mostRefusals)
}

// refused are the rows that may be wanted; bottom is the last one looked at where there are more, else 0.
func (l *listing) refused(ctx context.Context, view *sql.DB, query string, args []any) (seqs []uint64, bottom uint64, err error) {
	list, err := view.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, 0, err
	}
	defer list.Close()
	looked, code := 0, l.q.Code.String()
	for list.Next() {
		var seq, stan int64
		var de39, merchant string
		if err := list.Scan(&seq, &stan, &de39, &merchant); err != nil {
			return nil, 0, err
		}
		looked++
		if (l.q.STAN == nil || int64(*l.q.STAN) == stan) && (code == "" || code == de39) {
			seqs = append(seqs, uint64(seq))
		}
		// What cannot be asked in SQL may drop some of these, so more than a page is taken, but not without end.
		if looked == mostRefusals || len(seqs) == mostFetched {
			return seqs, uint64(seq), nil
		}
	}
	return seqs, 0, list.Err()
}

func first(ids []pos.TerminalID) string {
	if len(ids) == 0 {
		return ""
	}
	return ids[0].String()
}
