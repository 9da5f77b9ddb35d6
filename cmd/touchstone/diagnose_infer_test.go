package main

import (
	"bytes"
	"testing"

	"touchstone/iso8583"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/terminal"
)

// TestTraceThatBeganAgain: inferred from the journal, never proven.
func TestTraceThatBeganAgain(t *testing.T) {
	for name, c := range map[string]struct {
		before, signIn, after pos.STAN
		want                  reason.Cause
	}{
		"battery loss":        {500, 1, 2, reason.TraceReset},
		"no lower at sign-in": {500, 501, 500, reason.NoCause},
		"far above":           {500, 300, 301, reason.NoCause},
	} {
		r := newDiagnosisRig(t, roomy, nil)
		l := r.wireLane(t, honest()[0])
		l.own.trace = uint64(c.after) - 1
		l.sell(t)
		l.own.trace = uint64(c.before) - 1
		l.sell(t)
		l.signInAt(t, c.signIn)
		l.own.trace = uint64(c.after) - 1
		frame := bytes.Clone(l.own.next(true))
		frame[traceAt-1] ^= 0x10 // another amount
		remade(l.own.mak, mtiAt)(frame, len(frame)-macSize)
		if code := codeOf(t, l.answer(t, frame)); code != "94" {
			t.Fatalf("%s: answered %s", name, code)
		}
		seq, _ := r.newestRefusal(t)
		got := r.causeOf(t, seq)
		if got.Cause != c.want.String() || (c.want != reason.NoCause) != (got.Certainty == journal.Indicated) || got.OneIn != 0 {
			t.Errorf("%s: %s %s %v", name, got.Certainty, got.Cause, got.Facts)
		}
		r.stop()
	}
}

// signInAt signs in under a trace number.
func (l *lane) signInAt(t *testing.T, trace pos.STAN) {
	t.Helper()
	bare, err := terminal.NewBare(l.own.config())
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, iso8583.LengthSize+iso8583.MaxFrame)
	frame, err := bare.SignIn(buf)
	if err != nil {
		t.Fatal(err)
	}
	at, n := mtiAt+2+8, trace // DE11 is the first element of a sign-in
	for i := 2; i >= 0; i-- {
		frame[at+i] = byte(n%10) | byte(n/10%10)<<4
		n /= 100
	}
	if code, err := bare.TakeSignIn(l.answer(t, frame)); err != nil || code != pos.Approved {
		t.Fatalf("sign-in: %s %v", code, err)
	}
	l.own.mak = bare.MAK()
}

// TestKeysThatAreNotTaken: sign-ins that are answered and after which nothing is sent, told once and also not again
// after a restart; any message under any key says that the terminal does send.
func TestKeysThatAreNotTaken(t *testing.T) {
	r := newDiagnosisRig(t, roomy, nil)
	quiet := func(l *lane, n int) {
		for range n {
			l.signIn(t)
		}
	}
	told := func(r *canaryRig) (found []journal.Cause) {
		r.e.diagnoser.drain()
		for _, c := range r.e.diagnoser.book.inferred() {
			r.e.diagnoser.tell([]*journal.Cause{c})
		}
		all, _ := r.causes(t)
		for _, c := range all {
			if c.Cause == reason.KeysNotTaken.String() {
				found = append(found, c)
			}
		}
		return found
	}
	until(t, "the journal is read", r.e.watch.caughtUp)
	silent, busy := r.wireLane(t, honest()[0]), r.wireLane(t, honest()[1])
	quiet(silent, silentSignIns-2)
	quiet(busy, silentSignIns-2)
	busy.sell(t)
	quiet(busy, silentSignIns-2)
	r.watched(t)
	if got := told(r); len(got) != 0 {
		t.Errorf("told too early: %+v", got)
	}
	quiet(silent, 4)
	r.watched(t)
	got := told(r)
	if len(got) != 1 || got[0].Terminal != silent.own.id.String() || got[0].Certainty != journal.Indicated || got[0].Reason != "none" || got[0].Facts[factSignIns] != "5" {
		t.Fatalf("told %+v", got)
	}
	silent.net.Close()
	busy.net.Close()
	dir := r.dir
	r.stop()
	r = newCanaryRig(t, rigOptions{dir: dir, change: func(o *engineOptions) { o.diagnosis, o.withoutView = roomy, false }})
	until(t, "the journal is read", r.e.watch.caughtUp)
	quiet(r.wireLane(t, silent.own), 2)
	r.watched(t)
	if got := told(r); len(got) != 1 {
		t.Errorf("after the restart told %+v", got)
	}
}

// watched waits until the watch has read what is durable now.
func (r *canaryRig) watched(t *testing.T) {
	t.Helper()
	want := r.e.ledger.Durable()
	until(t, "the watch reads the newest entry", func() bool { return r.e.watch.last() >= want })
}
