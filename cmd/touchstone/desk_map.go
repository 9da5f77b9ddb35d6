package main

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/web"
	"touchstone/web/api"
)

var _ api.MapBook = (*desk)(nil)

// reportedPlaces is where each terminal said last that it is, from the messages that carried coordinates.
type reportedPlaces struct {
	mu   sync.Mutex // a leaf: guards last
	last map[pos.TerminalID]reportedPlace

	exchange journal.Exchange // scratch of the one goroutine that folds
}

// reportedPlace is one such message. A place that was refused for itself is not proven: the check of the place comes
// before that of the MAC.
type reportedPlace struct {
	latitude, longitude int32 // micro-degrees
	at                  pos.Instant
	proven              bool // the message's MAC verified
}

func newReportedPlaces() *reportedPlaces {
	return &reportedPlaces{last: map[pos.TerminalID]reportedPlace{}}
}

// fold takes one entry of the journal.
func (p *reportedPlaces) fold(e journal.Entry) {
	if e.Kind != journal.KindExchange {
		return
	}
	x := &p.exchange
	if x.Parse(e) != nil || x.Flags&journal.FlagPlace == 0 || x.Flags&journal.FlagCanary != 0 || x.Terminal == (pos.TerminalID{}) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last[x.Terminal] = reportedPlace{x.Latitude, x.Longitude, x.At, x.Flags&journal.FlagMACVerified != 0}
}

func (p *reportedPlaces) of(id pos.TerminalID) (r reportedPlace, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok = p.last[id]
	return r, ok
}

// The grid of the map: a square of 360 degrees is halved gridBits times on each side. A terminal's cell is the number
// made of the bits of both coordinates in turn, so that every square of the grid is a run of the sorted numbers.
const (
	gridBits = 28
	gridSpan = 360.0

	mapColumns = 20 // squares across the box that is looked at, at the least
	mapSingles = 60 // terminals of a box that are shown one by one
	mapNear    = 3  // and only where it is at most so many degrees wide
	mapStrays  = 50
)

// What a terminal may do, as the map has it.
const (
	mapFull = iota
	mapRestricted
	mapStopped
	mapStates
)

var mapStateNames = [mapStates]string{"full", "restricted", "stopped"}

// mapFigure is every registered place in the order of the grid. Sums run along the order, so that what a square holds
// is the difference of two of them, whatever its size.
type mapFigure struct {
	cells    []uint64
	ids      []pos.TerminalID
	sums     []mapSum // one more than cells
	strays   []pos.TerminalID
	unplaced int
	whole    api.MapBox

	of       *epoch          // that is looked at
	reported *reportedPlaces // that terminals had said by then
}

// mapSum is everything before a place of the order.
type mapSum struct {
	states   [mapStates]uint32
	outside  uint32
	lat, lon int64 // micro-degrees, added up
}

type placed struct {
	cell     uint64
	id       pos.TerminalID
	lat, lon int32
	state    uint8
	outside  bool
}

// gridCell is the finest square of a place.
func gridCell(lat, lon int32) uint64 {
	side := func(micro int32, origin float64) uint32 {
		v := (float64(micro)/1e6 + origin) / gridSpan * (1 << gridBits)
		return uint32(min(max(v, 0), 1<<gridBits-1))
	}
	return spread(side(lon, 180))<<1 | spread(side(lat, 180))
}

// spread puts a zero before each bit; "Interleave bits by Binary Magic Numbers", S. E. Anderson, Bit Twiddling Hacks.
func spread(v uint32) uint64 {
	x := uint64(v)
	x = (x | x<<16) & 0x0000FFFF0000FFFF
	x = (x | x<<8) & 0x00FF00FF00FF00FF
	x = (x | x<<4) & 0x0F0F0F0F0F0F0F0F
	x = (x | x<<2) & 0x3333333333333333
	return (x | x<<1) & 0x5555555555555555
}

