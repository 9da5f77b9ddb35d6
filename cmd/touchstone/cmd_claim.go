package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/redress"
	"touchstone/sqlite"
	"touchstone/transaction"
)

// claimCmd is a consumer's claim from the receipt to the money.
type claimCmd struct {
	Make     claimMake     `cmd:"" help:"Take a claim down from a receipt: date, amount, last four digits, terminal."`
	Show     claimShow     `cmd:"" help:"The state of one claim, to whoever has its number."`
	List     claimList     `cmd:"" help:"Every claim."`
	Evidence claimEvidence `cmd:"" help:"What the decision rests on: the sale's verdict, proof by proof, and what became of it."`
	Decide   claimDecide   `cmd:"" help:"Approve or refuse, by two people; what is approved is paid at once, and once."`
}

// Help is shown by touchstone claim --help.
func (claimCmd) Help() string {
	return `  touchstone claim make --data shop --date 2026-11-28 --amount 88.00 --last4 3157 --terminal 00000023
  touchstone claim show CLM-1-K3QXW7ZD2M5T --data shop --lang zh
  touchstone claim evidence CLM-1-K3QXW7ZD2M5T --data shop
  touchstone claim decide CLM-1-K3QXW7ZD2M5T --data shop --approve --refund 88.00 --as chen --with wang
  touchstone claim decide CLM-1-K3QXW7ZD2M5T --data shop --approve --refund 88.00 --compensation 20.00 --payer maker \
      --why "terminal of an uncertified version" --as chen --with wang`
}

type claimMake struct {
	actFlags
	Date     string `name:"date" required:"" help:"Of the receipt, YYYY-MM-DD." placeholder:"DATE"`
	Amount   string `name:"amount" required:"" help:"Of the receipt, such as 88.00." placeholder:"YUAN"`
	Last4    string `name:"last4" required:"" help:"Last four digits of the card." placeholder:"DIGITS"`
	Terminal string `name:"terminal" required:"" help:"The terminal's number on the receipt." placeholder:"ID"`
	RRN      string `name:"rrn" help:"The reference number on the receipt; needed where two sales look the same." placeholder:"N"`
	Incident string `name:"incident" help:"The incident that the consumer was told of." placeholder:"INC-1"`
	Reason   string `name:"reason" help:"What the consumer says." placeholder:"TEXT"`
}

// Run makes the claim.
func (c *claimMake) Run(a *app) error {
	request := &claimChange{Last4: c.Last4, Terminal: c.Terminal, Incident: c.Incident, Reason: c.Reason}
	day, err := time.Parse("2006-01-02", c.Date)
	if err != nil {
		return errors.New("--date: want YYYY-MM-DD as on the receipt")
	}
	request.Date = pos.Date(day.Year()*10000 + int(day.Month())*100 + day.Day())
	if request.Amount, err = pos.ParseAmount(c.Amount); err != nil {
		return errors.New("--amount: want yuan such as 88.00")
	}
	if c.RRN != "" {
		if request.RRN, err = strconv.ParseUint(c.RRN, 10, 63); err != nil || len(c.RRN) > 12 {
			return errors.New("--rrn: want the 12 digits of the receipt")
		}
	}
	_, err = c.perform(a, change{Claim: request})
	return err
}

// claimsQuery asks for claims.
type claimsQuery struct {
	ID       string `json:"id,omitempty"` // one, by its whole number
	Incident string `json:"incident,omitempty"`
	After    int    `json:"after,omitempty"` // how many to pass over
}

// claimsPage is the most claims of one answer.
const claimsPage = 500

// claimNow is a claim with its sale as it is now.
type claimNow struct {
	redress.Claim
	SaleState    string     `json:"sale_state,omitempty"`
	SaleRefunded pos.Amount `json:"sale_refunded,omitempty"`
}

type claimsAnswer struct {
	Claims []claimNow `json:"claims"`
	More   bool       `json:"more,omitempty"`
}

// errNoClaim is what is told of a number that is none; a wrong suffix is told the same.
var errNoClaim = errors.New("no such claim: give the whole number, such as CLM-1-K3QXW7ZD2M5T")

