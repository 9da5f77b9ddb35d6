package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"touchstone/sqlite"
	"touchstone/terminal"
)

// canaryCmd tries a running host and lifts what it stopped.
type canaryCmd struct {
	Try    canaryTry    `cmd:"" default:"withargs" help:"Send every known-bad message and see that each is refused for its reason."`
	Resume canaryResume `cmd:"" help:"Let sales go on that were stopped because a proof no longer proved; a person's name is recorded."`
}

// canaryState is the directory, in the data directory, of the canary's terminals.
const canaryState = "canary"

type canaryTry struct {
	Data     string        `name:"data" default:"touchstone-data/demo" help:"Data directory of the running host." placeholder:"DIR"`
	File     string        `name:"canary-file" help:"TOML file that names the reserved terminals; not needed in a test data directory." placeholder:"FILE"`
	TCP      string        `name:"tcp" help:"Where the host hears terminals, if not where the file says or 127.0.0.1:8583." placeholder:"HOST:PORT"`
	TLS      string        `name:"tls" help:"Where it hears them over TLS; of a test data directory." placeholder:"HOST:PORT"`
	Once     bool          `name:"once" help:"One round; the exit code is 1 unless everything is as it must be."`
	Every    time.Duration `name:"every" default:"1m" help:"From one round to the next."`
	Deadline time.Duration `name:"deadline" default:"5s" help:"An answer that takes longer is late."`
	JSON     bool          `name:"json" help:"One JSON object for each message."`
	Lang     string        `name:"lang" default:"en" help:"en or zh."`
}

// Help is shown by touchstone canary --help.
func (canaryCmd) Help() string {
	return `Messages from reserved terminals, each wrong in one way, one for each kind of proof, and two that are right, through
the real listener. The reason of each refusal is read in the journal. One that is approved, late, or refused for another reason
raises the event "authentication ineffective". No money can move: docs/operating/effectiveness.md. A host that runs a canary of
its own makes the round itself.

  touchstone canary --data DIR --once
  touchstone canary resume --data DIR --by NAME`
}

// canaryRoundQuery asks a host for a round of its own canary.
type canaryRoundQuery struct{}

// shownRound is a round on its way to a reader.
type shownRound struct {
	At       time.Time      `json:"at"`
	TookMS   int64          `json:"took_ms"`
	Findings []shownFinding `json:"findings"`
	None     bool           `json:"none,omitempty"` // the host has no canary of its own
}

type shownFinding struct {
	findingChange
	NotRun string `json:"not_run,omitempty"`
}

func (r *round) shown() shownRound {
	out := shownRound{At: r.at, TookMS: r.took.Milliseconds()}
	for i := range r.findings {
		out.Findings = append(out.Findings, shownFinding{*r.findings[i].change(), r.findings[i].notRun})
	}
	return out
}

// canaryRound makes a round now, if the host has a canary.
func (e *engine) canaryRound(ctx context.Context) shownRound {
	hand := e.canary.Load()
	if hand == nil {
		return shownRound{None: true}
	}
	return hand.round(ctx).shown()
}

// Run makes rounds until Ctrl-C, or one.
func (c *canaryTry) Run(a *app) error {
	show, err := newLines(a.stdout, c.Lang, isTerminal(a.stdout) && a.getenv("NO_COLOR") == "")
	if err != nil {
		return err
	}
	if c.Every < time.Second || c.Deadline < 10*time.Millisecond {
		return errors.New("--every: want 1s at least; --deadline: 10ms at least")
	}
	one, finish, err := c.rounds(a)
	if err != nil {
		return err
	}
	defer finish()
	for {
		r, err := one(a.ctx)
		if err != nil {
			return notCancelled(a.ctx, err)
		}
		if err := c.print(a, show, &r); err != nil {
			return err
		}
		if c.Once {
			if r.bad() > 0 {
				return exitError{1}
			}
			return nil
		}
		if !pause(a.ctx, c.Every) {
			return nil
		}
	}
}

