package load

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// driveLoop runs every lane in one loop over epoll: no goroutine is parked and woken for a sale, which
// leaves more of the machine to the host. The loop has a thread to itself.
func driveLoop(r *run, lanes []*lane, conns []net.Conn) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// The kernel may delay a timer by the slack, 50 microseconds unless told otherwise; prctl(2).
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	defer unix.Close(ep)
	p := &poller{run: r, ep: ep, lanes: make([]polled, len(lanes)), idle: newQueue(len(lanes) * r.o.Pipeline), held: none}
	defer func() { err = errors.Join(err, p.close()) }()
	for i, l := range lanes {
		p.lanes[i] = polled{lane: l}
		if err := p.adopt(&p.lanes[i], i, conns[i]); err != nil {
			return err
		}
		for range r.o.Pipeline {
			p.idle.push(int32(i))
		}
	}
	return p.loop()
}

// polled is a lane and its socket.
type polled struct {
	*lane
	file *os.File
	fd   int
	dead bool
}

type poller struct {
	run    *run
	ep     int
	lanes  []polled
	idle   queue         // lanes that may send, one place for each sale they have room for
	held   time.Duration // the slot taken and not yet due, or none
	flying int           // sales in flight
	alive  int           // connections
	events [256]unix.EpollEvent
}

// adopt takes a connection's socket out of the runtime's own poller and puts it into ours.
func (p *poller) adopt(l *polled, i int, conn net.Conn) error {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return fmt.Errorf("%w: a loop needs plain TCP", ErrOptions)
	}
	file, err := tcp.File()
	if err != nil {
		return err
	}
	l.file, l.fd = file, int(file.Fd())
	if err := tcp.Close(); err != nil {
		return err
	}
	if err := unix.SetNonblock(l.fd, true); err != nil {
		return err
	}
	p.alive++
	return unix.EpollCtl(p.ep, unix.EPOLL_CTL_ADD, l.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)})
}

func (p *poller) close() (err error) {
	for i := range p.lanes {
		if l := &p.lanes[i]; l.file != nil && !l.dead {
			err = errors.Join(err, l.file.Close())
		}
	}
	return err
}

// loop sells until there is no slot left and nothing in flight.
func (p *poller) loop() error {
	for p.alive > 0 {
		if err := p.sendDue(); err != nil {
			return err
		}
		if p.held == over && p.flying == 0 {
			return nil
		}
		now := p.run.now()
		if now > p.run.last()+p.run.o.Patience {
			p.run.rec.abandon(p.flying)
			return nil
		}
		n, err := p.wait(now)
		if err != nil {
			return err
		}
		for _, e := range p.events[:n] {
			if l := &p.lanes[e.Fd]; !l.dead {
				if err := p.hear(l, e.Fd); err != nil {
					return err
				}
			}
			if err := p.sendDue(); err != nil {
				return err
			}
		}
		if p.held != none && p.run.stop.Load() {
			p.held = over
		}
	}
	return nil
}

// wait waits for answers until the slot held is due.
func (p *poller) wait(now time.Duration) (int, error) {
	until := lookAtStop
	if p.held != none && p.held != over && p.idle.len() > 0 {
		until = max(min(until, p.held-now), 0)
	}
	n, err := epollWait(p.ep, p.events[:], until)
	if errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return n, err
}

// epollWait is epoll_pwait2, whose time limit has nanoseconds: epoll_wait would round a wait for the next
// slot to a whole millisecond.
func epollWait(ep int, events []unix.EpollEvent, until time.Duration) (int, error) {
	limit := unix.NsecToTimespec(int64(until))
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(ep), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)),
		uintptr(unsafe.Pointer(&limit)), 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.ENOSYS: // Linux before 5.11
		return unix.EpollWait(ep, events, int((until+time.Millisecond-1)/time.Millisecond))
	}
	return 0, errno
}

// rawIO reads or writes a socket that never blocks. The calls of this loop are raw: told of a call that takes
// over 20 microseconds, as every wait does, the runtime takes the processor away and looks again 20
// microseconds later, for ever, which cost a tenth of the generator. When it has to stop the world it
// interrupts the wait with a signal.
func rawIO(call uintptr, fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// sendDue sends every sale that is due on the lanes that have waited longest.
func (p *poller) sendDue() error {
	for p.idle.len() > 0 {
		if p.held == none {
			p.held = p.run.slot()
		}
		if p.held == over || p.held > p.run.now() {
			return nil
		}
		i := p.idle.pop()
		l := &p.lanes[i]
		if l.dead {
			continue
		}
		frame, err := l.send(p.held)
		p.held = none
		if err != nil {
			return err
		}
		p.flying++
		if err := writeAll(l.fd, frame); err != nil {
			p.lost(l, err)
		}
	}
	return nil
}

// hear reads what there is and judges the answers in it.
func (p *poller) hear(l *polled, i int32) error {
	n, err := rawIO(unix.SYS_READ, l.fd, l.free())
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		p.lost(l, err)
		return nil
	case n == 0:
		p.lost(l, io.EOF)
		return nil
	}
	answers, err := l.received(n)
	p.flying -= answers
	for range answers {
		p.idle.push(i)
	}
	return err
}

func (p *poller) lost(l *polled, cause error) {
	p.run.rec.lose(len(l.flight), cause)
	p.flying -= len(l.flight)
	l.flight = l.flight[:0]
	l.dead = true
	l.file.Close() // it leaves epoll with its last descriptor
	p.alive--
}

// writePatience is how long a socket may be full. A sale is a few hundred bytes and at most MaxPipeline
// are in flight, which any socket buffer holds: a full one is a host that does not read.
const writePatience = 5 * time.Second

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := rawIO(unix.SYS_WRITE, fd, b)
		switch {
		case err == nil:
			b = b[n:]
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, int(writePatience.Milliseconds()))
			if err == nil && ready == 0 {
				return os.ErrDeadlineExceeded
			}
		default:
			return err
		}
	}
	return nil
}

// queue is a ring of lane numbers, as large as it can become.
type queue struct {
	ring  []int32
	first int
	n     int
}

func newQueue(most int) queue { return queue{ring: make([]int32, most)} }

func (q *queue) len() int { return q.n }

func (q *queue) push(i int32) {
	q.ring[(q.first+q.n)%len(q.ring)] = i
	q.n++
}

func (q *queue) pop() int32 {
	i := q.ring[q.first]
	q.first = (q.first + 1) % len(q.ring)
	q.n--
	return i
}
