package iso8583_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"touchstone/iso8583"
	"touchstone/pos"
)

func TestDE60Lengths(t *testing.T) {
	whole := map[int]bool{8: true, 11: true, 12: true, 13: true, 14: true, 17: true}
	const all = "22006603004621065" + "9"
	for n := range len(all) + 1 {
		x, err := iso8583.ParseDE60([]byte(all[:n]))
		if !whole[n] {
			wantFault(t, fmt.Sprintf("%d digits", n), err, 60, iso8583.KindLayout)
			x.Digits = n
			if _, err := iso8583.AppendDE60(nil, x); err == nil {
				t.Errorf("%d digits were written", n)
			}
			continue
		}
		if err != nil || x.Code != pos.Sale || x.Batch != 6603 || x.Digits != n {
			t.Errorf("%d digits: %+v, %v", n, x, err)
		}
		if back, err := iso8583.AppendDE60(nil, x); err != nil || string(back) != all[:n] {
			t.Errorf("%d digits: packs back to %s, %v", n, back, err)
		}
	}
	x, err := iso8583.ParseDE60([]byte(all[:17]))
	if want := (iso8583.DE60{Code: 22, Batch: 6603, Network: 4, Reading: 6, Condition: 2, Partial: 1, AccountType: 65, Digits: 17}); err != nil || x != want {
		t.Errorf("%+v, %v", x, err)
	}
	for i := range 17 {
		bad := []byte(all[:17])
		bad[i] = 'D'
		_, err := iso8583.ParseDE60(bad)
		wantFault(t, "letter", err, 60, iso8583.KindDigit)
	}
	for _, x := range []iso8583.DE60{
		{Code: 100, Digits: 17}, {Batch: 1000000, Digits: 17}, {Network: 1000, Digits: 17}, {Reading: 10, Digits: 17},
		{Condition: 10, Digits: 17}, {Partial: 10, Digits: 17}, {AccountType: 1000, Digits: 17},
		{Network: 1, Digits: 8}, {Reading: 1, Digits: 11}, {AccountType: 1, Digits: 14},
	} {
		if back, err := iso8583.AppendDE60(nil, x); err == nil || back != nil {
			t.Errorf("%+v was written", x)
		}
	}
	x, err = parse(t, message(t, "signin-resp")).DE60()
	if err != nil || x != (iso8583.DE60{Batch: 6603, Network: 3, Digits: iso8583.ManagementDigits}) {
		t.Errorf("sign-in answer: %+v, %v", x, err)
	}
}

func TestDE61Lengths(t *testing.T) {
	whole := map[int]bool{12: true, 16: true, 18: true, 29: true}
	const all = "006603" + "000161" + "0102" + "03" + "00012345678" + "9"
	for n := range len(all) + 1 {
		x, err := iso8583.ParseDE61([]byte(all[:n]))
		if !whole[n] {
			wantFault(t, fmt.Sprintf("%d digits", n), err, 61, iso8583.KindLayout)
			x.Digits = n
			if _, err := iso8583.AppendDE61(nil, x); err == nil {
				t.Errorf("%d digits were written", n)
			}
			continue
		}
		if err != nil || x.Batch != 6603 || x.Trace != 161 || x.Digits != n {
			t.Errorf("%d digits: %+v, %v", n, x, err)
		}
		if back, err := iso8583.AppendDE61(nil, x); err != nil || string(back) != all[:n] {
			t.Errorf("%d digits: packs back to %s, %v", n, back, err)
		}
		m := parse(t, handmade(t, "0200", put{61, fmt.Sprintf("%04d", n) + all[:n] + strings.Repeat("0", n%2)}))
		if y, err := m.DE61(); err != nil || y != x {
			t.Errorf("from a message: %+v, %v", y, err)
		}
	}
	x, err := iso8583.ParseDE61([]byte(all[:29]))
	if want := (iso8583.DE61{Batch: 6603, Trace: 161, Date: 102, AuthMode: 3, Institution: 12345678, Digits: 29}); err != nil || x != want {
		t.Errorf("%+v, %v", x, err)
	}
	_, err = iso8583.ParseDE61([]byte("00660300016D"))
	wantFault(t, "letter", err, 61, iso8583.KindDigit)
	if _, err := iso8583.AppendDE61(nil, iso8583.DE61{Date: 102, Digits: 12}); err == nil {
		t.Error("a date past the digits was dropped")
	}
}

