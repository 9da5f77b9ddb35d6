package explain

import (
	"slices"

	"touchstone/reason"
)

// causeRow is a cause, as it is written.
type causeRow struct {
	Cause    string       `json:"cause"`
	Behind   []string     `json:"behind"` // the reasons behind which it may be; "none" where no refusal shows it
	Short    Text         `json:"short"`
	Meaning  Text         `json:"meaning"`
	Money    string       `json:"money,omitempty"`   // without: the reason's
	Counter  *counterRow  `json:"counter,omitempty"` // only behind none
	Variants []variantRow `json:"variants,omitempty"`
	guideRow
}

// variantRow is a case of a cause; what it leaves out is the cause's.
type variantRow struct {
	Variant string `json:"variant"`
	Owner   string `json:"owner"`
	Meaning *Text  `json:"meaning,omitempty"`
	guideRow
}

func (c *Catalogue) loadCauses(f files, s *sayings) error {
	c.causes = make([]CauseEntry, len(reason.Causes())+1)
	seen := make([]bool, len(c.causes))
	seen[reason.NoCause] = true
	for _, name := range causesFiles {
		var file struct {
			Causes []causeRow `json:"causes"`
		}
		if err := read(name, f[name], &file); err != nil {
			return err
		}
		for i := range file.Causes {
			row := &file.Causes[i]
			cause, err := reason.ParseCause(row.Cause)
			if err != nil || seen[cause] {
				return bad("cause %q: named twice or not known", row.Cause)
			}
			seen[cause] = true
			if c.causes[cause], err = c.makeCause(cause, row, s); err != nil {
				return err
			}
		}
	}
	if i := slices.Index(seen, false); i >= 0 {
		return bad("cause %q: absent", reason.Cause(i))
	}
	return nil
}

func (c *Catalogue) makeCause(cause reason.Cause, row *causeRow, s *sayings) (CauseEntry, error) {
	refuse := func(what string) (CauseEntry, error) { return CauseEntry{}, bad("cause %q: %s", cause, what) }
	e := CauseEntry{Cause: cause, Short: row.Short, Meaning: row.Meaning}
	if !fits(e.Short, MaxShort) || !e.Meaning.whole() {
		return refuse("a text is missing or too wide")
	}
	cured := false
	for _, name := range row.Behind {
		r, err := reason.Parse(name)
		if err != nil || slices.Contains(e.Behind, r) {
			return refuse("behind")
		}
		e.Behind, cured = append(e.Behind, r), cured || c.cured[r.DE39()]
	}
	if len(e.Behind) == 0 {
		return refuse("behind no reason")
	}
	if row.Counter != nil {
		if !slices.Equal(e.Behind, []reason.Reason{reason.None}) {
			return refuse("the cashier's words belong to a DE39")
		}
		counter, err := row.Counter.make(s)
		if err != nil {
			return CauseEntry{}, err
		}
		e.counter = &counter
	}
	if row.Money != "" {
		m, ok := s.money[row.Money]
		if !ok {
			return refuse("money")
		}
		e.money = &m
	}
	var ok bool
	if e.advice, ok = row.make(s, true); !ok || e.advice.signIn == nil || e.advice.signIn.Do && !cured {
		return refuse("what is to be done is not whole, or a sign-in cures nothing")
	}
	for i := range row.Variants {
		v, ok := row.Variants[i].make(s, &e)
		if !ok || v.signIn != nil && v.signIn.Do && !cured {
			return refuse("variant " + row.Variants[i].Variant)
		}
		e.Variants = append(e.Variants, v)
	}
	return e, nil
}

func (row *variantRow) make(s *sayings, cause *CauseEntry) (v Variant, ok bool) {
	if row.Variant == "" || slices.ContainsFunc(cause.Variants, func(o Variant) bool { return o.Name == row.Variant }) {
		return Variant{}, false
	}
	v = Variant{Name: row.Variant, Meaning: cause.Meaning}
	if row.Meaning != nil {
		v.Meaning = *row.Meaning
	}
	for o := reason.Nobody; o <= reason.Issuer; o++ {
		if o.String() == row.Owner {
			v.Owner, ok = o, true
		}
	}
	if !ok || !v.Meaning.whole() {
		return Variant{}, false
	}
	v.advice, ok = row.guideRow.make(s, false)
	return v, ok
}
