package iso8583_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"touchstone/iso8583"
	"touchstone/pos"
)

func TestSamples(t *testing.T) {
	out := make([]byte, iso8583.LengthSize+iso8583.MaxFrame)
	b := iso8583.NewBuilder(&iso8583.UnionPay)
	var m iso8583.Message
	for _, s := range vectors(t).Messages {
		wire := unhex(t, s.Hex)
		frame, err := iso8583.ReadFrame(bytes.NewReader(wire), nil)
		if err != nil || len(frame) != s.Length {
			t.Fatalf("%s: %d bytes, %v", s.ID, len(frame), err)
		}
		if err := iso8583.UnionPay.Parse(&m, frame); err != nil {
			t.Errorf("%s: %v", s.ID, err)
			continue
		}
		var fields []int
		for n := range 66 {
			if m.Has(n) {
				fields = append(fields, n)
			}
		}
		e := m.Envelope()
		if !slices.Equal(fields, s.Fields) || m.MTI().String() != s.MTI || fmt.Sprintf("%016X", m.Bitmap()) != s.Bitmap ||
			fmt.Sprintf("%X", e[:]) != s.TPDU+s.Header {
			t.Errorf("%s: read %v, bitmap %016X", s.ID, m, m.Bitmap())
		}
		if s.DE64 != nil && string(m.Raw(64)) != *s.DE64 {
			t.Errorf("%s: DE64 differs", s.ID)
		}
		if got, err := b.Repack(m, out); err != nil || !bytes.Equal(got, wire) {
			t.Errorf("%s: packs back to other bytes, %v", s.ID, err)
		}
	}
}

// TestSampleValues reads the published sale by hand: its card number is a public sample's.
func TestSampleValues(t *testing.T) {
	m := parse(t, message(t, "mocredit-sale"))
	for n, want := range map[int]uint64{3: 0, 4: 999, 11: 161, 14: 3501, 22: 21, 25: 4, 26: 6, 53: 2600000000000000, 60: 2200039900050} {
		if got, ok := m.Number(n); !ok || got != want {
			t.Errorf("element %d: %d, %v", n, got, ok)
		}
	}
	for n, want := range map[int]int{2: 0, 22: 3, 35: 35, 36: 80, 41: 8, 52: 8, 60: 13, 64: 8, 65: 0, -1: 0} {
		if got := m.Len(n); got != want {
			t.Errorf("element %d: length %d", n, got)
		}
	}
	if got := m.Text(49); string(got) != "156" {
		t.Errorf("element 49: %q", got)
	}
	for _, n := range []int{-1, 0, 1, 2, 5, 35, 52, 65, 1000} {
		if m.Text(n) != nil {
			t.Errorf("element %d has text", n)
		}
		if _, ok := m.Number(n); ok {
			t.Errorf("element %d has a number", n)
		}
	}
	var track [37]byte
	if n := m.CopyDigits(35, track[:34]); n != 0 || track != [37]byte{} {
		t.Error("a short buffer was written")
	}
	n := m.CopyDigits(35, track[:])
	t2, err := iso8583.ParseTrack2(track[:n])
	if err != nil || t2 != (iso8583.Track2{PANDigits: 16, Expiry: 3501, Service: 101, Discretionary: 11}) {
		t.Errorf("track 2: %+v, %v", t2, err)
	}
	mab, whole := m.MAB(), m.Bytes()
	if len(mab) != len(whole)-8 || !bytes.Equal(mab, whole[:len(whole)-8]) || mab[9]&1 != 1 {
		t.Error("the MAC's input is not what stands before DE64, with bit 64 set")
	}
	plain := parse(t, message(t, "signin-req"))
	if !bytes.Equal(plain.MAB(), plain.Bytes()) {
		t.Error("without DE64 the MAC's input is the whole message")
	}
	want := pos.NewPAN()
	pan := pos.NewPAN()
	if err := m.PAN(pan); err == nil || pan.Len() != 0 {
		t.Error("a card number without DE2")
	}
	r := parse(t, message(t, "mocredit-void-reversal"))
	if err := want.Set([]byte("3568570110000056")); err != nil {
		t.Fatal(err)
	}
	if err := r.PAN(pan); err != nil || !pan.Equal(want) {
		t.Errorf("card number: %v", err)
	}
	if _, ok := r.Number(2); ok {
		t.Error("DE2 as a number")
	}
}

