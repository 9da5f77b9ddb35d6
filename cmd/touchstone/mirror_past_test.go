package main

import (
	"encoding/json"
	"slices"
	"testing"

	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/pos"
)

// TestBoundless: of a card's opening nothing but the balance changes, whatever stands beside it.
func TestBoundless(t *testing.T) {
	for name, o := range map[string]issuer.Opening{
		"plain":          {Expiry: 4912, ServiceCode: "101", State: issuer.Active, Balance: 1_234_56},
		"none":           {ServiceCode: "201"},
		"below nothing":  {Balance: -5, SaleLimit: 7},
		"its name in it": {ServiceCode: `"balance":9`, Balance: 3, NoPINLimit: 4, ChipUnproven: true},
	} {
		body, err := json.Marshal(&o)
		if err != nil {
			t.Fatal(err)
		}
		var got issuer.Opening
		if err := json.Unmarshal(boundless(body), &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if o.Balance = plenty; got != o {
			t.Errorf("%s: %+v, want %+v", name, got, o)
		}
	}
	for _, other := range []string{``, `{}`, `no opening`} {
		if got := boundless([]byte(other)); string(got) != other {
			t.Errorf("%q became %q", other, got)
		}
	}
}

// TestRecentEntries: each of the newest entries is found by its number with the bytes it had, over the end of chunks and
// over numbers that are nobody's, and what is older than the bound is forgotten.
func TestRecentEntries(t *testing.T) {
	var r recentEntries
	const gap, made = 1_000, keptEntries + 20_000
	body := func(seq uint64) []byte { return slices.Repeat([]byte{byte(seq), byte(seq >> 8)}, 1+int(seq%90)) }
	number := func(n uint64) uint64 { // entries 501 to 1,500 are not there
		if n > 500 {
			return n + gap
		}
		return n
	}
	for n := uint64(1); n <= made; n++ {
		seq := number(n)
		r.keep(journal.Entry{Seq: seq, Kind: journal.KindExchange, At: pos.Instant(seq), Body: body(seq)})
		if n == 600 {
			for _, seq := range []uint64{0, 501, 1_500, 1_601} {
				if _, err := r.entry(seq); err == nil {
					t.Errorf("entry %d is nobody's and was found", seq)
				}
			}
			if e, err := r.entry(500); err != nil || !slices.Equal(e.Body, body(500)) {
				t.Errorf("entry 500: %v", err)
			}
		}
	}
	for n := uint64(made - keptEntries + 1); n <= made; n++ {
		seq := number(n)
		if e, err := r.entry(seq); err != nil || e.Seq != seq || e.At != pos.Instant(seq) || !slices.Equal(e.Body, body(seq)) {
			t.Fatalf("entry %d: %v", seq, err)
		}
	}
	if _, err := r.entry(1); err == nil {
		t.Error("the first is still there")
	}
	if r.n > keptEntries+chunkBytes/10 || len(r.chunks) > 2*keptEntries*200/chunkBytes {
		t.Errorf("%d entries in %d chunks", r.n, len(r.chunks))
	}
}
