package anatomy

import "touchstone/explain"

// Shown is an anatomy for a program: both languages, masked.
type Shown struct {
	MTI     string       `json:"mti,omitempty"`
	Size    int          `json:"bytes"`
	Framing Framing      `json:"framing"`
	Whole   bool         `json:"whole"`
	Parts   []ShownPart  `json:"parts"`
	Checks  []ShownCheck `json:"checks"`
	Covered *Span        `json:"mac_covers,omitempty"`
	Fault   *ShownFault  `json:"fault,omitempty"`
}

// ShownPart is a Part.
type ShownPart struct {
	Depth int          `json:"depth"`
	Name  string       `json:"name"`
	Title explain.Text `json:"title"`
	From  int          `json:"from"`
	To    int          `json:"to"`
	Hex   string       `json:"hex,omitempty"` // '*' stands for a hidden nibble
	Value explain.Text `json:"value"`
}

// ShownCheck is a Check.
type ShownCheck struct {
	Name explain.Text  `json:"name"`
	OK   bool          `json:"ok"`
	Why  *explain.Text `json:"why,omitempty"`
}

// ShownFault is a Fault.
type ShownFault struct {
	Name     string       `json:"name"`
	Element  int          `json:"element"`
	At       int          `json:"at"`
	Expected explain.Text `json:"expected"`
	Found    explain.Text `json:"found"`
	Do       explain.Text `json:"do"`
}

// JSON is the anatomy for a program.
func (a *Anatomy) JSON() Shown {
	s := Shown{Size: a.Size, Framing: a.Framing, Whole: a.Fault == nil}
	if a.MTI != 0 {
		s.MTI = a.MTI.String()
	}
	for _, p := range a.Parts {
		s.Parts = append(s.Parts, ShownPart{p.Depth, p.Name, p.Title, p.Span.From, p.Span.To, a.HexOf(p.Span), p.Value})
	}
	for _, c := range a.Checks {
		shown := ShownCheck{Name: c.Name, OK: c.OK}
		if !c.OK {
			shown.Why = &c.Why
		}
		s.Checks = append(s.Checks, shown)
	}
	if a.Covered.Len() > 0 {
		s.Covered = &a.Covered
	}
	if f := a.Fault; f != nil {
		s.Fault = &ShownFault{f.Name, f.Element, f.At, f.Expected, f.Found, f.Do}
	}
	return s
}
