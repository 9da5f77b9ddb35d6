package staff

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"touchstone/pos"
)

// Role is what an account may do.
type Role string

// The roles.
const (
	Administrator Role = "administrator" // accounts
	KeyCustodian  Role = "key_custodian" // components of keys, releases after tampering
	Security      Role = "security"      // security officer: permits, advisories, campaigns, incidents
	Support       Role = "support"       // shops: cashiers, claims, notices
	Field         Role = "field"         // field service: devices, inspections
	Assessor      Role = "assessor"      // a laboratory's: assessments, findings, certificates
	Merchant      Role = "merchant"      // a shop's own people
	Auditor       Role = "auditor"       // reads everything, changes nothing
	Developer     Role = "developer"     // writes payment software; changes nothing here
)

// Roles lists every role in the order of help texts.
var Roles = [...]Role{Administrator, KeyCustodian, Security, Support, Field, Assessor, Merchant, Auditor, Developer}

// Account is how one person acts. Its newest record is its state.
type Account struct {
	Name         string      `json:"name"`                                                // 2 to 32 of a-z, 0-9, - and .
	FullName     string      `json:"full_name"`                                           // as others call the person
	Person       string      `json:"person"`                                              // which human being: the number by which the organisation knows its people
	Organisation string      `json:"organisation"`                                        // acquirer, laboratory or other employer
	Roles        []Role      `json:"roles"`                                               //
	Passphrase   *Hash       `json:"passphrase,omitempty" hidden:"true" required:"false"` // at least one of Passphrase and Key
	Key          []byte      `json:"key,omitempty"`                                       // Ed25519 public key, 32 bytes
	Disabled     bool        `json:"disabled,omitempty"`                                  // may no longer act
	Since        pos.Instant `json:"since" hidden:"true" required:"false"`

	Shop         string      `json:"shop,omitempty"`                                            // of the role merchant: the shop (DE42) whose people the account may keep
	PassphraseAt pos.Instant `json:"passphrase_since,omitempty" hidden:"true" required:"false"` // when the passphrase was set
	Former       []*Hash     `json:"former,omitempty" hidden:"true" required:"false"`           // of passphrases before it, at most KeptHashes, the newest first
	LastUsed     pos.Instant `json:"last_used,omitempty" hidden:"true" required:"false"`        // to the day; see Use
	LastSigned   pos.Instant `json:"last_signed,omitempty" hidden:"true" required:"false"`      // the instant in the newest signature by Key
	Left         pos.Instant `json:"left,omitempty" hidden:"true" required:"false"`             // when the person left; 0 works here
	Invited      *Invitation `json:"invited,omitempty" hidden:"true" required:"false"`          // its person has still to choose a passphrase
}

// Hash is an Argon2id hash (RFC 9106) of a passphrase, with what is needed to compute it again. It is kept, and
// never shown.
type Hash struct {
	Salt    []byte `json:"salt"` // 16 bytes, random
	Time    uint32 `json:"time"` // passes
	Memory  uint32 `json:"memory"`
	Threads uint8  `json:"threads"`
	Sum     []byte `json:"sum"` // 32 bytes
}

// Bounds of an account.
const (
	MaxAccounts   = 10_000
	MaxName       = 32
	MinPassphrase = 15  // characters; NIST SP 800-63B-4 where a passphrase is the only factor; PCI DSS 8.3.6 asks 12
	MaxPassphrase = 256 // bytes: 64 characters of any script
)

// Errors of the room.
var (
	ErrAccount = errors.New("staff")                                              // a record that may not be
	ErrUnknown = errors.New("staff: no such account, or not its proof")           // one error for both: a guesser learns nothing
	ErrRole    = errors.New("staff: the account's roles do not allow it")         //
	ErrSame    = errors.New("staff: the same person: a second one has to agree")  //
	ErrClosed  = errors.New("staff: the proposal is decided already, or expired") //

	ErrTaken      = errors.New("staff: another account has this name: choose another")
	ErrNoProposal = errors.New("staff: there is no such proposal")
	ErrProposer   = errors.New("staff: who proposed it may no longer: propose it anew") // left, or without the role since
)

// IsName tells whether a text can be the name of an account.
func IsName(s string) bool {
	return len(s) >= 2 && len(s) <= MaxName && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") == ""
}

// Check tells what is wrong with an account's record.
func (a *Account) Check() error {
	bad := func(what string) error { return fmt.Errorf("%w: account %.32s: %s", ErrAccount, a.Name, what) }
	switch {
	case !IsName(a.Name):
		return bad("want 2 to 32 of a-z, 0-9, - and .")
	case strings.TrimSpace(a.FullName) == "" || len(a.FullName) > 100:
		return bad("want the person's name, at most 100 bytes")
	case PersonKey(a.Person) == "" || len(a.Person) > 60:
		return bad("want the number of the person, at most 60 bytes")
	case strings.TrimSpace(a.Organisation) == "" || len(a.Organisation) > 100:
		return bad("want the person's organisation, at most 100 bytes")
	case !printable(a.FullName) || !printable(a.Organisation) || !printable(a.Person):
		return errPrintable
	case len(a.Roles) == 0:
		return bad("want a role")
	case a.Passphrase == nil && a.Key == nil && a.Invited == nil:
		return bad("want a passphrase or a key")
	case a.Key != nil && len(a.Key) != ed25519.PublicKeySize:
		return bad("want an Ed25519 public key of 32 bytes")
	}
	if slices.Contains(a.Roles, Merchant) {
		if _, err := pos.ParseMerchantID(a.Shop); err != nil {
			return bad("want the shop of an account whose role is merchant, 15 characters")
		}
	}
	for _, r := range a.Roles {
		if !slices.Contains(Roles[:], r) {
			return bad(fmt.Sprintf("unknown role %.20q", r))
		}
	}
	return nil
}

// errPrintable is of a name that a screen or a printed page would not show as it is.
var errPrintable = fmt.Errorf("%w: a name is text, without control characters", ErrAccount)

// printable tells whether a text is UTF-8 that shows as it is: it moves no cursor and changes no colour.
func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// PersonKey is the number of a person in the one form in which two are compared: letters and digits alone,
// lower case, so that 310-1 and 3101 are one person.
func PersonKey(number string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, number)
}

// SamePerson tells whether two accounts are of one human being: by the person's number, or by a name and
// organisation that are the same to the letter.
func SamePerson(a, b *Account) bool {
	return a.Name == b.Name || PersonKey(a.Person) == PersonKey(b.Person) || sameName(a, b) && foldName(a.Organisation) == foldName(b.Organisation)
}

func sameName(a, b *Account) bool { return foldName(a.FullName) == foldName(b.FullName) }

func foldName(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// May tells whether an account has one of the roles; no roles named means any account.
func (a *Account) May(roles ...Role) bool {
	if a.Disabled {
		return false
	}
	return len(roles) == 0 || slices.ContainsFunc(roles, func(r Role) bool { return slices.Contains(a.Roles, r) })
}
