package soft

import (
	"maps"
	"slices"
)

// Terms lists the terms of the module's master keys, ascending, and which of them wraps new keys; ok is false while it
// is sealed. What the keys are, nobody is told.
func (m *Module) Terms() (current uint32, all []uint32, ok bool) {
	s, leave := m.enter(0)
	if s == nil {
		return 0, nil, false
	}
	defer leave.RUnlock()
	return s.current, slices.Sorted(maps.Keys(s.terms)), true
}
