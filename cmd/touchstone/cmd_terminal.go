package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"touchstone/pos"
	"touchstone/terminal"
)

// terminalCmd is a reference terminal on the command line.
type terminalCmd struct {
	faultFlags

	Host           string        `help:"Host to call, host:port. Default: the fixture's." placeholder:"ADDR"`
	Fixture        string        `help:"Terminals and cards of a demonstration (touchstone demo --print-fixture), - for standard input." placeholder:"FILE" xor:"source"`
	Config         string        `help:"One terminal's TOML file; keys in files it names." placeholder:"FILE" xor:"source"`
	Terminal       string        `help:"Terminal of the fixture. Default: the first visitor." placeholder:"ID"`
	Card           int           `help:"Card of the fixture, from 0." default:"0"`
	PINFile        string        `name:"pin-file" help:"File with the PIN, in place of the fixture's." placeholder:"FILE"`
	Operator       string        `help:"Operator number of the sign-in, three characters. Default: the configuration's, or 001." placeholder:"NUMBER"`
	Password       string        `name:"password-file" help:"File that holds the operator's password, where one is set." placeholder:"FILE"`
	PasswordPolicy string        `name:"password-policy" help:"The acquirer's policy of passwords, a JSON file." placeholder:"FILE"`
	State          string        `help:"Directory of the terminal's file. Default: touchstone/terminals under the user's cache directory." placeholder:"DIR"`
	CopyOf         string        `name:"copy-of" help:"Begin as a clone: with a copy of the terminal's file in this directory, while its own terminal goes on there. Give --state, and --from for another address." placeholder:"DIR"`
	Lang           string        `help:"Language of the screen." enum:"en,zh" default:"en"`
	Fault          string        `help:"Misbehave in one way after the actions." placeholder:"NAME"`
	From           string        `help:"Local address to bind." placeholder:"ADDR"`
	Place          string        `name:"place" help:"Report that the terminal stands here (tag A5): degrees north, degrees east, such as 31.230400,121.473700." placeholder:"LAT,LON"`
	KeyLoad        uint32        `name:"key-load" help:"Count of key loadings; a higher one than the last unlocks a tampered terminal." placeholder:"N"`
	TLS            bool          `name:"tls" help:"Speak TLS with a terminal of the fixture that has no certificate; one that has always does."`
	CheckURL       string        `name:"check-url" help:"Base address of the check page, of check-code. Default: the fixture's." placeholder:"URL"`
	Timeout        time.Duration `help:"How long to wait for an answer." default:"30s"`
	JSON           bool          `name:"json" help:"One JSON object a message in place of screens and lines."`
	Actions        []string      `arg:"" optional:"" help:"What to do, in order. Default: sign-in sale 18.50"`
}

// defaultAmount is the sale of a fault and of no action, in fen.
const defaultAmount pos.Amount = 1850

// Help is shown by touchstone terminal --help.
func (terminalCmd) Help() string {
	return `Actions: sign-in, echo, balance, sale AMOUNT, void TRACE|last, refund RRN AMOUNT MMDD, refund last AMOUNT, settle, sign-off,
tamper, reverse-last. Amounts have two decimals. What must come first is done by itself: a sign-in, an open reversal.
The exit code is 0 when the last message was approved, else 1.

  touchstone demo --print-fixture > fixture.json
  touchstone terminal --fixture fixture.json
  touchstone terminal --fixture fixture.json sale 88.00 void last settle
  touchstone terminal --fixture fixture.json --card 1 --json balance sale 5.00 reverse-last
  touchstone terminal --fixture fixture.json --fault altered-amount
  touchstone terminal --fixture fixture.json check-code
  touchstone terminal --config shop.toml --pin-file pin.txt sign-in balance
  touchstone terminal --fixture fixture.json --state clone --copy-of ~/.cache/touchstone/terminals --from 127.0.0.66 sign-in sale 5.00

Faults, by what they go against (--faults says of each what it does, what the host answers, and what it takes):

` + faultsByGroup() + `

A TOML file: host, terminal_id, merchant_id, sign_in_code, mac, tmk_file, serial, serial_key_file, network_licence, device_type,
app_version, operator, password_policy_file, seal_track, send_pan, key_load, card_file; for TLS tls_ca_file, tls_server_name, certificate_file, key_file. Key files hold hexadecimal digits, a card file one card as the fixture has it.
certificate-request, alone, makes the private key of key_file where there is none and prints the request for a certificate.
check-code, alone, shows the code of this minute that the check page asks for, and the QR code of the terminal's label.
A tampered terminal locks for good: a higher key_load, or --key-load, says that new keys were loaded.`
}

