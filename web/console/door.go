package console

import (
	"context"
	"errors"
	"time"

	"touchstone/secret"
)

// Attempt is what somebody gives at the door.
type Attempt struct {
	Account    string
	Passphrase secret.Bytes
	Code       string // of the second factor, or one of recovery; "" none
	Address    string // of the connection
	Browser    string // as its person would name it
	Known      string // what the browser holds from a sign-in before; "" nothing
}

// Entry is what an attempt came to.
type Entry struct {
	Account string
	Stamp   string // of the account as it is; see web.Session
	Known   string // for the browser to keep, from now on
}

// ErrWrong is for every attempt that fails, whatever the cause: the account, its passphrase, its code, its lock.
var ErrWrong = errors.New("console: no such account, or not its proof")

// ErrBusy is when more proofs are under way than the host computes at once.
var ErrBusy = errors.New("console: too many sign-ins at once")

// Wait is for who tried too often: nothing was looked at.
type Wait struct{ For time.Duration }

// Error implements error.
func (w *Wait) Error() string { return "console: too many sign-ins failed: wait" }

// Door proves people. Every attempt is in the journal before its effect.
type Door interface {
	// SignIn proves an account by its passphrase.
	SignIn(ctx context.Context, a *Attempt) (Entry, error)
	// Published lists the accounts whose passphrases everybody knows: of a test data directory alone.
	Published() []Published
}

// Published is an account of a test data directory with its passphrase.
type Published struct{ Account, FullName, Roles, Passphrase string }
