package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"

	"touchstone/host"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
	"touchstone/transaction"
)

// Commit takes the locks of what x touches, lets x conclude, and enqueues and folds its entry. It
// returns host.ErrConflict, with nothing changed, when the terminal is no longer as it was gathered.
func (l *Ledger) Commit(x *host.Exchange) error {
	own := l.placeOf(&x.Snapshot, x.Request.Terminal)
	if own == nil || x.Snapshot.Terminal == nil || !x.Changes() {
		_, err := l.committer.Enqueue(x.Conclude(host.View{}), journal.Outcome, x)
		return err
	}
	other, original, sale, err := l.originals(own, &x.Request)
	if err != nil {
		return err
	}
	lockTwo(own, other)
	defer unlockTwo(own, other)
	if own.version != x.Snapshot.Version || own.reg != x.Snapshot.Terminal || !other.holds(original) || !other.holds(sale) {
		return host.ErrConflict
	}
	view := host.View{Terminal: &own.money}
	if original != nil {
		view.Original = &original.Record
	}
	if sale != nil {
		view.Sale = &sale.Record
	}
	c := l.card(x.CardOf(view))
	if c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		view.Card = &c.issuer
	}
	entry := x.Conclude(view)
	if entry.Effect == journal.Tampered {
		if err := l.block(own.reg.Serial, entry.At); err != nil {
			return err
		}
	}
	seq, err := l.committer.Enqueue(entry, journal.Outcome, x)
	if err != nil {
		return err
	}
	own.volatile(x, entry)
	own.fold(seq, entry)
	other.foldOriginal(seq, entry, original, sale)
	if c != nil && entry.Card == c.issuer.Card {
		c.fold(seq, entry)
	}
	return nil
}

// placeOf is the terminal that a snapshot was gathered from, or is looked up where none was.
func (l *Ledger) placeOf(s *proof.Snapshot, id pos.TerminalID) *terminal {
	if t, ok := s.Owner.(*terminal); ok && t.id == id {
		return t
	}
	return l.terminal(id)
}

// block marks the device of a proven tamper report: a record of its own, in the journal before the
// report itself, so that no crash leaves the one without the other. Only a release by two people with a
// new key loading lifts it.
func (l *Ledger) block(serial pos.Serial, at pos.Instant) error {
	device, err := l.Device(serial)
	if err != nil || device.State == registry.TamperedBy {
		return err
	}
	blocked := *device
	blocked.State = registry.TamperedBy
	body, err := json.Marshal(&blocked)
	if err != nil {
		return fmt.Errorf("block device: %w", err)
	}
	return l.foldCold(journal.Entry{Kind: journal.KindDevice, At: at, Body: body}, func() (uint64, error) {
		return l.committer.Enqueue(journal.Raw{Entry: journal.Entry{Kind: journal.KindDevice, At: at, Body: body}}, journal.Outcome, nil)
	})
}

// lockTwo locks one or two terminals in ascending order of their ids; b may be a, or nil.
func lockTwo(a, b *terminal) {
	if a == b || b == nil {
		a.mu.Lock()
		return
	}
	if bytes.Compare(a.id[:], b.id[:]) > 0 {
		a, b = b, a
	}
	a.mu.Lock()
	b.mu.Lock()
}

func unlockTwo(a, b *terminal) {
	if a != b && b != nil {
		b.mu.Unlock()
	}
	a.mu.Unlock()
}

// holds tells whether rec is still the one in memory, or is nil; t.mu is held.
func (t *terminal) holds(rec *record) bool { return rec == nil || t.records[rec.Key()] == rec }

// volatile keeps what needs no journal: the connection last verified on and the sign-ins left.
func (t *terminal) volatile(x *host.Exchange, e *journal.Exchange) {
	if e.Flags&journal.FlagMACVerified != 0 {
		t.conn = x.Request.Conn
	}
	if e.Effect == journal.KeysIssued {
		t.tokens--
	}
}

// fold applies an entry that names this terminal; t.mu is held. An entry folded before changes nothing.
func (t *terminal) fold(seq uint64, e *journal.Exchange) {
	if seq <= t.applied || (e.Effect == journal.NoEffect && e.Flags&(journal.FlagMACVerified|journal.FlagPromoted) == 0) {
		return
	}
	t.applied, t.version, t.touched = seq, t.version+1, true
	t.session.Fold(e)
	t.money.Fold(e)
	if made, ok := transaction.Remember(seq, e); ok {
		rec := &record{Record: made, applied: seq, fresh: true}
		t.keep(rec)
		t.changed(rec)
	}
}

// changed puts a record on the list of the next checkpoint; t.mu is held.
func (t *terminal) changed(rec *record) {
	if !rec.dirty {
		rec.dirty = true
		t.dirtied = append(t.dirtied, rec)
	}
}

// foldOriginal applies an entry to the record it names; t, whose record it is, is locked.
func (t *terminal) foldOriginal(seq uint64, e *journal.Exchange, original, sale *record) {
	if original == nil || e.Effect == journal.NoEffect || e.Original != original.Seq || seq <= original.applied {
		return
	}
	var s *transaction.Record
	if sale != nil && e.Effect == journal.ReversedVoid && seq > sale.applied {
		s, sale.applied = &sale.Record, seq
		t.changed(sale)
	}
	transaction.FoldOriginal(e, &original.Record, s)
	original.applied, t.touched = seq, true
	t.changed(original)
	if original.State == transaction.Reversed {
		t.undone.Add(1)
	}
	t.version++ // who gathered the record as it was judges again
}

// fold applies an entry that names this card; c.mu is held.
func (c *card) fold(seq uint64, e *journal.Exchange) {
	if seq <= c.issuer.Version || (e.Delta == 0 && e.PIN == journal.PINNotTried) {
		return
	}
	c.issuer.Fold(seq, e)
	c.touched = true
}

// Standing tells, after an approval has become durable, whether it still stands: a reversal that came
// while it was in progress has marked it, and it can no longer be answered 00 (9A.4). A record that
// cannot be read does not stand.
func (l *Ledger) Standing(s *proof.Snapshot, id pos.TerminalID, k transaction.Key) bool {
	t := l.placeOf(s, id)
	if t == nil {
		return false
	}
	if s.Owner == t && t.undone.Load() == s.Undone {
		return true // nothing of this terminal was reversed since
	}
	rec, err := l.find(t, k)
	if err != nil || rec == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return rec.State != transaction.Reversed
}
