package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"touchstone/iso8583"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/sqlite"
)

// The abuse tests are an outside client against the shipped program: another process, loopback TCP. The
// long forms run under make test-all, which sets TOUCHSTONE_LONG=1.

// longForm skips the long form of a test unless it was asked for.
func longForm(t *testing.T) {
	t.Helper()
	if !inLongForm() {
		t.Skip("NOT RUN (long form: make test-all)")
	}
}

// abusedHost is a host process under attack, with what can be seen of it from outside.
type abusedHost struct {
	runningHost
	data string
}

// abuse starts a quiet demonstration with more flags and tells what is wrong with it in the end.
func abuse(t *testing.T, flags ...string) *abusedHost {
	t.Helper()
	return abuseUnder(t, os.Environ(), flags...)
}

func abuseUnder(t *testing.T, env []string, flags ...string) *abusedHost {
	t.Helper()
	dir := t.TempDir()
	h := &abusedHost{data: filepath.Join(dir, "data")}
	control, err := controlPath(h.data)
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"demo", "--quiet", "--data", h.data, "--tcp", "127.0.0.1:0", "--tls", "127.0.0.1:0"}, flags...)
	if err := h.start(dir, control, env, args); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if h.cmd == nil {
			return
		}
		if err := h.stop(); err != nil {
			t.Errorf("the host did not end well: %v; it said: %q", err, h.lines)
		}
	})
	return h
}

// footprint is what the kernel says of the process.
type footprint struct {
	rssKiB, peakKiB, threads, descriptors int
}

func (f footprint) String() string {
	return fmt.Sprintf("%d MiB (peak %d), %d threads, %d descriptors", f.rssKiB>>10, f.peakKiB>>10, f.threads, f.descriptors)
}

func (h *abusedHost) footprint(t testing.TB) (f footprint) {
	t.Helper()
	proc := "/proc/" + strconv.Itoa(h.cmd.Process.Pid)
	status, err := os.ReadFile(proc + "/status")
	if err != nil {
		t.Fatalf("the host is gone: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		n, _ := strconv.Atoi(words[1])
		switch words[0] {
		case "VmRSS:":
			f.rssKiB = n
		case "VmHWM:":
			f.peakKiB = n
		case "Threads:":
			f.threads = n
		}
	}
	names, err := os.ReadDir(proc + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	f.descriptors = len(names)
	return f
}

// settles polls until the host has at most so many descriptors: the attackers' are closed.
func (h *abusedHost) settles(t *testing.T, most int) footprint {
	t.Helper()
	end := time.Now().Add(patience)
	for {
		f := h.footprint(t)
		if f.descriptors <= most {
			return f
		}
		if time.Now().After(end) {
			t.Fatalf("%s: descriptors do not come back to %d", f, most)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// flat fails when memory grew by more than allowed between two rounds of the same attack. The race
// detector's own memory makes the figure meaningless.
func flat(t *testing.T, what string, before, after footprint) {
	t.Helper()
	t.Logf("%s: %s; before %s", what, after, before)
	const allowedKiB = 48 << 10
	if grown := after.rssKiB - before.rssKiB; grown > allowedKiB && !raceDetector {
		t.Errorf("%s: memory grew by %d MiB from one round to the next", what, grown>>10)
	}
	if after.threads > 200 {
		t.Errorf("%s: %d threads", what, after.threads)
	}
}

// from is a connection from one loopback address, n of 127.1.0.0/16, so that the journal tells who sent
// what and no bucket is shared.
func (h *abusedHost) from(t testing.TB, n int) *net.TCPConn {
	t.Helper()
	c, err := h.tryFrom(n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func abuseAddress(n int) pos.Address { return pos.IPv4(127, 1, byte(n>>8), byte(n)) }

func (h *abusedHost) tryFrom(n int) (*net.TCPConn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(n>>8), byte(n))}, Timeout: patience}
	c, err := d.Dial("tcp", h.addr)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// exchanges gives every judged message of one source, in order, as soon as there are at least n; it polls
// the journal of the running host.
func (h *abusedHost) exchanges(t testing.TB, source pos.Address, n int) (found []journal.Exchange) {
	t.Helper()
	r, err := sqlite.OpenReader(h.data)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	next, end := uint64(1), time.Now().Add(patience)
	for {
		err := eachEntry(t.Context(), r, &next, func(e journal.Entry) error {
			var x journal.Exchange
			if e.Kind != journal.KindExchange {
				return nil
			}
			if err := x.Parse(e); err != nil {
				return err
			}
			if x.Source == source {
				x.Details, x.Wrapped = bytes.Clone(x.Details), nil
				found = append(found, x)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(found) >= n || time.Now().After(end) {
			return found
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// verified recomputes the journal's chain and tells its entries of one kind.
func (h *abusedHost) verified(t testing.TB, kind journal.Kind, f func(journal.Entry)) {
	t.Helper()
	r, err := sqlite.OpenReader(h.data)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Verify(t.Context(), 1, nil); err != nil {
		t.Error(err)
	}
	next := uint64(1)
	err = eachEntry(t.Context(), r, &next, func(e journal.Entry) error {
		if e.Kind == kind {
			f(e)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// honest are the terminals of the demonstration that speak plain TCP and prove their serial number, each
// with a card.
func honest() (all []*benchTerminal) {
	purses := cards()[7:]
	for _, t := range staffTerminals() {
		if !t.tls && !t.keyless {
			all = append(all, &benchTerminal{sampleTerminal: t, card: purses[len(all)%len(purses)]})
		}
	}
	return all
}

// visitor is a terminal that may come from any loopback address.
func visitor() *benchTerminal { return &benchTerminal{sampleTerminal: visitors()[0], card: cards()[0]} }

// honestly connects and signs a terminal in, from 127.0.0.1.
func (h *abusedHost) honestly(t testing.TB, own *benchTerminal) *benchConn {
	t.Helper()
	nc, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	c := &benchConn{net: nc, r: bufio.NewReaderSize(nc, iso8583.MaxFrame), own: []*benchTerminal{own}}
	if err := own.signIn(c); err != nil {
		t.Fatalf("sign-in: %v", err)
	}
	return c
}

// hear reads one answer's DE39: "closed" when the connection ends without one, "nothing" when it stays
// open without one for as long as patience says.
func hear(c *net.TCPConn, patience time.Duration) string {
	_ = c.SetReadDeadline(time.Now().Add(patience))
	var head [iso8583.LengthSize]byte
	if n, err := io.ReadFull(c, head[:]); err != nil {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() && n == 0 {
			return "nothing"
		}
		return "closed"
	}
	frame := make([]byte, binary.BigEndian.Uint16(head[:]))
	if _, err := io.ReadFull(c, frame); err != nil {
		return "cut"
	}
	var m iso8583.Message
	if err := iso8583.UnionPay.Parse(&m, frame); err != nil {
		return "unreadable"
	}
	return string(m.Raw(39))
}

// framed puts LEN before a frame.
func framed(frame []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(frame))), frame...)
}