// element gives an element of the row at a length: all digits 1, or all characters 1.
func element(e iso8583.Element, count int) string {
	nibbles := e.Format == iso8583.N || e.Format == iso8583.Z
	value := strings.Repeat("31", count)
	if nibbles {
		value = strings.Repeat("1", count)
		if count%2 == 1 && e.Align == iso8583.Right {
			value = "0" + value
		} else if count%2 == 1 {
			value += "0"
		}
	}
	switch e.Length {
	case iso8583.LLVAR:
		return fmt.Sprintf("%02d", count) + value
	case iso8583.LLLVAR:
		return fmt.Sprintf("%04d", count) + value
	}
	return value
}

func wantFault(t *testing.T, what string, err error, n int, k iso8583.Kind) {
	t.Helper()
	var fault iso8583.DecodeError
	if !errors.As(err, &fault) || fault.Element != n || fault.Kind != k {
		t.Errorf("%s: %v", what, err)
	}
}

func TestEveryElementAtItsBounds(t *testing.T) {
	d, b := &iso8583.UnionPay, iso8583.NewBuilder(&iso8583.UnionPay)
	out := make([]byte, iso8583.LengthSize+iso8583.MaxFrame)
	var m iso8583.Message
	rows := 0
	for n := range iso8583.MaxElement + 1 {
		e, ok := d.Element(n)
		if !ok {
			if n >= 2 {
				err := d.Parse(&m, handmade(t, "0200", put{n, "00"}))
				wantFault(t, "not in the table", err, n, iso8583.KindUnknown)
			}
			continue
		}
		rows++
		if e.Number != n || e.Name == "" {
			t.Errorf("row %d says it is %d %q", n, e.Number, e.Name)
		}
		good := []int{e.Max}
		if e.Length != iso8583.Fixed {
			good = []int{1, 2, e.Max - 1, e.Max}
			wantFault(t, "one over", d.Parse(&m, handmade(t, "0200", put{n, element(e, e.Max+1)})), n, iso8583.KindLength)
			wantFault(t, "length 0", d.Parse(&m, handmade(t, "0200", put{n, element(e, 0)})), n, iso8583.KindEmpty)
			wantFault(t, "no prefix", d.Parse(&m, handmade(t, "0200", put{n, ""})), n, iso8583.KindCut)
			wantFault(t, "prefix", d.Parse(&m, handmade(t, "0200", put{n, "0A0A" + element(e, e.Max)})), n, iso8583.KindPrefix)
			wantFault(t, "prefix", d.Parse(&m, handmade(t, "0200", put{n, "A0A0" + element(e, e.Max)})), n, iso8583.KindPrefix)
		}
		for _, count := range good {
			wire := element(e, count)
			frame := handmade(t, "0200", put{n, wire})
			if err := d.Parse(&m, frame); err != nil || m.Len(n) != count {
				t.Errorf("element %d of length %d: %v", n, count, err)
				continue
			}
			if got, err := b.Repack(m, out); err != nil || !bytes.Equal(got[2:], frame) {
				t.Errorf("element %d of length %d packs back to other bytes: %v", n, count, err)
			}
			wantFault(t, "one byte short", d.Parse(&m, frame[:len(frame)-1]), n, iso8583.KindCut)
			wantFault(t, "one byte more", d.Parse(&m, append(frame, 0)), 0, iso8583.KindTrailing)
			if m.Has(n) || m.MTI() != 0 || m.Bytes() != nil {
				t.Errorf("element %d: a message after an error", n)
			}
		}
	}
	if rows != 34 {
		t.Errorf("%d rows, section 2 has 34", rows)
	}
}

