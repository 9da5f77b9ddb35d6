package main

import (
	"fmt"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// closedDoor is an address of loopback at which nobody hears until open: it is bound, so that nobody else can take it
// meanwhile, and whoever calls is refused.
type closedDoor struct {
	socket int
	at     string
}

func newClosedDoor(t *testing.T) *closedDoor {
	t.Helper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(socket) })
	if err := unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(socket)
	if err != nil {
		t.Fatal(err)
	}
	return &closedDoor{socket, fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)}
}

// open has somebody hear there from now on. The listener has a descriptor of its own.
func (d *closedDoor) open(t *testing.T) net.Listener {
	t.Helper()
	if err := unix.Listen(d.socket, 128); err != nil {
		t.Fatal(err)
	}
	copied, err := unix.FcntlInt(uintptr(d.socket), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(copied), "door")
	defer file.Close()
	ln, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// hungUp tells whether the other side of a plain connection has ended it. It waits for nothing and takes nothing out.
func hungUp(t *testing.T, c net.Conn) (ended bool) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(socket uintptr) {
		n, _, err := unix.Recvfrom(int(socket), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		ended = n == 0 && err == nil || err != nil && err != unix.EAGAIN && err != unix.EINTR
	}); err != nil {
		t.Fatal(err)
	}
	return ended
}

// TestClosedDoor: what the tests hold for nobody's address is one, and then somebody's.
func TestClosedDoor(t *testing.T) {
	d := newClosedDoor(t)
	if c, err := net.Dial("tcp", d.at); err == nil {
		c.Close()
		t.Fatal("somebody hears")
	}
	if ln, err := net.Listen("tcp", d.at); err == nil {
		ln.Close()
		t.Fatal("somebody else took the address")
	}
	ln := d.open(t)
	defer ln.Close()
	c, err := net.Dial("tcp", d.at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	heard, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if hungUp(t, c) {
		t.Error("it is said to have hung up")
	}
	heard.Close()
	until(t, "the end of the connection", func() bool { return hungUp(t, c) })
}
