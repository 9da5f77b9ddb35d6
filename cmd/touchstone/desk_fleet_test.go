package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"touchstone/grade"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// fleetBooksHold looks at every resource of the estate's care on a seeded directory with a past.
func fleetBooksHold(t *testing.T, e *engine) {
	ctx := t.Context()
	if err := e.seedPast(ctx); err != nil {
		t.Fatal(err)
	}
	head := e.ledger.Durable()
	if err := e.seedPast(ctx); err != nil || e.ledger.Durable() != head {
		t.Errorf("a past that is there already is made again: %v", err)
	}
	d := &desk{e}
	t.Run("grades are those of the command", func(t *testing.T) { gradesAreTheCommands(t, d) })
	t.Run("permits add up", func(t *testing.T) { permitsAddUp(t, d) })
	t.Run("inspections are due as seeded", func(t *testing.T) { inspectionsAreDue(t, d) })
	t.Run("training, and a shop's own", func(t *testing.T) { trainingIsTold(t, d) })
	t.Run("an advisory, its radius and its campaign", func(t *testing.T) { advisoryIsTold(t, d) })
	t.Run("keys are records alone", func(t *testing.T) { keysAreRecords(t, d) })
	t.Run("the map counts what is placed", func(t *testing.T) { mapCounts(t, d) })
	t.Run("the policy has versions", func(t *testing.T) { policyHasVersions(t, d) })
}

var (
	asSecurity = &web.Caller{Account: "qian", Roles: []staff.Role{staff.Security}}
	asShop3    = &web.Caller{Account: "shop3", Roles: []staff.Role{staff.Merchant}, Shop: sampleMerchant(3)}
	asShop4    = &web.Caller{Account: "shop4", Roles: []staff.Role{staff.Merchant}, Shop: sampleMerchant(4)}
)

func isMissing(err error) bool {
	var p *api.Problem
	return errors.As(err, &p) && p.Status == http.StatusNotFound
}

// workers counts the terminals that are no canaries.
func workers(e *engine) (n int) {
	for _, t := range e.ledger.Terminals() {
		if !t.Canary {
			n++
		}
	}
	return n
}

func gradesAreTheCommands(t *testing.T, d *desk) {
	want, err := d.grades(t.Context(), &gradeQuery{Thresholds: grade.DefaultThresholds()})
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Grades(t.Context(), asSecurity, &api.GradesQuery{})
	if err != nil || got.Terminals != want.Fleet.Terminals || got.Overall != levelsOf(want.Fleet.Overall) || len(got.Axes) != int(grade.Axes) {
		t.Errorf("%+v, %v; want %+v", got, err, want.Fleet)
	}
	for i, x := range got.Axes {
		if x.Levels.Total() != got.Terminals || x.Label.EN == "" || x.Label.ZH == "" || x.Levels != levelsOf(want.Fleet.Axes[i].Levels) {
			t.Errorf("axis %s: %+v", x.Axis, x)
		}
		for _, w := range x.Why {
			if w.Label.EN == "" || w.Label.ZH == "" {
				t.Errorf("axis %s: reason %s has no words", x.Axis, w.Key)
			}
		}
	}
	plan, err := d.GradePlan(t.Context(), asSecurity, &api.GradesQuery{})
	if err != nil || len(plan.Steps) == 0 || plan.Before.Total() != got.Terminals || plan.After.Total() != got.Terminals {
		t.Errorf("plan %+v, %v", plan, err)
	}
	narrow, err := d.Grades(t.Context(), asSecurity, &api.GradesQuery{Model: oldModel})
	if err != nil || narrow.Terminals != 2 {
		t.Errorf("of %s: %d, %v", oldModel, narrow.Terminals, err)
	}
}

func permitsAddUp(t *testing.T, d *desk) {
	p, err := d.Permits(t.Context(), asSecurity, &api.PermitsQuery{Fact: string(registry.FactInspection), State: "overdue"})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, c := range p.Counts {
		sum += c.Terminals
	}
	if sum != workers(d.engine) || p.Terminals != sum {
		t.Errorf("%d by permit, %d in all, %d terminals", sum, p.Terminals, workers(d.engine))
	}
	var ids []string
	for _, row := range p.List {
		ids = append(ids, row.Terminal)
		if row.Permit != "no_refund" || !strings.Contains(row.Why, "inspection overdue") || row.WhyZH == row.Why {
			t.Errorf("%+v", row)
		}
	}
	if !slices.Equal(ids, []string{"00000049", "00000050"}) {
		t.Errorf("past due: %v", ids)
	}
	if _, err := d.Permits(t.Context(), asSecurity, &api.PermitsQuery{Permit: "nonsense"}); err == nil {
		t.Error("a permit that is none is sought")
	}
}

