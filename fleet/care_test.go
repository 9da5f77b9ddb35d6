package fleet_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

const (
	serial = pos.Serial("00000304S30000000001")
	other  = pos.Serial("00000304S30000000002")
	start  = pos.Instant(1_795_737_600_000_000_000)
	day    = 24 * time.Hour
)

var (
	terminal = pos.TerminalID{'0', '0', '0', '0', '0', '0', '2', '3'}
	second   = pos.TerminalID{'0', '0', '0', '0', '0', '0', '2', '4'}
	shop     = pos.MerchantID{'8', '9', '8', '3', '1', '0', '0', '5', '8', '1', '2', '0', '0', '0', '1'}
	shop2    = pos.MerchantID{'8', '9', '8', '3', '1', '0', '0', '5', '8', '1', '2', '0', '0', '0', '2'}
)

// two is two people, of a proposal of its own each time.
func two(n int) fleet.Who {
	return fleet.Who{Actors: []string{"li", "zhou"}, Proposal: fmt.Sprintf("PRP-%d", n)}
}

// room is a state and the entries that made it.
type room struct {
	*fleet.State
	t       *testing.T
	seq     uint64
	changes []journal.Change
	n       int
}

func newRoom(t *testing.T) *room { return &room{State: fleet.NewState(), t: t} }

// take folds what a rule decided.
func (r *room) take(drafts []journal.Draft, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, d := range drafts {
		if err := d.Act.Check(); err != nil {
			r.t.Fatal(err)
		}
		if raw, err := json.Marshal(d.Act); err != nil || len(raw) > journal.MaxEntry/16*15 {
			r.t.Fatalf("an act of %d bytes: %v", len(raw), err)
		}
		r.seq++
		for _, c := range d.Act.Changes {
			if err := r.Fold(r.seq, c); err != nil {
				r.t.Fatal(err)
			}
			r.changes = append(r.changes, c)
		}
	}
}

func (r *room) who() fleet.Who { r.n++; return two(r.n) }

func announcement(s pos.Serial) fleet.Announcement {
	return fleet.Announcement{Serial: s, Model: "Sample S30", Hardware: "B", Maker: "Maker", Seal: "SEAL-1", Source: "Maker", Shipment: "WB-1"}
}

func elements() fleet.Elements {
	h := strings.Repeat("ab", 16)
	return fleet.Elements{Acquirer: "48021000", Merchant: shop, Credit: fleet.Sealed{Kind: fleet.CreditCode, Hash: h, Last: "0X1Y"},
		Settlement: fleet.Sealed{Kind: fleet.SettlementAccount, Hash: h, Last: "2333"}, Address: "上海市示例路 1 号", Site: fleet.Counter, Risk: fleet.NormalRisk, Network: fleet.PrivateNetwork}
}

func receipt(s pos.Serial) fleet.Receipt {
	return fleet.Receipt{Serial: s, Seal: "SEAL-1", Source: "Maker", SealGood: true}
}

func deployment(s pos.Serial, id pos.TerminalID) fleet.Deployment {
	return fleet.Deployment{Serial: s, Terminal: id, Elements: elements()}
}

// to leads a fresh device to a state.
func (r *room) to(s pos.Serial, state fleet.LifeState) {
	r.t.Helper()
	leave := fleet.Leave{Serial: s, Note: "why", Seal: "SEAL-2"}
	if state == fleet.Quarantined {
		r.take(fleet.Receive(r.State, receipt(s), r.who(), start))
		return
	}
	r.take(fleet.Announce(r.State, []fleet.Announcement{announcement(s)}, r.who(), start))
	if state == fleet.Announced {
		return
	}
	r.take(fleet.Receive(r.State, receipt(s), r.who(), start))
	switch state {
	case fleet.Deployed:
		r.take(fleet.Deploy(r.State, deployment(s, terminal), r.who(), start))
	case fleet.InRepair:
		r.take(fleet.Repair(r.State, leave, r.who(), start))
	case fleet.Returned:
		r.take(fleet.Repair(r.State, leave, r.who(), start))
		r.take(fleet.Return(r.State, leave, r.who(), start))
	case fleet.Retired:
		r.take(fleet.Retire(r.State, leave, r.who(), start))
	case fleet.Destroyed:
		r.take(fleet.Destroy(r.State, leave, r.who(), start))
	}
	if got := r.Life(s).State; got != state {
		r.t.Fatalf("led to %s, want %s", got, state)
	}
}

