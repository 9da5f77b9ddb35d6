package capture

import (
	"encoding/binary"

	"touchstone/iso8583"
	"touchstone/pos"
)

// sight is what the first bytes of a buffer may be.
type sight uint8

const (
	noFrame sight = iota
	tooShort
	isFrame
)

// look tells whether a frame may begin at b, and its length with LEN. With enough bytes its length, TPDU and header
// are right and, where strict, its message type and bitmap can be ones.
func look(b []byte, strict bool) (size int, s sight) {
	if len(b) < iso8583.LengthSize {
		return 0, tooShort
	}
	size = int(binary.BigEndian.Uint16(b))
	if size < iso8583.MinFrame || size > iso8583.MaxFrame {
		return 0, noFrame
	}
	rest := b[iso8583.LengthSize:]
	head := rest[:min(len(rest), iso8583.EnvelopeSize)]
	if strict {
		head = rest[:min(len(rest), iso8583.EnvelopeSize+2)] // the message type is BCD too
	}
	for i, c := range head {
		if c>>4 > 9 || c&15 > 9 || i == 0 && c != 0x60 {
			return 0, noFrame
		}
	}
	if size += iso8583.LengthSize; len(b) < size {
		return size, tooShort
	}
	return size, isFrame
}

// feed takes bytes that are in order.
func (t *Tracker) feed(c *conn, dir int, data []byte) {
	h := &c.half[dir]
	if h.foreign || c.tls {
		return
	}
	if !h.framed && h.barren == 0 && len(h.buf) == 0 && isTLS(data) {
		t.foundTLS(c)
		return
	}
	if len(h.buf) > 0 {
		h.buf = append(h.buf, data...)
		t.held += len(data)
		data = h.buf
	}
	used := t.consume(c, dir, data)
	rest := data[used:]
	if h.foreign {
		rest = nil
	}
	t.keep(h, rest)
}

// keep makes rest, which may lie in the buffer itself, the buffer's content, and wipes what was behind it.
func (t *Tracker) keep(h *half, rest []byte) {
	before := len(h.buf)
	h.buf = append(h.buf[:0], rest...)
	if before > len(rest) {
		clear(h.buf[len(rest):before])
	}
	t.held += len(h.buf) - before
	if len(h.buf) == 0 && cap(h.buf) > 2*iso8583.MaxFrame {
		h.buf = nil
	}
}

// consume takes the frames from the front of b and returns how many bytes are done with.
func (t *Tracker) consume(c *conn, dir int, b []byte) (used int) {
	h := &c.half[dir]
	for used < len(b) {
		if !h.aligned {
			n, found := t.search(h, b[used:])
			used += n
			if !found {
				return used
			}
		}
		size, s := look(b[used:], false)
		switch s {
		case tooShort:
			return used
		case isFrame:
			t.frame(c, dir, b[used+iso8583.LengthSize:used+size])
			used += size
			h.barren = 0
		case noFrame:
			if h.aligned = false; c.paid && h.framed && !h.garbled && !c.gap {
				h.garbled = true
				t.broken(c, dir, NoFrame)
			}
		}
	}
	return used
}

// search looks for the next frame and returns how many bytes are before it. What it finds is whole and parses to its
// last byte: chance makes one in no stream of any length that matters.
func (t *Tracker) search(h *half, b []byte) (skip int, found bool) {
	for skip < len(b) {
		size, s := look(b[skip:], true)
		if s == tooShort {
			break
		}
		if s == isFrame && iso8583.UnionPay.Parse(&t.message, b[skip+iso8583.LengthSize:skip+size]) == nil {
			t.stats.Resyncs++
			t.passed(h, skip)
			h.aligned = true
			return skip, true
		}
		skip++
	}
	t.passed(h, skip)
	return skip, false
}

// passed counts bytes without a frame, and ends the search of a direction that has had only such.
func (t *Tracker) passed(h *half, n int) {
	t.stats.Skipped += uint64(n)
	if h.barren += n; h.barren >= foreignFrom && !h.framed {
		h.foreign = true
	}
}

// isTLS tells whether a direction begins with a TLS record: a handshake, or data where the capture began later.
// RFC 8446, section 5.1: type, version 0x03, length up to 2^14+256.
func isTLS(b []byte) bool {
	return len(b) >= 5 && (b[0] == 22 || b[0] == 23) && b[1] == 3 && b[2] <= 4 && binary.BigEndian.Uint16(b[3:]) <= 1<<14+256
}

