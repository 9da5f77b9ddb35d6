package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"touchstone/paycrypto"
)

// calcIn is the "in" of a request. Its methods name the field at fault and never
// what it holds, for it may be a key.
type calcIn map[string]json.RawMessage

// has tells whether the field is there and not null.
func (in calcIn) has(name string) bool {
	raw, there := in[name]
	return there && string(raw) != "null"
}

// check compares the names with calcOp.fields.
func (in calcIn) check(fields string) error {
	var known []string
	for name := range strings.FieldsSeq(fields) {
		name, optional := strings.CutSuffix(name, "?")
		if !optional && !in.has(name) {
			return fmt.Errorf("in.%s: missing", name)
		}
		known = append(known, name)
	}
	for name := range in {
		if in.has(name) && !slices.Contains(known, name) && !slices.Contains(calcFreeText, name) {
			return fmt.Errorf("in.%s: no such field, there are %s", calcFieldName(name), strings.Join(known, ", "))
		}
	}
	return nil
}

// calcFieldName is a name as an answer may show it: a long or strange one might be
// a value that slipped.
func calcFieldName(name string) string {
	const longest = 20
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return "?"
		}
	}
	if len(name) > longest {
		return "?"
	}
	return name
}

// text is a string; "" when the field is absent.
func (in calcIn) text(name string) (s string, err error) {
	if in.has(name) && json.Unmarshal(in[name], &s) != nil {
		return "", fmt.Errorf("in.%s: not a string", name)
	}
	return s, nil
}

// hex is a string of hex digits in either case as bytes; none when absent.
func (in calcIn) hex(name string) ([]byte, error) {
	s, err := in.text(name)
	if err != nil {
		return nil, err
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("in.%s: not hexadecimal", name)
	}
	return b, nil
}

// hexes is several fields at once.
func (in calcIn) hexes(names ...string) ([][]byte, error) {
	out := make([][]byte, len(names))
	for i, name := range names {
		var err error
		if out[i], err = in.hex(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// nibbles is a string of hex digits, one nibble a byte.
func (in calcIn) nibbles(name string) ([]byte, error) {
	s, err := in.text(name)
	if err != nil {
		return nil, err
	}
	odd := s
	if len(s)%2 == 1 {
		odd += "0"
	}
	b, err := hex.DecodeString(odd)
	if err != nil {
		return nil, fmt.Errorf("in.%s: not hexadecimal", name)
	}
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, c>>4, c&15)
	}
	return out[:len(s)], nil
}

// number is an integer from least to most, or otherwise when absent.
func (in calcIn) number(name string, least, most, otherwise int) (n int, err error) {
	if !in.has(name) {
		return otherwise, nil
	}
	if json.Unmarshal(in[name], &n) != nil || n < least || n > most {
		return 0, fmt.Errorf("in.%s: not an integer from %d to %d", name, least, most)
	}
	return n, nil
}

// object is a nested "in"; check is still to be called on it.
func (in calcIn) object(name string) (o calcIn, err error) {
	if json.Unmarshal(in[name], &o) != nil || o == nil {
		return nil, fmt.Errorf("in.%s: not an object", name)
	}
	return o, nil
}

// cipher is a block cipher under the hex key in a field. A TDES key of 8 bytes is
// single DES, as check value tables have it.
func (in calcIn) cipher(name string, a paycrypto.Algorithm) (*paycrypto.Cipher, error) {
	key, err := in.hex(name)
	if err != nil {
		return nil, err
	}
	if a == paycrypto.TDES && len(key) == 8 {
		a = paycrypto.DES
	}
	c, err := paycrypto.NewCipher(a, key)
	if err != nil {
		return nil, fmt.Errorf("in.%s: wrong length for %v", name, a)
	}
	return c, nil
}

var errCalcAlgorithm = errors.New("in.alg: unknown algorithm, there are DES, TDES, AES, SM4")

// algorithm is a block cipher's name.
func (in calcIn) algorithm(name string) (paycrypto.Algorithm, error) {
	s, err := in.text(name)
	if err != nil {
		return 0, err
	}
	for _, a := range []paycrypto.Algorithm{paycrypto.DES, paycrypto.TDES, paycrypto.AES, paycrypto.SM4} {
		if s == a.String() {
			return a, nil
		}
	}
	return 0, errCalcAlgorithm
}
