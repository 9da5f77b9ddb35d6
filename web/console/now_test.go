package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"touchstone/pos"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
	"touchstone/web/console"
)

// liveDesk is a host with made figures.
type liveDesk struct {
	now      api.Now
	failures api.Failures
	asked    api.FailureQuery
	entry    api.JournalEntry
	list     api.JournalList
	check    api.Verification
	verified uint64
	beats    chan []byte
}

func (d *liveDesk) Now(_ context.Context, who *web.Caller, _ string) (api.Now, error) {
	if who.Merchant() {
		return api.Now{At: d.now.At, Shop: &api.ShopNow{Merchant: who.Shop.String(), Name: "Tea", Approved: 12, Refused: 1, Taken: "55.00",
			Reasons: []api.ReasonDo{{ReasonNow: api.ReasonNow{Reason: "A0", Words: "MAC check failed", Count: 1}, Do: "sign in again"}}}}, nil
	}
	return d.now, nil
}

func (d *liveDesk) Watch(context.Context, *web.Caller, string) (<-chan []byte, error) {
	if d.beats == nil {
		return nil, api.ErrWatched
	}
	return d.beats, nil
}
func (d *liveDesk) Status(context.Context, *web.Caller, *api.AsOf) (api.Status, error) {
	return api.Status{}, nil
}
func (d *liveDesk) Failures(_ context.Context, _ *web.Caller, q *api.FailureQuery) (api.Failures, error) {
	d.asked = *q
	return d.failures, nil
}
func (d *liveDesk) Effectiveness(context.Context, *web.Caller, *api.EffectivenessQuery) (api.Effectiveness, error) {
	return api.Effectiveness{}, nil
}
func (d *liveDesk) Events(context.Context, *web.Caller, *api.EventQuery) (api.Page[api.Event], error) {
	return api.Page[api.Event]{}, nil
}
func (d *liveDesk) Entries(context.Context, *web.Caller, *api.JournalQuery) (api.JournalList, error) {
	return d.list, nil
}
func (d *liveDesk) Entry(_ context.Context, _ *web.Caller, n uint64) (api.JournalEntry, error) {
	if n != d.entry.JournalLine.Entry {
		return api.JournalEntry{}, api.NotFound()
	}
	return d.entry, nil
}
func (d *liveDesk) Proof(context.Context, *web.Caller, uint64, uint64) (api.JournalProof, error) {
	return api.JournalProof{}, nil
}
func (d *liveDesk) Verify(_ context.Context, _ *web.Caller, n uint64) (api.Verification, error) {
	d.verified = n
	return api.Verification{State: "running"}, nil
}
func (d *liveDesk) Verification(context.Context, *web.Caller) (api.Verification, error) {
	return d.check, nil
}
func (d *liveDesk) Witnesses(context.Context, *web.Caller) ([]api.Witness, error) {
	return []api.Witness{{File: "w", State: "conflict"}}, nil
}

const liveToken = "token"

// liveConsole serves d's pages to a caller.
func liveConsole(t *testing.T, d *liveDesk, who *web.Caller) http.Handler {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	r := web.NewRouter(log)
	r.Identify = func(*http.Request) (*web.Caller, error) { return who, nil }
	desk := &api.Desk{Live: d, Figures: d, Journal: d}
	if _, err := console.New(r, console.Options{Desk: desk, Sessions: web.NewSessions(), Zone: time.UTC, Log: log}); err != nil {
		t.Fatal(err)
	}
	return r
}

func liveCaller(lang string, roles ...staff.Role) *web.Caller {
	return &web.Caller{Account: "qian", Roles: roles, Via: web.BySession, Token: liveToken, Lang: lang, Shop: pos.MerchantID([]byte("898000000000001"))}
}

func liveGet(t *testing.T, h http.Handler, path string) (int, string, http.Header) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String(), w.Header()
}

func busyNow() api.Now {
	n := api.Now{At: time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC), Rate: 2000.4, P99MS: 3.25, Within: 10, Approved: 1_200_000, Refused: 40, Needs: []api.Need{
		{Code: "incidents_open", Count: 2, Grave: true, Words: "open incidents", More: "next deadline: 2h", Href: "/incidents"}},
		Reasons: []api.ReasonNow{{Reason: "mac_failed", Words: "message code does not match", Count: 30}, {Reason: "issuer", Words: "the card's bank refused", Count: 10}},
		Latest:  []api.Refusal{{ID: "txn_77", At: "08:00:00", Terminal: "00000011", Reason: "mac_failed", Words: "message code does not match", Cause: "PROVEN key of an earlier sign-in", DE39: "A0"}},
		Proven:  &api.Proven{Sentence: "approvals fully proven 84.0 %", Approvals: 1000, Full: 999, Canary: "ok", Says: "canary: round 5", Least: 0.0001, Most: 0.01}}
	for i := range 301 {
		n.Points = append(n.Points, api.Point{T: n.At.Unix() - 602 + int64(2*i), Approved: 4000, Refused: map[string]uint32{"mac_failed": uint32(i % 3)}})
	}
	return n
}

