package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"touchstone/journal"
	"touchstone/registry"
)

// pastSchema: "past" names the entries that made, or were about, a thing, so that what was recorded of it at any past
// instant is found: noun and id as PastNoun says. refusal_terminal finds a terminal's refusals.
const pastSchema = `
DELETE FROM posting;
DELETE FROM refusal;
DELETE FROM exposed;
DELETE FROM redress;
DELETE FROM cause;
DELETE FROM issued;
DELETE FROM master;
CREATE TABLE past(noun TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(noun, id, seq)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS refusal_terminal ON refusal(terminal, seq);
UPDATE position SET last = 0, boundary = 0, head = zeroblob(32);`

// PastNoun is what a row of the past is about.
type PastNoun string

// The nouns besides those of acts, which ActNoun makes.
const (
	PastMerchant PastNoun = "merchant" // entries that registered one, by its number
	PastTerminal PastNoun = "terminal" // by its id
	PastDevice   PastNoun = "device"   // by its serial number
	PastPermit   PastNoun = "permit"   // entries that gave a terminal its permit, by its id
	PastEvent    PastNoun = "event"    // events that name a terminal, by its id

	// Acts whose records name a terminal, a device or a merchant as what they are about.
	AboutTerminal PastNoun = "about.terminal"
	AboutDevice   PastNoun = "about.device"
	AboutMerchant PastNoun = "about.merchant"
)

// ActNoun is the noun of what acts of a kind change, such as fleet.inspection.
func ActNoun(kind journal.Kind, noun string) PastNoun { return PastNoun(kind.String() + "." + noun) }

type pastRow struct {
	noun PastNoun
	id   string
	seq  uint64
}

// remember takes what an entry says of the past. One written by a newer program, that cannot be read, says nothing.
func (r *round) remember(e journal.Entry) {
	add := func(noun PastNoun, id string) {
		if id != "" {
			r.past = append(r.past, pastRow{noun, id, e.Seq})
		}
	}
	switch e.Kind {
	case journal.KindMerchant:
		var m registry.Merchant
		if json.Unmarshal(e.Body, &m) == nil {
			add(PastMerchant, m.ID.String())
		}
	case journal.KindTerminal:
		var t registry.Terminal
		if json.Unmarshal(e.Body, &t) == nil {
			add(PastTerminal, t.ID.String())
			add(AboutDevice, string(t.Serial))
		}
	case journal.KindDevice:
		var d registry.Device
		if json.Unmarshal(e.Body, &d) == nil {
			add(PastDevice, string(d.Serial))
		}
	case journal.KindPermit:
		var set registry.PermitSet
		if json.Unmarshal(e.Body, &set) == nil {
			for _, id := range set.Terminals {
				add(PastPermit, id.String())
			}
		}
	case journal.KindEvent:
		var event journal.Event
		if json.Unmarshal(e.Body, &event) == nil {
			add(PastEvent, event.Terminal)
		}
	case journal.KindStaff, journal.KindFleet, journal.KindLab, journal.KindIncident, journal.KindRedress:
		var act journal.Act
		if json.Unmarshal(e.Body, &act) == nil {
			for _, c := range act.Changes {
				add(ActNoun(e.Kind, c.Noun), c.ID)
				r.about(add, c)
			}
		}
	}
}

// about adds what a change's record names.
func (r *round) about(add func(PastNoun, string), c journal.Change) {
	var named struct {
		Terminal any `json:"terminal"`
		Serial   any `json:"serial"`
		Device   any `json:"device"`
		Merchant any `json:"merchant"`
	}
	if json.Unmarshal(c.Record, &named) != nil {
		return
	}
	text := func(v any) string { s, _ := v.(string); return s }
	add(AboutTerminal, text(named.Terminal))
	add(AboutDevice, text(named.Serial))
	if device := text(named.Device); device != text(named.Serial) {
		add(AboutDevice, device)
	}
	if c.Noun == "installed" {
		add(AboutDevice, c.ID)
	}
	add(AboutMerchant, text(named.Merchant))
}

func (r *round) writePast(ctx context.Context, tx *sql.Tx) error {
	slices.SortFunc(r.past, func(a, b pastRow) int {
		switch {
		case a.noun != b.noun:
			if a.noun < b.noun {
				return -1
			}
			return 1
		case a.id != b.id:
			if a.id < b.id {
				return -1
			}
			return 1
		}
		return int(int64(a.seq - b.seq))
	})
	return each(ctx, tx, "INSERT INTO past(noun, id, seq) VALUES(?, ?, ?) ON CONFLICT DO NOTHING", len(r.past), func(i int) []any {
		return []any{string(r.past[i].noun), r.past[i].id, int64(r.past[i].seq)}
	})
}

// ErrBehind is returned when the projection does not reach the entry that was asked about yet.
var ErrBehind = errors.New("the projection is behind")

// Past are the newest entries up to one, newest first and at most most, that made a thing or are about it. The
// projection reaches that entry, or the error is ErrBehind.
func (p *Projector) Past(ctx context.Context, noun PastNoun, id string, upTo uint64, most int) (seqs []uint64, err error) {
	err = p.upTo(ctx, upTo, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT seq FROM past WHERE noun = ? AND id = ? AND seq <= ? ORDER BY seq DESC LIMIT ?", string(noun), id, int64(min(upTo, maxSeq)), most)
		if err != nil {
			return err
		}
		seqs, err = numbers(rows)
		return err
	})
	return seqs, err
}

// Acts is how many records the rooms' acts made, and most at most: whether a fold of them is short.
func (p *Projector) Acts(ctx context.Context, most int) (n int, err error) {
	err = p.atPosition(ctx, func(tx *sql.Tx, _ position) error {
		for _, kind := range actKinds {
			var some int
			if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM past WHERE noun > ? AND noun < ? LIMIT ?)", kind.String()+".", kind.String()+"/", most-n).Scan(&some); err != nil {
				return err
			}
			if n += some; n >= most {
				return nil
			}
		}
		return nil
	})
	return n, err
}

// actKinds are the kinds of entries in which the rooms' acts are.
var actKinds = [...]journal.Kind{journal.KindStaff, journal.KindFleet, journal.KindLab, journal.KindIncident, journal.KindRedress}

// PastActs are the entries up to one that made the newest record of each noun of a room, ascending.
func (p *Projector) PastActs(ctx context.Context, upTo uint64) (seqs []uint64, err error) {
	err = p.upTo(ctx, upTo, func(tx *sql.Tx) error {
		for _, kind := range actKinds {
			rows, err := tx.QueryContext(ctx, "SELECT max(seq) FROM past WHERE noun > ? AND noun < ? AND seq <= ? GROUP BY noun, id",
				kind.String()+".", kind.String()+"/", int64(min(upTo, maxSeq))) // "/" is what follows "."
			if err != nil {
				return err
			}
			some, err := numbers(rows)
			if err != nil {
				return err
			}
			seqs = append(seqs, some...)
		}
		return nil
	})
	slices.Sort(seqs)
	return slices.Compact(seqs), err
}

func (p *Projector) upTo(ctx context.Context, seq uint64, f func(tx *sql.Tx) error) error {
	return p.atPosition(ctx, func(tx *sql.Tx, at position) error {
		if at.last < seq {
			return fmt.Errorf("%w: at entry %d of %d", ErrBehind, at.last, seq)
		}
		return f(tx)
	})
}

func numbers(rows *sql.Rows) (seqs []uint64, err error) {
	defer rows.Close()
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return nil, err
		}
		seqs = append(seqs, uint64(seq))
	}
	return seqs, rows.Err()
}
