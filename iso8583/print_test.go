package iso8583_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"touchstone/iso8583"
	"touchstone/secret"
)

// printed has each type of the package that touches cardholder data, where fmt reaches it with and
// without its methods.
type printed struct {
	M       iso8583.Message
	hidden  iso8583.Message
	pointer *iso8583.Message
	B       iso8583.Builder
	builder iso8583.Builder
	track   iso8583.Track2
	de59    iso8583.DE59
	a2      iso8583.A2
}

func TestNeverPrinted(t *testing.T) {
	// The card number and the serial are those of the vectors de59-a2-1 and track2-37, made for tests.
	const card, factor, serial = "6225885916163157", "163157", "00000304N9NL10000001"
	var de59 string
	for _, v := range vectors(t).Vectors {
		if v.ID == "de59-a2-1" {
			de59 = v.Value
		}
	}
	b := begun(t, 0x0200)
	b.PutDigits(2, []byte(card))
	b.PutDigits(35, []byte(card+"D30122019559206020000"))
	b.PutRaw(52, []byte("PINBLOCK"))
	b.PutText(59, []byte(de59))
	frame, err := b.Frame()
	if err != nil {
		t.Fatal(err)
	}
	h := printed{M: parse(t, frame[2:]), B: b, builder: b}
	h.hidden, h.pointer = h.M, &h.M
	if h.track, err = iso8583.ParseTrack2([]byte(card + "D30122019559206020000")); err != nil {
		t.Fatal(err)
	}
	if h.de59, err = iso8583.ParseDE59(h.M.Raw(59)); err != nil {
		t.Fatal(err)
	}
	if h.a2, err = iso8583.ParseA2(h.de59.Value(h.M.Raw(59), iso8583.TagSerial)); err != nil {
		t.Fatal(err)
	}
	var forms []string
	for _, plain := range []string{card, card[:8], factor, serial, "PINBLOCK", "22019559206020000"} {
		packed := []byte(plain)
		if raw := strings.ReplaceAll(plain, "D", ""); len(raw)%2 == 0 && strings.Trim(raw, "0123456789") == "" {
			packed = unhex(t, raw)
		}
		for _, b := range [][]byte{[]byte(plain), packed} {
			list := fmt.Sprint(b)
			forms = append(forms, string(b), fmt.Sprintf("%x", b), fmt.Sprintf("%X", b), list[1:len(list)-1],
				strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b), "[]byte{"), "}"))
		}
	}
	check := func(how, out string) {
		for _, form := range forms {
			if strings.Contains(out, form) {
				t.Fatalf("%s printed what is secret", how)
			}
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c", "%U", "%T", "%p"} {
		for _, arg := range []any{h, &h, h.M, &h.M, h.B, &h.B, h.track, h.de59, h.a2, []iso8583.Message{h.M},
			map[string]iso8583.Message{"m": h.M}, fmt.Errorf("bad message: %v", h)} {
			check(fmt.Sprintf("%s of %T", verb, arg), fmt.Sprintf(verb, arg))
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("read", "message", h.M, "holder", h, "builder", h.B)
	slog.New(slog.NewTextHandler(&log, nil)).Info("read", "message", h.M, "holder", h, "builder", h.B)
	check("slog", log.String())
	for _, v := range []any{h, h.M, h.B, &h.M} {
		if _, err := json.Marshal(v); !errors.Is(err, secret.ErrPrinted) {
			t.Errorf("json of %T: %v", v, err)
		}
		if err := gob.NewEncoder(&bytes.Buffer{}).Encode(v); err == nil {
			t.Errorf("gob encoded %T", v)
		}
	}
	for _, v := range []any{h.M, h.B} {
		if _, err := xml.Marshal(v); err == nil {
			t.Errorf("xml encoded %T", v)
		}
	}
	for _, verb := range []string{"%v", "%s", "%x", "%#v"} {
		if got := fmt.Sprintf(verb, h.M); got != "0200 [2 35 52 59]" {
			t.Errorf("%s: %s", verb, got)
		}
	}
	if h.M.String() != "0200 [2 35 52 59]" {
		t.Error(h.M.String())
	}
}
