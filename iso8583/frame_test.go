package iso8583_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"touchstone/iso8583"
)

func framed(size int) []byte {
	b := make([]byte, 2+size)
	binary.BigEndian.PutUint16(b, uint16(size))
	for i := range size {
		b[2+i] = byte(i)
	}
	return b
}

func TestReadFrameBounds(t *testing.T) {
	for _, c := range []struct {
		name string
		size int
		want error
	}{
		{"empty", 0, iso8583.ErrFrameLength},
		{"one under the least", iso8583.MinFrame - 1, iso8583.ErrFrameLength},
		{"the least", iso8583.MinFrame, nil},
		{"one over the least", iso8583.MinFrame + 1, nil},
		{"one under the most", iso8583.MaxFrame - 1, nil},
		{"the most", iso8583.MaxFrame, nil},
		{"one over the most", iso8583.MaxFrame + 1, iso8583.ErrFrameLength},
		{"all ones", 0xFFFF, iso8583.ErrFrameLength},
	} {
		in := framed(c.size)
		for _, room := range []int{0, 1, 2, c.size - 1, c.size, iso8583.MaxFrame} {
			got, err := iso8583.ReadFrame(iotest.OneByteReader(bytes.NewReader(in)), make([]byte, max(room, 0)))
			if err != c.want {
				t.Errorf("%s, room %d: %v", c.name, room, err)
			}
			if c.want == nil && !bytes.Equal(got, in[2:]) {
				t.Errorf("%s, room %d: other bytes", c.name, room)
			}
			if c.want != nil && got != nil {
				t.Errorf("%s: bytes with an error", c.name)
			}
		}
	}
}

func TestReadFrameEnds(t *testing.T) {
	in := framed(40)
	for n := range len(in) {
		_, err := iso8583.ReadFrame(bytes.NewReader(in[:n]), nil)
		want := iso8583.ErrFrameCut
		if n == 0 {
			want = io.EOF
		}
		if err != want {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	broken := errors.New("link broken")
	for _, n := range []int{0, 1, 2, 41} {
		_, err := iso8583.ReadFrame(io.MultiReader(bytes.NewReader(in[:n]), iotest.ErrReader(broken)), nil)
		if !errors.Is(err, broken) || errors.Is(err, iso8583.ErrFrameCut) != (n > 0) {
			t.Errorf("failure after %d bytes: %v", n, err)
		}
	}
}

func TestReadFrameFollows(t *testing.T) {
	r, buf := bytes.NewReader(append(framed(21), framed(300)...)), make([]byte, iso8583.MaxFrame)
	for _, size := range []int{21, 300} {
		got, err := iso8583.ReadFrame(r, buf)
		if err != nil || len(got) != size {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		if &got[0] != &buf[0] {
			t.Error("not in the buffer given")
		}
	}
	if _, err := iso8583.ReadFrame(r, buf); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func TestEnvelope(t *testing.T) {
	e, err := iso8583.ParseEnvelope(unhex(t, "6006010023"+"613142311108"+"FFFF"))
	if err != nil {
		t.Fatal(err)
	}
	if e.Destination() != 0x0601 || e.Origin() != 0x0023 || e.Class() != 61 || e.Version() != 31 ||
		e.Status() != 4 || e.Requirement() != iso8583.UploadStripeStatus || e.SubVersion() != 311108 {
		t.Errorf("read %x as %x %x %d %d %d %d %d", e[:], e.Destination(), e.Origin(), e.Class(), e.Version(), e.Status(), e.Requirement(), e.SubVersion())
	}
	a := e.Answer(iso8583.SignInAgain)
	if !bytes.Equal(a[:], unhex(t, "6000230601"+"613143311108")) {
		t.Errorf("answer %x", a[:])
	}
	if e.Requirement() != iso8583.UploadStripeStatus {
		t.Error("Answer changed the request")
	}
	good := unhex(t, envelopeHex)
	for i := range good {
		for _, high := range []byte{0xA0, 0x0A, 0xFF} {
			bad := bytes.Clone(good)
			bad[i] |= high
			if _, err := iso8583.ParseEnvelope(bad); err != iso8583.ErrEnvelope {
				t.Errorf("byte %d as %02X: %v", i, bad[i], err)
			}
		}
	}
	for _, first := range []byte{0x59, 0x61, 0x00, 0x06} {
		bad := bytes.Clone(good)
		bad[0] = first
		if _, err := iso8583.ParseEnvelope(bad); err != iso8583.ErrEnvelope {
			t.Errorf("first byte %02X: %v", first, err)
		}
	}
	if _, err := iso8583.ParseEnvelope(good[:10]); err != iso8583.ErrEnvelope {
		t.Errorf("cut off: %v", err)
	}
}
