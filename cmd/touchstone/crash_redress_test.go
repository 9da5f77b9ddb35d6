package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/redress"
	"touchstone/sqlite"
	"touchstone/terminal"
)

// redressKillEnv tells a child of the test what to decide and when to die: directory, claim, how many blocks are
// written after the decision is asked for, and whether it dies before the last of them or after.
const redressKillEnv = "TOUCHSTONE_REDRESS_KILL"

// The blocks that a decision writes: the proposal, its approval, the decision, the refund, its note, the
// compensation, its note, the proposal's end.
const decisionBlocks = 8

// What the claim of the crash tests is about.
const (
	killedSale         pos.Amount = 8800
	killedCompensation pos.Amount = 2000
)

// redressMoment is when the host dies.
type redressMoment struct {
	block int
	after bool
}

func (m redressMoment) String() string {
	if m.after {
		return fmt.Sprintf("after block %d", m.block)
	}
	return fmt.Sprintf("before block %d", m.block)
}

// dyingSink kills its own process at a moment.
type dyingSink struct {
	journal.Sink
	armed *bool
	left  *int
	after bool
}

func (s dyingSink) Append(ctx context.Context, b journal.Block) error {
	if !*s.armed {
		return s.Sink.Append(ctx, b)
	}
	*s.left--
	last := *s.left == 0
	if last && !s.after {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	err := s.Sink.Append(ctx, b)
	if last {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return err
}

// TestKillNineBetweenApprovalAndPayment: a process that decides a claim is killed with SIGKILL before and after
// each block that the decision writes. The shipped binary then serves the directory; where nothing was approved
// yet the people say it again. The refund and the compensation are paid once, whatever was killed.
func TestKillNineBetweenApprovalAndPayment(t *testing.T) {
	skipInShort(t)
	if what := os.Getenv(redressKillEnv); what != "" {
		decideAndDie(t, what)
		t.Fatal("lives")
	}
	bed, claim := claimedBed(t)
	var moments []redressMoment
	for block := 1; block <= decisionBlocks; block++ {
		if block == 4 || inLongForm() { // before the refund's own block; before another is as after the one ahead of it
			moments = append(moments, redressMoment{block, false})
		}
		moments = append(moments, redressMoment{block, true})
	}
	approvedUnpaid, paidUnnoted := 0, 0
	for i, m := range moments {
		data := bed.copyOf(fmt.Sprintf("killed%d", i))
		after := "0"
		if m.after {
			after = "1"
		}
		cmd := exec.Command(os.Args[0], "-test.run", "^TestKillNineBetweenApprovalAndPayment$")
		cmd.Env = append(os.Environ(), redressKillEnv+"="+strings.Join([]string{data, claim, strconv.Itoa(m.block), after}, "|"))
		said, err := cmd.CombinedOutput()
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); err == nil || !ok || status.Signal() != syscall.SIGKILL {
			t.Fatalf("%s: the decision was not killed: %v\n%s", m, err, said)
		}
		left := moneyAtRest(t, data)
		if left.Approved == 1 && left.Out == 0 {
			approvedUnpaid++
		}
		if left.Out == killedSale && left.Refunds.Paid == killedSale {
			paidUnnoted++
		}
		finishClaim(t, bed, data, claim)
		if err := checkPaidOnce(t, data, claim); err != nil {
			t.Errorf("%s: %v", m, err)
		}
	}
	if approvedUnpaid == 0 || paidUnnoted == 0 {
		t.Errorf("%d were killed between approval and payment, %d between payment and note", approvedUnpaid, paidUnnoted)
	}
	t.Logf("%d kills, %d between approval and payment, %d with the refund paid and not all of it: each claim paid once", len(moments), approvedUnpaid, paidUnnoted)
}

// claimedBed is a directory with an exposed sale and a claim for it.
func claimedBed(t *testing.T) (*crashBed, string) {
	t.Helper()
	bed := newCrashBed(t, 0)
	data := bed.copyOf("claimed")
	h, err := bed.serve(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	card, err := cardOf(cards()[0])
	if err != nil {
		t.Fatal(err)
	}
	cfg := visitors()[0].config()
	cfg.Host, cfg.StateDir, cfg.Timeout = h.addr, filepath.Join(bed.root, "terminal"), hostSays
	shop, err := terminal.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer shop.Close()
	if res, err := shop.SignIn(t.Context()); err != nil || !res.Approved {
		t.Fatalf("sign-in: %+v, %v", res, err)
	}
	if res, err := shop.Sale(t.Context(), card, killedSale); err != nil || !res.Approved {
		t.Fatalf("sale: %+v, %v", res, err)
	}
	id := visitors()[0].id.String()
	shipTo(t, "incident", "open", "--data", data, "--terminal", id, "--from", "2026-01-01 00:00", "--kind", "attached_device", "--title", "seen", "--text", "seen", "--as", "chen")
	shipTo(t, "exposed", "--data", data, "--incident", "INC-1", "--freeze", "--as", "chen")
	pan := cards()[0].pan()
	today := time.Now().In(time.FixedZone("CST", 8*3600)).Format("2006-01-02")
	shipTo(t, "claim", "make", "--data", data, "--date", today, "--amount", killedSale.String(), "--last4", pan[len(pan)-4:], "--terminal", id)
	var c redress.Claim
	if err := json.Unmarshal([]byte(shipTo(t, "claim", "list", "--data", data, "--json")), &c); err != nil || c.State != redress.ClaimOpen {
		t.Fatalf("claim %+v, %v", c, err)
	}
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	bed.template = data
	return bed, c.ID
}

// shipTo runs the shipped binary and gives its output.
func shipTo(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(must(shipped()), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("touchstone %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// decideAndDie decides a claim in this process, which dies at the moment asked for.
func decideAndDie(t *testing.T, what string) {
	parts := strings.Split(what, "|")
	dir, claim := parts[0], parts[1]
	left, err := strconv.Atoi(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	armed := false
	e, err := openEngine(engineOptions{dir: dir, lock: testLock(dir), policy: proof.DefaultPolicy(), ledger: ledger.DefaultOptions(),
		zone: time.FixedZone("CST", 8*3600), acquirerID: "48021000", issuerID: "01020000", log: slog.New(slog.DiscardHandler), checkpointEvery: time.Hour,
		withoutView: true, around: func(s journal.Sink) journal.Sink { return dyingSink{s, &armed, &left, parts[3] == "1"} }})
	if err != nil {
		t.Fatal(err)
	}
	armed = true
	told, err := e.apply(t.Context(), decisionOf(dir, claim))
	t.Fatalf("it was decided: %+v, %v", told, err)
}

func decisionOf(dir, claim string) change {
	c := change{Decision: &decisionChange{claim, redress.Decision{Approve: true, Refund: killedSale, Compensation: killedCompensation, Payer: redress.PayMaker, Why: "a test"}}}
	for _, name := range []string{"chen", "wang"} {
		c.By = append(c.By, credential{Name: name, PassphraseFile: filepath.Join(dir, sampleStaffDirectory, name+".pass")})
	}
	return c
}

func moneyAtRest(t *testing.T, data string) *redress.Money {
	t.Helper()
	r, err := sqlite.OpenReader(data)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	m, err := moneyOf(t.Context(), r, "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// finishClaim serves the directory with the shipped binary until the claim is paid. What had not been approved is
// said again, as the people would.
func finishClaim(t *testing.T, bed *crashBed, data, claim string) {
	t.Helper()
	h, err := bed.serve(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	var waiting []struct {
		ID    string `json:"id"`
		State string `json:"state"`
	}
	if err := json.Unmarshal([]byte(shipTo(t, "proposals", "--data", data, "--json")), &waiting); err != nil {
		t.Fatal(err)
	}
	state := func() redress.ClaimState {
		var c redress.Claim
		if err := json.Unmarshal([]byte(shipTo(t, "claim", "show", claim, "--data", data, "--json")), &c); err != nil {
			t.Fatal(err)
		}
		return c.State
	}
	switch {
	case len(waiting) > 0:
		shipTo(t, "approve", waiting[0].ID, "--data", data, "--as", "wang")
	case state() == redress.ClaimOpen:
		shipTo(t, "claim", "decide", claim, "--data", data, "--approve", "--refund", killedSale.String(), "--compensation", killedCompensation.String(),
			"--payer", "maker", "--why", "a test", "--as", "chen", "--with", "wang")
	}
	for end := time.Now().Add(hostSays); state() != redress.ClaimPaid; {
		if time.Now().After(end) {
			t.Fatalf("claim %s is %s", claim, state())
		}
	}
	shipTo(t, "money", "--data", data)
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
}

// checkPaidOnce compares the journal and, by the checkpoint and by the journal alone, the card.
func checkPaidOnce(t *testing.T, data, claim string) error {
	j, err := readJournal(t.Context(), data)
	if err != nil {
		return err
	}
	paid := map[journal.Part]pos.Amount{}
	for i := range j.entries {
		if r, ok := j.entries[i].Redress(); ok && r.Claim == claim {
			if paid[r.Part] != 0 {
				return fmt.Errorf("the %s was paid twice", r.Part)
			}
			paid[r.Part] = j.entries[i].Delta
		}
	}
	if paid[journal.RefundPart] != killedSale || paid[journal.CompensationPart] != killedCompensation {
		return fmt.Errorf("paid %v", paid)
	}
	for _, journalAlone := range []bool{false, true} {
		if journalAlone {
			for _, suffix := range []string{"", "-wal", "-shm"} {
				if err := os.Remove(filepath.Join(data, "state.db"+suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
					return err
				}
			}
		}
		if err := checkCard(data); err != nil {
			return fmt.Errorf("journal alone %t: %w", journalAlone, err)
		}
	}
	return nil
}

// checkCard wants the card to have what it had, and the compensation.
func checkCard(data string) (err error) {
	e, err := tryOpen(data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	pan, err := pos.ParsePAN(cards()[0].pan())
	if err != nil {
		return err
	}
	hash, err := e.module.HashPAN(pan)
	if err != nil {
		return err
	}
	now, ok := e.ledger.CardNow(hash)
	if want := cards()[0].balance + killedCompensation; !ok || now.Balance != want {
		return fmt.Errorf("the card has %s, want %s", now.Balance, want)
	}
	return nil
}
