package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// kept is Requests in memory.
type kept struct {
	mu  sync.Mutex
	all map[string]*api.Repeat
}

func (k *kept) Begin(_ context.Context, caller, key string, digest [sha256.Size]byte) (*api.Repeat, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known := k.all[caller+key]; known != nil {
		return known, nil
	}
	k.all[caller+key] = &api.Repeat{Digest: digest}
	return nil, nil
}

func (k *kept) End(_ context.Context, caller, key string, status int, body []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all[caller+key].Status, k.all[caller+key].Body = status, bytes.Clone(body)
	return nil
}

func (k *kept) Forget(_ context.Context, caller, key string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.all, caller+key)
	return nil
}

type noteInput struct {
	Body struct {
		Text string `json:"text" minLength:"1"`
	}
}

type note struct {
	Number int    `json:"number"`
	Secret string `json:"secret,omitempty"`
}

// onceRig is an interface with one operation that counts how often it was carried out.
type onceRig struct {
	*web.Router
	done   int
	during func()
	fail   *api.Problem
	who    web.Caller
}

func newOnceRig(t *testing.T) *onceRig {
	t.Helper()
	r := &onceRig{Router: web.NewRouter(slog.New(slog.DiscardHandler)), during: func() {}, who: web.Caller{Account: "key:KEY-1", Roles: []staff.Role{staff.Security}, Via: web.ByKey}}
	r.Identify = func(*http.Request) (*web.Caller, error) {
		who := r.who
		return &who, nil
	}
	a := api.New(r.Router, "test")
	a.Remember(&kept{all: map[string]*api.Repeat{}})
	api.Add(a, api.Operation{ID: "note", Method: http.MethodPost, Path: "/notes", Tag: "notes", Rule: web.Staff},
		func(context.Context, *web.Caller, *noteInput) (note, error) {
			r.during()
			if r.fail != nil {
				return note{}, r.fail
			}
			r.done++
			return note{r.done, "tsk_only_once"}, nil
		})
	return r
}

