package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"touchstone/fleet"
	"touchstone/web/api"
)

// upload sends a file as its caller would.
func (r *attackRig) upload(t *testing.T, kind, content string) (id string) {
	t.Helper()
	var f api.File
	w := r.call(http.MethodPost, "/api/v1/files", kind, content)
	if err := json.Unmarshal(w.Body.Bytes(), &f); w.Code != http.StatusCreated || err != nil {
		t.Fatalf("upload: %d %s", w.Code, w.Body)
	}
	return f.ID
}

// TestS27Uploads: a file is its bytes under one plain media type: a form around it, an encoding and a type that nobody
// takes are refused in the one form of errors. A document of JSON in a file is read as strictly as a body.
func TestS27Uploads(t *testing.T) {
	r := newAttackRig(t)
	r.who = everything()
	for name, kind := range map[string]string{"a form": "multipart/form-data; boundary=x", "a form without an end": "multipart/form-data", "a form's": "application/x-www-form-urlencoded", "two types": "text/plain, application/json", "none": "", "no type": "text",
		"a page": "text/html", "a picture with script": "image/svg+xml", "of any": "*/*"} {
		q := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/api/v1/files", strings.NewReader("--x\r\n\r\na\r\n--x--"))
		q.Header["Content-Type"] = []string{kind}
		if w := r.send(q, ""); w.Code != http.StatusUnsupportedMediaType || problemCode(w) != "media_type" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	q := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/api/v1/files", strings.NewReader("x"))
	q.Header.Set("Content-Encoding", "gzip")
	if w := r.send(q, "text/plain"); w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("with an encoding: %d", w.Code)
	}
	const osv = `"schema_version":"1.6.0","id":"TEST-2026-1","modified":"2026-11-01T00:00:00Z","summary":"x","affected":[]`
	for name, text := range map[string]string{"a member twice": `{` + osv + `,"id":"TEST-2026-2"}`, "a member twice, deep": `{` + osv + `,"database_specific":{"a":1,"a":2}}`, "something behind": `{` + osv + `} {}`, "no UTF-8": `{` + osv + ",\"details\":\"\xff\"}",
		"half a surrogate": `{` + osv + `,"details":"\ud800"}`, "depth": `{` + osv + `,"database_specific":` + strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2001),
		"an array": `[]`, "null": `null`, "nothing": " ", "a comment": `{/**/` + osv + `}`} {
		before := r.advisories(t)
		id := r.upload(t, "application/json", text)
		w := r.call(http.MethodPost, "/api/v1/advisories", "application/json", fmt.Sprintf(`{"file":%q}`, id))
		if w.Code != http.StatusUnprocessableEntity || problemCode(w) != "act_refused" {
			t.Errorf("an advisory with %s: %d %s", name, w.Code, w.Body)
		}
		if r.advisories(t) != before {
			t.Errorf("an advisory with %s was taken", name)
		}
	}
	if _, err := readAdvisory([]byte(`{` + osv + `,"id":"TEST-2026-2"}`)); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a member twice is refused for something else: %v", err)
	}
}

