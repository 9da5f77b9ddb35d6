package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"touchstone/effectiveness"
	"touchstone/explain"
	"touchstone/journal"
	"touchstone/pos"
)

// effectivenessCmd says of all approvals which proofs held.
type effectivenessCmd struct {
	journalDirectory
	From   string `name:"from" help:"First hour, such as 2026-11-27T08 or 2026-11-27, in local time; without it the last 48 hours." placeholder:"HOUR"`
	To     string `name:"to" help:"First hour that no longer counts." placeholder:"HOUR"`
	By     string `name:"by" default:"model,merchant,hour" help:"Tables: proof, model, merchant, terminal, hour; several with commas, none for the sentence alone." placeholder:"TABLES"`
	Strict bool   `name:"strict" help:"Count the MAC's exclusive-or fold, which the protocol prescribes, as weak too. Read from the journal."`
	JSON   bool   `name:"json" help:"One JSON object."`
	Lang   string `name:"lang" default:"en" help:"en or zh."`
}

// Help is shown by touchstone effectiveness --help.
func (effectivenessCmd) Help() string {
	return `A refusal is seen; a proof that is no longer made is not. For every approval the host counts which of the proofs
required of it passed, were weak, were not required by its registration, or were waived by policy. A running host answers for
its last 48 hours from memory; anything else is read from the journal.

  touchstone effectiveness --data DIR
  touchstone effectiveness --data DIR --from 2026-11-01 --to 2026-12-01 --by model`
}

// effectivenessQuery asks a running host.
type effectivenessQuery struct {
	From effectiveness.Hour `json:"from"`
	To   effectiveness.Hour `json:"to"`
}

// effectivenessAnswer is what it says.
type effectivenessAnswer struct {
	Report     effectiveness.Report `json:"report"`
	Rebuilding bool                 `json:"rebuilding"` // not all of the last hours are counted yet
}

// effectivenessTables are the words of --by.
var effectivenessTables = []string{"proof", "model", "merchant", "terminal", "hour"}

// Run prints the figures.
func (c *effectivenessCmd) Run(a *app) error {
	show, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	tables := strings.Split(c.By, ",")
	for _, t := range tables {
		if t != "none" && !slices.Contains(effectivenessTables, t) {
			return fmt.Errorf("--by: %q is not one of %s, none", t, strings.Join(effectivenessTables, ", "))
		}
	}
	r, err := hoursOf(c.From, c.To)
	if err != nil {
		return err
	}
	answer, err := c.ask(a, r)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(answer)
	}
	if answer.Rebuilding {
		fmt.Fprintln(a.stderr, show.two("the host is still counting the last hours", "主机仍在统计最近数小时"))
	}
	return show.effectiveness(&answer.Report, tables)
}

// hoursOf reads --from and --to.
func hoursOf(from, to string) (r effectiveness.Range, err error) {
	if r.From, err = parseHour(from); err != nil {
		return r, fmt.Errorf("--from: %w", err)
	}
	if r.To, err = parseHour(to); err != nil {
		return r, fmt.Errorf("--to: %w", err)
	}
	if r.To != 0 && r.To <= r.From {
		return r, errors.New("--to: not after --from")
	}
	return r, nil
}

func parseHour(s string) (effectiveness.Hour, error) {
	if s == "" {
		return 0, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil && t.Unix() > 0 {
			return effectiveness.HourOf(pos.Instant(t.UnixNano())), nil
		}
	}
	return 0, fmt.Errorf("%q: want a day or an hour such as 2026-11-27T08", s)
}

// ask has the figures from the running host or from the journal.
func (c *effectivenessCmd) ask(a *app, r effectiveness.Range) (answer effectivenessAnswer, err error) {
	oldest := effectiveness.HourOf(pos.Instant(time.Now().UnixNano())) - effectiveness.Hour(effectiveness.LiveBounds().Hours) + 1
	if !c.Strict && (r.From == 0 || r.From >= oldest) {
		raw, running, err := ask(c.Data, change{Effectiveness: &effectivenessQuery{r.From, r.To}})
		if err != nil {
			return answer, err
		}
		if running {
			return answer, json.Unmarshal(raw, &answer)
		}
	}
	if r.From == 0 {
		r.From = oldest
	}
	answer.Report, err = c.read(a.ctx, r)
	return answer, err
}

