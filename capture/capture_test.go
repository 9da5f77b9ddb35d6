package capture_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/capture"
)

func TestLinksAndFormats(t *testing.T) {
	frames := [][]byte{frameOf(t, 0x0200, 1, 1, ""), frameOf(t, 0x0210, 1, 1, "00"), frameOf(t, 0x0200, 1, 2, ""), frameOf(t, 0x0210, 1, 2, "A0")}
	want := []string{"0200 000001 00", "0200 000002 A0"}
	for _, l := range links() {
		for _, ng := range []bool{false, true} {
			got, stats := read(t, fileOf(t, l, ng, whole, conversation(frames...)), capture.Options{})
			if !slices.Equal(got, want) || stats.Messages != 4 || stats.Payment != 1 || stats.Unread != 0 || stats.Streams != 1 {
				t.Errorf("%s, pcapng %t: %q, %+v", l.name, ng, got, stats)
			}
		}
	}
}

// TestStreams: what a network and a capture do to a stream.
func TestStreams(t *testing.T) {
	q1, a1 := frameOf(t, 0x0200, 1, 1, ""), frameOf(t, 0x0210, 1, 1, "00")
	q2, a2 := frameOf(t, 0x0200, 1, 2, ""), frameOf(t, 0x0210, 1, 2, "00")
	q3, a3 := frameOf(t, 0x0200, 1, 3, ""), frameOf(t, 0x0210, 1, 3, "00")
	n := uint32(len(q1))
	na := uint32(len(a1))
	open := []seg{{seq: 1000, flags: "S"}, {fromServer: true, seq: 5000, ack: 1001, flags: "SA"}, {seq: 1001, ack: 5001, flags: "A"}}
	req := func(seq uint32, data []byte) seg { return seg{seq: seq, ack: 5001, flags: "A", data: data} }
	ans := func(seq, ack uint32, data []byte) seg {
		return seg{fromServer: true, seq: seq, ack: ack, flags: "A", data: data}
	}
	bytewise := func() (list []seg) {
		list = slices.Clone(open)
		for i := range q1 {
			list = append(list, req(1001+uint32(i), q1[i:i+1]))
		}
		return append(list, ans(5001, 1001+n, a1))
	}
	all := []string{"0200 000001 00", "0200 000002 00", "0200 000003 00"}
	three := slices.Concat(q1, q2, q3)
	for name, c := range map[string]struct {
		segs  []seg
		want  []string
		check func(s capture.Stats) bool
	}{
		"three in one segment": {append(slices.Clone(open), req(1001, three), ans(5001, 1001+3*n, slices.Concat(a1, a2, a3))), all, nil},
		"a byte a segment":     {bytewise(), all[:1], nil},
		"sent again": {append(slices.Clone(open), req(1001, q1), req(1001, q1), ans(5001, 1001+n, a1), ans(5001, 1001+n, a1)), all[:1],
			func(s capture.Stats) bool { return s.Retransmitted == 2 && s.Messages == 2 }},
		"sent again, longer": {append(slices.Clone(open), req(1001, three[:n-10]), req(1001, three[:n+20]), req(1001+n+20, three[n+20:]), ans(5001, 1001+3*n, slices.Concat(a1, a2, a3))), all,
			func(s capture.Stats) bool { return s.Retransmitted == 1 }},
		"out of order": {append(slices.Clone(open), req(1001+n+7, three[n+7:]), req(1001, three[:n+7]), ans(5001, 1001+3*n, slices.Concat(a1, a2, a3))), all,
			func(s capture.Stats) bool { return s.Disordered == 1 && s.Gaps == 0 }},
		"out of order, three pieces backwards": {append(slices.Clone(open), req(1001+2*n, q3), req(1001+n, q2), req(1001, q1), ans(5001, 1001+3*n, slices.Concat(a1, a2, a3))), all,
			func(s capture.Stats) bool { return s.Disordered == 2 && s.Gaps == 0 }},
		"a lost request": {append(slices.Clone(open), req(1001, q1), ans(5001, 1001+n, a1), ans(5001+na, 1001+2*n, a2), req(1001+2*n, q3), ans(5001+2*na, 1001+3*n, a3)),
			[]string{"0200 000001 00", "0200 000003 00 gap"}, func(s capture.Stats) bool { return s.Gaps == 1 && s.LostBytes == uint64(n) && s.Orphans == 1 }},
		"a lost answer": {append(slices.Clone(open), req(1001, q1), seg{seq: 1001 + n, ack: 5001 + na, flags: "A", data: q2}, ans(5001+na, 1001+2*n, a2)),
			[]string{"0200 000001 - gap", "0200 000002 00 gap"}, func(s capture.Stats) bool { return s.Gaps == 1 && s.Unanswered == 1 }},
		"half a request lost": {append(slices.Clone(open), req(1001, q1[:30]), ans(5001, 1001+n, a1), req(1001+n, q2), ans(5001+na, 1001+2*n, a2)),
			[]string{"0200 000002 00 gap"}, func(s capture.Stats) bool { return s.Resyncs == 1 && s.Gaps == 1 && s.Orphans == 1 }},
		"begins in the middle of a message": {[]seg{req(1031, q1[30:]), ans(5001, 1001+n, a1), req(1001+n, q2), ans(5001+na, 1001+2*n, a2)},
			[]string{"0200 000002 00"}, func(s capture.Stats) bool { return s.Orphans == 1 && s.Resyncs >= 1 }},
		"begins between messages": {[]seg{req(1001, q1), ans(5001, 1001+n, a1)}, all[:1], nil},
		"the sequence number wraps": {[]seg{{seq: 0xFFFFFFF0, flags: "S"}, {fromServer: true, seq: 5000, ack: 0xFFFFFFF1, flags: "SA"},
			req(0xFFFFFFF1, q1), ans(5001, 0xFFFFFFF1+n, a1), req(0xFFFFFFF1+2*n, q3), req(0xFFFFFFF1+n, q2), ans(5001+na, 0xFFFFFFF1+3*n, slices.Concat(a2, a3))}, all, nil},
		"ports used again": {slices.Concat(conversation(q1, a1), conversation(q2, a2)), all[:2], func(s capture.Stats) bool { return s.Streams == 2 }},
		"the end sent again": {append(conversation(q1, a1), seg{seq: 1001, ack: 5001, flags: "FA", data: q1}), all[:1],
			func(s capture.Stats) bool { return s.Streams == 1 && s.Messages == 2 }},
		"nobody answers": {append(slices.Clone(open), req(1001, q1), seg{fromServer: true, seq: 5001, flags: "R"}), []string{"0200 000001 -"}, nil},
		"cut in a message": {append(conversation(q1, a1), seg{seq: 1000, flags: "S"}, seg{fromServer: true, seq: 5000, ack: 1001, flags: "SA"},
			req(1001, q2[:20]), seg{seq: 1021, ack: 5001, flags: "FA"}, seg{fromServer: true, seq: 5001, ack: 1022, flags: "FA"}), []string{"0200 000001 00", "cut"},
			func(s capture.Stats) bool { return s.CutFrames == 1 }},
		"no message, to a server of messages": {slices.Concat(conversation([]byte("GET / HTTP/1.1\r\n\r\n")), conversation(q1, a1)), []string{"0200 000001 00", "no frame"}, nil},
		"no message, to another server":       {conversation([]byte("GET / HTTP/1.1\r\n\r\n"), []byte("HTTP/1.1 200 OK\r\n\r\n")), nil, func(s capture.Stats) bool { return s.Payment == 0 && s.NoFrames == 0 }},
		"bytes after messages that are none": {append(slices.Clone(open), req(1001, q1), ans(5001, 1001+n, a1), req(1001+n, []byte("\x00\x40\x99garbage..."))), []string{"0200 000001 00", "no frame"},
			func(s capture.Stats) bool { return s.NoFrames == 1 }},
		"TLS":             {conversation([]byte("\x16\x03\x01\x00\x05hello"), []byte("\x16\x03\x03\x00\x05hello")), nil, func(s capture.Stats) bool { return s.TLS == 1 && s.Payment == 0 }},
		"TLS, later part": {[]seg{req(1001, []byte("\x17\x03\x03\x00\x20................................"))}, nil, func(s capture.Stats) bool { return s.TLS == 1 }},
		"malformed": {append(slices.Clone(open), req(1001, malformed(q1)), ans(5001, 1001+n, frameOf(t, 0x0210, 1, 1, "30"))), []string{"0200 000001 malformed 30"},
			func(s capture.Stats) bool { return s.Malformed == 1 }},
	} {
		got, stats := read(t, fileOf(t, links()[0], false, whole, c.segs), capture.Options{})
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if c.check != nil && !c.check(stats) {
			t.Errorf("%s: %+v", name, stats)
		}
	}
}

