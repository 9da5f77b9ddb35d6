package main

import (
	"context"
	"encoding/csv"
	"io"
	"strings"
	"time"

	"touchstone/estate"
	"touchstone/fleet"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// fivePiece is how many terminals of the record are read at a time: the rooms are held for so long.
const fivePiece = 256

// settlementRoles need to see of an account what is kept of it, its last four characters.
var settlementRoles = []staff.Role{staff.Administrator, staff.Security, staff.Support, staff.Auditor}

// fiveOf is the record of one terminal at an instant: what two people bound its device to or, where nobody did, what
// the register says, with the rest missing.
func fiveOf(r *rooms, t *registry.Terminal, shop, acquirer string, at pos.Instant, who *web.Caller) api.FiveElements {
	f := api.FiveElements{Serial: string(t.Serial), Terminal: t.ID.String(), Acquirer: acquirer, Merchant: t.Merchant.String(), Shop: shop}
	if b := r.fleet.BindingAt(t.Serial, at); b != nil && b.Terminal == t.ID {
		f.Acquirer, f.Merchant, f.Address = b.Acquirer, b.Merchant.String(), b.Address
		f.CreditKind, f.Credit, f.Settlement = b.Credit.Kind, maskedLast(b.Credit), maskedLast(b.Settlement)
		f.From, f.Binding, f.By, f.Entry = momentOf(b.From), b.ID, b.By, b.Entry
	}
	for _, x := range []struct{ name, value string }{{"serial", f.Serial}, {"acquirer", f.Acquirer}, {"merchant", f.Merchant}, {"credit", f.Credit}, {"settlement", f.Settlement}, {"address", f.Address}} {
		if x.value == "" {
			f.Missing = append(f.Missing, x.name)
		}
	}
	f.Complete = len(f.Missing) == 0
	if who.Merchant() {
		f.By, f.Entry, f.Binding = nil, 0, ""
	} else if f.Settlement != "" && !who.May(settlementRoles...) {
		f.Settlement = maskedOut
	}
	return f
}

// maskedOut stands for what a role need not see.
const maskedOut = "****"

func maskedLast(s fleet.Sealed) string {
	if s.Last == "" {
		return ""
	}
	return maskedOut + s.Last
}

// fiveWalk gives f the record of terminals in the order of their ids, those after one, until it returns false.
func (d *desk) fiveWalk(ctx context.Context, who *web.Caller, q *api.FiveQuery, after string, f func(api.FiveElements) (bool, error)) error {
	at, err := q.AsOf.Instant(d.line.Zone, d.clock())
	if err != nil {
		return err
	}
	query, none, err := d.estateQuery(who, &api.TerminalQuery{Merchant: q.Merchant})
	if err != nil || none {
		return err
	}
	var past *pastRegister
	var then *rooms
	index := d.estate.index
	if at != 0 {
		if past, err = d.registryAt(ctx, at); err != nil {
			return err
		}
		if then, err = d.roomsSoon(ctx, at); err != nil {
			return err
		}
		if query.Merchant != (pos.MerchantID{}) { // of one shop: the terminals that it had then
			if index, err = d.indexAt(ctx, at); err != nil {
				return err
			}
		}
	}
	query.Limit, query.After = fivePiece, after
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		found := index.Search(query)
		rows, err := d.fiveRows(ctx, who, q, found, past, then)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if on, err := f(row); err != nil || !on {
				return err
			}
		}
		if !found.More {
			return nil
		}
		query.After = found.IDs[len(found.IDs)-1].String()
	}
}

// fiveRows is one piece of the record.
func (d *desk) fiveRows(ctx context.Context, who *web.Caller, q *api.FiveQuery, found estate.Result, past *pastRegister, then *rooms) ([]api.FiveElements, error) {
	only, some := merchantNamed(q.Merchant)
	at := d.clock()
	var terminals []*registry.Terminal
	var shops []string
	for _, id := range found.IDs {
		t, err := d.ledger.Terminal(id)
		if past != nil {
			at = past.At
			t, err = past.Terminal(ctx, id)
		}
		if isNotFound(missing(err)) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if some && t.Merchant != only || !who.Sees(t.Merchant) {
			continue
		}
		name := d.shopName(t.Merchant)
		if past != nil {
			if m, err := past.Merchant(ctx, t.Merchant); err == nil {
				name = m.Name
			}
		}
		terminals, shops = append(terminals, t), append(shops, name)
	}
	rows := make([]api.FiveElements, 0, len(terminals))
	read := func(r *rooms) {
		for i, t := range terminals {
			rows = append(rows, fiveOf(r, t, shops[i], d.line.Acquirer, at, who))
		}
	}
	if then != nil {
		read(then)
	} else {
		d.office.view(read)
	}
	return rows, nil
}

// FiveElements implements api.Devices.
func (d *desk) FiveElements(ctx context.Context, who *web.Caller, q *api.FiveQuery) (page api.Page[api.FiveElements], err error) {
	page.Data = []api.FiveElements{}
	err = d.fiveWalk(ctx, who, q, q.Cursor, func(row api.FiveElements) (bool, error) {
		if len(page.Data) == q.Limit {
			page.Next = page.Data[q.Limit-1].Terminal
			return false, nil
		}
		page.Data = append(page.Data, row)
		return true, nil
	})
	return page, err
}

// FiveReady implements api.Devices.
func (d *desk) FiveReady(ctx context.Context, who *web.Caller, q *api.FiveQuery) error {
	if !d.estate.built.Load() {
		return api.Refuse(503, "index_building", "the index of terminals is being built after a start: the record would not be whole; try again in a moment")
	}
	return d.fiveWalk(ctx, who, q, "", func(api.FiveElements) (bool, error) { return false, nil })
}

// fiveColumns are the names of the record's columns.
var fiveColumns = []string{"serial", "terminal", "acquirer", "merchant", "merchant_name", "credit_kind", "credit_code", "settlement_account", "address", "in_force_since", "binding", "complete"}

// WriteFive implements api.Devices: one row at a time, whatever the size of the estate (RFC 4180).
func (d *desk) WriteFive(ctx context.Context, who *web.Caller, q *api.FiveQuery, w io.Writer) error {
	if q.BOM {
		if _, err := io.WriteString(w, "\ufeff"); err != nil {
			return err
		}
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true // RFC 4180, 2.1
	if err := out.Write(fiveColumns); err != nil {
		return err
	}
	err := d.fiveWalk(ctx, who, q, "", func(f api.FiveElements) (bool, error) {
		since, complete := "", "no"
		if f.From != nil {
			since = f.From.In(d.line.Zone).Format(time.RFC3339)
		}
		if f.Complete {
			complete = "yes"
		}
		row := []string{f.Serial, f.Terminal, f.Acquirer, f.Merchant, f.Shop, f.CreditKind, f.Credit, f.Settlement, f.Address, since, f.Binding, complete}
		for i := range row {
			row[i] = noFormula(row[i])
		}
		return true, out.Write(row)
	})
	out.Flush()
	if err == nil {
		err = out.Error()
	}
	return err
}

// noFormula keeps a spreadsheet from taking a text for a formula: OWASP, "CSV Injection". A line break is no part of any
// value.
func noFormula(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == 0 {
			return ' '
		}
		return r
	}, s)
	if s != "" && strings.ContainsRune("=+-@\t|＝＋－＠", []rune(s)[0]) {
		return "'" + s
	}
	return s
}
