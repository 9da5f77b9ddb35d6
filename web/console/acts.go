package console

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"touchstone/web"
	"touchstone/web/api"
)

// maxActForm bounds a form of an act with its files, bytes; maxLargeForm that of an act that takes releases.
const (
	maxActForm   = api.MaxFile + 1<<20
	maxLargeForm = api.MaxLargeFile + 1<<20
)

// Bounds of the outcomes that wait for the page that shows them.
const (
	mostOutcomes = 500
	outcomeLife  = 10 * time.Minute
)

// outcomes are what acts told, until the page that the browser is sent to has shown them. A secret is shown once.
type outcomes struct {
	mu  sync.Mutex
	all map[string]outcome
}

type outcome struct {
	account, act string
	at           time.Time
	done         api.Done
}

func (o *outcomes) keep(account, act string, done api.Done) (id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	for id, x := range o.all {
		if now.Sub(x.at) > outcomeLife || len(o.all) >= mostOutcomes {
			delete(o.all, id)
		}
	}
	id = rand.Text()
	o.all[id] = outcome{account, act, now, done}
	return id
}

func (o *outcomes) show(id, account, act string) *api.Done {
	o.mu.Lock()
	defer o.mu.Unlock()
	x, ok := o.all[id]
	if !ok || x.account != account || x.act != act || time.Since(x.at) > outcomeLife {
		return nil
	}
	done := x.done
	x.done.Secret = ""
	o.all[id] = x
	return &done
}

// mountActs are the pages of acts: all of them, and a form for each.
func (c *Console) mountActs() {
	c.told = &outcomes{all: map[string]outcome{}}
	c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/acts", Rule: web.Rule{Any: true, Shop: true}}, http.HandlerFunc(c.actsPage))
	for name, form := range c.Interface.Forms() {
		if form.Own {
			continue
		}
		page := &actPage{c, form}
		c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/acts/" + name, Rule: form.Rule}, http.HandlerFunc(page.ask))
		most := int64(maxActForm)
		if form.Large {
			most = maxLargeForm
		}
		c.router.HandleLarge(web.Route{Method: http.MethodPost, Pattern: "/acts/" + name, Rule: form.Rule}, most, http.HandlerFunc(page.do))
	}
}

// actGroup is one group of the list.
type actGroup struct {
	Title string
	Acts  []api.ActShown
	Helps map[string]string
}

type actsData struct {
	Groups []actGroup
	Search string
	All    bool // those of other roles too
	Hidden int  // how many of other roles are not shown
}

func (c *Console) actsPage(w http.ResponseWriter, r *http.Request) {
	who := web.CallerOf(r.Context())
	data := actsData{Search: strings.TrimSpace(r.URL.Query().Get("q")), All: r.URL.Query().Get("all") == "1" && !who.Merchant()}
	for _, g := range groupWords {
		group := actGroup{Title: two(r, g.en, g.zh), Helps: map[string]string{}}
		for _, act := range c.Desk.Acts.Catalogue() {
			if act.Group != g.name || act.Own || data.Search != "" && !matches(&act, data.Search) {
				continue
			}
			shown := c.Interface.Forms()[act.Name].Shown(who)
			if !shown.Allowed && !data.All {
				if !who.Merchant() {
					data.Hidden++
				}
				continue
			}
			if shown.Title = two(r, act.EN, act.ZH); shown.Title == "" {
				shown.Title = act.Name
			}
			group.Helps[act.Name] = two(r, act.Help, act.HelpZH)
			group.Acts = append(group.Acts, shown)
		}
		if len(group.Acts) > 0 {
			data.Groups = append(data.Groups, group)
		}
	}
	c.show(w, r, "acts", view{Title: two(r, "Acts", "操作"), Active: "acts", Sheets: []string{"acts.css"}, Data: data})
}

