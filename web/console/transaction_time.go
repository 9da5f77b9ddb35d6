package console

import (
	"fmt"
	"strconv"

	"touchstone/web/api"
)

// timeBar is a stretch of time in the waterfall, in percent of all.
type timeBar struct {
	X, W   string
	Module bool
}

// tick is a place on the axis of time.
type tick struct {
	X     string // percent
	Label string
	Last  bool // its label ends there, as it would stand beyond the edge
}

// workRow is what took time beside the checks.
type workRow struct {
	Name api.Text
	Took string
	Bars []timeBar
}

// leastBar is the width of the narrowest bar in percent: a stretch of some nanoseconds is seen too.
const leastBar = 0.5

// times lays the waterfall out to scale, where the message was timed.
func (p *transactionPage) times() {
	t := p.T.Timing
	if t == nil || t.TotalUS <= 0 {
		return
	}
	p.Timed = true
	rows, works := map[string]*checkRow{}, map[string]int{}
	for i := range p.Checks {
		rows[stepWord(p.Checks[i].Check)] = &p.Checks[i]
	}
	spent := map[string]float64{}
	for i := range t.Steps {
		s := &t.Steps[i]
		width := (s.ToUS - s.FromUS) / t.TotalUS * 100
		b := timeBar{X: percentText(min(s.FromUS/t.TotalUS*100, 100-leastBar)), W: percentText(max(width, leastBar)), Module: s.Module}
		spent[s.Step] += s.ToUS - s.FromUS
		if row := rows[stepWord(s.Step)]; row != nil {
			row.Bars, row.Took = append(row.Bars, b), micros(spent[s.Step])
			continue
		}
		at, known := works[s.Step]
		if !known {
			at = len(p.Works)
			works[s.Step] = at
			p.Works = append(p.Works, workRow{Name: s.Name})
		}
		p.Works[at].Bars, p.Works[at].Took = append(p.Works[at].Bars, b), micros(spent[s.Step])
	}
	p.Ticks = ticksOf(t.TotalUS)
}

// stepWord is a check's name as a step of the timing has it.
func stepWord(check string) string {
	b := []byte(check)
	for i := range b {
		if b[i] == ' ' {
			b[i] = '_'
		}
	}
	return string(b)
}

// mostTicks is the most places on the axis besides 0.
const mostTicks = 5

// ticksOf are places at round numbers from 0 to total.
func ticksOf(total float64) (all []tick) {
	step := 0.01
	for i := 0; total/step > mostTicks; i++ {
		step *= [...]float64{2, 2.5, 2}[i%3] // 1, 2, 5, 10
	}
	for at := 0.0; at <= total; at += step {
		all = append(all, tick{X: percentText(at / total * 100), Label: strconv.FormatFloat(at, 'g', 4, 64), Last: at/total > 0.92})
	}
	return all
}

func percentText(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) + "%" }

// micros is microseconds with three digits that count.
func micros(us float64) string {
	switch {
	case us < 10:
		return fmt.Sprintf("%.2f", us)
	case us < 100:
		return fmt.Sprintf("%.1f", us)
	}
	return fmt.Sprintf("%.0f", us)
}
