package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"touchstone/estate"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/web/api"
)

// pastWorld is an engine with a register that changes, and what a person noted of it by hand.
type pastWorld struct {
	e      *engine
	r      *rand.Rand
	moment []noted
}

// noted is the register as it was after an instant.
type noted struct {
	at        pos.Instant
	merchants map[pos.MerchantID]registry.Merchant
	terminals map[pos.TerminalID]registry.Terminal
	devices   map[pos.Serial]registry.Device
	accounts  int
}

// As of any instant of a random history, the register and the rooms are what a person noted down then; and the index
// is what it shows.
func TestAsOfIsWhatWasNotedThen(t *testing.T) {
	if testing.Short() {
		t.Skip("opens a data directory")
	}
	e := careEngine(t, filepath.Join(inMemory(t), "data"))
	defer closeEngine(t, e)
	w := &pastWorld{e: e, r: rand.New(rand.NewPCG(6, 37))}
	e.estate.start()
	begun, err := e.store.Entry(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	now := noted{merchants: map[pos.MerchantID]registry.Merchant{}, terminals: map[pos.TerminalID]registry.Terminal{}, devices: map[pos.Serial]registry.Device{}}
	for i := range 120 {
		now = w.step(t, now, i)
	}
	for range 150 {
		n := w.moment[w.r.IntN(len(w.moment))]
		w.check(t, n)
	}
	var p *api.Problem
	if _, err := e.registryAt(t.Context(), begun.At-1); !errors.As(err, &p) || p.Code != "as_of_before_journal" {
		t.Errorf("before the journal: %v", err)
	}
	if _, err := e.roomsAt(t.Context(), e.clock()+pos.Instant(time.Hour)); !errors.As(err, &p) || p.Code != "as_of_invalid" {
		t.Errorf("ahead of now: %v", err)
	}
	w.index(t, now)
}

func (w *pastWorld) step(t *testing.T, now noted, i int) noted {
	t.Helper()
	var record any
	next := noted{merchants: cloned(now.merchants), terminals: cloned(now.terminals), devices: cloned(now.devices), accounts: now.accounts}
	shop := testShop(w.r.IntN(3))
	serial := pos.Serial(fmt.Sprintf("00000304S9%010d", w.r.IntN(6)))
	switch kind := w.r.IntN(4); {
	case kind == 0 || len(now.merchants) == 0:
		m := registry.Merchant{ID: shop, Name: fmt.Sprintf("店 %d", i), Suspended: w.r.IntN(4) == 0, AnyNetwork: true}
		next.merchants[m.ID], record = m, &m
	case kind == 1 || len(now.devices) == 0:
		d := registry.Device{Serial: serial, DeviceType: "04", Model: fmt.Sprintf("M%d", w.r.IntN(3)), AppVersions: []string{fmt.Sprintf("1.0.%d", i)}, State: registry.Active}
		next.devices[d.Serial], record = d, &d
	case kind == 2:
		d := &journal.Draft{Kind: journal.KindStaff}
		c, err := journal.NewChange("account", fmt.Sprintf("person%d", i), map[string]any{"name": fmt.Sprintf("person%d", i), "full_name": "P", "roles": []string{"support"}})
		if err != nil {
			t.Fatal(err)
		}
		d.Act = journal.Act{Verb: "account_made", Actors: []string{"setup"}, Changes: []journal.Change{c}}
		next.accounts++
		record = d
	default:
		var id pos.TerminalID
		copy(id[:], fmt.Sprintf("7000%04d", w.r.IntN(5)))
		x := registry.Terminal{ID: id, Merchant: anyKey(now.merchants), Serial: anyKey(now.devices), Suspended: w.r.IntN(4) == 0, Permit: registry.FullPermit,
			Profile: registry.Profile{SignInCode: 1}}
		next.terminals[x.ID], record = x, &x
	}
	if err := w.e.ledger.Register(t.Context(), w.e.clock(), record); err != nil {
		t.Fatal(err)
	}
	next.at = w.e.clock()
	w.moment = append(w.moment, next)
	return next
}

func cloned[K comparable, V any](m map[K]V) map[K]V {
	c := make(map[K]V, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}

func anyKey[K comparable, V any](m map[K]V) (k K) {
	for k = range m {
		return k
	}
	return k
}

func testShop(n int) (id pos.MerchantID) { copy(id[:], fmt.Sprintf("89832055999%04d", n)); return id }

func (w *pastWorld) check(t *testing.T, n noted) {
	t.Helper()
	past, err := w.e.registryAt(t.Context(), n.at)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		m, err := past.Merchant(t.Context(), testShop(i))
		want, known := n.merchants[testShop(i)]
		if known != (err == nil) || known && (m.Name != want.Name || m.Suspended != want.Suspended) {
			t.Fatalf("merchant %d: %+v %v, noted was %+v %v", i, m, err, want, known)
		}
	}
	for i := range 5 {
		var id pos.TerminalID
		copy(id[:], fmt.Sprintf("7000%04d", i))
		x, err := past.Terminal(t.Context(), id)
		want, known := n.terminals[id]
		if known != (err == nil) || known && (x.Merchant != want.Merchant || x.Serial != want.Serial || x.Suspended != want.Suspended) {
			t.Fatalf("terminal %d: %+v %v, noted was %+v %v", i, x, err, want, known)
		}
	}
	for i := range 6 {
		serial := pos.Serial(fmt.Sprintf("00000304S9%010d", i))
		x, err := past.Device(t.Context(), serial)
		want, known := n.devices[serial]
		if known != (err == nil) || known && (x.Model != want.Model || !slices.Equal(x.AppVersions, want.AppVersions)) {
			t.Fatalf("device %d: %+v %v, noted was %+v %v", i, x, err, want, known)
		}
	}
	r, err := w.e.roomsAt(t.Context(), n.at)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(r.staff.Accounts()); got != n.accounts {
		t.Fatalf("%d accounts, noted were %d", got, n.accounts)
	}
}

// index: what is found is what the register has.
func (w *pastWorld) index(t *testing.T, now noted) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		w.e.estate.Settle(t.Context())
		wrong := ""
		for id, x := range now.terminals {
			state := "active"
			switch {
			case x.Suspended:
				state = "suspended"
			case now.merchants[x.Merchant].Suspended:
				state = "merchant_suspended"
			}
			q := estate.Query{Text: string(x.Serial), Merchant: x.Merchant, Limit: 100}
			q.Want[estate.State], q.Want[estate.Model] = []string{state}, []string{now.devices[x.Serial].Model}
			if found := w.e.estate.index.Search(q).IDs; !slices.Contains(found, id) {
				wrong = fmt.Sprintf("terminal %s is not found as %+v: %v", id, q, found)
			}
		}
		if n, _, _ := w.e.estate.index.Counts(); n != len(now.terminals) {
			wrong = fmt.Sprintf("%d terminals, registered are %d", n, len(now.terminals))
		}
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(wrong)
		}
		time.Sleep(10 * time.Millisecond) // the watch reads what is durable at its own pace
	}
}
