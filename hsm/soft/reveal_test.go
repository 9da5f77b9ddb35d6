package soft_test

import (
	"errors"
	"testing"

	"touchstone/hsm/soft"
)

// TestOnlyPublishedKeysAreShown: without the lock of a test data directory nothing is opened, whatever the file is.
func TestOnlyPublishedKeysAreShown(t *testing.T) {
	for name, lock := range map[string]soft.Lock{"no lock": {}, "a passphrase": {PassphraseFile: "passphrase"}, "an identity": {IdentityFile: "identity"}} {
		if p, err := soft.OpenPublished("module.age", lock); !errors.Is(err, soft.ErrNotPublished) || p != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