// Run does the actions in order and stops at the first that cannot be done.
func (c *terminalCmd) Run(a *app) error {
	if len(c.Actions) == 1 && c.Actions[0] == certificateRequest {
		return c.request(a)
	}
	if len(c.Actions) == 1 && c.Actions[0] == checkCodeAction {
		return c.checkCode(a)
	}
	if c.Faults {
		return writeFaults(a.stdout)
	}
	actions, err := c.plan()
	if err != nil {
		return err
	}
	setup, err := c.load(a)
	if err != nil {
		return err
	}
	defer setup.card.Wipe()
	printer := &terminalPrinter{out: a.stdout, lang: terminal.Language(c.Lang), json: c.JSON}
	setup.config.Screen, setup.config.OnMessage = printer, printer.message
	if setup.config.StateDir, err = c.stateDir(a); err != nil {
		return err
	}
	if err := c.copyState(setup.config); err != nil {
		return err
	}
	t, err := terminal.Open(setup.config)
	if err != nil {
		return err
	}
	defer t.Close()
	if err := c.login(a, t); err != nil {
		return err
	}
	var last terminal.Result
	for _, act := range actions {
		if last, err = act(a.ctx, t, setup.card); errors.Is(err, terminal.ErrLocked) {
			return errors.Join(fmt.Errorf("%w: say that they were loaded with a higher --key-load, or make a terminal that knows nothing in another directory with --state; this one is kept in %s", err, setup.config.StateDir), printer.err)
		} else if err != nil {
			return errors.Join(err, printer.err)
		}
		printer.unsent(last)
		if a.ctx.Err() != nil {
			return exitError{1}
		}
	}
	switch {
	case printer.err != nil:
		return printer.err
	case !last.Approved:
		return exitError{1}
	}
	return nil
}

func (c *terminalCmd) stateDir(a *app) (string, error) {
	if c.State != "" {
		return c.State, nil
	}
	base := a.getenv("XDG_CACHE_HOME")
	if base == "" {
		home := a.getenv("HOME")
		if home == "" {
			return "", errors.New("no home directory: name one with --state")
		}
		base = filepath.Join(home, ".cache")
	}
	return filepath.Join(base, "touchstone", "terminals"), nil
}

// copyState makes the terminal a clone of another, where that is asked for.
func (c *terminalCmd) copyState(config terminal.Config) error {
	if c.CopyOf == "" {
		return nil
	}
	if c.State == "" || c.State == c.CopyOf {
		return errors.New("a clone has a directory of its own: give --state another than --copy-of")
	}
	return terminal.CopyState(c.State, c.CopyOf, config.Terminal)
}

// login proves the operator's password, where one is given.
func (c *terminalCmd) login(a *app, t *terminal.Terminal) error {
	password, err := readPassword(a, c.Password)
	if err != nil || c.Password == "" {
		return err
	}
	defer password.Wipe()
	return t.Login(t.Operator(), password)
}

// terminalAction is one step.
type terminalAction func(context.Context, *terminal.Terminal, terminal.Card) (terminal.Result, error)

// plan reads the actions and the fault before anything is sent.
func (c *terminalCmd) plan() (list []terminalAction, err error) {
	words := c.Actions
	if len(words) == 0 && c.Fault == "" {
		words = []string{"sign-in", "sale", defaultAmount.String()}
	}
	for len(words) > 0 {
		var act terminalAction
		name := words[0]
		if act, words, err = parseTerminalAction(name, words[1:]); err != nil {
			return nil, fmt.Errorf("action %s: %w", name, err)
		}
		list = append(list, act)
	}
	if c.Fault != "" {
		fault, err := terminal.ParseFault(c.Fault)
		if err != nil {
			return nil, fmt.Errorf("%w %q; touchstone terminal --faults lists them", err, c.Fault)
		}
		list = append(list, func(ctx context.Context, t *terminal.Terminal, card terminal.Card) (terminal.Result, error) {
			return t.Misbehave(ctx, fault, card, defaultAmount)
		})
	}
	return list, nil
}

var errAmountForm = errors.New("want an amount such as 18.50")

