package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// mountStaff is the people and what they ask of each other. Reading is for all staff; the acts are judged by the host.
func (c *Console) mountStaff() {
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /staff": c.staffPage, "GET /staff/new": c.newAccountPage, "GET /staff/accounts/{name}": c.accountPage,
		"GET /staff/proposals": c.proposalsPage, "GET /staff/proposals/{id}": c.proposalPage,
		"POST /staff/proposals/{id}": c.decide, "POST /staff/review": c.reviewAccounts,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		c.router.Handle(web.Route{Method: method, Pattern: path, Rule: web.Staff}, h)
	}
	administrators := web.Rule{Roles: []staff.Role{staff.Administrator}}
	c.router.Handle(web.Route{Method: http.MethodPost, Pattern: "/staff/new", Rule: administrators}, http.HandlerFunc(c.newAccount))
	c.router.Handle(web.Route{Method: http.MethodPost, Pattern: "/staff/accounts/{name}", Rule: administrators}, http.HandlerFunc(c.changeAccount))
}

func staffView(r *http.Request, en, zh string, data any) view {
	return view{Title: two(r, en, zh), Active: "staff", Sheets: []string{"people.css"}, Data: data}
}

// staffData is what the list of accounts shows.
type staffData struct {
	Query    api.AccountQuery
	Page     api.Page[api.Account]
	Review   api.AccountReview
	Waiting  int
	Roles    []staff.Role
	States   []string
	Filtered bool
	Next     string // the address of the next piece
}

func (c *Console) staffPage(w http.ResponseWriter, r *http.Request) {
	who, q := web.CallerOf(r.Context()), r.URL.Query()
	d := staffData{Query: api.AccountQuery{AsOf: asOf(r), Paging: api.Paging{Limit: 50, Cursor: q.Get("cursor")}, Search: q.Get("q"), Role: q.Get("role"), State: q.Get("state"), Flag: q.Get("flag")},
		Waiting: c.Desk.Staff.Waiting(who), Roles: staff.Roles[:], States: []string{api.AccountActive, api.AccountInvited, api.AccountLocked, api.AccountDisabled, api.AccountLeft}}
	d.Filtered = d.Query.Search+d.Query.Role+d.Query.State+d.Query.Flag != ""
	var err1, err2 error
	d.Page, err1 = c.Desk.Staff.Accounts(r.Context(), who, &d.Query)
	d.Review, err2 = c.Desk.Staff.Review(r.Context(), who, &d.Query.AsOf)
	if err := errors.Join(err1, err2); err != nil {
		c.fail(w, r, err)
		return
	}
	if d.Page.Next != "" {
		q.Set("cursor", d.Page.Next)
		d.Next = "/staff?" + q.Encode()
	}
	c.show(w, r, "staff", c.withTold(r, staffView(r, "Staff", "人员", d)))
}

// withTold says what an act that led here came to, by the address.
func (c *Console) withTold(r *http.Request, v view) view {
	q := r.URL.Query()
	if id := q.Get("proposed"); strings.HasPrefix(id, "PRP-") && len(id) < 20 {
		v.Told = two(r, "Proposed as "+id+": nothing is done until a second person approves it under Staff, Proposals.", "已提议 "+id+"：须第二人在“人员 › 提案”中批准后才生效。")
	}
	if told, ok := staffTold[q.Get("done")]; ok {
		v.Told = two(r, told[0], told[1])
	}
	return v
}

// staffTold are the sentences of what was done.
var staffTold = map[string][2]string{
	"changed": {"The account is changed. Its sessions have ended where its roles or its right to act are other ones.", "账户已修改。角色或使用权变更的，其会话已结束。"},
	"unlock":  {"The account is unlocked.", "账户已解锁。"}, "leave": {"The person has left: every account of the person has ended.", "人员已离职，其所有账户均已停用。"},
	"review": {"The review is recorded.", "复核已记录。"}, "approved": {"Approved, and carried out.", "已批准并执行。"}, "rejected": {"Rejected.", "已否决。"},
	"training": {"The course is recorded.", "培训已登记。"},
}

// accountForm is what the page of a new account keeps when something is wrong.
type accountForm struct {
	Account staff.Account
	Roles   []staff.Role
	Link    string // of the invitation, shown this once
	Known   bool   // the account existed before
}

func (c *Console) newAccountPage(w http.ResponseWriter, r *http.Request) {
	c.show(w, r, "staff-new", staffView(r, "Make an account", "新建账户", accountForm{Roles: staff.Roles[:]}))
}

// formAccount is the account that a form describes.
func formAccount(r *http.Request, name string) staff.Account {
	field := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	a := staff.Account{Name: name, FullName: field("full_name"), Person: field("person"), Organisation: field("organisation"), Shop: field("shop"), Disabled: field("disabled") != ""}
	for _, role := range r.PostForm["role"] {
		a.Roles = append(a.Roles, staff.Role(role))
	}
	if !slices.Contains(a.Roles, staff.Merchant) {
		a.Shop = ""
	}
	return a
}

// accountBody is what of an account an administrator decides.
func accountBody(a staff.Account) map[string]any {
	return map[string]any{"name": a.Name, "full_name": a.FullName, "person": a.Person, "organisation": a.Organisation, "roles": a.Roles, "shop": a.Shop, "disabled": a.Disabled}
}

