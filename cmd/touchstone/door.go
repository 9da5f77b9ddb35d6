package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/secret"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/console"
)

// How people come in by a browser. The commands' rule holds here too: ten wrong passphrases in a row lock an account for
// half an hour, and who guesses is told the same whatever the cause. Two kinds of people are not locked out by what
// others guess: who comes with a browser that signed in before, and who gives a code of the second factor beside.

var (
	_ console.Door   = (*desk)(nil)
	_ console.Guests = (*desk)(nil)
	_ console.Self   = (*desk)(nil)
)

// signInAct is the act's name where it is refused.
const signInAct = "sign_in"

// SignIn implements console.Door.
func (d *desk) SignIn(ctx context.Context, a *console.Attempt) (console.Entry, error) {
	begun := time.Now()
	name, err := d.prove(ctx, a)
	if err == nil && a.Code != "" && d.secondOf(name) != nil {
		return d.Code(ctx, &web.Pending{Account: name}, a)
	}
	if err != nil {
		return console.Entry{}, d.turnedAway(ctx, begun, err)
	}
	return d.goOn(ctx, &web.Pending{Account: name}, a)
}

// turnedAway makes every failed attempt take equally long.
func (d *desk) turnedAway(ctx context.Context, begun time.Time, err error) error {
	var wait *console.Wait
	if errors.As(err, &wait) {
		d.integration.signedIn("wait")
	} else {
		d.integration.signedIn("refused")
	}
	if errors.Is(err, staff.ErrUnknown) {
		err = console.ErrWrong
	}
	if errors.Is(err, console.ErrWrong) {
		d.door.even(ctx, begun)
	}
	return err
}

// secondOf is the second factor of an account, nil for none.
func (e *engine) secondOf(name string) (f *staff.SecondFactor) {
	e.office.view(func(r *rooms) { f = r.staff.SecondFactor(name) })
	return f
}

// prove finds the account whose passphrase an attempt gives; staff.ErrUnknown for anything else, which is then in the
// journal. A right passphrase forgives no wrong one before it: the sign-in as a whole does.
func (d *desk) prove(ctx context.Context, a *console.Attempt) (name string, err error) {
	var account *staff.Account
	var locked, known bool
	sum := sha256.Sum256([]byte(a.Known))
	d.office.view(func(r *rooms) {
		account, locked, known = r.staff.Account(a.Account), r.staff.Locked(a.Account, d.clock()) != 0, a.Known != "" && r.staff.KnownBrowser(a.Account, sum[:])
	})
	if known && !d.door.mayTry(sum) {
		known = false
	}
	if wait := d.door.mayFail(a.Address); wait > 0 && !known {
		d.door.fold(a.Address)
		return "", &console.Wait{For: wait}
	}
	leave, err := d.door.enter(ctx, known)
	if err != nil {
		return "", err
	}
	defer leave()
	if account == nil || account.Disabled || account.Passphrase == nil {
		hashNothing(credential{PassphraseFile: "typed"})
		return "", d.failed(ctx, a, known, false, staff.ErrUnknown)
	}
	if !known {
		one := d.guesses.of(account.Name)
		one.Lock()
		defer one.Unlock()
		d.office.view(func(r *rooms) { locked = r.staff.Locked(account.Name, d.clock()) != 0 })
	}
	right := account.Passphrase.Matches(a.Passphrase)
	switch {
	case !right && !locked:
		return "", d.failed(ctx, a, known, true, staff.ErrUnknown)
	case !right, locked && !known && !d.codeBeside(account.Name, a):
		return "", d.failed(ctx, a, known, false, &wrongPassphrase{inJournal: lockedWhy})
	}
	return account.Name, nil
}

// failed keeps a failed attempt in the journal and counts it where it is a guess at an account, in one write.
func (d *desk) failed(ctx context.Context, a *console.Attempt, known, guess bool, why error) error {
	d.door.countFailure(a.Address)
	by := []credential{{Name: a.Account}}
	if !staff.IsName(a.Account) {
		by[0].Name = "rule:unnamed" // what was typed could be a passphrase: it is written nowhere
	}
	switch {
	case known:
		d.forgetGuessed(ctx, a)
	case guess:
		return d.wrongPassphrase(ctx, signInAct, by, a.Account)
	}
	if d.door.isFlood() {
		d.door.fold(a.Address)
		return staff.ErrUnknown
	}
	return d.refused(ctx, signInAct, by, why)
}

