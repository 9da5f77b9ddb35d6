package console

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"touchstone/web"
	"touchstone/web/api"
)

// mountNow is the first page: what happens now and what needs a person.
func (c *Console) mountNow() {
	c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/{$}", Rule: web.Rule{Any: true, Shop: true}}, http.HandlerFunc(c.now))
}

// nowPage is what the template is given.
type nowPage struct {
	api.Now
	Zone    string // of the host, for times that a script makes
	Again   int    // seconds after which the page loads itself anew; 0: not
	From    string // where the last ten minutes begin, RFC 3339
	Good    string // svg path of approvals
	Bars    []bar
	Peak    uint32
	PeakBad uint32
	Minutes []minute
	Swatch  map[string]int // colour by reason
}

// bar is one reason in one point of the picture without a script.
type bar struct {
	X, Y, W, H float64
	Class      int
}

// minute is one row of the picture as a table.
type minute struct {
	At       string
	Approved uint64
	Refused  uint64
	Most     string
}

func (c *Console) now(w http.ResponseWriter, r *http.Request) {
	n, err := c.Desk.Live.Now(r.Context(), web.CallerOf(r.Context()), langOf(r))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	page := nowPage{Now: n, Zone: zoneName(c.Zone), From: n.At.Add(-10 * time.Minute).Format(time.RFC3339), Swatch: map[string]int{}}
	if r.URL.Query().Get("refresh") == "5" { // for browsers without scripts
		page.Again = 5
		w.Header().Set("Refresh", "5")
	}
	v := view{Title: two(r, "Now", "现在"), Active: "now", Sheets: []string{"now.css"}, Scripts: []string{"now.js"}, Data: &page}
	if n.Shop != nil {
		c.show(w, r, "now_shop", v)
		return
	}
	for i, x := range n.Reasons {
		page.Swatch[x.Reason] = swatch(x.Reason, i)
	}
	page.draw(c.Zone)
	v.Sheets, v.Scripts = append(v.Sheets, "uplot.css"), []string{"uplot.js", "now.js"}
	c.show(w, r, "now", v)
}

// swatches is how many colours reasons have before they begin again; 0 is of what banks refused.
const swatches = 8

func swatch(name string, i int) int {
	if name == "issuer" {
		return 0
	}
	return 1 + i%(swatches-1)
}

func zoneName(z *time.Location) string {
	if z == nil || z.String() == "Local" {
		return ""
	}
	return z.String()
}

// The picture without a script, in user units.
const (
	pictureWide = 600
	pictureHigh = 120
	barsHigh    = 60
)

// draw makes the picture that a browser without scripts shows, and the table of the same.
func (p *nowPage) draw(zone *time.Location) {
	total := make([]uint32, len(p.Points))
	for i, x := range p.Points {
		for _, k := range x.Refused {
			total[i] += k
		}
		p.Peak, p.PeakBad = max(p.Peak, x.Approved), max(p.PeakBad, total[i])
	}
	step := float64(pictureWide) / float64(max(len(p.Points), 1))
	var b strings.Builder
	for i, x := range p.Points {
		y := pictureHigh - float64(pictureHigh-4)*float64(x.Approved)/float64(max(p.Peak, 1))
		fmt.Fprintf(&b, "%c%.1f %.1f", "ML"[min(i, 1)], float64(i)*step, y)
		at := 0.0
		for _, reason := range p.Reasons {
			k := x.Refused[reason.Reason]
			if k == 0 {
				continue
			}
			h := float64(barsHigh-2) * float64(k) / float64(max(p.PeakBad, 1))
			at += h
			p.Bars = append(p.Bars, bar{math.Round(float64(i)*step*10) / 10, math.Round((barsHigh-at)*10) / 10, math.Round(max(step-0.4, 0.6)*10) / 10, math.Round(max(h, 0.8)*10) / 10, p.Swatch[reason.Reason]})
		}
	}
	p.Good = b.String()
	p.minutes(zone)
}

func (p *nowPage) minutes(zone *time.Location) {
	const each = 60 / api.PointSeconds
	words := map[string]string{}
	for _, x := range p.Reasons {
		words[x.Reason] = x.Words
	}
	for end := len(p.Points); end >= each; end -= each {
		m, by := minute{At: time.Unix(p.Points[end-each].T, 0).In(zone).Format("15:04:05")}, map[string]uint32{}
		for _, x := range p.Points[end-each : end] {
			m.Approved += uint64(x.Approved)
			for reason, k := range x.Refused {
				m.Refused += uint64(k)
				by[reason] += k
			}
		}
		most := ""
		for reason, k := range by {
			if most == "" || k > by[most] || k == by[most] && reason < most {
				most = reason
			}
		}
		if m.Most = words[most]; m.Most == "" {
			m.Most = strings.ReplaceAll(most, "_", " ")
		}
		p.Minutes = append(p.Minutes, m)
	}
}

// Share is the share of approvals whose every proof held, in percent, never rounded up to the whole.
func (p *nowPage) Share() string {
	if p.Proven == nil || p.Proven.Approvals == 0 {
		return "–"
	}
	return percent(float64(p.Proven.Full) / float64(p.Proven.Approvals))
}

// percent is a share with one decimal, or as many as it takes to see it; rounded as the sentence of effectiveness below the
// card rounds it, but not up to the whole.
func percent(share float64) string {
	p := share * 100
	switch {
	case p == 0:
		return "0 %"
	case p < 0.01:
		return fmt.Sprintf("%.4f %%", p)
	case p < 1:
		return fmt.Sprintf("%.2f %%", p)
	}
	tenths := math.Round(p * 10)
	if share < 1 {
		tenths = min(tenths, 999)
	}
	return fmt.Sprintf("%.1f %%", tenths/10)
}

// reasonLink is where the messages of a reason are.
func reasonLink(reason, from string) string {
	if reason == "issuer" || reason == "other" {
		return "/transactions?" + url.Values{"from": {from}}.Encode()
	}
	return "/transactions?" + url.Values{"reason": {reason}, "from": {from}}.Encode()
}
