package soft_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"touchstone/diagnosis"
	"touchstone/hsm/soft"
	"touchstone/iso8583"
	"touchstone/keys"
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/reason"
)

// profile is how a terminal of these tests signs in and computes its MAC.
type profile struct {
	name string
	code pos.NetworkCode
	mac  mac.Algorithm
	long bool
}

var profiles = []profile{
	{"001 ECB DES", 1, mac.UnionPayECBDES, false},
	{"003 ECB DES", 3, mac.UnionPayECBDES, false},
	{"004 ECB DES", 4, mac.UnionPayECBDES, false},
	{"003 ECB TDES", 3, mac.UnionPayECBTDES, true},
	{"004 X9.19", 4, mac.X919, true},
	{"003 CBC TDES", 3, mac.CBCMACTDES, true},
	{"005 SM4", 5, mac.UnionPayECBSM4, true},
	{"006 SM4", 6, mac.UnionPayECBSM4, true},
}

func (p profile) padding() mac.Padding {
	if p.mac.TakesPadding() {
		return mac.Padding1
	}
	return 0
}

func (p profile) folds() bool { return p.mac.Grade().Why.Has(mac.XORFold) }

// issuedSet is one sign-in, with its keys in clear as only a test has them.
type issuedSet struct {
	set           *keys.Set
	pik, mak, tdk []byte
	de62          []byte
}

// machine is a terminal of these tests: what it and the host hold.
type machine struct {
	profile
	id        pos.TerminalID
	serial    pos.Serial
	serialKey []byte
	wrapped   keys.Wrapped // the serial-number key
	tmk, old  []byte
	masters   []keys.Wrapped
	former    []issuedSet // the newest first
	now       issuedSet
}

// fleet is a machine with others around it, by seed.
type fleet struct {
	*rig
	rnd        *rand.Rand
	own        *machine
	siblings   []*machine
	neighbours []*machine
	spoken     bool // a message verified under the keys in force
}

func (f *fleet) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(f.rnd.Uint32())
	}
	return b
}

func (f *fleet) digits(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = '0' + byte(f.rnd.IntN(10))
	}
	return b
}

// key draws a key of a cipher; DES keys have odd parity, as the module draws them.
func (f *fleet) key(c keys.Cipher, n int) []byte {
	b := f.bytes(n)
	if c != keys.SM4 {
		paycrypto.AdjustParity(b)
	}
	return b
}

func (f *fleet) machine(t testing.TB, p profile, id string) *machine {
	t.Helper()
	terminal, err := pos.ParseTerminalID(id)
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{profile: p, id: terminal, serial: pos.Serial("00000304TS" + id + "00"), serialKey: f.bytes(16)}
	c := keys.CipherOf(p.code)
	size := 16
	if c == keys.DES {
		size = 8
	}
	m.tmk, m.old = f.key(c, size), f.key(c, size)
	owner := keys.OfTerminal(terminal[:])
	m.masters = []keys.Wrapped{f.form(t, owner, keys.TerminalMaster, c, hex.EncodeToString(m.tmk)), f.form(t, owner, keys.TerminalMaster, c, hex.EncodeToString(m.old))}
	m.wrapped = f.form(t, keys.OfSerial(string(m.serial)), keys.SerialKey, keys.SM4, hex.EncodeToString(m.serialKey))
	for range 3 {
		m.former = append(m.former, f.issue(t, m))
	}
	m.now = f.issue(t, m)
	return m
}

// issue signs the machine in under keys of the test.
func (f *fleet) issue(t testing.TB, m *machine) issuedSet {
	t.Helper()
	c := keys.CipherOf(m.code)
	size := len(m.tmk)
	makCipher, makSize := c, size
	if c == keys.TDES && !m.long {
		makCipher, makSize = keys.DES, 8
	}
	s := issuedSet{pik: f.key(c, size), mak: f.key(makCipher, makSize)}
	f.random.push(s.pik)
	f.random.push(s.mak)
	if keys.HasTrackKey(m.code) {
		s.tdk = f.key(c, size)
		f.random.push(s.tdk)
	}
	w, de62, err := f.IssueSet(context.Background(), m.id, m.masters[0], m.code, m.long && c == keys.TDES)
	if err != nil {
		t.Fatal(err)
	}
	f.number++
	s.set, s.de62 = &keys.Set{Number: f.number, Code: m.code, Wrapped: w, Issued: pos.Instant(int64(f.number) * 1e12)}, de62
	return s
}

