package fleet

import (
	"touchstone/pos"
	"touchstone/registry"
)

// Judgment is what a policy makes of facts.
type Judgment struct {
	Permit registry.Permit // in plain form: what all facts permit
	Why    []registry.Fact // the facts that make it less than full, in the order given
	Until  pos.Instant     // when time alone changes one of them; 0 never
}

// Judge is the rule of the permit: each fact permits what the policy says of its state, and what the fact brings
// itself; the terminal may do what all of them permit. So the order of the facts does not matter, and one more fact
// never permits more.
func (p *Policy) Judge(facts []registry.Fact) Judgment {
	j := Judgment{Permit: registry.FullPermit}
	for i := range facts {
		f := &facts[i]
		if f.Until != 0 && (j.Until == 0 || f.Until < j.Until) {
			j.Until = f.Until
		}
		if may := p.Of(f); may != registry.FullPermit {
			j.Permit = j.Permit.Meet(may)
			j.Why = append(j.Why, *f)
		}
	}
	return j
}

// Of is what one fact permits, in plain form.
func (p *Policy) Of(f *registry.Fact) registry.Permit {
	may := p.of(f.Name, f.State)
	if f.Permit != nil {
		may = may.Meet(*f.Permit)
	}
	return may
}

// Tolerated tells whether a fact is unknown and the policy restricts nothing for it. It is said wherever the permit
// is explained: unknown is not good.
func (p *Policy) Tolerated(f *registry.Fact) bool {
	return f.State == "" && p.Of(f) == registry.FullPermit
}

// RegistrationFact is what was restricted when a terminal was registered.
func RegistrationFact(t *registry.Terminal) registry.Fact {
	f := registry.Fact{Name: registry.FactRegistration, State: registry.Good, Entry: t.Entry}
	if may := t.Permit.Plain(); may != registry.FullPermit {
		f.State, f.Permit = "restricted", &may
	}
	if t.Suspended {
		f.State, f.Permit = "suspended", nil
	}
	return f
}

// RegisteredDeviceFact is what the register alone says of a device: nil is unknown.
func RegisteredDeviceFact(d *registry.Device) registry.Fact {
	f := registry.Fact{Name: registry.FactDevice}
	if d == nil {
		return f
	}
	f.State, f.Detail, f.Entry = string(d.State), string(d.Serial), d.Entry
	if d.State == registry.Active {
		f.State = registry.Good
	}
	return f
}
