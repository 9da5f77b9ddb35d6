package main

import (
	"context"
	"os"
	"path/filepath"

	"filippo.io/age"

	"touchstone/incident"
	"touchstone/journal"
	"touchstone/pos"
)

// sampleContactKey is the identity, in a test data directory, that opens contacts of reporters. It stands beside what
// it opens only because that directory is for tests.
const sampleContactKey = "contacts.test-identity"

// seedIncidents makes the key that contacts of reporters are encrypted to in a test data directory.
func (e *engine) seedIncidents(ctx context.Context) error {
	var known bool
	e.office.view(func(r *rooms) { known = r.incident.ContactKey() != "" })
	if known {
		return nil
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(e.dir, sampleContactKey), []byte(identity.String()+"\n"), 0o600); err != nil {
		return err
	}
	return e.act(ctx, func(*rooms, pos.Instant) ([]journal.Draft, error) {
		return incident.SetContactKey(identity.Recipient().String(), incident.By{Actors: []string{"setup"}})
	})
}
