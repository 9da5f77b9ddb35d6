package iso8583_test

import (
	"bytes"
	"io"
	"testing"

	"touchstone/iso8583"
	"touchstone/pos"
)

// saleWriter packs a sale of 17 elements, those of the published sample, from values.
type saleWriter struct {
	b            iso8583.Builder
	e            iso8583.Envelope
	buf          []byte
	track2       []byte
	track3       []byte
	terminal     []byte
	merchant     []byte
	currency     []byte
	pin, private []byte
	de53, de60   []byte
	mac          [8]byte
}

func newSaleWriter(t testing.TB, m iso8583.Message) *saleWriter {
	digits := func(n int) []byte {
		d := make([]byte, m.Len(n))
		if m.CopyDigits(n, d) != len(d) {
			t.Fatalf("element %d has no digits", n)
		}
		return d
	}
	return &saleWriter{
		b: iso8583.NewBuilder(&iso8583.UnionPay), e: m.Envelope(), buf: make([]byte, iso8583.LengthSize+iso8583.MaxFrame),
		track2: digits(35), track3: digits(36), de53: digits(53), de60: digits(60),
		terminal: m.Text(41), merchant: m.Text(42), currency: m.Text(49), pin: m.Raw(52), private: m.Raw(62), mac: [8]byte(m.Raw(64)),
	}
}

func (w *saleWriter) write() ([]byte, error) {
	b := w.b
	b.Begin(w.buf, w.e, 0x0200)
	b.PutNumber(3, 0)
	b.PutNumber(4, 999)
	b.PutNumber(11, 161)
	b.PutNumber(14, 3501)
	b.PutNumber(22, 21)
	b.PutNumber(25, 4)
	b.PutNumber(26, 6)
	b.PutDigits(35, w.track2)
	b.PutDigits(36, w.track3)
	b.PutText(41, w.terminal)
	b.PutText(42, w.merchant)
	b.PutText(49, w.currency)
	b.PutRaw(52, w.pin)
	b.PutDigits(53, w.de53)
	b.PutDigits(60, w.de60)
	b.PutRaw(62, w.private)
	b.ReserveMAC()
	if len(b.MAB()) == 0 {
		return nil, io.ErrShortBuffer
	}
	b.SetMAC(w.mac)
	return b.Frame()
}

func TestPackSaleIsTheSample(t *testing.T) {
	frame := message(t, "mocredit-sale")
	got, err := newSaleWriter(t, parse(t, frame)).write()
	if err != nil || !bytes.Equal(got[2:], frame) {
		t.Errorf("other bytes: %v", err)
	}
}

func TestNoAllocation(t *testing.T) {
	frame := message(t, "mocredit-sale")
	m := parse(t, frame)
	other := parse(t, message(t, "mocredit-void-reversal"))
	w, pan, out := newSaleWriter(t, m), pos.NewPAN(), make([]byte, 300)
	wire, err := w.write()
	if err != nil {
		t.Fatal(err)
	}
	wire = bytes.Clone(wire)
	r, buf := bytes.NewReader(nil), make([]byte, iso8583.MaxFrame)
	de59 := []byte("A2032010020402020" + "00000304N9NL10000001" + "A5026" + "01006121.48" + "02010+31.230400")
	failed := false
	check := func(ok bool) { failed = failed || !ok }
	for name, f := range map[string]func(){
		"ReadFrame": func() {
			r.Reset(wire)
			_, err := iso8583.ReadFrame(r, buf)
			check(err == nil)
		},
		"Parse":  func() { check(iso8583.UnionPay.Parse(&m, frame) == nil) },
		"pack":   func() { _, err := w.write(); check(err == nil) },
		"Repack": func() { _, err := w.b.Repack(m, out); check(err == nil) },
		"answer": func() {
			w.b.Begin(out, m.Envelope().Answer(iso8583.SignInAgain), m.MTI().Response())
			for _, n := range []int{3, 4, 11, 41, 42, 49, 60} {
				w.b.Echo(m, n)
			}
			_, err := w.b.Frame()
			check(err == nil)
		},
		"accessors": func() {
			check(other.PAN(pan) == nil)
			v, ok := m.Number(4)
			check(ok && v == 999)
			x, err := m.DE60()
			check(err == nil && x.Code == pos.Sale)
			s, err := m.DE53()
			check(err == nil && !s.TracksEncrypted)
			var track [37]byte
			t2, err := iso8583.ParseTrack2(track[:m.CopyDigits(35, track[:])])
			check(err == nil && t2.PANDigits == 16)
			check(len(m.MAB()) == len(m.Bytes())-8)
		},
		"DE59": func() {
			x, err := iso8583.ParseDE59(de59)
			check(err == nil)
			v := x.Value(de59, iso8583.TagSerial)
			a2, err := iso8583.ParseA2(v)
			check(err == nil && len(a2.Value(v, iso8583.A2Serial)) == 20)
			a5, err := iso8583.ParseA5(x.Value(de59, iso8583.TagLocation))
			check(err == nil && a5.Located)
		},
	} {
		if failed = false; testing.AllocsPerRun(100, f) != 0 {
			t.Errorf("%s allocates", name)
		}
		if failed {
			t.Errorf("%s did not do its work", name)
		}
	}
}

func BenchmarkReadFrame(b *testing.B) {
	wire := append([]byte{0, 0}, message(b, "mocredit-sale")...)
	wire[1] = byte(len(wire) - 2)
	r, buf := bytes.NewReader(nil), make([]byte, iso8583.MaxFrame)
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(wire)
		if _, err := iso8583.ReadFrame(r, buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseSale(b *testing.B) {
	frame := message(b, "mocredit-sale")
	m := parse(b, frame)
	b.ReportAllocs()
	for b.Loop() {
		if err := iso8583.UnionPay.Parse(&m, frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPackSale(b *testing.B) {
	w := newSaleWriter(b, parse(b, message(b, "mocredit-sale")))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.write(); err != nil {
			b.Fatal(err)
		}
	}
}
