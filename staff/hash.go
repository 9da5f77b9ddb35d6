package staff

import (
	"crypto/subtle"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"

	"touchstone/secret"
)

// The parameters of a new hash: OWASP Password Storage Cheat Sheet (2025), Argon2id with 19 MiB, 2 passes, 1 lane.
const (
	hashTime    = 2
	hashMemory  = 19 << 10 // KiB
	hashThreads = 1
	hashBytes   = 32
	SaltBytes   = 16
)

// The most that a stored hash may ask for, so that a damaged record cannot exhaust the host.
const (
	maxHashTime   = 16
	maxHashMemory = 256 << 10 // KiB
)

// ErrPassphrase is returned for a passphrase that may not be taken.
var ErrPassphrase = errors.New("staff: passphrase")

// NewHash hashes a passphrase of at most MaxPassphrase bytes, which CheckPassphrase has let pass. salt is SaltBytes
// of randomness.
func NewHash(passphrase secret.Bytes, salt []byte) (*Hash, error) {
	return newHash(passphrase, salt, hashTime, hashMemory)
}

// publishedMemory is what the hash of a published passphrase costs, KiB: nothing is to be protected.
const publishedMemory = 64

// NewPublishedHash hashes a passphrase that everybody knows, of a test data directory, at next to no cost.
func NewPublishedHash(passphrase secret.Bytes, salt []byte) (*Hash, error) {
	return newHash(passphrase, salt, 1, publishedMemory)
}

// Published tells whether a hash is of a published passphrase: it protects nothing.
func (h *Hash) Published() bool { return h.Memory == publishedMemory }

func newHash(passphrase secret.Bytes, salt []byte, time, memory uint32) (*Hash, error) {
	if n := passphrase.Len(); n == 0 || n > MaxPassphrase {
		return nil, fmt.Errorf("%w: want 1 to %d bytes", ErrPassphrase, MaxPassphrase)
	}
	if len(salt) != SaltBytes {
		return nil, fmt.Errorf("%w: want a salt of %d bytes", ErrPassphrase, SaltBytes)
	}
	h := &Hash{Salt: salt, Time: time, Memory: memory, Threads: hashThreads}
	h.Sum = h.compute(passphrase)
	return h, nil
}

func (h *Hash) compute(passphrase secret.Bytes) (sum []byte) {
	passphrase.Use(func(p []byte) { sum = argon2.IDKey(p, h.Salt, h.Time, h.Memory, h.Threads, hashBytes) })
	return sum
}

// Matches tells, in constant time once computed, whether a passphrase is the one that was hashed. No hash, or
// one with parameters out of bounds, matches nothing.
func (h *Hash) Matches(passphrase secret.Bytes) bool {
	if h == nil || len(h.Sum) != hashBytes || h.Time == 0 || h.Time > maxHashTime || h.Memory == 0 || h.Memory > maxHashMemory || h.Threads == 0 {
		return false
	}
	return subtle.ConstantTimeCompare(h.compute(passphrase), h.Sum) == 1
}
