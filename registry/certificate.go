package registry

import (
	"encoding/hex"
	"fmt"

	"touchstone/keys"
	"touchstone/pos"
)

// CertificateAct is what was done to a certificate last.
type CertificateAct string

// The acts. A certificate of a device is issued, perhaps replaced by a renewed one, perhaps revoked.
const (
	AuthorityMade     CertificateAct = "authority" // the built-in certificate authority itself
	ServerIssued      CertificateAct = "server"    // the listener's own certificate
	CertificateIssued CertificateAct = "issued"
	CertificateSpent  CertificateAct = "replaced" // a renewed one took its place; good until Until
	CertificateVoid   CertificateAct = "revoked"  // final
)

// Certificate is what is known of one X.509 certificate (RFC 5280) that the built-in authority made. Its
// newest record, by fingerprint, is its state: the journal has every act.
type Certificate struct {
	Act         CertificateAct `json:"action"`
	Device      pos.Serial     `json:"serial,omitempty"`   // serial number of the device; none for authority and server
	Fingerprint string         `json:"fingerprint"`        // SHA-256 of DER, 64 lower-case hexadecimal digits
	Number      string         `json:"certificate_number"` // serialNumber, hexadecimal
	NotBefore   pos.Instant    `json:"not_before"`
	NotAfter    pos.Instant    `json:"not_after"`
	Until       pos.Instant    `json:"until,omitempty"`  // of a replaced one: it is refused from here on
	By          string         `json:"by,omitempty"`     // who did it
	At          pos.Instant    `json:"at,omitempty"`     // when
	Reason      string         `json:"reason,omitempty"` // of a revocation
	DER         []byte         `json:"der"`              // the certificate
	Key         keys.Wrapped   `json:"key,omitempty"`    // of authority and server: the private key, wrapped by the module
}

// maxCertificateDER keeps a record well within one journal entry.
const maxCertificateDER = 4 << 10

// Check tells what is wrong with a certificate's record.
func (c *Certificate) Check() error {
	bad := func(what string) error {
		return fmt.Errorf("%w: certificate %.16s: %s", ErrRecord, c.Fingerprint, what)
	}
	raw, err := hex.DecodeString(c.Fingerprint)
	switch {
	case err != nil || len(raw) != 32 || hex.EncodeToString(raw) != c.Fingerprint:
		return bad("fingerprint is not 64 lower-case hexadecimal digits")
	case c.Number == "" || c.NotAfter <= c.NotBefore:
		return bad("no number, or it ends before it begins")
	case len(c.DER) == 0 || len(c.DER) > maxCertificateDER:
		return bad("no certificate, or a longer one than 4096 bytes")
	}
	switch c.Act {
	case AuthorityMade, ServerIssued:
		if c.Device != "" || len(c.Key) == 0 {
			return bad("names a device, or has no key")
		}
	case CertificateIssued, CertificateSpent, CertificateVoid:
		if c.Device == "" || len(c.Key) != 0 {
			return bad("names no device, or has a key")
		}
	default:
		return bad("unknown act")
	}
	return nil
}

// Standing tells whether a certificate proves its device at an instant, and if not, why not: "not yet
// valid", "expired", "revoked" or "replaced". The zero time of Until has no meaning but for a replaced one.
func (c *Certificate) Standing(now pos.Instant) (why string, ok bool) {
	switch {
	case c.Act == CertificateVoid:
		return "revoked", false
	case c.Act == CertificateSpent && now >= c.Until:
		return "replaced", false
	case c.Act != CertificateIssued && c.Act != CertificateSpent:
		return "not of a device", false
	case now < c.NotBefore:
		return "not yet valid", false
	case now >= c.NotAfter:
		return "expired", false
	}
	return "", true
}

// MayPresent tells whether a fingerprint, in hexadecimal digits, is the one a device must be heard by: its
// registered certificate, or the former one during the overlap of a renewal.
func (d *Device) MayPresent(fingerprint string, now pos.Instant) bool {
	if d.CertificateVoid {
		return false
	}
	return fingerprint == d.Certificate || d.FormerCertificate != "" && fingerprint == d.FormerCertificate && now < d.FormerUntil
}
