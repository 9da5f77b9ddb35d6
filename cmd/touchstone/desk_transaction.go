package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/sqlite"
	"touchstone/web"
	"touchstone/web/api"
)

var _ api.Transactions = (*desk)(nil)

// transactionPrefix begins the identifier of a message: its entry number follows.
const transactionPrefix = "txn_"

// parseTransactionID reads txn_9001; ok is false for what names no entry.
func parseTransactionID(id string) (seq uint64, ok bool) {
	digits, ok := strings.CutPrefix(id, transactionPrefix)
	if !ok || len(digits) == 0 || len(digits) > 18 || digits[0] == '0' {
		return 0, false
	}
	seq, err := strconv.ParseUint(digits, 10, 63)
	return seq, err == nil
}

// Transactions implements api.Transactions.
func (d *desk) Transactions(ctx context.Context, who *web.Caller, q *api.TransactionQuery) (api.TransactionPage, error) {
	page := api.TransactionPage{Page: api.Page[api.Transaction]{Data: []api.Transaction{}}}
	s, err := d.speaker()
	if err != nil {
		return page, err
	}
	if q.RRN != "" {
		err := d.byReference(ctx, who, q, s, &page)
		return page, err
	}
	m, none, err := d.messageQuery(ctx, who, q)
	if err != nil || none {
		return page, err
	}
	found, err := d.messages(ctx, m)
	if err != nil {
		return page, err
	}
	causes, err := d.causesOf(ctx, found.List, instantOf(q.AsOf))
	if err != nil {
		return page, err
	}
	for i := range found.List {
		page.Data = append(page.Data, d.transactionOf(who, s, &found.List[i], causes[found.List[i].Seq]))
	}
	page.From, page.Lag = found.From, found.Lag
	if found.More {
		page.Next = strconv.FormatUint(found.From, 10)
	}
	return page, nil
}

// byReference is the list of the one message that has a retrieval reference number, if the rest of the question fits it.
func (d *desk) byReference(ctx context.Context, who *web.Caller, q *api.TransactionQuery, s *speaker, page *api.TransactionPage) error {
	seq, err := strconv.ParseUint(q.RRN, 10, 63)
	if err != nil || seq == 0 {
		return api.Refuse(http.StatusBadRequest, "invalid_request", "rrn: want the digits of DE37")
	}
	page.From = seq
	x, _, err := d.exchange(ctx, who, seq)
	if errors.Is(err, errNoTransaction) {
		return nil
	}
	if err != nil {
		return err
	}
	m, none, err := d.messageQuery(ctx, who, q)
	if err != nil || none {
		return err
	}
	if !m.Fits(x) {
		return nil
	}
	causes, err := d.causesOf(ctx, []sqlite.Judged{*x}, instantOf(q.AsOf))
	if err == nil {
		page.Data = append(page.Data, d.transactionOf(who, s, x, causes[seq]))
	}
	return err
}

// messageQuery is the question to the journal; none tells that nothing can fit it.
func (d *desk) messageQuery(ctx context.Context, who *web.Caller, q *api.TransactionQuery) (m *sqlite.MessageQuery, none bool, err error) {
	m = &sqlite.MessageQuery{From: instantOf(q.From), To: instantOf(q.To), Most: q.Limit, Refused: q.Outcome == "refused", Approved: q.Outcome == "approved"}
	if m.Most <= 0 {
		m.Most = 50
	}
	if at := instantOf(q.AsOf); at != 0 && (m.To == 0 || at < m.To) {
		m.To = at + 1
	}
	bad := func(param, want string) error {
		p := api.Refuse(http.StatusBadRequest, "invalid_request", param+": want "+want)
		p.Param = param
		return p
	}
	if q.Cursor != "" {
		if m.Before, err = strconv.ParseUint(q.Cursor, 10, 63); err != nil {
			return nil, false, bad("cursor", "next_cursor of the piece before")
		}
	}
	if q.Terminal != "" {
		id, err := pos.ParseTerminalID(q.Terminal)
		if err != nil {
			return nil, false, bad("terminal", "8 characters")
		}
		m.Terminals = []pos.TerminalID{id}
	}
	if q.Trace != "" {
		n, err := strconv.ParseUint(q.Trace, 10, 32)
		if err != nil || pos.STAN(n) > pos.MaxSTAN {
			return nil, false, bad("trace", "0 to 999999")
		}
		stan := pos.STAN(n)
		m.STAN = &stan
	}
	if q.Reason != "" {
		if who.Merchant() {
			return nil, false, bad("reason", "nothing: it is for staff")
		}
		if m.Reason, err = reason.Parse(strings.ToLower(q.Reason)); err != nil || m.Reason == reason.None {
			return nil, false, bad("reason", "a stable word such as mac_failed: touchstone explain list")
		}
	}
	if q.Code != "" {
		if len(q.Code) != 2 {
			return nil, false, bad("code", "two characters of DE39")
		}
		m.Code = pos.Code(strings.ToUpper(q.Code))
		m.Refused = m.Refused || m.Code != pos.Approved
	}
	return d.narrowed(ctx, who, q, m)
}

