package load

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// driveGoroutines runs each lane on its connection in a goroutine of its own. A connection that ends is
// counted; an answer that is wrong ends the run with its error.
func driveGoroutines(r *run, lanes []*lane, conns []net.Conn) error {
	var all sync.WaitGroup
	var once sync.Once
	var wrong error
	for i, l := range lanes {
		all.Go(func() {
			d := &driven{lane: l, conn: conns[i], held: none}
			if err := d.serve(); err != nil {
				once.Do(func() {
					wrong = err
					r.stop.Store(true)
				})
			}
		})
	}
	all.Wait()
	return wrong
}

// driven is a lane on a connection.
type driven struct {
	*lane
	conn net.Conn
	held time.Duration // the slot taken and not yet due, or none
}

// none is no slot.
const none = time.Duration(-1)

// lookAtStop is how long a goroutine waits at most before it looks whether the run was stopped.
const lookAtStop = 100 * time.Millisecond

// serve sells until there is no slot left and nothing in flight.
func (d *driven) serve() error {
	for {
		if !d.full() && d.held == none {
			d.held = d.run.slot()
		}
		now := d.run.now()
		switch {
		case d.full() || d.held == over && len(d.flight) > 0:
		case d.held == over:
			return nil
		case d.held <= now:
			if err := d.dispatch(); err != nil {
				return err
			}
			if d.conn == nil {
				return nil
			}
			continue
		case len(d.flight) == 0:
			time.Sleep(min(d.held-now, lookAtStop))
			d.giveUp()
			continue
		}
		more, err := d.hear(now)
		if err != nil || !more {
			return err
		}
	}
}

// giveUp drops a slot when the run was stopped meanwhile.
func (d *driven) giveUp() {
	if d.run.stop.Load() {
		d.held = over
	}
}

// dispatch sends the sale of the slot held.
func (d *driven) dispatch() error {
	frame, err := d.send(d.held)
	d.held = none
	if err != nil {
		return err
	}
	if _, err := d.conn.Write(frame); err != nil {
		d.lost(err)
	}
	return nil
}

// hear waits for bytes until the slot held is due, and judges the answers among them. more is false when
// the connection has ended, or when the run has and patience with it.
func (d *driven) hear(now time.Duration) (more bool, err error) {
	until := time.Second
	if !d.full() && d.held != over {
		until = min(lookAtStop, d.held-now)
	}
	if now > d.run.last()+d.run.o.Patience {
		d.run.rec.abandon(len(d.flight))
		return false, nil
	}
	if err := d.conn.SetReadDeadline(time.Now().Add(until)); err != nil {
		d.lost(err)
		return false, nil
	}
	n, err := d.conn.Read(d.free())
	if n > 0 {
		if _, err := d.received(n); err != nil {
			return false, err
		}
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		d.lost(err)
		return false, nil
	}
	d.giveUp()
	return true, nil
}

// lost counts the connection as lost.
func (d *driven) lost(cause error) {
	d.run.rec.lose(len(d.flight), cause)
	d.conn.Close()
	d.conn = nil
}
