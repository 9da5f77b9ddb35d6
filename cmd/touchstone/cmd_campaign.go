package main

import (
	"fmt"
	"strings"
	"time"

	"touchstone/fleet"
	"touchstone/pos"
)

// campaignCmd answers advisories by a deadline.
type campaignCmd struct {
	Start campaignStart `cmd:"" help:"Begin a campaign: two people."`
	List  campaignList  `cmd:"" help:"Every campaign."`
	Show  campaignShow  `cmd:"" help:"How a campaign burns down by the hour, and what is left."`
	Close campaignClose `cmd:"" help:"End a campaign by hand; it ends by itself when no terminal is left."`
}

// Help is shown by touchstone campaign --help.
func (campaignCmd) Help() string {
	return `Every terminal that an advisory touches gets one answer: upgrade to a version, or replace, because no fixed version runs on
this hardware. Until the deadline it may do what --restriction says, after it what --after-deadline says; with the first message
that presents a fixed version it may do everything again, and nobody has to do anything for it.

  touchstone campaign start --advisory ADV-1 --deadline 48h --restriction no_refund,online_only --after-deadline sign_in_only \
      --data shop --as qian --with sun
  touchstone campaign show CMP-1 --data shop`
}

type campaignStart struct {
	actFlags
	Advisory    string        `name:"advisory" required:"" help:"Such as ADV-1." placeholder:"ADV"`
	Deadline    time.Duration `name:"deadline" required:"" help:"How long terminals have, such as 48h; at most 720h."`
	Restriction string        `name:"restriction" default:"no_refund,online_only" help:"What a touched terminal may do until then: full, or some of no_refund, online_only, limit:500.00, or sign_in_only, blocked." placeholder:"PERMIT"`
	After       string        `name:"after-deadline" default:"sign_in_only" help:"What a laggard may do after it; never more than before." placeholder:"PERMIT"`
}

// Run begins the campaign.
func (c *campaignStart) Run(a *app) error {
	_, err := c.perform(a, change{Campaign: &campaignChange{Advisory: c.Advisory, Seconds: int64(c.Deadline / time.Second), Restriction: c.Restriction, After: c.After}})
	return err
}

type campaignClose struct {
	actFlags
	ID  string `arg:"" help:"Such as CMP-1."`
	Why string `name:"why" required:"" help:"Why it ends."`
}

// Run ends the campaign.
func (c *campaignClose) Run(a *app) error {
	_, err := c.perform(a, change{Campaign: &campaignChange{Close: c.ID, Why: c.Why}})
	return err
}

type campaignList struct{ readFlags }

// Run lists the campaigns.
func (c *campaignList) Run(a *app) error {
	answer, l, shown, err := c.ask(a, updatesQuery{What: "campaigns"})
	if err != nil || shown {
		return err
	}
	if len(answer.Campaigns) == 0 {
		_, err := fmt.Fprintln(a.stdout, l.two("no campaigns", "没有整改活动"))
		return err
	}
	for _, x := range answer.Campaigns {
		fmt.Fprintf(a.stdout, " %s %s %s %s %s\n", pad(x.ID, 8), pad(campaignStateText(l, x.State), 7), pad(x.Advisory, 8),
			pad(fmt.Sprintf(l.two("%d terminals", "%d 台终端"), x.Start.Terminals), 16), deadlineText(l, &x, answer.Now))
	}
	return nil
}

func campaignStateText(l *lines, s fleet.CampaignState) string {
	if s == fleet.CampaignOpen {
		return l.two("open", "进行中")
	}
	return l.two("closed", "已结束")
}

func deadlineText(l *lines, c *fleet.Campaign, now pos.Instant) string {
	text := fmt.Sprintf(l.two("deadline %s", "期限 %s"), when(l, c.Deadline.Time()))
	if c.State == fleet.CampaignOpen {
		text += ", " + lateBy(l, c.Deadline, now)
	}
	return text
}