func TestRefusals(t *testing.T) {
	long := strings.Repeat("12", 9)
	for _, c := range []struct {
		name  string
		frame []byte
		n     int
		kind  iso8583.Kind
	}{
		{"secondary bitmap", handmade(t, "0200", put{1, "0000000000000000"}), 1, iso8583.KindSecondary},
		{"message type not digits", handmade(t, "02A0"), 0, iso8583.KindDigit},
		{"amount with a letter in front", handmade(t, "0200", put{4, "A00000000001"}), 4, iso8583.KindDigit},
		{"amount with a letter behind", handmade(t, "0200", put{4, "00000000000F"}), 4, iso8583.KindDigit},
		{"letter after eight bytes", handmade(t, "0200", put{61, "0020" + long + "1E"}), 61, iso8583.KindDigit},
		{"letter within eight bytes", handmade(t, "0200", put{61, "0020" + "121212C2" + strings.Repeat("12", 6)}), 61, iso8583.KindDigit},
		{"entry mode padded 1", handmade(t, "0200", put{22, "0211"}), 22, iso8583.KindPad},
		{"entry mode padded F", handmade(t, "0200", put{22, "021F"}), 22, iso8583.KindPad},
		{"entry mode right-aligned", handmade(t, "0200", put{22, "0021"}), 22, iso8583.KindPad},
		{"entry mode with a letter beside the pad", handmade(t, "0200", put{22, "02A0"}), 22, iso8583.KindDigit},
		{"card sequence left-aligned", handmade(t, "0200", put{23, "1000"}), 23, iso8583.KindPad},
		{"card sequence with a letter", handmade(t, "0200", put{23, "0A01"}), 23, iso8583.KindDigit},
		{"card number padded 1", handmade(t, "0200", put{2, "1362258859161631"}), 2, iso8583.KindPad},
		{"card number padded E", handmade(t, "0200", put{2, "136225885916163E"}), 2, iso8583.KindPad},
		{"private 60 padded F", handmade(t, "0200", put{60, "001100000000003F"}), 60, iso8583.KindPad},
		{"track with a letter", handmade(t, "0200", put{35, "0412A4"}), 35, iso8583.KindDigit},
		{"track with F", handmade(t, "0200", put{35, "0412F4"}), 35, iso8583.KindDigit},
		{"track with E beside the pad", handmade(t, "0200", put{35, "0312E0"}), 35, iso8583.KindDigit},
		{"track padded F", handmade(t, "0200", put{35, "03123F"}), 35, iso8583.KindPad},
		{"terminal with a control byte", handmade(t, "0200", put{41, "3131311F31313131"}), 41, iso8583.KindCharacter},
		{"terminal with DEL", handmade(t, "0200", put{41, "313131317F313131"}), 41, iso8583.KindCharacter},
		{"terminal with a high byte", handmade(t, "0200", put{41, "3131313131313180"}), 41, iso8583.KindCharacter},
		{"merchant with FF behind", handmade(t, "0200", put{42, "3131313131313131313131313131FF"}), 42, iso8583.KindCharacter},
		{"text with a control byte", handmade(t, "0810", put{63, "000430303107"}), 63, iso8583.KindCharacter},
		{"text with DEL", handmade(t, "0810", put{63, "00043030317F"}), 63, iso8583.KindCharacter},
		{"text with FF", handmade(t, "0810", put{63, "0004303031FF"}), 63, iso8583.KindCharacter},
		{"half a prefix", handmade(t, "0200", put{60, "00"}), 60, iso8583.KindCut},
		{"PIN of seven bytes", handmade(t, "0200", put{52, "01020304050607"}), 52, iso8583.KindCut},
	} {
		var m iso8583.Message
		wantFault(t, c.name, iso8583.UnionPay.Parse(&m, c.frame), c.n, c.kind)
	}
}

func TestTolerances(t *testing.T) {
	for name, frame := range map[string][]byte{
		"card number padded 0":        handmade(t, "0200", put{2, "1362258859161630"}),
		"card number padded F":        handmade(t, "0200", put{2, "136225885916163F"}),
		"Chinese text":                handmade(t, "0810", put{63, "0007303031D6D0B9FA"}),
		"extended data of any bytes":  handmade(t, "0200", put{59, "000400FF801F"}),
		"MAC of any bytes":            handmade(t, "0200", put{64, "00FF801F61626364"}),
		"encrypted track":             handmade(t, "0200", put{35, "0712ABEFC0"}, put{53, "2610000000000000"}),
		"encrypted third track":       handmade(t, "0200", put{36, "000612ABEF"}, put{53, "2610000000000000"}),
		"track with two separators":   handmade(t, "0200", put{35, "0612DD34"}),
		"terminal of the first and ~": handmade(t, "0200", put{41, "20207E7E20207E7E"}),
	} {
		m := parse(t, frame)
		b := iso8583.NewBuilder(&iso8583.UnionPay)
		if got, err := b.Repack(m, make([]byte, 200)); err != nil || !bytes.Equal(got[2:], frame) {
			t.Errorf("%s: packs back to other bytes, %v", name, err)
		}
	}
	pan, want := pos.NewPAN(), pos.NewPAN()
	if err := parse(t, handmade(t, "0200", put{2, "136225885916163F"})).PAN(pan); err != nil {
		t.Fatal(err)
	}
	if err := want.Set([]byte("6225885916163")); err != nil || !pan.Equal(want) {
		t.Error("the pad became part of the card number")
	}
	if err := parse(t, handmade(t, "0200", put{2, "1162258859161F"})).PAN(pan); !errors.Is(err, pos.ErrPAN) || pan.Len() != 0 {
		t.Errorf("11 digits: %v", err)
	}
}

