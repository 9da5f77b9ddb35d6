package console

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"touchstone/web"
	"touchstone/web/api"
)

// outlineFile is the schematic outlines under the map, made by scripts/outline.
//
//go:embed outline.json
var outlineFile []byte

// area is one area of the outlines: rings of degrees, east and north in turn.
type area struct {
	EN    string      `json:"en"`
	ZH    string      `json:"zh"`
	At    []float64   `json:"at"` // where its name is written
	Rings [][]float64 `json:"rings"`
	box   api.MapBox
}

// outlines reads the embedded file once. Its numbers are hundredths of a degree, each the difference from the point before.
var outlines = sync.OnceValue(func() (o struct {
	Land  area   `json:"land"`
	China []area `json:"china"`
}) {
	if err := json.Unmarshal(outlineFile, &o); err != nil {
		panic("console: the embedded outlines: " + err.Error())
	}
	o.Land.settle()
	for i := range o.China {
		o.China[i].settle()
	}
	return o
})

// settle turns differences into degrees and finds the area's box.
func (a *area) settle() {
	a.box = api.MapBox{West: 180, South: 90, East: -180, North: -90}
	for i := range a.At {
		a.At[i] /= 100
	}
	for _, ring := range a.Rings {
		var x, y float64
		for i := 0; i+1 < len(ring); i += 2 {
			x, y = x+ring[i], y+ring[i+1]
			ring[i], ring[i+1] = x/100, y/100
			a.box = api.MapBox{West: min(a.box.West, x/100), South: min(a.box.South, y/100), East: max(a.box.East, x/100), North: max(a.box.North, y/100)}
		}
	}
}

// The picture of the map, in its own units, and how far one may come near and go away, in degrees.
const (
	mapWide, mapHigh = 1000, 640
	mapLeast         = 0.002
	mapNames         = 9.0 // provinces are named when the picture is at most so many times as wide as they are
	mapMetres        = 111_320.0
)

// projection puts degrees on the picture: equirectangular, true to scale in its middle.
type projection struct{ box api.MapBox }

// fitted widens a box until it has the shape of the picture.
func fitted(b api.MapBox) projection {
	midLat, midLon := (b.South+b.North)/2, (b.West+b.East)/2
	squeeze := math.Max(math.Cos(midLat*math.Pi/180), .2)
	high := math.Max(math.Max(b.North-b.South, (b.East-b.West)*squeeze*mapHigh/mapWide), mapLeast)
	high = math.Min(high, 170)
	wide := math.Min(high*mapWide/mapHigh/squeeze, 360)
	south := math.Max(math.Min(midLat-high/2, 90-high), -90)
	west := math.Max(math.Min(midLon-wide/2, 180-wide), -180)
	return projection{api.MapBox{West: west, South: south, East: west + wide, North: south + high}}
}

func (p projection) x(lon float64) float64 {
	return (lon - p.box.West) / (p.box.East - p.box.West) * mapWide
}

func (p projection) y(lat float64) float64 {
	return (p.box.North - lat) / (p.box.North - p.box.South) * mapHigh
}

// units is how many units of the picture some metres are.
func (p projection) units(metres float64) float64 {
	return metres / mapMetres / (p.box.North - p.box.South) * mapHigh
}

func (p projection) sees(b api.MapBox) bool {
	return b.West < p.box.East && b.East > p.box.West && b.South < p.box.North && b.North > p.box.South
}

// path draws the rings of an area that can be seen.
func (p projection) path(a *area) string {
	var d strings.Builder
	for _, ring := range a.Rings {
		seen := api.MapBox{West: 180, South: 90, East: -180, North: -90}
		for i := 0; i+1 < len(ring); i += 2 {
			seen = api.MapBox{West: min(seen.West, ring[i]), South: min(seen.South, ring[i+1]), East: max(seen.East, ring[i]), North: max(seen.North, ring[i+1])}
		}
		if !p.sees(seen) {
			continue
		}
		for i := 0; i+1 < len(ring); i += 2 {
			verb := byte('L')
			if i == 0 {
				verb = 'M'
			}
			d.WriteByte(verb)
			d.WriteString(strconv.FormatFloat(p.x(ring[i]), 'f', 1, 64))
			d.WriteByte(' ')
			d.WriteString(strconv.FormatFloat(p.y(ring[i+1]), 'f', 1, 64))
		}
		d.WriteByte('Z')
	}
	return d.String()
}