var everyState = []fleet.LifeState{fleet.Announced, fleet.Quarantined, fleet.Received, fleet.Deployed, fleet.InRepair, fleet.Returned, fleet.Retired, fleet.Destroyed}

// TestLifeTransitions: every step from every state; what is not listed is refused, as a refusal that is kept.
func TestLifeTransitions(t *testing.T) {
	leave := fleet.Leave{Serial: serial, Note: "why", Seal: "SEAL-3"}
	steps := map[string]struct {
		do    func(r *room) ([]journal.Draft, error)
		from  []fleet.LifeState
		after fleet.LifeState
	}{
		"announce": {func(r *room) ([]journal.Draft, error) {
			return fleet.Announce(r.State, []fleet.Announcement{announcement(serial)}, r.who(), start)
		}, []fleet.LifeState{fleet.Quarantined}, fleet.Quarantined},
		"receive": {func(r *room) ([]journal.Draft, error) {
			return fleet.Receive(r.State, receipt(serial), r.who(), start)
		}, []fleet.LifeState{fleet.Announced}, fleet.Received},
		"deploy": {func(r *room) ([]journal.Draft, error) {
			return fleet.Deploy(r.State, deployment(serial, terminal), r.who(), start)
		}, []fleet.LifeState{fleet.Received, fleet.Returned}, fleet.Deployed},
		"move": {func(r *room) ([]journal.Draft, error) {
			return fleet.Move(r.State, serial, fleet.Elements{Address: "another address"}, r.who(), start)
		}, []fleet.LifeState{fleet.Deployed}, fleet.Deployed},
		"repair": {func(r *room) ([]journal.Draft, error) { return fleet.Repair(r.State, leave, r.who(), start) },
			[]fleet.LifeState{fleet.Deployed, fleet.Received, fleet.Returned, fleet.Quarantined}, fleet.InRepair},
		"return": {func(r *room) ([]journal.Draft, error) { return fleet.Return(r.State, leave, r.who(), start) },
			[]fleet.LifeState{fleet.Deployed, fleet.InRepair}, fleet.Returned},
		"retire": {func(r *room) ([]journal.Draft, error) { return fleet.Retire(r.State, leave, r.who(), start) },
			everyState[:6], fleet.Retired},
		"destroy": {func(r *room) ([]journal.Draft, error) { return fleet.Destroy(r.State, leave, r.who(), start) },
			[]fleet.LifeState{fleet.Quarantined, fleet.Received, fleet.InRepair, fleet.Returned, fleet.Retired}, fleet.Destroyed},
	}
	for name, step := range steps {
		for _, from := range everyState {
			t.Run(name+" when "+string(from), func(t *testing.T) {
				r := newRoom(t)
				r.to(serial, from)
				drafts, err := step.do(r)
				var refusal *journal.Refusal
				if !slices.Contains(step.from, from) {
					if !errors.As(err, &refusal) || refusal.Kind != journal.KindFleet || len(drafts) > 0 {
						t.Fatalf("not refused: %v %v", drafts, err)
					}
					d := refusal.Draft()
					if err := d.Act.Check(); err != nil {
						t.Fatal(err)
					}
					return
				}
				r.take(drafts, err)
				l := r.Life(serial)
				if l.State != step.after || !slices.Equal(l.Steps[len(l.Steps)-1].By, []string{"li", "zhou"}) {
					t.Fatalf("%+v", l)
				}
				if want := map[bool]registry.DeviceState{true: registry.Active, false: registry.Suspended}[l.State == fleet.Deployed]; l.DeviceState(registry.Active) != want {
					t.Errorf("register: %s", l.DeviceState(registry.Active))
				}
				if l.DeviceState(registry.TamperedBy) != registry.TamperedBy {
					t.Error("a life's step undid tampering")
				}
			})
		}
	}
}

