package load

import (
	"fmt"
	"html"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"touchstone/terminal"
)

// The picture, in pixels: the whole, and the field of the curve in it.
const (
	pictureWide, pictureHigh = 960, 540
	fieldLeft, fieldRight    = 84, 920
	fieldTop, fieldBottom    = 92, 460
)

// WriteSVG draws the latency of every percentile as an SVG 1.1 picture. The percentiles lie as in the
// plots of HdrHistogram: as far apart from 90 to 99 as from 99 to 99.9, since the tail is what counts.
func (r *Result) WriteSVG(w io.Writer, l terminal.Language) error {
	p := &picture{nines: r.nines(), top: ceiling(r.Latency.Max)}
	p.start(r, l)
	p.axes(l)
	if r.Measured > 0 {
		if r.Rate > 0 {
			p.note(l)
		}
		p.curve(r.Percentile)
		p.marks(r, l)
	}
	p.b.WriteString("</svg>\n")
	_, err := io.WriteString(w, p.b.String())
	return err
}

// nines is how many tenfold steps of the tail the run has sales for: 3 is up to 99.9 %.
func (r *Result) nines() float64 {
	return math.Min(math.Max(math.Ceil(math.Log10(float64(r.Measured+1))), 2), 6)
}

// ceiling is a round latency of at least d: 1, 2 or 5 times a power of ten, or the like.
func ceiling(d time.Duration) time.Duration {
	unit := time.Millisecond / 10
	for {
		for _, n := range []time.Duration{1, 2, 3, 4, 5, 6, 8} {
			if n*unit >= d {
				return n * unit
			}
		}
		unit *= 10
	}
}

type picture struct {
	b     strings.Builder
	nines float64       // of the x axis
	top   time.Duration // of the y axis
}

// x is where a percentile lies.
func (p *picture) x(percent float64) float64 {
	tail := math.Min(-math.Log10(math.Max(1-percent/100, 1e-12)), p.nines)
	return fieldLeft + tail/p.nines*(fieldRight-fieldLeft)
}

// y is where a latency lies.
func (p *picture) y(d time.Duration) float64 {
	return fieldBottom - float64(d)/float64(p.top)*(fieldBottom-fieldTop)
}

func (p *picture) text(x, y float64, size int, colour, anchor, s string) {
	fmt.Fprintf(&p.b, `<text x="%.1f" y="%.1f" font-size="%d" fill="%s" text-anchor="%s" stroke="#ffffff" stroke-width="3" paint-order="stroke">%s</text>`+"\n", x, y, size, colour, anchor, html.EscapeString(s))
}

