package sqlite

import (
	"testing"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/redress"
)

// FuzzUnpackSales: whatever is in a row, reading it ends, and what packSale wrote comes first.
func FuzzUnpackSales(f *testing.F) {
	x := &journal.Exchange{Amount: 1850}
	copy(x.Merchant[:], "898320554110001")
	copy(x.App[:], "1.0.2")
	copy(x.Shown[:], "6225883157")
	first := packSale(nil, &chunk{first: 7}, 7, 1_790_000_000_000, x)
	f.Add(packSale(append([]byte(nil), first...), &chunk{first: 7, last: 7, lastMS: 1_790_000_000_000, merchant: x.Merchant, app: x.App}, 9, 1_790_000_000_001, x))
	f.Add([]byte{0x03})
	f.Fuzz(func(t *testing.T, rest []byte) {
		n := 0
		var e redress.Exposed
		_ = unpackSales(append(append([]byte(nil), first...), rest...), &e, 1<<62, func(e *redress.Exposed) error {
			if n++; n == 1 && (e.Seq != 7 || e.At != pos.Instant(1_790_000_000_000)*1_000_000 || e.Amount != 1850 || e.Merchant != x.Merchant || e.Shown != x.Shown || e.App != x.App) {
				t.Fatalf("the first sale is %+v", e)
			}
			return nil
		})
		if n == 0 || n > 1+len(rest)/24 {
			t.Fatalf("%d sales in %d bytes", n, len(first)+len(rest))
		}
	})
}
