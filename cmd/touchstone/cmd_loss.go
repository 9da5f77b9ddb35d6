package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/sqlite"
	"touchstone/staff"
	"touchstone/witness"
)

// journalAcceptLoss goes on with a journal of which a witness saw more.
type journalAcceptLoss struct {
	Data    string   `name:"data" required:"" help:"Data directory; no host may run on it." placeholder:"DIR"`
	Witness []string `name:"witness" required:"" help:"The witnesses of this data directory; give each." placeholder:"FILE"`
	Reason  string   `name:"reason" required:"" help:"Why, in a sentence; it stands in the journal for ever." placeholder:"TEXT"`
	Person  []string `name:"person" help:"Who decided this, twice: only where there are no accounts, or in a test data directory; else --as and --with." placeholder:"NAME"`
	staffFlags
}

// Help is shown by touchstone journal accept-loss --help.
func (journalAcceptLoss) Help() string {
	return `When a host refuses to start because a witness saw entries that are missing, first look for a newer copy of the data
directory. Only where there is none: two people decide to go on without what is lost, under accounts that the journal has
(security, key_custodian or administrator). Their names and the reason become a journal entry, and the lost numbers are never used again, since terminals hold them as reference numbers. Sales that were
approved and are lost must then be found with the shops: docs/operating/recovery.md.

  touchstone journal accept-loss --data shop --witness /other/disk/shop.witness \
      --reason "disk replaced, newest copy is of 02:00" \
      --as qian --as-passphrase-file qian.pass --with sun --with-passphrase-file sun.pass`
}

// lossMargin is how many numbers beyond what the witness saw are not used again: it was written once a
// second, and this is more than a host gives in three.
const lossMargin = 100_000

// leastReason is how short a reason may be, bytes.
const leastReason = 10

func (c *journalAcceptLoss) check() error {
	c.Reason = strings.TrimSpace(c.Reason)
	if len(c.Reason) < leastReason || len(c.Reason) > 1000 {
		return fmt.Errorf("--reason: want %d to 1000 bytes", leastReason)
	}
	if c.As != "" || c.With != "" {
		if len(c.Person) > 0 || c.As == "" || c.With == "" {
			return errors.New("a loss is accepted by two people: --as NAME --with NAME")
		}
		return nil
	}
	var people []string
	for _, p := range c.Person {
		p = strings.Join(strings.Fields(p), " ")
		if p == "" || len(p) > 100 || slices.ContainsFunc(people, func(o string) bool { return strings.EqualFold(o, p) }) {
			return errors.New("--person: want two different names")
		}
		people = append(people, p)
	}
	if len(people) != 2 {
		return errors.New("--person: want two different names")
	}
	c.Person = people
	return nil
}

// Run records the loss and begins the witnesses anew; the old ones are kept beside them.
func (c *journalAcceptLoss) Run(a *app) error {
	if err := c.check(); err != nil {
		return err
	}
	if _, err := os.Stat(c.Data); err != nil {
		return err
	}
	store, err := sqlite.Open(c.Data, sqlite.Options{Log: slog.New(slog.NewTextHandler(a.stderr, nil))})
	if err != nil {
		return err
	}
	err = c.prove(a.ctx, store)
	var loss *journal.Loss
	if err == nil {
		loss, err = c.accept(a.ctx, store)
	}
	if err = errors.Join(err, store.Close()); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "accepted: the journal goes on after entry %d; entries %d to %d are lost or not used again\n", loss.After, loss.After+1, loss.Resumed)
	return nil
}

// lossChange is what the two people sign: which directory's journal goes on, without which witness, and why.
type lossChange struct {
	Journal string   `json:"journal"` // its id
	Witness []string `json:"witness"`
	Reason  string   `json:"reason"`
}

// lossRoles may accept a loss.
var lossRoles = []staff.Role{staff.Security, staff.KeyCustodian, staff.Administrator}

