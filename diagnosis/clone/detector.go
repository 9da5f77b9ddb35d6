package clone

import (
	"encoding/binary"
	"encoding/json"
	"strconv"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// The events of the journal that say what was found, and that a person ended it.
const (
	EventSuspected = "clone_suspected"
	EventCleared   = "clone_cleared"
)

// Options of a Detector.
type Options struct {
	Weights *Weights // nil: Builtin
	// Serial is the serial number that an exchange's evidence says was presented, and whether another was expected; nil: no
	// serial number is looked at.
	Serial func(x *journal.Exchange) (serial []byte, wrong bool)
	Step   func(Step)     // told of every message, nil: nobody
	Only   pos.TerminalID // zero: every terminal
	Most   int            // terminals kept, 0: DefaultMost
}

// Bounds of what is kept.
const (
	DefaultMost = 1 << 20       // terminals heard within Silent: about 500 bytes each
	Silent      = 8 * time.Hour // a terminal not heard for so long is forgotten
	sweepEvery  = 10 * time.Minute
)

// Step is one message as it was taken: for a timeline.
type Step struct {
	Seq      uint64
	Exchange *journal.Exchange // nil of a cause; not to be kept
	Lane     int               // 0 and 1; -1: not known
	Keys     bool              // it came under the terminal's own keys
	Late     bool              // overtaken, or the same bytes again: it changes nothing
	Cause    uint64            // the entry of the cause that said so of an earlier message, 0 none; Seq is that message's
	Events   []Event           // not to be kept
	Total    int               // weight so far
}

// Detector folds journal entries. It is for one goroutine.
type Detector struct {
	weights  *Weights
	o        Options
	all      map[pos.TerminalID]*one
	newest   pos.Instant
	swept    pos.Instant
	exchange journal.Exchange // scratch
	found    [8]Event         // scratch
}

// New is a Detector before any entry.
func New(o Options) *Detector {
	if o.Weights == nil {
		o.Weights = Builtin()
	}
	if o.Most == 0 {
		o.Most = DefaultMost
	}
	return &Detector{weights: o.Weights, o: o, all: map[pos.TerminalID]*one{}}
}

// Terminals is how many are kept.
func (d *Detector) Terminals() int { return len(d.all) }

// Fold takes one entry, in the journal's order. It gives a suspicion once, and once more when what was said without keys
// comes to be said under them.
func (d *Detector) Fold(e journal.Entry) (s Suspicion, found bool) {
	if e.At > d.newest {
		d.newest = e.At
	}
	switch e.Kind {
	case journal.KindExchange:
		if d.exchange.Parse(e) == nil {
			return d.Message(e.Seq, &d.exchange)
		}
	case journal.KindCause:
		var c journal.Cause
		if json.Unmarshal(e.Body, &c) == nil {
			return d.cause(e.Seq, e.At, &c)
		}
	case journal.KindTerminal:
		var t struct {
			ID pos.TerminalID `json:"id"`
		}
		if json.Unmarshal(e.Body, &t) == nil {
			delete(d.all, t.ID) // registered anew, perhaps with another device: what was known of the former is over
		}
	case journal.KindEvent:
		d.event(e)
	}
	return Suspicion{}, false
}

func (d *Detector) event(e journal.Entry) {
	var event journal.Event
	if json.Unmarshal(e.Body, &event) != nil || event.Name != EventCleared {
		return
	}
	if id, err := pos.ParseTerminalID(event.Terminal); err == nil {
		delete(d.all, id)
	}
}

// Message takes one exchange.
func (d *Detector) Message(seq uint64, x *journal.Exchange) (s Suspicion, found bool) {
	d.newest = max(d.newest, x.At)
	if d.newest.Sub(d.swept) >= sweepEvery {
		d.sweep()
	}
	switch {
	case x.Terminal == pos.TerminalID{} || x.Flags&journal.FlagCanary != 0 || d.o.Only != (pos.TerminalID{}) && d.o.Only != x.Terminal:
		return Suspicion{}, false
	case x.Flags&journal.FlagMACVerified != 0 && sequenced(x):
		o := d.of(x.Terminal)
		if o == nil {
			return Suspicion{}, false
		}
		m := d.messageOf(seq, x)
		return d.take(x.Terminal, o, &m, x)
	}
	o := d.all[x.Terminal]
	if o == nil {
		d.step(nil, Step{Seq: seq, Exchange: x, Lane: -1})
		return Suspicion{}, false
	}
	return d.unkeyed(seq, x, o)
}

// sequenced tells whether an authenticated message takes its place in the sequence of traces: not the same bytes again,
// not what carries another message's trace (reversals), not what may have waited in the terminal (advices).
func sequenced(x *journal.Exchange) bool {
	if x.MTI != 0x0200 && x.MTI != 0x0100 || x.Flags&journal.FlagRepeat != 0 {
		return false
	}
	return x.Reason != reason.Replayed && x.Reason != reason.ReversedBeforeArrival
}

// of is what is kept of a terminal, nil where there is no room.
func (d *Detector) of(id pos.TerminalID) *one {
	o := d.all[id]
	if o == nil && len(d.all) < d.o.Most {
		o = &one{}
		d.all[id] = o
	}
	return o
}

// sweep forgets the silent.
func (d *Detector) sweep() {
	d.swept = d.newest
	old := d.newest.Add(-Silent)
	for id, o := range d.all {
		if o.seen < old {
			delete(d.all, id)
		}
	}
}

func (d *Detector) messageOf(seq uint64, x *journal.Exchange) message {
	m := message{seq: seq, at: x.At, stan: x.STAN, sale: saleOf(x, true), ask: saleOf(x, false), set: x.KeySet, reason: x.Reason, source: x.Source,
		cert: binary.BigEndian.Uint64(x.Certificate[:]), app: binary.BigEndian.Uint64(x.App[:]),
		placed: x.Flags&journal.FlagPlace != 0, lat: x.Latitude, lon: x.Longitude}
	if d.o.Serial != nil {
		m.serial = serialOf(d.o.Serial(x))
		switch x.Reason {
		case reason.SerialMissing, reason.SerialProofFailed, reason.SerialMismatch:
			m.serial ^= uint64(x.Reason)<<56 | 1
		}
	}
	return m
}

// saleOf is a number that two different sales hardly share.
func saleOf(x *journal.Exchange, card bool) (h uint32) {
	if card {
		h = binary.BigEndian.Uint32(x.Card[:])
	}
	h ^= uint32(x.Processing)*0x9e3779b1 ^ uint32(x.MTI)
	return (h ^ uint32(x.Amount)*0x85ebca6b) | 1
}

// serialOf is a number that two serial numbers share by chance once in 2^64: FNV-1a.
func serialOf(serial []byte, _ bool) uint64 {
	if len(serial) == 0 {
		return 0
	}
	h := uint64(14695981039346656037)
	for _, c := range serial {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h | 2
}

func addressOf(a pos.Address) uint64 {
	hi, lo := binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:])
	return (hi*0x9e3779b97f4a7c15 ^ lo) | 1<<63
}

