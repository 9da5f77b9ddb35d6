package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"touchstone/journal"
	"touchstone/web"
)

// browser is a browser before a console's routes, without a socket: it keeps cookies and repeats its session's token.
type browser struct {
	t       *testing.T
	router  http.Handler
	cookies map[string]string
	token   string
	address string // of the connection
	agent   string
}

func newBrowser(t *testing.T, router http.Handler) *browser {
	return &browser{t: t, router: router, cookies: map[string]string{}, address: "127.0.0.1:40000", agent: "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
}

// signInAs signs a browser in under an account of a test data directory, by its published passphrase.
func signInAs(t *testing.T, router http.Handler, account string) *browser {
	t.Helper()
	b := newBrowser(t, router)
	if got := b.signIn(account, "published passphrase of "+account); got.Code != http.StatusSeeOther {
		t.Fatalf("%s is not signed in: %d", account, got.Code)
	}
	return b
}

// signIn gives account and passphrase; the answer is 303 where they are right.
func (b *browser) signIn(account, passphrase string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.post("/sign-in", url.Values{"account": {account}, "passphrase": {passphrase}})
}

func (b *browser) get(path string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.do(httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+path, nil))
}

// post sends a form with the session's token.
func (b *browser) post(path string, form url.Values) *httptest.ResponseRecorder {
	b.t.Helper()
	if b.token != "" {
		form.Set(web.TokenField, b.token)
	}
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

func (b *browser) do(r *http.Request) *httptest.ResponseRecorder {
	b.t.Helper()
	r.RemoteAddr = b.address
	r.Header.Set("User-Agent", b.agent)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.router.ServeHTTP(w, r)
	begun := false
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c.Value
		begun = begun || c.Name == web.SessionCookie
	}
	if _, after, ok := strings.Cut(w.Body.String(), `name="`+web.TokenField+`" value="`); ok {
		b.token, _, _ = strings.Cut(after, `"`)
	}
	if begun { // a new session has a new token, which its pages have
		b.token = ""
		b.get("/me")
	}
	return w
}

// newStaffHouse is a test data directory with its people and nothing else.
func newStaffHouse(t *testing.T) *peopleHouse {
	t.Helper()
	h := newEmptyHouse(t)
	if err := h.seedStaff(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

// newEmptyHouse is a test data directory in which nobody has an account.
func newEmptyHouse(t *testing.T) *peopleHouse {
	t.Helper()
	h := &peopleHouse{t: t, dir: filepath.Join(t.TempDir(), "data")}
	if err := makeTestDirectory(h.dir, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	h.reopen()
	t.Cleanup(func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// console is the routes of a console on the house.
func (h *peopleHouse) console() *web.Router {
	h.t.Helper()
	h.door.evenly = 0 // a test that measures it sets it
	router, err := h.consoleRouter([]string{"127.0.0.1", "localhost", "::1"}, false)
	if err != nil {
		h.t.Fatal(err)
	}
	return router
}

// eachAct shows every act of people in the journal.
func (h *peopleHouse) eachAct(f func(journal.Act)) {
	h.t.Helper()
	next := uint64(1)
	if err := eachEntry(h.t.Context(), h.store.Reader, &next, func(e journal.Entry) error {
		var a journal.Act
		if e.Kind != journal.KindStaff {
			return nil
		}
		if err := json.Unmarshal(e.Body, &a); err != nil {
			return err
		}
		f(a)
		return nil
	}); err != nil {
		h.t.Fatal(err)
	}
}
