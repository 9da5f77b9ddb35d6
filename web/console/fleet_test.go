package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"touchstone/pos"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
	"touchstone/web/console"
)

// books are made-up resources: enough that every part of every page is shown.
type books struct {
	api.Acts
	api.Files
	act      string // the last act, and its body
	body     string
	done     api.Done
	refused  error
	counting bool
	full     bool // no file is kept
}

var (
	noon    = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	counted = api.Counted{At: noon, Age: 3}
	shopID  = "898310058120001"
)

func (b *books) Catalogue() []api.Act { return nil }

func (b *books) Act(_ context.Context, _ *web.Caller, name string, body json.RawMessage) (api.Done, error) {
	b.act, b.body = name, string(body)
	return b.done, b.refused
}

func (b *books) Keep(_ context.Context, _ *web.Caller, content io.Reader) (api.File, error) {
	raw, err := io.ReadAll(content)
	if b.full {
		return api.File{}, api.ErrFiles
	}
	return api.File{ID: "file_" + string(raw)}, err
}

func (b *books) Grades(context.Context, *web.Caller, *api.GradesQuery) (api.Grades, error) {
	if b.counting {
		return api.Grades{}, api.BeingCounted()
	}
	l := api.Levels{None: 1, Weak: 2, Accepted: 3, Strong: 4}
	return api.Grades{Counted: counted, Terminals: 10, Overall: l, Axes: []api.GradeAxis{{Axis: "mac", Label: api.Text{EN: "MAC", ZH: "MAC 算法"}, Levels: l, Why: []api.Bar{{Key: "xor_fold", Label: api.Text{EN: "folded", ZH: "折叠"}, Terminals: 2}}}},
		Models: []api.GradeGroup{{Key: "A<b>7", Terminals: 10, Overall: l, Average: 12.5}}, Worst: []api.GradedTerminal{{Terminal: "00000011", Merchant: shopID, Shop: "Noodles", Overall: "weak", Weakest: []api.Text{{EN: "MAC", ZH: "MAC"}}}},
		Policies: []api.GradePolicy{{Policy: "require-tls = true", Terminals: 4}}}, nil
}

func (b *books) GradePlan(context.Context, *web.Caller, *api.GradesQuery) (api.GradePlan, error) {
	return api.GradePlan{Counted: counted, Terminals: 10, Before: api.Levels{Weak: 10}, After: api.Levels{Strong: 10}, Steps: []api.GradeStep{{Step: "use_tls", Label: api.Text{EN: "use TLS", ZH: "启用 TLS"}, Terminals: 2,
		List: []string{"00000011", "00000012"}, Needs: []api.Text{{EN: "a download", ZH: "远程下载"}}, Gain: 2, Work: 6}}, Stuck: 1, StuckOn: []api.Bar{{Key: "pin", Label: api.Text{EN: "PIN", ZH: "PIN"}, Terminals: 1}}}, nil
}

func (b *books) Permits(_ context.Context, _ *web.Caller, q *api.PermitsQuery) (api.Permits, error) {
	p := api.Permits{Counted: counted, Policy: "PPL-1", Terminals: 3, Counts: []api.PermitCount{{Permit: "full", Label: api.Text{EN: "everything", ZH: "全部业务"}, Sells: true, Full: true, Terminals: 2}, {Permit: "blocked", Label: api.Text{EN: "nothing", ZH: "停用"}, Terminals: 1}},
		Facts: []api.FactCount{{Fact: "inspection", Label: api.Text{EN: "inspection", ZH: "巡检"}, State: "overdue", StateLabel: api.Text{EN: "overdue", ZH: "已逾期"}, Terminals: 1}}}
	if q.Fact != "" {
		p.List = []api.PermitRow{{Terminal: "00000011", Merchant: shopID, Permit: "blocked", Why: "inspection overdue", WhyZH: "巡检已逾期", Entry: 7}}
	}
	return p, nil
}

