package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"touchstone/host"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/listener"
	"touchstone/observe"
)

// defaultObserve is where metrics, health and readiness are, unless told otherwise.
const defaultObserve = "127.0.0.1:9584"

// observed is what an engine adds up for whoever watches it.
type observed struct {
	live    *observe.Live
	sources *observe.Sources
	started time.Time

	mu      sync.Mutex // guards the fields below
	doors   []*watchedDoor
	server  *listener.Server // nil before it serves
	address string           // of the observation port, "" when there is none
}

// watchedDoor is one place terminals connect to.
type watchedDoor struct {
	kind    listener.Kind
	address string
	serving bool
}

// watchedSink and watchedStore time what the ledger writes.
func (e *engine) watchedSink(next journal.Sink) journal.Sink {
	return observe.Sink{Next: next, Live: e.live}
}

func (e *engine) watchedStore(next ledger.Store) ledger.Store {
	return observe.Store{Store: next, Live: e.live}
}

// beginObserved makes the counters; it comes before the ledger is opened.
func (e *engine) beginObserved() {
	e.started = time.Now()
	e.live = observe.NewLive(e.started)
}

// finishObserved connects the counters with the line and says where the other figures come from.
func (e *engine) finishObserved(ctx context.Context, line *host.Line) {
	line.Watch = e.live
	dir, err := filepath.Abs(e.dir)
	if err != nil {
		dir = e.dir
	}
	e.sources = &observe.Sources{
		Live: e.live, Version: version(), Directory: dir, Test: e.test, SingleDES: line.Policy.AllowSingleDES, Started: e.started,
		Registered: func() observe.Registered {
			n := e.ledger.Counts()
			return observe.Registered{Merchants: n.Merchants, Terminals: n.Terminals, Devices: n.Devices, Cards: n.Cards}
		},
		Listeners: e.listeners,
		Transport: e.transport,
		Journal:   func() observe.Journal { return e.journalFigures(dir) },
		View: func() observe.View {
			if e.view == nil {
				return observe.View{}
			}
			return observe.View{On: true, Lag: e.view.Lag()}
		},
		Module: func() observe.Module {
			c := e.module.Counts()
			return observe.Module{Sealed: c.Sealed, Hits: c.Hits, Misses: c.Misses, Kept: c.Kept, Most: c.Most}
		},
		SelfTest:    e.module.Check,
		Failures:    e.observedFailures,
		Proving:     e.proving,
		Integration: e.observedIntegration,
		Overloaded:  func() bool { return line.Gate.Refusing(e.clock()) },
		Admission:   e.admission,
	}
	e.wait.Go(func() { e.live.Run(ctx) })
}

// admission are the figures of what was let in, refused for want of room, and only counted.
func (e *engine) admission() observe.Admission {
	a := observe.Admission{Gate: e.line.Gate.Counts(), Flood: e.line.Flood.Counts()}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server != nil {
		a.SharedTaken, a.SharedMost = e.server.Shared()
	}
	return a
}

// leastRoom is the free space below which the data directory's disk counts as full: a few blocks.
const leastRoom = 64 << 20

func (e *engine) journalFigures(dir string) observe.Journal {
	j := observe.Journal{Queue: e.ledger.Queue(), Durable: e.ledger.Durable(), Failed: e.ledger.Failed(), Writable: true}
	for _, name := range []string{journalName, journalName + "-wal"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			j.Bytes += info.Size()
		}
	}
	if free, err := observe.Free(dir); err == nil {
		j.Writable = free >= leastRoom
	}
	return j
}

// journalName is the journal's file in a data directory.
const journalName = "touchstone.db"

// listeners are the figures of every place terminals connect to.
func (e *engine) listeners() []observe.Listener {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := []observe.Listener{}
	for _, d := range e.doors {
		c := e.server.CountsOf(d.kind)
		list = append(list, observe.Listener{Kind: d.kind.String(), Address: d.address, Open: c.Open, Accepted: c.Accepted, TurnedAway: c.TurnedAway,
			Frames: c.Frames, Answers: c.Answers, BadFrames: c.BadFrames, Serving: d.serving})
	}
	return list
}

// transport are the ends of TLS handshakes, and what spoke the wrong protocol, by their stable names.
func (e *engine) transport() map[string]uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	ends := map[string]uint64{}
	if e.server == nil {
		return ends
	}
	for h, n := range e.server.Transport() {
		ends[listener.Handshake(h).String()] = n
	}
	return ends
}

// observeServer takes the listener and its doors before it serves; the returned func says that it serves no more.
// A listener has one door of each kind.
func (e *engine) observeServer(s *listener.Server, plain net.Listener, secure []listener.Secure) (ended func()) {
	s.Watch(e.live.Answered, e.clock)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.server, e.doors = s, []*watchedDoor{{listener.Plain, plain.Addr().String(), true}}
	for _, d := range secure {
		e.doors = append(e.doors, &watchedDoor{listener.TLS, d.Listener.Addr().String(), true})
	}
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, d := range e.doors {
			d.serving = false
		}
	}
}

// status is what touchstone status shows.
func (e *engine) status() observe.Status {
	st := e.sources.Status(time.Now(), os.Getpid())
	st.Journal.Proof = e.scrubbed()
	e.mu.Lock()
	defer e.mu.Unlock()
	st.ObserveAddr = e.address
	return st
}

// listenObserve opens the observation port; nil when it is turned off. What it shows is no secret but is
// no business of others either: loopback only, unless asked by name.
func (f *hostFlags) listenObserve() (net.Listener, error) {
	if f.Observe == "" {
		return nil, nil
	}
	ap, err := netip.ParseAddrPort(f.Observe)
	if err != nil {
		return nil, fmt.Errorf("observe: %q: want an address and a port, such as %s, or nothing", f.Observe, defaultObserve)
	}
	if !ap.Addr().IsLoopback() && !f.ObserveBeyond {
		return nil, fmt.Errorf("observe: %s is not loopback: that must be asked for with observe-beyond-loopback", f.Observe)
	}
	ln, err := net.Listen("tcp", f.Observe)
	if err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	return ln, nil
}

// observeOn serves metrics, health and readiness on ln, which may be nil; the returned func ends that.
func (e *engine) observeOn(ln net.Listener) (stop func()) {
	if ln == nil {
		return func() {}
	}
	e.mu.Lock()
	e.address = ln.Addr().String()
	e.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := observe.Serve(ctx, ln, observe.Handler(e.sources)); err != nil && !errors.Is(err, net.ErrClosed) {
			e.log.Warn("metrics are no longer served", slog.String("error", err.Error()))
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}
