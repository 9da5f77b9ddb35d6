package grade

import (
	"time"

	"touchstone/journal"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
)

// Seen is what the journal saw of one terminal in a stretch of time. Counts are of messages.
type Seen struct {
	First, Last pos.Instant // of the stretch: its first and last message

	Algorithms uint64      // bit of mac.Algorithm: those under which a message verified
	InForce    pos.Instant // when the keys were issued under which a message verified last; 0 unknown
	pending    pos.Instant // when keys were issued that no message verified under yet

	SignIns                   uint32 // that issued keys
	Sales, PINs               uint32 // approved sales; of these with a PIN
	SerialMissed              uint32 // approved sales without the serial number's proof
	ClearTracks, SealedTracks uint32 // of messages that verified
	Plain, TLS12, TLS13       uint32 // of messages that verified
}

// day is the least stretch that a rate a day is made of: keys that were issued twice within a minute are no
// thousands a day.
const day = 24 * time.Hour

// SignInsADay is the rate of sign-ins.
func (s *Seen) SignInsADay() float64 {
	span := max(s.Last.Sub(s.First), day)
	return float64(s.SignIns) * float64(day) / float64(span)
}

// note takes one message of the terminal.
func (s *Seen) note(x *journal.Exchange) {
	if s.First == 0 {
		s.First = x.At
	}
	s.Last = max(s.Last, x.At)
	if x.Effect == journal.KeysIssued {
		s.SignIns++
		s.pending = x.At
	}
	if x.Flags&journal.FlagMACVerified == 0 {
		return
	}
	if a := proof.AlgorithmOfEntry(x); a != mac.None && a < 64 {
		s.Algorithms |= 1 << a
	}
	if x.Flags&journal.FlagPromoted != 0 && s.pending != 0 {
		s.InForce, s.pending = s.pending, 0
	}
	if x.Effect == journal.Tampered || x.Effect == journal.SignedOff {
		s.InForce, s.pending = 0, 0
	}
	switch {
	case x.Flags&journal.FlagTLS == 0:
		s.Plain++
	case x.Flags&journal.FlagTLS13 == 0:
		s.TLS12++
	default:
		s.TLS13++
	}
	switch {
	case x.Flags&journal.FlagTrackSealed != 0:
		s.SealedTracks++
	case x.Flags&journal.FlagTrack2 != 0:
		s.ClearTracks++
	}
	if x.Effect != journal.Sold {
		return
	}
	s.Sales++
	if x.Flags&journal.FlagPIN != 0 {
		s.PINs++
	}
	if proof.States(x.Checks).Of(proof.Serial) != proof.Passed {
		s.SerialMissed++
	}
}

// add joins what was seen before s.
func (s *Seen) add(before *Seen) {
	if before.First == 0 {
		return
	}
	if s.First == 0 {
		*s = *before
		return
	}
	s.First = min(before.First, s.First)
	s.Algorithms |= before.Algorithms
	if s.InForce == 0 {
		s.InForce = before.InForce
	}
	s.SignIns += before.SignIns
	s.Sales, s.PINs, s.SerialMissed = s.Sales+before.Sales, s.PINs+before.PINs, s.SerialMissed+before.SerialMissed
	s.ClearTracks, s.SealedTracks = s.ClearTracks+before.ClearTracks, s.SealedTracks+before.SealedTracks
	s.Plain, s.TLS12, s.TLS13 = s.Plain+before.Plain, s.TLS12+before.TLS12, s.TLS13+before.TLS13
}

// Book is what was seen of every terminal in the last one to two stretches. It is a fold of the journal, for one
// goroutine. A terminal takes 96 bytes in each stretch in which it spoke.
type Book struct {
	stretch time.Duration
	ends    pos.Instant // of the newer stretch
	newer   map[pos.TerminalID]*Seen
	older   map[pos.TerminalID]*Seen

	last     uint64           // the entry folded last
	exchange journal.Exchange // scratch
}

// Stretch is how long a stretch is in a running host: a grade is of what was seen in the last one to two days.
const Stretch = 24 * time.Hour

// NewBook is the book before the first entry.
func NewBook(stretch time.Duration) *Book {
	return &Book{stretch: stretch, newer: map[pos.TerminalID]*Seen{}, older: map[pos.TerminalID]*Seen{}}
}

// Fold takes one entry; the order is the journal's, and an entry folded before changes nothing. What is no message of a terminal is
// passed over, so are canaries and what people approved for a claim.
func (b *Book) Fold(e journal.Entry) {
	if e.Seq <= b.last {
		return
	}
	b.last = e.Seq
	if e.Kind != journal.KindExchange {
		return
	}
	x := &b.exchange
	if x.Parse(e) != nil || x.Flags&(journal.FlagCanary|journal.FlagRedress) != 0 || x.Terminal == (pos.TerminalID{}) {
		return
	}
	if x.Effect != journal.KeysIssued && x.Flags&journal.FlagMACVerified == 0 {
		return // nobody proved that it was this terminal
	}
	b.turn(x.At)
	s := b.newer[x.Terminal]
	if s == nil {
		s = new(Seen)
		if before := b.older[x.Terminal]; before != nil {
			s.pending = before.pending
		}
		b.newer[x.Terminal] = s
	}
	s.note(x)
}

// turn begins a new stretch where the newer one has ended.
func (b *Book) turn(at pos.Instant) {
	switch {
	case b.ends == 0:
		b.ends = at.Add(b.stretch)
	case at >= b.ends.Add(b.stretch): // nothing in a whole stretch
		clear(b.newer)
		b.older, b.ends = map[pos.TerminalID]*Seen{}, at.Add(b.stretch)
	case at >= b.ends:
		b.older, b.newer, b.ends = b.newer, make(map[pos.TerminalID]*Seen, len(b.newer)), b.ends.Add(b.stretch)
	}
}

// Of is what was seen of a terminal; the zero value when nothing was.
func (b *Book) Of(id pos.TerminalID) (s Seen) {
	if newer := b.newer[id]; newer != nil {
		s = *newer
	}
	if older := b.older[id]; older != nil {
		s.add(older)
	}
	return s
}
