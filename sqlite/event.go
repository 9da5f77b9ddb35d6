package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"touchstone/journal"
	"touchstone/pos"
)

// StoredEvent is one event of the journal.
type StoredEvent struct {
	Seq uint64
	At  pos.Instant
	journal.Event
}

// eventSchema is the schema of touchstone.db that first had the table event.
const eventSchema = 2

// Events are at most most events, oldest first: the newest when from is 0, else the first whose entry is
// from or later. A journal that was last written by a version without events has none.
func (r *Reader) Events(ctx context.Context, from uint64, most int) (events []StoredEvent, err error) {
	have, err := schemaVersion(ctx, r.db, journalFile, len(journalSchema))
	if err != nil || have < eventSchema {
		return nil, err
	}
	query := "SELECT seq, at, record FROM event WHERE seq >= ? ORDER BY seq LIMIT ?"
	if from == 0 {
		query = "SELECT seq, at, record FROM event WHERE seq >= ? ORDER BY seq DESC LIMIT ?"
	}
	list, err := r.db.QueryContext(ctx, query, int64(min(from, maxSeq)), most)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	if events, err = storedEvents(list); err != nil {
		return nil, err
	}
	if from == 0 {
		slices.Reverse(events)
	}
	return events, nil
}

// storedEvents reads rows of seq, at and record, and closes them.
func storedEvents(list *sql.Rows) (events []StoredEvent, err error) {
	defer list.Close()
	for list.Next() {
		var seq, at int64
		var record []byte
		if err := list.Scan(&seq, &at, &record); err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		e := StoredEvent{Seq: uint64(seq), At: pos.Instant(at)}
		if err := json.Unmarshal(record, &e.Event); err != nil {
			return nil, fmt.Errorf("read event of journal entry %d: malformed record", seq)
		}
		events = append(events, e)
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return events, nil
}
