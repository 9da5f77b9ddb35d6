package terminal

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"touchstone/iso8583"
	"touchstone/pos"
)

// What precedes the elements in the bytes that a MAC is due over.
const (
	mtiBytes    = 2
	bitmapBytes = 8
	headerAt    = 5 // of the envelope: TPDU, then header
)

// coverageFaults are MACs over other bytes, and MACs in another form.
var coverageFaults = []FaultRow{
	coverage("header-in-mac", "the header is in the MAC", func(t *Terminal, mab []byte) ([]byte, error) { return join(t.cfg.Envelope[headerAt:], mab), nil }),
	coverage("tpdu-in-mac", "TPDU and header are in the MAC", func(t *Terminal, mab []byte) ([]byte, error) { return join(t.cfg.Envelope[:], mab), nil }),
	coverage("mti-out-of-mac", "the message type is not in the MAC", func(_ *Terminal, mab []byte) ([]byte, error) { return mab[mtiBytes:], nil }),
	coverage("bitmap-out-of-mac", "the bitmap is not in the MAC", func(_ *Terminal, mab []byte) ([]byte, error) {
		return join(mab[:mtiBytes], mab[mtiBytes+bitmapBytes:]), nil
	}),
	coverage("bit-64-clear", "bit 64 of the bitmap was clear when the MAC was made", bit64Clear, NeedX919),
	sought("bit-64-clear-folded", "the same in every message under a folding MAC, where one altered byte looks alike", "mac_wrong_coverage", "", unproven, indicated, asHabit(over(bit64Clear)), NeedFold),
	coverage("last-element-out-of-mac", "the last element, DE60, is not in the MAC", withoutElement(60)),
	coverage("serial-out-of-mac", "DE59 is not in the MAC: an older application added it after", withoutElement(59), NeedSerialKey),
	coverage("currency-out-of-mac", "DE49 is not in the MAC", withoutElement(49)),
	coverage("length-in-mac", "the frame's length and all after it are in the MAC", func(t *Terminal, mab []byte) ([]byte, error) {
		n := len(t.cfg.Envelope) + len(mab) + 8
		return join([]byte{byte(n >> 8), byte(n)}, t.cfg.Envelope[:], mab), nil
	}),
	hidden("mac-over-text", "the MAC is over the message in hexadecimal text", asSale(twist{seal: over(func(_ *Terminal, mab []byte) ([]byte, error) {
		return []byte(fmt.Sprintf("%X", mab)), nil
	})})),
	encoding("mac-binary", "DE64 is the first 8 bytes of the code, not characters", func(t *Terminal, mab []byte) (de64 [8]byte) {
		copy(de64[:], t.keys.mak.AppendSum(nil, mab))
		return de64
	}),
	sought("mac-lower-case", "DE64 is in lower case", "mac_wrong_encoding", "", proven, proven, untilLetters(func(letters *bool) twist {
		return twist{seal: formed(func(t *Terminal, mab []byte) (de64 [8]byte) {
			sum := t.keys.mak.Sum8(mab)
			*letters = copy(de64[:], strings.ToLower(string(sum[:]))) > 0 && de64 != sum
			return de64
		})}
	})),
	encoding("mac-four-bytes", "DE64 is 4 bytes of the code and 4 zeros", func(t *Terminal, mab []byte) (de64 [8]byte) {
		copy(de64[:4], t.keys.mak.AppendSum(nil, mab))
		return de64
	}),
	hidden("mac-ebcdic", "DE64 is in EBCDIC characters", asSale(twist{seal: formed(func(t *Terminal, mab []byte) (de64 [8]byte) {
		sum := t.keys.mak.Sum8(mab)
		for i, c := range sum {
			switch {
			case c >= '0' && c <= '9':
				de64[i] = 0xF0 + c - '0'
			default:
				de64[i] = 0xC1 + c - 'A'
			}
		}
		return de64
	})})),
	encoding("mac-last-half", "DE64 is the last 4 bytes of the code in place of the first", func(t *Terminal, mab []byte) (de64 [8]byte) {
		sum := t.keys.mak.AppendSum(nil, mab)
		copy(de64[:], fmt.Sprintf("%X", sum[len(sum)-4:]))
		return de64
	}),
}

// asHabit is a sale whose DE64, like that of every message after it, is made by seal: the terminal knows no better.
func asHabit(seal func(*Terminal, []byte) ([8]byte, error)) action {
	return func(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
		t.habit = seal
		return t.twisted(ctx, twist{}, card, amount)
	}
}

