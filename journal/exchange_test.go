package journal_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/reason"
)

// anExchange draws each part, variable ones up to their bounds; sections now and then stay empty.
func anExchange(t *rapid.T) journal.Exchange {
	var x journal.Exchange
	v := reflect.ValueOf(&x).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch name {
		case "Details":
			x.Details = rapid.SliceOfN(rapid.Byte(), 0, journal.MaxDetails).Draw(t, name)
		case "Wrapped":
			x.Wrapped = rapid.SliceOfN(rapid.Byte(), 0, journal.MaxWrapped).Draw(t, name)
		default:
			if rapid.Bool().Draw(t, name+" present") {
				draw(t, v.Field(i), name)
			}
		}
	}
	return x
}

func draw(t *rapid.T, v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(rapid.Byte().Draw(t, name)))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			draw(t, v.Field(i), name)
		}
	case reflect.Int64, reflect.Int32:
		v.SetInt(rapid.Int64().Draw(t, name) >> (64 - v.Type().Bits()))
	default:
		v.SetUint(rapid.Uint64().Draw(t, name) >> (64 - v.Type().Bits()))
	}
}

// entryOf encodes x and reads the entry's head.
func entryOf(t rapid.TB, x *journal.Exchange) journal.Entry {
	t.Helper()
	raw, kind := x.AppendEntry(nil, 7)
	e, err := journal.ParseEntry(7, raw)
	if err != nil || kind != journal.KindExchange || e.Kind != kind || e.Seq != 7 || e.At != x.At {
		t.Fatalf("an entry of ours does not parse: %v", err)
	}
	return e
}

// equal compares without telling an absent part from an empty one.
func equal(a, b journal.Exchange) bool {
	same := bytes.Equal(a.Details, b.Details) && bytes.Equal(a.Wrapped, b.Wrapped)
	a.Details, a.Wrapped, b.Details, b.Wrapped = nil, nil, nil, nil
	return same && reflect.DeepEqual(a, b)
}

func TestExchangeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anExchange(t)
		e := entryOf(t, &want)
		var got journal.Exchange
		if err := got.Parse(e); err != nil || !equal(got, want) {
			t.Fatalf("the exchange differs after a round trip: %v", err)
		}
		for n := range e.Body {
			short := e
			short.Body = e.Body[:n]
			if err := got.Parse(short); !errors.Is(err, journal.ErrEntry) || !equal(got, journal.Exchange{}) {
				t.Fatalf("%d of %d bytes: %v", n, len(e.Body), err)
			}
		}
		long := e
		long.Body = append(bytes.Clone(e.Body), 0)
		if err := got.Parse(long); !errors.Is(err, journal.ErrEntry) {
			t.Fatalf("a byte too many: %v", err)
		}
		e.Kind = journal.KindCard
		if err := got.Parse(e); !errors.Is(err, journal.ErrEntry) {
			t.Fatalf("another kind: %v", err)
		}
	})
}

// TestEntrySize: the fullest sale, sign-in, reversal and settlement stay within 400 bytes.
func TestEntrySize(t *testing.T) {
	const most = 400
	ones := func(n int) []byte { return bytes.Repeat([]byte{1}, n) }
	base := journal.Exchange{At: 1, Source: pos.IPv4(1, 1, 1, 1), Terminal: [8]byte(ones(8)), Merchant: [15]byte(ones(15)), MTI: 0x0200,
		Details: ones(journal.DetailRoom), Print: [16]byte(ones(16)), Reason: reason.MACFailed, DE39: pos.Approved}
	money := base
	money.Card, money.Shown, money.Latitude, money.Longitude = pos.PANHash(ones(16)), pos.TruncatedPAN(ones(10)), 1, 1
	money.Amount, money.Currency, money.Delta, money.AuthCode, money.Available = 1, pos.CNY, 1, pos.AuthCode(ones(6)), 1
	money.OriginalBatch, money.OriginalSTAN, money.ReversalReason, money.Original = 1, 1, pos.Code("98"), 1
	money.App, money.Certificate = [8]byte(ones(8)), [8]byte(ones(8))
	signIn := base
	signIn.Wrapped, signIn.KeyCode, signIn.Operator = ones(keys.SetSize), 3, pos.Operator(ones(3))
	signIn.Certificate = [8]byte(ones(8))
	settlement := base
	settlement.NextBatch, settlement.Claimed, settlement.SettleCode = 1, journal.Totals{DebitAmount: 1}, 1
	for name, x := range map[string]journal.Exchange{"sale": money, "sign-in": signIn, "settlement": settlement} {
		raw, _ := x.AppendEntry(nil, 1)
		if len(raw) > most {
			t.Errorf("a full %s has %d bytes, the most is %d", name, len(raw), most)
		}
	}
}

