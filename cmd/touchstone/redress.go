package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/redress"
)

// scopeQuery asks which terminals a scope means.
type scopeQuery struct {
	Scope redress.Scope `json:"scope"`
}

// maxScopeTerminals is how many terminals are named in an answer.
const maxScopeTerminals = 40_000

// scopeAnswer is a scope with its terminals.
type scopeAnswer struct {
	Scope     redress.Scope     `json:"scope"` // with its window
	Of        int               `json:"of"`
	Terminals []pos.TerminalID  `json:"terminals,omitempty"` // not where they are too many
	Frozen    *redress.Exposure `json:"frozen,omitempty"`    // of the incident, where nothing else was asked for
}

// exposedWindow is the window where none is given: the 30 days before now.
const exposedWindow = 30 * 24 * time.Hour

// scope says which terminals are meant, and the window.
func (e *engine) scope(q redress.Scope) (scopeAnswer, []pos.TerminalID, error) {
	now := e.clock()
	a := scopeAnswer{Scope: q}
	if q.Incident != "" {
		e.office.view(func(r *rooms) { a.Frozen = r.redress.ExposureOf(q.Incident) })
	}
	if !q.Narrowed() {
		of, known := e.incidentScope(q.Incident)
		switch {
		case q.Incident == "":
			return scopeAnswer{}, nil, errors.New("which terminals: give --incident, --terminal or --model")
		case known:
			of.Incident, of.From, of.To = q.Incident, cmp.Or(q.From, of.From), cmp.Or(q.To, of.To)
			a.Scope = of
		case a.Frozen == nil && !e.incidentKnown(q.Incident):
			return scopeAnswer{}, nil, fmt.Errorf("there is no incident %.40s: see touchstone incident list", q.Incident)
		case a.Frozen == nil:
			return scopeAnswer{}, nil, fmt.Errorf("incident %.40s says of no terminal: give --terminal or --model", q.Incident)
		}
	}
	if a.Scope.To == 0 {
		a.Scope.To = now + pos.Instant(time.Millisecond) // what was sold in this very millisecond too
	}
	if a.Scope.From == 0 {
		a.Scope.From = a.Scope.To.Add(-exposedWindow)
	}
	const millisecond = pos.Instant(time.Millisecond) // of the view
	a.Scope.From -= a.Scope.From % millisecond
	a.Scope.To += (millisecond - a.Scope.To%millisecond) % millisecond
	if a.Scope.From >= a.Scope.To {
		return scopeAnswer{}, nil, errors.New("the window ends before it begins")
	}
	ids := e.terminalsOf(&a.Scope)
	if a.Of = len(ids); a.Of <= maxScopeTerminals {
		a.Terminals = ids
	}
	return a, ids, nil
}

// terminalsOf lists the terminals that a scope covers, by their ids. Reserved ones are never in it.
func (e *engine) terminalsOf(s *redress.Scope) (ids []pos.TerminalID) {
	if !s.Narrowed() {
		return nil
	}
	for _, t := range e.ledger.Terminals() {
		if t.Canary {
			continue
		}
		model := ""
		if d, err := e.ledger.Device(t.Serial); err == nil {
			model = d.Model
		}
		if s.Covers(t.ID.String(), model) {
			ids = append(ids, t.ID)
		}
	}
	slices.SortFunc(ids, func(a, b pos.TerminalID) int { return slices.Compare(a[:], b[:]) })
	return ids
}

// exposedSales calls f with the exposed sales of terminals in a window; see sqlite.Reader.Exposed.
func (e *engine) exposedSales(ctx context.Context, terminals []pos.TerminalID, from, to pos.Instant, f func(*redress.Exposed) error) (uint64, error) {
	if e.view != nil {
		return e.view.Exposed(ctx, terminals, from, to, f)
	}
	return e.store.Exposed(ctx, terminals, from, to, f)
}

// exposureChange freezes the exposed set of a scope into its incident.
type exposureChange struct {
	Scope redress.Scope `json:"scope"`
}

var errTooManyExposed = errors.New("too many sales to keep")

