package api

import (
	"context"
	"net/http"
	"time"

	"touchstone/web"
)

// Cashier is one person at the counter of a shop.
type Cashier struct {
	ID       string    `json:"id" doc:"merchant/operator" example:"898310058120001/001"`
	Merchant string    `json:"merchant"`
	Shop     string    `json:"shop,omitempty"`
	Operator string    `json:"operator" doc:"DE63.1 of the sign-in"`
	Name     string    `json:"name"`
	State    string    `json:"state" enum:"good,lapsed,untrained,left" doc:"of the training"`
	Since    time.Time `json:"since" doc:"when the number was given to this person"`
	Until    time.Time `json:"until,omitzero" doc:"the training counts before this moment"`
	Training string    `json:"training,omitempty" doc:"number of the pass"`
}

// Trained is the standing of somebody of the staff in one topic.
type Trained struct {
	Account  string    `json:"account"`
	Name     string    `json:"name"`
	Topic    string    `json:"topic"`
	Label    Text      `json:"label"`
	State    string    `json:"state" enum:"good,lapsed,untrained"`
	Until    time.Time `json:"until,omitzero"`
	Training string    `json:"training,omitempty"`
}

// Training is the training register.
type Training struct {
	Counted
	Cashiers  int       `json:"cashiers" doc:"that work somewhere"`
	Good      int       `json:"good"`
	Due       int       `json:"due" doc:"good, and lapse within 30 days"`
	Lapsed    int       `json:"lapsed"`
	Untrained int       `json:"untrained"`
	List      []Cashier `json:"list" nullable:"false" doc:"of the state asked for, the earliest first, at most 200"`
	More      int       `json:"more"`
	Staff     []Trained `json:"staff" nullable:"false" doc:"the acquirer's own people; not shown to merchants"`
	Policy    Text      `json:"policy" doc:"what the permit policy makes of a cashier whose training lapsed"`
}

// TrainingQuery asks for one state, or for one shop.
type TrainingQuery struct {
	AsOf
	State    string `query:"state" enum:"due,lapsed,untrained,good,left" default:"untrained"`
	Merchant string `query:"merchant" maxLength:"15"`
}

// CashierQuery lists the cashiers of a shop.
type CashierQuery struct {
	AsOf
	Paging
	Merchant string `query:"merchant" maxLength:"15" doc:"whose; a merchant's people: their own"`
}

// Choice is one answer of a question.
type Choice struct {
	ID    string `json:"id"`
	Label Text   `json:"label"`
}

// PaperQuestion is one question of a test; which answer is right is not told.
type PaperQuestion struct {
	ID      string   `json:"id"`
	Label   Text     `json:"label"`
	Choices []Choice `json:"choices" nullable:"false"`
}

// Paper is a test that was begun.
type Paper struct {
	ID        string          `json:"id" example:"TRN-1"`
	Merchant  string          `json:"merchant,omitempty"`
	Operator  string          `json:"operator,omitempty"`
	Account   string          `json:"account,omitempty"`
	Name      string          `json:"name"`
	State     string          `json:"state" enum:"sitting,passed,failed"`
	Right     int             `json:"right"`
	Asked     int             `json:"asked"`
	Until     time.Time       `json:"until,omitzero"`
	Rule      []Text          `json:"rule" nullable:"false" doc:"what is to be known, point by point"`
	Questions []PaperQuestion `json:"questions" nullable:"false" doc:"while it is sat"`
}

// TrainingBook is what the host knows of training. A merchant's people see their own shop's.
type TrainingBook interface {
	Training(ctx context.Context, who *web.Caller, q *TrainingQuery) (Training, error)
	Cashiers(ctx context.Context, who *web.Caller, q *CashierQuery) (Page[Cashier], error)
	Paper(ctx context.Context, who *web.Caller, id string) (Paper, error)
}

type paperInput struct {
	ID string `path:"id" maxLength:"20" example:"TRN-1"`
}

func (a *API) training(d *Desk) {
	own := web.Rule{Any: true, Shop: true}
	Add(a, Operation{ID: "get-training", Method: http.MethodGet, Path: "/training", Summary: "Who is trained, due, lapsed or not trained", Tag: "training", Rule: own}, d.Training.Training)
	Add(a, Operation{ID: "get-training-paper", Method: http.MethodGet, Path: "/training/{id}", Summary: "One test, with its questions while it is sat", Tag: "training", Rule: own},
		func(ctx context.Context, who *web.Caller, in *paperInput) (Paper, error) {
			return d.Training.Paper(ctx, who, in.ID)
		})
	Add(a, Operation{ID: "list-cashiers", Method: http.MethodGet, Path: "/cashiers", Summary: "The cashiers of a shop", Tag: "training", Rule: own}, d.Training.Cashiers)
}