// TestEncryptedTracks: any nibble is right exactly when DE53 says so in its third digit.
func TestEncryptedTracks(t *testing.T) {
	for _, c := range vectors(t).Vectors {
		for _, cipher := range []string{c.TDES, c.SM4} {
			if !strings.HasPrefix(c.ID, "track2-") {
				continue
			}
			if len(c.Clear)%2 == 1 {
				cipher += "0"
			}
			track := put{35, fmt.Sprintf("%02d", len(c.Clear)) + cipher}
			m := parse(t, handmade(t, "0200", track, put{53, "2610000000000000"}))
			if !bytes.Equal(m.Raw(35), unhex(t, cipher)) {
				t.Errorf("%s: other bytes", c.ID)
			}
			var empty iso8583.Message
			for _, control := range []string{"2600000000000000", "2620000000000000", "2601000000000000"} {
				err := iso8583.UnionPay.Parse(&empty, handmade(t, "0200", track, put{53, control}))
				wantFault(t, c.ID, err, 35, iso8583.KindDigit)
			}
			wantFault(t, c.ID, iso8583.UnionPay.Parse(&empty, handmade(t, "0200", track)), 35, iso8583.KindDigit)
		}
	}
}

func TestFrameSizeForParse(t *testing.T) {
	var m iso8583.Message
	good := handmade(t, "0800")
	if err := iso8583.UnionPay.Parse(&m, good); err != nil || m.MTI() != 0x0800 {
		t.Errorf("no element: %v", err)
	}
	for _, size := range []int{0, 10, 20, iso8583.MaxFrame + 1} {
		b := make([]byte, size)
		copy(b, good)
		if err := iso8583.UnionPay.Parse(&m, b); err != iso8583.ErrFrameLength {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	good[0] = 0x61
	if err := iso8583.UnionPay.Parse(&m, good); err != iso8583.ErrEnvelope || m.MTI() != 0 || m.Envelope() != (iso8583.Envelope{}) {
		t.Errorf("TPDU: %v", err)
	}
}

func TestSalvage(t *testing.T) {
	var m iso8583.Message
	frame := handmade(t, "0200", put{11, "000161"}, put{41, "3132333435363738"}, put{52, "0102"})
	err := iso8583.UnionPay.Salvage(&m, frame)
	wantFault(t, "salvage", err, 52, iso8583.KindCut)
	if got := fmt.Sprint(m); got != "0200 [11 41]" {
		t.Error(got)
	}
	sale := append(message(t, "mocredit-sale"), 0)
	if err := iso8583.UnionPay.Salvage(&m, sale); err == nil || m.Has(64) || !m.Has(62) {
		t.Errorf("trailing byte: %v, %v", m, err)
	}
	track := handmade(t, "0200", put{11, "000161"}, put{35, "0412A4"})
	if err := iso8583.UnionPay.Salvage(&m, track); err == nil || m.Has(35) || !m.Has(11) {
		t.Errorf("track: %v, %v", m, err)
	}
}

func TestErrorText(t *testing.T) {
	for want, err := range map[string]error{
		"unpack element 52: 7 of 8 bytes":                          iso8583.DecodeError{Element: 52, Kind: iso8583.KindCut, Have: 7, Want: 8},
		"unpack element 35: length 38 where 37 is allowed":         iso8583.DecodeError{Element: 35, Kind: iso8583.KindLength, Have: 38, Want: 37},
		"unpack message: 3 bytes after the last element":           iso8583.DecodeError{Kind: iso8583.KindTrailing, Have: 3},
		"pack element 4: not in ascending order":                   iso8583.EncodeError{Element: 4, Kind: iso8583.KindOrder},
		"unpack element 60: length 9 fits no layout":               iso8583.DecodeError{Element: 60, Kind: iso8583.KindLayout, Have: 9},
		"unpack element 59: more than 16 tags":                     iso8583.DecodeError{Element: 59, Kind: iso8583.KindCount, Want: 16},
		"unpack message: not said":                                 iso8583.DecodeError{},
		"unpack element 41: a character the format does not allow": iso8583.DecodeError{Element: 41, Kind: iso8583.KindCharacter},
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
	for k := iso8583.KindCut; k <= iso8583.KindEnvelope; k++ {
		if s := (iso8583.DecodeError{Kind: k}).Error(); strings.HasSuffix(s, "not said") {
			t.Errorf("kind %d has no text", k)
		}
	}
}

func TestEmptyMessage(t *testing.T) {
	var m iso8583.Message
	m.Reset()
	if m.MTI() != 0 || m.Bitmap() != 0 || m.Bytes() != nil || m.MAB() != nil || m.Raw(4) != nil || m.Len(4) != 0 || m.Has(4) || m.String() != "0000 []" {
		t.Error("an empty message has something in it")
	}
	if _, err := m.DE60(); err == nil {
		t.Error("DE60 of an empty message")
	}
}
