package ledger_test

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/emmansun/gmsm/sm4"
)

// What follows is docs/protocol/unionpay-pos.md, sections 2, 3.2, 4, 5.2 and 6, written a second time, so
// that the oracle of FuzzLine shares nothing with the host it judges.

// wireRow is one line of section 2.
type wireRow struct {
	format string // n, z, an, b
	prefix int    // bytes of BCD length
	size   int    // digits of n and z, else bytes: exact without a prefix, else the most
	right  bool   // odd digits are right-aligned
}

var wireTable = map[int]wireRow{
	2: {"n", 1, 19, false}, 3: {"n", 0, 6, false}, 4: {"n", 0, 12, false}, 11: {"n", 0, 6, false}, 12: {"n", 0, 6, false},
	13: {"n", 0, 4, false}, 14: {"n", 0, 4, false}, 15: {"n", 0, 4, false}, 22: {"n", 0, 3, false}, 23: {"n", 0, 3, true},
	25: {"n", 0, 2, false}, 26: {"n", 0, 2, false}, 32: {"n", 1, 11, false}, 35: {"z", 1, 37, false}, 36: {"z", 2, 104, false},
	37: {"an", 0, 12, false}, 38: {"an", 0, 6, false}, 39: {"an", 0, 2, false}, 41: {"an", 0, 8, false}, 42: {"an", 0, 15, false},
	44: {"an", 1, 25, false}, 48: {"n", 2, 322, false}, 49: {"an", 0, 3, false}, 52: {"b", 0, 8, false}, 53: {"n", 0, 16, false},
	54: {"an", 2, 20, false}, 55: {"b", 2, 255, false}, 58: {"an", 2, 100, false}, 59: {"an", 2, 999, false}, 60: {"n", 2, 17, false},
	61: {"n", 2, 29, false}, 62: {"b", 2, 512, false}, 63: {"an", 2, 163, false}, 64: {"b", 0, 8, false},
}

const (
	wireEnvelope = 11
	wireMAC      = 8
)

// wireFields are elements by number: digits of n and z, characters of an, hexadecimal of b.
type wireFields map[int]string

// packWire is a frame after LEN, with eight bytes of room for DE64 where asked.
func packWire(mti string, f wireFields, maced bool) []byte {
	if maced {
		f[64] = strings.Repeat("00", wireMAC)
	}
	var bitmap uint64
	var body []byte
	for n := 2; n <= 64; n++ {
		text, ok := f[n]
		if !ok {
			continue
		}
		bitmap |= 1 << (64 - n)
		r, count := wireTable[n], len(text)
		if r.format == "b" {
			count /= 2
		}
		if r.prefix > 0 {
			body = append(body, must(hex.DecodeString(fmt.Sprintf("%0*d", 2*r.prefix, count)))...)
		}
		switch {
		case r.format == "an":
			body = append(body, text...)
			continue
		case len(text)%2 == 1 && r.right:
			text = "0" + text
		case len(text)%2 == 1:
			text += "0"
		}
		body = append(body, must(hex.DecodeString(text))...)
	}
	frame := must(hex.DecodeString("6006010000" + "603100311812" + mti))
	return append(binary.BigEndian.AppendUint64(frame, bitmap), body...)
}

// wire is a message as read by hand.
type wire struct {
	mti    string
	fields wireFields
	mab    []byte // MTI to DE63
	body   []byte // MTI to DE64
}

// readWire reads a frame after LEN; false where it cannot account for every byte.
func readWire(frame []byte) (w wire, ok bool) {
	if len(frame) < wireEnvelope+10 {
		return wire{}, false
	}
	w = wire{mti: hex.EncodeToString(frame[wireEnvelope : wireEnvelope+2]), fields: wireFields{}, body: frame[wireEnvelope:]}
	bitmap, rest := binary.BigEndian.Uint64(w.body[2:]), w.body[10:]
	for n := 1; n <= 64; n++ {
		if bitmap>>(64-n)&1 == 0 {
			continue
		}
		r, known := wireTable[n]
		size := r.size
		if !known || len(rest) < r.prefix {
			return wire{}, false
		}
		if r.prefix > 0 {
			var err error
			if size, err = strconv.Atoi(hex.EncodeToString(rest[:r.prefix])); err != nil || size > r.size {
				return wire{}, false
			}
			rest = rest[r.prefix:]
		}
		digits := r.format == "n" || r.format == "z"
		bytes := size
		if digits {
			bytes = (size + 1) / 2
		}
		if len(rest) < bytes {
			return wire{}, false
		}
		if n == 64 {
			w.mab = w.body[:len(w.body)-len(rest)]
		}
		text := string(rest[:bytes])
		if r.format != "an" {
			text = hex.EncodeToString(rest[:bytes])
		}
		if digits && r.right {
			text = text[len(text)-size:]
		} else if digits {
			text = text[:size]
		}
		w.fields[n], rest = text, rest[bytes:]
	}
	return w, len(rest) == 0
}

