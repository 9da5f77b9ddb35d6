package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"touchstone/terminal"
	"touchstone/terminal/load"
)

// terminalTop is the reference terminal, and many of them.
type terminalTop struct {
	Act      terminalCmd         `cmd:"" default:"withargs" help:"One terminal: do actions in order, or misbehave; the word act may be left out. Its flags: touchstone terminal act --help"`
	Update   terminalUpdate      `cmd:"" help:"Fetch, verify and install the application that is released for this terminal."`
	Health   healthCmd           `cmd:"" help:"Send a signed health report over HTTPS: versions, scanner, tamper word, networks."`
	Load     loadCmd             `cmd:"" help:"Many terminals: measure how fast a host on this machine answers."`
	Password terminalPasswordCmd `cmd:"" help:"The passwords of operators and administrator."`
}

// Help is shown by touchstone terminal --help.
func (terminalTop) Help() string { return terminalCmd{}.Help() }

// loadCmd is the load generator.
type loadCmd struct {
	Host        string        `help:"Host to load, a loopback address and a port. Default: 127.0.0.1:8583." default:"127.0.0.1:8583" placeholder:"ADDR"`
	Terminals   int           `help:"Terminals in all." default:"10000"`
	Mix         string        `help:"Shares of the kinds ecb (UnionPay ECB, DES), sm4 and x9.19. Default: ecb=80,sm4=20." default:"ecb=80,sm4=20" placeholder:"KIND=SHARE,..."`
	PIN         bool          `name:"pin" help:"Sales carry a PIN." default:"true" negatable:""`
	Connections int           `help:"Connections; each has its own terminals." default:"256"`
	Pipeline    int           `help:"Sales in flight on one connection." default:"1"`
	Rate        float64       `help:"Sales a second at a fixed rate. Default: closed loop, the next sale when the last was answered." placeholder:"N"`
	Duration    time.Duration `help:"How long to measure." default:"60s"`
	Warmup      time.Duration `help:"How long to sell before that." default:"2s"`
	TLSCA       string        `name:"tls-ca" help:"Speak TLS with a host whose certificate an authority of this file, in PEM, has made." placeholder:"FILE"`
	HostPID     int           `name:"host-pid" help:"The host's process: its CPU time for one sale is told too." placeholder:"PID"`
	WrongMAC    float64       `name:"wrong-mac" help:"Percent of the sales with a wrong MAC, which must be answered A0." placeholder:"PERCENT"`
	Turn        time.Duration `help:"With --wrong-mac: as long without wrong MACs, as long with them, in turns; --json tells each turn." placeholder:"5s"`
	Check       string        `help:"Data directory of the host: count the approved sales in its journal afterwards." placeholder:"DIR"`
	Picture     string        `help:"Draw the percentiles into a file." placeholder:"FILE.svg"`
	JSON        bool          `name:"json" help:"The result as JSON."`
	Lang        string        `help:"Language." enum:"en,zh" default:"en"`
	Goroutines  bool          `help:"A goroutine a connection in place of one loop for all."`
}

// Help is shown by touchstone terminal load --help.
func (loadCmd) Help() string {
	return `Load terminals and their keys are published and follow from their numbers: register them in a test data directory, and the
generator needs to know only how many there are. It signs all of them in, sells, and stops by itself; Ctrl-C ends it with what
there is. Load goes to loopback addresses only.

  touchstone init --test --data .cache/load --load-terminals ecb=8000,sm4=2000
  touchstone serve --data .cache/load
  touchstone terminal load                                  as fast as the host answers, 256 connections
  touchstone terminal load --rate 20000 --picture load.svg  20,000 a second, latency from the scheduled time
  touchstone terminal load --connections 1 --terminals 1    the time of one sale
  touchstone terminal load --wrong-mac 1                    one sale in a hundred is a forgery
  touchstone terminal load --check .cache/load              afterwards: does the journal hold every approved sale?

The exit code is 1 when a sale was refused or had no answer, or the journal disagrees.`
}

// Run loads a host and tells what came of it.
func (c *loadCmd) Run(a *app) error {
	if c.Picture != "" && !strings.HasSuffix(c.Picture, ".svg") {
		return fmt.Errorf("--picture: want a name that ends with .svg")
	}
	weights, err := parseShares(c.Mix)
	if err != nil {
		return fmt.Errorf("--mix: %w", err)
	}
	if c.Terminals < 1 || c.Terminals > loadKinds {
		return fmt.Errorf("--terminals: want 1 to %d", loadKinds)
	}
	shares, err := divide(c.Terminals, weights)
	if err != nil {
		return fmt.Errorf("--mix: %w", err)
	}
	crew, err := loadCrew(shares)
	if err != nil {
		return err
	}
	if !c.PIN {
		for i := range crew {
			crew[i].Card.PIN.Wipe()
		}
	}
	var check *journalCount
	if c.Check != "" {
		if check, err = openJournalCount(a.ctx, c.Check, crew); err != nil {
			return fmt.Errorf("--check: %w", err)
		}
		defer check.close()
	}
	result, err := c.load(a, crew)
	if err != nil {
		return explainLoad(err)
	}
	return c.tell(a, result, check)
}

