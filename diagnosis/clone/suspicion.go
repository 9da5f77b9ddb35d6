package clone

import (
	"slices"

	"touchstone/pos"
	"touchstone/reason"
)

// Event is one contradiction.
type Event struct {
	Seq    uint64 // of the message's entry
	At     pos.Instant
	Kind   Kind
	Weight int  // ten times log10
	Keys   bool // said under the terminal's own keys
	Lane   uint8
	Trace  pos.STAN
	Set    uint32
	Source pos.Address
	Reason reason.Reason
}

// Side is one of the two devices as its newest message shows it.
type Side struct {
	Source      pos.Address
	Certificate uint64 // first 8 bytes of the certificate's fingerprint, 0 none
	Seq         uint64
	Trace       pos.STAN
	Set         uint32
	At          pos.Instant
}

// Suspicion is that two devices bear one terminal's identity.
type Suspicion struct {
	Terminal pos.TerminalID
	At       pos.Instant
	Seq      uint64 // the entry that decided
	First    uint64 // the first entry that counts
	Weight   int    // ten times log10 of how much likelier two devices make it
	Keys     bool   // what came under the terminal's own keys suffices
	Proven   bool   // two different messages were right under keys that a newer, used one had replaced
	Sides    [2]Side
	Events   []Event // that count, oldest first
	Refused  uint64  // the newest refused message among them, 0 none
	Reason   reason.Reason
}

// OneIn is the chance that one device did all that counts: at most one in so many.
func (s *Suspicion) OneIn() uint64 { return OneIn(s.Weight) }

// add keeps an event and forgets those beyond the window.
func (e *evidence) add(w *Weights, v Event) {
	old := v.At.Add(-w.window)
	if len(e.events) > 0 && (e.events[0].At < old || len(e.events) >= maxEvents) {
		e.events = slices.DeleteFunc(e.events, func(x Event) bool { return x.At < old })
		if len(e.events) >= maxEvents {
			e.events = slices.Delete(e.events, 0, 1)
		}
	}
	e.events = append(e.events, v)
}

// weigh adds up what the events of the window say: all of them, or only those under keys. A battery lost or a restored
// copy explains one going back and one earlier key together: only the heavier of the two counts.
func (e *evidence) weigh(w *Weights, now pos.Instant, keysOnly bool) (sum, stale int) {
	var of [kinds]int
	begin := 0
	old := now.Add(-w.window)
	for i := range e.events {
		v := &e.events[i]
		if v.At < old || keysOnly && !v.Keys {
			continue
		}
		switch {
		case w.rows[v.Kind].Once:
			begin = max(begin, v.Weight)
		case v.Kind == StaleKey:
			stale++
			of[v.Kind] += v.Weight
		default:
			of[v.Kind] += v.Weight
		}
	}
	soft := 0
	for k := range of {
		row := &w.rows[k]
		if row.Most > 0 {
			of[k] = min(of[k], row.Most)
		}
		if row.Soft {
			soft += of[k]
			continue
		}
		sum += of[k]
	}
	sum += min(soft, w.SoftMost)
	if stale > 0 {
		return sum + max(0, begin-w.rows[StaleKey].Weight), stale
	}
	return sum + begin, stale
}

// bothSides tells whether keys of earlier sign-ins were used in either lane, or from two addresses.
func (e *evidence) bothSides() bool {
	var first *Event
	for i := range e.events {
		v := &e.events[i]
		switch {
		case v.Kind != StaleKey:
		case first == nil:
			first = v
		case first.Lane != v.Lane || first.Source != v.Source:
			return true
		}
	}
	return false
}

// suspicion is what the evidence amounts to, if that is more than was told of before.
func (d *Detector) suspicion(id pos.TerminalID, o *one) (s Suspicion, more bool) {
	e, now := o.more, o.seen
	sum, _ := e.weigh(d.weights, now, false)
	if sum < d.weights.Threshold || e.told == 2 {
		return Suspicion{}, false
	}
	keyed, stale := e.weigh(d.weights, now, true)
	level := uint8(1)
	if keyed >= d.weights.Threshold {
		level = 2
	}
	if level <= e.told {
		return Suspicion{}, false
	}
	e.told = level
	s = Suspicion{Terminal: id, At: now, Weight: sum, Keys: level == 2, Proven: stale >= 2 && level == 2 && e.bothSides()}
	old := now.Add(-d.weights.window)
	for _, v := range e.events {
		if v.At < old {
			continue
		}
		s.Events = append(s.Events, v)
		s.Seq = max(s.Seq, v.Seq)
		if s.First == 0 || v.Seq < s.First {
			s.First = v.Seq
		}
		if v.Reason != reason.None && v.Keys && v.Seq > s.Refused {
			s.Refused, s.Reason = v.Seq, v.Reason
		}
	}
	for i := range s.Sides {
		l := &o.lanes[i]
		s.Sides[i] = Side{l.source, l.cert, l.seq, l.top, l.set, l.at}
	}
	d.sideOfAddress(o, &s)
	return s, true
}

// sideOfAddress names the other address where the traces told only one sequence.
func (d *Detector) sideOfAddress(o *one, s *Suspicion) {
	if o.n == 2 {
		return
	}
	for i := len(s.Events) - 1; i >= 0; i-- {
		if v := &s.Events[i]; v.Source != s.Sides[0].Source {
			s.Sides[1] = Side{Source: v.Source, Seq: v.Seq, Trace: v.Trace, Set: v.Set, At: v.At}
			return
		}
	}
	s.Sides[1] = Side{Certificate: o.cert.before, At: o.cert.beforeAt}
}
