package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"touchstone/journal"
	"touchstone/web"
)

// TestSignIn: an account and its passphrase open the console under the account's roles, anything else opens nothing, and
// signing out ends it.
func TestSignIn(t *testing.T) {
	h := newStaffHouse(t)
	router := h.console()
	b := newBrowser(t, router)
	if got := b.get("/"); got.Code != http.StatusSeeOther || got.Header().Get("Location") != "/sign-in?next=%2F" {
		t.Fatalf("nobody: %d %q", got.Code, got.Header().Get("Location"))
	}
	for _, wrong := range [][2]string{{"qian", "published passphrase of sun"}, {"nobody", "published passphrase of nobody"}, {"", ""}, {"qian", ""}} {
		if got := b.signIn(wrong[0], wrong[1]); got.Code != http.StatusUnauthorized || b.cookies[web.SessionCookie] != "" {
			t.Errorf("%q: %d, cookies %v", wrong, got.Code, b.cookies)
		}
	}
	got := b.post("/sign-in", url.Values{"account": {" qian "}, "passphrase": {"published passphrase of qian"}, "next": {"/?a=b"}})
	if got.Code != http.StatusSeeOther || got.Header().Get("Location") != "/?a=b" {
		t.Fatalf("qian: %d %q", got.Code, got.Header().Get("Location"))
	}
	if home := b.get("/"); home.Code != http.StatusOK || !strings.Contains(home.Body.String(), "钱进 Qian Jin") {
		t.Errorf("the first page: %d", home.Code)
	}
	in, out := 0, 0
	h.eachAct(func(a journal.Act) {
		switch {
		case a.Verb == "signed_in":
			in++
		case a.Verb == "sign_in" && a.Refused != "":
			out++
		}
	})
	if in != 1 || out != 4 {
		t.Errorf("the journal has %d sign-ins and %d refused ones", in, out)
	}
	if got := b.post("/sign-out", url.Values{}); got.Code != http.StatusSeeOther {
		t.Errorf("signing out: %d", got.Code)
	}
	if got := b.get("/"); got.Code != http.StatusSeeOther {
		t.Errorf("afterwards: %d", got.Code)
	}
}

// TestNextIsOurs: a sign-in leads to a page of this console and nowhere else.
func TestNextIsOurs(t *testing.T) {
	router := newStaffHouse(t).console()
	for _, next := range []string{"https://elsewhere.example/", "//elsewhere.example", `/\elsewhere.example`, "elsewhere", "javascript:alert(1)", "/\t/elsewhere.example"} {
		got := newBrowser(t, router).post("/sign-in", url.Values{"account": {"qian"}, "passphrase": {"published passphrase of qian"}, "next": {next}})
		if got.Code != http.StatusSeeOther || got.Header().Get("Location") != "/" {
			t.Errorf("%q leads to %q", next, got.Header().Get("Location"))
		}
	}
}
