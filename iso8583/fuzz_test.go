package iso8583_test

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"testing"
	"testing/iotest"

	"touchstone/iso8583"
	"touchstone/pos"
)

// FuzzFrame: however the bytes arrive, each frame of a stream is what its LEN counts and the end is told apart.
func FuzzFrame(f *testing.F) {
	var stream []byte
	for _, m := range vectors(f).Messages {
		wire := unhex(f, m.Hex)
		f.Add(wire)
		f.Add(wire[:len(wire)-1])
		stream = append(stream, wire...)
	}
	f.Add(stream)
	f.Add(append(bytes.Clone(stream), 0, 1))
	f.Add([]byte{})
	f.Add([]byte{0})
	f.Add(framed(iso8583.MinFrame - 1))
	f.Fuzz(func(t *testing.T, in []byte) {
		atOnce, pieces := bytes.NewReader(in), iotest.OneByteReader(bytes.NewReader(in))
		buf := make([]byte, iso8583.MaxFrame)
		for rest := in; ; {
			whole, err := iso8583.ReadFrame(atOnce, buf)
			piece, err2 := iso8583.ReadFrame(pieces, nil)
			if err != err2 || !bytes.Equal(whole, piece) {
				t.Fatalf("%v at once, %v byte by byte", err, err2)
			}
			want, size := expectFrame(rest)
			if err != want || err == nil && !bytes.Equal(whole, rest[2:2+size]) {
				t.Fatalf("%v, want %v", err, want)
			}
			if err != nil {
				return
			}
			rest = rest[2+size:]
		}
	})
}

// expectFrame is what must be read from the start of a stream: section 1, written again.
func expectFrame(in []byte) (want error, size int) {
	size = -1
	if len(in) >= 2 {
		size = int(in[0])<<8 | int(in[1])
	}
	switch {
	case len(in) == 0:
		return io.EOF, 0
	case size < 0:
		return iso8583.ErrFrameCut, 0
	case size < iso8583.MinFrame || size > iso8583.MaxFrame:
		return iso8583.ErrFrameLength, 0
	case len(in) < 2+size:
		return iso8583.ErrFrameCut, 0
	}
	return nil, size
}

// FuzzParse: what is accepted packs back to the same bytes; what is refused says why, and leaves
// nothing behind.
func FuzzParse(f *testing.F) {
	for _, m := range vectors(f).Messages {
		f.Add(unhex(f, m.Hex)[2:])
	}
	f.Add(handmade(f, "0200", put{2, "136225885916163F"}, put{22, "0210"}, put{23, "0001"}))
	f.Add(handmade(f, "0200", put{35, "0712ABEFC0"}, put{36, "000612ABEF"}, put{53, "2610000000000000"}))
	f.Add(handmade(f, "0210", put{54, "0003616263"}, put{59, "0003616263"}, put{63, "0007303031D6D0B9FA"}))
	f.Add(handmade(f, "0500", put{48, "00021230"}, put{55, "00019F"}, put{58, "000161"}, put{61, "000112"}))
	f.Fuzz(func(t *testing.T, frame []byte) {
		var m, part iso8583.Message
		err := iso8583.UnionPay.Parse(&m, frame)
		err2 := iso8583.UnionPay.Salvage(&part, frame)
		if err != err2 {
			t.Fatalf("Parse %v, Salvage %v", err, err2)
		}
		if err != nil {
			var fault iso8583.DecodeError
			if !errors.As(err, &fault) && err != iso8583.ErrEnvelope && err != iso8583.ErrFrameLength || len(err.Error()) > 100 {
				t.Fatalf("error %v", err)
			}
			if m.MTI() != 0 || m.Bitmap() != 0 || m.Bytes() != nil {
				t.Fatal("a message after an error")
			}
			touch(part)
			return
		}
		out := make([]byte, iso8583.LengthSize+iso8583.MaxFrame)
		b := iso8583.NewBuilder(&iso8583.UnionPay)
		back, err := b.Repack(m, out)
		if err != nil || !bytes.Equal(back[2:], frame) {
			t.Fatalf("packs back to other bytes: %v", err)
		}
		if !bytes.Equal(m.Bytes(), frame[iso8583.EnvelopeSize:]) || !bytes.HasPrefix(m.Bytes(), m.MAB()) {
			t.Fatal("the message's bytes are not the frame's")
		}
		touch(m)
	})
}

// touch uses every reader of a message: none may panic on bytes that were accepted.
func touch(m iso8583.Message) {
	pan, buf := pos.NewPAN(), make([]byte, 400)
	for n := -1; n <= 66; n++ {
		m.Number(n)
		m.Text(n)
		m.Len(n)
		m.CopyDigits(n, buf)
	}
	m.PAN(pan)
	m.DE22()
	m.DE26()
	m.Settlement()
	m.DE53()
	m.DE54()
	m.DE60()
	m.DE61()
	m.DE63()
	m.MAB()
	_ = m.String()
}

