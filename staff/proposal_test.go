package staff_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/staff"
)

var assessors = []staff.Role{staff.Assessor}

func (r *room) propose(by string) string {
	r.t.Helper()
	p, drafts, err := staff.Propose(r.State, "certificate_withdraw", assessors, json.RawMessage(`{"certificate":"CRT-1"}`), by, r.now)
	r.fold(drafts, err)
	return p.ID
}

func (r *room) agree(id, by string, yes bool) error {
	_, drafts, err := staff.Agree(r.State, id, by, yes, r.now)
	if err == nil {
		r.fold(drafts, nil)
	}
	return err
}

func TestTwoPersons(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(r *room)
		by      string
		second  string
		no      bool
		want    error
		state   staff.ProposalState
	}{
		"another person":                      {nil, "zheng", "wu", false, nil, staff.Approved},
		"the same account":                    {nil, "zheng", "zheng", false, staff.ErrSame, staff.Open},
		"a second account of the person":      {nil, "zheng", "zheng.2", false, staff.ErrSame, staff.Open},
		"and the other way round":             {nil, "zheng.2", "zheng", false, staff.ErrSame, staff.Open},
		"a number written another way":        {func(r *room) { r.person("zheng.3", "l2", staff.Assessor) }, "zheng", "zheng.3", false, staff.ErrSame, staff.Open},
		"the same name and organisation":      {namesake, "zheng", "zheng.4", false, staff.ErrSame, staff.Open},
		"without the role":                    {nil, "zheng", "qian", false, staff.ErrRole, staff.Open},
		"an account that nobody has":          {nil, "zheng", "nobody", false, staff.ErrUnknown, staff.Open},
		"a disabled account":                  {func(r *room) { r.disable("wu") }, "zheng", "wu", false, staff.ErrRole, staff.Open},
		"the proposer was disabled since":     {func(r *room) { r.disable("zheng") }, "zheng", "wu", false, staff.ErrProposer, staff.Open},
		"the proposer lost the role since":    {func(r *room) { r.person("zheng", "L-2", staff.Auditor) }, "zheng", "wu", false, staff.ErrProposer, staff.Open},
		"an instant before it expires":        {func(r *room) { r.after(staff.ProposalLife - 1) }, "zheng", "wu", false, nil, staff.Approved},
		"when it expires":                     {func(r *room) { r.after(staff.ProposalLife) }, "zheng", "wu", false, staff.ErrClosed, staff.Open},
		"rejected by another":                 {nil, "zheng", "wu", true, nil, staff.Rejected},
		"rejected by its own person":          {nil, "zheng", "zheng.2", true, nil, staff.Rejected},
		"rejected when it has expired":        {func(r *room) { r.after(staff.ProposalLife) }, "zheng", "wu", true, staff.ErrClosed, staff.Open},
		"rejected by somebody without a role": {nil, "zheng", "qian", true, staff.ErrRole, staff.Open},
	} {
		t.Run(name, func(t *testing.T) {
			r := team(t)
			id := r.propose(c.by)
			if c.prepare != nil {
				c.prepare(r)
			}
			if err := r.agree(id, c.second, !c.no); !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if got := r.Proposal(id); got.State != c.state || (got.Decided != "") != (c.want == nil) {
				t.Errorf("it is %s, decided by %q", got.State, got.Decided)
			}
		})
	}
}

func namesake(r *room) {
	a := account("zheng.4", "L-99", staff.Assessor)
	a.FullName = "person   l-2"
	r.fold(staff.Register(r.State, &a, "zhao", r.now))
}

func (r *room) disable(name string) {
	a := *r.Account(name)
	a.Disabled = true
	r.fold(staff.Register(r.State, &a, "zhao", r.now))
}

