package listener_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"touchstone/host"
	"touchstone/iso8583"
	"touchstone/reason"
)

const approved = "00"

func id(n int) string { return fmt.Sprintf("%08d", n) }

// TestSplitFrames: a frame is a frame however TCP cuts it.
func TestSplitFrames(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := overTCP(t, short(), nil)
	defer r.stop(t)
	c := r.dial(t)
	defer c.Close()
	for i := range echo(t, id(1), 1) {
		frame := echo(t, id(1), uint64(i))
		c.send(t, frame[:i])
		c.send(t, frame[i:])
		if got := c.hear(t); got != (said{id(1), uint64(i), approved}) {
			t.Fatalf("cut after %d bytes: %+v", i, got)
		}
	}
	for _, b := range echo(t, id(1), 777) {
		c.send(t, []byte{b})
	}
	if got := c.hear(t); got != (said{id(1), 777, approved}) {
		t.Fatalf("byte by byte: %+v", got)
	}
}

// TestManyInOneWrite sends more frames at once than may be in flight; the rest waits in the connection.
func TestManyInOneWrite(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, inFlight := range []int{1, 2, 32} {
		limits := short()
		limits.InFlight = inFlight
		r := overTCP(t, limits, nil)
		c := r.dial(t)
		const frames = 300
		var all []byte
		for i := range frames {
			all = append(all, echo(t, id(i%7+1), uint64(i))...)
		}
		c.send(t, all)
		for i := range frames {
			if got := c.hear(t); got != (said{id(i%7 + 1), uint64(i), approved}) {
				t.Fatalf("%d in flight: answer %d is %+v", inFlight, i, got)
			}
		}
		if n := r.server.Counts(); n.Frames != frames || n.Answers != frames || n.Accepted != 1 || n.BadFrames != 0 {
			t.Errorf("%d in flight: counted %+v", inFlight, n)
		}
		c.Close()
		r.stop(t)
	}
}

// TestAnyOrder: messages of many terminals share a connection, and an answer does not wait for those
// before it.
func TestAnyOrder(t *testing.T) {
	defer goleak.VerifyNone(t)
	const terminals = 8
	var mu sync.Mutex
	var later []*host.Exchange
	r := overTCP(t, short(), func(r *rig) {
		// Each is enqueued before those that came before it, but for the last to come: the others are
		// enqueued while it is begun, and it is not done before that is over.
		r.ledger.hook = func(x *host.Exchange, enqueue func(*host.Exchange) error) error {
			mu.Lock()
			defer mu.Unlock()
			if later = append(later, x); len(later) < terminals {
				return nil
			}
			slices.Reverse(later[:terminals-1])
			for _, x := range later {
				if err := enqueue(x); err != nil {
					return err
				}
			}
			later = nil
			return nil
		}
	})
	defer r.stop(t)
	c := r.dial(t)
	defer c.Close()
	for round := range 50 {
		for i := range terminals {
			c.send(t, echo(t, id(i+1), uint64(round)))
		}
		for _, due := range []int{7, 6, 5, 4, 3, 2, 1, 8} {
			if got := c.hear(t); got != (said{id(due), uint64(round), approved}) {
				t.Fatalf("round %d: %+v where terminal %d was due", round, got, due)
			}
		}
	}
}