func (c *loadCmd) load(a *app, crew []load.Member) (*load.Result, error) {
	var dial func(context.Context, string) (net.Conn, error)
	if c.TLSCA != "" {
		ca, err := readTerminalFile(a, c.TLSCA)
		if err != nil {
			return nil, fmt.Errorf("--tls-ca: %w", err)
		}
		if dial, err = load.TLS(ca); err != nil {
			return nil, fmt.Errorf("--tls-ca: %w", err)
		}
	}
	show := &loadProgress{w: a.stderr, lang: terminal.Language(c.Lang), live: isTerminal(a.stderr)}
	defer show.end()
	return load.Run(a.ctx, load.Options{Address: c.Host, Crew: crew, Connections: c.Connections, Pipeline: c.Pipeline, Rate: c.Rate,
		Warmup: c.Warmup, Duration: c.Duration, Goroutines: c.Goroutines, HostPID: c.HostPID, WrongMAC: c.WrongMAC, Turn: c.Turn, Dial: dial, OnProgress: show.progress})
}

// explainLoad adds what to do about an error that a reader of --help makes first.
func explainLoad(err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("ended before anything was measured")
	}
	if errors.Is(err, load.ErrRefused) {
		return fmt.Errorf("%w\nAre as many load terminals registered? touchstone init --test --data DIR --load-terminals ecb=N,sm4=N,x9.19=N", err)
	}
	return err
}

// tell writes the result and compares it with the journal.
func (c *loadCmd) tell(a *app, r *load.Result, check *journalCount) error {
	lang := terminal.Language(c.Lang)
	if c.Picture != "" {
		f, err := os.Create(c.Picture)
		if err != nil {
			return err
		}
		if err := errors.Join(r.WriteSVG(f, lang), f.Close()); err != nil {
			return err
		}
	}
	var found *journalFound
	if check != nil {
		var err error
		// The run may have been told to end; the count is not.
		if found, err = check.count(a.ctx); err != nil {
			return fmt.Errorf("--check: %w", err)
		}
	}
	if c.JSON {
		if err := writeLoadJSON(a.stdout, r, found); err != nil {
			return err
		}
	} else if err := c.write(a.stdout, r, found); err != nil {
		return err
	}
	if !r.Clean() || found != nil && !found.agrees(r) {
		return exitError{1}
	}
	return nil
}

func (c *loadCmd) write(w io.Writer, r *load.Result, found *journalFound) error {
	lang := terminal.Language(c.Lang)
	if err := r.WriteText(w, lang); err != nil {
		return err
	}
	if c.Picture != "" {
		fmt.Fprintf(w, "\n%s %s\n", terminal.Words{EN: "picture:", ZH: "图:"}.In(lang), c.Picture)
	}
	if found == nil {
		return nil
	}
	_, err := fmt.Fprintf(w, "\n%s\n", found.words(r).In(lang))
	return err
}

// loadProgress shows how far a run is: one line that is drawn anew on a screen, else a line every few
// seconds.
type loadProgress struct {
	w     io.Writer
	lang  terminal.Language
	live  bool
	drawn bool
	last  time.Time
	part  load.Part
}

// plainEvery is how often progress is told where it is not a screen.
const plainEvery = 5 * time.Second

func (p *loadProgress) progress(now load.Progress) {
	text := p.words(now)
	if p.live {
		fmt.Fprintf(p.w, "\r\x1b[K%s", terminal.Fit(text, screenColumns(p.w)-1))
		p.drawn = true
		return
	}
	last := now.Part == load.Preparing && now.Done == now.Of
	if now.Part == p.part && time.Since(p.last) < plainEvery && !last {
		return
	}
	p.part, p.last = now.Part, time.Now()
	fmt.Fprintln(p.w, text)
}

func screenColumns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 20 {
			return n
		}
	}
	return 80
}

// end leaves the line that was drawn last.
func (p *loadProgress) end() {
	if p.drawn {
		fmt.Fprintln(p.w)
	}
}

func (p *loadProgress) words(now load.Progress) string {
	two := func(en, zh string) string { return terminal.Words{EN: en, ZH: zh}.In(p.lang) }
	if now.Part == load.Preparing {
		return fmt.Sprintf("%s %s %d/%d", two("signing in ", "签到"), progressBar(float64(now.Done)/float64(now.Of)), now.Done, now.Of)
	}
	name := two("warming up ", "预热")
	if now.Part == load.Measuring {
		name = two("measuring  ", "计量")
	}
	done := 1.0
	if now.Length > 0 {
		done = float64(now.Elapsed) / float64(now.Length)
	}
	return fmt.Sprintf("%s %s %.0f/%.0f s  %s/s  p50 %s  p99 %s ms  %s %s", name, progressBar(done), now.Elapsed.Seconds(), now.Length.Seconds(),
		load.Thousands(uint64(now.Rate)), load.Milliseconds(now.Recent.P50), load.Milliseconds(now.Recent.P99), two("failed", "失败"), load.Thousands(now.Refused))
}

// progressBar is 20 columns.
func progressBar(done float64) string {
	const columns = 20
	n := int(min(max(done, 0), 1) * columns)
	return "[" + strings.Repeat("#", n) + strings.Repeat("-", columns-n) + "]"
}
