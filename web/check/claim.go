package check

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"touchstone/pos"
)

// maxWhy is the most bytes of what a claimant says, maxRRN the digits of a reference number.
const (
	maxWhy = 300
	maxRRN = 12
)

// claimForm is what the page shows: what was typed, but for the reason nothing is lost.
type claimForm struct {
	Date, Amount, Last4, Terminal, RRN, Reason string
	Today                                      time.Time
}

func (p *Pages) mountClaim() {
	p.get("/claim", p.claimPage)
	p.post("/claim", p.claim)
}

func (p *Pages) claimPage(w http.ResponseWriter, r *http.Request) {
	if _, err := query(r); err != nil {
		p.refused(w, r, http.StatusBadRequest, "")
		return
	}
	p.showClaim(w, r, http.StatusOK, claimForm{}, "")
}

func (p *Pages) showClaim(w http.ResponseWriter, r *http.Request, status int, f claimForm, wrong string) {
	f.Today = p.Clock()
	p.show(w, r, status, "claim", view{Title: two(r, "Claim your money back", "申请退款"), Wrong: wrong, Data: f})
}

// claim takes a claim down. Why a receipt does not fit is not told: it would say of any guess which part was right.
func (p *Pages) claim(w http.ResponseWriter, r *http.Request) {
	f, err := form(r, "date", "amount", "last4", "terminal", "rrn", "reason")
	if err != nil {
		p.refused(w, r, http.StatusBadRequest, "")
		return
	}
	clean := func(name string) string { return strings.TrimSpace(narrow(f.Get(name))) }
	back := claimForm{Date: clean("date"), Amount: clean("amount"), Last4: clean("last4"), Terminal: clean("terminal"), RRN: clean("rrn"), Reason: strings.TrimSpace(f.Get("reason"))}
	made, wrong := p.readClaim(r, &back)
	if wrong != "" {
		p.showClaim(w, r, http.StatusUnprocessableEntity, back, wrong)
		return
	}
	now, who := p.Clock(), p.who(r)
	if !p.limits.filings.Allow(who, now) {
		tooMany(w)
		return
	}
	if !p.limits.claims.AllowN(now, 1) {
		p.showClaim(w, r, http.StatusTooManyRequests, back, two(r, "More claims came in than can be looked at now. Yours was not taken: try again in an hour.", "收到的申请过多, 您的申请未被受理: 请一小时后再试。"))
		return
	}
	whole, err := p.Cases.Claim(r.Context(), made)
	switch {
	case errors.Is(err, ErrNoMatch):
		p.showClaim(w, r, http.StatusUnprocessableEntity, back, two(r,
			"No claim can be made for this receipt here. Check the date, the amount, the last four digits and the terminal's number, and add the reference number. If the sale was an ordinary one, ask the shop for a refund; if you claimed already, read the state of that claim.",
			"此签购单无法在此申请退款。请核对日期、金额、卡号末四位和终端号, 并填写参考号。若为普通交易, 请向商户申请退货; 若已申请过, 请查询该申请的状态。"))
		return
	case err != nil:
		p.failed(w, r, err)
		return
	}
	number, code := split(whole)
	p.show(w, r, http.StatusOK, "filed", view{Title: two(r, "Your claim was taken", "申请已受理"), Data: filed{Number: number, Code: code, Claim: true, At: now}})
}

// readClaim reads what was typed. Whatever looks like a card number is not shown again either.
func (p *Pages) readClaim(r *http.Request, f *claimForm) (*Claim, string) {
	for _, field := range []*string{&f.Date, &f.Amount, &f.Last4, &f.Terminal, &f.RRN, &f.Reason} {
		if pos.HasPAN(*field) || field != &f.Reason && len(*field) > 40 {
			*field = ""
			return nil, panText(r)
		}
	}
	c := &Claim{Last4: f.Last4, Terminal: f.Terminal, Reason: f.Reason}
	var err error
	if c.Date, err = time.ParseInLocation(time.DateOnly, strings.NewReplacer("/", "-", ".", "-").Replace(f.Date), p.Zone); err != nil || c.Date.After(p.Clock()) || c.Date.Year() < 2000 {
		return nil, two(r, "The date is that of the receipt, such as 2026-11-28.", "日期请按签购单填写, 如 2026-11-28。")
	}
	if c.Amount, err = pos.ParseAmount(f.Amount); err != nil || c.Amount <= 0 {
		return nil, two(r, "The amount is that of the receipt, such as 88.00.", "金额请按签购单填写, 如 88.00。")
	}
	if len(f.Last4) != 4 || strings.Trim(f.Last4, "0123456789") != "" {
		return nil, two(r, "Of the card number the last four digits, and no more.", "卡号只填末四位。")
	}
	if _, err := pos.ParseTerminalID(f.Terminal); err != nil {
		return nil, two(r, "The terminal's number on the receipt has 8 characters.", "签购单上的终端号为 8 位。")
	}
	if f.RRN != "" {
		if c.RRN, err = strconv.ParseUint(f.RRN, 10, 63); err != nil || len(f.RRN) > maxRRN {
			return nil, two(r, "The reference number has 12 digits.", "参考号为 12 位数字。")
		}
	}
	if len(f.Reason) > maxWhy {
		return nil, two(r, "What happened: in up to 300 characters (about 100 Chinese ones).", "情况说明最多约 100 个汉字。")
	}
	return c, ""
}
