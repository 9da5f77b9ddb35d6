package iso8583_test

import (
	"bytes"
	"errors"
	"testing"

	"touchstone/iso8583"
	"touchstone/pos"
)

func begun(t testing.TB, mti pos.MTI) iso8583.Builder {
	t.Helper()
	e, err := iso8583.ParseEnvelope(unhex(t, envelopeHex))
	if err != nil {
		t.Fatal(err)
	}
	b := iso8583.NewBuilder(&iso8583.UnionPay)
	b.Begin(make([]byte, iso8583.LengthSize+iso8583.MaxFrame), e, mti)
	return b
}

// TestBuildAnswer makes the answer to a published sign-in and compares it with bytes written by hand.
func TestBuildAnswer(t *testing.T) {
	m := parse(t, message(t, "signin-req-short"))
	b := iso8583.NewBuilder(&iso8583.UnionPay)
	b.Begin(make([]byte, 200), m.Envelope().Answer(iso8583.SignInAgain), m.MTI().Response())
	b.Echo(m, 2) // it has none
	b.Echo(m, 11)
	b.PutNumber(12, 93015)
	b.PutNumber(13, 102)
	b.PutDigits(32, []byte("65203"))
	b.PutText(39, []byte("97"))
	b.Echo(m, 41)
	b.Echo(m, 42)
	b.Echo(m, 60)
	frame, err := b.Frame()
	if err != nil {
		t.Fatal(err)
	}
	want := unhex(t, "0049 6000000601 603103311812 0810 0038000102C00010 000000 093015 0102 05652030 3937"+
		"3232303033363031 303435313235343131303030313030 0011 000000000030")
	want[1] = byte(len(want) - 2)
	copy(want[13+10+12+2:], m.Raw(41))
	copy(want[13+10+12+2+8:], m.Raw(42))
	copy(want[13+2:], unhex(t, "0038000102C00010")) // 11 12 13 32 39 41 42 60
	copy(want[13+10:], m.Raw(11))
	if !bytes.Equal(frame, want) {
		t.Errorf("got  %x\nwant %x", frame, want)
	}
	body, err := b.Finish()
	if err != nil || !bytes.Equal(body, want[13:]) {
		t.Errorf("Finish: %x, %v", body, err)
	}
}

func TestBuildEveryFormat(t *testing.T) {
	pan, err := pos.ParsePAN("6225885916163")
	if err != nil {
		t.Fatal(err)
	}
	b := begun(t, 0x0200)
	b.PutPAN(pan)
	b.PutNumber(4, 999_999_999_999)
	b.PutNumber(22, 21)
	b.PutNumber(23, 1)
	b.PutDigits(35, []byte("6225885916163=2301"))
	b.PutPacked(36, 3, []byte{0xAB, 0xC0})
	b.PutText(41, []byte("12345678"))
	b.PutRaw(52, []byte{1, 2, 3, 4, 5, 6, 7, 8})
	b.PutNumber(53, 2610000000000000)
	b.PutText(59, []byte{0, 0xFF})
	b.PutRaw(62, []byte{9})
	b.ReserveMAC()
	mab := bytes.Clone(b.MAB())
	b.SetMAC([8]byte([]byte("7D3233EE")))
	frame, err := b.Frame()
	if err != nil {
		t.Fatal(err)
	}
	want := handmade(t, "0200",
		put{2, "13 6225885916163 0"}, put{4, "999999999999"}, put{22, "0210"}, put{23, "0001"},
		put{35, "18 6225885916163D2301"}, put{36, "0003 ABC0"}, put{41, "3132333435363738"},
		put{52, "0102030405060708"}, put{53, "2610000000000000"}, put{59, "0002 00FF"}, put{62, "0001 09"},
		put{64, "3744333233334545"})
	if !bytes.Equal(frame[2:], want) {
		t.Errorf("got  %x\nwant %x", frame[2:], want)
	}
	if len(frame) != int(frame[0])<<8+int(frame[1])+2 {
		t.Error("LEN does not count the frame")
	}
	m := parse(t, frame[2:])
	if !bytes.Equal(mab, m.MAB()) {
		t.Error("the MAC's input differs between packing and parsing")
	}
}

