package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"touchstone/effectiveness"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/terminal"
)

// TestEveryCheckHasAProbe: a check added to package proof needs a known-bad message of its own.
func TestEveryCheckHasAProbe(t *testing.T) {
	for c := range proof.Checks {
		if !slices.ContainsFunc(canaryProbes, func(p canaryProbe) bool { return p.check == c && p.want != reason.None }) {
			t.Errorf("no known-bad message tries %q", c)
		}
	}
	if !slices.ContainsFunc(canaryProbes, func(p canaryProbe) bool { return p.want == reason.None }) {
		t.Error("no good message: a host that refuses everything would look sound")
	}
}

// TestCanaryOfAHealthyHost: every probe is run, judged as it must be, and no money moves.
func TestCanaryOfAHealthyHost(t *testing.T) {
	r := newCanaryRig(t, rigOptions{})
	before := r.canaryBalanceNow(t)
	for n := range 3 {
		got := r.hand.round(t.Context())
		for _, f := range got.findings {
			if f.notRun != "" || !f.ok {
				t.Errorf("round %d: %s: want %s, got %q %s", n, f.probe.probe, f.want(), f.got, f.notRun)
			}
			if f.ok && f.seq == 0 {
				t.Errorf("round %d: %s: no journal entry", n, f.probe.probe)
			}
		}
	}
	if after := r.canaryBalanceNow(t); after != before || before != canaryBalance {
		t.Errorf("the canary's card had %s and has %s", before, after)
	}
	if events := r.events(t, ""); len(events) != 0 {
		t.Errorf("events on a healthy host: %+v", events)
	}
	if c := r.hand.counts(); c.Rounds != 3 || c.Alarms != 0 || c.Ineffective != 0 || c.Messages < 100 {
		t.Errorf("counts %+v", c)
	}
}

// simulatedHours is how long the simulated day is; one round a simulated minute. The whole day is for when
// there is time for it: TOUCHSTONE_LONG=1.
func simulatedHours() int {
	if os.Getenv("TOUCHSTONE_LONG") != "" {
		return 24
	}
	return 4
}

// TestHealthyDayGivesNoAlarm runs a day of simulated time: the canary every minute, and shops that sell.
// Neither the canary nor any terminal's own history may raise an event.
func TestHealthyDayGivesNoAlarm(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of rounds of the canary")
	}
	t.Parallel()
	hours := simulatedHours()
	var now atomic.Int64
	now.Store(time.Date(2026, 11, 27, 6, 0, 0, 0, time.UTC).UnixNano())
	r := newCanaryRig(t, rigOptions{clock: func() pos.Instant { return pos.Instant(now.Add(1000)) }})
	wall := func() time.Time { return time.Unix(0, now.Load()) }
	var shops []*terminal.Terminal
	for _, s := range staffTerminals()[:8] {
		shops = append(shops, r.shopTerminal(t, s, wall))
	}
	card, err := cardOf(cards()[7])
	if err != nil {
		t.Fatal(err)
	}
	sold := 0
	for minute := range hours * 60 {
		if wrong := r.hand.round(t.Context()).wrong(); len(wrong) != 0 {
			t.Fatalf("minute %d: %s: want %s, got %s", minute, wrong[0].probe.probe, wrong[0].want(), wrong[0].got)
		}
		shop := shops[minute%len(shops)]
		if minute%200 == 199 {
			if _, err := shop.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		res, err := shop.Sale(t.Context(), card, 1850)
		if err != nil {
			t.Fatal(err)
		}
		if res.Approved {
			sold++
		}
		now.Add(int64(time.Minute))
	}
	r.stop()
	again := newCanaryRig(t, rigOptions{dir: r.dir, clock: func() pos.Instant { return pos.Instant(now.Add(1000)) }})
	if events := again.events(t, ""); len(events) != 0 {
		t.Errorf("a healthy day raised %d events, the first %+v", len(events), events[0])
	}
	if sold != hours*60 {
		t.Errorf("%d of %d sales approved", sold, hours*60)
	}
	<-again.e.watch.ready
	report, _ := again.e.watch.report(effectiveness.Range{})
	if report.Approvals != uint64(sold) || report.Canary == 0 || len(report.Hours) < hours {
		t.Errorf("rebuilt: %d approvals in %d hours, %d of the canary", report.Approvals, len(report.Hours), report.Canary)
	}
}