// freeze keeps the list and names it in an act.
func (e *engine) freeze(ctx context.Context, c *exposureChange, by []string) (changed, error) {
	a, ids, err := e.scope(c.Scope)
	if err == nil && c.Scope.Incident != "" && !e.incidentKnown(c.Scope.Incident) {
		err = fmt.Errorf("there is no incident %.40s: touchstone incident open", c.Scope.Incident)
	}
	if err != nil {
		return changed{}, e.notRedressed(ctx, "exposure_frozen", by, err)
	}
	var list []redress.Exposed
	head, err := e.exposedSales(ctx, ids, a.Scope.From, a.Scope.To, func(x *redress.Exposed) error {
		if !a.Scope.Takes(x) {
			return nil
		}
		if len(list) >= redress.MaxListed*redress.MaxListFiles {
			return errTooManyExposed
		}
		list = append(list, *x)
		return nil
	})
	if err != nil {
		return changed{}, e.notRedressed(ctx, "exposure_frozen", by, err)
	}
	redress.Sort(list)
	sum := redress.SumOf(list)
	var files []string
	for part := range slices.Chunk(list, redress.MaxListed) {
		content, err := redress.AppendExposed(part)
		if err != nil {
			return changed{}, err
		}
		digest, err := e.keepFile(content)
		if err != nil {
			return changed{}, fmt.Errorf("keep list of exposed sales: %w", err)
		}
		files = append(files, digest)
	}
	var x *redress.Exposure
	err = e.act(ctx, func(r *rooms, now pos.Instant) (drafts []journal.Draft, err error) {
		x, drafts, err = redress.Freeze(r.redress, a.Scope, a.Of, head, sum, files, by, now)
		return drafts, err
	})
	if err != nil {
		return changed{}, err
	}
	return changed{What: fmt.Sprintf("exposure %s of %s: %d sales, %d cards, %d shops, %s", x.ID, x.Scope.Incident, sum.Sales, sum.Cards, sum.Shops, sum.Amount),
		ZH:    fmt.Sprintf("已固化涉险交易 %s (%s): %d 笔, %d 张卡, %d 家商户, %s", x.ID, x.Scope.Incident, sum.Sales, sum.Cards, sum.Shops, sum.Amount),
		Facts: map[string]string{"exposure": x.ID, "incident": x.Scope.Incident, "list": files[0]}}, nil
}

// notRedressed keeps in the journal why an act of this room was refused before its rule was asked.
func (e *engine) notRedressed(ctx context.Context, verb string, by []string, why error) error {
	return e.act(ctx, func(*rooms, pos.Instant) ([]journal.Draft, error) {
		return nil, &journal.Refusal{Kind: journal.KindRedress, Verb: verb, Actors: by, Why: why.Error(), Err: why}
	})
}

// exposedOf is the frozen set of an incident and its sales in the order of the journal.
func (e *engine) exposedOf(incident string) (x redress.Exposure, list []redress.Exposed, err error) {
	var found *redress.Exposure
	e.office.view(func(r *rooms) { found = r.redress.ExposureOf(incident) })
	if found == nil {
		return x, nil, fmt.Errorf("incident %.40q has no frozen set of exposed sales: touchstone exposed --incident %.40s --freeze", incident, incident)
	}
	for _, digest := range found.Files {
		content, err := e.keptFile(digest)
		if err != nil {
			return x, nil, err
		}
		part, err := redress.ParseExposed(content)
		if err != nil {
			return x, nil, err
		}
		list = append(list, part...)
	}
	return *found, list, nil
}

// claimChange is a consumer's claim as read off a receipt.
type claimChange struct {
	Date     pos.Date   `json:"date"`
	Amount   pos.Amount `json:"amount"`
	Last4    string     `json:"last4" minLength:"4" maxLength:"4" pattern:"^[0-9]{4}$" doc:"The card's last four digits, as printed." example:"3157"`
	Terminal string     `json:"terminal" minLength:"8" maxLength:"8" example:"00000023"`
	RRN      uint64     `json:"rrn,omitempty"`
	Incident string     `json:"incident,omitempty"`
	Reason   string     `json:"reason,omitempty" maxLength:"400"`

	shop pos.MerchantID // whose people ask; zero: not a shop's. A terminal may have stood in another's when the sale was made
}

