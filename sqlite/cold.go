package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/registry"
)

// coldWriter keeps the latest cold records as rows. Entries of other kinds have no row.
type coldWriter struct{ merchant, terminal, device, card, key, certificate, event, act *sql.Stmt }

func (w *coldWriter) prepare(ctx context.Context, c *sql.Conn) error {
	const upsert = "INSERT INTO %[1]s(%[2]s, seq, record) VALUES(?, ?, ?) ON CONFLICT(%[2]s) DO UPDATE SET seq = excluded.seq, record = excluded.record"
	for _, p := range []struct {
		stmt *(*sql.Stmt)
		sql  string
	}{
		{&w.merchant, fmt.Sprintf(upsert, "merchant", "id")},
		{&w.terminal, fmt.Sprintf(upsert, "terminal", "id")},
		{&w.device, fmt.Sprintf(upsert, "device", "serial")},
		{&w.card, fmt.Sprintf(upsert, "card", "hash")},
		{&w.certificate, fmt.Sprintf(upsert, "certificate", "fingerprint")},
		{&w.key, `INSERT INTO key_record(owner, usage, cipher, seq, record) VALUES(?, ?, ?, ?, ?)
			ON CONFLICT(owner, usage, cipher) DO UPDATE SET seq = excluded.seq, record = excluded.record`},
		{&w.event, "INSERT INTO event(seq, at, record) VALUES(?, ?, ?)"},
		{&w.act, `INSERT INTO act_record(kind, noun, id, seq, record) VALUES(?, ?, ?, ?, ?)
			ON CONFLICT(kind, noun, id) DO UPDATE SET seq = excluded.seq, record = excluded.record`},
	} {
		var err error
		if *p.stmt, err = c.PrepareContext(ctx, p.sql); err != nil {
			return err
		}
	}
	return nil
}

func (w *coldWriter) close() error {
	return closeStatements(w.merchant, w.terminal, w.device, w.card, w.key, w.certificate, w.event, w.act)
}

