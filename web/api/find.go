package api

import (
	"context"
	"time"

	"touchstone/web"
)

// Found is one thing that a search names.
type Found struct {
	Group string    // transactions, terminals, devices, merchants, incidents, claims, proposals, words
	Name  string    // its identifier
	Path  string    // its page of the console
	Text  Text      // what it is
	At    time.Time // of a message
	Exact bool      // what was typed is its whole identifier
}

// FoundAll is the answer of a search, at most a screen of each group.
type FoundAll struct {
	Query string
	List  []Found
	More  bool   // there is more in a group than is shown
	Note  Text   // what was not looked at, or how to ask better
	From  uint64 // of a search by card: entries from here on were looked at
}

// Find searches for what people have in their hands: an identifier, a number on a slip, a name, a word.
type Find interface {
	Find(ctx context.Context, who *web.Caller, q string) (FoundAll, error)
}