// makeClaim finds the sale of a receipt and takes the claim down.
func (e *engine) makeClaim(ctx context.Context, c *claimChange, actors []string) (changed, error) {
	by := actors[0]
	if by == "setup" {
		by = "consumer" // nobody's account was needed
	}
	id, err := pos.ParseTerminalID(c.Terminal)
	if err != nil {
		return changed{}, e.notRedressed(ctx, "claim_made", []string{by}, errors.New("the terminal's number on the receipt has 8 characters"))
	}
	receipt := redress.Receipt{Date: c.Date, Amount: c.Amount, Last4: c.Last4, Terminal: id, RRN: c.RRN}
	found, err := e.candidates(ctx, &receipt)
	if err != nil {
		return changed{}, e.notRedressed(ctx, "claim_made", []string{by}, err)
	}
	if c.shop != (pos.MerchantID{}) {
		found = slices.DeleteFunc(found, func(x redress.Candidate) bool { return x.Sale.Merchant != c.shop })
	}
	suffix, err := claimSuffix()
	if err != nil {
		return changed{}, err
	}
	var made *redress.Claim
	err = e.act(ctx, func(r *rooms, now pos.Instant) (drafts []journal.Draft, err error) {
		made, drafts, err = redress.Make(r.redress, receipt, c.Incident, c.Reason, suffix, by, found, now)
		return drafts, err
	})
	if err != nil {
		return changed{}, err
	}
	return changed{What: "claim " + made.ID, Facts: map[string]string{"claim": made.ID, "incident": made.Incident, "amount": made.Amount.String()}}, nil
}

// claimSuffix draws what makes a claim's number unguessable.
func claimSuffix() (string, error) {
	raw := make([]byte, redress.ClaimSuffix*5/8+1)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	return base32.StdEncoding.EncodeToString(raw)[:redress.ClaimSuffix], nil
}