// read folds the journal over the hours asked for.
func (c *effectivenessCmd) read(ctx context.Context, r effectiveness.Range) (effectiveness.Report, error) {
	reader, err := c.open()
	if err != nil {
		return effectiveness.Report{}, err
	}
	defer reader.Close()
	std := effectiveness.DefaultStandard()
	if c.Strict {
		std = effectiveness.Strict()
	}
	s := effectiveness.New(std, effectiveness.WholeBounds())
	if err := beginAt(ctx, reader, s, r.From.Start()); err != nil {
		return effectiveness.Report{}, err
	}
	err = reader.Blocks(ctx, s.Last()+1, func(b journal.Block) error {
		return b.Each(func(e journal.Entry) error {
			if r.To != 0 && e.At >= r.To.Start()+pos.Instant(time.Minute) { // entries stand nearly in the order of their instants
				return errBeyond
			}
			_, err := s.Fold(e)
			return err
		})
	})
	if err != nil && !errors.Is(err, errBeyond) {
		return effectiveness.Report{}, err
	}
	return s.Report(r), nil
}

// errBeyond ends a reading of the journal at the end of what was asked for.
var errBeyond = errors.New("beyond the hours asked for")

// proofWords name a proof within the sentence.
var proofWords = map[string]explain.Text{
	"transport": {EN: "device certificate", ZH: "设备证书"}, "network": {EN: "network", ZH: "来源网络"}, "place": {EN: "place", ZH: "位置"},
	"permit": {EN: "permit", ZH: "许可"}, "MAC": {EN: "MAC", ZH: "MAC"}, "MAC grade": {EN: "MAC", ZH: "MAC"}, "replay": {EN: "replay check", ZH: "重放检查"},
	"serial": {EN: "serial proof", ZH: "序列号证明"}, "track": {EN: "sealed track", ZH: "磁道加密"}, "cardholder": {EN: "PIN", ZH: "PIN"},
	"EMV": {EN: "chip data", ZH: "芯片数据"}, "original": {EN: "original", ZH: "原交易"},
}

// standingWords say how a proof fell short; %s is the proof.
var standingWords = map[string]explain.Text{
	"missing": {EN: "%s NOT PROVEN", ZH: "%s未证明"}, "weak": {EN: "%s weak", ZH: "%s弱"},
	"not required": {EN: "%s not required", ZH: "未要求%s"}, "waived": {EN: "%s waived", ZH: "%s被策略豁免"},
}

func (l *lines) shortfall(proof, standing string) string {
	p, s := proofWords[proof].In(l.lang), standingWords[standing].In(l.lang)
	return fmt.Sprintf(s, p)
}

// percent has one decimal and never rounds up to the whole or down to nothing.
func percent(part, whole uint64) string {
	switch {
	case whole == 0:
		return "– %"
	case part == 0:
		return "0.0 %"
	case part*1000 < whole:
		return "< 0.1 %"
	}
	tenths := (part*1000 + whole/2) / whole
	if tenths == 1000 && part < whole {
		tenths = 999
	}
	return fmt.Sprintf("%d.%d %%", tenths/10, tenths%10)
}

// where says whose they were: one model by its name, else how many shops.
func (l *lines) where(s *effectiveness.Shortfall) string {
	if len(s.Models) == 1 {
		if s.Models[0] == "" {
			return l.two("unknown model", "型号未知")
		}
		return l.two("model ", "型号 ") + s.Models[0]
	}
	if s.Shops == 1 {
		return l.two("1 shop", "1 家商户")
	}
	return fmt.Sprintf(l.two("%d shops", "%d 家商户"), s.Shops)
}

// maxSaid is the most shortfalls in one sentence.
const maxSaid = 6

// sentence is the whole report in one line.
func (l *lines) sentence(r *effectiveness.Report) string {
	if r.Approvals == 0 {
		return l.two("no approvals", "没有通过的交易")
	}
	parts := []string{l.two("approvals fully proven ", "通过的交易证明齐全 ") + percent(r.Full, r.Approvals)}
	for i := range r.Shortfalls[:min(len(r.Shortfalls), maxSaid)] {
		s := &r.Shortfalls[i]
		parts = append(parts, fmt.Sprintf(l.two("%s %s (%s)", "%s %s（%s）"), l.shortfall(s.Proof, s.Standing), percent(s.Approvals, r.Approvals), l.where(s)))
	}
	return strings.Join(parts, l.two("; ", "；"))
}

