package sqlite_test

import (
	"errors"
	"slices"
	"strconv"
	"testing"

	"touchstone/journal"
	"touchstone/keys"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/sqlite"
)

// refused is a message of terminal n that was refused for why.
func refused(n, i int, why reason.Reason) *journal.Exchange {
	x := exchange(n, i)
	x.Reason, x.DE39, x.Effect = why, why.DE39(), journal.NoEffect
	return x
}

func causeOf(verdict uint64, n int, c reason.Cause, how journal.Certainty) *journal.Cause {
	made := journal.CauseOf(verdict, terminalID(n), reason.MACFailed, c, how)
	made.Tried = 54
	if c != reason.NoCause {
		made.Fit = 1
	}
	return made
}

func reader(t *testing.T, dir string) *sqlite.Reader {
	t.Helper()
	r, err := sqlite.OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// TestCauseOf: the newest cause that names a verdict is found, in the blocks, in the view, and in both.
func TestCauseOf(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	p := openProjector(t, s)
	r := reader(t, dir)
	want := func(when string, verdict, seq uint64, how journal.Certainty) {
		t.Helper()
		c, at, ok, err := r.CauseOf(t.Context(), verdict)
		if err != nil || ok != (seq != 0) || at != seq || c.Certainty != how {
			t.Errorf("%s: verdict %d: entry %d, %t, %q: %v", when, verdict, at, ok, c.Certainty, err)
		}
	}
	w := newWriter(t, s)
	w.add(exchange(1, 1), refused(1, 2, reason.MACFailed), refused(1, 3, reason.MACFailed))
	w.cold(journal.KindCause, causeOf(2, 1, reason.MACOtherTerminalKey, journal.Indicated)) // entry 4
	w.flush()
	for _, when := range []string{"in blocks", "in the view"} {
		want(when, 2, 4, journal.Indicated)
		want(when, 3, 0, "")
		want(when, 1, 0, "")
		want(when, 99, 0, "")
		if err := p.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := p.Indicated(t.Context(), 5); err != nil || len(list) != 1 || list[0].Seq != 4 || list[0].Verdict != 2 {
		t.Errorf("indicated: %+v, %v", list, err)
	}
	w.cold(journal.KindCause, causeOf(2, 1, reason.MACOtherTerminalKey, journal.Proven)) // entry 5
	w.cold(journal.KindCause, causeOf(3, 1, reason.NoCause, journal.Unproven))           // entry 6
	w.flush()
	for _, when := range []string{"newer in blocks", "newer in the view"} {
		want(when, 2, 5, journal.Proven)
		want(when, 3, 6, journal.Unproven)
		if err := p.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := p.Indicated(t.Context(), 5); err != nil || len(list) != 0 {
		t.Errorf("still indicated: %+v, %v", list, err)
	}
	found := map[uint64]sqlite.StoredCause{}
	if err := r.CausesOf(t.Context(), []uint64{1, 2, 3}, found); err != nil || len(found) != 2 || found[2].Cause.Cause != "mac_other_terminal_key" {
		t.Errorf("of three verdicts: %+v, %v", found, err)
	}
}

// TestCauseWithoutView: without view.db the entries are read, as many as may be; "none" is never more than was seen.
func TestCauseWithoutView(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	w := newWriter(t, s)
	w.add(refused(1, 1, reason.MACFailed))
	w.flush()
	const most = 100
	for i := range most / 10 {
		for range 10 {
			w.add(exchange(2, i))
		}
		w.flush()
	}
	w.cold(journal.KindCause, causeOf(1, 1, reason.MACStaleKey, journal.Proven))
	w.flush()
	r := reader(t, dir)
	r.ScanAtMost(most)
	if c, seq, ok, err := r.CauseOf(t.Context(), 1); !errors.Is(err, sqlite.ErrUnsearched) || ok || seq != 0 || c.Cause != "" {
		t.Errorf("beyond what is read: %+v, entry %d, %t, %v", c, seq, ok, err)
	}
	last := w.last
	if _, seq, ok, err := r.CauseOf(t.Context(), last-1); err != nil || ok || seq != 0 {
		t.Errorf("a verdict near the head: entry %d, %t, %v", seq, ok, err)
	}
	if _, _, err := r.LastRefusal(t.Context(), true); !errors.Is(err, sqlite.ErrUnsearched) {
		t.Errorf("the last refusal beyond what is read: %v", err)
	}
	r.ScanAtMost(most + 10)
	if _, seq, ok, err := r.CauseOf(t.Context(), 1); err != nil || !ok || seq != last {
		t.Errorf("within what is read: entry %d, %t, %v", seq, ok, err)
	}
}

// TestLastRefusal: what the card's bank refused is no security refusal, and a canary's message is made to be refused.
func TestLastRefusal(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	p := openProjector(t, s)
	r := reader(t, dir)
	want := func(when string, security bool, seq uint64) {
		t.Helper()
		got, ok, err := r.LastRefusal(t.Context(), security)
		if err != nil || got != seq || ok != (seq != 0) {
			t.Errorf("%s: entry %d, %t, want %d: %v", when, got, ok, seq, err)
		}
	}
	want("empty journal", true, 0)
	w := newWriter(t, s)
	w.add(exchange(1, 1), refused(1, 2, reason.SerialProofFailed), refused(1, 3, reason.InsufficientFunds))
	canary := refused(9, 4, reason.MACFailed)
	canary.Flags |= journal.FlagCanary
	w.add(canary, exchange(1, 5))
	w.flush()
	for _, when := range []string{"in blocks", "in the view"} {
		want(when, true, 2)
		want(when, false, 3)
		if err := p.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.add(refused(2, 6, reason.NotSignedIn))
	w.flush()
	want("newer in blocks", true, 6)
	want("newer in blocks", false, 6)
}

// TestFormerKeysAreFound: the sign-ins that were given keys, which were used, and the entries with another master key.
func TestFormerKeysAreFound(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	p := openProjector(t, s)
	w := newWriter(t, s)
	seq := uint64(0)
	var want []sqlite.SignIn
	signIn := func() {
		x := exchange(1, 1)
		x.Effect, x.KeyCode, x.Wrapped = journal.KeysIssued, keys.SignInTDES, make([]byte, keys.SetSize)
		w.add(x)
		seq++
		want = append(want, sqlite.SignIn{Seq: seq})
	}
	use := func() {
		x := exchange(1, 2)
		x.Flags |= journal.FlagMACVerified | journal.FlagPromoted
		w.add(x)
		seq++
		want[len(want)-1].Used = true
	}
	round := func() {
		w.flush()
		if err := p.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		newest := want[max(0, len(want)-12):]
		got, covered, err := p.SignIns(t.Context(), terminalID(1))
		slices.Reverse(got)
		if err != nil || covered != seq || !slices.Equal(got, newest) {
			t.Fatalf("up to entry %d: %v, want %v: %v", covered, got, newest, err)
		}
		masters, err := p.Masters(t.Context(), terminalID(1))
		list, loaded, err2 := p.Earlier(t.Context(), terminalID(1))
		var more []uint64
		for i, one := range loaded {
			more = append(more, one.Seq)
			if one.Key == (keys.ID{}) || i > 0 && one.Key == loaded[i-1].Key {
				t.Fatalf("key %x after %v", one.Key, loaded)
			}
		}
		slices.Reverse(list)
		if err != nil || err2 != nil || !slices.Equal(list, newest) || !slices.Equal(more, masters) {
			t.Fatalf("both at once: %v and %v, want %v and %v: %v, %v", list, more, newest, masters, err, err2)
		}
	}
	signIn()
	use()
	signIn()
	round() // the second is not used yet
	use()   // by the second, of the round before
	signIn()
	signIn()
	use()
	round()
	for range 20 {
		signIn()
	}
	round()
	use()
	round()
	recent, err := p.Recent(t.Context(), terminalID(1), 6, 3)
	if want := []sqlite.Message{{Seq: 5, STAN: 1}, {Seq: 4, STAN: 2}, {Seq: 3, STAN: 1}}; err != nil || !slices.Equal(recent, want) {
		t.Errorf("before entry 6: %v, want %v: %v", recent, want, err)
	}
	if got, _, err := p.SignIns(t.Context(), terminalID(2)); err != nil || len(got) != 0 {
		t.Errorf("of another terminal: %v, %v", got, err)
	}
	var masters []uint64
	ids := []byte{1, 1, 2, 2, 3, 1, 4, 5, 6, 7, 7}
	for i, key := range ids {
		wrapped := make(keys.Wrapped, keys.WrapHead+16+keys.WrapTag)
		wrapped[0], wrapped[18] = 1, key
		w.cold(journal.KindTerminal, &registry.Terminal{ID: terminalID(1), Merchant: exchange(1, 1).Merchant, Master: wrapped})
		seq++
		if i == 0 || key != ids[i-1] {
			masters = append([]uint64{seq}, masters...)
		}
		if i%3 == 0 {
			round()
		}
	}
	round()
	got, err := p.Masters(t.Context(), terminalID(1))
	if err != nil || !slices.Equal(got, masters[:6]) {
		t.Errorf("entries of master keys %v, want %v: %v", got, masters[:6], err)
	}
	if err := p.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list, masters, err := p.Earlier(t.Context(), terminalID(1)); err != nil || len(list)+len(masters) > 0 {
		t.Errorf("of a view made anew: %v, %v, %v", list, masters, err)
	}
	round()
}

func BenchmarkCauseOf(b *testing.B) {
	dir := b.TempDir()
	s := openStore(b, dir)
	w := newWriter(b, s)
	for i := range 2000 {
		w.add(refused(i%100, i, reason.MACFailed))
		w.cold(journal.KindCause, causeOf(uint64(2*i+1), i%100, reason.MACStaleKey, journal.Proven))
	}
	w.flush()
	p, err := s.NewProjector(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	if err := p.CatchUp(b.Context()); err != nil {
		b.Fatal(err)
	}
	r, err := sqlite.OpenReader(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	i := 0
	for b.Loop() {
		i++
		if c, _, ok, err := r.CauseOf(b.Context(), uint64(2*(i%2000)+1)); err != nil || !ok || c.Terminal != terminalID(i%2000%100).String() {
			b.Fatal("entry "+strconv.Itoa(i), ok, err)
		}
	}
}
