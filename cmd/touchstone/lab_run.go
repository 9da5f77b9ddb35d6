package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pelletier/go-toml/v2"

	"touchstone/authority"
	"touchstone/journal"
	"touchstone/lab"
	"touchstone/lab/inspect"
	"touchstone/lab/probe"
	"touchstone/pos"
	"touchstone/sqlite"
	"touchstone/terminal"
)

// labInputs is everything that a run is given, read once.
type labInputs struct {
	subject lab.Subject
	path    string // absolute, of the subject's file
	digest  string // SHA-256 of all of it
	pack    []byte // nil: none
	trusted inspect.Keys
	pts     *lab.PTSList
	licence *lab.LicenceList
}

// readLabInputs reads a subject's file and what it names.
func readLabInputs(path string) (in labInputs, err error) {
	if in.path, err = filepath.Abs(path); err != nil {
		return in, err
	}
	all := sha256.New()
	read := func(name string, most int64) ([]byte, error) {
		if name == "" {
			return nil, nil
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(in.path), name)
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		content, err := io.ReadAll(io.LimitReader(f, most+1))
		if err == nil && int64(len(content)) > most {
			err = fmt.Errorf("%s: more than %d bytes", name, most)
		}
		fmt.Fprintf(all, "%s %d %x\n", filepath.Base(name), len(content), sha256.Sum256(content))
		return content, err
	}
	text, err := read(in.path, maxSecretFile*4)
	if err != nil {
		return in, err
	}
	var f subjectFile
	if err := toml.Unmarshal(text, &f); err != nil {
		return in, fmt.Errorf("%s: not the TOML of a subject; touchstone lab sample-package makes one to look at", path)
	}
	in.subject = lab.Subject{Maker: f.Maker, Model: f.Model, Hardware: f.Hardware, Firmware: f.Firmware, Application: f.Application, HardwarePattern: f.HardwarePattern,
		FirmwarePattern: f.FirmwarePattern, ApplicationPattern: f.ApplicationPattern, Class: f.Class, Licence: f.Licence, Delta: f.Delta}
	var keys, pts, licences []byte
	for _, x := range []struct {
		to   *[]byte
		name string
		most int64
	}{{&in.pack, f.Package, inspect.MaxArchive}, {&keys, f.MakerKeys, 1 << 20}, {&pts, f.PTSList, lab.MaxList}, {&licences, f.LicenceList, lab.MaxList}} {
		if *x.to, err = read(x.name, x.most); err != nil {
			return in, err
		}
	}
	if in.pack != nil {
		sum := sha256.Sum256(in.pack)
		in.subject.PackageDigest = hex.EncodeToString(sum[:])
	}
	if keys != nil {
		if in.trusted, err = inspect.ParseKeys(keys); err != nil {
			return in, err
		}
	}
	if pts != nil {
		if in.pts, err = lab.ParsePTSList(pts); err != nil {
			return in, err
		}
	}
	if licences != nil {
		if in.licence, err = lab.ParseLicenceList(licences); err != nil {
			return in, err
		}
	}
	in.digest = hex.EncodeToString(all.Sum(nil))
	return in, in.subject.Check()
}

