package anatomy_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"touchstone/explain"
	"touchstone/explain/anatomy"
	"touchstone/iso8583"
)

var update = flag.Bool("update-anatomy", false, "write the golden pictures anew")

func catalogue(t testing.TB) *explain.Catalogue {
	t.Helper()
	c, err := explain.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// published are the messages of the vectors, LEN first, by their id.
func published(t testing.TB) map[string][]byte {
	t.Helper()
	raw, err := os.ReadFile("../../testdata/vectors/cup.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Messages []struct {
			ID  string `json:"id"`
			Hex string `json:"hex"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, m := range file.Messages {
		b, err := hex.DecodeString(m.Hex)
		if err != nil {
			t.Fatal(err)
		}
		all[m.ID] = b
	}
	if len(all) < 5 {
		t.Fatal("no messages")
	}
	return all
}

// full is a sale with every kind of secret in it, LEN first; sealed says that its track is enciphered.
func full(t testing.TB, sealed bool) []byte {
	t.Helper()
	b := iso8583.NewBuilder(&iso8583.UnionPay)
	buf := make([]byte, iso8583.LengthSize+iso8583.MaxFrame)
	b.Begin(buf, iso8583.Envelope{0x60, 6, 1, 0, 0, 0x60, 0x31, 0, 0x31, 0x07, 0x30}, 0x0200)
	b.PutDigits(2, []byte("6299991234567896"))
	b.PutNumber(3, 0)
	b.PutNumber(4, 1850)
	b.PutNumber(11, 42)
	b.PutNumber(14, 4912)
	b.PutNumber(22, 51)
	b.PutNumber(23, 1)
	b.PutNumber(25, 0)
	b.PutNumber(26, 12)
	if sealed {
		b.PutPacked(35, 34, bytes.Repeat([]byte{0xEF}, 17))
	} else {
		b.PutDigits(35, []byte("6299991234567896=49121011234567890"))
	}
	b.PutDigits(36, []byte("996299991234567896=1561234"))
	b.PutText(41, []byte("00000023"))
	b.PutText(42, []byte("898310058120001"))
	b.PutText(49, []byte("156"))
	b.PutRaw(52, []byte{0xDE, 0xAD, 0xBE, 0xEF, 0x01, 0x02, 0x03, 0x04})
	security := "2600000000000000"
	if sealed {
		security = "2610000000000000"
	}
	b.PutDigits(53, []byte(security))
	b.PutRaw(55, []byte{0x9F, 0x26, 8, 0xC0, 0xFF, 0xEE, 0xC0, 0xFF, 0xEE, 0xC0, 0xFF, 0x5A, 8, 0x62, 0x99, 0x99, 0x12, 0x34, 0x56, 0x78, 0x96})
	var a2 iso8583.A2Values
	a2[iso8583.A2DeviceType], a2[iso8583.A2Serial], a2[iso8583.A2Factor] = []byte("04"), []byte("00000304TS0000000023"), []byte("567896")
	a2[iso8583.A2Cipher], a2[iso8583.A2Version] = []byte("8C41D0F2"), []byte("1.0.0   ")
	de59, err := iso8583.AppendTag(nil, "A1", bytes.Repeat([]byte{0xFA, 0xCE}, 8))
	if err == nil {
		de59, err = iso8583.AppendA2(de59, a2)
	}
	if err == nil {
		de59, err = iso8583.AppendTag(de59, "A3", []byte("6212345678901234567"))
	}
	if err != nil {
		t.Fatal(err)
	}
	b.PutText(59, de59)
	b.PutDigits(60, []byte("22000001000501"))
	b.PutRaw(62, bytes.Repeat([]byte{0xBA, 0xD0}, 12))
	b.ReserveMAC()
	b.SetMAC([8]byte([]byte("0F6C244D")))
	frame, err := b.Frame()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(frame)
}

func draw(t testing.TB, a *anatomy.Anatomy, s anatomy.Style) string {
	t.Helper()
	var out strings.Builder
	if err := a.Draw(&out, s); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// whole checks what holds of every anatomy: the fields cover every byte once, and no line is too wide.
func whole(t testing.TB, message []byte, c *explain.Catalogue) *anatomy.Anatomy {
	t.Helper()
	a := anatomy.Of(message, c)
	at := 0
	for _, p := range a.Parts {
		if p.Depth > 0 {
			continue
		}
		if p.Span.From != at || p.Span.To < p.Span.From {
			t.Fatalf("%s lies at %v, the one before it ends at %d", p.Name, p.Span, at)
		}
		at = p.Span.To
	}
	if at != len(message) {
		t.Fatalf("the fields cover %d of %d bytes", at, len(message))
	}
	if f := a.Fault; f != nil && (f.At < 0 || f.At > len(message) || f.Expected.EN == "" || f.Expected.ZH == "" || f.Do.EN == "" || f.Found.ZH == "") {
		t.Fatalf("a fault without words, or outside: %+v", f)
	}
	for _, l := range []explain.Language{explain.English, explain.Chinese} {
		for line := range strings.Lines(draw(t, a, anatomy.Style{Language: l})) {
			if n := explain.Columns(strings.TrimRight(line, "\n")); n > anatomy.Width {
				t.Fatalf("a line of %d columns: %q", n, line)
			}
		}
	}
	return a
}

// agrees compares with the parser of the line: the same elements at the same places, or the same fault.
func agrees(t testing.TB, frame []byte, a *anatomy.Anatomy) {
	t.Helper()
	var m iso8583.Message
	err := iso8583.UnionPay.Parse(&m, frame)
	var fault iso8583.DecodeError
	switch {
	case err == nil:
		if a.Fault != nil {
			t.Fatalf("the parser reads it, here %s is at fault: %s", a.Fault.Name, a.Fault.Expected.EN)
		}
	case errors.As(err, &fault):
		if a.Fault == nil || a.Fault.Element != fault.Element || a.Fault.Kind != fault.Kind {
			t.Fatalf("the parser says %v, here %+v", err, a.Fault)
		}
		return
	default:
		if a.Fault == nil {
			t.Fatalf("the parser says %v, here nothing is at fault", err)
		}
		return
	}
	at := len(frame) - len(m.Bytes())
	for _, p := range a.Parts {
		var n int
		if _, err := fmt.Sscanf(p.Name, "DE%d", &n); err != nil || p.Depth > 0 {
			continue
		}
		e, _ := iso8583.UnionPay.Element(n)
		if got, want := p.Span.Len(), int(e.Length)+len(m.Raw(n)); got != want {
			t.Fatalf("DE%d has %d bytes here, %d there", n, got, want)
		}
	}
	if mab := m.MAB(); m.Has(64) && (a.Covered.From != at || a.Covered.Len() != len(mab)) {
		t.Fatalf("covered %v, want %d from %d", a.Covered, len(mab), at)
	}
}

func TestAgreesWithTheParser(t *testing.T) {
	c := catalogue(t)
	seed := uint64(len(t.Name()))
	random := rand.New(rand.NewPCG(seed, 1))
	all := [][]byte{full(t, false), full(t, true)}
	for _, m := range published(t) {
		all = append(all, m)
	}
	refused := 0
	for _, m := range all {
		frame := m[iso8583.LengthSize:]
		agrees(t, frame, whole(t, frame, c))
		for range 400 { // and with one to three bytes changed, or the end cut off
			bad := bytes.Clone(frame)
			for range 1 + random.IntN(3) {
				bad[iso8583.EnvelopeSize+random.IntN(len(bad)-iso8583.EnvelopeSize)] = byte(random.IntN(256))
			}
			if random.IntN(4) == 0 {
				bad = bad[:iso8583.MinFrame+random.IntN(len(bad)-iso8583.MinFrame)]
			}
			if bad[0] != 0x60 || bad[11] == 0 || bad[11] > 9 {
				continue // the frame is then read another way here
			}
			a := whole(t, bad, c)
			if a.Framing != (anatomy.Framing{TPDU: true, Header: true}) {
				continue
			}
			if a.Fault != nil {
				refused++
			}
			agrees(t, bad, a)
		}
	}
	if refused < 500 {
		t.Errorf("only %d of the changed messages were at fault", refused)
	}
}

// TestWitness: a splitter of another hand, in Python with a table of its own, finds the same boundaries.
func TestWitness(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("NOT RUN: there is no python3 here")
	}
	c := catalogue(t)
	var in, want strings.Builder
	all := published(t)
	all["full"], all["sealed"] = full(t, false), full(t, true)
	for _, m := range all {
		body := m[iso8583.LengthSize+iso8583.EnvelopeSize:]
		fmt.Fprintf(&in, "%x\n", body)
		var parts []string
		for _, p := range anatomy.Of(body, c).Parts {
			if p.Depth == 0 && strings.HasPrefix(p.Name, "DE") {
				parts = append(parts, fmt.Sprintf("%s %d %d", p.Name, p.Span.From, p.Span.To))
			}
		}
		want.WriteString(strings.Join(parts, "; ") + "\n")
	}
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "witness.py"))
	cmd.Stdin = strings.NewReader(in.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if string(out) != want.String() {
		t.Errorf("the witness says\n%s\nhere it is\n%s", out, want.String())
	}
}

// secrets are the parts of full that nothing may show.
var secrets = []string{
	"629999123456", "123456789", "9912345", "1234567896", "4912", "996299991234", // card number, expiry, tracks
	"DEADBEEF", "FACEFACE", "C0FFEE", "BAD0BAD0", "567896", "6212345678901234567",
	hex.EncodeToString([]byte("567896")), hex.EncodeToString([]byte("6212345678")),
}

func TestNoSecretIsShown(t *testing.T) {
	c := catalogue(t)
	for _, sealed := range []bool{false, true} {
		m := full(t, sealed)
		cut := bytes.Clone(m[:len(m)-20])
		for name, b := range map[string][]byte{"whole": m, "without LEN": m[2:], "type first": m[13:], "cut off": cut} {
			a := whole(t, b, c)
			shown, err := json.Marshal(a.JSON())
			if err != nil {
				t.Fatal(err)
			}
			texts := []string{string(shown), fmt.Sprintf("%v %+v %#v", a, a, *a)}
			for _, l := range []explain.Language{explain.English, explain.Chinese} {
				texts = append(texts, draw(t, a, anatomy.Style{Language: l}))
			}
			for _, text := range texts {
				plain := strings.ToUpper(strings.NewReplacer(" ", "", "\n", "").Replace(text))
				for _, s := range secrets {
					if strings.Contains(plain, strings.ToUpper(s)) {
						t.Errorf("%s, sealed %v: %q is shown", name, sealed, s)
					}
				}
			}
			if name == "whole" && (!strings.Contains(texts[2], "629999******7896") || !strings.Contains(texts[2], "8C41D0F2") || !strings.Contains(texts[2], "**7896")) {
				t.Error("what may be shown is not")
			}
		}
		if _, err := whole(t, m, c).MarshalText(); err == nil {
			t.Error("an anatomy was encoded")
		}
	}
}

// TestShiftedCardNumber: the bit of DE2 is clear and the element is there, so that a card number falls into fields that are
// shown.
func TestShiftedCardNumber(t *testing.T) {
	c := catalogue(t)
	for _, sealed := range []bool{false, true} {
		m := full(t, sealed)
		m[2+11+2] &^= 0x40
		a := whole(t, m, c)
		if a.Fault == nil {
			t.Fatal("nothing is at fault")
		}
		plain := strings.NewReplacer(" ", "", "\n", "").Replace(draw(t, a, anatomy.Style{}))
		for _, s := range []string{"9912345", "123456789"} {
			if strings.Contains(plain, s) {
				t.Errorf("%q is shown", s)
			}
		}
	}
}

// TestDrawnAgain: what was shown of a message, stored and read, is drawn like the message itself; what is damaged is refused.
func TestDrawnAgain(t *testing.T) {
	c := catalogue(t)
	whole := full(t, false)
	for name, message := range map[string][]byte{"clear": whole, "sealed": full(t, true), "cut": whole[:len(whole)-20], "of the message type": whole[13:], "nothing": nil} {
		a := anatomy.Of(message, c)
		stored, err := json.Marshal(a.JSON())
		if err != nil {
			t.Fatal(err)
		}
		var shown anatomy.Shown
		if err := json.Unmarshal(stored, &shown); err != nil {
			t.Fatal(err)
		}
		again, err := anatomy.FromShown(&shown)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, s := range []anatomy.Style{{Language: explain.English}, {Language: explain.Chinese, Colour: true}} {
			if want, got := draw(t, a, s), draw(t, again, s); got != want {
				t.Errorf("%s: drawn\n%s\nwant\n%s", name, got, want)
			}
		}
		if back, _ := json.Marshal(again.JSON()); !bytes.Equal(back, stored) {
			t.Errorf("%s: shown again as\n%s\nwant\n%s", name, back, stored)
		}
	}
	for name, spoil := range map[string]func(*anatomy.Shown){
		"a part beyond the end": func(s *anatomy.Shown) { s.Parts[1].To = s.Size + 1 },
		"a part turned round":   func(s *anatomy.Shown) { s.Parts[1].From = s.Parts[1].To + 1 },
		"digits of another":     func(s *anatomy.Shown) { s.Parts[1].Hex += "00" },
		"no digits":             func(s *anatomy.Shown) { s.Parts[0].Hex = "zz" + s.Parts[0].Hex[2:] },
		"no message type":       func(s *anatomy.Shown) { s.MTI = "sale" },
		"too long":              func(s *anatomy.Shown) { s.Size = 1 << 30 },
		"less than nothing":     func(s *anatomy.Shown) { s.Size = -1 },
		"coverage beyond":       func(s *anatomy.Shown) { s.Covered = &anatomy.Span{From: 3, To: s.Size + 1} },
	} {
		shown := anatomy.Of(whole, c).JSON()
		spoil(&shown)
		if _, err := anatomy.FromShown(&shown); err == nil {
			t.Errorf("%s: drawn", name)
		}
	}
}
