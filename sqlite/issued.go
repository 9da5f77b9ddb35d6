package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/registry"
)

// How much of a terminal's past view.db keeps to find its former keys by.
const (
	keptSignIns = 12
	keptMasters = 6
)

// SignIn is a sign-in that was given working keys.
type SignIn struct {
	Seq  uint64
	Used bool // a message verified under them
}

// signIns are a terminal's of one round, oldest first.
type signIns struct {
	list  []SignIn
	older bool // a message of the round brought the keys of an earlier round's sign-in into force
}

// signIn takes what a message tells of working keys: they were issued, or came into force. The keys that come into
// force are always those of the terminal's newest sign-in.
func (r *round) signIn(seq uint64, x *journal.Exchange) {
	promoted, issued := x.Flags&journal.FlagPromoted != 0, x.Effect == journal.KeysIssued
	if !promoted && !issued {
		return
	}
	s := r.issued[x.Terminal]
	if s == nil {
		s = new(signIns)
		r.issued[x.Terminal] = s
	}
	switch n := len(s.list); {
	case promoted && n > 0:
		s.list[n-1].Used = true
	case promoted:
		s.older = true
	}
	if issued {
		s.list = append(s.list, SignIn{Seq: seq})
	}
}

// loaded is an entry that registered a terminal, and which master key it has from there on.
type loaded struct {
	seq      uint64
	terminal pos.TerminalID
	key      keys.ID
}

func (r *round) terminal(e journal.Entry) {
	var t registry.Terminal
	if json.Unmarshal(e.Body, &t) != nil {
		return
	}
	if _, _, _, id, err := t.Master.Head(); err == nil {
		r.masters = append(r.masters, loaded{e.Seq, t.ID, id})
	}
}

// writeIssued adds the sign-ins and master keys of a round and forgets what is more than is kept.
func (r *round) writeIssued(ctx context.Context, tx *sql.Tx) error {
	type row struct {
		terminal string
		SignIn
	}
	var older []string
	var rows, last []row
	for id, s := range r.issued {
		if s.older {
			older = append(older, id.String())
		}
		for _, one := range s.list[max(0, len(s.list)-keptSignIns):] {
			rows = append(rows, row{id.String(), one})
		}
		if n := len(s.list); n > 0 {
			last = append(last, row{id.String(), s.list[n-1]})
		}
	}
	err := each(ctx, tx, "UPDATE issued SET used = 1 WHERE terminal = ?1 AND seq = (SELECT max(seq) FROM issued WHERE terminal = ?1)", len(older),
		func(i int) []any { return []any{older[i]} })
	if err == nil {
		err = each(ctx, tx, "INSERT INTO issued(terminal, seq, used) VALUES(?, ?, ?)", len(rows), func(i int) []any {
			return []any{rows[i].terminal, int64(rows[i].Seq), rows[i].Used}
		})
	}
	if err == nil {
		err = each(ctx, tx, `DELETE FROM issued WHERE terminal = ?1 AND seq <=
			(SELECT seq FROM issued WHERE terminal = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)`, len(last), func(i int) []any {
			return []any{last[i].terminal, keptSignIns}
		})
	}
	if err == nil {
		err = r.writeMasters(ctx, tx)
	}
	return err
}

func (r *round) writeMasters(ctx context.Context, tx *sql.Tx) error {
	err := each(ctx, tx, `INSERT INTO master(terminal, seq, key) SELECT ?1, ?2, ?3 WHERE ?3 IS NOT
		(SELECT key FROM master WHERE terminal = ?1 ORDER BY seq DESC LIMIT 1)`, len(r.masters), func(i int) []any {
		m := &r.masters[i]
		return []any{m.terminal.String(), int64(m.seq), m.key[:]}
	})
	if err != nil {
		return err
	}
	return each(ctx, tx, `DELETE FROM master WHERE terminal = ?1 AND seq <=
		(SELECT seq FROM master WHERE terminal = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)`, len(r.masters), func(i int) []any {
		return []any{r.masters[i].terminal.String(), keptMasters}
	})
}

// selectEarlier finds sign-ins, and master keys after them, of one terminal.
const selectEarlier = "SELECT seq, used, NULL FROM issued WHERE terminal = ?1 UNION ALL SELECT seq, 0, key FROM master WHERE terminal = ?1"

// earlier is selectEarlier as SQLite has read it, over the files that are open.
func (p *Projector) earlier(ctx context.Context) (*sql.Stmt, error) {
	view, err := p.view()
	if err != nil {
		return nil, err
	}
	if had := p.asEarlier.Load(); had != nil && had.of == view {
		return had.stmt, nil
	}
	stmt, err := view.PrepareContext(ctx, selectEarlier)
	if err != nil {
		return nil, err
	}
	p.asEarlier.Store(&earlierStmt{view, stmt}) // one of another goroutine ends with its files
	return stmt, nil
}

// earlierStmt is a statement and the open files it is of.
type earlierStmt struct {
	of   *sql.DB
	stmt *sql.Stmt
}

// Loaded is an entry that gave a terminal another master key, and which.
type Loaded struct {
	Seq uint64
	Key keys.ID
}