// forgetGuessed makes a browser unknown from which too many wrong ones came: it may have been stolen.
func (d *desk) forgetGuessed(ctx context.Context, a *console.Attempt) {
	sum := sha256.Sum256([]byte(a.Known))
	if !d.door.exhausted(sum) {
		return
	}
	_ = d.act(ctx, func(r *rooms, _ pos.Instant) ([]journal.Draft, error) { // what could not be written, mayTry remembers
		return staff.ForgetBrowser(r.staff, a.Account, sum[:])
	})
}

// codeBeside tells whether an attempt on a locked account brings a code of its second factor, which guesses do not. The
// code is not taken by this: Code does.
func (d *desk) codeBeside(name string, a *console.Attempt) bool {
	f := d.secondOf(name)
	if a.Code == "" || f == nil || !d.door.mayCode(name) {
		return false
	}
	_, err := d.module.CheckCode(name, f.Secret, a.Code, d.clock(), f.Step)
	return err == nil
}

// next is what the sign-in of an account still takes.
func (d *desk) next(p *web.Pending) (step console.Step) {
	d.office.view(func(r *rooms) {
		account, second := r.staff.Account(p.Account), r.staff.SecondFactor(p.Account) != nil
		switch {
		case account == nil:
			step = console.StepCode // it is refused there
		case second && !p.Code:
			step = console.StepCode
		case d.passphraseLife > 0 && d.clock().Sub(account.PassphraseAt) >= d.passphraseLife:
			step = console.StepPassphrase
		case !second && (p.Wished || !d.test):
			step = console.StepSecond
		}
	})
	return step
}

// goOn lets a person in, or says what is left to prove.
func (d *desk) goOn(ctx context.Context, p *web.Pending, a *console.Attempt) (console.Entry, error) {
	if step := d.next(p); step != "" {
		return console.Entry{Account: p.Account, Step: step}, nil
	}
	return d.letIn(ctx, p.Account, a)
}

// letIn keeps in the journal that a proven person comes in, and from which browser.
func (d *desk) letIn(ctx context.Context, name string, a *console.Attempt) (console.Entry, error) {
	known := a.Known
	err := d.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		if sum := sha256.Sum256([]byte(known)); !r.staff.KnownBrowser(name, sum[:]) {
			known = rand.Text()
		}
		sum := sha256.Sum256([]byte(known))
		drafts, err := staff.SignIn(r.staff, name, staff.Browser{Sum: sum[:], Name: a.Browser}, now)
		if err != nil {
			return nil, err
		}
		forgiven, err := staff.RightPassphrase(r.staff, name)
		if err != nil {
			return nil, err
		}
		used, err := staff.Use(r.staff, name, 0, now)
		return append(append(drafts, forgiven...), used...), err
	})
	if err != nil {
		return console.Entry{}, err
	}
	d.door.forgive(sha256.Sum256([]byte(known)))
	d.integration.signedIn("in")
	return console.Entry{Account: name, Stamp: d.stampOf(name), Known: known}, nil
}

// Renew implements console.Door.
func (d *desk) Renew(ctx context.Context, p *web.Pending, a *console.Attempt, fresh secret.Bytes) (console.Entry, error) {
	if step := d.next(p); step == console.StepCode {
		return console.Entry{}, console.ErrWrong
	}
	leave, err := d.door.enter(ctx, true)
	if err != nil {
		return console.Entry{}, err
	}
	hash, err := d.freshHash(p.Account, fresh)
	leave()
	if err != nil {
		return console.Entry{}, d.refused(ctx, "passphrase_change", []credential{{Name: p.Account}}, err)
	}
	if err := d.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return staff.ChangePassphrase(r.staff, p.Account, hash, now)
	}); err != nil {
		return console.Entry{}, err
	}
	return d.goOn(ctx, p, a)
}

// freshHash checks and hashes a new passphrase for an account as it is now.
func (e *engine) freshHash(name string, fresh secret.Bytes) (*staff.Hash, error) {
	var account staff.Account
	e.office.view(func(r *rooms) {
		if a := r.staff.Account(name); a != nil {
			account = *a
		}
	})
	return hashFresh(fresh, &account)
}

// Published implements console.Guests.
func (d *desk) Published() (list []console.Published) {
	if !d.test {
		return nil
	}
	d.office.view(func(r *rooms) {
		for _, a := range r.staff.Accounts() {
			if !a.Disabled && a.Passphrase != nil && a.Passphrase.Published() {
				list = append(list, console.Published{Account: a.Name, FullName: a.FullName, Roles: a.Roles})
			}
		}
	})
	for i := range list {
		text, err := os.ReadFile(filepath.Join(d.dir, sampleStaffDirectory, list[i].Account+".pass"))
		if err == nil {
			list[i].Passphrase = strings.TrimRight(string(text), "\r\n")
		}
	}
	return list
}
