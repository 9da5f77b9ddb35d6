package load

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// What the machine can do at all, measured with nothing of ours in between: the figures of a host are
// read beside these, of the same run.

// Bounds of the measurements.
const (
	syncFile = 16 << 20 // bytes; allocated before, so that no write makes the file longer
	syncPage = 4096
	echoSize = 252 // bytes, a sale with its answer's length
)

// Sync measures, for a time, how long it takes to write 4 KiB into an allocated file and make it durable:
// fdatasync where the system has it. dir is on the disk that is meant.
func Sync(dir string, d time.Duration) (s Summary, err error) {
	path := filepath.Join(dir, "fdatasync.tmp")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(path)) }()
	if _, err := f.Write(make([]byte, syncFile)); err != nil {
		return s, err
	}
	if err := f.Sync(); err != nil {
		return s, err
	}
	h := newHistogram()
	page := make([]byte, syncPage)
	for begin, i := time.Now(), 0; i == 0 || time.Since(begin) < d; i++ {
		page[0] = byte(i)
		at := time.Now()
		if _, err := f.WriteAt(page, int64(i)*syncPage%syncFile); err != nil {
			return s, err
		}
		if err := dataSync(f); err != nil {
			return s, err
		}
		record(h, time.Since(at))
	}
	return summarise(h), nil
}

// Echo measures, for a time, how fast 252 bytes go there and back over loopback TCP with one message in
// flight on each connection; client and server are in this process. It returns the latencies and the
// number a second.
func Echo(connections int, d time.Duration) (s Summary, perSecond float64, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return s, 0, err
	}
	var served sync.WaitGroup
	served.Go(func() { echoServer(ln, &served) })
	var clients sync.WaitGroup
	var mu sync.Mutex
	h := newHistogram()
	begin := time.Now()
	for range connections {
		clients.Go(func() {
			own, failed := echoClient(ln.Addr().String(), begin.Add(d))
			mu.Lock()
			defer mu.Unlock()
			for _, took := range own {
				record(h, took)
			}
			err = errors.Join(err, failed)
		})
	}
	clients.Wait()
	took := time.Since(begin)
	err = errors.Join(err, ln.Close())
	served.Wait()
	return summarise(h), float64(h.TotalCount()) / took.Seconds(), err
}

// echoServer sends back what comes until its listener is closed and every client has gone.
func echoServer(ln net.Listener, served *sync.WaitGroup) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		served.Go(func() {
			defer c.Close()
			var buf [echoSize]byte
			for {
				if _, err := io.ReadFull(c, buf[:]); err != nil {
					return
				}
				if _, err := c.Write(buf[:]); err != nil {
					return
				}
			}
		})
	}
}

func echoClient(address string, until time.Time) (took []time.Duration, err error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var buf [echoSize]byte
	for {
		at := time.Now()
		if at.After(until) && len(took) > 0 { // one at least, for however short a time
			return took, nil
		}
		if _, err := c.Write(buf[:]); err != nil {
			return took, err
		}
		if _, err := io.ReadFull(c, buf[:]); err != nil {
			return took, err
		}
		took = append(took, time.Since(at))
	}
}

// Idle opens connections that say nothing, at most a few at once, and returns them all; the caller closes
// them. dial makes one.
func Idle(ctx context.Context, n int, dial func(context.Context) (net.Conn, error)) (conns []net.Conn, err error) {
	const at = 16
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range at {
		all.Go(func() {
			for range (n + at - 1 - i) / at {
				c, err := dial(ctx)
				if err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				conns = append(conns, c)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return conns, context.Cause(ctx)
}

// Handshakes makes connections, one after the other in each of a few goroutines, and closes each when
// dial has made it. It returns how many there were a second.
func Handshakes(ctx context.Context, d time.Duration, dial func(context.Context) (net.Conn, error)) (s Summary, perSecond float64, err error) {
	const at = 16
	var mu sync.Mutex
	var all sync.WaitGroup
	h := newHistogram()
	begin := time.Now()
	for range at {
		all.Go(func() {
			for time.Since(begin) < d && ctx.Err() == nil {
				from := time.Now()
				c, failed := dial(ctx)
				took := time.Since(from)
				if failed == nil {
					failed = c.Close()
				}
				mu.Lock()
				if failed == nil {
					record(h, took)
				}
				err = errors.Join(err, failed)
				stop := err != nil
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	all.Wait()
	return summarise(h), float64(h.TotalCount()) / time.Since(begin).Seconds(), err
}