func TestBuilderRefusals(t *testing.T) {
	sale := parse(t, message(t, "mocredit-sale"))
	other := iso8583.Dialect{Name: "other", Elements: iso8583.UnionPay.Elements}
	var foreign iso8583.Message
	if err := other.Parse(&foreign, message(t, "mocredit-sale")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		do   func(b iso8583.Builder)
		n    int
		kind iso8583.Kind
	}{
		{"the same twice", func(b iso8583.Builder) { b.PutNumber(11, 1); b.PutNumber(11, 1) }, 11, iso8583.KindOrder},
		{"descending", func(b iso8583.Builder) { b.PutNumber(11, 1); b.PutNumber(4, 1) }, 4, iso8583.KindOrder},
		{"unknown", func(b iso8583.Builder) { b.PutNumber(5, 1) }, 5, iso8583.KindUnknown},
		{"bitmap", func(b iso8583.Builder) { b.PutNumber(1, 1) }, 1, iso8583.KindUnknown},
		{"negative", func(b iso8583.Builder) { b.PutNumber(-1, 1) }, -1, iso8583.KindUnknown},
		{"over 64", func(b iso8583.Builder) { b.PutRaw(65, nil) }, 65, iso8583.KindUnknown},
		{"number too wide", func(b iso8583.Builder) { b.PutNumber(11, 1_000_000) }, 11, iso8583.KindValue},
		{"number of variable length", func(b iso8583.Builder) { b.PutNumber(60, 1) }, 60, iso8583.KindFormat},
		{"number into text", func(b iso8583.Builder) { b.PutNumber(41, 1) }, 41, iso8583.KindFormat},
		{"digits into text", func(b iso8583.Builder) { b.PutDigits(39, []byte("00")) }, 39, iso8583.KindFormat},
		{"text into digits", func(b iso8583.Builder) { b.PutText(11, []byte("000001")) }, 11, iso8583.KindFormat},
		{"raw into text", func(b iso8583.Builder) { b.PutRaw(39, []byte("00")) }, 39, iso8583.KindFormat},
		{"packed into text", func(b iso8583.Builder) { b.PutPacked(39, 2, []byte("00")) }, 39, iso8583.KindFormat},
		{"raw MAC", func(b iso8583.Builder) { b.PutRaw(64, make([]byte, 8)) }, 64, iso8583.KindFormat},
		{"digits short", func(b iso8583.Builder) { b.PutDigits(11, []byte("00001")) }, 11, iso8583.KindLength},
		{"digits long", func(b iso8583.Builder) { b.PutDigits(11, []byte("0000001")) }, 11, iso8583.KindLength},
		{"variable too long", func(b iso8583.Builder) { b.PutDigits(60, make([]byte, 18)) }, 60, iso8583.KindLength},
		{"variable empty", func(b iso8583.Builder) { b.PutDigits(60, nil) }, 60, iso8583.KindEmpty},
		{"no card number", func(b iso8583.Builder) { b.PutPAN(pos.NewPAN()) }, 2, iso8583.KindEmpty},
		{"not a digit", func(b iso8583.Builder) { b.PutDigits(11, []byte("00000A")) }, 11, iso8583.KindDigit},
		{"separator in n", func(b iso8583.Builder) { b.PutDigits(11, []byte("00000D")) }, 11, iso8583.KindDigit},
		{"letter in z", func(b iso8583.Builder) { b.PutDigits(35, []byte("12A4")) }, 35, iso8583.KindDigit},
		{"packed n with a letter", func(b iso8583.Builder) { b.PutPacked(11, 6, []byte{0, 0, 0x0A}) }, 11, iso8583.KindDigit},
		{"packed with a wrong pad", func(b iso8583.Builder) { b.PutPacked(35, 3, []byte{0x12, 0x31}) }, 35, iso8583.KindPad},
		{"packed with too many bytes", func(b iso8583.Builder) { b.PutPacked(35, 3, []byte{0x12, 0x30, 0}) }, 35, iso8583.KindLength},
		{"packed with a negative count", func(b iso8583.Builder) { b.PutPacked(35, -1, nil) }, 35, iso8583.KindEmpty},
		{"character", func(b iso8583.Builder) { b.PutText(39, []byte{'0', 7}) }, 39, iso8583.KindCharacter},
		{"after the MAC", func(b iso8583.Builder) { b.ReserveMAC(); b.PutNumber(11, 1) }, 11, iso8583.KindOrder},
		{"the MAC twice", func(b iso8583.Builder) { b.ReserveMAC(); b.ReserveMAC() }, 64, iso8583.KindOrder},
		{"MAC not reserved", func(b iso8583.Builder) { b.SetMAC([8]byte{}) }, 64, iso8583.KindMAC},
		{"MAC not set", func(b iso8583.Builder) { b.ReserveMAC() }, 64, iso8583.KindMAC},
		{"echo of the MAC", func(b iso8583.Builder) { b.Echo(sale, 64) }, 64, iso8583.KindFormat},
		{"echo of another dialect", func(b iso8583.Builder) { b.Echo(foreign, 11) }, 11, iso8583.KindDialect},
		{"the first fault stays", func(b iso8583.Builder) { b.PutNumber(5, 1); b.PutNumber(11, 1); b.ReserveMAC(); b.SetMAC([8]byte{}) }, 5, iso8583.KindUnknown},
	} {
		b := begun(t, 0x0200)
		c.do(b)
		frame, err := b.Frame()
		var fault iso8583.EncodeError
		if !errors.As(err, &fault) || fault.Element != c.n || fault.Kind != c.kind || frame != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if body, err := b.Finish(); err == nil || body != nil {
			t.Errorf("%s: Finish gave a message", c.name)
		}
		if _, err := b.Repack(sale, make([]byte, 300)); err != nil {
			t.Errorf("%s: the fault outlived Begin: %v", c.name, err)
		}
	}
}