// TestChangeOfATerminalIsOneEvent: a shop's device loses its serial-number key by registration, and the
// next sale tells; once, also across a restart, and again only after it was as before.
func TestChangeOfATerminalIsOneEvent(t *testing.T) {
	r := newCanaryRig(t, rigOptions{})
	sample := staffTerminals()[0]
	shop := r.shopTerminal(t, sample, time.Now)
	card, err := cardOf(cards()[7])
	if err != nil {
		t.Fatal(err)
	}
	sell := func(n int) {
		t.Helper()
		for range n {
			if res, err := shop.Sale(t.Context(), card, 100); err != nil || !res.Approved {
				t.Fatalf("sale: %v %v", res.DE39, err)
			}
		}
	}
	sell(10)
	device, err := r.e.ledger.Device(sample.serial)
	if err != nil {
		t.Fatal(err)
	}
	keyless := *device
	keyless.Key, keyless.KeyKCV = nil, ""
	register := func(d *registry.Device) {
		t.Helper()
		if err := r.e.ledger.Register(t.Context(), r.e.clock(), d); err != nil {
			t.Fatal(err)
		}
	}
	register(&keyless)
	sell(3)
	changes := func(rig *canaryRig, want int) []journal.Event {
		t.Helper()
		var list []journal.Event
		for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
			if list = rig.events(t, effectiveness.EventChanged); len(list) >= want {
				break
			}
		}
		if len(list) != want {
			t.Fatalf("%d changes, want %d: %+v", len(list), want, list)
		}
		return list
	}
	told := changes(r, 1)[0]
	if told.Terminal != sample.id.String() || told.Parameters["trait"] != "serial proof" || told.Parameters["is"] != "stated only" ||
		told.Model != sample.model || told.Severity != journal.Warning || told.Cause == 0 {
		t.Errorf("event %+v", told)
	}
	register(device)
	sell(1)
	register(&keyless)
	sell(1)
	changes(r, 2)
	r.stop()
	again := newCanaryRig(t, rigOptions{dir: r.dir})
	<-again.e.watch.ready
	if n := len(again.events(t, effectiveness.EventChanged)); n != 2 {
		t.Errorf("%d changes after a restart", n)
	}
}

// TestWatchMakesGoodWhatItDropped: blocks that the watch had no room for are read from the journal.
func TestWatchMakesGoodWhatItDropped(t *testing.T) {
	r := newCanaryRig(t, rigOptions{})
	<-r.e.watch.ready
	w := r.e.watch
	w.queued.Add(watchBytes) // no room
	shop := r.shopTerminal(t, staffTerminals()[0], time.Now)
	card, err := cardOf(cards()[7])
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if res, err := shop.Sale(t.Context(), card, 100); err != nil || !res.Approved {
			t.Fatalf("sale: %v %v", res.DE39, err)
		}
	}
	if w.drops.Load() == 0 {
		t.Fatal("nothing was dropped")
	}
	w.queued.Add(-watchBytes)
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		report, _ := w.report(effectiveness.Range{})
		if report.Approvals == 5 {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("%d approvals counted of 5", report.Approvals)
		}
	}
}

