package console

import (
	"fmt"
	"time"

	"touchstone/web/api"
)

// drawnTimeline is a timeline as lanes of a drawing: places are per cent of its width, so that it fits any screen.
type drawnTimeline struct {
	Lanes     []drawnLane
	Ticks     []drawnTick
	From, To  time.Time
	Empty     bool
	Truncated bool
	Marks     []drawnMark // all, the newest first, for the table
}

type drawnLane struct {
	Name  string
	Key   string
	Marks []drawnMark
	Bars  []drawnBar
}

type drawnMark struct {
	X     string // per cent
	Shape string // dot, cross, check, key, move
	Lane  string
	Text  string
	At    string
	Link  string
}

// drawnBar is a state that lasted.
type drawnBar struct {
	X, Width string // per cent
	State    string // yes, limited, no, or of a version even and odd
	Text     string
}

type drawnTick struct{ X, Text string }

var laneOrder = []struct{ key, en, zh string }{
	{"permit", "May sell", "许可"}, {"failure", "Refusals", "拒绝"}, {"sign_in", "Sign-ins", "签到"}, {"key", "Keys", "密钥"}, {"version", "Version", "版本"}, {"move", "Moves", "变动"}, {"inspection", "Inspections", "巡检"},
}

// closest narrows a week to the last hour or day where most of what happened was then, and names what it left.
func closest(t *api.Timeline) string {
	for _, s := range []struct {
		name string
		long time.Duration
	}{{"hour", time.Hour}, {"day", 24 * time.Hour}} {
		from, within := t.To.Add(-s.long), 0
		for _, m := range t.Marks {
			if m.At.After(from) {
				within++
			}
		}
		if within > 2 && 2*within > len(t.Marks) {
			t.From = from
			return s.name
		}
	}
	return "week"
}

// draw lays a timeline out. sell is what the terminal may do since an instant, where no mark says so.
func draw(w pageWords, t api.Timeline, sell string, since *time.Time) drawnTimeline {
	d := drawnTimeline{From: t.From, To: t.To, Truncated: t.Truncated, Empty: len(t.Marks) == 0}
	whole := t.To.Sub(t.From)
	place := func(at time.Time) float64 {
		if whole <= 0 {
			return 100
		}
		return max(0, min(100, 100*float64(at.Sub(t.From))/float64(whole)))
	}
	for _, o := range laneOrder {
		lane := drawnLane{Key: o.key, Name: w.Say(api.Text{EN: o.en, ZH: o.zh})}
		var states []api.Mark
		for _, m := range t.Marks {
			if m.Lane != o.key {
				continue
			}
			if o.key == "permit" || o.key == "version" {
				states = append(states, m)
			}
			mark := drawnMark{X: perCent(place(m.At)), Shape: markShape(m), Lane: lane.Name, Text: w.Say(m.What), At: w.At(m.At), Link: linkOf(m)}
			if !m.At.Before(t.From) {
				lane.Marks = append(lane.Marks, mark)
			}
			d.Marks = append(d.Marks, mark)
		}
		if o.key == "permit" && len(states) == 0 && since != nil {
			states = []api.Mark{{Lane: o.key, At: *since, State: sell, What: api.Text{EN: stableWord("en", sell), ZH: stableWord("zh", sell)}}}
		}
		lane.Bars = bars(w, states, place)
		if len(lane.Marks)+len(lane.Bars) > 0 || o.key == "failure" || o.key == "sign_in" {
			d.Lanes = append(d.Lanes, lane)
		}
	}
	d.Ticks = ticks(w, t.From, t.To)
	newestFirst(d.Marks)
	return d
}

// bars are the states that follow one another, each until the next.
func bars(w pageWords, states []api.Mark, place func(time.Time) float64) (list []drawnBar) {
	for i, m := range states {
		from, to := place(m.At), 100.0
		if i+1 < len(states) {
			to = place(states[i+1].At)
		}
		if to <= from && i+1 < len(states) {
			continue
		}
		state := m.State
		if m.Lane == "version" {
			state = [...]string{"even", "odd"}[i%2]
		}
		list = append(list, drawnBar{perCent(from), perCent(max(to-from, 0.4)), state, w.At(m.At) + "  " + w.Say(m.What)})
	}
	return list
}

func newestFirst(list []drawnMark) {
	for i := 1; i < len(list); i++ { // lanes come one after the other, each in order; they are few
		for j := i; j > 0 && list[j].At > list[j-1].At; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
}

func perCent(v float64) string { return fmt.Sprintf("%.2f%%", v) }

func markShape(m api.Mark) string {
	switch {
	case m.Lane == "failure", m.Lane == "inspection" && m.State == "failed":
		return "cross"
	case m.Lane == "inspection":
		return "check"
	case m.Lane == "key":
		return "key"
	case m.Lane == "move":
		return "move"
	}
	return "dot"
}

func linkOf(m api.Mark) string {
	switch {
	case m.Link != "":
		return "/transactions/" + m.Link
	case m.Entry != 0:
		return fmt.Sprintf("/journal/%d", m.Entry)
	}
	return ""
}

// ticks are whole days, or hours of one day, at most eight.
func ticks(w pageWords, from, to time.Time) (list []drawnTick) {
	whole := to.Sub(from)
	if whole <= 0 {
		return nil
	}
	step, layout := 24*time.Hour, "01-02"
	switch {
	case whole <= 2*time.Hour:
		step, layout = 15*time.Minute, "15:04"
	case whole <= 12*time.Hour:
		step, layout = 2*time.Hour, "15:04"
	case whole <= 36*time.Hour:
		step, layout = 4*time.Hour, "15:04"
	}
	for whole/step > 8 {
		step *= 2
	}
	local := from.In(w.Zone)
	at := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, w.Zone)
	for ; at.Before(to); at = at.Add(step) {
		x := 100 * float64(at.Sub(from)) / float64(whole)
		if x >= 1 && x <= 96 {
			list = append(list, drawnTick{perCent(x), at.Format(layout)})
		}
	}
	return list
}