// sealOr is how DE64 is made, by habit where the message has no way of its own.
func (w *twist) sealOr(habit func(*Terminal, []byte) ([8]byte, error)) func(*Terminal, []byte) ([8]byte, error) {
	if w.seal != nil {
		return w.seal
	}
	return habit
}

func bit64Clear(_ *Terminal, mab []byte) ([]byte, error) {
	other := join(mab)
	other[mtiBytes+bitmapBytes-1] &^= 1
	return other, nil
}

func coverage(f Fault, what string, bytes func(*Terminal, []byte) ([]byte, error), needs ...Need) FaultRow {
	return sought(f, what, "mac_wrong_coverage", "", proven, proven, asSale(twist{seal: over(bytes)}), needs...)
}

func encoding(f Fault, what string, form func(*Terminal, []byte) [8]byte) FaultRow {
	return sought(f, what, "mac_wrong_encoding", "", proven, proven, asSale(twist{seal: formed(form)}))
}

// over makes DE64 over other bytes under the right key.
func over(bytes func(*Terminal, []byte) ([]byte, error)) func(*Terminal, []byte) ([8]byte, error) {
	return func(t *Terminal, mab []byte) ([8]byte, error) {
		other, err := bytes(t, mab)
		if err != nil {
			return [8]byte{}, err
		}
		return t.keys.mak.Sum8(other), nil
	}
}

func formed(form func(*Terminal, []byte) [8]byte) func(*Terminal, []byte) ([8]byte, error) {
	return func(t *Terminal, mab []byte) ([8]byte, error) { return form(t, mab), nil }
}

