package main

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"touchstone/pos"
	"touchstone/registry"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

var _ api.Staff = (*desk)(nil)

// moment is an instant as the interface tells it; 0 is none.
func moment(t pos.Instant) time.Time {
	if t == 0 {
		return time.Time{}
	}
	return t.Time()
}

// Accounts implements api.Staff.
func (d *desk) Accounts(ctx context.Context, _ *web.Caller, q *api.AccountQuery) (api.Page[api.Account], error) {
	page := api.Page[api.Account]{Data: []api.Account{}}
	w, err := d.asked(ctx, &q.AsOf)
	if err != nil {
		return page, err
	}
	w.view(func(r *rooms) {
		book := newStaffBook(r.staff, w.now())
		for _, a := range r.staff.Accounts() {
			if a.Name <= q.Cursor || !book.fits(a, q) {
				continue
			}
			if len(page.Data) == q.Limit {
				page.Next = page.Data[q.Limit-1].Account
				return
			}
			page.Data = append(page.Data, book.account(a))
		}
	})
	return page, nil
}

// Account implements api.Staff.
func (d *desk) Account(ctx context.Context, _ *web.Caller, name string, q *api.AsOf) (account api.Account, err error) {
	w, err := d.asked(ctx, q)
	if err != nil {
		return account, err
	}
	err = api.NotFound()
	w.view(func(r *rooms) {
		if a := r.staff.Account(name); a != nil {
			account, err = newStaffBook(r.staff, w.now()).account(a), nil
		}
	})
	return account, err
}

// Review implements api.Staff.
func (d *desk) Review(ctx context.Context, _ *web.Caller, q *api.AsOf) (v api.AccountReview, err error) {
	w, err := d.asked(ctx, q)
	if err != nil {
		return v, err
	}
	w.view(func(r *rooms) {
		book := newStaffBook(r.staff, w.now())
		f := book.facts
		some := func(names []string) []string { return append([]string{}, names...) }
		v = api.AccountReview{Accounts: f.Accounts, Stale: some(f.Stale), Shared: some(f.Shared), Doubled: some(f.Doubled), Leavers: some(f.Leavers),
			Untrained: []string{}, NoSecondFactor: []string{}, LastReview: moment(f.LastReview), Due: f.ReviewDue}
		for _, a := range r.staff.Accounts() {
			if a.Disabled {
				continue
			}
			if book.untrained(a.Name) {
				v.Untrained = append(v.Untrained, a.Name)
			}
			if r.staff.SecondFactor(a.Name) == nil {
				v.NoSecondFactor = append(v.NoSecondFactor, a.Name)
			}
		}
	})
	return v, nil
}

// staffBook is what is told of accounts at one moment, read once for a list of them.
type staffBook struct {
	state    *staff.State
	now      pos.Instant
	facts    staff.AccountFacts
	training map[string][]api.AccountTraining
	flags    map[string][]string
}

func newStaffBook(s *staff.State, now pos.Instant) *staffBook {
	b := &staffBook{state: s, now: now, facts: s.AccountFacts(now), training: map[string][]api.AccountTraining{}, flags: map[string][]string{}}
	for _, topic := range []staff.Topic{staff.CounterTopic, staff.DeveloperTopic} {
		for _, st := range s.StaffRegister(topic, now) {
			name := strings.TrimPrefix(st.Subject, "account:")
			b.training[name] = append(b.training[name], api.AccountTraining{Topic: string(topic), State: st.State, Until: moment(st.Until)})
		}
	}
	for flag, names := range map[string][]string{"stale": b.facts.Stale, "shared": b.facts.Shared, "doubled": b.facts.Doubled, "leaver": b.facts.Leavers} {
		for _, n := range names {
			b.flags[n] = append(b.flags[n], flag)
		}
	}
	return b
}

func (b *staffBook) untrained(name string) bool {
	return slices.ContainsFunc(b.training[name], func(t api.AccountTraining) bool { return t.State != registry.Good })
}

func (b *staffBook) account(a *staff.Account) api.Account {
	x := api.Account{Account: a.Name, FullName: a.FullName, Person: a.Person, Organisation: a.Organisation, Roles: a.Roles, Shop: a.Shop, State: b.stateOf(a),
		Since: moment(a.Since), LastUsed: moment(a.LastUsed), SecondFactor: b.state.SecondFactor(a.Name) != nil, OwnKey: a.Key != nil,
		Training: append([]api.AccountTraining{}, b.training[a.Name]...), Flags: slices.Sorted(slices.Values(b.flags[a.Name])), LockedUntil: moment(b.state.Locked(a.Name, b.now))}
	if a.Passphrase != nil {
		x.PassphraseSince = moment(a.PassphraseAt)
	}
	if a.Invited != nil {
		x.InvitedUntil = moment(a.Invited.Until)
	}
	if g := b.state.Guesses(a.Name); g != nil {
		x.WrongInARow = g.InARow
	}
	if s := b.state.SignIns(a.Name); s != nil {
		x.LastSignIn = moment(s.Last)
	}
	return x
}

