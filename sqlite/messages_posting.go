package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"touchstone/journal"
	"touchstone/pos"
)

// postingRows is how many rows of a terminal are read at once.
const postingRows = 64

// sent is a terminal's messages, newest first, as view.db's postings give them.
type sent struct {
	terminal pos.TerminalID
	next     uint64 // rows that begin below this are not read yet
	end      bool   // there is none
	seqs     []uint64
}

// postings merges the messages of some terminals.
func (l *listing) postings(ctx context.Context, view *sql.DB, low, high uint64) (err error) {
	all := make([]*sent, len(l.q.Terminals))
	for i, id := range l.q.Terminals {
		all[i] = &sent{terminal: id, next: high + 1}
		if err := l.fill(ctx, view, all[i], low, high); err != nil {
			return err
		}
	}
	for fetched := 0; !l.full(); {
		newest := -1
		for i, s := range all {
			if len(s.seqs) > 0 && (newest < 0 || s.seqs[0] > all[newest].seqs[0]) {
				newest = i
			}
		}
		if newest < 0 {
			l.out.From = low
			return nil
		}
		s := all[newest]
		seq := s.seqs[0]
		if fetched >= mostFetched {
			l.out.From = seq + 1
			return nil
		}
		n := 1
		if len(all) == 1 {
			n, err = l.several(ctx, s.seqs[:min(len(s.seqs), mostFetched-fetched)])
		} else {
			err = l.entry(ctx, seq)
		}
		if err != nil {
			return err
		}
		fetched += n
		if s.seqs = s.seqs[n:]; len(s.seqs) == 0 {
			if err := l.fill(ctx, view, s, low, high); err != nil {
				return err
			}
		}
	}
	return nil
}

// fill reads rows of a terminal until there is a message or no more row. A row's messages lie between those of its neighbours.
func (l *listing) fill(ctx context.Context, view *sql.DB, s *sent, low, high uint64) error {
	for len(s.seqs) == 0 && !s.end {
		n, err := l.rows(ctx, view, s, low, high)
		if err != nil {
			return err
		}
		s.end = n < postingRows
	}
	return nil
}

func (l *listing) rows(ctx context.Context, view *sql.DB, s *sent, low, high uint64) (n int, err error) {
	list, err := view.QueryContext(ctx, "SELECT first, body FROM posting WHERE terminal = ? AND first < ? AND last >= ? ORDER BY first DESC LIMIT ?",
		s.terminal.String(), int64(s.next), int64(low), postingRows)
	if err != nil {
		return 0, err
	}
	defer list.Close()
	for ; list.Next(); n++ {
		var first int64
		var body []byte
		if err := list.Scan(&first, &body); err != nil {
			return 0, err
		}
		of, err := messagesOf(uint64(first), body, high)
		if err != nil {
			return 0, err
		}
		for i := len(of) - 1; i >= 0; i-- {
			if of[i].Seq >= low && (l.q.STAN == nil || of[i].STAN == *l.q.STAN) {
				s.seqs = append(s.seqs, of[i].Seq)
			}
		}
		s.next = uint64(first)
	}
	return n, list.Err()
}

// MessagesAfter lists the messages that a terminal sent after an entry, oldest first, at most most. What view.db does not cover
// is read from the blocks, at most mostWalked entries.
func (p *Projector) MessagesAfter(ctx context.Context, id pos.TerminalID, seq uint64, most int) ([]Judged, error) {
	return p.journal.messagesAfter(ctx, p.read.Load(), id, seq, most)
}

// MessagesAfter is Projector.MessagesAfter for who only reads.
func (r *Reader) MessagesAfter(ctx context.Context, id pos.TerminalID, seq uint64, most int) ([]Judged, error) {
	view, done := r.ownView(ctx)
	if view != nil {
		defer done()
	}
	return r.messagesAfter(ctx, view, id, seq, most)
}

func (r *Reader) messagesAfter(ctx context.Context, view *sql.DB, id pos.TerminalID, seq uint64, most int) ([]Judged, error) {
	l := &listing{r: r, q: &MessageQuery{Terminals: []pos.TerminalID{id}, Most: most}, left: mostWalked}
	covered := uint64(0)
	if view != nil {
		p, err := readPosition(ctx, view)
		if err != nil {
			return nil, err
		}
		covered = p.last
		seqs, err := postedAfter(ctx, view, id, seq, most)
		if err != nil {
			return nil, err
		}
		if err := r.Entries(ctx, seqs, func(e journal.Entry) error { l.take(e); return nil }); err != nil {
			return nil, err
		}
	}
	if l.full() {
		return l.out.List, nil
	}
	looked := 0
	err := r.Blocks(ctx, max(covered, seq)+1, func(b journal.Block) error {
		if looked += b.N; looked > mostWalked || l.full() {
			return errEnough
		}
		return b.Each(func(e journal.Entry) error {
			if e.Seq > covered && e.Seq > seq && !l.full() {
				l.take(e)
			}
			return nil
		})
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return l.out.List, nil
}

// postedAfter are the first entries of a terminal after seq.
func postedAfter(ctx context.Context, view *sql.DB, id pos.TerminalID, seq uint64, most int) (seqs []uint64, err error) {
	list, err := view.QueryContext(ctx, "SELECT first, body FROM posting WHERE terminal = ? AND first >= (SELECT coalesce(max(first), 0) FROM posting WHERE terminal = ? AND first <= ?) ORDER BY first LIMIT ?",
		id.String(), id.String(), int64(seq), most+1)
	if err != nil {
		return nil, err
	}
	defer list.Close()
	for list.Next() && len(seqs) < most {
		var first int64
		var body []byte
		if err := list.Scan(&first, &body); err != nil {
			return nil, err
		}
		of, err := messagesOf(uint64(first), body, maxSeq)
		if err != nil {
			return nil, err
		}
		for _, m := range of {
			if m.Seq > seq && len(seqs) < most {
				seqs = append(seqs, m.Seq)
			}
		}
	}
	return seqs, list.Err()
}
