package diagnosis

import (
	"time"

	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/reason"
)

// The bounds of one experiment; docs/protocol/failures.md, rules of proof.
const (
	MaxExplanations = 64   // keys and forms tried on one message
	MaxAlterations  = 4096 // alterations tried on one message
	MaxCandidates   = 50   // key sets of a Case, the terminal's own included
)

// PINLifetime is how long after the answer a PIN block may be examined; then it is wiped.
const PINLifetime = 2 * time.Second

// Source is where a candidate key comes from: which rule allows it to be tried.
type Source uint8

// The sources.
const (
	OwnInForce    Source = iota + 1 // the terminal's working keys in force
	OwnPending                      // issued, not yet used
	OwnFormer                       // of an earlier sign-in: at most the last 8, at most 7 days old
	Sibling                         // of another terminal of the same merchant
	Neighbour                       // of a terminal lately seen from the same address
	SerialDevice                    // serial-number key of the device whose number was presented
	SerialSibling                   // of another device of the merchant
	SerialNearby                    // of a device lately seen from the same address
)

// Candidate is one key that may be tried. It is wrapped under the module's master key; it opens for its owner alone.
type Candidate struct {
	Source    Source
	Terminal  pos.TerminalID // whose working set; or the terminal to which Serial is bound, zero none
	Set       keys.Set       // zero: none, it is a serial-number key
	Algorithm mac.Algorithm  // of that terminal's profile
	Used      bool           // a message verified under it
	Later     bool           // a message verified under a newer set of the same terminal

	Serial pos.Serial   // the device whose key SerialKey is
	Key    keys.Wrapped // its serial-number key, nil none
}

// Case is one refused message and what may be tried on it. The bytes are secret: whoever made the Case wipes them.
type Case struct {
	Verdict   uint64 // the verdict's journal entry
	At        pos.Instant
	Reason    reason.Reason
	Terminal  pos.TerminalID
	Merchant  pos.MerchantID
	Algorithm mac.Algorithm // of the terminal's profile
	Code      pos.NetworkCode

	Frame   []byte // TPDU, header and message as received, without LEN
	Message int    // where in Frame the message type begins; TPDU and header are before it

	Keys    []Candidate    // working sets, at most MaxCandidates, the terminal's own first
	Masters []keys.Wrapped // master keys of the terminal: the one in force, then former ones, the newest first

	Serials []Candidate // devices whose serial-number keys may be tried
	Prior   [][]byte    // the ends of card numbers that the terminal's last messages had: factors that may have stayed
	PIN     *PINCase    // nil: no PIN to examine

}

// PINCase is a PIN block that could not be read, and the card number it should be for.
type PINCase struct {
	Block [16]byte // as received, Size bytes
	Size  int      // 8, or 16 under SM4
	Form  byte     // digit 1 of DE53
	Key   byte     // digit 2 of DE53
	PAN   pos.PAN
	Until pos.Instant // when it must be gone
}
