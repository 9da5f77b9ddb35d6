package staff

import (
	"fmt"
	"time"

	"touchstone/journal"
	"touchstone/pos"
)

// Guesses counts the wrong passphrases given for one account; its ID is the account's name.
type Guesses struct {
	Account string      `json:"account"`
	InARow  int         `json:"in_a_row"`        // since the last right one, or since the last lock ended
	Last    pos.Instant `json:"last"`            // of the last wrong one
	Until   pos.Instant `json:"until,omitempty"` // the account's passphrase is not looked at before; 0 it is
	Locks   int         `json:"locks,omitempty"` // how often it was locked in all
	Freed   string      `json:"freed,omitempty"` // the administrator who ended the last lock early
}

// NounGuesses is the noun of a Guesses.
const NounGuesses = "passphrase_guesses"

// When the passphrase of an account is looked at no more, and for how long: PCI DSS v4.0.1, 8.3.4, not more than 10
// attempts and 30 minutes at least. Recalled, not read in the standard.
const (
	MostGuesses = 10
	LockedFor   = 30 * time.Minute
)

// EventLocked is the alarm that an account was locked.
const EventLocked = "account_locked"

// Locked is until when the passphrase of an account is not looked at, 0 when it is. A passphrase that was set after
// the last wrong one is another: nobody guessed at it.
func (s *State) Locked(name string, now pos.Instant) pos.Instant {
	g := s.guesses[name]
	if g == nil || g.Until <= now {
		return 0
	}
	if a := s.accounts[name]; a != nil && a.PassphraseAt > g.Last {
		return 0
	}
	return g.Until
}

// Guesses is what is known of wrong passphrases of an account, nil when there were none.
func (s *State) Guesses(name string) *Guesses { return s.guesses[name] }

// WrongPassphrase is the decision on a passphrase that was not the account's: it is counted, and the MostGuesses-th in
// a row locks the account for LockedFor and raises the event. While an account is locked nothing is counted, so that
// whoever guesses cannot make the lock longer.
func WrongPassphrase(s *State, name string, now pos.Instant) ([]journal.Draft, []*journal.Event, error) {
	if s.accounts[name] == nil || s.Locked(name, now) != 0 {
		return nil, nil, nil
	}
	g := Guesses{Account: name}
	if old := s.guesses[name]; old != nil {
		g = *old
	}
	if g.Until != 0 || s.accounts[name].PassphraseAt > g.Last {
		g.InARow, g.Until = 0, 0
	}
	g.InARow, g.Last, g.Freed = g.InARow+1, now, ""
	var events []*journal.Event
	if g.InARow >= MostGuesses {
		g.Until, g.Locks = now.Add(LockedFor), g.Locks+1
		events = append(events, &journal.Event{Name: EventLocked, Severity: journal.Alarm, Parameters: map[string]string{
			"account": name, "count": fmt.Sprint(g.InARow), "until": g.Until.Time().UTC().Format(time.RFC3339)}})
	}
	drafts, err := draft("passphrase_wrong", []string{"rule:guesses"}, "", NounGuesses, name, &g)
	return drafts, events, err
}

// RightPassphrase is the decision on a passphrase that was the account's: wrong ones before it are forgiven.
func RightPassphrase(s *State, name string) ([]journal.Draft, error) {
	old := s.guesses[name]
	if old == nil || old.InARow == 0 {
		return nil, nil
	}
	g := *old
	g.InARow, g.Until = 0, 0
	return draft("passphrase_right", []string{name}, "", NounGuesses, name, &g)
}

// Unlock is an administrator's decision to end a lock early: the administrator has seen to it who the person is.
func Unlock(s *State, name string, by []string, now pos.Instant) ([]journal.Draft, error) {
	if s.Locked(name, now) == 0 {
		return nil, fmt.Errorf("%w: account %.32s is not locked", ErrAccount, name)
	}
	g := *s.guesses[name]
	g.InARow, g.Until, g.Freed = 0, 0, by[0]
	return draft("account_unlocked", by, "", NounGuesses, name, &g)
}
