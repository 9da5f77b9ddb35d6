package clone

import (
	"math"
	"time"

	"touchstone/pos"
	"touchstone/reason"
)

// message is what one message says of the device that sent it.
type message struct {
	seq    uint64
	at     pos.Instant
	stan   pos.STAN
	sale   uint32 // of what it asks for: processing, amount, card
	ask    uint32 // of the same without the card, which is not known of a message whose MAC is wrong
	set    uint32 // working key set that verified it
	newer  uint32 // of a stale one: the set that was in force when it came
	reason reason.Reason
	source pos.Address
	cert   uint64
	app    uint64
	serial uint64
	placed bool
	lat    int32 // micro-degrees
	lon    int32
	cause  uint64 // of a stale one: the entry that says so
	again  bool   // of a failed one: it may be a recording
	lane   int    // of a failed one: what it looked like
	stale  bool   // right under an earlier key set although a newer one had been used
}

// lane is one of the two sequences.
type lane struct {
	top    pos.STAN // newest trace
	run    uint16   // messages in the sequence
	set    uint32
	at     pos.Instant
	seq    uint64
	source pos.Address
	cert   uint64
}

// trait is a property that one device keeps: its value now, and the one before.
type trait struct {
	now, before     uint64 // 0 none
	beforeAt, nowAt pos.Instant
	loose, was      bool // now, and before, came under no key of the terminal
}

// mark is a trace lately used.
type mark struct {
	stan      pos.STAN
	sale, ask uint32
}

// marks is how many used traces are remembered.
const marks = 8

// one is what is kept of one terminal: about 450 bytes, and nothing else of a terminal that never contradicted itself.
type one struct {
	seen     pos.Instant
	lanes    [2]lane
	n, last  uint8
	used     [marks]mark
	next     uint8
	breaks   uint8  // how often a sequence was left for a new one, halved by every calm messages that follow
	calm     uint8  //
	messages uint16 // heard, and how often from another address than the one before
	moves    uint16
	set      uint32 // newest working key set that was used
	stale    uint32 // the set in force when a stale key was counted last, of the newest such

	address, cert, app, serial trait

	placed   bool
	lat, lon int32
	placeAt  pos.Instant

	more *evidence // nil: none
}

// evidence is what a terminal has said against itself.
type evidence struct {
	events   []Event
	failures [failuresKept]message // MACs that failed, of which a cause may come
	nextFail uint8
	told     uint8 // 0 nothing, 1 said without keys, 2 said under keys
}

// Bounds of evidence.
const (
	maxEvents    = 64
	failuresKept = 8
)

// traces is the number of traces: 1 to 999999.
const traces = uint32(pos.MaxSTAN)

// ahead is how many traces x is after top, going round: 1 is the next, 0 the same.
func ahead(top, x pos.STAN) uint32 { return (uint32(x) + traces - uint32(top)) % traces }

// between is how far two traces are from each other, going round.
func between(a, b pos.STAN) uint32 { return min(ahead(a, b), ahead(b, a)) }

// gap is how many traces a sequence may leave out: more where the other sequence is far from it.
func (o *one) gap(w *Weights) uint32 {
	if o.n == 2 && between(o.lanes[0].top, o.lanes[1].top) > 2000 {
		return 10 * w.Gap
	}
	return w.Gap
}

// follow chooses the message's lane and says what its trace tells. Where nothing fits, late tells that the message may have
// been overtaken by others of its own sequence: it then changes nothing.
func (o *one) follow(w *Weights, m *message) (l uint8, kind Kind, late bool) {
	if o.n == 0 {
		o.n = 1
		return 0, Follows, false
	}
	gap := o.gap(w)
	last, other := o.last, 1-o.last
	toLast := ahead(o.lanes[last].top, m.stan)
	fits := toLast >= 1 && toLast <= gap
	if o.n == 2 {
		toOther := ahead(o.lanes[other].top, m.stan)
		if behind := ahead(m.stan, o.lanes[last].top); behind >= 1 && behind <= overtakers && !o.usedBefore(m) {
			return o.lateIn(m), Follows, true
		}
		if passed := ahead(o.lanes[other].top, o.lanes[last].top); passed >= 1 && passed <= w.Far {
			gap = min(gap, w.Near) // a sequence that this one overtook is easily hit by chance
		}
		if toOther >= 1 && toOther <= gap && (!fits || toOther < toLast || toOther == toLast && o.resembles(m, other)) {
			return other, o.returned(w, m, fits && toOther == toLast), false
		}
	}
	if fits {
		return last, Follows, false
	}
	again := o.usedOtherwise(m)
	if !again && (o.usedBefore(m) || o.overtaken(m)) {
		return o.lateIn(m), Follows, true
	}
	if o.n == 1 {
		o.n, last = 2, 1
	}
	if again {
		return last, SameTraceFirst, false
	}
	return last, TraceBack, false
}

