package clone_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"touchstone/diagnosis/clone"
	"touchstone/journal"
	"touchstone/pos"
)

func coldEntry(seq uint64, at pos.Instant, body any) journal.Entry {
	kind := journal.KindCause
	switch body.(type) {
	case *journal.Event:
		kind = journal.KindEvent
	case map[string]any:
		kind = journal.KindTerminal
	}
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return journal.Entry{Seq: seq, Kind: kind, At: at, Body: raw}
}

var (
	theTerminal = pos.TerminalID{'0', '0', '0', '0', '0', '0', '2', '3'}
	shopAddress = pos.IPv4(10, 1, 1, 7)
	elsewhere   = pos.IPv4(10, 9, 9, 66)
	aCertify    = [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	another     = [8]byte{8, 7, 6, 5, 4, 3, 2, 1}
	shanghai    = [2]int32{31_230_400, 121_473_700}
	beijing     = [2]int32{39_904_200, 116_407_400}
)

// honest is a device that has sold for a while from one address.
func honest(w *world) *box {
	b := &box{id: theTerminal, trace: 480, from: shopAddress, serial: "TS0000000023", app: [8]byte{'1'}}
	w.signIn(b, false)
	for range 20 {
		w.sell(b)
		w.pass(3 * time.Minute)
	}
	return b
}

// clones are ways to copy a device.
var clones = []struct {
	name string
	// make copies the honest device; it signs in by itself where its set is 0.
	make func(h box) box
}{
	{"keys alone, another address", func(h box) box {
		return box{id: h.id, from: elsewhere, serial: h.serial, app: h.app}
	}},
	{"keys alone, the same address", func(h box) box { return box{id: h.id, from: h.from, serial: h.serial, app: h.app} }},
	{"its file too, and it signs in, another address", func(h box) box { h.set, h.from = 0, elsewhere; return h }},
	{"its file too, and it signs in, the same address", func(h box) box { h.set = 0; return h }},
	{"its working keys too, another address", func(h box) box { h.from = elsewhere; return h }},
	{"its working keys too, the same address", func(h box) box { return h }},
	{"a file five sales old, another address", func(h box) box { h.trace -= 5; h.from = elsewhere; return h }},
	{"a file five sales old, the same address", func(h box) box { h.trace -= 5; return h }},
	{"a file a hundred traces old", func(h box) box { h.trace -= 100; return h }},
	{"without the serial-number key", func(h box) box { h.set, h.trace, h.unable = 0, 0, true; return h }},
	{"another TLS certificate", func(h box) box { h.cert = another; return h }},
	{"another version and place", func(h box) box { h.app, h.place = [8]byte{'9'}, &beijing; return h }},
}

// TestClones: with the two taking turns, every kind is told of within three messages of the clone: sign-ins count.
func TestClones(t *testing.T) {
	for _, c := range clones {
		for _, delayed := range []bool{false, true} {
			for _, cloneFirst := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/delayed %t/clone first %t", c.name, delayed, cloneFirst), func(t *testing.T) {
					w := newWorld()
					w.delayed = delayed
					h := honest(w)
					if c.name == "another TLS certificate" {
						h.cert = aCertify
						w.sell(h)
					}
					if c.name == "another version and place" {
						h.place = &shanghai
						w.sell(h)
					}
					copied := c.make(*h)
					copied.amounts += 500
					if !cloneFirst {
						w.sell(h)
					}
					spoke := takeTurns(w, h, &copied)
					if spoke > 3 {
						t.Fatalf("told of after %d messages of the clone", spoke)
					}
					s := w.found[0]
					if s.Terminal != theTerminal || !s.Keys || s.Weight < 50 || s.OneIn() < 100_000 || len(s.Events) == 0 || s.First == 0 || s.Seq < s.First {
						t.Fatalf("what is told: %+v", s)
					}
					for range 20 {
						w.sell(h)
						w.sell(&copied)
						w.pass(time.Minute)
					}
					if len(w.found) != 1 {
						t.Fatalf("told %d times of one clone", len(w.found))
					}
				})
			}
		}
	}
}

// takeTurns lets the two sell in turn until it is told of, and counts the clone's messages: sign-ins count. What the honest
// device says in answer to a clone's message belongs to that message.
func takeTurns(w *world, h, c *box) (spoke int) {
	for spoke < 20 && len(w.found) == 0 {
		if c.set == 0 {
			w.signIn(c, false)
			spoke++
		}
		w.pass(10 * time.Second)
		if w.sale(c); true {
			spoke++
		}
		if len(w.found) > 0 {
			break
		}
		w.pass(10 * time.Second)
		w.sell(h)
		w.pass(10 * time.Second)
	}
	return spoke
}

