package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/keys"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
	"touchstone/staff"
)

// peopleHouse is a seeded test data directory that is opened again and again.
type peopleHouse struct {
	t   *testing.T
	dir string
	now atomic.Int64 // added to the machine's clock, nanoseconds; the engine's own goroutines read it too
	*engine
}

func newPeopleHouse(t *testing.T) *peopleHouse {
	t.Helper()
	h := &peopleHouse{t: t, dir: filepath.Join(t.TempDir(), "data")}
	if err := makeTestDirectory(h.dir, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	h.reopen()
	if err := h.seed(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// reopen ends the program, without anything that it had still in mind, and starts it again.
func (h *peopleHouse) reopen() {
	h.t.Helper()
	if h.engine != nil {
		if err := h.close(); err != nil {
			h.t.Fatal(err)
		}
	}
	clock := monotonic()
	e, err := openEngine(engineOptions{dir: h.dir, lock: testLock(h.dir), policy: proof.DefaultPolicy(), ledger: ledger.DefaultOptions(), zone: time.UTC,
		log: slog.New(slog.DiscardHandler), clock: func() pos.Instant { return clock() + pos.Instant(h.now.Load()) }})
	if err != nil {
		h.t.Fatal(err)
	}
	h.engine = e
}

// as is the proof of a sample account by its published passphrase.
func (h *peopleHouse) as(name string) credential {
	return credential{Name: name, PassphraseFile: filepath.Join(h.dir, sampleStaffDirectory, name+".pass")}
}

// ownKey gives a person an account with a key that openssl made, and returns the files of both halves.
func (h *peopleHouse) ownKey(name string) (private, public string) {
	h.t.Helper()
	private, public = filepath.Join(h.t.TempDir(), "key.pem"), filepath.Join(h.t.TempDir(), "pub.pem")
	for _, args := range [][]string{{"genpkey", "-algorithm", "ed25519", "-out", private}, {"pkey", "-in", private, "-pubout", "-out", public}} {
		if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
			h.t.Fatalf("openssl %s: %v: %s", args[0], err, out)
		}
	}
	key, err := readPublicKey(public)
	if err != nil {
		h.t.Fatal(err)
	}
	account := staff.Account{Name: name, FullName: "Key " + name, Person: "K-" + name, Organisation: sampleAcquirer, Roles: []staff.Role{staff.Security, staff.Field}, Key: key}
	if _, err := h.apply(h.t.Context(), change{Account: &accountChange{Account: account}, By: []credential{h.as("zhao")}}); err != nil {
		h.t.Fatal(err)
	}
	return private, public
}

func merchantAct(id string) change {
	return change{Merchant: &merchantChange{ID: id, Name: "A shop", Networks: []string{"any"}}}
}

// TestSignatureWitness: what a person's own key signs is checked by openssl alone, and openssl's own signature of
// the same text is taken by the host.
func TestSignatureWitness(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("NOT RUN: openssl is not installed")
	}
	h := newPeopleHouse(t)
	private, public := h.ownKey("kong")
	c := merchantAct("898310058127001")
	flags := staffFlags{As: "kong", AsKey: private}
	if err := flags.sign(h.dir, &c); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text, err := signedText(c, "kong", c.By[0].At)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	message := write("text", text)
	out, err := exec.Command("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in", message, "-sigfile", write("sig", c.By[0].Signature)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Verified Successfully") {
		t.Errorf("openssl says: %v: %s", err, out)
	}
	c.By[0].At++
	if text, err = signedText(c, "kong", c.By[0].At); err != nil {
		t.Fatal(err)
	}
	signature := filepath.Join(dir, "theirs")
	if out, err := exec.Command("openssl", "pkeyutl", "-sign", "-inkey", private, "-rawin", "-in", write("text", text), "-out", signature).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if c.By[0].Signature, err = os.ReadFile(signature); err != nil {
		t.Fatal(err)
	}
	if _, err := h.apply(t.Context(), c); err != nil {
		t.Errorf("a signature that openssl made: %v", err)
	}
}

// TestSignatures: one that is altered, of another act, too old, too far ahead or given before is refused, the last
// also after a start.
func TestSignatures(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("NOT RUN: openssl is not installed")
	}
	h := newPeopleHouse(t)
	private, _ := h.ownKey("kong")
	flags := staffFlags{As: "kong", AsKey: private}
	signed := func() change {
		c := merchantAct("898310058127001")
		if err := flags.sign(h.dir, &c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for name, damage := range map[string]func(c *change){
		"a bit altered":      func(c *change) { c.By[0].Signature[7] ^= 1 },
		"short":              func(c *change) { c.By[0].Signature = c.By[0].Signature[:63] },
		"of another act":     func(c *change) { c.Merchant.Name = "Another shop" },
		"at another instant": func(c *change) { c.By[0].At++ },
		"of another account": func(c *change) { c.By[0].Name = "qian" },
		"of nobody":          func(c *change) { c.By[0].Name = "nobody" },
	} {
		c := signed()
		damage(&c)
		if _, err := h.apply(t.Context(), c); !errors.Is(err, staff.ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := signed()
	for ahead, want := range map[time.Duration]error{signatureLife + time.Minute: staff.ErrUnknown, -signatureLife - time.Minute: staff.ErrUnknown} {
		h.now.Store(int64(ahead))
		if _, err := h.apply(t.Context(), c); !errors.Is(err, want) {
			t.Errorf("the host's clock %s away: %v", ahead, err)
		}
	}
	h.now.Store(0)
	if _, err := h.apply(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	before := h.durable()
	for _, when := range []string{"at once", "after a start"} {
		if _, err := h.apply(t.Context(), c); !errors.Is(err, staff.ErrUnknown) {
			t.Errorf("given again %s: %v", when, err)
		}
		if got := h.durable(); got != before+1 {
			t.Errorf("%d entries %s, want the refusal alone", got-before, when)
		}
		before++
		h.reopen()
	}
	if _, err := h.apply(t.Context(), signed()); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

// durable is the number of the newest entry.
func (h *peopleHouse) durable() uint64 { return h.ledger.Durable() }

// refusals counts refused acts of a verb in the journal.
func (h *peopleHouse) refusals(verb string) (n int) {
	h.t.Helper()
	for seq := uint64(1); seq <= h.durable(); seq++ {
		entry, err := h.store.Entry(h.t.Context(), seq)
		if err != nil {
			h.t.Fatal(err)
		}
		var act journal.Act
		if entry.Kind.OfActs() && json.Unmarshal(entry.Body, &act) == nil && act.Verb == verb && act.Refused != "" {
			n++
		}
	}
	return n
}

// releaseAct is an act that needs two people and cannot be carried out twice.
func (h *peopleHouse) releaseAct() change {
	h.t.Helper()
	dir := h.t.TempDir()
	var files []string
	for part, digits := range map[string]string{"one": "0123456789ABCDEFFEDCBA9876543210", "two": "1C587F1C13924FEF08D3B5A7C2E64919"} {
		path := filepath.Join(dir, part)
		if err := os.WriteFile(path, []byte(digits), 0o600); err != nil {
			h.t.Fatal(err)
		}
		files = append(files, path)
	}
	return change{Release: &releaseChange{Serial: string(sampleSerial(11)), Terminal: sampleID(11).String(), Components: files}}
}

func (h *peopleHouse) loadings() uint32 {
	h.t.Helper()
	d, err := h.ledger.Device(sampleSerial(11))
	if err != nil {
		h.t.Fatal(err)
	}
	return d.MasterTerms
}

// TestKilledAfterApproval: the program ends between an approval and what was approved; the same word given again
// carries it out, once.
func TestKilledAfterApproval(t *testing.T) {
	h := newPeopleHouse(t)
	ctx := t.Context()
	start := h.loadings()
	for name, approve := range map[string]func() string{
		"approved later": func() string {
			c := h.releaseAct()
			c.By = []credential{h.as("qian")}
			told, err := h.apply(ctx, c)
			if err != nil || told.Proposal == "" {
				t.Fatal(err)
			}
			if err := h.agree(ctx, told.Proposal, "sun", true); err != nil {
				t.Fatal(err)
			}
			return told.Proposal
		},
		"both at once": func() string {
			c := h.releaseAct()
			c.By = []credential{h.as("qian"), h.as("sun")}
			if _, proposed, err := h.admit(ctx, &c); err != nil || proposed {
				t.Fatal(err)
			}
			return c.proposal
		},
	} {
		id := approve()
		h.reopen()
		if h.loadings() != start {
			t.Fatalf("%s: carried out before", name)
		}
		other := change{Approve: &approveChange{ID: id}, By: []credential{h.as("qian")}}
		if _, err := h.apply(ctx, other); err == nil {
			t.Errorf("%s: the proposer's word carried it out", name)
		}
		again := change{Approve: &approveChange{ID: id}, By: []credential{h.as("sun")}}
		var wait sync.WaitGroup
		var mu sync.Mutex
		done, last := 0, error(nil)
		for range 8 { // the same word eight times at once
			wait.Go(func() {
				_, err := h.apply(ctx, again)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					done++
				} else {
					last = err
				}
			})
		}
		wait.Wait()
		if done != 1 || h.loadings() != start+1 {
			t.Errorf("%s: carried out %d times, %d loadings: %v", name, done, h.loadings()-start, last)
		}
		if _, err := h.apply(ctx, again); !errors.Is(err, staff.ErrClosed) {
			t.Errorf("%s: once more: %v", name, err)
		}
		// The next round needs another master key: load the first again.
		old := h.masterBefore()
		if err := h.ledger.Register(ctx, h.clock(), old...); err != nil {
			t.Fatal(err)
		}
		start = h.loadings()
	}
}

// masterBefore is the sample terminal with its published master key again.
func (h *peopleHouse) masterBefore() []any {
	h.t.Helper()
	terminal, err := h.ledger.Terminal(sampleID(11))
	if err != nil {
		h.t.Fatal(err)
	}
	device, err := h.ledger.Device(sampleSerial(11))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, s := range staffTerminals() {
		if s.id != terminal.ID {
			continue
		}
		again, d := *terminal, *device
		d.MasterTerms++
		var err error
		if again.Master, again.MasterKCV, err = h.form(h.t.Context(), keys.OfTerminal(s.id.String()), keys.TerminalMaster, keys.CipherOf(s.code), s.masterKey()); err != nil {
			h.t.Fatal(err)
		}
		return []any{&again, &d}
	}
	h.t.Fatal("no such sample terminal")
	return nil
}

// TestTwoAccountsOfOnePerson: the laboratory's assessor with two accounts is one person, at once and later, and both
// refusals stand in the journal.
func TestTwoAccountsOfOnePerson(t *testing.T) {
	h := newPeopleHouse(t)
	for _, second := range []string{"zheng", "zheng.2"} {
		a, b := h.account("zheng"), h.account(second)
		if !staff.SamePerson(a, b) {
			t.Fatalf("%s is another person", second)
		}
	}
	c := h.releaseAct()
	c.By = []credential{h.as("zheng"), h.as("zheng.2")}
	if _, err := h.apply(t.Context(), c); !errors.Is(err, staff.ErrRole) {
		t.Errorf("assessors release a device: %v", err)
	}
	for _, name := range []string{"zheng", "zheng.2"} { // the role, for the sake of the test
		a := *h.account(name)
		a.Roles = []staff.Role{staff.Security}
		if _, err := h.apply(t.Context(), change{Account: &accountChange{Account: a}, By: []credential{h.as("zhao")}}); err != nil {
			t.Fatal(err)
		}
	}
	c = h.releaseAct()
	c.By = []credential{h.as("zheng"), h.as("zheng.2")}
	if _, err := h.apply(t.Context(), c); !errors.Is(err, staff.ErrSame) {
		t.Errorf("both at once: %v", err)
	}
	c.By = c.By[:1]
	c.actors = nil
	told, err := h.apply(t.Context(), c)
	if err != nil || told.Proposal == "" {
		t.Fatal(err)
	}
	if _, err := h.apply(t.Context(), change{Approve: &approveChange{ID: told.Proposal}, By: []credential{h.as("zheng.2")}}); !errors.Is(err, staff.ErrSame) {
		t.Errorf("later: %v", err)
	}
	if h.refusals("device_release") != 2 || h.refusals("approve") != 1 {
		t.Errorf("%d and %d refusals in the journal", h.refusals("device_release"), h.refusals("approve"))
	}
}

func (h *peopleHouse) account(name string) (a *staff.Account) {
	h.office.view(func(r *rooms) { a = r.staff.Account(name) })
	return a
}

// TestDutyMatrix asks for every act under every role and anonymously, where no act is free: the answer is that of
// the table, and what the table does not name is refused.
func TestDutyMatrix(t *testing.T) {
	h := newPeopleHouse(t)
	h.test = false // as in a data directory of real keys
	for _, role := range staff.Roles {
		a := staff.Account{Name: "one." + strings.ReplaceAll(string(role), "_", "-"), FullName: "One " + string(role), Person: "R-" + string(role), Organisation: sampleAcquirer,
			Roles: []staff.Role{role}, Shop: "898310058120001", Passphrase: h.account("qian").Passphrase}
		if err := h.act(t.Context(), func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
			return staff.Register(r.staff, &a, "zhao", now)
		}); err != nil {
			t.Fatal(err)
		}
	}
	acts := dutyActs()
	for name, c := range acts {
		d, known := c.duty()
		if !known {
			t.Fatalf("%s has no duty", name)
		}
		if _, _, err := h.admit(t.Context(), &c); d.own != (err == nil) {
			t.Errorf("%s by nobody: %v", name, err)
		}
		for _, role := range staff.Roles {
			by := c
			by.By = []credential{{Name: "one." + strings.ReplaceAll(string(role), "_", "-"), PassphraseFile: h.as("qian").PassphraseFile}}
			_, err := h.proveAll(t.Context(), &by, d)
			may := len(d.roles) == 0
			for _, r := range d.roles {
				may = may || r == role
			}
			if may != (err == nil) || !may && !errors.Is(err, staff.ErrRole) {
				t.Errorf("%s by %s: %v", name, role, err)
			}
		}
	}
	if _, known := (&change{}).duty(); known {
		t.Error("nothing at all has a duty")
	}
	if _, known := (&change{Loss: &lossChange{}}).duty(); known {
		t.Error("a loss is accepted while a host runs")
	}
}

// TestUseIsNoted: whoever acts is known to have acted that day.
func TestUseIsNoted(t *testing.T) {
	h := newPeopleHouse(t)
	if h.account("li").LastUsed != 0 {
		t.Fatal("used before")
	}
	c := merchantAct("898310058127001")
	c.By = []credential{h.as("li")}
	if _, err := h.apply(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	at := h.account("li").LastUsed
	if at == 0 {
		t.Fatal("the use was not noted")
	}
	if _, err := h.apply(t.Context(), c); err != nil || h.account("li").LastUsed != at {
		t.Errorf("noted again the same day: %v", err)
	}
	h.now.Store(int64(pos.Instant(staff.StaleAfter) + at))
	var f staff.AccountFacts
	h.office.view(func(r *rooms) { f = r.staff.AccountFacts(h.clock()) })
	if len(f.Stale) == 0 || len(f.Doubled) != 2 {
		t.Errorf("a quarter later: %+v", f)
	}
}

// TestRegisterQuestion: the personnel requirements of the catalogue find their records in one answer.
func TestRegisterQuestion(t *testing.T) {
	h := newPeopleHouse(t)
	raw, err := h.respond(t.Context(), change{Register: &registerQuery{}})
	if err != nil {
		t.Fatal(err)
	}
	r, ok := raw.(registerAnswer)
	if !ok || len(r.Cashiers) != sampleShops+2 || len(r.Facts) != len(r.Cashiers) || r.Accounts.Accounts != len(samplePeople) || r.Rule == "" {
		t.Fatalf("%d cashiers, %d facts, %d accounts", len(r.Cashiers), len(r.Facts), r.Accounts.Accounts)
	}
	good := 0
	for i, s := range r.Cashiers {
		if s.State == registry.Good && r.Facts[i].State == registry.Good {
			good++
		}
	}
	if good != sampleShops+1 {
		t.Errorf("%d trained cashiers", good)
	}
}

// dutyActs is one change of every kind that a duty names.
func dutyActs() map[string]change {
	return map[string]change{
		"merchant": merchantAct("898310058127001"), "device": {Device: &deviceChange{}}, "terminal": {Terminal: &terminalChange{}}, "card": {Card: &cardChange{}},
		"release": {Release: &releaseChange{}}, "certificate": {Certificate: &certificateChange{}}, "crl": {CRL: &crlChange{}}, "finding": {Finding: &findingChange{}},
		"resume": {Resume: &resumeChange{}}, "account": {Account: &accountChange{}}, "cashier": {Cashier: &cashierChange{}}, "personnel": {Personnel: &personnelChange{}},
		"passphrase": {Passphrase: &passphraseChange{}}, "passwords": {Passwords: &passwordsChange{}},
		"test of a cashier": {Training: &trainingChange{Do: trainBegin}}, "test of an account": {Training: &trainingChange{Do: trainBegin, Account: "li"}},
		"course": {Training: &trainingChange{Do: trainRecord, Account: "li"}}, "guidance": {Training: &trainingChange{Do: trainConfirm}},
	}
}

// TestPINReminder: PINs older than the policy raise one event, which names no card; younger ones and no policy none.
func TestPINReminder(t *testing.T) {
	h := newPeopleHouse(t)
	reminders := func() (list []journal.Event) {
		all, err := h.store.Events(t.Context(), 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if e.Name == eventOldPINs {
				list = append(list, e.Event)
			}
		}
		return list
	}
	if r := h.oldPINs(&pinsQuery{365}); r.Count != 0 || len(reminders()) != 0 {
		t.Errorf("%d of the new cards are old", r.Count)
	}
	h.now.Store(365 * int64(day))
	r := h.oldPINs(&pinsQuery{365})
	if r.Count != len(cards()) || len(r.Cards) != r.Count || !strings.Contains(r.Cards[0].Card, "******") || r.Cards[0].Days != 365 {
		t.Errorf("a year later %d of %d cards", r.Count, len(cards()))
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	h.startPINReminder(ctx, 0)
	h.startPINReminder(ctx, 366)
	h.startPINReminder(ctx, 365)
	for limit := time.Now().Add(patience); len(reminders()) == 0; {
		if time.Now().After(limit) {
			t.Fatal("nobody was reminded")
		}
		time.Sleep(time.Millisecond)
	}
	end()
	list := reminders()
	if len(list) != 1 || list[0].Parameters["days"] != "365" || list[0].Severity != journal.Warning || len(list[0].Parameters) != 2 {
		t.Errorf("events: %+v", list)
	}
}
