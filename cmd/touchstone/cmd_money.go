package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"touchstone/redress"
	"touchstone/sqlite"
)

// moneyCmd tells whether claimed, approved and paid agree.
type moneyCmd struct {
	journalDirectory
	Incident string `name:"incident" help:"Claims of this incident only." placeholder:"INC-1"`
	JSON     bool   `name:"json" help:"One JSON object; amounts are minor units."`
	Lang     string `name:"lang" default:"en" help:"en or zh."`
}

// Help is shown by touchstone money --help.
func (moneyCmd) Help() string {
	return `Reads the whole journal, twice, and computes the equation from its entries alone: approved = paid + due + lapsed, and what
left for cards is what the claims account for. The exit code is 1 when it does not hold.

  touchstone money --data shop --incident INC-1`
}

// Run computes and prints.
func (c *moneyCmd) Run(a *app) error {
	show, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	r, err := c.open()
	if err != nil {
		return err
	}
	defer r.Close()
	m, err := moneyOf(a.ctx, r, c.Incident)
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(a.stdout).Encode(m)
	} else {
		err = show.money(m)
	}
	if err == nil && !m.Reconciles {
		err = exitError{1}
	}
	return err
}

// moneyOf folds the journal, up to what is durable at the beginning.
func moneyOf(ctx context.Context, r *sqlite.Reader, incident string) (*redress.Money, error) {
	books, _, err := foldBooks(ctx, r, incident)
	if err != nil {
		return nil, err
	}
	return books.Money(), nil
}

// money prints the equation.
func (l *lines) money(m *redress.Money) error {
	whole := l.two("all claims", "全部索赔")
	if m.Incident != "" {
		whole = m.Incident
	}
	fmt.Fprintf(l.w, "%s  (%s)\n", whole, fmt.Sprintf(l.two("computed from journal entries 1 to %d", "据日志第 1 至 %d 条计算"), m.Through))
	row := func(name string, n int, amount fmt.Stringer) {
		fmt.Fprintf(l.w, "  %s %6d  %12s\n", pad(name, 26), n, amount)
	}
	row(l.two("claimed", "已索赔"), m.Claims, m.Claimed)
	row(l.two("  not decided", "  待决定"), m.Open, m.OpenAmount)
	row(l.two("  refused", "  已拒绝"), m.Refused, m.RefusedAmount)
	row(l.two("approved", "已批准"), m.Approved, m.Refunds.Approved+m.Compensation.Approved)
	for _, part := range []struct {
		name string
		line redress.Line
	}{{l.two("refunds", "退款"), m.Refunds}, {l.two("compensation", "补偿"), m.Compensation}} {
		fmt.Fprintf(l.w, "  %s %s %s = %s %s + %s %s + %s %s\n", pad(part.name, 14), l.two("approved", "批准"), part.line.Approved,
			l.two("paid", "已付"), part.line.Paid, l.two("due", "待付"), part.line.Due, l.two("lapsed", "未能支付"), part.line.Lapsed)
	}
	for _, p := range redress.Payers {
		if amount := m.ByPayer[p]; amount != 0 {
			fmt.Fprintf(l.w, "    %s %s\n", pad(l.payer(p), 12), amount)
		}
	}
	fmt.Fprintf(l.w, "  %s %s = %s %s + %s %s\n", l.two("credited to cards", "已入卡金额"), m.Out, l.two("refunds", "退款"), m.Refunds.Paid,
		l.two("compensation", "补偿"), m.Compensation.Paid)
	for _, d := range slices.Clone(m.Differs) {
		fmt.Fprintf(l.w, "  %s: %s\n", l.two("DIFFERS", "不符"), d)
	}
	verdict := l.two("reconciles to the cent", "分毫不差, 账目相符")
	if m.Incident != "" && m.Claims == 0 { // a slip of the keyboard is not taken for books that agree
		verdict = l.two("the journal has no claim of "+m.Incident, "日志中没有 "+m.Incident+" 的索赔")
	}
	if !m.Reconciles {
		verdict = l.two("DOES NOT RECONCILE", "账目不符")
	}
	_, err := fmt.Fprintf(l.w, "  %s\n", verdict)
	return err
}

// payer names who bears a compensation.
func (l *lines) payer(p redress.Payer) string {
	switch p {
	case redress.PayAcquirer:
		return l.two("acquirer", "收单机构")
	case redress.PayMerchant:
		return l.two("merchant", "商户")
	case redress.PayMaker:
		return l.two("maker", "厂商")
	case redress.PayInsurer:
		return l.two("insurer", "保险公司")
	}
	return string(p)
}
