package main

import (
	"context"
	"slices"

	"touchstone/estate"
	"touchstone/incident"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/sqlite"
	"touchstone/web"
	"touchstone/web/api"
)

// What is shown around a message.
const (
	laterShown   = 8   // messages of the terminal after it
	laterLooked  = 200 // of them looked at for what belongs to the same sale
	mostIncident = 8
)

// around adds what belongs to a message: its incidents, the other messages of its sale, and what its terminal sent next.
func (d *desk) around(ctx context.Context, who *web.Caller, s *speaker, m *sqlite.Judged, then pos.Instant, t *api.TransactionDetail) error {
	if !who.Merchant() {
		t.Incidents = d.incidentsOf(m)
	}
	later, err := d.messagesAfter(ctx, m)
	if err != nil {
		return err
	}
	later = slices.DeleteFunc(later, func(x sqlite.Judged) bool {
		return then != 0 && x.At > then || who.Merchant() && !d.owns(who.Shop, &x.Exchange)
	})
	causes, err := d.causesOf(ctx, later[:min(len(later), laterShown)], then)
	if err != nil {
		return err
	}
	for i := range later[:min(len(later), laterShown)] {
		t.Later = append(t.Later, d.transactionOf(who, s, &later[i], causes[later[i].Seq]))
	}
	if err := d.originalOf(ctx, who, s, m, t); err != nil {
		return err
	}
	for i := range later {
		if kind, ok := relation(m, &later[i]); ok {
			t.SameSale = append(t.SameSale, api.RelatedTransaction{Kind: kind, Relation: relationWords[kind], Transaction: d.transactionOf(who, s, &later[i], nil)})
		}
	}
	return nil
}

func (d *desk) messagesAfter(ctx context.Context, m *sqlite.Judged) ([]sqlite.Judged, error) {
	if printableID(m.Terminal[:]) == "" {
		return nil, nil
	}
	if d.view != nil {
		return d.view.MessagesAfter(ctx, m.Terminal, m.Seq, laterLooked)
	}
	return d.store.Reader.MessagesAfter(ctx, m.Terminal, m.Seq, laterLooked)
}

// originalOf adds the message that this one undoes or repeats.
func (d *desk) originalOf(ctx context.Context, who *web.Caller, s *speaker, m *sqlite.Judged, t *api.TransactionDetail) error {
	if m.Original == 0 || m.Original >= m.Seq {
		return nil
	}
	x, _, err := d.exchange(ctx, who, m.Original)
	if err == errNoTransaction {
		return nil
	}
	if err != nil {
		return err
	}
	t.SameSale = append(t.SameSale, api.RelatedTransaction{Kind: "original", Relation: relationWords["original"], Transaction: d.transactionOf(who, s, x, nil)})
	return nil
}

// relation is what a later message is to an earlier one of its terminal: it names that one's entry, or, where the earlier
// was refused and so has no record, it repeats or reverses its trace.
func relation(m, later *sqlite.Judged) (kind string, ok bool) {
	switch {
	case later.Original == m.Seq && later.Flags&journal.FlagRepeat != 0:
		return "repeat", true
	case later.Original == m.Seq:
		switch later.Effect {
		case journal.ReversedSale, journal.ReversedVoid, journal.ReversedNone:
			return "reversal", true
		case journal.VoidedSale:
			return "void", true
		case journal.Refunded:
			return "refund", true
		case journal.Compensated:
			return "compensation", true
		}
		return "", false
	case m.MTI == 0x0200 && later.MTI == 0x0400 && later.STAN == m.STAN && later.Batch == m.Batch:
		return "reversal", true
	case m.MTI != 0 && m.MTI == later.MTI && later.STAN == m.STAN && later.Batch == m.Batch && later.Amount == m.Amount && m.Amount != 0:
		return "repeat", true
	}
	return "", false
}

var relationWords = map[string]api.Text{
	"original": {EN: "the message it is about", ZH: "所针对的报文"}, "reversal": {EN: "its reversal", ZH: "其冲正"}, "void": {EN: "its void", ZH: "其撤销"},
	"refund": {EN: "its refund", ZH: "其退货"}, "repeat": {EN: "the same, sent again", ZH: "同一报文重发"}, "compensation": {EN: "its compensation", ZH: "其补偿"},
}

// incidentsOf are the incidents that name a message as evidence, and open ones in whose scope its terminal stands by name.
func (d *desk) incidentsOf(m *sqlite.Judged) (ids []string) {
	terminal := printableID(m.Terminal[:])
	d.office.view(func(r *rooms) {
		list := r.incident.Incidents()
		for i := len(list) - 1; i >= 0 && len(ids) < mostIncident; i-- {
			x := list[i]
			if slices.Contains(x.Proof, m.Seq) || x.State != incident.Closed && terminal != "" && slices.Contains(x.Scope.Terminals, terminal) {
				ids = append(ids, x.ID)
			}
		}
	})
	return ids
}

// Choices implements api.Transactions.
func (d *desk) Choices(context.Context) (kinds, reasons []api.Option) {
	d.office.view(func(r *rooms) {
		for _, k := range r.incident.Data().Kinds {
			kinds = append(kinds, api.Option{ID: k.ID, Name: api.Text(k.Name)})
		}
	})
	c, err := catalogueOnce()
	if err != nil {
		return kinds, nil
	}
	for _, r := range reason.All() {
		if r != reason.None {
			reasons = append(reasons, api.Option{ID: r.String(), Name: textOf(c.Reason(r).Short)})
		}
	}
	return kinds, reasons
}

// mostOfShop is how many terminals a shop may have whose messages are found by terminal; those of a larger one are sought in
// the journal, newest first.
const mostOfShop = 256

// terminalsOfShop are a merchant's terminals; all is false where it has more than mostOfShop.
func (d *desk) terminalsOfShop(m pos.MerchantID) (ids []pos.TerminalID, all bool) {
	if d.estate.built.Load() {
		found := d.estate.index.Search(estate.Query{Merchant: m, Limit: mostOfShop})
		return found.IDs, !found.More
	}
	for _, t := range d.ledger.Terminals() { // the index is made in a moment
		if t.Merchant == m {
			ids = append(ids, t.ID)
		}
	}
	return ids[:min(len(ids), mostOfShop)], len(ids) <= mostOfShop
}
