package console

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"touchstone/web"
	"touchstone/web/api"
)

// fleetSheets are the style sheets of the pages of the fleet and of keys.
var fleetSheets = []string{"fleet.css"}

// Bounds of what a form sends, bytes: without files, and with them.
const (
	fleetForm  = 1 << 20
	fleetFiles = 30 << 20
)

// mountFleet adds the pages of the fleet and of keys.
func (c *Console) mountFleet() {
	own := web.Rule{Any: true, Shop: true}
	for _, p := range []struct {
		method, pattern string
		rule            web.Rule
		page            http.HandlerFunc
	}{
		{"GET", "/fleet", own, c.fleetList},
		{"GET", "/fleet/map", web.Staff, c.fleetMap},
		{"GET", "/fleet/grades", web.Staff, c.fleetGrades},
		{"GET", "/fleet/grades/plan", web.Staff, c.fleetPlan},
		{"GET", "/fleet/permits", web.Staff, c.fleetPermits},
		{"GET", "/fleet/policy", web.Staff, c.fleetPolicy},
		{"POST", "/fleet/policy", web.Staff, c.setPolicy},
		{"GET", "/fleet/inspections", own, c.fleetInspections},
		{"GET", "/fleet/inspections/new", web.Staff, c.newInspection},
		{"GET", "/fleet/inspections/{id}", own, c.fleetInspection},
		{"GET", "/fleet/training", own, c.fleetTraining},
		{"POST", "/fleet/training", own, c.beginTraining},
		{"GET", "/fleet/training/{id}", own, c.fleetPaper},
		{"POST", "/fleet/training/{id}", own, c.endTraining},
		{"GET", "/fleet/cashiers", own, c.fleetCashiers},
		{"POST", "/fleet/cashiers", own, c.changeCashier},
		{"GET", "/fleet/releases", web.Staff, c.fleetReleases},
		{"POST", "/fleet/releases", web.Staff, c.changeRelease},
		{"GET", "/fleet/advisories", own, c.fleetAdvisories},
		{"GET", "/fleet/advisories/{id}", own, c.fleetAdvisory},
		{"POST", "/fleet/advisories/{id}", web.Staff, c.closeAdvisory},
		{"GET", "/fleet/advisories/{id}/document", web.Staff, c.advisoryDocument},
		{"GET", "/fleet/campaigns", web.Staff, c.fleetCampaigns},
		{"GET", "/fleet/campaigns/new", web.Staff, c.newCampaign},
		{"POST", "/fleet/campaigns/new", web.Staff, c.startCampaign},
		{"GET", "/fleet/campaigns/{id}", web.Staff, c.fleetCampaign},
		{"POST", "/fleet/campaigns/{id}", web.Staff, c.closeCampaign},
		{"GET", "/fleet/campaigns/{id}/burn-down", web.Staff, c.burnDown},
		{"GET", "/keys", api.KeyRule, c.keys},
		{"GET", "/keys/{id}", api.KeyRule, c.key},
	} {
		c.router.HandleLarge(web.Route{Method: p.method, Pattern: p.pattern, Rule: p.rule}, fleetForm, p.page)
	}
	c.router.HandleLarge(web.Route{Method: "POST", Pattern: "/fleet/inspections/new", Rule: web.Staff}, fleetFiles, http.HandlerFunc(c.recordInspection))
	c.router.HandleLarge(web.Route{Method: "POST", Pattern: "/fleet/advisories", Rule: web.Staff}, fleetFiles, http.HandlerFunc(c.takeAdvisory))
}

// fleetView is the data of a page of the fleet: which of its tabs it is, and its own.
type fleetView struct {
	Tab  string
	Page any
}

// fleetShow shows a page of the fleet, and what an act that led here told.
func (c *Console) fleetShow(w http.ResponseWriter, r *http.Request, name, title, tab string, page any, scripts ...string) {
	c.show(w, r, name, view{Title: title, Active: "fleet", Sheets: fleetSheets, Scripts: scripts, Told: told(r), Data: fleetView{tab, page}})
}

// fleetAgain shows a page with the reason why its form was refused.
func (c *Console) fleetAgain(w http.ResponseWriter, r *http.Request, name, title, tab string, page any, why string) {
	c.showAs(w, r, http.StatusUnprocessableEntity, name, view{Title: title, Active: "fleet", Sheets: fleetSheets, Failed: why, Data: fleetView{tab, page}})
}

// fleetFail shows why a page has nothing to show, or that figures are being counted for the first time, on the page that will have them.
func (c *Console) fleetFail(w http.ResponseWriter, r *http.Request, err error) {
	var p *api.Problem
	if errors.As(err, &p) && strings.HasPrefix(p.Code, "as_of") {
		c.failAsOf(w, r, err, r.URL.Path)
		return
	}
	c.fail(w, r, err)
}

// The query parameters by which a page is told what the act before it did: a proposal's number, or that it is done.
const (
	toldProposal = "proposal"
	toldDone     = "done"
)

var proposalNumber = regexp.MustCompile(`^PRP-[0-9]{1,9}$`)

