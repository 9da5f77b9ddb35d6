package failure

import (
	"touchstone/effectiveness"
	"touchstone/pos"
)

// sums are one hour's cells added up by every dimension. An hour that is over rarely changes, so a report of two days
// adds up sums and not cells.
type sums struct {
	total        Count
	wrongSales   uint64
	unknownSales uint64
	tables       []map[string]*Count // as Dimensions
	flows        map[path]*Count
	wrong        map[pos.TerminalID]struct{}
}

// path is how a refusal went: reason, cause, justice, as the rows of a report name them.
type path [3]string

// sums makes them where the hour changed since.
func (h *hour) sums(at effectiveness.Hour) *sums {
	if h.kept == nil {
		h.kept = sumOf(h.cells, at, Filter{})
	}
	return h.kept
}

func sumOf(cells map[cell]*figures, at effectiveness.Hour, only Filter) *sums {
	s := &sums{tables: make([]map[string]*Count, len(Dimensions)), flows: map[path]*Count{}, wrong: map[pos.TerminalID]struct{}{}}
	for d := range Dimensions {
		s.tables[d] = map[string]*Count{}
	}
	for c, f := range cells {
		if !only.takes(&c) {
			continue
		}
		s.total.add(&c, f)
		switch c.justice {
		case Wrong:
			s.wrongSales += f.sales
			if c.terminal != (pos.TerminalID{}) {
				s.wrong[c.terminal] = struct{}{}
			}
		case Unknown:
			s.unknownSales += f.sales
		}
		for d, name := range Dimensions {
			v := c.value(name, at)
			countOf(s.tables[d], v).add(&c, f)
		}
		countOf(s.flows, path{c.reason.String(), c.value("cause", at), c.justice.String()}).add(&c, f)
	}
	return s
}

func countOf[K comparable](all map[K]*Count, key K) *Count {
	n := all[key]
	if n == nil {
		n = new(Count)
		all[key] = n
	}
	return n
}

func (c *Count) merge(o *Count) {
	c.Messages += o.Messages
	c.Sales += o.Sales
	c.Amount += o.Amount
	c.Wrong += o.Wrong
	c.Unknown += o.Unknown
}

// unmerge takes out what was merged, and tells how many messages are left.
func (c *Count) unmerge(o *Count) uint64 {
	c.Messages -= o.Messages
	c.Sales -= o.Sales
	c.Amount -= o.Amount
	c.Wrong -= o.Wrong
	c.Unknown -= o.Unknown
	return c.Messages
}

// Filter narrows refusals to those of one value of some dimensions, as the rows of a report name them; "" is any.
type Filter struct {
	Reason, Cause, Model, Version, Merchant, Terminal string
}

// takes tells whether a cell has every value that is asked for. It looks at each of two hundred thousand and makes no texts.
func (f *Filter) takes(c *cell) bool {
	switch {
	case f.Reason != "" && f.Reason != c.reason.String(),
		f.Merchant != "" && f.Merchant != string(c.merchant[:]),
		f.Terminal != "" && f.Terminal != string(c.terminal[:]),
		f.Model != "" && f.Model != c.model,
		f.Version != "" && (c.model == "" || !isPair(f.Version, c.model, c.version)),
		f.Cause != "" && f.Cause != c.value("cause", 0):
		return false
	}
	return true
}

// isPair tells whether a text is two others with a space between them.
func isPair(text, a, b string) bool {
	return len(text) == len(a)+1+len(b) && text[:len(a)] == a && text[len(a)] == ' ' && text[len(a)+1:] == b
}

// Heat is how many messages one hour refused for each reason.
type Heat struct {
	Hour    effectiveness.Hour `json:"hour"`
	Reasons []Row              `json:"reasons"` // in the order of their names
}

// Flow is messages that were refused for a reason, by what was found behind it and whether that was right.
type Flow struct {
	Reason  string `json:"reason"`
	Cause   string `json:"cause"` // as the rows of causes are named
	Justice string `json:"justice"`
	Count
}
