package console

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

var lookedAt = time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)

// shopDesk answers for one terminal with a refusal.
type shopDesk struct {
	repair api.Repair
	acted  string
}

func (*shopDesk) Terminals(context.Context, *web.Caller, *api.TerminalQuery) (api.TerminalPage, error) {
	return api.TerminalPage{}, nil
}

func (*shopDesk) Terminal(_ context.Context, who *web.Caller, id string, q *api.AsOf) (t api.TerminalDetail, err error) {
	if id != "00000011" {
		return t, api.NotFound()
	}
	if q.AsOf == "1999-01-01" {
		return t, api.Refuse(http.StatusBadRequest, "as_of_before_journal", "before")
	}
	t.Terminal = api.Terminal{Terminal: id, Merchant: "898310058120001", Shop: `<b>老王</b>`, Serial: "S1", Sell: "limited", May: api.Text{EN: "no refunds", ZH: "不得退货"}}
	t.Rights = api.TerminalPermit{Sell: "limited", May: t.Terminal.May, Facts: []api.PermitFact{{Fact: "inspection", Name: api.Text{EN: "inspection", ZH: "巡检"}, Words: api.Text{EN: "overdue", ZH: "已逾期"}, Restricts: true,
		Restore: api.Text{EN: "an inspection that finds nothing", ZH: "一次无异常的巡检"}}}}
	if !who.Merchant() {
		t.Keys = []api.TerminalKey{{Key: "master", Name: api.Text{EN: "Master key", ZH: "主密钥"}, KCV: "62133C7E", State: "held"}}
	}
	return t, nil
}

func (*shopDesk) Timeline(context.Context, *web.Caller, string, *api.TimelineQuery) (api.Timeline, error) {
	return api.Timeline{From: lookedAt.Add(-7 * 24 * time.Hour), To: lookedAt, Marks: []api.Mark{
		{Lane: "permit", At: lookedAt.Add(-10 * 24 * time.Hour), Entry: 5, State: "yes", What: api.Text{EN: "everything", ZH: "全部业务"}},
		{Lane: "permit", At: lookedAt.Add(-84 * time.Hour), Entry: 6, State: "limited", What: api.Text{EN: "no refunds", ZH: "不得退货"}},
		{Lane: "failure", At: lookedAt.Add(-42 * time.Hour), Entry: 9, State: "A0", What: api.Text{EN: "refused", ZH: "拒绝"}, Link: "txn_9"}}}, nil
}

func (*shopDesk) TerminalPermit(context.Context, *web.Caller, string, *api.AsOf) (api.TerminalPermit, error) {
	return api.TerminalPermit{}, nil
}

func (d *shopDesk) Repair(context.Context, *web.Caller, string, string) (api.Repair, error) {
	return d.repair, nil
}

func (*shopDesk) Transactions(context.Context, *web.Caller, *api.TransactionQuery) (api.TransactionPage, error) {
	return api.TransactionPage{}, nil
}

func (*shopDesk) Transaction(context.Context, *web.Caller, string, time.Time) (api.TransactionDetail, error) {
	return api.TransactionDetail{}, nil
}

func (d *shopDesk) Act(_ context.Context, _ *web.Caller, name string, body json.RawMessage) (api.Done, error) {
	d.acted = name + " " + string(body)
	return api.Done{What: "proposed", Proposal: "PRP-4"}, nil
}

func (*shopDesk) Choices(context.Context) (kinds, reasons []api.Option) { return nil, nil }

func (*shopDesk) Catalogue() []api.Act { return nil }

// visit asks a console with this desk for a page.
func visit(t *testing.T, desk *shopDesk, who *web.Caller, method, path string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	router := web.NewRouter(slog.New(slog.DiscardHandler))
	router.Identify = func(*http.Request) (*web.Caller, error) { return who, nil }
	if _, err := New(router, Options{Desk: &api.Desk{Terminals: desk, Transactions: desk, Acts: desk}, Zone: time.UTC, Log: router.Log}); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	router.ServeHTTP(w, r)
	return w
}

