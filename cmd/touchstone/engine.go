package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"touchstone/admission"
	"touchstone/host"
	"touchstone/hsm/soft"
	"touchstone/iso8583"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/sqlite"
	"touchstone/web/api"
)

// Files of a data directory besides the databases.
const (
	keyringFile    = "module.age"
	testPassphrase = "passphrase.test" // published, of a test data directory
	testMark       = "TEST-DATA-DIRECTORY"
	controlSocket  = "control.sock"
)

// checkpointEvery is how often the hot state is written down while running.
const checkpointEvery = 10 * time.Second

// engineOptions say how to open a data directory.
type engineOptions struct {
	dir        string
	lock       soft.Lock
	policy     proof.Policy
	ledger     ledger.Options
	zone       *time.Location
	acquirerID string
	issuerID   string
	log        *slog.Logger
	gate       admission.Limits // zero: the defaults
	rates      admission.Rates  // zero: the defaults

	around func(journal.Sink) journal.Sink // what stands before the store; nil: nothing

	checkpointEvery time.Duration // 0 is checkpointEvery
	withoutView     bool          // no projection: queries search the journal
	guard           guardOptions

	clock func() pos.Instant // nil is the machine's, of a simulation another

	diagnosis diagnoseBudget // zero: nobody seeks what is behind a refusal
	kept      keptOptions    // zero: masked messages stay in memory

	pinAge int // days after which a PIN's holder is reminded; 0 never
}

// engine is everything that runs on one data directory: store, module, ledger, line.
type engine struct {
	dir    string
	test   bool
	store  *sqlite.Store
	module *soft.Module
	ledger *ledger.Ledger
	line   *host.Line
	clock  func() pos.Instant
	log    *slog.Logger
	observed
	outboxed

	office      *office                     // the rooms of people, and one act at a time
	kernel      func() (kernelClock, error) // what the kernel says of the machine's clock
	stream      *api.Stream                 // what becomes durable, for whoever reads along; the live aggregates too
	uploads     uploads                     // what callers sent for acts to use
	integration *integration                // what other programs and browsers do, in figures
	traces      tracer                      // spans for a collector
	hooks       hooks                       // endpoints that are told of what happens
	requested   requested                   // requests that are carried out once for each key of a caller
	guesses     guessing                    // at passphrases, one of an account at a time
	door        *door                       // what is remembered of sign-ins by a browser
	permits     *permits                    // what terminals may do, kept as the rule says
	presented   *presented                  // which application each device runs

	publishing sync.Mutex // one act on the repository of releases at a time; taken before any lock of the office
	paidFound  bool       // the journal was searched for payments of claims; guarded by office.acting

	certificates sync.Mutex // one act of the certificate authority at a time; taken before any lock of the ledger

	view      *sqlite.Projector
	diagnoser *diagnoser                 // what is behind refusals, nil: nobody seeks it
	watch     *watch                     // live figures of effectiveness
	detector  *detector                  // what opens incidents, fed by the watch
	failures  *failures                  // refusals in figures, fed by the watch
	samples   *samples                   // messages taken apart, for people to look at
	told      keptClones                 // suspicions of clones, for people to look at
	audit     auditor                    // the books of claims, read from the whole journal
	bench     bench                      // runs of the laboratory that this host carries out
	clones    *cloneWatch                // two devices with one identity, fed by the watch
	now       *nowRoom                   // what the first pages show, fed by the watch
	estate    *estateKeeper              // an index of all terminals, fed by the watch
	pasts     pasts                      // the rooms as they were, a few
	canary    atomic.Pointer[canaryHand] // the built-in canary, nil when there is none
	witnesses []string                   // files outside the data directory
	public    atomic.Pointer[string]     // base address of the public pages while they are served
	probes    atomic.Int64               // refusals of the laboratory's run that the flood limit lets be

	passphraseLife time.Duration // policy: an older passphrase has to be changed at the next sign-in; 0: no age ends one

	stopIneffective bool // policy: sales that rest on a proof found ineffective stop

	stop   context.CancelFunc
	wait   sync.WaitGroup
	failed chan error // the first failure of the committer; final
	dead   atomic.Bool
	scrub  *scrub // nil: none

	census   *census         // figures for which every terminal is looked at
	reported *reportedPlaces // where terminals said last that they are, fed by the watch
}

// isTestDirectory tells whether a data directory was made with published keys.
func isTestDirectory(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, testMark))
	return err == nil
}

// monotonic is a clock in nanoseconds since 1970 that a change of the machine's time does not move.
func monotonic() func() pos.Instant {
	start := time.Now()
	wall := start.UnixNano()
	return func() pos.Instant { return pos.Instant(wall + int64(time.Since(start))) }
}

