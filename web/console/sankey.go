package console

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"touchstone/web/api"
)

// sankey is how refusals flow from the reason over what was found to whether that was right: a picture in user units.
type sankey struct {
	Wide, High float64
	Nodes      []sankeyNode
	Bands      []sankeyBand
}

type sankeyNode struct {
	X, Y, W, H  float64
	LabelX      float64
	LabelY      float64
	Anchor      string
	Name, Class string
	Count       uint64
}

type sankeyBand struct {
	D     string // svg path
	Class string
	Title string
}

// The picture's measures.
const (
	sankeyWide  = 960.0
	sankeyNodes = 7 // of a column; the rest is one node
	nodeWide    = 12.0
	nodeGap     = 16.0
	nodeLeast   = 3.0
)

// sankeyOther is the node of what has no node of its own.
const sankeyOther = "other"

type column struct {
	names []string
	sum   map[string]float64
	at    map[string]*sankeyNode
	used  [2]map[string]float64 // how much of a node's right and left edge has bands
}

// flowOf draws the flows; nil where there is nothing to see.
func flowOf(flows []api.FailureFlow, name func(dimension, key string) string) *sankey {
	if len(flows) == 0 {
		return nil
	}
	columns := make([]column, 3)
	for i := range columns {
		columns[i] = column{sum: map[string]float64{}, at: map[string]*sankeyNode{}, used: [2]map[string]float64{{}, {}}}
	}
	var total float64
	for _, f := range flows {
		for i, key := range []string{f.Reason, f.Cause, f.Justice} {
			columns[i].sum[key] += float64(f.Messages)
		}
		total += float64(f.Messages)
	}
	for i := range columns {
		columns[i].cut()
	}
	most := 0
	for i := range columns {
		most = max(most, len(columns[i].names))
	}
	s := &sankey{Wide: sankeyWide, High: float64(most)*(nodeGap+24) + 40}
	scale := (s.High - nodeGap*float64(most)) / total
	for i, dimension := range []string{"reason", "cause", "justice"} {
		s.place(&columns[i], i, scale, func(key string) string { return name(dimension, key) })
	}
	s.connect(columns, flows, scale)
	return s
}

// cut keeps the greatest of a column and sums up the rest.
func (c *column) cut() {
	for key := range c.sum {
		c.names = append(c.names, key)
	}
	slices.SortFunc(c.names, func(a, b string) int { return cmp.Or(cmp.Compare(c.sum[b], c.sum[a]), cmp.Compare(a, b)) })
	if len(c.names) <= sankeyNodes {
		return
	}
	for _, key := range c.names[sankeyNodes-1:] {
		c.sum[sankeyOther] += c.sum[key]
	}
	c.names = append(c.names[:sankeyNodes-1], sankeyOther)
}

func (c *column) node(key string) string {
	if slices.Contains(c.names, key) {
		return key
	}
	return sankeyOther
}

func (s *sankey) place(c *column, i int, scale float64, name func(string) string) {
	x := []float64{0, (sankeyWide - nodeWide) / 2, sankeyWide - nodeWide}[i]
	y := 4.0
	for _, key := range c.names {
		n := sankeyNode{X: x, Y: y, W: nodeWide, H: math.Max(c.sum[key]*scale, nodeLeast), Name: name(key), Class: "node", Count: uint64(c.sum[key]), Anchor: "start", LabelX: x + nodeWide + 8}
		if i == 2 {
			n.Anchor, n.LabelX, n.Class = "end", x-8, "node "+key
		}
		n.LabelY = n.Y + n.H/2 + 4
		y += n.H + nodeGap
		c.at[key] = &n
	}
	for _, key := range c.names {
		s.Nodes = append(s.Nodes, *c.at[key])
	}
	s.High = math.Max(s.High, y)
}

// connect draws a band for each pair of neighbours.
func (s *sankey) connect(columns []column, flows []api.FailureFlow, scale float64) {
	type pair struct {
		side    int
		from    string
		to      string
		justice string
	}
	sums, order := map[pair]float64{}, []pair{}
	for _, f := range flows {
		keys := []string{columns[0].node(f.Reason), columns[1].node(f.Cause), columns[2].node(f.Justice)}
		for side := range 2 {
			p := pair{side, keys[side], keys[side+1], f.Justice}
			if sums[p] == 0 {
				order = append(order, p)
			}
			sums[p] += float64(f.Messages)
		}
	}
	rank := func(c *column, key string) int { return slices.Index(c.names, key) }
	slices.SortStableFunc(order, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.side, b.side), cmp.Compare(rank(&columns[a.side], a.from), rank(&columns[b.side], b.from)),
			cmp.Compare(rank(&columns[a.side+1], a.to), rank(&columns[b.side+1], b.to)), cmp.Compare(a.justice, b.justice))
	})
	for _, p := range order {
		left, right := &columns[p.side], &columns[p.side+1]
		a, b, h := left.at[p.from], right.at[p.to], math.Max(sums[p]*scale, 0.8)
		y1, y2 := a.Y+left.used[0][p.from], b.Y+right.used[1][p.to]
		left.used[0][p.from] += h
		right.used[1][p.to] += h
		x1, x2 := a.X+nodeWide, b.X
		m := (x1 + x2) / 2
		s.Bands = append(s.Bands, sankeyBand{Class: "band " + p.justice, Title: fmt.Sprintf("%s → %s: %d", a.Name, b.Name, uint64(sums[p])),
			D: fmt.Sprintf("M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1fL%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1fZ", x1, y1, m, y1, m, y2, x2, y2, x2, y2+h, m, y2+h, m, y1+h, x1, y1+h)})
	}
}
