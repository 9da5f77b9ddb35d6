package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"touchstone/pos"
	"touchstone/registry"
	"touchstone/staff"
)

// joined is a list in one word.
func joined(list []string) string { return strings.Join(list, ",") }

// cashierCmd keeps the people at the counters.
type cashierCmd struct {
	Add   cashierAdd   `cmd:"" help:"Give an operator number of a shop to a person."`
	List  cashierList  `cmd:"" help:"The cashiers of a shop, and their training."`
	Show  cashierShow  `cmd:"" help:"One cashier, and what the permit is told of the training."`
	Leave cashierLeave `cmd:"" help:"A cashier works in the shop no longer."`

	PasswordPolicy cashierPasswordPolicy `cmd:"" name:"password-policy" help:"The policy of the passwords that terminals check: show it, write it for a terminal, or change it."`
}

// Help is shown by touchstone cashier --help.
func (cashierCmd) Help() string {
	return `A cashier is known by the shop (DE42) and the operator number that the terminal's sign-in carries (DE63.1, three
characters). What a terminal may do depends on the training of the cashier who signed in; touchstone train.

  touchstone cashier add --data shop --merchant 898310058120001 --operator 001 --name "何花 He Hua" --as chen
  touchstone cashier list --data shop --merchant 898310058120001 --lang zh
  touchstone cashier password-policy --data shop --out policy.json
  touchstone cashier password-policy --data shop --max-age-days 60 --as qian
  touchstone cashier leave --data shop --merchant 898310058120001 --operator 001 --as chen`
}

// counterFlags name a cashier.
type counterFlags struct {
	Merchant string `name:"merchant" required:"" help:"The shop, 15 characters (DE42)." placeholder:"ID"`
	Operator string `name:"operator" required:"" help:"Operator number, 1 to 3 digits or letters (DE63.1)." placeholder:"NUMBER"`
}

type cashierAdd struct {
	actFlags
	counterFlags
	Name string `name:"name" required:"" help:"The person."`
}

// Run gives the number to the person.
func (c *cashierAdd) Run(a *app) error {
	_, err := c.perform(a, change{Cashier: &cashierChange{Merchant: c.Merchant, Operator: c.Operator, Name: c.Name}})
	return err
}

type cashierLeave struct {
	actFlags
	counterFlags
}

// Run ends the cashier's number.
func (c *cashierLeave) Run(a *app) error {
	_, err := c.perform(a, change{Cashier: &cashierChange{Merchant: c.Merchant, Operator: c.Operator, Leave: true}})
	return err
}

// registerQuery asks for the register of people: cashiers of a shop or of all, accounts, their training.
type registerQuery struct {
	Merchant string `json:"merchant,omitempty"`
}

// registerAnswer is what the records say of people at one instant.
type registerAnswer struct {
	At         pos.Instant        `json:"at"`
	Cashiers   []staff.Standing   `json:"cashiers"`
	Facts      []registry.Fact    `json:"facts"`      // of each cashier, in the same order
	Staff      []staff.Standing   `json:"staff"`      // everybody with an account, in what everybody is trained in
	Developers []staff.Standing   `json:"developers"` //
	Accounts   staff.AccountFacts `json:"accounts"`
	Guidance   []staff.Guidance   `json:"guidance"` // shops that have read the rule
	Rule       string             `json:"rule"`     // the version in force
	RuleDate   string             `json:"rule_date"`
}

// register answers the personnel requirements of the catalogue (POSC-PE-01, 02, 03, 06 and 09) from the records.
func (e *engine) register(q *registerQuery) (r registerAnswer) {
	r.At = e.clock()
	if bank, err := staff.LoadBank(); err == nil {
		r.Rule, r.RuleDate = bank.Rule.Version, bank.Rule.Date
	}
	e.office.view(func(rooms *rooms) {
		s := rooms.staff
		r.Cashiers = s.CashierRegister(q.Merchant, r.At)
		for _, c := range s.Cashiers(q.Merchant) {
			merchant, err := pos.ParseMerchantID(c.Merchant)
			if err != nil {
				continue
			}
			r.Facts = append(r.Facts, s.CashierFact(merchant, c.Operator, r.At))
		}
		r.Staff, r.Developers = s.StaffRegister(staff.CounterTopic, r.At), s.StaffRegister(staff.DeveloperTopic, r.At)
		r.Accounts = s.AccountFacts(r.At)
		for _, m := range s.Shops() {
			if g := s.Guided(m); g != nil && (q.Merchant == "" || q.Merchant == m) {
				r.Guidance = append(r.Guidance, *g)
			}
		}
	})
	return r
}

// standingWords are the states of a training for people.
func (l *lines) standing(state string) string {
	switch state {
	case registry.Good:
		return l.two("trained", "已培训")
	case staff.CashierLapsed:
		return l.two("LAPSED", "已过期")
	case staff.CashierUntrained:
		return l.two("UNTRAINED", "未培训")
	case staff.CashierLeft:
		return l.two("left", "已离职")
	}
	return l.two("unknown", "未知")
}