func inspectionsAreDue(t *testing.T, d *desk) {
	a, err := d.Inspections(t.Context(), asSecurity, &api.InspectionsQuery{Tab: "overdue", Days: 30})
	if err != nil || a.Overdue != 3 || len(a.Due) != 3 || a.Due[0].Terminal != "90000007" || !a.Due[0].Failed || a.Due[1].Terminal != "00000050" || a.Upcoming != 6 {
		t.Errorf("%+v, %v", a, err)
	}
	for _, n := range d.engine.terminalNeeds() { // the first page and this one count the same
		if n.code == needInspection && int(n.count) != a.Overdue {
			t.Errorf("%d inspections are due on the first page, %d here", n.count, a.Overdue)
		}
	}
	for _, tab := range []struct {
		name string
		who  *web.Caller
		due  []string
	}{{"overdue", asShop3, []string{"00000049"}}, {"overdue", asShop4, []string{"00000050"}}} {
		a, err := d.Inspections(t.Context(), tab.who, &api.InspectionsQuery{Tab: tab.name, Days: 30})
		var got []string
		for _, x := range a.Due {
			got = append(got, x.Terminal)
		}
		if err != nil || !slices.Equal(got, tab.due) {
			t.Errorf("%s of %s: %v, %v", tab.name, tab.who.Account, got, err)
		}
	}
	if _, err := d.Inspections(t.Context(), asShop3, &api.InspectionsQuery{Tab: "overdue", Merchant: sampleMerchant(4).String()}); !isMissing(err) {
		t.Errorf("another shop's: %v", err)
	}
	found, err := d.Inspections(t.Context(), asSecurity, &api.InspectionsQuery{Tab: "findings"})
	if err != nil || len(found.Done) != 1 || found.Done[0].Findings[0].Label.ZH == "" {
		t.Fatalf("findings %+v, %v", found.Done, err)
	}
	if _, err := d.Inspection(t.Context(), asShop3, found.Done[0].ID, &api.AsOf{}); !isMissing(err) {
		t.Errorf("another shop's inspection: %v", err)
	}
	if i, err := d.Inspection(t.Context(), asSecurity, found.Done[0].ID, &api.AsOf{}); err != nil || i.Terminal != "90000007" || i.Passed {
		t.Errorf("%+v, %v", i, err)
	}
}