// TestNoFrame: bytes that are no frame are journaled, and the connection ends without an answer.
func TestNoFrame(t *testing.T) {
	defer goleak.VerifyNone(t)
	length := func(n int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(n)) }
	whole := echo(t, id(1), 1)
	cases := []struct {
		name  string
		bytes []byte
		ends  bool // the client ends its side
	}{
		{"length 0", length(0), false},
		{"length 20", length(iso8583.MinFrame - 1), false},
		{"length 2049", length(iso8583.MaxFrame + 1), false},
		{"length 65535", length(65535), false},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), false},
		{"TLS", []byte{0x16, 0x03, 0x01, 0x02, 0x00, 0x01}, false},
		{"one byte", whole[:1], true},
		{"length alone", whole[:2], true},
		{"cut in the middle", whole[:len(whole)/2], true},
		{"last byte missing", whole[:len(whole)-1], true},
		{"envelope that is none", append(length(iso8583.MinFrame), make([]byte, iso8583.MinFrame)...), false},
	}
	for _, before := range []int{0, 1} {
		for _, c := range cases {
			t.Run(fmt.Sprintf("%s after %d good", c.name, before), func(t *testing.T) {
				r := overTCP(t, short(), nil)
				defer r.stop(t)
				conn := r.dial(t)
				defer conn.Close()
				want := []reason.Reason{}
				for range before {
					conn.send(t, whole)
					if got := conn.hear(t); got.code != approved {
						t.Fatalf("answered %+v", got)
					}
					want = append(want, reason.None)
				}
				conn.send(t, c.bytes)
				if c.ends {
					if err := conn.Conn.(*net.TCPConn).CloseWrite(); err != nil {
						t.Fatal(err)
					}
				}
				conn.silent(t)
				if got, want := r.sink.reasons(), append(want, reason.FrameMalformed); !slices.Equal(got, want) {
					t.Errorf("journaled %v, want %v", got, want)
				}
			})
		}
	}
}

// TestGoodBeforeBad: a message read before the bytes that end the connection is answered.
func TestGoodBeforeBad(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := overTCP(t, short(), nil)
	defer r.stop(t)
	c := r.dial(t)
	defer c.Close()
	c.send(t, append(echo(t, id(1), 5), 0, 0))
	if got := c.hear(t); got != (said{id(1), 5, approved}) {
		t.Errorf("answered %+v", got)
	}
	c.silent(t)
	if n := r.server.Counts(); n.BadFrames != 1 || n.Frames != 1 || n.Answers != 1 {
		t.Errorf("counted %+v", n)
	}
}

// TestCleanEnd: a peer that ends between frames leaves no trace in the journal.
func TestCleanEnd(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := overTCP(t, short(), nil)
	defer r.stop(t)
	c := r.dial(t)
	c.send(t, echo(t, id(1), 1))
	c.hear(t)
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.silent(t)
	c.Close()
	if got := r.sink.reasons(); !slices.Equal(got, []reason.Reason{reason.None}) {
		t.Errorf("journaled %v", got)
	}
}

// TestEndsAfterAsking: a peer that ends its side after its requests still has every answer.
func TestEndsAfterAsking(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := overTCP(t, short(), nil)
	defer r.stop(t)
	c := r.dial(t)
	defer c.Close()
	const frames = 20
	for i := range frames {
		c.send(t, echo(t, id(1), uint64(i)))
	}
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for i := range frames {
		if got := c.hear(t); got.trace != uint64(i) || got.code != approved {
			t.Fatalf("answer %d is %+v", i, got)
		}
	}
	c.silent(t)
}

// TestShutdown: what was read is answered after the server was told to end, and no goroutine stays.
func TestShutdown(t *testing.T) {
	defer goleak.VerifyNone(t)
	const conns, frames = 5, 6
	r := overTCP(t, short(), func(r *rig) {
		r.ledger.seen = make(chan struct{}, conns*(frames+1))
		r.sink.gate.Lock() // nothing becomes durable yet
	})
	idle := r.dial(t)
	defer idle.Close()
	var all []*client
	for range conns {
		c := r.dial(t)
		defer c.Close()
		all = append(all, c)
		for i := range frames - 1 {
			c.send(t, echo(t, id(1), uint64(i)))
		}
		c.send(t, echo(t, stranger, frames-1)) // refused, so it leaves on the tick
	}
	for range conns * frames {
		<-r.ledger.seen
	}
	r.cancel()
	idle.silent(t) // the server has begun to end: silent connections are closed
	if _, err := net.Dial("tcp", r.ln.Addr().String()); err == nil {
		t.Error("a connection was taken after the end")
	}
	r.sink.gate.Unlock()
	for _, c := range all {
		heard := map[uint64]string{}
		for range frames {
			got := c.hear(t)
			heard[got.trace] = got.code
		}
		if len(heard) != frames || heard[0] != approved || heard[frames-1] == approved {
			t.Errorf("heard %v", heard)
		}
		c.silent(t)
	}
	r.stop(t)
}

