package ledger

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"

	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/transaction"
)

// ErrSlab is returned for a slab or record that cannot be read; the journal is then replayed.
var ErrSlab = errors.New("slab: malformed")

const slabVersion = 1

// reader takes big-endian values off the front; after the first shortage all are zero and bad is set.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || len(r.b) < n {
		r.bad, r.b = true, nil
		return make([]byte, max(n, 0))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u8() uint8   { return r.take(1)[0] }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

// appendTerminal encodes one terminal for a slab; t.mu is held.
func appendTerminal(b []byte, t *terminal) []byte {
	e := binary.BigEndian
	b = append(b, slabVersion)
	b = append(b, t.id[:]...)
	b = e.AppendUint64(b, t.applied)
	b = e.AppendUint32(b, t.session.Last)
	b = append(b, flag(t.session.SignedOff))
	b = appendSet(b, &t.session.InForce)
	b = appendSet(b, &t.session.Pending)
	m := &t.money
	b = e.AppendUint32(b, uint32(m.Batch))
	b = appendTotals(b, m.Totals)
	b = append(b, m.HeardFrom[:]...)
	b = e.AppendUint32(b, uint32(m.LastBatch))
	b = e.AppendUint32(b, uint32(m.LastSTAN))
	b = append(b, m.LastCode)
	b = appendTotals(b, m.LastTotals)
	for _, spans := range m.Traces {
		b = e.AppendUint32(b, uint32(len(spans)))
		for _, s := range spans {
			b = e.AppendUint32(b, uint32(s.First))
			b = e.AppendUint32(b, uint32(s.Last))
		}
	}
	return b
}

func flag(on bool) byte {
	if on {
		return 1
	}
	return 0
}

func appendSet(b []byte, s *keys.Set) []byte {
	b = binary.BigEndian.AppendUint32(b, s.Number)
	if s.Number == 0 {
		return b
	}
	b = binary.BigEndian.AppendUint32(b, uint32(s.Code))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Issued))
	return append(b, s.Wrapped[:]...)
}

func (r *reader) set() (s keys.Set) {
	if s.Number = r.u32(); s.Number == 0 {
		return s
	}
	s.Code, s.Issued = pos.NetworkCode(r.u32()), pos.Instant(r.u64())
	copy(s.Wrapped[:], r.take(keys.SetSize))
	return s
}

func appendTotals(b []byte, t journal.Totals) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(t.DebitAmount))
	b = binary.BigEndian.AppendUint32(b, t.DebitCount)
	b = binary.BigEndian.AppendUint64(b, uint64(t.CreditAmount))
	return binary.BigEndian.AppendUint32(b, t.CreditCount)
}

func (r *reader) totals() journal.Totals {
	return journal.Totals{DebitAmount: pos.Amount(r.u64()), DebitCount: r.u32(), CreditAmount: pos.Amount(r.u64()), CreditCount: r.u32()}
}

// readTerminal decodes one terminal into t, except its id, which it returns.
func (r *reader) readTerminal() (id pos.TerminalID, applied uint64, session keys.Session, money transaction.Terminal) {
	if r.u8() != slabVersion {
		r.bad = true
	}
	copy(id[:], r.take(8))
	applied = r.u64()
	session.Last, session.SignedOff = r.u32(), r.u8() == 1
	session.InForce, session.Pending = r.set(), r.set()
	money.Batch, money.Totals = pos.BatchNo(r.u32()), r.totals()
	copy(money.HeardFrom[:], r.take(16))
	money.LastBatch, money.LastSTAN, money.LastCode = pos.BatchNo(r.u32()), pos.STAN(r.u32()), r.u8()
	money.LastTotals = r.totals()
	for c := range money.Traces {
		n := int(r.u32())
		if n > transaction.MaxSpans || n*8 > len(r.b) {
			r.bad = true
			break
		}
		for range n {
			money.Traces[c] = append(money.Traces[c], transaction.Span{First: pos.STAN(r.u32()), Last: pos.STAN(r.u32())})
		}
	}
	return id, applied, session, money
}