// TestDecidedOnce: a decided proposal is decided for good, and finished once.
func TestDecidedOnce(t *testing.T) {
	r := team(t)
	id := r.propose("zheng")
	if _, err := staff.Finish(r.State, id); !errors.Is(err, staff.ErrClosed) {
		t.Errorf("finished before it was approved: %v", err)
	}
	if err := r.agree(id, "wu", true); err != nil {
		t.Fatal(err)
	}
	for _, yes := range []bool{true, false} {
		if err := r.agree(id, "wu", yes); !errors.Is(err, staff.ErrClosed) {
			t.Errorf("decided again, %t: %v", yes, err)
		}
	}
	r.fold(staff.Finish(r.State, id))
	if _, err := staff.Finish(r.State, id); !errors.Is(err, staff.ErrClosed) || r.Proposal(id).State != staff.Done {
		t.Errorf("finished twice: %v", err)
	}
	rejected := r.propose("zheng")
	if rejected != "PRP-2" {
		t.Errorf("the second proposal is %s", rejected)
	}
	if err := r.agree(rejected, "wu", false); err != nil {
		t.Fatal(err)
	}
	if err := r.agree(rejected, "wu", true); !errors.Is(err, staff.ErrClosed) {
		t.Errorf("approved after it was rejected: %v", err)
	}
	if _, err := staff.Finish(r.State, rejected); !errors.Is(err, staff.ErrClosed) {
		t.Errorf("a rejected one was finished: %v", err)
	}
	if _, _, err := staff.Propose(r.State, "x", nil, make([]byte, staff.MaxRequest+1), "wu", r.now); !errors.Is(err, staff.ErrAccount) {
		t.Errorf("a request beyond the bound: %v", err)
	}
}