// effectiveness prints the sentence and the tables.
func (l *lines) effectiveness(r *effectiveness.Report, tables []string) error {
	var b strings.Builder
	fmt.Fprintln(&b, l.sentence(r))
	if r.Approvals > 0 {
		fmt.Fprintf(&b, l.two("%d approvals from %s to %s, up to journal entry %d; canary approvals besides: %d\n", "%d 笔通过, 自 %s 至 %s, 截至日志第 %d 条; 探测终端另计 %d 笔\n"),
			r.Approvals, l.hour(r.From), l.hour(r.To+1), r.Last, r.Canary)
	}
	for _, t := range tables {
		switch t {
		case "proof":
			l.proofTable(&b, r)
		case "model":
			l.table(&b, l.two("model", "型号"), r.Models, func(row *effectiveness.Row) string {
				if row.Key == "" {
					return l.two("unknown model", "型号未知")
				}
				return row.Key
			})
		case "merchant":
			l.table(&b, l.two("shop", "商户"), r.Merchants, func(row *effectiveness.Row) string {
				return strings.TrimSpace(row.Key + " " + row.Name)
			})
		case "terminal":
			l.table(&b, l.two("terminal", "终端"), r.Terminals, func(row *effectiveness.Row) string { return row.Key })
		case "hour":
			l.table(&b, l.two("hour", "小时"), r.Hours, func(row *effectiveness.Row) string {
				seconds, _ := strconv.ParseInt(row.Key, 10, 64) // our own digits
				return l.hour(effectiveness.HourOf(pos.Instant(seconds * int64(time.Second))))
			})
		}
	}
	if r.Cut {
		fmt.Fprintf(&b, l.two("\nonly the %d least proven are shown\n", "\n只列出证明最不齐全的 %d 项\n"), effectiveness.MaxRows)
	}
	_, err := io.WriteString(l.w, b.String())
	return err
}

func (l *lines) hour(h effectiveness.Hour) string {
	return h.Start().Time().In(l.zone).Format("2006-01-02 15:04")
}

// The columns of a table.
const (
	keyColumns   = 48
	countColumns = 10
	fullColumns  = 14
)

func (l *lines) table(b *strings.Builder, title string, rows []effectiveness.Row, name func(*effectiveness.Row) string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s%s%s  %s\n", pad(title, keyColumns), pad(l.two("approvals", "通过"), -countColumns), pad(l.two("fully proven", "证明齐全"), -fullColumns),
		l.two("short of", "欠缺"))
	for i := range rows {
		row := &rows[i]
		line := fmt.Sprintf("%s%s%s  %s", pad(name(row), keyColumns), pad(strconv.FormatUint(row.Approvals, 10), -countColumns),
			pad(percent(row.Full, row.Approvals), -fullColumns), l.shortOf(row))
		fmt.Fprintln(b, strings.TrimRight(line, " "))
	}
}

func (l *lines) shortOf(row *effectiveness.Row) string {
	var parts []string
	for p := range effectiveness.Proofs {
		for _, standing := range []string{"missing", "weak", "not required", "waived"} {
			if n := row.Shortfalls[p.String()+" "+standing]; n > 0 {
				parts = append(parts, l.shortfall(p.String(), standing)+" "+percent(n, row.Approvals))
			}
		}
	}
	return strings.Join(parts, l.two(", ", "，"))
}

// proofTable shows how every proof stood, also where nothing was short.
func (l *lines) proofTable(b *strings.Builder, r *effectiveness.Report) {
	heads := []struct {
		standing string
		text     explain.Text
	}{{"proven", explain.Text{EN: "proven", ZH: "已证明"}}, {"weak", explain.Text{EN: "weak", ZH: "弱"}}, {"not required", explain.Text{EN: "not required", ZH: "未要求"}},
		{"waived", explain.Text{EN: "waived", ZH: "豁免"}}, {"missing", explain.Text{EN: "MISSING", ZH: "未证明"}}, {"not asked", explain.Text{EN: "not asked", ZH: "不适用"}},
		{"absent", explain.Text{EN: "absent", ZH: "无此项"}}}
	fmt.Fprintf(b, "\n%s", pad(l.two("proof", "证明"), 24))
	for _, h := range heads {
		b.WriteString(pad(h.text.In(l.lang), -fullColumns))
	}
	b.WriteByte('\n')
	for _, count := range r.Proofs {
		name := proofWords[count.Proof].In(l.lang)
		if count.Proof == "MAC grade" {
			name = l.two("MAC grade", "MAC 强度")
		}
		b.WriteString(pad(name, 24))
		for _, h := range heads {
			b.WriteString(pad(strconv.FormatUint(count.Standings[h.standing], 10), -fullColumns))
		}
		b.WriteByte('\n')
	}
}
