package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"touchstone/explain"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/redress"
	"touchstone/staff"
	"touchstone/transaction"
	"touchstone/web"
	"touchstone/web/api"
)

var _ api.Claims = (*desk)(nil)

// shelfCatalogue is the catalogue, read once.
var shelfCatalogue = sync.OnceValues(explain.Load)

// claimAsks tells whether a claim is asked for.
func claimAsks(q *api.ClaimQuery, c *redress.Claim) bool {
	switch {
	case q.Incident != "" && q.Incident != c.Incident,
		q.Terminal != "" && q.Terminal != c.Terminal.String(),
		q.Pick == "decided" && c.State == redress.ClaimOpen,
		q.Pick != "" && q.Pick != "decided" && q.Pick != string(c.State):
		return false
	}
	return true
}

// Claims implements api.Claims.
func (d *desk) Claims(ctx context.Context, who *web.Caller, q *api.ClaimQuery) (api.Page[api.Claim], error) {
	page := api.Page[api.Claim]{Data: []api.Claim{}}
	limit := cmp.Or(q.Limit, 50)
	view, now, err := d.roomsOf(ctx, &q.AsOf)
	if err != nil {
		return page, err
	}
	view(func(r *rooms) {
		pending := pendingClaims(r.staff, now)
		r.redress.ClaimsBefore(redress.ClaimNumber(q.Cursor), q.Pick == string(redress.ClaimOpen), func(c *redress.Claim) bool {
			if !claimAsks(q, c) {
				return true
			}
			if len(page.Data) == limit {
				page.Next = page.Data[limit-1].ID
				return false
			}
			a := claimOf(c, who)
			if p := pending[c.ID]; len(p) > 0 {
				a.Pending = p[0].ID
			}
			page.Data = append(page.Data, a)
			return true
		})
	})
	return page, nil
}

// pendingClaims are the decisions on claims that wait for a second person, by claim, the oldest first.
func pendingClaims(s *staff.State, now pos.Instant) map[string][]api.ClaimProposal {
	pending := map[string][]api.ClaimProposal{}
	for _, p := range s.Proposals() {
		if p.State != staff.Open || p.Act != "claim_decide" || now >= p.Expires {
			continue
		}
		var c change
		if json.Unmarshal(p.Request, &c) != nil || c.Decision == nil {
			continue
		}
		x := &c.Decision.Decision
		pending[c.Decision.Claim] = append(pending[c.Decision.Claim], api.ClaimProposal{ID: p.ID, By: p.By, At: timeOf(p.At), Approve: x.Approve, Refund: x.Refund, Compensation: x.Compensation,
			Payer: string(x.Payer), Why: x.Why})
	}
	return pending
}

// claimOf is a claim as a caller may see it: what a consumer said is for those who work on it.
func claimOf(c *redress.Claim, who *web.Caller) api.Claim {
	a := api.Claim{ID: c.ID, Incident: c.Incident, Exposure: c.Exposure, Sale: txnID(c.Sale), RRN: transaction.RRNOf(c.Sale).String(), Date: date(c.Date), Terminal: c.Terminal.String(),
		Merchant: c.Merchant.String(), Last4: c.Last4, Amount: c.Amount, HasSaid: c.Reason != "", Made: timeOf(c.At), By: c.By, State: string(c.State), Refund: c.Refund,
		Compensation: c.Compensation, Payer: string(c.Payer), Why: c.Why, Decided: c.Decided, Proposal: c.Proposal, DecidedAt: timeOf(c.DecidedAt)}
	if api.Confidant(who) {
		a.Said = c.Reason
	}
	for _, s := range c.Settled {
		if s.Refused == "" {
			a.Paid += s.Amount
		}
	}
	return a
}

func txnID(seq uint64) string { return "txn_" + strconv.FormatUint(seq, 10) }

// Claim implements api.Claims.
func (d *desk) Claim(ctx context.Context, who *web.Caller, q *api.ClaimInput) (whole api.ClaimWhole, err error) {
	view, now, err := d.roomsOf(ctx, &q.AsOf)
	if err != nil {
		return whole, err
	}
	var c *claimNow
	view(func(r *rooms) {
		if known := r.redress.Claim(strings.ToUpper(q.ID)); known != nil {
			c = &claimNow{Claim: *known}
		}
	})
	if c == nil {
		return whole, api.NotFound()
	}
	if sale, ok, err := d.ledger.SaleNow(c.Sale); err != nil {
		return whole, err
	} else if ok {
		c.SaleState, c.SaleRefunded = sale.State.String(), sale.Refunded
	}
	whole.Claim = claimOf(&c.Claim, who)
	view(func(r *rooms) {
		if whole.Proposals = pendingClaims(r.staff, now)[c.ID]; len(whole.Proposals) > 0 {
			whole.Pending = whole.Proposals[0].ID
		}
		for _, other := range r.redress.ClaimsOf(c.Sale) {
			if other.ID != c.ID {
				whole.Others = append(whole.Others, claimOf(other, who))
			}
		}
		r.redress.ClaimsBefore(0, false, func(other *redress.Claim) bool {
			if other.ID != c.ID && other.Terminal == c.Terminal && other.Last4 == c.Last4 {
				whole.SameCard++
			}
			return true
		})
	})
	whole.Parts, whole.Consumer = claimParts(&c.Claim), d.toldToConsumer(c)
	whole.Found, err = d.claimedSale(ctx, c)
	return whole, err
}

