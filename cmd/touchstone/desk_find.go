package main

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"touchstone/estate"
	"touchstone/explain"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/web"
	"touchstone/web/api"
)

var _ api.Find = (*desk)(nil)

// Bounds of a search.
const (
	maxFind    = 100       // bytes of what is typed
	foundEach  = 8         // of a group
	cardAround = time.Hour // before and after the time given with the last four digits of a card
)

// seeking is one search being made.
type seeking struct {
	*desk
	ctx context.Context
	who *web.Caller
	s   *speaker
	q   string
	out api.FoundAll
}

// Find implements api.Find. What a caller may not see is not found.
func (d *desk) Find(ctx context.Context, who *web.Caller, q string) (api.FoundAll, error) {
	q = strings.Join(strings.Fields(q), " ")
	if len(q) > maxFind {
		q = strings.ToValidUTF8(q[:maxFind], "")
	}
	f := &seeking{desk: d, ctx: ctx, who: who, q: q, out: api.FoundAll{Query: q, List: []api.Found{}}}
	if q == "" {
		return f.out, nil
	}
	var err error
	if f.s, err = d.speaker(); err != nil {
		return f.out, err
	}
	for _, look := range []func() error{f.numbered, f.terminalTrace, f.cardAtTime, f.register, f.references, f.names, f.words} {
		if err := look(); err != nil {
			return f.out, err
		}
	}
	return f.out, nil
}

// add notes one hit; a group is bounded.
func (f *seeking) add(x api.Found) {
	n := 0
	for _, have := range f.out.List {
		if have.Group == x.Group {
			n++
			if have.Path == x.Path && have.Name == x.Name {
				return
			}
		}
	}
	if n >= foundEach {
		f.out.More = true
		return
	}
	f.out.List = append(f.out.List, x)
}

var (
	numberedForm = regexp.MustCompile(`^(?i)(INC|CLM|PRP)-[0-9]{1,12}(-DRILL)?$`)
	digitsForm   = regexp.MustCompile(`^[0-9]{1,12}$`)
	traceForm    = regexp.MustCompile(`^(\S{8})[ /]([0-9]{1,6})$`)
	cardForm     = regexp.MustCompile(`^(?:\*{1,12}|\.{3}|…)?([0-9]{4}) +(?:([0-9]{4}-[0-9]{2}-[0-9]{2})[ T])?([0-9]{1,2}:[0-9]{2})$`)
)

// numbered finds what has a number of its own: incidents, claims and proposals, for staff.
func (f *seeking) numbered() error {
	if f.who.Merchant() || !numberedForm.MatchString(f.q) {
		return nil
	}
	id := strings.ToUpper(f.q)
	f.office.view(func(r *rooms) {
		switch id[:3] {
		case "INC":
			if i := r.incident.Incident(id); i != nil {
				f.add(api.Found{Group: "incidents", Name: id, Path: "/incidents/" + id, Text: incidentTitle(i, f.now.lines("en").catalogue), Exact: true})
			}
		case "CLM":
			if r.redress.Claim(id) != nil {
				f.add(api.Found{Group: "claims", Name: id, Path: "/claims/" + id, Text: api.Text{EN: "a claim for money back", ZH: "索赔"}, Exact: true})
			}
		case "PRP":
			if r.staff.Proposal(id) != nil {
				f.add(api.Found{Group: "proposals", Name: id, Path: "/staff/proposals#" + id, Text: api.Text{EN: "an act that waits for, or had, a second person", ZH: "双人批准的操作"}, Exact: true})
			}
		}
	})
	return nil
}

// terminalTrace finds the messages of a terminal with a trace number: what stands on a slip.
func (f *seeking) terminalTrace() error {
	m := traceForm.FindStringSubmatch(f.q)
	if m == nil {
		return nil
	}
	page, err := f.Transactions(f.ctx, f.who, &api.TransactionQuery{Terminal: m[1], Trace: m[2], Paging: api.Paging{Limit: foundEach}})
	if err != nil {
		return ignoreBad(err)
	}
	for i := range page.Data {
		f.transaction(&page.Data[i], len(page.Data) == 1)
	}
	return nil
}

// ignoreBad drops the refusal of a question: what was typed is something else then.
func ignoreBad(err error) error {
	if p, ok := err.(*api.Problem); ok && p.Status < 500 {
		return nil
	}
	return err
}

