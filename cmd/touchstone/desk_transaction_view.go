package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"touchstone/explain"
	"touchstone/explain/anatomy"
	"touchstone/iso8583"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/sqlite"
	"touchstone/web"
	"touchstone/web/api"
)

// speaker says in both languages what the commands say in one.
type speaker struct {
	catalogue *explain.Catalogue
	drawings  [2]*drawing // by explain.Language
}

// speaker is the words of the commands, in the host's zone.
func (d *desk) speaker() (*speaker, error) {
	c, err := catalogueOnce()
	if err != nil {
		return nil, err
	}
	s := &speaker{catalogue: c}
	for _, lang := range []explain.Language{explain.English, explain.Chinese} {
		s.drawings[lang] = &drawing{l: &lines{lang: lang, catalogue: c, zone: d.line.Zone}}
	}
	return s, nil
}

// both is what f says in each language.
func (s *speaker) both(f func(*drawing) string) api.Text {
	return api.Text{EN: f(s.drawings[explain.English]), ZH: f(s.drawings[explain.Chinese])}
}

func textOf(t explain.Text) api.Text { return api.Text{EN: t.EN, ZH: t.ZH} }

func textsOf(list []explain.Text) []api.Text {
	all := make([]api.Text, 0, len(list))
	for _, t := range list {
		all = append(all, textOf(t))
	}
	return all
}

// transactionOf is a message as a caller may see it.
func (d *desk) transactionOf(who *web.Caller, s *speaker, m *sqlite.Judged, cause *sqlite.StoredCause) api.Transaction {
	x := &m.Exchange
	t := api.Transaction{ID: transactionPrefix + fmt.Sprint(m.Seq), Entry: m.Seq, At: x.At.Time(), Terminal: printableID(x.Terminal[:]), Merchant: printableID(x.Merchant[:]),
		MTI: x.MTI.String(), What: whatOf(x), Amount: int64(x.Amount), Currency: x.Currency.String(), Trace: x.STAN.String(), Batch: x.Batch.String(),
		Card: x.Shown.String(), Answer: x.DE39.String(), Outcome: "approved", Repeat: x.Flags&journal.FlagRepeat != 0, Effect: x.Effect.String(), ElapsedUS: x.ElapsedUS}
	t.WhatText = s.both(func(g *drawing) string { return g.l.what(x) })
	if x.MTI != 0 && x.MTI != 0x0820 {
		t.RRN = fmt.Sprintf("%012d", m.Seq)
	}
	if shop, err := d.ledger.Merchant(x.Merchant); err == nil {
		t.Shop = shop.Name
	}
	if x.Reason != reason.None {
		t.Outcome = "refused"
	}
	p := &panel{x: *x, MoneyIs: s.catalogue.Guide(x.Reason, reason.NoCause, "").MoneyState}
	if x.Amount != 0 {
		t.Charged = s.both(p.moneyWord)
	}
	if who.Merchant() {
		t.Why = s.counterWord(x)
		return t
	}
	t.Reason, t.Owner = x.Reason.String(), x.Reason.Owner().String()
	t.Why = s.whyOf(x)
	if cause != nil {
		t.Cause = s.causeOf(cause)
	}
	return t
}

// whyOf is why a message was answered as it was, for staff.
func (s *speaker) whyOf(x *journal.Exchange) api.Text {
	return s.both(func(g *drawing) string { return strings.Join(strings.Fields(g.l.why(x)), " ") })
}

// counterWord is what the answer code says: the same for every reason behind it.
func (s *speaker) counterWord(x *journal.Exchange) api.Text {
	code, _ := s.catalogue.Code(x.DE39)
	return textOf(code.Name)
}

func (s *speaker) causeOf(c *sqlite.StoredCause) *api.TransactionCause {
	t := &api.TransactionCause{Entry: c.Seq, At: c.At.Time(), Name: c.Cause.Cause, Certainty: string(c.Certainty), Variant: c.Variant, Owner: c.Owner, Tried: c.Tried, Fit: c.Fit,
		OneIn: c.OneIn, TookUS: c.TookUS, With: c.With, Facts: c.Facts}
	t.Short = s.both(func(g *drawing) string { text, _ := g.l.causeText(&c.Cause); return text })
	return t
}

