package redress

import (
	"fmt"
	"slices"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/transaction"
)

// Decision is what two people say of a claim.
type Decision struct {
	Approve      bool       `json:"approve"`
	Refund       pos.Amount `json:"refund,omitempty"`
	Compensation pos.Amount `json:"compensation,omitempty"`
	Payer        Payer      `json:"payer,omitempty"`
	Why          string     `json:"why,omitempty"`
}

// Decide is the decision of two people on an open claim. sale is its sale as it is now, nil when the ledger
// does not know it; head is the last durable entry. Nothing is paid by it: see Due. A second decision on the same
// claim is refused.
func Decide(s *State, id string, d Decision, sale *transaction.Record, by []string, proposal string, head uint64, now pos.Instant) (*Claim, []journal.Draft, error) {
	refuse := func(why string, args ...any) (*Claim, []journal.Draft, error) {
		return nil, nil, refusal("claim_decided", by, why, args...)
	}
	old := s.Claim(id)
	switch {
	case old == nil:
		return refuse("no such claim")
	case old.State != ClaimOpen:
		return refuse("claim %s is %s: it was decided already", id, old.State)
	case len(by) < 2 || by[0] == by[1]:
		return refuse("a claim is decided by two people")
	case pos.HasPAN(d.Why):
		return refuse(noPAN)
	case !text(d.Why):
		return refuse("a reason has at most %d bytes of text", MaxReason)
	}
	if why := d.check(old, sale); why != "" {
		return refuse("%s", why)
	}
	c := *old
	c.Decided, c.Proposal, c.DecidedAt, c.After, c.Why, c.State = by, proposal, now, head, d.Why, ClaimRefused
	verb := "claim_refused"
	if d.Approve {
		verb, c.State, c.Refund, c.Compensation, c.Payer = "claim_approved", ClaimApproved, d.Refund, d.Compensation, d.Payer
	}
	drafts, err := claimDraft(verb, by, proposal, &c)
	return &c, drafts, err
}

// check says what is wrong with a decision, or "".
func (d *Decision) check(c *Claim, sale *transaction.Record) string {
	if !d.Approve {
		switch {
		case d.Refund != 0 || d.Compensation != 0 || d.Payer != "":
			return "a refusal pays nothing"
		case d.Why == "":
			return "a refusal needs a reason (--why)"
		}
		return ""
	}
	switch {
	case d.Refund < 0 || d.Compensation < 0 || d.Refund > pos.MaxAmount || d.Compensation > pos.MaxAmount || d.Refund+d.Compensation == 0:
		return "an approval needs a refund, a compensation or both"
	case d.Refund > c.Amount:
		return fmt.Sprintf("a refund of %s is more than the %s claimed; what goes beyond is a compensation", d.Refund, c.Amount)
	case d.Compensation > 0 && !slices.Contains(Payers, d.Payer):
		return "a compensation needs its payer: acquirer, merchant, maker or insurer (--payer)"
	case d.Compensation > 0 && d.Why == "":
		return "a compensation needs a reason (--why)"
	case d.Compensation == 0 && d.Payer != "":
		return "a payer is of a compensation, and there is none"
	case d.Refund == 0:
		return ""
	case sale == nil:
		return "its sale is not known any more: it cannot be refunded"
	case sale.State != transaction.Standing:
		return fmt.Sprintf("its sale is %s: it cannot be refunded", sale.State)
	case d.Refund > sale.Amount-sale.Refunded:
		return fmt.Sprintf("only %s of the sale is left: %s were taken and %s refunded already", sale.Amount-sale.Refunded, sale.Amount, sale.Refunded)
	}
	return ""
}

// Payment is one part of an approved claim that has not been paid.
type Payment struct {
	Claim    string
	Part     journal.Part
	Proposal string
	Sale     uint64
	Amount   pos.Amount
}

// parts are the parts of an approved claim that pay something.
func (c *Claim) parts() (list []Payment) {
	if c.State == ClaimOpen || c.State == ClaimRefused {
		return nil
	}
	for _, p := range []Payment{{Part: journal.RefundPart, Amount: c.Refund}, {Part: journal.CompensationPart, Amount: c.Compensation}} {
		if p.Amount > 0 {
			p.Claim, p.Proposal, p.Sale = c.ID, c.Proposal, c.Sale
			list = append(list, p)
		}
	}
	return list
}

func (c *Claim) settled(part journal.Part) bool {
	return slices.ContainsFunc(c.Settled, func(x Settlement) bool { return x.Part == part })
}

// Due lists what is to be paid, in the order of the claims: approved, and neither paid nor lapsed. A payment
// that the ledger has said took place, and no act has noted yet, is not in it.
func (s *State) Due() (list []Payment) {
	for _, id := range s.numbered {
		c := s.claims[id]
		if c == nil || c.State != ClaimApproved {
			continue
		}
		for _, p := range c.parts() {
			if _, paid := s.payments[paymentKey{p.Claim, p.Part}]; !paid && !c.settled(p.Part) {
				list = append(list, p)
			}
		}
	}
	return list
}

// PaidSince is the entry after which a payment that no act has noted may be in the journal; ok is false where
// nothing is due. At a start the journal is searched from there, before anything is paid.
func (s *State) PaidSince() (seq uint64, ok bool) {
	for _, p := range s.Due() {
		if at := s.claims[p.Claim].After; !ok || at < seq {
			seq, ok = at, true
		}
	}
	return seq, ok
}

// Unnoted lists the payments that took place and that no act has noted.
func (s *State) Unnoted() (list []journal.Payment) {
	for _, id := range s.numbered {
		c := s.claims[id]
		if c == nil || c.State != ClaimApproved {
			continue
		}
		for _, part := range journal.Parts {
			if p, paid := s.payments[paymentKey{id, part}]; paid && !c.settled(part) {
				list = append(list, p)
			}
		}
	}
	return list
}

// payer is the actor of what follows from an approval by itself.
const payer = "rule:payer"

// Note is the decision to note what became of a part: paid by entry, or refused.
func Note(s *State, claim string, x Settlement) ([]journal.Draft, error) {
	old := s.Claim(claim)
	if old == nil || old.State != ClaimApproved || old.settled(x.Part) {
		return nil, fmt.Errorf("%w: %s has no %s to be noted", ErrClaim, claim, x.Part)
	}
	c := *old
	c.Settled = append(slices.Clone(old.Settled), x)
	verb := "payment_noted"
	if x.Refused != "" {
		verb = "payment_lapsed"
	}
	if len(c.Settled) == len(c.parts()) {
		c.State = ClaimPaid
		if slices.ContainsFunc(c.Settled, func(x Settlement) bool { return x.Refused != "" }) {
			c.State = ClaimLapsed
		}
	}
	return claimDraft(verb, []string{payer}, c.Proposal, &c)
}
