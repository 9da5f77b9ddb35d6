package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"touchstone/journal"
	"touchstone/pos"
)

// maxTail is how many entries that view.db does not cover yet are read for one terminal.
const maxTail = 50_000

// SoldBy adds up one terminal's approved sales since an instant: covered is the entry to which it reaches. A posting of
// view.db that began before the instant is left out. Without a usable view.db covered is 0, and nothing is known.
func (r *Reader) SoldBy(ctx context.Context, id pos.TerminalID, since pos.Instant) (sold Sold, covered uint64, err error) {
	view, done := r.ownView(ctx)
	if view == nil {
		return Sold{}, 0, nil
	}
	defer done()
	return r.soldBy(ctx, view, id, since)
}

// SoldBy is Reader.SoldBy over the projector's own open files.
func (p *Projector) SoldBy(ctx context.Context, id pos.TerminalID, since pos.Instant) (sold Sold, covered uint64, err error) {
	view, err := p.view()
	if err != nil {
		return Sold{}, 0, fmt.Errorf("read view: %w", err)
	}
	return p.journal.soldBy(ctx, view, id, since)
}

func (r *Reader) soldBy(ctx context.Context, view *sql.DB, id pos.TerminalID, since pos.Instant) (sold Sold, covered uint64, err error) {
	p, err := readPosition(ctx, view)
	if err != nil {
		return Sold{}, 0, err
	}
	first, err := r.FirstAt(ctx, since)
	if err != nil || first == 0 {
		return Sold{}, p.last, err
	}
	var sales, amount sql.NullInt64
	err = view.QueryRowContext(ctx, "SELECT sum(sales), sum(sold) FROM posting WHERE terminal = ? AND first >= ?", id.String(), int64(first)).Scan(&sales, &amount)
	if err != nil {
		return Sold{}, 0, fmt.Errorf("read view: %w", err)
	}
	tail := map[pos.TerminalID]Sold{id: {Sales: sales.Int64, Amount: pos.Amount(amount.Int64)}}
	head, _, err := r.Head(ctx)
	if err != nil || head <= p.last || head-p.last > maxTail {
		return tail[id], p.last, err
	}
	err = r.soldInEntries(ctx, max(first, p.last+1), head, tail)
	return tail[id], head, err
}

// SoldByThen adds up one terminal's approved sales since an instant as SoldBy did when upTo was the newest entry. Of a
// posting that reaches beyond it the messages are read.
func (r *Reader) SoldByThen(ctx context.Context, id pos.TerminalID, since pos.Instant, upTo uint64) (sold Sold, err error) {
	view, done := r.ownView(ctx)
	if view == nil {
		return Sold{}, nil
	}
	defer done()
	first, err := r.FirstAt(ctx, since)
	if err != nil || first == 0 {
		return Sold{}, err
	}
	var sales, amount sql.NullInt64
	err = view.QueryRowContext(ctx, "SELECT sum(sales), sum(sold) FROM posting WHERE terminal = ? AND first >= ? AND last <= ?", id.String(), int64(first), int64(upTo)).Scan(&sales, &amount)
	if err != nil {
		return Sold{}, fmt.Errorf("read view: %w", err)
	}
	sold = Sold{Sales: sales.Int64, Amount: pos.Amount(amount.Int64)}
	var begin int64
	var body []byte
	err = view.QueryRowContext(ctx, "SELECT first, body FROM posting WHERE terminal = ? AND first BETWEEN ? AND ? AND last > ?", id.String(), int64(first), int64(upTo), int64(upTo)).Scan(&begin, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return sold, nil
	}
	if err != nil {
		return Sold{}, fmt.Errorf("read view: %w", err)
	}
	list, err := messagesOf(uint64(begin), body, upTo)
	if err != nil {
		return Sold{}, err
	}
	for _, m := range list {
		e, err := r.Entry(ctx, m.Seq)
		if err != nil {
			return Sold{}, err
		}
		var x journal.Exchange
		if x.Parse(e) == nil && x.Effect == journal.Sold {
			sold.Sales, sold.Amount = sold.Sales+1, sold.Amount+x.Amount
		}
	}
	return sold, nil
}
