package main

import (
	"context"
	"errors"
	"sync"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/secret"
	"touchstone/staff"
)

// What wrong passphrases cost: ten in a row lock the account. Whoever guesses is told the same, after the same work
// and one write of the journal, whether the account is not there, is locked or has another passphrase.

// guessing lets one passphrase of an account be tried at a time, so that many at once are not more than ten.
type guessing struct {
	mu  sync.Mutex
	one map[string]*sync.Mutex
}

// of is the lock of one account. Names are those of accounts, so they are not more than staff.MaxAccounts.
func (g *guessing) of(name string) *sync.Mutex {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.one == nil {
		g.one = map[string]*sync.Mutex{}
	}
	if g.one[name] == nil {
		g.one[name] = new(sync.Mutex)
	}
	return g.one[name]
}

// wrongPassphrase is staff.ErrUnknown to who asks.
type wrongPassphrase struct {
	kept      bool   // the refused act is in the journal already
	inJournal string // what it says there
}

func (*wrongPassphrase) Error() string { return staff.ErrUnknown.Error() }
func (*wrongPassphrase) Unwrap() error { return staff.ErrUnknown }

// lockedWhy stands in the refused act of a locked account.
const lockedWhy = "staff: the account is locked after wrong passphrases: not looked at"

// matchPassphrase proves an account by its passphrase, and counts a wrong one before it returns.
func (e *engine) matchPassphrase(ctx context.Context, c *change, d duty, account *staff.Account, who credential) error {
	text, err := readSecretFile(who.PassphraseFile)
	if err != nil {
		return err
	}
	passphrase := secret.Take(text)
	defer passphrase.Wipe()
	return e.matchText(ctx, d.act, c.By, account, passphrase)
}

// matchText is matchPassphrase of what was typed.
func (e *engine) matchText(ctx context.Context, act string, by []credential, account *staff.Account, passphrase secret.Bytes) error {
	one := e.guesses.of(account.Name)
	one.Lock()
	defer one.Unlock()
	var locked pos.Instant
	var before *staff.Guesses
	e.office.view(func(r *rooms) {
		locked, before = r.staff.Locked(account.Name, e.clock()), r.staff.Guesses(account.Name)
	})
	if locked != 0 {
		account.Passphrase.Matches(passphrase) // for the time that it takes
		return &wrongPassphrase{inJournal: lockedWhy}
	}
	right := account.Passphrase.Matches(passphrase)
	if e.ledger == nil {
		// Nobody counts where the journal itself is at stake and no host runs: who can do that holds the files.
		if !right {
			return staff.ErrUnknown
		}
		return nil
	}
	if right && (before == nil || before.InARow == 0) {
		return nil
	}
	if right {
		return e.act(ctx, func(r *rooms, _ pos.Instant) ([]journal.Draft, error) {
			return staff.RightPassphrase(r.staff, account.Name)
		})
	}
	return e.wrongPassphrase(ctx, act, by, account.Name)
}

// wrongPassphrase keeps the refused act and the count, and the alarm where there is one, in one write.
func (e *engine) wrongPassphrase(ctx context.Context, act string, by []credential, account string) error {
	wrong := &wrongPassphrase{inJournal: staff.ErrUnknown.Error()}
	names, right := namesOf(by)
	err := e.actAndTell(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, []*journal.Event, error) {
		drafts, events, err := staff.WrongPassphrase(r.staff, account, now)
		if err != nil || !right {
			return drafts, events, err
		}
		refusal := journal.Refusal{Kind: journal.KindStaff, Verb: act, Actors: names, Why: wrong.inJournal}
		return append(drafts, refusal.Draft()), events, nil
	})
	if err != nil {
		return errors.Join(staff.ErrUnknown, err)
	}
	wrong.kept = right
	return wrong
}

// namesOf are the accounts that a request names, right when each may be a name.
func namesOf(by []credential) (names []string, right bool) {
	for _, who := range by {
		if len(who.Name) == 0 || len(who.Name) > staff.MaxName {
			return nil, false
		}
		names = append(names, who.Name)
	}
	return names, len(names) > 0
}

// staffUnlock ends the lock of an account.
type staffUnlock struct {
	actFlags
	Name string `arg:"" help:"The account."`
}

// Run ends it.
func (c *staffUnlock) Run(a *app) error {
	_, err := c.perform(a, change{Personnel: &personnelChange{Unlock: c.Name}})
	return err
}
