package host_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// row is one line of the table of docs/protocol/unionpay-pos.md, section 2, written down here a second
// time so that answers are read without the package that packed them.
type row struct {
	format string // n, z, an, b
	prefix int    // bytes of BCD length
	size   int    // digits of n and z, else bytes: exact without a prefix, else the most
	right  bool   // odd digits are right-aligned
}

var table = map[int]row{
	2: {"n", 1, 19, false}, 3: {"n", 0, 6, false}, 4: {"n", 0, 12, false}, 11: {"n", 0, 6, false}, 12: {"n", 0, 6, false},
	13: {"n", 0, 4, false}, 14: {"n", 0, 4, false}, 15: {"n", 0, 4, false}, 22: {"n", 0, 3, false}, 23: {"n", 0, 3, true},
	25: {"n", 0, 2, false}, 26: {"n", 0, 2, false}, 32: {"n", 1, 11, false}, 35: {"z", 1, 37, false}, 36: {"z", 2, 104, false},
	37: {"an", 0, 12, false}, 38: {"an", 0, 6, false}, 39: {"an", 0, 2, false}, 41: {"an", 0, 8, false}, 42: {"an", 0, 15, false},
	44: {"an", 1, 25, false}, 48: {"n", 2, 322, false}, 49: {"an", 0, 3, false}, 52: {"b", 0, 8, false}, 53: {"n", 0, 16, false},
	54: {"an", 2, 20, false}, 55: {"b", 2, 255, false}, 59: {"an", 2, 999, false}, 60: {"n", 2, 17, false}, 61: {"n", 2, 29, false},
	62: {"b", 2, 512, false}, 63: {"an", 2, 163, false}, 64: {"b", 0, 8, false},
}

// envelope is the TPDU and header of every request: a terminal at link 0601.
const envelope = "6006010000" + "603100311812"

// fields are elements by number: digits of n and z, characters of an, hexadecimal of b.
type fields map[int]string

// pack is a frame as ReadFrame gives it.
func pack(t testing.TB, mti string, f fields) []byte {
	t.Helper()
	numbers := []int{}
	for n := range f {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	var bitmap uint64
	var body []byte
	for _, n := range numbers {
		r, ok := table[n]
		if !ok {
			t.Fatalf("element %d is not in the table", n)
		}
		bitmap |= 1 << (64 - n)
		digits, count := f[n], len(f[n])
		if r.format == "b" {
			count /= 2
		}
		if (r.prefix == 0 && count != r.size) || count > r.size {
			t.Fatalf("element %d: %d of %d", n, count, r.size)
		}
		switch r.prefix {
		case 1:
			body = append(body, unhex(t, fmt.Sprintf("%02d", count))...)
		case 2:
			body = append(body, unhex(t, fmt.Sprintf("%04d", count))...)
		}
		switch {
		case r.format == "an":
			body = append(body, digits...)
			continue
		case len(digits)%2 == 1 && r.right:
			digits = "0" + digits
		case len(digits)%2 == 1:
			digits += "0"
		}
		body = append(body, unhex(t, digits)...)
	}
	frame := unhex(t, envelope+mti)
	return append(binary.BigEndian.AppendUint64(frame, bitmap), body...)
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal("not hexadecimal")
	}
	return b
}

// answer is what left, decoded by hand.
type answer struct {
	mti         string
	requirement byte
	numbers     []int
	fields      fields
	mab         []byte
}

// unpack decodes an answer to a request with the usual envelope.
func unpack(t testing.TB, frame []byte) answer {
	t.Helper()
	return unpackTo(t, unhex(t, envelope), frame)
}

// unpackTo decodes an answer with its LEN and fails on any byte it cannot account for. Destination and
// origin are the request's swapped, the header the request's but for the processing requirement.
func unpackTo(t testing.TB, request, frame []byte) (a answer) {
	t.Helper()
	if len(frame) < 23 || int(binary.BigEndian.Uint16(frame)) != len(frame)-2 {
		t.Fatalf("LEN of %d bytes is wrong", len(frame))
	}
	head, asked := hex.EncodeToString(frame[2:13]), hex.EncodeToString(request[:11])
	if head[:2] != "60" || head[2:6] != asked[6:10] || head[6:10] != asked[2:6] || head[10:15] != asked[10:15] || head[16:] != asked[16:] {
		t.Fatalf("envelope %s does not answer %s", head, asked)
	}
	a.requirement, a.mti, a.fields = head[15], hex.EncodeToString(frame[13:15]), fields{}
	bitmap, rest := binary.BigEndian.Uint64(frame[15:23]), frame[23:]
	take := func(n int) []byte {
		if len(rest) < n {
			t.Fatalf("answer %s is cut", a.mti)
		}
		out := rest[:n]
		rest = rest[n:]
		return out
	}
	for n := 1; n <= 64; n++ {
		if bitmap>>(64-n)&1 == 0 {
			continue
		}
		r, ok := table[n]
		if !ok {
			t.Fatalf("answer has element %d, which is not in the table", n)
		}
		if n == 64 {
			a.mab = frame[13 : len(frame)-len(rest)]
		}
		size := r.size
		if r.prefix > 0 {
			if _, err := fmt.Sscanf(hex.EncodeToString(take(r.prefix)), "%d", &size); err != nil || size > r.size || size == 0 {
				t.Fatalf("length of element %d", n)
			}
		}
		switch r.format {
		case "an":
			a.fields[n] = string(take(size))
		case "b":
			a.fields[n] = hex.EncodeToString(take(size))
		default:
			digits := hex.EncodeToString(take((size + 1) / 2))
			if r.right {
				a.fields[n] = digits[len(digits)-size:]
			} else {
				a.fields[n] = digits[:size]
			}
			if r.format == "n" && strings.Trim(a.fields[n], "0123456789") != "" {
				t.Fatalf("element %d is not BCD", n)
			}
		}
		a.numbers = append(a.numbers, n)
	}
	if len(rest) != 0 {
		t.Fatalf("%d bytes after the last element", len(rest))
	}
	return a
}