// TestReceipt: each thing that may differ from what the maker announced.
func TestReceipt(t *testing.T) {
	for _, c := range []struct {
		name  string
		alter func(*fleet.Receipt)
		state fleet.LifeState
		why   string
	}{
		{"as announced", func(*fleet.Receipt) {}, fleet.Received, ""},
		{"another seal", func(r *fleet.Receipt) { r.Seal = "SEAL-2" }, fleet.Quarantined, "SEAL-2"},
		{"seal broken", func(r *fleet.Receipt) { r.SealGood = false }, fleet.Quarantined, "broken"},
		{"another source", func(r *fleet.Receipt) { r.Source = "Market stall" }, fleet.Quarantined, "Market stall"},
		{"not announced", func(r *fleet.Receipt) { r.Serial = other }, fleet.Quarantined, "not announced"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRoom(t)
			r.to(serial, fleet.Announced)
			got := receipt(serial)
			c.alter(&got)
			r.take(fleet.Receive(r.State, got, r.who(), start))
			if l := r.Life(got.Serial); l.State != c.state || !strings.Contains(l.Why, c.why) {
				t.Errorf("%s %q", l.State, l.Why)
			}
		})
	}
	// One that came first is received once its maker has announced it; one with a wrong seal is not, however often
	// it is announced and received.
	r := newRoom(t)
	r.to(serial, fleet.Quarantined)
	if _, err := fleet.Receive(r.State, receipt(serial), r.who(), start); err == nil {
		t.Error("received again without an announcement")
	}
	r.take(fleet.Announce(r.State, []fleet.Announcement{announcement(serial)}, r.who(), start))
	r.take(fleet.Receive(r.State, receipt(serial), r.who(), start))
	if r.Life(serial).State != fleet.Received {
		t.Error(r.Life(serial).State)
	}
	wrong := receipt(other)
	wrong.Seal = "SEAL-9"
	r.take(fleet.Announce(r.State, []fleet.Announcement{announcement(other)}, r.who(), start))
	r.take(fleet.Receive(r.State, wrong, r.who(), start))
	_, err1 := fleet.Receive(r.State, receipt(other), r.who(), start)
	_, err2 := fleet.Announce(r.State, []fleet.Announcement{announcement(other)}, r.who(), start)
	if err1 == nil || err2 == nil {
		t.Errorf("%v, %v: a wrong seal left quarantine by itself", err1, err2)
	}
}

