package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"touchstone/pos"
	"touchstone/redress"
	"touchstone/sqlite"
)

// exposedCmd finds the sales that went through terminals that were bad.
type exposedCmd struct {
	actFlags
	Incident string   `name:"incident" help:"Its terminals and window, or the set that was frozen into it." placeholder:"INC-1"`
	Terminal []string `name:"terminal" help:"DE41; may be given again." placeholder:"ID"`
	Model    []string `name:"model" help:"Every terminal whose device is of this model; may be given again." sep:"none"`
	Version  []string `name:"version" help:"Only sales for which the terminal presented this application version, or none; may be given again."`
	From     string   `name:"from" help:"2026-11-01, 2026-11-01 08:30 or RFC 3339; default 30 days before --to." placeholder:"TIME"`
	To       string   `name:"to" help:"Not included; default now." placeholder:"TIME"`
	Freeze   bool     `name:"freeze" help:"Keep the set: notices and claims of the incident then speak of the same sales. Needs --incident and --as."`
	Lines    int      `name:"lines" short:"n" default:"20" help:"How many sales to list."`
	CSV      bool     `name:"csv" help:"Every sale as CSV: rrn, at, terminal, merchant, card, card_hash, amount, version; terminal by terminal."`
	JSON     bool     `name:"json" help:"One JSON object with every sale."`
	Lang     string   `name:"lang" default:"en" help:"en or zh."`
}

// Help is shown by touchstone exposed --help.
func (exposedCmd) Help() string {
	return `An exposed sale is one that was approved at one of the terminals in the window, whatever became of it later. No card number is
shown: the first six and last four digits, and a keyed hash by which the issuer and the journal know the card.

  touchstone exposed --data shop --terminal 00000023 --terminal 00000024 --from 2026-11-01 --to 2026-11-28
  touchstone exposed --data shop --model SX-20 --csv > exposed.csv
  touchstone exposed --data shop --incident INC-1 --freeze --as chen`
}

// exposedList is the answer with --json.
type exposedList struct {
	Scope  redress.Scope `json:"scope"`
	Of     int           `json:"terminals_searched"`
	Head   uint64        `json:"head"`
	Frozen string        `json:"frozen,omitempty"`
	redress.Sum
	Sales []exposedSale `json:"list"`
}

// exposedSale is one sale for a reader.
type exposedSale struct {
	RRN      string           `json:"rrn"`
	At       time.Time        `json:"at"`
	Terminal string           `json:"terminal"`
	Merchant string           `json:"merchant"`
	Card     pos.TruncatedPAN `json:"card"`
	Last4    string           `json:"last4"`
	CardHash string           `json:"card_hash"`
	Amount   string           `json:"amount"`
	Version  string           `json:"version,omitempty"` // that the terminal presented
}

// Run finds, lists or freezes.
func (c *exposedCmd) Run(a *app) error {
	show, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	scope := redress.Scope{Incident: c.Incident, Terminals: c.Terminal, Models: c.Model, Versions: c.Version}
	if scope.From, err = readTime("from", c.From); err != nil {
		return err
	}
	if scope.To, err = readTime("to", c.To); err != nil {
		return err
	}
	if c.Freeze {
		_, err := c.performIn(a, change{Exposure: &exposureChange{scope}}, c.Lang)
		return err
	}
	var found scopeAnswer
	if err := c.question(a, change{Scope: &scopeQuery{scope}}, &found); err != nil {
		return err
	}
	if found.Of > maxScopeTerminals {
		return fmt.Errorf("%d terminals are more than %d: freeze the set into an incident, or name fewer", found.Of, maxScopeTerminals)
	}
	answer := exposedList{Scope: found.Scope, Of: found.Of}
	out := &exposedOut{tally: redress.NewTally(c.Lines), answer: &answer, csv: c.CSV, json: c.JSON, w: a.stdout}
	if found.Frozen != nil && !scope.Narrowed() && scope.From == 0 && scope.To == 0 {
		answer.Scope, answer.Of, answer.Head, answer.Frozen = found.Frozen.Scope, found.Frozen.Of, found.Frozen.Head, found.Frozen.ID
		err = c.frozen(found.Frozen, out.add)
	} else {
		answer.Head, err = c.search(a, &found, out.add)
	}
	if err != nil {
		return err
	}
	if err := out.flush(true); err != nil {
		return err
	}
	sum, first := out.tally.Sum()
	answer.Sum = sum
	switch {
	case c.CSV:
		return nil
	case c.JSON:
		return json.NewEncoder(a.stdout).Encode(answer)
	}
	return show.exposed(&answer, first)
}

// exposedOut takes exposed sales one by one: a set may be larger than what should be held.
type exposedOut struct {
	tally     *redress.Tally
	answer    *exposedList
	csv, json bool
	part      []redress.Exposed // not written yet
	begun     bool
	w         io.Writer
}

