//go:build flaw

package main

import (
	"slices"
	"testing"
	"time"

	"touchstone/host"
	"touchstone/hsm/soft"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/terminal"
)

// mostToName is how soon the canary must name a flaw: it sends a round a minute.
const mostToName = 60 * time.Second

// setFlaw makes one check pass always, in the rules and, for the MAC and the serial number, in the module.
func setFlaw(t *testing.T, c proof.Check) {
	t.Helper()
	t.Cleanup(heal)
	soft.SetFlaw(c)
	if c != proof.MAC { // in the rules a MAC that failed leaves nothing to go on with
		proof.SetFlaw(c)
	}
}

func heal() {
	proof.SetFlaw(proof.Checks)
	soft.SetFlaw(proof.Checks)
}

// TestFlawOfEachProof switches off one proof after the other: the canary names that proof and no other,
// no money moves, and a mended host is found sound again.
func TestFlawOfEachProof(t *testing.T) {
	r := newCanaryRig(t, rigOptions{})
	if wrong := r.hand.round(t.Context()).wrong(); len(wrong) != 0 {
		t.Fatalf("before any flaw: %s got %s", wrong[0].probe.probe, wrong[0].got)
	}
	approved := 0
	for c := range proof.Checks {
		t.Run(c.String(), func(t *testing.T) {
			before := len(r.events(t, eventIneffective))
			setFlaw(t, c)
			start := time.Now()
			wrong := r.hand.round(t.Context()).wrong()
			took := time.Since(start)
			if len(wrong) == 0 {
				t.Fatal("the canary saw nothing")
			}
			for _, f := range wrong {
				t.Logf("%s: want %s, got %s in %s", f.probe.probe, f.want(), f.got, took.Round(time.Millisecond))
				if f.proof() != c.String() {
					t.Errorf("it names %s (%s: want %s, got %s)", f.proof(), f.probe.probe, f.want(), f.got)
				}
				if f.got == gotApproved {
					approved++
				}
			}
			if took > mostToName {
				t.Errorf("it took %s", took)
			}
			raised := r.events(t, eventIneffective)[before:]
			if !slices.ContainsFunc(raised, func(e journal.Event) bool { return e.Parameters["proof"] == c.String() }) {
				t.Errorf("no event names the proof: %+v", raised)
			}
			heal()
			if wrong := r.hand.round(t.Context()).wrong(); len(wrong) != 0 {
				t.Errorf("mended, and still %s got %s", wrong[0].probe.probe, wrong[0].got)
			}
		})
	}
	t.Logf("%d known-bad messages were approved without money", approved)
	if approved < 30 {
		t.Errorf("only %d known-bad messages were approved: the flaws do not disable the proofs", approved)
	}
	if now := r.canaryBalanceNow(t); now != canaryBalance {
		t.Errorf("money moved: the canary's card has %s of %s", now, pos.Amount(canaryBalance))
	}
}

// TestFlawStopsSales: where policy says so, a flaw stops the sales that rest on the proof.
func TestFlawStopsSales(t *testing.T) {
	r := newCanaryRig(t, rigOptions{stop: true})
	shop := r.shopTerminal(t, staffTerminals()[0], time.Now)
	card, err := cardOf(cards()[7])
	if err != nil {
		t.Fatal(err)
	}
	defer card.Wipe()
	sale := func(want string) {
		t.Helper()
		if res, err := shop.Sale(t.Context(), card, 100); err != nil || res.DE39.String() != want {
			t.Errorf("sale answered %s, %v; want %s", res.DE39, err, want)
		}
	}
	sale("00")
	setFlaw(t, proof.PIN)
	if wrong := r.hand.round(t.Context()).wrong(); len(wrong) == 0 {
		t.Fatal("the canary saw nothing")
	}
	if names := r.e.ledger.Stops().Names(); !slices.Equal(names, []string{"PIN"}) {
		t.Errorf("%q is stopped", names)
	}
	sale("96") // with a PIN
	heal()
	sale("96")
	if _, err := r.e.resume(t.Context(), &resumeChange{By: "Li Na", Proof: "PIN"}); err != nil {
		t.Fatal(err)
	}
	sale("00")
}

// TestFlawLate: an answer that comes too late is a finding, and no proof is blamed for it.
func TestFlawLate(t *testing.T) {
	const deadline = time.Second
	r := newCanaryRig(t, rigOptions{deadline: deadline, stop: true})
	r.hand.only = []terminal.Probe{terminal.ProbeGoodBalance, terminal.ProbeWrongMAC}
	host.SetFlawLate(deadline + 500*time.Millisecond)
	t.Cleanup(func() { host.SetFlawLate(0) })
	late := false
	for _, f := range r.hand.round(t.Context()).wrong() {
		late = late || (f.probe.probe == terminal.ProbeGoodBalance && f.got == gotLate && !f.proven)
	}
	if !late {
		t.Error("the canary did not see that the answer was late")
	}
	if stopped := r.e.ledger.Stops(); stopped.Any() {
		t.Errorf("lateness stopped %q", stopped.Names())
	}
}

// TestFlawRefusesEverything: a host that approves nothing is not sound either.
func TestFlawRefusesEverything(t *testing.T) {
	r := newCanaryRig(t, rigOptions{})
	proof.SetFlaw(proof.RefusesAll)
	t.Cleanup(func() { proof.SetFlaw(proof.Checks) })
	named := false
	for _, f := range r.hand.round(t.Context()).wrong() {
		named = named || (f.proof() == "service" && f.got != gotApproved)
	}
	if !named {
		t.Error("the canary did not see that good messages are refused")
	}
}
