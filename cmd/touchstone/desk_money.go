package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/redress"
	"touchstone/sqlite"
	"touchstone/web"
	"touchstone/web/api"
)

// auditor reads the whole journal in the background and keeps the books that it makes: what touchstone money prints.
// The figures at hand are of the rooms; the books contradict them where they are wrong.
type auditor struct {
	want chan struct{} // a reading is wanted; at most one waits

	mu      sync.Mutex // guards all below
	books   *redress.Books
	through uint64 // the last entry of the books
	at      time.Time
}

// auditShare is how much of the time the reading may take: one part in so many.
const auditShare = 50

// Money implements api.Claims.
func (d *desk) Money(ctx context.Context, _ *web.Caller, q *api.MoneyQuery) (api.Money, error) {
	view, now, err := d.roomsOf(ctx, &q.AsOf)
	if err != nil {
		return api.Money{}, err
	}
	through := d.ledger.Durable()
	if q.AsOf.AsOf != "" {
		if through, err = d.seqAt(ctx, now); err != nil {
			return api.Money{}, err
		}
	}
	var books *redress.Books
	known := q.Incident == ""
	view(func(r *rooms) {
		known = known || r.incident.Incident(q.Incident) != nil
		books = r.redress.Books(q.Incident, through)
	})
	if !known {
		return api.Money{}, api.NotFound()
	}
	m := moneyShown(books.Money())
	if q.AsOf.AsOf == "" {
		m.Audited = d.audited(q.Incident, &m)
	}
	return m, nil
}

func moneyShown(m *redress.Money) api.Money {
	line := func(l redress.Line) api.MoneyLine { return api.MoneyLine(l) }
	a := api.Money{Incident: m.Incident, Through: m.Through, Claims: m.Claims, Claimed: m.Claimed, Open: m.Open, OpenAmount: m.OpenAmount, Refused: m.Refused, RefusedAmount: m.RefusedAmount,
		Approved: m.Approved, Refunds: line(m.Refunds), Compensation: line(m.Compensation), Out: m.Out, Differs: m.Differs, Reconciles: m.Reconciles, ByPayer: map[string]pos.Amount{}}
	for payer, amount := range m.ByPayer {
		a.ByPayer[string(payer)] = amount
	}
	return a
}

// sameMoney tells whether two computations say the same of claims and money, to the fen.
func sameMoney(a, b *api.Money) bool {
	return a.Claims == b.Claims && a.Claimed == b.Claimed && a.Open == b.Open && a.OpenAmount == b.OpenAmount && a.Refused == b.Refused && a.RefusedAmount == b.RefusedAmount &&
		a.Approved == b.Approved && a.Refunds == b.Refunds && a.Compensation == b.Compensation && a.Out == b.Out
}

// audited is what the newest reading of the journal says, and begins another where it is behind.
func (d *desk) audited(incident string, now *api.Money) *api.MoneyAudit {
	u := &d.audit
	u.mu.Lock()
	defer u.mu.Unlock()
	var told *api.MoneyAudit
	if u.books != nil {
		m := moneyShown(u.books.Of(incident))
		told = &api.MoneyAudit{Through: u.through, At: u.at, Reconciles: m.Reconciles, Differs: m.Differs, Current: sameMoney(&m, now)}
	}
	if told == nil || !told.Current {
		select {
		case u.want <- struct{}{}:
		default:
		}
	}
	return told
}

// startAudit reads the books whenever that is wanted, until ctx ends; a reading that takes long is followed by a rest.
func (e *engine) startAudit(ctx context.Context) {
	e.audit.want = make(chan struct{}, 1)
	e.wait.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-e.audit.want:
			}
			began := time.Now()
			e.readBooks(ctx)
			if took := time.Since(began); !pause(ctx, auditShare*took) {
				return
			}
		}
	})
}

// readBooks folds the journal as moneyOf does, and keeps what that makes.
func (e *engine) readBooks(ctx context.Context) {
	books, through, err := foldBooks(ctx, e.store.Reader, "")
	if err != nil {
		if ctx.Err() == nil {
			e.log.Warn("the books could not be read from the journal", slog.String("error", err.Error()))
		}
		return
	}
	e.audit.mu.Lock()
	defer e.audit.mu.Unlock()
	e.audit.books, e.audit.through, e.audit.at = books, through, time.Now()
}

// foldBooks folds the journal, up to what is durable at the beginning.
func foldBooks(ctx context.Context, r *sqlite.Reader, incident string) (*redress.Books, uint64, error) {
	last, _, err := r.Head(ctx)
	if err != nil {
		return nil, 0, err
	}
	books := redress.NewBooks(incident)
	for pass := range redress.Passes {
		if pass > 0 {
			books.Again()
		}
		err := r.Blocks(ctx, 1, func(b journal.Block) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return b.Each(func(e journal.Entry) error {
				if e.Seq > last {
					return nil
				}
				return books.Fold(e)
			})
		})
		if err != nil {
			return nil, 0, err
		}
	}
	return books, last, nil
}