// loadTerminals puts a slab of terminals into memory; their places are kept.
func (l *Ledger) loadTerminals(s Slab) error {
	r := &reader{b: s.Body}
	for len(r.b) > 0 && !r.bad {
		id, applied, session, money := r.readTerminal()
		if r.bad {
			break
		}
		t := l.terminals[id]
		if t == nil {
			t = l.addTerminal(id)
		}
		t.applied, t.session, t.money = applied, session, money
	}
	if r.bad {
		return ErrSlab
	}
	return nil
}

// cardRow is a card in a slab, JSON: cards are few and change their shape.
type cardRow struct {
	issuer.Opening
	Tries   uint8  `json:"tries"`
	Version uint64 `json:"version"`
}

func (l *Ledger) loadCards(s Slab) error {
	var rows []cardRow
	if err := json.Unmarshal(s.Body, &rows); err != nil {
		return ErrSlab
	}
	for _, row := range rows {
		c := l.cards[row.Card]
		if c == nil {
			c = l.addCard(row.Card)
		}
		c.issuer = issuer.Card{Opening: row.Opening, Tries: row.Tries, Version: row.Version}
	}
	return nil
}

// appendRecord encodes one record; its terminal's lock is held.
func appendRecord(b []byte, rec *record) []byte {
	e := binary.BigEndian
	r := &rec.Record
	b = append(b, slabVersion)
	b = e.AppendUint64(b, rec.applied)
	b = e.AppendUint64(b, r.Seq)
	b = append(b, r.Terminal[:]...)
	b = append(b, r.Merchant[:]...)
	for _, v := range [...]uint32{uint32(r.Batch), uint32(r.STAN), uint32(r.MTI), uint32(r.Type), uint32(r.Processing), r.LocalTime,
		uint32(r.LocalDate), uint32(r.OrigBatch), uint32(r.OrigSTAN)} {
		b = e.AppendUint32(b, v)
	}
	for _, v := range [...]uint64{uint64(r.Amount), uint64(r.At), uint64(r.Available), uint64(r.Refunded), r.Original} {
		b = e.AppendUint64(b, v)
	}
	b = append(b, r.Currency[:]...)
	b = append(b, r.Card[:]...)
	b = append(b, r.Print[:]...)
	b = append(b, r.DE39[:]...)
	b = append(b, r.AuthCode[:]...)
	return append(b, byte(r.Reason), byte(r.State), flag(r.Undone))
}

func decodeRecord(body []byte) (*record, error) {
	in := &reader{b: body}
	rec := &record{}
	r := &rec.Record
	if in.u8() != slabVersion {
		return nil, ErrSlab
	}
	rec.applied, r.Seq = in.u64(), in.u64()
	copy(r.Terminal[:], in.take(8))
	copy(r.Merchant[:], in.take(15))
	r.Batch, r.STAN, r.MTI = pos.BatchNo(in.u32()), pos.STAN(in.u32()), pos.MTI(in.u32())
	r.Type, r.Processing = pos.TransactionCode(in.u32()), pos.ProcessingCode(in.u32())
	r.LocalTime, r.LocalDate = in.u32(), pos.Date(in.u32())
	r.OrigBatch, r.OrigSTAN = pos.BatchNo(in.u32()), pos.STAN(in.u32())
	r.Amount, r.At, r.Available = pos.Amount(in.u64()), pos.Instant(in.u64()), pos.Amount(in.u64())
	r.Refunded, r.Original = pos.Amount(in.u64()), in.u64()
	copy(r.Currency[:], in.take(3))
	copy(r.Card[:], in.take(16))
	copy(r.Print[:], in.take(16))
	copy(r.DE39[:], in.take(2))
	copy(r.AuthCode[:], in.take(6))
	r.Reason, r.State, r.Undone = reason.Reason(in.u8()), transaction.State(in.u8()), in.u8() == 1
	if in.bad || len(in.b) != 0 {
		return nil, ErrSlab
	}
	return rec, nil
}

// sortedRecords lists a terminal's records by entry; t.mu is held.
func (t *terminal) sortedRecords() []*record {
	all := make([]*record, 0, len(t.records))
	for _, rec := range t.records {
		all = append(all, rec)
	}
	slices.SortFunc(all, func(a, b *record) int { return cmp.Compare(a.Seq, b.Seq) })
	return all
}
