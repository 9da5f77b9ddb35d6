package terminal

import (
	"bytes"
	"context"
	"crypto/des"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"touchstone/paycrypto"
	"touchstone/pos"
	"touchstone/secret"
)

// DE62 of vector workkey-003 in testdata/vectors/cup.json and its keys, published as examples.
const (
	insideTMK  = "0123456789ABCDEFFEDCBA9876543210"
	insideDE62 = "3EB3B72576BBBE834F0B96AAA5A8B5485ED7EA43FD7AF640961CDB8B00000000000000005FFE0009"
	insideMAK  = "A1B2C3D4E5F60718"
)

// canned is a connection that takes everything and gives what it was filled with, then the end.
type canned struct {
	net.Conn
	give io.Reader
}

func (c *canned) Read(b []byte) (int, error)       { return c.give.Read(b) }
func (c *canned) Write(b []byte) (int, error)      { return len(b), nil }
func (c *canned) Close() error                     { return nil }
func (c *canned) SetDeadline(time.Time) error      { return nil }
func (c *canned) SetReadDeadline(time.Time) error  { return nil }
func (c *canned) SetWriteDeadline(time.Time) error { return nil }

// inside is a signed-in terminal whose host answers with the bytes given.
func inside(t testing.TB, give *[]byte) *Terminal {
	t.Helper()
	raw := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	term, err := Open(Config{
		Host: "host", Terminal: pos.TerminalID([]byte("10000001")), Merchant: pos.MerchantID([]byte("123456789012345")),
		SignInCode: paycrypto.SignInTDES, TMK: secret.Take(raw(insideTMK)), StateDir: t.TempDir(),
		Now: func() time.Time { return time.Unix(1_800_000_000, 0) },
		Dial: func(context.Context, string, string) (net.Conn, error) {
			return &canned{give: bytes.NewReader(*give)}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { term.Close() })
	if term.keys, err = newSession(term.cfg.SignInCode, term.cfg.MAC, term.tmk, raw(insideDE62)); err != nil {
		t.Fatal(err)
	}
	term.st.Batch = 7
	return term
}

// handMAC is section 4.1 with crypto/des.
func handMAC(t testing.TB, mab []byte) []byte {
	key, _ := hex.DecodeString(insideMAK)
	c, err := des.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	var r [8]byte
	for i, b := range mab {
		r[i%8] ^= b
	}
	h, e := []byte(fmt.Sprintf("%X", r)), make([]byte, 8)
	c.Encrypt(e, h[:8])
	for i := range e {
		e[i] ^= h[8+i]
	}
	c.Encrypt(e, e)
	return []byte(fmt.Sprintf("%X", e[:4]))
}

// goodAnswer is an approval of the sale that FuzzAnswer sends, written by hand.
func goodAnswer(t testing.TB) []byte {
	text := "6000000003603100311812" + "0210" + "302000000AC08001" + // 3 4 11 37 39 41 42 49 64
		"000000" + "000000001850" + "000001" + fmt.Sprintf("%X", "000000000001") + "3030" + fmt.Sprintf("%X", "10000001") +
		fmt.Sprintf("%X", "123456789012345") + "313536"
	frame, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	frame = append(frame, handMAC(t, frame[11:])...)
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(frame))), frame...)
}

// ask sends the sale and gives what became of it.
func ask(t testing.TB, term *Terminal) Result {
	term.link.close()
	r := term.financial("sale", pos.Sale, saleProcessing, Card{})
	r.amount, r.trace, r.batch = 1850, 1, 7
	frame, err := term.build(r)
	if err != nil {
		t.Fatal(err)
	}
	return term.talk(t.Context(), r, "", frame)
}

func TestGoodAnswerAndEveryFlippedByte(t *testing.T) {
	var give []byte
	term := inside(t, &give)
	good := goodAnswer(t)
	give = good
	if r := ask(t, term); !r.Approved || !r.MACVerified || r.RRN.String() != "000000000001" {
		t.Fatalf("the answer written by hand: %+v", r)
	}
	for i := 2 + 11; i < len(good); i++ { // the MAC covers the message, not the envelope
		for _, flip := range []byte{0x01, 0x20, 0x80} {
			give = bytes.Clone(good)
			give[i] ^= flip
			if r := ask(t, term); r.Approved || r.MACVerified {
				t.Fatalf("approved with byte %d wrong", i)
			}
		}
	}
}

// FuzzAnswer: whatever comes back, nothing panics and nothing is approved whose MAC, computed by hand
// over the bytes received, is not right.
func FuzzAnswer(f *testing.F) {
	good := goodAnswer(f)
	f.Add(good)
	f.Add(good[:len(good)-8])
	f.Add(append(bytes.Clone(good[:len(good)-1]), '0'))
	f.Add([]byte{0, 21})
	f.Add([]byte{})
	var give []byte
	term := inside(f, &give)
	f.Fuzz(func(t *testing.T, answer []byte) {
		give = answer
		r := ask(t, term)
		if !r.Approved {
			return
		}
		if !r.MACVerified || r.Outcome != Done || !anyRight(t, answer) {
			t.Fatalf("approved without a right MAC: %v", r.Outcome)
		}
	})
}

// anyRight tells whether one of the frames in a stream ends in its right MAC.
func anyRight(t testing.TB, stream []byte) bool {
	for len(stream) > 2 {
		size := int(binary.BigEndian.Uint16(stream))
		if len(stream) < 2+size || size < 21+8 {
			return false
		}
		body := stream[2+11 : 2+size]
		if bytes.Equal(handMAC(t, body[:len(body)-8]), body[len(body)-8:]) {
			return true
		}
		stream = stream[2+size:]
	}
	return false
}