// candidates are the sales that a receipt may be of: terminal, day, amount and last four digits agree.
func (e *engine) candidates(ctx context.Context, r *redress.Receipt) (found []redress.Candidate, err error) {
	day := time.Date(int(r.Date)/10000, time.Month(int(r.Date)/100%100), int(r.Date)%100, 0, 0, 0, 0, e.line.Zone)
	if pos.Date(day.Year()*10000+int(day.Month())*100+day.Day()) != r.Date {
		return nil, errors.New("the date of the receipt is none: want YYYY-MM-DD")
	}
	from, to := pos.Instant(day.UnixNano()), pos.Instant(day.AddDate(0, 0, 1).UnixNano())
	_, err = e.exposedSales(ctx, []pos.TerminalID{r.Terminal}, from, to, func(x *redress.Exposed) error {
		if x.Amount == r.Amount && x.Last4() == r.Last4 {
			found = append(found, redress.Candidate{Sale: *x})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var sets []*redress.Exposure
	e.office.view(func(rooms *rooms) { sets = rooms.redress.Exposures() })
	for i := range found {
		if found[i].Exposure, err = e.exposureWith(sets, &found[i].Sale); err != nil {
			return nil, err
		}
		record, ok, err := e.ledger.SaleNow(found[i].Sale.Seq)
		if err != nil {
			return nil, err
		}
		if ok {
			found[i].Record = &record
		}
	}
	return found, nil
}

// exposureWith is the frozen set that a sale is in, the newest first, or nil.
func (e *engine) exposureWith(sets []*redress.Exposure, sale *redress.Exposed) (*redress.Exposure, error) {
	line := []byte("\n" + sale.RRN().String() + ",") // its line in a kept list
	for _, set := range slices.Backward(sets) {
		if set.Drill || sale.Seq > set.Head || sale.At < set.Scope.From || sale.At >= set.Scope.To {
			continue
		}
		for _, digest := range set.Files {
			content, err := e.keptFile(digest)
			if err != nil {
				return nil, err
			}
			if bytes.Contains(content, line) {
				return set, nil
			}
		}
	}
	return nil, nil
}

// decisionChange is two people's word on a claim.
type decisionChange struct {
	Claim    string           `json:"claim" doc:"The claim's whole number." example:"CLM-1-K3QXW7ZD2M5T"`
	Decision redress.Decision `json:"decision"`
}

// decideClaim decides, and pays what was approved. Where the program died between the two the payment is made at
// the next start; the same approval again changes nothing.
func (e *engine) decideClaim(ctx context.Context, c *decisionChange, actors []string, proposal string) (changed, error) {
	var old redress.Claim
	e.office.view(func(r *rooms) {
		if known := r.redress.Claim(c.Claim); known != nil {
			old = *known
		}
	})
	if proposal == "" || old.Proposal != proposal {
		record, ok, err := e.ledger.SaleNow(old.Sale)
		if err != nil {
			return changed{}, err
		}
		err = e.act(ctx, func(r *rooms, now pos.Instant) (drafts []journal.Draft, err error) {
			known := &record
			if !ok {
				known = nil
			}
			_, drafts, err = redress.Decide(r.redress, c.Claim, c.Decision, known, actors, proposal, e.ledger.Durable(), now)
			return drafts, err
		})
		if err != nil {
			return changed{}, err
		}
	}
	if err := e.payDue(ctx); err != nil {
		return changed{}, fmt.Errorf("claim %s is decided; its payment is tried again: %w", c.Claim, err)
	}
	var now redress.Claim
	e.office.view(func(r *rooms) { now = *r.redress.Claim(c.Claim) })
	facts := map[string]string{"claim": now.ID, "state": string(now.State), "refund": now.Refund.String(), "compensation": now.Compensation.String()}
	what := fmt.Sprintf("claim %s: %s", now.ID, now.State)
	for _, s := range now.Settled {
		facts[string(s.Part)+"_entry"] = fmt.Sprint(s.Entry)
		if s.Refused != "" {
			what += fmt.Sprintf("; %s %s not paid: %s", s.Part, s.Amount, s.Refused)
			continue
		}
		what += fmt.Sprintf("; %s %s paid, reference %012d", s.Part, s.Amount, s.Entry)
	}
	return changed{What: what, Facts: facts}, nil
}

// payEvery is how often what could not be paid is tried again.
const payEvery = 30 * time.Second

// payLoop pays what was approved and not paid when the program ended, and again what the journal had no room for.
func (e *engine) payLoop(ctx context.Context) {
	again := time.NewTicker(payEvery)
	defer again.Stop()
	for {
		if err := e.payDue(ctx); err != nil && ctx.Err() == nil {
			e.log.Warn("approved claims are not paid yet", slog.String("error", err.Error()))
		}
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// payDue pays every part of an approved claim once. What was paid is known from the exchanges themselves, which
// name their claims: those after the last checkpoint were folded at the start, and earlier ones that no act has
// noted are looked for in the journal before the first payment.
func (e *engine) payDue(ctx context.Context) error {
	e.office.acting.Lock()
	defer e.office.acting.Unlock()
	if err := e.findPaid(ctx); err != nil {
		return err
	}
	var unnoted []journal.Payment
	e.office.view(func(r *rooms) { unnoted = r.redress.Unnoted() })
	for _, p := range unnoted {
		if err := e.note(ctx, p.Claim, redress.Settlement{Part: p.Part, Amount: p.Amount, Entry: p.Entry, At: p.At}); err != nil {
			return err
		}
	}
	var due []redress.Payment
	e.office.view(func(r *rooms) { due = r.redress.Due() })
	for _, p := range due {
		if err := e.pay(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// pay pays one part and notes it; acting is held.
func (e *engine) pay(ctx context.Context, p redress.Payment) error {
	order := e.line.NewOrder(journal.Redress{Claim: p.Claim, Part: p.Part, Proposal: p.Proposal}, p.Sale, p.Amount)
	entry, err := e.ledger.Redress(ctx, order)
	settled := redress.Settlement{Part: p.Part, Amount: p.Amount, Entry: entry, At: e.clock()}
	var refused *ledger.OrderRefused
	switch {
	case errors.As(err, &refused):
		settled.Refused = refused.Reason.String()
	case err != nil:
		return err
	}
	return e.note(ctx, p.Claim, settled)
}

func (e *engine) note(ctx context.Context, claim string, s redress.Settlement) error {
	return e.actLocked(ctx, func(r *rooms, _ pos.Instant) ([]journal.Draft, error) { return redress.Note(r.redress, claim, s) })
}

// findPaid looks once, before anything is paid, for payments that the checkpoint has seen and no act has noted.
func (e *engine) findPaid(ctx context.Context) error {
	if e.paidFound {
		return nil
	}
	var since uint64
	var due bool
	e.office.view(func(r *rooms) { since, due = r.redress.PaidSince() })
	if due {
		var x journal.Exchange
		err := e.store.Blocks(ctx, since, func(b journal.Block) error {
			return b.Each(func(entry journal.Entry) error {
				if entry.Kind != journal.KindExchange || x.Parse(entry) != nil {
					return nil
				}
				p, ok := x.Payment(entry.Seq)
				if !ok {
					return nil
				}
				change, err := p.Change()
				if err != nil {
					return err
				}
				return e.office.fold(entry.Seq, journal.KindRedress, change)
			})
		})
		if err != nil {
			return fmt.Errorf("look for payments: %w", err)
		}
	}
	e.paidFound = true
	return nil
}