// newFleet is a machine of a profile with siblings and neighbours of any.
func newFleet(t testing.TB, p profile, seed uint64, others int) *fleet {
	t.Helper()
	f := &fleet{rig: newRig(t), rnd: rand.New(rand.NewPCG(seed, 5)), spoken: true}
	f.own = f.machine(t, p, "10000001")
	for i := range others {
		f.siblings = append(f.siblings, f.machine(t, profiles[f.rnd.IntN(len(profiles))], fmt.Sprintf("2%07d", i)))
		f.neighbours = append(f.neighbours, f.machine(t, profiles[f.rnd.IntN(len(profiles))], fmt.Sprintf("3%07d", i)))
	}
	return f
}

// sale is what goes into a message.
type sale struct {
	pan, track, factor []byte
	pin                []byte // the block, nil none
	amount             uint64
	trace              uint64
	serial             pos.Serial
	cipher             [8]byte
	swipe              bool
	sealed             []byte // track under TDK, packed
}

// sale draws a sale. Half of them are swipes, half have A2.
func (f *fleet) sale() *sale {
	s := &sale{pan: append([]byte("62"), f.digits(14)...), amount: f.rnd.Uint64N(10_000_000) + 1, trace: f.rnd.Uint64N(999_999) + 1, swipe: f.rnd.IntN(2) == 0}
	s.factor = bytes.Clone(s.pan[10:])
	s.track = append(append(bytes.Clone(s.pan), 'D'), append([]byte("3012201"), f.digits(13)...)...)
	if f.rnd.IntN(2) == 0 {
		f.prove(s, f.own)
	}
	if f.rnd.IntN(2) == 0 {
		s.pin = f.bytes(f.pinSize())
	}
	return s
}

func (f *fleet) pinSize() int {
	if keys.CipherOf(f.own.code) == keys.SM4 {
		return 16
	}
	return 8
}

// prove fills A2 with a machine's serial number and key.
func (f *fleet) prove(s *sale, m *machine) {
	k, _ := mac.New(mac.UnionPayECBSM4, 0, m.serialKey)
	s.serial = m.serial
	s.cipher = mac.SerialCiphertext(k, m.serial, s.factor)
}

// frame packs a sale without LEN; DE64 is 00000000 in characters.
func (f *fleet) frame(t testing.TB, s *sale) []byte {
	t.Helper()
	b := iso8583.NewBuilder(&iso8583.UnionPay)
	buf := make([]byte, iso8583.LengthSize+iso8583.MaxFrame)
	b.Begin(buf, iso8583.Envelope{0x60, 0x06, 0x01, 0, 0, 0x60, 0x31, 0, 0x31, 0x11, 0x08}, 0x0200)
	if !s.swipe {
		pan, err := pos.ParsePAN(string(s.pan))
		if err != nil {
			t.Fatal(err)
		}
		b.PutPAN(pan)
	}
	b.PutNumber(3, 0)
	b.PutNumber(4, s.amount)
	b.PutNumber(11, s.trace)
	if !s.swipe {
		b.PutNumber(14, 3012)
	}
	b.PutNumber(22, 21)
	b.PutNumber(25, 0)
	switch {
	case s.sealed != nil:
		b.PutPacked(35, len(s.track), s.sealed)
	case s.swipe:
		b.PutDigits(35, s.track)
	}
	b.PutText(41, f.own.id[:])
	b.PutText(42, []byte("898310058120001"))
	b.PutText(49, []byte("156"))
	var de59 []byte
	if s.pin != nil && len(s.pin) == 8 {
		b.PutRaw(52, s.pin)
	} else if s.pin != nil {
		b.PutRaw(52, make([]byte, 8))
		de59, _ = iso8583.AppendTag(nil, "A1", s.pin)
	}
	digit := map[keys.Cipher]byte{keys.DES: '0', keys.TDES: '6', keys.SM4: '3'}[keys.CipherOf(f.own.code)]
	security := []byte("0000000000000000")
	security[1] = digit
	if s.pin != nil {
		security[0] = '2'
	}
	if s.sealed != nil {
		security[2] = '1'
	}
	b.PutDigits(53, security)
	if s.serial != "" {
		a2, err := iso8583.AppendA2(nil, iso8583.A2Values{iso8583.A2DeviceType: []byte("04"), iso8583.A2Serial: []byte(s.serial),
			iso8583.A2Factor: s.factor, iso8583.A2Cipher: s.cipher[:], iso8583.A2Version: []byte("1.0.0   ")})
		if err != nil {
			t.Fatal(err)
		}
		de59 = append(de59, a2...)
	}
	if de59 != nil {
		b.PutText(59, de59)
	}
	b.PutDigits(60, []byte("22000001000500"))
	b.ReserveMAC()
	b.SetMAC([8]byte([]byte("00000000")))
	frame, err := b.Frame()
	if err != nil {
		t.Fatal(err)
	}
	return frame[iso8583.LengthSize:]
}

