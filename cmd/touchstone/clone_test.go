package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/diagnosis/clone"
	"touchstone/incident"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/terminal"
)

// cloneRig is a host on loopback, an honest terminal that has sold, and the card that pays.
type cloneRig struct {
	*canaryRig
	sample sampleTerminal
	honest *terminal.Terminal
	card   terminal.Card
}

func newCloneRig(t *testing.T, o rigOptions) *cloneRig {
	t.Helper()
	r := &cloneRig{canaryRig: newCanaryRig(t, o), sample: visitors()[0]}
	r.honest = r.shopTerminal(t, r.sample, time.Now)
	var err error
	if r.card, err = cardOf(cards()[0]); err != nil {
		t.Fatal(err)
	}
	for n := range 12 {
		r.sell(t, r.honest, pos.Amount(1000+n))
	}
	return r
}

// sell is a sale, signed in for where that is due, and its answer.
func (r *cloneRig) sell(t *testing.T, by *terminal.Terminal, amount pos.Amount) terminal.Result {
	t.Helper()
	res, err := by.Sale(t.Context(), r.card, amount)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// copied is a clone of the honest terminal that calls from another address.
func (r *cloneRig) copied(t *testing.T, c terminal.Copying) *terminal.Terminal {
	t.Helper()
	c.StateDir = filepath.Join(t.TempDir(), "clone")
	copied, err := r.honest.Clone(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { copied.Close() })
	return copied
}

func (r *cloneRig) awaitSuspect(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			r.dump(t)
		}
	})
	until(t, "the clone is told of", func() bool { return r.e.ledger.Suspected(r.sample.id) == proof.SaidWithKeys })
}

// dump logs what the journal holds of causes, and the lanes as clone show draws them.
func (r *cloneRig) dump(t *testing.T) {
	if r.e.store.Reader == nil { // the host has ended
		return
	}
	err := r.e.store.Reader.Blocks(context.Background(), 1, func(b journal.Block) error {
		return b.Each(func(e journal.Entry) error {
			if e.Kind == journal.KindCause {
				t.Logf("cause %d: %s", e.Seq, e.Body)
			}
			return nil
		})
	})
	var out bytes.Buffer
	show := cloneShowCmd{journalDirectory: journalDirectory{r.dir}, Terminal: r.sample.id.String(), Lines: 100, Lang: "en"}
	err = errors.Join(err, show.Run(&app{ctx: context.Background(), stdout: &out, stderr: &out, getenv: os.Getenv}))
	t.Logf("%v\n%s", err, out.String())
}

// TestCloneIsToldOf: an honest terminal and its clone on a real host: told of within three messages of the clone, once, with
// an incident; a restart keeps it; two people clear it, and if it goes on it is told of again.
func TestCloneIsToldOf(t *testing.T) {
	for name, c := range map[string]struct {
		copying terminal.Copying
		signIn  bool
	}{
		"keys alone":                            {terminal.Copying{From: "127.0.0.66", Fresh: true}, true},
		"its file too, with its working keys":   {terminal.Copying{From: "127.0.0.66"}, false},
		"its file too, from the same address":   {terminal.Copying{}, false},
		"its file, and it signs in":             {terminal.Copying{From: "127.0.0.66"}, true},
		"its file, and it signs in there":       {terminal.Copying{}, true},
		"keys alone, without a serial-number's": {terminal.Copying{From: "127.0.0.66", Fresh: true, Changed: func(c *terminal.Config) { c.SerialKey.Wipe() }}, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newCloneRig(t, rigOptions{change: func(o *engineOptions) { o.diagnosis, o.withoutView = roomy, false }})
			second := r.copied(t, c.copying)
			spoke := 0
			if c.signIn {
				if res, err := second.SignIn(t.Context()); err != nil || !res.Approved {
					t.Fatalf("the clone's sign-in: %v %v", res.DE39, err)
				}
				spoke++
			}
			for spoke < 3 {
				r.sell(t, second, pos.Amount(7000+spoke))
				spoke++
				for range 2 { // refused, it signs in by itself before the next
					r.sell(t, r.honest, pos.Amount(3000+spoke))
				}
			}
			r.awaitSuspect(t)
			for range 5 {
				r.sell(t, second, 7100)
				r.sell(t, r.honest, 3100)
			}
			events := r.events(t, proof.EventCloneSuspected)
			if len(events) != 1 || events[0].Terminal != r.sample.id.String() || events[0].Parameters[proof.SuspectKeys] != "yes" ||
				!strings.HasPrefix(events[0].Parameters[cloneLikelihood], "1 in ") || events[0].Cause == 0 || events[0].Merchant == "" {
				t.Fatalf("events %+v", events)
			}
			i := r.awaitIncident(t, func(i *incident.Incident) bool { return i.Kind == "clone" })
			if len(i.Scope.Terminals) != 1 || i.Scope.Terminals[0] != r.sample.id.String() {
				t.Errorf("the incident is about %v", i.Scope.Terminals)
			}
			if n := len(r.incidents()); n != 1 {
				t.Errorf("%d incidents of one clone", n)
			}
		})
	}
}

