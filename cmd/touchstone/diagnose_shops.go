package main

import (
	"bytes"
	"slices"

	"touchstone/pos"
	"touchstone/registry"
)

// shopIndex tells which terminals a merchant has: 23 bytes a terminal in one sorted list, and what was registered
// since in a short one. A terminal that moved stays where it was as well; who asks looks at its record.
type shopIndex struct {
	sorted []shopTerminal
	newer  []shopTerminal
}

// shopsNewer is how many may be newer before both lists become one.
const shopsNewer = 4096

type shopTerminal struct {
	shop pos.MerchantID
	id   pos.TerminalID
}

func (a shopTerminal) compare(b shopTerminal) int {
	if c := bytes.Compare(a.shop[:], b.shop[:]); c != 0 {
		return c
	}
	return bytes.Compare(a.id[:], b.id[:])
}

func newShopIndex(all []*registry.Terminal) []shopTerminal {
	list := make([]shopTerminal, 0, len(all))
	for _, t := range all {
		if !t.Canary {
			list = append(list, shopTerminal{t.Merchant, t.ID})
		}
	}
	slices.SortFunc(list, shopTerminal.compare)
	return list
}

// take makes a list the sorted one; what was added meanwhile stays.
func (x *shopIndex) take(sorted []shopTerminal) { x.sorted = sorted }

func (x *shopIndex) add(t *registry.Terminal) {
	x.newer = append(x.newer, shopTerminal{t.Merchant, t.ID})
	if len(x.newer) < shopsNewer || x.sorted == nil {
		return
	}
	slices.SortFunc(x.newer, shopTerminal.compare)
	merged := make([]shopTerminal, 0, len(x.sorted)+len(x.newer))
	for a, b := x.sorted, x.newer; len(a)+len(b) > 0; {
		if len(b) == 0 || len(a) > 0 && a[0].compare(b[0]) <= 0 {
			merged, a = append(merged, a[0]), a[1:]
		} else {
			merged, b = append(merged, b[0]), b[1:]
		}
	}
	x.sorted, x.newer = slices.CompactFunc(merged, func(a, b shopTerminal) bool { return a == b }), x.newer[:0]
}

// of lists at most most terminals of a merchant.
func (x *shopIndex) of(shop pos.MerchantID, most int) (ids []pos.TerminalID) {
	at, _ := slices.BinarySearchFunc(x.sorted, shopTerminal{shop: shop}, shopTerminal.compare)
	for _, t := range x.sorted[at:] {
		if t.shop != shop || len(ids) >= most {
			break
		}
		ids = append(ids, t.id)
	}
	for _, t := range x.newer {
		if t.shop == shop && len(ids) < most && !slices.Contains(ids, t.id) {
			ids = append(ids, t.id)
		}
	}
	return ids
}
