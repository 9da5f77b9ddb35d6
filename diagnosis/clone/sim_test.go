package clone_test

import (
	"math/rand/v2"
	"time"

	"touchstone/diagnosis/clone"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// world is a host as far as a Detector sees it: which keys verify, which traces were used, and what is found behind a
// failed MAC. Nothing of package clone is used to make its entries.
type world struct {
	d        *clone.Detector
	now      pos.Instant
	seq      uint64
	inForce  map[pos.TerminalID]*session
	found    []clone.Suspicion
	noCauses bool // nothing is found behind a failed MAC
	delayed  bool // what is found comes after the terminal's next message
	hold     int  // with delayed: after how many more messages
	late     []*journal.Cause
	exchange journal.Exchange
	from     pos.Address // of who speaks, for a test that asks
}

type session struct {
	used, pending, last uint32
	traces              map[pos.STAN]bool
}

func newWorld() *world {
	w := &world{now: pos.Instant(time.Date(2026, 11, 28, 1, 0, 0, 0, time.UTC).UnixNano()), inForce: map[pos.TerminalID]*session{}}
	w.d = clone.New(clone.Options{Serial: func(x *journal.Exchange) ([]byte, bool) { return x.Details, false }})
	return w
}

func (w *world) session(id pos.TerminalID) *session {
	s := w.inForce[id]
	if s == nil {
		s = &session{traces: map[pos.STAN]bool{}}
		w.inForce[id] = s
	}
	return s
}

func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

// say gives an exchange to the detector.
func (w *world) say(x *journal.Exchange) {
	w.seq++
	x.At = w.now
	if s, ok := w.d.Message(w.seq, x); ok {
		w.found = append(w.found, s)
	}
	if len(w.late) > 0 && w.hold > 0 {
		w.hold--
		return
	}
	for _, c := range w.late {
		w.cause(c)
	}
	w.late = w.late[:0]
}

func (w *world) cause(c *journal.Cause) {
	w.seq++
	raw, kind := journal.Raw{Entry: coldEntry(w.seq, w.now, c)}.AppendEntry(nil, w.seq)
	e, err := journal.ParseEntry(w.seq, raw)
	if err != nil || kind != journal.KindCause {
		panic("an entry of the simulation does not parse")
	}
	if s, ok := w.d.Fold(e); ok {
		w.found = append(w.found, s)
	}
}

// box is one device as it is at one moment.
type box struct {
	id      pos.TerminalID
	trace   pos.STAN
	set     uint32
	from    pos.Address
	cert    [8]byte
	app     [8]byte
	serial  string // "" none is sent
	unable  bool   // cannot prove it
	place   *[2]int32
	amounts uint64
	r       *rand.Rand // nil: amounts count up
}

func (b *box) next() pos.STAN {
	if b.trace++; b.trace > pos.MaxSTAN {
		b.trace = 1
	}
	return b.trace
}

func (b *box) amount() pos.Amount {
	b.amounts += 1 + uint64(b.from[15])
	if b.r != nil {
		return pos.Amount(100 + b.r.IntN(100_000))
	}
	return pos.Amount(1000 + b.amounts)
}

func (b *box) message(mti pos.MTI) journal.Exchange {
	x := journal.Exchange{Terminal: b.id, MTI: mti, STAN: b.trace, Source: b.from, Certificate: b.cert}
	return x
}

// signIn asks for keys; lost tells that the answer does not arrive.
func (w *world) signIn(b *box, lost bool) {
	s := w.session(b.id)
	b.next()
	x := b.message(0x0800)
	x.Effect, x.DE39 = journal.KeysIssued, pos.Approved
	s.last++
	s.pending = s.last
	w.say(&x)
	if !lost {
		b.set = s.last
	}
}

// sale is one sale; how it ended is returned. A refused MAC makes the device sign in.
func (w *world) sale(b *box) reason.Reason {
	b.next()
	return w.send(b, b.trace, b.amount())
}

func (w *world) send(b *box, trace pos.STAN, amount pos.Amount) reason.Reason {
	s := w.session(b.id)
	x := b.message(0x0200)
	x.STAN, x.Amount = trace, amount
	x.Card = pos.PANHash{byte(amount), byte(amount >> 8)}
	if b.place != nil {
		x.Flags |= journal.FlagPlace
		x.Latitude, x.Longitude = b.place[0], b.place[1]
	}
	switch {
	case b.set == 0 || b.set != s.used && b.set != s.pending:
		x.Reason, x.Card = reason.MACFailed, pos.PANHash{}
		w.say(&x)
		w.behind(b, s)
		return x.Reason
	case b.set == s.pending:
		s.used, s.pending = s.pending, 0
		x.Flags |= journal.FlagPromoted
	}
	x.Flags |= journal.FlagMACVerified
	x.KeySet, x.App = s.used, b.app
	switch {
	case s.traces[trace]:
		x.Reason = reason.DuplicateTrace
	case b.unable:
		x.Reason = reason.SerialProofFailed
	default:
		x.DE39 = pos.Approved
	}
	if b.serial != "" && x.Reason != reason.DuplicateTrace {
		x.Details = []byte(b.serial)
	}
	s.traces[trace] = true
	w.say(&x)
	return x.Reason
}

// behind finds what is behind a failed MAC: the key of an earlier sign-in, if it is one.
func (w *world) behind(b *box, s *session) {
	if w.noCauses || b.set == 0 || b.set >= s.used {
		return
	}
	c := journal.CauseOf(w.seq, b.id, reason.MACFailed, reason.MACStaleKey, journal.Indicated)
	c.Variant, c.Tried, c.Fit, c.OneIn = "used_newer", 64, 1, 1<<26
	if w.delayed {
		w.late = append(w.late, c)
		return
	}
	w.cause(c)
}

// sell is what an honest cashier does: a sale, and where the host refuses the MAC the device signs in and sells again.
func (w *world) sell(b *box) {
	if w.sale(b) == reason.MACFailed {
		w.pass(5 * time.Second)
		w.signIn(b, false)
		w.pass(5 * time.Second)
		w.sale(b)
	}
}
