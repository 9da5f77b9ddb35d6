package terminal

import (
	"errors"

	"touchstone/iso8583"
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
)

// Fault is one misbehaviour: an ordinary operation that is wrong in exactly one way.
type Fault string

// The faults. What a host should say is in the comment; docs/protocol/unionpay-pos.md, sections 9 and 9A.
const (
	WrongMAC64         Fault = "wrong-mac"           // DE64 is not the MAC: A0
	MissingMAC64       Fault = "missing-mac"         // no DE64: A0
	StaleKey           Fault = "stale-key"           // a MAC under the former sign-in's MAK: A0
	AlteredAmount      Fault = "altered-amount"      // DE4 changed after the MAC was computed: A0
	Replay             Fault = "replay"              // a sale sent again byte for byte after its reversal: 94
	DuplicateTrace     Fault = "duplicate-trace"     // the trace of the sale before, another amount: 94
	OtherSerial        Fault = "other-serial"        // A2 of another device: 97
	WrongSerialCipher  Fault = "wrong-serial-cipher" // A2 with a wrong ciphertext: A7
	CiphertextStripped Fault = "ciphertext-stripped" // A2 without factor and ciphertext: A7
	PINStaleKey        Fault = "pin-stale-key"       // a PIN under the former sign-in's PIK, the MAC right: 99
	Unregistered       Fault = "unregistered"        // a DE41 that nobody registered: 97
	WrongBatch         Fault = "wrong-batch"         // the batch after the open one: 77
	WrongSignInCode    Fault = "wrong-sign-in-code"  // a sign-in with another code: 40
	WrongNetwork       Fault = "wrong-network"       // from another local address: 58
	CutFrame           Fault = "cut-frame"           // half a frame, then the end of the stream: no answer
	Garbage            Fault = "garbage"             // a length and random bytes: no answer
	Tamper             Fault = "tamper"              // a tamper report; the terminal locks
)

// ErrFault is returned for a name that is no Fault.
var ErrFault = errors.New("fault: no such name")

// ErrPrelude is returned when what a fault needs beforehand, a sign-in or an approved sale, was not to be had.
var ErrPrelude = errors.New("fault: what comes before it was not approved")

// ErrNoSerialKey is returned for a fault of the serial number on a terminal without a serial-number key.
var ErrNoSerialKey = errors.New("fault: the terminal has no serial-number key")

// ErrNoPIN is returned for a fault of the PIN with a card without one.
var ErrNoPIN = errors.New("fault: the card has no PIN")

// Faults are all faults in the order of the table, the MAC's first.
func Faults() []Fault {
	all := make([]Fault, 0, len(faultTable))
	for i := range faultTable {
		all = append(all, faultTable[i].Fault)
	}
	return all
}

// ParseFault reads a fault's name.
func ParseFault(name string) (Fault, error) {
	row, err := Describe(Fault(name))
	return row.Fault, err
}

// twist is how one message differs from an ordinary one. The zero value is ordinary.
type twist struct {
	noMAC      bool
	wrongMAC   bool
	macKey     *mac.Key          // DE64 under this
	pinKey     *paycrypto.Cipher // the PIN under this
	raise      pos.Amount        // added to DE4 after the MAC
	trace      pos.STAN          // DE11, not a new one
	other      bool              // A2 of another serial number
	wrongTUSN  bool              // A2 sub-tag 04 is wrong
	strip      bool              // A2 without 03 and 04
	terminal   pos.TerminalID    // DE41
	laterBatch bool              // DE60.2 is the next batch
	from       string            // local address
	copyTo     *[]byte           // gets a copy of the frame

	seal       func(*Terminal, []byte) ([8]byte, error) // makes DE64 of the bytes it is due over
	spoil      func(frame []byte) []byte                // changes the frame, LEN included, after the MAC
	a2         func(*Terminal, *iso8583.A2Values) error // changes the serial-number authentication
	pinBlock   func(*Terminal, Card) ([]byte, error)    // makes the PIN block
	currency   pos.Currency                             // DE49
	zeroAmount bool                                     // DE4 is there and 0
	noAmount   bool                                     // no DE4

	// Of probes only.
	merchant    pos.MerchantID    // DE42
	place       *Location         // A5
	trackKey    *paycrypto.Cipher // the track sealed under this
	otherCipher bool              // digit 2 of DE53
	otherFactor bool              // A2 sub-tag 03 and the ciphertext of another factor
	app         string            // A2 sub-tag 05
}

func (w *twist) terminalID(own pos.TerminalID) pos.TerminalID {
	if w.terminal != (pos.TerminalID{}) {
		return w.terminal
	}
	return own
}

func (w *twist) pik(own *paycrypto.Cipher) *paycrypto.Cipher {
	if w.pinKey != nil {
		return w.pinKey
	}
	return own
}

func (w *twist) mak(own *mac.Key) *mac.Key {
	if w.macKey != nil {
		return w.macKey
	}
	return own
}

func (w *twist) batch(open pos.BatchNo) pos.BatchNo {
	if w.laterBatch {
		return open.Next()
	}
	return open
}

// serialNumber is another device's: our own with its last character changed.
func (w *twist) serialNumber(own pos.Serial) string {
	s := []byte(own)
	if w.other && len(s) > 0 {
		s[len(s)-1] = otherDigit(s[len(s)-1])
	}
	return string(s)
}

func (w *twist) spoilCipher(ciphertext *[8]byte) {
	if w.wrongTUSN {
		ciphertext[7] = otherDigit(ciphertext[7])
	}
}

func (w *twist) spoilMAC(de64 *[8]byte) {
	if w.wrongMAC {
		de64[7] = otherDigit(de64[7])
	}
}

// otherDigit is a hexadecimal digit that is not c.
func otherDigit(c byte) byte {
	if c == '0' {
		return '1'
	}
	return '0'
}

// amountSize is DE4 in bytes.
const amountSize = 6

// raiseAmount changes DE4 in a message that has been authenticated: mab lends its bytes from the
// message type on, where DE3 is the first element unless there is a DE2.
func (w *twist) raiseAmount(mab []byte, amount pos.Amount) {
	at := 2 + 8 // MTI and bitmap
	if mab[2]&0x40 != 0 {
		digits := int(mab[at]>>4)*10 + int(mab[at]&15)
		at += 1 + (digits+1)/2
	}
	at += 3 // DE3
	raised := uint64(amount + w.raise)
	for i := at + amountSize - 1; i >= at; i-- {
		mab[i] = byte(raised%10 | raised/10%10<<4)
		raised /= 100
	}
}
