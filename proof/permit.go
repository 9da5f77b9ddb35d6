package proof

import (
	"fmt"

	"touchstone/pos"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/transaction"
)

// may is what the terminal may do now: its permit, and never more than its registration.
func (d *decision) may() registry.Permit {
	registered := d.s.Terminal.Permit
	if d.s.Permit == nil {
		return registered.Plain()
	}
	return d.s.Permit.Permit.Meet(registered)
}

// permit: what the terminal may do now; money going back by reversal is never held up by it.
func (d *decision) permit() bool {
	if against := against(d.r, d.may()); against != "" {
		return d.forbidden(PermitCheck, d.s.Permit, against)
	}
	d.v.pass(PermitCheck)
	return true
}

// inPerson: what the cashier may do whose sign-in brought the keys under which the message verified. That is known
// only after the MAC, so it is the policy's check: a stranger's sign-in under a cashier's number restricts nobody.
func (d *decision) inPerson() bool {
	set := d.v.Set
	if d.r.Need != Financial || set < 0 || d.c.Sets[set] == nil {
		return true
	}
	who := d.s.Cashiers[1]
	if d.c.Sets[set].Number == d.s.Session.Pending.Number {
		who = d.s.Cashiers[0]
	}
	if who == nil {
		return true
	}
	if against := against(d.r, who.Permit); against != "" {
		return d.forbidden(PolicyCheck, who, against)
	}
	return true
}

// against names what of a permit a request goes against, "" when nothing. The limit is of a sale or refund: a
// void gives back what was taken before.
func against(r *Request, may registry.Permit) string {
	moves := r.Op == transaction.Sale || r.Op == transaction.Refund
	switch {
	case r.Op == transaction.Reversal, r.Need == Echo, r.Need == SignOff, r.Need == TamperReport:
		return ""
	case !may.Sell && may.SignInOnly && r.Need != Financial:
		return ""
	case !may.Sell && may.SignInOnly:
		return "sign_in_only"
	case !may.Sell:
		return "blocked"
	case r.Op == transaction.Refund && !may.Refund:
		return "no_refund"
	case moves && may.Limit != 0 && r.Amount > may.Limit:
		return "limit:" + may.Limit.String()
	case may.OnlineOnly && r.Need == Financial:
		return offline(r)
	}
	return ""
}

// offline names what of a request was decided at the terminal alone and not proven online; "" when nothing.
// docs/design/015-permit.md, "Online only".
func offline(r *Request) string {
	switch {
	case fellBack(r):
		return "online_only: fallback from chip to stripe"
	case r.Op == transaction.Sale && !r.HasPIN():
		return "online_only: no PIN for the issuer to verify"
	}
	return ""
}

// fellBack tells whether the card was read from its stripe although it has a chip, as far as terminal and track say.
func fellBack(r *Request) bool {
	chip := r.Service[0] == '2' || r.Service[0] == '6' // ISO/IEC 7813: the card has a chip
	entry := r.entry()
	return r.Fallback || r.HasEntry && (entry == 80 || entry == 90) || r.Swiped() && chip
}

// forbidden refuses a request for a permit: presented is the request, expected what it went against, then the facts
// that made the permit, as many as the evidence has room for, and the entry that has them all.
func (d *decision) forbidden(c Check, by *registry.Standing, what string) bool {
	presented, expected := textOf([]byte(d.asked())), value{tag: tagPermit, b: []byte(what)}
	if by == nil {
		if why := d.s.Terminal.Permit.Reason; why != "" {
			expected.b = fmt.Appendf(expected.b, "; %.50s", why)
		}
		d.v.details.note(c, presented, expected)
		return d.v.fail(c, reason.PermitRefused)
	}
	// The pair's bytes but for the facts: the check, two heads of 2, the entry's 8, and "; ".
	room := len(d.v.details.buf) - d.v.details.n - (1 + 2 + 2 + 8 + 2) - len(presented.b) - len(expected.b)
	if why := by.Why(room); why != "" {
		expected.b = append(append(expected.b, "; "...), why...)
	}
	expected.n = by.Entry
	d.v.details.note(c, presented, expected)
	return d.v.fail(c, reason.PermitRefused)
}

// asked is what the request wants, in a word or two.
func (d *decision) asked() string {
	switch {
	case d.r.Op == transaction.NoOp && d.r.Need == SignIn:
		return "sign-in"
	case d.r.HasAmount && d.r.Amount != pos.Amount(0):
		return d.r.Op.String() + " of " + d.r.Amount.String()
	}
	return d.r.Op.String()
}
