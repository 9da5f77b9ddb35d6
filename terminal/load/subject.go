package load

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"touchstone/iso8583"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/terminal"
)

// Member is one terminal of a crew and the card that it sells to. The keys of the Config and the card
// are the caller's; Run wipes neither.
type Member struct {
	Config terminal.Config
	Card   terminal.Card
}

// amount is that of every sale, in fen.
const amount pos.Amount = 1850

// verifyOneIn is how many answers there are to one whose MAC is verified. DE39, DE41 and the trace of
// every one are looked at.
const verifyOneIn = 64

// Where things lie in a sale without DE2, LEN included: docs/protocol/unionpay-pos.md, sections 1 and 2.
const (
	mtiAt   = iso8583.LengthSize + iso8583.EnvelopeSize
	traceAt = mtiAt + 2 + 8 + 3 + 6 // after MTI, bitmap, DE3, DE4
	macSize = 8
)

// subject is a member that has signed in: its sale as a template of which only trace and MAC change.
type subject struct {
	id    pos.TerminalID
	mak   *mac.Key
	frame []byte // LEN to DE64
	trace uint32 // used last

	wrong bool // the MAC of the sale in flight is

	due  time.Duration // when the sale in flight was scheduled, since the beginning
	sent time.Duration // when it left
}

// errTraces ends a run in which a terminal has used every trace of its batch.
var errTraces = errors.New("a terminal has used all 999,999 traces of its batch: take more terminals")

// newSubject makes the template of a signed-in terminal. buf is room for a frame.
func newSubject(id pos.TerminalID, b *terminal.Bare, card terminal.Card, buf []byte) (*subject, error) {
	frame, err := b.Sale(buf, card, amount)
	if err != nil {
		return nil, err
	}
	s := &subject{id: id, mak: b.MAK(), frame: bytes.Clone(frame)}
	const probe = 123456
	s.setTrace(probe)
	var m iso8583.Message
	if err := iso8583.UnionPay.Parse(&m, s.frame[iso8583.LengthSize:]); err != nil {
		return nil, err
	}
	if n, ok := m.Number(11); !ok || n != probe || len(m.Raw(64)) != macSize {
		return nil, errors.New("the sale is not of the form that the generator changes: does it carry DE2?")
	}
	return s, nil
}

// setTrace writes DE11, six digits in three bytes.
func (s *subject) setTrace(n uint32) {
	for i := 2; i >= 0; i-- {
		s.frame[traceAt+i] = byte(n%10) | byte(n/10%10)<<4
		n /= 100
	}
}

// next is the frame of the next sale, valid until the one after it; its MAC is wrong where that was asked for.
func (s *subject) next(wrong bool) ([]byte, error) {
	if s.trace >= uint32(pos.MaxSTAN) {
		return nil, errTraces
	}
	s.trace++
	s.setTrace(s.trace)
	at := len(s.frame) - macSize
	de64 := s.mak.Sum8(s.frame[mtiAt:at])
	copy(s.frame[at:], de64[:])
	if s.wrong = wrong; wrong {
		s.frame[at+macSize-1] = otherHex(s.frame[at+macSize-1])
	}
	return s.frame, nil
}

// otherHex is a hexadecimal digit that is not c.
func otherHex(c byte) byte {
	if c == '0' {
		return '1'
	}
	return '0'
}

// Where things lie in an answer, LEN left out.
const (
	answerMTI   = iso8583.EnvelopeSize
	answerTrace = traceAt - iso8583.LengthSize
	codeSize    = 2
	idSize      = 8
)

// shape is where DE39 lies in the answers of a connection, learned from one that was read whole; 0 is
// not known. DE41 follows it. Answers of another form are read whole.
type shape struct{ code int }

// glance reads DE39 and DE41 of an answer of the known shape.
func (p shape) glance(answer []byte) (code pos.ResponseCode, id pos.TerminalID, ok bool) {
	if p.code == 0 || len(answer) < p.code+codeSize+idSize || answer[answerMTI] != 0x02 || answer[answerMTI+1] != 0x10 {
		return code, id, false
	}
	copy(code[:], answer[p.code:])
	copy(id[:], answer[p.code+codeSize:])
	return code, id, true
}

// learn finds the shape of an answer that was read whole.
func (p *shape) learn(m *iso8583.Message, answer []byte) {
	tail := append(append([]byte{}, m.Raw(39)...), m.Raw(41)...)
	if len(tail) != codeSize+idSize {
		return
	}
	if at := bytes.Index(answer, tail); at > 0 && bytes.LastIndex(answer, tail) == at {
		p.code = at
	}
}

// carriesTrace tells whether the answer to a sale has its trace where a sale has it.
func (s *subject) carriesTrace(answer []byte) bool {
	return len(answer) >= answerTrace+3 && bytes.Equal(answer[answerTrace:answerTrace+3], s.frame[traceAt:traceAt+3])
}

// examine reads an answer whole and verifies its MAC, and returns DE39.
func (s *subject) examine(m *iso8583.Message, answer []byte) (code pos.ResponseCode, err error) {
	if err := iso8583.UnionPay.Parse(m, answer); err != nil {
		return code, fmt.Errorf("answer to %s: %w", s.id, err)
	}
	trace, _ := m.Number(11)
	if m.MTI() != 0x0210 || trace != uint64(s.trace) || string(m.Raw(41)) != s.id.String() {
		return code, fmt.Errorf("answer to %s: %w", s.id, terminal.ErrAnswer)
	}
	copy(code[:], m.Text(39))
	if m.Has(64) && !s.mak.Verify(m.MAB(), m.Raw(64)) {
		return code, fmt.Errorf("answer to %s: %w", s.id, errMAC)
	}
	if !m.Has(64) && code == pos.Approved {
		return code, fmt.Errorf("answer to %s: approved without a MAC: %w", s.id, errMAC)
	}
	return code, nil
}

// errMAC ends a run: whoever answered does not hold the terminal's key.
var errMAC = errors.New("the answer's MAC is wrong")
