package check

import (
	"context"
	"errors"
	"time"

	"touchstone/paycrypto"
	"touchstone/pos"
)

// Code is what a terminal's screen shows for a minute, ASCII digits.
type Code [8]byte

// Fit is what a signed proof of a device's screen is worth. The zero value is never a yes.
type Fit uint8

// The fits.
const (
	Foreign Fit = iota // not signed by this number's device, whether that is known or not
	Over               // signed by it, of another minute: a picture of its screen, or a page that was kept open
	Fresh              // signed by it, of now
)

// Devices is what the host tells of devices and of the terminals that they are.
type Devices interface {
	// Prove tells whether the codes, which follow one another, are those of the device's screen now. An unknown device,
	// and one without a key, is false in the same time. An error means that nothing is known.
	Prove(ctx context.Context, serial pos.Serial, codes ...Code) (bool, error)
	// ProveSigned tells what a proof is worth that was read off the device's screen as a QR code. An unknown device, and one
	// without a certificate, is Foreign in the same time. An error means that nothing is known.
	ProveSigned(ctx context.Context, serial pos.Serial, proof paycrypto.CheckProof) (Fit, error)
	// Place is where a device that proved itself works.
	Place(ctx context.Context, serial pos.Serial) (Place, error)
	// Record is what anybody may know of a device by its number alone.
	Record(ctx context.Context, serial pos.Serial) (Record, error)
	// Picture is the picture of a model by the name that Place or Record gave; ok is false for any other name.
	Picture(ctx context.Context, name string) (jpeg []byte, ok bool, err error)
	// Advisories lists the open advisories of a model, by its name in any case.
	Advisories(ctx context.Context, model string) ([]Advisory, error)
}

// Standing is what a terminal may do, as far as the public is concerned.
type Standing uint8

// The standings. The zero value is never a yes.
const (
	Unsure  Standing = iota // not judged yet, or under suspicion
	Blocked                 // it may not take payments now
	Working
)

// Place is what is told of a terminal to whoever stands before it.
type Place struct {
	Registered bool // for a shop; all else is empty without
	Standing   Standing
	Shop       string
	Address    string // "" where none is registered
	Model      string // "" where it is not known
	Looks      Picture
	Inspected  time.Time
}

// CertificateState is what security certificates say of a device's model and version.
type CertificateState uint8

// The states.
const (
	NotKnown    CertificateState = iota // none is registered
	Certified                           // until Record.Until
	Uncertain                           // suspended, or none covers its version
	Ended                               // withdrawn or expired
	Unversioned                         // some versions are certified, and which one it runs is not known
)

// Record is what anybody may know of a device by its number: nothing of where it works, nor for whom.
type Record struct {
	Known     bool // to this acquirer; all else is empty without
	Announced bool // by its maker
	Maker     string
	Model     string
	Looks     Picture
	Lost      bool // reported lost or stolen
	Stopped   bool // lost, stolen, tampered with or taken aside: of the last two which is not told
	Retired   bool // taken out of use for good

	Certificate  CertificateState
	CertifiedBy  string // the certificate, CRT-1
	Until        time.Time
	SelfDeclared bool // the maker examined it itself

	Unversioned bool // which version it runs is not known: a device that never signed in

	Advisories []Advisory // open ones that touch it; of an Unversioned one, that may
	Fixed      string     // the version that answers them all; "" where only another device does
}

// Advisory is what is said in public of a weakness of a model.
type Advisory struct {
	ID       string
	Title    string
	EN, ZH   string // its text, "" where it has none in that language
	Severity string // critical, high, medium, low, unknown
}

// Cases is where reports and claims go, and where their states are.
type Cases interface {
	// TakesContact tells whether there is a key to encrypt a contact to.
	TakesContact() bool
	// Report takes a report into the queue of incidents; it returns its whole number, RPT-1-7KQ2M9XD.
	Report(ctx context.Context, r *Report) (string, error)
	// Claim takes a claim down; it returns its whole number, CLM-1-K3QXW7ZD2M5T.
	Claim(ctx context.Context, c *Claim) (string, error)
	// ReportState and ClaimState find a case by its number's parts; the end is compared in constant time. ok is false for
	// a number that is none and for another end: which, nobody is told.
	ReportState(ctx context.Context, number int, end string) (s ReportState, ok bool)
	ClaimState(ctx context.Context, number int, end string) (s ClaimState, ok bool)
}

// Errors of Cases. Any other is a failure of the host.
var (
	ErrFull    = errors.New("check: no room for another case now")
	ErrNoMatch = errors.New("check: the receipt is of no sale that a claim can be made for")
	ErrContact = errors.New("check: no contact can be taken")
)

// Report is what somebody says happened. It was checked: kinds, lengths, no card number.
type Report struct {
	Kind     string
	Terminal string // DE41, or ""
	Serial   string // or ""
	Text     string
	Photo    []byte // JPEG made here from what was sent, nil for none
	Contact  string // how to reach them, or ""
}

// Claim is a receipt of an exposed sale.
type Claim struct {
	Date     time.Time // the day alone
	Amount   pos.Amount
	Last4    string
	Terminal string
	RRN      uint64 // 0: not given
	Reason   string
}

// ReportState is what became of a report.
type ReportState struct {
	Kind    string
	At      time.Time
	State   string // queued, taken, dismissed
	Closed  bool   // taken, and the case it became part of is closed
	Answer  string // what the reporter is told, of a dismissed one
	Contact string // none, kept, deleted
}

// ClaimState is what became of a claim.
type ClaimState struct {
	At       time.Time
	Date     time.Time
	Terminal string
	Last4    string
	Amount   pos.Amount
	State    string // open, approved, paid, refused, lapsed
	Decided  time.Time
	Why      string
	Paid     []Payment
}

// Payment is one part of an approved claim.
type Payment struct {
	Compensation bool
	Amount       pos.Amount
	At           time.Time // zero: on its way
	Reference    string
	Refused      bool
}
