package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/html"

	"touchstone/journal"
	"touchstone/observe"
	"touchstone/releases"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// everything is somebody with every role but a shop's: what is refused is refused for what was sent.
func everything() *web.Caller {
	c := &web.Caller{Account: "qian", FullName: "Qian", Via: web.BySession, Token: "the token of the session", Lang: "en"}
	for _, role := range staff.Roles {
		if role != staff.Merchant {
			c.Roles = append(c.Roles, role)
		}
	}
	return c
}

// hostile are texts that break what puts them together without care: XSS in every context of HTML, each with the mark
// by which a new element or attribute is known. A line of testdata/xss.txt each, which the tests in a browser read too.
func hostile() (all []string) {
	text, err := os.ReadFile("../../testdata/xss.txt")
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.Contains(line, "xq7") {
			panic("a payload has no mark")
		}
		all = append(all, line)
	}
	return all
}

// checkPage fails where a page has an element or an attribute that no template made, or lacks its policy.
func checkPage(t *testing.T, from string, w *httptest.ResponseRecorder) (shown bool) {
	t.Helper()
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		return false
	}
	csp := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "require-trusted-types-for 'script'") || strings.Contains(csp, "unsafe") {
		t.Errorf("%s: policy %q", from, csp)
	}
	z := html.NewTokenizer(bytes.NewReader(w.Body.Bytes()))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return shown
		case html.TextToken:
			shown = shown || strings.Contains(z.Token().Data, "xq7")
		case html.CommentToken:
			if strings.Contains(z.Token().Data, "xq7") {
				t.Errorf("%s: what somebody sent is a comment", from)
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			for _, wrong := range wrongElement(token) {
				t.Errorf("%s: %s in %s", from, wrong, token)
			}
			shown = shown || slices.ContainsFunc(token.Attr, func(a html.Attribute) bool { return strings.Contains(a.Val, "xq7") })
		}
	}
}

func wrongElement(e html.Token) (wrong []string) {
	if strings.Contains(e.Data, "xq7") || slices.Contains([]string{"iframe", "object", "embed", "base", "math", "style", "frame", "applet"}, e.Data) {
		wrong = append(wrong, "an element that no template has")
	}
	for _, a := range e.Attr {
		value := strings.ToLower(strings.TrimSpace(a.Val))
		switch {
		case strings.Contains(a.Key, "xq7") || strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc" || a.Key == "autofocus" && strings.Contains(e.String(), "xq7"):
			wrong = append(wrong, "attribute "+a.Key)
		case e.Data == "script" && a.Key == "src" && !strings.HasPrefix(value, "/assets/"), e.Data == "link" && a.Key == "href" && !strings.HasPrefix(value, "/assets/"):
			wrong = append(wrong, "a foreign file")
		case slices.Contains([]string{"href", "src", "action", "formaction", "xlink:href", "data"}, a.Key) &&
			(strings.HasPrefix(value, "javascript:") || strings.HasPrefix(value, "vbscript:") || strings.HasPrefix(value, "data:text") || strings.HasPrefix(value, "//")):
			wrong = append(wrong, "address "+a.Val)
		}
	}
	return wrong
}

