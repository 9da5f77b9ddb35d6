package clone_test

import (
	"testing"

	"touchstone/diagnosis/clone"
	"touchstone/journal"
	"touchstone/pos"
)

// FuzzFold: whatever a journal holds, folding it neither panics nor says more than once that a terminal is a suspect.
func FuzzFold(f *testing.F) {
	x := journal.Exchange{Terminal: theTerminal, MTI: 0x0200, STAN: 1, Flags: journal.FlagMACVerified, KeySet: 1, Source: shopAddress}
	f.Add(uint8(journal.KindExchange), x.AppendBody(nil), []byte{})
	f.Add(uint8(journal.KindCause), []byte(`{"verdict":1,"terminal":"00000023","cause":"mac_stale_key","variant":"used_newer","certainty":"proven","facts":{"key_set":"3"}}`), []byte{})
	f.Add(uint8(journal.KindEvent), []byte(`{"name":"clone_cleared","terminal":"00000023"}`), x.AppendBody(nil))
	f.Add(uint8(journal.KindTerminal), []byte(`{"id":"00000023"}`), []byte{1})
	f.Fuzz(func(t *testing.T, kind uint8, body, second []byte) {
		d := clone.New(clone.Options{Weights: builtin, Step: func(s clone.Step) {
			if s.Lane < -1 || s.Lane > 1 {
				t.Fatalf("lane %d", s.Lane)
			}
		}})
		told := map[pos.TerminalID]int{}
		for seq := range uint64(6) {
			e := journal.Entry{Seq: seq + 1, Kind: journal.Kind(kind), At: pos.Instant(seq), Body: body}
			if seq%2 == 1 {
				e.Kind, e.Body = journal.KindExchange, second
			}
			if s, ok := d.Fold(e); ok {
				if told[s.Terminal]++; told[s.Terminal] > 2 || s.Weight < 50 {
					t.Fatalf("told %d times, weight %d", told[s.Terminal], s.Weight)
				}
			}
		}
	})
}