// Transaction implements api.Transactions.
func (d *desk) Transaction(ctx context.Context, who *web.Caller, id string, asOf time.Time) (api.TransactionDetail, error) {
	seq, ok := parseTransactionID(id)
	if !ok {
		return api.TransactionDetail{}, api.NotFound()
	}
	m, e, err := d.exchange(ctx, who, seq)
	then := instantOf(asOf)
	if err == errNoTransaction || err == nil && then != 0 && m.At > then {
		return api.TransactionDetail{}, api.NotFound()
	}
	if err != nil {
		return api.TransactionDetail{}, err
	}
	s, err := d.speaker()
	if err != nil {
		return api.TransactionDetail{}, err
	}
	t, err := d.judged(ctx, who, s, m, e, then)
	if err != nil {
		return api.TransactionDetail{}, err
	}
	if then != 0 {
		t.AsOf = &asOf
	}
	return t, d.around(ctx, who, s, m, then, &t)
}

// judged is a message with its verdict and cause, without what stands around it.
func (d *desk) judged(ctx context.Context, who *web.Caller, s *speaker, m *sqlite.Judged, e journal.Entry, then pos.Instant) (api.TransactionDetail, error) {
	causes, err := d.causesOf(ctx, []sqlite.Judged{*m}, then)
	if err != nil {
		return api.TransactionDetail{}, err
	}
	p, err := newPanel(e)
	if err != nil {
		return api.TransactionDetail{}, err
	}
	p.zone = d.line.Zone
	d.examined(p, causes[m.Seq], then)
	p.fill(s.catalogue)
	t := api.TransactionDetail{Transaction: d.transactionOf(who, s, m, causes[m.Seq]), Headline: s.both(p.headline), Recorded: recordedOf(s, m)}
	if who.Merchant() {
		d.forCounter(&t, s, p)
	} else {
		d.forStaff(ctx, &t, s, p, m)
	}
	return t, nil
}

// examined puts what is known of the cause into a panel, or why nothing is.
func (d *desk) examined(p *panel, cause *sqlite.StoredCause, then pos.Instant) {
	if p.Certainty != certainNotTried {
		return
	}
	now := d.clock()
	if then != 0 {
		now = then
	}
	switch {
	case cause != nil:
		p.Cause = &cause.Cause
	case now.Sub(p.x.At) < causeWithin:
		p.Why = notYet
	default:
		p.Why = neverExamined
	}
	p.Certainty = certaintyOf(p.Cause)
}

// forCounter is what a merchant's own account is told: nothing of the cause.
func (d *desk) forCounter(t *api.TransactionDetail, s *speaker, p *panel) {
	t.Explained = api.Explanation{Certainty: notRefused, Short: t.Why, Money: textOf(p.Money)}
	if p.Certainty == notRefused {
		return
	}
	code, _ := s.catalogue.Code(p.x.DE39)
	t.Explained.Money = textOf(code.Counter.Money)
	t.Remedy = &api.Remedy{Screen: api.Screen(p.Screen), Cashier: textsOf(p.Steps.Cashier), Never: textsOf(code.Counter.Never), SignIn: textOf(code.SignIn.Text), MaySign: code.SignIn.Do,
		Folk: textsOf(code.Counter.Folk)}
}

// forStaff is everything.
func (d *desk) forStaff(ctx context.Context, t *api.TransactionDetail, s *speaker, p *panel, m *sqlite.Judged) {
	t.Source, t.KeySet = m.Source.String(), m.KeySet
	t.Verdict = verdictOf(s, p)
	t.Explained = explainedOf(s, p)
	if kept := d.samples.of(ctx, m.Seq, m.At); kept != nil {
		t.Message, t.Timing = anatomyOf(&kept.Anatomy), timingOf(s, kept.Timing, t.Verdict)
	}
	if p.Certainty == notRefused {
		return
	}
	t.Owner = p.guide.OwnerIs.String()
	if p.Cause != nil && p.Cause.Owner != "" {
		t.Owner = p.Cause.Owner
	}
	t.Remedy = &api.Remedy{Screen: api.Screen(p.Screen), Cashier: textsOf(p.Steps.Cashier), Support: textsOf(p.Steps.Support), Engineer: textsOf(p.Steps.Engineer), Never: textsOf(p.Never),
		SignIn: textOf(p.SignIn), MaySign: p.guide.SignIn.Do, Reboot: textOf(p.guide.Reboot), Courier: textOf(p.Courier), Folk: textsOf(p.guide.Folk), Page: p.guide.Page}
}

// explainedOf is the panel's account of the cause.
func explainedOf(s *speaker, p *panel) api.Explanation {
	x := api.Explanation{Certainty: p.Certainty, ByCheck: p.ByCheck, Short: textOf(p.Short), Meaning: textOf(p.Meaning), Money: textOf(p.Money)}
	x.CertaintyText = s.both(p.certaintyWord)
	if p.Certainty == notRefused {
		x.Short = s.both(p.approved)
		return x
	}
	x.Presented, x.Expected, x.Found, x.Tried = textOf(p.Presented), textOf(p.Expected), textOf(p.Found), s.both(p.triedWords)
	x.Owner, x.Family, x.Blameless = textOf(p.Owner), textOf(p.Family), p.blameless()
	if p.Then != nil {
		x.Then = textOf(*p.Then)
	}
	if p.Certainty == string(journal.Proven) || p.Certainty == string(journal.Indicated) {
		x.NotProven = textOf(p.NotProven)
	}
	return x
}