// toolOf is this program: its version and the SHA-256 of its file.
func toolOf() (lab.Tool, error) {
	path, err := os.Executable()
	if err != nil {
		return lab.Tool{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return lab.Tool{}, err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return lab.Tool{}, err
	}
	return lab.Tool{Version: version(), Digest: hex.EncodeToString(sum.Sum(nil))}, nil
}

// labHand does the checks of a run.
type labHand struct {
	in      labInputs
	profile *lab.Profile
	rig     *probe.Rig
	now     func() time.Time
}

// do does one check and returns what was found, with its transcript.
func (h *labHand) do(ctx context.Context, k *lab.ProfileCheck) (out probe.Outcome, err error) {
	if k.Active && h.rig != nil {
		return probe.Run(ctx, h.rig, k.Check)
	}
	out.Start = h.now()
	if k.Active {
		out.Result = lab.Result{Verdict: lab.NotTested, Detail: lab.Text{EN: "this host has no reserved terminal to send with", ZH: "本主机没有可用于发送的预留终端"}}
	} else {
		out.Result, err = h.still(k.Check)
	}
	out.End = h.now()
	out.Transcript = fmt.Appendf(nil, "check %s version %d\ninputs sha256 %s\nverdict %s\n%s\n%s\n", k.Check, k.Version, h.in.digest, out.Verdict, out.Detail.EN, out.Detail.ZH)
	return out, err
}

// errLabCheck is returned for a check that this program has not.
var errLabCheck = errors.New("laboratory: no such check")

// still does a check that touches nothing but its inputs.
func (h *labHand) still(name string) (lab.Result, error) {
	now := pos.Instant(h.now().UnixNano())
	lacks := func(en, zh string) (lab.Result, error) {
		return lab.Result{Verdict: lab.NotTested, Detail: lab.Text{EN: "the subject's file names no " + en, ZH: "检测对象文件未给出" + zh}}, nil
	}
	switch name {
	case "pts-listing":
		if h.in.pts == nil {
			return lacks("pts_list", " pts_list")
		}
		return lab.CheckPTS(h.in.pts, &h.in.subject, now), nil
	case "unionpay-licence":
		if h.in.licence == nil {
			return lacks("licence_list", " licence_list")
		}
		return lab.CheckLicence(h.in.licence, &h.in.subject, now), nil
	}
	if h.in.pack == nil {
		return lacks("package", " package")
	}
	p, err := inspect.Open(h.in.pack)
	if err != nil {
		return lab.Result{Verdict: lab.Fail, Detail: lab.Text{EN: "the package cannot be opened: " + err.Error(), ZH: "软件包无法打开: " + err.Error()}}, nil
	}
	switch name {
	case "package-signature":
		r := p.Signature(h.in.trusted)
		if m := p.Manifest; r.Verdict == lab.Pass && (m.Model != h.in.subject.Model || m.Application != h.in.subject.Application || m.Maker != h.in.subject.Maker) {
			return lab.Result{Verdict: lab.Fail, Detail: lab.Text{EN: "the signed manifest is of another maker, model or version", ZH: "已签名清单属于另一厂商、型号或版本"}}, nil
		}
		return r, nil
	case "signature-strength":
		return p.Strength(h.in.trusted), nil
	case "sbom":
		return p.SBOM(), nil
	case "secrets":
		return p.Secrets(), nil
	}
	return lab.Result{}, fmt.Errorf("%w: %.40q", errLabCheck, name)
}

// labScopeGate lets one message after the other go, at the scope's pace, while the scope is in force.
type labScopeGate struct {
	ask func() (*lab.Scope, error) // the scope as it is now
	now func() time.Time

	mu    sync.Mutex // guards the fields below
	scope *lab.Scope
	asked time.Time
	next  time.Time
}

// askEvery is how soon a stop on request ends the probes.
const askEvery = 500 * time.Millisecond

// errScope is returned when a probe may not go on.
var errScope = errors.New("the run stops here: continue it with touchstone lab resume")

// pass waits for a message's turn.
func (g *labScopeGate) pass(ctx context.Context, target string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if g.scope == nil || now.Sub(g.asked) > askEvery {
		scope, err := g.ask()
		if err != nil {
			return err
		}
		g.scope, g.asked = scope, now
	}
	if why := g.scope.Allows(target, pos.Instant(now.UnixNano())); why != "" {
		return fmt.Errorf("%s; %w", why, errScope)
	}
	if wait := g.next.Sub(now); wait > 0 && !pause(ctx, wait) {
		return ctx.Err()
	}
	g.next = g.now().Add(time.Second / time.Duration(g.scope.Rate))
	return ctx.Err()
}

// labJournal finds the host's own record of a message in its journal.
type labJournal struct{ *sqlite.Reader }

var _ probe.Journal = labJournal{}

// Head is the newest durable entry.
func (j labJournal) Head(ctx context.Context) (uint64, error) {
	last, _, err := j.Reader.Head(ctx)
	return last, err
}

// labLook is how long the first entry of a message is looked for.
const labLook = 2 * time.Second

// Find lists the judged messages of a terminal and trace after an entry.
func (j labJournal) Find(ctx context.Context, after uint64, id pos.TerminalID, trace pos.STAN) (seen []probe.Seen, err error) {
	until := time.Now().Add(labLook)
	for {
		next := after + 1
		err = eachEntry(ctx, j.Reader, &next, func(e journal.Entry) error {
			var x journal.Exchange
			if e.Kind != journal.KindExchange || x.Parse(e) != nil || x.Terminal != id || x.STAN != trace {
				return nil
			}
			seen = append(seen, seenOf(e.Seq, &x))
			return nil
		})
		if err != nil || len(seen) > 0 || time.Now().After(until) || !pause(ctx, 10*time.Millisecond) {
			return seen, errors.Join(err, ctx.Err())
		}
	}
}

// labRig is the laboratory's rig against a host. file names its terminal outside a test data directory.
func labRig(a *app, data, file string, run *lab.Run, gate *labScopeGate, reader *sqlite.Reader, ca []byte) (*probe.Rig, error) {
	load, card, err := labTerminalOf(a, data, file)
	if err != nil {
		return nil, err
	}
	first := load()
	defer func() { first.TMK.Wipe(); first.SerialKey.Wipe() }()
	rig := &probe.Rig{TCP: run.TCP, TLS: run.TLS, From: first.From, ID: first.Terminal, CA: ca, Card: card, Journal: labJournal{reader}, Gate: gate.pass, Now: time.Now}
	if first.Location != nil {
		rig.Place = *first.Location
	}
	rig.Terminal = func(place *terminal.Location) (*terminal.Terminal, error) {
		cfg := load()
		cfg.Host, cfg.Location, cfg.StateDir = run.TCP, place, filepath.Join(data, labState)
		cfg.Timeout, cfg.DialTimeout, cfg.Screen = canaryDeadline, canaryDeadline, nil
		t, err := terminal.Open(cfg)
		if err != nil {
			return nil, fmt.Errorf("the laboratory's terminal: %w", err)
		}
		if err := t.SkipTraces(labSkips); err != nil {
			return nil, errors.Join(err, t.Close())
		}
		return t, nil
	}
	return rig, nil
}

// labState is the directory, in the data directory, of the laboratory's terminals; labSkips is more traces than one
// check uses: probes do not write theirs down.
const (
	labState = "laboratory"
	labSkips = 100
)

// labTerminalOf is the reserved terminal: the published one of a test data directory, or that of a TOML file.
func labTerminalOf(a *app, data, file string) (load func() terminal.Config, card func() (terminal.Card, error), err error) {
	if file == "" {
		if !isTestDirectory(data) {
			return nil, nil, errors.New("name the reserved terminal's file with --terminal-file: one that moves no money; see docs/operating/laboratory.md")
		}
		return func() terminal.Config {
			cfg := sampleLab().config()
			cfg.From, cfg.Location, cfg.SealTrack = labFrom, &labPlace, true
			cfg.FaultTerminal, cfg.FaultMerchant = sampleID(canaryUnregistered), sampleMerchant(canaryOtherShop)
			return cfg
		}, func() (terminal.Card, error) { return cardOf(labCard()) }, nil
	}
	setup, err := (&terminalCmd{Config: file, Lang: "en"}).load(a)
	if err != nil {
		return nil, nil, err
	}
	setup.config.TMK.Wipe()
	setup.config.SerialKey.Wipe()
	setup.card.Wipe()
	return func() terminal.Config {
			s, _ := (&terminalCmd{Config: file, Lang: "en"}).load(a) // read once already; what cannot be read now does not open
			s.card.Wipe()
			return s.config
		}, func() (terminal.Card, error) {
			s, err := (&terminalCmd{Config: file, Lang: "en"}).load(a)
			s.config.TMK.Wipe()
			s.config.SerialKey.Wipe()
			return s.card, err
		}, nil
}

// labRoots are the authorities of the endpoint's certificate: a file, or the published one of a test data
// directory.
func labRoots(data, file string) ([]byte, error) {
	if file != "" {
		return os.ReadFile(file)
	}
	if isTestDirectory(data) {
		return authority.PEM(publishedRoot().Raw), nil
	}
	return nil, errors.New("name the authority of the endpoint's certificate with --ca FILE: touchstone device certificate ca --data DIR > ca.pem")
}

// checkLoopback refuses to attack anything but this machine from a test data directory.
func checkLoopback(data string, targets ...string) error {
	if !isTestDirectory(data) {
		return nil
	}
	for _, t := range targets {
		host, _, err := net.SplitHostPort(t)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			return fmt.Errorf("%s: a test data directory's laboratory probes loopback addresses only, such as 127.0.0.1:8583", t)
		}
	}
	return nil
}
