package proof_test

import (
	"testing"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
)

// TestSuspects: only what messages under the terminal's own keys say makes a suspect, and only a clearing ends it.
func TestSuspects(t *testing.T) {
	id, err := pos.ParseTerminalID("00000011")
	if err != nil {
		t.Fatal(err)
	}
	event := func(name, terminal, keys string) *journal.Event {
		return &journal.Event{Name: name, Terminal: terminal, Parameters: map[string]string{proof.SuspectKeys: keys}}
	}
	var s proof.Suspects
	for _, step := range []struct {
		name string
		e    *journal.Event
		want bool
	}{
		{"another event", event(proof.EventStopped, "00000011", "yes"), false},
		{"said by strangers without keys", event(proof.EventCloneSuspected, "00000011", "no"), false},
		{"a terminal that is none", event(proof.EventCloneSuspected, "1", "yes"), false},
		{"another terminal", event(proof.EventCloneSuspected, "00000012", "yes"), false},
		{"said under its keys", event(proof.EventCloneSuspected, "00000011", "yes"), true},
		{"said again, without keys", event(proof.EventCloneSuspected, "00000011", "no"), true},
		{"said again", event(proof.EventCloneSuspected, "00000011", "yes"), true},
		{"a clearing of another", event(proof.EventCloneCleared, "00000012", ""), true},
		{"cleared", event(proof.EventCloneCleared, "00000011", ""), false},
		{"cleared again", event(proof.EventCloneCleared, "00000011", ""), false},
		{"said once more", event(proof.EventCloneSuspected, "00000011", "yes"), true},
	} {
		s.Fold(step.e)
		if s.Has(id) != step.want {
			t.Errorf("%s: suspected %t", step.name, !step.want)
		}
	}
}