func (b *books) Policy(context.Context, *web.Caller, *api.PolicyQuery) (api.Policy, error) {
	return api.Policy{ID: "PPL-1", Name: "demonstration", Text: "name = \"<demonstration>\"\n", Tests: 2, InForce: true, Versions: []api.PolicyVersion{{ID: "PPL-1", By: []string{"qian", "sun"}, Entry: 9, InForce: true, At: noon}, {ID: "standard"}},
		Against: "standard", Diff: []api.PolicyLine{{Change: "gone", Text: "a"}, {Change: "new", Text: "b"}}}, nil
}

func (b *books) Inspections(_ context.Context, who *web.Caller, q *api.InspectionsQuery) (api.Inspections, error) {
	a := api.Inspections{Counted: counted, Overdue: 1, Upcoming: 2, Deployed: 5, Never: 1}
	if q.Tab == "overdue" {
		a.Due = []api.InspectionDue{{Serial: "S1", Terminal: "00000011", Merchant: shopID, Address: "1 Sample Road", Site: "counter", Risk: "low", Due: noon, Overdue: true}}
	}
	if q.Tab == "done" {
		a.Done = []api.Inspection{inspection}
	}
	return a, nil
}

var inspection = api.Inspection{ID: "INS-1", Serial: "S1", Terminal: "00000011", Merchant: shopID, Findings: []api.InspectionFinding{{Item: "camera", Label: api.Text{EN: "A camera", ZH: "摄像头"}, Presented: "yes", Alarm: true}}, Quarantined: true, Inspector: "li", At: noon, Due: noon}

func (b *books) Inspection(_ context.Context, who *web.Caller, id string, _ *api.AsOf) (api.Inspection, error) {
	shop, err := pos.ParseMerchantID(shopID)
	if err != nil || id != "INS-1" || !who.Sees(shop) {
		return api.Inspection{}, api.NotFound()
	}
	return inspection, nil
}

func (b *books) Checklist(context.Context, *web.Caller) (api.Checklist, error) {
	return api.Checklist{Version: "1", Items: []api.ChecklistItem{{ID: "serial_label", Kind: "serial", Label: api.Text{EN: "Serial number", ZH: "序列号"}, Alarm: true}, {ID: "camera", Kind: "yes_no", Label: api.Text{EN: "A camera", ZH: "摄像头"}, Alarm: true}, {ID: "cables", Kind: "count", Label: api.Text{EN: "Cables", ZH: "线缆"}}}}, nil
}

func (b *books) Training(context.Context, *web.Caller, *api.TrainingQuery) (api.Training, error) {
	return api.Training{Counted: counted, Cashiers: 2, Good: 1, Untrained: 1, List: []api.Cashier{{ID: shopID + "/001", Merchant: shopID, Operator: "001", Name: "He <i>Hua</i>", State: "untrained", Since: noon}},
		Staff: []api.Trained{{Account: "chen", Topic: "counter_security", Label: api.Text{EN: "counter", ZH: "收银台"}, State: "good", Until: noon}}, Policy: api.Text{EN: "no refunds", ZH: "不得退货"}}, nil
}

func (b *books) Cashiers(context.Context, *web.Caller, *api.CashierQuery) (api.Page[api.Cashier], error) {
	return api.Page[api.Cashier]{Data: []api.Cashier{{ID: shopID + "/001", Merchant: shopID, Operator: "001", Name: "He Hua", State: "good", Since: noon, Until: noon, Training: "TRN-1"}}, Next: shopID + "/001"}, nil
}

func (b *books) Paper(_ context.Context, _ *web.Caller, id string) (api.Paper, error) {
	p := api.Paper{ID: id, Merchant: shopID, Operator: "001", Name: "He Hua", State: "sitting", Asked: 12, Rule: []api.Text{{EN: "Look at the badge.", ZH: "看证件。"}}}
	if id == "TRN-2" {
		p.State, p.Right, p.Until = "passed", 11, noon
		return p, nil
	}
	p.Questions = []api.PaperQuestion{{ID: "Q01", Label: api.Text{EN: "What first?", ZH: "先做什么?"}, Choices: []api.Choice{{ID: "a", Label: api.Text{EN: "the badge", ZH: "证件"}}, {ID: "b", Label: api.Text{EN: "nothing", ZH: "不做"}}}}}
	return p, nil
}

