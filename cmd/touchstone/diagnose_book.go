package main

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"touchstone/diagnosis"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
	"touchstone/sqlite"
)

// Bounds of what is tried on one message, and of what is remembered to find it. docs/protocol/failures.md, rules of
// proof; docs/protocol/unionpay-pos.md 9A.7.
const (
	formerSets    = 8                  // of earlier sign-ins of the terminal
	formerAge     = 7 * 24 * time.Hour // no set older than that is tried
	formerMasters = 4
	siblings      = 16 // other terminals of the merchant
	perAddress    = 16 // terminals remembered of one address
	addresses     = 512
	recentSignIns = 16_384
)

// keyBook finds the keys that may be tried on a refused message: those of the register from memory, those of earlier
// sign-ins by way of view.db. What the journal tells between two rounds of the view is kept here, bounded.
type keyBook struct {
	ledger *ledger.Ledger
	reader *sqlite.Reader
	view   *sqlite.Projector // nil: sets of earlier sign-ins are found among the recent only
	clock  func() pos.Instant

	mu      sync.Mutex // guards the fields below; nothing is read from a disk under it
	shops   shopIndex
	seen    *aged[pos.Address, []pos.TerminalID]   // terminals that proved a key lately, the newest first
	recent  *aged[pos.TerminalID, []sqlite.SignIn] // oldest first
	history *aged[pos.TerminalID, findings]        // what experiments on a terminal's messages came to
	silent  *aged[pos.TerminalID, silence]         // terminals that sign in and send nothing
	pending map[pos.TerminalID]*journal.Cause      // inferred, and not recorded yet
	ready   func() bool                            // the journal has been read to its head once
}

func newKeyBook(l *ledger.Ledger, r *sqlite.Reader, view *sqlite.Projector, clock func() pos.Instant) *keyBook {
	return &keyBook{ledger: l, reader: r, view: view, clock: clock, ready: func() bool { return true },
		seen: newAged[pos.Address, []pos.TerminalID](addresses), recent: newAged[pos.TerminalID, []sqlite.SignIn](recentSignIns),
		history: newAged[pos.TerminalID, findings](historyTerminals), silent: newAged[pos.TerminalID, silence](silentTerminals),
		pending: map[pos.TerminalID]*journal.Cause{}}
}

// begin reads which terminals a shop has, and what waits for a second message to agree.
func (b *keyBook) begin(ctx context.Context) error {
	all := b.ledger.Terminals()
	index := newShopIndex(all)
	b.mu.Lock()
	b.shops.take(index)
	b.mu.Unlock()
	if b.view == nil {
		return nil
	}
	causes, err := b.view.Indicated(ctx, historyTerminals)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := len(causes) - 1; i >= 0; i-- {
		b.remember(&causes[i])
	}
	return nil
}

// fold takes one durable entry, on the watch's goroutine.
func (b *keyBook) fold(e journal.Entry) {
	switch e.Kind {
	case journal.KindExchange:
		var x journal.Exchange
		if x.Parse(e) == nil && x.Flags&journal.FlagCanary == 0 {
			b.mu.Lock()
			b.exchange(e.Seq, &x)
			b.mu.Unlock()
		}
	case journal.KindTerminal, journal.KindCause:
		b.foldCold(e)
	}
}

// exchange takes a message; b.mu is held.
func (b *keyBook) exchange(seq uint64, x *journal.Exchange) {
	b.watchSilence(seq, x)
	if x.Effect == journal.KeysIssued {
		list := b.recent.of(x.Terminal)
		*list = append(*list, sqlite.SignIn{Seq: seq})
		*list = (*list)[max(0, len(*list)-formerSets-1):]
	}
	if x.Flags&journal.FlagMACVerified == 0 {
		return
	}
	if x.Flags&journal.FlagPromoted != 0 {
		if list := b.recent.find(x.Terminal); list != nil && len(*list) > 0 {
			(*list)[len(*list)-1].Used = true
		}
	}
	if h := b.history.find(x.Terminal); h != nil && !x.Reason.Sought() {
		h.unexplained, h.verified = 0, seq
	}
	b.saw(x.Source, x.Terminal)
}

// saw puts a terminal in front of those of an address; b.mu is held.
func (b *keyBook) saw(from pos.Address, id pos.TerminalID) {
	list := b.seen.of(from)
	at := slices.Index(*list, id)
	switch {
	case at == 0:
		return
	case at < 0 && len(*list) < perAddress:
		*list = append(*list, id)
		at = len(*list) - 1
	case at < 0:
		at = perAddress - 1
	}
	copy((*list)[1:at+1], (*list)[:at])
	(*list)[0] = id
}

