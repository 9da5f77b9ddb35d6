package faultproxy_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"touchstone/faultproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon bounds what a test waits for; what should not come is waited for as long as quiet.
const (
	soon  = 2 * time.Minute
	quiet = 150 * time.Millisecond
)

// peerHost is a host that notes every chunk it reads and answers each frame with its own bytes, "A" before the text.
type peerHost struct {
	ln   net.Listener
	wait sync.WaitGroup
	mu   sync.Mutex
	got  []string
	more chan struct{}
	ends []error // how each connection's reading ended
}

func frame(text string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(text))), text...)
}

func readFrame(r io.Reader) (string, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	body := make([]byte, binary.BigEndian.Uint16(head))
	_, err := io.ReadFull(r, body)
	return string(body), err
}

func startHost(t *testing.T) *peerHost {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &peerHost{ln: ln, more: make(chan struct{}, 1000)}
	h.wait.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			h.wait.Go(func() { h.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		h.wait.Wait()
	})
	return h
}

func (h *peerHost) serve(c net.Conn) {
	defer c.Close()
	for {
		text, err := readFrame(c)
		h.mu.Lock()
		if err != nil {
			h.ends = append(h.ends, err)
			h.mu.Unlock()
			h.more <- struct{}{}
			return
		}
		h.got = append(h.got, text)
		h.mu.Unlock()
		h.more <- struct{}{}
		if _, err := c.Write(frame("A" + text)); err != nil {
			return
		}
	}
}

// await waits until the host has got n frames and e ends.
func (h *peerHost) await(t *testing.T, n, e int) (got []string, ends []error) {
	t.Helper()
	late := time.After(soon)
	for {
		h.mu.Lock()
		got, ends = append([]string(nil), h.got...), append([]error(nil), h.ends...)
		h.mu.Unlock()
		if len(got) >= n && len(ends) >= e {
			return got, ends
		}
		select {
		case <-h.more:
		case <-late:
			t.Fatalf("the host has %q and ends %v, want %d and %d", got, ends, n, e)
		}
	}
}

// rig is a host, a proxy and clients.
type rig struct {
	host  *peerHost
	proxy *faultproxy.Proxy
}

func newRig(t *testing.T, cfg faultproxy.Config) *rig {
	t.Helper()
	h := startHost(t)
	cfg.To = h.ln.Addr().String()
	p, err := faultproxy.Listen("127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return &rig{h, p}
}

func (r *rig) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.proxy.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write(frame(text)); err != nil {
		t.Fatal(err)
	}
}

// hear wants the next frame; nothing wants none for a while.
func hear(t *testing.T, c net.Conn, want string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(soon))
	if got, err := readFrame(c); err != nil || got != want {
		t.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

func nothing(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(quiet))
	got, err := readFrame(c)
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Fatalf("heard %q, %v; want silence", got, err)
	}
}

