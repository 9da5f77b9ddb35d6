package soft

// Counts are what the cache of opened keys has done since the module was unsealed.
type Counts struct {
	Sealed       bool
	Hits, Misses uint64 // a miss opens a wrapped key
	Kept, Most   int
}

// Counts reads them; a sealed module has none.
func (m *Module) Counts() Counts {
	s, leave := m.enter(0)
	if s == nil {
		return Counts{Sealed: true}
	}
	defer leave.RUnlock()
	var c Counts
	for i := range s.cache.shards {
		sh := &s.cache.shards[i]
		c.Hits += sh.hits.Load()
		c.Misses += sh.misses.Load()
		sh.RLock()
		c.Kept += len(sh.byID)
		sh.RUnlock()
		c.Most += sh.most
	}
	return c
}