// Earlier are SignIns and Masters of a terminal, of one state of the view.
func (p *Projector) Earlier(ctx context.Context, terminal pos.TerminalID) (list []SignIn, masters []Loaded, err error) {
	stmt, err := p.earlier(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("search view: %w", err)
	}
	rows, err := stmt.QueryContext(ctx, terminal.String())
	if err != nil {
		return nil, nil, fmt.Errorf("search view: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var used bool
		var seq int64
		var key []byte
		if err := rows.Scan(&seq, &used, &key); err != nil {
			return nil, nil, fmt.Errorf("search view: %w", err)
		}
		switch {
		case key == nil:
			list = append(list, SignIn{uint64(seq), used})
		case len(key) == len(keys.ID{}):
			masters = append(masters, Loaded{uint64(seq), keys.ID(key)})
		}
	}
	if err := rows.Err(); err != nil {
		return nil, nil, fmt.Errorf("search view: %w", err)
	}
	slices.SortFunc(list, func(a, b SignIn) int { return cmp.Compare(b.Seq, a.Seq) })
	slices.SortFunc(masters, func(a, b Loaded) int { return cmp.Compare(b.Seq, a.Seq) })
	return list, masters, nil
}

// SignIns are a terminal's newest sign-ins that were given keys, newest first, as far as view.db reaches: up to entry
// covered.
func (p *Projector) SignIns(ctx context.Context, terminal pos.TerminalID) (list []SignIn, covered uint64, err error) {
	err = p.atPosition(ctx, func(tx *sql.Tx, at position) error {
		covered = at.last
		rows, err := tx.QueryContext(ctx, "SELECT seq, used FROM issued WHERE terminal = ? ORDER BY seq DESC", terminal.String())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var seq int64
			var s SignIn
			if err := rows.Scan(&seq, &s.Used); err != nil {
				return err
			}
			s.Seq = uint64(seq)
			list = append(list, s)
		}
		return rows.Err()
	})
	return list, covered, err
}

// Masters are the entries that gave a terminal another master key, newest first, as far as view.db reaches.
func (p *Projector) Masters(ctx context.Context, terminal pos.TerminalID) (seqs []uint64, err error) {
	err = p.atPosition(ctx, func(tx *sql.Tx, _ position) error {
		rows, err := tx.QueryContext(ctx, "SELECT seq FROM master WHERE terminal = ? ORDER BY seq DESC", terminal.String())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var seq int64
			if err := rows.Scan(&seq); err != nil {
				return err
			}
			seqs = append(seqs, uint64(seq))
		}
		return rows.Err()
	})
	return seqs, err
}

// atPosition reads one state of the view.
func (p *Projector) atPosition(ctx context.Context, f func(tx *sql.Tx, at position) error) error {
	view, err := p.view()
	if err != nil {
		return fmt.Errorf("search view: %w", err)
	}
	tx, err := view.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("search view: %w", err)
	}
	defer tx.Rollback()
	at, err := readPosition(ctx, tx)
	if err == nil {
		err = f(tx, at)
	}
	if err != nil {
		return fmt.Errorf("search view: %w", err)
	}
	return nil
}

// Message is a message of a terminal: its entry and its trace number.
type Message struct {
	Seq  uint64
	STAN pos.STAN
}

// Recent are the newest messages of a terminal before an entry, newest first, at most most and as far as view.db
// reaches.
func (p *Projector) Recent(ctx context.Context, terminal pos.TerminalID, before uint64, most int) (list []Message, err error) {
	err = p.atPosition(ctx, func(tx *sql.Tx, at position) error {
		rows, err := tx.QueryContext(ctx, "SELECT first, body FROM posting WHERE terminal = ? AND first < ? ORDER BY first DESC", terminal.String(), int64(min(before, maxSeq)))
		if err != nil {
			return err
		}
		defer rows.Close()
		for len(list) < most && rows.Next() {
			var first int64
			var body []byte
			if err := rows.Scan(&first, &body); err != nil {
				return err
			}
			round, err := messagesOf(uint64(first), body, min(before-1, at.last))
			if err != nil {
				return err
			}
			slices.Reverse(round)
			list = append(list, round[:min(len(round), most-len(list))]...)
		}
		return rows.Err()
	})
	return list, err
}

// messagesOf lists the messages up to entry covered of a posting, oldest first.
func messagesOf(first uint64, body []byte, covered uint64) (list []Message, err error) {
	for seq := first; len(body) > 0; {
		step, n := binary.Uvarint(body)
		if n <= 0 {
			return nil, errPosting
		}
		trace, m := binary.Uvarint(body[n:])
		if m <= 0 {
			return nil, errPosting
		}
		seq, body = seq+step, body[n+m:]
		if seq <= covered {
			list = append(list, Message{seq, pos.STAN(trace)})
		}
	}
	return list, nil
}

// Projected is the last entry that view.db shows.
func (p *Projector) Projected() uint64 { return p.projected.Load() }

// MessagesBefore are the messages of a terminal in the entries after after and before before, newest first; of more than
// most entries only the newest are looked at.
func (r *Reader) MessagesBefore(ctx context.Context, terminal pos.TerminalID, before, after uint64, most int) (list []Message, err error) {
	for next := before - 1; next > after && before-next <= uint64(most); {
		b, err := r.blockOf(ctx, next)
		if err != nil {
			return nil, err
		}
		var found []Message
		err = b.Each(func(e journal.Entry) error {
			var x journal.Exchange
			if e.Kind == journal.KindExchange && e.Seq > after && e.Seq < before && x.Parse(e) == nil && x.Terminal == terminal {
				found = append(found, Message{e.Seq, x.STAN})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		slices.Reverse(found)
		list, next = append(list, found...), b.First-1
	}
	return list, nil
}
