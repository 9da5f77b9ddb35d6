package capture_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"touchstone/capture"
	"touchstone/iso8583"
	"touchstone/pos"
)

// frameOf packs a message of a terminal: LEN, envelope, elements. No card stands in it.
func frameOf(t testing.TB, mti pos.MTI, terminal, trace int, code string) []byte {
	t.Helper()
	b := iso8583.NewBuilder(&iso8583.UnionPay)
	var e iso8583.Envelope
	copy(e[:], []byte{0x60, 0x06, 0x01, 0, 0, 0x60, 0x31, 0, 0x31, 0x10, 0x01})
	b.Begin(make([]byte, iso8583.LengthSize+iso8583.MaxFrame), e, mti)
	b.PutNumber(3, 0)
	b.PutNumber(4, 1850)
	b.PutNumber(11, uint64(trace))
	if code != "" {
		b.PutText(39, []byte(code))
	}
	b.PutText(41, fmt.Appendf(nil, "%08d", terminal))
	b.PutText(42, []byte("898310058120001"))
	de60, err := iso8583.AppendDE60(nil, iso8583.DE60{Code: pos.Sale, Batch: 1, Digits: 8})
	if err != nil {
		t.Fatal(err)
	}
	b.PutDigits(60, de60)
	frame, err := b.Frame()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(frame)
}

// link is how the packets of a test reach the file.
type link struct {
	name string
	kind layers.LinkType
	head func(ip6 bool) []gopacket.SerializableLayer
	v6   bool
}

var mac = net.HardwareAddr{2, 0, 0, 0, 0, 1}

func etherType(v6 bool) layers.EthernetType {
	if v6 {
		return layers.EthernetTypeIPv6
	}
	return layers.EthernetTypeIPv4
}

func links() []link {
	ethernet := func(v6 bool) []gopacket.SerializableLayer {
		return []gopacket.SerializableLayer{&layers.Ethernet{SrcMAC: mac, DstMAC: mac, EthernetType: etherType(v6)}}
	}
	vlan := func(v6 bool) []gopacket.SerializableLayer {
		return []gopacket.SerializableLayer{&layers.Ethernet{SrcMAC: mac, DstMAC: mac, EthernetType: layers.EthernetTypeDot1Q},
			&layers.Dot1Q{VLANIdentifier: 7, Type: etherType(v6)}}
	}
	raw := func(bool) []gopacket.SerializableLayer { return nil }
	// Linux cooked: type 0, ARPHRD 772, address length 6, address 8, protocol.
	sll := func(v6 bool) []gopacket.SerializableLayer {
		b := []byte{0, 0, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0}
		return []gopacket.SerializableLayer{gopacket.Payload(binary.BigEndian.AppendUint16(b, uint16(etherType(v6))))}
	}
	// Linux cooked 2: protocol, reserved, interface index, ARPHRD, type, address length, address 8.
	sll2 := func(v6 bool) []gopacket.SerializableLayer {
		b := binary.BigEndian.AppendUint16(nil, uint16(etherType(v6)))
		return []gopacket.SerializableLayer{gopacket.Payload(append(b, 0, 0, 0, 0, 0, 1, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0))}
	}
	null := func(v6 bool) []gopacket.SerializableLayer {
		family := []byte{2, 0, 0, 0}
		if v6 {
			family[0] = 30
		}
		return []gopacket.SerializableLayer{gopacket.Payload(family)}
	}
	return []link{
		{"Ethernet", layers.LinkTypeEthernet, ethernet, false}, {"Ethernet, IPv6", layers.LinkTypeEthernet, ethernet, true},
		{"VLAN", layers.LinkTypeEthernet, vlan, false}, {"raw IP", 101, raw, false}, {"raw IP, IPv6", 101, raw, true},
		{"Linux cooked", layers.LinkTypeLinuxSLL, sll, false}, {"Linux cooked, IPv6", layers.LinkTypeLinuxSLL, sll, true},
		{"Linux cooked 2", 276, sll2, false}, {"BSD loopback", layers.LinkTypeNull, null, false}, {"BSD loopback, IPv6", layers.LinkTypeNull, null, true},
	}
}

// seg is one TCP segment of a test. Flags are letters: S, A, F, R.
type seg struct {
	fromServer bool
	seq        uint32
	ack        uint32
	flags      string
	data       []byte
	after      time.Duration // since the packet before; 0 is a millisecond
	port       uint16        // of the client; 0 is 40000
}

const serverPort = 8583

