package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"touchstone/explain"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/sqlite"
)

// journalCmd reads the journal, also while a host runs on it.
type journalCmd struct {
	Tail   journalTail   `cmd:"" help:"The newest entries, and with --follow those to come."`
	Show   journalShow   `cmd:"" help:"One message: every check, what was presented and what was expected."`
	Verify journalVerify `cmd:"" help:"Recompute the hash chain and name the first broken entry."`

	AcceptLoss journalAcceptLoss `cmd:"" name:"accept-loss" help:"Go on with a journal of which a witness saw more."`
}

type journalDirectory struct {
	Data string `name:"data" default:"touchstone-data/demo" help:"Data directory." placeholder:"DIR"`
}

func (d journalDirectory) open() (*sqlite.Reader, error) {
	r, err := sqlite.OpenReader(d.Data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is no data directory (no %s): name one with --data", d.Data, "touchstone.db")
	}
	if err != nil {
		return nil, fmt.Errorf("open journal of %s: %w", d.Data, err)
	}
	return r, nil
}

type journalTail struct {
	journalDirectory
	Lines  int    `name:"lines" short:"n" default:"20" help:"How many."`
	Follow bool   `name:"follow" short:"f" help:"Go on with new entries until Ctrl-C."`
	JSON   bool   `name:"json" help:"One JSON object a line."`
	Lang   string `name:"lang" default:"en" help:"en or zh."`
}

// followEvery is how often a follower looks for new blocks.
const followEvery = 100 * time.Millisecond