// TestTooMuch: parts beyond their bounds are a broken invariant of ours.
func TestTooMuch(t *testing.T) {
	for name, x := range map[string]journal.Exchange{
		"details": {Details: make([]byte, journal.MaxDetails+1)}, "keys": {Wrapped: make([]byte, journal.MaxWrapped+1)},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("was written")
				}
			}()
			x.AppendBody(nil)
		})
	}
}

func TestParseEntry(t *testing.T) {
	head := journal.AppendHead(nil, journal.KindKey, 5)
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"nothing":        {nil, journal.ErrEntry},
		"head short":     {head[:len(head)-1], journal.ErrEntry},
		"head":           {head, nil},
		"longest":        {append(bytes.Clone(head), make([]byte, journal.MaxEntry-len(head))...), nil},
		"one too long":   {append(bytes.Clone(head), make([]byte, journal.MaxEntry-len(head)+1)...), journal.ErrEntry},
		"next version":   {append([]byte{2}, head[1:]...), journal.ErrVersion},
		"version before": {append([]byte{0}, head[1:]...), journal.ErrVersion},
	} {
		e, err := journal.ParseEntry(3, c.raw)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (e.Seq != 3 || e.Kind != journal.KindKey || e.At != 5 || len(e.Body) != len(c.raw)-len(head)) {
			t.Errorf("%s: read as another entry", name)
		}
	}
}

// TestWords: numbers and words are in journals for ever.
func TestWords(t *testing.T) {
	for want, got := range map[string]string{
		"exchange": journal.KindExchange.String(), "opened": journal.KindOpened.String(), "certificate": journal.KindCertificate.String(), "kind-99": journal.Kind(99).String(),
		"none": journal.NoEffect.String(), "sold": journal.Sold.String(), "reversed_without_money": journal.ReversedNone.String(),
		"buried": journal.Buried.String(), "tampered": journal.Tampered.String(), "compensated": journal.Compensated.String(), "unknown": journal.Effect(14).String(),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzParseEntry(f *testing.F) {
	f.Add(journal.AppendHead(nil, journal.KindExchange, 1))
	f.Add(append(journal.AppendHead(nil, journal.KindCard, -1), "{}"...))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := journal.ParseEntry(1, raw)
		if err != nil {
			if e.Body != nil {
				t.Fatal("a value came with the error")
			}
			return
		}
		if back, _ := (journal.Raw{Entry: e}).AppendEntry(nil, 1); !bytes.Equal(back, raw) {
			t.Fatal("what was taken is not what is written")
		}
	})
}

func FuzzExchange(f *testing.F) {
	sale := journal.Exchange{MTI: 0x0200, Type: pos.Sale, Amount: 100, Currency: pos.CNY, Card: pos.PANHash{1}, Details: []byte{1, 2}, Print: [16]byte{3}}
	signIn := journal.Exchange{MTI: 0x0800, Wrapped: make([]byte, keys.SetSize), KeyCode: 3, Effect: journal.KeysIssued}
	settlement := journal.Exchange{MTI: 0x0500, NextBatch: 2, SettleCode: 1, Latitude: -1, Original: 4, Certificate: [8]byte{7: 1}}
	for _, x := range []*journal.Exchange{{}, &sale, &signIn, &settlement} {
		f.Add(x.AppendBody(nil))
	}
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, body []byte) {
		var x journal.Exchange
		if err := x.Parse(journal.Entry{Seq: 1, Kind: journal.KindExchange, Body: body}); err != nil {
			if !errors.Is(err, journal.ErrEntry) || !equal(x, journal.Exchange{}) {
				t.Fatal("an error with a value")
			}
			return
		}
		if !bytes.Equal(x.AppendBody(nil), body) {
			t.Fatal("what was taken is not what is written")
		}
	})
}