// Parts of a frame of frame.
func mabOf(frame []byte) []byte { return frame[iso8583.EnvelopeSize : len(frame)-8] }

func setMAC(frame, code []byte) {
	copy(frame[len(frame)-8:], strings.ToUpper(hex.EncodeToString(code[:4])))
}

// sum is the whole code of data, by package mac.
func sum(t testing.TB, a mac.Algorithm, p mac.Padding, key, data []byte) []byte {
	t.Helper()
	k, err := mac.New(a, p, key)
	if err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	return k.AppendSum(nil, data)
}

// right is the code of the machine's own algorithm under a key.
func (m *machine) right(t testing.TB, key, data []byte) []byte {
	return sum(t, m.mac, m.padding(), key, data)
}

// candidate is a machine's set as the key book offers it.
func (m *machine) candidate(s diagnosis.Source, i issuedSet) diagnosis.Candidate {
	return diagnosis.Candidate{Source: s, Terminal: m.id, Set: *i.set, Algorithm: m.mac, Serial: m.serial, Key: m.wrapped}
}

// caseOf is the case of a frame with everything the rules allow.
func (f *fleet) caseOf(t testing.TB, frame []byte, why reason.Reason) *diagnosis.Case {
	t.Helper()
	c, err := soft.CaseOf(&iso8583.UnionPay, frame)
	if err != nil {
		t.Fatal(err)
	}
	c.Verdict, c.Reason, c.Code, c.Algorithm, c.Device, c.Masters = 1000, why, f.own.code, f.own.mac, f.own.serial, f.own.masters
	inForce := f.own.candidate(diagnosis.OwnInForce, f.own.now)
	inForce.Used = f.spoken
	c.Keys = append(c.Keys, inForce)
	for _, old := range f.own.former {
		k := f.own.candidate(diagnosis.OwnFormer, old)
		k.Later = f.spoken
		c.Keys = append(c.Keys, k)
	}
	for _, m := range f.siblings {
		c.Keys = append(c.Keys, m.candidate(diagnosis.Sibling, m.now))
	}
	for _, m := range f.neighbours {
		c.Keys = append(c.Keys, m.candidate(diagnosis.Neighbour, m.now))
	}
	device := func(s diagnosis.Source, m *machine) {
		c.Serials = append(c.Serials, diagnosis.Candidate{Source: s, Terminal: m.id, Serial: m.serial, Key: m.wrapped})
	}
	device(diagnosis.SerialDevice, f.own)
	for _, m := range f.siblings {
		device(diagnosis.SerialSibling, m)
	}
	for _, m := range f.neighbours {
		device(diagnosis.SerialNearby, m)
	}
	if c.PIN != nil {
		c.PIN.Until = pos.Instant(1 << 62)
	}
	return c
}