// malformed spoils the last element of a frame: a digit that is none.
func malformed(frame []byte) []byte {
	bad := bytes.Clone(frame)
	bad[len(bad)-1] = 0xFF
	return bad
}

// TestPairs: which answer is whose, and when it is too late.
func TestPairs(t *testing.T) {
	q := func(terminal, trace int) []byte { return frameOf(t, 0x0200, terminal, trace, "") }
	a := func(terminal, trace int, code string) []byte { return frameOf(t, 0x0210, terminal, trace, code) }
	two := func(port uint16, segs []seg) []seg {
		segs = slices.Clone(segs)
		for i := range segs {
			segs[i].port = port
		}
		return segs
	}
	stay := func(segs []seg) []seg { return segs[:len(segs)-3] } // without the end of the connection
	late := stay(conversation(q(1, 1), a(1, 1, "00")))
	late[len(late)-1].after = 2 * time.Minute
	tooLate := slices.Insert(slices.Clone(late), len(late)-1, seg{port: 40001, seq: 1, flags: "S", after: 90 * time.Second})
	for name, c := range map[string]struct {
		segs  []seg
		want  []string
		check func(s capture.Stats) bool
	}{
		"several terminals, answered out of order": {conversation(slices.Concat(q(1, 1), q(2, 1), q(3, 7)), slices.Concat(a(3, 7, "51"), a(2, 1, "00"), a(1, 1, "55"))),
			[]string{"0200 000007 51", "0200 000001 00", "0200 000001 55"}, nil},
		"another type is no answer": {conversation(q(1, 1), frameOf(t, 0x0410, 1, 1, "00")), []string{"0200 000001 -"}, func(s capture.Stats) bool { return s.Orphans == 1 }},
		"sent again on another connection": {slices.Concat(stay(conversation(q(1, 1))), []seg{{seq: 1001 + uint32(len(q(1, 1))), flags: "R"}}, two(40001, conversation(q(1, 1), a(1, 1, "00")))),
			[]string{"0200 000001 -", "0200 000001 00 repeat"}, func(s capture.Stats) bool { return s.Repeats == 1 }},
		"each terminal's in their order": {slices.Concat(stay(conversation(q(1, 1))), two(40001, conversation(q(1, 2), a(1, 2, "00"))), two(40002, conversation(q(2, 9), a(2, 9, "00")))),
			[]string{"0200 000009 00", "0200 000001 -", "0200 000002 00"}, nil},
		"late":                      {late, []string{"0200 000001 00"}, func(s capture.Stats) bool { return s.Late == 1 && s.Pairs == 1 }},
		"after it was given up":     {tooLate, []string{"0200 000001 -"}, func(s capture.Stats) bool { return s.Late == 1 && s.Unanswered == 1 }},
		"the same terminal goes on": {conversation(slices.Concat(q(1, 1), q(1, 2)), a(1, 2, "00")), []string{"0200 000001 -", "0200 000002 00"}, nil},
	} {
		got, stats := read(t, fileOf(t, links()[3], false, whole, c.segs), capture.Options{})
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if c.check != nil && !c.check(stats) {
			t.Errorf("%s: %+v", name, stats)
		}
	}
}

