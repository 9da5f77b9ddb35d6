package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
)

// permitQuery asks what a terminal may do, how many may do what, or by which policy.
type permitQuery struct {
	Terminal string `json:"terminal,omitempty"`
	List     bool   `json:"list,omitempty"`
	Only     string `json:"only,omitempty"`   // with List: terminals with exactly this permit
	Fact     string `json:"fact,omitempty"`   // with List: terminals that a fact restricts, such as advisory
	Policy   bool   `json:"policy,omitempty"` // the policy's text
}

// permitAnswer is what a terminal may do and why. Its permit is the one that messages are judged by.
type permitAnswer struct {
	Terminal string       `json:"terminal"`
	Merchant string       `json:"merchant"`
	Shop     string       `json:"shop,omitempty"`
	Serial   string       `json:"serial"`
	Model    string       `json:"model,omitempty"`
	Permit   string       `json:"permit"` // words: full; no_refund, online_only …
	Since    pos.Instant  `json:"since,omitempty"`
	Entry    uint64       `json:"entry,omitempty"` // that says so; of the registration where none else does
	Policy   string       `json:"policy"`
	Facts    []permitFact `json:"facts"`
	Waiting  string       `json:"waiting,omitempty"` // what it will be when the permits under way are registered

	Operator      string `json:"operator,omitempty"`       // who signed in for the keys in force
	CashierPermit string `json:"cashier_permit,omitempty"` // what that person may do
}

// permitFact is one fact and what the policy makes of it.
type permitFact struct {
	registry.Fact
	Permits   string `json:"permits"`
	Restricts bool   `json:"restricts"`
	Tolerated bool   `json:"tolerated,omitempty"` // unknown, and the policy lets it be
}

type permitCount struct {
	Permit    string   `json:"permit"`
	Terminals int      `json:"terminals"`
	First     []string `json:"first"` // at most maxPermitFirst of them
}

const (
	maxPermitFirst  = 5
	maxPermitListed = 1000
)

type permitListAnswer struct {
	Policy    string        `json:"policy"`
	Counts    []permitCount `json:"counts"`
	Terminals []permitRow   `json:"terminals,omitempty"` // those asked for, at most maxPermitListed
	More      int           `json:"more,omitempty"`      // that were left off
}

type permitRow struct {
	Terminal string `json:"terminal"`
	Permit   string `json:"permit"`
	Why      string `json:"why,omitempty"`
	Entry    uint64 `json:"entry,omitempty"`
}

type permitPolicyAnswer struct {
	Label string `json:"label"`
	ID    string `json:"id,omitempty"`
	Entry uint64 `json:"entry,omitempty"`
	Text  string `json:"text"`
	Tests int    `json:"tests"`
}

// answerPermit answers a permitQuery.
func (e *engine) answerPermit(ctx context.Context, q *permitQuery) (any, error) {
	switch {
	case q.Policy:
		var a permitPolicyAnswer
		e.office.view(func(r *rooms) {
			p := e.permits.policy(r)
			a = permitPolicyAnswer{p.Label(), p.ID, p.Entry, string(p.Text), len(p.Tests())}
		})
		return a, nil
	case q.List:
		return e.listPermits(q)
	}
	id, err := pos.ParseTerminalID(q.Terminal)
	if err != nil {
		return nil, fmt.Errorf("terminal id %q: want 8 characters", q.Terminal)
	}
	p, ok := e.ledger.Permitted(id)
	if !ok {
		return nil, fmt.Errorf("terminal %s is not registered: touchstone permit list says which are", id)
	}
	return e.explainPermit(ctx, &p), nil
}

// explainPermit says what one terminal may do and why.
func (e *engine) explainPermit(ctx context.Context, p *ledger.Permitted) *permitAnswer {
	return e.present().explainPermit(ctx, p)
}

