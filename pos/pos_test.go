package pos_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"touchstone/pos"
)

// TestIdentifiers: each at its length -1, 0, +1, and with characters at the edge of printable ASCII.
func TestIdentifiers(t *testing.T) {
	terminal := func(s string) (string, error) {
		id, err := pos.ParseTerminalID(s)
		if again, err2 := pos.ParseTerminalID([]byte(s)); again != id || !errors.Is(err2, err) {
			t.Errorf("terminal %q: bytes and string differ", s)
		}
		return strings.Trim(id.String(), "\x00"), err
	}
	merchant := func(s string) (string, error) {
		id, err := pos.ParseMerchantID(s)
		return strings.Trim(id.String(), "\x00"), err
	}
	serial := func(s string) (string, error) {
		id, err := pos.ParseSerial(s)
		return string(id), err
	}
	for _, c := range []struct {
		name  string
		parse func(string) (string, error)
		least int
		most  int
		space bool
	}{{"terminal", terminal, 8, 8, true}, {"merchant", merchant, 15, 15, true}, {"serial", serial, 1, pos.MaxSerial, false}} {
		for n := range c.most + 2 {
			s := strings.Repeat("7", n)
			got, err := c.parse(s)
			if right := n >= c.least && n <= c.most; (err == nil) != right || (right && got != s) || (!right && got != "") {
				t.Errorf("%s of %d characters: %q, %v", c.name, n, got, err)
			}
		}
		for b, right := range map[byte]bool{0: false, ' ' - 1: false, ' ': c.space, '!': true, '~': true, 0x7f: false, 0x80: false, 0xff: false} {
			s := strings.Repeat("7", c.least-1) + string([]byte{b})
			if got, err := c.parse(s); (err == nil) != right || (right && got != s) || (err != nil && !errors.Is(err, pos.ErrIdentity)) {
				t.Errorf("%s ending in byte %#x: %v", c.name, b, err)
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	for want, got := range map[string]string{
		"0200": pos.MTI(0x0200).String(), "0210": pos.MTI(0x0200).Response().String(), "0830": pos.MTI(0x0820).Response().String(),
		"000001": pos.STAN(1).String(), "999999": pos.MaxSTAN.String(), "000010": pos.BatchNo(10).String(), "200000": pos.ProcessingCode(200000).String(),
		"000000": pos.ProcessingCode(0).String(), "22": pos.Sale.String(), "00": pos.Management.String(), "003": pos.NetworkCode(3).String(),
		"156": pos.CNY.String(), "": pos.Currency{}.String(),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for b, want := range map[pos.BatchNo]pos.BatchNo{0: 1, 1: 2, 999998: 999999, 999999: 1, 1000000: 1} {
		if b.Next() != want {
			t.Errorf("after batch %s comes %s", b, b.Next())
		}
	}
	if pos.Code("00") != pos.Approved || pos.Code("0") != (pos.ResponseCode{}) || pos.Code("000") == pos.Approved || (pos.ResponseCode{}).String() != "" {
		t.Error("response codes")
	}
	if (pos.RRN{}).String() != "" || (pos.AuthCode{}).String() != "" || pos.RRN([]byte("000000000042")).String() != "000000000042" {
		t.Error("references")
	}
	at := pos.Instant(time.Date(2024, 3, 1, 0, 0, 0, 5, time.UTC).UnixNano())
	if at.Add(time.Hour).Sub(at) != time.Hour || at.Time().Format(time.RFC3339Nano) != "2024-03-01T00:00:00.000000005Z" {
		t.Error("instants")
	}
}

func TestAmountAdd(t *testing.T) {
	for _, c := range []struct {
		a, b, want pos.Amount
		ok         bool
	}{
		{1, 2, 3, true}, {math.MaxInt64 - 1, 1, math.MaxInt64, true}, {math.MaxInt64, 1, 0, false}, {1, math.MaxInt64, 0, false},
		{math.MinInt64 + 1, -1, math.MinInt64, true}, {math.MinInt64, -1, 0, false}, {math.MinInt64, math.MaxInt64, -1, true}, {math.MaxInt64, 0, math.MaxInt64, true},
		{math.MinInt64, math.MinInt64, 0, false},
	} {
		got, err := c.a.Add(c.b)
		if got != c.want || (err == nil) != c.ok || (err != nil && !errors.Is(err, pos.ErrAmount)) {
			t.Errorf("%d + %d: %d, %v", c.a, c.b, got, err)
		}
	}
}

func TestAmountText(t *testing.T) {
	for a, want := range map[pos.Amount]string{0: "0.00", 5: "0.05", 1850: "18.50", -1: "-0.01", pos.MaxAmount: "9999999999.99",
		math.MaxInt64: "92233720368547758.07", math.MinInt64: "-92233720368547758.08"} {
		if got := a.String(); got != want {
			t.Errorf("%d: %s", int64(a), got)
		}
		back, err := pos.ParseAmount(want)
		if right := a >= 0 && a <= pos.MaxAmount; (err == nil) != right || (right && back != a) {
			t.Errorf("%s: back %d, %v", want, int64(back), err)
		}
	}
	for _, bad := range []string{"", "0", "1", ".50", "0.5", "18,50", "18.5", "18.500", "-1.00", "+1.00", " 1.00", "1.00 ", "1e2.00", "10000000000.00",
		"99999999999.99", "1.0.00", "١.00", "01.00", "00.00", "0000000001.00"} {
		if got, err := pos.ParseAmount(bad); !errors.Is(err, pos.ErrAmount) || got != 0 {
			t.Errorf("%q: %d, %v", bad, int64(got), err)
		}
	}
}

func TestNetwork(t *testing.T) {
	for name, c := range map[string]struct {
		network, inside, outside string
	}{
		"one address":     {"10.1.2.3", "10.1.2.3", "10.1.2.4"},
		"/32":             {"10.1.2.3/32", "10.1.2.3", "10.1.2.2"},
		"/31":             {"10.1.2.2/31", "10.1.2.3", "10.1.2.4"},
		"/25":             {"10.1.2.0/25", "10.1.2.127", "10.1.2.128"},
		"/24":             {"10.1.2.0/24", "10.1.2.255", "10.1.3.0"},
		"/17":             {"10.1.128.0/17", "10.1.255.1", "10.1.127.255"},
		"/16":             {"10.1.0.0/16", "10.1.9.9", "10.0.255.255"},
		"/1":              {"128.0.0.0/1", "255.0.0.1", "127.255.255.255"},
		"/0":              {"0.0.0.0/0", "203.0.113.7", "2001:db8:0:0:0:0:0:1"},
		"IPv6 /64":        {"2001:db8:0:0:0:0:0:0/64", "2001:db8:0:0:ffff:0:0:1", "2001:db8:0:1:0:0:0:0"},
		"IPv6 /128":       {"2001:db8:0:0:0:0:0:1", "2001:db8:0:0:0:0:0:1", "2001:db8:0:0:0:0:0:2"},
		"IPv6 not IPv4":   {"2001:db8:0:0:0:0:0:0/32", "2001:db8:ffff:0:0:0:0:0", "10.1.2.3"},
		"mapped as group": {"0:0:0:0:0:ffff:0:0/90", "10.1.2.3", "0:0:0:1:0:ffff:a01:203"},
	} {
		n, err := pos.ParseNetwork(c.network)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		in, _ := pos.ParseNetwork(c.inside)
		out, _ := pos.ParseNetwork(c.outside)
		if !n.Contains(in.Base) || n.Contains(out.Base) || n.Contains(pos.Address{}) {
			t.Errorf("%s: inside %t, outside %t", name, n.Contains(in.Base), n.Contains(out.Base))
		}
		if back, err := pos.ParseNetwork(n.String()); err != nil || back != n {
			t.Errorf("%s: written as %q, which reads as %v, %v", name, n, back, err)
		}
	}
	for _, bad := range []string{"", "/", "10.1.2.3/", "10.1.2.3/33", "10.1.2.3/-1", "10.1.2.3/+8", "10.1.2.3/08", "10.1.2.3/8/8", "10.1.2", "10.1.2.3.4",
		"10.1.2.256", "10.1.2.-1", "10.1.2.", "10.1.2.03", "010.1.2.3", "0x0a.1.2.3", "::1", "2001:db8::1", "0:0:0:0:0:0:0:0", "0:0:0:0:0:0:0:0/0",
		"2001:db8:0:0:0:0:0:1/129", "12345:0:0:0:0:0:0:1", "2001:db8:0:0:0:0:0:g", "2001:db8:0:0:0:0:0", "2001:db8:0:0:0:0:10.1.2.3", " 10.1.2.3", "10.1.2.3 "} {
		if n, err := pos.ParseNetwork(bad); !errors.Is(err, pos.ErrNetwork) || n != (pos.Network{}) {
			t.Errorf("%q was read as %v, %v", bad, n, err)
		}
	}
	if (pos.Network{}).Contains(pos.IPv4(1, 2, 3, 4)) || (pos.Network{}).Contains(pos.Address{}) || (pos.Network{}).String() != "" {
		t.Error("the zero network holds an address")
	}
	if (pos.Address{}).String() != "" || pos.IPv4(10, 0, 0, 1).String() != "10.0.0.1" || !pos.IPv4(0, 0, 0, 0).Is4() {
		t.Error("addresses")
	}
}

// words is one of every text form.
type words struct {
	Terminal  pos.TerminalID
	Merchant  pos.MerchantID
	Currency  pos.Currency
	NoMoney   pos.Currency
	Truncated pos.TruncatedPAN
	NoCard    pos.TruncatedPAN
	Hash      pos.PANHash
	NoHash    pos.PANHash
	Network   pos.Network
	Six       pos.Network
}

func TestTextForms(t *testing.T) {
	six, err := pos.ParseNetwork("2001:db8:0:0:0:0:0:0/33")
	if err != nil {
		t.Fatal(err)
	}
	four, err := pos.ParseNetwork("10.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	want := words{Terminal: pos.TerminalID([]byte("0000 001")), Merchant: pos.MerchantID([]byte("898310048160001")), Currency: pos.CNY,
		Truncated: pos.TruncatedPAN([]byte("6225883157")), Hash: pos.PANHash{0xab, 15: 1}, Network: four, Six: six}
	body, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{`"0000 001"`, `"156"`, `"622588******3157"`, `"ab000000000000000000000000000001"`, `"10.0.0.0/8"`, `"2001:db8:0:0:0:0:0:0/33"`} {
		if !strings.Contains(string(body), s) {
			t.Errorf("%s is not in the text", s)
		}
	}
	var got words
	if err := json.Unmarshal(body, &got); err != nil || got != want {
		t.Errorf("the words differ after a round trip: %v", err)
	}
}

// TestTextFormsRefuse: what no Marshal wrote is refused, and leaves zero behind.
func TestTextFormsRefuse(t *testing.T) {
	hash, truncated, currency := pos.PANHash{1}, pos.TruncatedPAN{1}, pos.Currency{1}
	terminal, merchant, network := pos.TerminalID{1}, pos.MerchantID{1}, pos.Network{Bits: 1}
	for name, c := range map[string]struct {
		into interface{ UnmarshalText([]byte) error }
		zero func() bool
		bad  []string
	}{
		"card hash": {&hash, func() bool { return hash == pos.PANHash{} }, []string{"ab", strings.Repeat("a", 31), strings.Repeat("a", 33), strings.Repeat("a", 31) + "g"}},
		"truncated card": {&truncated, func() bool { return truncated == pos.TruncatedPAN{} },
			[]string{"622588*****3157", "622588*******3157", "6225881111113157", "62258a******3157", "622588******315 ", "\x00\x00\x00\x00\x00\x00******\x00\x00\x00\x00"}},
		"currency": {&currency, func() bool { return currency == pos.Currency{} }, []string{"15", "1560", "1"}},
		"terminal": {&terminal, func() bool { return terminal == pos.TerminalID{} }, []string{"", "0000001", "000000001", "0000000\n"}},
		"merchant": {&merchant, func() bool { return merchant == pos.MerchantID{} }, []string{"", "89831004816000", "8983100481600011"}},
		"network":  {&network, func() bool { return network == pos.Network{} }, []string{"", "10.0.0.0/99"}},
	} {
		for _, bad := range c.bad {
			if err := c.into.UnmarshalText([]byte(bad)); err == nil || !c.zero() {
				t.Errorf("%s: %d characters were read, or left something behind", name, len(bad))
			}
		}
	}
}

func FuzzParseNetwork(f *testing.F) {
	for _, s := range []string{"10.1.0.0/16", "10.1.2.3", "2001:db8:0:0:0:0:0:1/64", "0:0:0:0:0:ffff:a01:203/90", "0:0:0:0:0:ffff:a01:203/100", "0.0.0.0/0", "10.1.2.3/033"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := pos.ParseNetwork(s)
		if err != nil {
			if n != (pos.Network{}) {
				t.Fatal("a value came with the error")
			}
			return
		}
		if !n.Contains(n.Base) {
			t.Fatal("a network does not hold its own base")
		}
		back, err := pos.ParseNetwork(n.String())
		if err != nil || back != n || back.String() != n.String() {
			t.Fatalf("%q is written as %q, which reads as %v", s, n, back)
		}
	})
}

func FuzzParseAmount(f *testing.F) {
	for _, s := range []string{"0.00", "18.50", "9999999999.99", "10000000000.00", "-1.00", "01.00", "1.0", "..00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := pos.ParseAmount(s)
		if err != nil {
			if a != 0 {
				t.Fatal("a value came with the error")
			}
			return
		}
		if a < 0 || a > pos.MaxAmount || a.String() != s {
			t.Fatalf("%q is written as %q", s, a)
		}
	})
}