// TestAnyOrder: whatever order the packets of one direction come in, and however often, the same messages stand in it.
func TestAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(20261128, 1))
	for round := range 200 {
		var stream []byte
		messages := 1 + random.IntN(9)
		for trace := range messages {
			stream = append(stream, frameOf(t, 0x0200, 1, trace+1, "")...)
		}
		segs := []seg{}
		for at := 0; at < len(stream); {
			n := min(1+random.IntN(90), len(stream)-at)
			for range 1 + random.IntN(2) {
				segs = append(segs, seg{seq: 1001 + uint32(at), flags: "A", data: stream[at : at+n]})
			}
			at += n
		}
		// Not further than a direction holds back.
		for i := range segs {
			j := min(i+random.IntN(capture.MaxSegments/3), len(segs)-1)
			segs[i], segs[j] = segs[j], segs[i]
		}
		got, stats := read(t, fileOf(t, links()[3], false, whole, append([]seg{{seq: 1000, flags: "S"}}, segs...)), capture.Options{})
		if len(got) != messages || stats.Gaps != 0 || stats.Malformed != 0 {
			t.Fatalf("round %d: %d of %d messages, %+v", round, len(got), messages, stats)
		}
		for i, line := range got {
			if !strings.HasPrefix(line, "0200 00000"+string(rune('1'+i))) {
				t.Fatalf("round %d: message %d is %q", round, i+1, line)
			}
		}
	}
}

func TestSnaplen(t *testing.T) {
	segs := conversation(frameOf(t, 0x0200, 1, 1, ""), frameOf(t, 0x0210, 1, 1, "00"))
	got, stats := read(t, fileOf(t, links()[0], false, 96, segs), capture.Options{})
	if len(got) != 0 || stats.Shortened != 2 || stats.Messages != 0 {
		t.Errorf("%q, %+v", got, stats)
	}
}

