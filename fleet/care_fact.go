package fleet

import (
	"time"

	"touchstone/pos"
	"touchstone/registry"
)

// The states of facts besides registry.Good and unknown.
const (
	Overdue          = "overdue"         // of an inspection
	Failed           = "failed"          // of an inspection
	Stale            = "stale"           // of a health report, as all below
	Malware          = "malware"         //
	DefinitionsOld   = "definitions_old" //
	ReportsTamper    = "tampered"        //
	VersionDiffers   = "version_differs" //
	ScannerDidNotRun = "scanner_not_run" //
)

// DeviceFact is where a device is in its life: good where it is deployed, else a LifeState; unknown for a device that
// has no life record.
func (s *State) DeviceFact(serial pos.Serial, _ pos.Instant) registry.Fact {
	f := registry.Fact{Name: registry.FactDevice}
	l := s.lives[serial]
	if l == nil {
		return f
	}
	f.State, f.Since, f.Entry, f.Detail = string(l.State), l.Since, l.Entry, cut(l.Why, maxDetail)
	if l.State == Deployed {
		f.State, f.Detail = registry.Good, string(serial)
	}
	return f
}

// InspectionFact is good until the next inspection is due, then overdue; failed after one that found something, until
// one that finds nothing. A deployed device that nobody inspected is unknown, and overdue when the first was due.
func (s *State) InspectionFact(serial pos.Serial, now pos.Instant) registry.Fact {
	f := registry.Fact{Name: registry.FactInspection}
	last := s.inspected[serial]
	if last != nil {
		f.Detail, f.Since, f.Entry = last.ID, last.At, last.Entry
		if !last.Passed {
			f.State = Failed
			return f
		}
	}
	b := s.BindingAt(serial, now)
	var due pos.Instant
	switch {
	case b != nil:
		due, _ = s.due(b)
	case last != nil:
		due = last.Due
	default:
		return f
	}
	switch {
	case now >= due:
		f.State, f.Since = Overdue, due
		if b != nil && last == nil {
			f.Entry = b.Entry
		}
	case last != nil:
		f.State, f.Until = registry.Good, due
	default:
		f.Until = due
	}
	return f
}

// HealthFact is what the last health report says, the worst first. A device that never reported is unknown.
func (s *State) HealthFact(serial pos.Serial, now pos.Instant) registry.Fact {
	f := registry.Fact{Name: registry.FactHealth}
	h := s.health[serial]
	if h == nil {
		return f
	}
	f.Since, f.Entry = h.At, h.Entry
	definitions, err := time.Parse(time.DateOnly, h.Scanner.Definitions)
	old := pos.Instant(definitions.UnixNano()).Add(time.Duration(s.care.Health.Definitions))
	stale := h.At.Add(time.Duration(s.care.Health.Stale))
	switch {
	case h.Tamper != "none":
		f.State, f.Detail = ReportsTamper, "sensor "+h.Tamper
	case h.Scanner.Result == "found":
		f.State, f.Detail = Malware, h.Scanner.Found
	case h.Differs != "":
		f.State, f.Detail = VersionDiffers, h.Differs
	case now >= stale:
		f.State, f.Since = Stale, stale
	case h.Scanner.Result != "clean":
		f.State, f.Detail, f.Until = ScannerDidNotRun, h.Scanner.Name, stale
	case err != nil || now >= old:
		f.State, f.Detail, f.Until = DefinitionsOld, h.Scanner.Definitions, stale
	default:
		f.State, f.Detail, f.Until = registry.Good, h.Application, min(stale, old)
	}
	return f
}

// SiteFact is the class of the place that a terminal stands in: a SiteClass; unknown without a binding.
func (s *State) SiteFact(id pos.TerminalID, _ pos.Instant) registry.Fact {
	f := registry.Fact{Name: registry.FactSite}
	if b := s.bound[id]; b != nil {
		f.State, f.Detail, f.Since, f.Entry = string(b.Site), string(b.Risk)+" risk", b.From, b.Entry
	}
	return f
}

// NetworkFact is private or public: public where the binding says so, or where the device's last report says that it
// used a public one; unknown where neither says anything.
func (s *State) NetworkFact(id pos.TerminalID, _ pos.Instant) registry.Fact {
	f := registry.Fact{Name: registry.FactNetwork}
	b := s.bound[id]
	if b == nil {
		return f
	}
	f.State, f.Since, f.Entry = string(b.Network), b.From, b.Entry
	if h := s.health[b.Serial]; h != nil && h.Terminal == id && h.At >= b.From && b.Network != PublicNetwork {
		for _, n := range h.Networks {
			if n.Class == PublicNetwork {
				f.State, f.Detail, f.Since, f.Entry = string(PublicNetwork), n.Kind, h.At, h.Entry
			}
		}
	}
	return f
}

// maxDetail is the most bytes of a fact's detail.
const maxDetail = 100

// cut keeps a text within so many bytes, at a whole character.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for i := most; ; i-- {
		if s[i]&0xC0 != 0x80 {
			return s[:i]
		}
	}
}
