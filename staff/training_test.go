package staff_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/pos"
	"touchstone/registry"
	"touchstone/staff"
)

const shop = "898310058120001"

var (
	shopID, _  = pos.ParseMerchantID(shop)
	otherID, _ = pos.ParseMerchantID("898310058120002")
	one, _     = pos.ParseOperator("001")
	two, _     = pos.ParseOperator("02")
	supporter  = []string{"chen"}
)

func bank(t testing.TB) *staff.Bank {
	t.Helper()
	b, err := staff.LoadBank()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sit takes a test and answers so many of its questions right.
func (r *room) sit(subject string, right int) *staff.Training {
	r.t.Helper()
	b := bank(r.t)
	r.seq++ // another seed each time
	begun, drafts, err := staff.BeginTraining(r.State, b, subject, fmt.Sprintf("seed of test %012d", r.seq), supporter, r.now)
	r.fold(drafts, err)
	done, wrong, drafts, err := staff.EndTraining(r.State, b, begun.ID, answers(b.Paper(begun.Seed), right), supporter, r.now)
	r.fold(drafts, err)
	if done.Right != right || len(wrong) != done.Questions-right {
		r.t.Fatalf("%d answered right, graded %d, %d topics wrong", right, done.Right, len(wrong))
	}
	return done
}

func answers(p staff.Paper, right int) map[string]string {
	given := map[string]string{}
	for i, q := range p.Questions {
		given[q.ID] = q.Right
		if i >= right {
			given[q.ID] = string(rune('a' + (q.Right[0]-'a'+1)%byte(len(q.Choices))))
		}
	}
	return given
}

func (r *room) add(m pos.MerchantID, o pos.Operator, name string) {
	r.t.Helper()
	r.fold(staff.AddCashier(r.State, m, o, name, supporter, r.now))
}

func (r *room) fact(want string, until pos.Instant) {
	r.t.Helper()
	f := r.CashierFact(shopID, "001", r.now)
	if f.Name != registry.FactCashier || f.State != want || f.Until != until {
		r.t.Errorf("the fact is %q until %d, want %q until %d", f.State, f.Until, want, until)
	}
	if bad := want == staff.CashierLapsed || want == staff.CashierUntrained; bad != (f.Restore != "") {
		r.t.Errorf("%s: what restores it is %q", want, f.Restore)
	}
}

// TestCashierFact walks one cashier from unknown to good, lapsed and back, left, and a successor.
func TestCashierFact(t *testing.T) {
	r := team(t)
	r.person("chen", "E-6", staff.Support)
	r.fact("", 0)
	r.add(shopID, one, "He Hua")
	r.fact(staff.CashierUntrained, 0)
	subject := staff.CashierActor(shopID, one)
	r.sit(subject, 9) // 75 %
	r.fact(staff.CashierUntrained, 0)
	passed := r.sit(subject, 10) // 83 %
	until := r.now + pos.Instant(staff.TrainingLife)
	if passed.Until != until || passed.State != staff.Passed {
		t.Fatalf("passed until %d", passed.Until)
	}
	r.fact(registry.Good, until)
	if f := r.CashierFact(shopID, "001", r.now); f.Entry != r.seq || f.Since != r.now {
		t.Errorf("the fact rests on entry %d of %d", f.Entry, r.seq)
	}
	r.sit(subject, 0) // a test failed later takes nothing away
	r.fact(registry.Good, until)
	r.now = until - 1
	r.fact(registry.Good, until)
	r.now = until
	r.fact(staff.CashierLapsed, 0)
	r.sit(subject, 12)
	r.fact(registry.Good, until+pos.Instant(staff.TrainingLife))
	r.after(time.Hour)
	r.fold(staff.LeaveCashier(r.State, shopID, one, supporter, r.now))
	r.fact(staff.CashierLeft, 0)
	r.after(time.Hour)
	r.add(shopID, one, "Ma Li")
	r.fact(staff.CashierUntrained, 0) // another person under the same number
	r.add(shopID, one, "Ma Li Li")    // written differently: the same person
	if r.Cashier(staff.CashierID(shopID, one)).Since != r.now {
		t.Error("a change of the name changed since when")
	}
	for name, c := range map[string]struct {
		m pos.MerchantID
		o string
	}{"another shop": {otherID, "001"}, "another number": {shopID, "002"}, "no number": {shopID, ""}, "no number at all": {shopID, "****"}, "too long": {shopID, "0001"}} {
		if f := r.CashierFact(c.m, c.o, r.now); f.State != "" || f.Name != registry.FactCashier {
			t.Errorf("%s: %q", name, f.State)
		}
	}
	r.add(shopID, two, "Two")
	if f := r.CashierFact(shopID, "02 ", r.now); f.State != staff.CashierUntrained {
		t.Errorf("a number as DE63.1 fills it up: %q", f.State)
	}
}

func TestPassMark(t *testing.T) {
	r := team(t)
	r.person("chen", "E-6", staff.Support)
	r.add(shopID, one, "He Hua")
	for right := range staff.PaperQuestions + 1 {
		want := staff.Failed
		if right*100 >= 80*staff.PaperQuestions {
			want = staff.Passed
		}
		if got := r.sit(staff.CashierActor(shopID, one), right); got.State != want || (got.Until != 0) != (want == staff.Passed) {
			t.Errorf("%d of %d: %s", right, got.Questions, got.State)
		}
	}
}

func TestTrainingRefusals(t *testing.T) {
	r := team(t)
	r.person("chen", "E-6", staff.Support)
	shopkeeper := account("keeper", "M-1", staff.Merchant)
	shopkeeper.Shop = "898310058120002"
	r.fold(staff.Register(r.State, &shopkeeper, "zhao", r.now))
	r.add(shopID, one, "He Hua")
	b, cashier := bank(t), staff.CashierActor(shopID, one)
	begin := func(subject, seed string, by ...string) error {
		_, _, err := staff.BeginTraining(r.State, b, subject, seed, by, r.now)
		return err
	}
	const seed = "0123456789abcdef"
	for name, err := range map[string]error{
		"nobody":                                begin(staff.CashierActor(shopID, two), seed, "chen"),
		"an unknown account":                    begin("account:nobody", seed, "chen"),
		"an empty subject":                      begin("", seed, "chen"),
		"a short seed":                          begin(cashier, seed[:15], "chen"),
		"another shop's own":                    begin(cashier, seed, cashier, "keeper"),
		"a course of oneself":                   second(staff.RecordTraining(r.State, "chen", staff.DeveloperTopic, "Go", supporter, r.now)),
		"a course of ours":                      second(staff.RecordTraining(r.State, "chen", staff.CounterTopic, "Go", []string{"zhao"}, r.now)),
		"a course, no name":                     second(staff.RecordTraining(r.State, "chen", staff.DeveloperTopic, " ", []string{"zhao"}, r.now)),
		"a course of nobody":                    second(staff.RecordTraining(r.State, "nobody", staff.DeveloperTopic, "Go", []string{"zhao"}, r.now)),
		"a cashier, no name":                    second(staff.AddCashier(r.State, shopID, two, "  ", supporter, r.now)),
		"a cashier whose name moves the cursor": second(staff.AddCashier(r.State, shopID, two, "a\x1b[31mb", supporter, r.now)),
		"a cashier whose name turns the line":   second(staff.AddCashier(r.State, shopID, two, "a\u202eb", supporter, r.now)),
		"a cashier, no number":                  second(staff.AddCashier(r.State, shopID, pos.Operator{}, "X", supporter, r.now)),
		"a cashier of another shop's own":       second(staff.AddCashier(r.State, shopID, two, "X", []string{"keeper"}, r.now)),
		"a leaver of another shop's own":        second(staff.LeaveCashier(r.State, shopID, one, []string{"keeper"}, r.now)),
		"a leaver whom nobody knows":            second(staff.LeaveCashier(r.State, shopID, two, supporter, r.now)),
		"guidance of another shop's own":        second(staff.ConfirmGuidance(r.State, shopID, "1.0", []string{"keeper"}, r.now)),
	} {
		if err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
	r.fold(staff.AddCashier(r.State, otherID, one, "Own", []string{"keeper"}, r.now)) // its own shop it may

	begun, drafts, err := staff.BeginTraining(r.State, b, cashier, seed, supporter, r.now)
	r.fold(drafts, err)
	all := answers(b.Paper(seed), 12)
	end := func() error {
		_, _, drafts, err := staff.EndTraining(r.State, b, begun.ID, all, supporter, r.now)
		if err == nil {
			r.fold(drafts, nil)
		}
		return err
	}
	r.after(staff.SittingLife)
	if err := end(); !errors.Is(err, staff.ErrClosed) {
		t.Errorf("answered too late: %v", err)
	}
	r.now--
	older := *b
	older.Version = "2025.9"
	if _, _, _, err := staff.EndTraining(r.State, &older, begun.ID, all, supporter, r.now); !errors.Is(err, staff.ErrClosed) {
		t.Errorf("answered by another bank: %v", err)
	}
	if err := end(); err != nil {
		t.Errorf("an instant before: %v", err)
	}
	if err := end(); !errors.Is(err, staff.ErrClosed) {
		t.Errorf("answered twice: %v", err)
	}
	if _, _, _, err := staff.EndTraining(r.State, b, "TRN-99", all, supporter, r.now); !errors.Is(err, staff.ErrClosed) {
		t.Errorf("a test nobody began: %v", err)
	}
	r.fold(staff.LeaveCashier(r.State, shopID, one, supporter, r.now))
	if err := begin(cashier, seed, "chen"); err == nil {
		t.Error("somebody who left began a test")
	}
}

func second[T any](_ T, err error) error { return err }

// TestNoAnswersKept: what the journal keeps of a test does not tell which answers were given.
func TestNoAnswersKept(t *testing.T) {
	r := team(t)
	r.person("chen", "E-6", staff.Support)
	r.add(shopID, one, "He Hua")
	done := r.sit(staff.CashierActor(shopID, one), 11)
	if done.Rule == "" || done.Bank == "" || done.Seed == "" || done.Right != 11 || done.Questions != 12 {
		t.Errorf("kept: %+v", done)
	}
	if fields := fmt.Sprintf("%+v", *done); strings.Contains(fields, "Q0") || strings.Contains(fields, "Q1") {
		t.Error("a question is named in what is kept")
	}
}

// The topics of the operators' training, PCI DSS 9.5.1.3 and those beside them; docs/design/016-people.md.
var wantTopics = []string{"repair_identity", "no_unverified_change", "suspicious_behaviour", "report_tampering", "own_model", "pin_privacy", "no_card_data",
	"refunds", "phishing", "passwords", "failure_codes", "network", "lost_device", "consumer_talk"}

func TestBank(t *testing.T) {
	b := bank(t)
	var topics, core []string
	for _, p := range b.Rule.Points {
		topics = append(topics, p.Topic)
		if p.Core {
			core = append(core, p.Topic)
		}
	}
	if !slices.Equal(topics, wantTopics) || !slices.Equal(core, wantTopics[:4]) || len(b.Questions) < 12 {
		t.Errorf("topics %v, core %v, %d questions", topics, core, len(b.Questions))
	}
	right := map[string]int{}
	for _, q := range b.Questions {
		right[q.Right]++
		for _, text := range append([]staff.Text{q.Text}, texts(q)...) {
			if text.ZH == text.EN || !strings.ContainsFunc(text.ZH, func(r rune) bool { return r > 0x2E80 }) {
				t.Errorf("%s: %q is no Chinese", q.ID, text.ZH)
			}
		}
	}
	for choice, n := range right {
		if n*2 > len(b.Questions) {
			t.Errorf("%d of %d right answers are %s", n, len(b.Questions), choice)
		}
	}
}

func texts(q staff.Question) (list []staff.Text) {
	for _, c := range q.Choices {
		list = append(list, c.Text)
	}
	return list
}

// TestPaper: every draw has twelve questions of twelve topics, the core ones among them, the same for a seed, and is
// graded as it was answered.
func TestPaper(t *testing.T) {
	b := bank(t)
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.StringMatching(`[0-9a-f]{32}`).Draw(t, "seed")
		p := b.Paper(seed)
		topics := map[string]bool{}
		for _, q := range p.Questions {
			topics[q.Topic] = true
		}
		for _, core := range wantTopics[:4] {
			if !topics[core] {
				t.Fatalf("%s is not asked", core)
			}
		}
		if len(p.Questions) != staff.PaperQuestions || len(topics) != staff.PaperQuestions {
			t.Fatalf("%d questions of %d topics", len(p.Questions), len(topics))
		}
		if again := b.Paper(seed); fmt.Sprint(again) != fmt.Sprint(p) {
			t.Fatal("the same seed draws another paper")
		}
		right := rapid.IntRange(0, staff.PaperQuestions).Draw(t, "right")
		if got, _ := p.Grade(answers(p, right)); got != right {
			t.Fatalf("%d right, graded %d", right, got)
		}
	})
}

