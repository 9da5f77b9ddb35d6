package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"touchstone/iso8583"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/sqlite"
)

// The crash tests run the shipped binary, built as `make build` builds it, and end it in every way a
// machine can. Each has a short form for `make test` and, under TOUCHSTONE_LONG=1, a long one.

// inLongForm tells whether the long form was asked for.
func inLongForm() bool { return os.Getenv("TOUCHSTONE_LONG") == "1" }

// skipInShort leaves a test out of the race detector's run: the binary under test has none.
func skipInShort(t *testing.T) {
	t.Helper()
	if testing.Short() || underRace {
		t.Skip("left out of -short and -race: it tests the shipped binary, which has no race detector")
	}
}

// shipped builds the binary once a run of the tests.
var shipped = sync.OnceValues(func() (string, error) {
	path, err := filepath.Abs(filepath.Join("..", "..", ".cache", "crash", "touchstone"))
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build touchstone: %w\n%s", err, said)
	}
	return path, nil
})

// crashBed is a seeded data directory from which each trial starts, and a place for the trials.
type crashBed struct {
	t        *testing.T
	root     string
	template string
	tills    []*benchTerminal
	opening  pos.Amount // of each till's card
}

// tillFirst is the number of the first till's terminal.
const tillFirst = 20_000_000

// newCrashBed makes a data directory with the sample world and n tills, each with a card of its own.
func newCrashBed(t *testing.T, n int) *crashBed {
	t.Helper()
	b := &crashBed{t: t, root: t.TempDir(), opening: 999_999_999_999}
	b.template = filepath.Join(b.root, "template")
	e := openForTest(t, b.template, func(dir string) error { return makeTestDirectory(dir, slog.New(slog.DiscardHandler)) })
	if err := e.seed(t.Context()); err != nil {
		t.Fatal(err)
	}
	var records []any
	for i := range n {
		s := sampleTerminal{id: sampleID(tillFirst + i), merchant: sampleMerchant(1 + i%sampleShops), code: keys.SignInTDES, serial: sampleSerial(tillFirst + i)}
		more, err := e.seedTerminal(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		c := sampleCard{label: fmt.Sprintf("till %d", i), service: "101", expiry: "4912", balance: b.opening, state: "active"}
		c.pin = publishedDigits("pin/"+c.label, 6)
		opening, err := e.seedCard(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		records = append(append(records, more...), opening)
		b.tills = append(b.tills, &benchTerminal{sampleTerminal: s, card: c})
	}
	if err := e.ledger.Register(t.Context(), e.clock(), records...); err != nil {
		t.Fatal(err)
	}
	if err := e.close(); err != nil {
		t.Fatal(err)
	}
	return b
}

// openForTest opens a data directory in this process, made first if make is not nil.
func openForTest(t *testing.T, dir string, make func(string) error) *engine {
	t.Helper()
	if make != nil {
		if err := make(dir); err != nil {
			t.Fatal(err)
		}
	}
	e, err := tryOpen(dir)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// tryOpen opens a data directory in this process without a view.
func tryOpen(dir string) (*engine, error) {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		return nil, err
	}
	open := func() (*engine, error) {
		return openEngine(engineOptions{dir: dir, lock: testLock(dir), policy: proof.DefaultPolicy(), ledger: ledger.DefaultOptions(), zone: zone,
			acquirerID: "48021000", issuerID: "01020000", log: slog.New(slog.DiscardHandler), checkpointEvery: time.Hour, withoutView: true})
	}
	e, err := open()
	// A process that was killed while a thread of it waited for the disk holds its lock until that returns.
	for end := time.Now().Add(hostEnds); errors.Is(err, sqlite.ErrLocked) && time.Now().Before(end); e, err = open() {
		time.Sleep(10 * time.Millisecond)
	}
	return e, err
}

// copyOf is a copy of the template under a name.
func (b *crashBed) copyOf(name string) string {
	b.t.Helper()
	dir := filepath.Join(b.root, name)
	if err := os.RemoveAll(dir); err != nil {
		b.t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(b.template)); err != nil {
		b.t.Fatal(err)
	}
	for _, private := range []string{dir, filepath.Join(dir, keyringFile), filepath.Join(dir, testPassphrase)} {
		mode := os.FileMode(0o600)
		if private == dir {
			mode = 0o700
		}
		if err := os.Chmod(private, mode); err != nil {
			b.t.Fatal(err)
		}
	}
	return dir
}

// crashHost is the shipped binary serving a data directory, perhaps under strace.
type crashHost struct {
	runningHost
	log string // strace's
}

// serve starts the binary on data. strace are the arguments of strace, none: it runs by itself.
func (b *crashBed) serve(data string, strace []string, flags ...string) (*crashHost, error) {
	b.t.Helper()
	binary, err := shipped()
	if err != nil {
		b.t.Fatal(err)
	}
	dir, err := os.MkdirTemp(b.root, "host")
	if err != nil {
		b.t.Fatal(err)
	}
	h := &crashHost{log: filepath.Join(dir, "strace.log")}
	script := "#!/bin/sh\nexec " + binary + " \"$@\"\n"
	if len(strace) > 0 {
		// -D: strace is the grandchild, so that the process started is the host itself.
		script = "#!/bin/sh\nexec strace -D -f -q -ttt -o " + h.log + " " + strings.Join(strace, " ") + " " + binary + " \"$@\"\n"
	}
	syscall.ForkLock.RLock() // a child forked meanwhile would hold the script open, and exec find it busy
	err = os.WriteFile(filepath.Join(dir, "touchstone"), []byte(script), 0o700)
	syscall.ForkLock.RUnlock()
	if err != nil {
		b.t.Fatal(err)
	}
	control, err := controlPath(data)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(h.kill)
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "PATH=") })
	env = append(env, "PATH="+dir+":"+os.Getenv("PATH"))
	return h, h.start(dir, control, env, append([]string{"serve", "--data", data, "--tcp", "127.0.0.1:0", "--observe", "127.0.0.1:0", "--least-free", "1"}, flags...))
}

