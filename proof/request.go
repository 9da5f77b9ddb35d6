package proof

import (
	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/transaction"
)

// Need is the kind of message, which decides the checks it must pass.
type Need uint8

// The kinds served.
const (
	Unserved Need = iota
	SignIn
	SignOff
	Echo
	StatusQuery // 372, 382: nothing to download
	TamperReport
	Financial // 0200, 0220, 0400: everything
	Settlement
)

// Request is what a message claims: fixed-size copies, never views of the receive buffer.
type Request struct {
	Conn        uint64 // the connection, for sign-off only; identity is DE41
	Source      pos.Address
	Certificate [32]byte // SHA-256 of the peer's TLS certificate; zero when there is none
	Secure      bool     // it came over TLS
	TLS13       bool     // of version 1.3

	Need       Need
	Op         transaction.Op
	Malformed  bool // a required element is absent or does not fit the others
	MTI        pos.MTI
	Type       pos.TransactionCode
	NetCode    pos.NetworkCode
	Processing pos.ProcessingCode
	Batch      pos.BatchNo
	STAN       pos.STAN
	Terminal   pos.TerminalID
	Merchant   pos.MerchantID
	HasBatch   bool

	Amount    pos.Amount
	HasAmount bool
	Currency  pos.Currency
	EntryMode uint16 // DE22, three digits
	HasEntry  bool
	Condition uint8
	Expiry    uint16 // YYMM of DE14 or the clear track
	Service   [3]byte

	PAN          pos.PAN // of DE2 or the clear track; owns its buffer
	Card         pos.PANHash
	Shown        pos.TruncatedPAN
	HasPAN       bool // DE2
	HasTrack2    bool
	HasTrack3    bool
	TrackSealed  bool
	TrackBad     bool // a clear track that cannot be read
	TrackOther   bool // a clear track whose PAN is not DE2
	HasChipData  bool // DE55
	HasMAC       bool
	DE64         [8]byte
	Print        [16]byte // keyed fingerprint
	HasSecurity  bool     // DE53
	Security     [16]byte // its digits, ASCII
	HasCapture   bool     // DE26
	HasPINBlock  bool     // DE52 not all zero
	HasSealedPIN bool     // A1

	HasA2      bool
	BadDE59    bool
	DeviceType [2]byte
	Serial     [pos.MaxSerial]byte
	SerialLen  int
	HasFactor  bool
	Factor     [6]byte
	HasCipher  bool
	Cipher     [8]byte
	App        [8]byte
	HasApp     bool

	Fallback bool // DE60.5 = 2: the terminal fell back from chip to stripe

	HasPlace  bool
	BadPlace  bool // coordinates are given and are no place on the globe
	Latitude  int32
	Longitude int32

	HasOrigin bool
	OrigBatch pos.BatchNo
	OrigSTAN  pos.STAN
	OrigDate  uint16
	RRN       pos.RRN
	AuthCode  pos.AuthCode
	Why       pos.ResponseCode // DE39 of a 0400
	Claimed   journal.Totals
	HasTotals bool

	HasTail bool // DE62 of a sign-in
	Licence [4]byte
	Tail    [8]byte

	Operator pos.Operator // DE63.1 of a sign-in; zero when none was sent
}

// SerialText is the serial number as presented.
func (r *Request) SerialText() []byte { return r.Serial[:r.SerialLen] }

// Application is the application version of A2, without its padding.
func (r *Request) Application() []byte {
	app := r.App[:]
	for len(app) > 0 && app[len(app)-1] == ' ' {
		app = app[:len(app)-1]
	}
	return app
}

// HasPIN tells whether a PIN came in any form.
func (r *Request) HasPIN() bool { return r.HasPINBlock || r.HasSealedPIN }

// entry is the first two digits of DE22.
func (r *Request) entry() uint16 { return r.EntryMode / 10 }

// Chip tells whether the card was read by contact or contactless chip (DE22 05, 07).
func (r *Request) Chip() bool { e := r.entry(); return r.HasEntry && (e == 5 || e == 7) }

// Swiped tells whether the magnetic stripe was read (DE22 02, and fallback 80, 90).
func (r *Request) Swiped() bool {
	e := r.entry()
	return r.HasEntry && (e == 2 || e == 80 || e == 90)
}

// Snapshot is what is known of the terminal that a message names, read at one moment. The records are
// immutable; nil is unknown.
type Snapshot struct {
	Terminal *registry.Terminal
	Merchant *registry.Merchant // the one named in DE42
	Device   *registry.Device
	Released registry.Released // the versions that releases brought, set by the line
	Session  keys.Session
	Money    Money
	Card     CardView
	Version  uint64 // of the terminal's state; the ledger refuses a commit against another
	Owner    any    // the ledger's own place of the terminal, so that it is looked up once a message
	Undone   uint64 // how many of the terminal's records were reversed so far

	// What the terminal may do now, nil where the ledger keeps no permits: then its registration alone says.
	// And what those may do who signed in for the pending keys, or who signs in by this message, and for the keys
	// in force; nil is nobody in particular.
	Permit   *registry.Standing
	Cashiers [2]*registry.Standing

	Suspected   bool  // two devices are suspected to bear the terminal's identity
	Stops       Stops // sales stopped because a proof no longer proves
	RateLimited bool  // too many sign-ins
	SameConn    bool  // the last verified message came on this connection
}

// CardView is the part of a card that must be known before the PIN is verified.
type CardView struct {
	Verifier [16]byte
}

// Money is the part of the terminal's money side that a decision reads.
type Money struct {
	Batch     pos.BatchNo
	LastBatch pos.BatchNo
	HeardFrom pos.Address
	Empty     bool // nothing recorded in the open batch
	Seen      bool // the trace is used in this batch and class
	Full      bool // no more scattered traces can be kept
	Missing   bool // Seen, and its record must be recalled from the disk first
	HasPrior  bool
	Prior     transaction.Record // a copy of the record of the same key
}

// PINForm is how the PIN came; zero when none did.
func (r *Request) PINForm() issuer.PINForm {
	switch {
	case r.HasSealedPIN:
		return issuer.PINSM4
	case r.HasPINBlock && r.HasSecurity && r.Security[0] == '1':
		return issuer.PINWithoutPAN
	case r.HasPINBlock:
		return issuer.PINFormat0
	}
	return 0
}
