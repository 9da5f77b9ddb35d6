package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"touchstone/grade"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/sqlite"
)

// gradeQuery asks what a terminal's proofs are worth, a fleet's, or what would raise them.
type gradeQuery struct {
	Terminal   string           `json:"terminal,omitempty"`
	Plan       bool             `json:"plan,omitempty"`
	Merchant   string           `json:"merchant,omitempty"` // only terminals of this shop
	Model      string           `json:"model,omitempty"`    // only of this model
	Thresholds grade.Thresholds `json:"thresholds"`
}

// gradeAnswer answers a gradeQuery: one of the three below.
type gradeAnswer struct {
	At         pos.Instant      `json:"at"`
	Rebuilding bool             `json:"rebuilding,omitempty"` // the host has not yet read again what was seen lately
	Thresholds grade.Thresholds `json:"thresholds_unverified"`
	InForce    []string         `json:"policy_in_force,omitempty"` // what a running host refuses for its grade
	Running    bool             `json:"running"`

	Fleet    *fleetGrade    `json:"fleet,omitempty"`
	Terminal *terminalGrade `json:"terminal,omitempty"`
	Plan     *gradePlan     `json:"plan,omitempty"`
}

// levelCounts are terminals by level: none, weak, accepted, strong.
type levelCounts [grade.Levels]int

type whyCount struct {
	Why       string `json:"why"`
	Terminals int    `json:"terminals"`
}

type axisCounts struct {
	Axis   string      `json:"axis"`
	Levels levelCounts `json:"levels"` // none, weak, accepted, strong
	Why    []whyCount  `json:"why,omitempty"`
}

type groupGrade struct {
	Key       string      `json:"key"`
	Name      string      `json:"name,omitempty"`
	Terminals int         `json:"terminals"`
	Overall   levelCounts `json:"overall"`
	Average   float64     `json:"average"` // sum of the axes' levels for one terminal; 21 at most
}

// policyCount is how many terminals a policy would refuse.
type policyCount struct {
	Policy    string `json:"policy"` // the line of a configuration
	Terminals int    `json:"terminals"`
	InForce   bool   `json:"in_force,omitempty"`
}

type fleetGrade struct {
	Terminals int              `json:"terminals"`
	Overall   levelCounts      `json:"overall"`
	Axes      []axisCounts     `json:"axes"`
	Models    []groupGrade     `json:"models"`    // the worst first, at most maxGradeGroups
	Merchants []groupGrade     `json:"merchants"` // likewise
	Worst     []*terminalGrade `json:"worst"`
	Policies  []policyCount    `json:"would_be_refused"`
}

// maxGradeGroups is how many models and shops an answer names.
const maxGradeGroups = 10

type axisGrade struct {
	Axis  string   `json:"axis"`
	Level string   `json:"level"`
	Why   []string `json:"why,omitempty"`
}

type stepGrade struct {
	Step    string `json:"step"`
	Overall string `json:"overall_after"`
	Gain    int    `json:"gain"`
}

type terminalGrade struct {
	Terminal string      `json:"terminal"`
	Merchant string      `json:"merchant"`
	Shop     string      `json:"shop,omitempty"`
	Model    string      `json:"model,omitempty"`
	Overall  string      `json:"overall"`
	Axes     []axisGrade `json:"axes"`

	Facts   grade.Facts `json:"facts"`
	Steps   []stepGrade `json:"steps,omitempty"`
	End     string      `json:"overall_after_all_steps,omitempty"`
	Refused []string    `json:"would_be_refused,omitempty"` // by which policies
}

type stepPlan struct {
	Step      string         `json:"step"`
	Terminals int            `json:"terminals"`
	List      []string       `json:"list"` // at most maxPlanListed
	Models    map[string]int `json:"models"`
	Needs     []string       `json:"needs"` // register, download, visit, two_people
	After     []stepAfter    `json:"after,omitempty"`
	Gain      int            `json:"gain"`
	Work      int            `json:"work_of_each_unverified"`
	PerWork   int            `json:"gain_per_100_work"`
	Changes   []levelChange  `json:"changes"`
}

// stepAfter is a step that some terminals need first.
type stepAfter struct {
	Step      string `json:"step"`
	Terminals int    `json:"terminals"`
}

