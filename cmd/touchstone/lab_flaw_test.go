//go:build flaw

package main

import (
	"context"
	"testing"
	"time"

	"touchstone/lab"
	"touchstone/lab/probe"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/sqlite"
)

// TestFlawIsFoundByTheLaboratory: with one proof switched off the check that examines it fails, and passes again
// when the host is mended.
func TestFlawIsFoundByTheLaboratory(t *testing.T) {
	r := newCanaryRig(t, rigOptions{})
	reader, err := sqlite.OpenReader(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	scope := &lab.Scope{ID: "SCP-1", Targets: []string{r.addr, r.tls}, Until: pos.Instant(1 << 62), Rate: lab.MaxRate}
	gate := &labScopeGate{now: time.Now, ask: func() (*lab.Scope, error) { return scope, nil }}
	rig, err := labRig(&app{ctx: t.Context()}, r.dir, "", &lab.Run{TCP: r.addr, TLS: r.tls}, gate, reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	verdict := func(ctx context.Context, check string) lab.Result {
		r.e.probes.Store(labSpare)
		out, err := probe.Run(ctx, rig, check)
		if err != nil {
			t.Fatal(err)
		}
		return out.Result
	}
	for check, flaw := range map[string]proof.Check{"serial-binding": proof.Serial, "location": proof.Place, "mac-coverage": proof.MAC, "replay": proof.Replay} {
		t.Run(check, func(t *testing.T) {
			setFlaw(t, flaw)
			if got := verdict(t.Context(), check); got.Verdict != lab.Fail {
				t.Errorf("with %s switched off: %s, %s", flaw, got.Verdict, got.Detail.EN)
			}
			heal()
			if got := verdict(t.Context(), check); got.Verdict != lab.Pass {
				t.Errorf("mended: %s, %s", got.Verdict, got.Detail.EN)
			}
		})
	}
}
