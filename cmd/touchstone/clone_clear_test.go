package main

import (
	"testing"

	"touchstone/diagnosis/clone"
	"touchstone/proof"
)

// TestASuspicionFoundBeforeItWasClearedIsNotTold: what was found in the journal before people cleared it, and comes to be told only
// after that, does not suspect the terminal again.
func TestASuspicionFoundBeforeItWasClearedIsNotTold(t *testing.T) {
	r := newCanaryRig(t, rigOptions{})
	id := visitors()[0].id
	old := clone.Suspicion{Terminal: id, Seq: 2, First: 1, Keys: true}
	if err := r.e.tellClone(t.Context(), &old); err != nil {
		t.Fatal(err)
	}
	if r.e.ledger.Suspected(id) != proof.SaidWithKeys {
		t.Fatal("it was not told at all")
	}
	if _, err := r.e.clearClone(t.Context(), &cloneClearChange{Terminal: id.String(), Note: "a visit found one device"}, []string{"qian", "sun"}); err != nil {
		t.Fatal(err)
	}
	if err := r.e.tellClone(t.Context(), &old); err != nil {
		t.Fatal(err)
	}
	if got := r.e.ledger.Suspected(id); got != proof.Unsuspected {
		t.Errorf("suspected again: %v", got)
	}
}
