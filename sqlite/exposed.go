package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/redress"
)

// chunkSales is the most approved sales of a terminal in one row of exposed: a quiet terminal's sales are added to
// its row, so that a month of few sales an hour is no row each.
const chunkSales = 256

// mostChunks bounds the rows remembered for that.
const mostChunks = 1 << 16

// chunk is the row that a terminal's next sale is added to.
type chunk struct {
	first, last uint64 // entries of its first and its newest sale
	lastMS      int64
	merchant    pos.MerchantID
	app         [8]byte
	sales       int
}

// soldSales are a terminal's sales of one round, as rows to be made or added to.
type soldSales struct{ rows []exposedRow }

type exposedRow struct {
	first           uint64
	firstMS, lastMS int64
	sales           int
	body            []byte
}

func milliseconds(at pos.Instant) int64 { return int64(at) / 1_000_000 }

// exposed takes a message into the round where it is an approved sale of a shop, or pays a claim.
func (r *round) exposed(seq uint64, x *journal.Exchange) {
	if p, ok := x.Payment(seq); ok {
		r.paid = append(r.paid, p)
		return
	}
	if x.Effect != journal.Sold || x.Flags&journal.FlagCanary != 0 {
		return
	}
	c := r.chunks[x.Terminal]
	if c == nil || c.sales >= chunkSales {
		c = &chunk{first: seq}
		r.chunks[x.Terminal] = c
	}
	s := r.sold[x.Terminal]
	if s == nil {
		s = new(soldSales)
		r.sold[x.Terminal] = s
	}
	at := milliseconds(x.At)
	if n := len(s.rows); n == 0 || s.rows[n-1].first != c.first {
		s.rows = append(s.rows, exposedRow{first: c.first, firstMS: at, lastMS: at})
	}
	row := &s.rows[len(s.rows)-1]
	row.body = packSale(row.body, c, seq, at, x)
	row.firstMS, row.lastMS, row.sales = min(row.firstMS, at), max(row.lastMS, at), row.sales+1
	c.last, c.lastMS, c.merchant, c.app, c.sales = seq, at, x.Merchant, x.App, c.sales+1
}

// packSale appends a sale: the distance of its entry from the one before as a varint, times four, plus one where the
// merchant changes and two where the application's version does; that merchant's 15 bytes, that version's 8; the
// distance in milliseconds as a signed varint; the amount as a varint; the truncated card number as 5 bytes BCD, FF
// for none; the 16 bytes of the card's keyed hash.
func packSale(b []byte, c *chunk, seq uint64, at int64, x *journal.Exchange) []byte {
	step := (seq - c.last) << 2
	if x.Merchant != c.merchant {
		step |= 1
	}
	if x.App != c.app {
		step |= 2
	}
	b = binary.AppendUvarint(b, step)
	if step&1 != 0 {
		b = append(b, x.Merchant[:]...)
	}
	if step&2 != 0 {
		b = append(b, x.App[:]...)
	}
	b = binary.AppendVarint(b, at-c.lastMS)
	b = binary.AppendUvarint(b, uint64(x.Amount))
	for i := 0; i < len(x.Shown); i += 2 {
		if x.Shown[0] == 0 {
			b = append(b, 0xFF)
			continue
		}
		b = append(b, x.Shown[i]<<4|x.Shown[i+1]&0x0F)
	}
	return append(b, x.Card[:]...)
}