// FuzzState: a file is refused with ErrState, or is one that packs and reads back alike.
func FuzzState(f *testing.F) {
	id := pos.TerminalID([]byte("10000001"))
	f.Add([]byte(`{"version":1,"terminal_id":"10000001","trace":5,"batch":7,"list":[{"kind":"sale","trace":5,"amount":100,"card":"622588******3157"}]}`))
	f.Add([]byte(`{"version":1,"terminal_id":"10000001","reversal":{"kind":"void","trace":1,"reason":"98","sealed_pan":"AAAA"},"working_keys":"AAAA"}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		st, err := parseState(raw, id)
		if err != nil {
			if !errors.Is(err, ErrState) || st != nil {
				t.Fatalf("%v", err)
			}
			return
		}
		first, err := json.Marshal(st)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseState(first, id)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := json.Marshal(again); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("it does not come back: %v", err)
		}
	})
}

func TestWordsFitTheScreen(t *testing.T) {
	check := func(name string, w Words) {
		for _, text := range []string{w.ZH, w.EN} {
			if text == "" || Width(text) > Columns {
				t.Errorf("%s: %q is %d columns", name, text, Width(text))
			}
		}
	}
	for code, w := range codeWords {
		check(code, w)
	}
	for name, w := range titles {
		check(name, w)
		check(name, Words{w.ZH + "成功", w.EN})
	}
	for o, w := range outcomeWords {
		check(o.String(), w)
	}
	for o := None; int(o) < len(outcomeNames); o++ {
		for _, code := range []string{"", "00", "51", "ZZ"} {
			check(o.String(), wordsFor(&Result{Operation: "sale", Outcome: o, DE39: pos.Code(code)}))
		}
	}
	for _, w := range []Words{wordsLocked, wordsReady, wordsSignIn, wordsBatch, wordsAmount, wordsBalance, wordsCover, wordsWaiting, wordsTrace, wordsCode, wordsFailed} {
		check("fixed", w)
	}
	// Only an approval may be worded as one.
	for o := Refused; int(o) < len(outcomeNames); o++ {
		if o != Refused && wordsFor(&Result{Operation: "sale", Outcome: o, DE39: pos.Approved}) == codeWords["00"] {
			t.Errorf("%v with 00 reads as approved", o)
		}
	}
}

func TestTraceNeverRepeatsInABatch(t *testing.T) {
	var give []byte
	term := inside(t, &give)
	term.st.Trace = pos.MaxSTAN - 1
	for _, want := range []pos.STAN{999999, 1, 2} {
		if got, err := term.nextTrace(); err != nil || got != want {
			t.Fatalf("%v, %v; want %v", got, err, want)
		}
	}
	term.st.BatchTraces = uint32(pos.MaxSTAN)
	if got, err := term.nextTrace(); !errors.Is(err, ErrTraces) || got != 0 {
		t.Fatalf("%v, %v", got, err)
	}
	term.openBatch(8)
	if got, err := term.nextTrace(); err != nil || got != 3 {
		t.Fatalf("%v, %v", got, err)
	}
}

func TestSealedPANIsBound(t *testing.T) {
	var give []byte
	term := inside(t, &give)
	pan, err := pos.ParsePAN("6225885916163157") // of the vectors in testdata/vectors/cup.json
	if err != nil {
		t.Fatal(err)
	}
	term.cfg.Random = bytes.NewReader(make([]byte, 64))
	sealed, err := term.sealPAN(pan, 5)
	if err != nil {
		t.Fatal(err)
	}
	if back := term.openPAN(sealed, 5); !back.Equal(pan) {
		t.Error("the card number does not come back")
	}
	if back := term.openPAN(sealed, 6); back.Len() != 0 {
		t.Error("it opens for another trace")
	}
	for i := range sealed {
		wrong := bytes.Clone(sealed)
		wrong[i] ^= 1
		if back := term.openPAN(wrong, 5); back.Len() != 0 {
			t.Fatalf("it opens with byte %d wrong", i)
		}
	}
	if back := term.openPAN(sealed[:5], 5); back.Len() != 0 {
		t.Error("it opens cut off")
	}
}

// TestDeadConnectionIsNotUsed: a connection that the host closed while it was idle is not sent on, so
// that no sale is lost on it. Time is the bubble's.
func TestDeadConnectionIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var give []byte
		term := inside(t, &give)
		dials := 0
		term.cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
			dials++
			here, there := net.Pipe()
			go func() { // ends with its connection: one answer, then the close
				defer there.Close()
				var head [2]byte
				if _, err := io.ReadFull(there, head[:]); err != nil {
					return
				}
				frame := make([]byte, binary.BigEndian.Uint16(head[:]))
				if _, err := io.ReadFull(there, frame); err != nil {
					return
				}
				body := append([]byte{0x08, 0x30, 0, 0x20, 0, 0, 0x02, 0xC0, 0, 0}, frame[21:24]...)
				body = append(append(body, "00"...), frame[24:24+8+15]...)
				answer := append(append([]byte(nil), frame[:11]...), body...)
				there.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
			}()
			return here, nil
		}
		for i := range 3 {
			if r, err := term.Echo(t.Context()); err != nil || r.Outcome != Done || dials != i+1 {
				t.Fatalf("echo %d: %v, %v after %d dials", i, r.Outcome, err, dials)
			}
			time.Sleep(2 * freshFor)
		}
		term.Close()
	})
}
