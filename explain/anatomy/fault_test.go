package anatomy_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"touchstone/explain"
	"touchstone/explain/anatomy"
)

// faults are messages with one fault each: which byte, counted from LEN, and what is said to be expected there.
var faults = []struct {
	name     string
	spoil    func(m []byte) []byte
	at       int
	in       string
	expected string
}{
	{"LEN one too many", func(m []byte) []byte { m[1]++; return m }, 0, "LEN", "bytes follow"},
	{"TPDU of another protocol", func(m []byte) []byte { m[2] = 0x68; return m }, 2, "TPDU", "60"},
	{"header not BCD", func(m []byte) []byte { m[8] = 0x3A; return m }, 8, "HEADER", "two digits"},
	{"message type not BCD", func(m []byte) []byte { m[14] = 0x0F; return m }, 14, "MTI", "two digits"},
	{"second bitmap", func(m []byte) []byte { m[15] |= 0x80; return m }, 15, "BITMAP", "no second bitmap"},
	{"bit of no element", func(m []byte) []byte { m[15] |= 0x08; return m }, 15, "DE5", "bit 5 clear"},
	{"amount not a digit", func(m []byte) []byte { m[35+3] = 0x1C; return m }, 38, "DE4", "two digits"},
	{"length not BCD", func(m []byte) []byte { m[23] = 0x1A; return m }, 23, "DE2", "two digits of a length"},
	{"length 0", func(m []byte) []byte { m[23] = 0; return m }, 23, "DE2", "at least 1"},
	{"length over the most", func(m []byte) []byte { m[23] = 0x20; return m }, 23, "DE2", "at most 19"},
	{"entry mode filled with 5", func(m []byte) []byte { m[47] |= 5; return m }, 47, "DE22", "fills up"},
	{"bytes left over", func(m []byte) []byte {
		m = append(m, 0xAA, 0xBB)
		m[0], m[1] = byte((len(m)-2)>>8), byte(len(m)-2)
		return m
	}, -2, "UNREAD", "2 bytes are left over"},
	{"cut off in DE64", func(m []byte) []byte { m = m[:len(m)-3]; m[0], m[1] = byte((len(m)-2)>>8), byte(len(m)-2); return m }, -1, "DE64", "3 more bytes"},
	{"clear track with a letter", func(m []byte) []byte { return bytes.Replace(m, []byte{0x96, 0xD4, 0x91}, []byte{0x96, 0xE4, 0x91}, 1) }, 61, "DE35", "one separator D"},
}

func TestFirstByteAtFault(t *testing.T) {
	c := catalogue(t)
	for _, f := range faults {
		m := f.spoil(full(t, false))
		want := f.at
		switch want {
		case -1:
			want = len(m)
		case -2:
			want = len(m) - 2
		}
		a := whole(t, m, c)
		if a.Fault == nil {
			t.Errorf("%s: nothing is at fault", f.name)
			continue
		}
		if a.Fault.At != want || a.Fault.Name != f.in || !strings.Contains(a.Fault.Expected.EN, f.expected) {
			t.Errorf("%s: byte %d in %s, expected %q", f.name, a.Fault.At, a.Fault.Name, a.Fault.Expected.EN)
		}
	}
}

// TestFramings: a message is found with and without LEN, TPDU and header.
func TestFramings(t *testing.T) {
	c := catalogue(t)
	m := full(t, false)
	body := m[13:]
	tpdu, header := m[2:7], m[7:13]
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	withLen := func(b []byte) []byte { return append([]byte{byte(len(b) >> 8), byte(len(b))}, b...) }
	for name, b := range map[string][]byte{
		"LEN, TPDU, header": m, "TPDU, header": m[2:], "type first": body, "TPDU only": join(tpdu, body), "header only": join(header, body),
		"LEN only": withLen(body), "LEN and TPDU": withLen(join(tpdu, body)),
	} {
		a := whole(t, b, c)
		if a.Fault != nil || a.Text("DE41") != "00000023" {
			t.Errorf("%s: %+v, framing %+v", name, a.Fault, a.Framing)
		}
	}
	for name, b := range map[string][]byte{"nothing sensible": []byte("GET / HTTP/1.1\r\n"), "one byte": {0x60}, "zeros": make([]byte, 40)} {
		if a := whole(t, b, c); a.Fault == nil {
			t.Errorf("%s: nothing is at fault", name)
		}
	}
}