// TestOnceAndAgain: a clone is told of once; after a person cleared it, or the terminal was registered anew, it is told of
// again if it goes on.
func TestOnceAndAgain(t *testing.T) {
	for name, end := range map[string]any{
		"cleared":          &journal.Event{Name: clone.EventCleared, Severity: journal.Info, Terminal: theTerminal.String()},
		"registered anew":  map[string]any{"id": theTerminal},
		"another's":        &journal.Event{Name: clone.EventCleared, Severity: journal.Info, Terminal: "00000024"},
		"another event":    &journal.Event{Name: clone.EventSuspected, Severity: journal.Alarm, Terminal: theTerminal.String()},
		"no terminal's id": &journal.Event{Name: clone.EventCleared, Severity: journal.Info},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			h := honest(w)
			c := box{id: h.id, from: elsewhere}
			takeTurns(w, h, &c)
			w.seq++
			w.d.Fold(coldEntry(w.seq, w.now, end))
			want := 1
			if name == "cleared" || name == "registered anew" {
				want = 2
			}
			for range 4 {
				w.sell(h)
				w.sell(&c)
			}
			if len(w.found) != want {
				t.Fatalf("told %d times, want %d", len(w.found), want)
			}
		})
	}
}

// TestYoung: a terminal that has sold four times, and a device with its keys alone: their traces are near each other.
func TestYoung(t *testing.T) {
	for _, from := range []pos.Address{shopAddress, elsewhere} {
		w := newWorld()
		h := &box{id: theTerminal, from: shopAddress, amounts: 500}
		w.signIn(h, false)
		for range 4 {
			w.sell(h)
			w.pass(time.Minute)
		}
		c := box{id: h.id, from: from}
		if spoke := takeTurns(w, h, &c); spoke > 3 {
			t.Errorf("told of after %d messages of the clone", spoke)
		}
	}
}

// TestOtherOrders: the clone does all it wants before the honest device speaks. How many messages of the honest device it
// then takes is at most three.
func TestOtherOrders(t *testing.T) {
	for _, c := range clones[:10] {
		for burst := 1; burst <= 6; burst++ {
			w := newWorld()
			h := honest(w)
			copied := c.make(*h)
			copied.amounts += 500
			if copied.set == 0 {
				w.signIn(&copied, false)
			}
			answers := 0
			for len(w.found) == 0 && answers < 20 {
				for range burst {
					w.sell(&copied)
					w.pass(time.Minute)
				}
				w.sell(h)
				w.pass(time.Minute)
				answers++
			}
			t.Logf("%s, %d at a time: told of after %d turns of the honest device", c.name, burst, answers)
			if answers > 3 {
				t.Errorf("%s, %d at a time: told of after %d turns of the honest device", c.name, burst, answers)
			}
		}
	}
}

// TestWithoutCauses: where nothing is found behind failed MACs (diagnosis is off, or over its budget), the traces and addresses
// must do; a copy of the file that signs in, and does so once, is then not told of at all: nothing authenticated says that it speaks.
func TestWithoutCauses(t *testing.T) {
	most := map[string]int{"its file too, and it signs in, another address": 20, "its file too, and it signs in, the same address": 20}
	for _, c := range clones[:10] {
		w := newWorld()
		w.noCauses = true
		h := honest(w)
		copied := c.make(*h)
		copied.amounts += 500
		spoke := takeTurns(w, h, &copied)
		t.Logf("%s: told of after %d messages of the clone: %t", c.name, spoke, len(w.found) > 0)
		if spoke > max(most[c.name], 3) {
			t.Errorf("%s: told of after %d messages of the clone", c.name, spoke)
		}
	}
}

// TestLateCauses: what experiment finds six messages later still counts, and leaves the lanes as they are.
func TestLateCauses(t *testing.T) {
	w := newWorld()
	h := honest(w)
	w.delayed, w.hold = true, 6
	c := *h
	c.set, c.amounts = 0, c.amounts+500
	takeTurns(w, h, &c)
	for range 3 {
		w.hold = 6
		for range 8 {
			w.sell(h)
			w.pass(time.Minute)
		}
		w.sell(&c)
	}
	if len(w.found) != 1 || w.found[0].Weight < 50 {
		t.Fatalf("told %d times: %+v", len(w.found), w.found)
	}
}

// TestLaneOfItsAddress: a clone's message whose trace lies just behind the honest device's newest is drawn in the lane of
// the clone's address, not in the lane that its trace would have been overtaken in.
func TestLaneOfItsAddress(t *testing.T) {
	w := newWorld()
	lanes := map[pos.Address]map[int]int{}
	w.d = clone.New(clone.Options{Serial: func(x *journal.Exchange) ([]byte, bool) { return x.Details, false }, Step: func(s clone.Step) {
		if s.Keys && w.from != (pos.Address{}) {
			if lanes[w.from] == nil {
				lanes[w.from] = map[int]int{}
			}
			lanes[w.from][s.Lane]++
		}
	}})
	h := honest(w)
	w.from = h.from
	c := *h
	c.from, c.set, c.amounts = elsewhere, 0, c.amounts+500
	say := func(b *box, act func(b *box)) {
		w.from = b.from
		act(b)
		w.pass(time.Second)
	}
	sell, signIn := func(b *box) { w.sale(b) }, func(b *box) { w.signIn(b, false) }
	say(h, signIn)
	say(h, sell)
	say(&c, signIn)
	say(&c, sell)
	say(h, sell) // under the key that the clone's sign-in replaced
	say(&c, sell)
	say(h, signIn)
	say(h, sell)
	say(&c, sell) // under the key that the honest sign-in replaced, by a trace just behind the honest one
	if len(lanes[h.from]) != 1 || len(lanes[elsewhere]) != 1 {
		t.Fatalf("messages by address and lane: %v", lanes)
	}
}
