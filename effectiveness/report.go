package effectiveness

import (
	"cmp"
	"slices"

	"touchstone/paycrypto/mac"
	"touchstone/pos"
)

// Range is the hours asked for; To is the first beyond, 0 is no end.
type Range struct{ From, To Hour }

// Has tells whether an hour is in the range.
func (r Range) Has(h Hour) bool { return h >= r.From && (r.To == 0 || h < r.To) }

// Shortfall is one way in which approvals were not fully proven.
type Shortfall struct {
	Proof      string   `json:"proof"`
	Standing   string   `json:"standing"`
	Approvals  uint64   `json:"approvals"`
	Models     []string `json:"models,omitempty"`     // at most MaxNamed; "" is unknown
	Algorithms []string `json:"algorithms,omitempty"` // of the MAC, where that is what fell short
	Shops      int      `json:"shops"`
}

// Row is one model, merchant, terminal or hour.
type Row struct {
	Key        string            `json:"key"`            // model, merchant, terminal, or the hour's start in seconds since 1970
	Name       string            `json:"name,omitempty"` // of a merchant
	Approvals  uint64            `json:"approvals"`
	Full       uint64            `json:"fully_proven"`
	Shortfalls map[string]uint64 `json:"shortfalls,omitempty"` // "PROOF STANDING" to approvals
}

// Count is how one proof stood in all approvals.
type Count struct {
	Proof     string            `json:"proof"`
	Standings map[string]uint64 `json:"standings"`
}

// Report is a range of hours in figures.
type Report struct {
	From       Hour        `json:"from_hour"` // hours since 1970, UTC; the first and the last that count
	To         Hour        `json:"to_hour"`
	Last       uint64      `json:"last_entry"` // the newest entry counted
	Approvals  uint64      `json:"approvals"`
	Full       uint64      `json:"fully_proven"`
	Canary     uint64      `json:"canary_approvals"` // of reserved terminals, in no other figure
	Unplaced   uint64      `json:"unplaced"`         // counted without their terminal: more lines than an hour holds
	Shortfalls []Shortfall `json:"shortfalls"`       // the most frequent first
	Proofs     []Count     `json:"proofs"`
	Models     []Row       `json:"models"`
	Merchants  []Row       `json:"merchants"`
	Terminals  []Row       `json:"terminals"` // the least proven first
	Hours      []Row       `json:"hours"`
	Cut        bool        `json:"cut,omitempty"` // a list was longer than MaxRows
}

// Bounds of a report.
const (
	MaxRows  = 200 // of merchants and terminals each
	MaxNamed = 5   // models named for one shortfall
)

type shortfallKey struct {
	proof    Proof
	standing Standing
}

type gathered struct {
	approvals  uint64
	models     map[string]bool
	algorithms map[string]bool
	shops      map[pos.MerchantID]bool
}

// builder adds cells up.
type builder struct {
	short     map[shortfallKey]*gathered
	proofs    [Proofs]map[string]uint64
	models    map[string]*Row
	merchants map[string]*Row
	terminals map[string]*Row
	hours     map[Hour]*Row
}

// Report adds up the hours of a range.
func (s *State) Report(r Range) Report {
	out := Report{Last: s.last}
	b := builder{short: map[shortfallKey]*gathered{}, models: map[string]*Row{}, merchants: map[string]*Row{},
		terminals: map[string]*Row{}, hours: map[Hour]*Row{}}
	for i := range b.proofs {
		b.proofs[i] = map[string]uint64{}
	}
	for n, h := range s.hours {
		if !r.Has(n) {
			continue
		}
		out.Canary += uint64(h.canary)
		if len(h.cells) == 0 {
			continue
		}
		if out.From == 0 || n < out.From {
			out.From = n
		}
		out.To = max(out.To, n)
		for c, count := range h.cells {
			s.add(&out, &b, n, c, uint64(count))
		}
	}
	s.finish(&out, &b)
	return out
}