// untilLetters sells until the code that is written in lower case has a letter in it: some have none.
func untilLetters(lower func(letters *bool) twist) action {
	return func(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (res Result, err error) {
		for range 8 {
			letters := false
			if res, err = t.twisted(ctx, lower(&letters), card, amount); err != nil || letters {
				return res, err
			}
		}
		return res, nil
	}
}

func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// withoutElement leaves one element, its length included, out of the bytes; the bitmap still names it.
func withoutElement(n int) func(*Terminal, []byte) ([]byte, error) {
	return func(t *Terminal, mab []byte) ([]byte, error) {
		from, to, ok := t.element(mab, n)
		if !ok {
			return nil, fmt.Errorf("%w: element %d", ErrNeed, n)
		}
		return join(mab[:from], mab[to:]), nil
	}
}

// element is where an element, its length included, lies in mab, the bytes from the message type on.
func (t *Terminal) element(mab []byte, n int) (from, to int, ok bool) {
	var m iso8583.Message
	frame := join(t.cfg.Envelope[:], mab, make([]byte, 8))
	if iso8583.UnionPay.Parse(&m, frame) != nil || !m.Has(n) {
		return 0, 0, false
	}
	from = mtiBytes + bitmapBytes
	for e := 2; e < n; e++ {
		if m.Has(e) {
			from += int(iso8583.UnionPay.Elements[e].Length) + len(m.Raw(e))
		}
	}
	return from, from + int(iso8583.UnionPay.Elements[n].Length) + len(m.Raw(n)), true
}

// alteredFaults change a sale after its MAC was made.
var alteredFaults = []FaultRow{
	alteration(AlteredAmount, "DE4 is 1.00 more", asSale(twist{raise: faultRaise})),
	alteration("altered-trace", "another trace, DE11", asSale(twist{spoil: elementByte(11, 2, 0x01)})),
	alteration("altered-entry-mode", "another entry mode, DE22", asSale(twist{spoil: elementByte(22, 0, 0x04)})),
	alteration("altered-currency", "another currency, DE49", asSale(twist{spoil: elementByte(49, 2, 0x01)})),
	alteration("altered-track", "one digit of the track, DE35", asSale(twist{spoil: elementByte(35, 15, 0x10)})),
	alteration("altered-reading-ability", "another reading ability, DE60.4", asSale(twist{spoil: elementByte(60, 5, 0x01)})),
	alteration("line-noise", "one bit of DE59 fell over on the line", asSale(twist{spoil: elementByte(59, 20, 0x02)}), NeedFold),
	altered("line-noise-chained", "the same under a MAC that does not fold: too many bytes to try them all", unproven, unproven, asSale(twist{spoil: elementByte(59, 20, 0x02)}), NeedX919),
	altered("two-bytes-altered", "two bytes of DE4 are others", unproven, unproven, asSale(twist{spoil: twoBytes})),
	altered("element-swapped", "DE49 is another currency altogether", unproven, unproven, asSale(twist{spoil: otherCurrency})),
}

func altered(f Fault, what, cause, first string, do action, needs ...Need) FaultRow {
	return FaultRow{Needs: needs, Fault: f, Group: GroupAltered, What: what, DE39: "A0", Reason: "mac_failed", Cause: cause, First: first, Second: first, do: do}
}

func alteration(f Fault, what string, do action, needs ...Need) FaultRow {
	row := altered(f, what, "message_altered", indicated, do, needs...)
	row.Second = proven
	return row
}

// elementByte changes one byte of an element's value by exclusive or: at is counted from the value's first byte.
func elementByte(n, at int, bits byte) func([]byte) []byte {
	return func(frame []byte) []byte {
		if from, to, ok := elementOf(frame, n); ok && from+at < to {
			frame[from+at] ^= bits
		}
		return frame
	}
}

// elementOf is where an element's value lies in a whole frame, LEN included.
func elementOf(frame []byte, n int) (from, to int, ok bool) {
	var m iso8583.Message
	if iso8583.UnionPay.Parse(&m, frame[iso8583.LengthSize:]) != nil || !m.Has(n) {
		return 0, 0, false
	}
	from = iso8583.LengthSize + iso8583.EnvelopeSize + mtiBytes + bitmapBytes
	for e := 2; e < n; e++ {
		if m.Has(e) {
			from += int(iso8583.UnionPay.Elements[e].Length) + len(m.Raw(e))
		}
	}
	from += int(iso8583.UnionPay.Elements[n].Length)
	return from, from + len(m.Raw(n)), true
}

// twoBytes changes two bytes of DE4 in different columns of a block, whatever its size: both are zeros in any usual price.
func twoBytes(frame []byte) []byte {
	if from, _, ok := elementOf(frame, 4); ok {
		frame[from+1] ^= 0x05
		frame[from+2] ^= 0x02
	}
	return frame
}

func otherCurrency(frame []byte) []byte {
	if from, to, ok := elementOf(frame, 49); ok {
		copy(frame[from:to], "840")
	}
	return frame
}

// messageFaults are no message of the dialect, or one that nobody serves.
var messageFaults = []FaultRow{
	inMessage(CutFrame, "half a frame, then the end of the stream", "", "frame_malformed", func(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
		return t.cutFrame(ctx, card, amount)
	}),
	inMessage(Garbage, "a length and random bytes", "", "frame_malformed", func(t *Terminal, ctx context.Context, _ Card, _ pos.Amount) (Result, error) {
		return t.garbage(ctx)
	}),
	inMessage("wrong-tpdu", "a TPDU that does not begin with 60", "", "frame_malformed", asSale(twist{spoil: func(frame []byte) []byte {
		frame[iso8583.LengthSize] = 0x70
		return frame
	}})),
	inMessage("bytes-left-over", "bytes after the last element", "30", "message_malformed", asBroken(leftOver)),
	inMessage("not-a-digit", "a nibble of DE4 is no digit", "30", "message_malformed", asBroken(elementByteTo(4, 5, 0x0E))),
	inMessage("no-amount", "a sale without DE4", "30", "message_malformed", asSale(twist{noAmount: true})),
	inMessage("processing-unknown", "processing code 990000", "40", "function_unsupported", asProbe(ProbeProcessing)),
	inMessage("network-code-unknown", "0820 with 60.3 = 999", "40", "function_unsupported", func(t *Terminal, ctx context.Context, _ Card, _ pos.Amount) (Result, error) {
		return t.managed(ctx, &request{operation: "status", mti: manageMTI, network: 999, batch: t.st.Batch})
	}),
}

// asBroken is a sale that is no message any more, after which any frame that comes back is the answer.
func asBroken(spoil func([]byte) []byte) action {
	return func(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
		if blocked, ok, err := t.prepare(ctx, "sale"); err != nil || !ok {
			return blocked, err
		}
		r := t.sale(card, amount)
		frame, err := t.ready(r, "")
		if err != nil {
			return Result{}, err
		}
		frame = spoil(frame)
		defer clear(frame)
		return t.broken(ctx, r, frame)
	}
}

func inMessage(f Fault, what, de39, reason string, do action) FaultRow {
	return FaultRow{Fault: f, Group: GroupMessage, What: what, DE39: de39, Reason: reason, do: do}
}

// leftOver appends two bytes and says so in LEN. The frame's buffer has room for the longest there may be.
func leftOver(frame []byte) []byte {
	longer := join(frame, []byte{0, 0})
	binary.BigEndian.PutUint16(longer, uint16(len(longer)-iso8583.LengthSize))
	return longer
}

func elementByteTo(n, at int, to byte) func([]byte) []byte {
	return func(frame []byte) []byte {
		if from, end, ok := elementOf(frame, n); ok && from+at < end {
			frame[from+at] = to
		}
		return frame
	}
}
