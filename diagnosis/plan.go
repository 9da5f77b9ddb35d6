package diagnosis

import (
	"touchstone/keys"
	"touchstone/paycrypto/mac"
)

// Plan is what to try on a wrong MAC, at most MaxExplanations, the most telling first. What does not fit takes turns by
// Case.Attempt, so that what a terminal does wrong message after message is found even with MaxCandidates keys.
func (c *Case) Plan() []Trial {
	p := planner{c: c}
	right := c.right()
	for i := range c.Keys {
		if c.Keys[i].Source == OwnFormer {
			p.whole(i)
		}
	}
	for _, i := range right {
		p.parts(i)
	}
	if len(right) > 0 {
		p.faults(right[0])
	}
	rest := planner{c: c}
	for _, s := range [...]Source{Sibling, Neighbour} {
		for i := range c.Keys {
			if c.Keys[i].Source == s {
				rest.whole(i)
			}
		}
	}
	if len(right) > 0 {
		rest.elements(right[0])
	}
	for _, i := range right[min(1, len(right)):] {
		rest.faults(i)
		rest.elements(i)
	}
	return p.fill(rest.list, c.Attempt)
}

// right is the keys the terminal should have used: those pending before those in force.
func (c *Case) right() (list []int) {
	for _, s := range [...]Source{OwnPending, OwnInForce} {
		for i := range c.Keys {
			if c.Keys[i].Source == s && c.Keys[i].shape() != noShape {
				list = append(list, i)
			}
		}
	}
	return list[:min(len(list), 2)]
}

type planner struct {
	c    *Case
	list []Trial
}

// fill adds of rest what there is room for, beginning where the attempts before left off.
func (p *planner) fill(rest []Trial, attempt uint32) []Trial {
	p.list = p.list[:min(len(p.list), MaxExplanations)]
	room := MaxExplanations - len(p.list)
	if len(rest) <= room {
		return append(p.list, rest...)
	}
	at := int(uint64(attempt) * uint64(room) % uint64(len(rest)))
	for range room {
		p.list = append(p.list, rest[at])
		at = (at + 1) % len(rest)
	}
	return p.list
}

func (p *planner) try(t Trial) { p.list = append(p.list, t) }

// whole is the key as it was issued, over the right bytes.
func (p *planner) whole(i int) {
	if k := &p.c.Keys[i]; k.shape() != noShape {
		p.try(Trial{Key: i, Algorithm: k.algorithm(), Padding: padding(k.algorithm())})
	}
}

// parts is the right code of which the wrong four bytes were sent, and the right ones in another writing.
func (p *planner) parts(i int) {
	a := p.c.Keys[i].algorithm()
	p.try(Trial{Key: i, Algorithm: a, Padding: padding(a)})
	p.try(Trial{Key: i, Algorithm: a, Padding: padding(a), Part: SecondPart})
	if a.Size() > 8 {
		p.try(Trial{Key: i, Algorithm: a, Padding: padding(a), Part: LastPart})
	}
}

// faults is what a terminal may do wrong with its own key.
func (p *planner) faults(i int) {
	p.masters(i)
	p.forms(i)
	p.algorithms(i)
	p.coverages(i)
}

func (p *planner) masters(i int) {
	a := p.c.Keys[i].algorithm()
	for m := 1; m < min(len(p.c.Masters), MaxMasters); m++ {
		p.try(Trial{Key: i, Form: FormerMaster, Master: m, Algorithm: a, Padding: padding(a)})
	}
}

// forms of each shape of key. A half used twice makes TDES single DES and X9.19 X9.9, so those are not tried again as
// algorithms.
var forms = map[shape][]Form{
	shortDES: {Undecrypted, Before4, After4, Before8, After8, PINKey},
	short:    {Undecrypted, ByDES, BySM4, Before4, After4, Before8, After8, PINKey},
	long:     {LeftHalf, RightHalf, Swapped, Undecrypted, ByDES, BySM4, Before4, After4, Before8, After8, PINKey},
	sm4:      {LeftHalf, RightHalf, LeftZeros, Swapped, Undecrypted, ByDES, ByTDES, Before4, After4, Before8, After8, PINKey},
}

func (p *planner) forms(i int) {
	a := p.c.Keys[i].algorithm()
	for _, f := range forms[p.c.Keys[i].shape()] {
		p.try(Trial{Key: i, Form: f, Algorithm: a, Padding: padding(a)})
	}
}