func TestTerminalPageSaysWhetherItMaySell(t *testing.T) {
	officer := &web.Caller{Account: "qian", FullName: "Q", Roles: []staff.Role{staff.Security}, Via: web.BySession, Token: "t"}
	shop := &web.Caller{Account: "shop", FullName: "S", Roles: []staff.Role{staff.Merchant}, Via: web.BySession, Token: "t"}
	copy(shop.Shop[:], "898310058120001")
	for lang, want := range map[string][]string{"en": {"Yes, limited", "no refunds", "an inspection that finds nothing", "&lt;b&gt;老王&lt;/b&gt;", "62133C7E", `x="50.00%"`, `x="75.00%"`, "/transactions/txn_9"},
		"zh": {"可以，受限", "不得退货", "一次无异常的巡检", "62133C7E"}} {
		who := *officer
		who.Lang = lang
		page := visit(t, &shopDesk{}, &who, http.MethodGet, "/terminals/00000011?span=week", nil)
		if page.Code != http.StatusOK {
			t.Fatalf("%s: status %d", lang, page.Code)
		}
		for _, text := range want {
			if !strings.Contains(page.Body.String(), text) {
				t.Errorf("%s: the page does not say %q", lang, text)
			}
		}
	}
	if page := visit(t, &shopDesk{}, shop, http.MethodGet, "/terminals/00000011", nil); strings.Contains(page.Body.String(), "62133C7E") || page.Code != http.StatusOK {
		t.Errorf("a shop's page: status %d", page.Code)
	}
	if page := visit(t, &shopDesk{}, officer, http.MethodGet, "/terminals/00000012", nil); page.Code != http.StatusNotFound {
		t.Errorf("no such terminal: %d", page.Code)
	}
	if page := visit(t, &shopDesk{}, officer, http.MethodGet, "/terminals/00000011?as_of=1999-01-01", nil); page.Code != http.StatusBadRequest || !strings.Contains(page.Body.String(), "before the first entry") {
		t.Errorf("before the journal: %d", page.Code)
	}
}

// TestRepairProposes: the form carries out the act under the caller's name and says what became of it; a shop and a
// role without the duty have no form.
func TestRepairProposes(t *testing.T) {
	refusal := &api.Transaction{ID: "txn_9", Terminal: "00000011", Answer: "97", At: lookedAt}
	desk := &shopDesk{repair: api.Repair{Terminal: "00000011", State: "waiting", Refusal: refusal, Steps: []api.RepairStep{{Step: "rebind", Act: "care", Two: true, Values: map[string]string{"serial": "S2", "terminal": "00000011"},
		What: api.Text{EN: "Bind device S2", ZH: "绑定设备 S2"}}, {Step: "wait", What: api.Text{EN: "The next sale", ZH: "下一笔交易"}}}}}
	field := &web.Caller{Account: "li", FullName: "L", Roles: []staff.Role{staff.Field}, Via: web.BySession, Token: "t"}
	auditor := &web.Caller{Account: "feng", FullName: "F", Roles: []staff.Role{staff.Auditor}, Via: web.BySession, Token: "t"}
	shop := &web.Caller{Account: "shop", FullName: "S", Roles: []staff.Role{staff.Merchant}, Via: web.BySession, Token: "t"}
	const path = "/terminals/00000011/repair?transaction=txn_9"
	if page := visit(t, desk, field, http.MethodGet, path, nil); !strings.Contains(page.Body.String(), "Propose to bind it") || !strings.Contains(page.Body.String(), "Waiting for the next sale") {
		t.Errorf("the form is not there: %s", page.Body)
	}
	if page := visit(t, desk, auditor, http.MethodGet, path, nil); strings.Contains(page.Body.String(), "Propose to bind it") {
		t.Error("an auditor has the form")
	}
	form := url.Values{"csrf": {"t"}, "step": {"rebind"}, "serial": {"S2"}, "note": {" read on the label "}}
	if page := visit(t, desk, shop, http.MethodPost, path, form); page.Code != http.StatusForbidden || desk.acted != "" {
		t.Errorf("a shop acts: %d %s", page.Code, desk.acted)
	}
	if page := visit(t, desk, field, http.MethodPost, path, url.Values{"step": {"rebind"}}); page.Code != http.StatusForbidden || desk.acted != "" {
		t.Errorf("without the form's token: %d %s", page.Code, desk.acted)
	}
	page := visit(t, desk, field, http.MethodPost, path, form)
	if page.Code != http.StatusSeeOther || !strings.Contains(page.Header().Get("Location"), "proposal=PRP-4") || desk.acted != `care {"rebind":{"note":"read on the label","serial":"S2","terminal":"00000011"}}` {
		t.Errorf("%d %s %s", page.Code, page.Header().Get("Location"), desk.acted)
	}
	if page := visit(t, desk, field, http.MethodGet, "/terminals/00000011/repair", nil); page.Code != http.StatusSeeOther || !strings.HasSuffix(page.Header().Get("Location"), "transaction=txn_9") {
		t.Errorf("the address does not name the refusal: %d %s", page.Code, page.Header().Get("Location"))
	}
	desk.repair.State, desk.repair.Passed = "repaired", &api.Transaction{ID: "txn_12", At: lookedAt.Add(42 * time.Minute)}
	if page := visit(t, desk, field, http.MethodGet, path, nil); !strings.Contains(page.Body.String(), "The next sale passed at 10:42:00") {
		t.Error("it does not say that the sale passed")
	}
}
