// Command touchstone is the acquirer-side POS security authentication system: the
// host that proves terminals' messages, a reference terminal, the journal's
// reader, and the calculator. `touchstone --help` is its table of contents.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // a small container has no time zones, and every receipt needs one

	"github.com/alecthomas/kong"
)

// app is what a command may touch of the world.
type app struct {
	ctx    context.Context // ends at SIGINT or SIGTERM
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string

	chinese bool // what is said without a --lang of the command's own, and errors
}

// commands is the table of contents of the program.
type commands struct {
	Demo          demoCmd          `cmd:"" help:"Watch it work: a host, sample shops and their terminals, no configuration."`
	Story         storyCmd         `cmd:"" help:"The whole circle in three minutes: a terminal goes bad, and everybody it touches is looked after."`
	Serve         serveCmd         `cmd:"" help:"The authentication host."`
	Init          initCmd          `cmd:"" help:"Make a data directory."`
	Register      registerCmd      `cmd:"" help:"Enter a merchant, device, terminal or card."`
	Card          cardCmd          `cmd:"" help:"Change a card's PIN; which PINs are old."`
	Device        deviceCmd        `cmd:"" help:"A device's life: announce, receive, deploy, move, repair, retire; release after tampering; certificates."`
	Inspect       inspectCmd       `cmd:"" help:"Look at a device by its checklist; what is due; a finding quarantines at once."`
	Glance        glanceCmd        `cmd:"" help:"A cashier's daily look at a terminal."`
	Key           keyCmd           `cmd:"" help:"Draw a key component into a file."`
	Seal          sealCmd          `cmd:"" help:"Seal a component, card number or PIN to a host's transport key, for the console or the interface; no host is needed."`
	TransportKey  transportKeyCmd  `cmd:"" name:"transport-key" help:"Draw the key to which people seal what they send: two custodians."`
	Terminal      terminalTop      `cmd:"" help:"A reference POS terminal: sign in, sell, void, refund, reverse, settle, or misbehave in one named way; or many, as load."`
	Proxy         proxyCmd         `cmd:"" help:"A bad network between terminals and a host, by plan: delay, split, repeat, reorder, drop, cut, half-open."`
	Status        statusCmd        `cmd:"" help:"What the running host is doing, on one screen."`
	Effectiveness effectivenessCmd `cmd:"" help:"Of all approvals: which proofs held, were weak, were not required or were waived."`
	Failures      failuresCmd      `cmd:"" help:"What security refused, in figures: by reason, cause, model, shop, hour; how many honest terminals were wrongly refused; sales recovered and lost."`
	Events        eventsCmd        `cmd:"" help:"What a person should know that no message says: a proof that no longer proves, a terminal that changed."`
	Canary        canaryCmd        `cmd:"" help:"Send known-bad messages from reserved terminals and see that each is refused for its reason; resume stopped sales."`
	Clone         cloneCmd         `cmd:"" help:"One identity, two devices: which terminals, the proof in two lanes, and clearing after a visit."`
	Permit        permitCmd        `cmd:"" help:"What a terminal may do now, why, and what would restore it; how many may do what; the policy."`
	Grade         gradeCmd         `cmd:"" help:"What the proofs of each terminal are worth, why, and which steps would raise them most."`
	Policy        policyCmd        `cmd:"" help:"Try another policy on what already happened: who would be newly refused, and why."`
	Staff         staffCmd         `cmd:"" help:"The people of acquirer and laboratory: their accounts and roles."`
	Webhook       webhookCmd       `cmd:"" help:"Endpoints of your own that are told of what happens, signed: add, list, disable, rotate, replay."`
	APIKey        apiKeyCmd        `cmd:"" name:"api-key" help:"Keys by which programs call the JSON interface: make, list, revoke."`
	API           apiCmd           `cmd:"" name:"api" help:"The JSON interface: its OpenAPI document."`
	Cashier       cashierCmd       `cmd:"" help:"The people at the counters: operator numbers of each shop."`
	Train         trainCmd         `cmd:"" help:"The rule of the counter, its test, and who is trained until when."`
	Proposals     proposalsCmd     `cmd:"" help:"What one person asked for and a second has to agree to."`
	Approve       approveCmd       `cmd:"" help:"Agree to a proposal, or reject it, under an account of your own."`
	Release       releaseCmd       `cmd:"" help:"Applications of terminals: a repository by TUF, signed by two people; publish, withdraw, list, refresh."`
	Advisory      advisoryCmd      `cmd:"" help:"Weaknesses of models, in CSAF or OSV: take in, show, export, and which terminals, shops and sales one touches."`
	Campaign      campaignCmd      `cmd:"" help:"Answer an advisory by a deadline: upgrade or replace each terminal, restrict them until then, and watch them burn down."`
	Incident      incidentCmd      `cmd:"" help:"Failures gathered into incidents: opened by rules, worked, closed; and a drill."`
	Report        reportCmd        `cmd:"" help:"A consumer or a merchant says what happened at a terminal, and reads what became of it."`
	Exposed       exposedCmd       `cmd:"" help:"The sales that went through a bad terminal: counted, listed, frozen into an incident."`
	Claim         claimCmd         `cmd:"" help:"Consumers' claims: made from a receipt, decided by two people, paid once."`
	Money         moneyCmd         `cmd:"" help:"Claimed, approved, paid: computed from the journal, to the cent."`
	Notice        noticeCmd        `cmd:"" help:"Tell issuers, shops, cardholders and authorities of an incident, with proof that it reached them."`
	Mail          mailCmd          `cmd:"" help:"A mail server that keeps what it is given, for trying things out."`
	Lab           labCmd           `cmd:"" help:"The certification laboratory: catalogue of requirements, runs against the host, findings, reports."`
	SecurityCert  labCertificate   `cmd:"" name:"certificate" help:"Security certificates of terminal models: issue, verify offline, suspend, withdraw."`
	Analyze       analyzeCmd       `cmd:"" help:"Captured traffic: find the messages, pair them, explain every refusal; with test keys prove causes."`
	Shadow        shadowCmd        `cmd:"" help:"Mirrored traffic: what this host would have refused. It answers nothing."`
	Journal       journalCmd       `cmd:"" help:"Read the journal: its tail, one message's whole verdict, or verify its chain."`
	Explain       explainCmd       `cmd:"" help:"What an answer code or a reason means, and what each person does."`
	Panel         panelCmd         `cmd:"" help:"Examine the diagnosis: a made-up day of faults by a seed of yours, sealed answers, and marks."`
	Calc          calcCmd          `cmd:"" help:"Compute MACs, check values, PIN blocks and SM2/SM3/SM4: JSON Lines in, JSON Lines out."`
}

