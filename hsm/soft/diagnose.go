package soft

import "touchstone/diagnosis"

// Diagnose makes the experiments of a case; see diagnosis.Case.
func (m *Module) Diagnose(c *diagnosis.Case) diagnosis.Finding {
	s, leave := m.enter(c.Terminal[len(c.Terminal)-1])
	if s == nil {
		return diagnosis.NotTried("sealed")
	}
	leave.RUnlock()
	return diagnosis.NotTried("budget")
}