// TestOneDeviceOneTerminalOneMerchant: 一机一户.
func TestOneDeviceOneTerminalOneMerchant(t *testing.T) {
	deployed := func(t *testing.T) *room {
		r := newRoom(t)
		r.to(serial, fleet.Deployed)
		return r
	}
	refused := func(t *testing.T, err error, why string) {
		t.Helper()
		var refusal *journal.Refusal
		if !errors.As(err, &refusal) || !strings.Contains(refusal.Why, why) {
			t.Errorf("%v, want a refusal with %q", err, why)
		}
	}
	t.Run("a second terminal", func(t *testing.T) {
		r := deployed(t)
		_, err := fleet.Deploy(r.State, deployment(serial, second), r.who(), start)
		refused(t, err, "works at terminal 00000023 already")
		refused(t, fleet.MayBind(r.State, serial, second, pos.TerminalID{}, shop, r.who()), "one device, one terminal")
		refused(t, fleet.MayBind(r.State, serial, terminal, pos.TerminalID{}, shop2, r.who()), "bound to merchant")
		if err := fleet.MayBind(r.State, serial, terminal, pos.TerminalID{}, shop, r.who()); err != nil {
			t.Error(err)
		}
	})
	t.Run("a second device", func(t *testing.T) {
		r := deployed(t)
		r.take(fleet.Announce(r.State, []fleet.Announcement{announcement(other)}, r.who(), start))
		r.take(fleet.Receive(r.State, receipt(other), r.who(), start))
		_, err := fleet.Deploy(r.State, deployment(other, terminal), r.who(), start)
		refused(t, err, "return, retire or repair it first")
		r.take(fleet.Retire(r.State, fleet.Leave{Serial: serial, Note: "broken"}, r.who(), start+1))
		r.take(fleet.Deploy(r.State, deployment(other, terminal), r.who(), start+2))
		if b := r.Binding(terminal); b == nil || b.Serial != other {
			t.Error("the terminal is not the new device's")
		}
	})
	t.Run("registered elsewhere", func(t *testing.T) {
		r := newRoom(t)
		r.to(serial, fleet.Received)
		d := deployment(serial, terminal)
		d.Elsewhere = second
		_, err := fleet.Deploy(r.State, d, r.who(), start)
		refused(t, err, "registered at terminal 00000024")
		d = deployment(serial, terminal)
		d.Taken = "SOMETHING-OLD"
		_, err = fleet.Deploy(r.State, d, r.who(), start)
		refused(t, err, "retire it first")
		d.Taken, d.Tampered = "", true
		_, err = fleet.Deploy(r.State, d, r.who(), start)
		refused(t, err, "tampering")
	})
	t.Run("another merchant by a move", func(t *testing.T) {
		r := deployed(t)
		_, err := fleet.Move(r.State, serial, fleet.Elements{Merchant: shop2}, r.who(), start)
		refused(t, err, "belongs to merchant")
	})
}

// TestElements: each of the five, missing or malformed.
func TestElements(t *testing.T) {
	for name, alter := range map[string]func(*fleet.Elements){
		"no acquirer":                func(e *fleet.Elements) { e.Acquirer = "" },
		"acquirer of 7 digits":       func(e *fleet.Elements) { e.Acquirer = "4802100" },
		"acquirer of 12 digits":      func(e *fleet.Elements) { e.Acquirer = "480210000000" },
		"no merchant":                func(e *fleet.Elements) { e.Merchant = pos.MerchantID{} },
		"no credit code":             func(e *fleet.Elements) { e.Credit = fleet.Sealed{} },
		"an account for a code":      func(e *fleet.Elements) { e.Credit.Kind = fleet.SettlementAccount },
		"a code that is no hash":     func(e *fleet.Elements) { e.Credit.Hash = "91310000000000X1Y" },
		"no account":                 func(e *fleet.Elements) { e.Settlement = fleet.Sealed{} },
		"five digits of the account": func(e *fleet.Elements) { e.Settlement.Last = "12333" },
		"no address":                 func(e *fleet.Elements) { e.Address = "" },
		"address of 201 bytes":       func(e *fleet.Elements) { e.Address = strings.Repeat("a", 201) },
		"address with a line end":    func(e *fleet.Elements) { e.Address = "street\n1 a" },
		"no class":                   func(e *fleet.Elements) { e.Site = "" },
		"class of its own":           func(e *fleet.Elements) { e.Site = "kiosk" },
		"no risk":                    func(e *fleet.Elements) { e.Risk = "" },
		"network of its own":         func(e *fleet.Elements) { e.Network = "vpn" },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			r.to(serial, fleet.Received)
			d := deployment(serial, terminal)
			alter(&d.Elements)
			if _, err := fleet.Deploy(r.State, d, r.who(), start); err == nil {
				t.Error("deployed")
			}
		})
	}
	r := newRoom(t)
	r.to(serial, fleet.Received)
	d := deployment(serial, terminal)
	d.Credit.Kind, d.Address = fleet.PersonalID, strings.Repeat("a", 200)
	r.take(fleet.Deploy(r.State, d, r.who(), start))
}

