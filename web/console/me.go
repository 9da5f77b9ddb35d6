package console

import (
	"errors"
	"net/http"

	"touchstone/staff"
	"touchstone/web"
)

// mountMe is a person's own page.
func (c *Console) mountMe() {
	anyone := web.Rule{Any: true, Shop: true}
	for pattern, h := range map[string]http.HandlerFunc{
		"/me/preferences": c.prefer, "/me/passphrase": c.changePassphrase, "/me/second": c.wishSecond, "/me/recovery": c.newRecovery,
		"/me/sessions": c.endSession, "/me/browsers": c.forgetBrowsers,
	} {
		c.router.Handle(web.Route{Method: http.MethodPost, Pattern: pattern, Rule: anyone}, h)
	}
	c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/me", Rule: anyone}, http.HandlerFunc(c.mePage))
}

// meData is what the page shows.
type meData struct {
	Own
	Sessions []web.Session
	This     string // the ID of the session that asks
	Least    int
}

// meTold are the sentences of what was done, by what the address says.
var meTold = map[string][2]string{
	"preferences": {"Language and appearance are kept.", "语言与外观已保存。"}, "passphrase": {"The passphrase is changed. Your other sessions have ended.", "口令已更换，其他会话已结束。"},
	"session": {"The session has ended.", "会话已结束。"}, "sessions": {"Every other session has ended.", "其他会话均已结束。"},
	"browsers": {"No browser is known any more.", "已清除所有已识别的浏览器。"},
}

func (c *Console) mePage(w http.ResponseWriter, r *http.Request) {
	c.showMe(w, r, http.StatusOK, "")
}

func (c *Console) showMe(w http.ResponseWriter, r *http.Request, status int, failed string) {
	own, err := c.Self.Own(web.CallerOf(r.Context()))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	x, _, _ := c.Sessions.Of(r, false)
	v := doorView(r, "My account", "我的账户", failed, meData{own, c.Sessions.List(own.Account.Name), x.ID, staff.MinPassphrase})
	v.Active = "me"
	if told, ok := meTold[r.URL.Query().Get("done")]; ok && failed == "" {
		v.Told = two(r, told[0], told[1])
	}
	c.showAs(w, r, status, "me", v)
}

func meDone(w http.ResponseWriter, r *http.Request, what string) {
	http.Redirect(w, r, "/me?done="+what, http.StatusSeeOther)
}

func (c *Console) prefer(w http.ResponseWriter, r *http.Request) {
	err := c.Self.Prefer(r.Context(), web.CallerOf(r.Context()), r.PostFormValue("lang"), r.PostFormValue("theme"))
	if errors.Is(err, staff.ErrAccount) {
		c.refused(w, r, http.StatusBadRequest, "invalid_request")
		return
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	meDone(w, r, "preferences")
}

// changePassphrase ends every session of the account, and begins this one anew.
func (c *Console) changePassphrase(w http.ResponseWriter, r *http.Request) {
	fresh, ok := c.fresh(r)
	if !ok {
		c.showMe(w, r, http.StatusUnprocessableEntity, unequal(r))
		return
	}
	defer fresh.Wipe()
	a := c.attempt(r, web.CallerOf(r.Context()).Account)
	defer a.Passphrase.Wipe()
	entry, err := c.Self.ChangePassphrase(r.Context(), a, fresh)
	switch {
	case errors.Is(err, staff.ErrPassphrase):
		c.showMe(w, r, http.StatusUnprocessableEntity, c.said(r, err))
	case err != nil:
		c.turnedAway(w, r, err, func(string) {
			c.showMe(w, r, http.StatusUnauthorized, two(r, "The present passphrase is not right.", "当前口令不正确。"))
		})
	default:
		c.Sessions.EndAll(a.Account)
		c.goOn(w, r, entry, &web.Pending{Next: "/me?done=passphrase"})
	}
}

// wishSecond leads to the pages of the door that enrol a second factor; the session ends, and another begins there.
func (c *Console) wishSecond(w http.ResponseWriter, r *http.Request) {
	a := c.attempt(r, web.CallerOf(r.Context()).Account)
	defer a.Passphrase.Wipe()
	offered, err := c.Self.Wish(r.Context(), a)
	if err != nil {
		c.turnedAway(w, r, err, func(string) {
			c.showMe(w, r, http.StatusUnauthorized, two(r, "The passphrase is not right.", "口令不正确。"))
		})
		return
	}
	c.Sessions.Pend(w, r, &web.Pending{Account: a.Account, Wished: true, Offered: offered, Next: "/me"})
	http.Redirect(w, r, stepPaths[StepSecond], http.StatusSeeOther)
}

func (c *Console) newRecovery(w http.ResponseWriter, r *http.Request) {
	who := web.CallerOf(r.Context())
	codes, err := c.Self.Recovery(r.Context(), who, c.attempt(r, who.Account))
	if err != nil {
		c.turnedAway(w, r, err, func(failed string) { c.showMe(w, r, http.StatusUnauthorized, failed) })
		return
	}
	c.show(w, r, "recovery", doorView(r, "Recovery codes", "恢复码", "", struct {
		Codes []string
		Next  string
	}{codes, "/me"}))
}

// endSession ends one session of one's own by its ID, or every one but this.
func (c *Console) endSession(w http.ResponseWriter, r *http.Request) {
	who := web.CallerOf(r.Context())
	this, _, _ := c.Sessions.Of(r, false)
	if id := r.PostFormValue("id"); id != "" {
		c.Sessions.EndOne(who.Account, id)
		meDone(w, r, "session")
		return
	}
	for _, x := range c.Sessions.List(who.Account) {
		if x.ID != this.ID {
			c.Sessions.EndOne(who.Account, x.ID)
		}
	}
	meDone(w, r, "sessions")
}

func (c *Console) forgetBrowsers(w http.ResponseWriter, r *http.Request) {
	if err := c.Self.Forget(r.Context(), web.CallerOf(r.Context())); err != nil {
		c.fail(w, r, err)
		return
	}
	meDone(w, r, "browsers")
}
