package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"touchstone/iso8583"
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/secret"
	"touchstone/terminal"
)

// Keys and card of testdata/vectors/cup.json, published as examples: workkey-003 and its TMK.
var (
	testTMK  = []byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10}
	testPIK  = []byte{0x0B, 0x16, 0x21, 0x2C, 0x37, 0x42, 0x4D, 0x58, 0x64, 0x6E, 0x79, 0x85, 0x8F, 0x9B, 0xA7, 0xB0}
	testMAK  = []byte{0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6, 0x07, 0x18}
	testCard = "6225885916163157"
)

// signedIn is a lane of a few terminals that have signed in to a host of the test's own hand.
func signedIn(t testing.TB, terminals, pipeline int) *lane {
	t.Helper()
	r := &run{o: Options{Pipeline: pipeline, Crew: make([]Member, terminals)}, rec: newRecorder(), begin: time.Now(), end: time.Hour}
	buf := make([]byte, iso8583.LengthSize+iso8583.MaxFrame)
	var own []*subject
	for i := range terminals {
		id, err := pos.ParseTerminalID([]byte{'0', '0', '0', '0', '0', '0', '0', byte('1' + i)})
		if err != nil {
			t.Fatal(err)
		}
		merchant, err := pos.ParseMerchantID("898310058120001")
		if err != nil {
			t.Fatal(err)
		}
		b, err := terminal.NewBare(terminal.Config{Terminal: id, Merchant: merchant, SignInCode: 3, TMK: secret.Take(bytes.Clone(testTMK))})
		if err != nil {
			t.Fatal(err)
		}
		if code, err := b.TakeSignIn(signInAnswer(t, id, merchant)); err != nil || code != pos.Approved {
			t.Fatalf("%s, %v", code, err)
		}
		pan, err := pos.ParsePAN(testCard)
		if err != nil {
			t.Fatal(err)
		}
		card := terminal.Card{PAN: pan, Track2: secret.Take([]byte(testCard + "=30122019559206020000"))}
		s, err := newSubject(id, b, card, buf)
		if err != nil {
			t.Fatal(err)
		}
		own = append(own, s)
	}
	return newLane(r, own)
}

func answerOf(t testing.TB, mti pos.MTI, put func(iso8583.Builder)) []byte {
	t.Helper()
	w := iso8583.NewBuilder(&iso8583.UnionPay)
	w.Begin(make([]byte, iso8583.LengthSize+iso8583.MaxFrame), terminal.DefaultEnvelope, mti)
	put(w)
	frame, err := w.Frame()
	if err != nil {
		t.Fatal(err)
	}
	return frame[iso8583.LengthSize:]
}

func signInAnswer(t testing.TB, id pos.TerminalID, merchant pos.MerchantID) []byte {
	t.Helper()
	tmk, err := paycrypto.NewCipher(paycrypto.TDES, testTMK)
	if err != nil {
		t.Fatal(err)
	}
	pik := bytes.Clone(testPIK)
	paycrypto.AdjustParity(pik)
	de62, err := paycrypto.AppendWorkingKeys(nil, 3, tmk, paycrypto.WorkingKeys{PIK: secret.Take(pik), MAK: secret.Take(bytes.Clone(testMAK))})
	if err != nil {
		t.Fatal(err)
	}
	de60, err := iso8583.AppendDE60(nil, iso8583.DE60{Code: pos.Management, Batch: 7, Network: 3, Digits: iso8583.ManagementDigits})
	if err != nil {
		t.Fatal(err)
	}
	return answerOf(t, 0x0810, func(w iso8583.Builder) {
		w.PutNumber(11, 1)
		w.PutText(39, []byte("00"))
		w.PutText(41, id[:])
		w.PutText(42, merchant[:])
		w.PutDigits(60, de60)
		w.PutRaw(62, de62)
	})
}

// saleAnswer is the answer to the sale in flight of s, LEN included.
func saleAnswer(t testing.TB, s *subject, code string, spoil func(frame []byte)) []byte {
	t.Helper()
	k, err := mac.New(mac.UnionPayECBDES, 0, testMAK)
	if err != nil {
		t.Fatal(err)
	}
	body := answerOf(t, 0x0210, func(w iso8583.Builder) {
		w.PutNumber(3, 0)
		w.PutNumber(4, uint64(amount))
		w.PutNumber(11, uint64(s.trace))
		w.PutText(37, []byte("000000000042"))
		w.PutText(39, []byte(code))
		w.PutText(41, s.id[:])
		w.PutText(42, []byte("898310058120001"))
		w.ReserveMAC()
		w.SetMAC(k.Sum8(w.MAB()))
	})
	if spoil != nil {
		spoil(body)
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(body))), body...)
}

func (l *lane) feed(b []byte) (int, error) { return l.received(copy(l.free(), b)) }

// TestLaneJudges: what belongs to a sale in flight is counted by its code, in pieces or many at once and
// in any order, and what does not ends the run.
func TestLaneJudges(t *testing.T) {
	l := signedIn(t, 3, 3)
	for range 3 {
		if _, err := l.send(0); err != nil {
			t.Fatal(err)
		}
	}
	if !l.full() {
		t.Error("three sales are in flight, and there is room")
	}
	a, b, c := l.flight[0], l.flight[1], l.flight[2]
	all := append(append(saleAnswer(t, c, "00", nil), saleAnswer(t, a, "51", nil)...), saleAnswer(t, b, "00", nil)...)
	answers := 0
	for _, one := range all {
		n, err := l.feed([]byte{one})
		if err != nil {
			t.Fatal(err)
		}
		answers += n
	}
	counts := l.run.rec.counts
	if answers != 3 || len(l.flight) != 0 || counts.approved != 2 || counts.codes[pos.Code("51")] != 1 || counts.measured != 3 || counts.granted != 2 {
		t.Errorf("%d answers, %d in flight, %+v", answers, len(l.flight), counts)
	}
	for range 3 { // many at once
		if _, err := l.send(0); err != nil {
			t.Fatal(err)
		}
	}
	all = nil
	for _, s := range l.flight {
		all = append(all, saleAnswer(t, s, "00", nil)...)
	}
	if n, err := l.feed(all); n != 3 || err != nil {
		t.Errorf("%d answers, %v", n, err)
	}
}

func TestLaneRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(l *lane) []byte
		want   error
	}{
		{"a wrong MAC", func(l *lane) []byte {
			return saleAnswer(t, l.flight[0], "00", func(b []byte) { b[len(b)-1] ^= 1 })
		}, errMAC},
		{"an approval without a MAC", func(l *lane) []byte {
			s := l.flight[0]
			body := answerOf(t, 0x0210, func(w iso8583.Builder) {
				w.PutNumber(11, uint64(s.trace))
				w.PutText(39, []byte("00"))
				w.PutText(41, s.id[:])
			})
			return append(binary.BigEndian.AppendUint16(nil, uint16(len(body))), body...)
		}, errMAC},
		{"another sale's trace", func(l *lane) []byte {
			l.flight[0].trace++
			b := saleAnswer(t, l.flight[0], "00", nil)
			l.flight[0].trace--
			return b
		}, terminal.ErrAnswer},
		{"a terminal that asked nothing", func(l *lane) []byte {
			return saleAnswer(t, l.own[1], "00", nil)
		}, terminal.ErrAnswer},
		{"a length out of bounds", func(*lane) []byte { return []byte{0xFF, 0xFF} }, errAnswerLength},
		{"no message", func(*lane) []byte { return append([]byte{0, 40}, make([]byte, 40)...) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := signedIn(t, 2, 1)
			for range 3 { // also when the shape of answers is known and this one is not looked at whole
				if _, err := l.send(0); err != nil {
					t.Fatal(err)
				}
				if _, err := l.feed(saleAnswer(t, l.flight[0], "00", nil)); err != nil {
					t.Fatal(err)
				}
			}
			l.at, l.seen = 0, 0
			if _, err := l.send(0); err != nil {
				t.Fatal(err)
			}
			_, err := l.feed(c.answer(l))
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if got := l.run.rec.counts.approved; got != 3 {
				t.Errorf("%d approved, want the 3 before", got)
			}
		})
	}
}

// TestLaneAllocatesNothing: a sale and its answer cost the generator no allocation, whether the answer is
// glanced at or read whole.
func TestLaneAllocatesNothing(t *testing.T) {
	l := signedIn(t, 2, 1)
	k, err := mac.New(mac.UnionPayECBDES, 0, testMAK)
	if err != nil {
		t.Fatal(err)
	}
	answers := map[pos.TerminalID][]byte{}
	for _, s := range l.own {
		answers[s.id] = saleAnswer(t, s, "00", nil)
	}
	one := func() {
		if _, err := l.send(0); err != nil {
			t.Fatal(err)
		}
		s := l.flight[0]
		b := answers[s.id]
		copy(b[traceAt:], s.frame[traceAt:traceAt+3])
		de64 := k.Sum8(b[mtiAt : len(b)-macSize])
		copy(b[len(b)-macSize:], de64[:])
		if n, err := l.feed(b); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	one() // the shape is learned
	if got := testing.AllocsPerRun(20*verifyOneIn, one); got > 0 {
		t.Errorf("%g allocations a sale", got)
	}
	if v := l.run.rec.counts.verified; v < 20 || v > 25 {
		t.Errorf("%d MACs verified of %d answers", v, l.seen)
	}
}

// TestTracesEnd: a terminal does not begin again when its batch has no trace left.
func TestTracesEnd(t *testing.T) {
	l := signedIn(t, 1, 1)
	l.own[0].trace = uint32(pos.MaxSTAN) - 1
	frame, err := l.send(0)
	if err != nil || !bytes.Equal(frame[traceAt:traceAt+3], []byte{0x99, 0x99, 0x99}) {
		t.Errorf("the last trace: %X, %v", frame, err)
	}
	l.flight = l.flight[:0]
	if _, err := l.send(0); !errors.Is(err, errTraces) {
		t.Errorf("%v", err)
	}
}

// TestWrongMACs: so many of each hundred are wrong in their MAC and nothing else; A0 is what they must be answered, and
// an approval of one is told.
func TestWrongMACs(t *testing.T) {
	for percent, want := range map[float64]int{0: 0, 1: 5, 2.5: 12, 50: 250, 100: 500} {
		l := signedIn(t, 1, 1)
		l.run.o.WrongMAC = percent
		s, wrong := l.own[0], 0
		for range 500 {
			frame, err := l.send(0)
			if err != nil {
				t.Fatal(err)
			}
			at := len(frame) - macSize
			if right := s.mak.Verify(frame[mtiAt:at], frame[at:]); right == s.wrong {
				t.Fatalf("the MAC is right: %t, it is to be wrong: %t", right, s.wrong)
			}
			if s.wrong {
				wrong++
			}
			l.flight = l.flight[:0]
		}
		if wrong != want {
			t.Errorf("%g percent of 500 sales: %d", percent, wrong)
		}
	}
	r := newRecorder()
	for _, o := range []observation{{code: pos.Code("A0"), wrong: true}, {code: pos.Approved, wrong: true}, {code: pos.Code("96"), wrong: true}, {code: pos.Code("A0")}, {code: pos.Approved}} {
		r.answered(o)
	}
	if c := r.counts; c.wrong != 1 || c.forged != 1 || c.refused != 2 || c.approved != 2 {
		t.Errorf("counted %+v", c)
	}
}
