package redress_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/redress"
	"touchstone/transaction"
)

const suffix = "ABCDEFGHIJ23"

var (
	shop    = must(pos.ParseMerchantID("898310058120001"))
	till    = must(pos.ParseTerminalID("00000023"))
	people  = []string{"chen", "wang"}
	receipt = redress.Receipt{Date: 20261128, Amount: 8800, Last4: "3157", Terminal: till}
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// candidate is a sale of 88.00 that stands and is exposed.
func candidate() redress.Candidate {
	return redress.Candidate{
		Sale:     redress.Exposed{Seq: 7, At: 5, Terminal: till, Merchant: shop, Amount: 8800},
		Exposure: &redress.Exposure{ID: "EXP-1", Scope: redress.Scope{Incident: "INC-1"}},
		Record:   &transaction.Record{Seq: 7, Amount: 8800, State: transaction.Standing},
	}
}

// apply folds drafts as a journal would give them back.
func apply(t *testing.T, s *redress.State, drafts []journal.Draft, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range drafts {
		if err := d.Act.Check(); err != nil {
			t.Fatal(err)
		}
		for _, c := range d.Act.Changes {
			if err := errors.Join(s.Fold(1, c), s.Fold(1, c)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func makeClaim(t *testing.T, s *redress.State, c redress.Candidate) *redress.Claim {
	t.Helper()
	made, drafts, err := redress.Make(s, receipt, "INC-1", "why", suffix, "consumer", []redress.Candidate{c}, 9)
	apply(t, s, drafts, err)
	return made
}

// refusedWith wants a refusal that is journaled and says something.
func refusedWith(t *testing.T, name string, err error, want string) {
	t.Helper()
	var r *journal.Refusal
	if !errors.As(err, &r) || !strings.Contains(r.Why, want) || r.Kind != journal.KindRedress {
		t.Errorf("%s: %v, want %q", name, err, want)
		return
	}
	if d := r.Draft(); d.Act.Check() != nil {
		t.Errorf("%s: its refusal is no act: %v", name, d.Act.Check())
	}
}

// TestMake: what of a receipt makes a claim, and what is refused.
func TestMake(t *testing.T) {
	type in struct {
		r        redress.Receipt
		incident string
		reason   string
		found    []redress.Candidate
	}
	base := func() in { return in{receipt, "INC-1", "why", []redress.Candidate{candidate()}} }
	for name, c := range map[string]struct {
		change func(*in)
		want   string // of the refusal; "": a claim
	}{
		"as on the receipt":      {func(*in) {}, ""},
		"no incident named":      {func(x *in) { x.incident = "" }, ""},
		"partly refunded":        {func(x *in) { x.found[0].Record.Refunded = 8799 }, ""},
		"named by its reference": {func(x *in) { x.r.RRN = 7; x.found = append(x.found, candidate()); x.found[1].Sale.Seq = 8 }, ""},
		"one of two is exposed":  {func(x *in) { x.found = append(x.found, candidate()); x.found[1].Exposure = nil }, ""},

		"no sale":                  {func(x *in) { x.found = nil }, "no approved sale matches"},
		"another reference":        {func(x *in) { x.r.RRN = 8 }, "no approved sale matches"},
		"not exposed":              {func(x *in) { x.incident = ""; x.found[0].Exposure = nil }, "not among the exposed sales;"},
		"exposed by another":       {func(x *in) { x.incident = "INC-2" }, "not among the exposed sales of INC-2"},
		"of a drill":               {func(x *in) { x.incident = "INC-1-DRILL" }, "is a drill"},
		"exposed by a drill alone": {func(x *in) { x.incident = ""; x.found[0].Exposure.Drill = true }, "not among the exposed sales"},
		"two alike":                {func(x *in) { x.found = append(x.found, candidate()) }, "2 exposed sales match"},
		"voided":                   {func(x *in) { x.found[0].Record.State = transaction.Voided }, "was voided"},
		"reversed":                 {func(x *in) { x.found[0].Record.State = transaction.Reversed }, "was reversed"},
		"refused":                  {func(x *in) { x.found[0].Record.State = transaction.Refused }, "does not stand"},
		"refunded":                 {func(x *in) { x.found[0].Record.Refunded = 8800 }, "was refunded already"},
		"forgotten":                {func(x *in) { x.found[0].Record = nil }, "not known any more"},
		"three digits":             {func(x *in) { x.r.Last4 = "315" }, "last four digits"},
		"letters":                  {func(x *in) { x.r.Last4 = "31a7" }, "last four digits"},
		"no amount":                {func(x *in) { x.r.Amount = 0 }, "amount of the receipt"},
		"less than nothing":        {func(x *in) { x.r.Amount = -1 }, "amount of the receipt"},
		"beyond every amount":      {func(x *in) { x.r.Amount = pos.MaxAmount + 1 }, "amount of the receipt"},
		"a reason too long":        {func(x *in) { x.reason = strings.Repeat("x", redress.MaxReason+1) }, "at most 300 bytes"},
		"a reason that is no text": {func(x *in) { x.reason = "\xff" }, "at most 300 bytes"},
	} {
		x := base()
		c.change(&x)
		made, drafts, err := redress.Make(redress.NewState(), x.r, x.incident, x.reason, suffix, "consumer", x.found, 9)
		if c.want != "" {
			refusedWith(t, name, err, c.want)
			continue
		}
		if err != nil || made.ID != "CLM-1-"+suffix || made.Sale != 7 || made.Incident != "INC-1" || made.State != redress.ClaimOpen || len(drafts) != 1 {
			t.Errorf("%s: %+v, %v", name, made, err)
		}
	}
	if _, _, err := redress.Make(redress.NewState(), receipt, "", "", "SHORT", "consumer", []redress.Candidate{candidate()}, 9); !errors.Is(err, redress.ErrClaim) {
		t.Errorf("a suffix that can be guessed: %v", err)
	}
}

// TestMakeAgain: a sale is claimed once; after a refusal it may be claimed again, under another number.
func TestMakeAgain(t *testing.T) {
	s := redress.NewState()
	first := makeClaim(t, s, candidate())
	_, _, err := redress.Make(s, receipt, "", "", suffix, "consumer", []redress.Candidate{candidate()}, 9)
	refusedWith(t, "claimed twice", err, "claimed already")
	_, drafts, err := redress.Decide(s, first.ID, redress.Decision{Why: "no"}, candidate().Record, people, "PRP-1", 3, 10)
	apply(t, s, drafts, err)
	if again := makeClaim(t, s, candidate()); again.ID != "CLM-2-"+suffix {
		t.Errorf("the second claim is %s", again.ID)
	}
	if s.Claim("CLM-1") != nil || s.Claim("CLM-1-ABCDEFGHIJ24") != nil || s.Claim(first.ID) == nil {
		t.Error("a claim is shown by less than its whole number")
	}
	if list := s.Claims("INC-1"); len(list) != 2 || list[0].ID != first.ID || len(s.Claims("INC-2")) != 0 || len(s.Claims("")) != 2 {
		t.Errorf("claims %v", list)
	}
}

// TestDecide: each bound of a decision at, below and above.
func TestDecide(t *testing.T) {
	approve := func(refund, compensation pos.Amount, payer redress.Payer, why string) redress.Decision {
		return redress.Decision{Approve: true, Refund: refund, Compensation: compensation, Payer: payer, Why: why}
	}
	standing := func() *transaction.Record { return candidate().Record }
	for name, c := range map[string]struct {
		d    redress.Decision
		sale *transaction.Record
		by   []string
		want string
	}{
		"whole":                    {approve(8800, 0, "", ""), standing(), people, ""},
		"a part":                   {approve(1, 0, "", ""), standing(), people, ""},
		"compensation alone":       {approve(0, 1, redress.PayMaker, "why"), nil, people, ""},
		"both":                     {approve(8800, 2000, redress.PayInsurer, "why"), standing(), people, ""},
		"refused":                  {redress.Decision{Why: "no"}, standing(), people, ""},
		"the rest of a refund":     {approve(1, 0, "", ""), &transaction.Record{Amount: 8800, Refunded: 8799, State: transaction.Standing}, people, ""},
		"one more than the rest":   {approve(2, 0, "", ""), &transaction.Record{Amount: 8800, Refunded: 8799, State: transaction.Standing}, people, "only 0.01 of the sale is left"},
		"one more than claimed":    {approve(8801, 0, "", ""), standing(), people, "more than the 88.00 claimed"},
		"nothing":                  {approve(0, 0, "", ""), standing(), people, "needs a refund, a compensation or both"},
		"less than nothing":        {approve(-1, 2, redress.PayMaker, "why"), standing(), people, "needs a refund"},
		"compensation below":       {approve(1, -1, redress.PayMaker, "why"), standing(), people, "needs a refund"},
		"compensation beyond":      {approve(0, pos.MaxAmount+1, redress.PayMaker, "why"), standing(), people, "needs a refund"},
		"nobody pays":              {approve(0, 1, "", "why"), standing(), people, "needs its payer"},
		"the moon pays":            {approve(0, 1, "moon", "why"), standing(), people, "needs its payer"},
		"paid for no reason":       {approve(0, 1, redress.PayMaker, ""), standing(), people, "needs a reason"},
		"a payer of nothing":       {approve(1, 0, redress.PayMaker, "why"), standing(), people, "a payer is of a compensation"},
		"refused for no reason":    {redress.Decision{}, standing(), people, "a refusal needs a reason"},
		"refused and paid":         {redress.Decision{Refund: 1, Why: "no"}, standing(), people, "a refusal pays nothing"},
		"voided meanwhile":         {approve(1, 0, "", ""), &transaction.Record{Amount: 8800, State: transaction.Voided}, people, "its sale is voided"},
		"reversed meanwhile":       {approve(1, 0, "", ""), &transaction.Record{Amount: 8800, State: transaction.Reversed}, people, "its sale is reversed"},
		"forgotten meanwhile":      {approve(1, 0, "", ""), nil, people, "not known any more"},
		"one person":               {approve(1, 0, "", ""), standing(), []string{"chen"}, "by two people"},
		"one person twice":         {approve(1, 0, "", ""), standing(), []string{"chen", "chen"}, "by two people"},
		"a reason too long":        {redress.Decision{Why: strings.Repeat("x", redress.MaxReason+1)}, standing(), people, "at most 300 bytes"},
		"no such claim":            {approve(1, 0, "", ""), standing(), people, "no such claim"},
		"no such claim, a refusal": {redress.Decision{Why: "no"}, standing(), people, "no such claim"},
	} {
		s := redress.NewState()
		id := makeClaim(t, s, candidate()).ID
		if strings.HasPrefix(name, "no such") {
			id = "CLM-1-XXXXXXXXXXXX"
		}
		got, drafts, err := redress.Decide(s, id, c.d, c.sale, c.by, "PRP-1", 3, 10)
		if c.want != "" {
			refusedWith(t, name, err, c.want)
			continue
		}
		apply(t, s, drafts, err)
		want := redress.ClaimRefused
		if c.d.Approve {
			want = redress.ClaimApproved
		}
		if got.State != want || got.Proposal != "PRP-1" || !slices.Equal(got.Decided, c.by) || !slices.Equal(drafts[0].Act.Actors, c.by) {
			t.Errorf("%s: %+v", name, got)
		}
		_, _, err = redress.Decide(s, id, c.d, c.sale, c.by, "PRP-2", 3, 10)
		refusedWith(t, name+", again", err, "decided already")
	}
}

// TestDueAndNoted: each part is due until it is paid or has lapsed, and noted once.
func TestDueAndNoted(t *testing.T) {
	s := redress.NewState()
	id := makeClaim(t, s, candidate()).ID
	if len(s.Due()) != 0 {
		t.Error("an open claim is due")
	}
	_, drafts, err := redress.Decide(s, id, redress.Decision{Approve: true, Refund: 8800, Compensation: 2000, Payer: redress.PayMaker, Why: "why"}, candidate().Record, people, "PRP-1", 3, 10)
	apply(t, s, drafts, err)
	want := []redress.Payment{{Claim: id, Part: journal.RefundPart, Proposal: "PRP-1", Sale: 7, Amount: 8800},
		{Claim: id, Part: journal.CompensationPart, Proposal: "PRP-1", Sale: 7, Amount: 2000}}
	if got := s.Due(); !slices.Equal(got, want) {
		t.Errorf("due %+v", got)
	}
	if since, due := s.PaidSince(); since != 3 || !due {
		t.Errorf("searched from %d, %t", since, due)
	}
	paid := journal.Payment{Claim: id, Part: journal.RefundPart, Entry: 12, Sale: 7, Amount: 8800, Terminal: till}
	if err := s.Fold(12, must(paid.Change())); err != nil {
		t.Fatal(err)
	}
	if got := s.Due(); !slices.Equal(got, want[1:]) || !slices.Equal(s.Unnoted(), []journal.Payment{paid}) {
		t.Errorf("after the refund: due %+v, not noted %+v", got, s.Unnoted())
	}
	drafts, err = redress.Note(s, id, redress.Settlement{Part: journal.RefundPart, Amount: 8800, Entry: 12})
	apply(t, s, drafts, err)
	if len(s.Unnoted()) != 0 || s.Claim(id).State != redress.ClaimApproved {
		t.Errorf("after its note: %+v", s.Claim(id))
	}
	if _, err := redress.Note(s, id, redress.Settlement{Part: journal.RefundPart, Amount: 8800, Entry: 13}); !errors.Is(err, redress.ErrClaim) {
		t.Errorf("noted twice: %v", err)
	}
	drafts, err = redress.Note(s, id, redress.Settlement{Part: journal.CompensationPart, Amount: 2000, Refused: "card_unknown"})
	apply(t, s, drafts, err)
	if s.Claim(id).State != redress.ClaimLapsed || len(s.Due()) != 0 || drafts[0].Act.Verb != "payment_lapsed" {
		t.Errorf("in the end: %+v", s.Claim(id))
	}
	if _, due := s.PaidSince(); due {
		t.Error("something is due in the end")
	}
}

// TestFreeze: what makes a frozen set, and the newest of an incident counts.
func TestFreeze(t *testing.T) {
	s := redress.NewState()
	scope := redress.Scope{Incident: "INC-1", Terminals: []string{"00000023"}, From: 1, To: 2}
	sum := redress.Sum{Sales: 1, Cards: 1, Shops: 1, Amount: 5}
	digest := strings.Repeat("a", 64)
	for name, c := range map[string]struct {
		scope redress.Scope
		of    int
		sum   redress.Sum
		files int
		want  string
	}{
		"no incident":     {redress.Scope{From: 1, To: 2}, 1, sum, 1, "frozen into an incident"},
		"window reversed": {redress.Scope{Incident: "INC-1", From: 2, To: 2}, 1, sum, 1, "window ends before"},
		"no terminal":     {scope, 0, sum, 1, "no terminal"},
		"no sale":         {scope, 1, redress.Sum{}, 1, "no approved sale"},
		"too many":        {scope, 1, redress.Sum{Sales: 1 << 30}, redress.MaxListFiles + 1, "narrow the window"},
	} {
		_, _, err := redress.Freeze(s, c.scope, c.of, 9, c.sum, slices.Repeat([]string{digest}, c.files), people[:1], 5)
		refusedWith(t, name, err, c.want)
	}
	for n := 1; n <= 3; n++ {
		scope.Incident = fmt.Sprintf("INC-%d", 1+n/3)
		x, drafts, err := redress.Freeze(s, scope, 1, 9, sum, slices.Repeat([]string{digest}, redress.MaxListFiles), people[:1], 5)
		apply(t, s, drafts, err)
		if raw := must(json.Marshal(x)); len(raw) > journal.MaxEntry/2 {
			t.Errorf("a record of %d bytes", len(raw))
		}
	}
	if x := s.ExposureOf("INC-1"); x == nil || x.ID != "EXP-2" || x.Replaces != "EXP-1" || s.Exposure("EXP-1") == nil || s.ExposureOf("INC-9") != nil {
		t.Errorf("of INC-1: %+v", x)
	}
	scope.Incident = "INC-4-DRILL"
	if x, _, err := redress.Freeze(s, scope, 1, 9, sum, []string{digest}, people[:1], 5); err != nil || !x.Drill {
		t.Errorf("of a drill: %+v, %v", x, err)
	}
	if list := s.Exposures(); len(list) != 2 || list[0].ID != "EXP-2" || list[1].ID != "EXP-3" {
		t.Errorf("newest of each incident: %+v", list)
	}
}

// TestScope: which terminals and which sales a scope takes.
func TestScope(t *testing.T) {
	sale := func(terminal, version string) *redress.Exposed {
		e := &redress.Exposed{Terminal: must(pos.ParseTerminalID(terminal))}
		copy(e.App[:], version)
		return e
	}
	whole := redress.Scope{Models: []string{"S10"}, Versions: []string{"1.0.2"}, Also: []string{"00000009"}}
	for name, c := range map[string]struct {
		s       redress.Scope
		id      string
		model   string
		version string
		covers  bool
		takes   bool
	}{
		"named":                        {redress.Scope{Terminals: []string{"00000001"}}, "00000001", "S10", "9", true, true},
		"another":                      {redress.Scope{Terminals: []string{"00000001"}}, "00000002", "S10", "9", false, true},
		"of the model and version":     {whole, "00000001", "S10", "1.0.2", true, true},
		"of the model, newer":          {whole, "00000001", "S10", "1.0.3", true, false},
		"of the model, version hidden": {whole, "00000001", "S10", "", true, true},
		"of another model":             {whole, "00000001", "S20", "1.0.2", false, true},
		"also, whatever it is":         {whole, "00000009", "S20", "1.0.3", true, true},
		"also alone":                   {redress.Scope{Also: []string{"00000009"}}, "00000001", "S10", "", false, true},
		"version alone":                {redress.Scope{Versions: []string{"1.0.2"}}, "00000001", "S10", "1.0.2", true, true},
		"named, of another model":      {redress.Scope{Terminals: []string{"00000001"}, Models: []string{"S20"}}, "00000001", "S10", "", false, true},
	} {
		if got := c.s.Covers(c.id, c.model); got != c.covers {
			t.Errorf("%s: covers %t", name, got)
		}
		if got := c.s.Takes(sale(c.id, c.version)); got != c.takes {
			t.Errorf("%s: takes %t", name, got)
		}
		if !c.s.Narrowed() {
			t.Errorf("%s: says of nothing", name)
		}
	}
	if s := (redress.Scope{Incident: "INC-1", From: 1}); s.Narrowed() {
		t.Error("an incident alone narrows")
	}
}

// TestFoldRefusesWhatItCannotRead: a record of ours that is none is a fault, and is told.
func TestFoldRefusesWhatItCannotRead(t *testing.T) {
	s := redress.NewState()
	for _, c := range []journal.Change{
		{Noun: redress.NounClaim, ID: "CLM-0-X", Record: []byte("{}")}, {Noun: redress.NounClaim, ID: "CLM-x", Record: []byte("{}")},
		{Noun: redress.NounClaim, ID: "CLM-99999999999-X", Record: []byte("{}")}, {Noun: redress.NounClaim, ID: "CLM-1-X", Record: []byte("[]")},
		{Noun: redress.NounExposure, ID: "1", Record: []byte("{}")}, {Noun: redress.NounExposure, ID: "EXP-1", Record: []byte("[]")},
		{Noun: redress.NounPayment, ID: "x", Record: []byte("[]")},
	} {
		if err := s.Fold(1, c); err == nil {
			t.Errorf("%s %s was folded", c.Noun, c.ID)
		}
	}
	if err := s.Fold(1, journal.Change{Noun: "something_later", ID: "X", Record: []byte("{}")}); err != nil {
		t.Errorf("a noun of a later version: %v", err)
	}
}
