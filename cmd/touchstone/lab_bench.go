package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pelletier/go-toml/v2"

	"touchstone/lab"
	"touchstone/lab/inspect"
	"touchstone/lab/probe"
	"touchstone/pos"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// bench is the laboratory's work in this process. Runs share one reserved terminal, so they are worked on one after the
// other.
type bench struct {
	orders chan benchOrder
	again  chan struct{} // operations and personnel are to be looked at
	drawn  chan struct{} // held while a photograph is drawn
	host   labHost       // what runs from here use; set before anybody asks

	mu       sync.Mutex // guards all below
	working  map[string]string
	halted   map[string]string
	examined api.LabOperations
}

type benchOrder struct {
	run string
	who *web.Caller
}

// benchQueue is how many runs may wait.
const benchQueue = 8

// startBench works on what is ordered until ctx ends. A run that the end cut short goes on when somebody asks for it.
func (e *engine) startBench(ctx context.Context) {
	b := &e.bench
	b.orders, b.again, b.drawn = make(chan benchOrder, benchQueue), make(chan struct{}, 1), make(chan struct{}, 1)
	b.working, b.halted = map[string]string{}, map[string]string{}
	e.wait.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case order := <-b.orders:
				err := e.workOn(ctx, order)
				if ctx.Err() != nil {
					return
				}
				b.says(order.run, "", err)
			}
		}
	})
	e.wait.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-b.again:
				e.examineAgain(ctx)
			}
		}
	})
}

// says notes what of a run is worked on; with neither it rests.
func (b *bench) says(run, requirement string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.working, run)
	delete(b.halted, run)
	if requirement != "" {
		b.working[run] = requirement
	}
	if err != nil {
		b.halted[run] = err.Error()
	}
}

func (b *bench) stands(run string) (working, halted string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.working[run], b.halted[run]
}

// benchWaits is what a run that is ordered and not begun works on.
const benchWaits = "…"

// order queues a run.
func (b *bench) order(run string, who *web.Caller) error {
	if working, _ := b.stands(run); working != "" {
		return api.Refuse(http.StatusConflict, "run_is_worked_on", "this host works on run "+run+" already")
	}
	b.says(run, benchWaits, nil)
	select {
	case b.orders <- benchOrder{run, who}:
		return nil
	default:
		b.says(run, "", nil)
		return api.Refuse(http.StatusTooManyRequests, "bench_is_full", fmt.Sprintf("%d runs wait already: try again when one is through", benchQueue))
	}
}

// examineAgain holds the records against the requirements and keeps the answer.
func (e *engine) examineAgain(ctx context.Context) {
	list, err := e.examineOperations(ctx)
	e.bench.mu.Lock()
	defer e.bench.mu.Unlock()
	e.bench.examined.Running = false
	if err != nil {
		if ctx.Err() == nil {
			e.log.Warn("the requirements of operations could not be looked at", slog.String("error", err.Error()))
		}
		return
	}
	shown := []api.LabOperation{}
	for _, o := range list {
		shown = append(shown, api.LabOperation{Requirement: o.Requirement, Title: bothLab(o.Title), State: string(o.State), Why: bothLab(o.Why)})
	}
	e.bench.examined.List, e.bench.examined.At = shown, time.Now()
}

// Operations implements api.Bench.
func (d *desk) Operations(_ context.Context, _ *web.Caller, again bool) (api.LabOperations, error) {
	d.bench.mu.Lock()
	defer d.bench.mu.Unlock()
	if (again || d.bench.examined.At.IsZero()) && !d.bench.examined.Running {
		select {
		case d.bench.again <- struct{}{}:
			d.bench.examined.Running = true
		default:
		}
	}
	return d.bench.examined, nil
}

// subjectsDirectory keeps the subjects that were sent to the console, in the laboratory's directory.
const subjectsDirectory = "subjects"

// unprocessable is the status of what was understood and refused.
const unprocessable = http.StatusUnprocessableEntity

// Examine implements api.Bench.
func (d *desk) Examine(ctx context.Context, who *web.Caller, order api.ExamineOrder) (done api.Done, err error) {
	if !who.May(staff.Assessor) {
		return done, api.Refuse(http.StatusForbidden, "act_not_allowed", "a run is an assessor's")
	}
	run, err := d.readyRun(&order)
	if err != nil {
		return done, err
	}
	if done, err = d.actOnLab(ctx, who, &labChange{Start: run}); err != nil {
		return done, errors.Join(err, os.RemoveAll(filepath.Dir(run.SubjectFile))) // nothing names it
	}
	return done, d.bench.order(done.Facts["run"], who)
}