// Run prints.
func (c *journalTail) Run(a *app) error {
	r, err := c.open()
	if err != nil {
		return err
	}
	defer r.Close()
	show, err := newLines(a.stdout, c.Lang, isTerminal(a.stdout))
	if err != nil {
		return err
	}
	last, _, err := r.Head(a.ctx)
	if err != nil {
		return err
	}
	next := uint64(1)
	if n := uint64(max(c.Lines, 0)); last > n {
		next = last - n + 1
	}
	for {
		err := eachEntry(a.ctx, r, &next, func(e journal.Entry) error {
			if c.JSON {
				return writeJSON(a.stdout, e)
			}
			return show.entry(e)
		})
		if err != nil || !c.Follow {
			return notCancelled(a.ctx, err)
		}
		select {
		case <-a.ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
	}
}

func notCancelled(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// eachEntry calls f with every entry from *next on that is durable now, and moves *next.
func eachEntry(ctx context.Context, r *sqlite.Reader, next *uint64, f func(journal.Entry) error) error {
	return r.Blocks(ctx, *next, func(b journal.Block) error {
		return b.Each(func(e journal.Entry) error {
			if e.Seq < *next {
				return nil
			}
			*next = e.Seq + 1
			return f(e)
		})
	})
}

// shownExchange is a judged message for a reader: the whole verdict.
type shownExchange struct {
	Seq          uint64        `json:"seq"`
	At           time.Time     `json:"at"`
	Terminal     string        `json:"terminal"`
	Merchant     string        `json:"merchant"`
	Source       string        `json:"source"`
	MTI          string        `json:"mti"`
	What         string        `json:"what"`
	Type         string        `json:"transaction_code"`
	NetworkCode  string        `json:"network_code"`
	Processing   string        `json:"processing_code"`
	Batch        string        `json:"batch"`
	Trace        string        `json:"trace"`
	Amount       string        `json:"amount,omitempty"`
	Currency     string        `json:"currency,omitempty"`
	Card         string        `json:"card,omitempty"`
	CardHash     string        `json:"card_hash,omitempty"`
	DE39         string        `json:"de39"`
	Reason       string        `json:"reason"`
	Owner        string        `json:"who_acts"`
	MACVerified  bool          `json:"mac_verified"`
	Repeat       bool          `json:"repeat,omitempty"`
	Effect       string        `json:"effect"`
	Original     uint64        `json:"original,omitempty"`
	RRN          string        `json:"rrn,omitempty"`
	AuthCode     string        `json:"auth_code,omitempty"`
	OutsidePlace bool          `json:"outside_place,omitempty"`
	Claim        string        `json:"claim,omitempty"` // that this exchange paid; it rests on Proposal and no proof
	Proposal     string        `json:"proposal,omitempty"`
	ElapsedUS    uint32        `json:"elapsed_us"`
	Checks       []proof.Shown `json:"checks"`
	// Cause is what was found behind it, from the newest entry that names it; only journal show looks it up.
	Cause *shownCause `json:"cause,omitempty"`
}

// shownCause is a cause and the number of its entry.
type shownCause struct {
	Entry uint64 `json:"entry"`
	*journal.Cause
}

func showExchange(e journal.Entry) (shownExchange, error) {
	var x journal.Exchange
	if err := x.Parse(e); err != nil {
		return shownExchange{}, fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	s := shownExchange{
		Seq: e.Seq, At: e.At.Time(), Terminal: printableID(x.Terminal[:]), Merchant: printableID(x.Merchant[:]), Source: x.Source.String(),
		MTI: x.MTI.String(), What: whatOf(&x), Type: x.Type.String(), NetworkCode: x.Network.String(), Processing: x.Processing.String(),
		Batch: x.Batch.String(), Trace: x.STAN.String(), Currency: x.Currency.String(), Card: x.Shown.String(), CardHash: x.Card.String(),
		DE39: x.DE39.String(), Reason: x.Reason.String(), Owner: x.Reason.Owner().String(), MACVerified: x.Flags&journal.FlagMACVerified != 0,
		Repeat: x.Flags&journal.FlagRepeat != 0, Effect: x.Effect.String(), Original: x.Original, AuthCode: x.AuthCode.String(),
		OutsidePlace: x.Flags&journal.FlagOutside != 0, ElapsedUS: x.ElapsedUS, Checks: proof.Show(&x),
	}
	if x.Amount != 0 {
		s.Amount = x.Amount.String()
	}
	if r, ok := x.Redress(); ok {
		s.Claim, s.Proposal = r.Claim, r.Proposal
	}
	if x.MTI != 0 && x.MTI != 0x0820 {
		s.RRN = fmt.Sprintf("%012d", e.Seq)
	}
	return s, nil
}

// printableID shows an identifier that was claimed; one that was not readable is "".
func printableID(b []byte) string {
	if len(b) == 0 || b[0] == 0 {
		return ""
	}
	return string(b)
}

// cold is a record of the register for a reader. Wrapped keys are shown by name only.
type shownCold struct {
	Seq    uint64         `json:"seq"`
	At     time.Time      `json:"at"`
	Kind   string         `json:"kind"`
	Record map[string]any `json:"record"`
}

// named is a cold record with its wrapped keys and PIN verifier named, not shown.
func named(body []byte) (map[string]any, error) {
	var record map[string]any
	if err := json.Unmarshal(body, &record); err != nil {
		return nil, err
	}
	if err := nameKeys(record); err != nil {
		return nil, err
	}
	if _, ok := record["pin_verifier"]; ok {
		record["pin_verifier"] = "[kept]"
	}
	return record, nil
}

// nameKeys puts the names of wrapped keys in their places.
func nameKeys(record map[string]any) error {
	for _, member := range []string{"master_key", "serial_key", "wrapped", "key"} {
		if text, ok := record[member].(string); ok {
			var w keys.Wrapped
			if err := w.UnmarshalText([]byte(text)); err != nil {
				return err
			}
			record[member] = w.String()
		}
	}
	return nil
}

func writeJSON(w io.Writer, e journal.Entry) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if e.Kind != journal.KindExchange {
		record, err := named(e.Body)
		if err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		return enc.Encode(shownCold{e.Seq, e.At.Time(), e.Kind.String(), record})
	}
	s, err := showExchange(e)
	if err != nil {
		return err
	}
	return enc.Encode(s)
}

type journalShow struct {
	journalDirectory
	Terminal string `name:"terminal" help:"DE41." placeholder:"ID"`
	Trace    string `name:"trace" help:"DE11." placeholder:"N"`
	Entry    uint64 `name:"entry" help:"Number of one entry, instead of terminal and trace." placeholder:"N"`
	JSON     bool   `name:"json" help:"One JSON object for each message found."`
	Lang     string `name:"lang" default:"en" help:"en or zh."`
}

// Help is shown by touchstone journal show --help.
func (journalShow) Help() string {
	return `Shows every message of a terminal with this trace number, the oldest first.

  touchstone journal show --terminal 90000001 --trace 2 --json`
}

// Run finds and prints.
func (c *journalShow) Run(a *app) error {
	r, err := c.open()
	if err != nil {
		return err
	}
	defer r.Close()
	seqs, err := c.find(a, r)
	if err != nil {
		return err
	}
	catalogue, err := explain.Load()
	if err != nil {
		return err
	}
	lang, err := explain.ParseLanguage(c.Lang)
	if err != nil {
		return err
	}
	for i := len(seqs) - 1; i >= 0; i-- {
		e, err := r.Entry(a.ctx, seqs[i])
		if err != nil {
			return err
		}
		switch {
		case c.JSON && e.Kind == journal.KindExchange:
			err = c.writeJSON(a, r, e)
		case c.JSON || e.Kind != journal.KindExchange:
			err = writeJSON(a.stdout, e)
		default:
			err = writeVerdict(a.stdout, e, catalogue, lang)
			if err == nil {
				err = c.writeCause(a, r, e.Seq)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// causeOf is what was found behind a message; nil where nothing was, or where the journal is too long to look.
func causeOf(a *app, r *sqlite.Reader, verdict uint64) (*shownCause, error) {
	cause, seq, ok, err := r.CauseOf(a.ctx, verdict)
	if errors.Is(err, sqlite.ErrUnsearched) || err == nil && !ok {
		return nil, nil
	}
	return &shownCause{seq, &cause}, err
}

// writeJSON prints a message with what was found behind it.
func (c *journalShow) writeJSON(a *app, r *sqlite.Reader, e journal.Entry) error {
	s, err := showExchange(e)
	if err != nil {
		return err
	}
	if s.Cause, err = causeOf(a, r, e.Seq); err != nil {
		return err
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(s)
}

// writeCause prints what was found behind a message, if anything was.
func (c *journalShow) writeCause(a *app, r *sqlite.Reader, verdict uint64) error {
	found, err := causeOf(a, r, verdict)
	if err != nil || found == nil {
		return err
	}
	l, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	d := &drawing{w: a.stdout, l: l}
	writeCause(d, found.Cause, found.Entry)
	return d.err
}

func (c *journalShow) find(a *app, r *sqlite.Reader) ([]uint64, error) {
	if c.Entry != 0 {
		return []uint64{c.Entry}, nil
	}
	id, err := pos.ParseTerminalID(c.Terminal)
	if err != nil {
		return nil, errors.New("--terminal: want 8 characters")
	}
	trace, err := strconv.ParseUint(c.Trace, 10, 32)
	if err != nil || pos.STAN(trace) > pos.MaxSTAN {
		return nil, errors.New("--trace: want 0 to 999999")
	}
	found, err := r.FindExchange(a.ctx, id, pos.STAN(trace))
	if err != nil {
		return nil, err
	}
	if found.Truncated && len(found.Seqs) == 0 {
		fmt.Fprintf(a.stderr, "searched entries from %d on\n", found.From)
	}
	if len(found.Seqs) == 0 {
		return nil, fmt.Errorf("no message of terminal %s with trace %06d", id, trace)
	}
	return found.Seqs, nil
}

type journalVerify struct {
	journalDirectory
	From uint64 `name:"from" default:"1" help:"First entry." hidden:""`
}

// Run recomputes the chain; a broken entry is named and the exit code is 1.
func (c *journalVerify) Run(a *app) error {
	r, err := c.open()
	if err != nil {
		return err
	}
	defer r.Close()
	last, head, err := r.Head(a.ctx)
	if err != nil {
		return err
	}
	next := time.Now().Add(time.Second)
	progress := func(seq uint64) {
		if time.Now().After(next) {
			next = time.Now().Add(time.Second)
			fmt.Fprintf(a.stderr, "verified %d of %d entries\n", seq, last)
		}
	}
	if c.From > 1 {
		err = r.Verify(a.ctx, c.From, progress)
	} else {
		var p sqlite.Proven
		p, err = r.Prove(a.ctx, func(b journal.Block) error { progress(b.Last()); return nil })
		last, head = p.Last, p.Head
	}
	var broken *journal.ChainError
	var row *sqlite.ColdError
	switch {
	case errors.As(err, &broken):
		fmt.Fprintf(a.stdout, "BROKEN at entry %d: %s\n", broken.Seq, broken.What)
		return exitError{1}
	case errors.As(err, &row):
		fmt.Fprintf(a.stdout, "BROKEN: %s\n", row)
		return exitError{1}
	case err != nil:
		return err
	}
	fmt.Fprintf(a.stdout, "verified %d entries, chain value %x\n", last, head)
	return nil
}

// isTerminal tells whether w is a terminal that a person looks at.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && termIsTerminal(int(f.Fd()))
}