// method is an algorithm that a terminal may have used instead of its own.
type method struct {
	form      Form
	algorithm mac.Algorithm
	padding   mac.Padding
	plain     bool
}

// methods of each shape of key; docs/protocol/unionpay-pos.md, 4.1 to 4.3.
var methods = map[shape][]method{
	shortDES: {
		{Whole, mac.UnionPayECBDES, 0, false}, {Whole, mac.X99, 0, false}, {Whole, mac.CBCMACDES, mac.Padding2, false},
		{Whole, mac.UnionPayECBDES, 0, true}},
	short: {
		{Whole, mac.UnionPayECBDES, 0, false}, {Whole, mac.X99, 0, false}, {WholeField, mac.UnionPayECBTDES, 0, false},
		{WholeField, mac.X919, 0, false}, {Whole, mac.CBCMACDES, mac.Padding2, false}, {WholeField, mac.UnionPayECBSM4, 0, false},
		{Whole, mac.UnionPayECBDES, 0, true}},
	long: {
		{Whole, mac.UnionPayECBTDES, 0, false}, {Whole, mac.X919, 0, false}, {Whole, mac.UnionPayECBDES, 0, false},
		{Whole, mac.X99, 0, false}, {Whole, mac.CBCMACTDES, mac.Padding1, false}, {Whole, mac.CBCMACTDES, mac.Padding2, false},
		{Whole, mac.RetailDES, mac.Padding2, false}, {Whole, mac.UnionPayECBSM4, 0, false}, {Whole, mac.UnionPayECBTDES, 0, true}},
	sm4: {
		{Whole, mac.UnionPayECBSM4, 0, false}, {Whole, mac.CBCMACSM4, mac.Padding1, false}, {Whole, mac.CBCMACSM4, mac.Padding2, false},
		{Whole, mac.UnionPayECBTDES, 0, false}, {Whole, mac.UnionPayECBDES, 0, false}, {Whole, mac.X919, 0, false},
		{Whole, mac.X99, 0, false}, {Whole, mac.UnionPayECBSM4, 0, true}},
}

func (p *planner) algorithms(i int) {
	own := p.c.Keys[i].algorithm()
	for _, m := range methods[p.c.Keys[i].shape()] {
		if m.plain && !folds(own) || !m.plain && sameCode(own, m.algorithm, m.padding) {
			continue
		}
		p.try(Trial{Key: i, Form: m.form, Algorithm: m.algorithm, Padding: m.padding, Plain: m.plain})
	}
}

// sameCode tells whether the other algorithm gives what is tried anyway: the own one, or the own one under a half key.
func sameCode(own, other mac.Algorithm, p mac.Padding) bool {
	switch {
	case other == own:
		return p == padding(own)
	case own == mac.UnionPayECBTDES:
		return other == mac.UnionPayECBDES
	case own == mac.X919, own == mac.CBCMACTDES:
		return other == mac.X99
	}
	return false
}

func (p *planner) coverages(i int) {
	a := p.c.Keys[i].algorithm()
	for _, v := range [...]Coverage{HeaderIn, TPDUIn, LengthIn, MTIOut, BitmapOut, HeadOut, Bit64Clear, MACAsZeros} {
		if v == MACAsZeros && folds(a) { // zeros change nothing in a fold: it is the right coverage
			continue
		}
		p.try(Trial{Key: i, Algorithm: a, Padding: padding(a), Coverage: v})
	}
	if n := len(p.c.Spans); n > 2 {
		p.try(Trial{Key: i, Algorithm: a, Padding: padding(a), Coverage: LastMissing, Element: p.c.Spans[n-1].Number})
	}
}

// elements leaves out one element each; the last one is LastMissing.
func (p *planner) elements(i int) {
	a := p.c.Keys[i].algorithm()
	for n := 2; n < len(p.c.Spans)-1; n++ {
		p.try(Trial{Key: i, Algorithm: a, Padding: padding(a), Coverage: ElementMissing, Element: p.c.Spans[n].Number})
	}
}

// cipherOf is the cipher of the sign-in code of a candidate.
func (k *Candidate) cipherOf() keys.Cipher { return keys.CipherOf(k.Set.Code) }