// grammarOf is the whole table of contents, or, for what has to answer at once, that command alone: kong reads every
// command's flags before it reads a word.
func grammarOf(args []string) any {
	if len(args) > 0 && args[0] == "explain" {
		return new(struct {
			Explain explainCmd `cmd:"" help:"What an answer code or a reason means, and what each person does."`
		})
	}
	return new(commands)
}

// exitError is an error that was told already and sets only the exit code.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(&app{ctx: ctx, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}, os.Args[1:])
	stop()
	os.Exit(code)
}

// run is main without the process: the exit code is 0, 1 for a failure, 2 for a wrong call.
func run(a *app, args []string) int {
	a.chinese = wantsChinese(a, args)
	helped := false
	parser, err := kong.New(grammarOf(args), kong.Name("touchstone"), kong.Description(about), kong.Writers(a.stdout, a.stderr), kong.Help(a.helpPrinter(&helped)),
		kong.Exit(func(int) {}), kong.Bind(a), kong.Configuration(loadTOML), kong.Resolvers(languageOf(a)))
	if err != nil {
		fmt.Fprintln(a.stderr, "touchstone:", err)
		return 1
	}
	parsed, err := parser.Parse(args)
	if rest, given := withoutLanguage(args); err != nil && !helped && given && strings.HasPrefix(err.Error(), "unknown flag --lang") {
		parsed, err = parser.Parse(rest) // every command takes it, for help and for what is refused at least
	}
	if helped {
		return 0 // kong printed the help and went on because Exit does nothing
	}
	if err != nil {
		return a.refuseUsage(parser.Model, err)
	}
	if err := parsed.Run(); err != nil {
		var told exitError
		if errors.As(err, &told) {
			return told.code
		}
		fmt.Fprintln(a.stderr, "touchstone:", a.words().said(err.Error()))
		return 1
	}
	return 0
}

const about = "Touchstone 试金石: POS security authentication." // the first page of help has more

// calcCmd is the calculator.
type calcCmd struct{}

// Help is shown by touchstone calc --help.
func (calcCmd) Help() string {
	return `One JSON object a line on standard input gives one line out, in the same order: a result, or an error. Topics: mac, kcv,
pin_blocks, sm. Hexadecimal, upper case.

  {"id":1,"topic":"mac","op":"retail_mac","in":{"key":"...","data":"...","padding":1}}
  {"id":1,"out":{"mac8":"..."}}
  {"id":1,"error":"..."}

  touchstone calc < docs/examples/mac.jsonl`
}

// Run reads until end of input.
func (calcCmd) Run(a *app) error { return runCalc(a.stdin, a.stdout) }
