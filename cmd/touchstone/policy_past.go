package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"touchstone/fleet"
	"touchstone/host"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/registry"
)

// hindsight is the state that the journal's entries made up to one of them, as far as another policy asks for it: the
// register, sessions, the rooms that permits are made of, and the permits that were in force.
type hindsight struct {
	trial  proof.Trial
	policy *fleet.Policy // the tried permit policy; nil: none is

	merchants map[pos.MerchantID]*registry.Merchant
	devices   map[pos.Serial]*registry.Device
	terminals map[pos.TerminalID]*pastTerminal
	rooms     rooms
	suspects  proof.Suspects

	// The generations of facts: what was judged under an older one is judged again.
	all      uint64
	byDevice map[pos.Serial]uint64
	people   map[cashierOf]pastStanding
	person   uint64

	from    uint64                       // the first entry of the period
	earlier []proof.Earlier              // by entry, from from on: what would have been refused
	shifted map[pos.PANHash]bool         // cards whose balance or tries would differ
	at      func(seq uint64) pos.Instant // when an entry was written; 0 unknown
	found   func(*journal.Exchange, uint64, *proof.Again)

	exchange journal.Exchange // scratch
	request  proof.Request
}

// pastTerminal is one terminal at one moment.
type pastTerminal struct {
	reg     *registry.Terminal
	session keys.Session
	online  bool         // the permit in force was online only
	lost    []uint32     // numbers of key sets that the trial would not have issued, newest last
	granted bool         // the trial would have issued keys where none were
	asked   bool         // the trial has told it to sign in again, which it did not need to
	judged  pastStanding // its permit under the tried policy
}

// pastStanding is a permit under the tried policy, and what it was made of.
type pastStanding struct {
	standing    *registry.Standing // nil: as registered
	known       bool
	until       pos.Instant // when time alone changes it; 0 never
	all, device uint64      // generations
	reg         *registry.Terminal
	dev         *registry.Device
}

type cashierOf struct {
	merchant pos.MerchantID
	operator pos.Operator
}

// maxLost is how many lost key sets of one terminal are remembered: at most two are in its session.
const maxLost = 4

func newHindsight(trial proof.Trial, policy *fleet.Policy, from uint64) *hindsight {
	trial.Permits = policy != nil
	return &hindsight{trial: trial, policy: policy, from: from, merchants: map[pos.MerchantID]*registry.Merchant{}, devices: map[pos.Serial]*registry.Device{},
		terminals: map[pos.TerminalID]*pastTerminal{}, rooms: newOffice().rooms, byDevice: map[pos.Serial]uint64{}, people: map[cashierOf]pastStanding{},
		shifted: map[pos.PANHash]bool{}, at: func(uint64) pos.Instant { return 0 }, found: func(*journal.Exchange, uint64, *proof.Again) {}}
}

// take judges an entry again if it is of the period, and then folds it.
func (p *hindsight) take(e journal.Entry, judge bool) error {
	switch e.Kind {
	case journal.KindExchange:
		if err := p.exchange.Parse(e); err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		p.message(&p.exchange, e.Seq, judge)
		return nil
	case journal.KindMerchant:
		m := new(registry.Merchant)
		if err := json.Unmarshal(e.Body, m); err != nil {
			return fmt.Errorf("entry %d: %s: %w", e.Seq, e.Kind, err)
		}
		p.merchants[m.ID] = m
	case journal.KindDevice:
		d := &registry.Device{}
		if err := json.Unmarshal(e.Body, d); err != nil {
			return fmt.Errorf("entry %d: %s: %w", e.Seq, e.Kind, err)
		}
		d.Entry = e.Seq
		p.devices[d.Serial] = d
	case journal.KindTerminal:
		return p.terminal(e)
	case journal.KindPermit:
		return p.permits(e)
	case journal.KindEvent:
		if event, ok := parseEvent(e); ok {
			p.suspects.Fold(&event)
		}
	}
	if e.Kind.OfActs() && p.policy != nil {
		return p.act(e)
	}
	return nil
}

func (p *hindsight) terminal(e journal.Entry) error {
	reg := new(registry.Terminal)
	if err := json.Unmarshal(e.Body, reg); err != nil {
		return fmt.Errorf("entry %d: %s: %w", e.Seq, e.Kind, err)
	}
	reg.Entry = e.Seq
	t := p.terminals[reg.ID]
	if t == nil {
		t = new(pastTerminal)
		p.terminals[reg.ID] = t
	}
	t.reg = reg
	t.session.Load(reg.Master)
	return nil
}

