package iso8583_test

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/iso8583"
	"touchstone/pos"
)

// tsharkElements are the elements that Wireshark's dissector (packet-iso8583.c, ISO 8583:1987, digits in
// nibbles, binary data as it is) lays out as this dialect does. It does not the others: in DE22, and in DE2
// and DE32 of an odd number of digits, it takes the digits to be right-aligned; DE35 and DE36 it counts in
// bytes, not nibbles; DE48, DE60 and DE61 it takes to be characters, not packed digits; DE53 to be eight
// digits, not sixteen. After one of those it has lost its place, so whole messages of this protocol, which
// all carry DE60, are beyond it.
var tsharkElements = []int{2, 3, 4, 11, 12, 13, 14, 15, 23, 25, 26, 32, 37, 38, 39, 41, 42, 44, 49, 52, 54, 58, 59, 62, 63, 64}

// drawn is a message of random elements and what each must be read as.
type drawn struct {
	mti   string
	value map[int]string
	frame []byte
}

const (
	drawDigits = "0123456789"
	drawText   = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

func drawOf(random *rand.Rand, alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(b)
}

// draw makes one message with the package's Builder.
func draw(t *testing.T, random *rand.Rand) (d drawn) {
	t.Helper()
	mtis := []pos.MTI{0x0200, 0x0210, 0x0220, 0x0230, 0x0400, 0x0410, 0x0800, 0x0810, 0x0820, 0x0830}
	mti := mtis[random.IntN(len(mtis))]
	d.mti, d.value = mti.String(), map[int]string{}
	b := iso8583.NewBuilder(&iso8583.UnionPay)
	b.Begin(make([]byte, iso8583.LengthSize+iso8583.MaxFrame), iso8583.Envelope(unhex(t, envelopeHex)), mti)
	for _, n := range tsharkElements {
		if random.IntN(3) == 0 {
			continue
		}
		row, _ := iso8583.UnionPay.Element(n)
		size := row.Max
		if row.Length != iso8583.Fixed {
			size = 2 + random.IntN(min(row.Max, 120)-1) // of one character at the end of a message it shows nothing
		}
		switch row.Format {
		case iso8583.N:
			if row.Length != iso8583.Fixed {
				size = max(2, size/2*2)
			}
			digits := drawOf(random, drawDigits, size)
			if n == 2 { // of the reserved prefix of the sample cards: no card of anybody's
				digits = "62999900000000" + drawOf(random, drawDigits, 2)
			}
			d.value[n] = digits
			b.PutDigits(n, []byte(digits))
		case iso8583.B:
			raw := []byte(drawOf(random, drawText, size))
			d.value[n] = string(raw)
			if n == 52 || n == 64 {
				d.value[n] = strings.ToUpper(hex.EncodeToString(raw))
			}
			if n == 64 {
				b.ReserveMAC()
				b.SetMAC([8]byte(raw))
				continue
			}
			b.PutRaw(n, raw)
		default:
			d.value[n] = drawOf(random, drawText, size)
			b.PutText(n, []byte(d.value[n]))
		}
	}
	frame, err := b.Frame()
	if err != nil {
		t.Fatal(err)
	}
	d.frame = append([]byte(nil), frame...)
	return d
}

// pcapOf writes messages as TCP segments of one connection, each LEN and the bytes after the envelope.
func pcapOf(messages []drawn) []byte {
	file := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	file = append(file, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	file = binary.LittleEndian.AppendUint32(file, 65535)
	file = binary.LittleEndian.AppendUint32(file, 101) // raw IP
	seq := uint32(1)
	for i, m := range messages {
		body := m.frame[iso8583.LengthSize+iso8583.EnvelopeSize:]
		segment := append(binary.BigEndian.AppendUint16(nil, uint16(len(body))), body...)
		tcp := binary.BigEndian.AppendUint16([]byte{0xC3, 0x50}, 8583) // from port 50000
		tcp = binary.BigEndian.AppendUint32(tcp, seq)
		tcp = append(tcp, 0, 0, 0, 1, 0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0)
		ip := []byte{0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 2}
		binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+len(tcp)+len(segment)))
		packet := append(append(ip, tcp...), segment...)
		file = binary.LittleEndian.AppendUint32(file, uint32(i))
		file = binary.LittleEndian.AppendUint32(file, 0)
		file = binary.LittleEndian.AppendUint32(file, uint32(len(packet)))
		file = binary.LittleEndian.AppendUint32(file, uint32(len(packet)))
		file = append(file, packet...)
		seq += uint32(len(segment))
	}
	return file
}