func (b *books) Releases(context.Context, *web.Caller, *api.UpdateQuery) (api.Releases, error) {
	return api.Releases{Data: []api.Release{{ID: "REL-1", Model: "A7", Hardware: "*", Version: "1.0.1", State: "current", Digest: strings.Repeat("a", 64), Length: 12345, Published: noon, By: []string{"qian", "sun"}}}, Repository: api.RepositoryState{Made: true, Timestamp: noon}}, nil
}

var advisory = api.Advisory{ID: "ADV-1", Source: "x-1", Format: "osv", Title: "A <script>key</script> left", Text: "A key.", TextZH: "密钥。", Severity: "high", Affected: []api.AffectedModel{{Model: "A7", Hardware: "*", Versions: "<1.0.1"}}, State: "open", Added: noon, By: []string{"qian"}}

func (b *books) Advisories(context.Context, *web.Caller, *api.UpdateQuery) (api.Page[api.Advisory], error) {
	return api.Page[api.Advisory]{Data: []api.Advisory{advisory}}, nil
}

func (b *books) Radius(context.Context, *web.Caller, string, *api.AsOf) (api.Radius, error) {
	return api.Radius{Counted: counted, Advisory: "ADV-1", Tally: api.Tally{Terminals: 2, Upgrade: 1, Replace: 1}, Sold: api.Sold{Sales: 3, Amount: 123456}, ShopCount: 1, Shops: []api.ReachedShop{{Merchant: shopID, Name: "Noodles", Terminals: 2}},
		Terminals: []api.ReachedTerminal{{Terminal: "00000011", Merchant: shopID, Model: "A7", Version: "1.0.0", Sure: true, Answer: "upgrade", To: "1.0.1"}}}, nil
}

func (b *books) ExportAdvisory(_ context.Context, _ *web.Caller, q *api.ExportQuery) (json.RawMessage, error) {
	if q.ID != "ADV-1" {
		return nil, api.NotFound()
	}
	return json.RawMessage(`{"format":"` + q.Format + `"}`), nil
}

var campaign = api.Campaign{ID: "CMP-1", Advisory: "ADV-1", Title: "A key left", Restriction: "full", After: "sign_in_only", Labels: [2]api.Text{{EN: "everything", ZH: "全部业务"}, {EN: "sign in only", ZH: "仅可签到"}}, Started: noon.Add(-48 * time.Hour),
	Deadline: noon.Add(48 * time.Hour), By: []string{"qian", "sun"}, State: "open", Start: api.Tally{Terminals: 5, Upgrade: 5}, Left: api.Tally{Terminals: 2, Upgrade: 2},
	BurnDown: []api.BurnPoint{{At: noon.Add(-48 * time.Hour), Left: api.Tally{Terminals: 5}}, {At: noon.Add(-24 * time.Hour), Left: api.Tally{Terminals: 2}}}}

func (b *books) Campaigns(context.Context, *web.Caller, *api.UpdateQuery) (api.Page[api.Campaign], error) {
	return api.Page[api.Campaign]{Data: []api.Campaign{campaign}}, nil
}

func (b *books) Campaign(_ context.Context, _ *web.Caller, id string, _ *api.AsOf) (api.CampaignDetail, error) {
	if id != campaign.ID {
		return api.CampaignDetail{}, api.NotFound()
	}
	return api.CampaignDetail{Counted: counted, Campaign: campaign, Laggards: []api.ReachedTerminal{{Terminal: "00000011", Model: "A7", Answer: "upgrade", To: "1.0.1", Sure: true}}}, nil
}