// places looks at every terminal's registered place.
func (w *epoch) places(ctx context.Context, pace func() error) (*mapFigure, error) {
	h, err := w.hear(ctx, pace)
	if err != nil {
		return nil, err
	}
	f := &mapFigure{of: w, reported: w.e.reported}
	if h != nil {
		f.reported = h.places
	}
	var all []placed
	err = w.every(ctx, permitStep, pace, func(p ledger.Permitted) {
		switch c := p.Terminal.Place; {
		case p.Terminal.Canary:
		case c == nil:
			f.unplaced++
		default:
			x := placed{gridCell(c.Latitude, c.Longitude), p.Terminal.ID, c.Latitude, c.Longitude, mapState(p.May()), false}
			if r, said := f.reported.of(x.id); said {
				x.outside = metresFrom(c, r) > float64(c.Metres)
			}
			all = append(all, x)
		}
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b placed) int { return cmp.Or(cmp.Compare(a.cell, b.cell), slices.Compare(a.id[:], b.id[:])) })
	f.fill(all)
	return f, nil
}

func (f *mapFigure) fill(all []placed) {
	f.cells, f.ids, f.sums = make([]uint64, len(all)), make([]pos.TerminalID, len(all)), make([]mapSum, len(all)+1)
	var s mapSum
	low, high := [2]int32{math.MaxInt32, math.MaxInt32}, [2]int32{math.MinInt32, math.MinInt32}
	for i, x := range all {
		f.cells[i], f.ids[i] = x.cell, x.id
		s.states[x.state]++
		s.lat, s.lon = s.lat+int64(x.lat), s.lon+int64(x.lon)
		low[0], low[1], high[0], high[1] = min(low[0], x.lat), min(low[1], x.lon), max(high[0], x.lat), max(high[1], x.lon)
		if x.outside {
			s.outside++
			if len(f.strays) < mapStrays {
				f.strays = append(f.strays, x.id)
			}
		}
		f.sums[i+1] = s
	}
	if len(all) > 0 {
		f.whole = api.MapBox{West: float64(low[1]) / 1e6, South: float64(low[0]) / 1e6, East: float64(high[1]) / 1e6, North: float64(high[0]) / 1e6}
	}
}

func mapState(p registry.Permit) uint8 {
	switch {
	case p == registry.FullPermit:
		return mapFull
	case p.Sell:
		return mapRestricted
	}
	return mapStopped
}

// earthMetres is the radius of the sphere whose great circles distances are told by; IUGG mean radius R1.
const earthMetres = 6_371_008.8

// metresFrom is how far a reported place is from the middle of a circle, by the haversine formula.
func metresFrom(c *registry.Circle, r reportedPlace) float64 {
	rad := func(micro int32) float64 { return float64(micro) / 1e6 * math.Pi / 180 }
	lat1, lat2 := rad(c.Latitude), rad(r.latitude)
	dLat, dLon := lat2-lat1, rad(r.longitude)-rad(c.Longitude)
	h := math.Pow(math.Sin(dLat/2), 2) + math.Cos(lat1)*math.Cos(lat2)*math.Pow(math.Sin(dLon/2), 2)
	return 2 * earthMetres * math.Asin(math.Sqrt(min(h, 1)))
}

// Map implements api.MapBook.
func (d *desk) Map(ctx context.Context, _ *web.Caller, q *api.MapQuery) (api.Map, error) {
	at, err := q.AsOf.Instant(d.line.Zone, d.clock())
	if err != nil {
		return api.Map{}, err
	}
	f, counted, err := figureAt(ctx, d.engine, "map", at, figureLife, func(ctx context.Context, w *epoch, pace func() error) (*mapFigure, error) { return w.places(ctx, pace) })
	if err != nil {
		return api.Map{}, err
	}
	last := f.sums[len(f.cells)]
	a := api.Map{Counted: counted, Whole: f.whole, Box: margin(f.whole), Placed: len(f.cells), Unplaced: f.unplaced, Outside: int(last.outside), Clusters: []api.MapCluster{}, Terminals: []api.MapTerminal{},
		Strays: []api.MapTerminal{}}
	if q.Box != "" {
		box, ok := parseBox(q.Box)
		if !ok {
			return api.Map{}, api.Refuse(http.StatusBadRequest, "invalid_request", "box: want west,south,east,north in degrees, such as 121.3,31.1,121.6,31.4")
		}
		a.Box = box
	}
	runs := f.squares(a.Box)
	for _, r := range runs {
		a.Here += r.to - r.from
	}
	near := a.Box.East-a.Box.West <= mapNear
	for _, r := range runs {
		if near && a.Here <= mapSingles {
			for _, id := range f.ids[r.from:r.to] {
				t, ok, err := f.terminal(ctx, id)
				if err != nil {
					return api.Map{}, err
				}
				if ok {
					a.Terminals = append(a.Terminals, t)
				}
			}
			continue
		}
		a.Clusters = append(a.Clusters, f.cluster(r))
	}
	for _, id := range f.strays {
		t, ok, err := f.terminal(ctx, id)
		if err != nil {
			return api.Map{}, err
		}
		if ok && t.Outside {
			a.Strays = append(a.Strays, t)
		}
	}
	return a, nil
}

