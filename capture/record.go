package capture

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"touchstone/pos"
)

// Recorder writes the conversations of terminals and a host as a capture of tcpdump would hold them: pcap, raw IP. It
// is for traffic of our own making, such as test messages; what passes a network is taken with tcpdump. It may be used
// by many goroutines; an error of the writer is final.
type Recorder struct {
	mu  sync.Mutex // guards the fields below
	out *pcapgo.Writer
	err error
	buf gopacket.SerializeBuffer
}

// segmentSize is the most payload of one packet, bytes; an Ethernet frame has no more.
const segmentSize = 1448

// NewRecorder writes the head of a capture.
func NewRecorder(w io.Writer) (*Recorder, error) {
	r := &Recorder{out: pcapgo.NewWriterNanos(w), buf: gopacket.NewSerializeBuffer()}
	if err := r.out.WriteFileHeader(MaxPacket, linkRaw); err != nil {
		return nil, fmt.Errorf("write capture: %w", err)
	}
	return r, nil
}

// Conversation is one connection of a Recorder. Direction 0 is from the client.
type Conversation struct {
	r    *Recorder
	ends [2]Endpoint
	next [2]uint32
}

// Open begins a connection: its three first packets.
func (r *Recorder) Open(at time.Time, client, server Endpoint) (*Conversation, error) {
	c := &Conversation{r: r, ends: [2]Endpoint{client, server}, next: [2]uint32{1000, 2000}}
	err := c.packet(at, 0, &layers.TCP{SYN: true}, nil)
	err = errors.Join(err, c.packet(at, 1, &layers.TCP{SYN: true, ACK: true}, nil))
	return c, errors.Join(err, c.packet(at, 0, &layers.TCP{ACK: true}, nil))
}

// Client and Server send bytes.
func (c *Conversation) Client(at time.Time, data []byte) error { return c.send(at, 0, data) }

// Server is the other direction.
func (c *Conversation) Server(at time.Time, data []byte) error { return c.send(at, 1, data) }

func (c *Conversation) send(at time.Time, from int, data []byte) error {
	for len(data) > 0 {
		n := min(len(data), segmentSize)
		if err := c.packet(at, from, &layers.TCP{ACK: true, PSH: n == len(data)}, data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// Close ends the connection from both sides.
func (c *Conversation) Close(at time.Time) error {
	return errors.Join(c.packet(at, 0, &layers.TCP{ACK: true, FIN: true}, nil), c.packet(at, 1, &layers.TCP{ACK: true, FIN: true}, nil))
}

// packet writes one packet and moves the sequence number.
func (c *Conversation) packet(at time.Time, from int, tcp *layers.TCP, payload []byte) error {
	r := c.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	source, target := c.ends[from], c.ends[1-from]
	tcp.SrcPort, tcp.DstPort, tcp.Window = layers.TCPPort(source.Port), layers.TCPPort(target.Port), 65535
	if tcp.Seq = c.next[from]; tcp.ACK {
		tcp.Ack = c.next[1-from]
	}
	if c.next[from] += uint32(len(payload)); tcp.SYN || tcp.FIN {
		c.next[from]++
	}
	ip, network := internet(source.Address, target.Address)
	r.err = tcp.SetNetworkLayerForChecksum(network)
	if r.err == nil {
		r.err = gopacket.SerializeLayers(r.buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ip, tcp, gopacket.Payload(payload))
	}
	if r.err == nil {
		n := len(r.buf.Bytes())
		r.err = r.out.WritePacket(gopacket.CaptureInfo{Timestamp: at, CaptureLength: n, Length: n}, r.buf.Bytes())
	}
	return r.err
}

// internet is the IP header between two addresses of one version.
func internet(from, to pos.Address) (gopacket.SerializableLayer, gopacket.NetworkLayer) {
	if from.Is4() {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: net.IP(from[12:]), DstIP: net.IP(to[12:])}
		return ip, ip
	}
	ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP, SrcIP: net.IP(from[:]), DstIP: net.IP(to[:])}
	return ip, ip
}