func plan(t *testing.T, text string) faultproxy.Schedule {
	t.Helper()
	s, err := faultproxy.ParseSchedule(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestToxics: each kind does to the unit it names what it says, and to no other.
func TestToxics(t *testing.T) {
	for _, c := range []struct {
		plan string
		do   func(t *testing.T, r *rig, c net.Conn)
	}{
		{"request:1:delay:wait=60ms,spread=10ms", func(t *testing.T, r *rig, c net.Conn) {
			began := time.Now()
			send(t, c, "one")
			hear(t, c, "Aone")
			if d := time.Since(began); d < 60*time.Millisecond {
				t.Errorf("after %v", d)
			}
		}},
		{"answer:1:stall:wait=60ms", func(t *testing.T, r *rig, c net.Conn) {
			began := time.Now()
			send(t, c, "one")
			hear(t, c, "Aone")
			if d := time.Since(began); d < 60*time.Millisecond {
				t.Errorf("after %v", d)
			}
		}},
		{"request:*:split:bytes=2", func(t *testing.T, r *rig, c net.Conn) {
			send(t, c, "a longer text")
			hear(t, c, "Aa longer text")
		}},
		{"request:1:throttle:bytes=1000", func(t *testing.T, r *rig, c net.Conn) {
			began := time.Now()
			send(t, c, strings.Repeat("x", 98))
			hear(t, c, "A"+strings.Repeat("x", 98))
			if d := time.Since(began); d < 80*time.Millisecond {
				t.Errorf("100 bytes at 1000 a second in %v", d)
			}
		}},
		{"request:1:coalesce:wait=10s", func(t *testing.T, r *rig, c net.Conn) {
			send(t, c, "one")
			nothing(t, c)
			send(t, c, "two")
			hear(t, c, "Aone")
			hear(t, c, "Atwo")
		}},
		{"request:1:coalesce:wait=20ms", func(t *testing.T, r *rig, c net.Conn) {
			send(t, c, "one")
			hear(t, c, "Aone")
		}},
		{"request:2:duplicate", func(t *testing.T, r *rig, c net.Conn) {
			send(t, c, "one")
			hear(t, c, "Aone")
			send(t, c, "two")
			hear(t, c, "Atwo")
			hear(t, c, "Atwo")
			nothing(t, c)
		}},
		{"request:1:replay", func(t *testing.T, r *rig, c net.Conn) {
			send(t, c, "one")
			hear(t, c, "Aone")
			nothing(t, c)
			send(t, c, "two")
			hear(t, c, "Atwo")
			hear(t, c, "Aone")
		}},
		{"request:1:reorder", func(t *testing.T, r *rig, c net.Conn) {
			send(t, c, "one")
			nothing(t, c)
			c.Close() // the client has given up; what it sent is still on its way
			other := r.dial(t)
			send(t, other, "two")
			hear(t, other, "Atwo")
			// By itself it comes a moment after; to the host, which reads two connections, in either order.
			got, _ := r.host.await(t, 2, 1)
			if slices.Sort(got); strings.Join(got, " ") != "one two" {
				t.Errorf("the host got %q", got)
			}
		}},
		{"request:1:reorder:wait=1m0s", func(t *testing.T, r *rig, c net.Conn) {
			send(t, c, "one")
			nothing(t, c)
			other := r.dial(t)
			send(t, other, "two")
			hear(t, other, "Atwo")
			if got, _ := r.host.await(t, 1, 0); strings.Join(got, " ") != "two" {
				t.Errorf("before the wait was over the host got %q", got)
			}
			r.proxy.Heal()
			hear(t, c, "Aone")
		}},
		{"answer:1:drop", func(t *testing.T, r *rig, c net.Conn) {
			send(t, c, "one")
			nothing(t, c)
			send(t, c, "two")
			hear(t, c, "Atwo")
		}},
		{"answer:1:alter:bytes=1", func(t *testing.T, r *rig, c net.Conn) {
			send(t, c, "one")
			hear(t, c, "Aond")
		}},
		{"request:1:cut:bytes=4", func(t *testing.T, r *rig, c net.Conn) {
			send(t, c, "one")
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("the client sees %v", err)
			}
			if _, ends := r.host.await(t, 0, 1); ends[0] != io.ErrUnexpectedEOF {
				t.Errorf("the host sees %v", ends)
			}
		}},
		{"answer:1:reset:bytes=1", func(t *testing.T, r *rig, c net.Conn) {
			send(t, c, "one")
			got, err := io.ReadAll(c)
			if err == nil || len(got) > 1 {
				t.Errorf("the client has %q, %v", got, err)
			}
			if _, ends := r.host.await(t, 1, 1); errors.Is(ends[0], io.EOF) {
				t.Errorf("the host sees an orderly end")
			}
		}},
		{"answer:1:half-open", func(t *testing.T, r *rig, c net.Conn) {
			send(t, c, "one")
			send(t, c, "two") // this way still goes
			r.host.await(t, 2, 0)
			nothing(t, c)
			r.proxy.Heal()
			c.SetReadDeadline(time.Now().Add(soon))
			if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("still open after the network healed: %v", err)
			}
		}},
		{"request:1:half-open", func(t *testing.T, r *rig, c net.Conn) {
			send(t, c, "one")
			c.(*net.TCPConn).CloseWrite()
			nothing(t, c)
			if got, ends := r.host.await(t, 0, 0); len(got)+len(ends) != 0 {
				t.Errorf("the host got %q and saw %v", got, ends)
			}
		}},
		{"request:2:refuse", func(t *testing.T, r *rig, c net.Conn) {
			send(t, c, "one")
			hear(t, c, "Aone")
			other := r.dial(t)
			other.SetReadDeadline(time.Now().Add(soon))
			if _, err := other.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the second connection is served, or held: %v", err)
			}
			third := r.dial(t)
			send(t, third, "three")
			hear(t, third, "Athree")
		}},
	} {
		t.Run(c.plan, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, faultproxy.Config{})
			r.proxy.Arm(plan(t, c.plan))
			c.do(t, r, r.dial(t))
			if !strings.Contains(c.plan, "half-open") && r.proxy.Fired() == 0 {
				t.Error("nothing was done")
			}
		})
	}
}

