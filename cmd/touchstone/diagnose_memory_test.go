package main

import (
	"testing"

	"touchstone/pos"
	"touchstone/registry"
)

// TestAgedForgetsTheLongestSilent: what is asked for stays, however many others come, and there are never more than twice
// as many as it is made for.
func TestAgedForgetsTheLongestSilent(t *testing.T) {
	a := newAged[int, int](10)
	*a.of(-1) = 7
	for i := range 1000 {
		a.of(i)
		if v := a.find(-1); v == nil || *v != 7 {
			t.Fatalf("forgotten after %d others", i)
		}
		if a.size() > 20 {
			t.Fatalf("%d are kept", a.size())
		}
	}
	if a.find(0) != nil {
		t.Error("one that nobody asked for is kept")
	}
	a.drop(-1)
	if a.find(-1) != nil {
		t.Error("found after it was dropped")
	}
}

// TestShopIndex: terminals of a shop are found among those sorted and those that came since, also when both become one.
func TestShopIndex(t *testing.T) {
	terminal := func(n int) *registry.Terminal {
		return &registry.Terminal{ID: sampleID(n), Merchant: sampleMerchant(n % 1000)}
	}
	var all []*registry.Terminal
	for n := 1; n <= 3000; n++ {
		all = append(all, terminal(n))
	}
	canary := terminal(5000)
	canary.Canary = true
	var x shopIndex
	x.add(terminal(7)) // before the list was made, and in it as well
	x.take(newShopIndex(append(all, canary)))
	want := func(when string, shop, n, most int) {
		t.Helper()
		got := x.of(sampleMerchant(shop), most)
		seen := map[pos.TerminalID]bool{}
		for _, id := range got {
			seen[id] = true
		}
		if len(got) != min(n, most) || len(seen) != len(got) {
			t.Errorf("%s: shop %d has %v", when, shop, got)
		}
	}
	want("sorted", 7, 3, 10)
	want("sorted", 0, 3, 10) // 1000, 2000 and 3000; the canary is nobody's
	want("at most", 7, 3, 2)
	want("none", 1001, 0, 10)
	for n := 3001; n <= 3001+shopsNewer; n++ {
		x.add(terminal(n))
	}
	if len(x.newer) >= shopsNewer {
		t.Errorf("%d are not sorted", len(x.newer))
	}
	want("merged", 7, 8, 10)
	want("merged", 1, 8, 10)
}