// plant enters a text in every field that people fill and pages show, as far as the rules of the rooms let it in; it
// counts what was let in, by field.
func (r *attackRig) plant(t *testing.T, n int, text string, into map[string]int) (pages []string) {
	t.Helper()
	r.who = everything()
	short := text
	if len(short) > 90 {
		short = short[:90]
	}
	try := func(field, path string, body map[string]any, page func(api.Done) string) {
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		w := r.call(http.MethodPost, "/api/v1"+path, "application/json", string(raw))
		if w.Code >= 500 {
			t.Errorf("%s: %d for %q: %s", field, w.Code, text, w.Body)
		}
		if w.Code/100 != 2 {
			return
		}
		into[field]++
		var done api.Done
		if err := json.Unmarshal(w.Body.Bytes(), &done); err != nil {
			t.Fatal(err)
		}
		if p := page(done); p != "" {
			pages = append(pages, p)
		}
	}
	shop := fmt.Sprintf("8983100581277%02d", n%100)
	id := staffTerminals()[0].id.String()
	try("name of a merchant", "/merchants", map[string]any{"id": shop, "name": short, "networks": []string{"any"}}, func(api.Done) string { return "/merchants/" + shop })
	try("note of an incident", "/incident-steps", map[string]any{"op": "note", "id": r.inc, "text": text}, func(api.Done) string { return "/incidents/" + r.inc })
	try("text of a report", "/reports", map[string]any{"kind": "skimmer", "terminal": id, "text": short}, func(d api.Done) string { return "/reports/" + d.Facts["report"] })
	try("model of a device", "/devices", map[string]any{"serial": fmt.Sprintf("00000304TS00000770%02d", n%100), "licence": "P3100", "device_type": "04", "apps": []string{"1.0.0"}, "model": short, "hardware": short},
		func(api.Done) string { return fmt.Sprintf("/devices/00000304TS00000770%02d", n%100) })
	r.who.Account = "zhao" // an administrator
	try("name of an account", "/staff", map[string]any{"account": map[string]any{"name": fmt.Sprintf("xss.%d", n), "full_name": short, "person": fmt.Sprintf("X-%d", n), "organisation": short, "roles": []string{"support"},
		"key": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}}, func(api.Done) string { return fmt.Sprintf("/staff/accounts/xss.%d", n) })
	r.who.Account = "qian"
	return pages
}

// TestS04StoredAndReflected: what people and requests bring is text on every page that shows it, and no more.
func TestS04StoredAndReflected(t *testing.T) {
	r := newAttackRig(t)
	payloads := hostile()
	if len(payloads) < 60 {
		t.Fatalf("%d payloads", len(payloads))
	}
	planted, shown, looked := map[string]int{}, 0, 0
	look := func(path string) {
		w := r.call(http.MethodGet, path, "", "")
		if w.Code >= 500 {
			t.Errorf("%s: %d", path, w.Code)
		}
		looked++
		if checkPage(t, path, w) {
			shown++
		}
	}
	for i, text := range payloads {
		from := r.e.ledger.Durable()
		for _, page := range r.plant(t, i, text, planted) {
			look(page)
		}
		for n := from + 1; n <= r.e.ledger.Durable(); n += 3 {
			look(fmt.Sprintf("/journal/%d", n))
		}
		q := url.QueryEscape(text)
		for _, page := range []string{"/find?q=" + q, "/fleet?q=" + q, "/nothing/" + url.PathEscape(text)} {
			look(page)
		}
		r.who = nil
		look("/sign-in?next=" + q)
		r.who = everything()
	}
	for _, page := range []string{"/", "/fleet", "/journal", "/incidents", "/reports", "/claims", "/staff", "/transactions", "/failures", "/laboratory", "/notices"} {
		look(page)
	}
	pages := r.publicRouter(t)
	for i, text := range payloads[:40] {
		for _, path := range []string{"/t/" + url.PathEscape(text), "/explain?q=" + url.QueryEscape(text)} {
			q := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8081"+path, nil)
			q.RemoteAddr = fmt.Sprintf("10.9.%d.1:1", i)
			w := httptest.NewRecorder()
			pages.ServeHTTP(w, q)
			checkPage(t, "public "+path, w)
		}
	}
	for field, least := range map[string]int{"name of a merchant": 40, "note of an incident": 40, "text of a report": 40, "model of a device": 10, "name of an account": 40} {
		if planted[field] < least {
			t.Errorf("%s: only %d texts were let in: nothing was attacked", field, planted[field])
		}
	}
	if shown < len(payloads) {
		t.Errorf("only %d of %d pages show what was sent", shown, looked)
	}
	t.Logf("planted %v; %d pages read, %d show a payload", planted, looked, shown)
}