// closeStatements finalizes statements; one that was never prepared is nil. A connection with an open
// statement would never be closed: database/sql reports success and the driver keeps its files.
func closeStatements(statements ...*sql.Stmt) error {
	var errs []error
	for _, s := range statements {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// write upserts the rows of a block's cold entries in their order, inside the transaction under way.
func (w *coldWriter) write(ctx context.Context, entries []journal.Entry) error {
	for _, e := range entries {
		if err := w.one(ctx, e); err != nil {
			return fmt.Errorf("keep row of journal entry %d (%s): %w", e.Seq, e.Kind, err)
		}
	}
	return nil
}

func (w *coldWriter) one(ctx context.Context, e journal.Entry) (err error) {
	record := string(e.Body)
	seq := int64(e.Seq)
	switch e.Kind {
	case journal.KindMerchant:
		var r registry.Merchant
		if err = json.Unmarshal(e.Body, &r); err == nil {
			_, err = w.merchant.ExecContext(ctx, r.ID.String(), seq, record)
		}
	case journal.KindTerminal:
		var r registry.Terminal
		if err = json.Unmarshal(e.Body, &r); err == nil {
			_, err = w.terminal.ExecContext(ctx, r.ID.String(), seq, record)
		}
	case journal.KindDevice:
		var r registry.Device
		if err = json.Unmarshal(e.Body, &r); err == nil {
			_, err = w.device.ExecContext(ctx, string(r.Serial), seq, record)
		}
	case journal.KindCard:
		var r issuer.Opening
		if err = json.Unmarshal(e.Body, &r); err == nil {
			_, err = w.card.ExecContext(ctx, r.Card.String(), seq, record)
		}
	case journal.KindCertificate:
		var r registry.Certificate
		if err = json.Unmarshal(e.Body, &r); err == nil {
			_, err = w.certificate.ExecContext(ctx, r.Fingerprint, seq, record)
		}
	case journal.KindEvent:
		_, err = w.event.ExecContext(ctx, seq, int64(e.At), record)
	case journal.KindStaff, journal.KindFleet, journal.KindLab, journal.KindIncident, journal.KindRedress:
		var act journal.Act
		if err = json.Unmarshal(e.Body, &act); err != nil {
			return err
		}
		for _, c := range act.Changes {
			if _, err = w.act.ExecContext(ctx, int(e.Kind), c.Noun, c.ID, seq, string(c.Record)); err != nil {
				return err
			}
		}
	case journal.KindKey:
		var r keys.Record
		if err = json.Unmarshal(e.Body, &r); err != nil {
			return err
		}
		_, usage, cipher, _, err := r.Wrapped.Head()
		if err != nil {
			return err
		}
		_, err = w.key.ExecContext(ctx, string(r.Owner), int(usage), int(cipher), seq, record)
		return err
	}
	return err
}

// Cold receives the latest cold records, each with the number of its entry; what is nil is not read.
type Cold struct {
	Merchant func(seq uint64, r registry.Merchant) error
	Terminal func(seq uint64, r registry.Terminal) error
	Device   func(seq uint64, r registry.Device) error
	Card     func(seq uint64, r issuer.Opening) error
	Key      func(seq uint64, r keys.Record) error // the latest of one owner, usage and cipher

	Certificate func(seq uint64, r registry.Certificate) error
	Event       func(seq uint64, r journal.Event) error // every one, in the order of the journal

	Act func(seq uint64, kind journal.Kind, c journal.Change) error // the newest of each noun of a room, in the order of the journal
}

// Cold calls to with every latest cold record: merchants, terminals, devices, cards, certificates, keys, each table in
// the order of its key. A table is one read transaction: it is for loading at start. Fields that this
// program does not know are ignored, so that an older one reads what a newer one wrote.
func (r *Reader) Cold(ctx context.Context, to Cold) error {
	if err := coldTable(ctx, r.db, "merchant", to.Merchant); err != nil {
		return err
	}
	if err := coldTable(ctx, r.db, "terminal", to.Terminal); err != nil {
		return err
	}
	if err := coldTable(ctx, r.db, "device", to.Device); err != nil {
		return err
	}
	if err := coldTable(ctx, r.db, "card", to.Card); err != nil {
		return err
	}
	if err := coldTable(ctx, r.db, "certificate", to.Certificate); err != nil {
		return err
	}
	if err := coldTable(ctx, r.db, "key_record", to.Key); err != nil {
		return err
	}
	if err := coldTable(ctx, r.db, "event", to.Event); err != nil {
		return err
	}
	return r.acts(ctx, to.Act)
}

// acts gives the rooms' records in the order of the entries that made them, so that a fold of them meets what
// a record names before the record.
func (r *Reader) acts(ctx context.Context, f func(uint64, journal.Kind, journal.Change) error) error {
	if f == nil {
		return nil
	}
	list, err := r.db.QueryContext(ctx, "SELECT seq, kind, noun, id, record FROM act_record ORDER BY seq")
	if err != nil {
		return fmt.Errorf("read table act_record: %w", err)
	}
	defer list.Close()
	for list.Next() {
		var seq int64
		var kind int
		var c journal.Change
		var record string
		if err := list.Scan(&seq, &kind, &c.Noun, &c.ID, &record); err != nil {
			return fmt.Errorf("read table act_record: %w", err)
		}
		c.Record = json.RawMessage(record)
		if err := f(uint64(seq), journal.Kind(kind), c); err != nil {
			return err
		}
	}
	if err := list.Err(); err != nil {
		return fmt.Errorf("read table act_record: %w", err)
	}
	return nil
}

func coldTable[T any](ctx context.Context, db *sql.DB, table string, f func(uint64, T) error) error {
	if f == nil {
		return nil
	}
	list, err := db.QueryContext(ctx, "SELECT seq, record FROM "+table)
	if err != nil {
		return fmt.Errorf("read table %s: %w", table, err)
	}
	defer list.Close()
	for list.Next() {
		var seq int64
		var text []byte
		if err := list.Scan(&seq, &text); err != nil {
			return fmt.Errorf("read table %s: %w", table, err)
		}
		var record T
		if err := json.Unmarshal(text, &record); err != nil {
			return fmt.Errorf("read table %s, row of journal entry %d: malformed record", table, seq)
		}
		if err := f(uint64(seq), record); err != nil {
			return err
		}
	}
	if err := list.Err(); err != nil {
		return fmt.Errorf("read table %s: %w", table, err)
	}
	return nil
}

// Registered is the entry of the newest record of a terminal, 0 where it has none.
func (r *Reader) Registered(ctx context.Context, id pos.TerminalID) (seq uint64, err error) {
	var n int64
	err = r.db.QueryRowContext(ctx, "SELECT seq FROM terminal WHERE id = ?", id.String()).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("find record of a terminal: %w", err)
	}
	return uint64(n), nil
}
