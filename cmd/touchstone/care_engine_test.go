package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
)

// careEngine opens a test data directory with the sample devices; dir may have been used before.
func careEngine(t *testing.T, dir string) *engine {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	if err := makeTestDirectory(dir, log); err != nil {
		t.Fatal(err)
	}
	e, err := openEngine(engineOptions{dir: dir, lock: testLock(dir), policy: proof.DefaultPolicy(), ledger: ledger.DefaultOptions(), zone: time.UTC, acquirerID: "48021000", log: log})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func closeEngine(t *testing.T, e *engine) {
	t.Helper()
	if err := e.close(); err != nil {
		t.Error(err)
	}
}

// TestCareEngine runs on one seeded directory, for its people's passphrases take seconds to hash.
func TestCareEngine(t *testing.T) {
	e := careEngine(t, filepath.Join(t.TempDir(), "data"))
	defer closeEngine(t, e)
	if err := e.seed(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Run("a step carried out again", func(t *testing.T) { stepCarriedOutAgain(t, e) })
	t.Run("tampered, released by deployment", func(t *testing.T) { releasedByDeployment(t, e) })
	t.Run("seeding cut short", func(t *testing.T) { seedingCutShort(t, e) })
	t.Run("what the interface tells of the estate", func(t *testing.T) { fleetBooksHold(t, e) })
}

// stepCarriedOutAgain: the program died after a step's entry and before its effect on the register; approved
// again, the same proposal brings the register to what the life says and writes no second step.
func stepCarriedOutAgain(t *testing.T, e *engine) {
	ctx := context.Background()
	serial := visitors()[0].serial
	for _, c := range []struct {
		step *careChange
		want registry.DeviceState
	}{
		{&careChange{Leave: &leaveChange{Step: "return", Serial: string(serial), Note: "x", Seal: "S-2"}}, registry.Suspended},
		{&careChange{Deploy: &deployChange{Serial: string(serial), Terminal: visitors()[0].id.String()}}, registry.Active},
		{&careChange{Leave: &leaveChange{Step: "repair", Serial: string(serial), Note: "x"}}, registry.Suspended},
		{&careChange{Leave: &leaveChange{Step: "retire", Serial: string(serial), Note: "x"}}, registry.Suspended},
	} {
		who := fleet.Who{Actors: []string{"li", "zhou"}, Proposal: "PRP-" + c.step.act()}
		if _, err := e.changeCare(ctx, c.step, who); err != nil {
			t.Fatal(err)
		}
		device, err := e.ledger.Device(serial)
		if err != nil || device.State != c.want {
			t.Fatalf("%s: %s, %v", c.step.act(), device.State, err)
		}
		// As if the register's entry had not been written.
		lost := *device
		lost.State = map[bool]registry.DeviceState{true: registry.Suspended, false: registry.Active}[c.want == registry.Active]
		if err := e.ledger.Register(ctx, e.clock(), &lost); err != nil {
			t.Fatal(err)
		}
		steps, before := len(e.lifeOf(serial).Steps), e.lifeOf(serial).Entry
		if _, err := e.changeCare(ctx, c.step, who); err != nil {
			t.Fatal(err)
		}
		if device, err = e.ledger.Device(serial); err != nil || device.State != c.want {
			t.Errorf("%s again: the register says %s, want %s", c.step.act(), device.State, c.want)
		}
		if l := e.lifeOf(serial); len(l.Steps) != steps || l.Entry != before {
			t.Errorf("%s again: a second step was written", c.step.act())
		}
	}
}

// seedingCutShort: in a directory in which only the first batch has lives, the others come with the numbers that they
// would have had.
func seedingCutShort(t *testing.T, e *engine) {
	all := map[pos.Serial]string{}
	for i, v := range append(staffTerminals(), visitors()...) {
		all[v.serial] = fmt.Sprintf("BND-%d", i+1)
	}
	whole := e.office.rooms.fleet
	some := fleet.NewState()
	for n, l := range whole.Lives()[:sampleCareBatch] {
		c, err := journal.NewChange(fleet.NounDevice, string(l.Serial), l)
		if err == nil {
			err = some.Fold(uint64(n+1), c)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	e.office.mu.Lock()
	e.office.rooms.fleet = some
	e.office.mu.Unlock()
	if err := e.seedCare(context.Background()); err != nil {
		t.Fatal(err)
	}
	for serial, binding := range all {
		if again := e.lifeOf(serial); again == nil || again.State == fleet.Deployed && again.Binding != binding {
			t.Errorf("device %s: %+v, want binding %s", serial, again, binding)
		}
	}
}

// releasedByDeployment: a device that reported tampering comes back with a new master key of two people,
// and by no step without one.
func releasedByDeployment(t *testing.T, e *engine) {
	ctx, dir := context.Background(), t.TempDir()
	v := visitors()[1]
	device, err := e.ledger.Device(v.serial)
	if err != nil {
		t.Fatal(err)
	}
	tampered := *device
	tampered.State = registry.TamperedBy
	if err := e.ledger.Register(ctx, e.clock(), &tampered); err != nil {
		t.Fatal(err)
	}
	n := 0
	step := func(c *careChange) error {
		n++
		_, err := e.changeCare(ctx, c, fleet.Who{Actors: []string{"li", "zhou"}, Proposal: "PRP-" + string(rune('0'+n))})
		return err
	}
	state := func() registry.DeviceState {
		d, err := e.ledger.Device(v.serial)
		if err != nil {
			t.Fatal(err)
		}
		return d.State
	}
	if err := step(&careChange{Leave: &leaveChange{Step: "return", Serial: string(v.serial), Note: "x", Seal: "S-2"}}); err != nil || state() != registry.TamperedBy {
		t.Fatalf("%v, %s", err, state())
	}
	deploy := &deployChange{Serial: string(v.serial), Terminal: v.id.String()}
	var refusal *journal.Refusal
	if err := step(&careChange{Deploy: deploy}); !errors.As(err, &refusal) || state() != registry.TamperedBy {
		t.Fatalf("deployed without a key: %v, %s", err, state())
	}
	for i, name := range []string{"a.hex", "b.hex"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(upperHex(published("component "+name, 16))), 0o600); err != nil {
			t.Fatal(err)
		}
		if deploy.Components = append(deploy.Components, path); i == 0 {
			if err := step(&careChange{Deploy: deploy}); !errors.As(err, &refusal) {
				t.Fatalf("deployed with one component: %v", err)
			}
		}
	}
	if err := step(&careChange{Deploy: deploy}); err != nil || state() != registry.Active {
		t.Fatalf("%v, %s", err, state())
	}
	if d, err := e.ledger.Device(v.serial); err != nil || d.MasterTerms != tampered.MasterTerms+1 {
		t.Errorf("%v: the loading is not counted", err)
	}
	if e.boundElsewhere(v.serial, pos.TerminalID{}) != v.id {
		t.Error("the terminal is not its own")
	}
}
