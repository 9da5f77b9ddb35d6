package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"touchstone/iso8583"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// Where things lie in a sale of honest, LEN included, besides mtiAt and traceAt.
const (
	tpduAt    = iso8583.LengthSize
	bitmapAt  = mtiAt + 2
	de3At     = bitmapAt + 8
	de4At     = de3At + 3
	mostFrame = iso8583.MaxFrame
)

// badInput is bytes a stranger sends on a connection of its own, and what they get.
type badInput struct {
	name   string
	bytes  []byte
	fin    bool          // the stranger ends its half of the connection behind them
	answer string        // DE39, or closed
	reason reason.Reason // in the journal; None: nothing is journaled
	closed bool          // and the connection ends
}

// edit is a copy of a sale, LEN included, with bytes replaced.
func edit(frame []byte, at int, b ...byte) []byte {
	out := bytes.Clone(frame)
	copy(out[at:], b)
	return out
}

// resized is a copy with bytes added behind or taken off, and LEN made right.
func resized(frame []byte, more int) []byte {
	out := bytes.Clone(frame)
	if more < 0 {
		out = out[:len(out)+more]
	} else {
		out = append(out, make([]byte, more)...)
	}
	binary.BigEndian.PutUint16(out, uint16(len(out)-iso8583.LengthSize))
	return out
}

// withBit is a copy whose bitmap has one more bit, or one less.
func withBit(frame []byte, n int) []byte {
	out := bytes.Clone(frame)
	out[bitmapAt+(n-1)/8] ^= 0x80 >> ((n - 1) % 8)
	return out
}