func (r *onceRig) post(key, body string, headers ...string) (*httptest.ResponseRecorder, string) {
	req := httptest.NewRequest(http.MethodPost, "/api/v1/notes", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set(api.KeyHeader, key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	var p api.ProblemBody
	_ = json.Unmarshal(w.Body.Bytes(), &p)
	return w, p.Error.Code
}

// TestOnce: a repeat gets the first answer, without what is shown once; another request under the key is refused.
func TestOnce(t *testing.T) {
	r := newOnceRig(t)
	first, _ := r.post("k1", `{"text":"a"}`)
	if first.Code != 200 || !strings.Contains(first.Body.String(), "tsk_only_once") {
		t.Fatalf("%d %s", first.Code, first.Body)
	}
	again, _ := r.post("k1", `{"text":"a"}`)
	if again.Code != 200 || again.Header().Get(api.ReplayedHeader) != "true" || strings.Contains(again.Body.String(), "tsk_") || !strings.Contains(again.Body.String(), `"number":1`) || r.done != 1 {
		t.Errorf("%d %v %s, done %d times", again.Code, again.Header(), again.Body, r.done)
	}
	if w, code := r.post("k1", `{"text":"b"}`); w.Code != 409 || code != "idempotency_key_reused" || r.done != 1 {
		t.Errorf("another body: %d %s", w.Code, code)
	}
	r.who.Account = "key:KEY-2"
	if w, _ := r.post("k1", `{"text":"b"}`); w.Code != 200 || r.done != 2 {
		t.Errorf("another caller's key: %d", w.Code)
	}
}

// TestOnceKeys: which keys are taken, who has to give one, and which requests may be mended.
func TestOnceKeys(t *testing.T) {
	r := newOnceRig(t)
	for _, c := range []struct {
		name, key, code string
		status          int
	}{
		{"none", "", "idempotency_key_missing", 400}, {"a space", "a b", "idempotency_key_invalid", 400}, {"255 characters", strings.Repeat("x", 255), "", 200},
		{"256 characters", strings.Repeat("x", 256), "idempotency_key_invalid", 400}, {"not ASCII", "ключ", "idempotency_key_invalid", 400}, {"one character", "!", "", 200},
	} {
		if w, code := r.post(c.key, `{"text":"a"}`); w.Code != c.status || code != c.code {
			t.Errorf("%s: %d %s, want %d %s", c.name, w.Code, code, c.status, c.code)
		}
	}
	if w, code := r.post("mend", `{"txt":"a"}`); w.Code != 400 || code != "unknown_member" && code != "missing_member" {
		t.Errorf("a wrong body: %d %s", w.Code, code)
	}
	if w, _ := r.post("mend", `{"text":"a"}`); w.Code != 200 {
		t.Errorf("the mended request under the same key: %d", w.Code)
	}
	r.fail = api.Refuse(422, "act_refused", "no")
	r.post("rule", `{"text":"a"}`)
	r.fail = nil
	if w, code := r.post("rule", `{"text":"a"}`); w.Code != 422 || code != "act_refused" || w.Header().Get(api.ReplayedHeader) != "true" {
		t.Errorf("what a rule refused: %d %s", w.Code, code)
	}
	r.who.Via, r.who.Token = web.BySession, "token"
	if w, code := r.post("", `{"text":"a"}`, web.TokenHeader, "token"); w.Code != 200 {
		t.Errorf("a browser without a key: %d %s", w.Code, code)
	}
}

// TestOnceUnknown: a request that is being carried out is not begun again; of one that failed nobody says that it was
// done, or that it was not.
func TestOnceUnknown(t *testing.T) {
	r := newOnceRig(t)
	r.during = func() {
		r.during = func() {}
		if w, code := r.post("k", `{"text":"a"}`); w.Code != 409 || code != "idempotency_key_in_use" {
			t.Errorf("meanwhile: %d %s", w.Code, code)
		}
	}
	r.post("k", `{"text":"a"}`)
	for name, broken := range map[string]func(){"a failure": func() { r.fail = api.Refuse(500, "internal", "x") }, "a panic": func() { r.during = func() { panic("broken") } }} {
		broken()
		if w, code := r.post(name[2:], `{"text":"a"}`); w.Code != 500 || code != "internal" {
			t.Errorf("%s: %d %s", name, w.Code, code)
		}
		r.fail, r.during = nil, func() {}
		if w, code := r.post(name[2:], `{"text":"a"}`); w.Code != 409 || code != "outcome_unknown" {
			t.Errorf("after %s: %d %s", name, w.Code, code)
		}
	}
}

// TestStrictBodies: the media type, the encoding and the form of a body, each with its code and one form of error.
func TestStrictBodies(t *testing.T) {
	r := newOnceRig(t)
	for _, c := range []struct {
		name, body, kind, encoding, code, param string
		status                                  int
	}{
		{"good", `{"text":"a"}`, "application/json", "", "", "", 200}, {"with its charset", `{"text":"a"}`, "application/json; charset=UTF-8", "", "", "", 200},
		{"another charset", `{"text":"a"}`, "application/json; charset=gbk", "", "media_type", "", 415}, {"a form", `text=a`, "application/x-www-form-urlencoded", "", "media_type", "", 415},
		{"no media type", `{"text":"a"}`, "", "", "media_type", "", 415}, {"compressed", `{"text":"a"}`, "application/json", "gzip", "media_type", "", 415},
		{"a member twice", `{"text":"a","text":"b"}`, "application/json", "", "duplicate_member", "text", 400}, {"an unknown member", `{"text":"a","x":1}`, "application/json", "", "unknown_member", "x", 400},
		{"another case", `{"Text":"a"}`, "application/json", "", "missing_member", "text", 400}, {"a missing member", `{}`, "application/json", "", "missing_member", "text", 400},
		{"a wrong type", `{"text":1}`, "application/json", "", "invalid_value", "text", 400}, {"too short", `{"text":""}`, "application/json", "", "invalid_value", "text", 400},
		{"too long", `{"text":"` + strings.Repeat("x", 1<<20) + `"}`, "application/json", "", "too_large", "", 413}, {"two values", `{"text":"a"}{}`, "application/json", "", "trailing_data", "", 400},
	} {
		w, code := r.post("body-"+strings.ReplaceAll(c.name, " ", "-"), c.body, "Content-Type", c.kind, "Content-Encoding", c.encoding)
		var p api.ProblemBody
		if w.Code >= 400 {
			dec := json.NewDecoder(w.Body)
			dec.DisallowUnknownFields()
			if err := dec.Decode(&p); err != nil || p.Error.DocURL != "/docs/errors#"+code || p.Error.Request == "" || p.Error.Request != w.Header().Get("Request-Id") {
				t.Errorf("%s: its form: %v, %+v", c.name, err, p.Error)
			}
		}
		if w.Code != c.status || code != c.code || p.Error.Param != c.param {
			t.Errorf("%s: %d %s %q, want %d %s %q", c.name, w.Code, code, p.Error.Param, c.status, c.code, c.param)
		}
	}
}