// levelChange is how many terminals rise on an axis, or over all, from one level to another.
type levelChange struct {
	Axis      string `json:"axis"` // or overall
	From      string `json:"from"`
	To        string `json:"to"`
	Terminals int    `json:"terminals"`
}

const maxPlanListed = 1000

type gradePlan struct {
	Terminals int            `json:"terminals"`
	Before    levelCounts    `json:"overall_before"`
	After     levelCounts    `json:"overall_after"`
	Steps     []stepPlan     `json:"steps"`
	Stuck     int            `json:"not_strong_after_all_steps"`
	StuckOn   map[string]int `json:"not_strong_on"`
}

// gradeWorld gives the grader what it grades, in the host or from the journal alone.
type gradeWorld struct {
	each     func(f func(t *registry.Terminal, d *registry.Device) error) error
	merchant func(pos.MerchantID) *registry.Merchant
	seen     func([]pos.TerminalID) []grade.Seen
	now      pos.Instant
}

// gradeStep is how many terminals are graded with what was seen read at one time.
const gradeStep = 4096

// answer grades what is asked.
func (w *gradeWorld) answer(q *gradeQuery) (*gradeAnswer, error) {
	if err := q.Thresholds.Check(); err != nil {
		return nil, err
	}
	a := &gradeAnswer{At: w.now, Thresholds: q.Thresholds}
	var fleet grade.Fleet
	var plan grade.Plan
	policies := newPolicyTally()
	known := false
	err := w.graded(q, func(t *registry.Terminal, n grade.Named, f *grade.Facts) {
		known = true
		switch g := grade.Of(f, q.Thresholds, w.now); {
		case q.Terminal != "":
			a.Terminal = w.one(t, n, f, q.Thresholds)
		case q.Plan:
			plan.Add(n, f, q.Thresholds, w.now)
		default:
			fleet.Add(n, &g)
			policies.add(w.refusedBy(t, f))
		}
	})
	switch {
	case err != nil:
		return nil, err
	case q.Terminal != "" && !known:
		return nil, fmt.Errorf("terminal %s is not registered: touchstone permit list says which are", q.Terminal)
	case q.Terminal != "":
	case q.Plan:
		a.Plan = planAnswer(&plan)
	default:
		a.Fleet = w.fleet(&fleet, policies)
	}
	return a, nil
}

// graded gives f the facts of every terminal that is asked about. Canaries are no terminals of a shop.
func (w *gradeWorld) graded(q *gradeQuery, f func(t *registry.Terminal, n grade.Named, facts *grade.Facts)) error {
	type pair struct {
		t *registry.Terminal
		d *registry.Device
	}
	var batch []pair
	var ids []pos.TerminalID
	flush := func() {
		for i, s := range w.seen(ids) {
			t, d := batch[i].t, batch[i].d
			facts := grade.FactsOf(t, d)
			facts.Seen = s
			n := grade.Named{Terminal: t.ID, Merchant: t.Merchant}
			if d != nil {
				n.Model = d.Model
			}
			f(t, n, &facts)
		}
		batch, ids = batch[:0], ids[:0]
	}
	err := w.each(func(t *registry.Terminal, d *registry.Device) error {
		switch {
		case t.Canary, q.Terminal != "" && t.ID.String() != q.Terminal, q.Merchant != "" && t.Merchant.String() != q.Merchant,
			q.Model != "" && (d == nil || d.Model != q.Model):
			return nil
		}
		batch, ids = append(batch, pair{t, d}), append(ids, t.ID)
		if len(batch) == gradeStep {
			flush()
		}
		return nil
	})
	flush()
	return err
}

// one is one terminal with everything that is known of its grade.
func (w *gradeWorld) one(t *registry.Terminal, n grade.Named, f *grade.Facts, th grade.Thresholds) *terminalGrade {
	g := grade.Of(f, th, w.now)
	out := w.row(grade.Graded{Named: n, Grade: g})
	out.Facts, out.Refused = *f, w.refusedBy(t, f)
	steps, end := grade.Path(*f, th, w.now)
	for i := range steps {
		out.Steps = append(out.Steps, stepGrade{steps[i].Step.String(), steps[i].After.Overall().String(), steps[i].Raised()})
	}
	out.End = end.Overall().String()
	return out
}

