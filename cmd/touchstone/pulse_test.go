package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// pulseDay is a journal that a pulse reads.
type pulseDay struct {
	t   *testing.T
	p   *pulse
	seq uint64
	at  pos.Instant
}

var pulseShop, otherShop = pos.MerchantID([]byte("898000000000001")), pos.MerchantID([]byte("898000000000002"))

func newPulseDay(t *testing.T) *pulseDay {
	at := time.Date(2026, 11, 27, 23, 50, 0, 0, time.UTC)
	return &pulseDay{t: t, at: pos.Instant(at.UnixNano()), p: newPulse(time.UTC, func(id pos.TerminalID) (pos.MerchantID, bool) {
		return pulseShop, id == pos.TerminalID([]byte("00000001"))
	})}
}

func (d *pulseDay) put(kind journal.Kind, body []byte) uint64 {
	d.seq++
	d.p.fold(journal.Entry{Seq: d.seq, Kind: kind, At: d.at, Body: body})
	return d.seq
}

// sale is one of terminal id that says it is of pulseShop.
func (d *pulseDay) sale(id string, r reason.Reason, flags uint16) uint64 {
	x := journal.Exchange{At: d.at, Terminal: pos.TerminalID([]byte(id)), Merchant: pulseShop, MTI: 0x0200, Type: pos.Sale, Amount: 1050, Currency: pos.CNY, Reason: r, DE39: r.DE39(), Flags: flags}
	if r == reason.None {
		x.Effect = journal.Sold
	}
	return d.put(journal.KindExchange, x.AppendBody(nil))
}

// TestPulseCountsTheLastTenMinutes: approvals, refusals by reason, floods; canaries, repeats and what is older count as nothing.
func TestPulseCountsTheLastTenMinutes(t *testing.T) {
	d := newPulseDay(t)
	d.sale("00000001", reason.None, 0) // will be older than ten minutes
	d.at += pos.Instant(11 * time.Minute)
	d.sale("00000001", reason.None, 0)
	d.sale("00000001", reason.None, journal.FlagCanary)
	d.sale("00000001", reason.None, journal.FlagRepeat)
	d.sale("00000001", reason.MACFailed, 0)
	d.sale("00000001", reason.InsufficientFunds, 0)
	d.sale("00000001", reason.PINWrong, 0)
	flood, err := json.Marshal(journal.Flood{Suppressed: 7, Reasons: map[string]uint64{"mac_failed": 7}})
	if err != nil {
		t.Fatal(err)
	}
	d.put(journal.KindFlood, flood)
	d.p.fold(journal.Entry{Seq: d.seq, Kind: journal.KindFlood, At: d.at, Body: flood}) // folded before
	w := d.p.look(d.at, 4, 20)
	if w.approved != 1 || w.suppressed != 7 || w.refused[reason.MACFailed] != 1 || w.last != d.seq || len(w.points) != 4 {
		t.Fatalf("approved %d, suppressed %d, refused %v, %d points", w.approved, w.suppressed, w.refused[reason.MACFailed], len(w.points))
	}
	newest := w.points[3]
	if newest.Approved != 1 || newest.Refused["mac_failed"] != 1 || newest.Refused[issuerSeries] != 2 || newest.T*int64(time.Second) > int64(d.at) {
		t.Errorf("%+v: what two banks refused is one series", newest)
	}
	if len(w.latest) != 1 || w.latest[0].reason != reason.MACFailed {
		t.Errorf("latest refusals by security: %+v", w.latest)
	}
	d.at += pos.Instant(10*time.Minute + 2*time.Second)
	if w := d.p.look(d.at, pulseBeats, 20); w.approved != 0 || len(w.points) != pulseBeats {
		t.Errorf("ten minutes later: %d approved", w.approved)
	}
	d.at -= pos.Instant(time.Hour)
	d.sale("00000001", reason.None, 0) // late, and older than all that is kept
	d.at += pos.Instant(time.Hour)
	if w := d.p.look(d.at, pulseBeats, 20); w.approved != 0 {
		t.Errorf("an entry of an hour ago counts now")
	}
}

// TestPulseNotesACause: what is found behind a refusal is told on its line.
func TestPulseNotesACause(t *testing.T) {
	d := newPulseDay(t)
	verdict := d.sale("00000001", reason.MACFailed, 0)
	c := journal.CauseOf(verdict, pos.TerminalID([]byte("00000001")), reason.MACFailed, reason.MACStaleKey, journal.Proven)
	body, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	d.put(journal.KindCause, body)
	if w := d.p.look(d.at, 1, 1); w.latest[0].cause == nil || w.latest[0].cause.Cause != reason.MACStaleKey.String() {
		t.Errorf("%+v", w.latest[0])
	}
}

// TestAShopsDay: a shop's figures are of its registered terminals, of today, and of nobody else.
func TestAShopsDay(t *testing.T) {
	d := newPulseDay(t)
	d.sale("00000001", reason.None, 0)
	d.sale("00000001", reason.MACFailed, 0)
	d.sale("66666666", reason.MACFailed, 0) // not registered, and names this shop
	s, since := d.p.shopNow(pulseShop)
	if s.approved != 1 || s.taken != 1050 || s.refused != 1 || len(s.latest) != 1 || since != d.at {
		t.Errorf("today: %+v since %s", s, since.Time())
	}
	if s, _ := d.p.shopNow(otherShop); s.approved+s.refused != 0 {
		t.Errorf("another shop: %+v", s)
	}
	d.at += pos.Instant(20 * time.Minute) // over midnight
	d.sale("00000001", reason.None, 0)
	if s, since := d.p.shopNow(pulseShop); s.approved != 1 || s.refused != 0 || since != d.p.day[0] {
		t.Errorf("the next day: %+v since %s", s, since.Time())
	}
}

// TestPulseIsBounded: more shops than the bound are not counted, and nothing else is lost.
func TestPulseIsBounded(t *testing.T) {
	d := newPulseDay(t)
	d.sale("00000001", reason.None, 0)
	for len(d.p.shops) < pulseShops {
		var m pos.MerchantID
		copy(m[:], fmt.Sprintf("%015d", len(d.p.shops)))
		d.p.shops[m] = nil
	}
	if s := d.p.shop(otherShop, d.at); s != nil {
		t.Error("a shop beyond the bound is counted")
	}
	if s := d.p.shop(pulseShop, d.at); s == nil || s.approved != 1 {
		t.Error("a shop that was counted is lost")
	}
}

// TestKeptIsMadeSeldom: what is dear is made once for all who ask, and not anew before its time.
func TestKeptIsMadeSeldom(t *testing.T) {
	made := 0
	k := kept[int]{make: func() int { made++; return made }, least: time.Hour}
	for range 100 {
		if v := k.get(); v != 1 {
			t.Fatalf("%d", v)
		}
	}
	if made != 1 {
		t.Errorf("made %d times", made)
	}
}

// BenchmarkPulse is one approval.
func BenchmarkPulse(b *testing.B) {
	p := newPulse(time.UTC, func(pos.TerminalID) (pos.MerchantID, bool) { return pulseShop, true })
	x := journal.Exchange{At: pos.Instant(time.Hour), Terminal: pos.TerminalID([]byte("00000001")), Merchant: pulseShop, MTI: 0x0200, Type: pos.Sale, Amount: 1, DE39: pos.Approved}
	body := x.AppendBody(nil)
	b.ReportAllocs()
	for i := range b.N {
		p.fold(journal.Entry{Seq: uint64(i) + 1, Kind: journal.KindExchange, At: x.At, Body: body})
	}
}