// TestServeFails: a listener that fails ends Serve with its error.
func TestServeFails(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := overTCP(t, short(), nil)
	c := r.dial(t)
	defer c.Close()
	c.send(t, echo(t, id(1), 1))
	c.hear(t)
	if err := r.ln.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-r.ended; err == nil {
		t.Error("Serve returned nil")
	}
	c.silent(t)
	r.cancel()
	r.commit()
	r.wait.Wait()
}

// TestJournalFails: what cannot become durable is not answered, and its connections end. Afterwards
// nothing is accepted by the journal, and messages end their connection without an answer.
func TestJournalFails(t *testing.T) {
	defer goleak.VerifyNone(t)
	const conns, frames = 6, 10
	r := overTCP(t, short(), func(r *rig) {
		r.ledger.seen = make(chan struct{}, conns*frames+1)
		r.sink.gate.Lock()
	})
	defer r.stop(t)
	var all []*client
	for n := range conns {
		c := r.dial(t)
		defer c.Close()
		all = append(all, c)
		for i := range frames {
			terminal := id(1)
			if n == 0 {
				terminal = stranger // refusals, which pass by the tick, neither
			}
			c.send(t, echo(t, terminal, uint64(i)))
		}
	}
	for range conns * frames {
		<-r.ledger.seen
	}
	r.sink.fail()
	r.sink.gate.Unlock()
	for _, c := range all {
		c.silent(t)
	}
	if n := r.server.Counts(); n.Answers != 0 || n.Frames != conns*frames {
		t.Errorf("counted %+v", n)
	}
	c := r.dial(t)
	defer c.Close()
	c.send(t, echo(t, id(1), 99))
	c.silent(t) // a refusal would be a lie where the message is the repeat of one that reached the disk
	if got := r.sink.reasons(); len(got) != 0 {
		t.Errorf("%d entries were journaled", len(got))
	}
}

// TestBusy is many connections with pipelined messages of many terminals, answers and refusals mixed,
// some of them cut off.
func TestBusy(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := overTCP(t, short(), nil)
	const conns, rounds, pipelined = 24, 12, 10
	var all sync.WaitGroup
	for n := range conns {
		c := r.dial(t)
		all.Go(func() {
			defer c.Close()
			for round := range rounds {
				open := map[said]bool{}
				var bytes []byte
				for i := range pipelined {
					s := said{id(i + 1), uint64(round*pipelined + i), approved}
					if (i+n)%5 == 0 {
						s.terminal, s.code = stranger, reason.TerminalUnknown.DE39().String()
					}
					open[s] = true
					bytes = append(bytes, echo(t, s.terminal, s.trace)...)
				}
				if _, err := c.Write(bytes); err != nil {
					t.Errorf("send: %v", err)
					return
				}
				for range pipelined {
					frame, err := iso8583.ReadFrame(c, nil)
					if err != nil {
						t.Errorf("no answer: %v", err)
						return
					}
					var m iso8583.Message
					if err := iso8583.UnionPay.Parse(&m, frame); err != nil {
						t.Errorf("answer: %v", err)
						return
					}
					trace, _ := m.Number(11)
					s := said{string(m.Raw(41)), trace, string(m.Raw(39))}
					if !open[s] {
						t.Errorf("answered %+v, which was not asked or was answered before", s)
						return
					}
					delete(open, s)
				}
			}
			if n%3 == 0 {
				// Gone inside a frame: no answer is due.
				if _, err := c.Write([]byte{0, 40, 0x60}); err != nil {
					t.Errorf("send: %v", err)
				}
				if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
					t.Errorf("end: %v", err)
				}
				c.silent(t)
			}
		})
	}
	all.Wait()
	r.stop(t)
	if n := r.server.Counts(); n.Answers != conns*rounds*pipelined || n.Frames != n.Answers || n.BadFrames != (conns+2)/3 {
		t.Errorf("counted %+v", n)
	}
}