// explainPermit says what one terminal may do at a moment, and why.
func (w *epoch) explainPermit(ctx context.Context, p *ledger.Permitted) *permitAnswer {
	e, t := w.e, p.Terminal
	a := &permitAnswer{Terminal: t.ID.String(), Merchant: t.Merchant.String(), Serial: string(t.Serial), Entry: t.Entry}
	if m, err := w.merchant(ctx, t.Merchant); err == nil && m != nil {
		a.Shop = m.Name
	}
	if p.Device != nil {
		a.Model = p.Device.Model
	}
	may := p.May()
	a.Permit = may.String()
	if p.Standing != nil {
		a.Since, a.Entry = p.Standing.Since, p.Standing.Entry
	}
	now := w.now()
	var j fleet.Judgment
	w.view(func(r *rooms) {
		policy := e.permits.policy(r)
		a.Policy = policy.Label()
		facts := terminalFacts(r, p, now, nil)
		j = policy.Judge(facts)
		if person, named := cashierFact(r, t.Merchant, p.Operator, now); named {
			a.Operator = p.Operator.String()
			a.CashierPermit = policy.Of(&person).String()
			facts = append(facts, person)
		}
		for _, f := range facts {
			made := policy.Of(&f)
			a.Facts = append(a.Facts, permitFact{f, made.String(), made != registry.FullPermit, policy.Tolerated(&f)})
		}
	})
	if j.Permit.Meet(t.Permit) != may && !t.Canary {
		a.Waiting = j.Permit.String()
	}
	e.dateFacts(ctx, a)
	return a
}

// dateFacts says since when, where only the entry is known. Of one that is not durable yet, or cannot be read, the entry's number
// is told.
func (e *engine) dateFacts(ctx context.Context, a *permitAnswer) {
	var seqs []uint64
	want := func(since pos.Instant, entry uint64) {
		if since == 0 && entry != 0 && entry <= e.ledger.Durable() {
			seqs = append(seqs, entry)
		}
	}
	for i := range a.Facts {
		want(a.Facts[i].Since, a.Facts[i].Entry)
	}
	want(a.Since, a.Entry)
	at := map[uint64]pos.Instant{}
	if err := e.store.Entries(ctx, seqs, func(entry journal.Entry) error { at[entry.Seq] = entry.At; return nil }); err != nil {
		return
	}
	for i := range a.Facts {
		if f := &a.Facts[i]; f.Since == 0 {
			f.Since = at[f.Entry]
		}
	}
	if a.Since == 0 {
		a.Since = at[a.Entry]
	}
}

// listPermits counts terminals by permit and lists those asked for.
func (e *engine) listPermits(q *permitQuery) (*permitListAnswer, error) {
	var only registry.Permit
	if q.Only != "" {
		var err error
		if only, err = registry.ParsePermit(q.Only); err != nil {
			return nil, err
		}
	}
	if q.Fact != "" && !slices.Contains(fleet.Facts, registry.FactName(q.Fact)) {
		return nil, fmt.Errorf("there is no fact %q: want one of %v", q.Fact, fleet.Facts)
	}
	a := new(permitListAnswer)
	e.office.view(func(r *rooms) { a.Policy = e.permits.policy(r).Label() })
	counts := map[registry.Permit]*permitCount{}
	for from := 0; ; {
		next := e.ledger.EachPermitted(from, permitStep, func(p ledger.Permitted) {
			may := p.May()
			c := counts[may]
			if c == nil {
				c = &permitCount{Permit: may.String()}
				counts[may] = c
			}
			if c.Terminals++; len(c.First) < maxPermitFirst {
				c.First = append(c.First, p.Terminal.ID.String())
			}
			if q.Only == "" && q.Fact == "" || q.Only != "" && may != only.Plain() || q.Fact != "" && !p.Restricted(registry.FactName(q.Fact)) {
				return
			}
			if len(a.Terminals) == maxPermitListed {
				a.More++
				return
			}
			row := permitRow{Terminal: p.Terminal.ID.String(), Permit: may.String()}
			if p.Standing != nil {
				row.Why, row.Entry = p.Standing.Why(200), p.Standing.Entry
			}
			a.Terminals = append(a.Terminals, row)
		})
		if from = next; from == 0 {
			break
		}
	}
	for _, c := range counts {
		a.Counts = append(a.Counts, *c)
	}
	slices.SortFunc(a.Counts, func(x, y permitCount) int { return strings.Compare(x.Permit, y.Permit) })
	return a, nil
}

// permitPolicyChange puts a policy in force; its text, so that the second person agrees to what is set.
type permitPolicyChange struct {
	Text string `json:"text" minLength:"1" maxLength:"8000" doc:"The policy in TOML: touchstone permit policy shows the one in force." format:"text"`
}

func (e *engine) changePermitPolicy(ctx context.Context, c *permitPolicyChange, actors []string) (changed, error) {
	var id string
	err := e.act(ctx, func(r *rooms, now pos.Instant) (drafts []journal.Draft, err error) {
		id, drafts, err = fleet.SetPolicy(r.fleet, []byte(c.Text), actors, now)
		return drafts, err
	})
	var refusal *journal.Refusal
	if errors.As(err, &refusal) {
		return changed{}, refusal
	}
	return changed{What: "permit policy " + id + " is in force", Facts: map[string]string{"policy": id}}, err
}