// TestFiveElementsAsOfAnyDate: at each border of each binding, and after a restart in any order.
func TestFiveElementsAsOfAnyDate(t *testing.T) {
	r := newRoom(t)
	r.to(serial, fleet.Deployed) // from start
	r.take(fleet.Move(r.State, serial, fleet.Elements{Address: "second address"}, r.who(), start.Add(day)))
	r.take(fleet.Repair(r.State, fleet.Leave{Serial: serial, Note: "screen"}, r.who(), start.Add(2*day)))
	r.take(fleet.Return(r.State, fleet.Leave{Serial: serial, Note: "mended", Seal: "SEAL-2"}, r.who(), start.Add(3*day)))
	known := deployment(serial, terminal)
	known.Elements = r.Known(terminal, fleet.Elements{Merchant: shop})
	r.take(fleet.Deploy(r.State, known, r.who(), start.Add(4*day)))
	if e := r.Known(terminal, fleet.Elements{Merchant: shop2}); e.Address != "" {
		t.Error("another merchant was given this one's elements")
	}
	want := func(s *fleet.State, at pos.Instant, address string) {
		t.Helper()
		got := ""
		if b := s.BindingAt(serial, at); b != nil {
			got = b.Address
		}
		if got != address {
			t.Errorf("as of %+d: %q, want %q", at-start, got, address)
		}
	}
	check := func(s *fleet.State) {
		t.Helper()
		want(s, start-1, "")
		want(s, start, "上海市示例路 1 号")
		want(s, start.Add(day)-1, "上海市示例路 1 号")
		want(s, start.Add(day), "second address")
		want(s, start.Add(2*day)-1, "second address")
		want(s, start.Add(2*day), "")
		want(s, start.Add(4*day)-1, "")
		want(s, start.Add(4*day), "second address")
		want(s, start.Add(400*day), "second address")
	}
	check(r.State)
	// At a start the newest records come first, as rows, and then all of the journal's tail again.
	again := fleet.NewState()
	for range 2 {
		for i, c := range r.changes {
			if err := again.Fold(uint64(i+1), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	check(again)
	newest := fleet.NewState()
	for i := len(r.changes) - 1; i >= 0; i-- {
		if err := newest.Fold(uint64(i+1), r.changes[i]); err != nil {
			t.Fatal(err)
		}
	}
	check(newest)
	if newest.Life(serial).State != fleet.Deployed {
		t.Error("an older record replaced a newer one")
	}
}

// TestStepTwice: the program died between an approval's effect and its note; the same proposal does nothing more.
func TestStepTwice(t *testing.T) {
	r := newRoom(t)
	leave := fleet.Leave{Serial: serial, Note: "why", Seal: "SEAL-2"}
	for n, step := range []func(w fleet.Who) ([]journal.Draft, error){
		func(w fleet.Who) ([]journal.Draft, error) {
			return fleet.Announce(r.State, []fleet.Announcement{announcement(serial), announcement(other)}, w, start)
		},
		func(w fleet.Who) ([]journal.Draft, error) { return fleet.Receive(r.State, receipt(serial), w, start) },
		func(w fleet.Who) ([]journal.Draft, error) {
			return fleet.Deploy(r.State, deployment(serial, terminal), w, start)
		},
		func(w fleet.Who) ([]journal.Draft, error) {
			return fleet.Move(r.State, serial, fleet.Elements{Address: "second address"}, w, start)
		},
		func(w fleet.Who) ([]journal.Draft, error) { return fleet.Return(r.State, leave, w, start) },
		func(w fleet.Who) ([]journal.Draft, error) { return fleet.Repair(r.State, leave, w, start) },
		func(w fleet.Who) ([]journal.Draft, error) { return fleet.Retire(r.State, leave, w, start) },
		func(w fleet.Who) ([]journal.Draft, error) { return fleet.Destroy(r.State, leave, w, start) },
	} {
		r.take(step(two(n)))
		before := len(r.changes)
		if drafts, err := step(two(n)); !errors.Is(err, fleet.ErrCarried) || len(drafts) > 0 || len(r.changes) != before {
			t.Errorf("step %d carried out twice: %v", n, err)
		}
	}
}

// TestNeverBack: POSC-KM-15, by every way into selling.
func TestNeverBack(t *testing.T) {
	for _, state := range []fleet.LifeState{fleet.Retired, fleet.Destroyed} {
		r := newRoom(t)
		r.to(serial, state)
		if fleet.MaySell(r.State, serial, r.who()) == nil || fleet.MayBind(r.State, serial, terminal, pos.TerminalID{}, shop, r.who()) == nil {
			t.Errorf("%s: let back", state)
		}
	}
	r := newRoom(t)
	if fleet.MaySell(r.State, "of before lives", r.who()) != nil || fleet.MayBind(r.State, "of before lives", terminal, pos.TerminalID{}, shop, r.who()) != nil {
		t.Error("a device without a life record was refused")
	}
	if fleet.MayBind(r.State, "of before lives", terminal, second, shop, r.who()) == nil {
		t.Error("one device at two terminals of the register")
	}
	// A device that was registered before lives were kept is retired too, one that nobody knows is not.
	if _, err := fleet.Retire(r.State, fleet.Leave{Serial: serial, Note: "x"}, r.who(), start); err == nil {
		t.Error("an unknown device was retired")
	}
	r.take(fleet.Retire(r.State, fleet.Leave{Serial: serial, Note: "x", Known: true, Terminal: terminal}, r.who(), start))
	if !r.Life(serial).Final() {
		t.Error(r.Life(serial).State)
	}
}

// TestSteps: a long life keeps the newest steps.
func TestSteps(t *testing.T) {
	r := newRoom(t)
	r.to(serial, fleet.Deployed)
	for n := range fleet.MaxSteps + 3 {
		r.take(fleet.Move(r.State, serial, fleet.Elements{Address: fmt.Sprintf("address %d", n)}, r.who(), start.Add(time.Duration(n)*time.Hour)))
	}
	l := r.Life(serial)
	if len(l.Steps) != fleet.MaxSteps || l.Steps[fleet.MaxSteps-1].Note != fmt.Sprintf("address %d", fleet.MaxSteps+2) {
		t.Errorf("%d steps, the last %q", len(l.Steps), l.Steps[len(l.Steps)-1].Note)
	}
}

// TestAnnounceBounds: how many at once, and none twice.
func TestAnnounceBounds(t *testing.T) {
	size := 20
	list := func(n int) (l []fleet.Announcement) {
		for i := range n {
			a := announcement(pos.Serial(fmt.Sprintf("S%019d", i)))
			for _, p := range []*string{&a.Maker, &a.Seal, &a.Source, &a.Shipment} {
				*p = strings.Repeat("x", size)
			}
			l = append(l, a)
		}
		return l
	}
	r := newRoom(t)
	for _, n := range []int{0, fleet.MaxAnnounced + 1} {
		if _, err := fleet.Announce(r.State, list(n), r.who(), start); err == nil {
			t.Errorf("%d announced", n)
		}
	}
	r.take(fleet.Announce(r.State, list(fleet.MaxAnnounced), r.who(), start))
	size = 200
	if _, err := fleet.Announce(newRoom(t).State, list(fleet.MaxAnnounced), r.who(), start); err == nil {
		t.Error("an announcement that fits no entry")
	}
	r.take(fleet.Announce(newRoom(t).State, list(4), r.who(), start))
	if _, err := fleet.Announce(r.State, []fleet.Announcement{announcement(serial), announcement(serial)}, r.who(), start); err == nil {
		t.Error("one device twice in a list")
	}
	bad := announcement(serial)
	bad.Hardware = "123456789"
	if _, err := fleet.Announce(r.State, []fleet.Announcement{bad}, r.who(), start); err == nil {
		t.Error("a hardware version that the register does not take")
	}
	bad = announcement(serial)
	bad.Seal = ""
	if _, err := fleet.Announce(r.State, []fleet.Announcement{bad}, r.who(), start); err == nil {
		t.Error("announced without a seal")
	}
}

// TestRandomLives: whatever steps come in whatever order, a terminal has at most one device and a device one terminal,
// a deployed device has its five elements, and what ended stays ended.
func TestRandomLives(t *testing.T) {
	randomLives(t, 1795854511555398815) // a quarantined device was announced anew, received, and bound twice
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	randomLives(t, seed)
}

func randomLives(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	r := newRoom(t)
	serials := []pos.Serial{"S1", "S2", "S3", "S4"}
	ended := map[pos.Serial]fleet.LifeState{}
	since := map[pos.Serial]int{} // the step after which a device had ended
	done := 0
	for n := range 4000 {
		now := start.Add(time.Duration(n) * time.Minute)
		s := serials[random.IntN(len(serials))]
		id := []pos.TerminalID{terminal, second}[random.IntN(2)]
		leave := fleet.Leave{Serial: s, Note: "why", Seal: "SEAL-1"}
		var drafts []journal.Draft
		var err error
		switch random.IntN(12) {
		case 0, 1:
			drafts, err = fleet.Announce(r.State, []fleet.Announcement{announcement(s)}, r.who(), now)
		case 2, 3:
			drafts, err = fleet.Receive(r.State, receipt(s), r.who(), now)
		case 4, 5:
			drafts, err = fleet.Deploy(r.State, deployment(s, id), r.who(), now)
		case 6:
			drafts, err = fleet.Move(r.State, s, fleet.Elements{Address: fmt.Sprintf("address %d", n)}, r.who(), now)
		case 7:
			drafts, err = fleet.Repair(r.State, leave, r.who(), now)
		case 8:
			drafts, err = fleet.Return(r.State, leave, r.who(), now)
		case 9:
			v := visit(sound())
			v.Serial, v.Terminal = s, id
			drafts, err = fleet.Inspect(r.State, v, inspector, now) // of another serial number: an alarm
		case 10:
			if random.IntN(40) == 0 {
				drafts, err = fleet.Retire(r.State, leave, r.who(), now)
			}
		case 11:
			if random.IntN(40) == 0 {
				drafts, err = fleet.Destroy(r.State, leave, r.who(), now)
			}
		}
		if err == nil && len(drafts) > 0 {
			r.take(drafts, err)
			done++
		}
		at := map[pos.TerminalID]pos.Serial{}
		for _, b := range r.BindingsAt(now) {
			if other, taken := at[b.Terminal]; taken {
				t.Fatalf("step %d: devices %s and %s at terminal %s", n, other, b.Serial, b.Terminal)
			}
			at[b.Terminal] = b.Serial
		}
		for _, l := range r.Lives() {
			if b := r.BindingAt(l.Serial, now); l.State == fleet.Deployed && (b == nil || b.Terminal != l.Terminal || b.ID != l.Binding) {
				t.Fatalf("step %d: device %s is deployed, its binding is %+v", n, l.Serial, b)
			}
			if was, known := ended[l.Serial]; known && l.State != was && l.State != fleet.Destroyed {
				t.Fatalf("step %d: device %s was %s and is %s", n, l.Serial, was, l.State)
			}
			if l.Final() {
				if _, known := ended[l.Serial]; !known {
					since[l.Serial] = n
				}
				ended[l.Serial] = l.State
			}
		}
		// What ended is tried for two hundred steps more; then another device has its turns, for the four may all end early.
		for i, s := range serials {
			if at, over := since[s]; over && n-at == 200 {
				serials[i] = pos.Serial(fmt.Sprintf("S%d-%d", i+1, n))
			}
		}
	}
	if done < 300 {
		t.Errorf("only %d steps were taken", done)
	}
}
