package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf16"
)

// A canary is a secret that was made for one test run and given to the program as a user would give it.
// Wherever one of its forms turns up afterwards, the program leaked it. Findings tell its name, never it.
type canary struct {
	kind canaryKind
	name string
}

type canaryKind string

const (
	ofPAN        canaryKind = "card number"
	ofTrack      canaryKind = "track"
	ofPIN        canaryKind = "PIN"
	ofMaster     canaryKind = "key component or master key"
	ofSerialKey  canaryKind = "serial-number key"
	ofWorking    canaryKind = "working key"
	ofPassphrase canaryKind = "passphrase"
	// A card number that was written into a control request where none belongs: a JSON decoder has it
	// as text, which Go cannot overwrite. It must stay out of files and outputs.
	ofControl canaryKind = "card number in a control request"
)

// leastForm is the fewest bytes of a form: what is shorter is found in any large file by chance.
const leastForm = 6

// leakForm is one way to write a canary.
type leakForm struct {
	of       canary
	encoding string
	bytes    []byte
	alone    bool // only where no letter or digit is beside it
}

// leakForms are the forms of all canaries of a run.
type leakForms struct {
	all   []leakForm
	count int // canaries
}

func (l *leakForms) add(of canary, encoding string, b []byte) {
	if len(b) >= leastForm {
		l.all = append(l.all, leakForm{of, encoding, slices.Clone(b), false})
	}
}

// bytes adds every form of a binary secret.
func (l *leakForms) bytes(of canary, b []byte) {
	l.count++
	l.binary(of, "", b)
	l.text(of, "hexadecimal lower case", hex.EncodeToString(b))
	l.text(of, "hexadecimal upper case", strings.ToUpper(hex.EncodeToString(b)))
}

// digits adds every form of a decimal secret; a track has '=' among its digits.
func (l *leakForms) digits(of canary, s string) {
	l.count++
	l.text(of, "text", s)
	l.text(of, "text in groups of four with spaces", grouped(s, " "))
	l.text(of, "text in groups of four with dashes", grouped(s, "-"))
	if strings.Contains(s, "=") {
		l.text(of, "text with D", strings.Replace(s, "=", "D", 1))
		l.text(of, "text with d", strings.Replace(s, "=", "d", 1))
	}
	unpacked := make([]byte, len(s))
	for i := range s {
		unpacked[i] = nibbleOf(s[i])
	}
	l.add(of, "one digit a byte", unpacked)
	for shift := range 2 { // a number may begin at either half of a byte
		packed, swapped := packDigits(unpacked, shift)
		l.binary(of, fmt.Sprintf("BCD from nibble %d", shift), packed)
		l.add(of, fmt.Sprintf("BCD with nibbles swapped, from nibble %d", shift), swapped)
	}
}

// phrase adds the forms of a text.
func (l *leakForms) phrase(of canary, s string) {
	l.count++
	l.text(of, "text", s)
	l.text(of, "hexadecimal lower case", hex.EncodeToString([]byte(s)))
	l.text(of, "hexadecimal upper case", strings.ToUpper(hex.EncodeToString([]byte(s))))
}

// text adds a text, its UTF-16 and its base64, and how Go prints it as bytes.
func (l *leakForms) text(of canary, encoding, s string) {
	l.add(of, encoding, []byte(s))
	little, big := []byte{}, []byte{}
	for _, u := range utf16.Encode([]rune(s)) {
		little, big = binary.LittleEndian.AppendUint16(little, u), binary.BigEndian.AppendUint16(big, u)
	}
	l.add(of, encoding+", UTF-16LE", little)
	l.add(of, encoding+", UTF-16BE", big)
	l.add(of, encoding+", hexadecimal", []byte(hex.EncodeToString([]byte(s))))
	l.base64(of, encoding, []byte(s))
	l.numbers(of, encoding, []byte(s))
}

// binary adds bytes as they are, in base64, and how Go prints them.
func (l *leakForms) binary(of canary, encoding string, b []byte) {
	if encoding == "" {
		encoding = "raw"
	}
	l.add(of, encoding, b)
	if len(b) < leastForm {
		return
	}
	l.base64(of, encoding, b)
	l.numbers(of, encoding, b)
}

// base64 adds what base64 makes of b when it begins at each of the three places within a group; the
// characters that bytes beside b decide are left out.
func (l *leakForms) base64(of canary, encoding string, b []byte) {
	for at := range 3 {
		for name, e := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
			text := e.EncodeToString(append(make([]byte, at), b...))
			from := []int{0, 2, 3}[at]
			to := (at + len(b)) * 8 / 6
			if to > from {
				l.add(of, fmt.Sprintf("%s, %s at %d", encoding, name, at), []byte(text[from:to]))
			}
		}
	}
}

