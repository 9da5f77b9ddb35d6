package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"touchstone/journal"
	"touchstone/pos"
)

// Sold is approved sales: how many, and their amounts as they were approved, before what was voided or refunded.
type Sold struct {
	Sales  int64      `json:"sales"`
	Amount pos.Amount `json:"amount"` // minor units
}

// SoldSince adds up each terminal's approved sales from an instant to the head of the journal.
func (r *Reader) SoldSince(ctx context.Context, since pos.Instant) (map[pos.TerminalID]Sold, error) {
	return r.SoldBetween(ctx, since, maxSeq)
}

// SoldBetween adds up each terminal's approved sales from an instant to an entry. view.db gives what it covers whole; the
// entries before and after that are read. Without a usable view.db all of them are.
func (r *Reader) SoldBetween(ctx context.Context, since pos.Instant, upTo uint64) (map[pos.TerminalID]Sold, error) {
	sold := map[pos.TerminalID]Sold{}
	first, err := r.FirstAt(ctx, since)
	if err != nil || first == 0 {
		return sold, err
	}
	view, err := openView(ctx, r.dir)
	if err != nil {
		return sold, r.soldInEntries(ctx, first, upTo, sold)
	}
	defer view.Close()
	known, err := r.ownsView(ctx, view)
	if err != nil || !known {
		return sold, r.soldInEntries(ctx, first, upTo, sold)
	}
	p, err := readPosition(ctx, view)
	if err != nil {
		return nil, err
	}
	last := p.last
	if upTo < last {
		if last, err = wholeTo(ctx, view, upTo); err != nil {
			return nil, err
		}
	}
	if last < first {
		return sold, r.soldInEntries(ctx, first, upTo, sold)
	}
	whole, err := wholeFrom(ctx, view, first, last)
	if err != nil {
		return nil, err
	}
	if whole > first {
		if err := r.soldInEntries(ctx, first, whole-1, sold); err != nil {
			return nil, err
		}
	}
	if err := soldInPostings(ctx, view, whole, last, sold); err != nil {
		return nil, err
	}
	return sold, r.soldInEntries(ctx, max(first, last+1), upTo, sold)
}

// wholeFrom is the first entry from which on every posting lies whole at or after it: a round of the projection
// that holds first as well as earlier entries is left out.
func wholeFrom(ctx context.Context, view *sql.DB, first, last uint64) (uint64, error) {
	whole := first
	for {
		var end sql.NullInt64
		err := view.QueryRowContext(ctx, "SELECT max(last) FROM posting WHERE first < ? AND last >= ?", int64(whole), int64(whole)).Scan(&end)
		if err != nil {
			return 0, fmt.Errorf("read view: %w", err)
		}
		if !end.Valid {
			return whole, nil
		}
		whole = uint64(end.Int64) + 1
		if whole > last+1 {
			return last + 1, nil
		}
	}
}

// wholeTo is the last entry up to which every posting lies whole at or before it, and not after upTo.
func wholeTo(ctx context.Context, view *sql.DB, upTo uint64) (uint64, error) {
	next := upTo + 1
	for {
		var begin sql.NullInt64
		err := view.QueryRowContext(ctx, "SELECT min(first) FROM posting WHERE first < ? AND last >= ?", int64(next), int64(next)).Scan(&begin)
		if err != nil {
			return 0, fmt.Errorf("read view: %w", err)
		}
		if !begin.Valid {
			return next - 1, nil
		}
		next = uint64(begin.Int64)
	}
}

// soldInPostings leaves out postings without a sale: that of messages which named no terminal is one of them.
func soldInPostings(ctx context.Context, view *sql.DB, from, to uint64, sold map[pos.TerminalID]Sold) error {
	list, err := view.QueryContext(ctx, "SELECT terminal, sum(sales), sum(sold) FROM posting WHERE first >= ? AND last <= ? AND sales > 0 GROUP BY terminal", int64(from), int64(to))
	if err != nil {
		return fmt.Errorf("read view: %w", err)
	}
	defer list.Close()
	for list.Next() {
		var name string
		var sales, amount int64
		if err := list.Scan(&name, &sales, &amount); err != nil {
			return fmt.Errorf("read view: %w", err)
		}
		id, err := pos.ParseTerminalID(name)
		if err != nil || sales < 0 || amount < 0 {
			return errors.New("read view: a malformed posting")
		}
		if sales > 0 {
			add(sold, id, sales, pos.Amount(amount))
		}
	}
	return list.Err()
}

func add(sold map[pos.TerminalID]Sold, id pos.TerminalID, sales int64, amount pos.Amount) {
	s := sold[id]
	s.Sales, s.Amount = s.Sales+sales, s.Amount+amount
	sold[id] = s
}

var errEnough = errors.New("enough")

// soldInEntries reads the entries from first to last.
func (r *Reader) soldInEntries(ctx context.Context, first, last uint64, sold map[pos.TerminalID]Sold) error {
	var x journal.Exchange
	err := r.Blocks(ctx, first, func(b journal.Block) error {
		if b.First > last {
			return errEnough
		}
		return b.Each(func(e journal.Entry) error {
			if e.Seq >= first && e.Seq <= last && e.Kind == journal.KindExchange && x.Parse(e) == nil && x.Effect == journal.Sold {
				add(sold, x.Terminal, 1, x.Amount)
			}
			return nil
		})
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