func (t *Tracker) foundTLS(c *conn) {
	c.tls = true
	t.stats.TLS++
	for dir := range c.half {
		t.spill(&c.half[dir])
	}
}

// frame takes one whole frame: TPDU, header and message.
func (t *Tracker) frame(c *conn, dir int, frame []byte) {
	h := &c.half[dir]
	h.framed = true
	if !c.paid {
		c.paid = true
		t.stats.Payment++
	}
	m := &t.message
	kind := Message
	err := iso8583.UnionPay.Parse(m, frame)
	if err != nil {
		kind = Malformed
		t.stats.Malformed++
		_ = iso8583.UnionPay.Salvage(m, frame) // the fault is known: it is err
	}
	side := Side{Packet: t.packet.number, At: t.packet.at, Size: len(frame), Frame: frame}
	side.read(m)
	m.Reset()
	if err != nil {
		side.Fault = err.Error()
	}
	t.stats.Messages++
	request := side.MTI>>4&1 == 0
	if kind == Malformed && side.MTI == 0 {
		request = c.client < 0 && dir == max(c.opener, 0) || c.client == dir
	}
	if !request {
		t.stats.Answers++
		c.client = 1 - dir
		_, server := c.ends()
		t.servers[server] = true
		t.pairing.answer(c, &side)
		return
	}
	t.stats.Requests++
	c.client = dir
	t.pairing.request(c, kind, &side)
}

// read copies from a message what is told of it.
func (s *Side) read(m *iso8583.Message) {
	s.MTI = m.MTI()
	if v, ok := m.Number(11); ok {
		s.STAN, s.HasSTAN = pos.STAN(v), true
	}
	if v, ok := m.Number(4); ok {
		s.Amount = pos.Amount(v)
	}
	if id, err := pos.ParseTerminalID(m.Raw(41)); err == nil {
		s.Terminal = id
	}
	if id, err := pos.ParseMerchantID(m.Raw(42)); err == nil {
		s.Merchant = id
	}
	if de60, err := m.DE60(); err == nil {
		s.Type, s.Batch, s.Network = de60.Code, de60.Batch, de60.Network
	}
	copy(s.RRN[:], m.Raw(37))
	copy(s.AuthCode[:], m.Raw(38))
	copy(s.Code[:], m.Raw(39))
	s.MACed = m.Has(64)
}

// broken tells of bytes of a request that are no message, on a connection that had messages.
func (t *Tracker) broken(c *conn, dir int, kind Kind) {
	if c.client >= 0 && c.client != dir {
		return
	}
	t.count(kind)
	side := Side{Packet: t.packet.number, At: t.packet.at}
	t.pairing.request(c, kind, &side)
}

func (t *Tracker) count(kind Kind) {
	switch kind {
	case Cut:
		t.stats.CutFrames++
	case NoFrame:
		t.stats.NoFrames++
	}
}

// stray is a connection that had bytes and no frame.
type stray struct {
	stream         uint64
	client, server Endpoint
	kind           Kind
	packet         uint64
	at             pos.Instant
}

// rest looks at what a connection that ends has left: half a frame, or bytes that never were one.
func (t *Tracker) rest(c *conn, clean bool) {
	if c.tls || c.gap || c.opener < 0 {
		return
	}
	dir := c.opener
	if c.client >= 0 {
		dir = c.client
	}
	h := &c.half[dir]
	left, kind := len(h.buf), NoFrame
	if h.aligned && left > 0 {
		kind = Cut
	}
	switch {
	case c.paid && h.framed:
		if kind == Cut && clean {
			t.broken(c, dir, kind)
		}
	case !c.paid && (left > 0 || h.barren > 0) && len(t.strays) < maxStray:
		client, server := c.ends()
		s := stray{c.number, client, server, kind, t.packet.number, c.last}
		if t.servers[server] {
			t.tellStray(s)
			return
		}
		t.strays = append(t.strays, s)
	}
}

// tellStray tells of a connection to a server of payments that had bytes and no message.
func (t *Tracker) tellStray(s stray) {
	t.count(s.kind)
	t.stats.Unanswered++
	t.pairing.tell(&Pair{Stream: s.stream, Client: s.client, Server: s.server, Kind: s.kind, Request: Side{Packet: s.packet, At: s.at}, Closed: true})
}
