package incident

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// Bounds of what a Correlator holds: about 20 MB when all are reached.
const (
	maxHeard   = 1 << 16 // terminals that answered well in the window
	maxFailing = 4096    // terminals of one rule and reason
	maxGroups  = 128     // rules times reasons
	maxSignIns = 1 << 14 // terminals whose sign-ins are kept, ring of each 8
	ring       = 8
)

// lookEvery is how much of the journal's time passes before evidence is weighed again while folding.
const lookEvery = 5 * time.Second

// Correlator gathers what the journal's entries say for the rules. It is for one goroutine; the same entries give the
// same detections, in whatever order those within a window come.
type Correlator struct {
	rules  func() []Rule
	lookup func(pos.TerminalID) (Facts, bool) // registered, and no canary

	last   uint64
	newest pos.Instant
	looked pos.Instant // when evidence was weighed last, of the journal's time

	groups  map[group]*failing
	well    map[pos.TerminalID]seen
	signIns map[pos.TerminalID]*[]signIn
	moved   bool // a terminal signed in from another address than before

	verdicts map[uint64]verdict // refusals whose cause may come
	order    []uint64           // of verdicts, the oldest first

	exchange journal.Exchange // scratch
}

type group struct{ rule, reason string }

type failing struct {
	dirty     bool
	terminals map[pos.TerminalID]*failure
}

type failure struct {
	first, last pos.Instant
	seq         uint64 // of last
	network     pos.Address
	app         [8]byte // application version that its messages presented, zero none
	found       found   // behind the newest refusal that a cause was found for
}

type seen struct {
	at      pos.Instant
	network pos.Address
	app     [8]byte
}

type signIn struct {
	at   pos.Instant
	seq  uint64
	from pos.Address
}

// Hit is one terminal of a detection and its newest entry.
type Hit struct {
	Terminal string
	Shop     string
	Serial   string
	Model    string
	Version  string
	Seq      uint64
	First    pos.Instant
	At       pos.Instant
}

// Detection is what a rule found. Whether an incident is opened is Take's to say.
type Detection struct {
	Rule   Rule
	Key    string // rule and scope
	Reason string // of refusals
	Hits   []Hit
	Common []Factor // the chosen one is marked
	Shared *Factor  // the chosen one, nil: those that failed share nothing that the others lack
	Likely []Likely // causes found behind the failures, the most frequent first
	Text   Text     // of an event or act
	Link   string   // the record of an act, such as INS-3
	At     pos.Instant
	From   Text        // of an act: why its exposure begins where it does
	Until  pos.Instant // of an act: when its exposure ended, 0: it goes on
}

// NewCorrelator is one before any entry. rules gives the rules in force, lookup what is registered of a terminal.
func NewCorrelator(rules func() []Rule, lookup func(pos.TerminalID) (Facts, bool)) *Correlator {
	return &Correlator{rules: rules, lookup: lookup, groups: map[group]*failing{}, well: map[pos.TerminalID]seen{}, signIns: map[pos.TerminalID]*[]signIn{}, verdicts: map[uint64]verdict{}}
}

// Fold takes one entry. What it returns are detections to be given to Take; Look gives those that are due.
func (c *Correlator) Fold(e journal.Entry) (found []Detection) {
	if e.Seq <= c.last {
		return nil
	}
	c.last = e.Seq
	if e.At > c.newest {
		c.newest = e.At
	}
	if c.looked == 0 {
		c.looked = e.At
	}
	if e.At.Sub(c.looked) >= lookEvery {
		found = c.Look()
	}
	switch {
	case e.Kind == journal.KindExchange:
		if c.exchange.Parse(e) == nil && c.exchange.Flags&(journal.FlagCanary|journal.FlagRepeat) == 0 {
			c.message(e.Seq, &c.exchange)
			found = append(found, c.outside(e.Seq, &c.exchange)...)
		}
	case e.Kind == journal.KindCause:
		c.cause(e)
	case e.Kind == journal.KindEvent:
		found = append(found, c.event(e)...)
	case e.Kind.OfActs() && e.Kind != journal.KindIncident:
		found = append(found, c.act(e)...)
	}
	return found
}

func (c *Correlator) message(seq uint64, x *journal.Exchange) {
	if x.Reason == reason.None && x.DE39 == pos.Approved {
		if x.Effect == journal.KeysIssued {
			c.signedIn(seq, x)
		}
		c.answeredWell(x)
	}
	if x.Reason == reason.None && x.Effect != journal.Tampered {
		return
	}
	c.remember(seq, x)
	rules := c.rules()
	for i := range rules {
		r := &rules[i]
		if r.Off || r.Type != typeSpread {
			continue
		}
		why := ""
		switch {
		case x.Reason != reason.None && slices.Contains(r.Answers, x.DE39.String()):
			why = x.Reason.String()
		case x.Effect != journal.NoEffect && slices.Contains(r.Effects, x.Effect.String()):
			why = x.Effect.String()
		default:
			continue
		}
		c.fail(group{r.ID, why}, seq, x)
	}
}

