package effectiveness_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"touchstone/effectiveness"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/registry"
)

// world writes entries as a host would.
type world struct {
	seq uint64
	all []journal.Entry
}

func (w *world) cold(t testing.TB, kind journal.Kind, record any) {
	t.Helper()
	body, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	w.seq++
	w.all = append(w.all, journal.Entry{Seq: w.seq, Kind: kind, Body: body})
}

func (w *world) add(x *journal.Exchange) uint64 {
	w.seq++
	raw, _ := x.AppendEntry(nil, 0)
	e, err := journal.ParseEntry(w.seq, raw)
	if err != nil {
		panic(err)
	}
	w.all = append(w.all, e)
	return w.seq
}

// TestPaymentsOfClaimsAreNoApprovals: what two people had paid rests on no proof, and is no approval that lacks one.
func TestPaymentsOfClaimsAreNoApprovals(t *testing.T) {
	s := effectiveness.New(effectiveness.DefaultStandard(), effectiveness.WholeBounds())
	w := new(world)
	sale := &journal.Exchange{At: 1, Terminal: terminalID(1), MTI: 0x0220, Type: pos.Refund, DE39: pos.Approved, Effect: journal.Refunded}
	paid := *sale
	paid.Flags = journal.FlagRedress
	w.add(sale)
	w.add(&paid)
	for _, e := range w.all {
		if _, err := s.Fold(e); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Report(effectiveness.Range{From: 0, To: 1}).Approvals; got != 1 {
		t.Errorf("%d approvals, want 1", got)
	}
}

func terminalID(n int) pos.TerminalID {
	id, err := pos.ParseTerminalID(fmt.Sprintf("%08d", n))
	if err != nil {
		panic(err)
	}
	return id
}

func merchantID(n int) pos.MerchantID {
	id, err := pos.ParseMerchantID(fmt.Sprintf("%015d", n))
	if err != nil {
		panic(err)
	}
	return id
}

// register enters shop n with one terminal n.
func (w *world) register(t testing.TB, n int, change func(*registry.Terminal, *registry.Device)) {
	t.Helper()
	d := &registry.Device{Serial: pos.Serial(fmt.Sprintf("S%05d", n)), Model: "Model A", State: registry.Active, DeviceType: "04", Key: testKey(t)}
	r := &registry.Terminal{ID: terminalID(n), Merchant: merchantID(n), Serial: d.Serial, Permit: registry.FullPermit,
		Profile: registry.Profile{SignInCode: keys.SignInTDES, MAC: registry.MACECB3DES}, Master: testKey(t)}
	if change != nil {
		change(r, d)
	}
	w.cold(t, journal.KindMerchant, &registry.Merchant{ID: r.Merchant, Name: fmt.Sprintf("Shop %d", n)})
	w.cold(t, journal.KindDevice, d)
	w.cold(t, journal.KindTerminal, r)
}

// testKey is a wrapped key of the right form, of no key.
func testKey(t testing.TB) keys.Wrapped {
	t.Helper()
	return keys.Wrapped("not a key, only not empty")
}

// sale is an approved sale under an algorithm, fully proven but for what change does.
func sale(n int, at pos.Instant, a mac.Algorithm, change func(*journal.Exchange, *proof.States)) *journal.Exchange {
	var s proof.States
	for _, c := range []proof.Check{proof.Frame, proof.Parse, proof.Identity, proof.Binding, proof.Network, proof.PermitCheck, proof.SignedIn,
		proof.Batch, proof.MAC, proof.MACGrade, proof.Replay, proof.Serial, proof.Track, proof.PIN, proof.CardholderVerification} {
		s.Set(c, proof.Passed)
	}
	x := &journal.Exchange{At: at, Terminal: terminalID(n), Merchant: merchantID(n), MTI: 0x0200, Type: pos.Sale, DE39: pos.Approved,
		Flags: journal.FlagPIN | journal.FlagTrack2 | journal.FlagMACVerified, EntryMode: 21, Effect: journal.Sold, Amount: 100,
		Details: macDetail(a)}
	if change != nil {
		change(x, &s)
	}
	x.Checks = uint64(s)
	return x
}

// macDetail is the evidence "under set 1, algorithm, over 100 bytes": check, nothing presented, key.
func macDetail(a mac.Algorithm) []byte {
	return []byte{byte(proof.MAC), 0, 0, 'k', 7, 0, 0, 0, 1, byte(a), 0, 100}
}

func anyNetwork(details []byte) []byte {
	text := "any address"
	return append(append(details, byte(proof.Network), 0, 0, 't', byte(len(text))), text...)
}

const hourNS = 3600 * 1_000_000_000

func fold(t testing.TB, s *effectiveness.State, entries []journal.Entry) (changes []effectiveness.Change) {
	t.Helper()
	for _, e := range entries {
		c, err := s.Fold(e)
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, c...)
	}
	return changes
}

