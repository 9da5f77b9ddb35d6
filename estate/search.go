package estate

import (
	"slices"
	"strings"

	"touchstone/pos"
)

// MaxPage is the most rows of a page.
const MaxPage = 1000

// Query says which terminals are sought: those that everything given fits.
type Query struct {
	Text      string           // part of a terminal's id, a serial number, a merchant's number or name, an address
	Want      [Facets][]string // one of the values; of a reason "inspection" is any of inspection.overdue and so on
	Merchant  pos.MerchantID
	DueBefore pos.Instant // the next inspection is due before then; what is not known is not
	Within    *Area
	After     string // the id of the last terminal of the page before
	Limit     int    // rows; 0 none
	Count     []Facet
}

// Area is a piece of the map in micro-degrees; a border belongs to it.
type Area struct{ South, North, West, East int32 }

func (a *Area) has(p [2]int32) bool {
	return p != noPlace && p[0] >= a.South && p[0] <= a.North && p[1] >= a.West && p[1] <= a.East
}

// Count is how many terminals have a value.
type Count struct {
	Value string
	N     int
}

// Result is one page and what the whole would be.
type Result struct {
	IDs    []pos.TerminalID  // in order
	More   bool              // there are some after these
	Total  int               // all that fit
	Counts map[Facet][]Count // for each facet asked for, the most frequent first: of the terminals that everything else of the query fits
}

// sieve is a query taken apart.
type sieve struct {
	base  set         // what text, merchant, time and area leave; nil everything
	facet [Facets]set // what each facet asked for leaves; nil everything
}

// Search finds terminals.
func (e *Estate) Search(q Query) (r Result) {
	e.settled(func() {
		s := e.sift(&q)
		whole := s.all(e.ids.len(), Facets)
		r.Total = e.ids.len()
		if whole != nil {
			if r.Total = whole.size(); r.Total == e.ids.len() {
				whole = nil
			}
		}
		r.IDs, r.More = e.page(whole, &q)
		if len(q.Count) > 0 {
			r.Counts = map[Facet][]Count{}
		}
		for _, f := range q.Count {
			of := whole
			if s.facet[f] != nil {
				of = s.all(e.ids.len(), int(f))
			}
			r.Counts[f] = e.count(f, of)
		}
	})
	return r
}

// Each calls f with every terminal that a query fits, in no order, until it returns false: its id, its place if it has
// one. The index is held meanwhile.
func (e *Estate) Each(q Query, f func(id pos.TerminalID, latitude, longitude int32, placed bool) bool) {
	e.settled(func() {
		whole := e.sift(&q).all(e.ids.len(), Facets)
		for slot := range uint32(e.ids.len()) {
			if whole != nil && !whole.has(slot) {
				continue
			}
			p := e.place[slot]
			if !f(pos.TerminalID(e.ids.text(slot)), p[0], p[1], p != noPlace) {
				return
			}
		}
	})
}

// all is what fits, but for one facet; nil is everything.
func (s *sieve) all(n, but int) set {
	var whole set
	take := func(o set) {
		switch {
		case o == nil:
		case whole == nil:
			whole = slices.Clone(o)
		default:
			whole.and(o)
		}
	}
	take(s.base)
	for f := range s.facet {
		if f != but {
			take(s.facet[f])
		}
	}
	return whole
}

func (e *Estate) sift(q *Query) *sieve {
	s := &sieve{}
	n := e.ids.len()
	narrow := func(fits func(slot uint32) bool) {
		next := newSet(n)
		for slot := range uint32(n) {
			if (s.base == nil || s.base.has(slot)) && fits(slot) {
				next.put(slot)
			}
		}
		s.base = next
	}
	if text := sought(q.Text); text != "" {
		s.base = e.matching(text)
	}
	if q.Merchant != (pos.MerchantID{}) {
		shop, ok := e.shops.slot(string(q.Merchant[:]))
		narrow(func(slot uint32) bool { return ok && e.shop[slot] == shop })
	}
	if q.DueBefore != 0 {
		before := secondsOf(q.DueBefore)
		narrow(func(slot uint32) bool { return e.due[slot] != 0 && e.due[slot] < before })
	}
	if q.Within != nil {
		narrow(func(slot uint32) bool { return q.Within.has(e.place[slot]) })
	}
	for f, want := range q.Want {
		if len(want) > 0 {
			s.facet[f] = e.having(Facet(f), want)
		}
	}
	return s
}

// sought is what a person typed as it is sought.
func sought(text string) string { return strings.ToLower(strings.TrimSpace(text)) }

// matching is the terminals of which some name contains a text.
func (e *Estate) matching(text string) set {
	n := e.ids.len()
	found, units, shops := newSet(n), newSet(e.units.len()), newSet(e.shops.len())
	e.ids.match(text, found.put)
	places := newSet(len(e.uses))
	if len(text) >= wholeSearch {
		e.addresses.match(text, places.put)
	}
	e.units.match(text, units.put)
	e.shops.match(text, shops.put)
	e.shopNames.match(text, shops.put)
	for _, other := range []struct {
		found set
		by    []uint32 // by terminal
	}{{units, e.unit}, {shops, e.shop}, {places, e.at}} {
		if other.found.size() == 0 {
			continue
		}
		for slot, of := range other.by {
			if other.found.has(of) {
				found.put(uint32(slot))
			}
		}
	}
	return found
}

