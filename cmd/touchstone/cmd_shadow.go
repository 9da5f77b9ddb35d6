package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"touchstone/capture"
	"touchstone/explain"
	"touchstone/hsm/soft"
	"touchstone/pos"
	"touchstone/proof"
)

// shadowCmd judges mirrored traffic and answers nothing.
type shadowCmd struct {
	Source         string `arg:"" optional:"" help:"Capture, pcap or pcapng; - for standard input." placeholder:"FILE|-"`
	Interface      string `name:"interface" help:"Read a network interface of this machine instead; needs CAP_NET_RAW." placeholder:"NAME"`
	Follow         bool   `name:"follow" short:"f" help:"FILE grows: go on at its end until Ctrl-C."`
	Data           string `name:"data" default:"touchstone-data/demo" help:"Data directory whose register and keys judge; it is only read." placeholder:"DIR"`
	PassphraseFile string `name:"passphrase-file" help:"File that holds the passphrase of the keyring." placeholder:"FILE"`
	IdentityFile   string `name:"identity-file" help:"age identity that opens the keyring." placeholder:"FILE"`
	Port           uint16 `name:"port" help:"Port of the host. Default: any, messages are found by their form." placeholder:"N"`
	All            bool   `name:"all" help:"Tell every message, not only those that would be decided otherwise."`
	TimeZone       string `name:"time-zone" help:"Time zone of the host's DE12 and DE13." default:"Asia/Shanghai"`
	JSON           bool   `name:"json" help:"One JSON object a line; the last is the summary."`
	Lang           string `name:"lang" default:"en" help:"en or zh."`
	shadowPolicy
}

// shadowPolicy is the policy that is tried, by the flags of serve.
type shadowPolicy struct {
	SignInLifetime time.Duration `name:"sign-in-lifetime" help:"How long a sign-in is valid." default:"24h"`
	RepeatWindow   time.Duration `name:"repeat-window" help:"How long a repeated request gets the recorded answer." default:"180s"`
	AllowSingleDES bool          `name:"allow-single-des" help:"Accept single-DES keys (sign-in code 001). Always in a test data directory."`
	RefuseWeakMAC  bool          `name:"refuse-weak-mac" help:"Refuse messages whose MAC algorithm is graded weak."`
	RefusePlace    bool          `name:"refuse-place" help:"Refuse a terminal outside its registered circle."`
	PlaceMetres    uint32        `name:"place-metres" help:"Uncertainty of a reported place." default:"500"`
	RefuseTail     bool          `name:"refuse-sequence" help:"Refuse a sign-in whose DE62 disagrees with the registered serial number."`
}

func (f *shadowPolicy) policy(test bool) proof.Policy {
	p := proof.DefaultPolicy()
	p.SignInLifetime, p.RepeatWindow = f.SignInLifetime, f.RepeatWindow
	p.AllowSingleDES = f.AllowSingleDES || test
	p.RefuseWeakMAC, p.RefusePlace, p.PlaceMetres, p.RefuseTail = f.RefuseWeakMAC, f.RefusePlace, f.PlaceMetres, f.RefuseTail
	return p
}

// Help is shown by touchstone shadow --help.
func (shadowCmd) Help() string {
	return `Reads a copy of the traffic between terminals and their host, judges every request by a data directory's register and keys, and
tells where this host would have decided otherwise. It answers nothing and sends nothing to any network. A host may run on the
data directory, which is only read, once, at the start; what follows is taken from the traffic: sign-ins, batches, traces.

  tcpdump -i eth1 -U -w - tcp port 8583 | touchstone shadow - --data shop        a mirror port
  touchstone shadow --interface lo --data touchstone-data/demo                   this machine's own loopback
  touchstone shadow growing.pcap --follow --data shop --refuse-weak-mac          what would that policy refuse?
  touchstone shadow yesterday.pcap --data shop --json | tail -1                  the summary alone

It ends at the end of the input or at Ctrl-C, with a summary. The exit code is 0 whatever it would have refused.`
}

// Run reads until the end.
func (c *shadowCmd) Run(a *app) error {
	lang, err := explain.ParseLanguage(c.Lang)
	if err != nil {
		return fmt.Errorf("--lang: %w", err)
	}
	if (c.Source == "") == (c.Interface == "") {
		return errors.New("say what to read: a capture, - for standard input, or --interface NAME")
	}
	lock := soft.Lock{PassphraseFile: c.PassphraseFile, IdentityFile: c.IdentityFile}
	test := isTestDirectory(c.Data)
	if test && c.PassphraseFile == "" && c.IdentityFile == "" {
		lock = testLock(c.Data)
	}
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return fmt.Errorf("--time-zone: %w", err)
	}
	world, err := openMirror(a.ctx, mirrorOptions{dir: c.Data, lock: lock, policy: c.policy(test), zone: zone})
	if err != nil {
		return err
	}
	defer world.close()
	text, err := newCaptureText(a.stdout, lang)
	if err != nil {
		return err
	}
	s := &shadow{world: world, text: text, all: c.All, total: shadowTotals{Reasons: map[string]*shadowCount{}}}
	if c.JSON {
		s.json = json.NewEncoder(a.stdout)
	}
	t := capture.NewTracker(capture.Options{Port: c.Port, Frames: true, OnPair: func(p *capture.Pair) error { return s.pair(context.WithoutCancel(a.ctx), p) }})
	world.since = func() pos.Instant { return t.Stats().First }
	err = c.read(a, t)
	stats, told := t.Close()
	if errors.Is(err, capture.ErrTorn) || a.ctx.Err() != nil {
		s.total.Torn, err = errors.Is(err, capture.ErrTorn), nil
	}
	if err = errors.Join(err, told); err != nil {
		return explainCapture(c.Source+c.Interface, err)
	}
	s.total.Seen = stats
	return s.end()
}

// read gives the tracker what was asked for.
func (c *shadowCmd) read(a *app, t *capture.Tracker) error {
	if c.Interface != "" {
		return t.ReadInterface(a.ctx, c.Interface)
	}
	in, _, err := openCapture(a, c.Source)
	if err != nil {
		return err
	}
	defer in.Close()
	switch f, file := in.(*os.File); {
	case c.Follow && file:
		return t.Read(a.ctx, &growing{a.ctx, f})
	case c.Follow:
		return errors.New("--follow: want a file; standard input is followed anyway")
	}
	if c.Source == "-" {
		r, w := io.Pipe()
		// A read of standard input cannot be ended from here. The goroutine ends with its input, or with the process, which
		// follows at once.
		go func() {
			_, err := io.Copy(w, in)
			w.CloseWithError(err)
		}()
		defer context.AfterFunc(a.ctx, func() { r.CloseWithError(a.ctx.Err()) })()
		return t.Read(a.ctx, r)
	}
	return t.Read(a.ctx, in)
}

// growing is a file that somebody writes to: at its end it waits for more until the context ends.
type growing struct {
	ctx context.Context
	f   *os.File
}

// Read implements io.Reader.
func (g *growing) Read(b []byte) (int, error) {
	for {
		n, err := g.f.Read(b)
		if n > 0 || err != io.EOF {
			return n, err
		}
		select {
		case <-g.ctx.Done():
			return 0, io.EOF
		case <-time.After(followEvery):
		}
	}
}
