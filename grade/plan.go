package grade

import (
	"cmp"
	"math/bits"
	"slices"

	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
)

// Step is one kind of change to a terminal. The order of the constants is one in which no step comes before what it
// needs.
type Step uint8

// The steps. None takes a terminal to SM4 or away from it: an SM4 terminal's MAC is folded by the protocol (4.2), and
// X9.19 would give up SM4. What that is worth is for people to weigh.
const (
	DoubleKey   Step = iota // sign-in code 001 to 003: a double-length master key, and the terminal asks for 003
	PINBound                // refuse PIN blocks without PAN: by registration alone
	RetailMAC               // MAC by profile to X9.19; needs code 003 or 004
	TrackKey                // sign-in code 003 to 004 or 005 to 006: a track key comes with each sign-in
	TrackSealed             // refuse clear tracks; needs a track key
	UseTLS                  // plain TCP to TLS 1.3
	Certificate             // a client certificate; needs TLS
	SerialKey               // inject a serial key
	NewMaster               // load a new master key
	Steps                   // the number of steps
)

var stepNames = [Steps]string{"double_key", "pin_bound", "retail_mac", "track_key", "track_sealed", "use_tls", "client_certificate", "serial_key", "new_master"}

// String is the step's stable word.
func (s Step) String() string {
	if s < Steps {
		return stepNames[s]
	}
	return "unknown"
}

// Needs is what a step takes for one terminal.
type Needs struct {
	Register bool // the register is changed
	Download bool // the terminal's application or parameters are changed from afar
	Visit    bool // somebody goes there, or the device comes in
	Two      bool // two people, because a key is loaded
	After    []Step
}

var stepNeeds = [Steps]Needs{
	PINBound:    {Register: true, After: []Step{DoubleKey}},
	DoubleKey:   {Register: true, Download: true, Visit: true, Two: true},
	RetailMAC:   {Register: true, Download: true, After: []Step{DoubleKey}},
	TrackKey:    {Register: true, Download: true, After: []Step{DoubleKey}},
	TrackSealed: {Register: true, After: []Step{TrackKey}},
	UseTLS:      {Download: true},
	Certificate: {Register: true, Download: true, After: []Step{UseTLS}},
	SerialKey:   {Register: true, Visit: true, Two: true},
	NewMaster:   {Register: true, Visit: true, Two: true},
}

// Needs is what the step takes.
func (s Step) Needs() Needs { return stepNeeds[s] }

// Work weighs what a step takes for one terminal: a change of the register 1, a download 3, a visit 20, a second
// person 5. The weights are ours (unverified): they order steps, and are no price.
func (s Step) Work() int {
	n, work := stepNeeds[s], 0
	for _, w := range [...]struct {
		on     bool
		weight int
	}{{n.Register, 1}, {n.Download, 3}, {n.Visit, 20}, {n.Two, 5}} {
		if w.on {
			work += w.weight
		}
	}
	return work
}

// Apply is the facts after a step, as if all that was seen had come that way; ok is false where the step changes
// nothing of this terminal or what it needs is not there.
func (s Step) Apply(f Facts, now pos.Instant) (after Facts, ok bool) {
	switch s {
	case PINBound:
		ok = f.WithoutPAN && keys.CipherOf(f.Code) != keys.SM4
		f.WithoutPAN = false
	case DoubleKey:
		ok = f.Code == keys.SignInDES
		f.Code, f.MasterAt, f.Master = keys.SignInTDES, now, true
		f.reMAC()
	case RetailMAC:
		ok = keys.CipherOf(f.Code) == keys.TDES && proof.AlgorithmOf(f.MAC, f.Code).Grade().Strength != mac.Strong
		f.MAC = registry.MACX919
		f.reMAC()
	case TrackKey:
		switch f.Code {
		case keys.SignInTDES:
			f.Code, ok = keys.SignInTDESTrack, true
		case keys.SignInSM4:
			f.Code, ok = keys.SignInSM4Track, true
		}
		f.sealTracks()
	case TrackSealed:
		ok = keys.HasTrackKey(f.Code) && !f.TrackOnly
		f.TrackOnly = true
		f.sealTracks()
	case UseTLS:
		seen := &f.Seen
		ok = seen.Plain > 0 || seen.TLS12 > 0 || seen.TLS13 == 0 && !f.Client
		f.Seen.TLS13, f.Seen.TLS12, f.Seen.Plain = max(seen.Plain+seen.TLS12+seen.TLS13, 1), 0, 0
	case Certificate:
		ok = (!f.Client || f.Revoked) && f.Seen.Plain == 0
		f.Client, f.Revoked = true, false
	case SerialKey:
		ok = !f.SerialKey
		f.SerialKey, f.Seen.SerialMissed = true, 0
	case NewMaster:
		ok = !f.Master || f.MasterAt == 0 || now.Sub(f.MasterAt) > 0
		f.Master, f.MasterAt = true, now
	}
	return f, ok
}

// reMAC makes what was seen as it is registered.
func (f *Facts) reMAC() {
	if f.Seen.Algorithms != 0 {
		f.Seen.Algorithms = 1 << proof.AlgorithmOf(f.MAC, f.Code)
	}
}

func (f *Facts) sealTracks() {
	f.Seen.SealedTracks, f.Seen.ClearTracks = f.Seen.SealedTracks+f.Seen.ClearTracks, 0
}

