package main

import (
	"context"
	"slices"
	"time"

	"touchstone/capture"
	"touchstone/diagnosis"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/registry"
)

// mirrored is what a mirror keeps of one terminal beside the ledger: former keys and what experiments came to.
type mirrored struct {
	sets    []issuedSet // the newest last
	issued  uint32      // sign-ins answered with keys
	masters []keys.Wrapped
	keys    string // why its keys in use are not known, "" they are
	prior   priorEnds
	earlier []diagnosis.Indication
	frames  []uint64 // of earlier: the packets of their messages
	attempt uint32
	from    pos.Address // where it was last heard from
}

type issuedSet struct {
	keys.Set
	used bool
}

// The bounds of what is kept of a terminal.
const (
	keptSets    = 9 // the set in force, and 8 former ones
	keptEarlier = 8
	formerLife  = 7 * 24 * time.Hour
)

func (m *mirror) of(id pos.TerminalID) *mirrored {
	if m.recent != nil && m.recentID == id { // a message asks twice
		return m.recent
	}
	k := m.terminals[id]
	if k == nil {
		k = &mirrored{}
		m.terminals[id] = k
	}
	m.recent, m.recentID = k, id
	return k
}

// priorEnds are the ends of a terminal's last card numbers, ASCII; secret.
type priorEnds struct {
	of   [diagnosis.MaxPrior][6]byte
	made uint64 // how many there ever were; the newest is at (made-1) % MaxPrior
}

func (k *mirrored) wipe() { k.prior = priorEnds{} }

// remember keeps the end of a card number that a proven message had: a factor that may stay.
func (k *mirrored) remember(p pos.PAN) {
	p.Use(func(digits []byte) {
		if n := len(digits); n >= len(k.prior.of[0]) {
			copy(k.prior.of[k.prior.made%diagnosis.MaxPrior][:], digits[n-len(k.prior.of[0]):])
			k.prior.made++
		}
	})
}

// newest are copies of the ends, the newest first.
func (e *priorEnds) newest() (list [][]byte) {
	for n := range min(e.made, diagnosis.MaxPrior) {
		list = append(list, slices.Clone(e.of[(e.made-1-n)%diagnosis.MaxPrior][:]))
	}
	return list
}

// learn follows entries of the journal: which keys a terminal was given. Its master keys the ledger tells.
func (m *mirror) learn(e journal.Entry) {
	if e.Kind != journal.KindExchange {
		return
	}
	var x journal.Exchange
	if x.Parse(e) == nil {
		m.learnExchange(&x)
	}
}

func (m *mirror) learnExchange(x *journal.Exchange) {
	verified := x.Flags&journal.FlagMACVerified != 0
	if x.Effect != journal.KeysIssued && !verified {
		return
	}
	k := m.of(x.Terminal)
	if verified {
		k.attempt, k.from = 0, x.Source
		for i := range k.sets {
			k.sets[i].used = k.sets[i].used || k.sets[i].Number == x.KeySet
		}
	}
	if x.Effect == journal.KeysIssued {
		k.issued++
		s := issuedSet{Set: keys.Set{Number: k.issued, Code: x.KeyCode, Issued: x.At}}
		copy(s.Wrapped[:], x.Wrapped)
		if k.sets = append(k.sets, s); len(k.sets) > keptSets {
			k.sets = slices.Delete(k.sets, 0, 1)
		}
	}
}

// master keeps a master key and the few before it, the newest first.
func (k *mirrored) master(w keys.Wrapped) {
	if len(k.masters) > 0 && slices.Equal(k.masters[0], w) {
		return
	}
	k.masters = slices.Insert(k.masters, 0, slices.Clone(w))
	k.masters = k.masters[:min(len(k.masters), diagnosis.MaxMasters)]
}

// blindness is what a verdict rests on that lies before the capture, where it is not what the host decided.
func (m *mirror) blindness(k *mirrored, v *judgement) string {
	p, s := m.pair, &m.x.Snapshot
	agrees := p.Answered && p.Answer.Code == v.code && k.keys == ""
	if v.reason == reason.None || agrees && !m.past.young {
		return ""
	}
	switch v.reason {
	case reason.NotSignedIn, reason.MACFailed, reason.PINFormat, reason.TrackDecryptFailed, reason.TrackPANMismatch, reason.KeyAlgorithmMismatch:
		if k.keys != "" {
			return k.keys
		}
		if s.Session.Last == 0 {
			return blindSignIn
		}
	case reason.BatchMismatch:
		if s.Money.Empty && s.Money.LastBatch == 0 {
			m.adoptBatch(v)
			return blindBatch
		}
	case reason.OriginalNotFound:
		return blindOriginal
	}
	return ""
}

