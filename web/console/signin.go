package console

import (
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"touchstone/secret"
	"touchstone/staff"
	"touchstone/web"
)

// The cookie by which a browser is known again. It opens nothing: guesses made elsewhere do not lock it out.
const (
	knownCookie = "__Host-touchstone-known"
	knownLife   = 180 * 24 * 3600 // seconds
)

// The steps of a sign-in, by where they are.
var stepPaths = map[Step]string{StepCode: "/sign-in/code", StepPassphrase: "/sign-in/passphrase", StepSecond: "/sign-in/second"}

func (c *Console) mountSignIn() {
	c.public(http.MethodGet, "/sign-in", c.signInPage)
	c.public(http.MethodPost, "/sign-in", c.signIn)
	c.public(http.MethodGet, "/sign-in/code", c.codePage)
	c.public(http.MethodPost, "/sign-in/code", c.code)
	c.public(http.MethodGet, "/sign-in/passphrase", c.renewPage)
	c.public(http.MethodPost, "/sign-in/passphrase", c.renew)
	c.public(http.MethodGet, "/sign-in/second", c.secondPage)
	c.public(http.MethodPost, "/sign-in/second", c.second)
	c.router.Handle(web.Route{Method: http.MethodPost, Pattern: "/sign-out", Rule: web.Rule{Any: true, Shop: true}}, http.HandlerFunc(c.signOut))
}

func (c *Console) public(method, pattern string, h http.HandlerFunc) {
	c.router.Handle(web.Route{Method: method, Pattern: pattern, Rule: web.Rule{Public: true}}, h)
}

// doorView is a page of the door.
func doorView(r *http.Request, en, zh, failed string, data any) view {
	return view{Title: two(r, en, zh), Sheets: []string{"people.css"}, Scripts: []string{"people.js"}, Failed: failed, Data: data}
}

func (c *Console) signInPage(w http.ResponseWriter, r *http.Request) {
	if web.CallerOf(r.Context()) != nil {
		http.Redirect(w, r, whither(r.FormValue("next")), http.StatusSeeOther)
		return
	}
	c.showSignIn(w, r, http.StatusOK, "")
}

func (c *Console) showSignIn(w http.ResponseWriter, r *http.Request, status int, failed string) {
	next := r.FormValue("next")
	if whither(next) == "/" {
		next = ""
	}
	c.showAs(w, r, status, "signin", doorView(r, "Sign in", "登录", failed, struct {
		Next      string
		Published []Published
	}{next, c.Guests.Published()}))
}

// whither is the page of this console that a sign-in leads to: nowhere else.
func whither(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") || len(next) > 1000 {
		return "/"
	}
	return next
}

// signIn takes account and passphrase. What fails is answered alike, whatever failed.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	a := c.attempt(r, strings.TrimSpace(r.PostFormValue("account")))
	defer a.Passphrase.Wipe()
	entry, err := c.Door.SignIn(r.Context(), a)
	if err != nil {
		c.turnedAway(w, r, err, func(failed string) { c.showSignIn(w, r, http.StatusUnauthorized, failed) })
		return
	}
	c.goOn(w, r, entry, &web.Pending{Next: whither(r.PostFormValue("next"))})
}

// attempt is what a form gives: its fields passphrase and code.
func (c *Console) attempt(r *http.Request, account string) *Attempt {
	a := &Attempt{Account: account, Passphrase: secret.Take([]byte(r.PostFormValue("passphrase"))), Code: strings.TrimSpace(r.PostFormValue("code")),
		Address: web.AddressOf(r), Browser: web.BrowserOf(r)}
	if k, err := r.Cookie(knownCookie); err == nil && len(k.Value) <= 64 {
		a.Known = k.Value
	}
	if len(a.Account) > staff.MaxName {
		a.Account = ""
	}
	return a
}

// goOn begins the session of a proven person, or asks for what is left.
func (c *Console) goOn(w http.ResponseWriter, r *http.Request, e Entry, p *web.Pending) {
	if e.Step == "" {
		c.begin(w, r, e)
		http.Redirect(w, r, whither(p.Next), http.StatusSeeOther)
		return
	}
	p.Account, p.Code = e.Account, p.Code || e.Coded
	if e.Step == StepSecond {
		offered, err := c.Door.Offer(r.Context(), p.Account)
		if err != nil {
			c.fail(w, r, err)
			return
		}
		p.Offered = offered
	}
	c.Sessions.Pend(w, r, p)
	http.Redirect(w, r, stepPaths[e.Step], http.StatusSeeOther)
}

func (c *Console) begin(w http.ResponseWriter, r *http.Request, e Entry) {
	c.Sessions.Begin(w, r, e.Account, e.Stamp)
	if e.Known != "" {
		http.SetCookie(w, &http.Cookie{Name: knownCookie, Value: e.Known, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: knownLife})
	}
}

