package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/staff"
	"touchstone/web/console"
)

var _ console.Door = (*desk)(nil)

// SignIn implements console.Door.
func (d *desk) SignIn(ctx context.Context, a *console.Attempt) (console.Entry, error) {
	by := []credential{{Name: a.Account}}
	var account *staff.Account
	d.office.view(func(r *rooms) { account = r.staff.Account(a.Account) })
	var err error
	if account == nil || account.Disabled || account.Passphrase == nil {
		hashNothing(credential{PassphraseFile: "typed"})
		err = staff.ErrUnknown
	} else {
		err = d.matchText(ctx, signInAct, by, account, a.Passphrase)
	}
	if err != nil {
		if err := d.refused(ctx, signInAct, by, err); !errors.Is(err, staff.ErrUnknown) {
			return console.Entry{}, err
		}
		return console.Entry{}, console.ErrWrong
	}
	return d.letIn(ctx, account.Name, a)
}

// signInAct is the act's name where it is refused.
const signInAct = "sign_in"

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
		used, err := staff.Use(r.staff, name, 0, now)
		return append(drafts, used...), err
	})
	if err != nil {
		return console.Entry{}, err
	}
	return console.Entry{Account: name, Stamp: d.stampOf(name), Known: known}, nil
}

// Published implements console.Door.
func (d *desk) Published() (list []console.Published) {
	if !d.test {
		return nil
	}
	d.office.view(func(r *rooms) {
		for _, a := range r.staff.Accounts() {
			if a.Disabled || a.Passphrase == nil || !a.Passphrase.Published() {
				continue
			}
			list = append(list, console.Published{Account: a.Name, FullName: a.FullName, Roles: rolesText(a.Roles)})
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
