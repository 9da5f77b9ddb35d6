package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"touchstone/lab"
	"touchstone/lab/inspect"
	"touchstone/web/api"
)

// labFlags are the flags, and configuration keys, of runs that this host carries out by itself.
type labFlags struct {
	LabTerminal string   `name:"lab-terminal" help:"Reserved terminal of the laboratory, the form of touchstone terminal --config; registered with --canary. Runs from the console send by it." placeholder:"FILE"`
	LabCA       string   `name:"lab-ca" help:"Authority of the endpoint's certificate, PEM." placeholder:"FILE"`
	LabTarget   []string `name:"lab-target" help:"Address under which runs from the console may reach this host, plain or TLS; else its own listeners alone. May be given again." placeholder:"ADDRESS:PORT"`
}

// labHost is what this host's own runs use. Nobody who asks by HTTP names any of it.
type labHost struct {
	terminal, ca string
	targets      []string
}

// host reads the flags; what cannot be used is refused at the start.
func (f *labFlags) host(test bool) (labHost, error) {
	h := labHost{terminal: f.LabTerminal, ca: f.LabCA, targets: f.LabTarget}
	for _, t := range f.LabTarget {
		if ap, err := netip.ParseAddrPort(t); err != nil || ap.Port() == 0 || ap.Addr().IsUnspecified() || ap.Addr().IsMulticast() {
			return labHost{}, fmt.Errorf("lab-target: %.60q: want an address and a port, such as 10.0.0.5:8583; a name could come to stand for another machine", t)
		}
	}
	if (f.LabTerminal == "") != (f.LabCA == "") && !test {
		return labHost{}, errors.New("lab-terminal and lab-ca go together")
	}
	for key, path := range map[string]string{"lab-terminal": f.LabTerminal, "lab-ca": f.LabCA} {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			return labHost{}, fmt.Errorf("%s: %w", key, err)
		}
	}
	return h, nil
}

// hears notes where this host's own listeners are, for who named no target.
func (h *labHost) hears(listeners ...net.Listener) {
	if len(h.targets) > 0 {
		return
	}
	for _, ln := range listeners {
		if ln == nil {
			continue
		}
		ap, err := netip.ParseAddrPort(ln.Addr().String())
		if err != nil {
			continue
		}
		if ap.Addr().IsUnspecified() { // heard at every address of this machine: reached at its own
			local := netip.IPv6Loopback()
			if ap.Addr().Is4() {
				local = netip.AddrFrom4([4]byte{127, 0, 0, 1})
			}
			ap = netip.AddrPortFrom(local, ap.Port())
		}
		h.targets = append(h.targets, ap.String())
	}
}

// probes tells whether runs from here send messages: there is a reserved terminal whose keys this process may use.
func (e *engine) probesHere() bool { return e.test || e.bench.host.terminal != "" }

// errTarget is of an address that this host's runs do not dial.
var errTarget = errors.New("this host examines itself alone, at its own listeners or at what lab-target names: examine others with touchstone lab run")

// mayDial tells whether runs from here may reach the targets: by their text as it was configured, so that who signs a
// scope cannot have this host dial anything else.
func (e *engine) mayDial(targets ...string) error {
	for _, t := range targets {
		if !slices.Contains(e.bench.host.targets, t) {
			return fmt.Errorf("%.60s: %w", t, errTarget)
		}
	}
	return checkLoopback(e.dir, targets...)
}

// reservedTerminal looks at the terminal of the laboratory before the first message: it moves no money.
func (e *engine) reservedTerminal(ctx context.Context) error {
	load, _, err := labTerminalOf(&app{ctx: ctx, stdout: io.Discard}, e.dir, e.bench.host.terminal)
	if err != nil {
		return fmt.Errorf("lab-terminal: %w", err)
	}
	cfg := load()
	cfg.TMK.Wipe()
	cfg.SerialKey.Wipe()
	known, err := e.ledger.Terminal(cfg.Terminal)
	if err != nil || !known.Canary {
		return fmt.Errorf("lab-terminal: %s is no reserved terminal of this register: register it with --canary, so that a probe moves no money", cfg.Terminal)
	}
	return nil
}

// labExamine is a run on what was uploaded, which this host carries out.
type labExamine struct {
	Scope       string `json:"scope" doc:"A scope in force whose targets are this host's: plain, then TLS." example:"SCP-1"`
	Subject     string `json:"subject_file" file:"upload" doc:"The subject's TOML, uploaded before. What files it names is not looked at."`
	Package     string `json:"package_file,omitempty" file:"upload" doc:"The software package, ZIP."`
	MakerKeys   string `json:"maker_keys_file,omitempty" file:"upload" doc:"The maker's public keys, PEM."`
	PTSList     string `json:"pts_list_file,omitempty" file:"upload" doc:"Snapshot of PCI's approvals, JSON."`
	LicenceList string `json:"licence_list_file,omitempty" file:"upload" doc:"Snapshot of UnionPay's licences, JSON."`
}

// examineSent begins a run on uploads and has it carried out.
func (e *engine) examineSent(ctx context.Context, c *change) (changed, error) {
	if c.caller == nil {
		return changed{}, errors.New("from the command line: touchstone lab run SUBJECT --scope SCP")
	}
	x := c.Lab.Examine
	order := api.ExamineOrder{Scope: x.Scope, Files: map[string]api.LabUpload{}}
	for member, sent := range map[string]struct {
		path string
		most int64
	}{"subject": {x.Subject, maxSecretFile * 4}, "package": {x.Package, inspect.MaxArchive}, "maker_keys": {x.MakerKeys, 1 << 20}, "pts_list": {x.PTSList, lab.MaxList}, "licence_list": {x.LicenceList, lab.MaxList}} {
		if sent.path == "" {
			continue
		}
		body, err := readBounded(sent.path, sent.most)
		if err != nil {
			return changed{}, fmt.Errorf("%s: %w", member, err)
		}
		order.Files[member] = api.LabUpload{Body: body}
	}
	run, err := e.readyRun(&order)
	if err != nil {
		return changed{}, err
	}
	told, err := e.changeLab(ctx, &change{Lab: &labChange{Start: run}, actors: c.actors})
	if err != nil {
		return changed{}, errors.Join(err, os.RemoveAll(filepath.Dir(run.SubjectFile))) // nothing names it
	}
	return told, e.bench.order(told.Facts["run"], c.caller)
}

// readyRun writes a subject under names of ours and returns the run on it, which nobody asked for yet.
func (e *engine) readyRun(order *api.ExamineOrder) (run *lab.Run, err error) {
	tcp, secure, err := e.targetsOf(order.Scope)
	if err != nil {
		return nil, err
	}
	parent := filepath.Join(e.dir, labState, subjectsDirectory)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, "subject-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if order.Sample {
		err = e.writeSample(order, dir)
	} else {
		err = writeSubject(dir, order.Files)
	}
	if err != nil {
		return nil, api.Refuse(unprocessable, "act_refused", err.Error())
	}
	in, err := readLabInputs(filepath.Join(dir, subjectName))
	if err != nil {
		return nil, api.Refuse(unprocessable, "act_refused", strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), ""))
	}
	tool, err := toolOf()
	if err != nil {
		return nil, err
	}
	return &lab.Run{Subject: in.subject, SubjectFile: in.path, InputsDigest: in.digest, Scope: order.Scope, TCP: tcp, TLS: secure, Tool: tool}, nil
}