func (p *picture) line(x1, y1, x2, y2 float64, colour string, dashed bool) {
	dash := ""
	if dashed {
		dash = ` stroke-dasharray="4 4"`
	}
	fmt.Fprintf(&p.b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"%s/>`+"\n", x1, y1, x2, y2, colour, dash)
}

// The colours, readable on white and for people who do not tell red from green.
const (
	inkColour   = "#1b1f24"
	quietColour = "#59636e"
	gridColour  = "#d8dee4"
	curveColour = "#0550ae"
)

func (p *picture) start(r *Result, l terminal.Language) {
	fmt.Fprintf(&p.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="Helvetica, Arial, 'Noto Sans CJK SC', 'Microsoft YaHei', sans-serif">`+"\n",
		pictureWide, pictureHigh, pictureWide, pictureHigh)
	fmt.Fprintf(&p.b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", pictureWide, pictureHigh)
	p.text(fieldLeft, 36, 20, inkColour, "start", two(l, "Latency of a sale by percentile", "消费延迟的百分位分布"))
	how := two(l, "closed loop", "闭环")
	if r.Rate > 0 {
		how = fmt.Sprintf(two(l, "fixed rate %s/s", "固定速率 %s 笔/秒"), Thousands(uint64(r.Rate)))
	}
	p.text(fieldLeft, 60, 13, quietColour, "start", fmt.Sprintf(two(l, "%s sales in %s, %s a second; %s; %s terminals, %d connections; %s refused, %s without an answer",
		"%s 笔, %s 内, 每秒 %s 笔; %s; %s 台终端, %d 条连接; 拒绝 %s 笔, 无应答 %s 笔"), Thousands(r.Measured), r.Length.Round(100*time.Millisecond),
		Thousands(uint64(math.Round(r.PerSecond))), how, Thousands(uint64(r.Terminals)), r.Connections, Thousands(r.RefusedInAll()), Thousands(r.Unknown)))
}

// axes draws the grid and names the axes.
func (p *picture) axes(l terminal.Language) {
	const steps = 5
	for i := range steps + 1 {
		d := p.top * time.Duration(i) / steps
		p.line(fieldLeft, p.y(d), fieldRight, p.y(d), gridColour, false)
		p.text(fieldLeft-10, p.y(d)+4, 12, quietColour, "end", strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'g', 4, 64))
	}
	for n, percent := range []float64{0, 90, 99, 99.9, 99.99, 99.999, 99.9999} {
		if float64(n) > p.nines {
			break
		}
		p.line(p.x(percent), fieldTop, p.x(percent), fieldBottom, gridColour, false)
		p.text(p.x(percent), fieldBottom+20, 12, quietColour, "middle", strconv.FormatFloat(percent, 'g', -1, 64)+" %")
	}
	p.line(p.x(50), fieldTop, p.x(50), fieldBottom, gridColour, false)
	p.text(p.x(50), fieldBottom+20, 12, quietColour, "middle", "50 %")
	p.text((fieldLeft+fieldRight)/2, fieldBottom+48, 13, inkColour, "middle", two(l, "percentile: so much of all sales took at most this long", "百分位: 相应比例的消费不超过此延迟"))
	fmt.Fprintf(&p.b, `<text transform="translate(24 %d) rotate(-90)" font-size="13" fill="%s" text-anchor="middle">%s</text>`+"\n",
		(fieldTop+fieldBottom)/2, inkColour, two(l, "latency, milliseconds", "延迟 (毫秒)"))
}

// note says from when a latency counts at a fixed rate.
func (p *picture) note(l terminal.Language) {
	p.text(fieldLeft, 80, 12, quietColour, "start", two(l, "from the time a sale was due, so the wait behind a slow answer counts", "自计划发出时刻起算, 排队等待计入"))
}

// curve draws the distribution.
func (p *picture) curve(points []Point) {
	fmt.Fprintf(&p.b, `<polyline fill="none" stroke="%s" stroke-width="2" stroke-linejoin="round" points="`, curveColour)
	for _, at := range points {
		if -math.Log10(1-at.Percent/100) > p.nines {
			break
		}
		fmt.Fprintf(&p.b, "%.1f,%.1f ", p.x(at.Percent), p.y(at.At))
	}
	p.b.WriteString(`"/>` + "\n")
}

// marks names the values that people ask for.
func (p *picture) marks(r *Result, l terminal.Language) {
	for _, m := range []struct {
		name    string
		percent float64
		at      time.Duration
	}{{"p50", 50, r.Latency.P50}, {"p99", 99, r.Latency.P99}, {"p99.9", 99.9, r.Latency.P999}, {two(l, "max", "最大"), 100, r.Latency.Max}} {
		if tail := -math.Log10(math.Max(1-m.percent/100, 1e-12)); m.percent < 100 && tail > p.nines {
			continue
		}
		x, y := p.x(m.percent), p.y(m.at)
		fmt.Fprintf(&p.b, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`+"\n", x, y, curveColour)
		// The curve only rises, so there is room to the left above a point, but for the one beside the axis.
		anchor, dx, dy := "end", -8.0, -9.0
		if m.percent == 50 {
			if anchor, dx, dy = "start", 8, 18; y > fieldBottom-24 {
				dx, dy = -4, -24
			}
		}
		p.text(x+dx, math.Max(y+dy, fieldTop+12), 13, inkColour, anchor, m.name+" "+Milliseconds(m.at)+two(l, " ms", " 毫秒"))
	}
}