// TestCloneIsRefused: where policy says so both are refused 58 and for clone_suspected, also after a restart, until two people
// cleared it; the other terminals sell on.
func TestCloneIsRefused(t *testing.T) {
	refuse := func(o *engineOptions) { o.policy.RefuseClones = true }
	r := newCloneRig(t, rigOptions{change: refuse})
	second := r.copied(t, terminal.Copying{From: "127.0.0.66", Fresh: true})
	for range 3 {
		r.sell(t, second, 7000)
		r.sell(t, r.honest, 3000)
		r.sell(t, r.honest, 3001)
	}
	r.awaitSuspect(t)
	for name, by := range map[string]*terminal.Terminal{"the honest one": r.honest, "the clone": second} {
		if res := r.sell(t, by, 4000); res.Approved || res.DE39 != pos.Code("58") && res.Outcome != terminal.SignInFailed {
			t.Fatalf("%s got %v %v", name, res.DE39, res.Outcome)
		}
	}
	other := r.shopTerminal(t, visitors()[1], time.Now)
	if res := r.sell(t, other, 4000); !res.Approved {
		t.Fatalf("another terminal got %v", res.DE39)
	}
	if err := r.honest.Close(); err != nil {
		t.Fatal(err)
	}
	r.stop()

	again := newCanaryRig(t, rigOptions{dir: r.dir, change: refuse})
	if again.e.ledger.Suspected(r.sample.id) != proof.SaidWithKeys {
		t.Fatal("a restart forgot the clone")
	}
	after := &cloneRig{canaryRig: again, sample: r.sample, card: r.card}
	after.honest = again.shopTerminal(t, r.sample, time.Now)
	if res := after.sell(t, after.honest, 4001); res.Approved {
		t.Fatal("a restart lets the suspect sell")
	}
	<-again.e.watch.ready
	if n := len(again.events(t, proof.EventCloneSuspected)); n != 1 {
		t.Fatalf("told %d times of one clone", n)
	}
	ctx := t.Context()
	for _, bad := range []cloneClearChange{{Terminal: "1", Note: "a visit found one"}, {Terminal: r.sample.id.String(), Note: "short"}, {Terminal: "90000002", Note: "nothing is suspected of it"}} {
		if _, err := again.e.clearClone(ctx, &bad, []string{"qian", "sun"}); err == nil {
			t.Errorf("%+v was carried out", bad)
		}
	}
	if _, err := again.e.apply(ctx, change{CloneClear: &cloneClearChange{Terminal: r.sample.id.String(), Note: "a visit found one device"}}); err == nil {
		t.Error("it was cleared by nobody in particular")
	}
	if _, err := again.e.clearClone(ctx, &cloneClearChange{Terminal: r.sample.id.String(), Note: "a visit found one device; the other was taken away"}, []string{"qian", "sun"}); err != nil {
		t.Fatal(err)
	}
	if res := after.sell(t, after.honest, 4002); !res.Approved {
		t.Fatalf("cleared, it got %v: %v", res.DE39, res.Outcome)
	}
}

// TestCloneReasonOfRefusal: the entry of a refused suspect says clone_suspected.
func TestCloneReasonOfRefusal(t *testing.T) {
	r := newCloneRig(t, rigOptions{change: func(o *engineOptions) { o.policy.RefuseClones = true }})
	event := cloneEvent(&clone.Suspicion{Terminal: r.sample.id, Keys: true, Weight: 55, Seq: 1, First: 1})
	if err := r.e.raise(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	res := r.sell(t, r.honest, 4000)
	if res.DE39 != reason.CloneSuspected.DE39() {
		t.Fatalf("answered %v, want %v", res.DE39, reason.CloneSuspected.DE39())
	}
}

// TestFaultsAreNoClone: one terminal that misbehaves in every way, once each and among honest sales, is one device.
func TestFaultsAreNoClone(t *testing.T) {
	if testing.Short() {
		t.Skip("in full without the race detector")
	}
	r := newCloneRig(t, rigOptions{change: func(o *engineOptions) { o.diagnosis, o.withoutView = roomy, false }})
	done := 0
	for _, f := range terminal.Faults() {
		if f == terminal.Tamper {
			continue // it locks for good
		}
		if _, err := r.honest.Misbehave(t.Context(), f, r.card, 2000); err != nil {
			t.Logf("%s: not done: %v", f, err)
			continue
		}
		done++
		for n := range 6 {
			r.sell(t, r.honest, pos.Amount(5000+n))
		}
	}
	if done < 16 {
		t.Fatalf("%d faults were done", done)
	}
	r.e.diagnoser.drain()
	head := r.e.ledger.Durable()
	<-r.e.watch.ready
	until(t, "the watch has read all", func() bool { return r.e.watch.last() >= head })
	t.Cleanup(func() {
		if t.Failed() {
			r.dump(t)
		}
	})
	if r.e.ledger.Suspected(r.sample.id) != proof.Unsuspected || len(r.e.clones.take()) != 0 {
		t.Fatalf("suspected: %+v", r.events(t, proof.EventCloneSuspected))
	}
}