func (l *lines) standings(w io.Writer, list []staff.Standing) error {
	for _, s := range list {
		_, who, _ := strings.Cut(s.Subject, ":")
		until, score := "", ""
		if s.Until != 0 {
			until = l.two("until ", "有效至 ") + s.Until.Time().In(l.zone).Format(time.DateOnly)
		}
		if s.Questions != 0 {
			score = fmt.Sprintf("%d/%d", s.Right, s.Questions)
		}
		line := strings.TrimRight(fmt.Sprintf("%s  %s  %s  %s  %s", pad(who, 20), pad(s.Name, 24), pad(l.standing(s.State), 10), pad(until, 20), score), " ")
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

type cashierList struct {
	directoryFlags
	Merchant string `name:"merchant" help:"Of this shop alone." placeholder:"ID"`
	JSON     bool   `name:"json" help:"One JSON object."`
	Lang     string `name:"lang" default:"en" help:"en or zh."`
}

// Run lists the cashiers.
func (c *cashierList) Run(a *app) error {
	show, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	var r registerAnswer
	if err := c.question(a, change{Register: &registerQuery{c.Merchant}}, &r); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(r.Cashiers)
	}
	if len(r.Cashiers) == 0 {
		_, err := fmt.Fprintln(a.stdout, show.two("no cashiers: touchstone cashier add --help", "没有收银员: touchstone cashier add --help"))
		return err
	}
	return show.standings(a.stdout, r.Cashiers)
}

type cashierShow struct {
	directoryFlags
	counterFlags
	JSON bool   `name:"json" help:"One JSON object."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// Run shows one cashier and the fact that the permit is told.
func (c *cashierShow) Run(a *app) error {
	show, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	merchant, operator, err := parseCashier(c.Merchant, c.Operator)
	if err != nil {
		return err
	}
	var r registerAnswer
	if err := c.question(a, change{Register: &registerQuery{c.Merchant}}, &r); err != nil {
		return err
	}
	for i, s := range r.Cashiers {
		if s.Subject != staff.CashierActor(merchant, operator) || i >= len(r.Facts) {
			continue
		}
		if c.JSON {
			return json.NewEncoder(a.stdout).Encode(struct {
				staff.Standing
				Fact registry.Fact `json:"fact"`
			}{s, r.Facts[i]})
		}
		if err := show.standings(a.stdout, []staff.Standing{s}); err != nil {
			return err
		}
		if f := r.Facts[i]; f.Restore != "" {
			_, err = fmt.Fprintf(a.stdout, "  %s: %s\n", show.two("what restores it", "恢复办法"), f.Restore)
		}
		return err
	}
	return fmt.Errorf("no cashier %s: touchstone cashier list --data %s", staff.CashierID(merchant, operator), c.Data)
}

// staffPassphrase changes one's own passphrase.
type staffPassphrase struct {
	actFlags
	New string `name:"new-passphrase-file" required:"" help:"File that holds the new passphrase." placeholder:"FILE"`
}

// Run changes it; --as with the old passphrase is the proof.
func (c *staffPassphrase) Run(a *app) error {
	if c.As == "" || c.With != "" {
		return errors.New("a passphrase is changed by its own person alone: give --as NAME and the file of the old one")
	}
	abs, err := filepath.Abs(c.New)
	if err != nil {
		return err
	}
	_, err = c.perform(a, change{Passphrase: &passphraseChange{abs}})
	return err
}

// staffLeave ends every account of a person who left.
type staffLeave struct {
	actFlags
	Name string `arg:"" help:"An account of the person."`
}

// Run ends the accounts.
func (c *staffLeave) Run(a *app) error {
	_, err := c.perform(a, change{Personnel: &personnelChange{Leave: c.Name}})
	return err
}

// staffReview records that the accounts were looked at, every six months at least.
type staffReview struct {
	actFlags
	Notes string `name:"notes" help:"What was found."`
	Show  bool   `name:"show" help:"Only show what is wrong with the accounts; record nothing."`
	JSON  bool   `name:"json" help:"One JSON object."`
	Lang  string `name:"lang" default:"en" help:"en or zh."`
}

// Run shows what is wrong with the accounts and records the review.
func (c *staffReview) Run(a *app) error {
	show, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	var r registerAnswer
	if err := c.question(a, change{Register: &registerQuery{}}, &r); err != nil {
		return err
	}
	f := r.Accounts
	if c.JSON {
		if err := json.NewEncoder(a.stdout).Encode(f); err != nil {
			return err
		}
	} else if err := show.accountFacts(a.stdout, &f); err != nil {
		return err
	}
	if c.Show {
		return nil
	}
	_, err = c.perform(a, change{Personnel: &personnelChange{Review: true, Notes: c.Notes}})
	return err
}

// accountColumns is the width of the first column.
const accountColumns = 26

func (l *lines) accountFacts(w io.Writer, f *staff.AccountFacts) error {
	s := &screen{l: l}
	for _, row := range []struct {
		name string
		list []string
	}{
		{l.two("not used for 90 days", "90 天未使用"), f.Stale}, {l.two("nobody's, or shared", "非个人或共用"), f.Shared},
		{l.two("second account of a person", "同一人多个账号"), f.Doubled}, {l.two("of a person who left", "离职人员"), f.Leavers},
	} {
		text := l.two("none", "无")
		if len(row.list) > 0 {
			text = strings.Join(row.list, ", ")
		}
		s.line("  %s %s", pad(row.name, accountColumns), text)
	}
	last := l.two("never", "从未")
	if f.LastReview != 0 {
		last = f.LastReview.Time().In(l.zone).Format(time.DateOnly)
	}
	if f.ReviewDue {
		last += l.two(" (due)", " (应复核)")
	}
	s.line("  %s %s", pad(l.two("last review", "上次复核"), accountColumns), last)
	return s.flush(w)
}
