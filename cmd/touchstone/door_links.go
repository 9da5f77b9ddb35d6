package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/secret"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/console"
)

// The lives of links that let somebody in. Each works once.
const (
	linkLife       = time.Hour      // of a start: the first administrator's, the visitor's
	invitationLife = 72 * time.Hour // of an account that an administrator made: it outlives a start
)

// oneTime is a link of this start, in memory alone. The zero value opens nothing.
type oneTime struct {
	mu    sync.Mutex
	sum   [sha256.Size]byte
	until time.Time
}

// make draws a new token; the former is worth nothing.
func (o *oneTime) make(now time.Time) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	token := rand.Text()
	o.sum, o.until = sha256.Sum256([]byte(token)), now.Add(linkLife)
	return token
}

// opens tells whether a token is the link's.
func (o *oneTime) opens(token string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.is(token, now)
}

func (o *oneTime) is(token string, now time.Time) bool {
	sum := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(o.sum[:], sum[:]) == 1 && now.Before(o.until)
}

// use lets f go ahead with the link's token; the link is over when it succeeded. One at a time.
func (o *oneTime) use(token string, now time.Time, f func() error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.is(token, now) {
		return console.ErrWrong
	}
	err := f()
	if err == nil {
		o.sum, o.until = [sha256.Size]byte{}, time.Time{}
	}
	return err
}

// The paths of links.
const (
	setupPath = "/setup/"
	visitPath = "/enter/"
)

// openLink makes the link of this start: into a test data directory as its visitor, into another for the first
// administrator while there is none who can sign in. "" otherwise.
func (e *engine) openLink() string {
	if e.test {
		return visitPath + e.door.visit.make(time.Now())
	}
	var able bool
	e.office.view(func(r *rooms) {
		for _, a := range r.staff.Accounts() {
			able = able || a.Passphrase != nil && a.May(staff.Administrator)
		}
	})
	if able {
		return ""
	}
	return setupPath + e.door.first.make(time.Now())
}

// Invited implements console.Guests.
func (d *desk) Invited(token string) *console.Invited {
	if d.door.first.opens(token, time.Now()) {
		return &console.Invited{First: true}
	}
	if d.test && d.door.visit.opens(token, time.Now()) {
		return &console.Invited{Visit: true, Account: demoVisitor.Name}
	}
	var known *console.Invited
	sum := sha256.Sum256([]byte(token))
	d.office.view(func(r *rooms) {
		if a := r.staff.Invited(sum[:], d.clock()); a != nil {
			known = &console.Invited{Account: a.Name}
		}
	})
	return known
}

// Accept implements console.Guests.
func (d *desk) Accept(ctx context.Context, token string, who console.Person, fresh secret.Bytes, a *console.Attempt) (entry console.Entry, err error) {
	leave, err := d.door.enter(ctx, true) // a token is hard to guess, so this room is not for everybody
	if err != nil {
		return console.Entry{}, err
	}
	defer leave()
	if d.door.first.opens(token, time.Now()) {
		return d.acceptFirst(ctx, token, who, fresh, a)
	}
	known := d.Invited(token)
	if known == nil || known.Visit {
		return console.Entry{}, console.ErrWrong
	}
	hash, err := d.freshHash(known.Account, fresh)
	if err != nil {
		return console.Entry{}, err
	}
	sum := sha256.Sum256([]byte(token))
	if err := d.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return staff.Accept(r.staff, sum[:], hash, now)
	}); err != nil {
		if errors.Is(err, staff.ErrUnknown) {
			err = console.ErrWrong
		}
		return console.Entry{}, err
	}
	return d.goOn(ctx, &web.Pending{Account: known.Account}, a)
}

// acceptFirst makes the first administrator.
func (d *desk) acceptFirst(ctx context.Context, token string, who console.Person, fresh secret.Bytes, a *console.Attempt) (entry console.Entry, err error) {
	account := &staff.Account{Name: who.Name, FullName: who.FullName, Person: who.Person, Organisation: who.Organisation, Roles: []staff.Role{staff.Administrator}}
	err = d.door.first.use(token, time.Now(), func() (err error) {
		if account.Passphrase, err = hashFresh(fresh, account); err != nil {
			return err
		}
		return d.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
			if r.staff.Account(account.Name) != nil {
				return nil, staff.ErrTaken
			}
			return staff.Register(r.staff, account, setupActor, now)
		})
	})
	if err != nil {
		return console.Entry{}, err
	}
	return d.goOn(ctx, &web.Pending{Account: account.Name}, a)
}

// demoVisitor is who comes in by the demonstration's link. What needs two people needs another one beside: the sign-in page
// of a test data directory has them.
var demoVisitor = staff.Account{Name: "visitor", FullName: "访客 Visitor", Person: "V-0001", Organisation: sampleAcquirer,
	Roles: []staff.Role{staff.Administrator, staff.Security, staff.Support, staff.Field}}

// Visit implements console.Guests.
func (d *desk) Visit(ctx context.Context, token string, a *console.Attempt) (console.Entry, error) {
	if !d.test {
		return console.Entry{}, console.ErrWrong
	}
	err := d.door.visit.use(token, time.Now(), func() error { return d.seedVisitor(ctx) })
	if err != nil {
		return console.Entry{}, err
	}
	return d.letIn(ctx, demoVisitor.Name, a)
}

// seedVisitor makes the visitor's account, with a published passphrase: the link is over and the visitor comes again.
func (e *engine) seedVisitor(ctx context.Context) error {
	var known bool
	e.office.view(func(r *rooms) { known = r.staff.Account(demoVisitor.Name) != nil })
	if known {
		return nil
	}
	dir := filepath.Join(e.dir, sampleStaffDirectory)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return e.seedPerson(ctx, dir, demoVisitor)
}

// Invite implements console.Guests.
func (d *desk) Invite(ctx context.Context, who *web.Caller, account *staff.Account) (string, error) {
	token := rand.Text()
	sum := sha256.Sum256([]byte(token))
	made := *account
	made.Invited = &staff.Invitation{Sum: sum[:], Until: d.clock().Add(invitationLife)}
	_, err := d.apply(ctx, change{Account: &accountChange{Account: made, invite: true}, caller: who})
	if err != nil {
		return "", err
	}
	return setupPath + token, nil
}
