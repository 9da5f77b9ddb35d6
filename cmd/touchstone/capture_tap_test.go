package main

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"touchstone/capture"
	"touchstone/pos"
)

// tap is a wire between terminals and a host with a capture of what passes: it listens, forwards every byte, and writes
// both directions down. It needs no leave to see a network, unlike tcpdump.
type tap struct {
	ln   net.Listener
	host string
	file *os.File
	out  *capture.Recorder
	wait sync.WaitGroup

	mu  sync.Mutex // guards err
	err error
}

// newTap listens on a free port of loopback.
func newTap(host, file string) (*tap, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	out, err := capture.NewRecorder(f)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &tap{ln: ln, host: host, file: f, out: out}
	t.wait.Go(t.accept)
	return t, nil
}

func (t *tap) accept() {
	for {
		c, err := t.ln.Accept()
		if err != nil {
			return
		}
		t.wait.Go(func() { t.carry(c.(*net.TCPConn)) })
	}
}

func (t *tap) keep(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil && err != nil {
		t.err = err
	}
}

func endpoint(a net.Addr) capture.Endpoint {
	p := a.(*net.TCPAddr).AddrPort()
	addr := netip.AddrFrom16(p.Addr().As16())
	return capture.Endpoint{Address: pos.Address(addr.As16()), Port: p.Port()}
}

// carry forwards one connection. The host hears it from the terminal's own address.
func (t *tap) carry(client *net.TCPConn) {
	defer client.Close()
	from := client.RemoteAddr().(*net.TCPAddr)
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.IP}}
	server, err := d.Dial("tcp", t.host)
	if err != nil {
		t.keep(err)
		return
	}
	defer server.Close()
	talk, err := t.out.Open(time.Now(), endpoint(client.RemoteAddr()), endpoint(server.RemoteAddr()))
	t.keep(err)
	// One direction at a time is written down, each before it is handed on: a capture has no answer before its request.
	var order sync.Mutex
	move := func(to, from *net.TCPConn, record func(time.Time, []byte) error) {
		buf := make([]byte, 4096)
		for {
			n, err := from.Read(buf)
			if n > 0 {
				order.Lock()
				t.keep(record(time.Now(), buf[:n]))
				order.Unlock()
				if _, werr := to.Write(buf[:n]); werr != nil {
					err = werr
				}
			}
			if err != nil {
				_ = to.CloseWrite()
				return
			}
		}
	}
	var both sync.WaitGroup
	both.Go(func() { move(server.(*net.TCPConn), client, talk.Client) })
	both.Go(func() { move(client, server.(*net.TCPConn), talk.Server) })
	both.Wait()
	t.keep(talk.Close(time.Now()))
}

// close ends it and gives the first error.
func (t *tap) close() error {
	_ = t.ln.Close()
	t.wait.Wait()
	t.keep(t.file.Close())
	return t.err
}

// scriptTap is the command tap of the scripts: tap FILE takes what terminals say to $TAP down until tap stop.
func scriptTap(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tap FILE | tap stop")
	}
	running, _ := ts.Value(tapKey{}).(*tapHolder)
	if args[0] == "stop" {
		if running.tap == nil {
			ts.Fatalf("tap: there is none")
		}
		ts.Check(running.tap.close())
		running.tap = nil
		return
	}
	var err error
	running.tap, err = newTap(ts.Getenv("HOST"), ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Setenv("TAP", running.tap.ln.Addr().String())
}

type (
	tapKey    struct{}
	tapHolder struct{ tap *tap }
)

// startTap is a tap of a test's own.
func startTap(t *testing.T, host, file string) *tap {
	t.Helper()
	p, err := newTap(host, file)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