// told says what became of the act that led here. Nothing of it is another's words.
func told(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case proposalNumber.MatchString(q.Get(toldProposal)):
		return fmt.Sprintf(two(r, "Proposal %s: a second person approves it under Staff, Proposals. Nothing is done until then.",
			"提议 %s: 须由第二人在“人员 – 提议”中批准, 在此之前不会执行。"), q.Get(toldProposal))
	case q.Get(toldDone) == "1":
		return two(r, "Done. It stands in the journal.", "已完成, 并已记入日志。")
	}
	return ""
}

// carryOut carries out an act of people and goes to a page that says what became of it; what the act's rule refuses is
// given to again.
func (c *Console) carryOut(w http.ResponseWriter, r *http.Request, name string, body any, to func(api.Done) string, again func(why string)) {
	done, err := c.act(r, name, body)
	var p *api.Problem
	switch {
	case errors.As(err, &p) && p.Status < http.StatusInternalServerError && p.Status != http.StatusNotFound:
		again(c.inLanguage(r, p.Message))
		return
	case err != nil:
		c.fail(w, r, err)
		return
	}
	at, query := to(done), url.Values{toldDone: {"1"}}
	if done.Proposal != "" {
		query = url.Values{toldProposal: {done.Proposal}}
	}
	sep := "?"
	if strings.Contains(at, "?") {
		sep = "&"
	}
	http.Redirect(w, r, at+sep+query.Encode(), http.StatusSeeOther)
}

// sent keeps the files of a form for the act that names them, and returns their names.
func (c *Console) sent(r *http.Request, field string) (ids []string, err error) {
	if r.MultipartForm == nil {
		return nil, nil
	}
	for _, header := range r.MultipartForm.File[field] {
		if header.Size == 0 { // a field that was left empty
			continue
		}
		content, err := header.Open()
		if err != nil {
			return nil, err
		}
		f, err := c.Desk.Files.Keep(r.Context(), web.CallerOf(r.Context()), content)
		if err = errors.Join(err, content.Close()); err != nil {
			return nil, err
		}
		ids = append(ids, f.ID)
	}
	return ids, nil
}

// unkept says why files were not taken.
func unkept(r *http.Request, err error) string {
	if errors.Is(err, api.ErrFiles) {
		return two(r, "As many files as are kept were sent already; they are forgotten after an hour.", "已上传的文件达到上限; 一小时后自动清除。")
	}
	return two(r, "The files did not arrive whole. Send the form again.", "文件未完整送达。请重新提交。")
}

// back is a page to go to whatever an act told.
func back(path string) func(api.Done) string { return func(api.Done) string { return path } }

// fleetFuncs are what the templates of these pages may call besides, in one language.
func fleetFuncs(lang string, zone *time.Location) template.FuncMap {
	local := func(layout string) func(time.Time) string {
		return func(t time.Time) string {
			if t.IsZero() {
				return "–"
			}
			return t.In(zone).Format(layout)
		}
	}
	return template.FuncMap{
		"minute":  local("2006-01-02 15:04"),
		"zone":    func() string { return time.Now().In(zone).Format("UTC-07:00") },
		"add":     func(a, b int) int { return a + b },
		"daymark": local("2006-01-02"),
		"machine": local(time.RFC3339),
		"many":    many,
		"portion": func(part, whole int) string { return portion(part, whole) },
		"segment": url.PathEscape,
		"list":    func(words ...string) []string { return words },
		"neg":     func(n int) int { return -n },
		"age": func(seconds int) string {
			if seconds < 5 {
				return map[string]string{"zh": "刚刚"}[lang] + map[string]string{"en": "just now"}[lang]
			}
			if seconds < 120 {
				return fmt.Sprintf(map[string]string{"zh": "%d 秒前", "en": "%d s ago"}[lang], seconds)
			}
			return fmt.Sprintf(map[string]string{"zh": "%d 分钟前", "en": "%d min ago"}[lang], seconds/60)
		},
		"fleetword": func(s string) string { return fleetWord(s, lang) },
		"stack":     stackOf,
		"column":    func(n, most int) int { return scaled(n, most, 100) },
	}
}

// many is a whole number with a thin space between thousands.
func many(n any) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "\u202f" + text[at:]
	}
	return text
}

func portion(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", float64(part)/float64(whole)*100)
}

// scaled is n on a scale of so many units; what is there at all has one.
func scaled(n, most, units int) int {
	if n == 0 || most == 0 {
		return 0
	}
	return max(n*units/most, 1)
}

// stackPart is one part of a stacked bar: its word, its number, and where it is in a bar of 1000 units.
type stackPart struct {
	Class      string
	N, X, Wide int
}

// stackOf are the parts of a bar of levels.
func stackOf(l api.Levels) (parts []stackPart) {
	x, total := 0, l.Total()
	for _, p := range []stackPart{{Class: "none", N: l.None}, {Class: "weak", N: l.Weak}, {Class: "accepted", N: l.Accepted}, {Class: "strong", N: l.Strong}} {
		p.X, p.Wide = x, scaled(p.N, total, 1000)
		if p.X+p.Wide > 1000 {
			p.Wide = max(1000-p.X, 0)
		}
		x += p.Wide
		if p.N > 0 {
			parts = append(parts, p)
		}
	}
	return parts
}
