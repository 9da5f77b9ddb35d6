package main

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"touchstone/failure"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/web/api"
)

// Bounds of the pulse.
const (
	pulseBeats   = 10*60/api.PointSeconds + 1 // ten minutes and the one that grows
	pulseReasons = 128                        // numbers of reasons; what is beyond counts as the last
	pulseLatest  = 64                         // newest refusals kept; a cause comes within seconds
	shopLatest   = 8
	pulseShops   = 1 << 18 // shops that are counted today, about 30 MB when all were
)

// beat is what two seconds brought.
type beat struct {
	at         int64 // its number: seconds since 1970 by api.PointSeconds; another than asked for: nothing
	approved   uint32
	suppressed uint32
	refused    [pulseReasons]uint32
}

// refused is one refused message as a line of a table.
type refusedLine struct {
	seq      uint64
	at       pos.Instant
	terminal pos.TerminalID
	merchant pos.MerchantID // of the registered terminal; zero of one that is not
	reason   reason.Reason
	amount   pos.Amount
	de39     pos.ResponseCode
	cause    *journal.Cause
}

// shopDay is one shop since midnight.
type shopDay struct {
	approved, refused uint32
	taken             pos.Amount
	why               []shopReason
	latest            []refusedLine // newest last
}

type shopReason struct {
	reason reason.Reason
	count  uint32
}

// pulse keeps what the first page shows: the last ten minutes, the newest refusals, and each shop's day. It is a fold of
// durable entries on the watch's goroutine, as the figures of failures are; canaries and repeats count as nothing.
type pulse struct {
	merchantOf func(pos.TerminalID) (pos.MerchantID, bool) // of a registered terminal
	zone       *time.Location

	mu       sync.Mutex // guards all below; the register's leaf lock is taken under it
	last     uint64
	beats    [pulseBeats]beat
	latest   []refusedLine // newest last
	day      [2]pos.Instant
	began    pos.Instant // of counting the day's shops
	shops    map[pos.MerchantID]*shopDay
	exchange journal.Exchange // scratch
}

func newPulse(zone *time.Location, merchantOf func(pos.TerminalID) (pos.MerchantID, bool)) *pulse {
	if zone == nil {
		zone = time.UTC
	}
	return &pulse{merchantOf: merchantOf, zone: zone, shops: map[pos.MerchantID]*shopDay{}}
}

// fold takes one durable entry.
func (p *pulse) fold(e journal.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Seq <= p.last {
		return
	}
	p.last = e.Seq
	switch e.Kind {
	case journal.KindExchange:
		if x := &p.exchange; x.Parse(e) == nil && x.Flags&(journal.FlagCanary|journal.FlagRepeat|journal.FlagRedress) == 0 {
			p.message(e.Seq, x)
		}
	case journal.KindCause:
		var c journal.Cause
		if json.Unmarshal(e.Body, &c) == nil {
			p.caused(&c)
		}
	case journal.KindFlood:
		var f journal.Flood
		if json.Unmarshal(e.Body, &f) == nil {
			if b := p.beatAt(e.At); b != nil {
				b.suppressed += uint32(min(f.Suppressed, 1<<31))
			}
		}
	}
}

// beatAt is the beat of an instant, nil of one that is older than those kept.
func (p *pulse) beatAt(at pos.Instant) *beat {
	n := int64(at) / int64(api.PointSeconds*time.Second)
	b := &p.beats[n%pulseBeats]
	switch {
	case b.at == n:
		return b
	case b.at > n:
		return nil
	}
	*b = beat{at: n}
	return b
}

// asksForMoney tells whether a message asks for money to move or to be known, as the rate of approvals counts them.
func asksForMoney(x *journal.Exchange) bool {
	switch x.MTI {
	case 0x0100, 0x0200, 0x0220, 0x0400:
		return true
	}
	return false
}

func (p *pulse) message(seq uint64, x *journal.Exchange) {
	p.newDay(x.At)
	b := p.beatAt(x.At)
	if x.Reason == reason.None {
		if !asksForMoney(x) || x.DE39 != pos.Approved {
			return
		}
		if b != nil {
			b.approved++
		}
		if s := p.shop(x.Merchant, x.At); s != nil {
			s.approved++
			if x.Effect == journal.Sold {
				s.taken += x.Amount
			}
		}
		return
	}
	if b != nil {
		b.refused[min(int(x.Reason), pulseReasons-1)]++
	}
	line := refusedLine{seq: seq, at: x.At, terminal: x.Terminal, reason: x.Reason, amount: x.Amount, de39: x.DE39}
	if m, ok := p.merchantOf(x.Terminal); ok {
		line.merchant = m // what a message says of its shop may be anything
		if s := p.shop(m, x.At); s != nil {
			s.refuse(line)
		}
	}
	if failure.OfSecurity(x.Reason) {
		p.latest = keepNewest(p.latest, line, pulseLatest)
	}
}

