package main

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
)

// tryCount is messages of one kind, and the sales among them that were approved.
type tryCount struct {
	Messages int        `json:"messages"`
	Sales    int        `json:"sales"`
	Amount   pos.Amount `json:"amount"`
	Follows  int        `json:"follows"` // only because an earlier message would have been refused
}

func (c *tryCount) add(x *journal.Exchange, follows bool) {
	c.Messages++
	if x.Effect == journal.Sold {
		c.Sales++
		c.Amount += x.Amount
	}
	if follows {
		c.Follows++
	}
}

// tryGroup is the messages of one reason, terminal or shop.
type tryGroup struct {
	Key  string `json:"key"`
	Name string `json:"name,omitempty"`
	tryCount
}

// tryLine is one message that comes out otherwise.
type tryLine struct {
	Seq      uint64     `json:"entry"`
	At       time.Time  `json:"at"`
	Terminal string     `json:"terminal"`
	Merchant string     `json:"merchant"`
	MTI      string     `json:"mti"`
	Amount   pos.Amount `json:"amount"`
	Finding  string     `json:"finding"`
	Check    string     `json:"check,omitempty"`
	Was      string     `json:"was"`
	Is       string     `json:"is,omitempty"`
	Follows  bool       `json:"follows,omitempty"`
	Untold   string     `json:"cannot_be_told,omitempty"`
}

// tryTally adds up what a trial finds.
type tryTally struct {
	place     *hindsight // knows merchants' names
	most      int        // lines kept of each finding
	judged    int
	approved  int
	findings  map[proof.Finding]*tryCount
	whole     int // of NoLonger: approved for certain
	reasons   map[proof.Finding]map[reason.Reason]*tryCount
	untold    map[string]*tryCount
	terminals map[pos.TerminalID]*tryCount
	merchants map[pos.MerchantID]*tryCount
	lines     map[proof.Finding][]tryLine
	first     pos.Instant
	last      pos.Instant
}

func newTryTally(most int) *tryTally {
	return &tryTally{most: most, findings: map[proof.Finding]*tryCount{}, reasons: map[proof.Finding]map[reason.Reason]*tryCount{}, untold: map[string]*tryCount{},
		terminals: map[pos.TerminalID]*tryCount{}, merchants: map[pos.MerchantID]*tryCount{}, lines: map[proof.Finding][]tryLine{}}
}

// of is the count of a key, made where there is none.
func of[K comparable](m map[K]*tryCount, k K) *tryCount {
	c := m[k]
	if c == nil {
		c = new(tryCount)
		m[k] = c
	}
	return c
}

// take is told of every message of the period that was judged.
func (t *tryTally) take(x *journal.Exchange, seq uint64, a *proof.Again) {
	t.judged++
	if t.first == 0 {
		t.first = x.At
	}
	t.last = max(t.last, x.At)
	if x.Reason == reason.None && x.DE39 == pos.Approved {
		t.approved++
	}
	of(t.findings, a.Finding).add(x, a.Follows)
	if a.Finding == proof.AsBefore {
		return
	}
	if t.reasons[a.Finding] == nil {
		t.reasons[a.Finding] = map[reason.Reason]*tryCount{}
	}
	switch a.Finding {
	case proof.CannotTell:
		of(t.untold, a.What).add(x, false)
	default:
		of(t.reasons[a.Finding], a.Reason).add(x, a.Follows)
	}
	if a.Whole {
		t.whole++
	}
	if a.Finding == proof.NewlyRefused {
		of(t.terminals, x.Terminal).add(x, a.Follows)
		of(t.merchants, x.Merchant).add(x, a.Follows)
	}
	if len(t.lines[a.Finding]) < t.most {
		t.lines[a.Finding] = append(t.lines[a.Finding], lineOf(x, seq, a))
	}
}

func lineOf(x *journal.Exchange, seq uint64, a *proof.Again) tryLine {
	l := tryLine{Seq: seq, At: x.At.Time(), Terminal: printableID(x.Terminal[:]), Merchant: printableID(x.Merchant[:]), MTI: x.MTI.String(), Amount: x.Amount,
		Finding: a.Finding.String(), Was: x.Reason.String(), Follows: a.Follows, Untold: a.What}
	switch a.Finding {
	case proof.NewlyRefused, proof.OtherReason:
		l.Check, l.Is = a.Check.String(), a.Reason.String()
	case proof.NoLonger:
		l.Check = a.Check.String()
	}
	return l
}