// writeSample makes a subject to try with: of a test data directory, for its package is signed with published keys.
func (e *engine) writeSample(order *api.ExamineOrder, dir string) error {
	if !e.test {
		return errors.New("samples are of a test data directory: send a subject of your own")
	}
	sample := labSample{Out: dir, Model: cmp.Or(order.Model, "Sample S10"), Application: cmp.Or(order.Application, sampleApp), Flaws: order.Flaws}
	return sample.Run(&app{ctx: context.Background(), stdout: io.Discard})
}

// actOnLab carries an act out that names files which this host keeps: a body that was sent may not.
func (d *desk) actOnLab(ctx context.Context, who *web.Caller, c *labChange) (api.Done, error) {
	told, err := d.apply(ctx, change{caller: who, Lab: c})
	if err != nil {
		return api.Done{}, actRefused(who, nil, err)
	}
	return api.Done{What: told.What, ZH: told.ZH, Facts: told.Facts}, nil
}

// targetsOf are a scope's endpoints: the first is plain, the second over TLS.
func (e *engine) targetsOf(id string) (tcp, secure string, err error) {
	e.office.view(func(r *rooms) {
		if s := r.lab.Scope(id); s != nil && len(s.Targets) > 1 {
			tcp, secure = s.Targets[0], s.Targets[1]
		}
	})
	if tcp == "" {
		return "", "", api.Refuse(http.StatusUnprocessableEntity, "act_refused", "name a scope with two targets, plain and over TLS: a security officer signs one")
	}
	if err := e.mayDial(tcp, secure); err != nil {
		return "", "", api.Refuse(http.StatusUnprocessableEntity, "act_refused", err.Error())
	}
	return tcp, secure, nil
}

// Continue implements api.Bench.
func (d *desk) Continue(ctx context.Context, who *web.Caller, run, scope string) (done api.Done, err error) {
	var old *lab.Run
	d.office.view(func(r *rooms) { old = r.lab.Run(run) })
	switch {
	case old == nil:
		return done, api.NotFound()
	case !who.May(staff.Assessor) || old.Operator != who.Account:
		return done, api.Refuse(http.StatusForbidden, "act_not_allowed", "run "+run+" is "+old.Operator+"'s")
	case old.State != lab.Running:
		return done, api.Refuse(http.StatusConflict, "act_refused", "run "+run+" is complete")
	}
	if scope != "" && scope != old.Scope {
		tcp, secure, err := d.targetsOf(scope)
		if err != nil {
			return done, err
		}
		if done, err = d.actOnLab(ctx, who, &labChange{Rescope: &labRescope{Run: run, Scope: scope, TCP: tcp, TLS: secure}}); err != nil {
			return done, err
		}
	}
	return api.Done{What: "run " + run + " goes on", ZH: "检测 " + run + " 继续进行"}, d.bench.order(run, who)
}

// subjectName is the file of a subject, and subjectFiles what it may name, with the most bytes of each.
const subjectName = "subject.toml"

var subjectFiles = []struct {
	member, name string
	most         int
}{{"package", "package.zip", inspect.MaxArchive}, {"maker_keys", "maker-keys.pem", 1 << 20}, {"pts_list", "pts-list.json", lab.MaxList}, {"licence_list", "licence-list.json", lab.MaxList}}

// writeSubject keeps what was sent under names of ours. The subject's own names of files are not looked at: they are
// names on another machine, and would be paths on this one.
func writeSubject(dir string, files map[string]api.LabUpload) error {
	f, err := parseSubject(files["subject"].Body)
	if err != nil {
		return err
	}
	f.Package, f.MakerKeys, f.PTSList, f.LicenceList = "", "", "", ""
	names := map[string]*string{"package": &f.Package, "maker_keys": &f.MakerKeys, "pts_list": &f.PTSList, "licence_list": &f.LicenceList}
	for _, x := range subjectFiles {
		sent := files[x.member].Body
		if len(sent) == 0 {
			continue
		}
		if len(sent) > x.most {
			return fmt.Errorf("%s: more than %d bytes", x.name, x.most)
		}
		*names[x.member] = x.name
		if err := os.WriteFile(filepath.Join(dir, x.name), sent, 0o600); err != nil {
			return err
		}
	}
	text, err := toml.Marshal(f)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, subjectName), text, 0o600)
}

// parseSubject reads the TOML of a subject. Its error quotes nothing that was sent.
func parseSubject(text []byte) (*subjectFile, error) {
	if len(text) == 0 || len(text) > maxSecretFile*4 {
		return nil, fmt.Errorf("subject: want its TOML of 1 to %d bytes", maxSecretFile*4)
	}
	f := &subjectFile{}
	dec := toml.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(f); err != nil {
		return nil, errors.New("subject: not the TOML of a subject: touchstone lab sample-package makes one to look at")
	}
	return f, nil
}