// keepNewest appends to a list of at most n.
func keepNewest(list []refusedLine, l refusedLine, n int) []refusedLine {
	if len(list) == n {
		copy(list, list[1:])
		list = list[:n-1]
	}
	return append(list, l)
}

func (s *shopDay) refuse(l refusedLine) {
	s.refused++
	s.latest = keepNewest(s.latest, l, shopLatest)
	i := slices.IndexFunc(s.why, func(w shopReason) bool { return w.reason == l.reason })
	if i < 0 {
		s.why = append(s.why, shopReason{reason: l.reason})
		i = len(s.why) - 1
	}
	s.why[i].count++
}

// newDay forgets the shops when a day begins in the host's zone.
func (p *pulse) newDay(at pos.Instant) {
	if at < p.day[1] {
		return
	}
	t := at.Time().In(p.zone)
	start := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, p.zone)
	p.day = [2]pos.Instant{pos.Instant(start.UnixNano()), pos.Instant(start.AddDate(0, 0, 1).UnixNano())}
	clear(p.shops)
	if p.began == 0 {
		p.began = at
	} else {
		p.began = p.day[0]
	}
}

// shop is a shop's day; nil of a day that is over, and beyond the bound.
func (p *pulse) shop(m pos.MerchantID, at pos.Instant) *shopDay {
	if at < p.day[0] {
		return nil
	}
	s := p.shops[m]
	if s == nil && len(p.shops) < pulseShops {
		s = &shopDay{}
		p.shops[m] = s
	}
	return s
}

// caused notes what was found behind a refusal that is still shown.
func (p *pulse) caused(c *journal.Cause) {
	note := func(list []refusedLine) {
		for i := range list {
			if list[i].seq == c.Verdict {
				list[i].cause = c
			}
		}
	}
	note(p.latest)
	if id, err := pos.ParseTerminalID(c.Terminal); err == nil {
		if m, ok := p.merchantOf(id); ok && p.shops[m] != nil {
			note(p.shops[m].latest)
		}
	}
}

// window is a copy of what fleet pages show.
type window struct {
	last       uint64
	points     []api.Point // oldest first
	approved   uint64
	suppressed uint64
	refused    [pulseReasons]uint64
	latest     []refusedLine // newest first
}

// look copies the last ten minutes before now, and as points the newest of them.
func (p *pulse) look(now pos.Instant, points, latest int) (w window) {
	p.mu.Lock()
	defer p.mu.Unlock()
	newest := int64(now) / int64(api.PointSeconds*time.Second)
	w.last = p.last
	for n := newest - pulseBeats + 1; n <= newest; n++ {
		b := &p.beats[n%pulseBeats]
		point := api.Point{T: n * api.PointSeconds}
		if b.at == n {
			w.approved += uint64(b.approved)
			w.suppressed += uint64(b.suppressed)
			point.Approved = b.approved
			for r, k := range b.refused {
				if k > 0 {
					w.refused[r] += uint64(k)
					if point.Refused == nil {
						point.Refused = map[string]uint32{}
					}
					point.Refused[seriesOf(reason.Reason(r))] += k
				}
			}
		}
		if n > newest-int64(points) {
			w.points = append(w.points, point)
		}
	}
	for i := len(p.latest) - 1; i >= 0 && len(w.latest) < latest; i-- {
		w.latest = append(w.latest, p.latest[i])
	}
	return w
}

// issuerSeries is all that cards' banks refused: none of security's business, and one line of a picture.
const issuerSeries = "issuer"

func seriesOf(r reason.Reason) string {
	if r.OfIssuer() {
		return issuerSeries
	}
	return r.String()
}

// shopNow copies one shop's day.
func (p *pulse) shopNow(m pos.MerchantID) (s shopDay, since pos.Instant) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.shops[m]; found != nil {
		s = *found
		s.why, s.latest = slices.Clone(s.why), slices.Clone(s.latest)
	}
	return s, max(p.began, p.day[0])
}
