package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"touchstone/fleet"
	"touchstone/registry"
)

// permitCmd says what terminals may do now, and why.
type permitCmd struct {
	Show   permitShow   `cmd:"" default:"withargs" help:"What one terminal may do now, why, since when, and what would restore it."`
	List   permitList   `cmd:"" help:"How many terminals may do what; those with a permit, or restricted by a fact."`
	Policy permitPolicy `cmd:"" help:"The rule: show it, try a file, put one in force."`
}

// Help is shown by touchstone permit --help.
func (permitCmd) Help() string {
	return `What a terminal may do follows from facts: its registration, its device, the certificate of its model, its application, open
advisories, its last inspection and health report, network and site; and, for the cashier who signed in, from training. A
policy says what each state of each fact permits. See docs/operating/permit.md.

  touchstone permit 00000023 --data shop
  touchstone permit list --data shop --fact advisory
  touchstone permit policy check strict.toml
  touchstone policy try strict.toml --data shop --from 2026-11-27
  touchstone permit policy set strict.toml --data shop --as qian --with sun`
}

// permitFlags are those of a question about permits.
type permitFlags struct {
	Data           string `name:"data" default:"touchstone-data/demo" help:"Data directory." placeholder:"DIR"`
	PassphraseFile string `name:"passphrase-file" help:"File that holds the passphrase of the keyring; not needed while the host runs, nor for a test data directory." placeholder:"FILE"`
	IdentityFile   string `name:"identity-file" help:"age identity that opens the keyring." placeholder:"FILE"`
	JSON           bool   `name:"json" help:"One JSON object."`
	Lang           string `name:"lang" default:"en" help:"en or zh."`
}

// ask asks q and gives the answer, or writes it as JSON; written tells that.
func (f *permitFlags) ask(a *app, q permitQuery, answer any) (show *lines, written bool, err error) {
	d := directoryFlags{Data: f.Data, PassphraseFile: f.PassphraseFile, IdentityFile: f.IdentityFile}
	if show, err = newLines(a.stdout, f.Lang, false); err != nil {
		return nil, false, err
	}
	if err := d.question(a, change{PermitQuery: &q}, answer); err != nil {
		return nil, false, err
	}
	if f.JSON {
		return nil, true, json.NewEncoder(a.stdout).Encode(answer)
	}
	return show, false, nil
}

type permitShow struct {
	permitFlags
	Terminal string `arg:"" help:"Terminal, 8 characters."`
}

// Run shows one terminal's permit.
func (c *permitShow) Run(a *app) error {
	var answer permitAnswer
	show, written, err := c.ask(a, permitQuery{Terminal: c.Terminal}, &answer)
	if err != nil || written {
		return err
	}
	return writePermit(a.stdout, show, &answer)
}

func writePermit(w io.Writer, l *lines, a *permitAnswer) error {
	s := &screen{l: l}
	may, err := registry.ParsePermit(a.Permit)
	if err != nil {
		return err
	}
	s.line(l.two("Terminal %s, %s", "终端 %s, %s"), a.Terminal, a.Shop)
	s.row(l.two("may do", "当前许可"), "%s", permitWords(l, may))
	s.row(l.two("since", "起始"), "%s", strings.TrimPrefix(sinceWords(l, a.Since, a.Entry), l.two("since ", "自 ")))
	s.row(l.two("policy", "策略"), "%s", a.Policy)
	s.row(l.two("device", "设备"), "%s  %s", a.Serial, a.Model)
	s.line("")
	for _, f := range a.Facts {
		s.fact(&f)
	}
	if a.Waiting != "" {
		s.line("")
		s.line("  %s", l.two("Permits are being worked out again; this one will be: ", "许可正在重新计算, 该终端将为: ")+a.Waiting)
	}
	s.restore(a)
	return s.flush(w)
}

// fact is one line: the fact, its state, what it permits, since when.
func (s *screen) fact(f *permitFact) {
	l := s.l
	means := l.two("no restriction", "不限制")
	switch {
	case f.Restricts:
		may, err := registry.ParsePermit(f.Permits)
		if err != nil {
			may = registry.BlockedPermit
		}
		means = permitWords(l, may)
	case f.Tolerated:
		means = l.two("tolerated by the policy", "策略暂予容忍")
	}
	mark := " "
	if f.Restricts {
		mark = "!"
	}
	state := factWords(l, &f.Fact)
	if f.Detail != "" {
		state += " (" + l.detail(f.Fact) + ")"
	}
	line := fmt.Sprintf(" %s %s %s %s %s", mark, pad(factWord[f.Name].In(l.lang), 14), pad(state, 34), pad(means, 44), sinceWords(l, f.Since, f.Entry))
	s.line("%s", strings.TrimRight(line, " "))
}

