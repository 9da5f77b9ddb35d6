package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"touchstone/explain"
	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/registry"
	"touchstone/web"
	"touchstone/web/api"
)

var _ api.PermitBook = (*desk)(nil)

// permitKept is how many terminals of one permit, or of one state of a fact, are kept for lists.
const permitKept = 500

// permitFigure is what terminals may do: counts, and for each the first terminals of it.
type permitFigure struct {
	policy    string // the label of that in force
	terminals int
	permits   map[registry.Permit]*permitGroup
	facts     map[factIn]*permitGroup
	none      *permitGroup // terminals in no list: of a permit or a fact that nobody has
}

type factIn struct {
	name  registry.FactName
	state string
}

type permitGroup struct {
	n    int
	rows []api.PermitRow
}

func (g *permitGroup) add(row func() api.PermitRow) {
	if g.n++; len(g.rows) < permitKept {
		g.rows = append(g.rows, row())
	}
}

func groupIn[K comparable](m map[K]*permitGroup, k K) *permitGroup {
	g := m[k]
	if g == nil {
		g = new(permitGroup)
		m[k] = g
	}
	return g
}

// permits looks at every terminal as touchstone permit list does.
func (w *epoch) permits(ctx context.Context, pace func() error) (*permitFigure, error) {
	f := &permitFigure{permits: map[registry.Permit]*permitGroup{}, facts: map[factIn]*permitGroup{}, none: new(permitGroup)}
	en, zh := &lines{lang: explain.English, zone: w.e.line.Zone}, &lines{lang: explain.Chinese, zone: w.e.line.Zone}
	w.view(func(r *rooms) { f.policy = w.e.permits.policy(r).Label() })
	err := w.every(ctx, permitStep, pace, func(p ledger.Permitted) {
		if !p.Terminal.Canary {
			f.take(&p, en, zh)
		}
	})
	return f, err
}

func (f *permitFigure) take(p *ledger.Permitted, en, zh *lines) {
	f.terminals++
	may := p.May()
	row := func() api.PermitRow {
		row := api.PermitRow{Terminal: p.Terminal.ID.String(), Merchant: p.Terminal.Merchant.String(), Permit: may.String(), Label: api.Text{EN: permitWords(en, may), ZH: permitWords(zh, may)}, Entry: p.Terminal.Entry}
		if p.Standing != nil {
			row.Why, row.Entry = p.Standing.Why(200), p.Standing.Entry
			row.WhyZH = zh.whyWords(row.Why)
		}
		return row
	}
	groupIn(f.permits, may).add(row)
	if p.Standing == nil {
		if p.Restricted(registry.FactRegistration) {
			groupIn(f.facts, factIn{registry.FactRegistration, "restricted"}).add(row)
		}
		return
	}
	seen := map[factIn]bool{}
	for _, x := range p.Standing.Facts {
		k := factIn{x.Name, cmp.Or(x.State, "unknown")}
		if !seen[k] { // several advisories may be open for one device
			groupIn(f.facts, k).add(row)
		}
		seen[k] = true
	}
}

// Permits implements api.PermitBook.
func (d *desk) Permits(ctx context.Context, _ *web.Caller, q *api.PermitsQuery) (api.Permits, error) {
	var only registry.Permit
	if q.Permit != "" {
		var err error
		if only, err = registry.ParsePermit(q.Permit); err != nil {
			return api.Permits{}, &api.Problem{Status: http.StatusBadRequest, Type: "invalid_request", Code: "invalid_request", Message: err.Error(), Param: "permit", DocURL: "/docs/errors#invalid_request"}
		}
	}
	if q.Fact != "" && !slices.Contains(fleet.Facts, registry.FactName(q.Fact)) {
		return api.Permits{}, api.Refuse(http.StatusBadRequest, "invalid_request", fmt.Sprintf("there is no such fact: want one of %v", fleet.Facts))
	}
	at, err := q.AsOf.Instant(d.line.Zone, d.clock())
	if err != nil {
		return api.Permits{}, err
	}
	f, counted, err := figureAt(ctx, d.engine, "permits", at, figureLife, func(ctx context.Context, w *epoch, pace func() error) (*permitFigure, error) {
		return w.permits(ctx, pace)
	})
	if err != nil {
		return api.Permits{}, err
	}
	a := api.Permits{Counted: counted, Policy: f.policy, Terminals: f.terminals, Counts: []api.PermitCount{}, Facts: []api.FactCount{}, List: []api.PermitRow{}}
	en, zh := &lines{lang: explain.English, zone: d.line.Zone}, &lines{lang: explain.Chinese, zone: d.line.Zone}
	for may, g := range f.permits {
		a.Counts = append(a.Counts, api.PermitCount{Permit: may.String(), Label: api.Text{EN: permitWords(en, may), ZH: permitWords(zh, may)}, Sells: may.Sell, Full: may == registry.FullPermit, Terminals: g.n})
	}
	slices.SortFunc(a.Counts, func(x, y api.PermitCount) int {
		return cmp.Or(truth(y.Full)-truth(x.Full), truth(y.Sells)-truth(x.Sells), y.Terminals-x.Terminals, strings.Compare(x.Permit, y.Permit))
	})
	for k, g := range f.facts {
		fact := registry.Fact{Name: k.name, State: k.state}
		a.Facts = append(a.Facts, api.FactCount{Fact: string(k.name), Label: label(factWord[k.name]), State: k.state, StateLabel: api.Text{EN: factWords(en, &fact), ZH: factWords(zh, &fact)}, Terminals: g.n})
	}
	slices.SortFunc(a.Facts, func(x, y api.FactCount) int {
		return cmp.Or(y.Terminals-x.Terminals, strings.Compare(x.Fact, y.Fact), strings.Compare(x.State, y.State))
	})
	f.list(&a, q, only)
	return a, nil
}