// readTshark is what tshark makes of messages: one row each, MTI, bitmap and the elements in order.
func readTshark(t *testing.T, messages []drawn) [][]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "messages.pcap")
	if err := os.WriteFile(path, pcapOf(messages), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-r", path, "-d", "tcp.port==8583,iso8583", "-o", "iso8583.len_endian:bigendian", "-o", "iso8583.charset:bcd",
		"-o", "iso8583.binencode:bin", "-T", "fields", "-E", "separator=/t", "-e", "iso8583.mti", "-e", "iso8583.map1"}
	for _, n := range tsharkElements {
		args = append(args, "-e", fmt.Sprintf("iso8583.bit%d", n))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "tshark", args...).Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	var rows [][]string
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\n"), "\n") {
		rows = append(rows, strings.Split(line, "\t"))
	}
	if len(rows) != len(messages) {
		t.Fatalf("tshark has %d messages, want %d", len(rows), len(messages))
	}
	return rows
}

// differs tells in what tshark's row is another message, "" when it is the same.
func (d drawn) differs(row []string) string {
	if len(row) != 2+len(tsharkElements) {
		return fmt.Sprintf("%d columns", len(row))
	}
	if row[0] != d.mti {
		return "MTI " + row[0]
	}
	bitmap := hex.EncodeToString(d.frame[iso8583.LengthSize+iso8583.EnvelopeSize+2:][:8])
	if row[1] != bitmap {
		return "bitmap " + row[1]
	}
	for i, n := range tsharkElements {
		got := row[2+i]
		if n == 52 || n == 64 {
			// Its bin2hex has room for half of what it writes, and a byte of what lies behind may follow.
			got = got[:min(len(got), 16)]
		}
		if got != d.value[n] {
			return fmt.Sprintf("element %d: %q, want %q", n, row[2+i], d.value[n])
		}
	}
	return ""
}

// TestTsharkReadsAlike: a dissector of another hand reads what the Builder packs, element by element, where
// its layouts are ours. A hundred messages, 1,200 in the long form: it takes nine in ten for ISO 8583 at all.
func TestTsharkReadsAlike(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("NOT RUN: there is no tshark here")
	}
	n := 100
	if os.Getenv("TOUCHSTONE_LONG") == "1" {
		n = 1200
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	var messages []drawn
	for range n {
		messages = append(messages, draw(t, random))
	}
	rows := readTshark(t, messages)
	read, elements := 0, 0
	for i, m := range messages {
		if rows[i][0] == "" { // its guess whether this is ISO 8583 at all: no zero byte in the first sixteen after the MTI's length
			continue
		}
		read++
		elements += len(m.value)
		if what := m.differs(rows[i]); what != "" {
			t.Errorf("seed %d, message %d, %s: %s", seed, i, m.mti, what)
		}
	}
	t.Logf("seed %d: %d of %d messages read, %d elements", seed, read, n, elements)
	if read < n*3/4 {
		t.Errorf("tshark took only %d of %d messages for ISO 8583", read, n)
	}
	// It can disagree: one digit of the trace is another.
	m := messages[0]
	m.value = map[int]string{11: "999999"}
	if m.differs(rows[0]) == "" && rows[0][0] != "" {
		t.Error("another message is taken for the same")
	}
}