// take folds an authenticated message of a terminal.
func (d *Detector) take(id pos.TerminalID, o *one, m *message, x *journal.Exchange) (s Suspicion, found bool) {
	w := d.weights
	events := d.found[:0]
	say := func(k Kind, weight int, keys bool) {
		events = append(events, Event{Seq: m.seq, At: m.at, Kind: k, Weight: weight, Keys: keys, Trace: m.stan, Set: m.set, Source: m.source, Reason: m.reason})
	}
	l, kind, late := o.follow(w, m)
	if kind != Follows {
		say(kind, w.rows[kind].Weight, true)
	}
	o.broke(kind)
	if m.stale && m.newer > o.stale {
		o.stale = m.newer
		say(StaleKey, w.rows[StaleKey].Weight, true)
	}
	from := addressOf(m.source)
	moved, newKeys := o.address.now != 0 && o.address.now != from, m.set > o.set && o.set != 0
	if back, _ := o.address.see(from, m.at, w.atOnce, false); back {
		if habit := o.habit(w); habit > 0 {
			say(AddressReturn, habit, true)
			if newKeys && habit == w.rows[AddressReturn].Weight {
				say(PingPong, w.rows[PingPong].Weight, true)
			}
		}
	}
	o.heard(moved)
	for _, t := range [...]struct {
		trait *trait
		v     uint64
		kind  Kind
	}{{&o.cert, m.cert, CertificateReturn}, {&o.serial, m.serial, SerialReturn}, {&o.app, m.app, VersionReturn}} {
		if back, keyed := t.trait.see(t.v, m.at, w.apart, false); back {
			say(t.kind, w.rows[t.kind].Weight, keyed)
		}
	}
	if o.travelled(w, m) {
		say(Travel, w.rows[Travel].Weight, true)
	}
	o.keep(l, kind == TraceBack || kind == SameTraceFirst, late, m)
	return d.conclude(id, o, events, Step{Seq: m.seq, Exchange: x, Lane: int(l), Keys: true, Late: late, Cause: m.cause})
}

// keep takes the message into its lane.
func (o *one) keep(l uint8, began, late bool, m *message) {
	o.seen = max(o.seen, m.at)
	if m.set > o.set {
		o.set = m.set
	}
	if late {
		return
	}
	o.last = l
	run := o.lanes[l].run
	if began {
		run = 0
	}
	o.lanes[l] = lane{top: m.stan, run: min(run, 1000) + 1, set: m.set, at: m.at, seq: m.seq, source: m.source, cert: m.cert}
	o.used[o.next%marks] = mark{m.stan, m.sale, m.ask}
	o.next++
}

