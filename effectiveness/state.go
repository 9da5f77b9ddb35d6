package effectiveness

import (
	"encoding/json"
	"fmt"

	"touchstone/journal"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
)

// Hour is whole hours since 1970, UTC.
type Hour uint32

const hourNS = 3600 * 1_000_000_000

// HourOf is the hour of an instant.
func HourOf(at pos.Instant) Hour { return Hour(uint64(max(at, 0)) / hourNS) }

// Start is the hour's first instant.
func (h Hour) Start() pos.Instant { return pos.Instant(uint64(h) * hourNS) }

// Bounds are how much a State keeps.
type Bounds struct {
	Hours int // the newest; older ones are forgotten, 0: every one
	Cells int // distinct lines of an hour; what comes beyond is counted without its terminal
}

// LiveBounds are those of a running host: two days; 32,768 lines an hour are at most 100 MB in all.
func LiveBounds() Bounds { return Bounds{Hours: 48, Cells: 32768} }

// WholeBounds keep what a reader of the whole journal asks for.
func WholeBounds() Bounds { return Bounds{Cells: 1 << 22} }

// cell is one line of an hour: who, and how the approval stood.
type cell struct {
	terminal uint32 // index into State.names, 0 for those beyond the bound
	who      uint32 // index into State.whos
	pattern  Pattern
}

// who is a merchant and a model as they were at the approval.
type who struct {
	merchant pos.MerchantID
	model    string
}

type hour struct {
	cells  map[cell]uint32
	canary uint32 // approvals of canary terminals, which are in no cell

	approvals, full uint64 // the sums of the cells
}

// terminal is what is known of one terminal.
type terminal struct {
	facts
	index  uint32
	who    uint32 // of whoFor
	whoFor who
	habits [Traits]habit
}

// State is the fold of a journal. It is for one goroutine.
type State struct {
	std    Standard
	bounds Bounds
	last   uint64
	newest Hour
	hours  map[Hour]*hour

	terminals map[pos.TerminalID]*terminal
	devices   map[pos.Serial]*deviceFacts
	merchants map[pos.MerchantID]string
	names     []pos.TerminalID
	whos      []who
	whoIndex  map[who]uint32

	exchange journal.Exchange // scratch
}

// New is the state before the first entry.
func New(std Standard, bounds Bounds) *State {
	return &State{std: std, bounds: bounds, hours: map[Hour]*hour{}, terminals: map[pos.TerminalID]*terminal{},
		devices: map[pos.Serial]*deviceFacts{}, merchants: map[pos.MerchantID]string{}, names: make([]pos.TerminalID, 1),
		whoIndex: map[who]uint32{}}
}

// Last is the number of the entry folded last.
func (s *State) Last() uint64 { return s.last }

// Begin says that folding begins after entry last: what is registered was given before.
func (s *State) Begin(last uint64) { s.last = last }

