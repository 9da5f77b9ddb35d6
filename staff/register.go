package staff

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

// Guidance is a shop's word that it has read the rule; its ID is the merchant.
type Guidance struct {
	Merchant string      `json:"merchant"`
	Rule     string      `json:"rule"` // version of the rule that was read
	By       string      `json:"by"`   // the account that recorded it
	At       pos.Instant `json:"at"`
}

// Review is a look at all accounts and their roles by an administrator.
type Review struct {
	ID       string      `json:"id"` // REV-1, REV-2, ...
	By       string      `json:"by"`
	At       pos.Instant `json:"at"`
	Accounts int         `json:"accounts"` // enabled ones that were looked at
	Notes    string      `json:"notes,omitempty"`
}

// The nouns of this file.
const (
	NounGuidance = "guidance"
	NounReview   = "access_review"
)

// The times after which an account or its review is too old.
const (
	StaleAfter   = 90 * 24 * time.Hour  // PCI DSS 8.2.6: inactive accounts within 90 days
	ReviewWithin = 183 * 24 * time.Hour // PCI DSS 7.2.4: at least once every six months
	reviewNotes  = 400
)

// ConfirmGuidance is the decision to record that a shop has read the rule of this version.
func ConfirmGuidance(s *State, merchant pos.MerchantID, rule string, by []string, now pos.Instant) ([]journal.Draft, error) {
	if err := s.mayRunShop(by, merchant); err != nil {
		return nil, err
	}
	g := &Guidance{Merchant: merchant.String(), Rule: rule, By: by[0], At: now}
	return draft("guidance_confirmed", by, "", NounGuidance, g.Merchant, g)
}

// Guided is the shop's word on the rule, nil when it never gave one.
func (s *State) Guided(merchant string) *Guidance { return s.guidance[merchant] }

// ReviewAccounts is the decision to record that an administrator looked at every account and its roles.
func ReviewAccounts(s *State, notes string, by []string, now pos.Instant) ([]journal.Draft, error) {
	if len(notes) > reviewNotes {
		return nil, fmt.Errorf("%w: notes: at most %d bytes", ErrAccount, reviewNotes)
	}
	r := &Review{ID: fmt.Sprintf("REV-%d", s.reviewed+1), By: by[0], At: now, Notes: notes}
	for _, a := range s.accounts {
		if !a.Disabled {
			r.Accounts++
		}
	}
	return draft("accounts_reviewed", by, "", NounReview, r.ID, r)
}

// LastReview is the newest review, nil when there is none.
func (s *State) LastReview() *Review { return s.reviews[fmt.Sprintf("REV-%d", s.reviewed)] }

// Standing is what the training register says of one person at one instant.
type Standing struct {
	Subject   string      `json:"subject"` // cashier:MERCHANT/OPERATOR or account:NAME
	Name      string      `json:"name"`
	Topic     Topic       `json:"topic"`
	State     string      `json:"state"` // registry.Good, CashierLapsed, CashierUntrained or CashierLeft
	Since     pos.Instant `json:"since"` // when the person began
	Until     pos.Instant `json:"until,omitempty"`
	Right     int         `json:"right,omitempty"`
	Questions int         `json:"questions,omitempty"`
	Rule      string      `json:"rule,omitempty"`
	Bank      string      `json:"bank,omitempty"`
	Training  string      `json:"training,omitempty"` // number of the pass
}

// CashierRegister lists the standing of every cashier of a shop, or of all when merchant is "". It answers the
// requirements POSC-PE-01 and POSC-PE-02 for the counter.
func (s *State) CashierRegister(merchant string, now pos.Instant) (list []Standing) {
	for _, c := range s.Cashiers(merchant) {
		st := s.standing(cashierSubject+c.Merchant+"/"+c.Operator, CounterTopic, c.Since, now)
		if st.Name = c.Name; c.Left != 0 {
			st.State = CashierLeft
		}
		list = append(list, st)
	}
	return list
}

// StaffRegister lists the standing of everybody with an account that may act, in one topic: POSC-PE-02 with
// CounterTopic, POSC-PE-03 with DeveloperTopic, of which only accounts with the role developer are asked.
func (s *State) StaffRegister(topic Topic, now pos.Instant) (list []Standing) {
	for _, a := range s.Accounts() {
		if a.Disabled || topic == DeveloperTopic && !slices.Contains(a.Roles, Developer) {
			continue
		}
		st := s.standing(accountSubject+a.Name, topic, a.Since, now)
		st.Name = a.FullName
		list = append(list, st)
	}
	return list
}

func (s *State) standing(subject string, topic Topic, since, now pos.Instant) Standing {
	st := Standing{Subject: subject, Topic: topic, State: CashierUntrained, Since: since}
	last := s.lastPass(subject, topic, since)
	if last == nil {
		return st
	}
	t := last.record
	st.State, st.Until, st.Right, st.Questions, st.Rule, st.Bank, st.Training = registry.Good, t.Until, t.Right, t.Questions, t.Rule, t.Bank, t.ID
	if now >= t.Until {
		st.State = CashierLapsed
	}
	return st
}