// makeDirectory makes a new data directory: its mark, its keyring and the first journal entry. random
// is where the keyring's keys come from; a test data directory draws them from a published seed.
func makeDirectory(dir string, lock soft.Lock, test bool, random io.Reader, log *slog.Logger) error {
	if _, err := os.Stat(filepath.Join(dir, keyringFile)); err == nil {
		return fmt.Errorf("%s: a data directory is here already", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if test {
		if err := os.WriteFile(filepath.Join(dir, testMark), []byte(testMarkText), 0o600); err != nil {
			return err
		}
	}
	if err := soft.Create(filepath.Join(dir, keyringFile), lock, random); err != nil {
		return fmt.Errorf("make keyring: %w", err)
	}
	e, err := openEngine(engineOptions{dir: dir, lock: lock, policy: proof.DefaultPolicy(), ledger: ledger.DefaultOptions(), zone: time.UTC, log: log})
	if err != nil {
		return err
	}
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return errors.Join(err, e.close())
	}
	err = e.ledger.Register(context.Background(), e.clock(), &journal.Opened{Test: test, ID: hex.EncodeToString(id), Version: version()})
	return errors.Join(err, e.close())
}

const testMarkText = "The keys of this data directory are published. It must never hold a real key, and is served on loopback only.\n"

// openEngine opens a data directory, unseals its module, rebuilds the state and starts the committer,
// the checkpoints and the projection for queries.
func openEngine(o engineOptions) (*engine, error) {
	if _, err := os.Stat(filepath.Join(o.dir, keyringFile)); err != nil {
		return nil, fmt.Errorf("%s is no data directory (no %s): make one with touchstone init", o.dir, keyringFile)
	}
	if err := checkRoom(o.dir, o.guard.leastFree); err != nil {
		return nil, err
	}
	e := &engine{dir: o.dir, test: isTestDirectory(o.dir), clock: monotonic(), log: o.log, failed: make(chan error, 1), stream: api.NewStream()}
	if err := soft.Harden(); err != nil {
		o.log.Warn("process is not hardened", slog.String("error", err.Error()))
	}
	if o.clock != nil {
		e.clock = o.clock
	}
	e.module = soft.New(soft.Options{Clock: e.clock})
	o.lock.Test = e.test
	if err := e.module.Unseal(filepath.Join(o.dir, keyringFile), o.lock); err != nil {
		return nil, fmt.Errorf("the security module stays sealed: %w", err)
	}
	var err error
	if e.store, err = sqlite.Open(o.dir, sqlite.Options{Log: o.log, WALBytes: o.guard.walBytes}); err != nil {
		return nil, err
	}
	err = e.guard(context.Background(), o.guard)
	if err == nil {
		err = e.start(o)
	}
	if err != nil {
		return nil, errors.Join(err, e.store.Close())
	}
	return e, nil
}

func (e *engine) start(o engineOptions) error {
	ctx, stop := context.WithCancel(context.Background())
	e.stop = stop
	e.beginObserved()
	hot := e.store.HotState()
	var sink journal.Sink = e.store
	if !o.withoutView {
		var err error
		if e.view, err = e.store.NewProjector(ctx); err != nil {
			stop()
			return err
		}
		sink = projected{e.store, e.view}
	}
	if o.around != nil {
		sink = o.around(sink)
	}
	e.office, e.door = newOffice(), newDoor()
	e.integration, e.hooks.wake = newIntegration(), make(chan struct{}, 1)
	e.hooks.guard.Loopback, e.hooks.lanes, e.hooks.sent = e.test, map[string]*hookLane{}, map[string]uint64{}
	if err := e.loadCare(); err != nil {
		stop()
		return errors.Join(err, e.closeView())
	}
	var err error
	if e.permits, err = newPermits(e); err != nil {
		stop()
		return errors.Join(err, e.closeView())
	}
	e.office.folded = e.permits.folded
	o.ledger.Rooms, o.ledger.Permits, o.ledger.Registered = e.office.fold, true, e.permits.registered
	e.presented = newPresented()
	e.office.releases = e.presented.publish
	e.watch = newWatch(e.store.Reader, e.clock, o.log)
	l, committer, err := ledger.Open(ctx, o.ledger, e.watchedStore(hot), hot, e.watchedSink(watched{sink, e.watch}))
	if err != nil {
		stop()
		return errors.Join(err, e.closeView())
	}
	e.ledger = l
	policy := o.policy
	e.line = &host.Line{Dialect: &iso8583.UnionPay, Ledger: l, Prover: e.module, Sealer: e.module, Hasher: e.module, Vault: e.module,
		Keys: e.module, Policy: &policy, Clock: e.clock, Zone: o.zone, Acquirer: o.acquirerID, Issuer: o.issuerID, Test: e.test}
	e.office.view(func(r *rooms) { e.presented.begin(r.fleet) })
	e.line.Versions = e.presented
	e.finishObserved(ctx, e.line)
	e.line.Gate, e.line.Flood = newAdmission(o)
	e.line.Flood.Exempt = e.exempt
	e.wait.Go(func() { e.tellFloods(ctx) })
	e.wait.Go(func() {
		if err := committer.Run(ctx); err != nil {
			e.fail(err)
		}
	})
	if err := e.permits.begin(ctx); err != nil {
		stop()
		e.wait.Wait()
		return errors.Join(err, e.closeView())
	}
	e.wait.Go(func() { e.permits.run(ctx) })
	e.wait.Go(func() { e.followVersions(ctx) })
	e.detector = newDetector(e.factsOf, e.office.rooms.incident.Data().Rules)
	e.failures = newFailures(e.failureFacts)
	e.clones = newCloneWatch()
	e.census, e.reported = newCensus(o.log, e.clock), newReportedPlaces()
	for range figureWorkers {
		e.wait.Go(func() { e.census.run(ctx) })
	}
	e.wait.Go(func() { e.census.runPast(ctx, func() { e.pasts.heard = nil }) })
	e.now = newNowRoom(ctx, e)
	e.estate = newEstateKeeper(e)
	e.watch.also = func(entry journal.Entry) {
		e.detector.fold(entry)
		e.failures.fold(entry)
		e.clones.fold(entry)
		e.reported.fold(entry)
		e.now.pulse.fold(entry)
		e.estate.fold(entry)
		e.publish(entry)
	}
	e.estate.start = sync.OnceFunc(func() { e.wait.Go(func() { e.estate.run(ctx) }) })
	e.startDiagnosis(ctx, o.diagnosis)
	e.startSamples(ctx, o.kept)
	e.startClones(ctx)
	e.startWatch(ctx)
	e.startPINReminder(ctx, o.pinAge)
	e.startClock(ctx)
	e.startIncidents(ctx)
	e.startAudit(ctx)
	e.startBench(ctx)
	if err := e.startGuard(ctx, o.guard); err != nil {
		stop()
		e.wait.Wait()
		return errors.Join(err, e.closeView())
	}
	e.wait.Go(func() { e.payLoop(ctx) })
	every := o.checkpointEvery
	if every == 0 {
		every = checkpointEvery
	}
	e.wait.Go(func() {
		if err := l.Run(ctx, every); err != nil {
			e.log.Warn("no further checkpoints: the journal alone keeps the state", slog.String("error", err.Error()))
		}
	})
	if e.view != nil {
		e.wait.Go(func() {
			if err := e.view.Run(ctx); err != nil && ctx.Err() == nil {
				e.log.Warn("queries fall back to the journal", slog.String("error", err.Error()))
			}
		})
	}
	return nil
}

func (e *engine) closeView() error {
	if e.view == nil {
		return nil
	}
	return e.view.Close()
}

// projected is the store as the journal's sink, telling the projection what is durable.
type projected struct {
	store *sqlite.Store
	view  *sqlite.Projector
}

// Append implements journal.Sink.
func (p projected) Append(ctx context.Context, b journal.Block) error {
	if err := p.store.Append(ctx, b); err != nil {
		return err
	}
	p.view.Committed(b.Last())
	return nil
}

// close writes a last checkpoint and closes everything; nothing may be using the line any more. After the
// journal failed nothing is written and no file closed, which SQLite would use to write: the process ends.
func (e *engine) close() error {
	if e.dead.Load() {
		e.module.Wipe()
		return nil
	}
	if e.diagnoser != nil {
		e.diagnoser.drain()
	}
	e.noteFloods(context.Background(), e.line.Flood.End(e.clock()))
	e.noteSignIns(context.Background(), true)
	err := e.ledger.Checkpoint(context.Background())
	e.traces.end()
	if errors.Is(err, journal.ErrStopped) || errors.Is(err, ledger.ErrCheckpoint) {
		err = nil // told already, by the committer or by the checkpoint that failed
	}
	e.stop()
	e.wait.Wait()
	e.module.Wipe()
	return errors.Join(err, e.requested.close(), e.hooks.file.close(), e.samples.close(), e.closeView(), e.store.Close())
}
