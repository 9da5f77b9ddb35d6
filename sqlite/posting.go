package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"slices"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// round gathers entries for one transaction of view.db: what each terminal sent, packed, and the refused
// messages whole. A peak's approved sales thus cost some bytes each and one row a terminal.
type round struct {
	entries  int
	postings map[pos.TerminalID]*posting
	refused  []refusal
	sold     map[pos.TerminalID]*soldSales
	paid     []journal.Payment
	causes   []causeRow
	issued   map[pos.TerminalID]*signIns
	masters  []loaded
	past     []pastRow
	chunks   map[pos.TerminalID]*chunk // where the next sale of a terminal goes; kept from round to round
}

// posting is one terminal's messages.
type posting struct {
	first, last uint64
	messages    int64
	sales       int64
	sold        pos.Amount
	body        []byte
}

// refusal is a refused message and its entry; the slices of the exchange are gone.
type refusal struct {
	seq uint64
	x   journal.Exchange
}

func newRound() *round {
	return &round{postings: map[pos.TerminalID]*posting{}, sold: map[pos.TerminalID]*soldSales{}, chunks: map[pos.TerminalID]*chunk{},
		issued: map[pos.TerminalID]*signIns{}}
}

func (r *round) reset() {
	r.entries = 0
	clear(r.postings)
	clear(r.sold)
	r.paid = r.paid[:0]
	clear(r.causes)
	r.causes = r.causes[:0]
	clear(r.issued)
	r.masters = r.masters[:0]
	clear(r.past)
	r.past = r.past[:0]
	clear(r.refused)
	r.refused = r.refused[:0]
}

// take adds the exchanges of a block, causes, and which master key a terminal has. Other kinds, and an exchange written by a newer program, leave
// nothing: the journal has them.
func (r *round) take(b journal.Block) error {
	r.entries += b.N
	var x journal.Exchange
	return b.Each(func(e journal.Entry) error {
		switch e.Kind {
		case journal.KindCause:
			r.cause(e)
		case journal.KindTerminal:
			r.terminal(e)
		}
		if e.Kind != journal.KindExchange {
			r.remember(e)
			return nil
		}
		if x.Parse(e) != nil {
			return nil
		}
		p := r.postings[x.Terminal]
		if p == nil {
			p = &posting{first: e.Seq, last: e.Seq}
			r.postings[x.Terminal] = p
		}
		p.append(e.Seq, &x)
		r.exposed(e.Seq, &x)
		r.signIn(e.Seq, &x)
		if x.Reason != reason.None {
			x.Details, x.Wrapped = nil, nil // views of the block
			r.refused = append(r.refused, refusal{e.Seq, x})
		}
		return nil
	})
}

// append adds a message: the distance of its entry from the one before, as a varint, and its trace, as a
// varint.
func (p *posting) append(seq uint64, x *journal.Exchange) {
	p.body = binary.AppendUvarint(p.body, seq-p.last)
	p.body = binary.AppendUvarint(p.body, uint64(x.STAN))
	p.last = seq
	p.messages++
	if x.Effect == journal.Sold {
		p.sales++
		p.sold += x.Amount
	}
}

var errPosting = errors.New("malformed posting")

// postingsOf lists the entries up to covered of a posting that have a trace, newest first.
func postingsOf(first uint64, body []byte, stan pos.STAN, covered uint64) (seqs []uint64, err error) {
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
		if trace == uint64(stan) && seq <= covered {
			seqs = append(seqs, seq)
		}
	}
	slices.Reverse(seqs)
	return seqs, nil
}

// write inserts the rows of a round.
func (r *round) write(ctx context.Context, tx *sql.Tx) error {
	ids := make([]pos.TerminalID, 0, len(r.postings))
	for id := range r.postings {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b pos.TerminalID) int { return slices.Compare(a[:], b[:]) })
	err := each(ctx, tx, "INSERT INTO posting(terminal, first, last, messages, sales, sold, body) VALUES(?, ?, ?, ?, ?, ?, ?)", len(ids), func(i int) []any {
		p := r.postings[ids[i]]
		return []any{ids[i].String(), int64(p.first), int64(p.last), p.messages, p.sales, int64(p.sold), p.body}
	})
	if err == nil {
		err = r.writeExposed(ctx, tx, ids)
	}
	if err == nil {
		err = writeCauses(ctx, tx, r.causes)
	}
	if err == nil {
		err = r.writeIssued(ctx, tx)
	}
	if err == nil {
		err = r.writePast(ctx, tx)
	}
	if err != nil {
		return err
	}
	return each(ctx, tx, `INSERT INTO refusal(seq, at, terminal, merchant, mti, type, network, batch, stan, amount, de39,
		reason, flags, effect, card_shown, elapsed_us) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, len(r.refused), func(i int) []any {
		x := &r.refused[i].x
		return []any{int64(r.refused[i].seq), int64(x.At), x.Terminal.String(), x.Merchant.String(), x.MTI.String(), int64(x.Type),
			int64(x.Network), int64(x.Batch), int64(x.STAN), int64(x.Amount), x.DE39.String(), x.Reason.String(), int64(x.Flags),
			x.Effect.String(), x.Shown.String(), int64(x.ElapsedUS)}
	})
}