func TestBuilderRoom(t *testing.T) {
	e, err := iso8583.ParseEnvelope(unhex(t, envelopeHex))
	if err != nil {
		t.Fatal(err)
	}
	sale := parse(t, message(t, "mocredit-sale"))
	whole := iso8583.LengthSize + len(message(t, "mocredit-sale"))
	b := iso8583.NewBuilder(&iso8583.UnionPay)
	for room := range whole + 2 {
		buf := make([]byte, room, whole+10)
		_, err := b.Repack(sale, buf)
		if (err == nil) != (room >= whole) {
			t.Errorf("room %d of %d: %v", room, whole, err)
		}
		if !bytes.Equal(buf[room:cap(buf)], make([]byte, cap(buf)-room)) {
			t.Fatalf("room %d: written past the length", room)
		}
	}
	// MaxFrame bounds a frame however large the buffer is: 21 + 3·(2+n) bytes of elements.
	for _, c := range []struct {
		over int
		ok   bool
	}{{-1, true}, {0, true}, {1, false}} {
		b.Begin(make([]byte, 5000), e, 0x0200)
		b.PutDigits(48, bytes.Repeat([]byte("1"), 322))     // 2+161
		b.PutRaw(55, make([]byte, 255))                     // 2+255
		b.PutText(59, bytes.Repeat([]byte("1"), 999))       // 2+999
		b.PutRaw(62, make([]byte, 512))                     // 2+512
		b.PutText(63, bytes.Repeat([]byte("1"), 90+c.over)) // 2+90, and 21 before: 2048
		frame, err := b.Frame()
		if (err == nil) != c.ok || c.ok && len(frame) != iso8583.LengthSize+iso8583.MaxFrame+c.over {
			t.Errorf("%+d: %d bytes, %v", c.over, len(frame), err)
		}
	}
	for name, b := range map[string]iso8583.Builder{"zero": {}, "not begun": iso8583.NewBuilder(&iso8583.UnionPay), "no dialect": iso8583.NewBuilder(nil)} {
		if name == "no dialect" {
			b.Begin(make([]byte, 100), e, 0x0200)
		}
		b.PutNumber(11, 1)
		if _, err := b.Frame(); err == nil {
			t.Errorf("%s builder made a frame", name)
		}
		if b.MAB() != nil {
			t.Errorf("%s builder lends a MAC's input", name)
		}
	}
}

func TestBeginRefusals(t *testing.T) {
	good, err := iso8583.ParseEnvelope(unhex(t, envelopeHex))
	if err != nil {
		t.Fatal(err)
	}
	b := iso8583.NewBuilder(&iso8583.UnionPay)
	for name, c := range map[string]struct {
		e    iso8583.Envelope
		mti  pos.MTI
		kind iso8583.Kind
	}{
		"envelope of zeros":    {iso8583.Envelope{}, 0x0200, iso8583.KindEnvelope},
		"requirement 10":       {good.Answer(10), 0x0200, iso8583.KindEnvelope},
		"message type 02A0":    {good, 0x02A0, iso8583.KindDigit},
		"message type one off": {good, 0x020A, iso8583.KindDigit},
	} {
		b.Begin(make([]byte, 100), c.e, c.mti)
		_, err := b.Frame()
		var fault iso8583.EncodeError
		if !errors.As(err, &fault) || fault.Kind != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDigitsComeBack: what CopyDigits gives, PutDigits takes, for every element of every sample.
func TestDigitsComeBack(t *testing.T) {
	for _, s := range vectors(t).Messages {
		m := parse(t, unhex(t, s.Hex)[2:])
		for n := range iso8583.MaxElement {
			digits := make([]byte, 400)
			count := m.CopyDigits(n, digits)
			if count == 0 {
				continue
			}
			b := begun(t, m.MTI())
			b.PutDigits(n, digits[:count])
			frame, err := b.Frame()
			if err != nil {
				t.Fatalf("%s, element %d: %v", s.ID, n, err)
			}
			if back := parse(t, frame[2:]); !bytes.Equal(back.Raw(n), m.Raw(n)) {
				t.Errorf("%s, element %d: other bytes", s.ID, n)
			}
		}
	}
}
