package diagnosis

import (
	"fmt"
	"io"
	"time"

	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/secret"
)

// The bounds of one experiment; docs/protocol/failures.md, rules of proof.
const (
	MaxExplanations = 64   // keys and forms tried on one message
	MaxAlterations  = 4096 // alterations tried on one message
	MaxCandidates   = 50   // key sets of a Case, the terminal's own included
	MaxSerials      = 16   // devices of a Case
	MaxMasters      = 4    // master keys of a Case, the one in force included
	MaxPrior        = 8    // card number ends of a Case
	MaxFrame        = 2048 // bytes of Frame
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

var sourceNames = [...]string{"unknown", "own_in_force", "own_pending", "own_former", "sibling", "neighbour", "serial_device", "serial_sibling", "serial_nearby"}

// String is the stable word of the fact "source".
func (s Source) String() string {
	if int(s) < len(sourceNames) {
		return sourceNames[s]
	}
	return sourceNames[0]
}

// Candidate is one key that may be tried. It is wrapped under the module's master key; it opens for its owner alone.
type Candidate struct {
	Source    Source
	Terminal  pos.TerminalID // whose working set; or the terminal to which Serial is bound, zero none
	Set       keys.Set       // zero: none, it is a serial-number key
	Algorithm mac.Algorithm  // of that terminal's profile after that set's sign-in code
	Used      bool           // a message verified under it
	Later     bool           // a message verified under a newer set of the same terminal

	// Serial is the device whose key Key is. Beside a working set of another terminal it is the device bound to that
	// terminal: its number and key tell whether the owner of the keys, or this terminal's own device, spoke.
	Serial pos.Serial
	Key    keys.Wrapped // its serial-number key, nil none
}

// Case is one refused message and what may be tried on it. The bytes are secret: whoever made the Case wipes them
// (Wipe). soft.CaseOf makes one of a frame; who knows the register adds the rest.
type Case struct {
	Verdict   uint64      // the verdict's journal entry
	At        pos.Instant // when it was decided
	Reason    reason.Reason
	Terminal  pos.TerminalID
	Merchant  pos.MerchantID
	Algorithm mac.Algorithm   // of the terminal's profile after Code
	Code      pos.NetworkCode // of the sign-in in force

	// What soft.CaseOf reads from the frame. Offsets are into Frame.
	Frame     []byte  // TPDU, header and message as received, without LEN
	Message   int     // where the message type begins; TPDU and header are before it
	End       int     // where the coverage of the MAC ends: DE64 begins there, or the frame ends
	HasMAC    bool    // there is a DE64
	DE64      [8]byte // as received
	Spans     []Span  // every element but DE64, in order
	Copies    []Copy  // what other elements say about one
	Presented Presented
	Track     Track

	Device  pos.Serial     // bound to the terminal
	Keys    []Candidate    // working sets, at most MaxCandidates, the terminal's own first
	Masters []keys.Wrapped // master keys of the terminal: the one in force, then former ones, the newest first

	Serials []Candidate // devices whose serial-number keys may be tried, that of the number presented first
	Prior   [][]byte    // ends of card numbers, 6 ASCII digits each, of the terminal's last messages: factors that may have stayed
	PIN     *PINCase    // nil: no PIN to examine

	// Earlier is what experiments on earlier messages of this terminal came to, those that agree with nothing included,
	// the newest first.
	Earlier []Indication
	// Attempt counts the terminal's messages that nothing explained since one verified. What does not fit into
	// MaxExplanations takes turns by it.
	Attempt uint32
	// Flood: the terminal fails in masses. No alterations are tried.
	Flood bool
}

// Kind is what the bytes of an element hold.
type Kind uint8

// The kinds.
const (
	Digits Kind = iota + 1 // packed BCD, two a byte
	Nibble                 // track data: packed digits and D, or any nibble where sealed
	Text                   // one character a byte
	Binary                 // any bytes
)

// Span is where an element lies.
type Span struct {
	Number uint8 // the data element; 0 is the message type, 1 the bitmap
	Kind   Kind
	Prefix int // where its length prefix begins; From where it has none
	From   int
	To     int
	Count  int // digits or characters
}

// Copy is what another element of the message says about one: the card number of the track about DE2, tag 9F02
// about DE4, the serial number's factor about the end of DE2.
type Copy struct {
	Number uint8 // the element it repeats
	Of     uint8 // the element it stands in
	Tail   bool  // only the last digits of the element
	Digits []byte
}

// Presented is DE59 A2 as it came.
type Presented struct {
	Serial pos.Serial // empty: none
	Factor [6]byte    // zero: none
	Cipher [8]byte    // zero: none
}

// Track is where a sealed DE35 lies. The zero value is none.
type Track struct{ From, To, Digits int }

// Indication is what an experiment on an earlier message came to.
type Indication struct {
	Verdict uint64
	Cause   reason.Cause // NoCause where nothing was concluded
	Variant string
	Facts   map[string]string
	OneIn   uint64
	Digest  [16]byte // keyed fingerprint of the message (Finding.Digest); zero agrees with nothing
}

// PINCase is a PIN block that could not be read, and the card number it should be for. The module wipes Block.
type PINCase struct {
	Block [16]byte // as received, Size bytes
	Size  int      // 8, or 16 under SM4
	Form  byte     // digit 1 of DE53
	Key   byte     // digit 2 of DE53
	PAN   pos.PAN
	Track pos.PAN     // of a clear track where it differs from PAN; empty none
	Until pos.Instant // when it must be gone
}

// Wipe zeroes what is secret in the case.
func (c *Case) Wipe() {
	clear(c.Frame)
	clear(c.DE64[:])
	c.Presented = Presented{}
	for i := range c.Copies {
		clear(c.Copies[i].Digits)
	}
	for _, p := range c.Prior {
		clear(p)
	}
	if c.PIN != nil {
		clear(c.PIN.Block[:])
		c.PIN.PAN.Clear()
		c.PIN.Track.Clear()
	}
}

// Format prints the verdict's number for every verb: a case holds a message and a PIN block.
func (c Case) Format(w fmt.State, _ rune) { fmt.Fprintf(w, "[case of verdict %d]", c.Verdict) }

// MarshalJSON refuses.
func (c Case) MarshalJSON() ([]byte, error) { return nil, secret.ErrPrinted }

// Format prints secret.Redacted for every verb.
func (p PINCase) Format(w fmt.State, _ rune) { io.WriteString(w, secret.Redacted) }

// MarshalJSON refuses.
func (p PINCase) MarshalJSON() ([]byte, error) { return nil, secret.ErrPrinted }

// Format prints secret.Redacted for every verb.
func (c Copy) Format(w fmt.State, _ rune) { io.WriteString(w, secret.Redacted) }
