package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"touchstone/lab"
	"touchstone/pos"
)

// TestScopeGate: a message goes inside its scope alone; a stop takes effect at the next look, and the pace is the
// scope's.
func TestScopeGate(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	scope := &lab.Scope{ID: "SCP-1", Targets: []string{"a:1"}, From: pos.Instant(now.Add(-time.Hour).UnixNano()), Until: pos.Instant(now.Add(time.Hour).UnixNano()), Rate: lab.MaxRate}
	asked := 0
	g := &labScopeGate{now: func() time.Time { return now }, ask: func() (*lab.Scope, error) {
		asked++
		copied := *scope
		return &copied, nil
	}}
	pass := func(target, want string) {
		t.Helper()
		err := g.pass(t.Context(), target)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, errScope)) {
			t.Errorf("%s: %v, want %q", target, err, want)
		}
	}
	pass("a:1", "")
	pass("b:1", "does not name b:1")
	if first := g.next; !first.Equal(now.Add(time.Millisecond)) {
		t.Errorf("the next message may go at %s", first)
	}
	now = now.Add(10 * time.Millisecond)
	scope.Stopped = "qian"
	pass("a:1", "") // not looked yet
	now = now.Add(askEvery + time.Millisecond)
	pass("a:1", "stopped by qian")
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
	scope.Stopped = ""
	now = now.Add(2 * time.Hour)
	pass("a:1", "is over")
}

// TestScopeSignature: a scope whose words were changed after signing, or whose key is another's, starts nothing.
func TestScopeSignature(t *testing.T) {
	d := newLabDesk(t)
	d.do(t, &labScopeCmd{actFlags: d.as("qian", ""), Targets: []string{d.addr}, Life: time.Hour, Rate: 10})
	answer, err := d.e.askLab(t.Context(), &labQuery{ID: "SCP-1"})
	if err != nil {
		t.Fatal(err)
	}
	good := answer.Scopes[0]
	if err := checkScope(&good, answer.Keys); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*lab.Scope){
		"a target more":  func(s *lab.Scope) { s.Targets = append(s.Targets, "192.0.2.1:1") },
		"a faster rate":  func(s *lab.Scope) { s.Rate++ },
		"a later end":    func(s *lab.Scope) { s.Until++ },
		"another number": func(s *lab.Scope) { s.ID = "SCP-2" },
		"another person": func(s *lab.Scope) { s.By = "sun" },
		"no signature":   func(s *lab.Scope) { s.Signature = nil },
	} {
		s := good
		s.Targets = append([]string(nil), good.Targets...)
		change(&s)
		if checkScope(&s, answer.Keys) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
