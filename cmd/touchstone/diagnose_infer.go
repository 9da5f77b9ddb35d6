package main

import (
	"context"
	"time"

	"touchstone/diagnosis"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/sqlite"
)

// What is inferred from the journal without any key is indicated and never proven: no chance can be stated.

// When a terminal that signs in and sends nothing is told of: so many sign-ins in a row, or fewer over so long.
const (
	silentSignIns = 5
	fewSignIns    = 3
	silentTime    = 10 * time.Minute
)

// The facts of what is inferred.
const (
	factSignIns     = "sign_ins"     // how many were answered with keys
	factSince       = "since"        // when the first of them was, RFC 3339
	factTraceBefore = "trace_before" // the highest trace before the sign-in, six digits
	factTraceNow    = "trace_now"    // of the refused message
	factSignIn      = "sign_in"      // the sign-in's entry
)

// silence is a row of sign-ins that were answered with keys and after which the terminal sent no other message: its
// check of the keys may have failed, and such a terminal sends nothing.
type silence struct {
	n     int
	first pos.Instant
	told  bool
}

// watchSilence takes a message; b.mu is held.
func (b *keyBook) watchSilence(seq uint64, x *journal.Exchange) {
	if x.Effect != journal.KeysIssued {
		if x.MTI != 0x0800 && x.MTI != 0x0820 { // an echo test says nothing of keys
			b.silent.drop(x.Terminal)
			delete(b.pending, x.Terminal)
		}
		return
	}
	s := b.silent.of(x.Terminal)
	if s.n++; s.n == 1 {
		s.first = x.At
	}
	if s.told || s.n < silentSignIns && (s.n < fewSignIns || x.At.Sub(s.first) < silentTime) {
		return
	}
	s.told = true
	c := journal.CauseOf(seq, x.Terminal, reason.None, reason.KeysNotTaken, journal.Indicated)
	c.Tried, c.Fit = 1, 1
	c.Facts = map[string]string{factSignIns: decimal(uint64(s.n)), factSince: s.first.Time().UTC().Format(time.RFC3339)}
	if len(b.pending) < silentTerminals {
		b.pending[x.Terminal] = c
	}
}

// toldSilence: the journal has it already; b.mu is held.
func (b *keyBook) toldSilence(id pos.TerminalID) {
	delete(b.pending, id)
	if s := b.silent.find(id); s != nil {
		s.told = true
	}
}

// inferred gives what was inferred since it was asked last, once the journal has been read to its head: what an
// earlier run inferred and recorded is not told again.
func (b *keyBook) inferred() (causes []*journal.Cause) {
	if !b.ready() {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, c := range b.pending {
		if len(causes) >= tellCauses {
			break
		}
		causes = append(causes, c)
		delete(b.pending, id)
	}
	return causes
}

// Bounds of looking for a trace that began again.
const (
	traceMessages = 200 // of the terminal, before the refused one
	traceTail     = 20_000
	traceLow      = 100     // a trace that began again is not above it at the sign-in
	traceWrap     = 999_000 // from there on it begins again by itself
)

// traceReset tells of a duplicate trace whether the terminal's traces began again from low numbers at its last sign-in,
// as after its battery was empty. That is inferred and only indicated.
func (b *keyBook) traceReset(ctx context.Context, s *specimen) diagnosis.Finding {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	f := diagnosis.Finding{Certainty: journal.Unproven, Tried: 1}
	var signIn uint64
	signIns, _ := b.before(ctx, s.id)
	for _, one := range signIns {
		if one.Seq < s.verdict {
			signIn = one.Seq
			break
		}
	}
	list, err := b.messages(ctx, s)
	if err != nil || signIn == 0 {
		return f
	}
	var before, begun pos.STAN
	used, falls := false, false
	last := s.stan
	for _, m := range list { // newest first
		if m.Seq >= signIn {
			falls = falls || m.STAN > last // a trace after the sign-in that is above a later one
			last = m.STAN
			if m.Seq == signIn {
				begun = m.STAN
			}
			continue
		}
		before = max(before, m.STAN)
		used = used || m.STAN == s.stan
	}
	if begun == 0 || begun > traceLow || falls || !used || before <= s.stan || before >= traceWrap || begun > s.stan {
		return f
	}
	f.Cause, f.Certainty, f.Owner, f.Fit = reason.TraceReset, journal.Indicated, reason.TraceReset.Owner(), 1
	f.Facts = map[string]string{factTraceBefore: before.String(), factTraceNow: s.stan.String(), factSignIn: decimal(signIn)}
	return f
}

// messages are the terminal's before the specimen, newest first: of view.db, and of the entries it does not show yet.
func (b *keyBook) messages(ctx context.Context, s *specimen) ([]sqlite.Message, error) {
	if b.view == nil {
		return nil, nil
	}
	shown := b.view.Projected() // before both are read: what is in both is left out of the view's
	newer, err := b.reader.MessagesBefore(ctx, s.id, s.verdict, shown, traceTail)
	if err != nil {
		return nil, err
	}
	list, err := b.view.Recent(ctx, s.id, min(s.verdict, shown+1), traceMessages)
	return append(newer, list...), err
}