// TestNowPage: the moment is whole without a script: needs with links, figures, the picture and its table, the latest refusals.
func TestNowPage(t *testing.T) {
	d := &liveDesk{now: busyNow()}
	for lang, words := range map[string][]string{"en": {"Needs a person", "2,000.4", "3.25", "1,200,000", "99.9 %", "By minute", "of honest sales"}, "zh": {"需要人处理", "误拒率", "最近十分钟"}} {
		code, page, _ := liveGet(t, liveConsole(t, d, liveCaller(lang, staff.Security)), "/")
		if code != 200 || len(page) > 60_000 {
			t.Fatalf("%s: %d, %d bytes", lang, code, len(page))
		}
		if lang == "en" {
			words = []string{"Needs a person", "2000.4", "3.25", "1,200,000", "99.9 %", "of honest sales"}
		}
		for _, want := range append(words, `href="/incidents"`, `href="/transactions/txn_77"`, "PROVEN key of an earlier sign-in", `href="/transactions?from=2026-11-27T07%3A50%3A00Z&amp;reason=mac_failed"`, `class="s1"`) {
			if !strings.Contains(page, want) {
				t.Errorf("%s: %q is not there", lang, want)
			}
		}
		if strings.Contains(page, "style=") || strings.Contains(page, "<script>") {
			t.Errorf("%s: inline style or script", lang)
		}
		if rows := strings.Count(page, `<tr><td class="t">07:`); rows != 10 {
			t.Errorf("%s: the table of the picture has %d minutes", lang, rows)
		}
	}
	if _, _, h := liveGet(t, liveConsole(t, d, liveCaller("en", staff.Auditor)), "/?refresh=5"); h.Get("Refresh") != "5" {
		t.Error("without a script the page does not load itself again")
	}
	d.now.Needs, d.now.Reasons, d.now.Latest, d.now.Points = []api.Need{}, nil, nil, nil
	if _, page, _ := liveGet(t, liveConsole(t, d, liveCaller("en", staff.Auditor)), "/"); !strings.Contains(page, "Nothing waits for a person.") || !strings.Contains(page, "No refusal in ten minutes.") {
		t.Error("a quiet moment is not told")
	}
}

// TestAMerchantSeesItsOwnDay: no figure of the fleet, and no page of it.
func TestAMerchantSeesItsOwnDay(t *testing.T) {
	d := &liveDesk{now: busyNow()}
	h := liveConsole(t, d, liveCaller("en", staff.Merchant))
	code, page, _ := liveGet(t, h, "/")
	if code != 200 || !strings.Contains(page, "898000000000001") || !strings.Contains(page, "sign in again") {
		t.Fatalf("%d\n%s", code, page)
	}
	for _, fleet := range []string{"1,200,000", "Needs a person", "Effectiveness", "txn_77", "mac_failed"} {
		if strings.Contains(page, fleet) {
			t.Errorf("a merchant reads %q", fleet)
		}
	}
	for _, path := range []string{"/failures", "/journal", "/journal/1"} {
		if code, _, _ := liveGet(t, h, path); code != 403 {
			t.Errorf("%s: %d", path, code)
		}
	}
}

// someFailures has one reason in two hours of a range, and one that did not lead anywhere.
func someFailures(hours int) api.Failures {
	from := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	row := func(key, words string, n uint64) api.FailureRow {
		return api.FailureRow{Key: key, Words: api.Text{EN: words, ZH: words}, Count: api.Count{Messages: n, Sales: n, Amount: int64(100 * n)}}
	}
	return api.Failures{Range: "ready", From: from, To: from.Add(time.Duration(hours) * time.Hour), Last: 99, Approved: 1000, Least: 0.005, Most: 0.02, Total: api.Count{Messages: 1234, Wrong: 5, Unknown: 15},
		Tables: map[string][]api.FailureRow{"reason": {row("mac_failed", "MAC", 1233), row("replayed", "seen before", 1)}, "cause": {row("proven mac_stale_key", "PROVEN stale", 5)}, "model": {row("S25", "S25", 1234)}},
		Hours:  []api.FailureHour{{Start: from, Reasons: map[string]uint64{"mac_failed": 1200}}, {Start: from.Add(time.Duration(hours-1) * time.Hour), Reasons: map[string]uint64{"mac_failed": 33, "replayed": 1}}},
		Flows:  []api.FailureFlow{{Reason: "mac_failed", Cause: "proven mac_stale_key", Justice: "wrong", Count: api.Count{Messages: 5}}}, Incidents: []api.FailureIncident{{ID: "INC-2", Title: api.Text{EN: "spreads", ZH: "蔓延"}}}}
}

var heatCells = regexp.MustCompile(`<td class="h([0-7])">`)

