package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

// waiter turns a committer's notice into a channel.
type waiter chan journal.Receipt

func (w waiter) Committed(r journal.Receipt) { w <- r }

// Register writes cold records, each an entry, in order, and returns when they are durable. Each is a
// *registry.Merchant, *registry.Device, *registry.Terminal, *issuer.Opening, *journal.Event, *journal.Flood,
// *journal.Loss, *registry.PermitSet, *journal.Draft or *journal.Opened that Check accepts. After ErrFull, ErrStopped or ErrQueueFull those before the one
// refused may be in the journal.
func (l *Ledger) Register(ctx context.Context, at pos.Instant, records ...any) error {
	entries := make([]journal.Entry, len(records))
	for i, r := range records {
		kind, err := kindOf(r)
		if err != nil {
			return err
		}
		if d, ok := r.(*journal.Draft); ok {
			r = &d.Act
		}
		body, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("register %s: %w", kind, err)
		}
		if len(body) > journal.MaxEntry/16*15 {
			return fmt.Errorf("register %s: a record of %d bytes: %w", kind, len(body), journal.ErrTooLong)
		}
		entries[i] = journal.Entry{Kind: kind, At: at, Body: body}
	}
	for start := 0; start < len(entries); start += registerChunk {
		if err := l.register(ctx, entries[start:min(start+registerChunk, len(entries))]); err != nil {
			return err
		}
	}
	return nil
}

// registerChunk is the most cold records given to the committer at once.
const registerChunk = 1024

func (l *Ledger) register(ctx context.Context, entries []journal.Entry) error {
	done := make(waiter, len(entries))
	if err := l.enqueueCold(entries, done); err != nil {
		return err
	}
	for range entries {
		select {
		case r := <-done:
			if !r.MayAnswer() {
				return journal.ErrStopped
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (l *Ledger) enqueueCold(entries []journal.Entry, done waiter) error {
	for _, e := range entries {
		err := l.foldCold(e, func() (uint64, error) {
			return l.committer.Enqueue(journal.Raw{Entry: e}, journal.Outcome, done)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ErrKind is returned for a value that is no cold record.
var ErrKind = errors.New("ledger: not a record that can be registered")

func kindOf(r any) (journal.Kind, error) {
	switch r := r.(type) {
	case *registry.Merchant:
		return journal.KindMerchant, r.Check()
	case *registry.Device:
		return journal.KindDevice, r.Check()
	case *registry.Terminal:
		return journal.KindTerminal, r.Check()
	case *registry.Certificate:
		return journal.KindCertificate, r.Check()
	case *registry.PermitSet:
		return journal.KindPermit, r.Check()
	case *issuer.Opening:
		return journal.KindCard, nil
	case *journal.Opened:
		return journal.KindOpened, nil
	case *journal.Event:
		return journal.KindEvent, r.Check()
	case *journal.Flood:
		return journal.KindFlood, r.Check()
	case *journal.Cause:
		return journal.KindCause, r.Check()
	case *journal.Loss:
		return journal.KindLoss, nil
	case *journal.Draft:
		if !r.Kind.OfActs() {
			return 0, ErrKind
		}
		return r.Kind, r.Act.Check()
	}
	return 0, ErrKind
}

// Terminal is a registered terminal's record, Device a device's, Merchant a merchant's; ErrUnknown
// when there is none. The records are shared: a change is made to a copy and registered.
func (l *Ledger) Terminal(id pos.TerminalID) (*registry.Terminal, error) {
	t := l.terminal(id)
	if t == nil {
		return nil, fmt.Errorf("%w: terminal %s", ErrUnknown, id)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reg, nil
}

// Device is a device's record.
func (l *Ledger) Device(serial pos.Serial) (*registry.Device, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if d := l.devices[serial]; d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("%w: device %s", ErrUnknown, serial)
}

// Merchant is a merchant's record.
func (l *Ledger) Merchant(id pos.MerchantID) (*registry.Merchant, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if m := l.merchants[id]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("%w: merchant %s", ErrUnknown, id)
}

// Merchants lists every merchant, Terminals every terminal's record, in no order.
func (l *Ledger) Merchants() []*registry.Merchant {
	l.mu.RLock()
	defer l.mu.RUnlock()
	all := make([]*registry.Merchant, 0, len(l.merchants))
	for _, m := range l.merchants {
		all = append(all, m)
	}
	return all
}

// Terminals lists every terminal's record.
func (l *Ledger) Terminals() []*registry.Terminal {
	l.mu.RLock()
	slots := l.termSlots
	l.mu.RUnlock()
	all := make([]*registry.Terminal, 0, len(slots))
	for _, t := range slots {
		t.mu.Lock()
		if t.reg != nil {
			all = append(all, t.reg)
		}
		t.mu.Unlock()
	}
	return all
}

// Devices lists every device's record, in no order.
func (l *Ledger) Devices() []*registry.Device {
	l.mu.RLock()
	defer l.mu.RUnlock()
	all := make([]*registry.Device, 0, len(l.devices))
	for _, d := range l.devices {
		all = append(all, d)
	}
	return all
}