func TestRead(t *testing.T) {
	want := []byte{0x02, 0x00, 0xAB}
	for name, c := range map[string]struct {
		in   string
		form anatomy.Form
		err  error
	}{
		"digits": {"0200ab", anatomy.Hex, nil}, "pairs": {"02 00 AB\n", anatomy.Hex, nil}, "0x": {"0x02, 0x00, 0xab", anatomy.Hex, nil}, "colons": {"02:00:ab", anatomy.Hex, nil},
		"lines": {"0200\r\nAB\r\n", anatomy.Hex, nil}, "raw": {"\x02\x00\xab", anatomy.Binary, nil},
		"odd": {"0200A", anatomy.Hex, anatomy.ErrHex}, "nothing": {"", anatomy.Hex, anatomy.ErrEmpty}, "spaces": {" \n", anatomy.Hex, anatomy.ErrEmpty},
		"too long": {strings.Repeat("02", anatomy.MaxInput+1), anatomy.Hex, anatomy.ErrTooLong}, "raw too long": {strings.Repeat("\xFF", anatomy.MaxInput+1), anatomy.Binary, anatomy.ErrTooLong},
	} {
		got, form, err := anatomy.Read([]byte(c.in))
		if err != c.err || form != c.form || err == nil && !bytes.Equal(got, want) {
			t.Errorf("%s: %X, %s, %v", name, got, form, err)
		}
	}
	for word, is := range map[string]bool{"A7": false, "mac_failed": false, "0200302404C030C0981500": true, "tamper": false, "0800002000": false, "FACADE": false} {
		if anatomy.LooksHex(word) != is {
			t.Errorf("%s: %v", word, !is)
		}
	}
}

// TestPictures are goldens of whole and faulty messages in both languages. Write them anew with -update-anatomy.
func TestPictures(t *testing.T) {
	c := catalogue(t)
	pictures := map[string][]byte{"sale": full(t, false), "sale-sealed-track": full(t, true), "signin-resp": published(t)["signin-resp"], "signin-req": published(t)["signin-req"],
		"void-reversal": published(t)["mocredit-void-reversal"], "shifted": full(t, false), "no-message": []byte("GET / HTTP/1.1\r\n")}
	pictures["shifted"][2+11+2] &^= 0x40
	for _, f := range faults {
		pictures["fault-"+strings.ReplaceAll(f.name, " ", "-")] = f.spoil(full(t, false))
	}
	for name, m := range pictures {
		a := whole(t, m, c)
		for _, l := range []explain.Language{explain.English, explain.Chinese} {
			golden(t, name+"."+l.String(), draw(t, a, anatomy.Style{Language: l}))
		}
	}
	coloured := draw(t, whole(t, pictures["sale"], c), anatomy.Style{Colour: true})
	golden(t, "sale-coloured.en", strings.ReplaceAll(coloured, "\x1b", "<ESC>"))
	if strings.Contains(draw(t, whole(t, pictures["sale"], c), anatomy.Style{}), "\x1b") {
		t.Error("colours where none were asked for")
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "pictures", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s is another: write it anew with -update-anatomy and look at the difference\n%s", path, got)
	}
}

// FuzzAnatomy: whatever the bytes are, every one of them belongs to one field, every line fits, nothing is at fault that the
// parser reads, and nothing is whole that it refuses.
func FuzzAnatomy(f *testing.F) {
	c := catalogue(f)
	for _, m := range published(f) {
		f.Add(m)
	}
	f.Add(full(f, false))
	f.Add(full(f, true))
	for _, x := range faults {
		f.Add(x.spoil(full(f, false)))
	}
	f.Add([]byte("0200 3024 04C0"))
	f.Fuzz(func(t *testing.T, input []byte) {
		message, form, err := anatomy.Read(input)
		if err != nil {
			return
		}
		if form == anatomy.Binary && !bytes.Equal(message, input) {
			t.Fatal("raw bytes were changed")
		}
		a := whole(t, message, c)
		if a.Framing == (anatomy.Framing{TPDU: true, Header: true}) && len(message) >= 21 && len(message) <= 2048 {
			agrees(t, message, a)
		}
	})
}
