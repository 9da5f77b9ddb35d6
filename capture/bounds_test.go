package capture_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"

	"touchstone/capture"
	"touchstone/pos"
)

// stream gives a tracker packets without a file.
func stream(t testing.TB, tracker *capture.Tracker, segs func(yield func(seg) bool)) {
	t.Helper()
	l, at := links()[3], begins
	for s := range segs {
		at = at.Add(time.Microsecond)
		data := packetOf(t, l, s)
		if err := tracker.Packet(l.kind, data, gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(data), Length: len(data)}); err != nil {
			t.Fatal(err)
		}
	}
}

// heap is the memory in use after a collection, bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestBoundedHeldBack: a stream whose first byte never comes, and any number of such streams, hold back no more than
// they may; messages are found all the same.
func TestBoundedHeldBack(t *testing.T) {
	q := frameOf(t, 0x0200, 1, 1, "")
	found := 0
	tracker := capture.NewTracker(capture.Options{OnPair: func(*capture.Pair) error { found++; return nil }})
	before := heap()
	const messages = 20_000
	stream(t, tracker, func(yield func(seg) bool) {
		yield(seg{seq: 1000, flags: "S"})
		for i := range messages { // the first byte after the SYN is lost
			if !yield(seg{seq: 1001 + 1 + uint32(i*len(q)), flags: "A", data: q}) {
				return
			}
		}
	})
	if grew := int64(heap()) - int64(before); grew > 16<<20 {
		t.Errorf("one stream holds %d bytes", grew)
	}
	stats, _ := tracker.Close()
	if found != messages || stats.Gaps != 1 || stats.LostBytes != 1 {
		t.Errorf("%d of %d messages, %+v", found, messages, stats)
	}
}

// TestBoundedStreams: more connections than are followed at once, each with half a message.
func TestBoundedStreams(t *testing.T) {
	tracker := capture.NewTracker(capture.Options{})
	half := frameOf(t, 0x0200, 1, 1, "")[:40]
	l := links()[3]
	packet := packetOf(t, l, seg{seq: 1, flags: "SA", data: half})
	before := heap()
	const connections = 90_000
	for i := range connections {
		binary.BigEndian.PutUint32(packet[12:], uint32(i+1)) // the source address; the checksum is not looked at
		if err := tracker.Packet(l.kind, packet, gopacket.CaptureInfo{Timestamp: begins, CaptureLength: len(packet), Length: len(packet)}); err != nil {
			t.Fatal(err)
		}
	}
	if grew := int64(heap()) - int64(before); grew > 256<<20 {
		t.Errorf("%d connections hold %d bytes", connections, grew)
	}
	if stats, _ := tracker.Close(); stats.Evicted != connections-capture.MaxStreams {
		t.Errorf("%d let go, want %d", stats.Evicted, connections-capture.MaxStreams)
	}
}

// TestHalfTheCircle: segments that lie exactly half of all sequence numbers away are neither before nor after, and are left out.
func TestHalfTheCircle(t *testing.T) {
	q := frameOf(t, 0x0200, 1, 1, "")
	found := 0
	tracker := capture.NewTracker(capture.Options{OnPair: func(*capture.Pair) error { found++; return nil }})
	stream(t, tracker, slices.Values([]seg{
		{seq: 1000, flags: "S"},
		{seq: 1001 + 1<<31, flags: "A", data: q},                      // beside the next byte expected
		{seq: 1101, flags: "A", data: q},                              // early: held
		{seq: 1101 + uint32(len(q)) + 1<<31 - 1, flags: "A", data: q}, // held far ahead
		{seq: 1001, flags: "A", data: q},
	}))
	if _, err := tracker.Close(); err != nil || found == 0 {
		t.Errorf("%d found, %v", found, err)
	}
}

