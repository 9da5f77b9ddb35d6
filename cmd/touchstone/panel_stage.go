package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"touchstone/host"
	"touchstone/hsm/soft"
	"touchstone/iso8583"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/sqlite"
)

// panelStage is a host in memory for a capture that is made up: the line, the ledger and the module are the host's own,
// time and chance are the seed's, and every byte that a terminal and it exchange goes into a file as tcpdump would have
// it. One goroutine uses it. It only reads the register.
type panelStage struct {
	module    *soft.Module
	reader    *sqlite.Reader
	past      *past
	committer *journal.Committer
	line      *host.Line
	x         *host.Exchange
	done      chan struct{}
	stop      context.CancelFunc
	ended     chan error
	policy    proof.Policy

	now    pos.Instant
	chance *rand.Rand
	pcap   *pcapgo.Writer
	ports  uint16
	wrong  error // the first failure to write a packet
	lose   bool  // the next answer does not reach its terminal
	sent   int   // messages
}

// panelBegins is when every made-up day begins.
var panelBegins = time.Date(2030, 5, 6, 8, 0, 0, 0, time.UTC)

// panelServer is the host's address in the capture.
var panelServer = netip.MustParseAddrPort("127.0.0.1:8583")

// newPanelChance is what a day is drawn by. The last byte of the seed tells apart what it is for.
func newPanelChance(seed [32]byte) *rand.Rand {
	seed[31] = 1
	return rand.New(rand.NewChaCha8(seed))
}

// newPanelRandom is where keys and nonces of a made-up day come from: from the seed, for nothing else.
func newPanelRandom(seed [32]byte) io.Reader {
	seed[31] = 2
	return &panelRandom{stream: rand.NewChaCha8(seed)}
}

type panelRandom struct {
	mu     sync.Mutex
	stream *rand.ChaCha8
}

// Read never fails.
func (r *panelRandom) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stream.Read(b)
}

// openPanelStage opens a register to play on.
func openPanelStage(ctx context.Context, dir string, seed [32]byte, out io.Writer) (s *panelStage, err error) {
	s = &panelStage{policy: analyzePolicy(), done: make(chan struct{}, 1), now: pos.Instant(panelBegins.UnixNano()), chance: newPanelChance(seed), ports: 40_000}
	s.module = soft.New(soft.Options{Random: newPanelRandom(seed)})
	if err := s.module.Unseal(filepath.Join(dir, keyringFile), testLock(dir)); err != nil {
		return nil, fmt.Errorf("the security module stays sealed: %w", err)
	}
	if s.reader, err = sqlite.OpenReader(dir); err != nil {
		return nil, err
	}
	if s.past, err = readPast(ctx, s.reader, s.now); err != nil {
		return nil, err
	}
	o := ledger.DefaultOptions()
	o.Rooms = newOffice().fold
	var books *ledger.Ledger
	books, s.committer, err = ledger.Rebuild(ctx, o, forgetful{}, s.past, sinkOf(func(b journal.Block) error {
		return b.Each(func(e journal.Entry) error { s.past.recent.keep(e); return nil })
	}))
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		return nil, err
	}
	s.line = &host.Line{Dialect: &iso8583.UnionPay, Ledger: books, Prover: s.module, Sealer: s.module, Hasher: s.module, Vault: s.module, Keys: s.module,
		Policy: &s.policy, Clock: func() pos.Instant { return s.now }, Zone: zone, Acquirer: "48021000", Issuer: "01020000", Test: true}
	s.x = s.line.NewExchange(func(*host.Exchange) { s.done <- struct{}{} })
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop, s.ended = stop, make(chan error, 1)
	go func() { s.ended <- s.committer.Run(run) }()
	s.pcap = pcapgo.NewWriter(out)
	return s, s.pcap.WriteFileHeader(1<<16, layers.LinkTypeRaw)
}

func (s *panelStage) close() error {
	s.stop()
	err := <-s.ended
	s.module.Wipe()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, s.reader.Close(), s.wrong)
}

// pass lets time go on by some milliseconds up to most.
func (s *panelStage) pass(most int) {
	s.now = s.now.Add(time.Duration(1+s.chance.IntN(most)) * time.Millisecond)
}

// serve is what the host makes of a frame.
func (s *panelStage) serve(frame []byte, from pos.Address, conn uint64) (answer []byte, shut bool) {
	s.sent++
	n := copy(s.x.Buffer(), frame)
	s.line.Begin(s.x.Buffer()[:n], host.Peer{Conn: conn, Address: from}, s.x)
	<-s.done
	lent, shut := s.line.Finish(s.x)
	answer = append([]byte(nil), lent...)
	s.x.Wipe()
	return answer, shut
}

