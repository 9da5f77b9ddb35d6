package ledger

import (
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"

	"touchstone/pos"
	"touchstone/registry"
)

// certificates are the newest records of every certificate the built-in authority made. Revocation is felt by
// whoever asks after the epoch has moved.
type certificates struct{ *certificateSet }

type certificateSet struct {
	epoch atomic.Uint64 // moves with every act, after the act is visible

	mu     sync.RWMutex // a leaf: only Enqueue is called under it
	all    map[[32]byte]*registry.Certificate
	listed []*registry.Certificate // one an element of all, in the order they were made
	at     map[[32]byte]int        // places in listed
}

func newCertificates() certificates {
	return certificates{&certificateSet{all: map[[32]byte]*registry.Certificate{}, at: map[[32]byte]int{}}}
}

// put makes a record the newest of its certificate; the fingerprint was checked before it was journaled.
func (s certificates) put(c *registry.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(c)
}

func (s certificates) set(c *registry.Certificate) {
	var id [32]byte
	if n, err := hex.Decode(id[:], []byte(c.Fingerprint)); err != nil || n != len(id) {
		return // not of this program: no connection can present it
	}
	if place, known := s.at[id]; known {
		s.listed[place] = c
	} else {
		s.at[id] = len(s.listed)
		s.listed = append(s.listed, c)
	}
	s.all[id] = c
	s.epoch.Add(1)
}

// foldCertificate applies an act. What the journal did not take is not in memory.
func (l *Ledger) foldCertificate(c *registry.Certificate, enqueue func() (uint64, error)) error {
	if len(c.Fingerprint) != 64 {
		return fmt.Errorf("%w: fingerprint", registry.ErrRecord)
	}
	l.certs.mu.Lock()
	defer l.certs.mu.Unlock()
	if _, err := enqueue(); err != nil {
		return err
	}
	l.certs.set(c)
	return nil
}

// Certificate is the newest record of a certificate by its SHA-256; ErrUnknown when this authority never
// made it. The record is shared: a change is made to a copy and registered.
func (l *Ledger) Certificate(fingerprint [32]byte) (*registry.Certificate, error) {
	l.certs.mu.RLock()
	defer l.certs.mu.RUnlock()
	if c := l.certs.all[fingerprint]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("%w: certificate %.16x", ErrUnknown, fingerprint)
}

// Certificates lists the newest record of every certificate in the order they were made, after a restart in
// the order of their fingerprints.
func (l *Ledger) Certificates() []*registry.Certificate {
	l.certs.mu.RLock()
	defer l.certs.mu.RUnlock()
	return append([]*registry.Certificate(nil), l.certs.listed...)
}

// CertificateEpoch moves with every act on a certificate: what was learnt of one at an earlier epoch is to be
// asked again.
func (l *Ledger) CertificateEpoch() uint64 { return l.certs.epoch.Load() }

// Standing of a device's certificate: see registry.Certificate; "unknown" for one this authority never made.
func (l *Ledger) CertificateStanding(fingerprint [32]byte, now pos.Instant) (why string, ok bool) {
	c, err := l.Certificate(fingerprint)
	if err != nil {
		return "unknown", false
	}
	return c.Standing(now)
}