func TestEveryShortfallIsNamed(t *testing.T) {
	keyless := func(_ *registry.Terminal, d *registry.Device) { d.Key = nil }
	for _, c := range []struct {
		name     string
		register func(*registry.Terminal, *registry.Device)
		change   func(*journal.Exchange, *proof.States)
		mac      mac.Algorithm
		want     string // "" is fully proven
	}{
		{"everything proven", nil, nil, mac.UnionPayECBTDES, ""},
		{"single DES", nil, nil, mac.UnionPayECBDES, "MAC grade weak"},
		{"open chain", nil, nil, mac.CBCMACTDES, "MAC grade weak"},
		{"no algorithm in the evidence", nil, nil, mac.None, "MAC grade weak"},
		{"MAC never examined", nil, func(_ *journal.Exchange, s *proof.States) { s.Set(proof.MAC, proof.NotRun) }, mac.X919, "MAC missing"},
		{"MAC failed and approved all the same", nil, func(_ *journal.Exchange, s *proof.States) { s.Set(proof.MAC, proof.Failed) }, mac.X919, "MAC missing"},
		{"MAC unavailable", nil, func(_ *journal.Exchange, s *proof.States) { s.Set(proof.MAC, proof.Unavailable) }, mac.X919, "MAC missing"},
		{"serial not examined", nil, func(_ *journal.Exchange, s *proof.States) { s.Set(proof.Serial, proof.NotRun) }, mac.X919, "serial missing"},
		{"device without a serial key", keyless, func(_ *journal.Exchange, s *proof.States) { s.Set(proof.Serial, proof.NotRun) }, mac.X919, "serial not required"},
		{"serial stated without a key", keyless, nil, mac.X919, "serial not required"},
		{"no PIN", nil, func(x *journal.Exchange, s *proof.States) {
			x.Flags &^= journal.FlagPIN
			s.Set(proof.PIN, proof.NotRun)
		}, mac.X919, "cardholder waived"},
		{"PIN sent and not examined", nil, func(_ *journal.Exchange, s *proof.States) { s.Set(proof.PIN, proof.NotRun) }, mac.X919, "cardholder missing"},
		{"any network", nil, func(x *journal.Exchange, _ *proof.States) { x.Details = anyNetwork(x.Details) }, mac.X919, "network not required"},
		{"network not examined", nil, func(_ *journal.Exchange, s *proof.States) { s.Set(proof.Network, proof.NotRun) }, mac.X919, "network missing"},
		{"certificate registered, not shown", func(_ *registry.Terminal, d *registry.Device) { d.Certificate = "ab" }, nil, mac.X919, "transport missing"},
		{"outside its circle, only recorded", func(r *registry.Terminal, _ *registry.Device) { r.Place = &registry.Circle{Metres: 1} },
			func(x *journal.Exchange, _ *proof.States) { x.Flags |= journal.FlagOutside | journal.FlagPlace }, mac.X919, "place waived"},
		{"silent about its place", func(r *registry.Terminal, _ *registry.Device) { r.Place = &registry.Circle{Metres: 1} }, nil, mac.X919, "place waived"},
		{"clear track with a track key", func(r *registry.Terminal, _ *registry.Device) { r.Profile.SignInCode = keys.SignInTDESTrack }, nil, mac.X919, "track waived"},
		{"chip data never compared", nil, func(x *journal.Exchange, _ *proof.States) { x.Flags |= journal.FlagChip }, mac.X919, "EMV waived"},
		{"permit not examined", nil, func(_ *journal.Exchange, s *proof.States) { s.Set(proof.PermitCheck, proof.NotRun) }, mac.X919, "permit missing"},
		{"replay not examined", nil, func(_ *journal.Exchange, s *proof.States) { s.Set(proof.Replay, proof.NotRun) }, mac.X919, "replay missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w world
			w.register(t, 1, c.register)
			w.add(sale(1, hourNS, c.mac, c.change))
			s := effectiveness.New(effectiveness.DefaultStandard(), effectiveness.LiveBounds())
			fold(t, s, w.all)
			r := s.Report(effectiveness.Range{})
			got := ""
			for _, short := range r.Shortfalls {
				got += short.Proof + " " + short.Standing
			}
			if got != c.want || r.Approvals != 1 || (r.Full == 1) != (c.want == "") {
				t.Errorf("short of %q in %d approvals, %d full; want %q", got, r.Approvals, r.Full, c.want)
			}
		})
	}
}

