package failure

import (
	"encoding/json"
	"strings"
	"time"

	"touchstone/effectiveness"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// Facts are what is registered of a terminal and of the device that works there.
type Facts struct {
	Model   string
	Version string // of the application; what a message presents goes before it
}

// RecoverWithin is how long after a refused sale another at the same shop, for the same amount, counts as the same
// purchase tried again.
const RecoverWithin = 10 * time.Minute

// Bounds limit what a Table holds. What goes over them is still counted, in a row without names.
type Bounds struct {
	Hours    int // that are kept, at most 63; 0: all
	Cells    int // different combinations in one hour
	Causes   int // refusals that wait for a cause
	Attempts int // purchases that wait for a second try
}

// LiveBounds are a running host's: two days, about 120 MB when all are reached and somebody looked at them
// (BenchmarkReportOfTwoDays).
func LiveBounds() Bounds {
	return Bounds{Hours: 48, Cells: 4096, Causes: 1 << 16, Attempts: 1 << 16}
}

// WholeBounds are those of a command that reads the journal.
func WholeBounds() Bounds {
	return Bounds{Cells: 1 << 16, Causes: 1 << 20, Attempts: 1 << 20}
}

// cell is one combination in one hour. The zero key without names takes what is over the bound.
type cell struct {
	reason    reason.Reason
	cause     reason.Cause
	certainty journal.Certainty // "" not examined
	variant   string
	justice   Justice
	model     string
	version   string
	merchant  pos.MerchantID
	terminal  pos.TerminalID
}

// figures of one cell.
type figures struct {
	messages uint64
	sales    uint64 // of them, sales that were asked for
	amount   pos.Amount
}

func (f *figures) add(g figures) {
	f.messages += g.messages
	f.sales += g.sales
	f.amount += g.amount
}

func (f *figures) sub(g figures) {
	f.messages -= g.messages
	f.sales -= g.sales
	f.amount -= g.amount
}

// hour is what happened within one hour.
type hour struct {
	cells     map[cell]*figures
	approved  uint64 // sales
	taken     pos.Amount
	purchases [fates]Purchases
	kept      *sums // of cells as they are; nil: to be made
}

// waiting is a refusal whose cause may come.
type waiting struct {
	hour     effectiveness.Hour
	cell     cell
	part     figures
	purchase *purchase
}

// Table is the fold of the journal. It is for one goroutine.
type Table struct {
	lookup func(pos.TerminalID) (Facts, bool) // registered, and no canary
	bounds Bounds
	last   uint64
	newest pos.Instant
	hours  map[effectiveness.Hour]*hour
	heard  map[pos.TerminalID]uint64 // who was answered well or refused, a bit for each hour modulo 64
	heardH effectiveness.Hour        // the newest hour that has bits

	wait  map[uint64]*waiting
	order []uint64 // of wait, the oldest first

	open  map[purchaseKey]*purchase
	queue []*purchase // of open and of those that ended, the oldest first

	wholes []*whole // ranges that are kept added up, the one used last in front

	exchange journal.Exchange // scratch
}

// New is a table before any entry. lookup gives what is registered of a terminal, false for one that is not and for a
// canary's, whose refusals are no failures.
func New(lookup func(pos.TerminalID) (Facts, bool), b Bounds) *Table {
	return &Table{lookup: lookup, bounds: b, hours: map[effectiveness.Hour]*hour{}, heard: map[pos.TerminalID]uint64{}, wait: map[uint64]*waiting{}, open: map[purchaseKey]*purchase{}}
}

// Begin says that entries up to seq are not folded.
func (t *Table) Begin(seq uint64) { t.last = seq }

// Last is the newest entry folded.
func (t *Table) Last() uint64 { return t.last }

// Fold takes one entry. One that was folded before does nothing.
func (t *Table) Fold(e journal.Entry) {
	if e.Seq <= t.last {
		return
	}
	t.last = e.Seq
	if e.At > t.newest {
		t.newest = e.At
		t.expire()
	}
	switch e.Kind {
	case journal.KindExchange:
		if x := &t.exchange; x.Parse(e) == nil && x.Flags&(journal.FlagCanary|journal.FlagRepeat|journal.FlagRedress) == 0 {
			t.message(e.Seq, x)
		}
	case journal.KindCause:
		var c journal.Cause
		if json.Unmarshal(e.Body, &c) == nil {
			t.cause(&c)
		}
	}
}

// isSale tells whether a message asks for money to be taken: a sale or a pre-authorisation.
func isSale(x *journal.Exchange) bool {
	return x.MTI == 0x0200 && x.Type == pos.Sale || x.MTI == 0x0100 && x.Type == 10
}

func (t *Table) message(seq uint64, x *journal.Exchange) {
	refused := OfSecurity(x.Reason)
	approved := x.Reason == reason.None && x.DE39 == pos.Approved
	if !refused && !approved {
		return
	}
	at := effectiveness.HourOf(x.At)
	h := t.hourOf(at)
	if h == nil {
		return
	}
	t.hear(x.Terminal, at)
	if approved {
		if isSale(x) {
			h.approved++
			h.taken += x.Amount
			t.bought(x)
		}
		return
	}
	part := figures{messages: 1}
	if isSale(x) {
		part.sales, part.amount = 1, x.Amount
	}
	c := t.cellOf(x)
	t.into(h, c).add(part)
	var p *purchase
	if part.sales == 1 {
		p = t.tried(x, c.justice)
	}
	if x.Reason.Sought() && len(t.wait) < t.bounds.Causes {
		t.wait[seq] = &waiting{hour: at, cell: c, part: part, purchase: p}
		t.order = append(t.order, seq)
	}
}

// maxHeard bounds the terminals that are counted: what is refused may claim any number.
const maxHeard = 1 << 21

// hear notes that a terminal spoke. The bits of an hour are wiped when the clock comes to it again.
func (t *Table) hear(id pos.TerminalID, at effectiveness.Hour) {
	if at > t.heardH {
		if t.heardH != 0 && t.bounds.Hours > 0 {
			t.forgetHeard(t.heardH+1, at)
		}
		t.heardH = at
	}
	old, known := t.heard[id]
	bit := uint64(1) << (uint(at) % 64)
	if old&bit == 0 && (known || len(t.heard) < maxHeard) {
		t.heard[id] = old | bit
		for _, w := range t.wholes {
			if w.mask != 0 && old&w.mask == 0 && bit&w.mask != 0 {
				w.heard++
			}
		}
	}
}

func (t *Table) forgetHeard(from, to effectiveness.Hour) {
	var gone uint64
	for h := from; h <= to && h < from+64; h++ {
		gone |= 1 << (uint(h) % 64)
	}
	for id, bits := range t.heard {
		if bits &^= gone; bits == 0 {
			delete(t.heard, id)
		} else {
			t.heard[id] = bits
		}
	}
	for _, w := range t.wholes {
		w.mask = 0
	}
}

func (t *Table) cellOf(x *journal.Exchange) cell {
	c := cell{reason: x.Reason, justice: Judge(x.Reason, nil), merchant: x.Merchant, terminal: x.Terminal}
	facts, known := t.lookup(x.Terminal)
	if !known {
		c.merchant, c.terminal = pos.MerchantID{}, pos.TerminalID{} // what nobody registered may be anything
		return c
	}
	c.model, c.version = facts.Model, facts.Version
	if presented := strings.TrimRight(string(x.App[:]), "\x00 "); presented != "" {
		c.version = presented
	}
	return c
}

// keyOf is what a cell is counted under in an hour: itself, or over the bound the row without names.
func (t *Table) keyOf(h *hour, c cell) cell {
	if h.cells[c] != nil || len(h.cells) < t.bounds.Cells {
		return c
	}
	return cell{reason: c.reason, cause: c.cause, certainty: c.certainty, justice: c.justice}
}

// into is the figures of a cell; over the bound those of the hour's row without names.
func (t *Table) into(h *hour, c cell) *figures {
	h.kept = nil // whoever asks for a cell changes it
	c = t.keyOf(h, c)
	f := h.cells[c]
	if f == nil {
		f = new(figures)
		h.cells[c] = f
	}
	return f
}

// cause moves a refusal to the cause that was found.
func (t *Table) cause(c *journal.Cause) {
	w := t.wait[c.Verdict]
	if w == nil {
		return
	}
	h := t.hours[w.hour]
	if h == nil {
		return
	}
	found, _ := reason.ParseCause(c.Cause)
	key := t.keyOf(h, w.cell)
	old := h.cells[key]
	if old == nil || old.messages < w.part.messages {
		return // its row was folded into the one without names, which others filled
	}
	h.kept = nil
	old.sub(w.part)
	if *old == (figures{}) {
		delete(h.cells, key) // an hour has no row of nothing: such a row could not be taken out of two hours' sum
	}
	w.cell.cause, w.cell.certainty, w.cell.variant, w.cell.justice = found, c.Certainty, c.Variant, Judge(w.cell.reason, c)
	t.into(h, w.cell).add(w.part)
	if w.purchase != nil {
		t.rejudge(w.purchase, w.cell.justice)
	}
}

func (t *Table) hourOf(at effectiveness.Hour) *hour {
	if h := t.hours[at]; h != nil {
		return h
	}
	if t.bounds.Hours > 0 && at <= effectiveness.HourOf(t.newest)-effectiveness.Hour(t.bounds.Hours) {
		return nil
	}
	h := &hour{cells: map[cell]*figures{}}
	t.hours[at] = h
	return h
}

// causeWithin is how long after a refusal its cause may come; a second message that agrees with a first may take a day.
const causeWithin = 24 * time.Hour

// expire forgets what is too old, and closes purchases that nobody tried again.
func (t *Table) expire() {
	t.closePurchases()
	for len(t.order) > 0 {
		w := t.wait[t.order[0]]
		if w != nil && t.newest < w.hour.Start()+pos.Instant(causeWithin+time.Hour) {
			break
		}
		delete(t.wait, t.order[0])
		t.order = t.order[1:]
	}
	if t.bounds.Hours == 0 {
		return
	}
	oldest := effectiveness.HourOf(t.newest) - effectiveness.Hour(t.bounds.Hours)
	for h := range t.hours {
		if h <= oldest {
			delete(t.hours, h)
			for _, w := range t.wholes {
				if w.in[h] != nil {
					w.take(h)
				}
			}
		}
	}
}