func TestPort(t *testing.T) {
	file := fileOf(t, links()[0], false, whole, conversation(frameOf(t, 0x0200, 1, 1, ""), frameOf(t, 0x0210, 1, 1, "00")))
	for port, want := range map[uint16]int{0: 1, serverPort: 1, 8584: 0} {
		if got, _ := read(t, file, capture.Options{Port: port}); len(got) != want {
			t.Errorf("port %d: %q", port, got)
		}
	}
}

// TestFiles: what is no capture, and one that breaks off.
func TestFiles(t *testing.T) {
	file := fileOf(t, links()[0], false, whole, conversation(frameOf(t, 0x0200, 1, 1, ""), frameOf(t, 0x0210, 1, 1, "00")))
	ng := fileOf(t, links()[0], true, whole, conversation(frameOf(t, 0x0200, 1, 1, ""), frameOf(t, 0x0210, 1, 1, "00")))
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"nothing": {nil, capture.ErrFormat}, "three bytes": {[]byte{1, 2, 3}, capture.ErrFormat}, "text": {[]byte("no capture at all"), capture.ErrFormat},
		"gzip": {[]byte("\x1f\x8b\x08\x00aaaaaaaaaaaaaaaaaaaaaaa"), capture.ErrFormat}, "half a header": {file[:10], capture.ErrFormat}, "a header": {file[:24], nil},
		"cut": {file[:len(file)-3], capture.ErrTorn}, "pcapng, cut": {ng[:len(ng)-3], capture.ErrTorn}, "pcapng, half a header": {ng[:12], capture.ErrFormat},
		"a record of 4 GB": {append(bytes.Clone(file[:24]), 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), capture.ErrTorn},
	} {
		err := capture.NewTracker(capture.Options{}).Read(t.Context(), bytes.NewReader(c.in))
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := capture.NewTracker(capture.Options{}).Read(ctx, bytes.NewReader(file)); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is over: %v", err)
	}
	broken := errors.New("the caller's")
	tracker := capture.NewTracker(capture.Options{OnPair: func(*capture.Pair) error { return broken }})
	if err := tracker.Read(t.Context(), bytes.NewReader(file)); !errors.Is(err, broken) {
		t.Errorf("an error of OnPair: %v", err)
	}
}

// TestFrames: a pair lends the bytes it is about, and they are wiped afterwards.
func TestFrames(t *testing.T) {
	q, a := frameOf(t, 0x0200, 1, 1, ""), frameOf(t, 0x0210, 1, 1, "00")
	file := fileOf(t, links()[0], false, whole, conversation(q, a))
	var lent [2][]byte
	tracker := capture.NewTracker(capture.Options{Frames: true, OnPair: func(p *capture.Pair) error {
		if !bytes.Equal(p.Request.Frame, q[2:]) || !bytes.Equal(p.Answer.Frame, a[2:]) {
			t.Error("other bytes than were sent")
		}
		lent = [2][]byte{p.Request.Frame, p.Answer.Frame}
		return nil
	}})
	if err := tracker.Read(t.Context(), bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	for _, frame := range lent {
		if len(frame) == 0 || !bytes.Equal(frame, make([]byte, len(frame))) {
			t.Error("a frame was not wiped")
		}
	}
}

// TestRecorder: what the recorder writes is read back.
func TestRecorder(t *testing.T) {
	var out bytes.Buffer
	r, err := capture.NewRecorder(&out)
	if err != nil {
		t.Fatal(err)
	}
	four := capture.Endpoint{Address: [16]byte{10: 0xff, 11: 0xff, 12: 10, 15: 1}, Port: 40000}
	six := capture.Endpoint{Address: [16]byte{0: 0xfd, 15: 1}, Port: 40000}
	for i, end := range []capture.Endpoint{four, six} {
		server := end
		server.Port = serverPort
		c, err := r.Open(begins, end, server)
		err = errors.Join(err, c.Client(begins.Add(time.Second), frameOf(t, 0x0200, 1, i+1, "")), c.Server(begins.Add(2*time.Second), bytes.Repeat(frameOf(t, 0x0210, 1, i+1, "00"), 30)), c.Close(begins.Add(3*time.Second)))
		if err != nil {
			t.Fatal(err)
		}
	}
	got, stats := read(t, out.Bytes(), capture.Options{})
	if !slices.Equal(got, []string{"0200 000001 00", "0200 000002 00"}) || stats.Orphans != 58 || stats.Streams != 2 {
		t.Errorf("%q, %+v", got, stats)
	}
	if _, err := capture.NewRecorder(failing{}); err == nil {
		t.Error("a writer that fails")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
