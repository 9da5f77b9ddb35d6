package iso8583_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"touchstone/iso8583"
)

func TestDE59Vector(t *testing.T) {
	for _, v := range vectors(t).Vectors {
		if v.ID != "de59-a2-1" {
			continue
		}
		var want map[string]string
		if err := json.Unmarshal(v.Raw, &want); err != nil {
			t.Fatal(err)
		}
		x, err := iso8583.ParseDE59([]byte(v.Value))
		if err != nil {
			t.Fatal(err)
		}
		value := x.Value([]byte(v.Value), iso8583.TagSerial)
		a2, err := iso8583.ParseA2(value)
		if err != nil {
			t.Fatal(err)
		}
		var values iso8583.A2Values
		for tag := iso8583.A2DeviceType; tag <= iso8583.A2Version; tag++ {
			values[tag] = a2.Value(value, tag)
			if string(values[tag]) != want[fmt.Sprintf("%02d", tag)] {
				t.Errorf("sub-tag %d differs", tag)
			}
		}
		if back, err := iso8583.AppendA2(nil, values); err != nil || string(back) != v.Value {
			t.Errorf("packs back to other bytes: %v", err)
		}
		for tag := range iso8583.Tag(10) {
			if tag != iso8583.TagSerial && x.Value([]byte(v.Value), tag) != nil {
				t.Errorf("tag %d is there", tag)
			}
		}
		if a2.Value(value, 0) != nil || a2.Value(value, 6) != nil || a2.Value(value[:10], iso8583.A2Version) != nil {
			t.Error("a sub-tag that is not there")
		}
		return
	}
	t.Fatal("no vector de59-a2-1")
}

