package ledger

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/transaction"
)

// ErrSlab is returned for a slab or record that cannot be read; the journal is then replayed.
var ErrSlab = errors.New("slab: malformed")

// The versions of what a slab holds: of a terminal, and of a record or a card.
const (
	terminalVersion = 4
	slabVersion     = 2
)

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
	b = append(b, terminalVersion)
	b = append(b, t.id[:]...)
	b = e.AppendUint64(b, t.applied)
	b = e.AppendUint64(b, t.permitEntry())
	b = e.AppendUint32(b, t.session.Last)
	b = append(b, flag(t.session.SignedOff))
	b = append(b, t.session.Master[:]...)
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
	loose := t.looseKeys()
	b = e.AppendUint32(b, uint32(len(loose)))
	for _, k := range loose {
		b = e.AppendUint64(b, uint64(k))
	}
	return b
}

// appendHigh adds the highest index keys in the store's runs to a slab. They are no part of the state: two
// ledgers with the same journal may have checkpointed at different times.
func appendHigh(b []byte, t *terminal) []byte {
	for _, key := range t.high {
		b = binary.BigEndian.AppendUint64(b, key)
	}
	return b
}

// isLoose tells whether a record is a tombstone to which no trace leads: its batch is not open yet, or
// was not when it was buried. It must stay in memory, or the message it waits for would be let in (9A.4).
func (t *terminal) isLoose(rec *record) bool {
	open := t.money.Batch
	switch {
	case rec.State != transaction.Grave:
		return false
	case rec.Batch == open:
		return !t.money.Traces[transaction.ClassOfCode(rec.Type)].Has(rec.STAN)
	}
	return rec.Batch > open || rec.Batch == open.Next()
}

// looseKeys lists the loose tombstones, ascending; t.mu is held.
func (t *terminal) looseKeys() (keys []transaction.Key) {
	for k, rec := range t.records {
		if t.isLoose(rec) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
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
	b = append(b, s.Operator[:]...)
	return append(b, s.Wrapped[:]...)
}

// below reads 4 bytes whose value is at most most.
func (r *reader) below(most uint32) uint32 {
	v := r.u32()
	if v > most {
		r.bad = true
	}
	return v
}

// flag reads what flag wrote.
func (r *reader) flag() bool {
	v := r.u8()
	if v > 1 {
		r.bad = true
	}
	return v == 1
}

func (r *reader) set() (s keys.Set) {
	if s.Number = r.u32(); s.Number == 0 {
		return s
	}
	s.Code, s.Issued = pos.NetworkCode(r.below(math.MaxUint16)), pos.Instant(r.u64())
	copy(s.Operator[:], r.take(len(s.Operator)))
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

// readTerminal decodes what appendTerminal wrote.
func (r *reader) readTerminal() *terminal {
	t := &terminal{}
	if r.u8() != terminalVersion {
		r.bad = true
	}
	copy(t.id[:], r.take(8))
	t.applied = r.u64()
	if seq := r.u64(); seq != 0 {
		t.permit = &registry.Standing{Entry: seq} // loadPermits reads it
	}
	t.session.Last, t.session.SignedOff = r.u32(), r.flag()
	copy(t.session.Master[:], r.take(len(t.session.Master)))
	t.session.InForce, t.session.Pending = r.set(), r.set()
	m := &t.money
	m.Batch, m.Totals = pos.BatchNo(r.u32()), r.totals()
	copy(m.HeardFrom[:], r.take(16))
	m.LastBatch, m.LastSTAN, m.LastCode = pos.BatchNo(r.u32()), pos.STAN(r.u32()), r.u8()
	m.LastTotals = r.totals()
	for c := range m.Traces {
		for range r.count(transaction.MaxSpans) {
			m.Traces[c] = append(m.Traces[c], transaction.Span{First: pos.STAN(r.u32()), Last: pos.STAN(r.u32())})
		}
	}
	for range r.count(math.MaxInt32) {
		t.loose = append(t.loose, transaction.Key(r.u64()))
	}
	return t
}

// high reads what appendHigh wrote.
func (r *reader) high(t *terminal) {
	for c := range t.high {
		t.high[c] = r.u64()
		if t.high[c] != 0 && t.high[c]>>classShift != uint64(c) {
			r.bad = true
		}
	}
}

// count reads how many values of 8 bytes follow, at most most, and never more than there are bytes for.
func (r *reader) count(most uint32) int {
	n := int(r.below(most))
	if r.bad || n*8 > len(r.b) {
		r.bad = true
		return 0
	}
	return n
}

// loadTerminals puts a slab of terminals into memory; their places are kept.
func (l *Ledger) loadTerminals(s Slab) error {
	r := &reader{b: s.Body}
	for len(r.b) > 0 && !r.bad {
		row := r.readTerminal()
		r.high(row)
		if r.bad {
			break
		}
		t := l.terminals[row.id]
		if t == nil {
			t = l.addTerminal(row.id)
		}
		t.applied, t.permit, t.session, t.money, t.loose, t.high = row.applied, row.permit, row.session, row.money, row.loose, row.high
	}
	if r.bad {
		return ErrSlab
	}
	return nil
}

// loadLoose brings the tombstones that the slabs name into memory.
func (l *Ledger) loadLoose() error {
	for _, t := range l.termSlots {
		for _, k := range t.loose {
			switch rec, err := l.find(t, k); {
			case err != nil:
				return err
			case rec == nil:
				return fmt.Errorf("%w: terminal %s: a tombstone is missing", ErrSlab, t.id)
			}
		}
		t.loose = nil
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
	r.Batch, r.STAN, r.MTI = pos.BatchNo(in.u32()), pos.STAN(in.u32()), pos.MTI(in.below(math.MaxUint16))
	r.Type, r.Processing = pos.TransactionCode(in.below(math.MaxUint8)), pos.ProcessingCode(in.u32())
	r.LocalTime, r.LocalDate = in.u32(), pos.Date(in.u32())
	r.OrigBatch, r.OrigSTAN = pos.BatchNo(in.u32()), pos.STAN(in.u32())
	r.Amount, r.At, r.Available = pos.Amount(in.u64()), pos.Instant(in.u64()), pos.Amount(in.u64())
	r.Refunded, r.Original = pos.Amount(in.u64()), in.u64()
	copy(r.Currency[:], in.take(3))
	copy(r.Card[:], in.take(16))
	copy(r.Print[:], in.take(16))
	copy(r.DE39[:], in.take(2))
	copy(r.AuthCode[:], in.take(6))
	r.Reason, r.State, r.Undone = reason.Reason(in.u8()), transaction.State(in.u8()), in.flag()
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