func (b *staffBook) stateOf(a *staff.Account) string {
	switch {
	case a.Left != 0:
		return api.AccountLeft
	case a.Disabled:
		return api.AccountDisabled
	case b.state.Locked(a.Name, b.now) != 0:
		return api.AccountLocked
	case a.Invited != nil:
		return api.AccountInvited
	}
	return api.AccountActive
}

func (b *staffBook) fits(a *staff.Account, q *api.AccountQuery) bool {
	text := strings.ToLower(strings.Join([]string{a.Name, a.FullName, a.Person, a.Organisation}, " "))
	switch {
	case !strings.Contains(text, strings.ToLower(q.Search)),
		q.Role != "" && !slices.Contains(a.Roles, staff.Role(q.Role)),
		q.State != "" && b.stateOf(a) != q.State:
		return false
	}
	switch q.Flag {
	case "":
		return true
	case "untrained":
		return b.untrained(a.Name)
	case "no_second_factor":
		return !a.Disabled && b.state.SecondFactor(a.Name) == nil
	}
	return slices.Contains(b.flags[a.Name], q.Flag)
}

// Proposals implements api.Staff.
func (d *desk) Proposals(ctx context.Context, who *web.Caller, q *api.ProposalQuery) (api.Page[api.Proposal], error) {
	page := api.Page[api.Proposal]{Data: []api.Proposal{}}
	before, err := strconv.Atoi(cmp.Or(strings.TrimPrefix(q.Cursor, "PRP-"), "2147483647"))
	if err != nil {
		return page, api.Refuse(400, "invalid_cursor", "the cursor is of no list of proposals")
	}
	w, err := d.asked(ctx, &q.AsOf)
	if err != nil {
		return page, err
	}
	now := w.now()
	w.view(func(r *rooms) {
		for n := min(before-1, r.staff.Proposed()); n > 0; n-- {
			p := r.staff.Proposal("PRP-" + strconv.Itoa(n))
			if p == nil || q.Act != "" && p.Act != q.Act || q.State != "" && proposalStands(p, now) != q.State {
				continue
			}
			if len(page.Data) == q.Limit {
				page.Next = page.Data[q.Limit-1].ID
				return
			}
			page.Data = append(page.Data, proposalOf(r.staff, p, who, now))
		}
	})
	return page, nil
}

// Proposal implements api.Staff.
func (d *desk) Proposal(ctx context.Context, who *web.Caller, id string, q *api.AsOf) (told api.Proposal, err error) {
	w, err := d.asked(ctx, q)
	if err != nil {
		return told, err
	}
	err = api.NotFound()
	w.view(func(r *rooms) {
		if p := r.staff.Proposal(id); p != nil {
			told, err = proposalOf(r.staff, p, who, w.now()), nil
		}
	})
	return told, err
}

// proposalExpired is the state of a proposal that nobody decided in time.
const proposalExpired = "expired"

func proposalStands(p *staff.Proposal, now pos.Instant) string {
	if p.State == staff.Open && now >= p.Expires {
		return proposalExpired
	}
	return string(p.State)
}

func proposalOf(s *staff.State, p *staff.Proposal, who *web.Caller, now pos.Instant) api.Proposal {
	words := strings.ReplaceAll(p.Act, "_", " ")
	told := api.Proposal{ID: p.ID, Act: p.Act, What: api.Text{EN: words, ZH: wordOr(verbChinese[p.Act], words)}, Fields: api.FieldsOf(p.Request), Roles: p.Roles,
		State: proposalStands(p, now), By: p.By, At: moment(p.At), Expires: moment(p.Expires), Decided: p.Decided, DecidedAt: moment(p.DecideAt)}
	if a := s.Account(p.By); a != nil {
		told.ByName = a.FullName
	}
	told.Mine = mayDecide(s, p, who.Account, told.State)
	return told
}

// mayDecide is what an account may do about a proposal.
func mayDecide(s *staff.State, p *staff.Proposal, account, state string) string {
	first, second := s.Account(p.By), s.Account(account)
	switch {
	case state != string(staff.Open):
		return "decided"
	case second == nil || !second.May(p.Roles...):
		return "other_role"
	case first == nil || staff.SamePerson(first, second):
		return "same_person"
	}
	return "may_decide"
}

// Waiting implements api.Staff.
func (d *desk) Waiting(who *web.Caller) (n int) {
	d.office.view(func(r *rooms) {
		for _, p := range r.staff.OpenProposals() {
			if mayDecide(r.staff, p, who.Account, proposalStands(p, d.clock())) == "may_decide" {
				n++
			}
		}
	})
	return n
}
