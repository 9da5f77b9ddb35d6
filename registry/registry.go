package registry

import (
	"errors"
	"fmt"
	"strings"

	"touchstone/keys"
	"touchstone/pos"
)

// MACProfile is how a terminal computes DE64; docs/protocol/unionpay-pos.md 9A.20.
type MACProfile string

// The profiles. ECB is single DES after sign-in codes 001, 003, 004 and SM4 after 005, 006; the others
// use a 16-byte MAK.
const (
	MACECB     MACProfile = "ecb"
	MACECB3DES MACProfile = "ecb-3des"
	MACX99     MACProfile = "x9.9"
	MACX919    MACProfile = "x9.19"
)

// LongMAK tells whether the profile's MAK has 16 bytes after a 3DES sign-in.
func (m MACProfile) LongMAK() bool { return m == MACECB3DES || m == MACX99 || m == MACX919 }

// Profile is how a terminal of this kind speaks.
type Profile struct {
	SignInCode   pos.NetworkCode `json:"sign_in_code"`             // the only one answered with keys
	MAC          MACProfile      `json:"mac"`                      // "" is ecb
	PINWithout   bool            `json:"pin_without_pan"`          // DE53.1 = 1 is accepted
	TrackSecret  bool            `json:"track_encrypted"`          // a clear track is refused
	ChipReader   bool            `json:"chip_reader"`              // a swiped chip card is fallback
	VoidNeedsPIN bool            `json:"void_needs_pin,omitempty"` // a void must carry a PIN
	MACStrong    bool            `json:"mac_strong,omitempty"`     // a MAC graded weaker than strong is refused
}

// Circle is where a terminal stands.
type Circle struct {
	Latitude  int32  `json:"latitude"`  // micro-degrees, north positive
	Longitude int32  `json:"longitude"` // micro-degrees, east positive
	Metres    uint32 `json:"metres"`
	Refuse    bool   `json:"refuse"` // outside it: refuse, else only record
}

// Merchant is a shop (DE42).
type Merchant struct {
	ID         pos.MerchantID `json:"id"`
	Name       string         `json:"name"`
	Suspended  bool           `json:"suspended"`
	AnyNetwork bool           `json:"any_network"`
	Networks   []pos.Network  `json:"networks,omitempty"` // for its terminals that have none of their own
	Sample     bool           `json:"sample,omitempty"`   // made up for a demonstration

	Entry uint64 `json:"-"` // the journal's entry of this record, where the ledger gave it
}

// DeviceState is what is known of a device.
type DeviceState string

// The states. Only Active passes.
const (
	Active     DeviceState = "active"
	Suspended  DeviceState = "suspended" // lost, stolen, quarantined
	TamperedBy DeviceState = "tampered"  // reported by the device or found at an inspection
)

// Device is one piece of hardware.
type Device struct {
	Serial      pos.Serial   `json:"serial"`
	Licence     string       `json:"licence"`            // network licence (入网认证编号), one letter and 4 digits
	DeviceType  string       `json:"device_type"`        // two digits; docs/protocol/unionpay-pos.md 6.2
	Model       string       `json:"model,omitempty"`    // maker and model, at most MaxModel bytes; "" is unknown
	Hardware    string       `json:"hardware,omitempty"` // hardware version, such as 2.0, at most MaxHardware bytes; "" is unknown
	AppVersions []string     `json:"app_versions,omitempty"`
	State       DeviceState  `json:"state"`
	Key         keys.Wrapped `json:"serial_key,omitempty"` // absent for a terminal that holds none
	KeyKCV      string       `json:"serial_key_kcv,omitempty"`
	Certificate string       `json:"certificate,omitempty"` // SHA-256 of its device certificate, hex; then only that TLS identity passes
	// The certificate before a renewal, good until FormerUntil; and whether the registered one was revoked: the
	// device is then heard by none, until another is issued.
	FormerCertificate string      `json:"former_certificate,omitempty"`
	FormerUntil       pos.Instant `json:"former_until,omitempty"`
	CertificateVoid   bool        `json:"certificate_revoked,omitempty"`

	ReleasedBy  []string `json:"released_by,omitempty"` // the two people of the last release after tampering
	MasterTerms uint32   `json:"key_loadings"`          // how often a master key was loaded

	Entry uint64 `json:"-"` // the journal's entry of this record, where the ledger gave it
}

