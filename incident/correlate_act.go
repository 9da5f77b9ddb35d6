package incident

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// act compares what an act changed with the rules over acts.
func (c *Correlator) act(e journal.Entry) (found []Detection) {
	rules := c.rules()
	var a *journal.Act
	for i := range rules {
		r := &rules[i]
		if r.Off || r.Type != typeAct || r.Room != e.Kind.String() {
			continue
		}
		if a == nil {
			a = &journal.Act{}
			if json.Unmarshal(e.Body, a) != nil {
				return nil
			}
		}
		for n := range a.Changes {
			if d, ok := r.matches(&a.Changes[n]); ok {
				d.At = e.At
				d.Hits[0].Seq, d.Hits[0].First, d.Hits[0].At = e.Seq, e.At, e.At
				c.complete(&d.Hits[0])
				found = append(found, d)
			}
		}
	}
	return found
}

// complete adds what is registered of a terminal.
func (c *Correlator) complete(h *Hit) {
	id, err := pos.ParseTerminalID(h.Terminal)
	if err != nil {
		return
	}
	if f, ok := c.lookup(id); ok {
		h.Shop, h.Model, h.Version = cmp.Or(h.Shop, f.Shop), cmp.Or(h.Model, f.Model), cmp.Or(h.Version, f.Version)
		h.Serial = cmp.Or(h.Serial, f.Serial)
	}
}

func (r *Rule) matches(change *journal.Change) (Detection, bool) {
	if change.Noun != r.Noun {
		return Detection{}, false
	}
	var record any
	if json.Unmarshal(change.Record, &record) != nil {
		return Detection{}, false
	}
	for path, values := range r.Where {
		if !slices.ContainsFunc(at(record, strings.Split(path, ".")), func(v string) bool { return slices.Contains(values, v) }) {
			return Detection{}, false
		}
	}
	first := func(path string) string {
		if v := at(record, []string{path}); len(v) > 0 && sound(v[0], 60) {
			return v[0]
		}
		return ""
	}
	h := Hit{Terminal: first("terminal"), Shop: first("merchant"), Serial: first("serial"), Model: first("model")}
	place := cmp.Or(h.Terminal, h.Serial, change.ID)
	return Detection{Rule: *r, Key: r.ID + "|" + place, Hits: []Hit{h}, Link: change.ID}, true
}

// at is every text, number or truth at a path; a list means any of its members.
func at(v any, path []string) []string {
	switch v := v.(type) {
	case []any:
		var all []string
		for _, x := range v {
			all = append(all, at(x, path)...)
		}
		return all
	case map[string]any:
		if len(path) > 0 {
			return at(v[path[0]], path[1:])
		}
	case string:
		if len(path) == 0 {
			return []string{v}
		}
	case bool:
		if len(path) == 0 {
			return []string{map[bool]string{true: "true", false: "false"}[v]}
		}
	}
	return nil
}

// signedIn keeps where a terminal signed in from.
func (c *Correlator) signedIn(seq uint64, x *journal.Exchange) {
	list := c.signIns[x.Terminal]
	if list == nil {
		if len(c.signIns) >= maxSignIns {
			return
		}
		list = &[]signIn{}
		c.signIns[x.Terminal] = list
	}
	n := len(*list)
	c.moved = c.moved || n > 0 && (*list)[n-1].from != x.Source
	*list = append(*list, signIn{x.At, seq, x.Source})
	slices.SortFunc(*list, func(a, b signIn) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq)) })
	if len(*list) > ring {
		*list = slices.Delete(*list, 0, len(*list)-ring)
	}
}

// outside is a message that says it comes from outside its terminal's circle: refused for it, or let pass and marked.
func (c *Correlator) outside(seq uint64, x *journal.Exchange) (found []Detection) {
	if x.Reason != reason.LocationOutside && x.Flags&journal.FlagOutside == 0 {
		return nil
	}
	rules := c.rules()
	for i := range rules {
		r := &rules[i]
		if r.Off || r.Type != typeOutside {
			continue
		}
		facts, ok := c.lookup(x.Terminal)
		if !ok {
			return nil
		}
		id := x.Terminal.String()
		found = append(found, Detection{Rule: *r, Key: r.ID + "|" + id, At: x.At, Hits: []Hit{{Terminal: id, Shop: facts.Shop, Serial: facts.Serial, Model: facts.Model, Version: facts.Version,
			Seq: seq, First: x.At, At: x.At}}})
	}
	return found
}

// key is that of an incident at one terminal.
func (r *Rule) key(terminal string) string { return cmp.Or(r.Stem, r.ID) + "|" + terminal }

// alternate finds terminals whose sign-ins come back to an address they had left, again and again.
func (c *Correlator) alternate(r *Rule) (found []Detection) {
	since := c.newest - pos.Instant(r.within())
	for id, list := range c.signIns {
		recent := slices.DeleteFunc(*list, func(s signIn) bool { return s.at < since })
		if *list = recent; len(recent) == 0 {
			delete(c.signIns, id)
			continue
		}
		if r.Off || returns(recent) < r.Returns {
			continue
		}
		facts, ok := c.lookup(id)
		if !ok {
			continue
		}
		d := Detection{Rule: *r, Key: r.key(id.String()), At: recent[len(recent)-1].at}
		for _, s := range recent {
			d.Hits = append(d.Hits, Hit{Terminal: id.String(), Shop: facts.Shop, Serial: facts.Serial, Model: facts.Model, Version: facts.Version, Seq: s.seq, First: s.at, At: s.at})
		}
		found = append(found, d)
	}
	slices.SortFunc(found, func(a, b Detection) int { return cmp.Compare(a.Key, b.Key) })
	return found
}

// returns is how often a sign-in came from another address than the one before, and one seen before.
func returns(list []signIn) (n int) {
	known := map[pos.Address]bool{}
	for i, s := range list {
		if i > 0 && s.from != list[i-1].from && known[s.from] {
			n++
		}
		known[s.from] = true
	}
	return n
}
