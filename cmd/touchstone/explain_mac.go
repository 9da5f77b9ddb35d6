package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"touchstone/explain/anatomy"
	"touchstone/hsm/soft"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
	"touchstone/sqlite"
)

// errMACKeys says why no key is shown.
var errMACKeys = errors.New("--mac shows the key and the whole message: only where keys are published, in a test data directory; this one holds keys of its own, which do not leave the security module")

// showMAC prints how the message's MAC is computed under the key of its terminal that verifies it, or under its newest.
func (x *explainCall) showMAC(a *anatomy.Anatomy, style anatomy.Style) error {
	if x.JSON {
		return errors.New("--mac prints for a person: leave --json out")
	}
	dir := x.directory()
	if _, err := os.Stat(filepath.Join(dir, keyringFile)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is no data directory (no %s): name one with --data", dir, keyringFile)
	}
	if !isTestDirectory(dir) {
		return fmt.Errorf("%s: %w", dir, errMACKeys)
	}
	id, err := pos.ParseTerminalID([]byte(a.Text("DE41")))
	if err != nil {
		return errors.New("--mac: the message names no terminal (DE41)")
	}
	sets, algorithms, err := setsOf(x.a.ctx, dir, id)
	if err != nil {
		return err
	}
	module, err := soft.OpenPublished(filepath.Join(dir, keyringFile), testLock(dir))
	if err != nil {
		return err
	}
	defer module.Wipe()
	var last *anatomy.MAC
	for i := len(sets) - 1; i >= 0; i-- { // the newest first
		mak, err := module.MAK(id, &sets[i], algorithms[i])
		if err != nil {
			return fmt.Errorf("open working key set %d of terminal %s: %w", sets[i].Number, id, err)
		}
		m, err := anatomy.NewMAC(a, algorithms[i], mak)
		mak.Wipe()
		if err != nil {
			return err
		}
		if m.Right == m.DE64 {
			return m.Draw(x.a.stdout, style)
		}
		if last == nil {
			last = m
		}
	}
	return last.Draw(x.a.stdout, style)
}

// maxMACSets is how many of a terminal's newest key sets are tried.
const maxMACSets = 12

// setsOf are the working key sets of a terminal as the journal has them, oldest first, and the MAC algorithm after each.
func setsOf(ctx context.Context, dir string, id pos.TerminalID) (sets []keys.Set, algorithms []mac.Algorithm, err error) {
	r, err := sqlite.OpenReader(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("open journal of %s: %w", dir, err)
	}
	defer r.Close()
	var profile registry.MACProfile
	known := false
	err = r.Cold(ctx, sqlite.Cold{
		Merchant: func(uint64, registry.Merchant) error { return nil },
		Device:   func(uint64, registry.Device) error { return nil },
		Terminal: func(_ uint64, t registry.Terminal) error {
			if t.ID == id {
				profile, known = t.Profile.MAC, true
			}
			return nil
		},
	})
	if err != nil {
		return nil, nil, err
	}
	if !known {
		return nil, nil, fmt.Errorf("--mac: terminal %s is not registered in %s", id, dir)
	}
	next, number := uint64(1), uint32(0)
	err = eachEntry(ctx, r, &next, func(e journal.Entry) error {
		var x journal.Exchange
		if e.Kind != journal.KindExchange || x.Parse(e) != nil || x.Terminal != id || x.Effect != journal.KeysIssued {
			return nil
		}
		number++
		s := keys.Set{Number: number, Code: x.KeyCode, Issued: x.At}
		copy(s.Wrapped[:], x.Wrapped)
		sets, algorithms = append(sets, s), append(algorithms, proof.AlgorithmOf(profile, x.KeyCode))
		if len(sets) > maxMACSets {
			sets, algorithms = sets[1:], algorithms[1:]
		}
		return nil
	})
	if err == nil && len(sets) == 0 {
		err = fmt.Errorf("--mac: terminal %s never signed in here: it has no MAC key", id)
	}
	return sets, algorithms, err
}