// numbers adds "[98 50 ...]" and "98, 50, ..." without their ends.
func (l *leakForms) numbers(of canary, encoding string, b []byte) {
	for _, between := range []string{" ", ",", ", "} {
		words := make([]string, len(b))
		for i, v := range b {
			words[i] = fmt.Sprint(v)
		}
		text := strings.Join(words, between)
		l.all = append(l.all, leakForm{of, encoding + ", decimal bytes", []byte(text), true})
	}
	l.add(of, encoding+", hexadecimal with spaces", fmt.Appendf(nil, "% x", b))
	l.add(of, encoding+", hexadecimal with spaces", fmt.Appendf(nil, "% X", b))
}

func nibbleOf(c byte) byte {
	if c == '=' {
		return 0xD
	}
	return c - '0'
}

func grouped(s, between string) string {
	var parts []string
	for len(s) > 4 {
		parts, s = append(parts, s[:4]), s[4:]
	}
	return strings.Join(append(parts, s), between)
}

// packDigits packs two nibbles a byte, from the shift-th nibble on; only whole bytes are kept.
func packDigits(nibbles []byte, shift int) (packed, swapped []byte) {
	for i := shift; i+1 < len(nibbles); i += 2 {
		packed = append(packed, nibbles[i]<<4|nibbles[i+1])
		swapped = append(swapped, nibbles[i+1]<<4|nibbles[i])
	}
	return packed, swapped
}

// leakFinding is a form of a canary where it must not be.
type leakFinding struct {
	of       canary
	encoding string
	where    string
	offset   int64
	before   []byte // up to contextBytes in front of it
}

// contextBytes is how much in front of a finding is kept, to tell what kind of memory it is in.
const contextBytes = 64

func (f leakFinding) String() string {
	return fmt.Sprintf("%s %s, as %s, in %s at %d", f.of.kind, f.of.name, f.encoding, f.where, f.offset)
}

// leakScanner finds any of many forms in one pass. A bit set by the hash of each form's first six bytes
// says where to look closer.
type leakScanner struct {
	bits  []uint64
	byKey map[uint64][]int32
	forms []leakForm
	most  int // longest form
}

const (
	scanBits  = 22
	scanChunk = 1 << 20
	maxFound  = 400
)

func newLeakScanner(forms []leakForm) *leakScanner {
	s := &leakScanner{bits: make([]uint64, 1<<scanBits/64), byKey: map[uint64][]int32{}, forms: forms}
	for i, f := range forms {
		if len(f.bytes) < leastForm {
			panic("a form is too short to be looked for")
		}
		key := scanKey(append(slices.Clone(f.bytes[:leastForm]), 0, 0))
		at := scanHash(key)
		s.bits[at/64] |= 1 << (at % 64)
		s.byKey[key] = append(s.byKey[key], int32(i))
		s.most = max(s.most, len(f.bytes))
	}
	return s
}

// scanKey is the first six of eight bytes.
func scanKey(b []byte) uint64 { return binary.LittleEndian.Uint64(b) & (1<<48 - 1) }

func scanHash(key uint64) uint64 { return key * 0x9E3779B97F4A7C15 >> (64 - scanBits) }

// find calls f for every form in b; offsets are of b.
func (s *leakScanner) find(b []byte, f func(form *leakForm, at int)) {
	padded := append(slices.Clip(b), make([]byte, 8)...)
	for i := 0; i+leastForm <= len(b); i++ {
		key := scanKey(padded[i : i+8])
		at := scanHash(key)
		if s.bits[at/64]>>(at%64)&1 == 0 {
			continue
		}
		for _, n := range s.byKey[key] {
			form := &s.forms[n]
			end := i + len(form.bytes)
			if end > len(b) || string(b[i:end]) != string(form.bytes) {
				continue
			}
			if form.alone && (wordByte(b, i-1) || wordByte(b, end)) {
				continue
			}
			f(form, i)
		}
	}
}

// scan reads r to its end and returns what it finds, at most maxFound, and how many bytes there were.
func (s *leakScanner) scan(r io.Reader, where string) (found []leakFinding, total int64, err error) {
	buf := make([]byte, 0, scanChunk+s.most)
	base := int64(0) // offset of buf[0]
	for {
		kept := len(buf)
		n, err := io.ReadFull(r, buf[kept:cap(buf)])
		buf = buf[:kept+n]
		total += int64(n)
		last := err == io.EOF || err == io.ErrUnexpectedEOF
		s.find(buf, func(form *leakForm, at int) {
			if (last || at <= len(buf)-s.most) && len(found) < maxFound {
				found = append(found, leakFinding{form.of, form.encoding, where, base + int64(at), slices.Clone(buf[max(0, at-contextBytes):at])})
			}
		})
		if last {
			return found, total, nil
		}
		if err != nil {
			return found, total, err
		}
		keep := min(s.most-1, len(buf))
		base += int64(len(buf) - keep)
		buf = buf[:copy(buf[:keep], buf[len(buf)-keep:])]
	}
}