// newAccount makes an account and shows the link by which its person takes it up.
func (c *Console) newAccount(w http.ResponseWriter, r *http.Request) {
	a := formAccount(r, strings.TrimSpace(r.PostFormValue("account")))
	who := web.CallerOf(r.Context())
	form := accountForm{Account: a, Roles: staff.Roles[:]}
	if _, err := c.Desk.Staff.Account(r.Context(), who, a.Name, &api.AsOf{}); err == nil {
		c.failedForm(w, r, "staff-new", form, staff.ErrTaken)
		return
	}
	c.invite(w, r, form)
}

// invite makes the link of an account and shows it.
func (c *Console) invite(w http.ResponseWriter, r *http.Request, form accountForm) {
	path, err := c.Guests.Invite(r.Context(), web.CallerOf(r.Context()), &form.Account)
	if err != nil {
		c.failedForm(w, r, "staff-new", form, err)
		return
	}
	scheme := "http://"
	if c.router.Secure {
		scheme = "https://"
	}
	form.Link = scheme + r.Host + path
	c.show(w, r, "staff-invited", staffView(r, "Invitation", "邀请", form))
}

// failedForm shows a form again with what was wrong.
func (c *Console) failedForm(w http.ResponseWriter, r *http.Request, page string, form accountForm, err error) {
	if !errors.Is(err, staff.ErrAccount) && !errors.Is(err, staff.ErrTaken) {
		c.fail(w, r, err)
		return
	}
	v := staffView(r, "Make an account", "新建账户", form)
	v.Failed = c.said(r, err)
	c.showAs(w, r, http.StatusUnprocessableEntity, page, v)
}

// accountData is what the page of one account shows.
type accountData struct {
	api.Account
	AllRoles []staff.Role
	Topics   []staff.Topic // that an administrator records
	Admin    bool
	Own      bool
}

func (c *Console) accountPage(w http.ResponseWriter, r *http.Request) {
	c.showAccount(w, r, http.StatusOK, "")
}

func (c *Console) showAccount(w http.ResponseWriter, r *http.Request, status int, failed string) {
	who := web.CallerOf(r.Context())
	a, err := c.Desk.Staff.Account(r.Context(), who, r.PathValue("name"), &api.AsOf{})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	v := c.withTold(r, staffView(r, a.FullName, a.FullName, accountData{a, staff.Roles[:], []staff.Topic{staff.DeveloperTopic, staff.IncidentTopic}, who.May(staff.Administrator), who.Account == a.Account}))
	if v.Failed = failed; failed != "" {
		v.Told = ""
	}
	c.showAs(w, r, status, "staff-account", v)
}

// changeAccount carries out what an administrator pressed on an account's page.
func (c *Console) changeAccount(w http.ResponseWriter, r *http.Request) {
	name, who := r.PathValue("name"), web.CallerOf(r.Context())
	known, err := c.Desk.Staff.Account(r.Context(), who, name, &api.AsOf{})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	do := r.PostFormValue("do")
	switch do {
	case "changed":
		c.actOn(w, r, do, "account", map[string]any{"account": accountBody(formAccount(r, name))})
	case "unlock":
		c.actOn(w, r, do, "personnel", map[string]any{"unlock": name})
	case "leave":
		c.actOn(w, r, do, "personnel", map[string]any{"leave": name})
	case "second":
		c.actOn(w, r, do, "second_factor", map[string]any{"reset": name})
	case "training":
		c.actOn(w, r, do, "training", map[string]any{"do": "record", "account": name, "topic": r.PostFormValue("topic"), "course": r.PostFormValue("course")})
	case "invite":
		c.invite(w, r, accountForm{Known: true, Roles: staff.Roles[:], Account: staff.Account{Name: name, FullName: known.FullName, Person: known.Person, Organisation: known.Organisation,
			Roles: known.Roles, Shop: known.Shop}})
	default:
		c.refused(w, r, http.StatusBadRequest, "invalid_request")
	}
}

// actOn carries out an act on an account and goes back to its page with what became of it.
func (c *Console) actOn(w http.ResponseWriter, r *http.Request, do, act string, body map[string]any) {
	done, err := c.act(r, act, body)
	var p *api.Problem
	switch {
	case errors.As(err, &p) && p.Status < 500 && p.Status != http.StatusForbidden:
		c.showAccount(w, r, p.Status, c.said(r, errors.New(p.Message)))
	case err != nil:
		c.fail(w, r, err)
	default:
		http.Redirect(w, r, "/staff/accounts/"+url.PathEscape(r.PathValue("name"))+"?"+became(do, done).Encode(), http.StatusSeeOther)
	}
}

// act asks the host for an act under the caller's account.
func (c *Console) act(r *http.Request, act string, body any) (api.Done, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return api.Done{}, err
	}
	return c.Desk.Acts.Act(r.Context(), web.CallerOf(r.Context()), act, raw)
}

// became is what an address says of an act.
func became(do string, done api.Done) url.Values {
	if done.Proposal != "" {
		return url.Values{"proposed": {done.Proposal}}
	}
	return url.Values{"done": {do}}
}

func (c *Console) reviewAccounts(w http.ResponseWriter, r *http.Request) {
	done, err := c.act(r, "personnel", map[string]any{"review": true, "notes": strings.TrimSpace(r.PostFormValue("notes"))})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/staff?"+became("review", done).Encode(), http.StatusSeeOther)
}
