package failure

import (
	"cmp"
	"slices"

	"touchstone/effectiveness"
	"touchstone/pos"
)

// mostWholes is how many ranges a Table keeps added up: people look at one or two, such as the last day and the last two.
const mostWholes = 2

// ranking is the values of one dimension with their counts, in no order.
type ranking struct {
	place map[string]int32 // in rows
	rows  []Row
}

// add adds a value's count.
func (k *ranking) add(key string, n *Count) {
	i, known := k.place[key]
	if !known {
		i = int32(len(k.rows))
		k.place[key] = i
		k.rows = append(k.rows, Row{Key: key})
	}
	k.rows[i].merge(n)
}

// take takes out what was added. A value of which nothing is left is gone.
func (k *ranking) take(key string, n *Count) {
	i := k.place[key]
	if k.rows[i].unmerge(n); k.rows[i].Messages > 0 {
		return
	}
	last := len(k.rows) - 1
	k.rows[i] = k.rows[last]
	k.place[k.rows[i].Key] = i
	delete(k.place, key)
	k.rows[last] = Row{}
	k.rows = k.rows[:last]
}

// whole is a range of hours added up. Of two days usually one hour changed since they were last looked at: its former sums are
// taken out and those of now put in, and the other hours are left alone.
type whole struct {
	in     map[effectiveness.Hour]*sums // what is added up
	total  Count
	tables []ranking // as Dimensions
	flows  map[path]*Count
	wrong  map[pos.TerminalID]int // in how many hours

	wrongSales, unknownSales uint64

	ranked [][]Row // as Dimensions: what rowsOf made of tables as they are; nil: to be made

	mask  uint64 // of the hours that heard counts; 0 it is to be counted
	heard int
}

func newWhole() *whole {
	w := &whole{in: map[effectiveness.Hour]*sums{}, tables: make([]ranking, len(Dimensions)), flows: map[path]*Count{}, wrong: map[pos.TerminalID]int{}}
	for d := range w.tables {
		w.tables[d].place = map[string]int32{}
	}
	return w
}

func (w *whole) add(at effectiveness.Hour, s *sums) {
	w.ranked = nil
	w.in[at] = s
	w.total.merge(&s.total)
	w.wrongSales += s.wrongSales
	w.unknownSales += s.unknownSales
	for d, values := range s.tables {
		for key, n := range values {
			w.tables[d].add(key, n)
		}
	}
	for p, n := range s.flows {
		countOf(w.flows, p).merge(n)
	}
	for id := range s.wrong {
		w.wrong[id]++
	}
}

func (w *whole) take(at effectiveness.Hour) {
	w.ranked = nil
	s := w.in[at]
	delete(w.in, at)
	w.total.unmerge(&s.total)
	w.wrongSales -= s.wrongSales
	w.unknownSales -= s.unknownSales
	for d, values := range s.tables {
		for key, n := range values {
			w.tables[d].take(key, n)
		}
	}
	for p, n := range s.flows {
		if of := w.flows[p]; of.unmerge(n) == 0 {
			delete(w.flows, p)
		}
	}
	for id := range s.wrong {
		if w.wrong[id]--; w.wrong[id] == 0 {
			delete(w.wrong, id)
		}
	}
}

// rows are the tables as they are shown; cut tells that one has more rows. They are shared and not changed.
func (w *whole) rows() (tables map[string][]Row, cut bool) {
	if w.ranked == nil {
		w.ranked = make([][]Row, len(Dimensions))
		for d, name := range Dimensions {
			w.ranked[d] = rowsOf(name, w.tables[d].rows)
		}
	}
	tables = map[string][]Row{}
	for d, name := range Dimensions {
		tables[name], cut = w.ranked[d], cut || len(w.tables[d].rows) > MaxRows
	}
	return tables, cut
}

// differs is how many hours stand in only one of a whole and a range, or changed.
func (t *Table) differs(w *whole, r effectiveness.Range) (n int) {
	for at, s := range w.in {
		if h := t.hours[at]; !r.Has(at) || h == nil || h.kept != s {
			n++
		}
	}
	for at := range t.hours {
		if r.Has(at) && w.in[at] == nil {
			n++
		}
	}
	return n
}

// whole is a range added up, out of the kept one that is nearest to it.
func (t *Table) whole(r effectiveness.Range) *whole {
	best, least := -1, 0
	for i, w := range t.wholes {
		if n := t.differs(w, r); best < 0 || n < least {
			best, least = i, n
		}
	}
	if best < 0 || least > max(1, len(t.wholes[best].in)/2) { // none is near
		if len(t.wholes) == mostWholes {
			t.wholes = t.wholes[:mostWholes-1]
		}
		t.wholes = append(t.wholes, newWhole())
		best = len(t.wholes) - 1
	}
	w := t.wholes[best]
	copy(t.wholes[1:], t.wholes[:best]) // the one used last in front
	t.wholes[0] = w
	for at, s := range w.in {
		if h := t.hours[at]; !r.Has(at) || h == nil || h.kept != s {
			w.take(at)
		}
	}
	for at, h := range t.hours {
		if r.Has(at) && w.in[at] == nil {
			w.add(at, h.sums(at))
		}
	}
	return w
}

// heardIn counts the terminals of a range of hours; without a bound of hours all that were folded. Who speaks meanwhile is added
// by hear.
func (t *Table) heardIn(w *whole) int {
	mask := ^uint64(0)
	if t.bounds.Hours > 0 {
		mask = 0
		for at := range w.in {
			mask |= 1 << (uint(at) % 64)
		}
	}
	if mask == 0 {
		return 0
	}
	if w.mask == mask {
		return w.heard
	}
	w.mask, w.heard = mask, 0
	for _, bits := range t.heard {
		if bits&mask != 0 {
			w.heard++
		}
	}
	return w.heard
}

// View is the refusals of a range that a filter takes: their sum and every table as Report has them of all, the hours by reason
// and how reasons lead to causes. What was approved has no model or cause here, so there is no rate among them.
type View struct {
	Total  Count
	Tables map[string][]Row
	Heat   []Heat // in order; hours without a refusal are left out
	Flows  []Flow // the most first
}

// View is what a filter takes of a range of hours.
func (t *Table) View(r effectiveness.Range, only Filter) View {
	w := t.narrowed(r, only)
	v := View{Total: w.total, Flows: w.flowsOf()}
	v.Tables, _ = w.rows()
	for at, s := range w.in {
		one := Heat{Hour: at}
		for key, n := range s.tables[slices.Index(Dimensions, "reason")] {
			one.Reasons = append(one.Reasons, Row{key, *n})
		}
		slices.SortFunc(one.Reasons, func(a, b Row) int { return cmp.Compare(a.Key, b.Key) })
		if len(one.Reasons) > 0 {
			v.Heat = append(v.Heat, one)
		}
	}
	slices.SortFunc(v.Heat, func(a, b Heat) int { return cmp.Compare(a.Hour, b.Hour) })
	return v
}

// narrowed is a range added up of what a filter takes; without a filter the one that is kept.
func (t *Table) narrowed(r effectiveness.Range, only Filter) *whole {
	if only == (Filter{}) {
		return t.whole(r)
	}
	w := newWhole()
	for at, h := range t.hours {
		if r.Has(at) {
			w.add(at, sumOf(h.cells, at, only))
		}
	}
	return w
}

func (w *whole) flowsOf() (flows []Flow) {
	for p, n := range w.flows {
		flows = append(flows, Flow{p[0], p[1], p[2], *n})
	}
	slices.SortFunc(flows, func(a, b Flow) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.Justice, b.Justice))
	})
	return flows
}
