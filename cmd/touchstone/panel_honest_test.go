package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/sqlite"
	"touchstone/terminal"
)

// Honest traffic over a bad line: what a host may find behind it is nothing but what honestly happened.

// honestLine is a connection that loses answers and repeats requests.
type honestLine struct {
	net.Conn
	till   *honestTill
	lose   bool
	signIn bool // the message on its way is one
}

// Write implements net.Conn: one message in 40 goes out twice, as after a network's own retry.
func (l *honestLine) Write(b []byte) (int, error) {
	const mti = 2 + 11 // after LEN and envelope
	l.till.messages.Add(1)
	l.lose, l.signIn = l.till.chance.IntN(25) == 0, len(b) > mti+1 && b[mti] == 0x08 && b[mti+1] == 0x00
	n, err := l.Conn.Write(b)
	if err == nil && l.till.chance.IntN(40) == 0 {
		l.till.messages.Add(1)
		l.till.lostIn = l.till.lostIn || l.signIn // of two answers with keys a terminal takes one
		_, err = l.Conn.Write(b)
	}
	return n, err
}

// Read implements net.Conn: where the answer is lost, the connection is gone.
func (l *honestLine) Read(b []byte) (int, error) {
	if !l.lose {
		return l.Conn.Read(b)
	}
	_, _ = l.Conn.Read(b) // the host has answered
	clear(b)
	l.till.lost++
	l.till.lostIn = l.till.lostIn || l.signIn
	l.Conn.Close()
	return 0, io.EOF
}

// honestTill is one terminal of an honest shop. One goroutine uses it.
type honestTill struct {
	shop     *panelShop
	own      sampleTerminal
	place    *panelPlace
	chance   *rand.Rand
	till     *terminal.Terminal
	messages *atomic.Int64 // of all tills
	lost     int           // answers
	cuts     int           // power cuts
	lostIn   bool          // an answer with keys was lost, or was one of two
}

func (h *honestTill) open() error {
	c := h.shop.config(h.place, h.own)
	c.Dial = func(ctx context.Context, local, remote string) (net.Conn, error) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}}
		conn, err := d.DialContext(ctx, "tcp", remote)
		if err != nil {
			return nil, err
		}
		return &honestLine{Conn: conn, till: h}, nil
	}
	var err error
	h.till, err = terminal.Open(c)
	return err
}

// trade does ordinary operations until all tills have sent enough.
func (h *honestTill) trade(ctx context.Context, enough int64) error {
	if err := h.open(); err != nil {
		return err
	}
	defer func() { h.till.Close() }()
	card, err := h.shop.reader()
	if err != nil {
		return err
	}
	defer card.Wipe()
	for h.messages.Load() < enough && ctx.Err() == nil {
		lost := h.lost
		switch h.chance.IntN(12) {
		case 0:
			_, err = h.till.SignIn(ctx)
		case 1:
			_, err = h.till.Balance(ctx, card)
		case 2:
			_, err = h.till.Settle(ctx)
		case 3:
			_, err = h.undo(ctx, card)
		default:
			_, err = h.till.Sale(ctx, card, pos.Amount(100+h.chance.IntN(5000)))
		}
		if err != nil && !errors.Is(err, terminal.ErrOriginal) {
			return err
		}
		if h.lost > lost && h.chance.IntN(2) == 0 || h.chance.IntN(100) == 0 { // the power fails
			h.cuts++
			if err := h.till.Close(); err != nil {
				return err
			}
			if err := h.open(); err != nil {
				return err
			}
		}
	}
	return nil
}

// undo voids or reverses the newest sale.
func (h *honestTill) undo(ctx context.Context, card terminal.Card) (terminal.Result, error) {
	list := h.till.Entries()
	if len(list) == 0 || list[len(list)-1].Kind != terminal.KindSale || list[len(list)-1].Voided {
		return terminal.Result{}, nil
	}
	if h.chance.IntN(2) == 0 {
		return h.till.Reverse(ctx)
	}
	return h.till.Void(ctx, list[len(list)-1].Trace, card)
}

// TestPanelHonest: honest messages with retries, power cuts, lost answers and sign-ins again give no false cause and no
// clone. Where two sign-ins follow each other and the answer to the second is lost, or a network sends one twice, the keys
// that the terminal took are stale for that very reason: that, proven, is what honestly happened, and nothing else may be found. TOUCHSTONE_LONG=1: 100,000 of them.
func TestPanelHonest(t *testing.T) {
	if testing.Short() {
		t.Skip("in full without the race detector")
	}
	skipInShort(t)
	enough := int64(3000)
	if inLongForm() {
		enough = 100_000
	}
	forms := panelForms()
	var shops []*panelShop
	for n := range 24 {
		shops = append(shops, newPanelShop(n, forms[n%(len(forms)-1)], nil))
	}
	data, place := newPanelHost(t, shops, "--sign-in-burst", "100000", "--sign-in-every", "1ms")
	var sent atomic.Int64
	var tills []*honestTill
	failed := make(chan error, 2*len(shops))
	for n, s := range shops {
		for i, own := range []sampleTerminal{s.own, s.other} {
			h := &honestTill{shop: s, own: own, place: place, chance: rand.New(rand.NewPCG(uint64(n), uint64(i))), messages: &sent}
			tills = append(tills, h)
			go func() { failed <- h.trade(t.Context(), enough) }()
		}
	}
	for range tills {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	judgeHonest(t, data, tills, sent.Load())
}

// judgeHonest reads what was found.
func judgeHonest(t *testing.T, data string, tills []*honestTill, sent int64) {
	t.Helper()
	lostIn, lost, cuts := map[string]bool{}, 0, 0
	for _, h := range tills {
		lostIn[h.own.id.String()] = h.lostIn
		lost, cuts = lost+h.lost, cuts+h.cuts
	}
	r, err := sqlite.OpenReader(data)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	refused, stale, next := map[reason.Reason]int{}, 0, uint64(1)
	err = eachEntry(t.Context(), r, &next, func(e journal.Entry) error {
		switch e.Kind {
		case journal.KindExchange:
			var x journal.Exchange
			if err := x.Parse(e); err != nil {
				return err
			}
			refused[x.Reason]++
		case journal.KindCause:
			var c journal.Cause
			if err := json.Unmarshal(e.Body, &c); err != nil {
				return err
			}
			switch {
			case c.Certainty != journal.Proven && c.Certainty != journal.Indicated:
			case c.Cause == reason.MACStaleKey.String() && c.Variant == "sign_in_answer_lost" && lostIn[c.Terminal]:
				stale++
			default:
				t.Errorf("terminal %s is honest, and of entry %d: %s %s %s (%v)", c.Terminal, c.Verdict, c.Certainty, c.Cause, c.Variant, c.Facts)
			}
		case journal.KindEvent:
			var event journal.Event
			if err := json.Unmarshal(e.Body, &event); err != nil {
				return err
			}
			if event.Name == proof.EventCloneSuspected {
				t.Errorf("terminal %s is honest, and said to be two: %v", event.Terminal, event.Parameters)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d messages of %d terminals, %d answers lost, %d power cuts; verdicts %v; %d stale keys after a lost answer", sent, len(tills), lost, cuts, refused, stale)
	if lost == 0 || cuts == 0 || refused[reason.None] < int(sent/2) {
		t.Error("nothing was lost, no power failed, or hardly anything was approved: that is no day")
	}
}
