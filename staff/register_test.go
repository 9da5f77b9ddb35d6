package staff_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"touchstone/pos"
	"touchstone/registry"
	"touchstone/staff"
)

func readBank(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile("bank.json")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func jsonText(s string) string {
	raw, _ := json.Marshal(s)
	return string(raw)
}

func FuzzParseBank(f *testing.F) {
	raw, err := os.ReadFile("bank.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"version":"1","rule":{"points":[{}]},"questions":[{}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if b, err := staff.ParseBank(raw); err == nil {
			if p := b.Paper("a seed of sixteen"); len(p.Questions) != staff.PaperQuestions {
				t.Errorf("a bank was taken that draws %d questions", len(p.Questions))
			}
		}
	})
}

func TestAccountFacts(t *testing.T) {
	r := newRoom(t)
	r.person("zhao", "E-1", staff.Administrator)
	r.person("qian", "E-2", staff.Security)
	facts := func() staff.AccountFacts { return r.AccountFacts(r.now) }
	if f := facts(); f.Accounts != 2 || f.Stale != nil || f.Shared != nil || f.Doubled != nil || f.Leavers != nil || !f.ReviewDue {
		t.Errorf("at first: %+v", f)
	}
	r.fold(staff.ReviewAccounts(r.State, "all known", []string{"zhao"}, r.now))
	if f := facts(); f.ReviewDue || f.LastReview != r.now || r.LastReview().Accounts != 2 {
		t.Errorf("after a review: %+v", f)
	}
	for name, c := range map[string]struct {
		prepare func(r *room)
		pick    func(f staff.AccountFacts) []string
		want    []string
	}{
		"a generic name":           {func(r *room) { r.person("pos", "E-5", staff.Field) }, func(f staff.AccountFacts) []string { return f.Shared }, []string{"pos"}},
		"a generic name, numbered": {func(r *room) { r.person("cashier-02", "E-5", staff.Field) }, func(f staff.AccountFacts) []string { return f.Shared }, []string{"cashier-02"}},
		"two accounts of a person": {func(r *room) { r.person("qian.2", "E-2", staff.Field) }, func(f staff.AccountFacts) []string { return f.Doubled }, []string{"qian", "qian.2"}},
		"one number, two names": {func(r *room) {
			a := account("qiang", "e2", staff.Field)
			a.FullName = "Somebody Else"
			r.fold(staff.Register(r.State, &a, "zhao", r.now))
		}, func(f staff.AccountFacts) []string { return f.Shared }, []string{"qian", "qiang"}},
		"an account of a leaver": {func(r *room) {
			r.fold(staff.Leave(r.State, "qian", []string{"zhao"}, r.now))
			r.person("qian.2", "E-2", staff.Field)
		}, func(f staff.AccountFacts) []string { return f.Leavers }, []string{"qian.2"}},
		"a day before it is stale": {func(r *room) { r.after(staff.StaleAfter - 1) }, func(f staff.AccountFacts) []string { return f.Stale }, nil},
		"stale":                    {func(r *room) { r.after(staff.StaleAfter) }, func(f staff.AccountFacts) []string { return f.Stale }, []string{"qian", "zhao"}},
		"stale but for one that was used": {func(r *room) {
			r.after(staff.StaleAfter)
			r.fold(staff.Use(r.State, "qian", 0, r.now))
		}, func(f staff.AccountFacts) []string { return f.Stale }, []string{"zhao"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			r.person("zhao", "E-1", staff.Administrator)
			r.person("qian", "E-2", staff.Security)
			c.prepare(r)
			if got := c.pick(r.AccountFacts(r.now)); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
	r.after(staff.ReviewWithin)
	if !facts().ReviewDue {
		t.Error("a review of half a year ago is not due")
	}
	disabled := newRoom(t)
	disabled.person("zhao", "E-1", staff.Administrator)
	disabled.person("root", "E-7", staff.Field)
	disabled.disable("root")
	if f := disabled.AccountFacts(disabled.now); f.Accounts != 1 || f.Shared != nil {
		t.Errorf("a disabled account counts: %+v", f)
	}
}

func TestRegisters(t *testing.T) {
	r := team(t)
	r.person("chen", "E-6", staff.Support)
	r.person("gao", "E-8", staff.Developer)
	r.add(shopID, one, "He Hua")
	r.add(shopID, two, "Two")
	r.add(otherID, one, "Other")
	r.sit(staff.CashierActor(shopID, one), 12)
	r.sit("account:chen", 10)
	r.fold(staff.RecordTraining(r.State, "gao", staff.DeveloperTopic, "Secure Go", []string{"zhao"}, r.now))
	states := func(list []staff.Standing) (s []string) {
		for _, x := range list {
			s = append(s, x.Subject+" "+x.State)
		}
		return s
	}
	if got := states(r.CashierRegister(shop, r.now)); !slices.Equal(got, []string{"cashier:" + shop + "/001 good", "cashier:" + shop + "/02 untrained"}) {
		t.Errorf("the shop: %v", got)
	}
	if got := r.CashierRegister("", r.now); len(got) != 3 || got[0].Right != 12 || got[0].Until != r.now+pos.Instant(staff.TrainingLife) {
		t.Errorf("all shops: %v", got)
	}
	if got := states(r.StaffRegister(staff.DeveloperTopic, r.now)); !slices.Equal(got, []string{"account:gao good"}) {
		t.Errorf("developers: %v", got)
	}
	awareness := states(r.StaffRegister(staff.CounterTopic, r.now))
	if !slices.Contains(awareness, "account:chen good") || !slices.Contains(awareness, "account:gao untrained") {
		t.Errorf("everybody: %v", awareness)
	}
	r.after(staff.TrainingLife)
	if got := states(r.StaffRegister(staff.DeveloperTopic, r.now)); !slices.Equal(got, []string{"account:gao lapsed"}) {
		t.Errorf("a year later: %v", got)
	}
	r.fold(staff.LeaveCashier(r.State, shopID, two, supporter, r.now))
	if got := r.CashierRegister(shop, r.now); got[0].State != staff.CashierLapsed || got[1].State != staff.CashierLeft {
		t.Errorf("a year later: %v", got)
	}
	r.fold(staff.ConfirmGuidance(r.State, shopID, "1.0", supporter, r.now))
	if g := r.Guided(shop); g == nil || g.Rule != "1.0" || !slices.Equal(r.Shops(), []string{shop, otherID.String()}) {
		t.Errorf("guidance: %+v", g)
	}
}

// TestPassesSurviveAnyOrder: a start may fold an older training after a newer; the pass that counts longest counts.
func TestPassesSurviveAnyOrder(t *testing.T) {
	r := team(t)
	r.person("chen", "E-6", staff.Support)
	r.add(shopID, one, "He Hua")
	subject := staff.CashierActor(shopID, one)
	r.sit(subject, 12)
	r.after(30 * 24 * time.Hour)
	r.sit(subject, 12)
	want := r.CashierFact(shopID, "001", r.now)
	for _, tr := range r.Trainings() {
		raw, err := json.Marshal(tr)
		if err != nil {
			t.Fatal(err)
		}
		r.foldRaw(staff.NounTraining, tr.ID, raw)
	}
	if got := r.CashierFact(shopID, "001", r.now); got.Until != want.Until || got.State != registry.Good {
		t.Errorf("after folding again: %+v", got)
	}
}

func TestTerminalPasswords(t *testing.T) {
	r := team(t)
	p := r.TerminalPasswords()
	if p != staff.DefaultTerminalPasswords() || !p.Required {
		t.Errorf("at first: %+v", p)
	}
	for name, change := range map[string]func(p *staff.TerminalPasswords){
		"five characters": func(p *staff.TerminalPasswords) { p.OperatorMin = 5 }, "an administrator's of seven": func(p *staff.TerminalPasswords) { p.AdministratorMin = 7 },
		"four former": func(p *staff.TerminalPasswords) { p.Former = 4 }, "no tries": func(p *staff.TerminalPasswords) { p.Tries = 0 },
		"eleven tries": func(p *staff.TerminalPasswords) { p.Tries = 11 }, "no wait": func(p *staff.TerminalPasswords) { p.WaitSeconds = 9 }, "a negative age": func(p *staff.TerminalPasswords) { p.MaxAgeDays = -1 },
	} {
		weak := p
		change(&weak)
		if _, err := staff.SetTerminalPasswords(r.State, weak, []string{"qian"}, r.now); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	p.MaxAgeDays = 30
	r.fold(staff.SetTerminalPasswords(r.State, p, []string{"qian"}, r.now))
	if got := r.TerminalPasswords(); got.MaxAgeDays != 30 || got.Version != "2" {
		t.Errorf("changed: %+v", got)
	}
	r.fold(staff.SetTerminalPasswords(r.State, p, []string{"qian"}, r.now))
	if got := r.TerminalPasswords(); got.Version != "3" {
		t.Errorf("changed again: %+v", got)
	}
}
