package iso8583_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"touchstone/iso8583"
)

// value draws an element's value: the text CopyDigits or Raw must give back, and its bytes on the wire.
func value(r *rapid.T, e iso8583.Element) (text, wire string) {
	count := e.Max
	if e.Length != iso8583.Fixed {
		count = rapid.IntRange(1, min(e.Max, 60)).Draw(r, "length")
	}
	alphabet := map[iso8583.Format]string{iso8583.N: "0123456789", iso8583.Z: "0123456789D"}[e.Format]
	if alphabet != "" {
		text = string(rapid.SliceOfN(rapid.SampledFrom([]byte(alphabet)), count, count).Draw(r, "digits"))
		wire = text
		if count%2 == 1 && e.Align == iso8583.Right {
			wire = "0" + text
		} else if count%2 == 1 {
			pads := []string{"0"}
			if e.Pad == iso8583.PadZeroOrMax {
				pads = []string{"0", "F"}
			}
			wire += rapid.SampledFrom(pads).Draw(r, "pad")
		}
	} else {
		low, high := byte(0), byte(255)
		if e.Charset != iso8583.AnyByte {
			low, high = ' ', '~'
		}
		b := rapid.SliceOfN(rapid.ByteRange(low, high), count, count).Draw(r, "bytes")
		text, wire = string(b), hex.EncodeToString(b)
	}
	if e.Length != iso8583.Fixed {
		wire = fmt.Sprintf("%0*d", 2*int(e.Length), count) + wire
	}
	return text, wire
}

// TestAnyMessage: whatever the table allows is read as it was written, and packs back to the same bytes.
func TestAnyMessage(t *testing.T) {
	var rows []int
	for n := range iso8583.MaxElement + 1 {
		if _, ok := iso8583.UnionPay.Element(n); ok {
			rows = append(rows, n)
		}
	}
	b, out := iso8583.NewBuilder(&iso8583.UnionPay), make([]byte, iso8583.LengthSize+iso8583.MaxFrame)
	var m iso8583.Message
	rapid.Check(t, func(r *rapid.T) {
		chosen := rapid.SliceOfDistinct(rapid.SampledFrom(rows), rapid.ID[int]).Draw(r, "elements")
		slices.Sort(chosen)
		texts := map[int]string{}
		var puts []put
		for _, n := range chosen {
			e, _ := iso8583.UnionPay.Element(n)
			text, wire := value(r, e)
			texts[n], puts = text, append(puts, put{n, wire})
		}
		frame := handmade(t, "0200", puts...)
		if err := iso8583.UnionPay.Parse(&m, frame); err != nil {
			r.Fatal(err)
		}
		digits := make([]byte, 400)
		for _, n := range rows {
			want, has := texts[n]
			got := m.Raw(n)
			if count := m.CopyDigits(n, digits); count > 0 {
				got = digits[:count]
			}
			if m.Has(n) != has || string(got) != want || m.Len(n) != len(want) {
				r.Fatalf("element %d is read otherwise", n)
			}
		}
		if back, err := b.Repack(m, out); err != nil || !bytes.Equal(back[iso8583.LengthSize:], frame) {
			r.Fatalf("packs back to other bytes: %v", err)
		}
	})
}
