package fleet

import (
	"touchstone/registry"
)

// EachLife calls f with every device's life, in no order.
func (s *State) EachLife(f func(*Life)) {
	for _, l := range s.lives {
		f(l)
	}
}

// Touching are the open advisories that touch a device which runs a version, and the open campaigns that answer them.
func (s *State) Touching(d *registry.Device, version string) (advisories, campaigns []string) {
	if d == nil {
		return nil, nil
	}
	for _, a := range s.touching[d.Model] {
		if a.State != AdvisoryOpen || a.Touches(d.Model, d.Hardware, version) == Untouched {
			continue
		}
		advisories = append(advisories, a.ID)
		if c := s.answering[a.ID]; c != nil {
			campaigns = append(campaigns, c.ID)
		}
	}
	return advisories, campaigns
}
