package console

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"touchstone/web"
	"touchstone/web/api"
)

type releasesPage struct {
	api.Releases
	MayChange bool
}

// fleetReleases shows the versions of every model.
func (c *Console) fleetReleases(w http.ResponseWriter, r *http.Request) { c.showReleases(w, r, "") }

func (c *Console) showReleases(w http.ResponseWriter, r *http.Request, why string) {
	who := web.CallerOf(r.Context())
	a, err := c.Desk.Updates.Releases(r.Context(), who, &api.UpdateQuery{AsOf: asOf(r), State: r.URL.Query().Get("state")})
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	p := releasesPage{a, who.May("security")}
	if why != "" {
		c.fleetAgain(w, r, "fleet-releases", two(r, "Releases", "版本"), "releases", p, why)
		return
	}
	c.fleetShow(w, r, "fleet-releases", two(r, "Releases", "版本"), "releases", p)
}

// changeRelease proposes another state of a release.
func (c *Console) changeRelease(w http.ResponseWriter, r *http.Request) {
	body := map[string]any{"model": r.PostFormValue("model"), "version": r.PostFormValue("version"), "state": r.PostFormValue("state"), "why": strings.TrimSpace(r.PostFormValue("why"))}
	c.carryOut(w, r, "release_state", body, back("/fleet/releases"), func(why string) { c.showReleases(w, r, why) })
}

type advisoriesPage struct {
	api.Page[api.Advisory]
	MayTake bool
}

// fleetAdvisories shows the weaknesses of models that are known.
func (c *Console) fleetAdvisories(w http.ResponseWriter, r *http.Request) { c.showAdvisories(w, r, "") }

// takeAdvisory takes a maker's document in.
func (c *Console) takeAdvisory(w http.ResponseWriter, r *http.Request) {
	again := func(why string) { c.showAdvisories(w, r, why) }
	files, err := c.sent(r, "file")
	switch {
	case err != nil:
		again(unkept(r, err))
		return
	case len(files) != 1:
		again(two(r, "Choose the maker’s document: CSAF 2.0 or OSV, a JSON file.", "请选择厂商文件: CSAF 2.0 或 OSV, JSON 格式。"))
		return
	}
	body := map[string]string{"file": files[0]}
	for _, field := range []string{"certificate", "link"} {
		if v := strings.TrimSpace(r.PostFormValue(field)); v != "" {
			body[field] = v
		}
	}
	c.carryOut(w, r, "advisory", body, func(d api.Done) string {
		if id := d.Facts["advisory"]; id != "" {
			return "/fleet/advisories/" + id
		}
		return "/fleet/advisories"
	}, again)
}

func (c *Console) showAdvisories(w http.ResponseWriter, r *http.Request, why string) {
	who := web.CallerOf(r.Context())
	a, err := c.Desk.Updates.Advisories(r.Context(), who, &api.UpdateQuery{AsOf: asOf(r), State: r.URL.Query().Get("state")})
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	p := advisoriesPage{a, who.May("security")}
	if why != "" {
		c.fleetAgain(w, r, "fleet-advisories", two(r, "Advisories", "安全公告"), "advisories", p, why)
		return
	}
	c.fleetShow(w, r, "fleet-advisories", two(r, "Advisories", "安全公告"), "advisories", p)
}

type advisoryPage struct {
	api.Advisory
	Radius  *api.Radius // nil: being counted
	MayAct  bool
	Staffed bool // the caller is of the staff
}

// fleetAdvisory shows one advisory and what it touches.
func (c *Console) fleetAdvisory(w http.ResponseWriter, r *http.Request) { c.showAdvisory(w, r, "") }

func (c *Console) showAdvisory(w http.ResponseWriter, r *http.Request, why string) {
	who := web.CallerOf(r.Context())
	at := asOf(r)
	a, err := c.Desk.Advisory(r.Context(), who, r.PathValue("id"), at)
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	p := advisoryPage{Advisory: a, MayAct: who.May("security"), Staffed: !who.Merchant()}
	radius, err := c.Desk.Updates.Radius(r.Context(), who, a.ID, &at)
	switch {
	case err == nil:
		p.Radius = &radius
	case !isCounting(err):
		c.fleetFail(w, r, err)
		return
	}
	if why != "" {
		c.fleetAgain(w, r, "fleet-advisory", a.ID, "advisories", p, why)
		return
	}
	c.fleetShow(w, r, "fleet-advisory", a.ID, "advisories", p)
}

// closeAdvisory closes an advisory that no longer counts.
func (c *Console) closeAdvisory(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	c.carryOut(w, r, "advisory", map[string]string{"close": id, "why": strings.TrimSpace(r.PostFormValue("why"))}, back("/fleet/advisories/"+id), func(why string) { c.showAdvisory(w, r, why) })
}