func TestSettlement(t *testing.T) {
	const text = "000000012345002000000000100001" + "1" + "999999999999999000000000000000" + "3"
	s, err := iso8583.ParseSettlement([]byte(text))
	want := iso8583.Settlement{
		Domestic: iso8583.Totals{Debit: 12345, DebitCount: 2, Credit: 100, CreditCount: 1, Result: iso8583.Balanced},
		Foreign:  iso8583.Totals{Debit: pos.MaxAmount, DebitCount: 999, Result: iso8583.SettlementError},
	}
	if err != nil || s != want {
		t.Fatalf("%+v, %v", s, err)
	}
	if back, err := iso8583.AppendSettlement(nil, s); err != nil || string(back) != text {
		t.Errorf("%s, %v", back, err)
	}
	m := parse(t, handmade(t, "0500", put{48, "0062" + text}))
	if got, err := m.Settlement(); err != nil || got != want {
		t.Errorf("from a message: %+v, %v", got, err)
	}
	for _, n := range []int{0, 61, 63} {
		_, err := iso8583.ParseSettlement([]byte((text + "0")[:n]))
		wantFault(t, fmt.Sprint(n), err, 48, iso8583.KindLayout)
	}
	long := parse(t, handmade(t, "0320", put{48, "0064" + text + "00"}))
	_, err = long.Settlement()
	wantFault(t, "64 digits", err, 48, iso8583.KindLayout)
	_, err = iso8583.ParseSettlement([]byte(text[:61] + "4"))
	wantFault(t, "result 4", err, 48, iso8583.KindValue)
	_, err = iso8583.ParseSettlement([]byte(text[:61] + "D"))
	wantFault(t, "letter", err, 48, iso8583.KindDigit)
	for _, bad := range []iso8583.Totals{{Debit: -1}, {Credit: pos.MaxAmount + 1}, {DebitCount: 1000}, {CreditCount: 1000}, {Result: 4}} {
		if back, err := iso8583.AppendSettlement(nil, iso8583.Settlement{Foreign: bad}); err == nil || back != nil {
			t.Errorf("%+v was written", bad)
		}
	}
}