// tryAnswer is the whole result.
type tryAnswer struct {
	Files      []string   `json:"files"`
	Permit     string     `json:"permit_policy,omitempty"`
	Host       bool       `json:"host_policy"`
	Counted    []string   `json:"keys_that_count,omitempty"`
	Passed     []string   `json:"keys_that_say_nothing_of_entries,omitempty"`
	Standing   []string   `json:"keys_at_their_default,omitempty"`
	From       *time.Time `json:"from,omitempty"` // of the first message judged
	To         *time.Time `json:"to,omitempty"`   // of the last
	Judged     int        `json:"judged"`
	Approved   int        `json:"approved_then"`
	Newly      tryCount   `json:"newly_refused"`
	NewlyBy    []tryGroup `json:"newly_refused_by_reason"`
	Terminals  []tryGroup `json:"newly_refused_by_terminal"` // at most maxTryGroups
	Touched    int        `json:"terminals_newly_refused"`
	Merchants  []tryGroup `json:"newly_refused_by_merchant"` // likewise
	NoLonger   tryCount   `json:"no_longer_refused"`
	NoLongerBy []tryGroup `json:"no_longer_refused_by_reason"`
	Whole      int        `json:"newly_approved"` // of those no longer refused: nothing that was not run remains
	Other      tryCount   `json:"refused_for_another_reason"`
	OtherBy    []tryGroup `json:"refused_for_another_reason_by_reason"`
	Untold     tryCount   `json:"cannot_be_told"`
	UntoldBy   []tryGroup `json:"cannot_be_told_by"`
	Lines      []tryLine  `json:"messages"` // of each finding at most --list
}

// maxTryGroups is how many terminals and shops an answer names.
const maxTryGroups = 1000

func (t *tryTally) answer(p *triedPolicy, _ period, files []string) *tryAnswer {
	a := &tryAnswer{Files: files, Host: p.host != nil, Counted: p.counted, Passed: p.passed, Standing: p.standing, Judged: t.judged, Approved: t.approved,
		Newly: *of(t.findings, proof.NewlyRefused), NoLonger: *of(t.findings, proof.NoLonger), Other: *of(t.findings, proof.OtherReason),
		Untold: *of(t.findings, proof.CannotTell), Whole: t.whole, Touched: len(t.terminals)}
	if p.permit != nil {
		a.Permit = p.permit.Label()
	}
	if t.judged > 0 {
		from, to := t.first.Time(), t.last.Time()
		a.From, a.To = &from, &to
	}
	byReason := func(f proof.Finding) []tryGroup {
		return groups(t.reasons[f], func(r reason.Reason) (string, string) { return r.String(), "" })
	}
	a.NewlyBy, a.NoLongerBy, a.OtherBy = byReason(proof.NewlyRefused), byReason(proof.NoLonger), byReason(proof.OtherReason)
	a.UntoldBy = groups(t.untold, func(what string) (string, string) { return what, "" })
	a.Terminals = first(groups(t.terminals, func(id pos.TerminalID) (string, string) {
		name := ""
		if known := t.place.terminals[id]; known != nil {
			if d := t.place.devices[known.reg.Serial]; d != nil {
				name = d.Model
			}
		}
		return id.String(), name
	}), maxTryGroups)
	a.Merchants = first(groups(t.merchants, func(id pos.MerchantID) (string, string) {
		name := ""
		if m := t.place.merchants[id]; m != nil {
			name = m.Name
		}
		return id.String(), name
	}), maxTryGroups)
	for _, f := range []proof.Finding{proof.NewlyRefused, proof.NoLonger, proof.OtherReason, proof.CannotTell} {
		a.Lines = append(a.Lines, t.lines[f]...)
	}
	return a
}

// groups are counts by key, the most money first, then the most messages.
func groups[K comparable](m map[K]*tryCount, name func(K) (key, name string)) []tryGroup {
	list := []tryGroup{}
	for k := range maps.Keys(m) {
		key, words := name(k)
		list = append(list, tryGroup{key, words, *m[k]})
	}
	slices.SortFunc(list, func(a, b tryGroup) int {
		return cmp.Or(cmp.Compare(b.Amount, a.Amount), b.Messages-a.Messages, cmp.Compare(a.Key, b.Key))
	})
	return list
}