// advisories is how many there are.
func (r *attackRig) advisories(t *testing.T) int {
	t.Helper()
	var page struct{ Data []json.RawMessage }
	if err := json.Unmarshal(r.call(http.MethodGet, "/api/v1/advisories?limit=100", "", "").Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	return len(page.Data)
}

// TestS27Forms: a form of an act with a field that the act has not, or with one twice, is refused as such a body of the
// interface is, whether it comes in parts or not; and nothing changes.
func TestS27Forms(t *testing.T) {
	r := newAttackRig(t)
	r.who = everything()
	from := r.e.ledger.Durable()
	good := url.Values{"kind": {"skimmer"}, "terminal": {staffTerminals()[0].id.String()}, "text": {"a loose bezel"}}
	for name, edit := range map[string]func(url.Values){
		"an unknown field": func(v url.Values) { v.Set("no_such", "1") }, "who asks": func(v url.Values) { v.Set("by", "zhao") }, "a field twice": func(v url.Values) { v.Add("text", "another") },
		"a field in another case": func(v url.Values) { v.Set("Text", "x") }, "a path": func(v url.Values) { v.Set("text.x", "1") }, "an array's": func(v url.Values) { v.Set("text[]", "1") }, "prototype": func(v url.Values) { v.Set("__proto__", "1") },
	} {
		form := url.Values{}
		for k, list := range good {
			form[k] = slices.Clone(list)
		}
		edit(form)
		var parts bytes.Buffer
		m := multipart.NewWriter(&parts)
		for k, list := range form {
			for _, v := range list {
				if err := m.WriteField(k, v); err != nil {
					t.Fatal(err)
				}
			}
		}
		m.Close()
		for kind, body := range map[string]string{"application/x-www-form-urlencoded": form.Encode(), m.FormDataContentType(): parts.String()} {
			if w := r.call(http.MethodPost, "/acts/report", kind, body); w.Code != http.StatusBadRequest {
				t.Errorf("%s as %.20s: %d", name, kind, w.Code)
			}
		}
	}
	var parts bytes.Buffer
	m := multipart.NewWriter(&parts)
	if f, err := m.CreateFormFile("no_such_file", "../../x"); err != nil {
		t.Fatal(err)
	} else if _, err := f.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	m.Close()
	if w := r.call(http.MethodPost, "/acts/report", m.FormDataContentType(), parts.String()); w.Code != http.StatusBadRequest {
		t.Errorf("a file that the act does not take: %d", w.Code)
	}
	if to := r.e.ledger.Durable(); to != from {
		t.Errorf("refused forms wrote %d entries", to-from)
	}
	if w := r.call(http.MethodPost, "/acts/report", "application/x-www-form-urlencoded", good.Encode()); w.Code != http.StatusSeeOther {
		t.Errorf("the form as it should be: %d", w.Code)
	}
}

// TestS27Others: the other readers of JSON from outside: the public check, and a terminal's health report.
func TestS27Others(t *testing.T) {
	r := newAttackRig(t)
	pages := r.publicRouter(t)
	const good = `"serial":"00000304TS0000000011","code":"12345678"`
	for name, body := range map[string]string{"a member twice": `{` + good + `,"code":"12345679"}`, "an unknown member": `{` + good + `,"x":"1"}`, "another case": `{` + good + `,"Code":"1"}`, "something behind": `{` + good + `}{}`, "a letter behind": `{` + good + `}x`,
		"no UTF-8": `{` + good + ",\"next_code\":\"\xff\"}", "half a surrogate": `{` + good + `,"next_code":"\ud800"}`, "a number": `{"serial":1}`, "null": `{"serial":null}`, "an array": `[]`, "nothing": ``, "no comma": `{"serial":"x" "code":"1"}`, "a comma too many": `{` + good + `,}`,
		"depth": `{"serial":` + strings.Repeat("[", 4000) + `}`, "only null": "null"} {
		q := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8081/api/v1/checks", strings.NewReader(body))
		q.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, q)
		if code := problemCode(w); w.Code != http.StatusBadRequest || code != "invalid_body" {
			t.Errorf("the check with %s: %d %s", name, w.Code, w.Body)
		}
	}
	q := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8081/api/v1/checks", strings.NewReader(`{`+good+`}`))
	q.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	if pages.ServeHTTP(w, q); w.Code != http.StatusOK {
		t.Errorf("the check as it should be: %d %s", w.Code, w.Body)
	}
	for name, body := range map[string]string{"a member twice": `{"serial":"x","serial":"y"}`, "an unknown member": `{"no_such":1}`, "something behind": `{} {}`, "no UTF-8": "{\"serial\":\"\xff\"}", "an array": "[]", "depth": strings.Repeat("[", 4000)} {
		if report, err := fleet.ParseReport([]byte(body)); err == nil {
			t.Errorf("a health report with %s is read: %+v", name, report)
		}
	}
}
