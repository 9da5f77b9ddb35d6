package journal_test

import (
	"errors"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/pos"
)

// TestOrdinaryLeavesAFifthOfTheQueue: ordinary exchanges are refused at 80 % of either bound; reversals
// under a right MAC, settlements, tamper reports and records go on to the whole.
func TestOrdinaryLeavesAFifthOfTheQueue(t *testing.T) {
	sale := &journal.Exchange{MTI: 0x0200, Effect: journal.Sold, Flags: journal.FlagMACVerified}
	for name, c := range map[string]struct {
		entry    journal.Encoder
		reserved bool
	}{
		"a sale":                           {sale, false},
		"a reversal under a right MAC":     {&journal.Exchange{MTI: 0x0400, Effect: journal.ReversedSale, Flags: journal.FlagMACVerified}, true},
		"a reversal under a wrong MAC":     {&journal.Exchange{MTI: 0x0400}, false},
		"a reversal of nothing known":      {&journal.Exchange{MTI: 0x0400, Effect: journal.Buried, Flags: journal.FlagMACVerified}, true},
		"a settlement":                     {&journal.Exchange{MTI: 0x0500, Effect: journal.Settled}, true},
		"a settlement that was refused":    {&journal.Exchange{MTI: 0x0500}, false},
		"a tamper report that was proven":  {&journal.Exchange{MTI: 0x0820, Effect: journal.Tampered}, true},
		"a tamper report that was refused": {&journal.Exchange{MTI: 0x0820}, false},
		"a sign-in":                        {&journal.Exchange{MTI: 0x0800, Effect: journal.KeysIssued}, false},
		"a record of the register":         {note("x"), true},
	} {
		q := journal.NewCommitter(&shelf{}, 0, journal.Hash{})
		fill := func(e journal.Encoder) (n int) {
			for {
				if _, err := q.Enqueue(e, journal.Outcome, nil); err != nil {
					if !errors.Is(err, journal.ErrQueueFull) {
						t.Fatal(err)
					}
					return n
				}
				n++
			}
		}
		if n := fill(sale); n != journal.MaxQueueEntries*80/100 {
			t.Fatalf("%d sales were taken", n)
		}
		want := 0
		if c.reserved {
			want = journal.MaxQueueEntries - journal.MaxQueueEntries*80/100
		}
		if n := fill(c.entry); n != want {
			t.Errorf("%s: %d were taken after the sales, want %d", name, n, want)
		}
		if entries, bytes := q.Queued(); entries != int(q.Next())-1 || bytes < entries*20 {
			t.Errorf("%s: %d entries of %d bytes are queued", name, entries, bytes)
		}
	}
}

// TestFloodSummary: a summary must count something, add up, and end after it began.
func TestFloodSummary(t *testing.T) {
	at := pos.Instant(1_772_424_000_000_000_000).Time()
	for name, c := range map[string]struct {
		f  journal.Flood
		ok bool
	}{
		"right":             {journal.Flood{Source: "10.1.0.1", Suppressed: 3, Reasons: map[string]uint64{"mac_failed": 1, "frame_malformed": 2}, First: at, Last: at}, true},
		"nothing":           {journal.Flood{First: at, Last: at}, false},
		"parts are less":    {journal.Flood{Suppressed: 3, Reasons: map[string]uint64{"mac_failed": 2}, First: at, Last: at}, false},
		"ends before start": {journal.Flood{Suppressed: 1, Reasons: map[string]uint64{"mac_failed": 1}, First: at, Last: at.Add(-time.Second)}, false},
	} {
		if err := c.f.Check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if journal.KindFlood != 10 || journal.KindFlood.String() != "flood" {
		t.Error("the kind's number or name changed")
	}
}
