package capture

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"touchstone/pos"
)

// ErrFormat is returned for bytes that do not begin as a pcap or pcapng file does.
var ErrFormat = errors.New("read capture: neither pcap nor pcapng")

// ErrTorn is returned for a capture that ends inside a packet or goes on with what is no packet; what was read
// before it stands.
var ErrTorn = errors.New("read capture: it ends inside a packet, or a record of it is broken")

// The first four bytes of the formats; draft-ietf-opsawg-pcap and -pcapng.
const (
	magicMicro   = 0xA1B2C3D4
	magicNano    = 0xA1B23C4D
	magicSection = 0x0A0D0D0A
)

// readBuffer is how much of a file is read at once, bytes.
const readBuffer = 256 << 10

// MaxPacket is the most bytes of one packet that are kept; a longer one is counted as cut.
const MaxPacket = 256 << 10

// checkEvery is how many packets are read between two looks at the context, a power of two.
const checkEvery = 1024

// packets is what both readers of the library have.
type packets interface {
	ZeroCopyReadPacketData() ([]byte, gopacket.CaptureInfo, error)
}

// Read reads one capture to its end, or until the context ends. It fails with ErrFormat, with ErrTorn for a file
// that breaks off, with the reader's own error and with what OnPair returned.
func (t *Tracker) Read(ctx context.Context, r io.Reader) error {
	in := bufio.NewReaderSize(r, readBuffer)
	source, link, err := open(in)
	if err != nil {
		return err
	}
	return t.run(ctx, source, link)
}

// run takes packets until there are no more, or the context ends.
func (t *Tracker) run(ctx context.Context, source packets, link layers.LinkType) error {
	for n := 0; ; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		data, info, err := source.ZeroCopyReadPacketData()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("%w: after packet %d", ErrTorn, t.stats.Packets)
		}
		own := link
		if len(info.AncillaryData) > 0 {
			if of, ok := info.AncillaryData[0].(layers.LinkType); ok {
				own = of
			}
		}
		if err := t.Packet(own, data, info); err != nil {
			return err
		}
	}
}

// open tells the format by its first bytes.
func open(in *bufio.Reader) (packets, layers.LinkType, error) {
	first, err := in.Peek(4)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = ErrFormat
		}
		return nil, 0, err
	}
	if binary.BigEndian.Uint32(first) == magicSection {
		ng, err := pcapgo.NewNgReader(in, pcapgo.NgReaderOptions{WantMixedLinkType: true, SkipUnknownVersion: true})
		if err != nil {
			return nil, 0, fmt.Errorf("%w: pcapng: %w", ErrFormat, err)
		}
		return ng, 0, nil
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if m := order.Uint32(first); m == magicMicro || m == magicNano {
			file, err := pcapgo.NewReader(in)
			if err != nil {
				return nil, 0, fmt.Errorf("%w: pcap: %w", ErrFormat, err)
			}
			return file, file.LinkType(), nil
		}
	}
	return nil, 0, ErrFormat
}

// The link types that are read; https://www.tcpdump.org/linktypes.html. The library names some of them otherwise.
const (
	linkRawBSD  layers.LinkType = 12
	linkRawOpen layers.LinkType = 14
	linkRaw     layers.LinkType = 101
	linkLoop    layers.LinkType = 108
	linkIPv4    layers.LinkType = 228
	linkIPv6    layers.LinkType = 229
	linkSLL2    layers.LinkType = 276
)

// decoder turns the bytes of a packet into layers without copying them.
type decoder struct {
	ethernet layers.Ethernet
	loopback layers.Loopback
	sll      layers.LinuxSLL
	sll2     layers.LinuxSLL2
	vlan     layers.Dot1Q
	ip4      layers.IPv4
	ip6      layers.IPv6
	skip     layers.IPv6ExtensionSkipper
	tcp      layers.TCP

	parsers map[gopacket.LayerType]*gopacket.DecodingLayerParser
	found   []gopacket.LayerType
}

func newDecoder() *decoder {
	d := &decoder{parsers: map[gopacket.LayerType]*gopacket.DecodingLayerParser{}}
	for _, first := range []gopacket.LayerType{layers.LayerTypeEthernet, layers.LayerTypeLoopback, layers.LayerTypeLinuxSLL,
		layers.LayerTypeLinuxSLL2, layers.LayerTypeIPv4, layers.LayerTypeIPv6} {
		p := gopacket.NewDecodingLayerParser(first, &d.ethernet, &d.loopback, &d.sll, &d.sll2, &d.vlan, &d.ip4, &d.ip6, &d.skip, &d.tcp)
		p.IgnoreUnsupported = true
		d.parsers[first] = p
	}
	return d
}

// firstLayer is what a packet of a link type begins with, zero for one that is not read.
func firstLayer(link layers.LinkType, data []byte) gopacket.LayerType {
	switch link {
	case layers.LinkTypeEthernet:
		return layers.LayerTypeEthernet
	case layers.LinkTypeNull, linkLoop:
		return layers.LayerTypeLoopback
	case layers.LinkTypeLinuxSLL:
		return layers.LayerTypeLinuxSLL
	case linkSLL2:
		return layers.LayerTypeLinuxSLL2
	case linkRaw, linkRawBSD, linkRawOpen, linkIPv4, linkIPv6:
		if len(data) > 0 && data[0]>>4 == 6 {
			return layers.LayerTypeIPv6
		}
		return layers.LayerTypeIPv4
	}
	return gopacket.LayerTypeZero
}

// packet is one TCP segment. Payload is a view.
type packet struct {
	from, to       address
	seq, ack       uint32
	syn, fin, rst  bool
	acks           bool
	payload        []byte
	number         uint64
	at             pos.Instant
	cut            bool // bytes of it were not captured
	fragment, none bool // no TCP to be read
}

// address is an IP address, mapped as pos.Address is, and a port.
type address struct {
	ip   pos.Address
	port uint16
}

// decode reads the layers of one packet. What is not TCP has none set.
func (d *decoder) decode(link layers.LinkType, data []byte, p *packet) (readable bool) {
	first := firstLayer(link, data)
	parser := d.parsers[first]
	if parser == nil {
		return false
	}
	parser.Truncated = false
	err := parser.DecodeLayers(data, &d.found)
	*p = packet{none: true, cut: parser.Truncated}
	for _, layer := range d.found {
		switch layer {
		case layers.LayerTypeIPv4:
			if d.ip4.FragOffset != 0 || d.ip4.Flags&layers.IPv4MoreFragments != 0 {
				p.fragment = true
				return true
			}
			p.from.ip, p.to.ip = mapped(d.ip4.SrcIP), mapped(d.ip4.DstIP)
		case layers.LayerTypeIPv6:
			p.from.ip, p.to.ip = mapped(d.ip6.SrcIP), mapped(d.ip6.DstIP)
		case layers.LayerTypeTCP:
			p.none = false
		}
	}
	if p.none {
		return err == nil || len(d.found) > 0
	}
	tcp := &d.tcp
	p.from.port, p.to.port = uint16(tcp.SrcPort), uint16(tcp.DstPort)
	p.seq, p.ack, p.syn, p.fin, p.rst, p.acks = tcp.Seq, tcp.Ack, tcp.SYN, tcp.FIN, tcp.RST, tcp.ACK
	p.payload = tcp.Payload
	return true
}

func mapped(ip []byte) (a pos.Address) {
	if len(ip) == 4 {
		return pos.IPv4(ip[0], ip[1], ip[2], ip[3])
	}
	copy(a[:], ip)
	return a
}
