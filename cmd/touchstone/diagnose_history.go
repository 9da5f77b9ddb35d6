package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"strconv"
	"time"

	"touchstone/diagnosis"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/sqlite"
)

// Bounds of what is remembered of experiments. What is forgotten is not proven by a second message until a third comes.
const (
	historyTerminals = 4096 // twice as many at most
	historyKept      = 8    // of one terminal, the newest
	historyAge       = 7 * 24 * time.Hour
	silentTerminals  = 16_384
)

// findings are what experiments on a terminal's messages came to.
type findings struct {
	unexplained uint32 // messages that nothing explained since one verified
	verified    uint64 // entry of the last that did, and was not refused for what is sought
	list        []earlierFinding
}

// earlierFinding is one of them, newest last.
type earlierFinding struct {
	diagnosis.Indication
	at     pos.Instant
	record journal.Cause // its newest entry
	read   bool          // from the journal: the module's fingerprint of its message is not known
}

// learn keeps a finding and gives the entries to be written: the finding's own and, where it agrees with one that was
// only indicated, that of the earlier verdict, which is now proven as well.
func (b *keyBook) learn(verdict uint64, id pos.TerminalID, r reason.Reason, f *diagnosis.Finding, now pos.Instant) []*journal.Cause {
	c := f.Record(verdict, id, r)
	causes := []*journal.Cause{c}
	if f.Certainty == journal.Untried {
		return causes
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.history.of(id)
	if f.Certainty == journal.Unproven && verdict > h.verified {
		h.unexplained++
	}
	for i := range h.list {
		e := &h.list[i]
		if e.Verdict != f.With || f.With == 0 || e.record.Certainty != journal.Indicated || e.record.Cause != c.Cause {
			continue
		}
		e.record.Certainty, e.record.With = journal.Proven, verdict
		proven := e.record
		causes = append(causes, &proven)
	}
	h.add(earlierFinding{Indication: f.Indication(verdict), at: now, record: *c})
	return causes
}

func (h *findings) add(e earlierFinding) {
	h.list = append(h.list, e)
	if extra := len(h.list) - historyKept; extra > 0 {
		h.list = append(h.list[:0], h.list[extra:]...)
	}
}

// earlier is what experiments on earlier messages of the terminal came to, newest first, and how many nothing
// explained. What was read from the journal counts as another message only where its trace is another.
func (b *keyBook) earlier(ctx context.Context, s *specimen) (list []diagnosis.Indication, unexplained uint32) {
	b.mu.Lock()
	h := b.history.find(s.id)
	if h == nil {
		b.mu.Unlock()
		return nil, 0
	}
	found, unexplained := append([]earlierFinding(nil), h.list...), h.unexplained
	b.mu.Unlock()
	oldest := b.clock().Add(-historyAge)
	for i := len(found) - 1; i >= 0; i-- {
		e := &found[i]
		if e.at < oldest || e.Verdict == s.verdict || e.read && !b.another(ctx, s, e) {
			continue
		}
		list = append(list, e.Indication)
	}
	return list, unexplained
}

// another gives an indication that was read from the journal a fingerprint of its own, where the message of its verdict
// had another trace: then it was another message, whatever its bytes were.
func (b *keyBook) another(ctx context.Context, s *specimen, e *earlierFinding) bool {
	var x journal.Exchange
	entry, err := b.reader.Entry(ctx, e.Verdict)
	if err != nil || x.Parse(entry) != nil || x.Terminal != s.id || x.STAN == s.stan {
		return false
	}
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("verdict"), e.Verdict))
	copy(e.Digest[:], sum[:])
	return true
}

// remember takes a cause of the journal; b.mu is held.
func (b *keyBook) remember(c *sqlite.StoredCause) {
	cause, err := reason.ParseCause(c.Cause.Cause)
	id, err2 := pos.ParseTerminalID(c.Terminal)
	if err != nil || err2 != nil {
		return
	}
	if cause == reason.KeysNotTaken {
		b.toldSilence(id)
		return
	}
	if c.Certainty == journal.Untried {
		return
	}
	h := b.history.of(id)
	for i := range h.list {
		if e := &h.list[i]; e.Verdict == c.Verdict {
			if e.read || c.Certainty == journal.Proven {
				e.record = c.Cause
			}
			return
		}
	}
	h.add(earlierFinding{Indication: diagnosis.Indication{Verdict: c.Verdict, Cause: cause, Variant: c.Variant, Facts: c.Facts, OneIn: c.OneIn},
		at: c.At, record: c.Cause, read: true})
}

// foldCold takes a terminal's record or a cause.
func (b *keyBook) foldCold(e journal.Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.Kind == journal.KindTerminal {
		if t, ok := parseTerminal(e); ok && !t.Canary {
			b.shops.add(t)
		}
		return
	}
	c := sqlite.StoredCause{Seq: e.Seq, At: e.At}
	if json.Unmarshal(e.Body, &c.Cause) == nil && c.Check() == nil {
		b.remember(&c)
	}
}

func parseTerminal(e journal.Entry) (*registry.Terminal, bool) {
	t := new(registry.Terminal)
	return t, e.Kind == journal.KindTerminal && json.Unmarshal(e.Body, t) == nil
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }
