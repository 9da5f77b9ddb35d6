package main

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/lab"
	"touchstone/pos"
	"touchstone/staff"
	"touchstone/terminal"
)

// listed examines the requirements and lists them by id.
func (d *labDesk) listed(t *testing.T) map[string]operationResult {
	t.Helper()
	list, err := d.e.examineOperations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]operationResult{}
	for _, o := range list {
		by[o.Requirement] = o
	}
	return by
}

// TestEveryAutomaticRequirementIsListed: the list of checks is the catalogue's automatic requirements of operations
// and personnel, each once, in its order.
func TestEveryAutomaticRequirementIsListed(t *testing.T) {
	c, err := lab.LoadCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, r := range c.Requirements {
		if !r.Automated || r.Area != "operations" && r.Area != "personnel" {
			continue
		}
		if at >= len(operationChecks) || operationChecks[at].id != r.ID {
			t.Fatalf("%s is not listed in its place", r.ID)
		}
		at++
	}
	if at != len(operationChecks) || at != 24 {
		t.Errorf("%d requirements, %d checks", at, len(operationChecks))
	}
}

// TestOperationsOneByOne lists how the records of a test data directory satisfy each automatic requirement of
// operations and personnel: as it is seeded, and after the product's own acts did what was missing. What cannot be
// satisfied here is said, and never passed.
func TestOperationsOneByOne(t *testing.T) {
	if testing.Short() {
		t.Skip("in full without the race detector")
	}
	d := newLabDeskOf(t, rigOptions{change: func(o *engineOptions) { o.guard.witnesses = []string{filepath.Join(t.TempDir(), "witness")} }})
	d.e.kernel = func() (kernelClock, error) { return kernelClock{Synchronised: true, Error: 3 * time.Millisecond}, nil }
	want := map[string][2]operationState{
		"POSC-OP-01": {opSatisfied, opSatisfied},
		"POSC-OP-02": {opPartly, opPartly}, // the seeded inspections have no photographs
		"POSC-OP-03": {opPartly, opPartly}, // the clearing body's extract
		"POSC-OP-04": {opNotSatisfied, opSatisfied},
		"POSC-OP-05": {opSatisfied, opSatisfied},
		"POSC-OP-06": {opNotSatisfied, opSatisfied},
		"POSC-OP-07": {opSatisfied, opSatisfied},
		"POSC-OP-08": {opSatisfied, opSatisfied},
		"POSC-OP-09": {opNotSatisfied, opPartly}, // where the kernel says that the clock is kept; no second source is asked
		"POSC-OP-10": {opPartly, opPartly},       // failed MACs of one terminal suspend nothing
		"POSC-OP-11": {opSatisfied, opSatisfied},
		"POSC-OP-12": {opPartly, opPartly}, // of a test data directory
		"POSC-OP-13": {opPartly, opPartly}, // of a test data directory
		"POSC-OP-14": {opSatisfied, opSatisfied},
		"POSC-OP-15": {opNotSatisfied, opSatisfied},
		"POSC-OP-16": {opNotSatisfied, opPartly},
		"POSC-OP-17": {opNotSatisfied, opPartly}, // a device without a certificate cannot report
		"POSC-OP-18": {opNotSatisfied, opSatisfied},
		"POSC-OP-24": {opNotSatisfied, opNotSatisfied},
		"POSC-PE-01": {opNotSatisfied, opSatisfied},
		"POSC-PE-02": {opNotSatisfied, opSatisfied},
		"POSC-PE-03": {opNotApplicable, opNotApplicable},
		"POSC-PE-06": {opNotSatisfied, opSatisfied},
		"POSC-PE-09": {opNotSatisfied, opSatisfied},
	}
	look := func(at int, when string) {
		t.Helper()
		by := d.listed(t)
		for _, c := range operationChecks {
			o := by[c.id]
			t.Logf("%s: %s %s: %s", when, c.id, o.State, o.Why.EN)
			if o.State != want[c.id][at] {
				t.Errorf("%s: %s is %s, want %s: %s", when, c.id, o.State, want[c.id][at], o.Why.EN)
			}
			if o.Why.EN == "" || o.Why.ZH == "" || strings.Contains(o.Why.EN+o.Why.ZH, "%!") {
				t.Errorf("%s: %s has no words: %+v", when, c.id, o.Why)
			}
		}
	}
	look(0, "as seeded")
	d.sellAndRefund(t)
	d.teachEverybody(t)
	d.reportHealth(t)
	d.carryAway(t)
	for i, model := range []string{"Sample S10", "Sample S15", "Sample S20", badModel, "Sample S30", "Sample V1"} {
		d.examine(t, labSample{Model: model, Application: sampleApp}, fmt.Sprintf("SCP-%d", i+1))
	}
	d.do(t, &scIssue{actFlags: d.as("wu", "zheng"), Run_: "RUN-1"})
	look(1, "after the acts")
	d.e.test = false
	if o := d.listed(t)["POSC-OP-13"]; o.State != opSatisfied {
		t.Errorf("of a data directory with keys of its own: OP-13 is %s: %s", o.State, o.Why.EN)
	}
	d.e.test = true
	for name, k := range map[string]kernelClock{"not kept": {Error: 16 * time.Second}, "kept badly": {Synchronised: true, Error: 2 * time.Second}} {
		d.e.kernel = func() (kernelClock, error) { return k, nil }
		if o := d.listed(t)["POSC-OP-09"]; o.State != opNotSatisfied {
			t.Errorf("the clock is %s: %s: %s", name, o.State, o.Why.EN)
		}
	}
}

// sellAndRefund makes money move.
func (d *labDesk) sellAndRefund(t *testing.T) {
	t.Helper()
	card, err := cardOf(cards()[7])
	if err != nil {
		t.Fatal(err)
	}
	defer card.Wipe()
	x := d.shopTerminal(t, staffTerminals()[0], time.Now)
	sold, err := x.Sale(t.Context(), card, 1000)
	if err != nil || !sold.Approved {
		t.Fatalf("sale %s, %v", sold.DE39, err)
	}
	if back, err := x.Refund(t.Context(), card, terminal.Original{RRN: sold.RRN, Date: monthDay(x.Clock())}, 400); err != nil || !back.Approved {
		t.Fatalf("refund %s, %v", back.DE39, err)
	}
}

// carryAway has a shop's terminal sell 50 km from where it is registered: it is refused, and a case is opened.
func (d *labDesk) carryAway(t *testing.T) {
	t.Helper()
	card, err := cardOf(cards()[8])
	if err != nil {
		t.Fatal(err)
	}
	defer card.Wipe()
	s := staffTerminals()[2]
	away := s
	circle := *s.place
	circle.Latitude += 450_000 // 50 km north
	away.place = &circle
	sold, err := d.shopTerminal(t, away, time.Now).Sale(t.Context(), card, 1000)
	if err != nil || sold.Approved || sold.DE39 != pos.Code("58") {
		t.Fatalf("a sale from 50 km away: %s, %v", sold.DE39, err)
	}
	until(t, "the case of a terminal that was carried away", func() (is bool) {
		d.e.office.view(func(r *rooms) {
			for _, i := range r.incident.Incidents() {
				is = is || i.Kind == "moved" && slices.Contains(i.Scope.Terminals, s.id.String())
			}
		})
		return is
	})
}

// reportHealth has every terminal with a device certificate report its health over HTTPS.
func (d *labDesk) reportHealth(t *testing.T) {
	t.Helper()
	flags := tlsDefaults()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop, err := d.e.serveHTTPS(&flags, ln)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	crowd := &crowdOf{host: d.addr, tls: d.tls, https: "https://" + ln.Addr().String(), state: t.TempDir(), log: d.e.log}
	for _, s := range append(staffTerminals(), visitors()...) {
		if s.tls {
			if err := crowd.reportHealth(t.Context(), s, terminalOwn{version: sampleApp}); err != nil {
				t.Fatalf("%s: %v", s.id, err)
			}
		}
	}
}

// teachEverybody trains cashiers and accounts, has the shops confirm the rule, ends a person's second account and
// reviews the rest.
func (d *labDesk) teachEverybody(t *testing.T) {
	t.Helper()
	bank, err := staff.LoadBank()
	if err != nil {
		t.Fatal(err)
	}
	right := map[string]string{}
	for _, q := range bank.Questions {
		right[q.ID] = q.Right
	}
	teach := func(step trainingChange, by string) {
		t.Helper()
		step.Do = trainBegin
		begun, err := d.e.changeTraining(t.Context(), &step, []string{by})
		if err != nil {
			t.Fatal(err)
		}
		step.Do, step.ID, step.Answers = trainEnd, begun.Facts["training"], right
		if _, err := d.e.changeTraining(t.Context(), &step, []string{by}); err != nil {
			t.Fatal(err)
		}
	}
	second := samplePeople[9]
	if second.Name != "zheng.2" {
		t.Fatal("the second account of a person is another")
	}
	second.Disabled = true
	if _, err := d.e.changeAccount(t.Context(), &accountChange{Account: second}, []string{"zhao"}); err != nil {
		t.Fatal(err)
	}
	teach(trainingChange{Merchant: sampleMerchant(1).String(), Operator: "002"}, "chen")
	for _, a := range samplePeople {
		if a.Name != second.Name {
			teach(trainingChange{Account: a.Name}, a.Name)
		}
	}
	for _, m := range d.e.ledger.Merchants() {
		if _, err := d.e.changeTraining(t.Context(), &trainingChange{Do: trainConfirm, Merchant: m.ID.String()}, []string{"chen"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.e.changePersonnel(t.Context(), &personnelChange{Review: true}, []string{"zhao"}); err != nil {
		t.Fatal(err)
	}
}

// TestOperationsSeeWhatIsWrong: records that are wrong in one way are not satisfied, where they were before.
func TestOperationsSeeWhatIsWrong(t *testing.T) {
	d := newLabDesk(t)
	d.sellAndRefund(t)
	was := d.listed(t)
	o := &operations{ctx: t.Context(), e: d.e, now: d.e.clock()}
	if err := o.readJournal(); err != nil {
		t.Fatal(err)
	}
	if err := o.readRegister(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		id     string
		change func(o *operations)
	}{
		"a sale refunded beyond its amount": {"POSC-OP-15", func(o *operations) {
			for seq := range o.sold {
				o.refunded[seq] += 10_000
			}
		}},
		"a refusal without a field": {"POSC-OP-06", func(o *operations) { o.refused, o.incomplete = 5, 1 }},
		"half a year without a sale": {"POSC-OP-05", func(o *operations) {
			o.now = o.now.Add(183 * 24 * time.Hour)
		}},
		"inspections overdue": {"POSC-OP-02", func(o *operations) { o.now = o.now.Add(400 * 24 * time.Hour) }},
		"a terminal of no device": {"POSC-OP-01", func(o *operations) {
			stray := *o.terminals[0]
			stray.Serial = "X"
			o.terminals = append(o.terminals, &stray)
		}},
		"a broken chain": {"POSC-OP-07", func(o *operations) { o.chain = errLabCheck }},
	} {
		changed := *o
		changed.sold, changed.refunded, changed.undone = o.sold, map[uint64]pos.Amount{}, o.undone
		for k, v := range o.refunded {
			changed.refunded[k] = v
		}
		c.change(&changed)
		var got operationState
		d.e.office.view(func(r *rooms) {
			changed.r = r
			for _, k := range operationChecks {
				if k.id == c.id {
					got, _ = k.check(&changed)
				}
			}
		})
		if got != opNotSatisfied {
			t.Errorf("%s: %s is %s", name, c.id, got)
		}
		if c.id != "POSC-OP-06" && was[c.id].State == opNotSatisfied {
			t.Errorf("%s: %s was not satisfied before: %s", name, c.id, was[c.id].Why.EN)
		}
	}
}