// returned is what going on with the other lane says.
func (o *one) returned(w *Weights, m *message, both bool) Kind {
	switch {
	case o.breaks >= restless:
		return Follows // its traces are in no order: they tell nothing
	case o.usedOtherwise(m):
		return SameTrace
	case both:
		return Follows // its trace fits either
	case between(o.lanes[0].top, o.lanes[1].top) > w.Far && o.lanes[1-o.last].run >= 2:
		return ReturnFar
	}
	return ReturnNear
}

// A terminal whose sequence breaks so often has traces that tell nothing: drawn at random, or lost at every start.
const (
	restless = 3
	calm     = 32
)

// broke counts breaks of the sequence.
func (o *one) broke(kind Kind) {
	if kind == TraceBack || kind == SameTraceFirst {
		o.breaks, o.calm = min(o.breaks+1, 2*restless), 0
		return
	}
	if o.calm++; o.calm >= calm {
		o.calm, o.breaks = 0, o.breaks/2
	}
}

// resembles tells whether a message looks like a lane by address and certificate, and not like the other.
func (o *one) resembles(m *message, l uint8) bool {
	mine, other := &o.lanes[l], &o.lanes[1-l]
	like := func(x *lane) bool { return x.source == m.source && x.cert == m.cert }
	return like(mine) && !like(other)
}

// lateIn is the lane of a message of whose trace nothing is said: the one it looks like by address and certificate, so that
// a reader does not see it come from the other device; else the last.
func (o *one) lateIn(m *message) uint8 {
	if other := 1 - o.last; o.n == 2 && o.resembles(m, other) {
		return other
	}
	return o.last
}

// usedOtherwise tells whether the trace was lately used for another sale. A terminal that asks for the same sale again, in
// other bytes, is a poor one and not two.
func (o *one) usedOtherwise(m *message) bool {
	for i := range o.used {
		if u := &o.used[i]; u.stan == m.stan && u.sale != m.sale {
			return true
		}
	}
	return false
}

// usedBefore tells whether the trace was lately used.
func (o *one) usedBefore(m *message) bool {
	for i := range o.used {
		if o.used[i].stan == m.stan && m.stan != 0 {
			return true
		}
	}
	return false
}

// overtaken tells whether the trace is just behind a lane's newest and not among the used ones.
func (o *one) overtaken(m *message) bool {
	for i := range o.n {
		if d := ahead(m.stan, o.lanes[i].top); d >= 1 && d <= overtakers {
			return !o.usedBefore(m)
		}
	}
	return false
}

// overtakers is how many messages of the same device may arrive before one that was sent first.
const overtakers = 3

// see takes a value of a trait; back tells that it is the one before, left within d.
func (t *trait) see(v uint64, at pos.Instant, d time.Duration, loose bool) (back, keyed bool) {
	switch {
	case v == 0:
		return false, false
	case v == t.now:
		t.nowAt, t.loose = at, t.loose && loose
		return false, false
	case v == t.before:
		back, keyed = at.Sub(t.beforeAt) <= d, !loose && !t.loose && !t.was
	}
	t.before, t.beforeAt, t.was = t.now, t.nowAt, t.loose
	t.now, t.nowAt, t.loose = v, at, loose
	return back, keyed
}

// habit is the weight of coming back to an address for a terminal that changes it as often as this one.
func (o *one) habit(w *Weights) int {
	row := w.Of(AddressReturn)
	p := float64(o.moves+1) / float64(o.messages+2)
	return max(0, min(row.Weight, int(math.Floor(10*math.Log10(row.Two/p)))))
}

// heard counts a message for the habit.
func (o *one) heard(moved bool) {
	if o.messages >= 512 {
		o.messages, o.moves = o.messages/2, o.moves/2
	}
	o.messages++
	if moved {
		o.moves++
	}
}

// travelled tells whether the message's place cannot have been reached from the one before.
func (o *one) travelled(w *Weights, m *message) (impossible bool) {
	if !m.placed {
		return false
	}
	if o.placed {
		far := metres(o.lat, o.lon, m.lat, m.lon) - 2*w.Uncertainty
		hours := math.Max(m.at.Sub(o.placeAt).Hours(), 0)
		impossible = far > w.Speed*1000*hours && far > 0
	}
	o.placed, o.lat, o.lon, o.placeAt = true, m.lat, m.lon, m.at
	return impossible
}

// metres is the great-circle distance (haversine) of two points in micro-degrees, Earth radius 6,371,009 m.
func metres(lat1, lon1, lat2, lon2 int32) float64 {
	rad := func(micro int32) float64 { return float64(micro) / 1e6 * math.Pi / 180 }
	sinLat := math.Sin((rad(lat2) - rad(lat1)) / 2)
	sinLon := math.Sin((rad(lon2) - rad(lon1)) / 2)
	h := sinLat*sinLat + math.Cos(rad(lat1))*math.Cos(rad(lat2))*sinLon*sinLon
	return 2 * 6371009 * math.Asin(math.Min(1, math.Sqrt(h)))
}