// permits notes which permits in force were online only: what those let be was online.
func (p *hindsight) permits(e journal.Entry) error {
	var set registry.PermitSet
	if err := json.Unmarshal(e.Body, &set); err != nil {
		return fmt.Errorf("entry %d: %s: %w", e.Seq, e.Kind, err)
	}
	for _, id := range set.Terminals {
		if t := p.terminals[id]; t != nil {
			t.online = set.Permit.OnlineOnly
		}
	}
	return nil
}

// act folds what people did. A change that names a device or a terminal is about that one, another about any: the
// same rule by which a running host judges again.
func (p *hindsight) act(e journal.Entry) error {
	var act journal.Act
	if err := json.Unmarshal(e.Body, &act); err != nil {
		return fmt.Errorf("entry %d: %s: %w", e.Seq, e.Kind, err)
	}
	for _, c := range act.Changes {
		var err error
		switch e.Kind {
		case journal.KindStaff:
			err = p.rooms.staff.Fold(e.Seq, c)
			p.person++
		case journal.KindFleet:
			err = p.rooms.fleet.Fold(e.Seq, c)
			p.about(c, nounsOfFleet)
		case journal.KindLab:
			err = p.rooms.lab.Fold(e.Seq, c)
			p.about(c, nounsOfLab)
		}
		if err != nil {
			return fmt.Errorf("entry %d: %s %s: %w", e.Seq, c.Noun, c.ID, err)
		}
	}
	return nil
}

func (p *hindsight) about(c journal.Change, changesNothing []string) {
	if slices.Contains(changesNothing, c.Noun) {
		return
	}
	var about struct {
		Terminal *pos.TerminalID `json:"terminal"`
		Serial   pos.Serial      `json:"serial"`
		Device   pos.Serial      `json:"device"`
	}
	err := json.Unmarshal(c.Record, &about)
	if _, known := p.devices[pos.Serial(c.ID)]; known {
		about.Device = pos.Serial(c.ID)
	}
	if err != nil || about.Terminal == nil && about.Serial == "" && about.Device == "" {
		p.all++
		p.person++
		return
	}
	if about.Terminal != nil {
		if t := p.terminals[*about.Terminal]; t != nil {
			t.judged.known = false
		}
	}
	for _, serial := range []pos.Serial{about.Serial, about.Device} {
		if serial != "" {
			p.byDevice[serial]++
		}
	}
}

// standing is a terminal's permit under the tried policy.
func (p *hindsight) standing(t *pastTerminal, dev *registry.Device, now pos.Instant) *registry.Standing {
	j := &t.judged
	if j.known && j.all == p.all && j.reg == t.reg && j.dev == dev && j.device == p.byDevice[t.reg.Serial] && (j.until == 0 || now < j.until) {
		return j.standing
	}
	var room [24]registry.Fact
	permitted := ledger.Permitted{Terminal: t.reg, Device: dev}
	judged := p.policy.Judge(terminalFacts(&p.rooms, &permitted, now, room[:0]))
	*j = pastStanding{known: true, until: judged.Until, all: p.all, device: p.byDevice[t.reg.Serial], reg: t.reg, dev: dev,
		standing: &registry.Standing{Permit: judged.Permit}}
	return j.standing
}

// cashier is what the person who signed in may do under the tried policy.
func (p *hindsight) cashier(m pos.MerchantID, o pos.Operator, now pos.Instant) *registry.Standing {
	key := cashierOf{m, o}
	if j := p.people[key]; j.known && j.all == p.person && (j.until == 0 || now < j.until) {
		return j.standing
	}
	fact := registry.Fact{Name: registry.FactCashier} // nobody that a shop told us of
	if o != (pos.Operator{}) {
		fact, _ = cashierFact(&p.rooms, m, o, now)
	}
	judged := p.policy.Judge([]registry.Fact{fact})
	j := pastStanding{known: true, until: judged.Until, all: p.person}
	if judged.Permit != registry.FullPermit {
		j.standing = &registry.Standing{Permit: judged.Permit}
	}
	p.people[key] = j
	return j.standing
}

