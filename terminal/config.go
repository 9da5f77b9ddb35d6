package terminal

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"touchstone/iso8583"
	"touchstone/paycrypto"
	"touchstone/pos"
	"touchstone/secret"
)

// ErrConfig is returned by Open for a Config that makes no terminal.
var ErrConfig = errors.New("terminal config")

// MACProfile is how a terminal's messages are authenticated; docs/protocol/unionpay-pos.md, section 9A.20.
type MACProfile string

// The profiles. "" is ECB. All but ECB are for the sign-in codes 003 and 004 and want a MAK of 16 bytes.
const (
	ECB     MACProfile = "ecb"      // single DES after 001, 003 and 004; SM4 after 005 and 006
	ECB3DES MACProfile = "ecb-3des" // the same seven steps with TDES
	X99     MACProfile = "x9.9"     // CBC-MAC with TDES
	X919    MACProfile = "x9.19"    // the retail MAC
)

// Language is the language of the screen.
type Language string

// The languages. "" is Chinese.
const (
	Chinese Language = "zh"
	English Language = "en"
)

// Location is tag A5 of DE59: degrees as the terminal knows them.
type Location struct {
	Longitude, Latitude string // up to 10 characters, sign included: "+121.48352"
	System              string // coordinate system, "GCJ02"
}

// The defaults of a Config.
const (
	DefaultTimeout       = 30 * time.Second
	DefaultDialTimeout   = 10 * time.Second
	DefaultReversalLimit = 3
	DefaultFaultFrom     = "127.0.9.9"
)

// DefaultEnvelope is TPDU 6000030000 and header 603100311812.
var DefaultEnvelope = iso8583.Envelope{0x60, 0x00, 0x03, 0x00, 0x00, 0x60, 0x31, 0x00, 0x31, 0x18, 0x12}

// Config is what a terminal is made of. Fields with a default may stay zero.
type Config struct {
	Host     string           // host:port
	From     string           // local address to bind, "" for any
	Envelope iso8583.Envelope // DefaultEnvelope

	Terminal   pos.TerminalID // DE41
	Merchant   pos.MerchantID // DE42
	Operator   string         // DE63.1, three characters; "001"
	SignInCode paycrypto.SignInCode
	MAC        MACProfile
	SealTrack  bool // encrypt DE35 when the sign-in code brings a track key; section 5.3
	SendPAN    bool // send DE2 beside the track; without a track it is always sent
	Currency   pos.Currency

	Passwords PasswordPolicy // zero: DefaultPasswordPolicy

	// TMK is the terminal master key: 8 bytes for code 001, else 16. SerialKey is the 16-byte SM4
	// serial-number key, empty for a terminal that has none. Open keeps both; Close and Tamper wipe them.
	TMK, SerialKey secret.Bytes
	// KeyLoad counts the key loadings. Only a count above the one in the file unlocks a tampered terminal.
	KeyLoad uint32

	Serial     pos.Serial // hardware serial number
	Licence    string     // network licence, a letter and four digits: "P3100"
	DeviceType string     // section 6.2, two digits: "04"
	AppVersion string     // up to 8 characters
	Location   *Location  // nil: no A5

	Timeout       time.Duration // for an answer
	DialTimeout   time.Duration
	ReversalLimit int    // how often a reversal is sent before it is kept and reported
	StateDir      string // one file a terminal, made with mode 0700 if it is not there

	Language  Language
	Screen    Screen       // nil: none
	OnMessage func(Result) // called once for every message sent, in order; nil: none

	// FaultFrom is the local address of Fault WrongNetwork; FaultTerminal the DE41 of Unregistered;
	// FaultMerchant the DE42 of ProbeOtherMerchant.
	FaultFrom     string
	FaultTerminal pos.TerminalID
	FaultMerchant pos.MerchantID
	// Other makes the second terminal of faults that need one, with keys of its own: each call fresh ones. FormerTMK
	// is the master key that this terminal had before, of faults that still use it.
	Other     func() (Config, error)
	FormerTMK secret.Bytes

	Now    func() time.Time // the clock; time.Now
	Random io.Reader        // nonces and Fault Garbage; crypto/rand
	TLS    *TLS             // nil: plain TCP
	// Dial makes a connection from a local address ("" for any) to a remote one; nil is TCP.
	Dial func(ctx context.Context, local, remote string) (net.Conn, error)

	secure *tls.Config // made of TLS by complete

	passwordMemory uint32 // KiB of a new password's hash; 0: as many as it should have, less in tests
}