// row is a terminal's grade as an answer has it.
func (w *gradeWorld) row(g grade.Graded) *terminalGrade {
	out := &terminalGrade{Terminal: g.Terminal.String(), Merchant: g.Merchant.String(), Model: g.Model, Overall: g.Grade.Overall().String()}
	if m := w.merchant(g.Merchant); m != nil {
		out.Shop = m.Name
	}
	for a := range grade.Axes {
		f := g.Grade[a]
		out.Axes = append(out.Axes, axisGrade{a.String(), f.Level.String(), f.Why.Words()})
	}
	return out
}

func (w *gradeWorld) fleet(f *grade.Fleet, policies *policyTally) *fleetGrade {
	out := &fleetGrade{Terminals: f.Terminals, Overall: f.Overall, Policies: policies.list}
	for a := range grade.Axes {
		row := axisCounts{Axis: a.String(), Levels: f.Axes[a]}
		for _, c := range f.Reasons(a) {
			row.Why = append(row.Why, whyCount{c.Why.Words()[0], c.Terminals})
		}
		out.Axes = append(out.Axes, row)
	}
	for _, model := range first(grade.WorstGroups(f.Models), maxGradeGroups) {
		out.Models = append(out.Models, groupOf(model, "", f.Models[model]))
	}
	shops := map[string]*grade.Group{}
	for id, group := range f.Merchants {
		shops[id.String()] = group
	}
	for _, id := range first(grade.WorstGroups(shops), maxGradeGroups) {
		name := ""
		if merchant, err := pos.ParseMerchantID(id); err == nil {
			if m := w.merchant(merchant); m != nil {
				name = m.Name
			}
		}
		out.Merchants = append(out.Merchants, groupOf(id, name, shops[id]))
	}
	for _, g := range f.Worst {
		out.Worst = append(out.Worst, w.row(g))
	}
	return out
}

func first[T any](list []T, n int) []T { return list[:min(n, len(list))] }

func groupOf(key, name string, g *grade.Group) groupGrade {
	return groupGrade{key, name, g.Terminals, g.Overall, g.Average()}
}

func planAnswer(p *grade.Plan) *gradePlan {
	out := &gradePlan{Terminals: p.Terminals, Before: p.Before, After: p.After, Stuck: p.Stuck, StuckOn: map[string]int{}}
	for a, n := range p.StuckWhy {
		if n > 0 {
			out.StuckOn[grade.Axis(a).String()] = n
		}
	}
	for _, t := range p.Tasks() {
		s := stepPlan{Step: t.Step.String(), Terminals: len(t.Terminals), Models: t.Models, Gain: t.Gain, Work: t.Step.Work(), PerWork: t.PerWork()}
		for _, id := range first(t.Terminals, maxPlanListed) {
			s.List = append(s.List, id.String())
		}
		needs := t.Step.Needs()
		for _, n := range [...]struct {
			on   bool
			word string
		}{{needs.Register, "register"}, {needs.Download, "download"}, {needs.Visit, "visit"}, {needs.Two, "two_people"}} {
			if n.on {
				s.Needs = append(s.Needs, n.word)
			}
		}
		for i, after := range t.After {
			s.After = append(s.After, stepAfter{after.String(), t.First[i]})
		}
		for a := range t.Axes {
			s.Changes = append(s.Changes, changesOf(grade.Axis(a).String(), &t.Axes[a])...)
		}
		s.Changes = append(s.Changes, changesOf("overall", &t.Overall)...)
		out.Steps = append(out.Steps, s)
	}
	return out
}

func changesOf(axis string, table *[grade.Levels][grade.Levels]int) (list []levelChange) {
	for from := range table {
		for to, n := range table[from] {
			if n > 0 {
				list = append(list, levelChange{axis, grade.Level(from).String(), grade.Level(to).String(), n})
			}
		}
	}
	return list
}

// grades answers in the host.
func (e *engine) grades(ctx context.Context, q *gradeQuery) (*gradeAnswer, error) {
	return e.present().grades(ctx, q, ctx.Err)
}

