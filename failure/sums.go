package failure

import (
	"cmp"
	"slices"

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

// most is how many values a dimension may have in a range, so that a table of them grows once.
func (t *Table) most(r effectiveness.Range, dimension int) (n int) {
	for at, h := range t.hours {
		if r.Has(at) {
			n += len(h.sums(at).tables[dimension])
		}
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

func addTo[K comparable](all, some map[K]*Count) {
	for key, o := range some {
		countOf(all, key).merge(o)
	}
}

// Filter narrows refusals to those of one value of some dimensions, as the rows of a report name them; "" is any.
type Filter struct {
	Reason, Cause, Model, Version, Merchant, Terminal string
}

func (f *Filter) takes(c *cell) bool {
	for _, want := range [...]struct{ value, dimension string }{{f.Reason, "reason"}, {f.Merchant, "merchant"}, {f.Terminal, "terminal"},
		{f.Model, "model"}, {f.Version, "version"}, {f.Cause, "cause"}} {
		if want.value != "" && c.value(want.dimension, 0) != want.value {
			return false
		}
	}
	return true
}

// Heat is how many messages one hour refused for each reason.
type Heat struct {
	Hour    effectiveness.Hour `json:"hour"`
	Reasons []Row              `json:"reasons"` // in the order of their names
}

// Heat is a range of hours by reason, in order; hours without a refusal are left out. Its counts are those of Report.
func (t *Table) Heat(r effectiveness.Range, only Filter) []Heat {
	var list []Heat
	for at, h := range t.hours {
		if !r.Has(at) || len(h.cells) == 0 {
			continue
		}
		sum := h.of(at, only)
		one := Heat{Hour: at}
		for key, n := range sum.tables[slices.Index(Dimensions, "reason")] {
			one.Reasons = append(one.Reasons, Row{key, *n})
		}
		slices.SortFunc(one.Reasons, func(a, b Row) int { return cmp.Compare(a.Key, b.Key) })
		if len(one.Reasons) > 0 {
			list = append(list, one)
		}
	}
	slices.SortFunc(list, func(a, b Heat) int { return cmp.Compare(a.Hour, b.Hour) })
	return list
}

// Flow is messages that were refused for a reason, by what was found behind it and whether that was right.
type Flow struct {
	Reason  string `json:"reason"`
	Cause   string `json:"cause"` // as the rows of causes are named
	Justice string `json:"justice"`
	Count
}

// Flows are how the refusals of a range that a filter takes lead from reason to cause, the most first.
func (t *Table) Flows(r effectiveness.Range, only Filter) (flows []Flow) {
	paths := map[path]*Count{}
	for at, h := range t.hours {
		if r.Has(at) {
			addTo(paths, h.of(at, only).flows)
		}
	}
	for p, n := range paths {
		flows = append(flows, Flow{p[0], p[1], p[2], *n})
	}
	slices.SortFunc(flows, func(a, b Flow) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.Justice, b.Justice))
	})
	return flows
}

// of are the sums of what a filter takes.
func (h *hour) of(at effectiveness.Hour, only Filter) *sums {
	if only == (Filter{}) {
		return h.sums(at)
	}
	return sumOf(h.cells, at, only)
}

// Refusals are those of a range that a filter takes: their sum and every table, as Report has them of all. What was approved
// has no model or cause here, so there is no rate among them.
func (t *Table) Refusals(r effectiveness.Range, only Filter) (total Count, tables map[string][]Row) {
	whole := map[string]map[string]*Count{}
	for _, d := range Dimensions {
		whole[d] = map[string]*Count{}
	}
	for at, h := range t.hours {
		if !r.Has(at) {
			continue
		}
		sum := h.of(at, only)
		total.merge(&sum.total)
		for d, values := range sum.tables {
			addTo(whole[Dimensions[d]], values)
		}
	}
	tables = map[string][]Row{}
	for d, values := range whole {
		tables[d], _ = rowsOf(d, values)
	}
	return total, tables
}