// Card is what a reader and a keypad would give.
type Card struct {
	PAN    pos.PAN
	Expiry uint16       // YYMM, sent as DE14 when there is no track; 0 for none
	Track2 secret.Bytes // ASCII digits with "=" or D, up to 37; empty for a card typed in
	PIN    secret.Bytes // 4 to 12 ASCII digits; empty for none
}

// Wipe empties the card for every copy of it.
func (c Card) Wipe() {
	c.PAN.Clear()
	c.Track2.Wipe()
	c.PIN.Wipe()
}

// complete fills in defaults and refuses what makes no terminal. Errors name the field, not its value.
func (c *Config) complete() error {
	c.defaults()
	wrong := func(field, why string) error { return fmt.Errorf("%w: %s: %s", ErrConfig, field, why) }
	algorithm := c.SignInCode.Algorithm()
	switch {
	case c.Host == "":
		return wrong("host", "missing")
	case c.Terminal == pos.TerminalID{}:
		return wrong("terminal id", "missing")
	case c.Merchant == pos.MerchantID{}:
		return wrong("merchant id", "missing")
	case algorithm == 0:
		return wrong("sign-in code", "not one of 001, 003, 004, 005, 006")
	case c.StateDir == "":
		return wrong("state directory", "missing")
	case len(c.Operator) != 3:
		return wrong("operator", "not three characters")
	case c.Language != Chinese && c.Language != English:
		return wrong("language", "not zh or en")
	case c.ReversalLimit < 1 || c.ReversalLimit > 99:
		return wrong("reversal limit", "not 1 to 99")
	case c.SealTrack && !c.SignInCode.Track():
		return wrong("sealed track", "the sign-in code brings no track key")
	case len(c.AppVersion) > appVersionSize:
		return wrong("application version", "longer than 8 characters")
	case len(c.Licence) != 0 && len(c.Licence) != licenceSize:
		return wrong("network licence", "not a letter and four digits")
	}
	switch c.MAC {
	case ECB:
	case ECB3DES, X99, X919:
		if algorithm != paycrypto.TDES {
			return wrong("MAC profile", "wants sign-in code 003 or 004")
		}
	default:
		return wrong("MAC profile", "not one of ecb, ecb-3des, x9.9, x9.19")
	}
	if c.TLS != nil {
		secure, why := c.TLS.config(c.Host)
		if why != "" {
			return wrong("TLS", why)
		}
		c.secure = secure
	}
	if err := c.Passwords.Check(); err != nil {
		return err
	}
	return c.completeSerial(wrong)
}

const (
	appVersionSize = 8
	licenceSize    = 5
	deviceTypeSize = 2
	serialKeySize  = 16
)

func (c *Config) completeSerial(wrong func(field, why string) error) error {
	switch {
	case c.SerialKey.Len() != 0 && c.SerialKey.Len() != serialKeySize:
		return wrong("serial key", "not 16 bytes")
	case c.SerialKey.Len() != 0 && c.Serial == "":
		return wrong("serial", "missing, and there is a key for it")
	case c.Serial != "" && len(c.DeviceType) != deviceTypeSize:
		return wrong("device type", "not two digits")
	}
	return nil
}

func (c *Config) defaults() {
	if c.Envelope == (iso8583.Envelope{}) {
		c.Envelope = DefaultEnvelope
	}
	if c.Currency == (pos.Currency{}) {
		c.Currency = pos.CNY
	}
	if c.FaultTerminal == (pos.TerminalID{}) {
		c.FaultTerminal = pos.TerminalID{'9', '9', '9', '9', '9', '9', '9', '9'}
	}
	for _, d := range []struct {
		field *string
		value string
	}{{&c.Operator, "001"}, {(*string)(&c.MAC), string(ECB)}, {(*string)(&c.Language), string(Chinese)}, {&c.FaultFrom, DefaultFaultFrom}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if c.passwordMemory == 0 {
		c.passwordMemory = passwordMemory
	}
	if c.Passwords == (PasswordPolicy{}) {
		c.Passwords = DefaultPasswordPolicy()
	}
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	if c.DialTimeout <= 0 {
		c.DialTimeout = DefaultDialTimeout
	}
	if c.ReversalLimit == 0 {
		c.ReversalLimit = DefaultReversalLimit
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Dial == nil {
		c.Dial = dialTCP
	}
}

// dialTCP is the Dial of a Config without one.
func dialTCP(ctx context.Context, local, remote string) (net.Conn, error) {
	var d net.Dialer
	if local != "" {
		ip := net.ParseIP(local)
		if ip == nil {
			return nil, errors.New("dial: local address is not an IP address")
		}
		d.LocalAddr = &net.TCPAddr{IP: ip}
	}
	return d.DialContext(ctx, "tcp", remote)
}