// number is an element of digits, -1 when it is absent or none.
func (w wire) number(n int) int64 {
	v, err := strconv.ParseInt(w.fields[n], 10, 64)
	if err != nil {
		return -1
	}
	return v
}

// part is digits from to to of an element, -1 when they are not there.
func (w wire) part(n, from, to int) int {
	if len(w.fields[n]) < to {
		return -1
	}
	v, err := strconv.Atoi(w.fields[n][from:to])
	if err != nil {
		return -1
	}
	return v
}

// tags reads a TLV of section 6.1: names of two characters, lengths of three digits.
func tags(b string) map[string]string {
	found := map[string]string{}
	for len(b) >= 5 {
		n, err := strconv.Atoi(b[2:5])
		if err != nil || n < 0 || len(b) < 5+n {
			return nil
		}
		found[b[:2]], b = b[5:5+n], b[5+n:]
	}
	return found
}

func tag(name, value string) string { return fmt.Sprintf("%s%03d%s", name, len(value), value) }

// foldMAC is the ECB MAC of sections 4.1 and 4.2, and the serial-number ciphertext of section 6.4.
func foldMAC(c cipher.Block, data []byte) string {
	n := c.BlockSize()
	r := make([]byte, n)
	for i, b := range data {
		r[i%n] ^= b
	}
	h := fmt.Appendf(nil, "%X", r)
	e := make([]byte, n)
	c.Encrypt(e, h[:n])
	for i := range e {
		e[i] ^= h[n+i]
	}
	c.Encrypt(e, e)
	return fmt.Sprintf("%X", e[:4])
}

func tdes(key []byte) cipher.Block {
	return must(des.NewTripleDESCipher(append(slices.Clone(key[:16]), key[:8]...)))
}

// liveKeys are the working keys of one sign-in.
type liveKeys struct {
	sm4 bool
	pik cipher.Block
	mak cipher.Block
	at  int64 // seconds since the shop opened
}

// openKeys opens DE62 of a sign-in answer: section 3.2, codes 003 and 005.
func openKeys(sm bool, tmk []byte, de62 string, at int64) *liveKeys {
	raw := must(hex.DecodeString(de62))
	if len(raw) != 40 {
		panic("DE62 is not 40 bytes")
	}
	wrap := tdes(tmk)
	if sm {
		wrap = must(sm4.NewCipher(tmk))
	}
	open := func(b []byte) []byte {
		out := make([]byte, len(b))
		for i := 0; i < len(b); i += wrap.BlockSize() {
			wrap.Decrypt(out[i:], b[i:])
		}
		return out
	}
	k := &liveKeys{sm4: sm, at: at}
	if sm {
		k.pik, k.mak = must(sm4.NewCipher(open(raw[:16]))), must(sm4.NewCipher(open(raw[20:36])))
	} else {
		k.pik, k.mak = tdes(open(raw[:16])), must(des.NewCipher(open(raw[20:28])))
	}
	return k
}

// pinFields are the 12 digits of a card number in a PIN block, right-justified in size bytes; section 5.2.
func pinFields(pan string, size int) []byte {
	if len(pan) < 13 {
		return make([]byte, size)
	}
	digits := pan[len(pan)-13 : len(pan)-1]
	return must(hex.DecodeString(strings.Repeat("0", 2*size-12) + digits))
}

// sealPIN is the PIN block with the card number under the PIK: 8 bytes, or 16 under SM4.
func (k *liveKeys) sealPIN(pin, pan string) []byte {
	size := k.pik.BlockSize()
	text := fmt.Sprintf("%02X%s", len(pin), pin)
	block := must(hex.DecodeString(text + strings.Repeat("F", 2*size-len(text))))
	for i, b := range pinFields(pan, size) {
		block[i] ^= b
	}
	k.pik.Encrypt(block, block)
	return block
}

// holdsPIN tells whether a block is that of this PIN and card.
func (k *liveKeys) holdsPIN(block []byte, pin, pan string) bool {
	return len(block) == k.pik.BlockSize() && bytes.Equal(block, k.sealPIN(pin, pan))
}
