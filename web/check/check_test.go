package check_test

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"touchstone/web/check"
)

// TestTerminalAnswers: which of the three answers a customer gets. Only a right code of a terminal in order is a yes.
func TestTerminalAnswers(t *testing.T) {
	working := check.Place{Registered: true, Standing: check.Working, Shop: "Sample Tea", Address: "1 Sample Road"}
	with := func(change func(*check.Place)) check.Place { p := working; change(&p); return p }
	for name, c := range map[string]struct {
		serial, code string
		place        check.Place
		broken       error
		want         string
		status       int
	}{
		"right code":                         {serial, code, working, nil, "yes", 200},
		"right code with spaces":             {" " + serial + " ", "1234 5678", working, nil, "yes", 200},
		"right code, full width":             {serial, "１２３４５６７８", working, nil, "yes", 200},
		"serial in small letters":            {strings.ToLower(serial), code, working, nil, "yes", 200},
		"wrong code":                         {serial, "12345679", working, nil, "no", 200},
		"the next code alone":                {serial, nextCode, working, nil, "no", 200},
		"unknown number":                     {"NOSUCH", code, working, nil, "no", 200},
		"blocked":                            {serial, code, with(func(p *check.Place) { p.Standing = check.Blocked }), nil, "no", 200},
		"of no shop":                         {serial, code, check.Place{}, nil, "no", 200},
		"not judged":                         {serial, code, with(func(p *check.Place) { p.Standing = check.Unsure }), nil, "cannot_tell", 200},
		"a standing of a later version":      {serial, code, with(func(p *check.Place) { p.Standing = 99 }), nil, "cannot_tell", 200},
		"module sealed":                      {serial, code, working, errors.New("sealed"), "cannot_tell", 200},
		"no code: the question stands":       {serial, "", working, nil, "", 200},
		"code of seven digits":               {serial, "1234567", working, nil, "", 422},
		"code of nine digits":                {serial, "123456789", working, nil, "", 422},
		"code of letters":                    {serial, "1234567a", working, nil, "", 422},
		"no number":                          {"", code, working, nil, "", 422},
		"number of 51 characters":            {strings.Repeat("1", 51), code, working, nil, "", 422},
		"number with a control character":    {"A\x00B", code, working, nil, "", 400},
		"number with a mark that turns text": {"A\u202eB", code, working, nil, "", 400},
	} {
		r := newRig(t)
		r.place, r.broken = c.place, c.broken
		a := r.post("/t", "serial", c.serial, "code", c.code)
		if a.shape() != c.want || a.status != c.status {
			t.Errorf("%s: %q, %d", name, a.shape(), a.status)
		}
		if told := strings.Contains(a.body, "Sample Tea") || strings.Contains(a.body, "Sample Road"); told != (c.want == "yes") {
			t.Errorf("%s: the shop is told: %v", name, told)
		}
	}
}

// TestDeviceAnswers: what a shopkeeper or a buyer is told. A number alone is never a yes.
func TestDeviceAnswers(t *testing.T) {
	good := newRig(t).record
	with := func(change func(*check.Record)) check.Record { x := good; change(&x); return x }
	advised := func(x *check.Record) {
		x.Advisories = []check.Advisory{{ID: "ADV-1", Title: "weak update"}}
		x.Fixed = "2.1"
	}
	for name, c := range map[string]struct {
		code   string
		record check.Record
		want   string
		says   string
	}{
		"clean, right code":           {code, good, "yes", "certified until 2027-11-28"},
		"clean, no code":              {"", good, "cannot_tell", "Nothing is known against this number"},
		"clean, wrong code":           {"00000000", good, "no", "copied number"},
		"stopped":                     {"", with(func(x *check.Record) { x.Stopped = true }), "no", "lost, stolen or not safe"},
		"stopped, right code":         {code, with(func(x *check.Record) { x.Stopped = true }), "no", "lost, stolen or not safe"},
		"lost":                        {"", with(func(x *check.Record) { x.Stopped, x.Lost = true, true }), "no", "was reported lost or stolen"},
		"lost, then written off":      {code, with(func(x *check.Record) { x.Retired, x.Lost = true, true }), "no", "was reported lost or stolen"},
		"retired":                     {code, with(func(x *check.Record) { x.Retired = true }), "no", "out of use for good"},
		"certificate withdrawn":       {code, with(func(x *check.Record) { x.Certificate = check.Ended }), "no", "withdrawn or has expired"},
		"certificate suspended":       {code, with(func(x *check.Record) { x.Certificate = check.Uncertain }), "no", "suspended"},
		"no certificate":              {code, with(func(x *check.Record) { x.Certificate = check.NotKnown }), "cannot_tell", "no security certificate is known"},
		"version not known":           {code, with(func(x *check.Record) { x.Unversioned, x.Certificate = true, check.Unversioned }), "cannot_tell", "never signed in"},
		"version not known, advisory": {code, with(func(x *check.Record) { advised(x); x.Unversioned = true }), "cannot_tell", "a security advisory may touch it"},
		"not announced":               {code, with(func(x *check.Record) { x.Announced = false }), "cannot_tell", "not announced"},
		"advisory":                    {code, with(advised), "no", "Version 2.1 answers it"},
		"advisory without an answer":  {code, with(func(x *check.Record) { advised(x); x.Fixed = "" }), "no", "no version of this device answers"},
		"stopped and under advisory":  {"", with(func(x *check.Record) { advised(x); x.Stopped = true }), "no", "ADV-1"},
		"unknown":                     {"", check.Record{}, "cannot_tell", "not known to this acquirer"},
	} {
		r := newRig(t)
		r.record = c.record
		a := r.post("/device", "serial", serial, "code", c.code)
		if a.shape() != c.want || !strings.Contains(a.body, c.says) {
			t.Errorf("%s: %q; says %q: %v", name, a.shape(), c.says, strings.Contains(a.body, c.says))
		}
		if strings.Contains(a.body, "Sample Tea") || strings.Contains(a.body, "Sample Road") {
			t.Errorf("%s: the shop is told", name)
		}
	}
}