func matches(a *api.Act, search string) bool {
	text := strings.ToLower(strings.Join([]string{a.Name, a.EN, a.ZH, a.Help, a.HelpZH, a.Path}, "\n"))
	for _, word := range strings.Fields(strings.ToLower(search)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// actPage is the form of one act.
type actPage struct {
	*Console
	form *api.ActForm
}

// actData is what the form shows.
type actData struct {
	Act    api.ActShown
	Help   string
	ID     string // of the operation
	Fields []input
	Files  bool      // there are files to choose
	Most   int64     // bytes of one, of this person
	Kinds  []string  // media types of files that are taken
	Done   *api.Done // what it told, on the way back
	Wrong  string    // what was wrong that no field is to blame for
	Code   string    // of what was wrong
}

// MostMiB is Most as people read it.
func (d actData) MostMiB() int64 { return d.Most >> 20 }

// ask shows the form; the query's members are filled in, so that other pages lead here with what they know.
func (p *actPage) ask(w http.ResponseWriter, r *http.Request) {
	typed := values(r.URL.Query())
	if p.form.Name == "passwords" && len(typed) == 0 && p.Desk.Rules != nil {
		if err := p.inForce(r, typed); err != nil {
			p.fail(w, r, err)
			return
		}
	}
	data := p.data(r, typed, nil)
	if id := r.URL.Query().Get("outcome"); id != "" {
		data.Done = p.told.show(id, web.CallerOf(r.Context()).Account, p.form.Name)
	}
	p.render(w, r, http.StatusOK, data)
}

// inForce fills the form of terminals' passwords with the rule that is in force: who changes a figure sees the others.
func (p *actPage) inForce(r *http.Request, typed values) error {
	now, err := p.Desk.Rules.TerminalPasswords(r.Context(), web.CallerOf(r.Context()), &api.AsOf{})
	if err != nil {
		return err
	}
	typed["policy.version"] = []string{now.Version}
	if now.Required {
		typed["policy.required"] = []string{"1"}
	}
	for name, n := range map[string]int{"operator_min": now.OperatorMin, "administrator_min": now.AdministratorMin, "max_age_days": now.MaxAgeDays, "tries": now.Tries, "wait_seconds": now.WaitSeconds, "former": now.Former} {
		typed["policy."+name] = []string{strconv.Itoa(n)}
	}
	return nil
}

// do has the act carried out, and shows the form again with what was typed where it is refused.
func (p *actPage) do(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseMultipartForm(1 << 20); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		p.render(w, r, http.StatusBadRequest, p.data(r, values(r.PostForm), api.Refuse(http.StatusBadRequest, "too_large", two(r, "the form did not come whole, or is too long", "表单不完整或过大"))))
		return
	}
	typed := values(r.PostForm)
	if problem := typed.strict(r, p.form.Fields()); problem != nil {
		p.refused(w, r, typed, problem)
		return
	}
	if err := p.keepFiles(r, typed); err != nil {
		p.refused(w, r, typed, err)
		return
	}
	body, problem := typed.body(p.form.Fields(), p.Zone)
	if problem != nil {
		p.refused(w, r, typed, problem)
		return
	}
	done, err := p.Interface.Do(r.Context(), p.form.Name, body)
	if err != nil {
		p.refused(w, r, typed, err)
		return
	}
	id := p.told.keep(web.CallerOf(r.Context()).Account, p.form.Name, done)
	http.Redirect(w, r, "/acts/"+p.form.Name+"?outcome="+id, http.StatusSeeOther)
}

// refused shows the form with what was wrong beside the field that is to blame.
func (p *actPage) refused(w http.ResponseWriter, r *http.Request, typed values, err error) {
	var problem *api.Problem
	if !errors.As(err, &problem) {
		p.fail(w, r, err)
		return
	}
	p.render(w, r, problem.Status, p.data(r, typed, problem))
}

func (p *actPage) data(r *http.Request, typed values, problem *api.Problem) actData {
	who := web.CallerOf(r.Context())
	data := actData{Act: p.form.Shown(who), ID: p.form.ID, Help: two(r, p.form.Help, p.form.HelpZH)}
	data.Act.Title = two(r, p.form.EN, p.form.ZH)
	param := ""
	if problem != nil {
		data.Code, data.Wrong, param = problem.Code, p.inLanguage(r, problem.Message), problem.Param
	}
	blamed := false
	data.Fields = inputs(langOf(r), p.form.Fields(), typed, param, data.Wrong, true, &blamed)
	if blamed {
		data.Wrong = ""
	}
	data.Most, data.Kinds = api.MostOf(who), api.FileTypes
	data.Files = slices.ContainsFunc(data.Fields, input.hasFile)
	return data
}

// inLanguage is what a rule said, in the page's language where that is known.
func (c *Console) inLanguage(r *http.Request, message string) string {
	if langOf(r) == "zh" && c.Chinese != nil {
		return c.Chinese(message)
	}
	return message
}

func (p *actPage) render(w http.ResponseWriter, r *http.Request, status int, data actData) {
	v := view{Title: data.Act.Title, Active: "acts", Sheets: []string{"acts.css"}, Data: data}
	if data.Files {
		v.Scripts = []string{"upload.js"}
	}
	if data.Code != "" {
		v.Failed = two(r, "Nothing was done: see what is marked.", "未执行：请查看标注处。")
		if data.Wrong != "" {
			v.Failed = two(r, "Nothing was done: ", "未执行：") + data.Wrong
		}
	}
	p.showAs(w, r, status, "act", v)
}
