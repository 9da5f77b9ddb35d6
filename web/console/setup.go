package console

import (
	"errors"
	"net/http"
	"strings"

	"touchstone/staff"
	"touchstone/web"
)

// mountSetup is where links lead that work once. Looking at a link does not use it up: programs look at links, too.
func (c *Console) mountSetup() {
	c.public(http.MethodGet, "/setup/{token}", c.setupPage)
	c.public(http.MethodPost, "/setup/{token}", c.setup)
	c.public(http.MethodGet, "/enter/{token}", c.visitPage)
	c.public(http.MethodPost, "/enter/{token}", c.visit)
}

// setupData is what the page of an invitation shows.
type setupData struct {
	Invited *Invited
	Who     Person
	Least   int // characters of a passphrase
}

func (c *Console) setupPage(w http.ResponseWriter, r *http.Request) {
	c.showSetup(w, r, Person{}, http.StatusOK, "")
}

func (c *Console) showSetup(w http.ResponseWriter, r *http.Request, who Person, status int, failed string) {
	known := c.Guests.Invited(r.PathValue("token"))
	if known == nil || known.Visit {
		c.linkOver(w, r)
		return
	}
	title := [2]string{"Welcome", "欢迎"}
	if known.First {
		title = [2]string{"The first administrator", "首位管理员"}
	}
	c.showAs(w, r, status, "setup", doorView(r, title[0], title[1], failed, setupData{known, who, staff.MinPassphrase}))
}

// linkOver is shown for every link that opens nothing: used, too old, or never made.
func (c *Console) linkOver(w http.ResponseWriter, r *http.Request) {
	c.showAs(w, r, http.StatusNotFound, "over", doorView(r, "This link is over", "链接已失效", "", nil))
}

func (c *Console) setup(w http.ResponseWriter, r *http.Request) {
	field := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	who := Person{Name: field("account"), FullName: field("full_name"), Person: field("person"), Organisation: field("organisation")}
	fresh, ok := c.fresh(r)
	if !ok {
		c.showSetup(w, r, who, http.StatusUnprocessableEntity, unequal(r))
		return
	}
	defer fresh.Wipe()
	entry, err := c.Guests.Accept(r.Context(), r.PathValue("token"), who, fresh, c.attempt(r, who.Name))
	switch {
	case errors.Is(err, ErrWrong):
		c.linkOver(w, r)
	case errors.Is(err, staff.ErrPassphrase), errors.Is(err, staff.ErrAccount), errors.Is(err, staff.ErrTaken):
		c.showSetup(w, r, who, http.StatusUnprocessableEntity, c.said(r, err))
	case err != nil:
		c.turnedAway(w, r, err, func(string) { c.linkOver(w, r) })
	default:
		c.goOn(w, r, entry, &web.Pending{Next: "/"})
	}
}

func (c *Console) visitPage(w http.ResponseWriter, r *http.Request) {
	if known := c.Guests.Invited(r.PathValue("token")); known == nil || !known.Visit {
		c.linkOver(w, r)
		return
	}
	c.show(w, r, "enter", doorView(r, "Welcome", "欢迎", "", c.Guests.Published()))
}

func (c *Console) visit(w http.ResponseWriter, r *http.Request) {
	entry, err := c.Guests.Visit(r.Context(), r.PathValue("token"), c.attempt(r, ""))
	if err != nil {
		c.turnedAway(w, r, err, func(string) { c.linkOver(w, r) })
		return
	}
	c.goOn(w, r, entry, &web.Pending{Next: "/"})
}
