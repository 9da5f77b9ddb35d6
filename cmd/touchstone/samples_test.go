package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"touchstone/explain/anatomy"
	"touchstone/host"
	"touchstone/pos"
	"touchstone/proof"
)

// sampleFrame is a sale of the demonstration's form with a card in clear, TPDU and header first.
func sampleFrame(t *testing.T) []byte {
	t.Helper()
	frame, err := foldMessage()
	if err != nil {
		t.Fatal(err)
	}
	return frame[2:] // LEN
}

// TestSamplesAreMaskedAndBounded: what is kept is the masked anatomy of the message that was lent; the newest push out the
// oldest, approvals come at most so often, and a flood of refusals does not go beyond its pace.
func TestSamplesAreMaskedAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := catalogueOnce()
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		s := newSamples(c, func() pos.Instant { return pos.Instant(time.Since(began)) + 1_000_000_000 }, slog.New(slog.DiscardHandler))
		const most = 300
		s.most[0] = most
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.run(ctx); close(done) }()
		of := func(entry uint64) *anatomy.Shown {
			if kept := s.of(t.Context(), entry, pos.Instant(entry)); kept != nil {
				return &kept.Anatomy
			}
			return nil
		}
		frame := sampleFrame(t)
		lend := func(entry uint64, refused bool) {
			lent := bytes.Clone(frame)
			m := host.Sampled{Entry: entry, Refused: refused, Frame: lent, Judged: host.Judged{Arrived: pos.Instant(entry), Snapshot: new(proof.Snapshot)}}
			if s.Pick(s.clock()) {
				m.Laps = &proof.Laps{Clock: s.clock, Begun: s.clock()}
				m.Laps.Mark(proof.Step(proof.Parse))
			}
			s.Handed(m)
			clear(lent) // another message's when the call returned
			synctest.Wait()
		}
		lend(1, true)
		want := anatomy.Of(frame, c).JSON()
		got := of(1)
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(got)
		if got == nil || !bytes.Equal(a, b) || bytes.Contains(b, []byte("6222600000001234")) || !bytes.Contains(b, []byte("622260******1234")) {
			t.Errorf("kept %s, want %s", b, a)
		}
		time.Sleep(approvalEvery)
		for n := range uint64(3) {
			lend(10+n, false) // at once: only the first is a sample
		}
		if of(10) == nil || of(11) != nil || of(12) != nil {
			t.Error("approvals are kept as fast as they come")
		}
		kept := 0
		for n := range uint64(1000) {
			lend(1000+n, true)
			if of(1000+n) != nil {
				kept++
			}
		}
		if kept > refusalBurst || kept < refusalBurst-2 {
			t.Errorf("%d refusals kept of a thousand at once", kept)
		}
		for n := range uint64(most + 1) {
			time.Sleep(30 * time.Millisecond)
			lend(10_000+n, true)
		}
		if of(1) != nil || of(10_000) != nil || of(10_001) == nil || of(10_000+most) == nil || of(10) == nil {
			t.Error("the ring does not hold the newest")
		}
		if len(s.packed) != most+1 {
			t.Errorf("%d messages are kept", len(s.packed))
		}
		cancel()
		<-done
	})
}

// TestSamplesOfWhatIsNoMessage: whatever bytes a frame has, something is shown and nothing breaks.
func TestSamplesOfWhatIsNoMessage(t *testing.T) {
	c, err := catalogueOnce()
	if err != nil {
		t.Fatal(err)
	}
	frame := sampleFrame(t)
	for n := range len(frame) {
		cut := bytes.Clone(frame[:n])
		shown := anatomy.Masked(cut, c)
		if shown.Size != n || !bytes.Equal(cut, frame[:n]) {
			t.Fatalf("cut to %d: %d bytes", n, shown.Size)
		}
		for _, p := range shown.Parts {
			if p.To > n || p.From > p.To {
				t.Fatalf("cut to %d: a part %s from %d to %d", n, p.Name, p.From, p.To)
			}
		}
	}
}
