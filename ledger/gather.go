package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/transaction"
)

// lookupTimeout bounds one look into the store for an old record.
const lookupTimeout = 2 * time.Second

// Gather copies what is known of the terminal a request names. An error means that something that
// must be known could not be read: the request is refused.
func (l *Ledger) Gather(r *proof.Request, now pos.Instant, s *proof.Snapshot) error {
	*s = proof.Snapshot{}
	l.mu.RLock()
	t := l.terminals[r.Terminal]
	s.Merchant = l.merchants[r.Merchant]
	s.Stops, s.Suspected = l.stops, l.suspects.Has(r.Terminal)
	l.mu.RUnlock()
	if t == nil {
		return nil
	}
	t.mu.Lock()
	reg := t.reg
	s.Terminal, s.Version, s.Session, s.Permit = reg, t.version, t.session, t.standing()
	s.Owner, s.Undone = t, t.undone.Load()
	s.Money = proof.Money{Batch: t.money.Batch, LastBatch: t.money.LastBatch, HeardFrom: t.money.HeardFrom,
		Empty: t.money.HeardFrom == pos.Address{}}
	s.SameConn = t.conn == r.Conn && r.Conn != 0
	if r.Need == proof.SignIn {
		s.RateLimited = !t.mayIssue(l.opts, now)
	}
	s.Money.Missing = t.gatherPrior(r, s)
	t.mu.Unlock()
	l.cashiers.gather(r, s)
	if reg != nil {
		l.mu.RLock()
		s.Device = l.devices[reg.Serial]
		l.mu.RUnlock()
	}
	return nil
}

// gatherPrior looks for the record of the request's own key; missing tells that the trace is used but
// its record is no longer in memory. t.mu is held.
func (t *terminal) gatherPrior(r *proof.Request, s *proof.Snapshot) (missing bool) {
	c, uses := transaction.ClassOf(r.MTI)
	if !uses || r.Batch != t.money.Batch {
		return false
	}
	s.Money.Seen, s.Money.Full = t.money.Traces[c].Has(r.STAN), t.money.Traces[c].Full(r.STAN)
	if !s.Money.Seen && !t.graves {
		return false // only a tombstone can be recorded without its trace among the used ones
	}
	if rec := t.records[transaction.KeyOf(r.Batch, c, r.STAN)]; rec != nil {
		s.Money.HasPrior, s.Money.Prior = true, rec.Record
		return false
	}
	return s.Money.Seen
}

// Recall brings the record that Gather left out because it is no longer in memory. It may read the disk,
// so it is asked only for a message whose MAC verified: a stranger cannot make the host read.
func (l *Ledger) Recall(r *proof.Request, s *proof.Snapshot) error {
	t := l.placeOf(s, r.Terminal)
	c, uses := transaction.ClassOf(r.MTI)
	if t == nil || !uses || !s.Money.Missing {
		return nil
	}
	s.Money.Missing = false
	rec, err := l.find(t, transaction.KeyOf(r.Batch, c, r.STAN))
	if err != nil || rec == nil {
		return err
	}
	t.mu.Lock()
	s.Money.HasPrior, s.Money.Prior = true, rec.Record
	t.mu.Unlock()
	return nil
}

// find is the record of a key, from memory or the store, nil when there is none. Its fields are
// guarded by t.mu, which must not be held here.
func (l *Ledger) find(t *terminal, k transaction.Key) (*record, error) {
	for range maxLookups {
		t.mu.Lock()
		rec, trims := t.records[k], t.trims
		t.mu.Unlock()
		if rec != nil {
			return rec, nil
		}
		rec, err := l.load(t, k)
		if err != nil || rec == nil {
			return nil, err
		}
		if now := t.keepLoaded(rec, trims); now != nil {
			return now, nil
		}
	}
	return nil, errLookups
}

// maxLookups is how often a record is read again because others were forgotten meanwhile.
const maxLookups = 16

var errLookups = errors.New("record: changed each time it was read")

// load reads a record that was checkpointed and forgotten, nil when there is none: as the journal made it
// or, if it was changed since, as the store keeps it.
func (l *Ledger) load(t *terminal, k transaction.Key) (*record, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	seq, ok, err := l.store.SeqByTrace(ctx, t.id, indexKey(k))
	if err != nil || !ok {
		return nil, err
	}
	body, ok, err := l.store.RecordBySeq(ctx, seq)
	if err != nil {
		return nil, err
	}
	var rec *record
	if ok {
		rec, err = decodeRecord(body)
	} else {
		rec, err = l.remade(ctx, seq)
	}
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", seq, err)
	}
	if rec.Seq != seq || rec.Key() != k || rec.Terminal != t.id {
		return nil, fmt.Errorf("record %d: %w: it is not the one looked for", seq, ErrSlab)
	}
	return rec, nil
}

