package main

import (
	"context"
	"fmt"
	"time"

	"touchstone/explain"
	"touchstone/journal"
	"touchstone/lab"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/staff"
	"touchstone/witness"
)

// operationState is what the data directory's own records say of a requirement.
type operationState string

// The states. Only satisfied is a pass.
const (
	opSatisfied     operationState = "satisfied"
	opPartly        operationState = "in part" // what is here satisfies it; a part of its criterion is not here
	opNotSatisfied  operationState = "NOT SATISFIED"
	opNotApplicable operationState = "not applicable"
)

var operationZH = map[operationState]string{opSatisfied: "满足", opPartly: "部分满足", opNotSatisfied: "不满足", opNotApplicable: "不适用"}

// operationResult is one requirement of operations or personnel against the records.
type operationResult struct {
	Requirement string         `json:"requirement"`
	Title       lab.Text       `json:"title"`
	State       operationState `json:"state"`
	Why         lab.Text       `json:"why"` // with the figures it rests on
}

// operationCheck looks at one requirement.
type operationCheck func(o *operations) (operationState, lab.Text)

// operationChecks are the automatic requirements of operations and personnel, every one: a test holds this list against
// the catalogue.
var operationChecks = []struct {
	id    string
	check operationCheck
}{
	{"POSC-OP-01", devicesListed}, {"POSC-OP-02", inspectionsInTime}, {"POSC-OP-03", fiveElements}, {"POSC-OP-04", locationDrift},
	{"POSC-OP-05", dormantTerminals}, {"POSC-OP-06", attacksRecorded}, {"POSC-OP-07", trailIntact}, {"POSC-OP-08", trailKept},
	{"POSC-OP-09", clocksAgree}, {"POSC-OP-10", lockouts}, {"POSC-OP-11", passphraseRules}, {"POSC-OP-12", secondFactor},
	{"POSC-OP-13", rolesHold}, {"POSC-OP-14", failuresGuided}, {"POSC-OP-15", refundsWithin}, {"POSC-OP-16", certificatePublic},
	{"POSC-OP-17", malwareScanned}, {"POSC-OP-18", changesAssessed}, {"POSC-OP-24", networksApart},
	{"POSC-PE-01", counterTrained}, {"POSC-PE-02", everybodyTrained}, {"POSC-PE-03", developersTrained}, {"POSC-PE-06", accountsSound},
	{"POSC-PE-09", shopsGuided},
}

// operations is what the checks look at: the rooms as they are, and one reading of the journal.
type operations struct {
	ctx context.Context
	e   *engine
	r   *rooms
	now pos.Instant
	journalFacts
	terminals []*registry.Terminal // that stand in shops: not those reserved for known-bad messages
	devices   map[pos.Serial]*registry.Device
	witnessed int   // witnesses outside the data directory that agree
	witness   error // one that does not
	shown     *explain.Catalogue
	bank      *staff.Bank
}

// journalFacts is what one reading of the journal yields.
type journalFacts struct {
	whole      bool // all of it was read
	first      pos.Instant
	entries    uint64
	refused    int                    // messages
	incomplete int                    // of them, without one of the six fields
	outside    int                    // refused for their place
	drifted    map[pos.TerminalID]int // messages from outside the circle, refused or marked, of terminals that are no canary
	said       int                    // messages of terminals that say where they are
	silent     int                    // of those that do not
	traded     map[pos.TerminalID]pos.Instant
	sold       map[uint64]pos.Amount // entry of a sale
	refunded   map[uint64]pos.Amount // of that sale
	undone     map[uint64]bool       // voided or reversed
	last       journal.Block         // the newest block, copied
	chain      error                 // where the chain is broken
}

// maxReadEntries is the longest journal that the command reads; one that is longer says so and passes nothing that
// rests on it. maxReadTime bounds the reading, within the control socket's patience.
const (
	maxReadEntries = 2_000_000
	maxReadTime    = 15 * time.Second
)

// examineOperations holds the records against every automatic requirement of operations and personnel.
func (e *engine) examineOperations(ctx context.Context) ([]operationResult, error) {
	catalogue, err := lab.LoadCatalogue()
	if err != nil {
		return nil, err
	}
	o := &operations{ctx: ctx, e: e, now: e.clock()}
	if o.shown, err = explain.Load(); err != nil {
		return nil, err
	}
	if o.bank, err = staff.LoadBank(); err != nil {
		return nil, err
	}
	if err := o.readJournal(); err != nil {
		return nil, err
	}
	if err := o.readRegister(); err != nil {
		return nil, err
	}
	var list []operationResult
	e.office.view(func(r *rooms) {
		o.r = r
		for _, c := range operationChecks {
			q := catalogue.Find(c.id)
			state, why := c.check(o)
			list = append(list, operationResult{c.id, lab.Text{EN: q.TitleEN, ZH: q.TitleZH}, state, why})
		}
	})
	return list, nil
}

