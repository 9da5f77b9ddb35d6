package witness

import (
	"context"
	"fmt"

	"touchstone/journal"
)

// Journal is the journal that a witness is compared with. Implemented by package sqlite.
type Journal interface {
	Head(ctx context.Context) (last uint64, head journal.Hash, err error)
	// Boundary is the end of the last block that ends at or before entry seq.
	Boundary(ctx context.Context, seq uint64) (last uint64, head journal.Hash, err error)
}

// Conflict says that a journal is not the one, or not all of it, that a witness saw.
type Conflict struct {
	Path string
	Seen Seen
	ID   string // of the journal there is
	Last uint64 // its last entry
}

// Other tells whether the witness is of another journal, Older whether entries that it saw are missing;
// where neither, the journal has other entries under the same numbers.
func (c *Conflict) Other() bool { return c.Seen.Journal != c.ID }

// Older tells whether entries that the witness saw are missing at the end.
func (c *Conflict) Older() bool { return !c.Other() && c.Seen.Seq > c.Last }

func (c *Conflict) Error() string {
	switch {
	case c.Other():
		return fmt.Sprintf("witness %s is of another journal (%s, this one is %s)", c.Path, c.Seen.Journal, c.ID)
	case c.Older():
		return fmt.Sprintf("the data directory is older than what witness %s saw at %s: entries %d to %d are missing", c.Path,
			c.Seen.At.Format("2006-01-02 15:04:05 MST"), c.Last+1, c.Seen.Seq)
	}
	return fmt.Sprintf("the journal is not the one that witness %s saw at %s: its chain value at entry %d differs", c.Path,
		c.Seen.At.Format("2006-01-02 15:04:05 MST"), c.Seen.Seq)
}

// Compare wants every entry that the witness at path saw in the journal with this id. It returns nil,
// ErrNone, ErrDamaged, a *Conflict, or an error of reading.
func Compare(ctx context.Context, path, id string, j Journal) error {
	seen, err := Read(path)
	if err != nil {
		return err
	}
	last, _, err := j.Head(ctx)
	if err != nil {
		return err
	}
	conflict := &Conflict{Path: path, Seen: seen, ID: id, Last: last}
	if conflict.Other() || conflict.Older() {
		return conflict
	}
	// What a witness sees is the end of a block, and stays one.
	end, head, err := j.Boundary(ctx, seen.Seq)
	if err != nil {
		return err
	}
	if end != seen.Seq || head != seen.Head {
		return conflict
	}
	return nil
}