func TestOnlyFirstApprovalsOfMoneyMessagesCount(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*journal.Exchange, *proof.States)
		want   uint64
		canary uint64
	}{
		{"a sale", nil, 1, 0},
		{"a refusal", func(x *journal.Exchange, _ *proof.States) { x.DE39, x.Reason = pos.Code("A0"), reason.MACFailed }, 0, 0},
		{"a refusal without a reason", func(x *journal.Exchange, _ *proof.States) { x.DE39 = pos.ResponseCode{} }, 0, 0},
		{"a repeat", func(x *journal.Exchange, _ *proof.States) { x.Flags |= journal.FlagRepeat }, 0, 0},
		{"an echo", func(x *journal.Exchange, _ *proof.States) { x.MTI, x.Network = 0x0820, 301 }, 0, 0},
		{"a settlement", func(x *journal.Exchange, _ *proof.States) { x.MTI = 0x0500 }, 0, 0},
		{"a reversal", func(x *journal.Exchange, _ *proof.States) { x.MTI = 0x0400 }, 1, 0},
		{"a canary's", func(x *journal.Exchange, _ *proof.States) { x.Flags |= journal.FlagCanary }, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w world
			w.register(t, 1, nil)
			w.add(sale(1, hourNS, mac.X919, c.change))
			s := effectiveness.New(effectiveness.DefaultStandard(), effectiveness.LiveBounds())
			fold(t, s, w.all)
			if r := s.Report(effectiveness.Range{}); r.Approvals != c.want || r.Canary != c.canary {
				t.Errorf("%d approvals, %d of canaries", r.Approvals, r.Canary)
			}
		})
	}
}

func TestHoursAreKeptAndForgotten(t *testing.T) {
	var w world
	w.register(t, 1, nil)
	for h := range 60 {
		w.add(sale(1, pos.Instant(hourNS*(1000+h)), mac.X919, nil))
	}
	w.add(sale(1, hourNS*5, mac.X919, nil)) // older than anything kept
	s := effectiveness.New(effectiveness.DefaultStandard(), effectiveness.LiveBounds())
	fold(t, s, w.all)
	if r := s.Report(effectiveness.Range{}); r.Approvals != 48 || len(r.Hours) != 48 || r.From != 1012 || r.To != 1059 {
		t.Errorf("%d approvals in %d hours from %d to %d", r.Approvals, len(r.Hours), r.From, r.To)
	}
	if r := s.Report(effectiveness.Range{From: 1020, To: 1022}); r.Approvals != 2 {
		t.Errorf("two hours have %d approvals", r.Approvals)
	}
}

func TestLinesOfAnHourAreBounded(t *testing.T) {
	var w world
	for n := 1; n <= 20; n++ {
		w.register(t, n, nil)
	}
	for n := 1; n <= 20; n++ {
		w.add(sale(n, hourNS, mac.X919, nil))
	}
	s := effectiveness.New(effectiveness.DefaultStandard(), effectiveness.Bounds{Hours: 48, Cells: 12})
	fold(t, s, w.all)
	r := s.Report(effectiveness.Range{})
	if r.Approvals != 20 || r.Full != 20 || r.Unplaced != 8 || len(r.Terminals) != 12 || len(r.Merchants) != 20 {
		t.Errorf("%d approvals, %d without terminal, %d terminals, %d merchants", r.Approvals, r.Unplaced, len(r.Terminals), len(r.Merchants))
	}
}