// unkeyed takes a message that no key of the terminal stands behind.
func (d *Detector) unkeyed(seq uint64, x *journal.Exchange, o *one) (s Suspicion, found bool) {
	step := Step{Seq: seq, Exchange: x, Lane: o.guess(x)}
	switch {
	case x.Reason == reason.MACFailed && (x.MTI == 0x0200 || x.MTI == 0x0100):
		e := o.evidence()
		m := d.messageOf(seq, x)
		m.newer, m.again, m.lane = o.set, d.recording(o, &m), step.Lane
		e.failures[e.nextFail%failuresKept] = m
		e.nextFail++
	case x.Reason == reason.DeviceCertificateMismatch && x.Certificate != [8]byte{}:
		// Nobody's keys stand behind the message, but a certificate's does behind the connection.
		if back, _ := o.cert.see(binary.BigEndian.Uint64(x.Certificate[:]), x.At, d.weights.apart, true); back {
			o.seen = max(o.seen, x.At)
			v := Event{Seq: seq, At: x.At, Kind: CertificateReturn, Weight: d.weights.rows[CertificateReturn].Weight, Trace: x.STAN, Source: x.Source, Reason: x.Reason}
			return d.conclude(x.Terminal, o, append(d.found[:0], v), step)
		}
	}
	d.step(o, step)
	return Suspicion{}, false
}

// guess is the lane that a message without keys looks like, for a reader's eye: by its address, else by its trace.
func (o *one) guess(x *journal.Exchange) int {
	if o.n < 2 {
		if x.Source == o.lanes[0].source {
			return 0
		}
		return -1
	}
	a, b := &o.lanes[0], &o.lanes[1]
	switch {
	case a.source != b.source && x.Source == a.source:
		return 0
	case a.source != b.source && x.Source == b.source:
		return 1
	case x.STAN == 0:
		return -1
	case ahead(a.top, x.STAN) < ahead(b.top, x.STAN):
		return 0
	case ahead(a.top, x.STAN) > ahead(b.top, x.STAN):
		return 1
	}
	return int(o.last)
}

func (o *one) evidence() *evidence {
	if o.more == nil {
		o.more = &evidence{}
	}
	return o.more
}

// usedNewer is the variant of a stale key that no lost sign-in answer explains: a message had verified under a newer one.
const usedNewer = "used_newer"

// cause takes what was found behind a failed MAC: right under an earlier key set although a newer one had been used.
func (d *Detector) cause(seq uint64, at pos.Instant, c *journal.Cause) (s Suspicion, found bool) {
	if c.Cause != reason.MACStaleKey.String() || c.Variant != usedNewer || c.Certainty != journal.Proven && c.Certainty != journal.Indicated {
		return Suspicion{}, false
	}
	id, err := pos.ParseTerminalID(c.Terminal)
	o := d.all[id]
	if err != nil || o == nil || o.more == nil {
		return Suspicion{}, false
	}
	for i := range o.more.failures {
		m := o.more.failures[i]
		if m.seq != c.Verdict || m.seq == 0 {
			continue
		}
		o.more.failures[i].seq = 0 // a cause told again says nothing new
		if m.again {
			return Suspicion{}, false
		}
		m.stale, m.cause = true, seq
		if n, err := strconv.ParseUint(c.Facts["key_set"], 10, 32); err == nil {
			m.set = min(uint32(n), m.newer)
		}
		if m.seq > max(o.lanes[0].seq, o.lanes[1].seq) {
			return d.take(id, o, &m, nil)
		}
		return d.afterwards(id, o, &m)
	}
	return Suspicion{}, false
}

// afterwards takes a message under an earlier key of which that is known only after others of the terminal came: its trace no
// longer says anything.
func (d *Detector) afterwards(id pos.TerminalID, o *one, m *message) (s Suspicion, found bool) {
	events := d.found[:0]
	if m.newer > o.stale {
		o.stale = m.newer
		events = append(events, Event{Seq: m.seq, At: m.at, Kind: StaleKey, Weight: d.weights.rows[StaleKey].Weight, Keys: true, Trace: m.stan, Set: m.set, Source: m.source, Reason: m.reason})
	}
	return d.conclude(id, o, events, Step{Seq: m.seq, Lane: m.lane, Keys: true, Late: true, Cause: m.cause})
}

// recording tells whether a message may be bytes that were heard before and are sent again: its trace was used for the same
// amount, or lies so far back that nobody remembers.
func (d *Detector) recording(o *one, m *message) bool {
	used := false
	for _, u := range o.used {
		if u.stan != m.stan {
			continue
		}
		if u.ask == m.ask {
			return true
		}
		used = true
	}
	if used {
		return false
	}
	for i := range o.n {
		if n := ahead(o.lanes[i].top, m.stan); n >= 1 && n <= o.gap(d.weights) {
			return false
		}
	}
	return !o.overtaken(m)
}

// conclude keeps what a message said and tells when it is enough.
func (d *Detector) conclude(id pos.TerminalID, o *one, events []Event, step Step) (s Suspicion, found bool) {
	for i := range events {
		events[i].Lane = uint8(max(step.Lane, 0))
		o.evidence().add(d.weights, events[i])
	}
	if len(events) > 0 {
		s, found = d.suspicion(id, o)
	}
	step.Events = events
	d.step(o, step)
	return s, found
}

func (d *Detector) step(o *one, s Step) {
	if d.o.Step == nil {
		return
	}
	if o != nil && o.more != nil {
		s.Total, _ = o.more.weigh(d.weights, d.newest, false)
	}
	d.o.Step(s)
}
