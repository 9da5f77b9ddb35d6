package api

import (
	"context"
	"net/http"

	"touchstone/web"
)

// Levels counts terminals by what their proofs are worth.
type Levels struct {
	None     int `json:"none"`
	Weak     int `json:"weak"`
	Accepted int `json:"accepted"`
	Strong   int `json:"strong"`
}

// Total is all of them.
func (l Levels) Total() int { return l.None + l.Weak + l.Accepted + l.Strong }

// GradeAxis is one thing that is graded.
type GradeAxis struct {
	Axis   string `json:"axis" example:"mac"`
	Label  Text   `json:"label"`
	Levels Levels `json:"levels"`
	Why    []Bar  `json:"why" nullable:"false" doc:"why terminals are worth no more, the most frequent first"`
}

// GradeGroup is the terminals of a model or of a shop.
type GradeGroup struct {
	Key       string  `json:"key"`
	Name      string  `json:"name,omitempty"`
	Terminals int     `json:"terminals"`
	Overall   Levels  `json:"overall"`
	Average   float64 `json:"average" doc:"sum of the axes' levels for one terminal; 21 at most"`
}

// GradedTerminal is a terminal among the weakest.
type GradedTerminal struct {
	Terminal string `json:"terminal"`
	Merchant string `json:"merchant"`
	Shop     string `json:"shop,omitempty"`
	Model    string `json:"model,omitempty"`
	Overall  string `json:"overall"`
	Weakest  []Text `json:"weakest" nullable:"false" doc:"the axes that are worth no more than the terminal"`
}

// GradePolicy is how many terminals a policy would refuse.
type GradePolicy struct {
	Policy    string `json:"policy" doc:"the line of a configuration"`
	Terminals int    `json:"terminals"`
	InForce   bool   `json:"in_force"`
}

// Grades is what the proofs of terminals are worth.
type Grades struct {
	Counted
	Terminals  int              `json:"terminals"`
	Overall    Levels           `json:"overall"`
	Axes       []GradeAxis      `json:"axes" nullable:"false"`
	Models     []GradeGroup     `json:"models" nullable:"false" doc:"the worst first, at most 10"`
	Merchants  []GradeGroup     `json:"merchants" nullable:"false" doc:"likewise"`
	Worst      []GradedTerminal `json:"worst" nullable:"false"`
	Policies   []GradePolicy    `json:"would_be_refused" nullable:"false"`
	Rebuilding bool             `json:"rebuilding" doc:"the host has not yet read again what was seen lately"`
}

// GradeChange is how many terminals rise on an axis, or over all, from one level to another.
type GradeChange struct {
	Axis      string `json:"axis"`
	Label     Text   `json:"label"`
	From      string `json:"from"`
	To        string `json:"to"`
	Terminals int    `json:"terminals"`
}

// GradeAfter is a step that some terminals need first.
type GradeAfter struct {
	Step      string `json:"step"`
	Label     Text   `json:"label"`
	Terminals int    `json:"terminals"`
}

// GradeStep is one step that raises grades.
type GradeStep struct {
	Step      string        `json:"step"`
	Label     Text          `json:"label"`
	Terminals int           `json:"terminals"`
	List      []string      `json:"list" nullable:"false" doc:"at most 1000 of them"`
	Models    []Bar         `json:"models" nullable:"false"`
	Needs     []Text        `json:"needs" nullable:"false"`
	After     []GradeAfter  `json:"after" nullable:"false"`
	Gain      int           `json:"gain" doc:"levels"`
	Work      int           `json:"work_unverified" doc:"units of work for all: the register 1, a download 3, a visit 20, a second person 5"`
	PerWork   int           `json:"gain_per_100_work"`
	Changes   []GradeChange `json:"changes" nullable:"false"`
}

// GradePlan is the steps that raise grades most for the least work, in order.
type GradePlan struct {
	Counted
	Terminals int         `json:"terminals"`
	Before    Levels      `json:"overall_before"`
	After     Levels      `json:"overall_after"`
	Steps     []GradeStep `json:"steps" nullable:"false"`
	Stuck     int         `json:"not_strong_after_all_steps"`
	StuckOn   []Bar       `json:"not_strong_on" nullable:"false"`
}

// GradesQuery narrows what is graded.
type GradesQuery struct {
	AsOf
	Merchant string `query:"merchant" maxLength:"15" doc:"only this shop's terminals"`
	Model    string `query:"model" maxLength:"40" doc:"only devices of this model"`
}

// GradeBook is what the host knows of grades. Figures that are being counted for the first time are BeingCounted.
type GradeBook interface {
	Grades(ctx context.Context, who *web.Caller, q *GradesQuery) (Grades, error)
	GradePlan(ctx context.Context, who *web.Caller, q *GradesQuery) (GradePlan, error)
}

// BeingCounted is the answer while every terminal is looked at for the first time. Ask again after some seconds.
func BeingCounted() *Problem {
	return Refuse(http.StatusServiceUnavailable, "being_counted", "every terminal is being looked at; ask again in some seconds")
}

func (a *API) grades(d *Desk) {
	Add(a, Operation{ID: "get-grades", Method: http.MethodGet, Path: "/grades", Summary: "What the proofs of terminals are worth", Tag: "grades", Rule: web.Staff,
		Text: "Seven axes; a terminal is worth its weakest. The same figures as touchstone grade."}, d.Grades.Grades)
	Add(a, Operation{ID: "get-grade-plan", Method: http.MethodGet, Path: "/grades/plan", Summary: "The steps that raise grades most for the least work", Tag: "grades", Rule: web.Staff}, d.Grades.GradePlan)
}
