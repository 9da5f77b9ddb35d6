package main

import (
	"cmp"
	"context"
	"slices"

	"touchstone/explain"
	"touchstone/grade"
	"touchstone/web"
	"touchstone/web/api"
)

var _ api.GradeBook = (*desk)(nil)

// Grades implements api.GradeBook.
func (d *desk) Grades(ctx context.Context, _ *web.Caller, q *api.GradesQuery) (api.Grades, error) {
	a, counted, err := d.gradeFigure(ctx, &q.AsOf, gradeQuery{Merchant: q.Merchant, Model: q.Model})
	if err != nil {
		return api.Grades{}, err
	}
	g := api.Grades{Counted: counted, Terminals: a.Fleet.Terminals, Overall: levelsOf(a.Fleet.Overall), Axes: []api.GradeAxis{}, Rebuilding: a.Rebuilding,
		Models: groupsOf(a.Fleet.Models), Merchants: groupsOf(a.Fleet.Merchants), Worst: []api.GradedTerminal{}, Policies: []api.GradePolicy{}}
	for _, x := range a.Fleet.Axes {
		axis := api.GradeAxis{Axis: x.Axis, Label: label(axisWords[x.Axis]), Levels: levelsOf(x.Levels), Why: []api.Bar{}}
		for _, w := range x.Why {
			axis.Why = append(axis.Why, api.Bar{Key: w.Why, Label: label(whyWord[w.Why]), Terminals: w.Terminals})
		}
		g.Axes = append(g.Axes, axis)
	}
	for _, t := range a.Fleet.Worst {
		row := api.GradedTerminal{Terminal: t.Terminal, Merchant: t.Merchant, Shop: t.Shop, Model: t.Model, Overall: t.Overall, Weakest: []api.Text{}}
		for _, x := range t.Axes {
			if x.Level == t.Overall {
				row.Weakest = append(row.Weakest, label(axisWords[x.Axis]))
			}
		}
		g.Worst = append(g.Worst, row)
	}
	for _, p := range a.Fleet.Policies {
		g.Policies = append(g.Policies, api.GradePolicy{Policy: p.Policy, Terminals: p.Terminals, InForce: p.InForce})
	}
	return g, nil
}

// gradeFigure is the answer of the command grade, counted in the background.
func (d *desk) gradeFigure(ctx context.Context, as *api.AsOf, q gradeQuery) (*gradeAnswer, api.Counted, error) {
	at, err := as.Instant(d.line.Zone, d.clock())
	if err != nil {
		return nil, api.Counted{}, err
	}
	q.Thresholds = grade.DefaultThresholds()
	name := "grades/" + q.Merchant + "/" + q.Model
	if q.Plan {
		name = "plan/" + q.Merchant + "/" + q.Model
	}
	return figureAt(ctx, d.engine, name, at, figureLife, func(ctx context.Context, w *epoch, pace func() error) (*gradeAnswer, error) {
		return w.grades(ctx, &q, pace)
	})
}

// GradePlan implements api.GradeBook.
func (d *desk) GradePlan(ctx context.Context, _ *web.Caller, q *api.GradesQuery) (api.GradePlan, error) {
	a, counted, err := d.gradeFigure(ctx, &q.AsOf, gradeQuery{Merchant: q.Merchant, Model: q.Model, Plan: true})
	if err != nil {
		return api.GradePlan{}, err
	}
	p := api.GradePlan{Counted: counted, Terminals: a.Plan.Terminals, Before: levelsOf(a.Plan.Before), After: levelsOf(a.Plan.After), Steps: []api.GradeStep{},
		Stuck: a.Plan.Stuck, StuckOn: barsOf(a.Plan.StuckOn, axisWords)}
	for i := range a.Plan.Steps {
		p.Steps = append(p.Steps, stepOf(&a.Plan.Steps[i]))
	}
	return p, nil
}

func stepOf(s *stepPlan) api.GradeStep {
	out := api.GradeStep{Step: s.Step, Label: label(stepWords[s.Step]), Terminals: s.Terminals, List: slices.Clone(s.List), Models: barsOf(s.Models, nil), Needs: []api.Text{},
		After: []api.GradeAfter{}, Gain: s.Gain, Work: s.Work * s.Terminals, PerWork: s.PerWork, Changes: []api.GradeChange{}}
	for _, n := range s.Needs {
		out.Needs = append(out.Needs, label(stepNeedWords[n]))
	}
	for _, x := range s.After {
		out.After = append(out.After, api.GradeAfter{Step: x.Step, Label: label(stepWords[x.Step]), Terminals: x.Terminals})
	}
	for _, c := range s.Changes {
		out.Changes = append(out.Changes, api.GradeChange{Axis: c.Axis, Label: label(axisWords[c.Axis]), From: c.From, To: c.To, Terminals: c.Terminals})
	}
	return out
}

func levelsOf(c levelCounts) api.Levels {
	return api.Levels{None: c[grade.None], Weak: c[grade.Weak], Accepted: c[grade.Accepted], Strong: c[grade.Strong]}
}

func groupsOf(list []groupGrade) []api.GradeGroup {
	out := []api.GradeGroup{}
	for _, g := range list {
		out = append(out, api.GradeGroup{Key: g.Key, Name: g.Name, Terminals: g.Terminals, Overall: levelsOf(g.Overall), Average: g.Average})
	}
	return out
}

// label is a text of the catalogue as the interface has it.
func label(t explain.Text) api.Text { return api.Text{EN: t.EN, ZH: t.ZH} }

// same is a word that is the same in both languages.
func same(s string) api.Text { return api.Text{EN: s, ZH: s} }

// barsOf are counts by word, the most frequent first; a key without words stands for itself.
func barsOf(counts map[string]int, words map[string]explain.Text) []api.Bar {
	list := []api.Bar{}
	for key, n := range counts {
		if n == 0 {
			continue
		}
		said := same(key)
		if t, ok := words[key]; ok {
			said = label(t)
		} else if key == "" {
			said = api.Text{EN: "unknown", ZH: "未知"}
		}
		list = append(list, api.Bar{Key: key, Label: said, Terminals: n})
	}
	slices.SortFunc(list, func(a, b api.Bar) int { return cmp.Or(b.Terminals-a.Terminals, cmp.Compare(a.Key, b.Key)) })
	return list
}