// list adds the terminals that are asked for.
func (f *permitFigure) list(a *api.Permits, q *api.PermitsQuery, only registry.Permit) {
	if q.Permit != "" {
		g := cmp.Or(f.permits[only.Plain()], f.none)
		a.List, a.More = slices.Clone(g.rows), g.n-len(g.rows)
	} else if q.Fact != "" {
		for k, g := range f.facts {
			if string(k.name) == q.Fact && (q.State == "" || q.State == k.state) {
				a.List, a.More = append(a.List, g.rows...), a.More+g.n-len(g.rows)
			}
		}
		slices.SortFunc(a.List, func(x, y api.PermitRow) int { return strings.Compare(x.Terminal, y.Terminal) })
		a.List = slices.CompactFunc(a.List, func(x, y api.PermitRow) bool { return x.Terminal == y.Terminal })
		if over := len(a.List) - permitKept; over > 0 {
			a.List, a.More = a.List[:permitKept], a.More+over
		}
	}
	if a.List == nil {
		a.List = []api.PermitRow{}
	}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// standardVersion names the built-in policy.
const standardVersion = "standard"

// Policy implements api.PermitBook.
func (d *desk) Policy(ctx context.Context, _ *web.Caller, q *api.PolicyQuery) (api.Policy, error) {
	var versions []fleet.PolicyVersion
	if err := d.roomsAsOf(ctx, &q.AsOf, func(r *rooms) { versions = r.fleet.Policies() }); err != nil {
		return api.Policy{}, err
	}
	versions = append([]fleet.PolicyVersion{{Name: d.permits.standard.Name, Text: string(d.permits.standard.Text)}}, versions...)
	at := len(versions) - 1
	if q.Version != "" {
		if at = policyAt(versions, q.Version); at < 0 {
			return api.Policy{}, api.NotFound()
		}
	}
	chosen := &versions[at]
	parsed, err := fleet.ParsePolicy([]byte(chosen.Text))
	if err != nil {
		return api.Policy{}, err // it was in force: it reads
	}
	a := api.Policy{ID: cmp.Or(chosen.ID, standardVersion), Name: chosen.Name, Text: chosen.Text, Tests: len(parsed.Tests()), InForce: at == len(versions)-1, Versions: []api.PolicyVersion{}, Diff: []api.PolicyLine{}}
	for i := len(versions) - 1; i >= 0; i-- {
		v := &versions[i]
		row := api.PolicyVersion{ID: cmp.Or(v.ID, standardVersion), Name: v.Name, By: d.actorsOf(ctx, v.Entry), Entry: v.Entry, InForce: i == len(versions)-1}
		if v.At != 0 {
			row.At = v.At.Time()
		}
		a.Versions = append(a.Versions, row)
	}
	against := at - 1
	if q.Against != "" {
		if against = policyAt(versions, q.Against); against < 0 {
			return api.Policy{}, api.NotFound()
		}
	}
	if against >= 0 {
		a.Against, a.Diff = cmp.Or(versions[against].ID, standardVersion), lineDiff(versions[against].Text, chosen.Text)
	}
	return a, nil
}

func policyAt(versions []fleet.PolicyVersion, id string) int {
	return slices.IndexFunc(versions, func(v fleet.PolicyVersion) bool { return cmp.Or(v.ID, standardVersion) == id })
}

// actorsOf are the people of an act by its entry; none where it is not an act or not durable yet.
func (e *engine) actorsOf(ctx context.Context, seq uint64) []string {
	people := []string{}
	if seq == 0 {
		return people
	}
	entry, err := e.store.Entry(ctx, seq)
	if err != nil {
		return people
	}
	var act journal.Act
	if json.Unmarshal(entry.Body, &act) != nil {
		return people
	}
	return append(people, act.Actors...)
}

// lineDiff compares two texts line by line: the longest common subsequence stays. Policies have some hundred lines.
func lineDiff(before, after string) []api.PolicyLine {
	a, b := strings.Split(strings.TrimRight(before, "\n"), "\n"), strings.Split(strings.TrimRight(after, "\n"), "\n")
	longest := make([][]int, len(a)+1) // of a[i:] and b[j:]
	for i := range longest {
		longest[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	out := []api.PolicyLine{}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, api.PolicyLine{Change: "same", Text: a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && longest[i+1][j] >= longest[i][j+1]:
			out = append(out, api.PolicyLine{Change: "gone", Text: a[i]})
			i++
		default:
			out = append(out, api.PolicyLine{Change: "new", Text: b[j]})
			j++
		}
	}
	return out
}
