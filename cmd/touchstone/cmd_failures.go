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
	"touchstone/failure"
	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/sqlite"
)

// failuresCmd puts refusals into figures.
type failuresCmd struct {
	journalDirectory
	From string `name:"from" help:"First hour, such as 2026-11-27T08 or 2026-11-27, in local time; without it the last 48 hours." placeholder:"HOUR"`
	To   string `name:"to" help:"First hour that no longer counts." placeholder:"HOUR"`
	By   string `name:"by" default:"reason,cause,model" help:"Tables: reason, cause, model, version, merchant, terminal, hour; several with commas, none for the summary alone." placeholder:"TABLES"`
	Most int    `name:"rows" default:"20" help:"Rows of a table." placeholder:"N"`
	JSON bool   `name:"json" help:"One JSON object."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// Help is shown by touchstone failures --help.
func (failuresCmd) Help() string {
	return `Every sale that security refuses is a customer sent away or a theft prevented: the figures tell which. WRONG is a refusal of
which experiment proved that an honest terminal sent a genuine message, or that the host itself was at fault. RIGHT is one that the
rule asks for, or behind which a cause of acquirer security was found. What is neither is UNKNOWN, so the rate of false failures has
a lower and an upper figure. A refused purchase is RECOVERED when the same shop sells for the same amount within ten minutes.

  touchstone failures                                  the last 48 hours of a running host
  touchstone failures --by merchant,hour --rows 50
  touchstone failures --from 2026-11-01 --to 2026-12-01 --by model --json`
}

// failuresQuery asks a running host.
type failuresQuery struct {
	effectiveness.Range
}

// failuresAnswer is what it says.
type failuresAnswer struct {
	failure.Report
	FalseFailures failure.Rate `json:"false_failure_rate"`
	Rebuilding    bool         `json:"rebuilding,omitempty"` // not all of the last hours are counted yet
}

func (e *engine) failuresOf(q *failuresQuery) failuresAnswer {
	ready := false
	select {
	case <-e.watch.ready:
		ready = true
	default:
	}
	r := e.failures.report(q.Range)
	return failuresAnswer{r, r.FalseFailures(), !ready}
}

// Run prints the figures.
func (c *failuresCmd) Run(a *app) error {
	show, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	tables := strings.Split(c.By, ",")
	for _, t := range tables {
		if t != "none" && !slices.Contains(failure.Dimensions, t) {
			return fmt.Errorf("--by: %q is not one of %s, none", t, strings.Join(failure.Dimensions, ", "))
		}
	}
	hours, err := hoursOf(c.From, c.To)
	if err != nil {
		return err
	}
	answer, err := c.ask(a, hours)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(answer)
	}
	if answer.Rebuilding {
		fmt.Fprintln(a.stderr, show.two("the host is still counting the last hours", "主机仍在统计最近数小时"))
	}
	return show.failures(&answer, tables, c.Most)
}

// ask has the figures from the running host or from the journal.
func (c *failuresCmd) ask(a *app, r effectiveness.Range) (answer failuresAnswer, err error) {
	oldest := effectiveness.HourOf(pos.Instant(time.Now().UnixNano())) - effectiveness.Hour(failure.LiveBounds().Hours) + 1
	if r.From == 0 || r.From >= oldest {
		raw, running, err := ask(c.Data, change{Failures: &failuresQuery{r}})
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
	reader, err := c.open()
	if err != nil {
		return answer, err
	}
	defer reader.Close()
	t, err := failuresRead(a.ctx, reader, r)
	if err != nil {
		return answer, err
	}
	answer.Report = t.Report(r)
	answer.FalseFailures = answer.Report.FalseFailures()
	return answer, nil
}

// failuresRead folds the journal over a range of hours; what is registered is looked up as it is now.
func failuresRead(ctx context.Context, reader *sqlite.Reader, r effectiveness.Range) (*failure.Table, error) {
	lookup, err := registeredFacts(ctx, reader)
	if err != nil {
		return nil, err
	}
	t := failure.New(lookup, failure.WholeBounds())
	first, err := firstSince(ctx, reader, r.From.Start())
	if err != nil {
		return nil, err
	}
	t.Begin(max(first, 1) - 1)
	err = reader.Blocks(ctx, t.Last()+1, func(b journal.Block) error {
		return b.Each(func(e journal.Entry) error {
			return foldFailure(t, e, r)
		})
	})
	if err != nil && !errors.Is(err, errBeyond) {
		return nil, err
	}
	return t, nil
}

// foldFailure folds an entry of a range of hours, or gives errBeyond after it.
func foldFailure(t *failure.Table, e journal.Entry, r effectiveness.Range) error {
	switch {
	case r.To != 0 && e.At >= r.To.Start()+pos.Instant(failure.RecoverWithin) && e.Kind == journal.KindExchange:
		return errBeyond // a cause that came later than that stays out, as it would have at the time
	case r.To != 0 && e.At >= r.To.Start() && e.Kind == journal.KindExchange:
		return foldRecovery(t, e) // only whether what was refused within the range is tried again
	}
	t.Fold(e)
	return nil
}

// foldRecovery folds an approval just after the range.
func foldRecovery(t *failure.Table, e journal.Entry) error {
	var x journal.Exchange
	if x.Parse(e) == nil && x.Reason == reason.None {
		t.Fold(e)
	}
	return nil
}

// registeredFacts reads the register once.
func registeredFacts(ctx context.Context, reader *sqlite.Reader) (func(pos.TerminalID) (failure.Facts, bool), error) {
	devices, facts := map[pos.Serial]failure.Facts{}, map[pos.TerminalID]failure.Facts{}
	care := fleet.NewState()
	err := reader.Cold(ctx, sqlite.Cold{
		Act: func(seq uint64, kind journal.Kind, c journal.Change) error {
			if kind == journal.KindFleet {
				return care.Fold(seq, c)
			}
			return nil
		},
		Device: func(_ uint64, d registry.Device) error {
			devices[d.Serial] = failure.Facts{Model: d.Model, Version: care.VersionOf(&d)}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	err = reader.Cold(ctx, sqlite.Cold{Terminal: func(_ uint64, t registry.Terminal) error {
		if !t.Canary {
			facts[t.ID] = devices[t.Serial]
		}
		return nil
	}})
	return func(id pos.TerminalID) (failure.Facts, bool) { f, ok := facts[id]; return f, ok }, err
}

// ppm is a share in percent with as many digits as it takes to see it.
func ppm(share float64) string {
	switch p := share * 100; {
	case p == 0:
		return "0 %"
	case p < 0.01:
		return fmt.Sprintf("%.4f %%", p)
	default:
		return fmt.Sprintf("%.2f %%", p)
	}
}

// failures prints the summary and the tables.
func (l *lines) failures(r *failuresAnswer, tables []string, rows int) error {
	var b strings.Builder
	if r.Approved+r.Total.Messages == 0 {
		fmt.Fprintln(&b, l.two("no sale was approved and none refused by security", "没有通过的消费, 也没有因安全原因被拒的交易"))
		_, err := io.WriteString(l.w, b.String())
		return err
	}
	fmt.Fprintf(&b, l.two("%s to %s, up to journal entry %d\n\n", "%s 至 %s, 截至日志第 %d 条\n\n"), l.hour(r.From), l.hour(r.To+1), r.Last)
	row := func(title, format string, args ...any) {
		fmt.Fprintf(&b, "%s%s\n", pad(title, 18), fmt.Sprintf(format, args...))
	}
	row(l.two("FALSE FAILURES", "误拒率"), l.two("%s of honest sales at least, %s at most   (%d proven wrong, %d unknown; %d approved)", "诚实消费中至少 %s, 至多 %s   (已证实误拒 %d, 未知 %d; 通过 %d)"),
		ppm(r.FalseFailures.Least), ppm(r.FalseFailures.Most), r.WrongSales, r.UnknownSales, r.Approved)
	row(l.two("HONEST TERMINALS", "被误拒终端"), l.two("%d of %d heard had a refusal that is proven wrong", "已证实 %d 台, 共 %d 台终端有交易"), r.WrongTerminals, r.Terminals)
	row(l.two("REFUSED", "安全拒绝"), l.two("%d messages, %d of them sales for %s:   wrong %d   unknown %d   right %d", "报文 %d 笔, 其中消费 %d 笔, 金额 %s:   误拒 %d   未知 %d   应拒 %d"),
		r.Total.Messages, r.Total.Sales, r.Total.Amount, r.Total.Wrong, r.Total.Unknown, r.Total.Messages-r.Total.Wrong-r.Total.Unknown)
	purchases := func(title string, p *failure.Purchases) {
		said := l.two("%d purchases for %s; proven honest %d for %s, unknown %d for %s", "%d 笔购买, 金额 %s; 已证实诚实 %d 笔 %s, 未知 %d 笔 %s")
		if p.Number == 1 {
			said = strings.Replace(said, "purchases", "purchase", 1)
		}
		row(title, said,
			p.Number, p.Amount, p.Wrong, p.WrongAmount, p.Unknown, p.UnknownAmount)
	}
	purchases(l.two("RECOVERED", "十分钟内成交"), &r.Recovered)
	purchases(l.two("LOST", "流失"), &r.Lost)
	if r.Waiting.Number > 0 {
		purchases(l.two("MAY COME BACK", "尚可重试"), &r.Waiting)
	}
	for _, t := range tables {
		if t != "none" {
			l.failureTable(&b, t, r.Tables[t], rows)
		}
	}
	_, err := io.WriteString(l.w, b.String())
	return err
}

// failureColumns is how wide the names of a table of failures are: a reason's word and its whole line.
const failureColumns = 62

// failureTitles are the dimensions in words.
var failureTitles = map[string]explain.Text{"reason": {EN: "reason", ZH: "拒绝原因"}, "cause": {EN: "cause", ZH: "成因"}, "model": {EN: "model", ZH: "型号"},
	"version": {EN: "model and version", ZH: "型号与版本"}, "merchant": {EN: "shop", ZH: "商户"}, "terminal": {EN: "terminal", ZH: "终端"}, "hour": {EN: "hour", ZH: "小时"}}

func (l *lines) failureTable(b *strings.Builder, dimension string, all []failure.Row, most int) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s%s%s%s%s%s\n", pad(failureTitles[dimension].In(l.lang), failureColumns), pad(l.two("messages", "报文"), -countColumns), pad(l.two("sales", "消费"), -countColumns),
		pad(l.two("amount", "金额"), -fullColumns), pad(l.two("wrong", "误拒"), -countColumns), pad(l.two("unknown", "未知"), -countColumns))
	shown := all
	if dimension == "hour" {
		shown = all[max(0, len(all)-max(most, 0)):]
	} else {
		shown = all[:min(len(all), max(most, 0))]
	}
	for i := range shown {
		r := &shown[i]
		fmt.Fprintf(b, "%s%s%s%s%s%s\n", pad(l.failureKey(dimension, r.Key), failureColumns), pad(strconv.FormatUint(r.Messages, 10), -countColumns),
			pad(strconv.FormatUint(r.Sales, 10), -countColumns), pad(r.Amount.String(), -fullColumns), pad(strconv.FormatUint(r.Wrong, 10), -countColumns),
			pad(strconv.FormatUint(r.Unknown, 10), -countColumns))
	}
	if n := len(all) - len(shown); n > 0 {
		fmt.Fprintf(b, l.two("and %d more: --rows\n", "另有 %d 行: --rows\n"), n)
	}
}

// failureKey is a row's name for a person.
func (l *lines) failureKey(dimension, key string) string {
	switch dimension {
	case "reason":
		if r, err := reason.Parse(key); err == nil {
			return pad(key, 26) + " " + l.short(r, failureColumns-28)
		}
	case "cause":
		return l.causeKey(key)
	case "hour":
		seconds, _ := strconv.ParseInt(key, 10, 64) // our own digits
		return l.hour(effectiveness.HourOf(pos.Instant(seconds * int64(time.Second))))
	}
	if strings.TrimSpace(key) == "" {
		return l.two("(not registered, or too many)", "(未登记, 或过多)")
	}
	return key
}

// short is a reason's line, cut to columns.
func (l *lines) short(r reason.Reason, columns int) string {
	text := l.catalogue.Reason(r).Short.In(l.lang)
	for explain.Columns(text) > columns {
		runes := []rune(text)
		text = string(runes[:len(runes)-1])
	}
	return text
}

// certaintyWords are the certainties for a person.
var certaintyWords = map[string]explain.Text{"proven": {EN: "PROVEN", ZH: "证实"}, "indicated": {EN: "INDICATED", ZH: "迹象"}, "unproven": {EN: "UNPROVEN", ZH: "未证实"},
	"untried": {EN: "NOT TRIED", ZH: "未试验"}, "verdict": {EN: "BY VERDICT", ZH: "判定即证"}}

func (l *lines) causeKey(key string) string {
	if key == "not_examined" {
		return l.two("NOT EXAMINED", "未检验")
	}
	certainty, cause, _ := strings.Cut(key, " ")
	if cause == "unproven" {
		return certaintyWords[certainty].In(l.lang)
	}
	return pad(certaintyWords[certainty].In(l.lang), 11) + cause
}