// advisoryDocument gives an advisory as a file.
func (c *Console) advisoryDocument(w http.ResponseWriter, r *http.Request) {
	q := api.ExportQuery{AsOf: asOf(r), ID: r.PathValue("id"), Format: r.URL.Query().Get("format")}
	switch q.Format {
	case "osv", "source":
	default:
		q.Format = "csaf"
	}
	raw, err := c.Desk.Updates.ExportAdvisory(r.Context(), web.CallerOf(r.Context()), &q)
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="`+q.ID+"-"+q.Format+`.json"`) // the id named an advisory: it has no quote
	_, _ = w.Write(raw)                                                                        // who asked is gone when this fails
}

// fleetCampaigns shows the campaigns that answer advisories.
func (c *Console) fleetCampaigns(w http.ResponseWriter, r *http.Request) {
	a, err := c.Desk.Updates.Campaigns(r.Context(), web.CallerOf(r.Context()), &api.UpdateQuery{AsOf: asOf(r), State: r.URL.Query().Get("state")})
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	c.fleetShow(w, r, "fleet-campaigns", two(r, "Campaigns", "整改"), "campaigns", a)
}

type campaignPage struct {
	api.CampaignDetail
	Chart  burnChart
	MayAct bool
}

// fleetCampaign shows how a campaign burns down, and those that are left.
func (c *Console) fleetCampaign(w http.ResponseWriter, r *http.Request) { c.showCampaign(w, r, "") }

func (c *Console) showCampaign(w http.ResponseWriter, r *http.Request, why string) {
	who := web.CallerOf(r.Context())
	at := asOf(r)
	a, err := c.Desk.Updates.Campaign(r.Context(), who, r.PathValue("id"), &at)
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	p := campaignPage{a, chartOf(&a, momentOf(&a), c.Zone), who.May("security")}
	if why != "" {
		c.fleetAgain(w, r, "fleet-campaign", a.ID, "campaigns", p, why)
		return
	}
	c.show(w, r, "fleet-campaign", view{Title: a.ID, Active: "fleet", Sheets: []string{"fleet.css", "uplot.css"}, Scripts: []string{"uplot.js", "burndown.js"}, Told: told(r), Data: fleetView{"campaigns", p}})
}

// momentOf is the moment that a campaign is told of.
func momentOf(a *api.CampaignDetail) time.Time {
	if a.Counted.AsOf != nil {
		return *a.Counted.AsOf
	}
	return time.Now()
}

// closeCampaign ends a campaign by hand.
func (c *Console) closeCampaign(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	c.carryOut(w, r, "campaign", map[string]string{"close": id, "why": strings.TrimSpace(r.PostFormValue("why"))}, back("/fleet/campaigns/"+id), func(why string) { c.showCampaign(w, r, why) })
}

// burnDown gives the chart's points to the script: seconds since 1970 and terminals left, and the deadline.
func (c *Console) burnDown(w http.ResponseWriter, r *http.Request) {
	at := asOf(r)
	a, err := c.Desk.Updates.Campaign(r.Context(), web.CallerOf(r.Context()), r.PathValue("id"), &at)
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	points := struct {
		At       []int64 `json:"at"`
		Left     []int   `json:"left"`
		Deadline int64   `json:"deadline"`
		Zone     string  `json:"zone"`
	}{[]int64{}, []int{}, a.Deadline.Unix(), c.Zone.String()}
	for _, p := range pointsOf(&a, momentOf(&a)) {
		points.At, points.Left = append(points.At, p.At.Unix()), append(points.Left, p.Left.Terminals)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(points) // who asked is gone when this fails
}

type startPage struct {
	Advisory    api.Advisory
	Open        []api.Advisory
	Radius      *api.Radius
	Hours       int
	Restriction string
	After       string
}

// newCampaign is the form of a campaign with a preview of what it would touch.
func (c *Console) newCampaign(w http.ResponseWriter, r *http.Request) {
	p, err := c.startPage(r, r.URL.Query().Get)
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	c.fleetShow(w, r, "fleet-campaign-new", two(r, "Begin a campaign", "启动整改"), "campaigns", p)
}

// The bounds of the form, and what it proposes.
const (
	campaignHours    = 48
	campaignMost     = 720
	campaignBefore   = "no_refund,online_only"
	campaignLaggards = "sign_in_only"
)

func (c *Console) startPage(r *http.Request, value func(string) string) (p startPage, err error) {
	who := web.CallerOf(r.Context())
	list, err := c.Desk.Updates.Advisories(r.Context(), who, &api.UpdateQuery{State: "open"})
	if err != nil {
		return p, err
	}
	p.Hours, p.Restriction, p.After = campaignHours, campaignBefore, campaignLaggards
	if n, err := strconv.Atoi(value("hours")); err == nil && n > 0 && n <= campaignMost {
		p.Hours = n
	}
	if v := strings.TrimSpace(value("restriction")); v != "" {
		p.Restriction = v
	}
	if v := strings.TrimSpace(value("after")); v != "" {
		p.After = v
	}
	for _, a := range list.Data {
		if a.Campaign == "" {
			p.Open = append(p.Open, a)
		}
		if a.ID == value("advisory") {
			p.Advisory = a
		}
	}
	if p.Advisory.ID == "" {
		return p, nil
	}
	radius, err := c.Desk.Updates.Radius(r.Context(), who, p.Advisory.ID, &api.AsOf{})
	if err == nil {
		p.Radius = &radius
	} else if isCounting(err) {
		err = nil
	}
	return p, err
}

// startCampaign proposes a campaign: two people begin one.
func (c *Console) startCampaign(w http.ResponseWriter, r *http.Request) {
	p, err := c.startPage(r, r.PostFormValue)
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	body := map[string]any{"advisory": r.PostFormValue("advisory"), "deadline_seconds": p.Hours * 3600, "restriction": p.Restriction, "after_deadline": p.After}
	c.carryOut(w, r, "campaign", body, back("/fleet/campaigns"), func(why string) {
		c.fleetAgain(w, r, "fleet-campaign-new", two(r, "Begin a campaign", "启动整改"), "campaigns", p, why)
	})
}
