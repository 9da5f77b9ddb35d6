package fleet

import (
	"cmp"
	"slices"

	"touchstone/pos"
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

// InspectionsOf are the newest inspections of a device, the newest first, at most most.
func (s *State) InspectionsOf(serial pos.Serial, most int) (list []*Inspection) {
	for _, id := range s.visits[serial] {
		list = append(list, s.inspections[id])
	}
	slices.SortFunc(list, func(a, b *Inspection) int { return cmp.Compare(b.Entry, a.Entry) })
	return list[:min(most, len(list))]
}