// TestHealReleases: what is held when the network heals arrives, late.
func TestHealReleases(t *testing.T) {
	r := newRig(t, faultproxy.Config{})
	r.proxy.Arm(plan(t, "request:1:reorder"))
	c := r.dial(t)
	send(t, c, "one")
	nothing(t, c)
	r.proxy.Heal()
	hear(t, c, "Aone")
}

// TestSameSeedSameDraws: a schedule printed and read again draws the same; another seed draws otherwise.
func TestSameSeedSameDraws(t *testing.T) {
	drawn := func(seed uint64) (waits []time.Duration) {
		var mu sync.Mutex
		r := newRig(t, faultproxy.Config{Log: func(e faultproxy.Event) {
			mu.Lock()
			defer mu.Unlock()
			waits = append(waits, e.Toxic.Wait)
		}})
		r.proxy.Arm(plan(t, plan(t, fmt.Sprintf("request:*:delay:wait=0s,spread=20ms seed=%d", seed)).String()))
		c := r.dial(t)
		for range 8 {
			send(t, c, "x")
			hear(t, c, "Ax")
		}
		mu.Lock()
		defer mu.Unlock()
		return waits
	}
	first := drawn(3)
	if again := drawn(3); len(first) != 8 || !slices.Equal(first, again) {
		t.Errorf("the same seed draws %v and %v", first, again)
	}
	if other := drawn(4); slices.Equal(first, other) {
		t.Errorf("another seed draws the same: %v", first)
	}
}

// TestSchedulesPrintAndParse: what prints is read back, for every kind.
func TestSchedulesPrintAndParse(t *testing.T) {
	var s faultproxy.Schedule
	s.Seed = 99
	for i, k := range faultproxy.Kinds() {
		s.Toxics = append(s.Toxics, faultproxy.New(faultproxy.Request, i, k))
		if k != faultproxy.Refuse {
			s.Toxics = append(s.Toxics, faultproxy.New(faultproxy.Answer, i+1, k))
		}
	}
	if back := plan(t, s.String()); back.String() != s.String() || len(back.Toxics) != len(s.Toxics) {
		t.Errorf("%s\nreads back as\n%s", s, back)
	}
	for _, bad := range []string{"", "request:1", "up:1:drop", "request:0:drop", "request:-1:drop", "request:x:drop", "request:1:burn",
		"answer:1:refuse", "request:1:drop:wait=1s", "request:1:delay:wait=-1s", "request:1:delay:wait=2h", "request:1:delay:wait",
		"request:1:split:bytes=0", "request:1:throttle:bytes=0", "request:1:cut:bytes=x"} {
		if _, err := faultproxy.ParseToxic(bad); !errors.Is(err, faultproxy.ErrToxic) {
			t.Errorf("%q: error %v", bad, err)
		}
	}
	if _, err := faultproxy.ParseSchedule("request:1:drop seed=x"); !errors.Is(err, faultproxy.ErrToxic) {
		t.Errorf("a seed that is no number: %v", err)
	}
}

