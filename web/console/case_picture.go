package console

import (
	"strings"
	"time"

	"touchstone/pos"
	"touchstone/web/api"
)

// moneyBar is one bar of the picture of money: its parts from left to right.
type moneyBar struct {
	Name  api.Text
	Total pos.Amount
	Y     int
	Parts []moneyPart
}

// moneyPart is a piece of a bar; X and W are thousandths of the picture's width.
type moneyPart struct {
	Name   api.Text
	Amount pos.Amount
	Class  string
	X, W   int
}

type moneyBars struct {
	Bars   []moneyBar
	Height int
}

// The picture of money: thousandths of its width, and pixels of a bar.
const (
	barWidth = 1000
	barPitch = 46
)

// drawMoney makes three bars of one scale: what was claimed, what of it was approved, what left.
func drawMoney(m *api.Money) (b moneyBars) {
	approved := m.Refunds.Approved + m.Compensation.Approved
	most := max(m.Claimed, approved, m.Out, 1)
	add := func(en, zh string, total pos.Amount, parts ...moneyPart) {
		bar := moneyBar{Name: api.Text{EN: en, ZH: zh}, Total: total, Y: len(b.Bars) * barPitch}
		x := 0
		for _, p := range parts {
			if p.Amount <= 0 {
				continue
			}
			p.X, p.W = x, max(3, int(int64(p.Amount)*barWidth/int64(most)))
			x += p.W
			bar.Parts = append(bar.Parts, p)
		}
		b.Bars = append(b.Bars, bar)
	}
	add("claimed", "已索赔", m.Claimed, moneyPart{Name: api.Text{EN: "to be decided", ZH: "待决定"}, Amount: m.OpenAmount, Class: "wait"},
		moneyPart{Name: api.Text{EN: "decided for the consumer", ZH: "决定支付"}, Amount: m.Claimed - m.OpenAmount - m.RefusedAmount, Class: "yes"},
		moneyPart{Name: api.Text{EN: "refused", ZH: "已拒绝"}, Amount: m.RefusedAmount, Class: "no"})
	add("approved", "已批准", approved, moneyPart{Name: api.Text{EN: "refunds", ZH: "退款"}, Amount: m.Refunds.Approved, Class: "yes"},
		moneyPart{Name: api.Text{EN: "compensation", ZH: "补偿"}, Amount: m.Compensation.Approved, Class: "more"})
	add("paid", "已支付", m.Refunds.Paid+m.Compensation.Paid, moneyPart{Name: api.Text{EN: "paid", ZH: "已支付"}, Amount: m.Refunds.Paid + m.Compensation.Paid, Class: "yes"},
		moneyPart{Name: api.Text{EN: "on its way", ZH: "办理中"}, Amount: m.Refunds.Due + m.Compensation.Due, Class: "wait"},
		moneyPart{Name: api.Text{EN: "could not be paid", ZH: "未能支付"}, Amount: m.Refunds.Lapsed + m.Compensation.Lapsed, Class: "no"})
	b.Height = len(b.Bars) * barPitch
	return b
}

// timelinePicture is the acts of an incident along a time axis.
type timelinePicture struct {
	Points []timelinePoint
	Ticks  []timelineTick
	Height int
	Brief  bool // the axis is of minutes: its ticks say seconds
}

type timelinePoint struct {
	X, Y   int
	Shape  string // opened, told, clock, money or act
	Number int
	Title  string
}

type timelineTick struct {
	X      int
	At     time.Time
	Anchor string // of its text: start, middle or end
}

// The picture of a timeline: its width, its margin, how near points may stand in one row, rows and ticks at most.
const (
	lineWidth  = 1000
	lineMargin = 24
	lineNear   = 22
	lineRows   = 6
	lineTicks  = 4
)

// drawTimeline places each act by its time; acts too near for one row stand in rows above each other.
func drawTimeline(i *api.IncidentWhole, lang string, zone *time.Location) (p timelinePicture) {
	if len(i.Timeline) == 0 {
		return p
	}
	from, to := i.Timeline[0].At, i.Now
	if !i.Closed.IsZero() {
		to = i.Closed
	}
	for _, s := range i.Timeline {
		if s.At.Before(from) {
			from = s.At
		}
		if s.At.After(to) {
			to = s.At
		}
	}
	whole := max(to.Sub(from), time.Second)
	at := func(t time.Time) int {
		return lineMargin + int(float64(lineWidth-2*lineMargin)*float64(t.Sub(from))/float64(whole))
	}
	last := [lineRows]int{}
	for row := range last {
		last[row] = -lineWidth
	}
	deepest := 0
	for _, s := range i.Timeline {
		x, row := at(s.At), 0
		for row < lineRows-1 && x-last[row] < lineNear {
			row++
		}
		last[row], deepest = x, max(deepest, row)
		p.Points = append(p.Points, timelinePoint{X: x, Y: row, Shape: actShape(s.Verb), Number: s.Number, Title: s.At.In(zone).Format(time.TimeOnly) + " " + wordIn(s.Verb, lang) + ": " + s.Text.In(lang)})
	}
	base := 26 + (deepest+1)*lineNear
	for n := range p.Points {
		p.Points[n].Y = base - 16 - p.Points[n].Y*lineNear
	}
	for n := range lineTicks + 1 {
		t := from.Add(whole / lineTicks * time.Duration(n))
		p.Ticks = append(p.Ticks, timelineTick{X: at(t), At: t, Anchor: [...]string{0: "start", lineTicks: "end"}[n]})
		if p.Ticks[n].Anchor == "" {
			p.Ticks[n].Anchor = "middle"
		}
	}
	p.Height, p.Brief = base+34, whole < 2*time.Hour
	return p
}

func actShape(verb string) string {
	switch {
	case strings.Contains(verb, "opened"):
		return "opened"
	case strings.Contains(verb, "clock"):
		return "clock"
	case strings.Contains(verb, "closed"):
		return "closed"
	}
	return "act"
}