// TestPapersDiffer: over 200 seeds every question and every place of the right choice comes up, in as many orders.
func TestPapersDiffer(t *testing.T) {
	b := bank(t)
	asked, places, orders := map[string]bool{}, map[int]bool{}, map[string]bool{}
	for n := range 200 {
		order := ""
		for _, q := range b.Paper(fmt.Sprintf("seed of paper %d", n)).Questions {
			asked[q.ID] = true
			order += q.ID
			places[slices.IndexFunc(q.Choices, func(c staff.Choice) bool { return c.ID == q.Right })] = true
		}
		orders[order] = true
	}
	if len(asked) != len(b.Questions) || len(places) != 4 || len(orders) != 200 {
		t.Errorf("%d of %d questions, %d places, %d orders", len(asked), len(b.Questions), len(places), len(orders))
	}
}

func TestParseBankRefuses(t *testing.T) {
	whole := func() *staff.Bank { return bank(t) }
	for name, damage := range map[string]func(b *staff.Bank) (old, new string){
		"no JSON":              func(*staff.Bank) (string, string) { return "{", "" },
		"an unknown member":    func(*staff.Bank) (string, string) { return `"version"`, `"verzion"` },
		"no version":           func(b *staff.Bank) (string, string) { return `"` + b.Version + `"`, `""` },
		"a right answer gone":  func(b *staff.Bank) (string, string) { return `"right": "c"`, `"right": "e"` },
		"a topic unknown":      func(*staff.Bank) (string, string) { return `"topic": "refunds"`, `"topic": "refund"` },
		"one language missing": func(b *staff.Bank) (string, string) { return b.Questions[0].Text.EN[:20], "" },
		"a number twice":       func(*staff.Bank) (string, string) { return `"Q02"`, `"Q01"` },
	} {
		raw := readBank(t)
		old, changed := damage(whole())
		text := strings.Replace(string(raw), old, changed, 1)
		if name == "one language missing" {
			text = strings.Replace(string(raw), jsonText(whole().Questions[0].Text.EN), `""`, 1)
		}
		if text == string(raw) {
			t.Fatalf("%s: nothing was damaged", name)
		}
		if _, err := staff.ParseBank([]byte(text)); !errors.Is(err, staff.ErrBank) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAnotherNameIsAnotherPerson: the training of a cashier does not pass to whoever gets the number next, also where
// nobody said that the first had left; the same name again keeps it.
func TestAnotherNameIsAnotherPerson(t *testing.T) {
	r := newRoom(t)
	r.add(shopID, one, "He Hua")
	r.sit(staff.CashierActor(shopID, one), 12)
	state := func() string { return string(r.CashierFact(shopID, "001", r.now).State) }
	r.after(time.Hour)
	r.add(shopID, one, " he  HUA ")
	if got := state(); got != string(registry.Good) {
		t.Fatalf("after the same name again: %q", got)
	}
	r.after(time.Hour)
	r.add(shopID, one, "Somebody Else")
	if got := state(); got != staff.CashierUntrained {
		t.Fatalf("another person under the number is %q", got)
	}
	r.after(time.Hour)
	r.sit(staff.CashierActor(shopID, one), 12)
	if got := state(); got != string(registry.Good) {
		t.Fatalf("and trained: %q", got)
	}
}