// rounds finds who makes them: the running host's own canary, or this process.
func (c *canaryTry) rounds(a *app) (one func(context.Context) (shownRound, error), finish func(), err error) {
	asked := func(context.Context) (r shownRound, err error) {
		raw, running, err := ask(c.Data, change{CanaryRound: &canaryRoundQuery{}})
		if err == nil && !running {
			err = fmt.Errorf("no host runs on %s", c.Data)
		}
		if err == nil {
			err = json.Unmarshal(raw, &r)
		}
		return r, err
	}
	first, err := asked(a.ctx)
	if err != nil {
		return nil, nil, err
	}
	if !first.None {
		return func(ctx context.Context) (shownRound, error) {
			if first.Findings != nil {
				r := first
				first = shownRound{}
				return r, nil
			}
			return asked(ctx)
		}, func() {}, nil
	}
	set, err := canarySetOf(a, c.Data, c.File, c.TCP, c.TLS)
	if err != nil {
		return nil, nil, err
	}
	reader, err := sqlite.OpenReader(c.Data)
	if err != nil {
		return nil, nil, err
	}
	log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	hand := newCanary(set, reader, func(_ context.Context, f *findingChange) error {
		_, running, err := ask(c.Data, change{Finding: f})
		if err == nil && !running {
			err = fmt.Errorf("no host runs on %s", c.Data)
		}
		return err
	}, c.Deadline, log)
	if err := hand.recall(a.ctx); err != nil {
		return nil, nil, errors.Join(err, reader.Close())
	}
	return func(ctx context.Context) (shownRound, error) {
		r := hand.round(ctx)
		return r.shown(), ctx.Err()
	}, func() { _ = errors.Join(hand.close(), reader.Close()) }, nil
}

// canarySetOf is the canary of a file, or the published one of a test data directory.
func canarySetOf(a *app, data, file, host, secure string) (*canarySet, error) {
	state := filepath.Join(data, canaryState)
	if file != "" {
		return readCanaryFile(a, file, host, state)
	}
	if !isTestDirectory(data) {
		return nil, errors.New("no canary: name a --canary-file; docs/operating/effectiveness.md says what is in it")
	}
	if host == "" {
		host, secure = "127.0.0.1:8583", cmp.Or(secure, "127.0.0.1:8584")
	}
	return sampleCanarySet(host, secure, state), nil
}

func (r *shownRound) bad() (n int) {
	for i := range r.Findings {
		if f := &r.Findings[i]; !f.OK && f.NotRun == "" {
			n++
		}
	}
	return n
}

func (c *canaryTry) print(a *app, l *lines, r *shownRound) error {
	if c.JSON {
		enc := json.NewEncoder(a.stdout)
		for i := range r.Findings {
			if err := enc.Encode(&r.Findings[i]); err != nil {
				return err
			}
		}
		return nil
	}
	return l.round(r)
}

// round prints one round for a person.
func (l *lines) round(r *shownRound) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s%s%s%s\n", pad(l.two("message", "探测报文"), 22), pad(l.two("proof", "证明"), 28), pad(l.two("must be", "应为"), 28),
		pad(l.two("is", "实际"), 28), pad(l.two("ms", "毫秒"), -6))
	for i := range r.Findings {
		f := &r.Findings[i]
		is, mark := l.value(f.Got), "  "
		switch {
		case f.NotRun != "":
			is, mark = l.two("not run: ", "未执行: ")+l.value(f.NotRun), "- "
		case !f.OK:
			mark = "! "
		}
		name := f.Proof
		if words, ok := l.catalogue.Check(name); ok {
			name = words.In(l.lang)
			if f.Probe == string(terminal.ProbeWrongMAC) {
				name = "MAC: " + f.Algorithm
			}
		} else if name == "service" {
			name = l.two("service", "服务")
		}
		line := mark + pad(f.Probe, 20) + pad(name, 28) + pad(l.value(f.Expected), 28) + pad(is, 28) + pad(strconv.FormatInt(f.LatencyMS, 10), -6)
		if l.colour && mark == "! " {
			line = "\x1b[1;31m" + line + "\x1b[0m"
		}
		fmt.Fprintln(&b, strings.TrimRight(line, " "))
	}
	fmt.Fprintln(&b, l.roundLine(r))
	_, err := io.WriteString(l.w, b.String())
	return err
}