// TestChangesAgainstOwnHistory: each is told once until what was usual returns.
func TestChangesAgainstOwnHistory(t *testing.T) {
	plain := func(x *journal.Exchange, s *proof.States) {}
	noSerial := func(_ *journal.Exchange, s *proof.States) { s.Set(proof.Serial, proof.NotRun) }
	noPIN := func(x *journal.Exchange, s *proof.States) { x.Flags &^= journal.FlagPIN }
	sealed := func(x *journal.Exchange, s *proof.States) { x.Flags |= journal.FlagTrackSealed }
	secure := func(x *journal.Exchange, _ *proof.States) { x.Flags |= journal.FlagTLS }
	certified := func(_ *journal.Exchange, s *proof.States) { s.Set(proof.DeviceCertificate, proof.Passed) }
	type step struct {
		n      int
		mac    mac.Algorithm
		change func(*journal.Exchange, *proof.States)
	}
	strong, weak := mac.X919, mac.UnionPayECBDES
	for _, c := range []struct {
		name  string
		steps []step
		want  []string
	}{
		{"nothing changes", []step{{300, strong, plain}}, nil},
		{"no history yet", []step{{7, strong, plain}, {20, weak, plain}}, nil},
		{"MAC became weaker", []step{{8, strong, plain}, {5, weak, plain}}, []string{"MAC algorithm: X9.19 to UnionPay ECB DES, weaker"}},
		{"MAC became stronger", []step{{8, weak, plain}, {5, strong, plain}}, []string{"MAC algorithm: UnionPay ECB DES to X9.19"}},
		{"again after it returned", []step{{8, strong, plain}, {1, weak, plain}, {1, strong, plain}, {1, weak, plain}},
			[]string{"MAC algorithm: X9.19 to UnionPay ECB DES, weaker", "MAC algorithm: X9.19 to UnionPay ECB DES, weaker"}},
		{"another weakness after the first", []step{{8, strong, plain}, {2, weak, plain}, {2, mac.CBCMACTDES, plain}},
			[]string{"MAC algorithm: X9.19 to UnionPay ECB DES, weaker", "MAC algorithm: X9.19 to CBC-MAC TDES, weaker"}},
		{"the new way becomes the habit", []step{{8, strong, plain}, {200, weak, plain}, {1, strong, plain}},
			[]string{"MAC algorithm: X9.19 to UnionPay ECB DES, weaker", "MAC algorithm: UnionPay ECB DES to X9.19"}},
		{"serial proof stopped", []step{{8, strong, plain}, {9, strong, noSerial}}, []string{"serial proof: proven to not sent, weaker"}},
		{"track no longer sealed", []step{{8, strong, sealed}, {9, strong, plain}}, []string{"track: sealed to clear, weaker"}},
		{"certificate gone", []step{{8, strong, certified}, {9, strong, plain}}, []string{"transport: device certificate to plain TCP, weaker"}},
		{"TLS became plain", []step{{8, strong, secure}, {9, strong, plain}}, []string{"transport: TLS to plain TCP, weaker"}},
		{"TLS with a certificate now", []step{{8, strong, secure}, {9, strong, certified}}, []string{"transport: TLS to device certificate"}},
		{"a few sales without a PIN", []step{{100, strong, plain}, {39, strong, noPIN}, {1, strong, plain}, {39, strong, noPIN}}, nil},
		{"no PIN any more", []step{{100, strong, plain}, {60, strong, noPIN}}, []string{"PIN: with a PIN to without a PIN, weaker"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w world
			w.register(t, 1, nil)
			for _, step := range c.steps {
				for range step.n {
					w.add(sale(1, hourNS, step.mac, step.change))
				}
			}
			s := effectiveness.New(effectiveness.DefaultStandard(), effectiveness.LiveBounds())
			var got []string
			for _, change := range fold(t, s, w.all) {
				text := fmt.Sprintf("%s: %s to %s", change.Trait, change.Was, change.Is)
				if change.Weaker {
					text += ", weaker"
				}
				got = append(got, text)
				if event := change.Event(); event.Check() != nil || event.Cause == 0 || event.Model != "Model A" {
					t.Errorf("event %+v: %v", event, event.Check())
				}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("changes %q, want %q", got, c.want)
			}
		})
	}
}

