package fleet_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

// begin is the instant at which the tests begin; hour and day are counted from it.
const begin = pos.Instant(1_800_000_000_000_000_000)

const hour = pos.Instant(time.Hour)

var pair = []string{"qian", "sun"}

// keep folds what a rule decided, as the ledger does.
func keep(t testing.TB, s *fleet.State, drafts []journal.Draft, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range drafts {
		if err := d.Act.Check(); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the same record twice changes nothing
			for _, c := range d.Act.Changes {
				if err := s.Fold(1, c); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// refused checks that a rule refused, that the refusal is kept, and why.
func refused(t testing.TB, name string, drafts []journal.Draft, err, is error, words string) {
	t.Helper()
	var r *journal.Refusal
	if !errors.As(err, &r) || !errors.Is(err, is) || !strings.Contains(err.Error(), words) || drafts != nil {
		t.Errorf("%s: %v, want a refusal of %v with %q", name, err, is, words)
		return
	}
	d := r.Draft()
	if err := d.Act.Check(); err != nil || d.Kind != journal.KindFleet || d.Act.Refused == "" {
		t.Errorf("%s: the refusal is not kept: %v", name, err)
	}
}

func release(model, hardware, version string) *fleet.Release {
	return &fleet.Release{Model: model, Hardware: hardware, Version: version, Target: fleet.TargetPath(model, version), Digest: fmt.Sprintf("%064x", len(version)),
		Length: 10, State: fleet.Current}
}

func publish(t testing.TB, s *fleet.State, r *fleet.Release) {
	t.Helper()
	drafts, err := fleet.Publish(s, r, pair, begin)
	keep(t, s, drafts, err)
}

func device(n int, model, hardware, version string) *registry.Device {
	return &registry.Device{Serial: pos.Serial(fmt.Sprintf("00000304TS%010d", n)), Model: model, Hardware: hardware, AppVersions: []string{version}, State: registry.Active}
}

func place(n int, d *registry.Device) fleet.Place {
	id, _ := pos.ParseTerminalID(fmt.Sprintf("%08d", n))
	return fleet.Place{Terminal: id, Merchant: pos.MerchantID{}, Device: d}
}

func advisory(model, hardware, versions string) *fleet.Advisory {
	return &fleet.Advisory{Format: fleet.FormatOSV, Source: "x_" + model + hardware + versions, Digest: strings.Repeat("0", 64), Title: "weak", Severity: fleet.High,
		Affected: []fleet.Affected{{Model: model, Hardware: hardware, Versions: versions}}}
}

func add(t testing.TB, s *fleet.State, a *fleet.Advisory) string {
	t.Helper()
	drafts, id, err := fleet.Add(s, a, pair[:1], begin)
	keep(t, s, drafts, err)
	return id
}
