package soft

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"touchstone/host"
	"touchstone/issuer"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/secret"
)

var (
	_ keys.Module    = (*Module)(nil)
	_ host.Prover    = (*Module)(nil)
	_ host.Sealer    = (*Module)(nil)
	_ host.PANHasher = (*Module)(nil)
	_ issuer.Vault   = (*Module)(nil)
)

// Errors of opening and changing the module.
var (
	ErrUnsealed = errors.New("security module is already unsealed")
	ErrSelfTest = errors.New("security module self-test failed")
)

// Options are what New may be told. The zero value is right for a host.
type Options struct {
	// Random is where keys and nonces are drawn, safe for many goroutines; nil is crypto/rand.
	Random io.Reader
	// CacheKeys bounds the expanded keys kept; 0 is MaxCached, which is also the most.
	CacheKeys int
	// Clock is what the term of a PIN block under examination is measured by; nil is the machine's.
	Clock func() pos.Instant
}

// gates is the number of locks operations spread over, a power of two.
const gates = 16

// gate is one lock on a cache line of its own.
type gate struct {
	sync.RWMutex
	_ [64]byte
}

// Module is the security module. It is made by New, sealed, and may be used by many goroutines at once.
// What it holds is behind a func for the reason given at secret.Bytes.
type Module struct{ hold func() *inside }

type inside struct {
	random io.Reader
	cached int
	test   func() error // SelfTest, but for a test of its failing
	now    func() pos.Instant

	admin sync.Mutex // one Unseal, RotateMaster or Wipe at a time
	gates [gates]gate
	open  *live // nil when sealed; guarded by the gates: any one to read, all to write
}

// New makes a sealed module.
func New(o Options) *Module {
	in := &inside{random: o.Random, cached: o.CacheKeys, test: SelfTest, now: o.Clock}
	if in.now == nil {
		in.now = clock
	}
	if in.random == nil {
		in.random = rand.Reader
	}
	if in.cached <= 0 || in.cached > MaxCached {
		in.cached = MaxCached
	}
	return &Module{func() *inside { return in }}
}

// Unseal opens the keyring at path. The self-test runs first. Errors are ErrUnsealed, ErrSelfTest,
// ErrLock, ErrWrongLock, ErrKeyring and those of the file system; after any the module is as it was.
func (m *Module) Unseal(path string, lock Lock) error {
	in := m.hold()
	in.admin.Lock()
	defer in.admin.Unlock()
	if !m.Sealed() {
		return ErrUnsealed
	}
	if err := in.test(); err != nil {
		return err
	}
	ring, name, err := readKeyring(path, lock)
	if err != nil {
		return err
	}
	defer ring.wipe()
	s, err := newLive(ring, name, in.cached)
	if err != nil {
		return err
	}
	in.swap(s)
	return nil
}

// Sealed tells whether every operation is refused.
func (m *Module) Sealed() bool {
	s, leave := m.enter(0)
	if s == nil {
		return true
	}
	leave.RUnlock()
	return false
}

// Wipe seals the module: it waits for the operations under way, which take microseconds, and forgets
// every key. Sealing a sealed module does nothing.
func (m *Module) Wipe() {
	in := m.hold()
	in.admin.Lock()
	defer in.admin.Unlock()
	in.swap(nil)
}

// swap puts s in place of the open keys and wipes those. The caller holds admin.
func (in *inside) swap(s *live) {
	for i := range in.gates {
		in.gates[i].Lock()
	}
	old := in.open
	in.open = s
	if old != nil {
		old.wipe()
	}
	for i := range in.gates {
		in.gates[i].Unlock()
	}
}

// RotateMaster adds a master key of the next term to the keyring at path, which must be the one that
// is open, and uses it from now on: what was wrapped under former terms still opens. It returns the new
// term. lock must open the file and closes it again. On error the module is as it was; the file too, unless
// the file system failed after the new one was in place, when the module must be sealed and opened again.
func (m *Module) RotateMaster(path string, lock Lock) (term uint32, err error) {
	in := m.hold()
	in.admin.Lock()
	defer in.admin.Unlock()
	s, leave := m.enter(0)
	if s == nil {
		return 0, keys.ErrSealed
	}
	open := s.name
	leave.RUnlock()
	ring, name, err := readKeyring(path, lock)
	if err != nil {
		return 0, err
	}
	defer ring.wipe()
	if name != open {
		return 0, fmt.Errorf("%w: not the one that is open", ErrKeyring)
	}
	if err := ring.add(in.random); err != nil {
		return 0, err
	}
	if name, err = writeKeyring(path, lock, ring, true); err != nil {
		return 0, err
	}
	if s, err = newLive(ring, name, in.cached); err != nil {
		return 0, err
	}
	in.swap(s)
	return ring.current, nil
}

// enter lends the open keys under a gate, chosen by at so that busy cores seldom meet; the caller
// unlocks leave. Sealed gives nil and nothing to unlock.
func (m *Module) enter(at byte) (s *live, leave *gate) {
	in := m.hold()
	leave = &in.gates[at%gates]
	leave.RLock()
	if in.open == nil {
		leave.RUnlock()
		return nil, nil
	}
	return in.open, leave
}

// Check tells whether the module can work: it is open, SelfTest passes and a key wrapped now opens.
func (m *Module) Check() error {
	s, leave := m.enter(0)
	if s == nil {
		return keys.ErrSealed
	}
	defer leave.RUnlock()
	in := m.hold()
	if err := in.test(); err != nil {
		return err
	}
	var zero [16]byte
	w, err := s.wrap(in.random, keys.OfModule, keys.TerminalMaster, keys.TDES, zero[:])
	if err != nil {
		return err
	}
	if _, _, err := s.unwrap(w, keys.OfModule, keys.TerminalMaster); err != nil {
		return fmt.Errorf("%w: wrapping", ErrSelfTest)
	}
	return nil
}

const shown = "[security module]"

// Format prints "[security module]" for every verb.
func (m *Module) Format(w fmt.State, _ rune)   { io.WriteString(w, shown) }
func (m *Module) LogValue() slog.Value         { return slog.StringValue(shown) }
func (m *Module) MarshalText() ([]byte, error) { return nil, secret.ErrPrinted }
func (m *Module) MarshalJSON() ([]byte, error) { return nil, secret.ErrPrinted }
func (m *Module) GobEncode() ([]byte, error)   { return nil, secret.ErrPrinted }