func claimParts(c *redress.Claim) (list []api.ClaimPart) {
	for _, p := range []struct {
		part   journal.Part
		amount pos.Amount
	}{{journal.RefundPart, c.Refund}, {journal.CompensationPart, c.Compensation}} {
		if p.amount == 0 {
			continue
		}
		x := api.ClaimPart{Part: string(p.part), Amount: p.amount, State: "due"}
		for _, s := range c.Settled {
			switch {
			case s.Part != p.part:
			case s.Refused != "":
				x.State, x.Lapsed, x.At = "lapsed", s.Refused, timeOf(s.At)
			default:
				x.State, x.Entry, x.At = "paid", txnID(s.Entry), timeOf(s.At)
			}
		}
		list = append(list, x)
	}
	return list
}

// claimedSale is the sale of a claim with its verdict, as touchstone claim evidence shows it.
func (d *desk) claimedSale(ctx context.Context, c *claimNow) (*api.ClaimedSale, error) {
	entry, err := d.store.Entry(ctx, c.Sale)
	if err != nil {
		return nil, fmt.Errorf("entry of the claimed sale: %w", err)
	}
	var x journal.Exchange
	if err := x.Parse(entry); err != nil {
		return nil, fmt.Errorf("entry of the claimed sale: %w", err)
	}
	catalogue, err := shelfCatalogue()
	if err != nil {
		return nil, err
	}
	sale := &api.ClaimedSale{ID: txnID(c.Sale), At: timeOf(x.At), Card: x.Shown.String(), Amount: x.Amount, Code: x.DE39.String(), State: c.SaleState, Refunded: c.SaleRefunded}
	if c.SaleState == transaction.Standing.String() {
		sale.Left = max(0, x.Amount-c.SaleRefunded)
	}
	for _, p := range proof.Show(&x) {
		proved := api.ClaimProof{Name: p.Check, Says: api.Text{EN: p.Check, ZH: p.Check}, Outcome: strings.ReplaceAll(p.State, " ", "_")}
		if says, ok := catalogue.Check(p.Check); ok {
			proved.Says = api.Text{EN: says.EN, ZH: says.ZH}
		}
		sale.Proofs = append(sale.Proofs, proved)
	}
	return sale, nil
}

// toldToConsumer is what touchstone claim show tells who has the number, line by line in both languages.
func (d *desk) toldToConsumer(c *claimNow) (list []api.Text) {
	var said [2][]string
	for n, lang := range []string{"en", "zh"} {
		var b strings.Builder
		l, err := newLines(&b, lang, false)
		if err != nil {
			return nil
		}
		if l.zone = d.line.Zone; l.claim(c) == nil {
			said[n] = strings.Split(strings.TrimSpace(b.String()), "\n")
		}
	}
	for n := range min(len(said[0]), len(said[1])) {
		list = append(list, api.Text{EN: strings.TrimSpace(said[0][n]), ZH: strings.TrimSpace(said[1][n])})
	}
	return list
}

// ClaimCounts implements api.Claims.
func (d *desk) ClaimCounts(context.Context, *web.Caller) (counts map[string]int, err error) {
	counts = map[string]int{}
	d.office.view(func(r *rooms) {
		for state, n := range r.redress.ClaimCounts() {
			counts[string(state)] = n
		}
	})
	return counts, nil
}

// Exposures implements api.Claims.
func (d *desk) Exposures(ctx context.Context, _ *web.Caller, q *api.ExposureQuery) (api.Page[api.Exposure], error) {
	view, _, err := d.roomsOf(ctx, &q.AsOf)
	if err != nil {
		return api.Page[api.Exposure]{}, err
	}
	var list []*redress.Exposure
	view(func(r *rooms) { list = r.redress.Exposures() })
	slices.Reverse(list)
	list = slices.DeleteFunc(list, func(x *redress.Exposure) bool { return q.Incident != "" && x.Scope.Incident != q.Incident })
	page := api.Page[api.Exposure]{Data: []api.Exposure{}}
	list, page.Next = pageAfter(list, q.Paging, func(x *redress.Exposure) string { return x.ID })
	for _, x := range list {
		page.Data = append(page.Data, exposureOf(x))
	}
	return page, nil
}

// ExposedSales implements api.Claims. The cursor is how many sales were passed over.
func (d *desk) ExposedSales(_ context.Context, _ *web.Caller, q *api.ExposedQuery) (page api.Page[api.ExposedSale], err error) {
	page.Data = []api.ExposedSale{}
	var x *redress.Exposure
	d.office.view(func(r *rooms) { x = r.redress.Exposure(q.ID) })
	if x == nil {
		return page, api.NotFound()
	}
	from, limit := 0, cmp.Or(q.Limit, 50)
	if q.Cursor != "" {
		if from, err = strconv.Atoi(q.Cursor); err != nil || from < 0 {
			return page, api.Refuse(400, "invalid_cursor", "the cursor is none that this list gave")
		}
	}
	file := from / redress.MaxListed
	if file >= len(x.Files) {
		return page, nil
	}
	content, err := d.keptFile(x.Files[file])
	if err != nil {
		return page, err
	}
	list, err := redress.ParseExposed(content)
	if err != nil {
		return page, err
	}
	at := min(from%redress.MaxListed, len(list))
	for i := range list[at:min(at+limit, len(list))] {
		s := &list[at+i]
		page.Data = append(page.Data, api.ExposedSale{ID: txnID(s.Seq), RRN: s.RRN().String(), At: timeOf(s.At), Terminal: s.Terminal.String(), Merchant: s.Merchant.String(),
			Card: s.Shown.String(), Amount: s.Amount, Version: s.Version()})
	}
	if end := from + len(page.Data); end < x.Sum.Sales {
		page.Next = strconv.Itoa(end)
	}
	return page, nil
}