// unpackSales calls f with each sale of a row up to entry covered, in one value that it uses again.
func unpackSales(body []byte, e *redress.Exposed, covered uint64, f func(*redress.Exposed) error) error {
	e.Seq, e.Merchant, e.App = 0, pos.MerchantID{}, [8]byte{}
	at := int64(0)
	for len(body) > 0 {
		step, n := binary.Uvarint(body)
		if n <= 0 {
			return errPosting
		}
		body = body[n:]
		e.Seq += step >> 2
		if step&1 != 0 && len(body) >= len(e.Merchant) {
			body = body[copy(e.Merchant[:], body):]
		}
		if step&2 != 0 && len(body) >= len(e.App) {
			body = body[copy(e.App[:], body):]
		}
		ms, n := binary.Varint(body)
		if n <= 0 {
			return errPosting
		}
		amount, m := binary.Uvarint(body[n:])
		if m <= 0 || len(body) < n+m+len(e.Shown)/2+len(e.Card) {
			return errPosting
		}
		body = body[n+m:]
		at += ms
		e.At, e.Amount, e.Shown = pos.Instant(at)*1_000_000, pos.Amount(amount), pos.TruncatedPAN{}
		for i, two := range body[:len(e.Shown)/2] {
			if two != 0xFF {
				e.Shown[2*i], e.Shown[2*i+1] = '0'|two>>4, '0'|two&0x0F
			}
		}
		body = body[len(e.Shown)/2:]
		body = body[copy(e.Card[:], body):]
		if e.Seq > covered {
			continue
		}
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

// writeExposed makes or adds to the rows of the round's sales, and those of payments; ids are its terminals.
func (r *round) writeExposed(ctx context.Context, tx *sql.Tx, ids []pos.TerminalID) error {
	type made struct {
		terminal pos.TerminalID
		row      *exposedRow
	}
	var rows []made
	for _, id := range ids {
		if s := r.sold[id]; s != nil {
			for i := range s.rows {
				rows = append(rows, made{id, &s.rows[i]})
			}
		}
	}
	err := each(ctx, tx, `INSERT INTO exposed(terminal, first, first_ms, last_ms, sales, body) VALUES(?, ?, ?, ?, ?, ?)
		ON CONFLICT(terminal, first) DO UPDATE SET first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms),
		sales = sales + excluded.sales, body = CAST(body || excluded.body AS BLOB)`, len(rows), func(i int) []any {
		row := rows[i].row
		return []any{rows[i].terminal.String(), int64(row.first), row.firstMS, row.lastMS, row.sales, row.body}
	})
	if err != nil {
		return err
	}
	return each(ctx, tx, `INSERT INTO redress(seq, at, claim, part, proposal, sale, terminal, card_shown, amount)
		VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)`, len(r.paid), func(i int) []any {
		p := &r.paid[i]
		return []any{int64(p.Entry), int64(p.At), p.Claim, string(p.Part), p.Proposal, int64(p.Sale), p.Terminal.String(), p.Shown.String(), int64(p.Amount)}
	})
}

// Exposed calls f with every approved sale of terminals from from and before to, to the millisecond, each in one
// value that is used again; terminals by their id, a terminal's sales in the order of the journal, and those newer
// than view.db reaches at the end. head is the last entry that was looked at. It uses view.db as far as that
// reaches; without a usable one the whole journal is read.
func (r *Reader) Exposed(ctx context.Context, terminals []pos.TerminalID, from, to pos.Instant, f func(*redress.Exposed) error) (head uint64, err error) {
	view, err := openView(ctx, r.dir)
	if err == nil {
		defer view.Close()
		if known, err := r.ownsView(ctx, view); err != nil || !known {
			view = nil
		}
	} else {
		view = nil
	}
	return r.exposed(ctx, view, terminals, from, to, f)
}

// Exposed is Reader.Exposed over the projector's own open files.
func (p *Projector) Exposed(ctx context.Context, terminals []pos.TerminalID, from, to pos.Instant, f func(*redress.Exposed) error) (head uint64, err error) {
	return p.journal.exposed(ctx, p.read.Load(), terminals, from, to, f)
}

func (r *Reader) exposed(ctx context.Context, view *sql.DB, terminals []pos.TerminalID, from, to pos.Instant, f func(*redress.Exposed) error) (head uint64, err error) {
	wanted := make(map[pos.TerminalID]bool, len(terminals))
	for _, id := range terminals {
		wanted[id] = true
	}
	low, high := milliseconds(from), milliseconds(to)
	if view != nil {
		if head, err = viewExposed(ctx, view, wanted, low, high, f); err != nil {
			return 0, fmt.Errorf("search view: %w", err)
		}
	}
	var x journal.Exchange
	err = r.Blocks(ctx, head+1, func(b journal.Block) error {
		return b.Each(func(e journal.Entry) error {
			if e.Seq <= head {
				return nil
			}
			head = e.Seq
			if e.Kind != journal.KindExchange || x.Parse(e) != nil || x.Effect != journal.Sold || x.Flags&journal.FlagCanary != 0 || !wanted[x.Terminal] {
				return nil
			}
			if at := milliseconds(x.At); at < low || at >= high {
				return nil
			}
			return f(&redress.Exposed{Seq: e.Seq, At: pos.Instant(milliseconds(x.At)) * 1_000_000, Terminal: x.Terminal, Merchant: x.Merchant,
				Shown: x.Shown, Card: x.Card, Amount: x.Amount, App: x.App})
		})
	})
	if err != nil {
		return 0, err
	}
	return head, nil
}

// fewTerminals is up to how many are looked up one by one; of more the whole table is read once.
const fewTerminals = 2000

// viewExposed gives what the view has, and how far it reaches, of one state of it.
func viewExposed(ctx context.Context, view *sql.DB, wanted map[pos.TerminalID]bool, low, high int64, f func(*redress.Exposed) error) (covered uint64, err error) {
	tx, err := view.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	p, err := readPosition(ctx, tx)
	if err != nil {
		return 0, err
	}
	within := func(e *redress.Exposed) error {
		if at := milliseconds(e.At); at < low || at >= high {
			return nil
		}
		return f(e)
	}
	const columns = "SELECT terminal, body FROM exposed WHERE last_ms >= ? AND first_ms < ?"
	if len(wanted) > fewTerminals {
		return p.last, eachExposedRow(ctx, tx, columns, []any{low, high}, wanted, p.last, within)
	}
	ids := make([]pos.TerminalID, 0, len(wanted))
	for id := range wanted {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b pos.TerminalID) int { return slices.Compare(a[:], b[:]) })
	for _, id := range ids {
		err := eachExposedRow(ctx, tx, columns+" AND terminal = ? ORDER BY first", []any{low, high, id.String()}, wanted, p.last, within)
		if err != nil {
			return 0, err
		}
	}
	return p.last, nil
}

func eachExposedRow(ctx context.Context, tx *sql.Tx, query string, args []any, wanted map[pos.TerminalID]bool, covered uint64, f func(*redress.Exposed) error) error {
	list, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer list.Close()
	var e redress.Exposed
	var id, body sql.RawBytes
	for list.Next() {
		if err := list.Scan(&id, &body); err != nil {
			return err
		}
		if len(id) != len(e.Terminal) {
			return errPosting
		}
		if e.Terminal = pos.TerminalID(id); !wanted[e.Terminal] {
			continue
		}
		if err := unpackSales(body, &e, covered, f); err != nil {
			return errors.Join(err, list.Close())
		}
	}
	return list.Err()
}