func (c *Correlator) fail(g group, seq uint64, x *journal.Exchange) {
	f := c.groups[g]
	if f == nil {
		if len(c.groups) >= maxGroups {
			return
		}
		f = &failing{terminals: map[pos.TerminalID]*failure{}}
		c.groups[g] = f
	}
	t := f.terminals[x.Terminal]
	if t == nil {
		if len(f.terminals) >= maxFailing {
			return
		}
		t = &failure{first: x.At}
		f.terminals[x.Terminal] = t
	}
	f.dirty = true
	t.first = min(t.first, x.At)
	if x.At > t.last || x.At == t.last && seq > t.seq {
		t.last, t.seq, t.network, t.app = x.At, seq, x.Source, presented(x, t.app)
	}
}

func (c *Correlator) answeredWell(x *journal.Exchange) {
	old, known := c.well[x.Terminal]
	if !known && len(c.well) >= maxHeard {
		return // the table then counts fewer of those that did not fail
	}
	if x.At >= old.at {
		c.well[x.Terminal] = seen{x.At, x.Source, presented(x, old.app)}
	}
}

// presented is the application version a message names, or the one before: not every message names one.
func presented(x *journal.Exchange, before [8]byte) [8]byte {
	if x.App == [8]byte{} {
		return before
	}
	return x.App
}

// running are a terminal's facts with the version that its own messages presented: what is registered may lag behind.
func running(f Facts, app [8]byte) Facts {
	if version := strings.TrimRight(string(app[:]), "\x00 "); version != "" {
		f.Version = version
	}
	return f
}

func networkOf(a pos.Address) string {
	if a.Is4() {
		return fmt.Sprintf("%d.%d.%d.0/24", a[12], a[13], a[14])
	}
	return pos.Network{Base: pos.Address{a[0], a[1], a[2], a[3], a[4], a[5]}, Bits: 48}.String()
}

// longest is the longest window of the spreads.
func longest(rules []Rule) (d time.Duration) {
	for i := range rules {
		d = max(d, rules[i].within())
	}
	return d
}

// Look weighs the evidence gathered since it was weighed last.
func (c *Correlator) Look() (found []Detection) {
	c.looked, c.moved = c.newest, false
	rules := c.rules()
	old := c.newest - pos.Instant(longest(rules))
	for id, w := range c.well {
		if w.at < old {
			delete(c.well, id)
		}
	}
	for i := range rules {
		r := &rules[i]
		switch r.Type {
		case typeSpread:
			for _, g := range c.groupsOf(r.ID) {
				found = append(found, c.spread(r, g, c.groups[g])...)
			}
		case typeAlternate:
			found = append(found, c.alternate(r)...)
		}
	}
	return found
}

// Due tells whether anything came that Look has not weighed. Evidence is worth weighing again without it too, now and
// then: that others answer well says as much.
func (c *Correlator) Due() bool {
	for _, f := range c.groups {
		if f.dirty {
			return true
		}
	}
	return c.moved
}

func (c *Correlator) groupsOf(rule string) (list []group) {
	for g := range c.groups {
		if g.rule == rule {
			list = append(list, g)
		}
	}
	slices.SortFunc(list, func(a, b group) int { return cmp.Compare(a.reason, b.reason) })
	return list
}

// spread finds what the terminals that failed for one reason share and the others do not, again for those that this
// leaves.
func (c *Correlator) spread(r *Rule, g group, f *failing) (found []Detection) {
	since := c.newest - pos.Instant(r.within())
	for id, t := range f.terminals {
		if t.last < since {
			delete(f.terminals, id)
		} else if t.first < since {
			t.first = t.last
		}
	}
	if len(f.terminals) == 0 {
		delete(c.groups, g)
		return nil
	}
	f.dirty = false
	if r.Off || len(f.terminals) < r.Terminals {
		return nil
	}
	all := c.heardSince(f, since)
	for range 8 {
		list := tables(all)
		at := slices.IndexFunc(list, func(x Factor) bool { return r.reached(all, &x) && r.contrast(&x) })
		if at < 0 {
			break
		}
		chosen := list[at]
		found = append(found, r.detection(g, all, list, &chosen))
		all = slices.DeleteFunc(all, func(h heard) bool { return h.value(chosen.Name) == chosen.Value })
	}
	if len(found) == 0 {
		found = r.general(g, all)
	}
	return found
}

