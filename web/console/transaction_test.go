package console_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"touchstone/pos"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
	"touchstone/web/console"
)

// hostile are texts that a page must show as text.
var hostile = []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</title><script>alert(1)</script>`, `javascript:alert(1)`, `' onmouseover='alert(1)`, `{{.}}`,
	`<svg/onload=alert(1)>`, `</pre><b>`, "\u202e<i>", `<!--`, `]]>`, `=HYPERLINK("http://x")`}

// messages is a host that says one thing of every message.
type messages struct {
	detail api.TransactionDetail
	clone  api.CloneDetail
	found  api.FoundAll
	asked  *api.TransactionQuery
	acts   []string
	bodies []string
	refuse error
}

func (m *messages) Transactions(_ context.Context, _ *web.Caller, q *api.TransactionQuery) (api.TransactionPage, error) {
	m.asked = q
	return api.TransactionPage{Page: api.Page[api.Transaction]{Data: []api.Transaction{m.detail.Transaction}, Next: "77"}, From: 77}, nil
}

func (m *messages) Transaction(_ context.Context, _ *web.Caller, id string, _ time.Time) (api.TransactionDetail, error) {
	if id != m.detail.ID {
		return api.TransactionDetail{}, api.NotFound()
	}
	return m.detail, nil
}

func (m *messages) Choices(context.Context) (kinds, reasons []api.Option) {
	return []api.Option{{ID: "fraud", Name: m.detail.Why}}, []api.Option{{ID: "mac_failed", Name: m.detail.Why}}
}

func (m *messages) Clones(context.Context, *web.Caller, *api.CloneQuery) (api.Page[api.Clone], error) {
	return api.Page[api.Clone]{Data: []api.Clone{m.clone.Clone}}, nil
}

func (m *messages) Clone(_ context.Context, _ *web.Caller, id string, _ *api.AsOf) (api.CloneDetail, error) {
	if id != m.clone.ID {
		return api.CloneDetail{}, api.NotFound()
	}
	return m.clone, nil
}

func (m *messages) Find(context.Context, *web.Caller, string) (api.FoundAll, error) {
	return m.found, nil
}

func (m *messages) Catalogue() []api.Act { return nil }

func (m *messages) Act(_ context.Context, _ *web.Caller, name string, body json.RawMessage) (api.Done, error) {
	m.acts, m.bodies = append(m.acts, name), append(m.bodies, string(body))
	if name == "clone_clear" {
		return api.Done{Proposal: "PRP-7"}, m.refuse
	}
	return api.Done{Facts: map[string]string{"incident": "INC-3"}}, m.refuse
}

// serve is the console over a host that says m, for whom who points to at each request.
func serve(t *testing.T, m *messages, who **web.Caller) http.Handler {
	t.Helper()
	router := web.NewRouter(slog.New(slog.DiscardHandler))
	router.Identify = func(*http.Request) (*web.Caller, error) { return *who, nil }
	_, err := console.New(router, console.Options{Desk: &api.Desk{Transactions: m, Clones: m, Find: m, Acts: m}, Zone: time.FixedZone("CST", 8*3600), Test: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return router
}

func messageGet(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

// fill puts a text into every string that a value holds, and two elements into every list.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 11, 28, 2, 41, 0, 0, time.UTC)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), text)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), text)
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(3)
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(3)
	case reflect.Float64:
		v.SetFloat(3)
	}
}

func officer(lang string) *web.Caller {
	return &web.Caller{Account: "qian", FullName: "Qian", Roles: []staff.Role{staff.Security}, Token: "t", Lang: lang}
}

func shopkeeper() *web.Caller {
	return &web.Caller{Account: "shop", FullName: "Shop", Roles: []staff.Role{staff.Merchant}, Shop: pos.MerchantID([]byte("898310058120001")), Token: "t", Lang: "en"}
}

// hostPages are the pages that show what a host says; what is typed comes back in some.
func hostPages(text string, who *web.Caller) []string {
	q := url.QueryEscape(text)
	list := []string{"/transactions", "/transactions?terminal=" + q, "/transactions/txn_1", "/transactions/txn_1?opened=" + q, "/find?q=" + q}
	if !who.Merchant() {
		list = append(list, "/clones", "/clones/x", "/clones/x?proposal="+q)
	}
	return list
}

// saying is a host of which every text is one.
func saying(m *messages, text string) {
	*m = messages{}
	fill(reflect.ValueOf(&m.detail).Elem(), text)
	fill(reflect.ValueOf(&m.clone).Elem(), text)
	fill(reflect.ValueOf(&m.found).Elem(), text)
	m.detail.ID, m.clone.ID, m.detail.Message.Bytes, m.detail.Outcome, m.clone.State = "txn_1", "ter_x", 40, "refused", "open"
	m.found.List[0].Group, m.found.List[1].Group = "merchants", "words"
	for i := range m.found.List {
		m.found.List[i].Exact, m.found.List[i].Path = false, "/x?"+text // the host makes paths, of what was typed
	}
}

// shape is a page's elements with their attributes' names, and wherever it leads.
func shape(t *testing.T, page string) (tags, links []string) {
	t.Helper()
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return tags, links
		}
		if kind == html.TextToken {
			continue
		}
		token := z.Token()
		tag := kind.String() + " " + token.Data
		if kind == html.CommentToken {
			tag = "comment"
		}
		for _, a := range token.Attr {
			tag += " " + a.Key
			if a.Key == "href" || a.Key == "src" || a.Key == "action" {
				links = append(links, a.Val)
			}
		}
		tags = append(tags, tag)
	}
}

// TestHostileTextsStayText: whatever a message, a shop's name or a finding says, a page has the elements and attributes that
// it has with harmless words, and leads nowhere outside; and no cell of a table for a spreadsheet is a formula.
func TestHostileTextsStayText(t *testing.T) {
	m, who := &messages{}, officer("en")
	h := serve(t, m, &who)
	for _, who = range []*web.Caller{officer("en"), officer("zh"), shopkeeper()} {
		want := map[int][]string{}
		texts := append([]string{"word"}, hostile...)
		if who.Lang == "zh" {
			texts = texts[:4] // the same templates
		}
		for _, text := range texts {
			saying(m, text)
			for i, path := range hostPages(text, who) {
				w := messageGet(t, h, path)
				if w.Code != http.StatusOK {
					t.Fatalf("%s: %d", path, w.Code)
				}
				tags, links := shape(t, w.Body.String())
				if want[i] == nil {
					want[i] = tags
				}
				if !slices.Equal(tags, want[i]) {
					t.Errorf("%s of %s in %s with %q has other elements than with a word", path, who.Account, who.Lang, text)
				}
				for _, link := range links {
					if !strings.HasPrefix(link, "/") && !strings.HasPrefix(link, "#") || strings.HasPrefix(link, "//") {
						t.Errorf("%s with %q leads to %q", path, text, link)
					}
				}
			}
		}
	}
	who = officer("en")
	for _, text := range hostile {
		saying(m, text)
		rows, err := csv.NewReader(messageGet(t, h, "/transactions?format=csv").Body).ReadAll()
		if err != nil || len(rows) != 2 || strings.HasPrefix(rows[1][2], "=") {
			t.Errorf("CSV with %q: %v, %v", text, rows, err)
		}
	}
}

// refusedSale is a message as a page shows it.
func refusedSale() *messages {
	x := func(en, zh string) api.Text { return api.Text{EN: en, ZH: zh} }
	m := &messages{}
	m.detail = api.TransactionDetail{Transaction: api.Transaction{ID: "txn_9001", Entry: 9001, At: time.Date(2026, 11, 28, 2, 41, 25, 0, time.UTC), Terminal: "00000023", Merchant: "898310058120001", Shop: "Tea",
		What: "sale", WhatText: x("sale", "消费"), Amount: 8800, Currency: "156", Trace: "000042", RRN: "000000009001", Answer: "A0", Outcome: "refused", Reason: "mac_failed", Why: x("message code does not match", "报文鉴别码不符"),
		Charged: x("not charged", "未扣款"), ElapsedUS: 512},
		Explained: api.Explanation{Certainty: "proven", Short: x("key of an earlier sign-in", "旧签到密钥"), Presented: x(`DE64 "1AD5"`, "64 域"), Expected: x("the MAC under key set 7", "第 7 套")},
		Verdict:   []api.TransactionCheck{{Check: "frame", Name: x("frame", "帧"), Result: "passed"}, {Check: "place", Name: x("place", "位置"), Result: "not_run"}, {Check: "MAC", Name: x("message code", "鉴别码"), Result: "failed"}, {Check: "replay", Name: x("not sent before", "未重放"), Result: "not_run"}},
		Remedy:    &api.Remedy{Cashier: []api.Text{x("sign in once", "签到一次")}, Support: []api.Text{x("ask the shop", "询问商户")}, Engineer: []api.Text{x("compare key check values", "比对校验值")}},
		Message: &api.Anatomy{Bytes: 20, Covered: &api.Span{From: 4, To: 12}, Parts: []api.AnatomyPart{{Name: "MTI", From: 0, To: 2, Hex: "0200", Title: x("message type", "消息类型")},
			{Name: "DE2", From: 2, To: 10, Hex: "622260****0123FF"}, {Depth: 1, Name: "inner", From: 4, To: 6, Hex: "60**"}, {Name: "DE64", From: 10, To: 20, Hex: "3132333435363738393A"}}}}
	return m
}

// TestPageOfARefusal: what a support person must find, in both languages, and nothing of the cause for the shop.
func TestPageOfARefusal(t *testing.T) {
	m, who := refusedSale(), officer("en")
	h := serve(t, m, &who)
	for _, c := range []struct {
		who  *web.Caller
		has  []string
		hasn []string
	}{
		{officer("en"), []string{"Sale CNY 88.00 refused", "not charged", "PROVEN", "key of an earlier sign-in", "the MAC under key set 7", "ask the shop", "compare key check values", "2026-11-28 10:41:25", "0.51",
			"Not called for by this message: place", `<b>62</b><b>22</b>`, `<b>**</b>`, `data-from="4" data-to="6"`, "bytes 4 to 11", "Open an incident"}, nil},
		{officer("zh"), []string{"消费 CNY 88.00 被拒绝", "未扣款", "证实", "旧签到密钥", "询问商户", "比对校验值"}, nil},
		{shopkeeper(), []string{"sign in once", "not charged"}, []string{"mac_failed", "PROVEN", "<b>62</b>", "Security engineer", "compare key check values", "Open an incident", "10.0.0"}},
	} {
		who = c.who
		page := messageGet(t, h, "/transactions/txn_9001").Body.String()
		for _, want := range c.has {
			if !strings.Contains(page, want) {
				t.Errorf("%s, %s: the page does not say %q", c.who.Account, c.who.Lang, want)
			}
		}
		for _, not := range c.hasn {
			if strings.Contains(page, not) {
				t.Errorf("%s: the page says %q", c.who.Account, not)
			}
		}
	}
	m.detail.Message, who = nil, officer("en")
	if page := messageGet(t, h, "/transactions/txn_9001").Body.String(); !strings.Contains(page, "The bytes of this message are not kept") {
		t.Error("nothing is said of bytes that are not kept")
	}
	for _, path := range []string{"/transactions/txn_1", "/clones/nothing"} {
		if w := messageGet(t, h, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	who = shopkeeper()
	if w := messageGet(t, h, "/clones"); w.Code != http.StatusForbidden {
		t.Errorf("a shop's account sees clones: %d", w.Code)
	}
}

// TestWaterfallIsToScale: each bar begins and ends where its step did; what is no check stands beside; how it was measured is
// said; and without times only the order is shown, and that is said too.
func TestWaterfallIsToScale(t *testing.T) {
	m, who := refusedSale(), officer("en")
	h := serve(t, m, &who)
	x := func(s string) api.Text { return api.Text{EN: s, ZH: s} }
	m.detail.Timing = &api.Timing{How: "again", TotalUS: 20, ClockUS: 0.05, Steps: []api.TimingStep{{Step: "ask", Name: x("question made"), FromUS: 0, ToUS: 5}, {Step: "MAC", Name: x("MAC"), Check: true, Module: true, FromUS: 5, ToUS: 17.5},
		{Step: "frame", Name: x("frame"), Check: true, FromUS: 17.5, ToUS: 17.52}, {Step: "MAC", Name: x("MAC"), Check: true, FromUS: 17.52, ToUS: 20}}}
	rect := func(from, wide, class string) string {
		return fmt.Sprintf(`<rect x="%s" y="3" width="%s" height="12" rx="1.5"%s></rect>`, from, wide, class)
	}
	for lang, words := range map[string][]string{"en": {"measured again after the answer", "20.0 µs", "Work beside the checks", "question made"}, "zh": {"应答之后用相同数据重新测得", "检查之外的工作"}} {
		who = officer(lang)
		page := messageGet(t, h, "/transactions/txn_9001").Body.String()
		for _, want := range append(words, rect("0.00%", "25.00%", ""), rect("25.00%", "62.50%", ` class="module"`)+rect("87.60%", "12.40%", ""), rect("87.50%", "0.50%", ""), ">15.0<", ">0.02<", ">5.00<", `x="50.00%" y="11">10</text>`) {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page has no %s", lang, want)
			}
		}
	}
	m.detail.Timing.How, who = "live", officer("en")
	if page := messageGet(t, h, "/transactions/txn_9001").Body.String(); !strings.Contains(page, "Timed while the message was judged") || strings.Contains(page, "measured again") {
		t.Error("a message that was timed while it was judged")
	}
	m.detail.Timing = nil
	if page := messageGet(t, h, "/transactions/txn_9001").Body.String(); !strings.Contains(page, "the bars show the order alone") || strings.Contains(page, `class="axis"`) {
		t.Error("a message that was not timed")
	}
	for _, total := range []float64{0.003, 0.9, 7, 20, 127, 4999, 1e7} {
		m.detail.Timing = &api.Timing{How: "live", TotalUS: total}
		page := messageGet(t, h, "/transactions/txn_9001").Body.String()
		if n := strings.Count(page, "</text>") / 2; n < 1 || n > 6 {
			t.Errorf("%g µs have %d ticks", total, n)
		}
	}
}

// TestFiltersLiveInTheAddress: what the address says is asked, and what is no time is told.
func TestFiltersLiveInTheAddress(t *testing.T) {
	m, who := refusedSale(), officer("en")
	h := serve(t, m, &who)
	page := messageGet(t, h, "/transactions?terminal=00000023&reason=mac_failed&from=2026-11-28T10:00&to=2026-11-29&outcome=refused&merchant=mer_898310058120001&cursor=99&limit=20").Body.String()
	q := m.asked
	if q.Terminal != "00000023" || q.Reason != "mac_failed" || q.Outcome != "refused" || q.Merchant != "898310058120001" || q.Cursor != "99" || q.Limit != 20 ||
		!q.From.Equal(time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)) || !q.To.Equal(time.Date(2026, 11, 28, 16, 0, 0, 0, time.UTC)) {
		t.Errorf("asked %+v", q)
	}
	for _, want := range []string{`cursor=77`, `format=csv`, "entry from 77 on"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if w := messageGet(t, h, "/transactions?from=yesterday"); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "2026-11-28T10:41") {
		t.Errorf("a time that is none: %d", w.Code)
	}
}

// TestActsFromThePages: an incident from a message, a clone cleared after a visit; each by its act, and told what became of it.
func TestActsFromThePages(t *testing.T) {
	m, who := refusedSale(), officer("en")
	h := serve(t, m, &who)
	m.clone = api.CloneDetail{Clone: api.Clone{ID: "ter_00000023", Terminal: "00000023", State: "open", OneIn: 310_000}, Suspect: 5}
	post := func(path string, form url.Values) *httptest.ResponseRecorder {
		form.Set(web.TokenField, "t")
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	w := post("/transactions/txn_9001/incident", url.Values{"title": {"odd"}, "kind": {"fraud"}, "severity": {"general"}, "text": {"what"}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/transactions/txn_9001?opened=INC-3" || fmt.Sprint(m.acts) != "[incident incident]" ||
		!strings.Contains(m.bodies[0], `"terminals":["00000023"]`) || !strings.Contains(m.bodies[1], `"entries":[9001]`) {
		t.Errorf("%d %s, acts %v %v", w.Code, w.Header().Get("Location"), m.acts, m.bodies)
	}
	w = post("/clones/00000023/clear", url.Values{"note": {"one device, board exchanged"}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/clones/00000023?proposal=PRP-7" {
		t.Errorf("clear: %d %s", w.Code, w.Header().Get("Location"))
	}
	m.refuse = api.Refuse(http.StatusUnprocessableEntity, "act_refused", "the text holds what looks like a card number")
	for path, form := range map[string]url.Values{"/transactions/txn_9001/incident": {"title": {"odd"}}, "/clones/00000023/clear": {"note": {"x"}}} {
		if w := post(path, form); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "looks like a card number") {
			t.Errorf("%s refused: %d", path, w.Code)
		}
	}
}

// TestFindGoesToTheOneExactHit, and lists where there are several or none.
func TestFindGoesToTheOneExactHit(t *testing.T) {
	hit := api.Found{Group: "terminals", Name: "00000023", Path: "/terminals/00000023", Exact: true}
	m, who := &messages{}, officer("en")
	h := serve(t, m, &who)
	near := api.Found{Group: "words", Name: "A7", Path: "/transactions?code=A7"}
	other := api.Found{Group: "devices", Name: "00000023", Path: "/devices/00000023", Exact: true}
	for name, c := range map[string]struct {
		list []api.Found
		to   string
	}{"one": {[]api.Found{near, hit}, "/terminals/00000023"}, "none": {nil, ""}, "two": {[]api.Found{hit, other}, ""}, "near": {[]api.Found{near}, ""}} {
		m.found = api.FoundAll{Query: "x", List: c.list}
		w := messageGet(t, h, "/find?q=x")
		if got := w.Header().Get("Location"); got != c.to {
			t.Errorf("%s: to %q, want %q", name, got, c.to)
		}
	}
}
