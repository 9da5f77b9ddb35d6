package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"touchstone/iso8583"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/terminal"
)

// The abuse tests' own client: a terminal whose bytes a test can bend, one connection with one message in
// flight.

// verifyOneIn is how many answers there are to one whose MAC the client verifies.
const verifyOneIn = 64

// benchTerminal is a terminal with its sale as a template: only trace and MAC change.
type benchTerminal struct {
	sampleTerminal
	card  sampleCard
	trace uint64
	mak   *mac.Key
	frame []byte // LEN to DE64
	de39  int    // where it lies in an answer
	seen  int
}

// Where things lie in a sale without DE2, LEN included: docs/protocol/unionpay-pos.md, sections 1 and 2.
const (
	mtiAt   = iso8583.LengthSize + iso8583.EnvelopeSize
	traceAt = mtiAt + 2 + 8 + 3 + 6 // after MTI, bitmap, DE3, DE4
	macSize = 8
)

// next is the next sale's frame, authenticated if it has to be.
func (t *benchTerminal) next(authenticate bool) []byte {
	t.trace = t.trace%999_999 + 1
	n := t.trace
	for i := 2; i >= 0; i-- {
		t.frame[traceAt+i] = byte(n%10) | byte(n/10%10)<<4
		n /= 100
	}
	if authenticate {
		mab := len(t.frame) - macSize
		de64 := t.mak.Sum8(t.frame[mtiAt:mab])
		copy(t.frame[mab:], de64[:])
	}
	return t.frame
}

// signIn takes keys and makes the template of a sale: track 2, PIN, serial number proof.
func (t *benchTerminal) signIn(c *benchConn) error {
	bare, err := terminal.NewBare(t.config())
	if err != nil {
		return err
	}
	buf := make([]byte, iso8583.LengthSize+iso8583.MaxFrame)
	frame, err := bare.SignIn(buf)
	if err != nil {
		return err
	}
	answer, err := c.exchange(frame)
	if err != nil {
		return err
	}
	code, err := bare.TakeSignIn(answer)
	if err != nil {
		return err
	}
	if code != pos.Approved {
		return fmt.Errorf("answered %s", code)
	}
	card, err := cardOf(t.card)
	if err != nil {
		return err
	}
	defer card.Wipe()
	sale, err := bare.Sale(buf, card, 1850)
	t.mak, t.frame = bare.MAK(), bytes.Clone(sale)
	return err
}

// errNotApproved is a sale that was answered, and not 00.
var errNotApproved = errors.New("a sale was not approved")

// judge looks at an answer: DE39 of every one, all of one in verifyOneIn.
func (t *benchTerminal) judge(answer []byte) error {
	t.seen++
	if t.de39 != 0 && t.seen%verifyOneIn != 0 {
		if len(answer) < t.de39+2 || string(answer[t.de39:t.de39+2]) != "00" {
			return errNotApproved
		}
		return nil
	}
	var m iso8583.Message
	if err := iso8583.UnionPay.Parse(&m, answer); err != nil {
		return err
	}
	code := m.Raw(39)
	if trace, _ := m.Number(11); m.MTI() != 0x0210 || string(code) != "00" || trace != t.trace {
		return fmt.Errorf("%w: answered %s %s", errNotApproved, m.MTI(), code)
	}
	if !t.mak.Verify(m.MAB(), m.Raw(64)) {
		return fmt.Errorf("an answer's MAC is wrong")
	}
	before := slices.Concat(m.Raw(37), m.Raw(38))
	t.de39 = bytes.Index(answer, slices.Concat(before, code)) + len(before)
	return nil
}

// benchConn is one connection of the client.
type benchConn struct {
	net net.Conn
	r   *bufio.Reader
	own []*benchTerminal
	at  int
	buf [iso8583.MaxFrame]byte
}

// exchange sends a frame, LEN included, and lends the answer's, without.
func (c *benchConn) exchange(frame []byte) ([]byte, error) {
	if _, err := c.net.Write(frame); err != nil {
		return nil, err
	}
	head, err := c.r.Peek(iso8583.LengthSize)
	if err != nil {
		return nil, err
	}
	answer := c.buf[:min(int(binary.BigEndian.Uint16(head)), len(c.buf))]
	if _, err := c.r.Discard(iso8583.LengthSize); err != nil {
		return nil, err
	}
	_, err = io.ReadFull(c.r, answer)
	return answer, err
}

func (c *benchConn) sale() (time.Duration, error) {
	t := c.own[c.at]
	c.at = (c.at + 1) % len(c.own)
	frame := t.next(true)
	begin := time.Now()
	answer, err := c.exchange(frame)
	took := time.Since(begin)
	if err != nil {
		return 0, err
	}
	return took, t.judge(answer)
}