// Fold takes one entry. An entry folded before changes nothing. The changes are those of its terminal
// against its own history; they are valid until the next call. Entries of later versions are passed over.
func (s *State) Fold(e journal.Entry) ([]Change, error) {
	if e.Seq <= s.last {
		return nil, nil
	}
	s.last = e.Seq
	var err error
	switch e.Kind {
	case journal.KindExchange:
		if err := s.exchange.Parse(e); err != nil {
			return nil, fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		return s.approval(e.Seq, &s.exchange), nil
	case journal.KindMerchant:
		var m registry.Merchant
		if err = json.Unmarshal(e.Body, &m); err == nil {
			s.Merchant(&m)
		}
	case journal.KindTerminal:
		var t registry.Terminal
		if err = json.Unmarshal(e.Body, &t); err == nil {
			s.Terminal(&t)
		}
	case journal.KindDevice:
		var d registry.Device
		if err = json.Unmarshal(e.Body, &d); err == nil {
			s.Device(&d)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("entry %d: %s: %w", e.Seq, e.Kind, err)
	}
	return nil, nil
}

// Merchant takes a merchant's record.
func (s *State) Merchant(m *registry.Merchant) { s.merchants[m.ID] = m.Name }

// Device takes a device's record.
func (s *State) Device(d *registry.Device) {
	*s.device(d.Serial) = deviceFacts{model: d.Model, keyed: len(d.Key) > 0, certificate: d.Certificate != ""}
}

func (s *State) device(serial pos.Serial) *deviceFacts {
	d := s.devices[serial]
	if d == nil {
		d = &deviceFacts{}
		s.devices[serial] = d
	}
	return d
}

// Terminal takes a terminal's record. Its habits stay: a weaker registration is a change too.
func (s *State) Terminal(r *registry.Terminal) {
	t := s.terminals[r.ID]
	if t == nil {
		t = &terminal{index: uint32(len(s.names))}
		s.names = append(s.names, r.ID)
		s.terminals[r.ID] = t
	}
	t.facts = facts{merchant: r.Merchant, device: s.device(r.Serial), code: r.Profile.SignInCode, circle: r.Place != nil, canary: r.Canary}
}

// approval counts one message if it is an approval.
func (s *State) approval(seq uint64, x *journal.Exchange) []Change {
	if !counts(x) {
		return nil
	}
	h := s.at(HourOf(x.At))
	if h == nil {
		return nil
	}
	if x.Flags&journal.FlagCanary != 0 {
		h.canary++
		return nil
	}
	t := s.terminals[x.Terminal]
	if t == nil { // approved to a terminal that the journal does not know: nothing excuses anything
		t = &terminal{facts: facts{merchant: x.Merchant, device: &deviceFacts{keyed: true}}}
	}
	p := s.std.grade(&t.facts, x)
	h.approvals++
	if p.Full() {
		h.full++
	}
	c := cell{t.index, s.whoOf(t, x.Merchant), p}
	if n, known := h.cells[c]; !known && len(h.cells) >= s.bounds.Cells {
		c.terminal = 0
		h.cells[c]++
	} else {
		h.cells[c] = n + 1
	}
	return s.changes(t, p, seq, x)
}

// Totals are the approvals that are kept and those of them that were fully proven.
func (s *State) Totals() (approvals, full uint64) {
	for _, h := range s.hours {
		approvals, full = approvals+h.approvals, full+h.full
	}
	return approvals, full
}

// at is an hour, nil when it is older than what is kept.
func (s *State) at(n Hour) *hour {
	if s.bounds.Hours > 0 && n+Hour(s.bounds.Hours) <= s.newest {
		return nil
	}
	h := s.hours[n]
	if h == nil {
		h = &hour{cells: map[cell]uint32{}}
		s.hours[n] = h
	}
	if n > s.newest {
		s.newest = n
		for old := range s.hours {
			if s.bounds.Hours > 0 && old+Hour(s.bounds.Hours) <= n {
				delete(s.hours, old)
			}
		}
	}
	return h
}

func (s *State) whoOf(t *terminal, merchant pos.MerchantID) uint32 {
	w := who{merchant, t.device.model}
	if t.whoFor == w && len(s.whos) > 0 {
		return t.who
	}
	i, known := s.whoIndex[w]
	if !known {
		i = uint32(len(s.whos))
		s.whos = append(s.whos, w)
		s.whoIndex[w] = i
	}
	t.who, t.whoFor = i, w
	return i
}

// changes compares one approval with the terminal's history.
func (s *State) changes(t *terminal, p Pattern, seq uint64, x *journal.Exchange) (list []Change) {
	if t.index == 0 {
		return nil
	}
	for trait, value := range traits(&t.facts, p, x) {
		if value == 0 {
			continue
		}
		at := Trait(trait)
		was, changed := t.habits[trait].see(at, value)
		if !changed {
			continue
		}
		list = append(list, Change{Seq: seq, At: x.At, Terminal: x.Terminal, Merchant: x.Merchant, Model: t.device.model, Trait: at,
			Was: nameOf(at, was), Is: nameOf(at, value), Weaker: weaker(at, was, value)})
	}
	return list
}

func nameOf(t Trait, value uint16) string {
	if t == TraitMAC {
		return mac.Algorithm(value - 1).String()
	}
	return valueNames[t][value&3]
}

// weaker tells whether is proves less than was.
func weaker(t Trait, was, is uint16) bool {
	if t != TraitMAC {
		return is > was
	}
	before, now := mac.Algorithm(was-1).Grade(), mac.Algorithm(is-1).Grade()
	return now.Strength < before.Strength || now.Why&^before.Why != 0
}

// serialSent tells whether the message carried a serial number that was looked at.
func serialSent(x *journal.Exchange) bool {
	return proof.States(x.Checks).Of(proof.Serial) == proof.Passed
}