// adoptBatch takes over the open batch that a host approved a message in, of a terminal of which nothing is known.
func (m *mirror) adoptBatch(v *judgement) {
	p := m.pair
	if !p.Answered || p.Answer.Code != pos.Approved || p.Request.Batch == 0 {
		return
	}
	x := &journal.Exchange{At: m.now, Terminal: p.Request.Terminal, Merchant: p.Request.Merchant, Effect: journal.Settled, NextBatch: p.Request.Batch,
		MTI: 0x0500, DE39: pos.Approved}
	raw, _ := x.AppendEntry(nil, 0)
	seq, err := m.committer.Enqueue(x, journal.Outcome, nil)
	if err != nil {
		return
	}
	e, err := journal.ParseEntry(seq, raw)
	if err == nil {
		_ = m.ledger.Replay(context.Background(), e)
	}
}

// experiment asks the module what is behind a refusal.
func (m *mirror) experiment(k *mirrored, v *judgement) *diagnosis.Finding {
	s, r := &m.x.Snapshot, &m.x.Request
	if s.Terminal == nil {
		return nil
	}
	facts := caseFacts{verdict: v.seq, at: m.now, reason: v.reason, profile: s.Terminal.Profile.MAC, code: s.Session.InForce.Code,
		device: s.Terminal.Serial, masters: k.masters}
	if facts.code == 0 {
		facts.code = s.Terminal.Profile.SignInCode
	}
	facts.keys, facts.serials = m.candidates(k, s.Terminal, v.entry), m.devices(s, r)
	if len(facts.keys) > 0 && facts.keys[0].Source == diagnosis.OwnInForce {
		facts.code = facts.keys[0].Set.Code
	}
	c, err := caseFromFrame(m.pair.Request.Frame, facts)
	if err != nil {
		return nil
	}
	defer c.Wipe()
	c.Earlier, c.Attempt = k.earlier, k.attempt
	c.Prior = append(c.Prior, k.prior.newest()...)
	if c.PIN != nil {
		c.PIN.Until = pos.Instant(1<<63 - 1) // the block is in a file; no clock protects it
	}
	f := m.module.Diagnose(c)
	if f.Cause == reason.NoCause {
		k.attempt++
	}
	if at := slices.IndexFunc(k.earlier, func(i diagnosis.Indication) bool { return f.With != 0 && i.Verdict == f.With }); at >= 0 {
		v.with = k.frames[at]
	}
	k.earlier, k.frames = slices.Insert(k.earlier, 0, f.Indication(v.seq)), slices.Insert(k.frames, 0, m.pair.Request.Packet)
	k.earlier, k.frames = k.earlier[:min(len(k.earlier), keptEarlier)], k.frames[:min(len(k.frames), keptEarlier)]
	return &f
}

// candidates are the working keys that the rules of proof allow to be tried, the terminal's own first.
func (m *mirror) candidates(k *mirrored, t *registry.Terminal, x *journal.Exchange) []diagnosis.Candidate {
	list := m.own(k, t, x)
	for _, id := range m.merchants[t.Merchant] {
		if id != t.ID {
			list = m.others(list, id, diagnosis.Sibling)
		}
	}
	for id, other := range m.terminals {
		if len(list) >= diagnosis.MaxCandidates {
			break
		}
		if other.from == m.pair.Client.Address && id != t.ID {
			if reg, err := m.ledger.Terminal(id); err == nil && reg.Merchant != t.Merchant {
				list = m.others(list, id, diagnosis.Neighbour)
			}
		}
	}
	return list[:min(len(list), diagnosis.MaxCandidates)]
}

// own are the terminal's own sets. The one under which the message verified is the one in force from then on.
func (m *mirror) own(k *mirrored, t *registry.Terminal, x *journal.Exchange) (list []diagnosis.Candidate) {
	session := &m.x.Snapshot.Session
	inForce, pending := session.InForce.Number, session.Pending.Number
	if x.Flags&journal.FlagPromoted != 0 {
		inForce, pending = x.KeySet, 0
	}
	later := false
	for i := len(k.sets) - 1; i >= 0; i-- {
		s := k.sets[i]
		source := diagnosis.OwnFormer
		switch s.Number {
		case inForce:
			source = diagnosis.OwnInForce
		case pending:
			source = diagnosis.OwnPending
		}
		if source == diagnosis.OwnFormer && m.now.Sub(s.Issued) > formerLife {
			continue
		}
		list = append(list, diagnosis.Candidate{Source: source, Terminal: t.ID, Set: s.Set, Algorithm: proof.AlgorithmOf(t.Profile.MAC, s.Code), Used: s.used, Later: later})
		later = later || s.used
	}
	slices.SortStableFunc(list, func(a, b diagnosis.Candidate) int { return int(a.Source) - int(b.Source) })
	return list
}