func TestRegister(t *testing.T) {
	for name, c := range map[string]struct {
		change func(a *staff.Account)
		ok     bool
	}{
		"as it is":            {func(*staff.Account) {}, true},
		"a key alone":         {func(a *staff.Account) { a.Passphrase, a.Key = nil, make([]byte, 32) }, true},
		"neither":             {func(a *staff.Account) { a.Passphrase = nil }, false},
		"a short key":         {func(a *staff.Account) { a.Key = make([]byte, 31) }, false},
		"a name of one":       {func(a *staff.Account) { a.Name = "a" }, false},
		"a name of 33":        {func(a *staff.Account) { a.Name = strings.Repeat("a", 33) }, false},
		"a name with a space": {func(a *staff.Account) { a.Name = "a b" }, false},
		"a capital":           {func(a *staff.Account) { a.Name = "Ab" }, false},
		"no full name":        {func(a *staff.Account) { a.FullName = " " }, false},
		"no number":           {func(a *staff.Account) { a.Person = "--" }, false},
		"no organisation":     {func(a *staff.Account) { a.Organisation = "" }, false},
		"no role":             {func(a *staff.Account) { a.Roles = nil }, false},
		"an unknown role":     {func(a *staff.Account) { a.Roles = []staff.Role{"king"} }, false},
		"a shop's, no shop":   {func(a *staff.Account) { a.Roles = []staff.Role{staff.Merchant} }, false},
		"a shop's": {func(a *staff.Account) {
			a.Roles, a.Shop = []staff.Role{staff.Merchant}, "898310058120001"
		}, true},
	} {
		r := team(t)
		a := account("new", "E-77", staff.Support)
		c.change(&a)
		if _, err := staff.Register(r.State, &a, "zhao", r.now); (err == nil) != c.ok || err != nil && !errors.Is(err, staff.ErrAccount) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLastAdministrator(t *testing.T) {
	empty := staff.NewState()
	a := account("qian", "E-2", staff.Security)
	if _, err := staff.Register(empty, &a, "setup", start); !errors.Is(err, staff.ErrAccount) {
		t.Errorf("the first account is no administrator's: %v", err)
	}
	r := team(t)
	for name, change := range map[string]func(a *staff.Account){
		"disabled": func(a *staff.Account) { a.Disabled = true }, "without the role": func(a *staff.Account) { a.Roles = []staff.Role{staff.Auditor} },
	} {
		last := *r.Account("zhao")
		change(&last)
		if _, err := staff.Register(r.State, &last, "zhao", r.now); !errors.Is(err, staff.ErrAccount) {
			t.Errorf("the last administrator %s: %v", name, err)
		}
	}
	if _, err := staff.Leave(r.State, "zhao", []string{"zhao"}, r.now); !errors.Is(err, staff.ErrAccount) {
		t.Errorf("the last administrator left: %v", err)
	}
	r.person("zhao.2", "e1", staff.Administrator) // the same person
	if _, err := staff.Leave(r.State, "zhao", []string{"zhao"}, r.now); !errors.Is(err, staff.ErrAccount) {
		t.Errorf("the last administrator left, who has two accounts: %v", err)
	}
	r.person("new", "E-9", staff.Administrator)
	r.fold(staff.Leave(r.State, "zhao", []string{"new"}, r.now))
	if !r.Account("zhao").Disabled || !r.Account("zhao.2").Disabled || r.Account("zhao.2").Left != r.now || r.Account("new").Disabled {
		t.Error("not exactly the accounts of the person ended")
	}
	if _, err := staff.Leave(r.State, "zhao", []string{"new"}, r.now); !errors.Is(err, staff.ErrAccount) {
		t.Errorf("left twice: %v", err)
	}
}

// TestFoldAgain: folding every act again, and an older one after a newer, is what a start does; the newest wins by
// its place in the journal, and numbers go on.
func TestFoldAgain(t *testing.T) {
	r := team(t)
	var all []journal.Change
	_, drafts, err := staff.Propose(r.State, "x", assessors, json.RawMessage(`{}`), "wu", r.now)
	r.fold(drafts, err)
	all = append(all, drafts[0].Act.Changes...)
	for range 2 {
		for _, c := range all {
			if err := r.Fold(7, c); err != nil {
				t.Fatal(err)
			}
		}
	}
	if p := r.Proposals(); len(p) != 1 || p[0].ID != "PRP-1" || r.propose("wu") != "PRP-2" {
		t.Errorf("after folding again: %d proposals", len(p))
	}
	if err := r.Fold(8, journal.Change{Noun: "a noun of a later version", ID: "1", Record: json.RawMessage(`{}`)}); err != nil {
		t.Errorf("an unknown noun: %v", err)
	}
	if err := r.Fold(8, journal.Change{Noun: staff.NounProposal, ID: "PRP-x", Record: json.RawMessage(`{}`)}); err == nil {
		t.Error("a proposal without a number was taken")
	}
}

func TestPassphraseHistory(t *testing.T) {
	r := team(t)
	words := []string{"one", "two", "three", "four", "five", "six"}
	for _, w := range words {
		r.fold(staff.ChangePassphrase(r.State, "qian", quick(w), r.now))
	}
	a := r.Account("qian")
	for i, w := range words {
		if got, want := a.Reuses(text(w)), i >= len(words)-1-staff.KeptHashes; got != want {
			t.Errorf("%s: refused %t, want %t", w, got, want)
		}
	}
	if len(a.Former) != staff.KeptHashes || a.PassphraseAt != r.now {
		t.Errorf("%d hashes kept", len(a.Former))
	}
	// An administrator's change of another thing keeps the passphrase and its age, one of the passphrase does not.
	at := r.now
	r.after(time.Hour)
	changed := *a
	changed.FullName, changed.Former = "Another Name", nil
	r.fold(staff.Register(r.State, &changed, "zhao", r.now))
	if a = r.Account("qian"); len(a.Former) != staff.KeptHashes || a.PassphraseAt != at || a.FullName != "Another Name" {
		t.Errorf("an unrelated change touched the passphrase: %d kept", len(a.Former))
	}
	changed = *a
	changed.Passphrase = quick("seven")
	r.fold(staff.Register(r.State, &changed, "zhao", r.now))
	if a = r.Account("qian"); a.PassphraseAt != r.now || !a.Reuses(text("six")) || !a.Reuses(text("seven")) {
		t.Error("an administrator's new passphrase is not the newest")
	}
	r.disable("qian")
	if _, err := staff.ChangePassphrase(r.State, "qian", quick("eight"), r.now); !errors.Is(err, staff.ErrUnknown) {
		t.Errorf("a disabled account's passphrase was changed: %v", err)
	}
}

// TestUse: a use is noted once a day; a signature each time, and never one that is not later than the last.
func TestUse(t *testing.T) {
	r := team(t)
	note := func(signed int64) (entries int, err error) {
		drafts, err := staff.Use(r.State, "qian", start+instant(signed), r.now)
		if signed == 0 {
			drafts, err = staff.Use(r.State, "qian", 0, r.now)
		}
		if err == nil {
			r.fold(drafts, nil)
		}
		return len(drafts), err
	}
	for i, c := range []struct {
		after   time.Duration
		signed  int64
		entries int
		err     error
	}{
		{0, 0, 1, nil}, {0, 0, 0, nil}, {staff.UsedEvery - 1, 0, 0, nil}, {1, 0, 1, nil},
		{0, 10, 1, nil}, {0, 10, 0, staff.ErrUnknown}, {0, 9, 0, staff.ErrUnknown}, {0, 11, 1, nil}, {0, 0, 0, nil},
	} {
		r.after(c.after)
		if n, err := note(c.signed); n != c.entries || !errors.Is(err, c.err) {
			t.Errorf("step %d: %d entries, %v", i, n, err)
		}
	}
	r.person("qian", "E-2", staff.Auditor) // a change does not forget the signatures
	if _, err := note(11); !errors.Is(err, staff.ErrUnknown) {
		t.Errorf("a signature counted again after a change of the account: %v", err)
	}
}
