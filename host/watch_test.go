package host

import (
	"bytes"
	"testing"

	"touchstone/iso8583"
	"touchstone/pos"
)

// TestWipeForgetsEveryByte: whatever was read and answered, and however much of it, nothing stays.
func TestWipeForgetsEveryByte(t *testing.T) {
	l := &Line{Dialect: &iso8583.UnionPay}
	for _, c := range []struct{ size, packed int }{{0, 0}, {1, 1}, {300, 0}, {0, 300}, {iso8583.MaxFrame, iso8583.MaxFrame + iso8583.LengthSize}, {1 << 20, -1}} {
		x := l.NewExchange(func(*Exchange) {})
		x.size, x.packed = c.size, c.packed
		for i := range used(x.frame[:], c.size) {
			x.frame[i] = 0x62
		}
		for i := range used(x.answer[:], c.packed) {
			x.answer[i] = 0x62
		}
		if err := x.pan.Set([]byte("6200000000000005")); err != nil {
			t.Fatal(err)
		}
		x.Wipe()
		if bytes.IndexByte(x.frame[:], 0x62) >= 0 || bytes.IndexByte(x.answer[:], 0x62) >= 0 {
			t.Errorf("frame of %d and answer of %d bytes are not forgotten", c.size, c.packed)
		}
		if x.pan.Len() != 0 || x.msg.MTI() != pos.MTI(0) {
			t.Error("the card number or the message is not forgotten")
		}
	}
}

// BenchmarkObserveWipe is what forgetting a message costs.
func BenchmarkObserveWipe(b *testing.B) {
	l := &Line{Dialect: &iso8583.UnionPay}
	x := l.NewExchange(func(*Exchange) {})
	for b.Loop() {
		x.size, x.packed = 250, 250
		x.Wipe()
	}
}