// others adds the newest set of another terminal, with the device bound to it.
func (m *mirror) others(list []diagnosis.Candidate, id pos.TerminalID, source diagnosis.Source) []diagnosis.Candidate {
	k := m.terminals[id]
	if k == nil || len(k.sets) == 0 || len(list) >= diagnosis.MaxCandidates {
		return list
	}
	reg, err := m.ledger.Terminal(id)
	if err != nil {
		return list
	}
	s := k.sets[len(k.sets)-1]
	c := diagnosis.Candidate{Source: source, Terminal: id, Set: s.Set, Algorithm: proof.AlgorithmOf(reg.Profile.MAC, s.Code), Used: s.used, Serial: reg.Serial}
	if device, err := m.ledger.Device(reg.Serial); err == nil {
		c.Key = device.Key
	}
	return append(list, c)
}

// devices are the devices whose serial-number keys may be tried: the one presented, then the merchant's others.
func (m *mirror) devices(s *proof.Snapshot, r *proof.Request) (list []diagnosis.Candidate) {
	add := func(serial pos.Serial, bound pos.TerminalID, source diagnosis.Source) {
		device, err := m.ledger.Device(serial)
		known := func(c diagnosis.Candidate) bool { return c.Serial == serial }
		if err == nil && len(device.Key) > 0 && len(list) < diagnosis.MaxSerials && !slices.ContainsFunc(list, known) {
			list = append(list, diagnosis.Candidate{Source: source, Terminal: bound, Serial: serial, Key: device.Key})
		}
	}
	if serial, err := pos.ParseSerial(r.SerialText()); err == nil {
		add(serial, pos.TerminalID{}, diagnosis.SerialDevice)
	}
	for _, id := range m.merchants[s.Terminal.Merchant] {
		if reg, err := m.ledger.Terminal(id); err == nil {
			add(reg.Serial, id, diagnosis.SerialSibling)
		}
	}
	return list
}

// judged takes over what the mirror says.
func (f *captureFinding) judged(p *capture.Pair, v *judgement) {
	if !v.made || f.Reason != "" || !refusedPair(p) && !closedPair(p, v) {
		return
	}
	f.Blind = v.blind
	switch {
	case v.bank && v.entry.DE39 == p.Answer.Code:
		f.Possible = nil
		f.proves(v.entry.Reason)
		return
	case v.bank && f.bank(p.Answer.Code):
		return
	case v.bank || v.code != p.Answer.Code:
		f.Judged = judgedOther
		if v.blind != "" {
			f.Judged = judgedBlind
		}
		return
	}
	f.Judged, f.Possible = judgedSame, nil
	f.Reason, f.Owner = v.reason.String(), v.reason.Owner().String()
	f.Certainty = journal.Proven
	if v.reason.Sought() || v.blind != "" {
		f.Certainty = journal.Unproven
	}
	if d := v.finding; d != nil {
		c := d.Record(v.seq, p.Request.Terminal, v.reason)
		c.With, f.With, f.record = 0, v.with, c // entries of a ledger in memory are nobody's
		f.Cause, f.Certainty, f.Variant, f.Owner = c.Cause, c.Certainty, c.Variant, c.Owner
		f.Facts, f.Tried, f.Fit, f.OneIn = c.Facts, c.Tried, c.Fit, c.OneIn
	}
}

// closedPair tells whether a request has no answer because a host closes the connection for it.
func closedPair(p *capture.Pair, v *judgement) bool {
	return !p.Answered && p.Closed && v.made && v.reason != reason.None && v.code == (pos.ResponseCode{})
}

// bank is a refusal by the card's bank: every proof of the terminal held, and of the bank only the code is known. It
// tells whether the code is one of a bank's.
func (f *captureFinding) bank(code pos.ResponseCode) bool {
	var of []string
	for _, r := range reason.All() {
		if r.OfIssuer() && r.DE39() == code {
			of = append(of, r.String())
		}
	}
	if len(of) == 0 {
		return false
	}
	f.Judged, f.Possible, f.Certainty, f.Owner = judgedSame, of, journal.Unproven, reason.Issuer.String()
	if len(of) == 1 {
		f.Reason, f.Possible, f.Certainty = of[0], nil, journal.Proven
	}
	return true
}
