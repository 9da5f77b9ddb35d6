package console

import (
	"net/http"
	"strings"

	"touchstone/web"
	"touchstone/web/api"
)

type gradesPage struct {
	api.Grades
	Query api.GradesQuery
}

// fleetGrades shows what the proofs of terminals are worth, axis by axis.
func (c *Console) fleetGrades(w http.ResponseWriter, r *http.Request) {
	q := gradesQuery(r)
	g, err := c.Desk.Grades.Grades(r.Context(), web.CallerOf(r.Context()), &q)
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	c.fleetShow(w, r, "fleet-grades", two(r, "Grades", "证明强度"), "grades", gradesPage{g, q})
}

func gradesQuery(r *http.Request) api.GradesQuery {
	q := r.URL.Query()
	return api.GradesQuery{AsOf: asOf(r), Merchant: strings.TrimSpace(q.Get("merchant")), Model: strings.TrimSpace(q.Get("model"))}
}

type planPage struct {
	api.GradePlan
	Query api.GradesQuery
}

// fleetPlan shows the steps that raise grades most for the least work.
func (c *Console) fleetPlan(w http.ResponseWriter, r *http.Request) {
	q := gradesQuery(r)
	p, err := c.Desk.Grades.GradePlan(r.Context(), web.CallerOf(r.Context()), &q)
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	for i := range p.Steps {
		p.Steps[i].List = p.Steps[i].List[:min(len(p.Steps[i].List), planListed)]
	}
	c.fleetShow(w, r, "fleet-plan", two(r, "Migration plan", "迁移计划"), "grades", planPage{p, q})
}

// planListed is how many terminals of a step are named on the page; the interface names more.
const planListed = 12

type permitsPage struct {
	api.Permits
	Query  api.PermitsQuery
	Listed bool
}

// fleetPermits shows what terminals may do and why.
func (c *Console) fleetPermits(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	query := api.PermitsQuery{AsOf: asOf(r), Permit: q.Get("permit"), Fact: q.Get("fact"), State: q.Get("state")}
	p, err := c.Desk.Permits.Permits(r.Context(), web.CallerOf(r.Context()), &query)
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	c.fleetShow(w, r, "fleet-permits", two(r, "Permits", "许可"), "permits", permitsPage{p, query, query.Permit != "" || query.Fact != ""})
}

type policyPage struct {
	api.Policy
	Draft  string // what was typed and refused
	MaySet bool
	Query  api.PolicyQuery
	Lines  []diffLine // of the comparison, without what stays far from a change
}

// diffLine is a line of a comparison, or stands for some that are the same.
type diffLine struct {
	api.PolicyLine
	Skipped int
}

// diffAround is how many lines that are the same are shown around a change.
const diffAround = 3

// around leaves out the lines that are the same and not near a change.
func around(all []api.PolicyLine) (lines []diffLine) {
	near := make([]bool, len(all))
	for i, l := range all {
		if l.Change != "same" {
			for j := max(i-diffAround, 0); j < min(i+diffAround+1, len(all)); j++ {
				near[j] = true
			}
		}
	}
	for i, l := range all {
		switch {
		case near[i]:
			lines = append(lines, diffLine{l, 0})
		case len(lines) > 0 && lines[len(lines)-1].Skipped > 0:
			lines[len(lines)-1].Skipped++
		default:
			lines = append(lines, diffLine{api.PolicyLine{Change: "skip"}, 1})
		}
	}
	return lines
}

// fleetPolicy shows the permit policy, its versions and what changed between two of them.
func (c *Console) fleetPolicy(w http.ResponseWriter, r *http.Request) {
	p, err := c.policyPage(r)
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	c.fleetShow(w, r, "fleet-policy", two(r, "Permit policy", "许可策略"), "policy", p)
}

func (c *Console) policyPage(r *http.Request) (policyPage, error) {
	q := api.PolicyQuery{AsOf: asOf(r), Version: r.URL.Query().Get("version"), Against: r.URL.Query().Get("against")}
	who := web.CallerOf(r.Context())
	p, err := c.Desk.Permits.Policy(r.Context(), who, &q)
	return policyPage{Policy: p, MaySet: who.May("security"), Query: q, Lines: around(p.Diff)}, err
}

// setPolicy asks for another policy: a second person has to agree.
func (c *Console) setPolicy(w http.ResponseWriter, r *http.Request) {
	text := strings.ReplaceAll(r.PostFormValue("text"), "\r\n", "\n")
	c.carryOut(w, r, "permit_policy", map[string]string{"text": text}, back("/fleet/policy"), func(why string) {
		p, err := c.policyPage(r)
		if err != nil {
			c.fleetFail(w, r, err)
			return
		}
		p.Draft = text
		c.fleetAgain(w, r, "fleet-policy", two(r, "Permit policy", "许可策略"), "policy", p, why)
	})
}
