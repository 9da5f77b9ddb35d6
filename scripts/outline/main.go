package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
)

// What is left out, in degrees: a point that lies nearer to the line without it, and a ring that is smaller.
const (
	landTolerance, landLeast   = 0.45, 1.6
	chinaTolerance, chinaLeast = 0.07, 0.12
)

type point struct{ x, y float64 }

// outline is one area: its names, where they are written, and its rings.
type outline struct {
	EN    string  `json:"en,omitempty"`
	ZH    string  `json:"zh,omitempty"`
	At    []int   `json:"at,omitempty"`
	Rings [][]int `json:"rings"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "want the directory node_modules")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(modules string) error {
	land, err := readLand(filepath.Join(modules, "world-atlas", "land-110m.json"))
	if err != nil {
		return err
	}
	china, err := readChina(filepath.Join(modules, "echarts", "map", "json", "china.json"))
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	return out.Encode(struct {
		Land  outline   `json:"land"`
		China []outline `json:"china"`
	}{land, china})
}

// readLand reads the one object "land" of a quantised TopoJSON file.
func readLand(path string) (outline, error) {
	var topology struct {
		Transform struct{ Scale, Translate [2]float64 } `json:"transform"`
		Arcs      [][][2]float64                        `json:"arcs"`
		Objects   struct {
			Land struct {
				Geometries []struct {
					Arcs [][][]int `json:"arcs"`
				} `json:"geometries"`
			} `json:"land"`
		} `json:"objects"`
	}
	if err := readJSON(path, &topology); err != nil {
		return outline{}, err
	}
	arc := func(i int) (list []point) {
		back := i < 0
		if back {
			i = ^i
		}
		var x, y float64
		for _, d := range topology.Arcs[i] {
			x, y = x+d[0], y+d[1]
			list = append(list, point{x*topology.Transform.Scale[0] + topology.Transform.Translate[0], y*topology.Transform.Scale[1] + topology.Transform.Translate[1]})
		}
		if back {
			for a, b := 0, len(list)-1; a < b; a, b = a+1, b-1 {
				list[a], list[b] = list[b], list[a]
			}
		}
		return list
	}
	land := outline{EN: "land", ZH: "陆地"}
	for _, g := range topology.Objects.Land.Geometries {
		for _, polygon := range g.Arcs {
			for _, ring := range polygon {
				var all []point
				for _, i := range ring {
					all = append(all, arc(i)...)
				}
				land.add(all, landTolerance, landLeast)
			}
		}
	}
	return land, nil
}

// readChina reads the features of echarts' file, whose rings are text.
func readChina(path string) (list []outline, err error) {
	var file struct {
		Scale    float64 `json:"UTF8Scale"`
		Features []struct {
			ID         string `json:"id"`
			Properties struct {
				Name string    `json:"name"`
				CP   []float64 `json:"cp"`
			} `json:"properties"`
			Geometry struct {
				Type        string          `json:"type"`
				Coordinates json.RawMessage `json:"coordinates"`
				Offsets     json.RawMessage `json:"encodeOffsets"`
			} `json:"geometry"`
		} `json:"features"`
	}
	if err := readJSON(path, &file); err != nil {
		return nil, err
	}
	if file.Scale == 0 {
		file.Scale = 1024
	}
	for _, f := range file.Features {
		o := outline{ZH: f.Properties.Name, EN: names[f.ID], Rings: [][]int{}}
		if len(f.Properties.CP) == 2 {
			o.At = []int{hundredths(f.Properties.CP[0]), hundredths(f.Properties.CP[1])}
		}
		var polygons [][]string
		var offsets [][][2]int
		if f.Geometry.Type == "Polygon" {
			polygons, offsets = [][]string{nil}, [][][2]int{nil}
			if err := json.Unmarshal(f.Geometry.Coordinates, &polygons[0]); err != nil {
				return nil, fmt.Errorf("%s: %w", f.ID, err)
			}
			if err := json.Unmarshal(f.Geometry.Offsets, &offsets[0]); err != nil {
				return nil, fmt.Errorf("%s: %w", f.ID, err)
			}
		} else {
			if err := json.Unmarshal(f.Geometry.Coordinates, &polygons); err != nil {
				return nil, fmt.Errorf("%s: %w", f.ID, err)
			}
			if err := json.Unmarshal(f.Geometry.Offsets, &offsets); err != nil {
				return nil, fmt.Errorf("%s: %w", f.ID, err)
			}
		}
		for i, p := range polygons {
			for j, ring := range p {
				o.add(decoded(ring, offsets[i][j], file.Scale), chinaTolerance, chinaLeast)
			}
		}
		list = append(list, o)
	}
	return list, nil
}

// decoded reads a ring: two code points a step, zigzag of the difference plus 64.
func decoded(text string, offset [2]int, scale float64) (ring []point) {
	units := []rune(text)
	x, y := offset[0], offset[1]
	zigzag := func(v int) int { return v>>1 ^ -(v & 1) }
	for i := 0; i+1 < len(units); i += 2 {
		x, y = x+zigzag(int(units[i])-64), y+zigzag(int(units[i+1])-64)
		ring = append(ring, point{float64(x) / scale, float64(y) / scale})
	}
	return ring
}

func readJSON(path string, into any) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

func hundredths(v float64) int { return int(math.Round(v * 100)) }

// add thins a ring and keeps it where it is large enough.
func (o *outline) add(ring []point, tolerance, least float64) {
	low, high := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for _, p := range ring {
		low, high = point{min(low.x, p.x), min(low.y, p.y)}, point{max(high.x, p.x), max(high.y, p.y)}
	}
	if max(high.x-low.x, high.y-low.y) < least || len(ring) < 4 {
		return
	}
	half := len(ring) / 2 // a ring has no ends: it is thinned in two halves
	thin := append(thinned(ring[:half+1], tolerance), thinned(ring[half:], tolerance)[1:]...)
	var coded []int
	var x, y int
	for _, p := range thin {
		nx, ny := hundredths(p.x), hundredths(p.y)
		if len(coded) > 0 && nx == x && ny == y {
			continue
		}
		coded = append(coded, nx-x, ny-y)
		x, y = nx, ny
	}
	if len(coded) >= 6 {
		o.Rings = append(o.Rings, coded)
	}
}

func thinned(line []point, tolerance float64) []point {
	if len(line) < 3 {
		return line
	}
	a, b := line[0], line[len(line)-1]
	far, at := 0.0, 0
	for i := 1; i < len(line)-1; i++ {
		if d := distance(line[i], a, b); d > far {
			far, at = d, i
		}
	}
	if far <= tolerance {
		return []point{a, b}
	}
	return append(thinned(line[:at+1], tolerance), thinned(line[at:], tolerance)[1:]...)
}

// distance is that of p from the segment from a to b.
func distance(p, a, b point) float64 {
	dx, dy := b.x-a.x, b.y-a.y
	t := 0.0
	if l := dx*dx + dy*dy; l > 0 {
		t = min(max(((p.x-a.x)*dx+(p.y-a.y)*dy)/l, 0), 1)
	}
	return math.Hypot(p.x-a.x-t*dx, p.y-a.y-t*dy)
}

// names are English names by the first six digits of GB/T 2260.
var names = map[string]string{"110000": "Beijing", "120000": "Tianjin", "130000": "Hebei", "140000": "Shanxi", "150000": "Inner Mongolia", "210000": "Liaoning", "220000": "Jilin", "230000": "Heilongjiang",
	"310000": "Shanghai", "320000": "Jiangsu", "330000": "Zhejiang", "340000": "Anhui", "350000": "Fujian", "360000": "Jiangxi", "370000": "Shandong", "410000": "Henan", "420000": "Hubei", "430000": "Hunan",
	"440000": "Guangdong", "450000": "Guangxi", "460000": "Hainan", "500000": "Chongqing", "510000": "Sichuan", "520000": "Guizhou", "530000": "Yunnan", "540000": "Tibet", "610000": "Shaanxi", "620000": "Gansu",
	"630000": "Qinghai", "640000": "Ningxia", "650000": "Xinjiang", "710000": "Taiwan", "810000": "Hong Kong", "820000": "Macao"}
