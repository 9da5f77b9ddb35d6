package console

import (
	"errors"
	"net/http"
	"strings"

	"touchstone/secret"
	"touchstone/staff"
	"touchstone/web"
)

// The cookie by which a browser is known again. It opens nothing: guesses made elsewhere do not lock it out.
const (
	knownCookie = "__Host-touchstone-known"
	knownLife   = 180 * 24 * 3600 // seconds
)

func (c *Console) mountSignIn() {
	anybody := web.Rule{Public: true}
	c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/sign-in", Rule: anybody}, http.HandlerFunc(c.signInPage))
	c.router.Handle(web.Route{Method: http.MethodPost, Pattern: "/sign-in", Rule: anybody}, http.HandlerFunc(c.signIn))
	c.router.Handle(web.Route{Method: http.MethodPost, Pattern: "/sign-out", Rule: web.Rule{Any: true, Shop: true}}, http.HandlerFunc(c.signOut))
}

// signInData is what the sign-in page shows.
type signInData struct {
	Next      string
	Published []Published
}

func (c *Console) signInPage(w http.ResponseWriter, r *http.Request) {
	c.showSignIn(w, r, http.StatusOK, "")
}

func (c *Console) showSignIn(w http.ResponseWriter, r *http.Request, status int, failed string) {
	c.showAs(w, r, status, "signin", view{Title: two(r, "Sign in", "登录"), Sheets: []string{"people.css"}, Failed: failed,
		Data: signInData{Next: localPath(r.FormValue("next")), Published: c.Door.Published()}})
}

// localPath is a path of this console, "" of anything else: a sign-in leads nowhere else.
func localPath(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") || len(next) > 1000 {
		return ""
	}
	return next
}

// signIn takes account and passphrase. What fails is answered alike, whatever failed.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	passphrase := secret.Take([]byte(r.PostFormValue("passphrase")))
	defer passphrase.Wipe()
	entry, err := c.Door.SignIn(r.Context(), c.attempt(r, strings.TrimSpace(r.PostFormValue("account")), passphrase))
	if err != nil {
		c.notIn(w, r, err)
		return
	}
	c.enter(w, r, entry, localPath(r.PostFormValue("next")))
}

func (c *Console) attempt(r *http.Request, account string, passphrase secret.Bytes) *Attempt {
	a := &Attempt{Account: account, Passphrase: passphrase, Address: web.AddressOf(r), Browser: web.BrowserOf(r)}
	if k, err := r.Cookie(knownCookie); err == nil {
		a.Known = k.Value
	}
	if len(a.Account) > staff.MaxName {
		a.Account = ""
	}
	return a
}

// enter begins the session of a proven person.
func (c *Console) enter(w http.ResponseWriter, r *http.Request, e Entry, next string) {
	c.Sessions.Begin(w, r, e.Account, e.Stamp)
	if e.Known != "" {
		http.SetCookie(w, &http.Cookie{Name: knownCookie, Value: e.Known, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: knownLife})
	}
	if next == "" {
		next = "/"
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// notIn says that an attempt failed.
func (c *Console) notIn(w http.ResponseWriter, r *http.Request, err error) {
	if !errors.Is(err, ErrWrong) {
		c.fail(w, r, err)
		return
	}
	c.showSignIn(w, r, http.StatusUnauthorized, two(r, "That is not an account with its passphrase. Look at both and try again.", "账户与口令不符。请核对后重试。"))
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	c.Sessions.End(w, r)
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}