// TestStopIsKeptAndLiftedByAPerson: a stop refuses exactly the sales that rest on the proof, survives a
// restart, and ends in somebody's name.
func TestStopIsKeptAndLiftedByAPerson(t *testing.T) {
	r := newCanaryRig(t, rigOptions{stop: true})
	card, err := cardOf(cards()[7])
	if err != nil {
		t.Fatal(err)
	}
	found := &findingChange{Proven: true, Proof: proof.MAC.String(), Algorithm: "UnionPay ECB SM4", Probe: "wrong-mac", Expected: "mac_failed", Got: gotApproved}
	if _, err := r.e.finding(t.Context(), found); err != nil {
		t.Fatal(err)
	}
	r.stop()
	r = newCanaryRig(t, rigOptions{dir: r.dir, stop: true})
	if names := r.e.ledger.Stops().Names(); !slices.Equal(names, []string{"MAC: UnionPay ECB SM4"}) {
		t.Fatalf("after a restart %q is stopped", names)
	}
	staff := staffTerminals()
	other, stopped := r.shopTerminal(t, staff[0], time.Now), r.shopTerminal(t, staff[1], time.Now) // 003 and 005
	sale := func(of *terminal.Terminal, want string) {
		t.Helper()
		res, err := of.Sale(t.Context(), card, 100)
		if err != nil || res.DE39.String() != want {
			t.Errorf("sale answered %s, %v; want %s", res.DE39, err, want)
		}
	}
	sale(other, "00")
	sale(stopped, "96")
	if res, err := stopped.Balance(t.Context(), card); err != nil || !res.Approved {
		t.Errorf("a balance inquiry is no sale: %s, %v", res.DE39, err)
	}
	if wrong := r.hand.round(t.Context()).wrong(); len(wrong) != 0 {
		t.Errorf("the canary of a mended host with a stop: %s got %s", wrong[0].probe.probe, wrong[0].got)
	}
	sale(stopped, "96") // a mended proof lifts nothing by itself
	if _, err := r.e.resume(t.Context(), &resumeChange{}); err == nil {
		t.Error("lifted without a name")
	}
	if _, err := r.e.resume(t.Context(), &resumeChange{By: "Li Na", Proof: "no such"}); err == nil {
		t.Error("lifted an unknown proof")
	}
	if _, err := r.e.resume(t.Context(), &resumeChange{By: "Li Na"}); err != nil {
		t.Error(err)
	}
	sale(stopped, "00")
	if list := r.events(t, proof.EventResumed); len(list) != 1 || list[0].Parameters["by"] != "Li Na" {
		t.Errorf("resumptions %+v", list)
	}
}