var errNoAction = errors.New("no such action; try touchstone terminal --help")

// parseTerminalAction reads the arguments of an action off words.
func parseTerminalAction(name string, words []string) (terminalAction, []string, error) {
	plain := map[string]func(*terminal.Terminal, context.Context) (terminal.Result, error){
		"sign-in": (*terminal.Terminal).SignIn, "sign-off": (*terminal.Terminal).SignOff, "echo": (*terminal.Terminal).Echo,
		"settle": (*terminal.Terminal).Settle, "reverse-last": (*terminal.Terminal).Reverse,
	}
	if do, ok := plain[name]; ok {
		return func(ctx context.Context, t *terminal.Terminal, _ terminal.Card) (terminal.Result, error) {
			return do(t, ctx)
		}, words, nil
	}
	switch name {
	case "balance":
		return func(ctx context.Context, t *terminal.Terminal, card terminal.Card) (terminal.Result, error) {
			return t.Balance(ctx, card)
		}, words, nil
	case "tamper":
		return func(ctx context.Context, t *terminal.Terminal, _ terminal.Card) (terminal.Result, error) {
			return t.TamperReport(ctx, 1)
		}, words, nil
	case "sale":
		if len(words) < 1 {
			return nil, nil, errors.New("no amount")
		}
		amount, err := pos.ParseAmount(words[0])
		if err != nil {
			return nil, nil, errAmountForm
		}
		return func(ctx context.Context, t *terminal.Terminal, card terminal.Card) (terminal.Result, error) {
			return t.Sale(ctx, card, amount)
		}, words[1:], nil
	case "void":
		return parseTerminalVoid(words)
	case "refund":
		return parseTerminalRefund(words)
	}
	return nil, nil, errNoAction
}

// terminalNumber reads a number of at most n digits.
func terminalNumber(s string, n int) (v uint32, err error) {
	if s == "" || len(s) > n {
		return 0, fmt.Errorf("not a number of at most %d digits", n)
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("not a number of at most %d digits", n)
		}
		v = v*10 + uint32(c-'0')
	}
	return v, nil
}

func parseTerminalVoid(words []string) (terminalAction, []string, error) {
	if len(words) < 1 {
		return nil, nil, errors.New("no trace; last is the last sale")
	}
	var trace uint32
	if words[0] != "last" {
		var err error
		if trace, err = terminalNumber(words[0], 6); err != nil {
			return nil, nil, err
		}
	}
	named := words[0] != "last"
	return func(ctx context.Context, t *terminal.Terminal, card terminal.Card) (terminal.Result, error) {
		if named {
			return t.Void(ctx, pos.STAN(trace), card)
		}
		sale, err := terminalLastSale(t)
		if err != nil {
			return terminal.Result{}, err
		}
		return t.Void(ctx, sale.Trace, card)
	}, words[1:], nil
}

// terminalLastSale is the last sale of the open batch that stands.
func terminalLastSale(t *terminal.Terminal) (terminal.Entry, error) {
	list := t.Entries()
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Kind == terminal.KindSale && !list[i].Voided {
			return list[i], nil
		}
	}
	return terminal.Entry{}, errors.New("no sale stands in the open batch")
}

func parseTerminalRefund(words []string) (terminalAction, []string, error) {
	if len(words) < 2 {
		return nil, nil, errors.New("want RRN AMOUNT MMDD, or last AMOUNT")
	}
	amount, err := pos.ParseAmount(words[1])
	if err != nil {
		return nil, nil, err
	}
	if words[0] == "last" {
		return func(ctx context.Context, t *terminal.Terminal, card terminal.Card) (terminal.Result, error) {
			sale, err := terminalLastSale(t)
			if err != nil {
				return terminal.Result{}, err
			}
			o := terminal.Original{Date: sale.Date}
			copy(o.RRN[:], sale.RRN)
			return t.Refund(ctx, card, o, amount)
		}, words[2:], nil
	}
	var o terminal.Original
	if len(words) < 3 || len(words[0]) != len(o.RRN) {
		return nil, nil, errors.New("want RRN of 12 characters, AMOUNT and MMDD")
	}
	date, err := terminalNumber(words[2], 4)
	if err != nil {
		return nil, nil, err
	}
	copy(o.RRN[:], words[0])
	o.Date = uint16(date)
	return func(ctx context.Context, t *terminal.Terminal, card terminal.Card) (terminal.Result, error) {
		return t.Refund(ctx, card, o, amount)
	}, words[3:], nil
}