// TestNothingForWhoGuesses: a wrong code for a known number and any code for an unknown one are the same bytes but for
// the number; so is the page that a QR code leads to; and the JSON interface.
func TestNothingForWhoGuesses(t *testing.T) {
	r := newRig(t)
	const unknown = "00000304TS0099999999"
	same := func(what string, a, b answer) {
		t.Helper()
		a.header.Del("Request-Id") // another for each
		b.header.Del("Request-Id")
		if strings.ReplaceAll(a.body, serial, "N") != strings.ReplaceAll(b.body, unknown, "N") || a.status != b.status || fmt.Sprint(a.header) != fmt.Sprint(b.header) {
			t.Errorf("%s: a known number is told from an unknown one", what)
		}
	}
	same("wrong code", r.post("/t", "serial", serial, "code", "00000000"), r.post("/t", "serial", unknown, "code", "00000000"))
	same("QR code", r.get("/t/"+serial), r.get("/t/"+unknown))
	same("no code", r.post("/t", "serial", serial), r.post("/t", "serial", unknown))
	program := func(serial, code string) answer {
		return r.ask("POST", "/api/v1/checks", customer, strings.NewReader(`{"serial":"`+serial+`","code":"`+code+`"}`), "Content-Type", "application/json")
	}
	same("program", program(serial, "00000000"), program(unknown, "00000000"))
	if a := program(serial, code); !strings.Contains(a.body, `"answer":"yes"`) || !strings.Contains(a.body, `"last_inspected":"2026-11"`) {
		t.Errorf("program, right code: %s", a.body)
	}
	for _, where := range []string{"Referer", "Set-Cookie"} {
		if r.get("/t/"+serial).header.Get(where) != "" {
			t.Errorf("%s is set", where)
		}
	}
}

// TestProgramIsReadStrictly: S-27.
func TestProgramIsReadStrictly(t *testing.T) {
	r := newRig(t)
	for _, body := range []string{``, `[]`, `{}x`, `{"serial":"A","serial":"B","code":"12345678"}`, `{"serial":"A","code":12345678}`, `{"serial":"A","code":"12345678","more":"1"}`,
		`{"Serial":"A","code":"12345678"}`, `{"serial":"A","code":"12345678"} {}`, `{"serial":{"a":1}}`, `{"serial":"A","code":null}`, strings.Repeat("[", 5000)} {
		if a := r.ask("POST", "/api/v1/checks", customer, strings.NewReader(body), "Content-Type", "application/json"); a.status != 400 || !strings.Contains(a.body, `"error"`) {
			t.Errorf("%.60s: %d %s", body, a.status, a.body)
		}
	}
	if a := r.ask("POST", "/api/v1/checks", customer, strings.NewReader(`{"serial":"A","code":"12345678"}`), "Content-Type", "text/plain"); a.status != http.StatusUnsupportedMediaType {
		t.Errorf("text/plain: %d", a.status)
	}
	if r.proven != 0 {
		t.Errorf("%d of them reached the module", r.proven)
	}
}

