package grade

import (
	"cmp"
	"slices"

	"touchstone/pos"
)

// Named is a terminal by its names.
type Named struct {
	Terminal pos.TerminalID
	Merchant pos.MerchantID
	Model    string
}

// Graded is one terminal and what it is worth.
type Graded struct {
	Named
	Grade Grade
}

// Group is the terminals of one model or shop.
type Group struct {
	Terminals int
	Overall   [Levels]int
	Sum       int // of the terminals' sums: over Terminals, what they are worth on average
}

// Fleet adds terminals up. Its zero value is of none.
type Fleet struct {
	Terminals int
	Overall   [Levels]int
	Axes      [Axes][Levels]int
	Why       [Axes][whys]int
	Models    map[string]*Group
	Merchants map[pos.MerchantID]*Group
	Worst     []Graded // at most MaxWorst, the worst first, of equal ones the first that came
}

// MaxWorst is how many of the worst terminals a fleet names.
const MaxWorst = 20

// Add takes one terminal.
func (f *Fleet) Add(n Named, g *Grade) {
	if f.Models == nil {
		f.Models, f.Merchants = map[string]*Group{}, map[pos.MerchantID]*Group{}
	}
	overall := g.Overall()
	f.Terminals++
	f.Overall[overall]++
	for a := range g {
		f.Axes[a][g[a].Level]++
		for why, i := g[a].Why, 0; why != 0; why, i = why>>1, i+1 {
			f.Why[a][i] += int(why & 1)
		}
	}
	model, shop := f.Models[n.Model], f.Merchants[n.Merchant]
	if model == nil {
		model = new(Group)
		f.Models[n.Model] = model
	}
	if shop == nil {
		shop = new(Group)
		f.Merchants[n.Merchant] = shop
	}
	for _, group := range [...]*Group{model, shop} {
		group.Terminals++
		group.Overall[overall]++
		group.Sum += g.Sum()
	}
	f.worst(n, g)
}

// worst keeps the worst in order.
func (f *Fleet) worst(n Named, g *Grade) {
	if len(f.Worst) == MaxWorst && !g.worse(&f.Worst[MaxWorst-1].Grade) {
		return
	}
	at := len(f.Worst)
	for at > 0 && g.worse(&f.Worst[at-1].Grade) {
		at--
	}
	f.Worst = slices.Insert(f.Worst, at, Graded{n, *g})
	f.Worst = f.Worst[:min(len(f.Worst), MaxWorst)]
}

// WhyCount is how many terminals have one reason on an axis.
type WhyCount struct {
	Why       Why
	Terminals int
}

// Reasons are those of an axis, the most frequent first.
func (f *Fleet) Reasons(a Axis) (list []WhyCount) {
	for i, n := range f.Why[a] {
		if n > 0 {
			list = append(list, WhyCount{Why(1) << i, n})
		}
	}
	slices.SortStableFunc(list, func(x, y WhyCount) int { return y.Terminals - x.Terminals })
	return list
}

// Average is the group's sum for one terminal, at most Strong on every axis.
func (g *Group) Average() float64 { return float64(g.Sum) / float64(max(g.Terminals, 1)) }

// WorstGroups are the keys of groups, the worst average first, of equal ones the larger and then the lesser key.
func WorstGroups[K cmp.Ordered](groups map[K]*Group) []K {
	list := make([]K, 0, len(groups))
	for k := range groups {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b K) int {
		x, y := groups[a], groups[b]
		return cmp.Or(cmp.Compare(x.Average(), y.Average()), y.Terminals-x.Terminals, cmp.Compare(a, b))
	})
	return list
}