// terminalPrinter shows screens and messages as text, or messages as JSON. Every write goes out at once.
type terminalPrinter struct {
	out  io.Writer
	lang terminal.Language
	json bool
	err  error // the first failure to write
}

var _ terminal.Screen = (*terminalPrinter)(nil)

func (p *terminalPrinter) print(text string) {
	if _, err := io.WriteString(p.out, text); err != nil && p.err == nil {
		p.err = fmt.Errorf("write output: %w", err)
	}
}

// Show draws the screen.
func (p *terminalPrinter) Show(lines [4]string) {
	if p.json {
		return
	}
	edge := "+" + strings.Repeat("-", terminal.Columns+2) + "+\n"
	text := edge
	for _, line := range lines {
		text += "| " + terminal.Pad(line, terminal.Columns) + " |\n"
	}
	p.print(text + edge)
}

// terminalMessage is one line of --json.
type terminalMessage struct {
	Operation   string `json:"operation"`
	Request     string `json:"request"`
	MTI         string `json:"mti"` // "" when no answer was accepted
	DE39        string `json:"de39"`
	Approved    bool   `json:"approved"`
	MACVerified bool   `json:"mac_verified"`
	Outcome     string `json:"outcome"`
	Reason      string `json:"reason"`
	Trace       string `json:"trace"`
	Batch       string `json:"batch"`
	RRN         string `json:"rrn"`
	Amount      string `json:"amount"`
	Balance     string `json:"balance,omitempty"`
	Reversal    string `json:"open_reversal,omitempty"`
	Closed      bool   `json:"closed,omitempty"`
	ElapsedMS   int64  `json:"elapsed_ms"`
}

// message reports one message.
func (p *terminalPrinter) message(r terminal.Result) {
	m := terminalMessage{
		Operation: r.Operation, Request: terminalMTI(r.Request), MTI: terminalMTI(r.MTI), DE39: r.DE39.String(), Approved: r.Approved,
		MACVerified: r.MACVerified, Outcome: r.Outcome.String(), Reason: r.Words.In(p.lang), Trace: r.Trace.String(),
		Batch: r.Batch.String(), RRN: r.RRN.String(), Amount: r.Amount.String(), Closed: r.Closed, ElapsedMS: r.Elapsed.Milliseconds(),
	}
	if r.HasBalance {
		m.Balance = r.Balance.String()
	}
	if r.Reversal != 0 {
		m.Reversal = r.Reversal.String()
	}
	if p.json {
		line, err := json.Marshal(m)
		if err != nil {
			p.err = err
			return
		}
		p.print(string(line) + "\n")
		return
	}
	p.print(m.line())
}

func terminalMTI(m pos.MTI) string {
	if m == 0 {
		return ""
	}
	return m.String()
}

// line is the summary of a message: what was asked, what came, in words.
func (m terminalMessage) line() string {
	s := fmt.Sprintf("%s %s", m.Operation, m.Request)
	if m.MTI != "" {
		s += fmt.Sprintf(" -> %s %s", m.MTI, m.DE39)
	}
	s += fmt.Sprintf(" (%s: %s) trace %s batch %s", m.Outcome, m.Reason, m.Trace, m.Batch)
	if m.Amount != "0.00" {
		s += " amount " + m.Amount
	}
	if m.RRN != "" {
		s += " rrn " + m.RRN
	}
	if m.Balance != "" {
		s += " balance " + m.Balance
	}
	if m.MACVerified {
		s += " mac right"
	}
	if m.Reversal != "" {
		s += " reversal open " + m.Reversal
	}
	return s + fmt.Sprintf(" %d ms\n", m.ElapsedMS)
}

// unsent reports an operation that was stopped before its message left, which message was not told of.
func (p *terminalPrinter) unsent(r terminal.Result) {
	switch r.Outcome {
	case terminal.SignInFailed, terminal.ReversalOpen, terminal.SettlementOpen:
		p.message(r)
	}
}

// readTerminalFile reads a file of at most maxSmall bytes, or standard input for "-".
func readTerminalFile(a *app, name string) ([]byte, error) {
	const maxSmall = 4 << 20
	in := a.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxSmall+1))
	if err == nil && len(raw) > maxSmall {
		err = errors.New("read file: longer than 4 MiB")
	}
	return raw, err
}