func (s *State) add(out *Report, b *builder, n Hour, c cell, count uint64) {
	w := s.whos[c.who]
	full := c.pattern.Full()
	out.Approvals += count
	if full {
		out.Full += count
	}
	rows := []*Row{rowOf(b.models, w.model), rowOf(b.merchants, w.merchant.String()), rowOf(b.hours, n)}
	if c.terminal == 0 {
		out.Unplaced += count
	} else {
		rows = append(rows, rowOf(b.terminals, s.names[c.terminal].String()))
	}
	for _, row := range rows {
		row.Approvals += count
		if full {
			row.Full += count
		}
	}
	for p := range Proofs {
		standing := c.pattern.Of(p)
		b.proofs[p][standing.String()] += count
		if !standing.Short() {
			continue
		}
		for _, row := range rows {
			if row.Shortfalls == nil {
				row.Shortfalls = map[string]uint64{}
			}
			row.Shortfalls[p.String()+" "+standing.String()] += count
		}
		b.fellShort(shortfallKey{p, standing}, w, c.pattern.Algorithm(), count)
	}
}

func rowOf[K comparable](rows map[K]*Row, k K) *Row {
	row := rows[k]
	if row == nil {
		row = new(Row)
		rows[k] = row
	}
	return row
}

func (b *builder) fellShort(k shortfallKey, w who, a mac.Algorithm, count uint64) {
	g := b.short[k]
	if g == nil {
		g = &gathered{models: map[string]bool{}, algorithms: map[string]bool{}, shops: map[pos.MerchantID]bool{}}
		b.short[k] = g
	}
	g.approvals += count
	g.models[w.model] = true
	g.shops[w.merchant] = true
	if k.proof == MAC || k.proof == MACGrade {
		g.algorithms[a.String()] = true
	}
}

func (s *State) finish(out *Report, b *builder) {
	for k, g := range b.short {
		out.Shortfalls = append(out.Shortfalls, Shortfall{Proof: k.proof.String(), Standing: k.standing.String(), Approvals: g.approvals,
			Models: firstOf(g.models), Algorithms: firstOf(g.algorithms), Shops: len(g.shops)})
	}
	slices.SortFunc(out.Shortfalls, func(x, y Shortfall) int {
		return cmp.Or(cmp.Compare(y.Approvals, x.Approvals), cmp.Compare(x.Proof, y.Proof), cmp.Compare(x.Standing, y.Standing))
	})
	for p := range Proofs {
		out.Proofs = append(out.Proofs, Count{p.String(), b.proofs[p]})
	}
	out.Models = s.rows(out, b.models)
	out.Merchants = s.rows(out, b.merchants)
	for i := range out.Merchants {
		if id, err := pos.ParseMerchantID(out.Merchants[i].Key); err == nil {
			out.Merchants[i].Name = s.merchants[id]
		}
	}
	out.Terminals = s.rows(out, b.terminals)
	for n, row := range b.hours {
		row.Key = hourKey(n)
		out.Hours = append(out.Hours, *row)
	}
	slices.SortFunc(out.Hours, func(x, y Row) int { return cmp.Compare(x.Key, y.Key) })
}

// hourKey sorts as text: the seconds since 1970 have ten digits from 2001 to 2286.
func hourKey(n Hour) string {
	seconds, digits := uint64(n)*3600, [10]byte{}
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = byte('0' + seconds%10)
		seconds /= 10
	}
	return string(digits[:])
}

// rows are sorted: the least proven first.
func (s *State) rows(out *Report, from map[string]*Row) (list []Row) {
	for key, row := range from {
		row.Key = key
		list = append(list, *row)
	}
	slices.SortFunc(list, func(x, y Row) int {
		return cmp.Or(cmp.Compare(x.Full*y.Approvals, y.Full*x.Approvals), cmp.Compare(y.Approvals, x.Approvals), cmp.Compare(x.Key, y.Key))
	})
	if len(list) > MaxRows {
		list, out.Cut = list[:MaxRows], true
	}
	return list
}

func firstOf(set map[string]bool) (list []string) {
	for name := range set {
		list = append(list, name)
	}
	slices.Sort(list)
	return list[:min(len(list), MaxNamed)]
}
