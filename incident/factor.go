package incident

import (
	"cmp"
	"math"
	"slices"

	"touchstone/pos"
)

// Facts are what is registered of a terminal and of the device that works there.
type Facts struct {
	Shop    string // DE42
	Serial  string
	Model   string // "" unknown
	Version string // of the application; "" unknown
	Key     string // what its keys have in common with others', such as "master key term 1"; "" unknown
}

// The things that terminals may share, in the order in which equals are preferred.
const (
	byModelVersion = "model_version"
	byModel        = "model"
	byVersion      = "version"
	byKey          = "key"
	byNetwork      = "network"
	byShop         = "shop"
)

var dimensions = []string{byModelVersion, byModel, byVersion, byKey, byNetwork, byShop}

// heard is one terminal that spoke in the window.
type heard struct {
	terminal pos.TerminalID
	facts    Facts
	network  string // of the address it spoke from: /24 of IPv4, /48 of IPv6
	failed   bool
	seq      uint64 // of its last failure
	at       pos.Instant
	first    pos.Instant
	found    found
}

func (h *heard) value(dimension string) string {
	switch dimension {
	case byModelVersion:
		if h.facts.Model == "" || h.facts.Version == "" {
			return ""
		}
		return h.facts.Model + " " + h.facts.Version
	case byModel:
		return h.facts.Model
	case byVersion:
		return h.facts.Version
	case byKey:
		return cmp.Or(h.found.key, h.facts.Key)
	case byNetwork:
		return h.network
	}
	return h.facts.Shop
}

// tables counts, for every value of every dimension, who shares it and failed, and who does not.
func tables(all []heard) []Factor {
	failed, well := 0, 0
	for i := range all {
		if all[i].failed {
			failed++
		} else {
			well++
		}
	}
	var list []Factor
	for _, d := range dimensions {
		counts := map[string]*Factor{}
		for i := range all {
			v := all[i].value(d)
			if v == "" {
				continue
			}
			f := counts[v]
			if f == nil {
				f = &Factor{Name: d, Value: v}
				counts[v] = f
			}
			if all[i].failed {
				f.Affected++
			} else {
				f.Unaffected++
			}
		}
		for _, f := range counts {
			if f.Affected == 0 {
				continue
			}
			f.OthersFailed, f.OthersWell = failed-f.Affected, well-f.Unaffected
			f.G = math.Round(likelihood(f)*100) / 100
			list = append(list, *f)
		}
	}
	slices.SortFunc(list, func(a, b Factor) int {
		return cmp.Or(cmp.Compare(b.G, a.G), cmp.Compare(slices.Index(dimensions, a.Name), slices.Index(dimensions, b.Name)), cmp.Compare(a.Value, b.Value))
	})
	return list
}

// likelihood is the G statistic of a table of two by two: twice the sum of observed times the logarithm of observed
// over expected; Sokal and Rohlf, Biometry, 17.4. Zero where those who share it do not fail more often.
func likelihood(f *Factor) float64 {
	cells := [4]float64{float64(f.Affected), float64(f.Unaffected), float64(f.OthersFailed), float64(f.OthersWell)}
	total := cells[0] + cells[1] + cells[2] + cells[3]
	in, out := cells[0]+cells[1], cells[2]+cells[3]
	failed, well := cells[0]+cells[2], cells[1]+cells[3]
	if in == 0 || out == 0 || failed == 0 || well == 0 || cells[0]/in <= cells[2]/out {
		return 0
	}
	g := 0.0
	for i, expected := range [4]float64{in * failed / total, in * well / total, out * failed / total, out * well / total} {
		if cells[i] > 0 {
			g += cells[i] * math.Log(cells[i]/expected)
		}
	}
	return 2 * g
}

// rates are the shares of those that failed, among those that share it and among the others.
func (f *Factor) rates() (in, out float64) {
	in = float64(f.Affected) / float64(max(f.Affected+f.Unaffected, 1))
	out = float64(f.OthersFailed) / float64(max(f.OthersFailed+f.OthersWell, 1))
	return in, out
}

// contrast tells whether what they share tells those that failed from those that did not: they fail at twice the
// others' rate at least, and most of them or by more than chance; or most of them fail, and too few others do to be a
// spread of their own. The second needs others to be heard unless it is a model and version, which is what is asked for.
func (r *Rule) contrast(f *Factor) bool {
	in, out := f.rates()
	others := f.OthersFailed + f.OthersWell
	if others > 0 && f.G > 0 && in >= 2*out && (in >= r.Rate || f.G >= r.G) {
		return true
	}
	few := f.OthersFailed < r.Terminals && f.Affected >= 3*f.OthersFailed
	return in >= r.Rate && in > out && few && (others > 0 && f.G > 0 || f.Name == byModelVersion)
}
