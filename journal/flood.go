package journal

import (
	"errors"
	"time"
)

// Flood is the body of an entry of KindFlood: refusals without effect that were answered and not
// journaled one by one, because there were too many. All counts of one journal together are all that were
// suppressed, but those of the last minute before a crash.
type Flood struct {
	Source     string            `json:"source,omitempty"`   // an IPv4 address or an IPv6 network of 64 bits, when one source sent too many
	Terminal   string            `json:"terminal,omitempty"` // the claimed terminal, when too many claimed it; neither: many together
	Suppressed uint64            `json:"suppressed"`
	Reasons    map[string]uint64 `json:"reasons"` // how many of each reason
	First      time.Time         `json:"first"`   // UTC
	Last       time.Time         `json:"last"`
	Over       bool              `json:"over"` // nothing more was suppressed for a while; else it goes on
}

// ErrFlood is returned for a summary that does not add up.
var ErrFlood = errors.New("journal: flood summary does not add up")

// Check tells whether the summary counts something and its parts make the whole.
func (f *Flood) Check() error {
	var sum uint64
	for _, n := range f.Reasons {
		sum += n
	}
	if f.Suppressed == 0 || sum != f.Suppressed || f.Last.Before(f.First) {
		return ErrFlood
	}
	return nil
}

// Reserved tells whether an exchange may use the part of the queue that is kept from ordinary work: what
// undoes a message under a right MAC, closes a batch, or reports tampering. What did not prove itself
// cannot.
func (x *Exchange) Reserved() bool {
	switch {
	case x.Effect == Settled, x.Effect == Tampered:
		return true
	}
	return x.MTI == 0x0400 && x.Flags&FlagMACVerified != 0
}

// ordinaryPercent is the share of the queue that ordinary exchanges may fill.
const ordinaryPercent = 80

// full tells whether the batch has no room for another entry.
func (b *batch) full(reserved bool) bool {
	if reserved {
		return len(b.ends) >= MaxQueueEntries || len(b.body) >= maxQueueBytes
	}
	return len(b.ends) >= MaxQueueEntries*ordinaryPercent/100 || len(b.body) >= maxQueueBytes*ordinaryPercent/100
}

// Queued is what waits for the sink and is not being written yet.
func (c *Committer) Queued() (entries, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.filling.ends), len(c.filling.body)
}