func trainingIsTold(t *testing.T, d *desk) {
	a, err := d.Training(t.Context(), asSecurity, &api.TrainingQuery{State: staff.CashierLapsed})
	if err != nil || a.Lapsed != 1 || a.Due != 2 || a.Untrained != 1 || len(a.List) != 1 || len(a.Staff) == 0 || a.Policy.EN != "no refunds" {
		t.Errorf("%+v, %v", a, err)
	}
	own, err := d.Training(t.Context(), asShop3, &api.TrainingQuery{State: trainingDue})
	if err != nil || own.Cashiers != 2 || len(own.List) != 1 || len(own.Staff) != 0 || own.List[0].Merchant != sampleMerchant(3).String() {
		t.Errorf("a shop's own: %+v, %v", own, err)
	}
	var all []string
	for cursor := ""; ; {
		page, err := d.Cashiers(t.Context(), asSecurity, &api.CashierQuery{Paging: api.Paging{Limit: 4, Cursor: cursor}})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Data {
			all = append(all, c.ID)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(all) != a.Cashiers || !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Errorf("%d cashiers page by page, %d in all: %v", len(all), a.Cashiers, all)
	}
	begun, err := d.changeTraining(t.Context(), &trainingChange{Do: trainBegin, Merchant: sampleMerchant(4).String(), Operator: "001"}, []string{"setup"})
	if err != nil {
		t.Fatal(err)
	}
	paper, err := d.Paper(t.Context(), asShop4, begun.Facts["training"])
	raw, _ := json.Marshal(paper)
	if err != nil || len(paper.Questions) != staff.PaperQuestions || strings.Contains(string(raw), `"right":"`) {
		t.Errorf("%d questions, %v", len(paper.Questions), err)
	}
	if _, err := d.Paper(t.Context(), asShop3, begun.Facts["training"]); !isMissing(err) {
		t.Errorf("another shop's paper: %v", err)
	}
}

func advisoryIsTold(t *testing.T, d *desk) {
	list, err := d.Advisories(t.Context(), asSecurity, &api.UpdateQuery{})
	if err != nil || len(list.Data) != 1 || list.Data[0].ID != "ADV-1" || list.Data[0].Campaign != "CMP-1" {
		t.Fatalf("%+v, %v", list, err)
	}
	want, err := d.radius(t.Context(), &updatesQuery{ID: "ADV-1"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Radius(t.Context(), asSecurity, "ADV-1", &api.AsOf{})
	if err != nil || got.Tally != api.Tally(want.Tally) || got.Tally.Terminals != 2 || got.Tally.Upgrade != 1 || got.Tally.Replace != 1 || got.ShopCount != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, who := range []struct {
		caller    *web.Caller
		terminals int
	}{{asShop3, 1}, {asShop4, 0}} {
		own, err := d.Advisories(t.Context(), who.caller, &api.UpdateQuery{})
		r, refused := d.Radius(t.Context(), who.caller, "ADV-1", &api.AsOf{})
		if err != nil || len(own.Data) != who.terminals || who.terminals == 0 && !isMissing(refused) || r.Tally.Terminals != who.terminals || r.All != (api.Sold{}) {
			t.Errorf("%s: %d advisories, radius %+v, %v", who.caller.Account, len(own.Data), r, refused)
		}
	}
	if _, err := d.Radius(t.Context(), asSecurity, "ADV-9", &api.AsOf{}); !isMissing(err) {
		t.Errorf("none: %v", err)
	}
	c, err := d.Campaign(t.Context(), asSecurity, "CMP-1", &api.AsOf{})
	if err != nil || c.Left.Terminals != 2 || c.Start.Terminals < 10 || c.BurnDown[0].Left != c.Start || c.BurnDown[len(c.BurnDown)-1].Left != c.Left || len(c.Laggards) != 2 || c.State != "open" {
		t.Errorf("%+v, %v", c, err)
	}
	for i := 1; i < len(c.BurnDown); i++ {
		if c.BurnDown[i].Left.Terminals >= c.BurnDown[i-1].Left.Terminals || !c.BurnDown[i].At.After(c.BurnDown[i-1].At) {
			t.Errorf("point %d: %+v after %+v", i, c.BurnDown[i], c.BurnDown[i-1])
		}
	}
	for _, format := range []string{"csaf", "osv", "source"} {
		if raw, err := d.ExportAdvisory(t.Context(), asSecurity, &api.ExportQuery{ID: "ADV-1", Format: format}); err != nil || !json.Valid(raw) {
			t.Errorf("%s: %v", format, err)
		}
	}
	releases, err := d.Releases(t.Context(), asSecurity, &api.UpdateQuery{})
	if err != nil || !releases.Repository.Made || !slices.ContainsFunc(releases.Data, func(r api.Release) bool { return r.Model == oldModel && r.Version == fixedApp }) {
		t.Errorf("%+v, %v", releases, err)
	}
}

func keysAreRecords(t *testing.T, d *desk) {
	ctx := t.Context()
	f, err := d.KeyFigures(ctx, asSecurity, &api.AsOf{})
	if err != nil || f.Masters != workers(d.engine) || f.SingleDES != 1 || len(f.Module) < 3 {
		t.Fatalf("%+v, %v", f, err)
	}
	told := []any{f}
	seen := 0
	for cursor := ""; ; {
		page, err := d.Keys(ctx, asSecurity, &api.KeyQuery{Paging: api.Paging{Limit: 30, Cursor: cursor}, List: "all"})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range page.Data {
			detail, err := d.Key(ctx, asSecurity, k.ID, &api.AsOf{})
			if err != nil || detail.ID != k.ID || len(detail.Lineage) == 0 || detail.Falls.Says.ZH == "" {
				t.Errorf("%s: %+v, %v", k.ID, detail, err)
			}
			told = append(told, k, detail)
			if k.Usage == "TMK" {
				seen++
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if seen != f.Masters {
		t.Errorf("%d master keys page by page, %d in all", seen, f.Masters)
	}
	for _, k := range f.Module {
		if _, err := d.Key(ctx, asSecurity, k.ID, &api.AsOf{}); err != nil {
			t.Errorf("%s: %v", k.ID, err)
		}
	}
	raw, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	for _, reg := range d.ledger.Terminals() {
		if bytes := []byte(reg.Master); strings.Contains(string(raw), base64.StdEncoding.EncodeToString(bytes)) || strings.Contains(string(raw), hex.EncodeToString(bytes[19:35])) {
			t.Fatalf("the wrapped key of terminal %s is told", reg.ID)
		}
	}
	one, err := d.Key(ctx, asSecurity, "00000011", &api.AsOf{})
	if err != nil || one.ID != "key_master_00000011" || one.KCV == "" {
		t.Fatalf("%+v, %v", one, err)
	}
	for _, digits := range []string{one.KCV, one.KCV[:6], strings.ToLower(one.KCV)} {
		found, err := d.Keys(ctx, asSecurity, &api.KeyQuery{Find: digits})
		if err != nil || !slices.ContainsFunc(found.Data, func(k api.KeyRecord) bool { return k.ID == one.ID }) {
			t.Errorf("check value %s: %+v, %v", digits, found.Data, err)
		}
	}
	for _, none := range []string{"key_master_99999999", "key_serial_none", "key_module_none", "key_", "nonsense", "key_working_00000011"} {
		if _, err := d.Key(ctx, asSecurity, none, &api.AsOf{}); !isMissing(err) {
			t.Errorf("%s: %v", none, err)
		}
	}
	weak, err := d.Keys(ctx, asSecurity, &api.KeyQuery{List: "single_des"})
	if err != nil || len(weak.Data) != 1 || !weak.Data[0].Weak {
		t.Errorf("%+v, %v", weak.Data, err)
	}
}

func mapCounts(t *testing.T, d *desk) {
	whole, err := d.Map(t.Context(), asSecurity, &api.MapQuery{})
	if err != nil || whole.Placed != sampleStaff || whole.Here != sampleStaff || whole.Placed+whole.Unplaced != workers(d.engine) || len(whole.Terminals) != sampleStaff {
		t.Errorf("%+v, %v", whole, err)
	}
	shop, err := d.Map(t.Context(), asSecurity, &api.MapQuery{Box: "121.398,31.217,121.402,31.219"})
	if err != nil || shop.Here != 4 {
		t.Errorf("one shop: %d, %v", shop.Here, err)
	}
	if _, err := d.Map(t.Context(), asSecurity, &api.MapQuery{Box: "1,2,3"}); err == nil {
		t.Error("a box of three numbers is taken")
	}
}

func policyHasVersions(t *testing.T, d *desk) {
	p, err := d.Policy(t.Context(), asSecurity, &api.PolicyQuery{})
	if err != nil || p.ID != "PPL-1" || !p.InForce || len(p.Versions) != 2 || p.Against != standardVersion || !slices.Equal(p.Versions[0].By, []string{"setup"}) {
		t.Errorf("%+v, %v", p, err)
	}
	changed := slices.DeleteFunc(slices.Clone(p.Diff), func(l api.PolicyLine) bool { return l.Change == "same" })
	if len(changed) != 2 || changed[0].Text != `name = "standard"` || changed[1].Text != `name = "demonstration"` {
		t.Errorf("%+v", changed)
	}
	if old, err := d.Policy(t.Context(), asSecurity, &api.PolicyQuery{Version: standardVersion}); err != nil || old.InForce || len(old.Diff) != 0 {
		t.Errorf("%+v, %v", old, err)
	}
	if _, err := d.Policy(t.Context(), asSecurity, &api.PolicyQuery{Version: "PPL-9"}); !isMissing(err) {
		t.Errorf("none: %v", err)
	}
}

// TestSquaresCountWhatLiesInThem holds the sums along the grid against counting one by one.
func TestSquaresCountWhatLiesInThem(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 28))
	var all []placed
	for i := range 5000 {
		lat, lon := int32(random.NormFloat64()*2e6)+31_000_000, int32(random.NormFloat64()*3e6)+121_000_000
		if i < 4 { // the corners of the world
			lat, lon = int32(90_000_000*(1-2*(i&1))), int32(180_000_000*(1-i&2))
		}
		all = append(all, placed{gridCell(lat, lon), pos.TerminalID{byte(i >> 8), byte(i)}, lat, lon, uint8(i % mapStates), i%10 == 0})
	}
	slices.SortFunc(all, func(a, b placed) int { return slices.Compare([]uint64{a.cell}, []uint64{b.cell}) })
	f := &mapFigure{}
	f.fill(all)
	for _, box := range []api.MapBox{{West: -180, South: -90, East: 180, North: 90}, {West: 115, South: 25, East: 127, North: 37}, {West: 120.9, South: 30.9, East: 121.1, North: 31.1}, {West: 121, South: 31, East: 121.00001, North: 31.00001}} {
		runs := f.squares(box)
		if len(runs) > 3000 {
			t.Errorf("%+v: %d squares", box, len(runs))
		}
		within := 0
		for _, r := range runs {
			want := api.MapCluster{}
			for _, x := range all {
				lon, lat := float64(x.lon)/1e6, float64(x.lat)/1e6
				if lon < r.box.West || lon >= r.box.East || lat < r.box.South || lat >= r.box.North {
					continue
				}
				switch x.state {
				case mapFull:
					want.States.Full++
				case mapRestricted:
					want.States.Restricted++
				default:
					want.States.Stopped++
				}
				if x.outside {
					want.Outside++
				}
			}
			got := f.cluster(r)
			if r.box.East < 180 && (got.States != want.States || got.Outside != want.Outside) { // the last square has its border
				t.Fatalf("%+v: %+v and %d outside, want %+v and %d", r.box, got.States, got.Outside, want.States, want.Outside)
			}
			within += got.States.Total()
		}
		seen := 0
		for _, x := range all {
			lon, lat := float64(x.lon)/1e6, float64(x.lat)/1e6
			if lon >= box.West && lon <= box.East && lat >= box.South && lat <= box.North {
				seen++
			}
		}
		if within < seen {
			t.Errorf("%+v: %d in its squares, %d in the box", box, within, seen)
		}
	}
}

func TestAPlaceIsFarFromAnotherByTheGreatCircle(t *testing.T) {
	for name, c := range map[string]struct {
		circle registry.Circle
		at     reportedPlace
		metres float64 // by the geodesic calculators of the field, on a sphere of the same radius
	}{
		"the same":                {registry.Circle{Latitude: 31_200_000, Longitude: 121_400_000}, reportedPlace{latitude: 31_200_000, longitude: 121_400_000}, 0},
		"a degree north":          {registry.Circle{}, reportedPlace{latitude: 1_000_000}, 111_195},
		"across the date line":    {registry.Circle{Longitude: 179_500_000}, reportedPlace{longitude: -179_500_000}, 111_195},
		"a degree east at 60 °":   {registry.Circle{Latitude: 60_000_000}, reportedPlace{latitude: 60_000_000, longitude: 1_000_000}, 55_597},
		"the other side of earth": {registry.Circle{}, reportedPlace{longitude: 180_000_000}, 20_015_115},
	} {
		if got := metresFrom(&c.circle, c.at); got < c.metres-2 || got > c.metres+2 {
			t.Errorf("%s: %.0f m, want %.0f", name, got, c.metres)
		}
	}
}

func TestBoxesOfTheMap(t *testing.T) {
	for text, ok := range map[string]bool{"121.3,31.1,121.6,31.4": true, " 121.3 , 31.1 , 121.6 , 31.4 ": true, "-180,-90,180,90": true, "": false, "1,2,3": false, "1,2,3,4,5": false, "2,1,1,2": false, "1,2,2,1": false, "1,1,1,2": false,
		"NaN,1,2,3": false, "1,1,Inf,2": false, "-181,1,2,3": false, "1,1,2,91": false, "a,b,c,d": false, "1e400,1,2,3": false} {
		if _, got := parseBox(text); got != ok {
			t.Errorf("%q: %t", text, got)
		}
	}
}

func FuzzMapBox(f *testing.F) {
	for _, seed := range []string{"121.3,31.1,121.6,31.4", "-180,-90,180,90", "NaN,,1e5,-0", "1,2,3,4,5"} {
		f.Add(seed)
	}
	empty := &mapFigure{}
	empty.fill([]placed{{cell: gridCell(31_200_000, 121_400_000), lat: 31_200_000, lon: 121_400_000}})
	f.Fuzz(func(t *testing.T, text string) {
		b, ok := parseBox(text)
		if !ok {
			return
		}
		if !(b.West < b.East && b.South < b.North && b.West >= -180 && b.East <= 180 && b.South >= -90 && b.North <= 90) {
			t.Errorf("%q is taken as %+v", text, b)
		}
		if n := len(empty.squares(b)); n > 1 {
			t.Errorf("%q: one place is in %d squares", text, n)
		}
	})
}

func TestADifferenceGivesBothTextsBack(t *testing.T) {
	for name, c := range map[string][2]string{"the same": {"a\nb", "a\nb"}, "another end": {"a\nb\nc", "a\nb\nd\n"}, "nothing before": {"", "a"}, "all new": {"a\nb", "c\nd"}, "moved": {"a\nb\nc\nd", "c\na\nb\nd"}, "twice": {"x\nx\ny", "x\ny\nx"}} {
		var before, after []string
		for _, l := range lineDiff(c[0], c[1]) {
			if l.Change != "new" {
				before = append(before, l.Text)
			}
			if l.Change != "gone" {
				after = append(after, l.Text)
			}
		}
		if strings.Join(before, "\n") != c[0] || strings.Join(after, "\n") != strings.TrimRight(c[1], "\n") {
			t.Errorf("%s: %q and %q", name, before, after)
		}
	}
}
