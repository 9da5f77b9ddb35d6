package sqlite

import "context"

// MoveWAL moves the WAL into the file as the keeper does.
func (s *Store) MoveWAL() error { return s.keeper.checkpoint() }

// ScanAtMost bounds how many entries are read for one cause or refusal.
func (r *Reader) ScanAtMost(n int) { r.scan = n }

// Rebuild makes the view anew, without an entry.
func (p *Projector) Rebuild(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rebuild(ctx)
}

// WithoutView takes the open view away, as a rebuild does, until back is called.
func (p *Projector) WithoutView() (back func()) {
	view := p.read.Swap(nil)
	return func() { p.read.Store(view) }
}
