package pinblock_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"touchstone/paycrypto"
	"touchstone/paycrypto/pinblock"
	"touchstone/pos"
	"touchstone/secret"
)

// vector is a vector of any of the files.
type vector map[string]json.RawMessage

// load reads a file of vectors and refuses one without a source.
func load(t testing.TB, name string) []vector {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []vector `json:"vectors"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) == 0 {
		t.Fatalf("%s holds no vectors", name)
	}
	for _, v := range file.Vectors {
		if v.text(t, "source") == "" {
			t.Fatalf("%s: vector %s without source", name, v.text(t, "id"))
		}
	}
	return file.Vectors
}

func (v vector) text(t testing.TB, name string) (s string) {
	t.Helper()
	if raw, there := v[name]; there && json.Unmarshal(raw, &s) != nil {
		t.Fatalf("%s is not a string", name)
	}
	return s
}

func (v vector) number(t testing.TB, name string) (n int) {
	t.Helper()
	if json.Unmarshal(v[name], &n) != nil {
		t.Fatalf("%s is not a number", name)
	}
	return n
}

func (v vector) hex(t testing.TB, name string) []byte {
	t.Helper()
	return unhex(t, v.text(t, name))
}

func (v vector) nibbles(t testing.TB, name string) (out []byte) {
	t.Helper()
	for _, c := range v.text(t, name) {
		n := strings.IndexRune("0123456789ABCDEF", c)
		if n < 0 {
			t.Fatalf("%s is not hexadecimal", name)
		}
		out = append(out, byte(n))
	}
	return out
}

func (v vector) object(t testing.TB, name string) (o vector) {
	t.Helper()
	if json.Unmarshal(v[name], &o) != nil {
		t.Fatalf("%s is not an object", name)
	}
	return o
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal("not hexadecimal")
	}
	return b
}

// check compares without showing either side.
func check(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s is wrong", what)
	}
}

func newCipher(t testing.TB, name string, key []byte) *paycrypto.Cipher {
	t.Helper()
	for _, a := range []paycrypto.Algorithm{paycrypto.DES, paycrypto.TDES, paycrypto.AES, paycrypto.SM4} {
		if a.String() == name {
			c, err := paycrypto.NewCipher(a, key)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
	}
	t.Fatalf("no algorithm %q", name)
	return nil
}

var isoFormats = []pinblock.Format{pinblock.ISO0, pinblock.ISO1, pinblock.ISO2, pinblock.ISO3, pinblock.ISO4}

func TestVectors(t *testing.T) {
	for _, v := range load(t, "pin_blocks.json") {
		op, in, out := v.text(t, "op"), v.object(t, "in"), v.object(t, "out")
		t.Run(v.text(t, "id"), func(t *testing.T) {
			if op == "reject" {
				testReject(t, in)
				return
			}
			pin, pan := []byte(in.text(t, "pin")), []byte(in.text(t, "pan"))
			switch op {
			case "encode0", "encode1", "encode2", "encode3":
				block := make([]byte, 8)
				p := pinblock.Parts{PIN: pin, PAN: pan, Fill: in.nibbles(t, "fill")}
				if err := pinblock.Encode(block, isoFormats[op[6]-'0'], p); err != nil {
					t.Fatal(err)
				}
				check(t, "block", block, out.hex(t, "clear_pinblock"))
			case "decode0", "decode1", "decode2", "decode3":
				var got [pinblock.MaxPIN]byte
				n, err := pinblock.Decode(&got, isoFormats[op[6]-'0'], in.hex(t, "clear_pinblock"), pan)
				if err != nil {
					t.Fatal(err)
				}
				check(t, "pin", got[:n], []byte(out.text(t, "pin")))
				check(t, "rest", got[n:], make([]byte, len(got)-n))
			case "encode4_panfield":
				field, err := pinblock.PANField(pan)
				if err != nil {
					t.Fatal(err)
				}
				check(t, "field", field[:], out.hex(t, "pan_field"))
			case "encipher4":
				testEncipher4(t, newCipher(t, "AES", in.hex(t, "key")), pinblock.Parts{PIN: pin, PAN: pan, Fill: in.hex(t, "random")}, out)
			case "decipher4":
				var got [pinblock.MaxPIN]byte
				n, err := pinblock.Decipher(&got, newCipher(t, "AES", in.hex(t, "key")), pinblock.ISO4, in.hex(t, "pinblock"), pan)
				if err != nil {
					t.Fatal(err)
				}
				check(t, "pin", got[:n], []byte(out.text(t, "pin")))
			case "translate":
				testTranslate(t, in, pan, out.hex(t, "pinblock"))
			default:
				t.Errorf("no test for op %q", op)
			}
		})
	}
}

// testReject wants ErrFormat, whatever the vector says of the cause.
func testReject(t *testing.T, in vector) {
	t.Helper()
	pan := []byte(in.text(t, "pan"))
	got := [pinblock.MaxPIN]byte{1, 2, 3}
	var n int
	var err error
	switch op := in.text(t, "op"); op {
	case "decode0", "decode1", "decode2", "decode3":
		n, err = pinblock.Decode(&got, isoFormats[op[6]-'0'], in.hex(t, "clear_pinblock"), pan)
	case "decipher4":
		n, err = pinblock.Decipher(&got, newCipher(t, "AES", in.hex(t, "key")), pinblock.ISO4, in.hex(t, "pinblock"), pan)
	default:
		t.Fatalf("no test for op %q", op)
	}
	if !errors.Is(err, pinblock.ErrFormat) || n != 0 || got != [pinblock.MaxPIN]byte{} {
		t.Errorf("%d digits, %v", n, err)
	}
}

func testEncipher4(t *testing.T, c *paycrypto.Cipher, p pinblock.Parts, out vector) {
	t.Helper()
	var b [16]byte
	if err := pinblock.Encode(b[:], pinblock.ISO4, p); err != nil {
		t.Fatal(err)
	}
	check(t, "pin_field", b[:], out.hex(t, "pin_field"))
	field, err := pinblock.PANField(p.PAN)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "pan_field", field[:], out.hex(t, "pan_field"))
	c.Encrypt(b[:], b[:])
	check(t, "block_a", b[:], out.hex(t, "block_a"))
	if err := pinblock.Encipher(b[:], c, pinblock.ISO4, p); err != nil {
		t.Fatal(err)
	}
	check(t, "pinblock", b[:], out.hex(t, "pinblock"))
	c.Decrypt(b[:], b[:])
	check(t, "block_b", b[:], out.hex(t, "block_b"))
}

func testTranslate(t *testing.T, in vector, pan, want []byte) {
	t.Helper()
	from, to := in.object(t, "from"), in.object(t, "to")
	end := func(v vector) pinblock.End {
		return pinblock.End{Cipher: newCipher(t, v.text(t, "alg"), v.hex(t, "key")), Format: isoFormats[v.number(t, "format")]}
	}
	fill := append(to.nibbles(t, "fill"), to.hex(t, "random")...)
	tr := pinblock.Translation{From: end(from), To: end(to), Fill: func(int) []byte { return fill }}
	got := make([]byte, tr.To.Format.Size())
	if err := pinblock.Translate(got, tr, from.hex(t, "pinblock"), pan); err != nil {
		t.Fatal(err)
	}
	check(t, "pinblock", got, want)
}

// TestUnionPayVectors runs the PIN blocks of cup.json.
func TestUnionPayVectors(t *testing.T) {
	formats := map[string]pinblock.Format{
		"no PAN, F fill": pinblock.SM4NoPAN,
		"PAN mode 1":     pinblock.SM4PAN1,
		"PAN mode 1 (12 digits right-justified in 16 bytes), F fill": pinblock.SM4PAN1,
		"PAN mode 2": pinblock.SM4PAN2,
		"PAN mode 2 (0000 + 12 digits + 8 zero bytes)": pinblock.SM4PAN2,
	}
	for _, v := range load(t, "cup.json") {
		t.Run(v.text(t, "id"), func(t *testing.T) {
			switch v.text(t, "kind") {
			case "mac", "key-wrap", "working-keys", "track", "tusn", "de59": // paycrypto, paycrypto/mac
				return
			case "pinblock":
			default:
				t.Fatalf("no test for kind %q", v.text(t, "kind"))
			}
			key := v.hex(t, "key")
			switch a := v.text(t, "algorithm"); a {
			case "3DES-ECB ANSI X9.8 with PAN":
				testBlock(t, newCipher(t, "TDES", key), pinblock.ISO0, v, v.hex(t, "block"))
				if plain := v.hex(t, "block_without_pan"); len(plain) > 0 {
					v["clear"] = json.RawMessage(`""`)
					testBlock(t, newCipher(t, "TDES", key), pinblock.NoPAN, v, plain)
				}
			case "SM4-ECB, 16-byte block":
				f, known := formats[v.text(t, "format")]
				if !known {
					t.Fatalf("no test for format %q", v.text(t, "format"))
				}
				testBlock(t, newCipher(t, "SM4", key), f, v, v.hex(t, "block"))
			case "SM4-ECB PAN mode 1":
				testBlock(t, newCipher(t, "SM4", key), pinblock.SM4PAN1, v, v.hex(t, "block"))
			default:
				t.Errorf("no test for algorithm %q", a)
			}
		})
	}
}

// testBlock goes both ways and then has another card number refused.
func testBlock(t *testing.T, c *paycrypto.Cipher, f pinblock.Format, v vector, want []byte) {
	t.Helper()
	p := pinblock.Parts{PIN: []byte(v.text(t, "pin")), PAN: []byte(v.text(t, "pan"))}
	block := make([]byte, f.Size())
	if plain := v.hex(t, "clear"); len(plain) > 0 {
		if err := pinblock.Encode(block, f, p); err != nil {
			t.Fatal(err)
		}
		check(t, "clear block", block, plain)
	}
	if err := pinblock.Encipher(block, c, f, p); err != nil {
		t.Fatal(err)
	}
	check(t, "block", block, want)
	var pin [pinblock.MaxPIN]byte
	n, err := pinblock.Decipher(&pin, c, f, block, p.PAN)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "pin", pin[:n], p.PIN)
	if !f.UsesPAN() {
		return
	}
	// The eleventh of the twelve digits: it is only ever added to fill.
	other := bytes.Clone(p.PAN)
	other[len(other)-3] ^= 1
	if _, err := pinblock.Decipher(&pin, c, f, block, other); !errors.Is(err, pinblock.ErrFormat) {
		t.Errorf("another card number: %v", err)
	}
}

// sample are published test values: a card number of a scheme's test range and
// the demonstration key.
const (
	samplePAN = "4111111111111111"
	sampleKey = "0123456789ABCDEFFEDCBA9876543210"
)

var allFormats = []pinblock.Format{
	pinblock.ISO0, pinblock.ISO1, pinblock.ISO2, pinblock.ISO3, pinblock.ISO4,
	pinblock.NoPAN, pinblock.SM4NoPAN, pinblock.SM4PAN1, pinblock.SM4PAN2,
}

func cipherFor(t testing.TB, f pinblock.Format) *paycrypto.Cipher {
	t.Helper()
	name := "TDES"
	switch f {
	case pinblock.ISO4:
		name = "AES"
	case pinblock.SM4NoPAN, pinblock.SM4PAN1, pinblock.SM4PAN2:
		name = "SM4"
	}
	return newCipher(t, name, unhex(t, sampleKey))
}

func partsFor(f pinblock.Format, n int) pinblock.Parts {
	return pinblock.Parts{
		PIN: []byte("135790246801")[:n], PAN: []byte(samplePAN),
		Fill: bytes.Repeat([]byte{0xB}, max(0, f.FillSize(n))),
	}
}

func TestPINLengths(t *testing.T) {
	for _, f := range allFormats {
		for n := range 13 {
			p, block := partsFor(f, n), make([]byte, f.Size())
			err := pinblock.Encipher(block, cipherFor(t, f), f, p)
			if n < pinblock.MinPIN {
				if !errors.Is(err, pinblock.ErrInput) || !bytes.Equal(block, make([]byte, f.Size())) {
					t.Errorf("%v with %d digits: %v", f, n, err)
				}
				continue
			}
			var pin [pinblock.MaxPIN]byte
			got, err2 := pinblock.Decipher(&pin, cipherFor(t, f), f, block, p.PAN)
			if err != nil || err2 != nil || !bytes.Equal(pin[:got], p.PIN) {
				t.Errorf("%v with %d digits: %v, %v", f, n, err, err2)
			}
		}
		p := partsFor(f, 12)
		p.PIN = []byte("1357902468013")
		if err := pinblock.Encode(make([]byte, f.Size()), f, p); !errors.Is(err, pinblock.ErrInput) {
			t.Errorf("%v with 13 digits: %v", f, err)
		}
	}
}

// plainBlock builds the clear block before the card number is added.
func plainBlock(t testing.TB, f pinblock.Format, n int) []byte {
	t.Helper()
	block := make([]byte, f.Size())
	if err := pinblock.Encode(block, f, partsFor(f, n)); err != nil {
		t.Fatal(err)
	}
	return block
}

// TestEveryNibble puts every value in every nibble and says what must come of it.
func TestEveryNibble(t *testing.T) {
	const length = 6
	fill := map[pinblock.Format]string{pinblock.ISO1: "0123456789ABCDEF", pinblock.ISO3: "ABCDEF", pinblock.ISO4: "A"}
	control := map[pinblock.Format]byte{pinblock.ISO1: 1, pinblock.ISO2: 2, pinblock.ISO3: 3, pinblock.ISO4: 4}
	for _, f := range allFormats {
		// Exclusive or with a block of the same card number takes the card number
		// out: zero is the block in which every nibble is its own.
		clean := plainBlock(t, f, length)
		for i := range 2 * f.Size() {
			shift := 4 - i%2*4
			own := nibbleOf(f, i, length)
			for value := range byte(16) {
				block := bytes.Clone(clean)
				block[i/2] ^= (own ^ value) << shift
				allowed := fill[f]
				if allowed == "" {
					allowed = "F"
				}
				want := strings.ContainsRune(allowed, rune("0123456789ABCDEF"[value]))
				switch {
				case i == 0:
					want = value == control[f]
				case i == 1: // a shorter length makes digits fill, a longer one fill digits
					want = value == length || f == pinblock.ISO1 && (value == 4 || value == 5)
				case i < 2+length:
					want = value <= 9
				case f == pinblock.ISO4 && i >= 16:
					want = true
				}
				var pin [pinblock.MaxPIN]byte
				_, err := pinblock.Decode(&pin, f, block, []byte(samplePAN))
				if want != (err == nil) || !want && !errors.Is(err, pinblock.ErrFormat) {
					t.Errorf("%v, nibble %d is %X: %v", f, i, value, err)
				}
			}
		}
	}
}

// nibbleOf is the nibble before the card number, as partsFor has it.
func nibbleOf(f pinblock.Format, i, length int) byte {
	switch {
	case i == 0:
		return map[pinblock.Format]byte{pinblock.ISO1: 1, pinblock.ISO2: 2, pinblock.ISO3: 3, pinblock.ISO4: 4}[f]
	case i == 1:
		return byte(length)
	case i < 2+length:
		return "135790246801"[i-2] - '0'
	case f == pinblock.ISO4 && i < 16:
		return 0xA
	case f == pinblock.ISO4 && i%2 == 0:
		return 0
	case f == pinblock.ISO1 || f == pinblock.ISO3 || f == pinblock.ISO4:
		return 0xB
	}
	return 0xF
}

func TestInputRefused(t *testing.T) {
	for _, f := range allFormats {
		room := make([]byte, 17)
		for name, change := range map[string]func(*pinblock.Parts){
			"letter in pin": func(p *pinblock.Parts) { p.PIN = []byte("12a4") },
			"colon in pin":  func(p *pinblock.Parts) { p.PIN = []byte("12:4") },
			"slash in pin":  func(p *pinblock.Parts) { p.PIN = []byte("12/4") },
			"long fill":     func(p *pinblock.Parts) { p.Fill = append(p.Fill, 0xB) },
			"no fill":       func(p *pinblock.Parts) { p.Fill = nil },
			"fill of 16":    func(p *pinblock.Parts) { p.Fill[0] = 16 },
			"fill of 9":     func(p *pinblock.Parts) { p.Fill[0] = 9 },
			"no pan":        func(p *pinblock.Parts) { p.PAN = nil },
			"short pan":     func(p *pinblock.Parts) { p.PAN = p.PAN[:11] },
			"long pan":      func(p *pinblock.Parts) { p.PAN = append(p.PAN, "1111"...) },
			"letter in pan": func(p *pinblock.Parts) { p.PAN[3] = 'a' },
		} {
			p := partsFor(f, 4)
			usesFill := f.FillSize(4) > 0
			if !usesFill && (name == "no fill" || name == "fill of 16" || name == "fill of 9") ||
				name == "fill of 9" && f != pinblock.ISO3 || name == "fill of 16" && f == pinblock.ISO4 ||
				strings.Contains(name, "pan") && (!f.UsesPAN() || name == "short pan" && f == pinblock.ISO4) {
				continue
			}
			change(&p)
			if err := pinblock.Encipher(room[:f.Size()], cipherFor(t, f), f, p); !errors.Is(err, pinblock.ErrInput) {
				t.Errorf("%v, %s: %v", f, name, err)
			}
			if !bytes.Equal(room, make([]byte, 17)) {
				t.Errorf("%v, %s: something was written", f, name)
			}
			if strings.Contains(name, "pan") {
				var pin [pinblock.MaxPIN]byte
				if _, err := pinblock.Decipher(&pin, cipherFor(t, f), f, room[:f.Size()], p.PAN); !errors.Is(err, pinblock.ErrInput) {
					t.Errorf("%v, %s: %v", f, name, err)
				}
			}
		}
		for _, n := range []int{0, f.Size() - 1, f.Size() + 1} {
			var pin [pinblock.MaxPIN]byte
			_, one := pinblock.Decode(&pin, f, room[:n], []byte(samplePAN))
			_, two := pinblock.Decipher(&pin, cipherFor(t, f), f, room[:n], []byte(samplePAN))
			three := pinblock.Encipher(room[:n], cipherFor(t, f), f, partsFor(f, 4))
			for _, err := range []error{one, two, three} {
				if !errors.Is(err, pinblock.ErrInput) {
					t.Errorf("%v, %d bytes: %v", f, n, err)
				}
			}
		}
	}
	for _, f := range []pinblock.Format{0, 10} {
		var pin [pinblock.MaxPIN]byte
		if err := pinblock.Encode(nil, f, partsFor(f, 4)); !errors.Is(err, pinblock.ErrInput) || f.String() != "none" || f.Size() != 0 {
			t.Errorf("format %d: %v", f, err)
		}
		if _, err := pinblock.Decode(&pin, f, nil, nil); !errors.Is(err, pinblock.ErrInput) {
			t.Errorf("format %d: %v", f, err)
		}
	}
	for _, n := range []int{0, 20} {
		if _, err := pinblock.PANField(bytes.Repeat([]byte{'1'}, n)); !errors.Is(err, pinblock.ErrInput) {
			t.Errorf("card number field of %d digits: %v", n, err)
		}
	}
}

// TestShortPAN: a card number of 12 digits has 11 without its check digit.
func TestShortPAN(t *testing.T) {
	short, padded := partsFor(pinblock.ISO0, 4), partsFor(pinblock.ISO0, 4)
	short.PAN, padded.PAN = []byte("411111111111"), []byte("0411111111111")
	var a, b [8]byte
	if pinblock.Encode(a[:], pinblock.ISO0, short) != nil || pinblock.Encode(b[:], pinblock.ISO0, padded) != nil || a != b {
		t.Error("a 12-digit card number is not left-padded with zero")
	}
}

func TestCiphers(t *testing.T) {
	key := unhex(t, sampleKey)
	ciphers := map[string]*paycrypto.Cipher{
		"DES": newCipher(t, "DES", key[:8]), "TDES": newCipher(t, "TDES", key), "AES": newCipher(t, "AES", key),
		"SM4": newCipher(t, "SM4", key), "nil": nil,
	}
	for _, f := range allFormats {
		right := cipherFor(t, f).Algorithm().String()
		for name, c := range ciphers {
			var pin [pinblock.MaxPIN]byte
			block := make([]byte, f.Size())
			err := pinblock.Encipher(block, c, f, partsFor(f, 4))
			_, err2 := pinblock.Decipher(&pin, c, f, block, []byte(samplePAN))
			if name == right || name == "DES" && right == "TDES" {
				if err != nil || err2 != nil {
					t.Errorf("%v under %s: %v, %v", f, name, err, err2)
				}
				continue
			}
			if !errors.Is(err, pinblock.ErrCipher) || !errors.Is(err2, pinblock.ErrCipher) {
				t.Errorf("%v under %s: %v, %v", f, name, err, err2)
			}
		}
	}
}

// TestTranslations runs every pair of formats; allowed is PCI PIN Security 3.1, 3-3.
func TestTranslations(t *testing.T) {
	allowed := map[pinblock.Format]string{
		pinblock.ISO0: "ISO 0, ISO 3, ISO 4", pinblock.ISO3: "ISO 0, ISO 3, ISO 4", pinblock.ISO4: "ISO 0, ISO 3, ISO 4",
		pinblock.ISO1:     "ISO 0, ISO 1, ISO 3, ISO 4",
		pinblock.NoPAN:    "ISO 0, ISO 1, ISO 3, ISO 4, no PAN, SM4 no PAN, SM4 PAN mode 1, SM4 PAN mode 2",
		pinblock.SM4NoPAN: "ISO 0, ISO 1, ISO 3, ISO 4, no PAN, SM4 no PAN, SM4 PAN mode 1, SM4 PAN mode 2",
		pinblock.SM4PAN1:  "ISO 0, ISO 3, ISO 4, SM4 PAN mode 1, SM4 PAN mode 2",
		pinblock.SM4PAN2:  "ISO 0, ISO 3, ISO 4, SM4 PAN mode 1, SM4 PAN mode 2",
	}
	for _, from := range allFormats {
		block := make([]byte, from.Size())
		if err := pinblock.Encipher(block, cipherFor(t, from), from, partsFor(from, 6)); err != nil {
			t.Fatal(err)
		}
		for _, to := range allFormats {
			want := strings.Contains(", "+allowed[from]+",", ", "+to.String()+",")
			if pinblock.MayTranslate(from, to) != want {
				t.Errorf("%v to %v: %v", from, to, !want)
			}
			tr := pinblock.Translation{
				From: pinblock.End{Cipher: cipherFor(t, from), Format: from}, To: pinblock.End{Cipher: cipherFor(t, to), Format: to},
				Fill: func(n int) []byte { return partsFor(to, n).Fill },
			}
			got := bytes.Repeat([]byte{1}, to.Size())
			err := pinblock.Translate(got, tr, block, []byte(samplePAN))
			if !want {
				if !errors.Is(err, pinblock.ErrTranslation) || !bytes.Equal(got, make([]byte, to.Size())) {
					t.Errorf("%v to %v: %v", from, to, err)
				}
				continue
			}
			wanted := make([]byte, to.Size())
			if err2 := pinblock.Encipher(wanted, cipherFor(t, to), to, partsFor(to, 6)); err != nil || err2 != nil {
				t.Errorf("%v to %v: %v, %v", from, to, err, err2)
			}
			check(t, fmt.Sprint(from, " to ", to), got, wanted)
		}
	}
	if pinblock.MayTranslate(0, pinblock.ISO0) || pinblock.MayTranslate(pinblock.ISO0, 0) {
		t.Error("a translation from or to no format")
	}
	tr := pinblock.Translation{From: pinblock.End{Cipher: cipherFor(t, pinblock.ISO0), Format: pinblock.ISO0}, To: pinblock.End{Cipher: cipherFor(t, pinblock.ISO0), Format: pinblock.ISO0}}
	got := make([]byte, 8)
	if err := pinblock.Translate(got, tr, make([]byte, 8), []byte(samplePAN)); !errors.Is(err, pinblock.ErrFormat) {
		t.Errorf("a block that is none: %v", err)
	}
}

// TestLentPAN is how a card number comes in.
func TestLentPAN(t *testing.T) {
	pan, err := pos.ParsePAN(samplePAN)
	if err != nil {
		t.Fatal(err)
	}
	c, block := cipherFor(t, pinblock.ISO0), make([]byte, 8)
	if got := testing.AllocsPerRun(100, func() {
		pan.Use(func(digits []byte) {
			p := pinblock.Parts{PIN: digits[:4], PAN: digits}
			err = pinblock.Encipher(block, c, pinblock.ISO0, p)
		})
		var pin [pinblock.MaxPIN]byte
		pan.Use(func(digits []byte) { _, err = pinblock.Decipher(&pin, c, pinblock.ISO0, block, digits) })
	}); got != 0 || err != nil {
		t.Errorf("%v allocations, %v", got, err)
	}
}

func TestPartsNeverPrinted(t *testing.T) {
	p := partsFor(pinblock.ISO0, 6)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, arg := range []any{p, &p, []pinblock.Parts{p}} {
			if out := fmt.Sprintf(verb, arg); strings.Contains(out, "49") || !strings.Contains(out, secret.Redacted) {
				t.Errorf("%s prints parts of a block", verb)
			}
		}
	}
}

func TestAppendFill3(t *testing.T) {
	var count [16]int
	var all []byte
	for r := range 256 {
		all = append(all, byte(r))
	}
	got := pinblock.AppendFill3([]byte{7}, all)
	if got[0] != 7 || len(got) != 253 {
		t.Fatalf("%d nibbles", len(got)-1)
	}
	for _, n := range got[1:] {
		count[n]++
	}
	if count != [16]int{10: 42, 42, 42, 42, 42, 42} {
		t.Errorf("not equally likely: %v", count)
	}
}

// FuzzPINBlockDecode: what decodes packs back to the same block, where the fill is
// the format's own.
func FuzzPINBlockDecode(f *testing.F) {
	for _, format := range allFormats {
		f.Add(uint8(format), plainBlock(f, format, 6), []byte(samplePAN))
	}
	f.Add(uint8(pinblock.ISO0), make([]byte, 8), []byte("1"))
	f.Fuzz(func(t *testing.T, number uint8, block, pan []byte) {
		format := pinblock.Format(number)
		pin := [pinblock.MaxPIN]byte{9}
		n, err := pinblock.Decode(&pin, format, block, pan)
		if err != nil {
			if n != 0 || pin != [pinblock.MaxPIN]byte{} {
				t.Fatal("a PIN beside an error")
			}
			return
		}
		if n < pinblock.MinPIN || n > pinblock.MaxPIN {
			t.Fatalf("%d digits", n)
		}
		p := pinblock.Parts{PIN: pin[:n], PAN: pan}
		switch format {
		case pinblock.ISO1, pinblock.ISO3:
			for i := 2 + n; i < 16; i++ {
				p.Fill = append(p.Fill, block[i/2]>>(4-i%2*4)&15)
			}
			if format == pinblock.ISO3 {
				plain := plainPAN(t, pan)
				for i := range p.Fill {
					at := 2 + n + i
					p.Fill[i] ^= plain[at/2] >> (4 - at%2*4) & 15
				}
			}
		case pinblock.ISO4:
			p.Fill = block[8:]
		}
		again := make([]byte, format.Size())
		if err := pinblock.Encode(again, format, p); err != nil || !bytes.Equal(again, block) {
			t.Fatalf("does not pack back: %v", err)
		}
	})
}

// plainPAN is the card number block of formats 0 and 3: what differs between a
// block with and without it.
func plainPAN(t *testing.T, pan []byte) []byte {
	t.Helper()
	with, without := make([]byte, 8), make([]byte, 8)
	p := pinblock.Parts{PIN: []byte("0000"), PAN: pan}
	if pinblock.Encode(with, pinblock.ISO0, p) != nil || pinblock.Encode(without, pinblock.NoPAN, p) != nil {
		t.Fatal("the card number of a block that decodes does not encode")
	}
	for i := range with {
		with[i] ^= without[i]
	}
	return with
}

func BenchmarkEncipher(b *testing.B) {
	for _, f := range allFormats {
		b.Run(f.String(), func(b *testing.B) {
			c, p, block := cipherFor(b, f), partsFor(f, 6), make([]byte, f.Size())
			b.ReportAllocs()
			for b.Loop() {
				if err := pinblock.Encipher(block, c, f, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTranslate(b *testing.B) {
	for _, pair := range [][2]pinblock.Format{{pinblock.ISO0, pinblock.ISO0}, {pinblock.SM4PAN1, pinblock.ISO0}, {pinblock.ISO0, pinblock.ISO4}} {
		from, to := pair[0], pair[1]
		b.Run(from.String()+" to "+to.String(), func(b *testing.B) {
			block, got, fill := make([]byte, from.Size()), make([]byte, to.Size()), partsFor(to, 6).Fill
			if err := pinblock.Encipher(block, cipherFor(b, from), from, partsFor(from, 6)); err != nil {
				b.Fatal(err)
			}
			pan := []byte(samplePAN)
			tr := pinblock.Translation{From: pinblock.End{Cipher: cipherFor(b, from), Format: from}, To: pinblock.End{Cipher: cipherFor(b, to), Format: to}, Fill: func(int) []byte { return fill }}
			b.ReportAllocs()
			for b.Loop() {
				if err := pinblock.Translate(got, tr, block, pan); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
