package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/lab"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/staff"
	"touchstone/terminal"
)

// factBench is a whole host in this process and one reference terminal that speaks to it over TCP.
type factBench struct {
	*canaryRig
	shop   *terminal.Terminal
	sample sampleTerminal
	card   terminal.Card
	sale   terminal.Original
}

// wirePolicy tolerates what is unknown and gives each fact a state in which refunds stop.
func wirePolicy(t *testing.T) []byte {
	t.Helper()
	text := string(policyWith(t, registry.FactNetwork, "public", "no_refund"))
	const site = "[site]\ncounter = \"full\"\nmobile = \"full\"\nunattended = \"full\"\nopen_public = \"full\""
	if !strings.Contains(text, site) {
		t.Fatal("the built-in policy says something else of sites")
	}
	return []byte(strings.Replace(text, site, strings.Replace(site, "open_public = \"full\"", "open_public = \"no_refund\"", 1), 1))
}

func newFactBench(t *testing.T) *factBench {
	t.Helper()
	b := &factBench{canaryRig: newCanaryRig(t, rigOptions{}), sample: visitors()[0]}
	if err := b.e.setPolicyForTest(t, wirePolicy(t)); err != nil {
		t.Fatal(err)
	}
	b.shop = b.shopTerminal(t, b.sample, nil)
	var err error
	if b.card, err = cardOf(cards()[0]); err != nil {
		t.Fatal(err)
	}
	if signed, err := b.shop.SignIn(t.Context()); err != nil || !signed.Approved {
		t.Fatalf("sign-in: %+v, %v", signed, err)
	}
	sold, err := b.shop.Sale(t.Context(), b.card, 10_000)
	if err != nil || !sold.Approved {
		t.Fatalf("sale: %+v, %v", sold, err)
	}
	b.sale = terminal.Original{RRN: sold.RRN, Date: monthDay(b.shop.Clock())}
	return b
}

