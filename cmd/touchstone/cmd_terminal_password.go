package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"touchstone/secret"
	"touchstone/terminal"
)

// terminalPasswordCmd keeps the passwords of a reference terminal.
type terminalPasswordCmd struct {
	Set    terminalPasswordSet    `cmd:"" help:"Set the password of an operator or of the administrator."`
	Status terminalPasswordStatus `cmd:"" help:"Who has a password, since when, and by which policy."`
}

// Help is shown by touchstone terminal password --help.
func (terminalPasswordCmd) Help() string {
	return `The first password is the administrator's; the administrator sets those of operators and may set any again; a user changes
the own one with the old. None is ever a default, a run or part of the terminal's numbers, nor one of the last five. Once
somebody has a password, touchstone terminal needs the operator's: --password-file. The acquirer's policy is a file:
touchstone cashier password-policy --out FILE, named by the terminal's password_policy_file or --password-policy.

  touchstone terminal password set --config shop.toml --user administrator --new-password-file admin.new
  touchstone terminal password set --config shop.toml --user 001 --by administrator --password-file admin.new --new-password-file op.new
  touchstone terminal password set --config shop.toml --user 001 --password-file op.old --new-password-file op.new
  touchstone terminal --config shop.toml --password-file op.new sign-in sale 18.50`
}

// oneTerminal names one reference terminal.
type oneTerminal struct {
	Fixture  string `help:"Terminals of a demonstration, - for standard input." placeholder:"FILE" xor:"source"`
	Config   string `help:"One terminal's TOML file." placeholder:"FILE" xor:"source"`
	Terminal string `help:"Terminal of the fixture. Default: the first visitor." placeholder:"ID"`
	State    string `help:"Directory of the terminal's file." placeholder:"DIR"`
	Policy   string `name:"password-policy" help:"The acquirer's policy, a JSON file." placeholder:"FILE"`
}

func (o *oneTerminal) open(a *app) (*terminal.Terminal, error) {
	c := &terminalCmd{Fixture: o.Fixture, Config: o.Config, Terminal: o.Terminal, State: o.State, PasswordPolicy: o.Policy, Lang: string(terminal.English), Timeout: time.Second}
	setup, err := c.load(a)
	if err != nil {
		return nil, err
	}
	setup.card.Wipe()
	if setup.config.StateDir, err = c.stateDir(a); err != nil {
		return nil, err
	}
	return terminal.Open(setup.config)
}

type terminalPasswordSet struct {
	oneTerminal
	User string `name:"user" required:"" help:"administrator, or an operator number of three characters." placeholder:"NAME"`
	By   string `name:"by" help:"Who sets it: the user, or administrator. Default: the user." placeholder:"NAME"`
	Old  string `name:"password-file" help:"File that holds the password of who sets it; not needed for the first of a terminal." placeholder:"FILE"`
	New  string `name:"new-password-file" required:"" help:"File that holds the new password." placeholder:"FILE"`
}

// Run sets the password.
func (c *terminalPasswordSet) Run(a *app) error {
	old, err := readPassword(a, c.Old)
	if err != nil {
		return err
	}
	defer old.Wipe()
	password, err := readPassword(a, c.New)
	if err != nil {
		return err
	}
	defer password.Wipe()
	t, err := c.open(a)
	if err != nil {
		return err
	}
	defer t.Close()
	user, by := filled(c.User), filled(c.By)
	if by == "" {
		by = user
	}
	if err := t.SetPassword(user, by, old, password); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "password of %s set\n", strings.TrimSpace(c.User))
	return err
}

// filled is an operator number as DE63.1 has it, filled up with spaces to three characters; "" stays.
func filled(operator string) string {
	if operator == "" || len(operator) > 3 {
		return operator
	}
	return (operator + "  ")[:3]
}

// readPassword reads a file with one password; "" is none.
func readPassword(a *app, name string) (secret.Bytes, error) {
	if name == "" {
		return secret.Bytes{}, nil
	}
	raw, err := readTerminalFile(a, name)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("read password file: %w", err)
	}
	return secret.Take(bytes.TrimSpace(raw)), nil
}

type terminalPasswordStatus struct {
	oneTerminal
	JSON bool `name:"json" help:"One JSON object."`
}

// Run shows who has a password.
func (c *terminalPasswordStatus) Run(a *app) error {
	t, err := c.open(a)
	if err != nil {
		return err
	}
	defer t.Close()
	users, policy := t.Users(), t.PasswordPolicy()
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(struct {
			Policy terminal.PasswordPolicy `json:"policy"`
			Users  map[string]time.Time    `json:"users"`
		}{policy, users})
	}
	fmt.Fprintf(a.stdout, "policy %s: %d characters at least, the administrator's %d; %d days; %d tries; required: %t\n", policy.Version,
		policy.OperatorMin, policy.AdministratorMin, policy.MaxAgeDays, policy.Tries, policy.Required)
	for _, name := range slices.Sorted(maps.Keys(users)) {
		fmt.Fprintf(a.stdout, "  %s  since %s\n", pad(name, 14), users[name].Format(time.DateOnly))
	}
	return nil
}

// readPasswordPolicy reads the acquirer's policy; unknown members are refused.
func readPasswordPolicy(a *app, name string) (terminal.PasswordPolicy, error) {
	raw, err := readTerminalFile(a, name)
	if err != nil {
		return terminal.PasswordPolicy{}, fmt.Errorf("read password policy: %w", err)
	}
	return parsePasswordPolicy(raw)
}

func parsePasswordPolicy(raw []byte) (p terminal.PasswordPolicy, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if dec.Decode(&p) != nil || dec.More() {
		return terminal.PasswordPolicy{}, errors.New("password policy: not the JSON that touchstone cashier password-policy writes")
	}
	return p, p.Check()
}
