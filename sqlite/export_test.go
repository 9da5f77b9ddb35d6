package sqlite

// MoveWAL moves the WAL into the file as the keeper does.
func (s *Store) MoveWAL() error { return s.keeper.checkpoint() }
