package explain

import (
	"slices"

	"touchstone/pos"
	"touchstone/reason"
)

// guideRow is what reasons, causes and variants say of what is to be done.
type guideRow struct {
	SignIn    *signInRow `json:"sign_in,omitempty"` // without: as the code says
	Reboot    *saying    `json:"reboot,omitempty"`
	Courier   *saying    `json:"courier,omitempty"`
	Never     []saying   `json:"never,omitempty"`
	Support   []Text     `json:"support,omitempty"`
	Engineer  []Text     `json:"engineer,omitempty"`
	NotProven *Text      `json:"not_proven,omitempty"`
}

type signInRow struct {
	Do   bool `json:"do"`
	Text Text `json:"text"`
}

// reasonRow is a reason, as it is written.
type reasonRow struct {
	Reason  string      `json:"reason"`
	Short   Text        `json:"short"`
	Meaning Text        `json:"meaning"`
	Causes  []Text      `json:"causes"`
	Family  string      `json:"family"`
	Money   string      `json:"money"`
	Counter *counterRow `json:"counter,omitempty"` // only where DE39 does not say it: see ownCounter
	// Unproven are the engineer's steps where experiment found nothing: of the reasons that are sought, and of no other.
	Unproven []Text `json:"unproven,omitempty"`
	guideRow
}

// advice is a guideRow with its sayings found. In a variant what is empty is the cause's.
type advice struct {
	signIn                     *SignIn
	reboot, courier, notProven Text
	then                       Text // who acts after the owner, empty where nobody need go
	never, support, engineer   []Text
}

// make finds the sayings; whole asks that nothing be missing but the sign-in.
func (row *guideRow) make(s *sayings, whole bool) (a advice, ok bool) {
	var good [3]bool
	a.never, good[0] = all(row.Never, s.never)
	good[1], good[2] = row.Reboot == nil, row.Courier == nil
	if row.Reboot != nil {
		a.reboot, good[1] = row.Reboot.in(s.reboot)
	}
	if row.Courier != nil {
		a.courier, good[2] = row.Courier.in(s.courier)
		a.then = s.then[row.Courier.name]
	}
	if row.NotProven != nil {
		a.notProven = *row.NotProven
	}
	if row.SignIn != nil {
		a.signIn = &SignIn{Do: row.SignIn.Do, Text: row.SignIn.Text}
		if !row.SignIn.Text.whole() {
			return advice{}, false
		}
	}
	a.support, a.engineer = row.Support, row.Engineer
	if !good[0] || !good[1] || !good[2] || len(row.Support) > 0 && !steps(row.Support) || len(row.Engineer) > 0 && !steps(row.Engineer) {
		return advice{}, false
	}
	if row.NotProven != nil && !a.notProven.whole() {
		return advice{}, false
	}
	missing := row.Reboot == nil || row.Courier == nil || row.NotProven == nil || len(a.never) == 0 || len(a.support) == 0 || len(a.engineer) == 0
	return a, !whole || !missing
}

func (c *Catalogue) loadReasons(f files, s *sayings) error {
	c.entries = make([]Entry, len(reason.All())+1)
	seen, outside := make([]bool, len(c.entries)), 0
	for _, name := range reasonsFiles {
		var file struct {
			Reasons []reasonRow `json:"reasons"`
			Outside *reasonRow  `json:"outside,omitempty"` // for a number outside the table
		}
		if err := read(name, f[name], &file); err != nil {
			return err
		}
		for i := range file.Reasons {
			row := &file.Reasons[i]
			r, err := reason.Parse(row.Reason)
			if err != nil || seen[r] {
				return bad("reason %q: named twice or not known", row.Reason)
			}
			seen[r] = true
			if c.entries[r], err = c.makeEntry(r, row, s); err != nil {
				return err
			}
		}
		if file.Outside != nil {
			outside++
			var err error
			if c.outside, err = c.makeEntry(reason.Reason(len(c.entries)), file.Outside, s); err != nil {
				return err
			}
		}
	}
	if i := slices.Index(seen, false); i >= 0 || outside != 1 {
		return bad("reason %q absent, or %d rows for one outside the table", reason.Reason(max(i, 0)), outside)
	}
	return nil
}

// ownCounter tells whether a reason may have its own words for the cashier: only where what the
// terminal sees beside DE39 differs anyway (a settlement's result digit in DE48), or where nothing is
// answered. Everywhere else its own words would tell the counter the inner cause.
func ownCounter(r reason.Reason) bool {
	code := r.DE39()
	return r != reason.None && (code == pos.Approved || code == pos.ResponseCode{})
}

func (c *Catalogue) makeEntry(r reason.Reason, row *reasonRow, s *sayings) (Entry, error) {
	refuse := func(what string) (Entry, error) { return Entry{}, bad("reason %q: %s", r, what) }
	e := Entry{Reason: r, Short: row.Short, Meaning: row.Meaning, Causes: row.Causes, Support: join(row.Support), Engineer: join(row.Engineer)}
	code, ok := c.Code(r.DE39())
	if !ok {
		return refuse("its DE39 is not in the code table")
	}
	e.counter = code.Counter
	if row.Counter != nil {
		if !ownCounter(r) {
			return refuse("the cashier's words belong to its DE39")
		}
		counter, err := row.Counter.make(s)
		if err != nil {
			return Entry{}, err
		}
		e.counter = counter
	}
	e.Cashier, e.CashierShort = e.counter.Action, e.counter.Short
	if !fits(e.Short, MaxShort) || !e.Meaning.whole() {
		return refuse("a text is missing or too wide")
	}
	if (len(e.Causes) == 0) != (r == reason.None) {
		return refuse("causes are for what failed")
	}
	for _, cause := range e.Causes {
		if !cause.whole() {
			return refuse("a cause is missing")
		}
	}
	if r.Sought() != steps(row.Unproven) {
		return refuse("what is to be done where nothing is found")
	}
	e.unproven = row.Unproven
	if e.money, ok = s.money[row.Money]; !ok {
		return refuse("money")
	}
	if e.family, ok = family(row.Family); !ok {
		return refuse("family")
	}
	if e.advice, ok = row.make(s, true); !ok {
		return refuse("what is to be done is not whole")
	}
	if e.advice.signIn != nil && e.advice.signIn.Do && !c.cured[r.DE39()] {
		return refuse("its DE39 is not cured by a sign-in")
	}
	return e, nil
}

func family(name string) (reason.Family, bool) {
	for _, f := range reason.Families() {
		if f.String() == name {
			return f, true
		}
	}
	return reason.FamilyUnproven, false
}