// TestLoopbackOnly: neither end may be another machine.
func TestLoopbackOnly(t *testing.T) {
	for _, c := range [][2]string{{"0.0.0.0:0", "127.0.0.1:1"}, {"127.0.0.1:0", "192.0.2.1:8583"}, {"[::]:0", "127.0.0.1:1"}} {
		if p, err := faultproxy.Listen(c[0], faultproxy.Config{To: c[1]}); !errors.Is(err, faultproxy.ErrLoopback) {
			t.Errorf("%v: %v", c, err)
			if p != nil {
				p.Close()
			}
		}
	}
	if _, err := faultproxy.Listen("localhost", faultproxy.Config{To: "127.0.0.1:1"}); err == nil {
		t.Error("an address without a port is taken")
	}
}

// TestUnits: what a unit is, and that nothing of a stream is lost, whatever it is.
func TestUnits(t *testing.T) {
	record := func(n int) []byte { return append([]byte{22, 3, 3, 0, byte(n)}, make([]byte, n)...) }
	for _, c := range []struct {
		name   string
		units  faultproxy.Units
		stream []byte
		plan   string
		want   []byte
	}{
		{"frames", faultproxy.Frames, append(frame("one"), frame("two")...), "request:1:drop", frame("two")},
		{"records", faultproxy.Records, append(record(3), record(5)...), "request:1:drop", record(5)},
		{"a frame cut short", faultproxy.Frames, []byte{0, 9, 1, 2}, "", []byte{0, 9, 1, 2}},
		{"half a head", faultproxy.Records, []byte{22, 3}, "", []byte{22, 3}},
		{"bytes", faultproxy.Bytes, []byte("anything"), "", []byte("anything")},
	} {
		t.Run(c.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			p, err := faultproxy.Listen("127.0.0.1:0", faultproxy.Config{To: ln.Addr().String(), Units: c.units})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			p.Arm(plan(t, c.plan))
			client, err := net.Dial("tcp", p.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			client.Write(c.stream)
			client.(*net.TCPConn).CloseWrite()
			host, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer host.Close()
			host.SetReadDeadline(time.Now().Add(soon))
			if got, err := io.ReadAll(host); err != nil || !bytes.Equal(got, c.want) {
				t.Errorf("got %x, %v; want %x", got, err, c.want)
			}
		})
	}
}

// TestSourceAddressIsKept: the host sees the address the client has.
func TestSourceAddressIsKept(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p, err := faultproxy.Listen("127.0.0.1:0", faultproxy.Config{To: ln.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 7, 7)}}
	c, err := d.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	host, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	if from, _, _ := net.SplitHostPort(host.RemoteAddr().String()); from != "127.0.7.7" {
		t.Errorf("from %s", from)
	}
}

// FuzzSchedule: what is accepted prints as a line that reads the same.
func FuzzSchedule(f *testing.F) {
	for _, text := range []string{"request:2:cut:bytes=7 answer:1:drop seed=4711", "answer:*:delay:wait=1s,spread=20ms", "request:1:half-open", "seed=-1", "a:b:c"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := faultproxy.ParseSchedule(text)
		if err != nil {
			if !errors.Is(err, faultproxy.ErrToxic) || len(s.Toxics) != 0 {
				t.Fatalf("%v", err)
			}
			return
		}
		if back, err := faultproxy.ParseSchedule(s.String()); err != nil || back.String() != s.String() {
			t.Fatalf("%q prints as %q, which reads as %q, %v", text, s, back, err)
		}
	})
}