// readRegister reads the ledger and the witnesses: not while the rooms are held, for the ledger holds its own lock when it
// folds into them.
func (o *operations) readRegister() error {
	o.devices = map[pos.Serial]*registry.Device{}
	for _, t := range o.e.ledger.Terminals() {
		if t.Canary {
			delete(o.drifted, t.ID)
			continue
		}
		o.terminals = append(o.terminals, t)
		if d, err := o.e.ledger.Device(t.Serial); err == nil {
			o.devices[t.Serial] = d
		}
	}
	id, err := journalID(o.ctx, o.e.store.Reader)
	if err != nil {
		return err
	}
	for _, path := range o.e.witnesses {
		if err := witness.Compare(o.ctx, path, id, o.e.store.Reader); err != nil {
			o.witness = err
			continue
		}
		o.witnessed++
	}
	return nil
}

// readJournal reads the journal once, and verifies its chain.
func (o *operations) readJournal() error {
	o.traded, o.drifted = map[pos.TerminalID]pos.Instant{}, map[pos.TerminalID]int{}
	o.sold, o.refunded, o.undone = map[uint64]pos.Amount{}, map[uint64]pos.Amount{}, map[uint64]bool{}
	ctx, cancel := context.WithTimeout(o.ctx, maxReadTime)
	defer cancel()
	chain := journal.NewVerifier(0, journal.Hash{})
	err := o.e.store.Reader.Blocks(ctx, 1, func(b journal.Block) error {
		if err := chain.Block(b); err != nil && o.chain == nil {
			o.chain = err
		}
		if o.entries > maxReadEntries {
			return errBeyond
		}
		o.last = b
		o.last.Body = append(o.last.Body[:0:0], b.Body...)
		return b.Each(o.read)
	})
	o.whole = err == nil
	if err == errBeyond || ctx.Err() != nil && o.ctx.Err() == nil {
		return nil
	}
	return err
}

func (o *operations) read(entry journal.Entry) error {
	if o.entries++; o.entries == 1 {
		o.first = entry.At
	}
	if entry.Kind != journal.KindExchange {
		return nil
	}
	var x journal.Exchange
	if err := x.Parse(entry); err != nil {
		return err
	}
	o.place(&x)
	if x.Reason != reason.None {
		o.refused++
		// User or device, type, time, result, origin, affected object: what could not be read of a message has its origin.
		// A refusal without DE39 has a result too: the connection was closed without an answer.
		if entry.At == 0 || x.Source == (pos.Address{}) || x.Reason.String() == "" {
			o.incomplete++
		}
		if x.Reason == reason.LocationOutside {
			o.outside++
		}
		return nil
	}
	if x.Flags&(journal.FlagCanary|journal.FlagRepeat) != 0 {
		return nil
	}
	switch x.Effect {
	case journal.Sold:
		o.sold[entry.Seq], o.traded[x.Terminal] = x.Amount, entry.At
	case journal.Refunded:
		o.refunded[x.Original] += x.Amount
	case journal.VoidedSale, journal.ReversedSale:
		o.undone[x.Original] = true
	}
	return nil
}

// place counts what a message says of where it is sent from; repeats and canaries aside.
func (o *operations) place(x *journal.Exchange) {
	if x.Flags&(journal.FlagCanary|journal.FlagRepeat) != 0 {
		return
	}
	if x.Reason == reason.LocationOutside || x.Flags&journal.FlagOutside != 0 {
		o.drifted[x.Terminal]++
	}
	if x.Effect == journal.Sold {
		if x.Flags&journal.FlagPlace != 0 {
			o.said++
		} else {
			o.silent++
		}
	}
}

// say makes the words of a check.
func say(en, zh string, a ...any) lab.Text {
	return lab.Text{EN: fmt.Sprintf(en, a...), ZH: fmt.Sprintf(zh, a...)}
}

// tooLong is the answer of a check that needs the whole journal.
func (o *operations) tooLong() (operationState, lab.Text) {
	return opNotSatisfied, say("the journal is longer than this command reads: nothing is said", "日志超出本命令的读取范围: 不作结论")
}