// AccountFacts is what is wrong with the accounts at one instant; POSC-PE-06 passes when every list is empty and
// the review is in time. Accounts are named.
type AccountFacts struct {
	Accounts   int         `json:"accounts"`              // that may act
	Stale      []string    `json:"stale,omitempty"`       // not used for StaleAfter
	Shared     []string    `json:"shared,omitempty"`      // of a name that is nobody's, or one number of a person under two names
	Doubled    []string    `json:"doubled,omitempty"`     // of a person who has another account as well
	Leavers    []string    `json:"leavers,omitempty"`     // of a person who left under another account
	LastReview pos.Instant `json:"last_review,omitempty"` // 0 never
	ReviewDue  bool        `json:"review_due"`            // not within ReviewWithin
}

// genericNames are account names that are no person's. Source: ours, after PCI DSS 8.2.2 (no group, shared or
// generic accounts); unverified as a list.
var genericNames = [...]string{"admin", "administrator", "root", "test", "guest", "shop", "cashier", "manager", "operator", "pos", "user", "support", "service", "temp"}

// AccountFacts looks at every account that may act.
func (s *State) AccountFacts(now pos.Instant) (f AccountFacts) {
	all := s.Accounts()
	of := personsOf(all)
	for _, a := range all {
		if a.Disabled {
			continue
		}
		f.Accounts++
		if now.Sub(max(a.Since, a.LastUsed)) >= StaleAfter {
			f.Stale = append(f.Stale, a.Name)
		}
		shared := slices.ContainsFunc(genericNames[:], func(g string) bool { return strings.TrimRight(a.Name, "0123456789-.") == g })
		doubled, left := false, false
		for _, key := range personKeys(a) {
			for _, other := range of[key] {
				if other.Name == a.Name {
					continue
				}
				shared = shared || !sameName(a, other)
				doubled = doubled || !other.Disabled
				left = left || other.Left != 0
			}
		}
		for _, x := range []struct {
			is   bool
			list *[]string
		}{{shared, &f.Shared}, {doubled, &f.Doubled}, {left, &f.Leavers}} {
			if x.is {
				*x.list = append(*x.list, a.Name)
			}
		}
	}
	if r := s.LastReview(); r != nil {
		f.LastReview = r.At
	}
	f.ReviewDue = now.Sub(f.LastReview) >= ReviewWithin
	return f
}

// personKeys are by what SamePerson takes two accounts for one person's: the number, and the name at an organisation.
func personKeys(a *Account) [2]string {
	return [2]string{"number " + PersonKey(a.Person), "name " + foldName(a.FullName) + "\n" + foldName(a.Organisation)}
}

// personsOf groups accounts by those keys, so that 10,000 of them are not compared in pairs.
func personsOf(all []*Account) map[string][]*Account {
	of := make(map[string][]*Account, 2*len(all))
	for _, a := range all {
		for _, key := range personKeys(a) {
			of[key] = append(of[key], a)
		}
	}
	return of
}

// Leave is the decision that the person of an account works here no longer: every account of the person ends.
func Leave(s *State, name string, by []string, now pos.Instant) ([]journal.Draft, error) {
	leaver := s.accounts[name]
	if leaver == nil {
		return nil, fmt.Errorf("%w: account %.32s", ErrUnknown, name)
	}
	staying := slices.ContainsFunc(s.Accounts(), func(a *Account) bool { return a.May(Administrator) && !SamePerson(a, leaver) })
	if !staying {
		return nil, fmt.Errorf("%w: account %s is of the last administrator", ErrAccount, name)
	}
	var changes []journal.Change
	for _, a := range s.Accounts() {
		if !SamePerson(a, leaver) || a.Left != 0 {
			continue
		}
		gone := *a
		gone.Disabled, gone.Left = true, now
		c, err := journal.NewChange(NounAccount, a.Name, &gone)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	if len(changes) == 0 {
		return nil, fmt.Errorf("%w: the person of account %s has left already", ErrAccount, name)
	}
	return []journal.Draft{{Kind: journal.KindStaff, Act: journal.Act{Verb: "person_left", Actors: by, Changes: changes}}}, nil
}

// UsedEvery is how often the use of an account is noted, at most.
const UsedEvery = 24 * time.Hour

// Use notes that an account acted, once in UsedEvery, and the instant of each signature by its own key; 0 stands for
// none. A signature that is not later than the last one is refused: it was given before.
func Use(s *State, name string, signed, now pos.Instant) ([]journal.Draft, error) {
	old := s.accounts[name]
	switch {
	case old == nil || old.Disabled || signed != 0 && signed <= old.LastSigned:
		return nil, ErrUnknown
	case signed == 0 && now.Sub(old.LastUsed) < UsedEvery:
		return nil, nil
	}
	a := *old
	a.LastUsed, a.LastSigned = now, max(signed, old.LastSigned)
	return draft("account_used", []string{name}, "", NounAccount, name, &a)
}

// Shops lists the merchants that have cashiers or gave their word on the rule, in order.
func (s *State) Shops() []string {
	seen := map[string]bool{}
	for _, c := range s.cashiers {
		seen[c.Merchant] = true
	}
	for m := range s.guidance {
		seen[m] = true
	}
	return slices.Sorted(maps.Keys(seen))
}