// narrowed adds whose messages they are: a merchant's account is shown its own.
func (d *desk) narrowed(_ context.Context, who *web.Caller, q *api.TransactionQuery, m *sqlite.MessageQuery) (*sqlite.MessageQuery, bool, error) {
	if q.Merchant != "" {
		id, err := pos.ParseMerchantID(strings.TrimPrefix(q.Merchant, "mer_"))
		if err != nil {
			p := api.Refuse(http.StatusBadRequest, "invalid_request", "merchant: want 15 characters")
			p.Param = "merchant"
			return nil, false, p
		}
		if !who.Sees(id) {
			return nil, true, nil
		}
		m.Merchant = id
	}
	if who.Merchant() {
		m.Merchant = who.Shop
		m.Match = func(_ uint64, x *journal.Exchange) bool { return d.owns(who.Shop, x) }
	}
	if m.Merchant != (pos.MerchantID{}) && len(m.Terminals) == 0 && !m.Refused && m.Reason == reason.None {
		ids, all := d.terminalsOfShop(m.Merchant)
		if len(ids) == 0 {
			return nil, true, nil
		}
		if all {
			m.Terminals = ids
		}
	}
	if card := q.Card; card != "" {
		before := m.Match
		m.Match = func(seq uint64, x *journal.Exchange) bool {
			return strings.HasSuffix(x.Shown.String(), card) && (before == nil || before(seq, x))
		}
	}
	return m, false, nil
}

// owns tells whether a message is a merchant's to see: it names the merchant, and either the host found terminal and
// merchant to belong together, or they do by the register of now.
func (d *desk) owns(shop pos.MerchantID, x *journal.Exchange) bool {
	if x.Merchant != shop {
		return false
	}
	if proof.States(x.Checks).Of(proof.Binding) == proof.Passed || x.Flags&journal.FlagRedress != 0 {
		return true
	}
	t, err := d.ledger.Terminal(x.Terminal)
	return err == nil && t.Merchant == shop
}

func instantOf(t time.Time) pos.Instant {
	if t.IsZero() {
		return 0
	}
	return pos.Instant(t.UnixNano())
}

// messages asks view.db and the journal.
func (d *desk) messages(ctx context.Context, q *sqlite.MessageQuery) (sqlite.Messages, error) {
	if d.view != nil {
		return d.view.Messages(ctx, q)
	}
	return d.store.Reader.Messages(ctx, q)
}

// errNoTransaction: no message has the number, or the caller may not see it; they are answered alike.
var errNoTransaction = errors.New("no such transaction")

// exchange reads one message that the caller may see.
func (d *desk) exchange(ctx context.Context, who *web.Caller, seq uint64) (*sqlite.Judged, journal.Entry, error) {
	e, err := d.store.Reader.Entry(ctx, seq)
	switch {
	case errors.Is(err, sqlite.ErrNoEntry), err == nil && e.Kind != journal.KindExchange:
		return nil, e, errNoTransaction
	case err != nil:
		return nil, e, err
	}
	x := &sqlite.Judged{Seq: seq}
	if err := x.Parse(e); err != nil {
		return nil, e, fmt.Errorf("entry %d: %w", seq, err)
	}
	if who.Merchant() && !d.owns(who.Shop, &x.Exchange) {
		return nil, e, errNoTransaction
	}
	return x, e, nil
}

// mostThen is how many entries after a refusal are read for a cause that was known at a past moment.
const mostThen = 200_000

// causesOf are the causes of refusals as they were known at an instant; 0 is now.
func (d *desk) causesOf(ctx context.Context, list []sqlite.Judged, asOf pos.Instant) (map[uint64]*sqlite.StoredCause, error) {
	var verdicts []uint64
	for i := range list {
		if sought(&list[i].Exchange) && list[i].Flags&journal.FlagRepeat == 0 {
			verdicts = append(verdicts, list[i].Seq)
		}
	}
	found := map[uint64]sqlite.StoredCause{}
	var err error
	if d.view != nil {
		err = d.view.CausesOf(ctx, verdicts, found)
	} else {
		err = d.store.Reader.CausesOf(ctx, verdicts, found)
	}
	if err != nil && !errors.Is(err, sqlite.ErrUnsearched) {
		return nil, err
	}
	causes := map[uint64]*sqlite.StoredCause{}
	for seq, c := range found {
		if asOf != 0 && c.At > asOf {
			earlier, err := d.causeThen(ctx, seq, c.Seq, asOf)
			if err != nil {
				return nil, err
			}
			if earlier != nil {
				causes[seq] = earlier
			}
			continue
		}
		causes[seq] = &c
	}
	return causes, nil
}

// causeThen finds the cause that named a verdict before the newest one did, as known at an instant; nil is none.
func (d *desk) causeThen(ctx context.Context, verdict, newest uint64, asOf pos.Instant) (known *sqlite.StoredCause, err error) {
	err = d.store.Reader.Blocks(ctx, verdict+1, func(b journal.Block) error {
		return b.Each(func(e journal.Entry) error {
			if e.Seq >= newest || e.Seq > verdict+mostThen || e.At > asOf {
				return errEnough
			}
			if e.Kind != journal.KindCause {
				return nil
			}
			if c, err := parseCause(e); err == nil && c.Verdict == verdict {
				known = &sqlite.StoredCause{Seq: e.Seq, At: e.At, Cause: *c}
			}
			return nil
		})
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return known, err
}