// FuzzDE59: tags that are accepted are written back to the same bytes, one by one.
func FuzzDE59(f *testing.F) {
	for _, v := range vectors(f).Vectors {
		if v.ID == "de59-a2-1" {
			f.Add([]byte(v.Value))
		}
	}
	f.Add([]byte("A1016\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0FA3002xyA4000"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if x, err := iso8583.ParseDE59(in); err == nil {
			var back []byte
			for rest := in; len(rest) > 0; {
				var name [2]byte
				var value []byte
				var err error
				if name, value, rest, err = iso8583.NextTag(rest); err != nil {
					t.Fatalf("an accepted tag does not read: %v", err)
				}
				if name[0] == 'A' && name[1] >= '1' && name[1] <= '5' && !bytes.Equal(x.Value(in, iso8583.Tag(name[1]-'0')), value) {
					t.Fatal("a tag's value differs")
				}
				if back, err = iso8583.AppendTag(back, string(name[:]), value); err != nil {
					t.Fatalf("an accepted tag does not write: %v", err)
				}
			}
			if !bytes.Equal(back, in) {
				t.Fatal("writes back to other bytes")
			}
		}
	})
}

// FuzzTLV: the sub-tags of A2 and A5 that are accepted are those of the bytes, and an A2, or an A5, that is
// written of them reads the same.
func FuzzTLV(f *testing.F) {
	for _, v := range vectors(f).Vectors {
		if v.ID == "de59-a2-1" {
			f.Add([]byte(v.Value)[5:])
		}
	}
	f.Add([]byte("01010+121.4835202008-31.2304030034600400200"))
	f.Add([]byte("15001a16001b17001c18001d"))
	f.Add([]byte("0100204020201"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if x, err := iso8583.ParseA2(in); err == nil {
			var values iso8583.A2Values
			for tag := iso8583.A2DeviceType; tag <= iso8583.A2Version; tag++ {
				values[tag] = x.Value(in, tag)
				if !bytes.Equal(values[tag], subTag(t, in, byte(tag))) {
					t.Fatal("a sub-tag's value is not that of the bytes")
				}
			}
			if whole, err := iso8583.AppendA2(nil, values); err == nil {
				again, err := iso8583.ParseA2(whole[5:])
				if err != nil {
					t.Fatalf("a written A2 does not read: %v", err)
				}
				for tag := iso8583.A2DeviceType; tag <= iso8583.A2Version; tag++ {
					if !bytes.Equal(again.Value(whole[5:], tag), values[tag]) {
						t.Fatal("a sub-tag's value differs")
					}
				}
			}
		}
		if x, err := iso8583.ParseA5(in); err == nil {
			if whole, err := iso8583.AppendA5(nil, x); err == nil {
				again, err := iso8583.ParseA5(whole[5:])
				if err != nil || again.Located != x.Located || again.LongitudeMicro != x.LongitudeMicro ||
					again.LatitudeMicro != x.LatitudeMicro || !bytes.Equal(again.SIG, x.SIG) {
					t.Fatalf("a written A5 reads otherwise: %v", err)
				}
			}
			if x.LongitudeMicro > 180e6 || x.LongitudeMicro < -180e6 || x.LatitudeMicro > 90e6 || x.LatitudeMicro < -90e6 {
				t.Fatal("off the globe")
			}
		}
	})
}

// subTag finds a sub-tag of two digits by walking over the bytes: section 6.1, written again.
func subTag(t *testing.T, in []byte, n byte) []byte {
	for len(in) > 0 {
		size, err := strconv.Atoi(string(in[2:5]))
		if err != nil || len(in) < 5+size {
			t.Fatal("an accepted sub-tag cannot be walked over")
		}
		if in[0] == '0'+n/10 && in[1] == '0'+n%10 {
			return in[5 : 5+size]
		}
		in = in[5+size:]
	}
	return nil
}

// FuzzPrivate: every layout inside an element that is accepted is written back to the same bytes.
func FuzzPrivate(f *testing.F) {
	for _, s := range []string{
		"22006603", "22006603000", "22006603000600065", "006603000161", "0066030001610102", "00660300016101020300012345678",
		"00000001234500200000000010000100000000000000000000000000000000", "2610000000000000", "1002156C000000012345", "1002156D000000000000",
		"Sequence No12306022003600", "001", "CUP\xD6\xD0", "6225885916163157D30122019559206020000", "6225885916163157=0000620",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		same := func(what string, back []byte, err error) {
			if err != nil || !bytes.Equal(back, in) {
				t.Fatalf("%s writes back to other bytes: %v", what, err)
			}
		}
		if x, err := iso8583.ParseDE60(in); err == nil {
			back, err := iso8583.AppendDE60(nil, x)
			same("DE60", back, err)
		}
		if x, err := iso8583.ParseDE61(in); err == nil {
			back, err := iso8583.AppendDE61(nil, x)
			same("DE61", back, err)
		}
		if x, err := iso8583.ParseSettlement(in); err == nil {
			back, err := iso8583.AppendSettlement(nil, x)
			same("DE48", back, err)
		}
		if x, err := iso8583.ParseDE53(in); err == nil {
			back, err := iso8583.AppendDE53(nil, x)
			same("DE53", back, err)
		}
		if x, err := iso8583.ParseDE54(in); err == nil {
			back, err := iso8583.AppendDE54(nil, x)
			same("DE54", back, err)
		}
		if x, err := iso8583.ParseSequence(in); err == nil {
			back, err := iso8583.AppendSequence(nil, x)
			same("DE62", back, err)
		}
		if x, err := iso8583.ParseDE63(in); err == nil {
			back, err := iso8583.AppendDE63(nil, x)
			same("DE63", back, err)
		}
		if x, err := iso8583.ParseTrack2(in); err == nil {
			if x.PANDigits+1+4+3+x.Discretionary != len(in) || x.SetPAN(in, pos.NewPAN()) != nil {
				t.Fatal("the parts of a track do not make the whole")
			}
		}
	})
}
