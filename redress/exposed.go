package redress

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"touchstone/pos"
	"touchstone/transaction"
)

// Exposed is one approved sale at a terminal, and in a window, that went bad: the card was in that terminal's
// hands. It stays exposed when it is voided, reversed or refunded later. No card number is in it.
type Exposed struct {
	Seq      uint64 // its journal entry; its RRN (DE37) is this number in 12 digits
	At       pos.Instant
	Terminal pos.TerminalID
	Merchant pos.MerchantID
	Shown    pos.TruncatedPAN // first six and last four digits
	Card     pos.PANHash      // keyed hash; hexadecimal by String
	Amount   pos.Amount       // minor units of CNY
	App      [8]byte          // application version that the terminal presented (A2), padded with zeros
}

// Version is the application version that the terminal presented, "" when none.
func (e *Exposed) Version() string { return string(bytes.TrimRight(e.App[:], "\x00")) }

// RRN is the sale's retrieval reference number, as the receipt has it.
func (e *Exposed) RRN() pos.RRN { return transaction.RRNOf(e.Seq) }

// Last4 is the last four digits of the card number, "" when nothing may be shown.
func (e *Exposed) Last4() string { return Last4(e.Shown) }

// Last4 is the last four digits of a truncated card number.
func Last4(t pos.TruncatedPAN) string {
	if t[0] == 0 {
		return ""
	}
	return string(t[6:])
}

// Sum is what a list of exposed sales comes to.
type Sum struct {
	Sales  int        `json:"sales"`
	Cards  int        `json:"cards"` // distinct keyed hashes
	Shops  int        `json:"shops"` // distinct merchants
	Amount pos.Amount `json:"amount"`
}

// SumOf counts a list.
func SumOf(list []Exposed) Sum {
	t := NewTally(0)
	for i := range list {
		t.Add(&list[i])
	}
	s, _ := t.Sum()
	return s
}

// Sort puts a list into the order of the journal.
func Sort(list []Exposed) {
	slices.SortFunc(list, func(a, b Exposed) int { return cmp.Compare(a.Seq, b.Seq) })
}

// The columns of a kept list: a CSV file (RFC 4180) of which this is the first line. The time is RFC 3339 in
// UTC to the millisecond, the amount is in yuan with two digits.
var exposedColumns = []string{"rrn", "at", "terminal", "merchant", "card", "card_hash", "amount", "version"}

// exposedTime is the form of the time.
const exposedTime = "2006-01-02T15:04:05.000Z"

// ErrExposed is returned for a list that cannot be read.
var ErrExposed = errors.New("list of exposed sales: malformed")

// AppendExposed writes a list as a kept file.
func AppendExposed(list []Exposed) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.Write(exposedColumns); err != nil {
		return nil, err
	}
	for i := range list {
		err := w.Write(list[i].row())
		if err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

func (e *Exposed) row() []string {
	return []string{e.RRN().String(), e.At.Time().Format(exposedTime), e.Terminal.String(), e.Merchant.String(), e.Shown.String(), e.Card.String(),
		e.Amount.String(), e.Version()}
}

// ParseExposed reads what AppendExposed wrote. On error the list is nil.
func ParseExposed(content []byte) ([]Exposed, error) {
	r := csv.NewReader(bytes.NewReader(content))
	r.FieldsPerRecord, r.ReuseRecord = len(exposedColumns), true
	head, err := r.Read()
	if err != nil || !slices.Equal(head, exposedColumns) {
		return nil, fmt.Errorf("%w: its first line is not the names of its columns", ErrExposed)
	}
	rest, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%w: a line has not %d columns", ErrExposed, len(exposedColumns))
	}
	list := make([]Exposed, len(rest))
	for i, row := range rest {
		if list[i], err = parseExposed(row); err != nil {
			return nil, fmt.Errorf("%w: line %d", ErrExposed, i+2)
		}
	}
	return list, nil
}

func parseExposed(row []string) (e Exposed, err error) {
	var errs [6]error
	if e.Seq, errs[0] = strconv.ParseUint(row[0], 10, 63); len(row[0]) != len(pos.RRN{}) || e.Seq == 0 {
		return Exposed{}, ErrExposed
	}
	var at time.Time
	at, errs[1] = time.Parse(exposedTime, row[1])
	e.At = pos.Instant(at.UnixNano())
	e.Terminal, errs[2] = pos.ParseTerminalID(row[2])
	e.Merchant, errs[3] = pos.ParseMerchantID(row[3])
	errs[4] = errors.Join(e.Shown.UnmarshalText([]byte(row[4])), e.Card.UnmarshalText([]byte(row[5])))
	e.Amount, errs[5] = pos.ParseAmount(row[6])
	copy(e.App[:], row[7])
	if errors.Join(errs[:]...) != nil || !slices.Equal(e.row(), row) {
		return Exposed{}, ErrExposed
	}
	return e, nil
}

// Tally counts exposed sales one by one, and keeps the first of them in the order of the journal.
type Tally struct {
	sum   Sum
	cards cardSet
	shops map[pos.MerchantID]struct{}
	most  int
	first []Exposed
}

// NewTally is a tally that keeps the first most sales.
func NewTally(most int) *Tally {
	return &Tally{cards: newCardSet(), shops: map[pos.MerchantID]struct{}{}, most: max(most, 0)}
}

// Add counts a sale, which is copied.
func (t *Tally) Add(e *Exposed) {
	t.sum.Sales++
	t.sum.Amount += e.Amount
	t.cards.add(e.Card)
	if _, known := t.shops[e.Merchant]; !known {
		t.shops[e.Merchant] = struct{}{}
	}
	full := len(t.first) >= t.most
	if t.most == 0 || full && e.Seq > t.first[len(t.first)-1].Seq {
		return
	}
	at, _ := slices.BinarySearchFunc(t.first, e.Seq, func(x Exposed, seq uint64) int { return cmp.Compare(x.Seq, seq) })
	if full {
		t.first = t.first[:t.most-1]
	}
	t.first = slices.Insert(t.first, at, *e)
}

// Sum is what was counted, and the first sales.
func (t *Tally) Sum() (Sum, []Exposed) {
	t.sum.Cards, t.sum.Shops = t.cards.n, len(t.shops)
	return t.sum, t.first
}

// cardSet is a set of keyed hashes, open addressing: they are uniform, so the first bytes of one are its place. With
// ten million sales it is most of the work.
type cardSet struct {
	slots []pos.PANHash // a power of two of them, at most half in use; zero is free
	n     int
	none  bool // the zero hash is in the set
}

func newCardSet() cardSet { return cardSet{slots: make([]pos.PANHash, 1<<10)} }

func (s *cardSet) add(h pos.PANHash) {
	if h == (pos.PANHash{}) {
		if !s.none {
			s.none, s.n = true, s.n+1
		}
		return
	}
	if !s.place(h) {
		return
	}
	if s.n++; 2*s.n > len(s.slots) {
		old := s.slots
		s.slots = make([]pos.PANHash, 2*len(old))
		for _, kept := range old {
			if kept != (pos.PANHash{}) {
				s.place(kept)
			}
		}
	}
}

// place puts a hash into its slot, and tells whether it was not there.
func (s *cardSet) place(h pos.PANHash) bool {
	mask := uint64(len(s.slots) - 1)
	for i := binary.LittleEndian.Uint64(h[:]) & mask; ; i = (i + 1) & mask {
		switch s.slots[i] {
		case h:
			return false
		case pos.PANHash{}:
			s.slots[i] = h
			return true
		}
	}
}
