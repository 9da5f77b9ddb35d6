package console

import (
	"context"
	"errors"
	"time"

	"touchstone/secret"
	"touchstone/staff"
	"touchstone/web"
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

// Step is what a sign-in still takes.
type Step string

// The steps, in their order. None means that the person is in.
const (
	StepCode       Step = "code"       // of the second factor
	StepPassphrase Step = "passphrase" // a new one: the old one is too old
	StepSecond     Step = "second"     // a second factor has to be enrolled
)

// Entry is what an attempt came to.
type Entry struct {
	Account string
	Step    Step   // what is left; "" nothing
	Coded   bool   // the second factor was proven
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

// Offered is a second factor that its person may take up: for the app that will compute the codes.
type Offered struct {
	Secret string // base32 in groups of four, to type
	Image  []byte // PNG of a QR code of its URI
}

// Door proves people. Every attempt is in the journal before its effect.
type Door interface {
	// SignIn proves an account by its passphrase, and by a code where one is given too.
	SignIn(ctx context.Context, a *Attempt) (Entry, error)
	// Code goes on with a sign-in by a code of the second factor, or one of recovery.
	Code(ctx context.Context, p *web.Pending, a *Attempt) (Entry, error)
	// Renew goes on with a sign-in, or with a person's own wish, by a new passphrase. An error that wraps
	// staff.ErrPassphrase says what is wrong with it.
	Renew(ctx context.Context, p *web.Pending, a *Attempt, fresh secret.Bytes) (Entry, error)
	// Offer draws a second factor for an account; what it returns is wrapped.
	Offer(ctx context.Context, account string) ([]byte, error)
	// Show opens what Offer drew.
	Show(account string, offered []byte) (Offered, error)
	// TakeUp enrols what was offered, by a code of it, and gives out the recovery codes, this once.
	TakeUp(ctx context.Context, p *web.Pending, a *Attempt) (Entry, []string, error)
}

// Person is what somebody says of themselves who has no account yet.
type Person struct{ Name, FullName, Person, Organisation string }

// Invited is what a link leads to.
type Invited struct {
	Account string // whose; "" of the first administrator, whose account is made with it
	First   bool
	Visit   bool // of the demonstration: it signs in as its visitor
}

// Guests lets people in by links that work once.
type Guests interface {
	// Invited is what a token is worth; nil: nothing, or not any more.
	Invited(token string) *Invited
	// Accept takes an invitation up. The error of a person or a passphrase that may not be leaves the link as it was.
	Accept(ctx context.Context, token string, who Person, fresh secret.Bytes, a *Attempt) (Entry, error)
	// Visit takes the demonstration's link up.
	Visit(ctx context.Context, token string, a *Attempt) (Entry, error)
	// Invite makes a link by which the person of an account chooses its passphrase: of a new account, or of one whose
	// person has forgotten it.
	Invite(ctx context.Context, who *web.Caller, account *staff.Account) (token string, err error)
	// Published lists the accounts whose passphrases everybody knows: of a test data directory alone.
	Published() []Published
}

// Published is an account of a test data directory with its passphrase.
type Published struct {
	Account, FullName string
	Roles             []staff.Role
	Passphrase        string
}

// Own is what a person sees and settles of their own account.
type Own struct {
	Account       staff.Account // without hashes
	SignIns       *staff.SignIns
	Second        bool // a second factor is enrolled
	RecoveryLeft  int
	PassphraseEnd time.Time // zero: no age ends it
	Training      []staff.Standing
}

// Self is a person's own account.
type Self interface {
	Own(who *web.Caller) (Own, error)
	Prefer(ctx context.Context, who *web.Caller, lang, theme string) error
	// Forget makes every browser of the account unknown.
	Forget(ctx context.Context, who *web.Caller) error
	// Recovery makes new recovery codes, against a code of the second factor.
	Recovery(ctx context.Context, who *web.Caller, a *Attempt) ([]string, error)
	// ChangePassphrase gives the account a new one, against the one it has. Every session ends; the entry is for another.
	ChangePassphrase(ctx context.Context, a *Attempt, fresh secret.Bytes) (Entry, error)
	// Wish draws a second factor for who does not need one, against the passphrase; see Door.Offer.
	Wish(ctx context.Context, a *Attempt) ([]byte, error)
}