// TestPages: every page in both languages is whole, has one heading of the first rank, keeps its language, and holds
// nothing inline nor from elsewhere; every route is for everybody.
func TestPages(t *testing.T) {
	r := newRig(t)
	pages := map[string]func(lang string) answer{}
	for _, path := range []string{"/", "/t", "/t/" + serial, "/device", "/explain", "/explain/A7", "/explain/mac_failed", "/explain/mac_stale_key", "/explain/kind_refused", "/explain/screen_locked",
		"/report", "/claim", "/case", "/nothing"} {
		pages[path] = func(lang string) answer { return r.get(path + "?lang=" + lang) }
	}
	pages["search"] = func(lang string) answer {
		return r.get("/explain?q=%E5%AE%89%E5%85%A8%E8%AE%A4%E8%AF%81%E5%A4%B1%E8%B4%A5&lang=" + lang)
	}
	pages["nothing found"] = func(lang string) answer { return r.get("/explain?q=zzzz&lang=" + lang) }
	for _, c := range []string{code, "00000000"} {
		pages["answer "+c] = func(lang string) answer { return r.post("/t", "serial", serial, "code", c, "lang", lang) }
		pages["device "+c] = func(lang string) answer { return r.post("/device", "serial", serial, "code", c, "lang", lang) }
	}
	pages["report taken"] = func(lang string) answer {
		return r.upload("203.0.113.9:1", "kind", "other", "text", "it", "terminal", "00000011", "lang", lang)
	}
	pages["report state"] = func(lang string) answer { return r.post("/case", "number", "RPT-7", "code", "7KQ2M9XD", "lang", lang) }
	pages["claim state"] = func(lang string) answer { return r.post("/case", "number", "CLM-3-K3QXW7ZD2M5T", "lang", lang) }
	inline := regexp.MustCompile(`(?i)<script|<style|style=|\son[a-z]+=|javascript:`)
	foreign := regexp.MustCompile(`(?:src|href|action)="(?:https?:)?//`)
	for name, ask := range pages {
		for lang, html := range map[string]string{"en": `<html lang="en">`, "zh": `<html lang="zh-CN">`} {
			a := ask(lang)
			switch {
			case !strings.Contains(a.body, html) || !strings.HasSuffix(a.body, "</html>\n"):
				t.Errorf("%s %s: not whole: %d %.200s", name, lang, a.status, a.body)
			case strings.Count(a.body, "<h1") != 1:
				t.Errorf("%s %s: %d headings of the first rank", name, lang, strings.Count(a.body, "<h1"))
			case inline.MatchString(a.body), foreign.MatchString(a.body):
				t.Errorf("%s %s: something inline or foreign: %s %s", name, lang, inline.FindString(a.body), foreign.FindString(a.body))
			case !strings.Contains(a.body, `href="/t?lang=`+lang+`"`):
				t.Errorf("%s %s: links lose the language", name, lang)
			case len(a.body) > 60_000:
				t.Errorf("%s %s: %d bytes", name, lang, len(a.body))
			case strings.Contains(a.body, "%!"):
				t.Errorf("%s %s: a text was not filled in", name, lang)
			}
			if a.header.Get("Set-Cookie") != "" || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("%s: a cookie, or no policy", name)
			}
		}
	}
	for _, route := range r.routes {
		if !route.Rule.Public {
			t.Errorf("%s %s is not for everybody", route.Method, route.Pattern)
		}
	}
	if a := r.get("/", "Accept-Language", "zh-CN,zh;q=0.9"); !strings.Contains(a.body, `lang="zh-CN"`) || strings.Contains(a.body, `href="/t?lang=`) {
		t.Error("a browser's own language is not followed, or links repeat it")
	}
}

// TestExplainSaysNothingOfCases: the public catalogue has both meanings of A7, and no step of support or engineer.
func TestExplainSaysNothingOfCases(t *testing.T) {
	r := newRig(t)
	a := r.get("/explain/a7?lang=en")
	for _, want := range []string{"which do you mean", `id="code"`, `id="model"`, "ADV-1", "an English text"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("A7: %q is missing", want)
		}
	}
	for _, path := range []string{"/explain/A7", "/explain/mac_failed", "/explain/serial_mismatch", "/explain/mac_other_terminal_key"} {
		if a := r.get(path); strings.Contains(a.body, "touchstone ") || strings.Contains(a.body, "ENGINEER") {
			t.Errorf("%s: a command of staff", path)
		}
	}
	if a := r.get("/explain?q=A7&lang=zh"); a.status != http.StatusSeeOther || a.header.Get("Location") != "/explain/A7?lang=zh" {
		t.Errorf("a code typed into the search: %d %s", a.status, a.header.Get("Location"))
	}
	for _, path := range []string{"/explain/..%2f..%2fetc", "/explain/%3Cscript%3E", "/explain/" + strings.Repeat("x", 100)} {
		if a := r.get(path); a.status != 404 && a.status != 400 || strings.Contains(a.body, "<script") {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

// TestOtherNames: a foreign name pointed at this address reads nothing, and no other site posts here.
func TestOtherNames(t *testing.T) {
	r := newRig(t)
	if a := r.post("/t", "serial", serial, "code", code, "extra", "1"); a.status != 400 {
		t.Errorf("a field that is none: %d", a.status)
	}
	if a := r.ask("POST", "/t", customer, strings.NewReader("serial="+serial+"&code="+code), "Content-Type", "application/x-www-form-urlencoded", "Origin", "https://evil.example"); a.status != http.StatusForbidden || a.shape() != "" {
		t.Errorf("from another site: %d", a.status)
	}
	if a := r.ask("POST", "/t", customer, strings.NewReader("serial="+serial+"&code="+code), "Content-Type", "text/plain"); a.status != 400 {
		t.Errorf("as text: %d", a.status)
	}
	if a := r.ask("GET", "/t", customer, nil, "Host", "x"); a.status != 200 { // the header is not the request's name
		t.Errorf("a header called Host: %d", a.status)
	}
	if a := r.ask("PUT", "/t", customer, nil); a.status != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %d", a.status)
	}
}