// remade is a record as the journal's entry made it.
func (l *Ledger) remade(ctx context.Context, seq uint64) (*record, error) {
	entry, err := l.history.Entry(ctx, seq)
	if err != nil {
		return nil, err
	}
	var x journal.Exchange
	if err := x.Parse(entry); err != nil {
		return nil, err
	}
	made, ok := transaction.Remember(seq, &x)
	if !ok {
		return nil, fmt.Errorf("%w: the entry makes no record", ErrSlab)
	}
	return &record{Record: made, applied: seq}, nil
}

// keepLoaded puts a record read from the store into memory, unless another has done so. It gives nil
// when records were forgotten since trims: this one may have been changed, written and forgotten after
// it was read.
func (t *terminal) keepLoaded(rec *record, trims uint64) *record {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.records[rec.Key()]; now != nil {
		return now
	}
	if t.trims != trims {
		return nil
	}
	t.keep(rec)
	return rec
}

func (t *terminal) keep(rec *record) {
	if t.records == nil {
		t.records = map[transaction.Key]*record{}
	}
	t.records[rec.Key()] = rec
	t.order = append(t.order, rec)
	t.graves = t.graves || rec.State == transaction.Grave
}

// CardView reads what must be known of a card before its PIN is verified.
func (l *Ledger) CardView(h pos.PANHash) proof.CardView {
	c := l.card(h)
	if c == nil {
		return proof.CardView{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return proof.CardView{Verifier: c.issuer.Verifier}
}

// CardNow is a copy of a card; ok is false for a card this bank does not have.
func (l *Ledger) CardNow(h pos.PANHash) (issuer.Card, bool) {
	c := l.card(h)
	if c == nil {
		return issuer.Card{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.issuer, true
}

// originals finds what a void, refund or reversal names: the terminal it belongs to, the record, and,
// for a void about to be reversed, the sale it undid. No lock is held.
func (l *Ledger) originals(own *terminal, r *proof.Request) (t *terminal, rec, sale *record, err error) {
	t = own
	switch r.Op {
	case transaction.Void:
		if r.HasOrigin {
			rec, err = l.find(own, saleKey(r.OrigBatch, r.OrigSTAN))
		}
	case transaction.Reversal:
		rec, err = l.find(own, transaction.KeyOf(r.Batch, transaction.ClassOfCode(r.Type), r.STAN))
		if err == nil && rec != nil && rec.Type == pos.Void {
			sale, err = l.find(own, saleKey(rec.OrigBatch, rec.OrigSTAN))
		}
	case transaction.Refund:
		t, rec, err = l.byReference(own, transaction.SeqOf(r.RRN))
	}
	return t, rec, sale, err
}

func saleKey(b pos.BatchNo, s pos.STAN) transaction.Key {
	return transaction.KeyOf(b, transaction.ClassOfCode(pos.Sale), s)
}

// byReference finds the record a retrieval reference number names, of any terminal.
func (l *Ledger) byReference(own *terminal, seq uint64) (*terminal, *record, error) {
	if seq == 0 || seq > l.committer.Durable() {
		return own, nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	entry, err := l.history.Entry(ctx, seq)
	if err != nil {
		return own, nil, err
	}
	if entry.Kind != journal.KindExchange {
		return own, nil, nil
	}
	var x journal.Exchange
	if err := x.Parse(entry); err != nil {
		return own, nil, err
	}
	made, ok := transaction.Remember(seq, &x)
	t := l.terminal(x.Terminal)
	if !ok || t == nil {
		return own, nil, nil
	}
	rec, err := l.find(t, made.Key())
	return t, rec, err
}

// mayIssue refills the bucket of sign-ins; t.mu is held.
func (t *terminal) mayIssue(o Options, now pos.Instant) bool {
	if t.filled != 0 && now > t.filled {
		t.tokens = min(float64(o.SignInBurst), t.tokens+float64(now.Sub(t.filled))/float64(o.SignInEvery))
	}
	t.filled = now
	return t.tokens >= 1
}