type campaignShow struct {
	readFlags
	ID    string `arg:"" help:"Such as CMP-1."`
	Limit int    `name:"limit" default:"20" help:"The most terminals listed."`
}

// Run shows how a campaign stands.
func (c *campaignShow) Run(a *app) error {
	answer, l, shown, err := c.ask(a, updatesQuery{What: "campaign", ID: c.ID})
	if err != nil || shown {
		return err
	}
	x := &answer.Campaigns[0]
	fmt.Fprintf(a.stdout, "\n %s  %s  %s  %s\n", x.ID, campaignStateText(l, x.State), x.Advisory, deadlineText(l, x, answer.Now))
	fmt.Fprintf(a.stdout, l.two(" until then: %s; after it: %s; begun %s by %s\n", " 期限前: %s; 期限后: %s; 开始于 %s, %s\n"), x.Restriction, x.After,
		when(l, x.Started.Time()), strings.Join(x.By, l.two(" and ", " 和 ")))
	if x.Why != "" {
		fmt.Fprintf(a.stdout, l.two(" ended %s by %s: %s\n", " 结束于 %s, %s: %s\n"), when(l, x.Closed.Time()), strings.Join(x.ClosedBy, ", "), x.Why)
	}
	for _, line := range burnDownChart(l, x, answer.BurnDown, *answer.Left, answer.Now) {
		fmt.Fprintln(a.stdout, line)
	}
	fmt.Fprintf(a.stdout, l.two("\n left %d of %d: %d to upgrade, %d to replace, %d to inspect\n", "\n 剩余 %d / %d: %d 台升级, %d 台更换, %d 台需检查\n"),
		answer.Left.Terminals, x.Start.Terminals, answer.Left.Upgrade, answer.Left.Replace, answer.Left.Inspect)
	for i := range answer.Terminals {
		if i == c.Limit {
			fmt.Fprintf(a.stdout, l.two(" and %d more: --limit\n", " 还有 %d 台: --limit\n"), answer.Left.Terminals-i)
			break
		}
		writeReached(a, l, &answer.Terminals[i])
	}
	return nil
}

// The size of the chart.
const (
	chartColumns = 50
	chartHours   = 60 // lines; a longer campaign shows its first and last
)

// burnDownChart draws a bar for the beginning and one for each hour: how many terminals were left when it ended, or now. Hours in which
// nothing changed have the number of the one before.
func burnDownChart(l *lines, c *fleet.Campaign, points []fleet.BurnDown, left fleet.Tally, now pos.Instant) (out []string) {
	end := now
	if c.State == fleet.CampaignClosed {
		end = c.Closed
	}
	last, most := int(end.Sub(c.Started)/time.Hour), max(c.Start.Terminals, 1)
	for _, p := range points {
		most = max(most, p.Left.Terminals)
	}
	deadline := int((c.Deadline.Sub(c.Started) - 1) / time.Hour)
	out = append(out, "", " "+pad(l.two("hour", "小时"), -5)+"  "+l.two("left", "剩余"))
	bar := func(n int) string { return strings.Repeat("#", (n*chartColumns+most-1)/most) }
	n, next := c.Start.Terminals, 0
	out = append(out, fmt.Sprintf(" %s  %5d %s", pad(l.two("begun", "开始"), -5), n, bar(n)))
	for hour := range last + 1 {
		for ; next < len(points) && points[next].Hour <= hour; next++ {
			n = points[next].Left.Terminals
		}
		mark := ""
		if hour == last && c.State == fleet.CampaignOpen {
			n, mark = left.Terminals, l.two("  now", "  现在")
		}
		if hour == deadline {
			mark += l.two("  deadline", "  期限")
		}
		if hour >= chartHours/2 && hour <= last-chartHours/2 {
			if hour == chartHours/2 {
				out = append(out, "       ...")
			}
			continue
		}
		out = append(out, fmt.Sprintf(" %5d  %5d %s%s", hour, n, bar(n), mark))
	}
	return out
}