func TestParseDE59(t *testing.T) {
	pin := "A1016" + "\x00\x01\xFF89ABCDEF\x1Fabcdef"[:16]
	many := func(n int) (s string) {
		for i := range n {
			s += fmt.Sprintf("B%c000", 'A'+i)
		}
		return s
	}
	for _, c := range []struct {
		name, in string
		kind     iso8583.Kind // 0: accepted
	}{
		{"empty", "", iso8583.KindLength},
		{"a raw PIN block", pin, 0},
		{"a PIN block of 15", "A1015123456789012345", iso8583.KindLayout},
		{"a PIN block of 17", "A101712345678901234567", iso8583.KindLayout},
		{"all five", pin + "A2001xA3002yzA4000A5001v", 0},
		{"in any order", "A5001vA2001x", 0},
		{"an unknown tag", "B9003abcA2001x", 0},
		{"a tag twice", "A2001xA2001x", iso8583.KindDuplicate},
		{"an unknown tag twice", "B9001xA2001xB9001y", iso8583.KindDuplicate},
		{"a small letter", "a2001x", iso8583.KindTag},
		{"a space", "A 001x", iso8583.KindTag},
		{"length not digits", "A20A1x", iso8583.KindTag},
		{"one byte short", "A2002x", iso8583.KindCut},
		{"one byte more", "A2001xy", iso8583.KindCut},
		{"four bytes more", "A2001xA300", iso8583.KindCut},
		{"the most tags", many(iso8583.MaxTags), 0},
		{"one tag fewer", many(iso8583.MaxTags - 1), 0},
		{"one tag too many", many(iso8583.MaxTags + 1), iso8583.KindCount},
		{"the longest", "A3994" + strings.Repeat("x", 994), 0},
		{"one over the longest", "A3995" + strings.Repeat("x", 995), iso8583.KindLength},
	} {
		x, err := iso8583.ParseDE59([]byte(c.in))
		if c.kind == 0 {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		wantFault(t, c.name, err, 59, c.kind)
		if x != (iso8583.DE59{}) {
			t.Errorf("%s: a value with an error", c.name)
		}
	}
	in := []byte("A3003abcA4000")
	x, err := iso8583.ParseDE59(in)
	if err != nil || string(x.Value(in, iso8583.TagQRCode)) != "abc" {
		t.Errorf("A3: %v", err)
	}
	if v := x.Value(in, iso8583.TagVoucher); v == nil || len(v) != 0 {
		t.Error("an empty tag is present and empty")
	}
}

func TestParseA2(t *testing.T) {
	for _, c := range []struct {
		name, in string
		kind     iso8583.Kind
	}{
		{"type and serial only", "0100204" + "02001X", 0},
		{"type of 1", "010010", iso8583.KindLayout},
		{"type of 3", "01003004", iso8583.KindLayout},
		{"serial of 0", "02000", iso8583.KindLayout},
		{"serial of 49", "02049" + strings.Repeat("1", 49), 0},
		{"serial of 50", "02050" + strings.Repeat("1", 50), 0},
		{"serial of 51", "02051" + strings.Repeat("1", 51), iso8583.KindLayout},
		{"serial with a control byte", "02002\x01A", iso8583.KindCharacter},
		{"factor of 5", "0300512345", iso8583.KindLayout},
		{"factor of 6", "03006123456", 0},
		{"factor of 7", "030071234567", iso8583.KindLayout},
		{"factor with a letter", "0300612345A", iso8583.KindDigit},
		{"cipher of 7", "040071234567", iso8583.KindLayout},
		{"cipher of any 8 bytes", "04008\x00\xFFabcdef", 0},
		{"cipher of 9", "04009123456789", iso8583.KindLayout},
		{"version of 7", "050071234567", iso8583.KindLayout},
		{"version of 8", "05008311812  ", 0},
		{"version of 9", "05009311812   ", iso8583.KindLayout},
		{"unknown sub-tag", "09001x06001y00001z99001u", 0},
		{"sub-tag with a letter", "A1001x", iso8583.KindTag},
		{"twice", "02001x02001x", iso8583.KindDuplicate},
		{"cut", "02005x", iso8583.KindCut},
		{"empty", "", iso8583.KindLength},
	} {
		_, err := iso8583.ParseA2([]byte(c.in))
		if c.kind == 0 && err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if c.kind != 0 {
			wantFault(t, c.name, err, 59, c.kind)
		}
	}
}

func TestParseA5(t *testing.T) {
	var in string
	for _, c := range []struct{ tag, value string }{
		{"01", "+121.48352"}, {"02", "+31.2304"}, {"03", "460"}, {"04", "00"}, {"05", "GCJ02"}, {"06", "6334"},
		{"07", "12345"}, {"08", "-7"}, {"15", "1382"}, {"16", "1"}, {"17", "1234"}, {"18", ""},
	} {
		in += fmt.Sprintf("%s%03d%s", c.tag, len(c.value), c.value)
	}
	a5, err := iso8583.ParseA5([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if !a5.Located || a5.LongitudeMicro != 121_483_520 || a5.LatitudeMicro != 31_230_400 || string(a5.System) != "GCJ02" ||
		string(a5.MCC) != "460" || string(a5.LAC) != "6334" || string(a5.SID) != "1382" || a5.SIG == nil || len(a5.SIG) != 0 {
		t.Errorf("%+v", a5)
	}
	back, err := iso8583.AppendA5(nil, a5)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("A5%03d%s", len(in), in); string(back) != want {
		t.Errorf("got  %s\nwant %s", back, want)
	}
}

func TestCoordinates(t *testing.T) {
	for _, c := range []struct {
		lon, lat string
		wantLon  int32
		wantLat  int32
		ok       bool
	}{
		{"180", "90", 180_000_000, 90_000_000, true},
		{"-180.0", "-90.00000", -180_000_000, -90_000_000, true},
		{"180.00001", "0", 0, 0, false},
		{"179.99999", "89.999999", 179_999_990, 89_999_999, true},
		{"0", "90.000001", 0, 0, false},
		{"0", "-90.00001", 0, 0, false},
		{"+1.2345678", "0.0000019", 1_234_567, 1, true},
		{"1.", "1", 0, 0, false},
		{".5", "1", 0, 0, false},
		{"+", "1", 0, 0, false},
		{"", "1", 0, 0, false},
		{"1", "", 0, 0, false},
		{"0121", "1", 0, 0, false},
		{"1e2", "1", 0, 0, false},
		{"1.2.3", "1", 0, 0, false},
		{"--1", "1", 0, 0, false},
		{" 1", "1", 0, 0, false},
	} {
		in := fmt.Sprintf("01%03d%s02%03d%s", len(c.lon), c.lon, len(c.lat), c.lat)
		a5, err := iso8583.ParseA5([]byte(in))
		if err != nil || a5.Located != c.ok || a5.LongitudeMicro != c.wantLon || a5.LatitudeMicro != c.wantLat {
			t.Errorf("%q %q: %+v, %v", c.lon, c.lat, a5, err)
		}
	}
	if a5, err := iso8583.ParseA5([]byte("01003121")); err != nil || a5.Located {
		t.Error("located by a longitude alone")
	}
	_, err := iso8583.ParseA5([]byte("01011+121.483521"))
	wantFault(t, "longitude of 11", err, 59, iso8583.KindLayout)
	_, err = iso8583.ParseA5([]byte("030034\x0060"[:8]))
	wantFault(t, "control byte", err, 59, iso8583.KindCharacter)
}

func TestAppendTags(t *testing.T) {
	got, err := iso8583.AppendTag([]byte("x"), "A3", []byte("code"))
	if err != nil || string(got) != "xA3004code" {
		t.Errorf("%q, %v", got, err)
	}
	name, value, rest, err := iso8583.NextTag(got[1:])
	if err != nil || string(name[:]) != "A3" || string(value) != "code" || len(rest) != 0 {
		t.Errorf("%q %q %q %v", name, value, rest, err)
	}
	for _, name := range []string{"", "A", "A33", "a3", "A "} {
		if got, err := iso8583.AppendTag(nil, name, nil); err == nil || got != nil {
			t.Errorf("name %q was taken", name)
		}
	}
	for size, ok := range map[int]bool{998: true, 999: true, 1000: false} {
		if _, err := iso8583.AppendTag(nil, "A3", make([]byte, size)); (err == nil) != ok {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	for name, v := range map[string]iso8583.A2Values{
		"nothing":      {},
		"short factor": {iso8583.A2Factor: []byte("12345")},
		"long serial":  {iso8583.A2Serial: bytes.Repeat([]byte("1"), 51)},
	} {
		if got, err := iso8583.AppendA2(nil, v); err == nil || got != nil {
			t.Errorf("A2 with %s was written", name)
		}
	}
	if got, err := iso8583.AppendA5(nil, iso8583.A5{Latitude: []byte("+31.2304001")}); err == nil || got != nil {
		t.Error("A5 with a long latitude was written")
	}
	if got, err := iso8583.AppendA5(nil, iso8583.A5{}); err == nil || got != nil {
		t.Error("an empty A5 was written")
	}
	if got, err := iso8583.AppendA5(nil, iso8583.A5{LAC: bytes.Repeat([]byte("1"), 995)}); err == nil || got != nil {
		t.Error("an A5 over 999 was written")
	}
}