// restore says what would restore the full permit: one line for each fact that restricts.
func (s *screen) restore(a *permitAnswer) {
	l, first := s.l, true
	for _, f := range a.Facts {
		if !f.Restricts {
			continue
		}
		if first {
			s.line("\n  %s", l.two("What would restore it:", "恢复方法:"))
			first = false
		}
		s.line("  - %s: %s", factWord[f.Name].In(l.lang), restoreWords(l, &f.Fact))
	}
}

type permitList struct {
	permitFlags
	Only string `name:"only" help:"List the terminals with exactly this permit, such as no_refund,online_only." placeholder:"WORDS"`
	Fact string `name:"fact" help:"List the terminals that this fact restricts, such as advisory." placeholder:"FACT"`
}

// Run counts and lists.
func (c *permitList) Run(a *app) error {
	var answer permitListAnswer
	show, written, err := c.ask(a, permitQuery{List: true, Only: c.Only, Fact: c.Fact}, &answer)
	if err != nil || written {
		return err
	}
	s := &screen{l: show}
	s.line(show.two("Policy %s", "策略 %s"), answer.Policy)
	for _, n := range answer.Counts {
		may, err := registry.ParsePermit(n.Permit)
		if err != nil {
			return err
		}
		first := strings.Join(n.First, " ")
		if n.Terminals > len(n.First) {
			first += " …"
		}
		s.line("  %s  %s  %s", pad(count(uint64(n.Terminals)), -9), pad(permitWords(show, may), 44), first)
	}
	for _, t := range answer.Terminals {
		s.line("  %s  %s  %s", t.Terminal, pad(t.Permit, 28), show.whyWords(t.Why))
	}
	if answer.More > 0 {
		s.line(show.two("  and %d more", "  另有 %d 台"), answer.More)
	}
	return s.flush(a.stdout)
}

// permitPolicy is the rule.
type permitPolicy struct {
	Show  permitPolicyShow  `cmd:"" default:"withargs" help:"The policy in force."`
	Check permitPolicyCheck `cmd:"" help:"Read a policy file and try its own tests; nothing is changed."`
	Set   permitPolicySet   `cmd:"" help:"Put a policy in force: two people. Every permit is worked out again."`
}

type permitPolicyShow struct{ permitFlags }

// Run writes the policy's file.
func (c *permitPolicyShow) Run(a *app) error {
	var answer permitPolicyAnswer
	_, written, err := c.ask(a, permitQuery{Policy: true}, &answer)
	if err != nil || written {
		return err
	}
	by := "built in"
	if answer.ID != "" {
		by = fmt.Sprintf("%s, journal entry %d", answer.ID, answer.Entry)
	}
	_, err = fmt.Fprintf(a.stdout, "# in force: %s; its %d tests hold\n%s", by, answer.Tests, answer.Text)
	return err
}

type permitPolicyCheck struct {
	File string `arg:"" help:"TOML file."`
}

// Run tries a policy.
func (c *permitPolicyCheck) Run(a *app) error {
	text, err := readPolicy(c.File)
	if err != nil {
		return err
	}
	p, err := fleet.ParsePolicy(text)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	for _, name := range p.Tests() {
		fmt.Fprintf(a.stdout, "  holds  %s\n", name)
	}
	_, err = fmt.Fprintf(a.stdout, "policy %q: %d tests hold\n", p.Name, len(p.Tests()))
	return err
}

// readPolicy reads a small file.
func readPolicy(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, fleet.MaxPolicy+1))
}

type permitPolicySet struct {
	actFlags
	File string `arg:"" help:"TOML file: try it first with touchstone permit policy check."`
}

// Run asks for a policy to be put in force.
func (c *permitPolicySet) Run(a *app) error {
	text, err := readPolicy(c.File)
	if err != nil {
		return err
	}
	if _, err := fleet.ParsePolicy(text); err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	_, err = c.perform(a, change{PermitPolicy: &permitPolicyChange{string(text)}})
	return err
}
