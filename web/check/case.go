package check

import (
	"net/http"
	"strconv"
)

// caseShown is what became of one case.
type caseShown struct {
	Number string
	Report *ReportState
	Claim  *ClaimState
}

func (p *Pages) mountCase() {
	p.get("/case", p.casePage)
	p.post("/case", p.readCase)
}

func (p *Pages) casePage(w http.ResponseWriter, r *http.Request) {
	if _, err := query(r); err != nil {
		p.refused(w, r, http.StatusBadRequest, "")
		return
	}
	p.show(w, r, http.StatusOK, "case", view{Title: two(r, "What became of my case?", "我的案件进展"), Data: caseShown{}})
}

// readCase shows a case to whoever has its number and its code. A number that is none and a wrong code are told the
// same and counted by address. Not by number: somebody else's guesses would keep its owner out, and at the pace of
// Limits.All a code of 40 bits is safe for longer than a case lasts.
func (p *Pages) readCase(w http.ResponseWriter, r *http.Request) {
	f, err := form(r, "number", "code")
	if err != nil {
		p.refused(w, r, http.StatusBadRequest, "")
		return
	}
	v := view{Title: two(r, "What became of my case?", "我的案件进展"), Data: caseShown{}}
	n, ok := parseCase(f.Get("number"), f.Get("code"))
	if !ok {
		v.Wrong = two(r, "Type the number, such as RPT-12, and the code that was given with it.", "请输入编号 (如 RPT-12) 及其查询码。")
		p.show(w, r, http.StatusUnprocessableEntity, "case", v)
		return
	}
	now, who := p.Clock(), p.who(r)
	if !p.limits.wrong.Left(who, now) {
		tooMany(w)
		return
	}
	shown := caseShown{Number: n.kind + "-" + strconv.Itoa(n.number)}
	if n.kind == "RPT" {
		var s ReportState
		if s, ok = p.Cases.ReportState(r.Context(), n.number, n.end); ok {
			shown.Report = &s
		}
	} else {
		var s ClaimState
		if s, ok = p.Cases.ClaimState(r.Context(), n.number, n.end); ok {
			shown.Claim = &s
		}
	}
	if !ok {
		p.limits.wrong.Allow(who, now)
		v.Wrong = two(r, "There is no case with this number and this code. Both stand on the page that you were shown when it was taken.", "没有与此编号和查询码相符的案件。两者均显示在受理时的页面上。")
		p.show(w, r, http.StatusNotFound, "case", v)
		return
	}
	v.Data = shown
	p.show(w, r, http.StatusOK, "case-state", v)
}
