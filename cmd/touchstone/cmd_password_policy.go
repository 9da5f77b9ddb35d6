package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/staff"
)

// passwordsChange is a new policy of the passwords that terminals check.
type passwordsChange struct {
	Policy staff.TerminalPasswords `json:"policy"`
}

// passwordsQuery asks for the policy in force.
type passwordsQuery struct{}

func (e *engine) passwords() (p staff.TerminalPasswords) {
	e.office.view(func(r *rooms) { p = r.staff.TerminalPasswords() })
	return p
}

func (e *engine) setPasswords(ctx context.Context, c *passwordsChange, actors []string) (changed, error) {
	err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return asRefusal("terminal_passwords", actors)(staff.SetTerminalPasswords(r.staff, c.Policy, actors, now))
	})
	return changed{What: "terminal password policy " + e.passwords().Version}, err
}

// cashierPasswordPolicy shows, writes or changes the policy. What is not given stays.
type cashierPasswordPolicy struct {
	actFlags
	Out              string `name:"out" help:"Write it for terminals: password_policy_file of their configuration, or --password-policy." placeholder:"FILE"`
	Required         *bool  `name:"required" negatable:"" help:"Nothing is operated without a password."`
	OperatorMin      *int   `name:"operator-min" help:"Fewest characters of an operator's password, 6 or more."`
	AdministratorMin *int   `name:"administrator-min" help:"And of the administrator's, 8 or more."`
	MaxAgeDays       *int   `name:"max-age-days" help:"0: no age ends a password."`
	Tries            *int   `name:"tries" help:"Wrong ones in a row before the user must wait, 1 to 10."`
	WaitSeconds      *int   `name:"wait-seconds" help:"How long the first time; doubled each further time."`
	Former           *int   `name:"former" help:"How many newest passwords may not be set again, 5 or more."`
}

// Run changes the policy where something is given, and shows or writes it.
func (c *cashierPasswordPolicy) Run(a *app) error {
	var p staff.TerminalPasswords
	if err := c.question(a, change{Policy: &passwordsQuery{}}, &p); err != nil {
		return err
	}
	before := p
	if c.Required != nil {
		p.Required = *c.Required
	}
	for _, n := range []struct{ given, field *int }{{c.OperatorMin, &p.OperatorMin}, {c.AdministratorMin, &p.AdministratorMin},
		{c.MaxAgeDays, &p.MaxAgeDays}, {c.Tries, &p.Tries}, {c.WaitSeconds, &p.WaitSeconds}, {c.Former, &p.Former}} {
		if n.given != nil {
			*n.field = *n.given
		}
	}
	if p != before {
		if _, err := c.perform(a, change{Passwords: &passwordsChange{p}}); err != nil {
			return err
		}
		if err := c.question(a, change{Policy: &passwordsQuery{}}, &p); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(&p, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if c.Out != "" {
		return os.WriteFile(c.Out, text, 0o644)
	}
	_, err = fmt.Fprintf(a.stdout, "%s", text)
	return err
}