type mapPage struct {
	then string // what its addresses end with: the past moment
	api.Map
	Wide, High int
	Land       string
	Areas      []mapArea
	Names      []mapName
	Marks      []mapMark
	Rings      []mapRing
	Moves      []mapMove
	ScaleText  string
	ScaleTo    int
	Scope      string // the box in words
	Links      mapLinks
	Single     bool
}

type mapArea struct{ Path string }

type mapName struct {
	X, Y int
	Text string
}

// mapMark is a cluster, or a terminal.
type mapMark struct {
	X, Y, Size int
	State      string // the worst of those it stands for
	Text, Sub  string
	Title      string
	Href       string
}

type mapRing struct{ X, Y, R float64 }

// mapMove is where a terminal said last that it is, beside where it is registered.
type mapMove struct {
	X1, Y1, X2, Y2 int
	Outside        bool
	Title          string
}

type mapLinks struct{ In, Out, West, East, North, South, Whole, China string }

// chinaBox is the part of the world that the button China shows.
var chinaBox = api.MapBox{West: 73, South: 17, East: 136, North: 54}

// fleetMap shows where terminals are. The box is in the address; everything on it is a link.
func (c *Console) fleetMap(w http.ResponseWriter, r *http.Request) {
	who := web.CallerOf(r.Context())
	q := api.MapQuery{AsOf: asOf(r), Box: r.URL.Query().Get("box")}
	m, err := c.Desk.Map.Map(r.Context(), who, &q)
	if err == nil { // and once more for what the picture has beyond the box that was asked for
		q.Box = boxText(fitted(m.Box).box)
		m, err = c.Desk.Map.Map(r.Context(), who, &q)
	}
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	c.fleetShow(w, r, "fleet-map", two(r, "Map", "地图"), "map", mapOf(m, q.AsOf.AsOf, langOf(r)))
}

func boxText(b api.MapBox) string {
	return fmt.Sprintf("%.5f,%.5f,%.5f,%.5f", b.West, b.South, b.East, b.North)
}

func mapOf(m api.Map, asOf, lang string) *mapPage {
	p := projection{m.Box}
	page := &mapPage{Map: m, Wide: mapWide, High: mapHigh, Single: len(m.Clusters) == 0, Links: linksOf(m.Box, m.Whole, asOf), then: thenOf(asOf)}
	page.Scope = fmt.Sprintf("%.3f–%.3f° N, %.3f–%.3f° E", m.Box.South, m.Box.North, m.Box.West, m.Box.East)
	page.land(p, lang)
	page.scale(p)
	for i := range m.Clusters {
		page.cluster(p, &m.Clusters[i], lang)
	}
	page.terminals(p, lang)
	return page
}

func (g *mapPage) land(p projection, lang string) {
	o := outlines()
	g.Land = p.path(&o.Land)
	for i := range o.China {
		a := &o.China[i]
		if !p.sees(a.box) {
			continue
		}
		if d := p.path(a); d != "" {
			g.Areas = append(g.Areas, mapArea{d})
		}
		name := a.EN
		if lang == "zh" {
			name = a.ZH
		}
		if len(a.At) == 2 && p.sees(api.MapBox{West: a.At[0], South: a.At[1], East: a.At[0], North: a.At[1]}) && p.box.East-p.box.West < mapNames*(a.box.East-a.box.West) {
			g.Names = append(g.Names, mapName{int(p.x(a.At[0])), int(p.y(a.At[1])), name})
		}
	}
}

// scale finds a round length of about a fifth of the picture.
func (g *mapPage) scale(p projection) {
	metres := mapWide / 5 / p.units(1)
	step := math.Pow(10, math.Floor(math.Log10(metres)))
	for _, k := range []float64{5, 2, 1} {
		if k*step <= metres {
			step *= k
			break
		}
	}
	g.ScaleTo = 24 + int(p.units(step))
	if g.ScaleText = fmt.Sprintf("%.0f m", step); step >= 1000 {
		g.ScaleText = fmt.Sprintf("%.0f km", step/1000)
	}
}

func worst(s api.MapStates) string {
	switch {
	case s.Stopped > 0:
		return "stopped"
	case s.Restricted > 0:
		return "restricted"
	}
	return "full"
}