// output is what the host said so far.
func (h *crashHost) output() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.lines, "")
}

// ends waits for the host's own end and returns its exit code; -1 after a signal.
func (h *crashHost) ends(t *testing.T) int {
	t.Helper()
	if h.cmd == nil {
		return -1
	}
	cmd := h.cmd
	timer := time.AfterFunc(hostEnds, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	_ = h.wait() // the code says it
	if !timer.Stop() {
		t.Fatalf("the host did not end within %s; it said: %s", hostEnds, h.output())
	}
	return cmd.ProcessState.ExitCode()
}

// soldEntry is one approved sale of the journal.
type soldEntry struct {
	seq  uint64
	auth pos.AuthCode
	x    journal.Exchange
}

// saleKeyOf names a sale as its terminal does.
type saleKeyOf struct {
	terminal pos.TerminalID
	batch    pos.BatchNo
	trace    pos.STAN
}

// journalOf is what a test asks of a journal.
type journalOf struct {
	sold    map[saleKeyOf][]soldEntry
	entries []journal.Exchange // every exchange
	seqs    []uint64
	proven  sqlite.Proven
}

// readJournal proves the whole journal of a directory on which no host runs, and reads it.
func readJournal(ctx context.Context, dir string) (*journalOf, error) {
	r, err := sqlite.OpenReader(dir)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	j := &journalOf{sold: map[saleKeyOf][]soldEntry{}}
	if j.proven, err = r.Prove(ctx, nil); err != nil {
		return nil, err
	}
	err = r.Blocks(ctx, 1, func(b journal.Block) error {
		return b.Each(func(e journal.Entry) error {
			var x journal.Exchange
			if e.Kind != journal.KindExchange {
				return nil
			}
			if err := x.Parse(e); err != nil {
				return err
			}
			j.entries, j.seqs = append(j.entries, x), append(j.seqs, e.Seq)
			if x.Effect == journal.Sold && x.Flags&journal.FlagRepeat == 0 {
				k := saleKeyOf{x.Terminal, x.Batch, x.STAN}
				j.sold[k] = append(j.sold[k], soldEntry{e.Seq, x.AuthCode, x})
			}
			return nil
		})
	})
	return j, err
}

// ack is one approval that a till holds in its hand.
type ack struct {
	key    saleKeyOf
	rrn    string
	auth   string
	amount pos.Amount
}

// check wants every acknowledged sale in the journal once, with what the terminal was told.
func (j *journalOf) check(acks []ack) error {
	for k, entries := range j.sold {
		if len(entries) != 1 {
			return fmt.Errorf("doubled: terminal %s trace %s was sold %d times", k.terminal, k.trace, len(entries))
		}
	}
	for _, a := range acks {
		entries := j.sold[a.key]
		if len(entries) == 0 {
			return fmt.Errorf("lost: terminal %s trace %s rrn %s was approved and is not in the journal", a.key.terminal, a.key.trace, a.rrn)
		}
		e := entries[0]
		if got := fmt.Sprintf("%012d", e.seq); got != a.rrn || e.auth.String() != a.auth || e.x.Amount != a.amount {
			return fmt.Errorf("terminal %s trace %s: the journal has rrn %s, authorization %s and amount %s, the terminal %s, %s and %s", a.key.terminal,
				a.key.trace, got, e.auth, e.x.Amount, a.rrn, a.auth, a.amount)
		}
	}
	return nil
}

// crashTill is a till with its own ledger.
type crashTill struct {
	*benchTerminal
	batch   pos.BatchNo
	conn    *benchConn
	acks    []ack
	pending []byte // a frame that has no answer

	before, answered, lost time.Time // of the last approval but one and of the last, and when the connection was found lost
}

// tillAmount is the template's DE4.
const tillAmount pos.Amount = 1850

// sell sends the pending frame again or the next sale, and enters an approval in the till's ledger.
func (c *crashTill) sell() error {
	if c.pending == nil {
		c.pending = append([]byte(nil), c.next(true)...)
	}
	answer, err := c.conn.exchange(c.pending)
	if err != nil {
		return err
	}
	var m iso8583.Message
	if err := iso8583.UnionPay.Parse(&m, answer); err != nil {
		return &wrongAnswer{err.Error()}
	}
	trace, _ := m.Number(11)
	switch {
	case m.MTI() != 0x0210 || trace != c.trace || string(m.Raw(39)) != "00":
		return &wrongAnswer{fmt.Sprintf("a sale of terminal %s trace %d was answered %s %s for trace %d", c.id, c.trace, m.MTI(), m.Raw(39), trace)}
	case !c.mak.Verify(m.MAB(), m.Raw(64)):
		return &wrongAnswer{"an answer's MAC is wrong"}
	}
	c.acks = append(c.acks, ack{saleKeyOf{c.id, c.batch, pos.STAN(c.trace)}, string(m.Raw(37)), string(m.Raw(38)), tillAmount})
	c.pending, c.before, c.answered = nil, c.answered, time.Now()
	return nil
}

// wrongAnswer is an answer that no crash excuses.
type wrongAnswer struct{ what string }

func (e *wrongAnswer) Error() string { return e.what }

// injected is when strace says it injected a fault, seconds since 1970; strace -ttt.
var injected = regexp.MustCompile(`(?m)^\d+ +(\d+\.\d+) .*\(INJECTED\)`)
