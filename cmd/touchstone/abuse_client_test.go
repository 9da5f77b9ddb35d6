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
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/paycrypto/pinblock"
	"touchstone/pos"
	"touchstone/proof"
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

func (t *benchTerminal) signIn(c *benchConn) error {
	w := iso8583.NewBuilder(&iso8583.UnionPay)
	w.Begin(make([]byte, iso8583.LengthSize+iso8583.MaxFrame), terminal.DefaultEnvelope, 0x0800)
	w.PutNumber(11, 1)
	w.PutText(41, t.id[:])
	w.PutText(42, t.merchant[:])
	de60, err := iso8583.AppendDE60(nil, iso8583.DE60{Code: pos.Management, Network: t.code, Digits: iso8583.ManagementDigits})
	if err != nil {
		return err
	}
	w.PutDigits(60, de60)
	w.PutText(63, []byte("001"))
	frame, err := w.Frame()
	if err != nil {
		return err
	}
	answer, err := c.exchange(frame)
	if err != nil {
		return err
	}
	var m iso8583.Message
	if err := iso8583.UnionPay.Parse(&m, answer); err != nil {
		return err
	}
	if string(m.Raw(39)) != "00" {
		return fmt.Errorf("answered %s", m.Raw(39))
	}
	opened, err := m.DE60()
	if err != nil {
		return err
	}
	return t.takeKeys(m.Raw(62), opened.Batch)
}

// takeKeys opens DE62 and makes the template under the new keys.
func (t *benchTerminal) takeKeys(de62 []byte, batch pos.BatchNo) error {
	code := paycrypto.SignInCode(t.code)
	tmk, err := paycrypto.NewCipher(code.Algorithm(), t.masterKey())
	if err != nil {
		return err
	}
	k, err := paycrypto.ParseWorkingKeys(code, tmk, de62)
	if err != nil {
		return err
	}
	defer k.Wipe()
	algorithm := proof.AlgorithmOf(t.profile, t.code)
	k.MAK.Use(func(key []byte) { t.mak, err = mac.New(algorithm, 0, key) })
	if err != nil {
		return err
	}
	var pik *paycrypto.Cipher
	k.PIK.Use(func(key []byte) { pik, err = paycrypto.NewCipher(code.Algorithm(), key) })
	if err != nil {
		return err
	}
	return t.template(pik, batch)
}

// template packs a sale: track 2, PIN, serial number proof; sections 2, 5 and 6.1.
func (t *benchTerminal) template(pik *paycrypto.Cipher, batch pos.BatchNo) error {
	w := iso8583.NewBuilder(&iso8583.UnionPay)
	w.Begin(make([]byte, iso8583.LengthSize+iso8583.MaxFrame), terminal.DefaultEnvelope, 0x0200)
	w.PutNumber(3, 0)
	w.PutNumber(4, 1850)
	w.PutNumber(11, 1)
	w.PutNumber(22, 21)
	w.PutNumber(25, 0)
	w.PutNumber(26, iso8583.MaxPIN)
	w.PutDigits(35, []byte(t.card.track2()))
	w.PutText(41, t.id[:])
	w.PutText(42, t.merchant[:])
	w.PutText(49, pos.CNY[:])
	de59, err := t.putPIN(w, pik)
	if err != nil {
		return err
	}
	serialKey, err := mac.New(mac.UnionPayECBSM4, 0, t.serialKey())
	if err != nil {
		return err
	}
	factor := []byte(t.card.pan()[10:])
	cipher := mac.SerialCiphertext(serialKey, t.serial, factor)
	if de59, err = iso8583.AppendA2(de59, iso8583.A2Values{iso8583.A2DeviceType: []byte(sampleDeviceType), iso8583.A2Serial: []byte(t.serial),
		iso8583.A2Factor: factor, iso8583.A2Cipher: cipher[:], iso8583.A2Version: []byte(sampleApp + "   ")}); err != nil {
		return err
	}
	w.PutText(59, de59)
	de60, err := iso8583.AppendDE60(nil, iso8583.DE60{Code: pos.Sale, Batch: batch, Reading: 5, Digits: 14})
	if err != nil {
		return err
	}
	w.PutDigits(60, de60)
	w.ReserveMAC()
	w.SetMAC(t.mak.Sum8(w.MAB()))
	t.frame, err = w.Frame()
	return err
}

// putPIN packs DE52 and DE53 and returns what DE59 has of the PIN: tag A1 under SM4.
func (t *benchTerminal) putPIN(w iso8583.Builder, pik *paycrypto.Cipher) (de59 []byte, err error) {
	form, s := pinblock.ISO0, iso8583.Security{Format: iso8583.PINWithPAN, Algorithm: iso8583.TripleDES}
	if pik.Algorithm() == paycrypto.SM4 {
		form, s.Algorithm = pinblock.SM4PAN1, iso8583.SM4
	}
	block := make([]byte, form.Size())
	if err := pinblock.Encipher(block, pik, form, pinblock.Parts{PIN: []byte(t.card.pin), PAN: []byte(t.card.pan())}); err != nil {
		return nil, err
	}
	if form == pinblock.SM4PAN1 {
		if de59, err = iso8583.AppendTag(nil, "A1", block); err != nil {
			return nil, err
		}
		block = make([]byte, 8)
	}
	w.PutRaw(52, block)
	de53, err := iso8583.AppendDE53(nil, s)
	w.PutDigits(53, de53)
	return de59, err
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