func (f *seeking) transaction(t *api.Transaction, exact bool) {
	amount := ""
	if t.Amount != 0 {
		amount = " " + pos.Amount(t.Amount).String()
	}
	text := func(lang string) string {
		return t.WhatText.In(lang) + amount + " · " + t.Terminal + " · " + t.Trace + " · " + t.Answer + " " + t.Why.In(lang)
	}
	f.add(api.Found{Group: "transactions", Name: t.ID, Path: "/transactions/" + t.ID, At: t.At, Exact: exact, Text: api.Text{EN: text("en"), ZH: text("zh")}})
}

// cardAtTime finds the messages of a card by its last four digits around a time, today's where no day is given.
func (f *seeking) cardAtTime() error {
	m := cardForm.FindStringSubmatch(f.q)
	if m == nil {
		return nil
	}
	now := f.clock().Time().In(f.line.Zone)
	day := m[2]
	if day == "" {
		day = now.Format(time.DateOnly)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", day+" "+m[3], f.line.Zone)
	if err != nil {
		return nil
	}
	page, err := f.Transactions(f.ctx, f.who, &api.TransactionQuery{Card: m[1], From: at.Add(-cardAround), To: at.Add(cardAround), Paging: api.Paging{Limit: foundEach}})
	if err != nil {
		return ignoreBad(err)
	}
	for i := range page.Data {
		f.transaction(&page.Data[i], false)
	}
	f.out.From = page.From
	if page.Next != "" {
		f.out.More = true
		q := url.Values{"card": {m[1]}, "from": {at.Add(-cardAround).Format(time.RFC3339)}, "to": {at.Add(cardAround).Format(time.RFC3339)}, "cursor": {page.Next}}
		f.add(api.Found{Group: "transactions", Name: "…" + m[1], Path: "/transactions?" + q.Encode(), Text: api.Text{EN: "go on with the earlier part of these two hours", ZH: "继续查找这两小时内更早的部分"}})
	}
	return nil
}

// register finds terminals, devices and merchants by their whole numbers.
func (f *seeking) register() error {
	q := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(f.q, "ter_"), "dev_"), "mer_")
	for _, word := range []string{q, strings.ToUpper(q)} {
		if id, err := pos.ParseTerminalID(word); err == nil {
			if t, err := f.ledger.Terminal(id); err == nil && f.who.Sees(t.Merchant) {
				f.terminal(t, true)
			}
		}
		if id, err := pos.ParseMerchantID(word); err == nil && f.who.Sees(id) {
			if m, err := f.ledger.Merchant(id); err == nil {
				f.merchant(m, true)
			}
		}
		if serial, err := pos.ParseSerial(word); err == nil {
			if d, err := f.ledger.Device(serial); err == nil {
				f.device(d, true)
			}
		}
	}
	return nil
}

func (f *seeking) terminal(t *registry.Terminal, exact bool) {
	name := ""
	if m, err := f.ledger.Merchant(t.Merchant); err == nil {
		name = " " + m.Name
	}
	id := t.ID.String()
	f.add(api.Found{Group: "terminals", Name: id, Path: "/terminals/" + url.PathEscape(id), Exact: exact,
		Text: api.Text{EN: "terminal of " + t.Merchant.String() + name + ", device " + string(t.Serial), ZH: "终端, 属于 " + t.Merchant.String() + name + ", 机具 " + string(t.Serial)}})
}

func (f *seeking) merchant(m *registry.Merchant, exact bool) {
	f.add(api.Found{Group: "merchants", Name: m.ID.String(), Path: "/merchants/" + url.PathEscape(m.ID.String()), Exact: exact, Text: api.Text{EN: m.Name, ZH: m.Name}})
}

// device finds a device; a merchant's account only one that stands in its shop.
func (f *seeking) device(d *registry.Device, exact bool) {
	if f.who.Merchant() {
		ids, _ := f.terminalsOfShop(f.who.Shop)
		mine := slices.ContainsFunc(ids, func(id pos.TerminalID) bool {
			t, err := f.ledger.Terminal(id)
			return err == nil && t.Serial == d.Serial
		})
		if !mine {
			return
		}
	}
	f.add(api.Found{Group: "devices", Name: string(d.Serial), Path: "/devices/" + url.PathEscape(string(d.Serial)), Exact: exact, Text: api.Text{EN: "device, model " + d.Model, ZH: "机具, 型号 " + d.Model}})
}