// Path are the steps that raise a terminal, in an order that holds to what they need, and its grade after all of them.
// A step that raises no axis is left out, but where a later one needs it.
func Path(f Facts, th Thresholds, now pos.Instant) (steps []Gain, end Grade) {
	end = Of(&f, th, now)
	waiting := [Steps]bool{} // applied, and has raised nothing yet
	for s := range Steps {
		after, ok := s.Apply(f, now)
		if !ok {
			continue
		}
		g := Of(&after, th, now)
		gain := Gain{Step: s, Before: end, After: g}
		if gain.Raised() == 0 && !enables(s) {
			continue
		}
		waiting[s] = gain.Raised() == 0
		f, end = after, g
		steps = append(steps, gain)
		if gain.Raised() > 0 {
			for _, need := range s.Needs().After {
				waiting[need] = false
			}
		}
	}
	return slices.DeleteFunc(steps, func(g Gain) bool { return waiting[g.Step] }), end
}

// enables tells whether another step needs this one.
func enables(s Step) bool {
	for _, n := range stepNeeds {
		if slices.Contains(n.After, s) {
			return true
		}
	}
	return false
}

// Gain is one step of a terminal's path.
type Gain struct {
	Step          Step
	Before, After Grade
}

// Raised is the sum of the levels that axes gained, and twice that of the whole.
func (g *Gain) Raised() int {
	return g.After.Sum() - g.Before.Sum() + 2*(int(g.After.Overall())-int(g.Before.Overall()))
}

// Task is one step of a plan, for all terminals it helps.
type Task struct {
	Step      Step
	Terminals []pos.TerminalID
	Gain      int                       // sum of Raised
	Axes      [Axes][Levels][Levels]int // terminals by axis, level before, level after; only where it rises
	Overall   [Levels][Levels]int       // likewise over all
	After     []Step                    // steps of this plan that some of these terminals need first
	First     []int                     // how many of them, for each of After
	Models    map[string]int
}

// PerWork is what the task gains for its work: 100 is one level of one axis of a terminal for one unit.
func (t *Task) PerWork() int { return 100 * t.Gain / (len(t.Terminals) * t.Step.Work()) }

// Plan gathers what each step would do for a fleet. Its zero value is of none.
type Plan struct {
	Terminals int
	Before    [Levels]int // terminals by overall level now
	After     [Levels]int // and after all steps
	Stuck     int         // that no step takes to Strong on every axis
	StuckWhy  [Axes]int   // on which axis; a terminal may be on several
	tasks     [Steps]Task
	order     [Steps][Steps]int // terminals that take the second before the first
}

// Add takes one terminal.
func (p *Plan) Add(n Named, f *Facts, th Thresholds, now pos.Instant) {
	p.Terminals++
	steps, end := Path(*f, th, now)
	begin := end
	if len(steps) > 0 {
		begin = steps[0].Before
	}
	p.Before[begin.Overall()]++
	p.After[end.Overall()]++
	stuck := false
	for a := range end {
		if end[a].Level < Strong && Axis(a) != WorkingKey {
			p.StuckWhy[a]++
			stuck = true
		}
	}
	if stuck {
		p.Stuck++
	}
	var taken uint16
	for i := range steps {
		p.add(n, &steps[i], taken)
		taken |= 1 << steps[i].Step
	}
}

func (p *Plan) add(n Named, g *Gain, taken uint16) {
	t := &p.tasks[g.Step]
	if t.Models == nil {
		t.Step, t.Models = g.Step, map[string]int{}
	}
	t.Terminals = append(t.Terminals, n.Terminal)
	t.Models[n.Model]++
	t.Gain += g.Raised()
	for a := range g.After {
		if from, to := g.Before[a].Level, g.After[a].Level; to != from {
			t.Axes[a][from][to]++
		}
	}
	if from, to := g.Before.Overall(), g.After.Overall(); to != from {
		t.Overall[from][to]++
	}
	for _, need := range g.Step.Needs().After {
		if taken>>need&1 == 1 {
			p.order[g.Step][need]++
		}
	}
}

// Tasks are the plan's steps: the greatest gain for the work first, but none before what it needs.
func (p *Plan) Tasks() (list []*Task) {
	var left uint16
	for s := range Steps {
		if t := &p.tasks[s]; len(t.Terminals) > 0 {
			left |= 1 << s
			t.After, t.First = nil, nil
			for need, n := range p.order[s] {
				if n > 0 {
					t.After, t.First = append(t.After, Step(need)), append(t.First, n)
				}
			}
		}
	}
	for left != 0 {
		best := Steps
		for rest := left; rest != 0; rest &= rest - 1 {
			s := Step(bits.TrailingZeros16(rest))
			blocked := slices.ContainsFunc(p.tasks[s].After, func(need Step) bool { return left>>need&1 == 1 })
			if !blocked && (best == Steps || cmp.Compare(p.worth(s), p.worth(best)) > 0) {
				best = s
			}
		}
		list = append(list, &p.tasks[best])
		left &^= 1 << best
	}
	return list
}

// worth is what a task gains for its work, with the best of what waits for it: a step that only makes way is worth
// what it makes way for.
func (p *Plan) worth(s Step) int {
	best := p.tasks[s].PerWork()
	for later := range Steps {
		if t := &p.tasks[later]; len(t.Terminals) > 0 && p.order[later][s] > 0 {
			both := 100 * (p.tasks[s].Gain + t.Gain) / (len(p.tasks[s].Terminals)*s.Work() + len(t.Terminals)*later.Work())
			best = max(best, both)
		}
	}
	return best
}
