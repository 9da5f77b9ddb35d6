package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"touchstone/iso8583"
	"touchstone/pos"
	"touchstone/terminal"
)

// lane is one connection's share of the crew and what it has in flight. A driver owns it; it does no I/O.
type lane struct {
	run    *run
	own    []*subject
	at     int        // whose turn is next
	flight []*subject // sent and not answered, at most Options.Pipeline
	shape  shape
	seen   int     // answers
	due    float64 // of wrong MACs, the part of one that is due: Options.WrongMAC
	answer iso8583.Message

	in   []byte // bytes received and not yet consumed
	room [2 * (iso8583.LengthSize + iso8583.MaxFrame)]byte
}

func newLane(r *run, own []*subject) *lane {
	l := &lane{run: r, own: own, flight: make([]*subject, 0, r.o.Pipeline)}
	l.in = l.room[:0]
	return l
}

func (l *lane) full() bool { return len(l.flight) == cap(l.flight) }

// send takes the next terminal's sale, due at a time since the beginning, and returns its frame.
func (l *lane) send(due time.Duration) ([]byte, error) {
	s := l.own[l.at]
	for slices.Contains(l.flight, s) { // answers may come in another order; there are more terminals than fit in flight
		l.at = (l.at + 1) % len(l.own)
		s = l.own[l.at]
	}
	l.at = (l.at + 1) % len(l.own)
	frame, err := s.next(l.wrongNext())
	if err != nil {
		return nil, err
	}
	s.due, s.sent = due, l.run.now()
	if l.run.o.Rate == 0 {
		s.due = s.sent
	}
	l.flight = append(l.flight, s)
	l.run.rec.left()
	return frame, nil
}

// wrongNext tells whether the next sale's MAC is to be wrong.
func (l *lane) wrongNext() bool {
	if l.run.o.WrongMAC == 0 || !l.run.wrongTurn(l.run.now()) {
		return false
	}
	l.due += l.run.o.WrongMAC / 100
	if l.due < 1 {
		return false
	}
	l.due--
	return true
}

// free is where received bytes go; there is always room for a whole frame.
func (l *lane) free() []byte {
	if len(l.in) == 0 {
		l.in = l.room[:0]
	} else if cap(l.in)-len(l.in) < iso8583.LengthSize+iso8583.MaxFrame {
		l.in = l.room[:copy(l.room[:], l.in)]
	}
	return l.in[len(l.in):cap(l.in)]
}

var errAnswerLength = errors.New("the length of an answer is out of bounds")

// received takes n bytes that were put into free and judges every whole answer among them. It returns
// how many there were.
func (l *lane) received(n int) (answers int, err error) {
	l.in = l.in[:len(l.in)+n]
	for len(l.in) >= iso8583.LengthSize {
		size := int(binary.BigEndian.Uint16(l.in))
		if size < iso8583.MinFrame || size > iso8583.MaxFrame {
			return answers, errAnswerLength
		}
		if len(l.in) < iso8583.LengthSize+size {
			break
		}
		if err := l.judge(l.in[iso8583.LengthSize : iso8583.LengthSize+size]); err != nil {
			return answers, err
		}
		l.in = l.in[iso8583.LengthSize+size:]
		answers++
	}
	return answers, nil
}

// judge matches an answer with the sale in flight that it belongs to, looks at it and records it.
func (l *lane) judge(answer []byte) error {
	now := l.run.now()
	code, id, ok := l.shape.glance(answer)
	at := -1
	if ok {
		at = l.inFlight(id)
	}
	whole := at < 0 || !l.flight[at].carriesTrace(answer) || l.seen%verifyOneIn == 0
	if whole {
		var err error
		if at, code, err = l.examine(answer); err != nil {
			return err
		}
	}
	l.seen++
	s := l.flight[at]
	l.flight = slices.Delete(l.flight, at, at+1)
	l.run.rec.answered(observation{code: code, wrong: s.wrong, latency: now - s.due, wait: s.sent - s.due, measured: l.run.measures(s.due), verified: whole && l.answer.Has(64)})
	return nil
}

func (l *lane) inFlight(id pos.TerminalID) int {
	return slices.IndexFunc(l.flight, func(s *subject) bool { return s.id == id })
}

// examine reads an answer whole, and learns the shape of answers from it.
func (l *lane) examine(answer []byte) (at int, code pos.ResponseCode, err error) {
	if err := iso8583.UnionPay.Parse(&l.answer, answer); err != nil {
		return 0, code, fmt.Errorf("an answer: %w", err)
	}
	var id pos.TerminalID
	copy(id[:], l.answer.Raw(41))
	if at = l.inFlight(id); at < 0 {
		return 0, code, fmt.Errorf("an answer to a terminal that asked nothing: %w", terminal.ErrAnswer)
	}
	if code, err = l.flight[at].examine(&l.answer, answer); err == nil && l.shape.code == 0 {
		l.shape.learn(&l.answer, answer)
	}
	return at, code, err
}