// grades grades what is asked of one moment, with a rest between steps: pace is called after each, and its error ends the
// count. What a running host refuses for its grade is what its configuration says now, which no journal has.
func (at *epoch) grades(ctx context.Context, q *gradeQuery, pace func() error) (*gradeAnswer, error) {
	e := at.e
	h, err := at.hear(ctx, pace)
	if err != nil {
		return nil, err
	}
	w := &gradeWorld{now: at.now(), seen: func(ids []pos.TerminalID) []grade.Seen { return at.seen(h, ids) }}
	w.merchant = func(id pos.MerchantID) *registry.Merchant {
		m, err := at.merchant(ctx, id)
		if err != nil {
			return nil // it is told by its number
		}
		return m
	}
	w.each = func(f func(*registry.Terminal, *registry.Device) error) (err error) {
		if q.Terminal != "" {
			id, err := pos.ParseTerminalID(q.Terminal)
			if err != nil {
				return fmt.Errorf("terminal id %q: want 8 characters", q.Terminal)
			}
			p, ok, err := at.permitted(ctx, id)
			if err != nil || !ok {
				return err
			}
			return f(p.Terminal, p.Device)
		}
		ended := at.every(ctx, gradeStep, pace, func(p ledger.Permitted) {
			if err == nil {
				err = f(p.Terminal, p.Device)
			}
		})
		return errors.Join(err, ended)
	}
	a, err := w.answer(q)
	if err != nil {
		return nil, err
	}
	a.Running, a.InForce, a.Rebuilding = true, inForce(e.line.Policy), at.past == nil && !e.watch.isReady()
	if a.Fleet != nil {
		for i := range a.Fleet.Policies {
			a.Fleet.Policies[i].InForce = slices.Contains(a.InForce, a.Fleet.Policies[i].Policy)
		}
	}
	return a, nil
}

// seen is what was seen of terminals lately.
func (w *watch) seen(ids []pos.TerminalID) []grade.Seen {
	list := make([]grade.Seen, len(ids))
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, id := range ids {
		list[i] = w.book.Of(id)
	}
	return list
}

// isReady tells whether the journal of the last hours was read to its head once.
func (w *watch) isReady() bool {
	select {
	case <-w.ready:
		return true
	default:
		return false
	}
}

// gradeJournal answers from the journal of a directory, whether a host runs on it or not: the register's newest records
// and what was seen in the two stretches before now.
func gradeJournal(ctx context.Context, r *sqlite.Reader, q *gradeQuery, now pos.Instant) (*gradeAnswer, error) {
	book := grade.NewBook(grade.Stretch)
	from, err := firstSince(ctx, r, now-pos.Instant(2*grade.Stretch))
	if err != nil {
		return nil, err
	}
	err = r.Blocks(ctx, from, func(b journal.Block) error {
		return b.Each(func(e journal.Entry) error { book.Fold(e); return ctx.Err() })
	})
	if err != nil {
		return nil, err
	}
	devices, merchants := map[pos.Serial]*registry.Device{}, map[pos.MerchantID]*registry.Merchant{}
	var terminals []*registry.Terminal
	err = r.Cold(ctx, sqlite.Cold{
		Merchant: func(_ uint64, m registry.Merchant) error { merchants[m.ID] = &m; return nil },
		Terminal: func(_ uint64, t registry.Terminal) error { terminals = append(terminals, &t); return nil },
		Device:   func(_ uint64, d registry.Device) error { devices[d.Serial] = &d; return nil },
	})
	if err != nil {
		return nil, err
	}
	w := &gradeWorld{now: now, merchant: func(id pos.MerchantID) *registry.Merchant { return merchants[id] },
		seen: func(ids []pos.TerminalID) []grade.Seen {
			list := make([]grade.Seen, len(ids))
			for i, id := range ids {
				list[i] = book.Of(id)
			}
			return list
		},
		each: func(f func(*registry.Terminal, *registry.Device) error) error {
			for _, t := range terminals {
				if err := f(t, devices[t.Serial]); err != nil {
					return err
				}
			}
			return nil
		}}
	return w.answer(q)
}

// gradeNow is the machine's time.
func gradeNow() pos.Instant { return pos.Instant(time.Now().UnixNano()) }