// turnedAway says that an attempt failed; show puts the sentence on the page that was used.
func (c *Console) turnedAway(w http.ResponseWriter, r *http.Request, err error, show func(failed string)) {
	var wait *Wait
	switch {
	case errors.Is(err, ErrWrong):
		show(two(r, "That is not right, or not any more. Look at what you typed and try again.", "不正确，或已失效。请核对后重试。"))
	case errors.As(err, &wait):
		seconds := int(wait.For/time.Second) + 1
		w.Header().Set("Retry-After", fmt.Sprint(seconds))
		c.showAs(w, r, http.StatusTooManyRequests, "later", doorView(r, "Too many attempts", "尝试过多", "", seconds))
	case errors.Is(err, ErrBusy):
		w.Header().Set("Retry-After", "5")
		c.showAs(w, r, http.StatusServiceUnavailable, "later", doorView(r, "Too many attempts", "尝试过多", "", 5))
	default:
		c.fail(w, r, err)
	}
}

// pending is the sign-in that a request goes on with; without one, or at another step, it begins anew.
func (c *Console) pending(w http.ResponseWriter, r *http.Request) *web.Pending {
	p := c.Sessions.Pending(r)
	if p == nil {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
	}
	return p
}

func (c *Console) codePage(w http.ResponseWriter, r *http.Request) {
	if p := c.pending(w, r); p != nil {
		c.showCode(w, r, http.StatusOK, "")
	}
}

func (c *Console) showCode(w http.ResponseWriter, r *http.Request, status int, failed string) {
	c.showAs(w, r, status, "code", doorView(r, "Second factor", "第二因素", failed, nil))
}

func (c *Console) code(w http.ResponseWriter, r *http.Request) {
	p := c.pending(w, r)
	if p == nil {
		return
	}
	entry, err := c.Door.Code(r.Context(), p, c.attempt(r, p.Account))
	if err != nil {
		c.turnedAway(w, r, err, func(failed string) { c.showCode(w, r, http.StatusUnauthorized, failed) })
		return
	}
	c.goOn(w, r, entry, p)
}

func (c *Console) renewPage(w http.ResponseWriter, r *http.Request) {
	if p := c.pending(w, r); p != nil {
		c.showRenew(w, r, http.StatusOK, "")
	}
}

func (c *Console) showRenew(w http.ResponseWriter, r *http.Request, status int, failed string) {
	c.showAs(w, r, status, "renew", doorView(r, "A new passphrase", "更换口令", failed, staff.MinPassphrase))
}

func (c *Console) renew(w http.ResponseWriter, r *http.Request) {
	p := c.pending(w, r)
	if p == nil {
		return
	}
	fresh, ok := c.fresh(r)
	if !ok {
		c.showRenew(w, r, http.StatusUnprocessableEntity, unequal(r))
		return
	}
	defer fresh.Wipe()
	entry, err := c.Door.Renew(r.Context(), p, c.attempt(r, p.Account), fresh)
	if errors.Is(err, staff.ErrPassphrase) {
		c.showRenew(w, r, http.StatusUnprocessableEntity, c.said(r, err))
		return
	}
	if err != nil {
		c.turnedAway(w, r, err, func(failed string) { c.showRenew(w, r, http.StatusUnauthorized, failed) })
		return
	}
	c.goOn(w, r, entry, p)
}

// fresh is a new passphrase that was typed twice; false where the two differ.
func (c *Console) fresh(r *http.Request) (secret.Bytes, bool) {
	typed := r.PostFormValue("fresh")
	return secret.Take([]byte(typed)), typed == r.PostFormValue("again")
}

func unequal(r *http.Request) string {
	return two(r, "The two differ. Type the new passphrase twice, or paste it.", "两次输入不一致。请重新输入或粘贴新口令。")
}

// said is an error of a rule for the person who tried.
func (c *Console) said(r *http.Request, err error) string {
	text := err.Error()
	if c.Chinese != nil && langOf(r) == "zh" {
		return c.Chinese(text)
	}
	for _, prefix := range []string{staff.ErrPassphrase.Error() + ": ", staff.ErrAccount.Error() + ": "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

func (c *Console) secondPage(w http.ResponseWriter, r *http.Request) {
	if p := c.pending(w, r); p != nil {
		c.showSecond(w, r, p, http.StatusOK, "")
	}
}

func (c *Console) showSecond(w http.ResponseWriter, r *http.Request, p *web.Pending, status int, failed string) {
	if len(p.Offered) == 0 {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		return
	}
	shown, err := c.Door.Show(p.Account, p.Offered)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	image := template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(shown.Image))
	c.showAs(w, r, status, "second", doorView(r, "Set up the second factor", "设置第二因素", failed, struct {
		Secret string
		Image  template.URL
	}{shown.Secret, image}))
}

// second takes a second factor up and shows the recovery codes, this once.
func (c *Console) second(w http.ResponseWriter, r *http.Request) {
	p := c.pending(w, r)
	if p == nil {
		return
	}
	entry, codes, err := c.Door.TakeUp(r.Context(), p, c.attempt(r, p.Account))
	if err != nil {
		c.turnedAway(w, r, err, func(failed string) { c.showSecond(w, r, p, http.StatusUnauthorized, failed) })
		return
	}
	c.begin(w, r, entry)
	c.show(w, r, "recovery", doorView(r, "Recovery codes", "恢复码", "", struct {
		Codes []string
		Next  string
	}{codes, whither(p.Next)}))
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	c.Sessions.End(w, r)
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}
