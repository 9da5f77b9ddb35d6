package redress_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"touchstone/pos"
	"touchstone/redress"
)

func someExposed(t *rapid.T) redress.Exposed {
	e := redress.Exposed{Seq: rapid.Uint64Range(1, 999_999_999_999).Draw(t, "entry"), At: pos.Instant(rapid.Int64Range(0, 4_000_000_000_000).Draw(t, "at")) * 1_000_000,
		Terminal: till, Merchant: shop, Amount: pos.Amount(rapid.Int64Range(0, int64(pos.MaxAmount)).Draw(t, "amount"))}
	binary.BigEndian.PutUint16(e.Card[:], rapid.Uint16Range(0, 50).Draw(t, "card"))
	if rapid.Bool().Draw(t, "another shop") {
		e.Merchant[14]++
	}
	if rapid.Bool().Draw(t, "shown") {
		copy(e.Shown[:], "6225883157")
	}
	copy(e.App[:], rapid.SampledFrom([]string{"", "1.0.2", "12345678"}).Draw(t, "version"))
	return e
}

// TestExposedList: a kept list reads back as it was, and its sums are those of a count by maps.
func TestExposedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfDistinct(rapid.Custom(someExposed), func(e redress.Exposed) uint64 { return e.Seq }).Draw(t, "list")
		content, err := redress.AppendExposed(list)
		if err != nil {
			t.Fatal(err)
		}
		back, err := redress.ParseExposed(content)
		if err != nil || !slices.Equal(back, list) {
			t.Fatalf("%v: %d of %d sales are as they were", err, len(back), len(list))
		}
		most := rapid.IntRange(0, 5).Draw(t, "most")
		tally := redress.NewTally(most)
		cards, shops, amount := map[pos.PANHash]bool{}, map[pos.MerchantID]bool{}, pos.Amount(0)
		for i := range list {
			tally.Add(&list[i])
			cards[list[i].Card], shops[list[i].Merchant], amount = true, true, amount+list[i].Amount
		}
		sum, first := tally.Sum()
		if want := (redress.Sum{Sales: len(list), Cards: len(cards), Shops: len(shops), Amount: amount}); sum != want || redress.SumOf(list) != want {
			t.Fatalf("%+v, want %+v", sum, want)
		}
		redress.Sort(list)
		if !slices.Equal(first, list[:min(most, len(list))]) {
			t.Fatalf("the first %d are others", most)
		}
	})
}

// TestManyCards: the set of cards grows, and counts each once.
func TestManyCards(t *testing.T) {
	tally := redress.NewTally(0)
	for range 2 {
		for i := range uint64(5000) {
			var e redress.Exposed
			binary.LittleEndian.PutUint64(e.Card[:], i%7) // all in few places
			binary.BigEndian.PutUint64(e.Card[8:], i)
			tally.Add(&e)
		}
	}
	if s, _ := tally.Sum(); s.Cards != 5000 || s.Sales != 10000 {
		t.Errorf("%+v", s)
	}
}

// FuzzParseExposed: what is accepted reads back the same when it is written again.
func FuzzParseExposed(f *testing.F) {
	list := []redress.Exposed{{Seq: 7, At: 1_790_000_000_000_000_000, Terminal: till, Merchant: shop, Amount: 8800}, {Seq: 8, Terminal: till, Merchant: shop, Amount: 1}}
	copy(list[0].Shown[:], "6225883157")
	copy(list[0].App[:], "1.0.2")
	good := must(redress.AppendExposed(list))
	f.Add(good)
	f.Add(bytes.Replace(good, []byte("88.00"), []byte("088.00"), 1))
	f.Add(bytes.Replace(good, []byte("rrn"), []byte("RRN"), 1))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, content []byte) {
		list, err := redress.ParseExposed(content)
		if err != nil {
			if !errors.Is(err, redress.ErrExposed) || list != nil {
				t.Fatalf("%v with %d sales", err, len(list))
			}
			return
		}
		back, err := redress.AppendExposed(list)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := redress.ParseExposed(back); err != nil || !slices.Equal(again, list) {
			t.Fatalf("another list after writing it: %v", err)
		}
	})
}