var key = api.KeyRecord{ID: "key_master_00000011", Usage: "TMK", Label: api.Text{EN: "terminal master key", ZH: "终端主密钥"}, Algorithm: "TDES", KCV: "EC7E67FE", Reference: "879e9ded8f569f91ca6c8608", Term: 1, Owner: "terminal 00000011", Terminal: "00000011", State: "in_force", Since: noon, Entry: 16}

func (b *books) KeyFigures(context.Context, *web.Caller, *api.AsOf) (api.KeyFigures, error) {
	bars := []api.Bar{{Key: "30d", Label: api.Text{EN: "up to 30 days", ZH: "30 天内"}, Terminals: 3}, {Key: "older", Label: api.Text{EN: "older", ZH: "更久"}}}
	return api.KeyFigures{Counted: counted, Masters: 3, Working: 2, Serials: 3, MasterAges: bars, WorkAges: bars, Algorithms: bars, Codes: bars, Terms: []api.Bar{{Key: "1", Terminals: 3}},
		Module: []api.KeyRecord{{ID: "key_module_master_1", Usage: "master key", Label: api.Text{EN: "module master key", ZH: "模块主密钥"}, Term: 1, State: "in_force"}, {ID: "key_module_card", Usage: "card hash key", Label: api.Text{EN: "card-hash key", ZH: "卡号散列密钥"}, State: "in_force"}}}, nil
}

func (b *books) Keys(context.Context, *web.Caller, *api.KeyQuery) (api.Page[api.KeyRecord], error) {
	return api.Page[api.KeyRecord]{Data: []api.KeyRecord{key}, Next: "16"}, nil
}

func (b *books) Key(_ context.Context, _ *web.Caller, id string, _ *api.AsOf) (api.KeyDetail, error) {
	if id != key.ID {
		return api.KeyDetail{}, api.NotFound()
	}
	return api.KeyDetail{KeyRecord: key, Lineage: []api.KeyTree{{KeyRecord: api.KeyRecord{ID: "key_module_master_1", State: "in_force"}, Below: []api.KeyTree{{KeyRecord: key}}}}, Falls: api.KeyFalls{Terminals: 1, Shops: 1, Days: 30, Says: api.Text{EN: "Load a new one.", ZH: "请重新装载。"}}}, nil
}

func (b *books) Map(_ context.Context, _ *web.Caller, q *api.MapQuery) (api.Map, error) {
	whole := api.MapBox{West: 110, South: 25, East: 122, North: 40}
	m := api.Map{Counted: counted, Box: whole, Whole: whole, Placed: 90, Here: 90}
	if q.Box == "nonsense" {
		return m, api.Refuse(http.StatusBadRequest, "invalid_request", "box: want west,south,east,north")
	}
	m.Clusters = []api.MapCluster{{Box: api.MapBox{West: 121, South: 31, East: 122, North: 32}, Latitude: 31.2, Longitude: 121.4, States: api.MapStates{Full: 80, Restricted: 9, Stopped: 1}}}
	m.Strays = []api.MapTerminal{{Terminal: "00000011", Merchant: shopID, Latitude: 31.2, Longitude: 121.4, Metres: 300, State: "stopped", Reported: true, AtLat: 31.5, AtLon: 121.9, At: noon, Away: 42000, Outside: true}}
	return m, nil
}

// room is a console over made-up books, for one caller; nil is nobody.
func room(t *testing.T, b *books, who *web.Caller) http.Handler {
	t.Helper()
	router := web.NewRouter(slog.New(slog.NewTextHandler(io.Discard, nil)))
	router.Identify = func(*http.Request) (*web.Caller, error) { return who, nil }
	d := &api.Desk{Acts: b, Files: b, FleetBooks: api.FleetBooks{Grades: b, Permits: b, Care: b, Training: b, Updates: b, Keys: b, Map: b}}
	if _, err := console.New(router, console.Options{Desk: d, Sessions: web.NewSessions(), Zone: time.UTC, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}); err != nil {
		t.Fatal(err)
	}
	return router
}