// packetOf packs a segment with everything below it.
func packetOf(t testing.TB, l link, s seg) []byte {
	t.Helper()
	has := func(c byte) bool { return bytes.IndexByte([]byte(s.flags), c) >= 0 }
	client := s.port
	if client == 0 {
		client = 40000
	}
	tcp := &layers.TCP{SrcPort: layers.TCPPort(client), DstPort: serverPort, Seq: s.seq, Ack: s.ack, SYN: has('S'), ACK: has('A'), FIN: has('F'), RST: has('R'), Window: 1000}
	from, to := net.IP{10, 0, 0, 1}, net.IP{10, 0, 0, 2}
	if l.v6 {
		from, to = net.ParseIP("fd00::1"), net.ParseIP("fd00::2")
	}
	if s.fromServer {
		tcp.SrcPort, tcp.DstPort, from, to = tcp.DstPort, tcp.SrcPort, to, from
	}
	var ip gopacket.SerializableLayer
	if l.v6 {
		six := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP, SrcIP: from, DstIP: to}
		if err := tcp.SetNetworkLayerForChecksum(six); err != nil {
			t.Fatal(err)
		}
		ip = six
	} else {
		four := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: from, DstIP: to}
		if err := tcp.SetNetworkLayerForChecksum(four); err != nil {
			t.Fatal(err)
		}
		ip = four
	}
	buf := gopacket.NewSerializeBuffer()
	all := append(l.head(l.v6), ip, tcp, gopacket.Payload(s.data))
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(buf.Bytes())
}

var begins = time.Date(2026, 11, 28, 10, 41, 25, 0, time.UTC)

// fileOf writes segments as a pcap, or a pcapng.
func fileOf(t testing.TB, l link, ng bool, snaplen int, segs []seg) []byte {
	t.Helper()
	var out bytes.Buffer
	var write func(gopacket.CaptureInfo, []byte) error
	flush := func() error { return nil }
	if ng {
		w, err := pcapgo.NewNgWriter(&out, l.kind)
		if err != nil {
			t.Fatal(err)
		}
		write, flush = w.WritePacket, w.Flush
	} else {
		w := pcapgo.NewWriter(&out)
		if err := w.WriteFileHeader(uint32(snaplen), l.kind); err != nil {
			t.Fatal(err)
		}
		write = w.WritePacket
	}
	at := begins
	for _, s := range segs {
		if s.after == 0 {
			s.after = time.Millisecond
		}
		at = at.Add(s.after)
		data := packetOf(t, l, s)
		kept := data[:min(len(data), snaplen)]
		if err := write(gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(kept), Length: len(data)}, kept); err != nil {
			t.Fatal(err)
		}
	}
	if err := flush(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// whole is a snaplen that cuts nothing.
const whole = 262144

// conversation is a handshake, requests each followed by its answer, and the end.
func conversation(frames ...[]byte) []seg {
	c, s := uint32(1001), uint32(5001)
	segs := []seg{{seq: 1000, flags: "S"}, {fromServer: true, seq: 5000, ack: 1001, flags: "SA"}, {seq: 1001, ack: 5001, flags: "A"}}
	for i, f := range frames {
		if i%2 == 0 {
			segs = append(segs, seg{seq: c, ack: s, flags: "A", data: f})
			c += uint32(len(f))
		} else {
			segs = append(segs, seg{fromServer: true, seq: s, ack: c, flags: "A", data: f})
			s += uint32(len(f))
		}
	}
	return append(segs, seg{seq: c, ack: s, flags: "FA"}, seg{fromServer: true, seq: s, ack: c + 1, flags: "FA"}, seg{seq: c + 1, ack: s + 1, flags: "A"})
}

// told is one pair in short: trace, the answer's code or "-", and what else is to be said.
func told(p *capture.Pair) string {
	s := fmt.Sprintf("%s %s", p.Request.MTI, p.Request.STAN)
	switch p.Kind {
	case capture.Cut:
		return "cut"
	case capture.NoFrame:
		return "no frame"
	case capture.Malformed:
		s += " malformed"
	}
	if p.Answered {
		s += " " + p.Answer.Code.String()
	} else {
		s += " -"
	}
	if p.Repeat {
		s += " repeat"
	}
	if p.Gap {
		s += " gap"
	}
	return s
}

// read gives the pairs of a capture.
func read(t testing.TB, file []byte, o capture.Options) ([]string, capture.Stats) {
	t.Helper()
	var pairs []string
	o.OnPair = func(p *capture.Pair) error { pairs = append(pairs, told(p)); return nil }
	tracker := capture.NewTracker(o)
	if err := tracker.Read(context.Background(), bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	stats, err := tracker.Close()
	if err != nil {
		t.Fatal(err)
	}
	return pairs, stats
}