func (g *mapPage) cluster(p projection, x *api.MapCluster, lang string) {
	n := x.States.Total()
	k := mapMark{X: int(p.x(x.Longitude)), Y: int(p.y(x.Latitude)), Size: 11 + int(4.5*math.Log10(float64(n))), State: worst(x.States), Text: briefly(n), Href: "/fleet/map?box=" + boxText(x.Box) + g.then}
	k.Title = fmt.Sprintf("%d: %d %s, %d %s, %d %s", n, x.States.Full, fleetWord("full", lang), x.States.Restricted, fleetWord("restricted", lang), x.States.Stopped, fleetWord("stopped", lang))
	if bad := x.States.Restricted + x.States.Stopped; bad > 0 && bad < n {
		k.Sub = briefly(bad) + map[string]string{"stopped": " ✗", "restricted": " !"}[k.State]
	}
	g.Marks = append(g.Marks, k)
}

// briefly is a count of at most four characters.
func briefly(n int) string {
	switch {
	case n >= 1_000_000:
		return fmt.Sprintf("%.1fM", float64(n)/1e6)
	case n >= 10_000:
		return fmt.Sprintf("%dk", n/1000)
	case n >= 1000:
		return fmt.Sprintf("%.1fk", float64(n)/1000)
	}
	return strconv.Itoa(n)
}

// terminals puts single terminals on the map. Those of one place stand beside each other.
func (g *mapPage) terminals(p projection, lang string) {
	at := map[[2]int]int{}
	rings := map[[3]int]bool{}
	for i := range g.Terminals {
		t := &g.Terminals[i]
		x, y := p.x(t.Longitude), p.y(t.Latitude)
		spot := [2]int{int(x), int(y)}
		n := at[spot]
		at[spot]++
		if r := p.units(float64(t.Metres)); !rings[[3]int{spot[0], spot[1], t.Metres}] && r >= 2 {
			rings[[3]int{spot[0], spot[1], t.Metres}] = true
			g.Rings = append(g.Rings, mapRing{math.Round(x*10) / 10, math.Round(y*10) / 10, math.Round(r*10) / 10})
		}
		k := mapMark{X: spot[0] + 24*(n%8), Y: spot[1] + 24*(n/8), Size: 9, State: t.State, Href: "/terminals/" + t.Terminal}
		k.Title = t.Terminal + " " + t.Shop + ": " + fleetWord(t.State, lang)
		if g.Marks = append(g.Marks, k); !t.Reported {
			continue
		}
		move := mapMove{spot[0], spot[1], int(p.x(t.AtLon)), int(p.y(t.AtLat)), t.Outside, fmt.Sprintf("%s: %d m", t.Terminal, t.Away)}
		g.Moves = append(g.Moves, move)
	}
}

// thenOf is what an address of the map ends with to tell of a past moment.
func thenOf(asOf string) string {
	if asOf == "" {
		return ""
	}
	return "&as_of=" + url.QueryEscape(asOf)
}

func linksOf(b, whole api.MapBox, asOf string) mapLinks {
	wide, high := b.East-b.West, b.North-b.South
	to := func(west, south, east, north float64) string {
		return "/fleet/map?box=" + boxText(api.MapBox{West: max(west, -180), South: max(south, -90), East: min(east, 180), North: min(north, 90)}) + thenOf(asOf)
	}
	shift := func(dx, dy float64) string {
		dx, dy = min(max(dx*wide, -180-b.West), 180-b.East), min(max(dy*high, -90-b.South), 90-b.North)
		return to(b.West+dx, b.South+dy, b.East+dx, b.North+dy)
	}
	l := mapLinks{Out: to(b.West-wide/2, b.South-high/2, b.East+wide/2, b.North+high/2), West: shift(-.4, 0), East: shift(.4, 0), North: shift(0, .4), South: shift(0, -.4), Whole: strings.Replace("/fleet/map"+thenOf(asOf), "&", "?", 1),
		China: to(chinaBox.West, chinaBox.South, chinaBox.East, chinaBox.North)}
	if high > 2*mapLeast {
		l.In = to(b.West+wide/4, b.South+high/4, b.East-wide/4, b.North-high/4)
	}
	return l
}