// having is the terminals that have one of some values.
func (e *Estate) having(f Facet, want []string) set {
	words := &e.words[f]
	fits := make([]bool, len(words.words))
	for code, word := range words.words {
		fits[code] = slices.ContainsFunc(strings.Split(word, setMark), func(value string) bool {
			return slices.ContainsFunc(want, func(w string) bool { return value == w || f == Reason && strings.HasPrefix(value, w+".") })
		})
	}
	fits[unset] = slices.Contains(want, Unknown) || slices.Contains(want, "")
	found := newSet(e.ids.len())
	e.values[f].where(fits, found)
	return found
}

// Unknown is the value of a facet of which nothing is known; of Reason, Campaign and Advisory, that there is none.
const Unknown = "unknown"

// count is how many of some terminals, nil for all, have each value.
func (e *Estate) count(f Facet, of set) []Count {
	words := &e.words[f]
	number := words.count
	if of != nil {
		number = words.among(&e.values[f], of)
	}
	sums := map[string]int{}
	for code, n := range number {
		if n == 0 {
			continue
		}
		if code == unset {
			sums[Unknown] += int(n)
			continue
		}
		for value := range strings.SplitSeq(words.words[code], setMark) {
			sums[value] += int(n)
		}
	}
	list := make([]Count, 0, len(sums))
	for value, n := range sums {
		list = append(list, Count{value, n})
	}
	slices.SortFunc(list, mostFirst)
	return list
}

// mostFirst is the order of counts: the most frequent first, else by their words.
func mostFirst(a, b Count) int {
	if a.N != b.N {
		return b.N - a.N
	}
	return strings.Compare(a.Value, b.Value)
}

// among counts the words of the slots of a set: where most are in it, of those that are not.
func (d *dictionary) among(c *column, of set) []int32 {
	number := make([]int32, len(d.words))
	size, used, last := of.size(), 0, 0
	for code, n := range d.count {
		if n > 0 {
			used, last = used+1, code
		}
	}
	switch {
	case used == 1: // all have the same
		number[last] = int32(size)
	case size > c.len()/2:
		others := newSet(c.len())
		others.fill(c.len())
		for i := range others {
			others[i] &^= of[i]
		}
		c.count(others, number)
		for code, n := range d.count {
			number[code] = n - number[code]
		}
	default:
		c.count(of, number)
	}
	return number
}

// page is the rows after the last page's.
func (e *Estate) page(whole set, q *Query) (ids []pos.TerminalID, more bool) {
	limit := min(q.Limit, MaxPage)
	if limit <= 0 {
		return nil, false
	}
	for _, slot := range e.ids.order[e.ids.after(q.After):] {
		if whole != nil && !whole.has(slot) {
			continue
		}
		if len(ids) == limit {
			return ids, true
		}
		ids = append(ids, pos.TerminalID(e.ids.text(slot)))
	}
	return ids, false
}

// MerchantsLike are merchants whose number or name contains a text, in the order of their numbers, after one.
func (e *Estate) MerchantsLike(text, after string, limit int) (ids []pos.MerchantID, more bool, total int) {
	e.settled(func() {
		var found set
		if text = sought(text); text != "" {
			found = newSet(e.shops.len())
			e.shops.match(text, found.put)
			e.shopNames.match(text, found.put)
		}
		total = e.shops.len()
		if found != nil {
			total = found.size()
		}
		for _, slot := range e.shops.order[e.shops.after(after):] {
			if found != nil && !found.has(slot) {
				continue
			}
			if len(ids) == min(limit, MaxPage) {
				more = true
				return
			}
			ids = append(ids, pos.MerchantID(e.shops.text(slot)))
		}
	})
	return ids, more, total
}

// DeviceQuery says which devices are sought.
type DeviceQuery struct {
	Text  string // part of the serial number or of the model's name
	State string // "" any
	After string
	Limit int
}

// DevicesLike are the devices that fit, in the order of their serial numbers, and how many are in each state.
func (e *Estate) DevicesLike(q DeviceQuery) (serials []pos.Serial, more bool, total int, states []Count) {
	e.settled(func() {
		state, known := e.unitWords.codes[q.State]
		found := newSet(e.units.len())
		if text := sought(q.Text); text != "" {
			e.units.match(text, found.put)
			e.modelled(text, found)
		} else {
			found.fill(e.units.len())
		}
		number := make([]int32, len(e.unitWords.words))
		e.unitState.count(found, number)
		for code, n := range number {
			if n > 0 {
				states = append(states, Count{e.unitWords.words[code], int(n)})
			}
		}
		slices.SortFunc(states, mostFirst)
		if q.State != "" {
			kept := newSet(e.units.len())
			found.each(func(slot uint32) {
				if known && e.unitState.of(slot) == state {
					kept.put(slot)
				}
			})
			found = kept
		}
		total = found.size()
		for _, slot := range e.units.order[e.units.after(q.After):] {
			if !found.has(slot) {
				continue
			}
			if len(serials) == min(q.Limit, MaxPage) {
				more = true
				return
			}
			serials = append(serials, pos.Serial(e.units.text(slot)))
		}
	})
	return serials, more, total, states
}

// modelled adds the devices whose model's name contains a text in small letters.
func (e *Estate) modelled(text string, to set) {
	fits := make([]bool, len(e.unitModels.words))
	some := false
	for code, word := range e.unitModels.words {
		fits[code] = word != "" && strings.Contains(strings.ToLower(word), text)
		some = some || fits[code]
	}
	if !some {
		return
	}
	e.unitModel.where(fits, to)
}