// references finds a message by its number: txn_N, DE37, or a trace where digits could be one.
func (f *seeking) references() error {
	digits := strings.TrimPrefix(f.q, transactionPrefix)
	if !digitsForm.MatchString(digits) {
		return nil
	}
	whole := digits != f.q || len(digits) == 12
	if seq, err := strconv.ParseUint(digits, 10, 63); err == nil && seq > 0 {
		page, err := f.Transactions(f.ctx, f.who, &api.TransactionQuery{RRN: fmt.Sprintf("%012d", seq)})
		if err != nil {
			return ignoreBad(err)
		}
		for i := range page.Data {
			f.transaction(&page.Data[i], whole)
		}
	}
	if digits == f.q && len(digits) <= 6 {
		f.add(api.Found{Group: "transactions", Name: fmt.Sprintf("%06s", digits), Path: "/transactions?trace=" + digits,
			Text: api.Text{EN: "every message with this trace number; faster with its terminal: 00000023 " + digits, ZH: "流水号为此数的所有报文; 加上终端号更快: 00000023 " + digits}})
	}
	if digits == f.q && len(digits) == 4 {
		f.out.Note = api.Text{EN: "The last four digits of a card? Add when: " + digits + " 10:41, or " + digits + " 2026-11-28 10:41", ZH: "是卡号末四位吗? 请加上时间: " + digits + " 10:41 或 " + digits + " 2026-11-28 10:41"}
	}
	return nil
}

// names finds terminals, devices and merchants by a part of a number or a name. A merchant's account finds its own.
func (f *seeking) names() error {
	if len([]rune(f.q)) < 2 || slices.ContainsFunc(f.out.List, func(x api.Found) bool { return x.Exact }) {
		return nil
	}
	q := estate.Query{Text: f.q, Limit: foundEach + 1}
	if f.who.Merchant() {
		q.Merchant = f.who.Shop
		if m, err := f.ledger.Merchant(f.who.Shop); err == nil && strings.Contains(strings.ToLower(m.Name), strings.ToLower(f.q)) {
			f.merchant(m, false)
		}
	} else {
		shops, _, _ := f.estate.index.MerchantsLike(f.q, "", foundEach+1)
		for _, id := range shops {
			if m, err := f.ledger.Merchant(id); err == nil {
				f.merchant(m, false)
			}
		}
		devices, _, _, _ := f.estate.index.DevicesLike(estate.DeviceQuery{Text: f.q, Limit: foundEach + 1})
		for _, serial := range devices {
			if d, err := f.ledger.Device(serial); err == nil {
				f.device(d, false)
			}
		}
	}
	for _, id := range f.estate.index.Search(q).IDs {
		if t, err := f.ledger.Terminal(id); err == nil && f.who.Sees(t.Merchant) {
			f.terminal(t, false)
		}
	}
	return nil
}

// words finds codes, reasons and causes, and what a screen says. A merchant's account is told of codes and screens.
func (f *seeking) words() error {
	c := f.s.catalogue
	if len(f.q) == 2 {
		if code, ok := c.Code(pos.Code(strings.ToUpper(f.q))); ok {
			f.add(api.Found{Group: "words", Name: code.Code.String(), Path: "/transactions?code=" + code.Code.String(), Text: textOf(code.Name)})
		}
	}
	if digitsForm.MatchString(f.q) || slices.ContainsFunc(f.out.List, func(x api.Found) bool { return x.Exact }) {
		return nil
	}
	name := strings.ToLower(strings.ReplaceAll(f.q, " ", "_"))
	if r, err := reason.Parse(name); err == nil && r != reason.None && !f.who.Merchant() {
		f.add(api.Found{Group: "words", Name: r.String(), Path: "/transactions?reason=" + r.String(), Text: textOf(c.Reason(r).Meaning)})
	}
	if cause, err := reason.ParseCause(name); err == nil && cause != reason.NoCause && !f.who.Merchant() {
		entry := c.Cause(cause)
		f.add(api.Found{Group: "words", Name: cause.String(), Path: "/transactions?reason=" + entry.Behind[0].String(), Text: textOf(entry.Meaning)})
	}
	for _, hit := range c.Search(f.q).Hits {
		f.word(hit)
	}
	return nil
}

// word is a hit of the catalogue's search.
func (f *seeking) word(hit explain.Hit) {
	path := ""
	switch hit.Kind {
	case explain.HitReason:
		if f.who.Merchant() {
			return
		}
		path = "/transactions?reason=" + url.QueryEscape(hit.Name)
	case explain.HitCode:
		path = "/transactions?code=" + url.QueryEscape(hit.Name)
	}
	f.add(api.Found{Group: "words", Name: hit.Name, Path: path, Text: textOf(hit.Short)})
}