// gridRun is one square of the grid: its place in the order, and its box.
type gridRun struct {
	from, to int
	box      api.MapBox
}

// squares are those of the coarsest grid that has mapColumns across the box, as far as they hold a place.
func (f *mapFigure) squares(box api.MapBox) (runs []gridRun) {
	wide := max(box.East-box.West, (box.North-box.South)*1.5, 1e-5)
	level := min(max(int(math.Ceil(math.Log2(gridSpan/wide*mapColumns))), 1), gridBits-1)
	size, last := gridSpan/float64(int(1)<<level), 1<<level-1
	at := func(degrees float64) int { return min(max(int((degrees+180)/size), 0), last) }
	shift := 2 * (gridBits - level)
	for row := at(box.South); row <= at(box.North); row++ {
		for column := at(box.West); column <= at(box.East); column++ {
			cell := spread(uint32(column))<<1 | spread(uint32(row))
			from, _ := slices.BinarySearch(f.cells, cell<<shift)
			to, _ := slices.BinarySearch(f.cells, (cell+1)<<shift)
			if from < to {
				west, south := float64(column)*size-180, float64(row)*size-180
				runs = append(runs, gridRun{from, to, api.MapBox{West: west, South: south, East: west + size, North: south + size}})
			}
		}
	}
	return runs
}

func (f *mapFigure) cluster(r gridRun) api.MapCluster {
	a, b, n := &f.sums[r.from], &f.sums[r.to], float64(r.to-r.from)
	of := func(state int) int { return int(b.states[state] - a.states[state]) }
	return api.MapCluster{Box: r.box, Latitude: float64(b.lat-a.lat) / n / 1e6, Longitude: float64(b.lon-a.lon) / n / 1e6, Outside: int(b.outside - a.outside),
		States: api.MapStates{Full: of(mapFull), Restricted: of(mapRestricted), Stopped: of(mapStopped)}}
}

func (f *mapFigure) terminal(ctx context.Context, id pos.TerminalID) (t api.MapTerminal, ok bool, err error) {
	p, ok, err := f.of.permitted(ctx, id)
	if err != nil || !ok || p.Terminal.Place == nil {
		return t, false, err
	}
	shop, err := f.of.shopName(ctx, p.Terminal.Merchant)
	if err != nil {
		return t, false, err
	}
	c := p.Terminal.Place
	t = api.MapTerminal{Terminal: id.String(), Merchant: p.Terminal.Merchant.String(), Shop: shop, Latitude: float64(c.Latitude) / 1e6, Longitude: float64(c.Longitude) / 1e6,
		Metres: int(c.Metres), State: mapStateNames[mapState(p.May())]}
	if r, said := f.reported.of(id); said {
		t.Reported, t.AtLat, t.AtLon, t.At, t.Proven = true, float64(r.latitude)/1e6, float64(r.longitude)/1e6, r.at.Time(), r.proven
		t.Away = int(metresFrom(c, r))
		t.Outside = t.Away > t.Metres
	}
	return t, true, nil
}

// margin is a box with some room around it, at least some kilometres wide.
func margin(b api.MapBox) api.MapBox {
	wide, high := max((b.East-b.West)*.08, .02), max((b.North-b.South)*.08, .02)
	return api.MapBox{West: max(b.West-wide, -180), South: max(b.South-high, -90), East: min(b.East+wide, 180), North: min(b.North+high, 90)}
}

// parseBox reads "west,south,east,north".
func parseBox(text string) (b api.MapBox, ok bool) {
	parts := strings.Split(text, ",")
	if len(parts) != 4 {
		return b, false
	}
	for i, into := range []*float64{&b.West, &b.South, &b.East, &b.North} {
		v, err := strconv.ParseFloat(strings.TrimSpace(parts[i]), 64)
		if err != nil || math.IsNaN(v) {
			return api.MapBox{}, false
		}
		*into = v
	}
	ok = b.West >= -180 && b.East <= 180 && b.South >= -90 && b.North <= 90 && b.West < b.East && b.South < b.North
	return b, ok
}