func (r *attackRig) publicRouter(t *testing.T) http.Handler {
	t.Helper()
	pages, err := r.e.publicPages(&publicFlags{}, "http://127.0.0.1:8081")
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// operation is what the API says of one of its reads.
type operation struct {
	Parameters []struct{ Name, In string }
}

func (r *attackRig) reads(t *testing.T) map[string]operation {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(r.call(http.MethodGet, "/api/v1/openapi.json", "", "").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	all := map[string]operation{}
	for path, methods := range doc.Paths {
		var o operation
		if raw, ok := methods["get"]; ok && !strings.HasSuffix(path, "/live") && !strings.HasSuffix(path, "/stream") {
			if err := json.Unmarshal(raw, &o); err != nil {
				t.Fatal(err)
			}
			all[strings.TrimPrefix(path, api.Root)] = o
		}
	}
	return all
}

// TestS06Injection puts quotes, comments, unicode and NUL where the reads of the API take a word, a number, a cursor or a
// name. None is answered by a failure, and none by words of the database.
func TestS06Injection(t *testing.T) {
	r := newAttackRig(t)
	r.who = everything()
	pieces := []string{"'", "\"", "`", "' OR '1'='1", "'; DROP TABLE posting;--", "\" OR 1=1--", "1 OR 1=1", "1; SELECT 1", "') UNION SELECT sql FROM sqlite_master--", "%27", "\\'", "''", "\x00", "a\x00'b", "ʼ", "＇", "\u2019", "é", "\U0001F600", "%", "_", "*",
		"/*", "--", "0x27", "NULL", "-1", "9223372036854775808", "1e309", "NaN", "[]", "{}", strings.Repeat("'", 399), "\xff\xfe", "\r\n", "::", "(", "randomblob(1000000000)", "char(39)", "x'00'"}
	random := rand.New(rand.NewPCG(7, 13))
	type try struct{ path, param string }
	var all []try
	for path, o := range r.reads(t) {
		for _, p := range o.Parameters {
			if p.In == "query" || p.In == "path" {
				all = append(all, try{path, p.In + " " + p.Name})
			}
		}
	}
	slices.SortFunc(all, func(a, b try) int { return strings.Compare(a.path+a.param, b.path+b.param) })
	if len(all) < 60 {
		t.Fatalf("the API has only %d parameters", len(all))
	}
	from, hit := r.e.ledger.Durable(), map[int]int{}
	for i := range 500 {
		x := all[i%len(all)]
		text := pieces[random.IntN(len(pieces))] + pieces[random.IntN(len(pieces))]
		in, name, _ := strings.Cut(x.param, " ")
		path := "/api/v1" + x.path
		if in == "path" {
			path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(text))
		} else {
			path += "?" + name + "=" + url.QueryEscape(text)
		}
		path = wildcard.ReplaceAllString(path, "1")
		w := r.call(http.MethodGet, path, "", "")
		hit[w.Code]++
		if w.Code >= 500 || saysSQL(w.Body.String(), text) {
			t.Errorf("GET %s: %d %.300s", path, w.Code, w.Body)
		}
		if i%5 == 0 {
			w = r.call(http.MethodGet, "/find?q="+url.QueryEscape(text), "", "")
			if w.Code >= 500 || saysSQL(w.Body.String(), text) {
				t.Errorf("/find?q=%q: %d", text, w.Code)
			}
		}
	}
	if to := r.e.ledger.Durable(); to != from {
		t.Errorf("reads wrote %d entries", to-from)
	}
	t.Logf("answers by status: %v; NOT RUN here: sqlmap (make attack-tools)", hit)
}

// saysSQL tells whether an answer has words of the database that the request did not.
func saysSQL(body, sent string) bool {
	for _, word := range []string{"sqlite", "SQL logic", "syntax error", "unrecognized token", "near \"", "no such column", "no such table", "UNION SELECT sql"} {
		if strings.Contains(body, word) && !strings.Contains(sent, word) {
			return true
		}
	}
	return false
}

// keptLog keeps what a log wrote.
type keptLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *keptLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// TestS14OneLineOneRecord: line ends, escapes of terminals, broken JSON, marks that turn a text's direction, NUL and a
// megabyte, in each text field of each act and in the public forms: a line of the log stays one line, an entry of the
// journal one record, a cell of a table one cell that no spreadsheet computes, and a page shows the marks.
func TestS14OneLineOneRecord(t *testing.T) {
	r := newAttackRig(t)
	logged := &keptLog{}
	r.e.log = slog.New(slog.NewTextHandler(logged, nil))
	router, err := r.e.consoleRouter([]string{"127.0.0.1"}, false)
	if err != nil {
		t.Fatal(err)
	}
	router.Identify = func(*http.Request) (*web.Caller, error) { return r.who, nil }
	r.router, r.who = router, everything()
	from := r.e.ledger.Durable()
	texts := []string{"a\r\nlevel=ERROR msg=forged", "a\x1b[2J\x1b[31mred", `a","verb":"forged","x":"`, "a\u202egnp.exe", "a\u2066b\u2069", "a\x00b", "=HYPERLINK(\"http://xq7.example\")", "@SUM(1)", "+1", "-1+1", "\tx", strings.Repeat("A", 1<<20-200), "\u2028\u2029", "\x7f\u0085"}
	acts, asked, taken := newDesk(r.e).Acts.Catalogue(), 0, 0
	for _, act := range acts {
		if act.Example == nil {
			continue
		}
		var example any
		if err := json.Unmarshal(act.Example, &example); err != nil {
			t.Fatal(err)
		}
		for i, text := range texts {
			if len(text) > 1000 && i%2 == 0 && act.Name != "merchant" && act.Name != "report" {
				continue
			}
			raw, err := json.Marshal(withTexts(example, text))
			if err != nil {
				t.Fatal(err)
			}
			w := r.call(http.MethodPost, "/api/v1"+act.Path, "application/json", string(raw))
			if asked++; w.Code >= 500 {
				t.Errorf("%s: %d for %.40q: %.300s", act.Name, w.Code, text, w.Body)
			}
			if w.Code/100 == 2 {
				taken++
			}
			if w.Body.Len() > 64<<10 {
				t.Errorf("%s: an answer of %d bytes to %.40q", act.Name, w.Body.Len(), text)
			}
		}
	}
	into := map[string]int{}
	var pages []string
	for i, text := range texts {
		pages = append(pages, r.plant(t, i, text, into)...)
		r.e.log.Warn("a test writes what was sent", slog.String("text", text))
	}
	t.Logf("%d acts with hostile texts, %d of them taken; %v", asked, taken, into)
	r.publicTexts(t, texts)
	r.cells(t)
	for line := range strings.Lines(logged.b.String()) {
		if !strings.HasPrefix(line, "time=") || !strings.HasSuffix(line, "\n") || strings.ContainsFunc(line[:len(line)-1], func(c rune) bool { return c < ' ' || c == 0x7f || c == 0x85 || turns(c) }) {
			t.Errorf("a line of the log: %.200q", line)
		}
	}
	next := from + 1
	if err := eachEntry(t.Context(), r.e.store.Reader, &next, func(e journal.Entry) error {
		if e.Kind.OfActs() && (!json.Valid(e.Body) || !utf8.Valid(e.Body) || bytes.ContainsFunc(e.Body, func(c rune) bool { return c < ' ' })) {
			t.Errorf("entry %d is not one record: %.200q", e.Seq, e.Body)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "/", "/fleet", "/journal", "/incidents", "/reports", "/staff", "/find?q="+url.QueryEscape(texts[3])) {
		w := r.call(http.MethodGet, page, "", "")
		if at := strings.IndexFunc(w.Body.String(), func(c rune) bool { return turns(c) || c == 0 || c == 0x1b }); w.Code >= 500 || at >= 0 {
			t.Errorf("%s: %d, and at %d a mark that turns or hides text", page, w.Code, at)
		}
	}
}

// publicTexts sends the texts to the forms and the interface that need no account.
func (r *attackRig) publicTexts(t *testing.T, texts []string) {
	t.Helper()
	pages := r.publicRouter(t)
	for i, text := range texts {
		form := url.Values{"serial": {text}, "code": {text}, "text": {text}, "kind": {text}, "contact": {text}, "terminal": {text}, "amount": {text}, "last4": {text}, "reason": {text}, "claim": {text}, "case": {text}}.Encode()
		raw, err := json.Marshal(map[string]string{"serial": text, "code": text})
		if err != nil {
			t.Fatal(err)
		}
		for n, x := range [][3]string{{"/check", "application/x-www-form-urlencoded", form}, {"/report", "application/x-www-form-urlencoded", form}, {"/claim", "application/x-www-form-urlencoded", form}, {"/case", "application/x-www-form-urlencoded", form},
			{"/api/v1/checks", "application/json", string(raw)}} {
			q := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8081"+x[0], strings.NewReader(x[2]))
			q.Header.Set("Content-Type", x[1])
			q.RemoteAddr = fmt.Sprintf("10.7.%d.%d:1", i, n)
			w := httptest.NewRecorder()
			pages.ServeHTTP(w, q)
			if w.Code >= 500 && w.Code != http.StatusServiceUnavailable || w.Body.Len() > 256<<10 || strings.ContainsFunc(w.Body.String(), func(c rune) bool { return turns(c) || c == 0 || c == 0x1b }) {
				t.Errorf("public %s with %.40q: %d, %d bytes", x[0], text, w.Code, w.Body.Len())
			}
		}
	}
}

// cells gives a shop a name that is a formula, and reads every table that a spreadsheet opens.
func (r *attackRig) cells(t *testing.T) {
	t.Helper()
	const formula = "=HYPERLINK(1)"
	raw, err := json.Marshal(map[string]any{"id": r.shops[0], "name": formula, "networks": []string{"any"}})
	if err != nil {
		t.Fatal(err)
	}
	if w := r.call(http.MethodPost, "/api/v1/merchants", "application/json", string(raw)); w.Code/100 != 2 {
		t.Fatalf("the name is refused: %d %s", w.Code, w.Body)
	}
	seen := 0
	for _, path := range []string{"/api/v1/five-elements?format=csv", "/transactions?format=csv"} {
		w := r.call(http.MethodGet, path, "", "")
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/csv") {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
			continue
		}
		rows, err := csv.NewReader(w.Body).ReadAll()
		if err != nil || len(rows) < 2 {
			t.Errorf("%s: %d rows, %v", path, len(rows), err)
		}
		for _, row := range rows {
			for _, cell := range row {
				if strings.Contains(cell, formula) {
					seen++
				}
				if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
					t.Errorf("%s: a spreadsheet computes %q", path, cell)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no table has the name: nothing was attacked")
	}
}

// turns tells whether a character makes a text read otherwise than it is written; UAX #9.
func turns(r rune) bool { return r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 }

// withTexts puts a text in the place of every text of a JSON value, one that names an object apart.
func withTexts(v any, text string) any {
	switch x := v.(type) {
	case string:
		return text
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = withTexts(x[i], text)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, member := range x {
			if k == "op" || k == "kind" || k == "roles" || k == "networks" || k == "account" && reflect.TypeOf(member).Kind() == reflect.String || k == "serial" || k == "terminal" || k == "incident" {
				out[k] = member
				continue
			}
			out[k] = withTexts(member, text)
		}
		return out
	}
	return v
}

// TestS27StrictBodies: every operation that changes something refuses what is not one JSON object of its own members, in
// the one form of errors, and nothing changes.
func TestS27StrictBodies(t *testing.T) {
	r := newAttackRig(t)
	r.who = everything()
	from, asked := r.e.ledger.Durable(), 0
	for _, act := range newDesk(r.e).Acts.Catalogue() {
		if act.Own {
			continue
		}
		var member reflect.StructField
		ok := false
		for i := range act.Type.NumField() {
			if f := act.Type.Field(i); !ok && f.Tag.Get("hidden") == "" && f.Tag.Get("json") != "" && !strings.HasPrefix(f.Tag.Get("json"), ",") {
				member, ok = f, true
			}
		}
		name, _, _ := strings.Cut(member.Tag.Get("json"), ",")
		for what, body := range map[string]string{
			"an unknown member": `{"no_such_member":1}`, "a member twice": `{"` + name + `":null,"` + name + `":null}`, "another case": `{"` + strings.ToUpper(name) + `":"x"}`, "a member of the wrong type": `{"` + name + `":[[[{}]]]}`,
			"NaN": `{"` + name + `":NaN}`, "an infinity": `{"` + name + `":1e999}`, "depth": strings.Repeat(`{"`+name+`":`, 5000) + "1" + strings.Repeat("}", 5000), "arrays": strings.Repeat("[", 100000), "something behind": `{} {}`, "a letter behind": `{}x`,
			"an array": `[]`, "null": `null`, "a text": `"x"`, "a number": `1`, "nothing": ``, "half": `{"`, "a comment": `{/**/}`, "a trailing comma": `{"` + name + `":1,}`, "single quotes": `{'` + name + `':1}`, "no UTF-8": "{\"\xff\":1}",
			"half a surrogate": `{"` + name + `":"\ud800"}`, "a byte order mark": "\ufeff{}", "prototype": `{"__proto__":{"admin":true}}`, "who asks": `{"by":[{"name":"zhao"}]}`,
		} {
			asked++
			w := r.call(http.MethodPost, "/api/v1"+act.Path, "application/json", body)
			var told struct {
				Error struct {
					Type, Code, Message string
					DocURL              string `json:"doc_url"`
					Request             string `json:"request_id"`
				}
			}
			dec := json.NewDecoder(w.Body)
			dec.DisallowUnknownFields()
			err := dec.Decode(&map[string]any{})
			if w.Code != http.StatusBadRequest || err != nil {
				t.Errorf("%s, %s: %d %v", act.Path, what, w.Code, err)
				continue
			}
			w = r.call(http.MethodPost, "/api/v1"+act.Path, "application/json", body)
			if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || told.Error.Type != "invalid_request" || told.Error.Code == "" || told.Error.Message == "" || !strings.HasPrefix(told.Error.DocURL, "/docs/errors#") || told.Error.Request == "" {
				t.Errorf("%s, %s: %v in %s", act.Path, what, err, w.Body)
			}
		}
	}
	if to := r.e.ledger.Durable(); to != from {
		t.Errorf("%d refused bodies wrote %d entries", asked, to-from)
	}
	if asked < 600 {
		t.Errorf("only %d bodies were sent", asked)
	}
}

// TestS28PathTraversal: no way of writing a path reaches a file or a list of files.
func TestS28PathTraversal(t *testing.T) {
	r := newAttackRig(t)
	pages := r.publicRouter(t)
	repository := http.NewServeMux()
	r.e.mountTo(repository)
	up := []string{"../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "..\\", "%2e%2e%5c", "..;/", "..%3b/", "....//", "..%252f", "%252e%252e%252f", "..%c0%af", "%c0%ae%c0%ae/", "..%ef%bc%8f", ".%00./", "..%00/", "/", "//", "%2f", "./../"}
	targets := []string{"etc/passwd", "keyring.age", "journal.db", "base.css/../../console.go", "templates/layout.html"}
	for name, at := range map[string]struct {
		h     http.Handler
		host  string
		roots []string
	}{
		"console": {r.router, "127.0.0.1", []string{"/assets/", "/docs/", "/docs/operations/", "/api/v1/", "/api/v1/releases/", "/api/v1/devices/", "/devices/", "/reports/" + r.report + "/photographs/", "/reports/*/photographs/1", "/reports/" + r.report + "/photographs/*",
			"/reports/" + r.report + "/*/contact", "/devices/*/label", "/devices/" + string(staffTerminals()[0].serial) + "/label/", "/devices/" + string(staffTerminals()[0].serial) + "/*/label", "/api/v1/devices/*/label", "/api/v1/files/", "/acts/", "/laboratory/runs/", "/laboratory/certificates/", "/"}},
		"public": {pages, "127.0.0.1:8081", []string{"/assets/", "/explain/", "/t/", "/t/*/photo", "/"}},
		"https":  {repository, "127.0.0.1", []string{releasesPath, releasesPath + "targets/", "/certificates/", "/"}},
	} {
		asked := 0
		for _, root := range at.roots {
			paths := []string{root}
			if before, after, inside := strings.Cut(root, "*"); inside { // a way out in the middle of a path
				paths = nil
				for _, u := range up {
					for n := 1; n < 4; n++ {
						paths = append(paths, before+strings.Repeat(u, n)+"etc"+after, before+strings.Repeat(u, n)+after)
					}
				}
			}
			for _, u := range up {
				for _, file := range targets {
					paths = append(paths, strings.ReplaceAll(root, "*", "x")+strings.Repeat(u, 3)+file)
				}
			}
			if root == "/" {
				paths = append(paths, wellKnown...)
			}
			for _, path := range paths {
				target, err := url.ParseRequestURI(path)
				if err != nil {
					continue // net/http answers 400 before any handler
				}
				q := httptest.NewRequest(http.MethodGet, "http://"+at.host+"/", nil)
				q.URL = target
				q.RequestURI, q.RemoteAddr = path, fmt.Sprintf("10.8.%d.%d:1", asked>>8, asked&255)
				w := httptest.NewRecorder()
				r.who = everything()
				at.h.ServeHTTP(w, q)
				asked++
				checkNoFile(t, name+" "+path, path == root, w)
			}
		}
	}
}

// wellKnown are paths at which the lists of scanners (ffuf, gobuster) look for what was left behind.
var wellKnown = strings.Fields(`/.git/config /.git/HEAD /.svn/entries /.hg/hgrc /.env /.htaccess /.htpasswd /.DS_Store /.bash_history /.ssh/id_rsa /.aws/credentials /.well-known/security.txt /web.config /config.toml /config.json
	/config.yml /config.php /settings.py /wp-login.php /wp-admin/ /phpinfo.php /index.php /index.html.bak /admin /admin/ /administrator/ /login /manager/html /console/ /actuator /actuator/env /actuator/heapdump /metrics /health
	/server-status /server-info /cgi-bin/ /cgi-bin/test.cgi /backup /backup.zip /backup.tar.gz /backup.sql /dump.sql /db.sqlite /touchstone.db /view.db /state.db /requests.db /webhooks.db /module.age /passphrase.test /lock
	/control.sock /revoked.crl /files/ /uploads/ /quarantine/ /releases/keys /terminals/ /swagger.json /swagger-ui/ /api-docs /graphql /api /api/ /api/v2 /robots.txt /sitemap.xml /crossdomain.xml /favicon.ico /Makefile /go.mod
	/package.json /Dockerfile /docker-compose.yml /id_rsa /etc/passwd /proc/self/environ /proc/self/maps /WEB-INF/web.xml /static/ /assets /assets/. /assets/.. /templates/ /tmp/ /test /debug /trace /logs/ /log.txt /error.log`)

// mountTo puts the paths of the HTTPS port on a mux.
func (e *engine) mountTo(mux *http.ServeMux) {
	e.mountCertificates(mux.Handle)
	mux.Handle("GET "+releasesPath, http.StripPrefix(releasesPath, e.repository(releases.DefaultLives())))
}

func checkNoFile(t *testing.T, from string, root bool, w *httptest.ResponseRecorder) {
	t.Helper()
	body := w.Body.String()
	switch to := w.Header().Get("Location"); {
	case w.Code == http.StatusOK && strings.HasPrefix(from, "public /t/"): // any text is a serial number that somebody may ask for
	case w.Code == http.StatusOK && root && !strings.Contains(body, "<pre>"): // the root has a page of its own
	case w.Code == http.StatusNotFound, w.Code == http.StatusBadRequest, w.Code == http.StatusMethodNotAllowed, w.Code == http.StatusTooManyRequests, w.Code == http.StatusForbidden:
	case w.Code/100 == 3 && strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") && !slices.Contains(strings.Split(to, "/"), ".."): // the same path, cleaned
	default:
		t.Errorf("%s: %d, Location %q: %.100s", from, w.Code, to, body)
	}
	for _, word := range []string{"root:x:", "SQLite format", "age-encryption", "package console", "{{define", "<a href=\"journal.db"} {
		if strings.Contains(body, word) {
			t.Errorf("%s: the answer has %q", from, word)
		}
	}
}

// TestS30NoDebugEndpoints: the program has no profiler, its variables are served nowhere, and no path of any listener
// shows either.
func TestS30NoDebugEndpoints(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", `{{.ImportPath}}: {{join .Imports " "}}`, "touchstone/cmd/touchstone").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		name, imports, _ := strings.Cut(strings.TrimSpace(line), ": ")
		for _, i := range strings.Fields(imports) {
			// The metrics library has a collector of expvar, which we do not use; what expvar puts on the default mux
			// nobody serves, because every server of ours has a handler of its own.
			if i == "net/http/pprof" || i == "runtime/pprof" || i == "runtime/trace" || i == "expvar" && name != "github.com/prometheus/client_golang/prometheus" {
				t.Errorf("%s imports %s", name, i)
			}
		}
	}
	r := newAttackRig(t)
	r.who = everything()
	repository := http.NewServeMux()
	r.e.mountTo(repository)
	for name, h := range map[string]http.Handler{"console": r.router, "public": r.publicRouter(t), "https": repository, "control": r.e.controlHandler(t.Context()), "observe": observe.Handler(r.e.sources)} {
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile", "/debug/pprof/cmdline", "/debug/vars", "/debug/requests", "/debug/events", "/debug/", "/api/v1/debug/vars", "/.env", "/server-status"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+path, nil))
			if w.Code != http.StatusNotFound && w.Code != http.StatusMisdirectedRequest && w.Code != http.StatusMethodNotAllowed || strings.Contains(w.Body.String(), "memstats") {
				t.Errorf("%s %s: %d", name, path, w.Code)
			}
		}
	}
}