// general: they share nothing that the others lack, are most of those heard, and twice what a spread needs: fewer may
// be the first of several that do share something.
func (r *Rule) general(g group, all []heard) []Detection {
	whole := Factor{}
	for i := range all {
		if all[i].failed {
			whole.Affected++
		} else {
			whole.Unaffected++
		}
	}
	if in, _ := whole.rates(); in < r.Rate || whole.Affected < 2*r.Terminals || !r.reached(all, &whole) {
		return nil
	}
	return []Detection{r.detection(g, all, tables(all), nil)}
}

// reached tells whether enough terminals in enough shops failed that share a value; all of them where it has no name.
func (r *Rule) reached(all []heard, x *Factor) bool {
	shops := map[string]bool{}
	n := 0
	for i := range all {
		if all[i].failed && (x.Name == "" || all[i].value(x.Name) == x.Value) {
			n++
			shops[all[i].facts.Shop] = true
		}
	}
	return n >= r.Terminals && (len(shops) >= r.Shops || x.Name == byShop || x.Name == byKey)
}

// heardSince are the terminals that failed and those that did not, of which something is registered.
func (c *Correlator) heardSince(f *failing, since pos.Instant) []heard {
	all := make([]heard, 0, len(f.terminals)+len(c.well))
	for id, t := range f.terminals {
		if facts, ok := c.lookup(id); ok {
			all = append(all, heard{terminal: id, facts: running(facts, t.app), network: networkOf(t.network), failed: true, seq: t.seq, at: t.last, first: t.first, found: t.found})
		}
	}
	for id, w := range c.well {
		if f.terminals[id] != nil || w.at < since {
			continue
		}
		if facts, ok := c.lookup(id); ok {
			all = append(all, heard{terminal: id, facts: running(facts, w.app), network: networkOf(w.network), at: w.at})
		}
	}
	return all
}

// mostFactors are the lines of the table that is kept.
const mostFactors = 6

func (r *Rule) detection(g group, all []heard, list []Factor, chosen *Factor) Detection {
	d := Detection{Rule: *r, Reason: g.reason, Shared: chosen, Likely: likely(all, chosen)}
	d.Key = r.ID + "|" + g.reason + "|"
	if chosen != nil {
		d.Key += chosen.Name + "|" + chosen.Value
	}
	for i := range all {
		h := &all[i]
		if !h.failed || chosen != nil && h.value(chosen.Name) != chosen.Value {
			continue
		}
		d.Hits = append(d.Hits, Hit{Terminal: h.terminal.String(), Shop: h.facts.Shop, Serial: h.facts.Serial, Model: h.facts.Model, Version: h.facts.Version,
			Seq: h.seq, First: h.first, At: h.at})
		d.At = max(d.At, h.at)
	}
	slices.SortFunc(d.Hits, func(a, b Hit) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, f := range list {
		f.Chosen = chosen != nil && f.Name == chosen.Name && f.Value == chosen.Value
		if f.Chosen || len(d.Common) < mostFactors-1 && f.Affected >= 2 {
			d.Common = append(d.Common, f)
		}
		if len(d.Common) == mostFactors {
			break
		}
	}
	return d
}

func (c *Correlator) event(e journal.Entry) (found []Detection) {
	var event journal.Event
	if json.Unmarshal(e.Body, &event) != nil {
		return nil
	}
	rules := c.rules()
	for i := range rules {
		r := &rules[i]
		if r.Off || r.Type != typeEvent || !slices.Contains(r.Events, event.Name) {
			continue
		}
		d := Detection{Rule: *r, At: e.At, Key: r.ID + "|" + event.Name + "|" + event.Model + "|" + event.Parameters["proof"] + "|" + event.Parameters["algorithm"]}
		h := Hit{Terminal: event.Terminal, Shop: event.Merchant, Model: event.Model, Seq: e.Seq, First: e.At, At: e.At}
		if since, err := time.Parse(time.RFC3339, event.Parameters["since"]); err == nil {
			h.First = min(h.First, pos.Instant(since.UnixNano()))
		}
		if r.Stem != "" && event.Terminal != "" {
			d.Key = r.key(event.Terminal)
			c.complete(&h)
		}
		d.Hits = append(d.Hits, h)
		d.Text = Text{EN: event.Name + " " + event.Parameters["proof"], ZH: event.Name + " " + event.Parameters["proof"]}
		found = append(found, d)
	}
	return found
}