func (e *engine) claims(q *claimsQuery) (a claimsAnswer, err error) {
	e.office.view(func(r *rooms) {
		if q.ID != "" {
			if c := r.redress.Claim(strings.ToUpper(q.ID)); c != nil {
				a.Claims = append(a.Claims, claimNow{Claim: *c})
			}
			return
		}
		list := r.redress.Claims(q.Incident)
		list = list[min(max(q.After, 0), len(list)):]
		a.More = len(list) > claimsPage
		for _, c := range list[:min(claimsPage, len(list))] {
			a.Claims = append(a.Claims, claimNow{Claim: *c})
		}
	})
	if q.ID == "" {
		return a, nil
	}
	if len(a.Claims) == 0 {
		return a, errNoClaim
	}
	c := &a.Claims[0]
	sale, ok, err := e.ledger.SaleNow(c.Sale)
	if err != nil {
		return claimsAnswer{}, err
	}
	if ok {
		c.SaleState, c.SaleRefunded = sale.State.String(), sale.Refunded
	}
	return a, nil
}

type claimShow struct {
	directoryFlags
	ID   string `arg:"" help:"The claim's number." placeholder:"CLM-N-XXXXXXXXXXXX"`
	JSON bool   `name:"json" help:"One JSON object."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// Run shows the claim.
func (c *claimShow) Run(a *app) error {
	show, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	claim, err := c.ask(a, c.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(claim)
	}
	return show.claim(claim)
}

// ask asks for one claim.
func (f *directoryFlags) ask(a *app, id string) (*claimNow, error) {
	var answer claimsAnswer
	if err := f.question(a, change{Claims: &claimsQuery{ID: id}}, &answer); err != nil {
		return nil, err
	}
	if len(answer.Claims) != 1 {
		return nil, errNoClaim
	}
	return &answer.Claims[0], nil
}

// claim shows a claim to a consumer.
func (l *lines) claim(c *claimNow) error {
	fmt.Fprintf(l.w, "%s  %s\n", c.ID, l.claimState(c.State))
	fmt.Fprintf(l.w, "  %s %s, %s **** %s, %s %s, %s %s\n", l.two("receipt", "签购单"), date(c.Date), l.two("card", "卡号末四位"), c.Last4,
		l.two("terminal", "终端"), c.Terminal, l.two("amount", "金额"), c.Amount)
	fmt.Fprintf(l.w, "  %s %s  (%s)\n", l.two("received", "受理"), l.minute(c.At), c.Incident)
	if c.State == redress.ClaimOpen {
		_, err := fmt.Fprintf(l.w, "  %s\n", l.two("two people look at it; you need do nothing", "两名工作人员正在核查, 您无需办理任何手续"))
		return err
	}
	fmt.Fprintf(l.w, "  %s %s\n", l.two("decided", "决定"), l.minute(c.DecidedAt))
	if c.State == redress.ClaimRefused {
		fmt.Fprintf(l.w, "  %s: %s\n", l.two("because", "原因"), c.Why)
	}
	for _, p := range []struct {
		part   journal.Part
		name   string
		amount pos.Amount
	}{{journal.RefundPart, l.two("refund to the card", "退回原卡"), c.Refund}, {journal.CompensationPart, l.two("compensation to the card", "补偿至原卡"), c.Compensation}} {
		if p.amount == 0 {
			continue
		}
		became := l.two("on its way", "办理中")
		for _, s := range c.Settled {
			switch {
			case s.Part == p.part && s.Refused != "":
				became = l.two("not paid: ", "未能支付: ") + s.Refused
			case s.Part == p.part:
				became = fmt.Sprintf(l.two("paid %s, reference %012d", "%s 已付, 参考号 %012d"), l.minute(s.At), s.Entry)
			}
		}
		fmt.Fprintf(l.w, "  %s %s: %s\n", p.name, p.amount, became)
	}
	return nil
}

func (l *lines) claimState(s redress.ClaimState) string {
	switch s {
	case redress.ClaimOpen:
		return l.two("open", "处理中")
	case redress.ClaimApproved:
		return l.two("approved", "已批准")
	case redress.ClaimPaid:
		return l.two("paid", "已支付")
	case redress.ClaimRefused:
		return l.two("refused", "已拒绝")
	case redress.ClaimLapsed:
		return l.two("approved, not all of it could be paid", "已批准, 但有款项未能支付")
	}
	return string(s)
}

func date(d pos.Date) string {
	return fmt.Sprintf("%04d-%02d-%02d", uint32(d)/10000, uint32(d)/100%100, uint32(d)%100)
}

type claimList struct {
	directoryFlags
	Incident string `name:"incident" help:"Of this incident only." placeholder:"INC-1"`
	JSON     bool   `name:"json" help:"One JSON object a line."`
	Lang     string `name:"lang" default:"en" help:"en or zh."`
}

// Run lists the claims.
func (c *claimList) Run(a *app) error {
	show, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	seen := 0
	for more := true; more; {
		var answer claimsAnswer
		if err := c.question(a, change{Claims: &claimsQuery{Incident: c.Incident, After: seen}}, &answer); err != nil {
			return err
		}
		for i := range answer.Claims {
			x := &answer.Claims[i].Claim
			if c.JSON {
				err = json.NewEncoder(a.stdout).Encode(x)
			} else {
				_, err = fmt.Fprintf(a.stdout, "%s  %s  %s  %s  **** %s %12s  %s\n", pad(x.ID, 20), pad(x.Incident, 8), date(x.Date), x.Terminal, x.Last4, x.Amount,
					show.claimState(x.State))
			}
			if err != nil {
				return err
			}
		}
		seen += len(answer.Claims)
		more = answer.More && len(answer.Claims) > 0
	}
	if seen == 0 && !c.JSON {
		_, err = fmt.Fprintln(a.stdout, show.two("no claims", "没有索赔"))
	}
	return err
}

type claimEvidence struct {
	directoryFlags
	ID   string `arg:"" help:"The claim's number."`
	JSON bool   `name:"json" help:"The claim and the verdict, one JSON object each."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// Run shows the sale's verdict and what became of the sale.
func (c *claimEvidence) Run(a *app) error {
	show, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	claim, err := c.ask(a, c.ID)
	if err != nil {
		return err
	}
	r, err := sqlite.OpenReader(c.Data)
	if err != nil {
		return err
	}
	defer r.Close()
	entry, err := r.Entry(a.ctx, claim.Sale)
	if err != nil {
		return err
	}
	if c.JSON {
		if err := json.NewEncoder(a.stdout).Encode(claim); err != nil {
			return err
		}
		return writeJSON(a.stdout, entry)
	}
	if err := show.claim(claim); err != nil {
		return err
	}
	if claim.Reason != "" {
		fmt.Fprintf(a.stdout, "  %s: %s\n", show.two("the consumer says", "消费者陈述"), claim.Reason)
	}
	fmt.Fprintf(a.stdout, "  %s: %s %s, %s %s, %s %s\n\n", show.two("its sale now", "该笔消费现状"), show.two("reference", "参考号"), transaction.RRNOf(claim.Sale),
		show.saleState(claim.SaleState), claim.Amount, show.two("refunded", "已退"), claim.SaleRefunded)
	return writeVerdict(a.stdout, entry, show.catalogue, show.lang)
}

func (l *lines) saleState(s string) string {
	switch s {
	case transaction.Standing.String():
		return l.two("stands", "有效")
	case transaction.Voided.String():
		return l.two("voided", "已撤销")
	case transaction.Reversed.String():
		return l.two("reversed", "已冲正")
	}
	return s
}

type claimDecide struct {
	actFlags
	ID           string `arg:"" help:"The claim's number."`
	Approve      bool   `name:"approve" xor:"word" required:"" help:"Pay."`
	Refuse       bool   `name:"refuse" xor:"word" required:"" help:"Pay nothing; needs --why."`
	Refund       string `name:"refund" help:"To the card, within the sale's amount." placeholder:"YUAN"`
	Compensation string `name:"compensation" help:"To the card, beyond the sale's amount; needs --payer and --why." placeholder:"YUAN"`
	Payer        string `name:"payer" help:"Who bears the compensation: acquirer, merchant, maker, insurer."`
	Why          string `name:"why" help:"The reason." placeholder:"TEXT"`
}

// Run decides.
func (c *claimDecide) Run(a *app) (err error) {
	d := redress.Decision{Approve: c.Approve, Payer: redress.Payer(c.Payer), Why: c.Why}
	for _, x := range []struct {
		flag, text string
		to         *pos.Amount
	}{{"refund", c.Refund, &d.Refund}, {"compensation", c.Compensation, &d.Compensation}} {
		if x.text == "" {
			continue
		}
		if *x.to, err = pos.ParseAmount(x.text); err != nil {
			return fmt.Errorf("--%s: want yuan such as 88.00", x.flag)
		}
	}
	_, err = c.perform(a, change{Decision: &decisionChange{strings.ToUpper(c.ID), d}})
	return err
}