// refund asks for a fen back and gives DE39 with what the journal says of it.
func (b *factBench) refund(t *testing.T) (code string, x journal.Exchange) {
	t.Helper()
	before := b.e.ledger.Durable()
	answered, err := b.shop.Refund(t.Context(), b.card, b.sale, 1)
	if err != nil {
		t.Fatal(err)
	}
	for seq := before + 1; seq <= b.e.ledger.Durable(); seq++ {
		e, err := b.e.store.Entry(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == journal.KindExchange && x.Parse(e) == nil && x.MTI == 0x0220 && x.Terminal == b.sample.id {
			return answered.DE39.String(), x
		}
	}
	t.Fatal("the journal has no refund")
	return "", x
}

// record registers one noun's newest record as an act of a rule.
func (b *factBench) record(t *testing.T, kind journal.Kind, noun, id string, record any) {
	t.Helper()
	c, err := journal.NewChange(noun, id, record)
	if err != nil {
		t.Fatal(err)
	}
	act := journal.Act{Verb: "fact_of_a_test", Actors: []string{"rule:test"}, Changes: []journal.Change{c}}
	if err := b.e.act(t.Context(), func(*rooms, pos.Instant) ([]journal.Draft, error) {
		return []journal.Draft{{Kind: kind, Act: act}}, nil
	}); err != nil {
		t.Fatal(err)
	}
}

func (b *factBench) register(t *testing.T, record any) {
	t.Helper()
	if err := b.e.ledger.Register(t.Context(), b.e.clock(), record); err != nil {
		t.Fatal(err)
	}
	if err := b.e.permits.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// wireFact changes one fact of the terminal: to bad, and back.
type wireFact struct {
	fact  registry.FactName
	state string // while it is bad
	set   func(t *testing.T, b *factBench, bad bool)
}

func pick[T any](bad bool, one, other T) T {
	if bad {
		return one
	}
	return other
}

var wireFacts = []wireFact{
	{registry.FactRegistration, "restricted", func(t *testing.T, b *factBench, bad bool) {
		p, _ := b.e.ledger.Permitted(b.sample.id)
		again := *p.Terminal
		again.Permit = pick(bad, registry.NoRefund, registry.FullPermit)
		b.register(t, &again)
	}},
	{registry.FactDevice, "in_repair", func(t *testing.T, b *factBench, bad bool) {
		var life fleet.Life
		b.e.office.view(func(r *rooms) { life = *r.fleet.Life(b.sample.serial) })
		life.State = pick(bad, fleet.InRepair, fleet.Deployed)
		b.record(t, journal.KindFleet, fleet.NounDevice, string(life.Serial), &life)
	}},
	{registry.FactCertificate, "suspended", func(t *testing.T, b *factBench, bad bool) {
		now := b.e.clock()
		b.record(t, journal.KindLab, lab.NounCertificate, "CRT-901", &lab.Certificate{ID: "CRT-901", Issued: now, NotBefore: now, Since: now, Expires: now.Add(time.Hour),
			Subject: lab.Subject{Model: b.sample.model, HardwarePattern: "*", FirmwarePattern: "*", ApplicationPattern: "*"}, State: pick(bad, lab.Suspended, lab.Valid)})
	}},
	{registry.FactApplication, "withdrawn", func(t *testing.T, b *factBench, bad bool) {
		release := fleet.Release{ID: "REL-901", Model: b.sample.model, Hardware: "*", Version: sampleApp}
		b.e.office.view(func(r *rooms) {
			if known := r.fleet.Release(b.sample.model, sampleApp); known != nil {
				release = *known
			}
		})
		release.State = pick(bad, fleet.Withdrawn, fleet.Current)
		b.record(t, journal.KindFleet, fleet.NounRelease, release.ID, &release)
	}},
	{registry.FactAdvisory, "open", func(t *testing.T, b *factBench, bad bool) {
		b.record(t, journal.KindFleet, fleet.NounAdvisory, "ADV-901", &fleet.Advisory{ID: "ADV-901", State: pick(bad, fleet.AdvisoryOpen, fleet.AdvisoryClosed),
			Affected: []fleet.Affected{{Model: b.sample.model, Hardware: "*", Versions: "*"}}})
	}},
	{registry.FactInspection, "failed", func(t *testing.T, b *factBench, bad bool) {
		id := pick(bad, "INS-901", "INS-902")
		now := b.e.clock()
		b.record(t, journal.KindFleet, fleet.NounInspection, id, &fleet.Inspection{ID: id, Serial: b.sample.serial, Terminal: b.sample.id, Passed: !bad, At: now, Due: now.Add(time.Hour)})
	}},
	{registry.FactHealth, "malware", func(t *testing.T, b *factBench, bad bool) {
		now := b.e.clock()
		report := fleet.Report{Serial: b.sample.serial, Terminal: b.sample.id, Tamper: "none", Application: sampleApp,
			Scanner: fleet.Scanner{Definitions: now.Time().Format(time.DateOnly), Result: pick(bad, "found", "clean"), Found: pick(bad, "X", "")}}
		b.record(t, journal.KindFleet, fleet.NounHealth, string(b.sample.serial), &fleet.Health{Report: report, At: now})
	}},
	{registry.FactNetwork, "public", func(t *testing.T, b *factBench, bad bool) {
		bind := b.binding()
		bind.Network = pick(bad, fleet.PublicNetwork, fleet.PrivateNetwork)
		b.record(t, journal.KindFleet, fleet.NounBinding, bind.ID, &bind)
	}},
	{registry.FactSite, "open_public", func(t *testing.T, b *factBench, bad bool) {
		bind := b.binding()
		bind.Site = pick(bad, fleet.OpenPublic, fleet.Counter)
		b.record(t, journal.KindFleet, fleet.NounBinding, bind.ID, &bind)
	}},
	{registry.FactCashier, "untrained", func(t *testing.T, b *factBench, bad bool) {
		operator, err := pos.ParseOperator(b.shop.Operator())
		if err != nil {
			t.Fatal(err)
		}
		id, now := staff.CashierID(b.sample.merchant, operator), b.e.clock()
		if bad {
			b.record(t, journal.KindStaff, staff.NounCashier, id, &staff.Cashier{Merchant: b.sample.merchant.String(), Operator: operator.String(), Name: "test", Since: now})
			return
		}
		b.record(t, journal.KindStaff, staff.NounTraining, "TRN-901", &staff.Training{ID: "TRN-901", Subject: "cashier:" + id, Topic: staff.CounterTopic,
			State: staff.Passed, Right: 12, Questions: 12, Begun: now, Ended: now, Until: now.Add(10 * 365 * 24 * time.Hour)})
	}},
}

func (b *factBench) binding() (bind fleet.Binding) {
	b.e.office.view(func(r *rooms) { bind = *r.fleet.BindingAt(b.sample.serial, b.e.clock()) })
	return bind
}

// TestEachFactOnTheWire: each fact of the permit alone changes what a refund is answered, with the fact in the verdict's
// evidence, and back when it is good again. The terminal neither signs in again nor learns of anything.
func TestEachFactOnTheWire(t *testing.T) {
	b := newFactBench(t)
	told := map[registry.FactName]bool{}
	for _, f := range wireFacts {
		t.Run(string(f.fact), func(t *testing.T) {
			if code, x := b.refund(t); code != "00" {
				t.Fatalf("before, a refund is answered %s: %s", code, x.Reason)
			}
			f.set(t, b, true)
			code, x := b.refund(t)
			if code != "58" || x.Reason != reason.PermitRefused {
				t.Fatalf("while it is %s, a refund is answered %s: %s", f.state, code, x.Reason)
			}
			at := pick(f.fact == registry.FactCashier, proof.PolicyCheck, proof.PermitCheck)
			if shown := proof.Show(&x)[at]; f.fact != registry.FactRegistration && !strings.Contains(shown.Expected, string(f.fact)+" "+f.state) {
				t.Errorf("the evidence is %+v", shown)
			}
			b.onlyRestricts(t, f)
			f.set(t, b, false)
			if code, x := b.refund(t); code != "00" {
				t.Fatalf("afterwards, a refund is answered %s: %s", code, x.Reason)
			}
			told[f.fact] = true
		})
	}
	for _, name := range fleet.Facts {
		if !told[name] {
			t.Errorf("fact %s was not shown", name)
		}
	}
}

// onlyRestricts wants one fact, with its state and entry, to be all that restricts the terminal, in words too.
func (b *factBench) onlyRestricts(t *testing.T, f wireFact) {
	t.Helper()
	raw, err := b.e.answerPermit(t.Context(), &permitQuery{Terminal: b.sample.id.String()})
	if err != nil {
		t.Fatal(err)
	}
	answer := raw.(*permitAnswer)
	for _, got := range answer.Facts {
		restricts := got.Name == f.fact
		if got.Restricts != restricts || restricts && (got.State != f.state || got.Entry == 0 || got.Since == 0) {
			text, _ := json.Marshal(got)
			t.Errorf("%s", text)
		}
	}
}
