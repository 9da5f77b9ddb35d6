package main

import (
	"math"
	"strings"

	"touchstone/explain"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/web/api"
)

// keptTiming is where the time of a message went. Each lap ends a stretch that began where the one before it ended.
type keptTiming struct {
	Again bool        `json:"again,omitempty"` // measured again after the answer, not while it was judged
	Clock uint32      `json:"clock"`           // nanoseconds that one reading of the clock takes: every lap has one in it
	Laps  [][2]uint32 `json:"laps"`            // proof.Step, nanoseconds since the beginning
}

// clockReadings are how many readings tell what one costs: the shortest of them.
const clockReadings = 16

// timing is where the time of a message went; nil where that is not known. A refused message that was not picked is judged
// again for it; only run calls this.
func (s *samples) timing(f *lentFrame) *keptTiming {
	laps := &f.laps
	if !f.picked {
		if s.line == nil {
			return nil
		}
		same := false
		if laps, same = s.line.Measure(s.again, f.frame[:f.n], &f.judged); !same {
			return nil // its terminal was changed in between
		}
	}
	taken, whole := laps.Taken()
	if !whole || len(taken) == 0 {
		return nil
	}
	t := &keptTiming{Again: !f.picked, Clock: readingCost(s.clock)}
	for _, lap := range taken {
		t.Laps = append(t.Laps, [2]uint32{uint32(lap.Step), lap.To})
	}
	return t
}

// readingCost is how long one reading of a clock takes, nanoseconds.
func readingCost(clock func() pos.Instant) uint32 {
	least := int64(math.MaxUint32)
	last := clock()
	for range clockReadings {
		now := clock()
		least = min(least, int64(now-last))
		last = now
	}
	return uint32(max(least, 0))
}

// stretch is a stretch of time that went to one step, nanoseconds since the beginning.
type stretch struct {
	step     proof.Step
	from, to uint32
}

// stretches are the laps, those of one step that follow each other as one; nil where they are damaged.
func (t *keptTiming) stretches() (all []stretch) {
	last := uint32(0)
	for _, lap := range t.Laps {
		step, to := proof.Step(min(lap[0], math.MaxUint8)), lap[1]
		if to < last || step.String() == "unknown" {
			return nil // of a newer program, or damaged
		}
		if n := len(all); n > 0 && all[n-1].step == step {
			all[n-1].to = to
		} else {
			all = append(all, stretch{step, last, to})
		}
		last = to
	}
	return all
}

// total is all of the time that was taken, nanoseconds.
func (t *keptTiming) total() uint32 {
	if len(t.Laps) == 0 {
		return 0
	}
	return t.Laps[len(t.Laps)-1][1]
}

// of is how long a step took in all, nanoseconds; ok is false where it has no lap.
func (t *keptTiming) of(step proof.Step) (nanos uint32, ok bool) {
	for _, s := range t.stretches() {
		if s.step == step {
			nanos, ok = nanos+s.to-s.from, true
		}
	}
	return nanos, ok
}

// workWords are the works beside the checks.
var workWords = map[proof.Step]explain.Text{
	proof.Gathered: {EN: "terminal looked up", ZH: "查找终端"},
	proof.Asked:    {EN: "question to the module made", ZH: "组成对安全模块的请求"},
	proof.Hashed:   {EN: "card and request hashed", ZH: "计算卡与请求的散列值"},
	proof.Issued:   {EN: "working keys drawn", ZH: "生成工作密钥"},
	proof.Waited:   {EN: "waited for the terminal's lock", ZH: "等待终端锁"},
	proof.Ruled:    {EN: "money rules", ZH: "资金规则"},
	proof.Banked:   {EN: "the card's bank", ZH: "发卡行判定"},
	proof.Entered:  {EN: "entry written up", ZH: "形成日志记录"},
}

// stepName is a step in both languages.
func stepName(c *explain.Catalogue, step proof.Step) explain.Text {
	if t, ok := workWords[step]; ok {
		return t
	}
	if t, ok := c.Check(step.String()); ok {
		return t
	}
	return explain.Text{EN: step.String(), ZH: step.String()}
}

// inModule tells whether a stretch was the security module's work. It proves MAC, serial number and track before the first
// check is judged, and a PIN after the last; what the judgment itself reads of these takes a stretch of its own.
func inModule(all []stretch, i int) bool {
	switch all[i].step {
	case proof.Hashed, proof.Issued:
		return true
	case proof.Step(proof.PIN):
		return i+1 < len(all) && all[i+1].step == proof.Waited
	case proof.Step(proof.MAC), proof.Step(proof.Serial), proof.Step(proof.Track):
		for _, later := range all[i+1:] {
			switch later.step {
			case proof.Step(proof.Frame):
				return true
			case proof.Gathered:
				return false
			}
		}
	}
	return false
}

// microsOf is nanoseconds as microseconds.
func microsOf(nanos uint32) float64 { return float64(nanos) / 1000 }

// timingOf is the timing as the interface gives it, nil for none. Each check of the verdict that was timed is told its own.
func timingOf(s *speaker, t *keptTiming, verdict []api.TransactionCheck) *api.Timing {
	if t == nil || t.stretches() == nil {
		return nil
	}
	given := &api.Timing{How: "live", TotalUS: microsOf(t.total()), ClockUS: microsOf(t.Clock)}
	if t.Again {
		given.How = "again"
	}
	for i, part := range t.stretches() {
		given.Steps = append(given.Steps, api.TimingStep{Step: strings.ReplaceAll(part.step.String(), " ", "_"), Name: textOf(stepName(s.catalogue, part.step)), Check: part.step < proof.Step(proof.Checks),
			Module: inModule(t.stretches(), i), FromUS: microsOf(part.from), ToUS: microsOf(part.to)})
	}
	for i := range verdict {
		if nanos, ok := t.of(proof.Step(i)); ok {
			micros := microsOf(nanos)
			verdict[i].Micros = &micros
		}
	}
	return given
}
