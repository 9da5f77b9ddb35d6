package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"touchstone/journal"
	"touchstone/reason"
	"touchstone/sqlite"
)

// explainJournalFlags find one message in the journal.
type explainJournalFlags struct {
	Terminal string `name:"terminal" help:"The message of this terminal (DE41) with the number of --trace." placeholder:"ID"`
	Trace    string `name:"trace" help:"DE11 of the message." placeholder:"N"`
	RRN      string `name:"rrn" help:"The message with this retrieval reference number (DE37)." placeholder:"N"`
}

// explainLast answers with the panel of one message: the newest security refusal, or the one that flags name.
func explainLast(x *explainCall) (taken bool, err error) {
	named := x.Terminal != "" || x.Trace != "" || x.RRN != ""
	switch {
	case x.asked == "" && !named, x.asked != "" && x.asked != "last":
		return false, nil
	case x.asked == "last" && named:
		return true, errors.New("last is the newest refusal of all: leave it out where --terminal and --trace, or --rrn, name a message")
	case x.RRN != "" && (x.Terminal != "" || x.Trace != ""):
		return true, errors.New("--rrn names one message by itself: leave --terminal and --trace out")
	case named && x.RRN == "" && (x.Terminal == "" || x.Trace == ""):
		return true, errors.New("--terminal and --trace name one message together: give both, or --rrn alone")
	}
	dir := journalDirectory{Data: x.directory()}
	r, err := dir.open()
	if err != nil {
		return true, err
	}
	defer r.Close()
	f := &finder{r: r, x: x, dir: dir.Data}
	found, err := f.find(x.a.ctx)
	if err != nil {
		return true, err
	}
	p, err := f.panel(x.a.ctx, found)
	if err != nil {
		return true, err
	}
	return true, x.show(p)
}

// directory is the data directory asked about, the demonstration's when none is named.
func (x *explainCall) directory() string {
	if x.Data == "" {
		return demoDirectory
	}
	return x.Data
}

// finder looks messages up beside a running host: it only reads.
type finder struct {
	r   *sqlite.Reader
	x   *explainCall
	dir string
}

// foundMessage is the entry to explain and how it was chosen.
type foundMessage struct {
	entry  journal.Entry
	others []uint64 // further messages that fit what was asked, the newest first
	older  bool     // it is not the newest that fits, but the one to explain
}

func (f *finder) find(ctx context.Context) (foundMessage, error) {
	switch {
	case f.x.RRN != "":
		return f.byRRN(ctx)
	case f.x.asked == "last":
		return f.last(ctx)
	}
	show := journalShow{Terminal: f.x.Terminal, Trace: f.x.Trace}
	seqs, err := show.find(f.x.a, f.r)
	if err != nil {
		return foundMessage{}, err
	}
	return f.chosen(ctx, seqs)
}

// chosenFrom is how many messages of one trace are looked at.
const chosenFrom = 32

// chosen is the newest of the messages, seqs in that order, that was refused and whose cause is sought; without one the
// newest of all. A terminal reverses a sale that failed under the sale's own trace: who asks for it asks for the sale.
func (f *finder) chosen(ctx context.Context, seqs []uint64) (foundMessage, error) {
	var newest foundMessage
	for i, seq := range seqs[:min(len(seqs), chosenFrom)] {
		e, err := f.r.Entry(ctx, seq)
		if err != nil {
			return foundMessage{}, err
		}
		found := foundMessage{entry: e, others: slices.Delete(slices.Clone(seqs), i, i+1), older: i > 0}
		if i == 0 {
			newest = found
		}
		var x journal.Exchange
		if err := x.Parse(e); err != nil {
			return foundMessage{}, fmt.Errorf("entry %d: %w", seq, err)
		}
		if x.Flags&journal.FlagRepeat == 0 && sought(&x) {
			return found, nil
		}
	}
	return newest, nil
}

// byRRN finds the entry whose number an RRN is: this host gives each answer the number of its entry.
func (f *finder) byRRN(ctx context.Context) (foundMessage, error) {
	seq, err := strconv.ParseUint(f.x.RRN, 10, 64)
	if err != nil || len(f.x.RRN) > 12 || seq == 0 {
		return foundMessage{}, errors.New("--rrn: want the digits of DE37, at most 12")
	}
	e, err := f.r.Entry(ctx, seq)
	switch {
	case errors.Is(err, sqlite.ErrNoEntry), err == nil && e.Kind != journal.KindExchange:
		return foundMessage{}, fmt.Errorf("no message has the retrieval reference number %012d", seq)
	case err != nil:
		return foundMessage{}, err
	}
	return foundMessage{entry: e}, nil
}

// errNoRefusal is said of a journal that holds no refusal by security.
var errNoRefusal = errors.New("no message was refused by security here")

// last finds the newest refusal whose reason is not the issuer's.
func (f *finder) last(ctx context.Context) (foundMessage, error) {
	seq, ok, err := f.r.LastRefusal(ctx, true)
	if err == nil && !ok {
		err = errNoRefusal
	}
	if err != nil {
		return foundMessage{}, fmt.Errorf("%s: %w", f.dir, err)
	}
	e, err := f.r.Entry(ctx, seq)
	return foundMessage{entry: e}, err
}

// causeWithin is how young a refusal without a cause may be whose experiment is still to come.
const causeWithin = 10 * time.Second

// causeOf is what is known of the cause behind a verdict; why is said where nothing is.
func (f *finder) causeOf(ctx context.Context, v *journal.Exchange, seq uint64) (cause *journal.Cause, why notExamined, err error) {
	c, _, ok, err := f.r.CauseOf(ctx, seq)
	switch {
	case errors.Is(err, sqlite.ErrUnsearched):
		return nil, notSearched, nil
	case err != nil:
		return nil, "", err
	case ok:
		return &c, "", nil
	}
	_, running, _ := askWithin(f.dir, change{Status: &statusQuery{}}, statusTime)
	if running && time.Since(v.At.Time()) < causeWithin {
		return nil, notYet, nil
	}
	return nil, neverExamined, nil
}

// notExamined is why nothing was found behind a verdict, a stable word.
type notExamined string

// Why there is no cause entry.
const (
	notYet        notExamined = "not_yet"        // the refusal is seconds old and the host runs
	notSearched   notExamined = "not_searched"   // the journal is longer than what may be read for one question
	neverExamined notExamined = "never_examined" // the host ended before, the budget was spent, or there was no diagnosis yet
)

// sought tells whether experiment may find what is behind a verdict.
func sought(x *journal.Exchange) bool { return x.Reason != reason.None && x.Reason.Sought() }