// TestAnyPrefixFoldsAlike: folding in one go, in pieces or some entries twice gives the same figures, and
// they add up.
func TestAnyPrefixFoldsAlike(t *testing.T) {
	algorithms := []mac.Algorithm{mac.X919, mac.UnionPayECBDES, mac.UnionPayECBSM4}
	rapid.Check(t, func(r *rapid.T) {
		var w world
		shops := rapid.IntRange(1, 4).Draw(r, "shops")
		for n := 1; n <= shops; n++ {
			keyless := rapid.Bool().Draw(r, "keyless")
			w.register(t, n, func(_ *registry.Terminal, d *registry.Device) {
				if keyless {
					d.Key = nil
				}
				d.Model = fmt.Sprintf("Model %d", n%2)
			})
		}
		for range rapid.IntRange(0, 60).Draw(r, "sales") {
			refused := rapid.Bool().Draw(r, "refused")
			w.add(sale(rapid.IntRange(1, shops+1).Draw(r, "shop"), pos.Instant(hourNS*rapid.IntRange(100, 103).Draw(r, "hour")),
				rapid.SampledFrom(algorithms).Draw(r, "mac"), func(x *journal.Exchange, _ *proof.States) {
					if refused {
						x.DE39, x.Reason = pos.Code("55"), reason.PINWrong
					}
				}))
		}
		one := effectiveness.New(effectiveness.DefaultStandard(), effectiveness.LiveBounds())
		fold(t, one, w.all)
		two := effectiveness.New(effectiveness.DefaultStandard(), effectiveness.LiveBounds())
		at := rapid.IntRange(0, len(w.all)).Draw(r, "cut")
		fold(t, two, w.all[:at])
		fold(t, two, w.all[at/2:])
		a, b := one.Report(effectiveness.Range{}), two.Report(effectiveness.Range{})
		if !reflect.DeepEqual(a, b) {
			r.Fatalf("in one go %+v, in pieces %+v", a, b)
		}
		sum := func(rows []effectiveness.Row) (approvals, full uint64) {
			for _, row := range rows {
				approvals, full = approvals+row.Approvals, full+row.Full
			}
			return approvals, full
		}
		for name, rows := range map[string][]effectiveness.Row{"models": a.Models, "merchants": a.Merchants, "hours": a.Hours} {
			if approvals, full := sum(rows); approvals != a.Approvals || full != a.Full {
				r.Fatalf("%s add up to %d and %d of %d and %d", name, approvals, full, a.Approvals, a.Full)
			}
		}
		if approvals, full := one.Totals(); approvals != a.Approvals || full != a.Full {
			r.Fatalf("totals are %d and %d of %d and %d", approvals, full, a.Approvals, a.Full)
		}
		if approvals, _ := sum(a.Terminals); approvals+a.Unplaced != a.Approvals {
			r.Fatalf("terminals add up to %d and %d of %d", approvals, a.Unplaced, a.Approvals)
		}
	})
}

func TestMalformedRecordsAreErrors(t *testing.T) {
	for _, kind := range []journal.Kind{journal.KindExchange, journal.KindMerchant, journal.KindTerminal, journal.KindDevice} {
		s := effectiveness.New(effectiveness.DefaultStandard(), effectiveness.LiveBounds())
		if _, err := s.Fold(journal.Entry{Seq: 1, Kind: kind, Body: []byte("{")}); err == nil {
			t.Errorf("%s: no error", kind)
		}
	}
	s := effectiveness.New(effectiveness.DefaultStandard(), effectiveness.LiveBounds())
	if _, err := s.Fold(journal.Entry{Seq: 1, Kind: 200, Body: []byte("{")}); err != nil {
		t.Errorf("an entry of a later version: %v", err)
	}
}

// BenchmarkFold is what one approval costs beside the line: 10,000 terminals in turn.
func BenchmarkFold(b *testing.B) {
	var w world
	for n := 1; n <= 10_000; n++ {
		w.register(b, n, nil)
	}
	s := effectiveness.New(effectiveness.DefaultStandard(), effectiveness.LiveBounds())
	fold(b, s, w.all)
	var sales world
	for n := 1; n <= 10_000; n++ {
		sales.add(sale(n, hourNS, mac.UnionPayECBSM4, nil))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		e := sales.all[i%10_000]
		e.Seq = w.seq + uint64(i) + 1
		if _, err := s.Fold(e); err != nil {
			b.Fatal(err)
		}
	}
}