// TestBoundedWaiting: a terminal that is never answered.
func TestBoundedWaiting(t *testing.T) {
	told := 0
	tracker := capture.NewTracker(capture.Options{OnPair: func(*capture.Pair) error { told++; return nil }})
	seq := uint32(1001)
	const messages = 1000
	stream(t, tracker, func(yield func(seg) bool) {
		yield(seg{seq: 1000, flags: "S"})
		for i := range messages {
			q := frameOf(t, 0x0200, 1, i+1, "")
			if !yield(seg{seq: seq, flags: "A", data: q}) {
				return
			}
			seq += uint32(len(q))
		}
	})
	if told != messages-capture.MaxWaiting {
		t.Errorf("%d told while it goes on, want %d", told, messages-capture.MaxWaiting)
	}
	if stats, _ := tracker.Close(); told != messages || stats.Unanswered != messages {
		t.Errorf("%d told, %+v", told, stats)
	}
}

// FuzzRead: no capture makes the reader panic, hold more than it may, or tell of a message that a frame does not hold.
func FuzzRead(f *testing.F) {
	frames := [][]byte{frameOf(f, 0x0200, 1, 1, ""), frameOf(f, 0x0210, 1, 1, "00")}
	for _, l := range links() {
		for _, ng := range []bool{false, true} {
			f.Add(fileOf(f, l, ng, whole, conversation(frames...)))
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		pairs := uint64(0)
		tracker := capture.NewTracker(capture.Options{Frames: true, OnPair: func(p *capture.Pair) error {
			if pairs++; p.Kind == capture.Message && len(p.Request.Frame) == 0 {
				t.Error("a message without its bytes")
			}
			return nil
		}})
		_ = tracker.Read(context.Background(), bytes.NewReader(file))
		stats, err := tracker.Close()
		if err != nil || stats.Pairs+stats.Unanswered != pairs || stats.Requests+stats.Answers != stats.Messages || stats.Messages*60 > uint64(len(file))*2 {
			t.Fatalf("%v, %d pairs, %+v", err, pairs, stats)
		}
	})
}

// FuzzSegments: segments of any numbers, order and bytes of two directions. Two bytes a segment say where it begins and
// how long it is, the third its flags.
func FuzzSegments(f *testing.F) {
	q := frameOf(f, 0x0200, 1, 1, "")
	f.Add(append([]byte{0, 0, 1, 0, byte(len(q)), 0}, q...))
	f.Add(append([]byte{10, 0, 9, 0, 60, 8}, q...))
	f.Fuzz(func(t *testing.T, script []byte) {
		tracker := capture.NewTracker(capture.Options{})
		l, at := links()[3], begins
		for len(script) >= 3 {
			where, n, flags := script[0], int(script[1]), script[2]
			script = script[3:]
			data := script[:min(n, len(script))]
			script = script[len(data):]
			letters := ""
			for i, c := range "SAFR" {
				if flags&(1<<i) != 0 {
					letters += string(c)
				}
			}
			packet := packetOf(t, l, seg{fromServer: flags&16 != 0, seq: 1000 + uint32(where)*uint32(1+flags>>6), ack: 1000 + uint32(where), flags: letters, data: data})
			at = at.Add(time.Duration(where) * time.Second)
			if err := tracker.Packet(l.kind, packet, gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(packet), Length: len(packet)}); err != nil {
				t.Fatal(err)
			}
		}
		if stats, err := tracker.Close(); err != nil || stats.Pairs+stats.Unanswered+stats.Answers < stats.Requests {
			t.Fatalf("%v, %+v", err, stats)
		}
	})
}

