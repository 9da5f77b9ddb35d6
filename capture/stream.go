package capture

import (
	"cmp"
	"slices"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"touchstone/iso8583"
	"touchstone/pos"
)

// Tracker follows the connections of one capture. It is used by one goroutine.
type Tracker struct {
	opts    Options
	decoder *decoder
	stats   Stats
	conns   map[connKey]*conn
	held    int // bytes held back in all connections
	packet  packet
	message iso8583.Message

	servers map[Endpoint]bool // ends that answered messages
	strays  []stray           // connections without a frame whose server is not known yet
	pairing pairing
	swept   pos.Instant
}

// connKey names a connection whatever the direction: the lesser end first.
type connKey struct{ a, b address }

// conn is one connection. Direction 0 is from key.a to key.b.
type conn struct {
	key    connKey
	number uint64
	half   [2]half
	opener int // direction of the SYN, -1 when it was not seen
	client int // direction of requests, -1 while no message was seen
	last   pos.Instant
	paid   bool // a frame was found
	tls    bool
	gap    bool
	over   bool // both ends are done: what still comes of it was sent again
	link   link
}

// half is one direction of a connection.
type half struct {
	started bool
	next    uint32 // sequence number of the next byte
	acked   uint32 // what the other end has acknowledged of it
	hasAck  bool
	fin     bool
	later   []segment // out of order, ascending
	buf     []byte    // in order, not yet a whole frame
	aligned bool      // buf begins where a frame begins
	foreign bool      // not searched any more
	barren  int       // bytes without a frame
	framed  bool
	garbled bool // told of bytes that begin no frame
}

type segment struct {
	seq  uint32
	data []byte
}

// NewTracker makes a Tracker.
func NewTracker(o Options) *Tracker {
	if o.Wait == 0 {
		o.Wait = DefaultWait
	}
	t := &Tracker{opts: o, decoder: newDecoder(), conns: map[connKey]*conn{}, servers: map[Endpoint]bool{}}
	t.pairing.begin(t)
	return t
}

// Stats are the counts so far.
func (t *Tracker) Stats() Stats { return t.stats }

// Packet takes one packet of a link type, as captured; data is not kept. An error is OnPair's.
func (t *Tracker) Packet(link layers.LinkType, data []byte, info gopacket.CaptureInfo) error {
	t.stats.Packets++
	t.stats.Bytes += uint64(info.Length)
	at := pos.Instant(info.Timestamp.UnixNano())
	if t.stats.First == 0 || at < t.stats.First {
		t.stats.First = at
	}
	t.stats.Last = max(t.stats.Last, at)
	if t.opts.OnData != nil {
		t.opts.OnData(int64(len(data)))
	}
	if len(data) > MaxPacket {
		data = data[:MaxPacket]
	}
	p := &t.packet
	if !t.decoder.decode(link, data, p) {
		t.stats.Unread++
		return t.pairing.err
	}
	p.number, p.at = t.stats.Packets, at
	if p.cut = p.cut || info.CaptureLength < info.Length || info.CaptureLength > MaxPacket; p.cut {
		t.stats.Shortened++
	}
	switch {
	case p.fragment:
		t.stats.Fragments++
	case p.none, t.opts.Port != 0 && p.from.port != t.opts.Port && p.to.port != t.opts.Port:
		t.stats.Elsewhere++
	default:
		t.segment(p)
	}
	t.pairing.expire(at)
	t.sweep(at)
	return t.pairing.err
}

// Close ends every connection and gives up every request that waits. It returns the counts and OnPair's error.
func (t *Tracker) Close() (Stats, error) {
	// In the order in which they began, so that a capture gives the same report every time.
	all := make([]*conn, 0, len(t.conns))
	for _, c := range t.conns {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *conn) int { return cmp.Compare(a.number, b.number) })
	for _, c := range all {
		t.end(c, false)
	}
	t.pairing.end()
	for _, s := range t.strays {
		if t.servers[s.server] {
			t.tellStray(s)
		}
	}
	t.strays = nil
	return t.stats, t.pairing.err
}

func less(a, b address) bool {
	if c := slices.Compare(a.ip[:], b.ip[:]); c != 0 {
		return c < 0
	}
	return a.port < b.port
}

// segment finds the connection of a segment and puts it in its place.
func (t *Tracker) segment(p *packet) {
	key, dir := connKey{p.from, p.to}, 0
	if less(p.to, p.from) {
		key, dir = connKey{p.to, p.from}, 1
	}
	c := t.conns[key]
	if c != nil && p.syn && !p.acks && (c.over || c.half[dir].started && c.half[dir].next != p.seq+1) {
		t.end(c, true) // the ports are used again
		c = nil
	}
	if c != nil && c.over {
		return
	}
	if c == nil {
		if p.rst || len(p.payload) == 0 && !p.syn {
			return // nothing begins with it
		}
		c = t.begin(key)
	}
	c.last = p.at
	h, other := &c.half[dir], &c.half[1-dir]
	if p.acks {
		t.acknowledged(c, 1-dir, other, p.ack)
	}
	switch {
	case p.syn:
		if !p.acks {
			c.opener = dir
		} else if c.opener < 0 {
			c.opener = 1 - dir
		}
		if !h.started {
			h.started, h.aligned, h.next = true, true, p.seq+1
		}
	case !h.started && len(p.payload) > 0:
		h.started, h.next = true, p.seq
	}
	if len(p.payload) > 0 {
		t.place(c, dir, p.seq, p.payload)
	}
	if h.fin = h.fin || p.fin; p.rst || h.fin && other.fin {
		t.finish(c, true)
	}
}

