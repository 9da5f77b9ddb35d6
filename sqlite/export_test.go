package sqlite

// MoveWAL moves the WAL into the file as the keeper does.
func (s *Store) MoveWAL() error { return s.keeper.checkpoint() }

// ScanAtMost bounds how many entries are read for one cause or refusal.
func (r *Reader) ScanAtMost(n int) { r.scan = n }