// prove sees to it that two persons with accounts of this journal accept the loss, where it has accounts. It reads
// the accounts from the journal itself: no host runs here.
func (c *journalAcceptLoss) prove(ctx context.Context, store *sqlite.Store) error {
	office := newOffice()
	opts := ledger.DefaultOptions()
	opts.Rooms = office.fold
	hot := store.HotState()
	if _, _, err := ledger.Open(ctx, opts, hot, hot, store); err != nil {
		return err
	}
	var staffed bool
	office.view(func(r *rooms) { staffed = len(r.staff.Accounts()) > 0 })
	if c.As == "" {
		if staffed && !isTestDirectory(c.Data) {
			return errors.New("this journal has accounts: a loss is accepted by two of them, --as NAME --with NAME")
		}
		return nil
	}
	id, err := journalID(ctx, store.Reader)
	if err != nil {
		return err
	}
	request := change{Loss: &lossChange{id, c.Witness, c.Reason}}
	if err := c.sign(c.Data, &request); err != nil {
		return err
	}
	e := &engine{dir: c.Data, office: office, clock: monotonic()}
	accounts, err := e.proveAll(ctx, &request, duty{act: "accept_loss", roles: lossRoles})
	switch {
	case err != nil:
		return err
	case len(accounts) != 2 || staff.SamePerson(accounts[0], accounts[1]):
		return staff.ErrSame
	}
	c.Person = []string{accounts[0].Name, accounts[1].Name}
	return nil
}

func (c *journalAcceptLoss) accept(ctx context.Context, store *sqlite.Store) (*journal.Loss, error) {
	id, err := journalID(ctx, store.Reader)
	if err != nil {
		return nil, err
	}
	worst, err := c.worst(ctx, store, id)
	if err != nil {
		return nil, err
	}
	loss := &journal.Loss{After: worst.Last, Resumed: max(worst.Last, worst.Seen.Seq) + lossMargin, Witnessed: worst.Seen.Seq,
		Head: hex.EncodeToString(worst.Seen.Head[:]), Reason: c.Reason, People: c.Person}
	if err := record(ctx, store, loss); err != nil {
		return nil, err
	}
	last, head, err := store.Head(ctx)
	if err != nil {
		return nil, err
	}
	for _, path := range c.Witness {
		if err := os.Rename(path, fmt.Sprintf("%s.before-loss-%d", path, loss.After+1)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		if err := witness.Write(path, witness.Seen{Journal: id, Seq: last, Head: head, At: time.Now()}); err != nil {
			return nil, err
		}
	}
	return loss, nil
}

// worst is the conflict of the witness that saw most; there must be one, and no other trouble.
func (c *journalAcceptLoss) worst(ctx context.Context, store *sqlite.Store, id string) (worst *witness.Conflict, err error) {
	for _, path := range c.Witness {
		err := witness.Compare(ctx, path, id, store)
		var conflict *witness.Conflict
		switch {
		case err == nil, errors.Is(err, witness.ErrNone):
		case !errors.As(err, &conflict) || conflict.Other():
			return nil, err
		case worst == nil || conflict.Seen.Seq > worst.Seen.Seq:
			worst = conflict
		}
	}
	if worst == nil {
		return nil, errors.New("no witness saw more than the journal has: there is no loss to accept")
	}
	return worst, nil
}

// record journals the loss and fills the numbers up to Resumed.
func record(ctx context.Context, store *sqlite.Store, loss *journal.Loss) error {
	hot := store.HotState()
	l, committer, err := ledger.Open(ctx, ledger.DefaultOptions(), hot, hot, store)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	var failed error
	wait.Go(func() { failed = committer.Run(running) })
	now := monotonic()
	err = l.Register(ctx, now(), loss)
	filler := &journal.Loss{After: loss.After, Resumed: loss.Resumed}
	for err == nil && l.Durable() < loss.Resumed {
		part := make([]any, min(loss.Resumed-l.Durable(), 1<<14))
		for i := range part {
			part[i] = filler
		}
		err = l.Register(ctx, now(), part...)
	}
	stop()
	wait.Wait()
	return errors.Join(err, failed)
}