// own adds the terminal's own working sets and master keys to a case: in force, pending, and former ones, the newest
// first.
func (b *keyBook) own(ctx context.Context, s *specimen, f *caseFacts) {
	t := s.terminal
	if t == nil {
		return
	}
	f.profile, f.device = t.Profile.MAC, t.Serial
	f.code = t.Profile.SignInCode
	if s.session.InForce.Number != 0 {
		f.code = s.session.InForce.Code
	}
	candidate := func(source diagnosis.Source, set keys.Set) diagnosis.Candidate {
		return diagnosis.Candidate{Source: source, Terminal: t.ID, Set: set, Algorithm: proof.AlgorithmOf(t.Profile.MAC, set.Code)}
	}
	in, pending := s.session.InForce, s.session.Pending
	if s.promoted { // the snapshot is from before: what was in force is a former set now
		in, pending = pending, keys.Set{}
	}
	if in.Number != 0 {
		c := candidate(diagnosis.OwnInForce, in)
		c.Used = true
		f.keys = append(f.keys, c)
	}
	if pending.Number != 0 {
		f.keys = append(f.keys, candidate(diagnosis.OwnPending, pending))
	}
	later := in.Number != 0
	list, masters := b.before(ctx, s.id)
	for _, former := range b.formers(ctx, s, list) {
		if former.set.Number == in.Number || former.set.Number == pending.Number {
			continue
		}
		c := candidate(diagnosis.OwnFormer, former.set)
		c.Used, c.Later = former.used, later && (in.Number == 0 || in.Number > former.set.Number)
		later = later || former.used
		f.keys = append(f.keys, c)
	}
	f.masters = append(f.masters, t.Master)
	f.masters = append(f.masters, b.masters(ctx, s, masters)...)
}

// formerSet is the working set of an earlier sign-in.
type formerSet struct {
	set  keys.Set
	used bool
}

// formers are the terminal's sets by those of its sign-ins that were before the verdict, the newest first, those in force
// and pending among them. What cannot be read is left out: fewer keys are tried.
func (b *keyBook) formers(ctx context.Context, s *specimen, list []sqlite.SignIn) (sets []formerSet) {
	list = slices.DeleteFunc(list, func(one sqlite.SignIn) bool { return one.Seq >= s.verdict })
	oldest := b.clock().Add(-formerAge)
	number := s.session.Last
	for _, one := range list {
		if len(sets) >= formerSets+2 || number == 0 {
			break
		}
		e, err := b.reader.Entry(ctx, one.Seq)
		if err != nil || e.At < oldest {
			break
		}
		var x journal.Exchange
		if x.Parse(e) != nil || x.Terminal != s.id || x.Effect != journal.KeysIssued {
			break
		}
		switch x.At { // a sign-in may have come between the snapshot and the verdict
		case s.session.Pending.Issued:
			number = s.session.Pending.Number
		case s.session.InForce.Issued:
			number = s.session.InForce.Number
		}
		set := keys.Set{Number: number, Code: x.KeyCode, Issued: x.At, Operator: x.Operator}
		if copy(set.Wrapped[:], x.Wrapped) == len(set.Wrapped) {
			sets = append(sets, formerSet{set, one.Used || number == s.session.InForce.Number})
		}
		number--
	}
	return sets
}