func (o *exposedOut) add(x *redress.Exposed) error {
	o.tally.Add(x)
	switch {
	case o.csv:
		o.part = append(o.part, *x)
		return o.flush(false)
	case o.json:
		if len(o.answer.Sales) >= redress.MaxListed {
			return fmt.Errorf("more than %d sales: --csv lists any number", redress.MaxListed)
		}
		o.answer.Sales = append(o.answer.Sales, showExposed(x))
	}
	return nil
}

// csvPart is how many lines are written at once.
const csvPart = 4096

// flush writes what there is of a CSV file, its first line once.
func (o *exposedOut) flush(end bool) error {
	if !o.csv || !end && len(o.part) < csvPart {
		return nil
	}
	content, err := redress.AppendExposed(o.part)
	if err != nil {
		return err
	}
	if o.begun {
		_, content, _ = bytes.Cut(content, []byte("\n"))
	}
	o.begun, o.part = true, o.part[:0]
	_, err = o.w.Write(content)
	return err
}

func showExposed(x *redress.Exposed) exposedSale {
	return exposedSale{x.RRN().String(), x.At.Time(), x.Terminal.String(), x.Merchant.String(), x.Shown, x.Last4(), x.Card.String(), x.Amount.String(), strings.TrimSpace(x.Version())}
}

// search reads the view, also while a host runs.
func (c *exposedCmd) search(a *app, found *scopeAnswer, f func(*redress.Exposed) error) (head uint64, err error) {
	r, err := sqlite.OpenReader(c.Data)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return r.Exposed(a.ctx, found.Terminals, found.Scope.From, found.Scope.To, func(x *redress.Exposed) error {
		if !found.Scope.Takes(x) {
			return nil
		}
		return f(x)
	})
}

// frozen reads the kept list.
func (c *exposedCmd) frozen(x *redress.Exposure, f func(*redress.Exposed) error) error {
	for _, digest := range x.Files {
		content, err := readKept(c.Data, digest)
		if err != nil {
			return err
		}
		part, err := redress.ParseExposed(content)
		if err != nil {
			return err
		}
		for i := range part {
			if err := f(&part[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// readKept reads a kept file of a data directory and proves it.
func readKept(dir, digest string) ([]byte, error) {
	e := engine{dir: dir}
	content, err := e.keptFile(digest)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: the kept list is gone", filepath.Join(dir, filesDirectory, digest))
	}
	return content, err
}

// exposed prints the sums, and the first sales in the order of the journal.
func (l *lines) exposed(a *exposedList, first []redress.Exposed) error {
	if a.Frozen != "" {
		fmt.Fprintf(l.w, "%s %s\n", l.two("frozen as", "已固定为"), a.Frozen)
	}
	fmt.Fprintf(l.w, l.two("%d exposed sales, %d cards, %d shops, %s in all; %d terminals, %s to %s, journal up to entry %d\n",
		"受影响消费 %d 笔, 卡 %d 张, 商户 %d 家, 合计 %s; 终端 %d 台, %s 至 %s, 日志截至第 %d 条\n"), a.Sum.Sales, a.Cards, a.Shops, a.Amount, a.Of,
		l.minute(a.Scope.From), l.minute(a.Scope.To), a.Head)
	if len(first) == 0 {
		return nil
	}
	fmt.Fprintf(l.w, "  %s %s %s %s %s\n", pad(l.two("time", "时间"), 19), pad(l.two("terminal", "终端"), 8), pad(l.two("card", "卡号末四位"), 10),
		pad(l.two("amount", "金额"), -12), l.two("reference", "参考号"))
	for i := range first {
		x := &first[i]
		fmt.Fprintf(l.w, "  %s %s %s %12s %s\n", x.At.Time().In(l.zone).Format(time.DateTime), x.Terminal, pad("**** "+x.Last4(), 10), x.Amount, x.RRN())
	}
	if n := a.Sum.Sales - len(first); n > 0 {
		fmt.Fprintf(l.w, "  "+l.two("and %d more: --csv lists all", "另有 %d 笔: 用 --csv 列出全部")+"\n", n)
	}
	return nil
}

func (l *lines) minute(at pos.Instant) string { return at.Time().In(l.zone).Format("2006-01-02 15:04") }

// readTime reads a time that a person gives; "" is 0.
func readTime(flag, text string) (pos.Instant, error) {
	if text == "" {
		return 0, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return pos.Instant(t.UnixNano()), nil
	}
	for _, form := range []string{"2006-01-02", "2006-01-02 15:04", time.DateTime} {
		if t, err := time.ParseInLocation(form, text, time.Local); err == nil {
			return pos.Instant(t.UnixNano()), nil
		}
	}
	return 0, fmt.Errorf("--%s: want 2026-11-01, 2026-11-01 08:30 or RFC 3339", flag)
}