// TestTshark: another program reads the same files, puts the same streams together, and finds as many frames in them.
func TestTshark(t *testing.T) {
	for _, program := range []string{"tshark", "capinfos"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("NOT RUN: no %s; make need installs it", program)
		}
	}
	q1, a1, q2, a2 := frameOf(t, 0x0200, 1, 1, ""), frameOf(t, 0x0210, 1, 1, "00"), frameOf(t, 0x0200, 1, 2, ""), frameOf(t, 0x0210, 1, 2, "00")
	plain := conversation(slicesOf(q1, q2), slicesOf(a1, a2))
	swapped := conversation(q1, a1, q2, a2)
	swapped[3].data, swapped[3].seq = q1[:30], 1001
	rest := seg{seq: 1031, ack: 5001, flags: "A", data: q1[30:]}
	swapped = append(swapped[:3], append([]seg{rest, swapped[3], swapped[3]}, swapped[4:]...)...)
	for name, segs := range map[string][]seg{"plain": plain, "out of order and sent again": swapped} {
		of := links()
		some := []link{of[0], of[6]} // tshark takes a second to begin
		if os.Getenv("TOUCHSTONE_LONG") != "" {
			some = of
		}
		for _, l := range some {
			file := filepath.Join(t.TempDir(), "a.pcap")
			raw := fileOf(t, l, l.v6, whole, segs)
			if err := os.WriteFile(file, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			_, stats := read(t, raw, capture.Options{})
			if n := capinfos(t, file); n != stats.Packets {
				t.Errorf("%s, %s: capinfos counts %d packets, we %d", name, l.name, n, stats.Packets)
			}
			if n := framesByTshark(t, file); n != stats.Messages || n != 4 {
				t.Errorf("%s, %s: tshark's streams hold %d frames, ours %d", name, l.name, n, stats.Messages)
			}
		}
	}
}

func slicesOf(all ...[]byte) []byte { return bytes.Join(all, nil) }

func capinfos(t *testing.T, file string) uint64 {
	t.Helper()
	out, err := exec.Command("capinfos", "-T", "-r", "-c", "-M", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(out))
	var n uint64
	for _, c := range fields[len(fields)-1] {
		n = n*10 + uint64(c-'0')
	}
	return n
}

var rawLine = regexp.MustCompile(`(?m)^(\t?)([0-9a-f]+)$`)

// framesByTshark counts frames, by their length alone, in the two directions of stream 0 as tshark puts it together.
func framesByTshark(t *testing.T, file string) (n uint64) {
	t.Helper()
	out, err := exec.Command("tshark", "-r", file, "-q", "-z", "follow,tcp,raw,0").Output()
	if err != nil {
		t.Fatal(err)
	}
	var sides [2][]byte
	for _, line := range rawLine.FindAllStringSubmatch(string(out), -1) {
		sides[len(line[1])] = append(sides[len(line[1])], unhex(line[2])...)
	}
	for _, side := range sides {
		for len(side) >= 2 {
			size := 2 + int(binary.BigEndian.Uint16(side))
			if size > len(side) {
				t.Fatal("tshark's stream ends inside a frame")
			}
			side, n = side[size:], n+1
		}
	}
	return n
}

func unhex(s string) []byte {
	b := make([]byte, len(s)/2)
	for i := range b {
		b[i] = nibble(s[2*i])<<4 | nibble(s[2*i+1])
	}
	return b
}

func nibble(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}

// BenchmarkRead is a capture of requests and answers, each in a packet of its own, on 1,000 connections, found and paired.
func BenchmarkRead(b *testing.B) {
	var out bytes.Buffer
	r, err := capture.NewRecorder(&out)
	if err != nil {
		b.Fatal(err)
	}
	messages := 0
	for terminal := range 1000 {
		client := capture.Endpoint{Address: pos.IPv4(10, 0, byte(terminal>>8), byte(terminal)), Port: 40000}
		c, err := r.Open(begins, client, capture.Endpoint{Address: pos.IPv4(10, 9, 0, 1), Port: serverPort})
		for trace := range 50 {
			at := begins.Add(time.Duration(trace) * time.Second)
			if err == nil {
				err = c.Client(at, frameOf(b, 0x0200, terminal, trace+1, ""))
			}
			if err == nil {
				err = c.Server(at.Add(time.Millisecond), frameOf(b, 0x0210, terminal, trace+1, "00"))
			}
			messages += 2
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(out.Len()))
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		tracker := capture.NewTracker(capture.Options{OnPair: func(*capture.Pair) error { return nil }})
		if err := tracker.Read(b.Context(), bytes.NewReader(out.Bytes())); err != nil {
			b.Fatal(err)
		}
		if stats, _ := tracker.Close(); stats.Messages != uint64(messages) {
			b.Fatalf("%+v", stats)
		}
	}
	b.ReportMetric(float64(b.N)*float64(messages)/b.Elapsed().Seconds(), "messages/s")
}
