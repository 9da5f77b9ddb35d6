package terminal

import (
	"path/filepath"

	"touchstone/pos"
	"touchstone/secret"
)

// Copying says what a second device has of a terminal, and how it differs.
type Copying struct {
	StateDir string // the second device's own; not the terminal's
	From     string // local address it calls from, "" for any
	// Fresh: it has identity, master key and serial-number key, and nothing else: it begins with trace 1 and signs in by
	// itself. Otherwise it has the terminal's file as it is at this moment: traces, batch, working keys.
	Fresh bool
	// Changed changes what the second device is made of, such as TLS, AppVersion, Location, or SerialKey; nil: nothing.
	Changed func(*Config)
}

// Clone makes the second device that bears this terminal's identity and its keys: what somebody has who read the device
// out. It is for tests, demonstrations and drills; both then live on by themselves. The terminal stays as it is.
func (t *Terminal) Clone(c Copying) (*Terminal, error) {
	if err := t.intact(); err != nil {
		return nil, err
	}
	cfg := t.cfg
	cfg.TMK, cfg.SerialKey = ownCopy(t.cfg.TMK), ownCopy(t.cfg.SerialKey)
	cfg.From, cfg.StateDir = c.From, c.StateDir
	if cfg.TLS != nil {
		over := *cfg.TLS
		cfg.TLS = &over
	}
	if c.Changed != nil {
		c.Changed(&cfg)
	}
	if !c.Fresh {
		if err := t.copyState(c.StateDir); err != nil {
			return nil, err
		}
	}
	return Open(cfg)
}

// ownCopy is a copy that outlives the wiping of s.
func ownCopy(s secret.Bytes) (own secret.Bytes) {
	if s.Len() > 0 {
		s.Use(func(b []byte) { own = secret.Take(append([]byte(nil), b...)) })
	}
	return own
}

// copyState writes the terminal's state as it is into another directory, where no such terminal may live yet.
func (t *Terminal) copyState(dir string) error {
	f, _, err := openFile(dir, t.cfg.Terminal)
	if err != nil {
		return err
	}
	defer f.close()
	return f.write(t.st.without())
}

// without is the state without an installed application, whose file is not copied.
func (s *state) without() *state {
	copied := *s
	copied.Application = nil
	return &copied
}

// CopyState copies the file of a terminal from one state directory into another, also while that terminal is at work:
// the second device of Clone, for those who open it by themselves. It fails with ErrState.
func CopyState(to, from string, id pos.TerminalID) error {
	source := &file{path: filepath.Join(from, stateName(id))}
	st, err := source.read(id)
	if err != nil {
		return err
	}
	f, _, err := openFile(to, id)
	if err != nil {
		return err
	}
	defer f.close()
	return f.write(st.without())
}