func (t *Tracker) begin(key connKey) *conn {
	if len(t.conns) >= MaxStreams {
		t.evict()
	}
	t.stats.Streams++
	c := &conn{key: key, number: t.stats.Streams, opener: -1, client: -1}
	t.conns[key] = c
	return c
}

// place puts the bytes of a segment where they belong: in order, out of order, or seen before.
func (t *Tracker) place(c *conn, dir int, seq uint32, data []byte) {
	h := &c.half[dir]
	ahead := int(int32(seq - h.next)) // an int, because half the circle behind has no opposite in 32 bits
	if ahead > 0 && h.hasAck && int32(h.acked-seq) >= 0 {
		t.lose(c, h, uint32(ahead)) // the other end has it, the capture will not
		ahead = 0
	}
	switch {
	case ahead > 0:
		t.hold(c, h, seq, data)
		if len(h.later) >= MaxSegments || t.held > MaxHeld {
			t.release(c, dir)
		}
		return
	case ahead < 0 && len(data) <= -ahead:
		t.stats.Retransmitted++
		return
	case ahead < 0:
		t.stats.Retransmitted++
		data = data[-ahead:]
	}
	h.next += uint32(len(data))
	t.feed(c, dir, data)
	t.drain(c, dir)
}

// hold keeps a segment that came too early.
func (t *Tracker) hold(c *conn, h *half, seq uint32, data []byte) {
	at, there := slices.BinarySearchFunc(h.later, seq, func(s segment, seq uint32) int { return int(int32(s.seq - seq)) })
	if there && len(h.later[at].data) >= len(data) {
		t.stats.Retransmitted++
		return
	}
	t.stats.Disordered++
	t.held += len(data)
	h.later = slices.Insert(h.later, at, segment{seq, slices.Clone(data)})
}

// drain takes the segments that are now in order.
func (t *Tracker) drain(c *conn, dir int) {
	h := &c.half[dir]
	for len(h.later) > 0 {
		s := h.later[0]
		ahead := int(int32(s.seq - h.next))
		if ahead > 0 {
			return
		}
		h.later = slices.Delete(h.later, 0, 1)
		t.held -= len(s.data)
		if rest := s.data; -ahead < len(rest) {
			rest = rest[-ahead:]
			h.next += uint32(len(rest))
			t.feed(c, dir, rest)
		}
		clear(s.data)
	}
}

// acknowledged tells what an end has received: bytes that it has and the capture has not will not come.
func (t *Tracker) acknowledged(c *conn, dir int, h *half, ack uint32) {
	if !h.hasAck || int32(ack-h.acked) > 0 {
		h.acked, h.hasAck = ack, true
	}
	for len(h.later) > 0 && int32(h.acked-h.later[0].seq) >= 0 {
		t.lose(c, h, h.later[0].seq-h.next)
		t.drain(c, dir)
	}
}

// release gives up waiting for bytes that are missing.
func (t *Tracker) release(c *conn, dir int) {
	h := &c.half[dir]
	if len(h.later) > 0 {
		t.lose(c, h, h.later[0].seq-h.next)
		t.drain(c, dir)
	}
}

// lose skips n bytes that were not captured: a frame begun before them is lost, and the next must be searched.
func (t *Tracker) lose(c *conn, h *half, n uint32) {
	t.stats.Gaps++
	t.stats.LostBytes += uint64(n)
	h.next += n
	c.gap = true
	t.spill(h)
	h.aligned = false
}

// spill empties the buffer of a direction.
func (t *Tracker) spill(h *half) {
	t.stats.Skipped += uint64(len(h.buf))
	t.held -= len(h.buf)
	clear(h.buf)
	h.buf = h.buf[:0]
}

// end forgets a connection. clean tells that its end was seen.
func (t *Tracker) end(c *conn, clean bool) {
	t.finish(c, clean)
	if t.conns[c.key] == c {
		delete(t.conns, c.key)
	}
}

// finish takes what a connection that is over has left.
func (t *Tracker) finish(c *conn, clean bool) {
	if c.over {
		return
	}
	c.over = true
	for dir := range c.half {
		for len(c.half[dir].later) > 0 {
			t.release(c, dir)
		}
	}
	t.rest(c, clean)
	for dir := range c.half {
		t.spill(&c.half[dir])
	}
	t.pairing.closed(c, clean)
	c.half[0].buf, c.half[1].buf = nil, nil
}

// sweep forgets connections that have been silent for long; once in a while.
func (t *Tracker) sweep(at pos.Instant) {
	if at.Sub(t.swept) < idleFor {
		return
	}
	t.swept = at
	for _, c := range t.conns {
		if at.Sub(c.last) > idleFor && (c.over || c.half[0].fin || c.half[1].fin) {
			t.end(c, true)
		}
	}
}

// evictLook is how many connections are compared for the one to be forgotten.
const evictLook = 16

// evict forgets the most silent of a few connections, so that a flood of them has a bound.
func (t *Tracker) evict() {
	var oldest *conn
	looked := 0
	for _, c := range t.conns {
		if oldest == nil || c.over && !oldest.over || c.over == oldest.over && c.last < oldest.last {
			oldest = c
		}
		if looked++; looked == evictLook {
			break
		}
	}
	if oldest != nil {
		if !oldest.over {
			t.stats.Evicted++
		}
		t.end(oldest, false)
	}
}

// ends are client and server of a connection: by its messages, else by who opened it.
func (c *conn) ends() (client, server Endpoint) {
	a, b := Endpoint{c.key.a.ip, c.key.a.port}, Endpoint{c.key.b.ip, c.key.b.port}
	dir := c.client
	if dir < 0 {
		dir = c.opener
	}
	if dir == 1 {
		return b, a
	}
	return a, b
}