// workOn does what of a run has no result yet, and completes it, as touchstone lab run does.
func (e *engine) workOn(ctx context.Context, order benchOrder) error {
	answer, err := e.askLab(ctx, &labQuery{ID: order.run})
	if err != nil || len(answer.Runs) != 1 || answer.Report == nil {
		return errors.Join(errors.New("there is no such run"), err)
	}
	run := &answer.Runs[0]
	in, err := readLabInputs(run.SubjectFile)
	if err != nil {
		return err
	}
	if in.digest != run.InputsDigest {
		return errors.New("the subject or a file that it names is not what the run began with: start another run")
	}
	books, err := labRead()
	if err != nil {
		return err
	}
	hand := &labHand{in: in, profile: books.profile, now: time.Now}
	gate := &labScopeGate{now: time.Now, ask: func() (*lab.Scope, error) {
		answer, err := e.askLab(ctx, &labQuery{ID: run.Scope})
		if err != nil || len(answer.Scopes) != 1 {
			return nil, errors.Join(fmt.Errorf("there is no scope %s", run.Scope), err)
		}
		return &answer.Scopes[0], checkScope(&answer.Scopes[0], answer.Keys)
	}}
	if err := e.rigOf(ctx, hand, run, gate); err != nil {
		return err
	}
	if err := e.examineAll(ctx, order, run, answer.Report, hand); err != nil {
		return err
	}
	_, err = e.apply(ctx, change{caller: order.who, Lab: &labChange{Finish: run.ID}})
	return err
}

// rigOf gives the hand what it sends messages with, where this host has a reserved terminal.
func (e *engine) rigOf(ctx context.Context, hand *labHand, run *lab.Run, gate *labScopeGate) error {
	if !e.probesHere() {
		return nil
	}
	if err := e.mayDial(run.TCP, run.TLS); err != nil { // it may have been begun from the command line
		return err
	}
	if err := e.reservedTerminal(ctx); err != nil {
		return err
	}
	ca, err := labRoots(e.dir, e.bench.host.ca)
	if err == nil {
		hand.rig, err = labRig(&app{ctx: ctx, stdout: io.Discard}, e.dir, e.bench.host.terminal, run, gate, e.store.Reader, ca)
	}
	return err
}

// errNoTerminal is of a run that did what can be done without sending a message.
var errNoTerminal = errors.New("the checks over the wire were left: this host has no reserved terminal (lab-terminal and lab-ca in its configuration). Resume when it has, or from the command line with touchstone lab resume RUN --terminal-file FILE --ca FILE, or complete the run without them")

// examineAll does the checks that have no result, or an inconclusive one.
func (e *engine) examineAll(ctx context.Context, order benchOrder, run *lab.Run, so *lab.Report, hand *labHand) error {
	var open []string
	left := false
	for _, result := range so.Results {
		if v := result.Observation.Verdict; v != lab.NotTested && v != lab.Inconclusive {
			continue
		}
		check := hand.profile.Find(result.Observation.Requirement)
		e.bench.says(run.ID, check.Requirement, nil)
		out, err := hand.do(ctx, check)
		if err == nil && out.Verdict == lab.Inconclusive && check.Active {
			out, err = hand.do(ctx, check) // once more: what kept it from being decided may have passed
		}
		if err != nil {
			return err
		}
		if out.Verdict == lab.Inconclusive {
			open = append(open, check.Requirement)
		}
		left = left || check.Active && hand.rig == nil
		if err := e.keepResult(ctx, order, run, check, hand.in.digest, &out); err != nil {
			return err
		}
	}
	if left {
		return errNoTerminal
	}
	if len(open) > 0 {
		slices.Sort(open)
		return fmt.Errorf("%s could not be decided: continue the run to try again", strings.Join(open, ", "))
	}
	return nil
}

// keepResult hands a result and its transcript over, before the next check begins.
func (e *engine) keepResult(ctx context.Context, order benchOrder, run *lab.Run, check *lab.ProfileCheck, inputs string, out *probe.Outcome) error {
	path := filepath.Join(e.dir, labState, run.ID+"-"+check.Requirement+".transcript")
	if err := os.WriteFile(path, out.Transcript, 0o600); err != nil {
		return err
	}
	defer os.Remove(path) // kept by its digest now
	_, err := e.apply(ctx, change{caller: order.who, Lab: &labChange{Observe: &labObserve{Transcript: path, Observation: lab.Observation{Run: run.ID, Requirement: check.Requirement, Check: check.Check,
		Version: check.Version, Verdict: out.Verdict, Detail: out.Detail, Inputs: inputs, Start: pos.Instant(out.Start.UnixNano()), End: pos.Instant(out.End.UnixNano()), Externals: out.Externals}}}})
	return err
}