// TestAlarmIsRaisedOnceUntilItReturns judges findings by hand.
func TestAlarmIsRaisedOnceUntilItReturns(t *testing.T) {
	r := newCanaryRig(t, rigOptions{})
	p := canaryProbes[slices.IndexFunc(canaryProbes, func(p canaryProbe) bool { return p.probe == terminal.ProbeWrongMAC })]
	bad, good := finding{probe: p, got: gotApproved, proven: true}, finding{probe: p, ok: true, got: p.want.String()}
	for i, f := range []*finding{&good, &bad, &bad, &good, &good, &bad} {
		if err := r.hand.judge(t.Context(), f); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if n, m := len(r.events(t, eventIneffective)), len(r.events(t, eventEffective)); n != 2 || m != 1 {
		t.Errorf("%d alarms and %d returns", n, m)
	}
	second := newCanary(r.hand.set, r.e.store.Reader, r.hand.raise, time.Second, r.e.log)
	if err := second.recall(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := second.judge(t.Context(), &bad); err != nil {
		t.Fatal(err)
	}
	if n := len(r.events(t, eventIneffective)); n != 2 {
		t.Errorf("a restart raised again what is known: %d alarms", n)
	}
	if stopped := r.e.ledger.Stops(); stopped.Any() {
		t.Errorf("policy says alarm, and %q is stopped", stopped.Names())
	}
}

// TestWeigh: everything but the right reason in time is a finding.
func TestWeigh(t *testing.T) {
	p := canaryProbe{terminal.ProbeWrongMAC, proof.MAC, roleMain, reason.MACFailed, 1}
	good := canaryProbe{terminal.ProbeGoodBalance, proof.PolicyCheck, roleMain, reason.None, 0}
	answered := terminal.Result{MTI: 0x0210, Outcome: terminal.Refused, Elapsed: time.Millisecond}
	entry := func(r reason.Reason, de39 string, delta pos.Amount) *journal.Exchange {
		return &journal.Exchange{Reason: r, DE39: pos.Code(de39), Delta: delta}
	}
	late, approved := answered, answered
	late.Elapsed = time.Minute
	approved.Approved = true
	for _, c := range []struct {
		name   string
		probe  canaryProbe
		res    terminal.Result
		x      *journal.Exchange
		want   string
		ok     bool
		proven bool
	}{
		{"refused for its reason", p, answered, entry(reason.MACFailed, "A0", 0), "mac_failed", true, false},
		{"refused for another", p, answered, entry(reason.MACMissing, "A0", 0), "mac_missing", false, true},
		{"the same answer code, the reason not in the journal", p, answered, nil, gotNoEntry, false, false},
		{"overloaded", p, answered, entry(reason.Overloaded, "96", 0), "overloaded", false, false},
		{"late", p, late, entry(reason.MACFailed, "A0", 0), gotLate, false, false},
		{"approved", p, approved, entry(reason.None, "00", 0), gotApproved, false, true},
		{"approved in the journal only", p, answered, entry(reason.None, "00", 0), gotApproved, false, true},
		{"money moved", p, answered, entry(reason.MACFailed, "A0", -1), gotMoney, false, true},
		{"no answer", p, terminal.Result{Outcome: terminal.NoAnswer}, nil, gotNothing, false, false},
		{"host not there", p, terminal.Result{Outcome: terminal.NoConnection}, nil, gotNothing, false, false},
		{"good and approved", good, approved, entry(reason.None, "00", 0), gotApproved, true, false},
		{"good and refused", good, answered, entry(reason.MACFailed, "A0", 0), "mac_failed", false, false},
		{"good, approved, the answer's MAC wrong", good, terminal.Result{MTI: 0x0210, Outcome: terminal.WrongMAC}, entry(reason.None, "00", 0), "wrong MAC", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := finding{probe: c.probe}
			f.weigh(&terminal.ProbeOutcome{Result: c.res}, c.x, time.Second)
			if f.got != c.want || f.ok != c.ok || f.proven != c.proven {
				t.Errorf("got %q, ok %v, proven %v", f.got, f.ok, f.proven)
			}
		})
	}
}

// TestCanaryFromFiles: a canary of a real installation is a TOML file beside its terminals' own.
func TestCanaryFromFiles(t *testing.T) {
	r := newCanaryRig(t, rigOptions{})
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	card := canaryCard()
	write("card.json", fmt.Sprintf(`{"pan":%q,"expiry":%q,"track2":%q,"pin":%q}`, card.pan(), card.expiry, card.track2(), card.pin))
	main := canaries()[0]
	write("tmk.hex", upperHex(main.masterKey()))
	write("serial.hex", upperHex(main.serialKey()))
	write("main.toml", fmt.Sprintf("host = %q\nterminal_id = %q\nmerchant_id = %q\nsign_in_code = \"006\"\ntmk_file = \"tmk.hex\"\nserial = %q\nserial_key_file = \"serial.hex\"\nnetwork_licence = %q\ndevice_type = %q\napp_version = %q\nseal_track = true\nkey_load = 1\ncard_file = \"card.json\"\n",
		r.addr, main.id, main.merchant, main.serial, sampleLicence, sampleDeviceType, sampleApp))
	write("canary.toml", fmt.Sprintf("main = \"main.toml\"\nfrom = %q\nother_network = %q\nother_shop = %q\n", canaryFrom, canaryElsewhere, sampleMerchant(canaryOtherShop)))
	a := &app{ctx: t.Context(), getenv: os.Getenv}
	set, err := readCanaryFile(a, filepath.Join(dir, "canary.toml"), "", filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	hand := newCanary(set, r.e.store.Reader, r.hand.raise, patience, r.e.log)
	got := hand.round(t.Context())
	if err := hand.close(); err != nil {
		t.Error(err)
	}
	run, skipped := 0, 0
	for _, f := range got.findings {
		if f.notRun != "" {
			skipped++
			continue
		}
		if run++; !f.ok {
			t.Errorf("%s: want %s, got %s", f.probe.probe, f.want(), f.got)
		}
	}
	if run < 30 || skipped != 7 {
		t.Errorf("%d run, %d not run", run, skipped)
	}
	write("bad.toml", "from = \"x\"\n")
	if _, err := readCanaryFile(a, filepath.Join(dir, "bad.toml"), "", dir); err == nil {
		t.Error("a file without a main terminal was read")
	}
}