// TestFailuresPage: a cell for each reason and hour that leads to its messages; a long range has columns of several hours; filters
// are in the address.
func TestFailuresPage(t *testing.T) {
	for hours, each := range map[int]int{24: 1, 48: 1, 49: 2, 168: 4} {
		d := &liveDesk{failures: someFailures(hours)}
		code, page, _ := liveGet(t, liveConsole(t, d, liveCaller("en", staff.Security)), "/failures?range=own&from=2026-11-26&model=S25")
		if code != 200 || len(page) > 100_000 {
			t.Fatalf("%d hours: %d, %d bytes", hours, code, len(page))
		}
		columns := (hours + each - 1) / each
		if n := len(heatCells.FindAllString(page, -1)); n != 2*columns {
			t.Errorf("%d hours: %d cells, want 2 reasons by %d columns", hours, n, columns)
		}
		to := time.Date(2026, 11, 26, each, 0, 0, 0, time.UTC).Format("2006-01-02T15") + "%3A00%3A00Z"
		for _, want := range []string{`<td class="h7"><a href="/transactions?from=2026-11-26T00%3A00%3A00Z&amp;reason=mac_failed&amp;to=` + to, "1.2k</a>", "0.50 % <span", `href="/incidents/INC-2"`, "class=\"band wrong\"",
			`href="/failures?from=2026-11-26&amp;range=own" class="chip"`, `/failures?from=2026-11-26&amp;model=S25&amp;range=own&amp;reason=mac_failed`, `/api/v1/failures?from=2026-11-26&amp;model=S25`} {
			if !strings.Contains(page, want) {
				t.Errorf("%d hours: %q is not there", hours, want)
			}
		}
		if d.asked.Model != "S25" || d.asked.From != "2026-11-26" {
			t.Errorf("asked for %+v", d.asked)
		}
	}
	d := &liveDesk{failures: api.Failures{Range: "counting", Counted: 25, Of: 100}}
	if _, page, h := liveGet(t, liveConsole(t, d, liveCaller("zh", staff.Security)), "/failures?range=week"); h.Get("Refresh") == "" || !strings.Contains(page, `value="25"`) || d.asked.From == "" {
		t.Error("a range that is being counted does not say how far")
	}
	d.failures = api.Failures{Range: "ready"}
	if _, page, _ := liveGet(t, liveConsole(t, d, liveCaller("en", staff.Security)), "/failures"); !strings.Contains(page, "Security refused nothing in this range") {
		t.Error("an empty range is not told")
	}
}

// TestJournalPages: a list says at what it looked, an entry shows its bytes and values, the proof of the chain is begun by a form with the token.
func TestJournalPages(t *testing.T) {
	line := api.JournalLine{Entry: 7, At: time.Now(), Kind: "event", Words: api.Text{EN: "SALES STOPPED <b>", ZH: "停止"}, Alarm: true, Accounts: []string{"qian"}}
	d := &liveDesk{list: api.JournalList{Data: []api.JournalLine{line}, Next: "7", LookedFrom: 7, LookedTo: 900, Head: 900, HeadHash: "ab12"},
		entry: api.JournalEntry{JournalLine: line, Record: json.RawMessage(`{"name":"sales_stopped"}`), Bytes: 3, Hex: "01ff41", Hash: "cd34", Block: api.JournalBlock{First: 5, Last: 9, Head: "ef56"}},
		check: api.Verification{State: "running", From: 1, To: 900, At: 450}}
	h := liveConsole(t, d, liveCaller("en", staff.Auditor))
	code, page, head := liveGet(t, h, "/journal?kind=event&account=qian")
	for _, want := range []string{"Looked at entries 7 to 900", `href="/journal?account=qian&amp;cursor=7&amp;kind=event"`, "SALES STOPPED &lt;b&gt;", "saw another or a longer journal", `value="50"`, "touchstone journal verify"} {
		if code != 200 || !strings.Contains(page, want) {
			t.Errorf("%d: %q is not there", code, want)
		}
	}
	if head.Get("Refresh") == "" {
		t.Error("a running proof's progress stands still")
	}
	d.check = api.Verification{State: "broken", Says: api.Text{EN: "BROKEN at entry 12", ZH: "x"}}
	if code, page, _ := liveGet(t, h, "/journal/7"); code != 200 || !strings.Contains(page, "01 ff 41") || !strings.Contains(page, "cd34") || !strings.Contains(page, "BROKEN at entry 12") || !strings.Contains(page, "sales_stopped") {
		t.Errorf("%d: an entry\n%s", code, page)
	}
	for _, path := range []string{"/journal/8", "/journal/0", "/journal/x", "/journal/-1", "/journal/99999999999999999999"} {
		if code, _, _ := liveGet(t, h, path); code != 404 {
			t.Errorf("%s: %d", path, code)
		}
	}
	for token, want := range map[string]int{"": 403, "wrong": 403, liveToken: 303} {
		d.verified = 0
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/journal/7/verify", strings.NewReader(fmt.Sprintf("csrf=%s", token)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		h.ServeHTTP(w, r)
		if w.Code != want || (d.verified == 7) != (want == 303) {
			t.Errorf("token %q: %d", token, w.Code)
		}
	}
}
