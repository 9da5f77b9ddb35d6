package console

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"touchstone/web/api"
)

func isCounting(err error) bool {
	var p *api.Problem
	return errors.As(err, &p) && p.Code == api.BeingCounted().Code
}

// The drawing of a burn-down, which a script replaces by a chart that can be read point by point.
const (
	burnWide, burnHigh           = 900, 260
	burnLeft, burnRight          = 56, 20
	burnTop, burnBottom          = 26, 34
	burnTicks                    = 4
	burnInnerWide, burnInnerHigh = burnWide - burnLeft - burnRight, burnHigh - burnTop - burnBottom
)

// burnChart is the drawing in units of the picture.
type burnChart struct {
	Wide, High int
	Line, Area string // path data
	Ideal      string
	Deadline   int // x
	Base, Edge int // y of zero, x of the first moment
	Right      int
	Ticks      []burnTick
	Times      []burnTick
}

type burnTick struct {
	At   int
	Text string
}

// pointsOf are the points of a burn-down: what was noted, and what is left now or when it was closed.
func pointsOf(c *api.CampaignDetail, now time.Time) []api.BurnPoint {
	points := append([]api.BurnPoint{}, c.BurnDown...)
	end := now
	if !c.Closed.IsZero() {
		end = c.Closed
	}
	if n := len(points); n == 0 || points[n-1].At.Before(end) {
		points = append(points, api.BurnPoint{At: end, Left: c.Left})
	}
	return points
}

// chartOf draws how many terminals were left: a count stands until the next.
func chartOf(c *api.CampaignDetail, now time.Time, zone *time.Location) burnChart {
	points := pointsOf(c, now)
	from, to := c.Started, c.Deadline
	if last := points[len(points)-1].At; last.After(to) {
		to = last
	}
	most := max(c.Start.Terminals, 1)
	for _, p := range points {
		most = max(most, p.Left.Terminals)
	}
	x := func(t time.Time) int {
		if !to.After(from) {
			return burnLeft
		}
		return burnLeft + int(float64(burnInnerWide)*float64(t.Sub(from))/float64(to.Sub(from)))
	}
	y := func(n int) int { return burnTop + burnInnerHigh - burnInnerHigh*n/most }
	b := burnChart{Wide: burnWide, High: burnHigh, Deadline: x(c.Deadline), Base: y(0), Edge: burnLeft, Right: burnWide - burnRight}
	var line strings.Builder
	for i, p := range points {
		if i == 0 {
			fmt.Fprintf(&line, "M%d %d", x(p.At), y(p.Left.Terminals))
		} else {
			fmt.Fprintf(&line, "H%dV%d", x(p.At), y(p.Left.Terminals))
		}
	}
	b.Line = line.String()
	b.Area = fmt.Sprintf("%sV%dH%dZ", b.Line, b.Base, x(points[0].At))
	b.Ideal = fmt.Sprintf("M%d %dL%d %d", x(from), y(c.Start.Terminals), b.Deadline, b.Base)
	for i := range burnTicks + 1 {
		n := most * i / burnTicks
		if i > 0 && n == most*(i-1)/burnTicks {
			continue
		}
		b.Ticks = append(b.Ticks, burnTick{y(n), many(n)})
	}
	for i := range burnTicks {
		at := from.Add(to.Sub(from) * time.Duration(i) / burnTicks)
		b.Times = append(b.Times, burnTick{x(at), at.In(zone).Format("01-02 15:04")})
	}
	return b
}
