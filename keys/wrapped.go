package keys

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

// Usage is what a wrapped key is for. The module refuses every other use. Numbers are on disk for ever.
type Usage uint8

// The usages.
const (
	TerminalMaster Usage = 1 // TMK: wraps working keys for one terminal; 8 or 16 bytes
	SerialKey      Usage = 2 // the device's serial-number key (终端序列号密钥); SM4, 16 bytes
	WorkingSet     Usage = 3 // PIK, MAK, TDK of one sign-in; 48 bytes
	CardHash       Usage = 4 // HMAC-SHA-256 key for card numbers and fingerprints; 32 bytes
	PINVerify      Usage = 5 // HMAC-SHA-256 key for PIN verification values; 32 bytes
	SigningKey     Usage = 6 // private key of the certificate authority or of the TLS listener; P-256, 32 bytes
	SecondFactor   Usage = 7 // secret of a person's one-time codes, RFC 6238; HMAC, 20 bytes
	WebhookSecret  Usage = 8 // by which a receiver knows our messages; HMAC-SHA-256, 32 bytes of text
	TransportKey   Usage = 9 // opens what people seal before they send it; an age identity, 74 bytes of text
)

var usageNames = [...]string{"none", "TMK", "serial key", "working keys", "card hash key", "PIN verification key", "signing key", "second factor", "webhook secret", "transport key"}

// String is the usage's word.
func (u Usage) String() string {
	if int(u) < len(usageNames) {
		return usageNames[u]
	}
	return "unknown"
}

// Cipher is the block cipher a key belongs to. DES and SM4 keys never share a slot.
type Cipher uint8

// The ciphers. Numbers are on disk for ever.
const (
	NoCipher Cipher = 0
	DES      Cipher = 1 // 8 bytes
	TDES     Cipher = 2 // 16 bytes
	SM4      Cipher = 3 // 16 bytes
	HMAC     Cipher = 4 // 32 bytes, of a SecondFactor 20
	P256     Cipher = 5 // a scalar of the curve, big-endian, 32 bytes; no block cipher, but its place is here
	X25519   Cipher = 6 // of a TransportKey; RFC 7748, as age writes it
)

var cipherNames = [...]string{"none", "DES", "TDES", "SM4", "HMAC", "P-256", "X25519"}

// String is the cipher's name.
func (c Cipher) String() string {
	if int(c) < len(cipherNames) {
		return cipherNames[c]
	}
	return "unknown"
}

// Wrapped is a key under the module's master key. Layout, big-endian:
//
//	version 1 | term 4 | usage 1 | cipher 1 | id 12 | ciphertext n | tag 16
//
// AES-256-GCM; id is the random nonce and names the key; the first seven bytes and the owner's label
// are authenticated with it, so a record moved to another owner does not open.
type Wrapped []byte

// Sizes of the layout.
const (
	WrapHead = 19 // bytes before the ciphertext
	WrapTag  = 16
	// SetSize is the length of a wrapped WorkingSet.
	SetSize = WrapHead + 48 + WrapTag
)

// ErrWrapped is returned for a wrapped key that is too short or of an unknown version.
var ErrWrapped = errors.New("wrapped key: malformed")

// ID names a key: the 12 random bytes it was wrapped with.
type ID [12]byte

// Head reads the clear part of the layout.
func (w Wrapped) Head() (term uint32, usage Usage, cipher Cipher, id ID, err error) {
	if len(w) < WrapHead+WrapTag || w[0] != 1 {
		return 0, 0, 0, ID{}, ErrWrapped
	}
	copy(id[:], w[7:])
	return binary.BigEndian.Uint32(w[1:]), Usage(w[5]), Cipher(w[6]), id, nil
}

// String names the key without its bytes.
func (w Wrapped) String() string {
	term, usage, cipher, id, err := w.Head()
	if err != nil {
		return "[no key]"
	}
	return fmt.Sprintf("%s %s %x (master key term %d)", cipher, usage, id[:4], term)
}

// Format prints String for every verb.
func (w Wrapped) Format(f fmt.State, _ rune) { fmt.Fprint(f, w.String()) }

// MarshalText is base64: a wrapped key may be stored.
func (w Wrapped) MarshalText() ([]byte, error) {
	return []byte(base64.StdEncoding.EncodeToString(w)), nil
}

// UnmarshalText reads MarshalText's form.
func (w *Wrapped) UnmarshalText(b []byte) (err error) {
	*w, err = base64.StdEncoding.DecodeString(string(b))
	return err
}

// Owner is the label a wrapped key is bound to, such as "terminal 00000011" or "serial 00000304N9NL10000001".
type Owner string

// OfTerminal is the owner of a terminal's master and working keys.
func OfTerminal[T ~string | ~[]byte](id T) Owner { return Owner("terminal " + string(id)) }

// OfSerial is the owner of a device's serial-number key.
func OfSerial[T ~string | ~[]byte](serial T) Owner { return Owner("serial " + string(serial)) }

// OfWebhook is the owner of the secret of an endpoint: the URL, so that a secret signs for no other place.
func OfWebhook(url string) Owner { return Owner("webhook " + url) }

// OfTransport is the owner of a transport key: its number.
func OfTransport(id string) Owner { return Owner("transport " + id) }

// OfSecond is the owner of the second factor of an account, OfSecondOffered of one that its person has not taken up yet.
func OfSecond(account string) Owner        { return Owner("second factor of " + account) }
func OfSecondOffered(account string) Owner { return Owner("second factor offered to " + account) }

// Owners of the signing keys.
const (
	OfAuthority Owner = "certificate authority"
	OfListener  Owner = "TLS listener"
)

// OfModule owns the module's own keys.
const OfModule Owner = "module"

// Record is a key as entered, with its check value. It is the body of a journal entry of KindKey.
type Record struct {
	Owner   Owner   `json:"owner"`
	Wrapped Wrapped `json:"wrapped"`
	KCV     string  `json:"kcv"` // first 4 bytes of the zero block under it, upper-case hex; "" where none is shown
}