// message judges one message and folds it.
func (p *hindsight) message(x *journal.Exchange, seq uint64, judge bool) {
	t := p.terminals[x.Terminal]
	if t == nil || x.Flags&(journal.FlagCanary|journal.FlagRedress) != 0 {
		if t != nil {
			t.session.Fold(x)
		}
		return
	}
	if judge {
		p.judge(t, x, seq)
	}
	t.session.Fold(x)
}

// judge asks the trial and keeps what later entries depend on.
func (p *hindsight) judge(t *pastTerminal, x *journal.Exchange, seq uint64) {
	p.request = host.RequestOf(x)
	dev := p.devices[t.reg.Serial]
	is := proof.Past{Request: &p.request, Terminal: t.reg, Merchant: p.merchants[x.Merchant], Device: dev, Session: &t.session, Online: t.online, Suspected: p.suspects.Has(t.reg.ID),
		Refused: p.earlierOf, NotGiven: func(n uint32) bool { return slices.Contains(t.lost, n) }, Granted: t.granted, Asked: t.asked, Shifted: p.shifted[x.Card]}
	if p.policy != nil {
		is.Permit = p.standing(t, dev, x.At)
		first := t.session.Pending.Operator
		if p.request.Need == proof.SignIn {
			first = x.Operator
		}
		is.Cashiers = [2]*registry.Standing{p.cashier(x.Merchant, first, x.At), p.cashier(x.Merchant, t.session.InForce.Operator, x.At)}
	}
	if p.trial.Policy != nil {
		switch {
		case x.Flags&journal.FlagRepeat != 0:
			is.PriorAt = p.at(x.Original)
		case x.Reason == reason.Replayed:
			is.PriorAt = p.at(proof.PriorOfEntry(x))
		}
	}
	a := p.trial.Judge(x, &is)
	p.remember(t, x, seq, &a)
	p.found(x, seq, &a)
}

func (p *hindsight) earlierOf(seq uint64) proof.Earlier {
	if seq < p.from || seq-p.from >= uint64(len(p.earlier)) {
		return proof.Earlier{}
	}
	return p.earlier[seq-p.from]
}

// remember keeps what follows from an entry that comes out otherwise.
func (p *hindsight) remember(t *pastTerminal, x *journal.Exchange, seq uint64, a *proof.Again) {
	switch signIn := p.request.Need == proof.SignIn; {
	case a.Finding == proof.NoLonger && signIn:
		t.granted = true
	case x.Effect == journal.KeysIssued && a.Finding != proof.NewlyRefused:
		t.granted, t.asked = false, false
	case a.Finding != proof.NewlyRefused:
	case x.Effect == journal.KeysIssued:
		t.lost = append(t.lost, t.session.Last+1)
		if len(t.lost) > maxLost {
			t.lost = slices.Delete(t.lost, 0, 1)
		}
	}
	if (a.Finding == proof.NewlyRefused || a.Finding == proof.OtherReason) && !a.Follows && (a.Reason == reason.NotSignedIn || a.Reason == reason.MACFailed) {
		t.asked = true
	}
	if a.Finding != proof.NewlyRefused {
		return
	}
	if x.Delta != 0 || x.PIN != journal.PINNotTried {
		p.shifted[x.Card] = true
	}
	for uint64(len(p.earlier)) <= seq-p.from {
		p.earlier = append(p.earlier, make([]proof.Earlier, seq-p.from+1-uint64(len(p.earlier)))...)
	}
	p.earlier[seq-p.from] = proof.Earlier{Reason: a.Reason, Recorded: a.Check > proof.MAC && a.Check != proof.Checks}
}

// period is the entries that are judged again.
type period struct {
	from, to pos.Instant // to 0: to the head
}

func (d period) has(at pos.Instant) bool { return at >= d.from && (d.to == 0 || at < d.to) }

// trySlack is how far the instants of neighbouring entries may be out of order.
const trySlack = pos.Instant(time.Minute)

// read folds the journal from its beginning and judges the period again. No key is needed and the journal is only
// read, also while a host runs on it.
func (p *hindsight) read(ctx context.Context, blocks func(context.Context, uint64, func(journal.Block) error) error, d period, progress func(seq uint64)) error {
	return blocks(ctx, 1, func(b journal.Block) error {
		err := b.Each(func(e journal.Entry) error {
			if d.to != 0 && e.At >= d.to+trySlack {
				return errBeyond
			}
			return p.take(e, d.has(e.At) && e.Seq >= p.from)
		})
		progress(b.Last())
		if err == nil {
			err = ctx.Err()
		}
		return err
	})
}