// verdictOf is every check in the order in which they are made.
func verdictOf(s *speaker, p *panel) []api.TransactionCheck {
	all := make([]api.TransactionCheck, 0, len(p.Message.Checks))
	for i, shown := range p.Message.Checks {
		c := api.TransactionCheck{Check: shown.Check, Name: api.Text{EN: shown.Check, ZH: shown.Check}, Result: strings.ReplaceAll(shown.State, " ", "_"),
			Presented: textOf(evidenceIn(shown.Presented, p.zone)), Expected: textOf(evidenceIn(shown.Expected, p.zone))}
		if name, ok := s.catalogue.Check(shown.Check); ok {
			c.Name = textOf(name)
		}
		if first, ok := proof.States(p.x.Checks).First(); ok && int(first) == i { // what decided is told in the panel's words
			c.Presented, c.Expected = orText(textOf(p.Presented), c.Presented), orText(textOf(p.Expected), c.Expected)
		}
		c.Evidence = s.both(func(g *drawing) string { return strings.Trim(p.checkNote(g, proof.Check(i)), " ()") })
		all = append(all, c)
	}
	return all
}

// orText is t, or u where t says nothing.
func orText(t, u api.Text) api.Text {
	if t == (api.Text{}) {
		return u
	}
	return t
}

// recordedOf is what the journal keeps of a message's own fields.
func recordedOf(s *speaker, m *sqlite.Judged) []api.Recorded {
	x, list := &m.Exchange, []api.Recorded{}
	add := func(name, en, zh, value string) {
		if value != "" {
			list = append(list, api.Recorded{Name: name, Title: api.Text{EN: en, ZH: zh}, Value: value})
		}
	}
	element := func(n int, value string) {
		e, ok := iso8583.UnionPay.Element(n)
		if ok && value != "" {
			list = append(list, api.Recorded{Name: fmt.Sprintf("DE%d", n), Title: textOf(anatomy.ElementTitle(&e)), Value: value})
		}
	}
	if x.MTI != 0 {
		add("MTI", "message type", "消息类型", x.MTI.String())
	}
	element(2, x.Shown.String())
	element(3, x.Processing.String())
	if x.Amount != 0 {
		element(4, x.Amount.String())
	}
	element(11, x.STAN.String())
	element(22, fmt.Sprintf("%03d", x.EntryMode))
	element(25, fmt.Sprintf("%02d", x.Condition))
	if x.MTI != 0 && x.MTI != 0x0820 {
		element(37, fmt.Sprintf("%012d", m.Seq))
	}
	element(38, strings.TrimSpace(x.AuthCode.String()))
	element(39, x.DE39.String())
	element(41, printableID(x.Terminal[:]))
	element(42, printableID(x.Merchant[:]))
	element(49, x.Currency.String())
	add("60.1", "transaction type", "交易类型码", x.Type.String())
	add("60.2", "batch", "批次号", x.Batch.String())
	add("60.3", "network management code", "网络管理信息码", x.Network.String())
	if x.OriginalSTAN != 0 {
		add("61", "original batch and trace", "原批次号和流水号", x.OriginalBatch.String()+" "+x.OriginalSTAN.String())
	}
	if app := strings.TrimRight(string(x.App[:]), " \x00"); app != "" {
		add("A2.05", "application version", "应用程序版本", app)
	}
	return list
}

// anatomyOf is a message taken apart as the interface gives it; nil for nil.
func anatomyOf(a *anatomy.Shown) *api.Anatomy {
	if a == nil {
		return nil
	}
	t := &api.Anatomy{Bytes: a.Size, Parts: make([]api.AnatomyPart, 0, len(a.Parts))}
	for _, p := range a.Parts {
		t.Parts = append(t.Parts, api.AnatomyPart{Depth: p.Depth, Name: p.Name, Title: textOf(p.Title), From: p.From, To: p.To, Hex: p.Hex, Value: textOf(p.Value)})
	}
	if a.Covered != nil {
		t.Covered = &api.Span{From: a.Covered.From, To: a.Covered.To}
	}
	if f := a.Fault; f != nil {
		t.Fault = &api.AnatomyFault{Name: f.Name, At: f.At, Expected: textOf(f.Expected), Found: textOf(f.Found), Do: textOf(f.Do)}
	}
	return t
}