// badInputs are made of a sale that would be approved.
func badInputs(sale []byte) []badInput {
	gone := func(name string, b []byte) badInput {
		return badInput{name: name, bytes: b, answer: "closed", reason: reason.FrameMalformed, closed: true}
	}
	told := func(name, de39 string, r reason.Reason, b []byte) badInput {
		return badInput{name: name, bytes: b, answer: de39, reason: r}
	}
	track := bytes.Index(sale, []byte{0x34, 0x62, 0x99}) // LLVAR of DE35: 34 digits, and the card number
	private := bytes.Index(sale, []byte("A2"))
	return []badInput{
		gone("length 0", []byte{0, 0, 0x60}),
		gone("length one too small", append([]byte{0, iso8583.MinFrame - 1}, sale[2:2+iso8583.MinFrame-1]...)),
		gone("length one too large", binary.BigEndian.AppendUint16(nil, mostFrame+1)),
		gone("length 65535", []byte{0xff, 0xff}),
		gone("HTTP", []byte("GET / HTTP/1.1\r\nHost: bank\r\n\r\n")),
		gone("HTTP/2", []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
		gone("a TLS ClientHello", must(hex.DecodeString("16030100c8010000c403037a"))),
		gone("SSH", []byte("SSH-2.0-OpenSSH_9.2\r\n")),
		gone("a proxy's first line", []byte("PROXY TCP4 10.1.0.1 10.1.0.2 4711 8583\r\n")),
		gone("TPDU that does not begin with 60", edit(sale, tpduAt, 0x61)),
		gone("TPDU that is not BCD", edit(sale, tpduAt+1, 0xab)),
		gone("header that is not BCD", edit(sale, tpduAt+5, 0xff)),
		{name: "half a length and the end", bytes: []byte{0}, fin: true, answer: "closed", reason: reason.FrameMalformed, closed: true},
		{name: "half a frame and the end", bytes: sale[:len(sale)/2], fin: true, answer: "closed", reason: reason.FrameMalformed, closed: true},
		{name: "nothing and the end", fin: true, answer: "closed", closed: true},
		gone("an answer in place of a request", edit(sale, mtiAt, 0x02, 0x10)),
		{name: "MTI that is not BCD", bytes: edit(sale, mtiAt, 0xff, 0xff), answer: "closed", reason: reason.MessageMalformed, closed: true},
		told("a second bitmap", "30", reason.MessageMalformed, withBit(sale, 1)),
		told("an element the dialect does not have", "30", reason.MessageMalformed, withBit(sale, 5)),
		told("an element announced and absent", "30", reason.MessageMalformed, withBit(sale, 38)),
		told("an element present and not announced", "30", reason.MessageMalformed, withBit(sale, 25)),
		told("BCD with a letter", "30", reason.MessageMalformed, edit(sale, de4At, 0x0a)),
		told("a field too long for its element", "30", reason.MessageMalformed, edit(sale, track, 0x99)),
		told("a field longer than the frame", "30", reason.MessageMalformed, edit(sale, private-2, 0x09, 0x99)),
		told("a length that is not BCD", "30", reason.MessageMalformed, edit(sale, private-2, 0xff)),
		told("one byte left over", "30", reason.MessageMalformed, resized(sale, 1)),
		told("as many bytes left over as fit", "30", reason.MessageMalformed, resized(sale, mostFrame+iso8583.LengthSize-len(sale))),
		told("one byte short", "30", reason.MessageMalformed, resized(sale, -1)),
		told("only the MTI and an empty bitmap", "40", reason.FunctionUnsupported, resized(edit(sale, bitmapAt, make([]byte, 8)...), bitmapAt+8-len(sale))),
		told("a function nobody serves", "40", reason.FunctionUnsupported, edit(sale, de3At, 0x99)),
		told("another amount", "A0", reason.MACFailed, edit(sale, de4At+4, 0x99)),
		told("another MAC", "A0", reason.MACFailed, edit(sale, len(sale)-1, sale[len(sale)-1]^1)),
		told("without its MAC", "A0", reason.MACMissing, resized(withBit(sale, 64), -macSize)),
		told("a terminal nobody registered", "97", reason.TerminalUnknown, bytes.Replace(sale, []byte("90000001"), []byte("77777777"), 1)),
		told("a shop nobody registered", "03", reason.MerchantUnknown, bytes.Replace(sale, []byte("898310058129000"), []byte("898310058129999"), 1)),
	}
}

// TestBadInput: each gets what the table says, is journaled with its reason and its source, is never
// approved, and the connection then is as the table says: ended, or as good as before.
func TestBadInput(t *testing.T) {
	h := abuse(t)
	own := visitor()
	c := h.honestly(t, own)
	if _, err := c.sale(); err != nil {
		t.Fatal(err)
	}
	inputs := badInputs(own.next(true))
	for i, in := range inputs {
		t.Run(in.name, func(t *testing.T) {
			nc := h.from(t, i+1)
			if _, err := nc.Write(in.bytes); err != nil {
				t.Fatal(err)
			}
			if in.fin {
				if err := nc.CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			if got := hear(nc, patience); got != in.answer {
				t.Fatalf("answered %q, want %q", got, in.answer)
			}
			if !in.closed { // the connection is as good as before: a whole frame is heard
				if _, err := nc.Write(bytes.Replace(in.bytes, in.bytes, inputs[len(inputs)-2].bytes, 1)); err != nil {
					t.Fatal(err)
				}
				if got := hear(nc, patience); got != "97" {
					t.Errorf("a further message was answered %q", got)
				}
			}
			if in.reason == reason.None {
				return
			}
			all := h.exchanges(t, abuseAddress(i+1), 1)
			if len(all) == 0 || all[0].Reason != in.reason || all[0].Effect != journal.NoEffect || all[0].DE39 == pos.Approved {
				t.Errorf("journaled %d entries, %+v, want %s", len(all), all, in.reason)
			}
		})
	}
	if _, err := c.sale(); err != nil {
		t.Errorf("an honest sale afterwards: %v", err)
	}
	sold := 0
	h.verified(t, journal.KindExchange, func(e journal.Entry) {
		var x journal.Exchange
		if err := x.Parse(e); err == nil && x.Effect == journal.Sold {
			sold++
		}
	})
	if sold != 2 {
		t.Errorf("%d sales were approved, the honest ones are 2", sold)
	}
}

// TestOneByteASecond: a peer that sends a frame byte by byte is cut off when the time for a frame is over,
// however many bytes it sends; one that is quick enough is heard, in as many pieces as it likes.
func TestOneByteASecond(t *testing.T) {
	t.Parallel()
	const frameTime = time.Second
	h := abuse(t, "--frame-time", frameTime.String())
	own := visitor()
	c := h.honestly(t, own)
	sale := own.next(true)
	slow := h.from(t, 1)
	begin, sent := time.Now(), 0
	pace := time.NewTicker(frameTime / 5)
	defer pace.Stop()
	for sent < len(sale) {
		if _, err := slow.Write(sale[sent : sent+1]); err != nil {
			break
		}
		sent++
		if got := hear(slow, time.Millisecond); got == "closed" {
			break
		}
		<-pace.C
	}
	if took := time.Since(begin); sent >= 20 || took < frameTime*9/10 {
		t.Errorf("cut off after %d bytes and %s, want about 6 and %s", sent, took, frameTime)
	}
	all := h.exchanges(t, abuseAddress(1), 1)
	if len(all) != 1 || all[0].Reason != reason.FrameMalformed {
		t.Errorf("journaled %+v", all)
	}
	patient := abuse(t, "--frame-time", patience.String()) // how quick a machine is enough for a second is not what is asked
	own = visitor()
	c = patient.honestly(t, own)
	sale = own.next(true)
	for _, b := range sale { // each byte in a segment of its own, and in time
		if _, err := c.net.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	frame, err := iso8583.ReadFrame(c.r, nil)
	if err != nil {
		t.Fatalf("a frame in %d pieces: %v", len(sale), err)
	}
	if err := own.judge(frame); err != nil {
		t.Errorf("a frame in %d pieces: %v", len(sale), err)
	}
}

// TestRefusalsOfAFloodAreOnlyCounted: an attacker's refusals beyond the burst cost no entry each, are
// answered alike, and are told in one entry that adds up.
func TestRefusalsOfAFloodAreOnlyCounted(t *testing.T) {
	t.Parallel()
	const burst, n = 20, 500
	h := abuse(t, "--refusal-burst", "20", "--refusal-every", "1h")
	own := visitor()
	c := h.honestly(t, own)
	forged := edit(own.next(true), len(own.frame)-1, own.frame[len(own.frame)-1]^1)
	attacker := h.from(t, 1)
	var sizes []int
	for range n {
		if _, err := attacker.Write(forged); err != nil {
			t.Fatal(err)
		}
		_ = attacker.SetReadDeadline(time.Now().Add(patience))
		frame, err := iso8583.ReadFrame(attacker, nil)
		if err != nil {
			t.Fatal(err)
		}
		var m iso8583.Message
		if err := iso8583.UnionPay.Parse(&m, frame); err != nil || string(m.Raw(39)) != "A0" {
			t.Fatalf("answered %s: %v", m.Raw(39), err)
		}
		sizes = append(sizes, len(frame))
	}
	if slices.Min(sizes) != slices.Max(sizes) {
		t.Error("answers of the flood differ in size")
	}
	if _, err := c.sale(); err != nil {
		t.Errorf("an honest sale of the same terminal: %v", err)
	}
	if all := h.exchanges(t, abuseAddress(1), burst); len(all) != burst {
		t.Errorf("%d refusals were journaled one by one, want %d", len(all), burst)
	}
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	var told uint64
	h.verified(t, journal.KindFlood, func(e journal.Entry) {
		record, err := named(e.Body)
		if err != nil {
			t.Fatal(err)
		}
		if record["source"] != "127.1.0.1" && record["terminal"] != "90000001" {
			t.Errorf("told of %v", record)
		}
		told += uint64(record["suppressed"].(float64))
	})
	if told != n-burst {
		t.Errorf("summaries tell of %d, %d were suppressed", told, n-burst)
	}
	// The whole journal, summaries included, is folded again when the checkpoint is gone.
	checkpoint, err := filepath.Glob(filepath.Join(h.data, "state.db*"))
	if err != nil || len(checkpoint) == 0 {
		t.Fatalf("no checkpoint: %v", err)
	}
	for _, name := range checkpoint {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	e, err := openEngine(engineOptions{dir: h.data, lock: testLock(h.data), zone: time.UTC, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("the journal cannot be folded again: %v", err)
	}
	if err := e.close(); err != nil {
		t.Error(err)
	}
}

// silent sends bytes and tells that the peer closed without a word.
func silent(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(patience))
	rest, err := io.ReadAll(c)
	return len(rest) == 0 && err == nil
}