func fleetCaller(t *testing.T, roles ...staff.Role) *web.Caller {
	t.Helper()
	shop, err := pos.ParseMerchantID(shopID)
	if err != nil {
		t.Fatal(err)
	}
	return &web.Caller{Account: "qian", FullName: "Qian Jin", Roles: roles, Shop: shop, Via: web.BySession, Token: "token-of-the-session"}
}

func fleetGet(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

func fleetPost(h http.Handler, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// fleetPages are the pages with what each must say in both languages, and whether a merchant's people may look.
var fleetPages = []struct {
	path   string
	en, zh string
	shop   bool
	keys   bool // for four roles alone
}{
	{"/fleet/map", "schematic", "不代表任何边界立场", false, false},
	{"/fleet/map?box=121,31,122,32", "42\u202f000 m", "范围外", false, false},
	{"/fleet/grades", "folded", "折叠", false, false},
	{"/fleet/grades?as_of=2026-11-01", "As it was on 2026-11-01", "截至 2026-11-01 的状态", false, false},
	{"/fleet/permits?fact=inspection&as_of=2026-11-01", `name="fact" value="inspection"`, "截至 2026-11-01 的状态", false, false},
	{"/fleet/map?as_of=2026-11-01", "&amp;as_of=2026-11-01", "截至 2026-11-01 的状态", false, false},
	{"/fleet/campaigns/CMP-1?as_of=2026-11-01", "As it was on 2026-11-01", "截至 2026-11-01 的状态", false, false},
	{"/keys?as_of=2026-11-01", "?as_of=2026-11-01", "截至 2026-11-01 的状态", false, true},
	{"/fleet/grades/plan", "use TLS", "启用 TLS", false, false},
	{"/fleet/permits", "touchstone policy try", "全部业务", false, false},
	{"/fleet/permits?fact=inspection", "inspection overdue", "巡检已逾期", false, false},
	{"/fleet/policy", "qian, sun", "提议新策略", false, false},
	{"/fleet/inspections", "1 Sample Road", "已逾期", true, false},
	{"/fleet/inspections?tab=done", "A camera: yes", "已隔离", true, false},
	{"/fleet/inspections/INS-1", "Do not switch it off", "请勿断电", true, false},
	{"/fleet/inspections/new?of=00000011", "Serial number", "记录巡检", false, false},
	{"/fleet/training", "no refunds", "未培训", true, false},
	{"/fleet/training/TRN-1", "What first?", "先做什么?", true, false},
	{"/fleet/training/TRN-2", "11 / 12", "通过", true, false},
	{"/fleet/cashiers", "He Hua", "操作员号", true, false},
	{"/fleet/releases", "REL-1", "当前版本", false, false},
	{"/fleet/advisories", "ADV-1", "安全公告", true, false},
	{"/fleet/advisories/ADV-1", "1234.56", "影响范围", true, false},
	{"/fleet/campaigns", "CMP-1", "整改", false, false},
	{"/fleet/campaigns/CMP-1", "Burn-down", "燃尽图", false, false},
	{"/fleet/campaigns/new?advisory=ADV-1", "Propose a campaign for ADV-1: 48 hours", "将影响", false, false},
	{"/keys", "EC7E67FE", "沿袭", false, true},
	{"/keys/key_master_00000011", "What falls with this key", "此密钥失陷的影响", false, true},
}

func TestFleetPagesSayWhatTheyShowInBothLanguages(t *testing.T) {
	h := room(t, &books{}, fleetCaller(t, staff.Security))
	for _, p := range fleetPages {
		sep := "?"
		if strings.Contains(p.path, "?") {
			sep = "&"
		}
		for lang, want := range map[string]string{"en": p.en, "zh": p.zh} {
			w := fleetGet(h, p.path+sep+"lang="+lang)
			page := w.Body.String()
			if w.Code != http.StatusOK || !strings.Contains(page, want) {
				t.Errorf("%s in %s: status %d, without %q", p.path, lang, w.Code, want)
			}
			if strings.Contains(page, "<script>key") || strings.Contains(page, "He <i>") || strings.Contains(page, " style=") {
				t.Errorf("%s in %s: a foreign text is markup, or a style is inline", p.path, lang)
			}
			if len(page) > 120<<10 {
				t.Errorf("%s: %d bytes", p.path, len(page))
			}
		}
	}
}

func TestFleetPagesAskForTheRightRole(t *testing.T) {
	for _, who := range []struct {
		name     string
		roles    []staff.Role
		shop     bool
		seesKeys bool
	}{{"administrator", []staff.Role{staff.Administrator}, false, true}, {"key custodian", []staff.Role{staff.KeyCustodian}, false, true}, {"security", []staff.Role{staff.Security}, false, true}, {"auditor", []staff.Role{staff.Auditor}, false, true},
		{"support", []staff.Role{staff.Support}, false, false}, {"field", []staff.Role{staff.Field}, false, false}, {"assessor", []staff.Role{staff.Assessor}, false, false}, {"merchant", []staff.Role{staff.Merchant}, true, false}} {
		h := room(t, &books{}, fleetCaller(t, who.roles...))
		for _, p := range fleetPages {
			want := http.StatusOK
			if who.shop && !p.shop || p.keys && !who.seesKeys {
				want = http.StatusForbidden
			}
			if got := fleetGet(h, p.path).Code; got != want {
				t.Errorf("%s at %s: status %d, want %d", who.name, p.path, got, want)
			}
		}
	}
	nobody := room(t, &books{}, nil)
	for _, p := range fleetPages {
		if got := fleetGet(nobody, p.path).Code; got != http.StatusSeeOther {
			t.Errorf("nobody at %s: status %d, want the sign-in page", p.path, got)
		}
	}
}

func TestAnotherShopsInspectionIsAsNone(t *testing.T) {
	who := fleetCaller(t, staff.Merchant)
	who.Shop[14] = '2'
	h := room(t, &books{}, who)
	foreign, none := fleetGet(h, "/fleet/inspections/INS-1"), fleetGet(h, "/fleet/inspections/INS-9")
	if foreign.Code != http.StatusNotFound || foreign.Body.String() != none.Body.String() {
		t.Errorf("another shop's: status %d, and not the same bytes as of none", foreign.Code)
	}
}

func TestFormsOfTheFleetAskForTheirAct(t *testing.T) {
	for _, c := range []struct {
		name, path string
		roles      []staff.Role
		form       url.Values
		act, body  string
		done       api.Done
		to         string
	}{
		{"a campaign of two people", "/fleet/campaigns/new", []staff.Role{staff.Security}, url.Values{"advisory": {"ADV-1"}, "hours": {"24"}}, "campaign",
			`{"advisory":"ADV-1","after_deadline":"sign_in_only","deadline_seconds":86400,"restriction":"no_refund,online_only"}`, api.Done{Proposal: "PRP-7"}, "/fleet/campaigns?proposal=PRP-7"},
		{"a campaign that ends", "/fleet/campaigns/CMP-1", []staff.Role{staff.Security}, url.Values{"why": {"all replaced"}}, "campaign", `{"close":"CMP-1","why":"all replaced"}`, api.Done{}, "/fleet/campaigns/CMP-1?done=1"},
		{"an advisory that no longer counts", "/fleet/advisories/ADV-1", []staff.Role{staff.Security}, url.Values{"why": {"withdrawn"}}, "advisory", `{"close":"ADV-1","why":"withdrawn"}`, api.Done{}, "/fleet/advisories/ADV-1?done=1"},
		{"an inspection", "/fleet/inspections/new", []staff.Role{staff.Field}, url.Values{"subject": {"00000011"}, "answer_camera": {"no"}, "answer_cables": {"2"}, "answer_unknown": {"x"}}, "inspect",
			`{"answers":{"cables":"2","camera":"no"},"subject":"00000011"}`, api.Done{Facts: map[string]string{"inspection": "INS-3"}}, "/fleet/inspections/INS-3?done=1"},
		{"a test begun", "/fleet/training", []staff.Role{staff.Support}, url.Values{"merchant": {shopID}, "operator": {"001"}}, "training", `{"do":"begin","merchant":"` + shopID + `","operator":"001"}`,
			api.Done{Facts: map[string]string{"training": "TRN-3"}}, "/fleet/training/TRN-3?done=1"},
		{"one's own test", "/fleet/training", []staff.Role{staff.Auditor}, url.Values{"own": {"1"}}, "training", `{"account":"qian","do":"begin"}`, api.Done{}, "/fleet/training?done=1"},
		{"a test handed in", "/fleet/training/TRN-1", []staff.Role{staff.Merchant}, url.Values{"q_Q01": {"a"}, "q_Q99": {"b"}}, "training", `{"answers":{"Q01":"a"},"do":"end","id":"TRN-1","merchant":"` + shopID + `","operator":"001"}`,
			api.Done{}, "/fleet/training/TRN-1?done=1"},
		{"a merchant's cashier is of its own shop", "/fleet/cashiers", []staff.Role{staff.Merchant}, url.Values{"merchant": {"898310058129999"}, "operator": {"007"}, "name": {"New Here"}}, "cashier",
			`{"merchant":"` + shopID + `","name":"New Here","operator":"007"}`, api.Done{}, "/fleet/cashiers?merchant=" + shopID + "&done=1"},
		{"a cashier who left", "/fleet/cashiers", []staff.Role{staff.Support}, url.Values{"merchant": {shopID}, "operator": {"001"}, "leave": {"1"}}, "cashier", `{"leave":true,"merchant":"` + shopID + `","operator":"001"}`, api.Done{},
			"/fleet/cashiers?merchant=" + shopID + "&done=1"},
		{"a release withdrawn", "/fleet/releases", []staff.Role{staff.Security}, url.Values{"model": {"A7"}, "version": {"1.0.1"}, "state": {"withdrawn"}, "why": {"bad"}}, "release_state",
			`{"model":"A7","state":"withdrawn","version":"1.0.1","why":"bad"}`, api.Done{Proposal: "PRP-8"}, "/fleet/releases?proposal=PRP-8"},
		{"a policy", "/fleet/policy", []staff.Role{staff.Security}, url.Values{"text": {"a\r\nb\r\n"}}, "permit_policy", `{"text":"a\nb\n"}`, api.Done{Proposal: "PRP-9"}, "/fleet/policy?proposal=PRP-9"},
	} {
		b := &books{done: c.done}
		h := room(t, b, fleetCaller(t, c.roles...))
		if w := fleetPost(h, c.path, c.form); w.Code != http.StatusForbidden || b.act != "" {
			t.Errorf("%s: without the session's token: status %d, act %q", c.name, w.Code, b.act)
		}
		c.form.Set(web.TokenField, "token-of-the-session")
		w := fleetPost(h, c.path, c.form)
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != c.to || b.act != c.act || b.body != c.body {
			t.Errorf("%s: status %d to %q, act %s %s; want %q, %s %s", c.name, w.Code, w.Header().Get("Location"), b.act, b.body, c.to, c.act, c.body)
		}
		b.refused = api.Refuse(http.StatusUnprocessableEntity, "act_refused", "the rule's <own> words")
		w = fleetPost(h, c.path, c.form)
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "the rule&#39;s &lt;own&gt; words") {
			t.Errorf("%s: refused: status %d, without the rule's words", c.name, w.Code)
		}
	}
}

// upload is a form with files.
func upload(h http.Handler, path string, form url.Values, field string, files ...string) *httptest.ResponseRecorder {
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	for name, list := range form {
		for _, value := range list {
			_ = parts.WriteField(name, value) // to memory
		}
	}
	for _, content := range files {
		if w, err := parts.CreateFormFile(field, content+".jpg"); err == nil {
			_, _ = io.WriteString(w, content)
		}
	}
	_ = parts.Close()
	r := httptest.NewRequest("POST", path, &body)
	r.Header.Set("Content-Type", parts.FormDataContentType())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestFilesGoWithTheirAct(t *testing.T) {
	form := url.Values{"subject": {"00000011"}, "answer_camera": {"no"}, web.TokenField: {"token-of-the-session"}}
	b := &books{}
	h := room(t, b, fleetCaller(t, staff.Security))
	if w := upload(h, "/fleet/inspections/new", form, "photographs", "one", "two"); w.Code != http.StatusSeeOther || b.body != `{"answers":{"camera":"no"},"photographs":["file_one","file_two"],"subject":"00000011"}` {
		t.Errorf("an inspection: status %d, %s", w.Code, b.body)
	}
	if w := upload(h, "/fleet/advisories", url.Values{web.TokenField: {"token-of-the-session"}, "link": {"CRT-1"}}, "file", "csaf"); w.Code != http.StatusSeeOther || b.act != "advisory" || b.body != `{"file":"file_csaf","link":"CRT-1"}` {
		t.Errorf("an advisory: status %d, %s %s", w.Code, b.act, b.body)
	}
	b.act, b.full = "", true
	if w := upload(h, "/fleet/inspections/new", form, "photographs", "one"); w.Code != http.StatusUnprocessableEntity || b.act != "" {
		t.Errorf("without room for files: status %d, act %q", w.Code, b.act)
	}
	if w := upload(h, "/fleet/advisories", url.Values{web.TokenField: {"token-of-the-session"}}, "file"); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("an advisory without a file: status %d", w.Code)
	}
	if w := upload(h, "/fleet/inspections/new", url.Values{"subject": {"00000011"}}, "photographs", "one"); w.Code != http.StatusForbidden {
		t.Errorf("without the session's token: status %d", w.Code)
	}
}

func TestAProposalIsToldAndNothingElseOfTheAddress(t *testing.T) {
	h := room(t, &books{}, fleetCaller(t, staff.Security))
	if page := fleetGet(h, "/fleet/releases?proposal=PRP-7").Body.String(); !strings.Contains(page, "Proposal PRP-7: a second person approves it") {
		t.Error("the proposal is not told")
	}
	if page := fleetGet(h, "/fleet/releases?proposal=call+0900").Body.String(); strings.Contains(page, "0900") {
		t.Error("a text of the address is told as the host's")
	}
}

func TestFiguresThatAreBeingCountedAreSaidToBe(t *testing.T) {
	w := fleetGet(room(t, &books{counting: true}, fleetCaller(t, staff.Security)), "/fleet/grades")
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "Being counted") {
		t.Errorf("status %d", w.Code)
	}
}

func TestAnAdvisoryIsAFile(t *testing.T) {
	h := room(t, &books{}, fleetCaller(t, staff.Security))
	for _, format := range []string{"csaf", "osv", "source"} {
		w := fleetGet(h, "/fleet/advisories/ADV-1/document?format="+format)
		if w.Body.String() != `{"format":"`+format+`"}` || !strings.Contains(w.Header().Get("Content-Disposition"), "ADV-1-"+format+".json") {
			t.Errorf("%s: %s, %s", format, w.Body, w.Header().Get("Content-Disposition"))
		}
	}
	if w := fleetGet(h, "/fleet/advisories/ADV-9/document"); w.Code != http.StatusNotFound {
		t.Errorf("none: status %d", w.Code)
	}
}

func TestABurnDownHasItsPointsForTheScript(t *testing.T) {
	w := fleetGet(room(t, &books{}, fleetCaller(t, staff.Security)), "/fleet/campaigns/CMP-1/burn-down")
	var got struct {
		At       []int64
		Left     []int
		Deadline int64
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.At) != 3 || got.Left[0] != 5 || got.Left[1] != 2 || got.Left[2] != 2 || got.Deadline != campaign.Deadline.Unix() {
		t.Errorf("%+v", got)
	}
}
