package transaction

import (
	"slices"

	"touchstone/pos"
)

// MaxSpans is the most separate runs of traces remembered in one batch of one class; a terminal that
// counts up needs one.
const MaxSpans = 65536

// Span is a run of used traces, both ends included.
type Span struct{ First, Last pos.STAN }

// Spans is a set of traces as ascending runs that do not touch.
type Spans []Span

// find is the index of the first run that ends at or after s.
func (p Spans) find(s pos.STAN) int {
	i, _ := slices.BinarySearchFunc(p, s, func(span Span, s pos.STAN) int {
		if span.Last < s {
			return -1
		}
		return 1
	})
	return i
}

// Has tells whether s is in the set.
func (p Spans) Has(s pos.STAN) bool {
	i := p.find(s)
	return i < len(p) && p[i].First <= s
}

// Full tells whether s cannot be added without passing MaxSpans.
func (p Spans) Full(s pos.STAN) bool {
	if len(p) < MaxSpans {
		return false
	}
	i := p.find(s)
	touches := i < len(p) && p[i].First <= s+1 || i > 0 && p[i-1].Last+1 == s
	return !touches
}

// Add puts s into the set.
func (p *Spans) Add(s pos.STAN) {
	list := *p
	i := list.find(s)
	if i < len(list) && list[i].First <= s {
		return
	}
	left := i > 0 && list[i-1].Last+1 == s
	right := i < len(list) && list[i].First == s+1
	switch {
	case left && right:
		list[i-1].Last = list[i].Last
		list = slices.Delete(list, i, i+1)
	case left:
		list[i-1].Last = s
	case right:
		list[i].First = s
	default:
		list = slices.Insert(list, i, Span{s, s})
	}
	*p = list
}

// Clone is a copy that shares nothing.
func (p Spans) Clone() Spans { return slices.Clone(p) }