// roundLine is a round in one sentence.
func (l *lines) roundLine(r *shownRound) string {
	var refused, approved, bad, notRun int
	for i := range r.Findings {
		switch f := &r.Findings[i]; {
		case f.NotRun != "":
			notRun++
		case !f.OK:
			bad++
		case f.Expected == gotApproved:
			approved++
		default:
			refused++
		}
	}
	text := fmt.Sprintf(l.two("canary: %d known-bad messages refused, each for its reason; %d good ones approved", "探测: %d 条已知不良报文均按各自原因被拒绝; %d 条正常报文通过"), refused, approved)
	if bad > 0 {
		text = fmt.Sprintf(l.two("AUTHENTICATION INEFFECTIVE: %d not judged as they must be; %d judged rightly", "认证失效: %d 条报文的判定与应有结果不符; %d 条正确"), bad, refused+approved)
	}
	if notRun > 0 {
		text += fmt.Sprintf(l.two("; %d not run", "; %d 条未执行"), notRun)
	}
	return text + fmt.Sprintf(l.two(" (%.1f s)", " (%.1f 秒)"), float64(r.TookMS)/1000)
}

type canaryResume struct {
	actFlags
	By    string `name:"by" help:"Who lifts the stop, where --as does not say it."`
	Proof string `name:"proof" help:"The proof whose stop is lifted, as touchstone events names it; every one without."`
}

// Run lifts the stop.
func (c *canaryResume) Run(a *app) error {
	if c.By == "" && c.As == "" {
		return errors.New("who lifts the stop? --as NAME, or --by NAME where there are no accounts")
	}
	return c.make(a, change{Resume: &resumeChange{c.By, c.Proof}})
}

// canaryFlags are the built-in canary's flags of a host.
type canaryFlags struct {
	Canary         string        `name:"canary" default:"auto" enum:"auto,on,off" help:"Known-bad messages of its own: auto is on with a canary-file and in the demonstration."`
	CanaryFile     string        `name:"canary-file" help:"TOML file that names the reserved terminals." placeholder:"FILE"`
	CanaryEvery    time.Duration `name:"canary-every" default:"1m" help:"From one round to the next."`
	CanaryDeadline time.Duration `name:"canary-deadline" default:"5s" help:"An answer to the canary that takes longer is late."`
	OnIneffective  string        `name:"on-ineffective" default:"alarm" enum:"alarm,stop" help:"When a proof no longer proves: alarm, or stop the sales that rest on it too."`
}

func (f *canaryFlags) check() error {
	if f.CanaryEvery < time.Second {
		return fmt.Errorf("canary-every: %s is under 1s", f.CanaryEvery)
	}
	if f.CanaryDeadline < 10*time.Millisecond {
		return fmt.Errorf("canary-deadline: %s is under 10ms", f.CanaryDeadline)
	}
	return nil
}

// start runs the host's own canary against its listeners, the second of which may be nil, until ctx ends;
// wait returns when it has. told is given every round.
func (f *canaryFlags) start(ctx context.Context, a *app, e *engine, ln, secure net.Listener, auto bool, told func(*round)) (wait func(), err error) {
	if f.Canary == "off" || (f.Canary == "auto" && !auto && f.CanaryFile == "") {
		return func() {}, nil
	}
	tls := ""
	if secure != nil {
		tls = secure.Addr().String()
	}
	set, err := canarySetOf(a, e.dir, f.CanaryFile, ln.Addr().String(), tls)
	if err != nil {
		return nil, err
	}
	if _, err := e.ledger.Terminal(set.members(roleMain)[0].id); err != nil {
		return nil, fmt.Errorf("canary: %w", err)
	}
	hand := newCanary(set, e.store.Reader, func(ctx context.Context, c *findingChange) error {
		_, err := e.finding(ctx, c)
		return err
	}, f.CanaryDeadline, e.log)
	hand.head = e.durable
	e.canary.Store(hand)
	var all sync.WaitGroup
	all.Go(func() {
		if pause(ctx, canaryFirst) {
			hand.run(ctx, f.CanaryEvery, told)
		}
		if err := hand.close(); err != nil {
			e.log.Warn("canary terminals did not close", slog.String("error", err.Error()))
		}
	})
	return all.Wait, nil
}
