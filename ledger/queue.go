package ledger

import "touchstone/journal"

// Queue is how full the journal's queue is.
func (l *Ledger) Queue() journal.Queue { return l.committer.Queue() }

// Failed tells that the journal failed: nothing more becomes durable.
func (l *Ledger) Failed() bool { return l.committer.Failed() }
