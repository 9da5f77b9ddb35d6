package notify

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"touchstone/redress"
)

// TestS05Addresses: which addresses are dialled for a URL of the configuration, whatever name led to them.
func TestS05Addresses(t *testing.T) {
	inside := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")}
	for address, want := range map[string]struct{ out, here, in bool }{
		"127.0.0.1": {false, true, false}, "127.9.9.9": {false, true, false}, "::1": {false, true, false}, "::ffff:127.0.0.1": {false, true, false},
		"169.254.169.254": {}, "fe80::1": {}, "::ffff:169.254.169.254": {}, "0.0.0.0": {}, "::": {}, "255.255.255.255": {}, "224.0.0.1": {}, "ff02::1": {}, "100.64.0.1": {}, "198.18.0.1": {},
		"192.168.1.1": {}, "172.16.0.1": {}, "10.2.0.1": {}, "fd00:2::1": {}, "64:ff9b::7f00:1": {}, "2002:7f00:1::": {}, "10.1.2.3": {false, false, true}, "::ffff:10.1.2.3": {false, false, true}, "fd00:1::1": {false, false, true},
		"203.0.113.7": {true, true, true}, "2a00:1450::1": {true, true, true},
	} {
		a := netip.MustParseAddr(address)
		if got := (&Guard{}).allows(a); got != want.out {
			t.Errorf("%s: %t", address, got)
		}
		if got := (&Guard{Loopback: true}).allows(a); got != want.here {
			t.Errorf("%s, of this machine: %t", address, got)
		}
		if got := (&Guard{Inside: inside}).allows(a); got != want.in {
			t.Errorf("%s, with networks inside: %t", address, got)
		}
	}
}

// names is a name server that says an address first to the first who asks, and another to everybody after: it rebinds.
func names(t *testing.T, first, then [4]byte) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		asked, buf := 0, make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				a := first
				if asked++; asked > 1 {
					a = then
				}
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type}, Body: &dnsmessage.AResource{A: a}}}
			}
			if packed, err := m.Pack(); err == nil {
				_, _ = pc.WriteTo(packed, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

// listens is a listener of this machine: its port, and how often it was reached.
func listens(t *testing.T) (port string, reached *atomic.Int32) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	reached = new(atomic.Int32)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			c.Close()
		}
	}()
	_, port, _ = net.SplitHostPort(ln.Addr().String())
	return port, reached
}

// TestS05ServerSideRequest: a listener of this machine is never reached by another way of writing its address, nor by a
// name that comes to stand for it between two look-ups.
func TestS05ServerSideRequest(t *testing.T) {
	port, reached := listens(t)
	c := &Config{}
	for _, host := range []string{"2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "[::ffff:7f00:1]x", "0.0.0.0", "[::]", "127.0.0.1.", "0"} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		out := c.post(ctx, "https://"+host+":"+port+"/", nil, nil)
		cancel()
		if out.Result == redress.Accepted || out.Result == redress.Doubtful {
			t.Errorf("%s: %+v", host, out)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("this machine was reached %d times", n)
	}
	for name, to := range map[string][4]byte{"this machine": {127, 0, 0, 1}, "metadata of a cloud": {169, 254, 169, 254}, "a network inside": {10, 0, 0, 1}} {
		d := c.dialer("receiver.example")
		d.Resolver, d.Timeout = names(t, [4]byte{203, 0, 113, 7}, to), time.Minute
		if got, err := d.Resolver.LookupHost(t.Context(), "receiver.example."); err != nil || len(got) != 1 || got[0] != "203.0.113.7" {
			t.Fatalf("%s: the first look-up says %v, %v", name, got, err)
		}
		if conn, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort("receiver.example.", port)); !errors.Is(err, errAddress) {
			t.Errorf("%s: %v, %v", name, conn, err)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("this machine was reached %d times", n)
	}
	if _, err := (&Config{Inside: []string{"10.1.0.0"}}).inside(); err == nil || !strings.Contains(err.Error(), "10.1.0.0/16") {
		t.Errorf("an address for a network: %v", err)
	}
}