// Terminal is a place in a shop where a device works (DE41).
type Terminal struct {
	ID         pos.TerminalID `json:"id"`
	Merchant   pos.MerchantID `json:"merchant"`
	Serial     pos.Serial     `json:"serial"`
	Suspended  bool           `json:"suspended"`
	AnyNetwork bool           `json:"any_network"`
	Networks   []pos.Network  `json:"networks,omitempty"`
	Place      *Circle        `json:"place,omitempty"`
	Profile    Profile        `json:"profile"`
	Master     keys.Wrapped   `json:"master_key"` // TMK
	MasterKCV  string         `json:"master_key_kcv"`
	MasterAt   pos.Instant    `json:"master_key_at,omitempty"` // when it was loaded; 0 unknown: a record from before this was kept
	Permit     Permit         `json:"permit"`                  // what was permitted when it was registered; no later fact permits more
	Visitor    bool           `json:"visitor,omitempty"`       // left alone by a demonstration's own traffic
	Canary     bool           `json:"canary,omitempty"`        // reserved for known-bad messages: it moves no money

	Entry uint64 `json:"-"` // the journal's entry of this record, where the ledger gave it
}

// MaxModel is the most bytes of a device's model name, MaxHardware of its hardware version.
const (
	MaxModel    = 40
	MaxHardware = 8
)

// MaxNetworks is the most networks one registration may name.
const MaxNetworks = 32

// ErrRecord is returned for a record that may not be registered.
var ErrRecord = errors.New("registry")

// Check tells what is wrong with a terminal's record.
func (t *Terminal) Check() error {
	switch {
	case t.ID == pos.TerminalID{}:
		return fmt.Errorf("%w: terminal without an id", ErrRecord)
	case t.Merchant == pos.MerchantID{}:
		return fmt.Errorf("%w: terminal %s has no merchant", ErrRecord, t.ID)
	case keys.CipherOf(t.Profile.SignInCode) == keys.NoCipher:
		return fmt.Errorf("%w: terminal %s: sign-in code %s is not one of 001, 003, 004, 005, 006", ErrRecord, t.ID, t.Profile.SignInCode)
	case t.Profile.MAC.LongMAK() && keys.CipherOf(t.Profile.SignInCode) != keys.TDES:
		return fmt.Errorf("%w: terminal %s: MAC %s needs sign-in code 003 or 004", ErrRecord, t.ID, t.Profile.MAC)
	case !t.Profile.MAC.known():
		return fmt.Errorf("%w: terminal %s: MAC %q is not one of ecb, ecb-3des, x9.9, x9.19", ErrRecord, t.ID, t.Profile.MAC)
	case len(t.Networks) > MaxNetworks:
		return fmt.Errorf("%w: terminal %s: %d networks, the most is %d", ErrRecord, t.ID, len(t.Networks), MaxNetworks)
	}
	return nil
}

func (m MACProfile) known() bool {
	switch m {
	case "", MACECB, MACECB3DES, MACX99, MACX919:
		return true
	}
	return false
}

// Check tells what is wrong with a device's record.
func (d *Device) Check() error {
	switch {
	case d.Serial == "":
		return fmt.Errorf("%w: device without a serial number", ErrRecord)
	case d.State != Active && d.State != Suspended && d.State != TamperedBy:
		return fmt.Errorf("%w: device state %q is not one of active, suspended, tampered", ErrRecord, d.State)
	case len(d.DeviceType) != 2 || strings.Trim(d.DeviceType, "0123456789") != "":
		return fmt.Errorf("%w: device type %q is not two digits", ErrRecord, d.DeviceType)
	case len(d.Model) > MaxModel:
		return fmt.Errorf("%w: model of %d bytes, the most is %d", ErrRecord, len(d.Model), MaxModel)
	case len(d.Hardware) > MaxHardware:
		return fmt.Errorf("%w: hardware version of %d bytes, the most is %d", ErrRecord, len(d.Hardware), MaxHardware)
	}
	return nil
}

// Check tells what is wrong with a merchant's record.
func (m *Merchant) Check() error {
	switch {
	case m.ID == pos.MerchantID{}:
		return fmt.Errorf("%w: merchant without an id", ErrRecord)
	case m.Name == "":
		return fmt.Errorf("%w: merchant %s without a name", ErrRecord, m.ID)
	case len(m.Networks) > MaxNetworks:
		return fmt.Errorf("%w: merchant %s: %d networks, the most is %d", ErrRecord, m.ID, len(m.Networks), MaxNetworks)
	}
	return nil
}

// Allowed finds the network that lets a terminal speak from an address: its own networks or, where it
// has none, its merchant's. matched is the zero Network when a registration says "any".
func Allowed(t *Terminal, m *Merchant, from pos.Address) (matched pos.Network, anywhere, ok bool) {
	if t.AnyNetwork || (len(t.Networks) == 0 && m.AnyNetwork) {
		return pos.Network{}, true, true
	}
	nets := t.Networks
	if len(nets) == 0 {
		nets = m.Networks
	}
	for _, n := range nets {
		if n.Contains(from) {
			return n, false, true
		}
	}
	return pos.Network{}, false, false
}