func TestEntryModeAndPINLength(t *testing.T) {
	for v, want := range map[uint64]iso8583.EntryMode{21: {Mode: 2, PIN: 1}, 12: {Mode: 1, PIN: 2}, 71: {Mode: 7, PIN: 1}, 902: {Mode: 90, PIN: 2}, 30: {Mode: 3}} {
		got, err := iso8583.ParseDE22(v)
		if err != nil || got != want || got.PINEntered() != (want.PIN == 1) {
			t.Errorf("%03d: %+v, %v", v, got, err)
		}
	}
	for _, v := range []uint64{3, 29, 999, 1000, 1021} {
		_, err := iso8583.ParseDE22(v)
		wantFault(t, fmt.Sprint(v), err, 22, iso8583.KindValue)
	}
	for v := range uint64(20) {
		n, err := iso8583.ParseDE26(v)
		if (err == nil) != (v >= 4 && v <= 12) || err == nil && n != int(v) {
			t.Errorf("DE26 %d: %d, %v", v, n, err)
		}
	}
	m := parse(t, message(t, "mocredit-sale"))
	if e, err := m.DE22(); err != nil || e != (iso8583.EntryMode{Mode: 2, PIN: 1}) {
		t.Errorf("%+v, %v", e, err)
	}
	if n, err := m.DE26(); err != nil || n != 6 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestDE53(t *testing.T) {
	for text, want := range map[string]iso8583.Security{
		"2600000000000000": {Format: iso8583.PINWithPAN, Algorithm: iso8583.TripleDES},
		"2610000000000000": {Format: iso8583.PINWithPAN, Algorithm: iso8583.TripleDES, TracksEncrypted: true},
		"0600000000000000": {Format: iso8583.NoPIN, Algorithm: iso8583.TripleDES},
		"2300000000000000": {Format: iso8583.PINWithPAN, Algorithm: iso8583.SM4},
		"1000000000000000": {Format: iso8583.PINWithoutPAN, Algorithm: iso8583.SingleDES},
	} {
		got, err := iso8583.ParseDE53([]byte(text))
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if back, err := iso8583.AppendDE53(nil, want); err != nil || string(back) != text {
			t.Errorf("%s: written %s, %v", text, back, err)
		}
	}
	for text, k := range map[string]iso8583.Kind{
		"3600000000000000": iso8583.KindValue, "2100000000000000": iso8583.KindValue, "2400000000000000": iso8583.KindValue,
		"2620000000000000": iso8583.KindValue, "2600000000000001": iso8583.KindValue, "2601000000000000": iso8583.KindValue,
		"260000000000000": iso8583.KindLayout, "26000000000000000": iso8583.KindLayout, "260000000000000D": iso8583.KindDigit,
	} {
		_, err := iso8583.ParseDE53([]byte(text))
		wantFault(t, text, err, 53, k)
	}
	for _, s := range []iso8583.Security{{Format: 3}, {Algorithm: 1}, {Algorithm: 7}} {
		if back, err := iso8583.AppendDE53(nil, s); err == nil || back != nil {
			t.Errorf("%+v was written", s)
		}
	}
	if s, err := parse(t, message(t, "mocredit-sale")).DE53(); err != nil || s.Algorithm != iso8583.TripleDES {
		t.Errorf("%+v, %v", s, err)
	}
	_, err := parse(t, message(t, "signin-req")).DE53()
	wantFault(t, "absent", err, 53, iso8583.KindAbsent)
}

func TestDE54(t *testing.T) {
	const text = "1002156C000000012345"
	want := iso8583.Balance{AccountType: [2]byte{'1', '0'}, AmountType: [2]byte{'0', '2'}, Currency: pos.CNY, Amount: 12345}
	got, err := iso8583.ParseDE54([]byte(text))
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{text, "1002156D000000000000", "1002156D999999999999"} {
		got, err := iso8583.ParseDE54([]byte(text))
		if err != nil || got.Debit != (text[7] == 'D') {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if back, err := iso8583.AppendDE54(nil, got); err != nil || string(back) != text {
			t.Errorf("%s: written %s, %v", text, back, err)
		}
	}
	for text, k := range map[string]iso8583.Kind{
		"1002156C00000001234": iso8583.KindLayout, "1002156C0000000123456": iso8583.KindLayout, "1002156X000000012345": iso8583.KindValue,
		"1002CNYC000000012345": iso8583.KindDigit, "1002156C00000001234 ": iso8583.KindDigit,
	} {
		_, err := iso8583.ParseDE54([]byte(text))
		wantFault(t, text, err, 54, k)
	}
	for _, b := range []iso8583.Balance{{}, {AccountType: want.AccountType, AmountType: want.AmountType, Currency: pos.CNY, Amount: -1},
		{AccountType: want.AccountType, AmountType: want.AmountType, Currency: pos.CNY, Amount: pos.MaxAmount + 1}} {
		if back, err := iso8583.AppendDE54(nil, b); err == nil || back != nil {
			t.Errorf("%+v was written", b)
		}
	}
	m := parse(t, handmade(t, "0210", put{54, fmt.Sprintf("0020%x", text)}))
	if got, err := m.DE54(); err != nil || got != want {
		t.Errorf("from a message: %+v, %v", got, err)
	}
}

func TestSequence(t *testing.T) {
	m := parse(t, message(t, "signin-req"))
	s, err := iso8583.ParseSequence(m.Raw(62))
	if err != nil || string(s.Licence[:]) != "3060" || string(s.Serial[:]) != "22003600" {
		t.Errorf("%q %q, %v", s.Licence, s.Serial, err)
	}
	good := bytes.Clone(m.Raw(62))
	if back, err := iso8583.AppendSequence(nil, s); err != nil || !bytes.Equal(back, good) {
		t.Errorf("written %s, %v", back, err)
	}
	for _, n := range []int{0, 24, 26} {
		_, err := iso8583.ParseSequence(append(bytes.Clone(good), '0')[:n])
		wantFault(t, fmt.Sprint(n), err, 62, iso8583.KindLayout)
	}
	for i := range good {
		bad, want := bytes.Clone(good), iso8583.KindValue
		bad[i] = 0x7F
		if i >= 13 {
			want = iso8583.KindCharacter
		}
		_, err := iso8583.ParseSequence(bad)
		wantFault(t, fmt.Sprint(i), err, 62, want)
	}
	if back, err := iso8583.AppendSequence(nil, iso8583.Sequence{}); err == nil || back != nil {
		t.Error("a sequence of zero bytes was written")
	}
}

func TestDE63(t *testing.T) {
	m := parse(t, message(t, "signin-req"))
	x, err := m.DE63()
	if err != nil || string(x.Code[:]) != "001" || len(x.Text) != 0 {
		t.Errorf("%+v, %v", x, err)
	}
	full := append([]byte("CUP"), bytes.Repeat([]byte{0xD6, 0xD0}, 80)...)
	if x, err = iso8583.ParseDE63(full); err != nil || len(x.Text) != 160 {
		t.Errorf("163 bytes: %v", err)
	}
	if back, err := iso8583.AppendDE63(nil, x); err != nil || !bytes.Equal(back, full) {
		t.Errorf("written otherwise: %v", err)
	}
	for text, k := range map[string]iso8583.Kind{
		"": iso8583.KindLayout, "01": iso8583.KindLayout, string(full) + "x": iso8583.KindLayout,
		"0\x8001": iso8583.KindCharacter, "001\n": iso8583.KindCharacter,
	} {
		_, err := iso8583.ParseDE63([]byte(text))
		wantFault(t, fmt.Sprint(len(text)), err, 63, k)
	}
	for _, x := range []iso8583.DE63{{}, {Code: [3]byte{'0', '0', '1'}, Text: full[:161]}, {Code: [3]byte{'0', '0', '1'}, Text: []byte{7}}} {
		if back, err := iso8583.AppendDE63(nil, x); err == nil || back != nil {
			t.Error("a malformed DE63 was written")
		}
	}
}

func TestAbsent(t *testing.T) {
	m := parse(t, handmade(t, "0800"))
	_, e22 := m.DE22()
	_, e26 := m.DE26()
	_, e48 := m.Settlement()
	_, e54 := m.DE54()
	_, e60 := m.DE60()
	_, e61 := m.DE61()
	_, e63 := m.DE63()
	for n, err := range map[int]error{2: m.PAN(pos.NewPAN()), 22: e22, 26: e26, 48: e48, 54: e54, 60: e60, 61: e61, 63: e63} {
		wantFault(t, "absent", err, n, iso8583.KindAbsent)
	}
}

func TestTrack2(t *testing.T) {
	// Card numbers made for tests: 6225885916163157 is that of the vector track2-37.
	const card = "6225885916163157"
	rep := func(n int) string { return strings.Repeat("1", n) }
	for _, c := range []struct {
		name, in string
		kind     iso8583.Kind
		want     iso8583.Track2
	}{
		{"37 digits", card + "D30122019559206020000", 0, iso8583.Track2{PANDigits: 16, Expiry: 3012, Service: 201, Discretionary: 13}},
		{"equals sign", card + "=3012620", 0, iso8583.Track2{PANDigits: 16, Expiry: 3012, Service: 620}},
		{"no expiry stated", card + "=0000101", 0, iso8583.Track2{PANDigits: 16, Service: 101}},
		{"38 digits", card + "D301220195592060200001", iso8583.KindLength, iso8583.Track2{}},
		{"card number of 11", rep(11) + "=3012201", iso8583.KindLayout, iso8583.Track2{}},
		{"card number of 12", rep(12) + "=3012201", 0, iso8583.Track2{PANDigits: 12, Expiry: 3012, Service: 201}},
		{"card number of 19", rep(19) + "=3012201", 0, iso8583.Track2{PANDigits: 19, Expiry: 3012, Service: 201}},
		{"card number of 20", rep(20) + "=3012201", iso8583.KindLayout, iso8583.Track2{}},
		{"service code of 2", card + "=301220", iso8583.KindLayout, iso8583.Track2{}},
		{"no separator", card, iso8583.KindLayout, iso8583.Track2{}},
		{"separator E", card + "E3012201", iso8583.KindDigit, iso8583.Track2{}},
		{"two separators", card + "=3012=201", iso8583.KindDigit, iso8583.Track2{}},
		{"letter behind", card + "=3012201A", iso8583.KindDigit, iso8583.Track2{}},
		{"month 13", card + "=3013201", iso8583.KindValue, iso8583.Track2{}},
		{"month 00", card + "=3000201", iso8583.KindValue, iso8583.Track2{}},
		{"month 01", card + "=3001201", 0, iso8583.Track2{PANDigits: 16, Expiry: 3001, Service: 201}},
		{"empty", "", iso8583.KindLayout, iso8583.Track2{}},
	} {
		got, err := iso8583.ParseTrack2([]byte(c.in))
		if c.kind != 0 {
			wantFault(t, c.name, err, 35, c.kind)
		} else if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got != c.want {
			t.Errorf("%s: %+v", c.name, got)
		}
		if chip := got.Service/100 == 2 || got.Service/100 == 6; got.Chip() != chip {
			t.Errorf("%s: chip %v", c.name, got.Chip())
		}
	}
	track := []byte(card + "=3012201")
	x, err := iso8583.ParseTrack2(track)
	if err != nil {
		t.Fatal(err)
	}
	got, want := pos.NewPAN(), pos.NewPAN()
	if err := errors.Join(x.SetPAN(track, got), want.Set([]byte(card))); err != nil || !got.Equal(want) {
		t.Errorf("card number: %v", err)
	}
	if err := x.SetPAN(track[:10], got); !errors.Is(err, pos.ErrPAN) || got.Len() != 0 {
		t.Error("a card number from another track")
	}
}
