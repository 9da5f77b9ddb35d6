package proof

import (
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
)

// Outcome is how one proof ended. The zero value proves nothing.
type Outcome uint8

// The outcomes.
const (
	NotRun Outcome = iota // not reached, or not required of this message
	Passed
	Failed
	Unavailable // the module could not say
)

var outcomeNames = [...]string{"not run", "passed", "failed", "unavailable"}

// String is the outcome's word.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "unknown"
}

// MaxTrack2 is the most digits of track 2, docs/protocol/unionpay-pos.md section 2, DE35.
const MaxTrack2 = 37

// Claims is what a message asks the security module to prove: its MAC, then its serial number, then
// its encrypted track. The slices are views that the module must not keep; PAN is filled by the module
// when only an encrypted track names the card.
type Claims struct {
	Terminal pos.TerminalID

	// Sets are the working key sets the MAC may be right under, at most two, the pending one first; both
	// nil stands for an unknown terminal: a dummy key is used, so that the time is the same.
	Sets       [2]*keys.Set
	Algorithms [2]mac.Algorithm
	MAB        []byte  // MTI to the last element before DE64, as received
	DE64       [8]byte // as received
	HasMAC     bool
	NeedMAC    bool // false: MAC is not run and the rest goes on

	CheckSerial bool         // A2 carries a ciphertext and the device has a key
	SerialKey   keys.Wrapped // bound to the registered serial
	Registered  pos.Serial
	Serial      []byte  // A2 sub-tag 02, as presented
	Factor      []byte  // A2 sub-tag 03, 6 digits
	Cipher      [8]byte // A2 sub-tag 04, 8 characters
	FactorTail  []byte  // 6 digits the factor must be when the message has no card (a tamper report: DE11); nil: end of PAN

	TrackSealed bool   // DE53.3 = 1
	Track       []byte // DE35 as received: packed nibbles
	TrackDigits int
	PAN         pos.PAN // of DE2 or a clear track; empty when only the sealed track has it
	PANFromDE2  bool

	Laps *Laps // nil: nobody measures
}

// Evidence is what the module proved. Nothing after the first failure is examined.
type Evidence struct {
	MAC         Outcome
	Used        int // index in Claims.Sets of the set that verified, when MAC passed
	Serial      Outcome
	Factor      Outcome
	Track       Outcome // sealed track: decrypted and well-formed
	TrackPAN    Outcome // sealed track: its PAN equals DE2
	Expiry      uint16  // of a sealed track, YYMM
	ServiceCode [3]byte // of a sealed track
	Err         error   // why something was Unavailable, or a key absent (keys.ErrOwner, ErrUsage)
}
