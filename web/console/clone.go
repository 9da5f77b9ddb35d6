package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"touchstone/web"
	"touchstone/web/api"
)

// mountClones are the terminals of which two devices are suspected.
func (c *Console) mountClones() {
	c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/clones", Rule: web.Staff}, http.HandlerFunc(c.clones))
	c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/clones/{id}", Rule: web.Staff}, http.HandlerFunc(c.clone))
	c.router.Handle(web.Route{Method: http.MethodPost, Pattern: "/clones/{id}/clear", Rule: web.Staff}, http.HandlerFunc(c.clearClone))
}

// cloneList is the data of the page /clones.
type cloneList struct {
	State string
	Page  api.Page[api.Clone]
	Older string
}

func (c *Console) clones(w http.ResponseWriter, r *http.Request) {
	q := &api.CloneQuery{AsOf: asOf(r), Paging: api.Paging{Limit: 50, Cursor: r.URL.Query().Get("cursor")}, State: "open"}
	if s := r.URL.Query().Get("state"); s == "cleared" || s == "all" {
		q.State = s
	}
	page, err := c.Desk.Clones.Clones(r.Context(), web.CallerOf(r.Context()), q)
	if err != nil {
		c.failAsOf(w, r, err, "/clones")
		return
	}
	d := &cloneList{State: q.State, Page: page}
	if page.Next != "" {
		older := url.Values{"state": {q.State}, "cursor": {page.Next}}
		if q.AsOf.AsOf != "" {
			older.Set("as_of", q.AsOf.AsOf)
		}
		d.Older = "/clones?" + older.Encode()
	}
	c.show(w, r, "clones", view{Title: two(r, "Clones", "克隆"), Active: "clones", Sheets: []string{"transaction.css"}, Data: d})
}

func (c *Console) clone(w http.ResponseWriter, r *http.Request) {
	then := asOf(r)
	t, err := c.Desk.Clones.Clone(r.Context(), web.CallerOf(r.Context()), cloneID(r), &then)
	if err != nil {
		c.failAsOf(w, r, err, r.URL.Path)
		return
	}
	c.showClone(w, r, http.StatusOK, &t, "", "")
}

// cloneID is the terminal of a path, which people write without its prefix.
func cloneID(r *http.Request) string { return "ter_" + strings.TrimPrefix(r.PathValue("id"), "ter_") }

func (c *Console) showClone(w http.ResponseWriter, r *http.Request, status int, t *api.CloneDetail, told, failed string) {
	if p := r.URL.Query().Get("proposal"); p != "" && told == "" && failed == "" {
		told = fmt.Sprintf(two(r, "Proposal %.40s: a second person approves it under Staff, Proposals.", "提案 %.40s：须由第二人在“人员 / 提案”中批准。"), p)
	}
	if r.URL.Query().Has("cleared") && failed == "" {
		told = two(r, "The suspicion is cleared.", "嫌疑已解除。")
	}
	c.showAs(w, r, status, "clone", view{Title: two(r, "Clone: terminal ", "克隆：终端 ") + t.Terminal, Active: "clones", Sheets: []string{"transaction.css"}, Told: told, Failed: failed, Data: newClonePage(t)})
}

// clearClone ends a suspicion after a visit; a second person has to agree.
func (c *Console) clearClone(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.PathValue("id"), "ter_")
	done, err := c.act(r, "clone_clear", map[string]any{"terminal": id, "note": strings.TrimSpace(r.PostFormValue("note"))})
	var p *api.Problem
	if errors.As(err, &p) && p.Status < 500 && p.Status != http.StatusNotFound {
		t, err := c.Desk.Clones.Clone(r.Context(), web.CallerOf(r.Context()), cloneID(r), &api.AsOf{})
		if err != nil {
			c.fail(w, r, err)
			return
		}
		c.showClone(w, r, p.Status, &t, "", c.inLanguage(r, p.Message))
		return
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	to := "/clones/" + url.PathEscape(id) + "?cleared"
	if done.Proposal != "" {
		to = "/clones/" + url.PathEscape(id) + "?proposal=" + url.QueryEscape(done.Proposal)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// clonePage is the data of the page of one terminal in two lanes.
type clonePage struct {
	T       *api.CloneDetail
	Steps   []cloneStep
	Lines   []cloneLine // from each message to the next: where they cross, the identity changed its device
	Height  int
	Limit   int // where on the scale two devices are suspected
	Crossed int // how often the identity changed its device
}

// cloneStep is one message in the drawing; coordinates are those of the SVG.
type cloneStep struct {
	*api.CloneMessage
	Y, X int
	Text string
	Bar  int
	More []cloneSaid
	Told int // where the line stands that two devices are suspected
}

// cloneSaid is a saying and its line.
type cloneSaid struct {
	api.CloneSaying
	Y int
}

type cloneLine struct {
	X1, Y1, X2, Y2 int
	Cross          bool
}

// The drawing's measures, in units of the SVG.
const (
	laneTop    = 48  // room for the lanes' names
	laneStep   = 26  // a message
	laneMore   = 17  // a further saying
	laneA      = 246 // the lanes
	laneB      = 310 //
	laneNone   = 278 // a message whose lane cannot be told stands between them
	scaleLeft  = 470 // the likelihood
	scaleWidth = 96  //
	saysLeft   = 582 // what a message says
)

func newClonePage(t *api.CloneDetail) *clonePage {
	p := &clonePage{T: t, Height: laneTop}
	most := max(t.Suspect*1.6, 1)
	for i := range t.Messages {
		most = max(most, t.Messages[i].Total)
	}
	p.Limit = scaleLeft + int(t.Suspect/most*scaleWidth)
	last := ""
	for i := range t.Messages {
		m := &t.Messages[i]
		s := cloneStep{CloneMessage: m, Y: p.Height + laneStep/2, X: laneNone, Bar: max(int(m.Total/most*scaleWidth), 0)}
		switch m.Lane {
		case "A":
			s.X = laneA
		case "B":
			s.X = laneB
		}
		s.Text = strings.TrimSpace(m.MTI + " " + m.Trace + " " + m.Answer)
		for j, x := range m.Says {
			s.More = append(s.More, cloneSaid{x, s.Y + j*laneMore})
		}
		if n := len(p.Steps); n > 0 && m.Lane != "" {
			if last != "" && last != m.Lane {
				p.Crossed++
			}
			from := &p.Steps[n-1]
			p.Lines = append(p.Lines, cloneLine{from.X, from.Y, s.X, s.Y, last != "" && last != m.Lane})
		}
		if m.Lane != "" {
			last = m.Lane
		}
		s.Told = s.Y + len(m.Says)*laneMore
		p.Height += laneStep + max(len(m.Says)-1, 0)*laneMore
		if m.Tells {
			p.Height += laneMore
		}
		p.Steps = append(p.Steps, s)
	}
	p.Height += 12
	return p
}

// ScaleX, LaneA and LaneB are where the drawing has them.
func (p *clonePage) ScaleX() int { return scaleLeft }

// SaysX is the x of what messages say.
func (p *clonePage) SaysX() int { return saysLeft }

// LaneA is the x of the first lane.
func (p *clonePage) LaneA() int { return laneA }

// LaneB is the x of the second.
func (p *clonePage) LaneB() int { return laneB }
