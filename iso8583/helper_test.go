package iso8583_test

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"touchstone/iso8583"
)

// envelopeHex is the envelope the tests use: a terminal asking link 0601.
const envelopeHex = "6006010000" + "603100311812"

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// put is one element of a message made by hand: its number and its bytes, prefix included, in hexadecimal.
type put struct {
	n    int
	wire string
}

// handmade is a frame written without the package's own code.
func handmade(t testing.TB, mti string, elements ...put) []byte {
	t.Helper()
	var bitmap uint64
	var rest string
	for _, e := range elements {
		bitmap |= 1 << (64 - e.n)
		rest += e.wire
	}
	frame := unhex(t, envelopeHex+mti)
	frame = binary.BigEndian.AppendUint64(frame, bitmap)
	return append(frame, unhex(t, rest)...)
}

// sample is one message of cup.json.
type sample struct {
	ID     string  `json:"id"`
	Source string  `json:"source"`
	Hex    string  `json:"hex"`
	Length int     `json:"length_prefix"`
	TPDU   string  `json:"tpdu"`
	Header string  `json:"header"`
	MTI    string  `json:"mti"`
	Bitmap string  `json:"bitmap"`
	Fields []int   `json:"fields"`
	DE64   *string `json:"de64_ascii"`
}

type cup struct {
	Messages []sample `json:"messages"`
	Vectors  []struct {
		ID     string            `json:"id"`
		Value  string            `json:"value_ascii"`
		Fields map[string]string `json:"-"`
		Raw    json.RawMessage   `json:"fields"`
		Mab    string            `json:"mab"`
		SM4    string            `json:"sm4"`
		TDES   string            `json:"tdes"`
		Clear  string            `json:"clear"`
	} `json:"vectors"`
}

func vectors(t testing.TB) cup {
	t.Helper()
	text, err := os.ReadFile("../testdata/vectors/cup.json")
	if err != nil {
		t.Fatal(err)
	}
	var c cup
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	for _, m := range c.Messages {
		if m.Source == "" {
			t.Fatalf("%s has no source", m.ID)
		}
	}
	if len(c.Messages) != 6 {
		t.Fatalf("%d sample messages, 6 were expected", len(c.Messages))
	}
	return c
}

// message is one sample's bytes after LEN.
func message(t testing.TB, id string) []byte {
	t.Helper()
	for _, m := range vectors(t).Messages {
		if m.ID == id {
			return unhex(t, m.Hex)[iso8583.LengthSize:]
		}
	}
	t.Fatalf("no sample %s", id)
	return nil
}

func parse(t testing.TB, frame []byte) iso8583.Message {
	t.Helper()
	var m iso8583.Message
	if err := iso8583.UnionPay.Parse(&m, frame); err != nil {
		t.Fatal(err)
	}
	return m
}