// before are the entries of a terminal's newest sign-ins, of view.db and those it does not show yet, and of what gave it
// another master key, of view.db; both newest first.
func (b *keyBook) before(ctx context.Context, id pos.TerminalID) (list []sqlite.SignIn, masters []sqlite.Loaded) {
	if b.view != nil {
		if found, others, err := b.view.Earlier(ctx, id); err == nil {
			list, masters = found, others
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if recent := b.recent.find(id); recent != nil {
		list = append(list, *recent...)
	}
	slices.SortFunc(list, func(a, c sqlite.SignIn) int { return cmp.Compare(c.Seq, a.Seq) })
	merged := list[:0]
	for _, one := range list {
		if n := len(merged); n > 0 && merged[n-1].Seq == one.Seq {
			merged[n-1].Used = merged[n-1].Used || one.Used
			continue
		}
		merged = append(merged, one)
	}
	return merged, masters
}

// masters are the terminal's former master keys of some entries, the newest first.
func (b *keyBook) masters(ctx context.Context, s *specimen, loaded []sqlite.Loaded) (former []keys.Wrapped) {
	_, _, _, now, _ := s.terminal.Master.Head()
	for _, one := range loaded {
		if one.Key == now {
			continue
		}
		e, err := b.reader.Entry(ctx, one.Seq)
		if err != nil || len(former) >= formerMasters {
			break
		}
		t, ok := parseTerminal(e)
		if _, _, _, id, err := t.Master.Head(); ok && err == nil && t.ID == s.id && id != now {
			former = append(former, t.Master)
		}
	}
	return former
}

// priorCards is how many earlier cards' ends are looked at: with more a match of four digits would say too little.
const priorCards = 4

// ends are the last four digits of the cards of the terminal's last messages, the newest first, each once and without
// this message's own: more of a card number is not kept.
func (b *keyBook) ends(ctx context.Context, s *specimen) (ends [][]byte) {
	list, err := b.messages(ctx, s)
	if err != nil {
		return nil
	}
	var own []byte
	s.pan.Use(func(digits []byte) { own = slices.Clone(digits[max(0, len(digits)-4):]) })
	for _, m := range list[:min(len(list), 3*priorCards)] {
		e, err := b.reader.Entry(ctx, m.Seq)
		var x journal.Exchange
		if err != nil || x.Parse(e) != nil || x.Shown == (pos.TruncatedPAN{}) {
			continue
		}
		end := slices.Clone(x.Shown[6:])
		if slices.Equal(end, own) || slices.ContainsFunc(ends, func(had []byte) bool { return slices.Equal(had, end) }) {
			continue
		}
		if ends = append(ends, end); len(ends) == priorCards {
			break
		}
	}
	return ends
}

// others adds keys of other terminals and devices: of the merchant, and lately seen from the same address.
func (b *keyBook) others(s *specimen, c *diagnosis.Case) {
	if s.terminal == nil {
		return
	}
	b.mu.Lock()
	near := slices.Clone(valueOf(b.seen.find(s.source)))
	shop := b.shops.of(s.terminal.Merchant, perAddress*4)
	b.mu.Unlock()
	here := func(id pos.TerminalID) bool { return slices.Contains(near, id) }
	slices.SortStableFunc(shop, func(a, d pos.TerminalID) int { return cmp.Compare(order(here(a)), order(here(d))) })
	if s.device != nil {
		c.Serials = append(c.Serials, diagnosis.Candidate{Source: diagnosis.SerialDevice, Terminal: s.id, Serial: s.device.Serial, Key: s.device.Key})
	}
	tried := map[pos.TerminalID]bool{s.id: true}
	for i, id := range append(shop, near...) {
		if tried[id] || i < len(shop) && len(tried) > siblings {
			continue
		}
		tried[id] = true
		b.other(id, s.terminal.Merchant, c)
	}
	if p := c.Presented.Serial; p != "" && (s.device == nil || s.device.Serial != p) {
		if d, err := b.ledger.Device(p); err == nil {
			c.Serials = slices.Insert(c.Serials, 0, diagnosis.Candidate{Source: diagnosis.SerialDevice, Serial: d.Serial, Key: d.Key})
		}
	}
	c.Keys, c.Serials = c.Keys[:min(len(c.Keys), diagnosis.MaxCandidates)], c.Serials[:min(len(c.Serials), diagnosis.MaxCandidates)]
}

// other adds what another terminal has: its working sets with its device, and the device's serial-number key.
func (b *keyBook) other(id pos.TerminalID, shop pos.MerchantID, c *diagnosis.Case) {
	var snap proof.Snapshot
	if b.ledger.Gather(&proof.Request{Terminal: id}, b.clock(), &snap) != nil || snap.Terminal == nil || snap.Terminal.Canary {
		return
	}
	t := snap.Terminal
	key, serial := diagnosis.Neighbour, diagnosis.SerialNearby
	if t.Merchant == shop {
		key, serial = diagnosis.Sibling, diagnosis.SerialSibling
	}
	var device registry.Device
	if snap.Device != nil {
		device = *snap.Device
		c.Serials = append(c.Serials, diagnosis.Candidate{Source: serial, Terminal: id, Serial: device.Serial, Key: device.Key})
	}
	for _, set := range []keys.Set{snap.Session.InForce, snap.Session.Pending} {
		if set.Number != 0 {
			c.Keys = append(c.Keys, diagnosis.Candidate{Source: key, Terminal: id, Set: set, Algorithm: proof.AlgorithmOf(t.Profile.MAC, set.Code),
				Used: set.Number == snap.Session.InForce.Number, Serial: device.Serial, Key: device.Key})
		}
	}
}

func order(first bool) int {
	if first {
		return 0
	}
	return 1
}

func valueOf[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