// dial implements terminal.Config.Dial.
func (s *panelStage) dial(_ context.Context, local, _ string) (net.Conn, error) {
	at, err := netip.ParseAddr(local)
	if err != nil {
		return nil, err
	}
	s.ports++
	c := &panelConn{stage: s, client: netip.AddrPortFrom(at, s.ports), from: pos.Address(at.As16()), id: uint64(s.ports), seq: [2]uint32{1000, 5000}}
	s.pass(20)
	c.packet(0, nil, func(t *layers.TCP) { t.SYN = true })
	c.packet(1, nil, func(t *layers.TCP) { t.SYN, t.ACK = true, true })
	return c, nil
}

// panelConn is a connection whose bytes are written down.
type panelConn struct {
	stage  *panelStage
	client netip.AddrPort
	from   pos.Address
	id     uint64
	seq    [2]uint32 // of client, of server
	in     []byte    // what the terminal has not read yet
	part   []byte    // what the host has not got whole
	ended  bool
}

// packet writes one down: dir 0 is from the client.
func (c *panelConn) packet(dir int, payload []byte, flags func(*layers.TCP)) {
	ends := [2]netip.AddrPort{c.client, panelServer}
	from, to := ends[dir], ends[1-dir]
	ip := layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: from.Addr().AsSlice(), DstIP: to.Addr().AsSlice()}
	tcp := layers.TCP{SrcPort: layers.TCPPort(from.Port()), DstPort: layers.TCPPort(to.Port()), Seq: c.seq[dir], Ack: c.seq[1-dir], Window: 65535}
	flags(&tcp)
	c.seq[dir] += uint32(len(payload))
	if tcp.SYN || tcp.FIN {
		c.seq[dir]++
	}
	buffer := gopacket.NewSerializeBuffer()
	err := tcp.SetNetworkLayerForChecksum(&ip)
	if err == nil {
		err = gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, &ip, &tcp, gopacket.Payload(payload))
	}
	if err == nil {
		data := buffer.Bytes()
		err = c.stage.pcap.WritePacket(gopacket.CaptureInfo{Timestamp: c.stage.now.Time(), CaptureLength: len(data), Length: len(data)}, data)
	}
	if c.stage.wrong == nil {
		c.stage.wrong = err
	}
}

func pushed(t *layers.TCP) { t.PSH, t.ACK = true, true }

// Write implements net.Conn: the host answers before it returns.
func (c *panelConn) Write(b []byte) (int, error) {
	if c.ended {
		return 0, io.ErrClosedPipe
	}
	c.stage.pass(400)
	c.packet(0, b, pushed)
	c.part = append(c.part, b...)
	for len(c.part) >= iso8583.LengthSize && !c.ended {
		n := iso8583.LengthSize + int(binary.BigEndian.Uint16(c.part))
		if len(c.part) < n {
			break
		}
		c.answer(c.part[iso8583.LengthSize:n])
		c.part = append([]byte(nil), c.part[n:]...)
	}
	return len(b), nil
}

func (c *panelConn) answer(frame []byte) {
	answer, shut := c.stage.serve(frame, c.from, c.id)
	c.stage.pass(9)
	if len(answer) > 0 {
		c.packet(1, answer, pushed)
		if !c.stage.lose {
			c.in = append(c.in, answer...)
		}
		c.stage.lose = false
	}
	if shut {
		c.end(1)
	}
}

func (c *panelConn) end(dir int) {
	if !c.ended {
		c.ended = true
		c.packet(dir, nil, func(t *layers.TCP) { t.FIN, t.ACK = true, true })
	}
}

// Read implements net.Conn: what is not there already never comes.
func (c *panelConn) Read(b []byte) (int, error) {
	switch {
	case len(c.in) > 0:
		n := copy(b, c.in)
		c.in = c.in[n:]
		return n, nil
	case c.ended:
		return 0, io.EOF
	}
	return 0, os.ErrDeadlineExceeded
}

// Close implements net.Conn.
func (c *panelConn) Close() error {
	c.end(0)
	return nil
}

func (c *panelConn) LocalAddr() net.Addr              { return net.TCPAddrFromAddrPort(c.client) }
func (c *panelConn) RemoteAddr() net.Addr             { return net.TCPAddrFromAddrPort(panelServer) }
func (c *panelConn) SetDeadline(time.Time) error      { return nil }
func (c *panelConn) SetReadDeadline(time.Time) error  { return nil }
func (c *panelConn) SetWriteDeadline(time.Time) error { return nil }
