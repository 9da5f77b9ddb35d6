package authority

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"time"

	"touchstone/pos"
	"touchstone/registry"
)

// How long certificates live unless told otherwise.
const (
	RootLife   = 10 * 365 * 24 * time.Hour
	ServerLife = 397 * 24 * time.Hour // under the 398 days that clients take
	DeviceLife = 365 * 24 * time.Hour
	// Backdate is how much earlier than now a certificate begins: a terminal's clock may be behind.
	Backdate = 5 * time.Minute
)

// numberBytes is the length of a certificate's serialNumber: 128 bits; RFC 5280 4.1.2.2 allows 20 bytes.
const numberBytes = 16

// Terms are what every certificate has.
type Terms struct {
	Number    [numberBytes]byte // drawn at random; the highest bit is cleared, the lowest of the first byte set
	NotBefore time.Time
	NotAfter  time.Time
}

// NewTerms draws a number from random and begins Backdate before now.
func NewTerms(random io.Reader, now time.Time, life time.Duration) (t Terms, err error) {
	if _, err := io.ReadFull(random, t.Number[:]); err != nil {
		return Terms{}, fmt.Errorf("draw a certificate number: %w", err)
	}
	t.NotBefore, t.NotAfter = now.Add(-Backdate), now.Add(life)
	return t, nil
}

func (t Terms) template() *x509.Certificate {
	n := t.Number
	n[0] = n[0]&0x7F | 0x40 // positive and always of 16 bytes
	return &x509.Certificate{SerialNumber: new(big.Int).SetBytes(n[:]), NotBefore: t.NotBefore.UTC(), NotAfter: t.NotAfter.UTC(),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true}
}

// Root makes the self-signed certificate of an authority. name tells one acquirer's from another's.
func Root(key crypto.Signer, t Terms, name string) (*x509.Certificate, error) {
	c := t.template()
	c.Subject = pkix.Name{CommonName: name}
	c.IsCA, c.MaxPathLenZero = true, true
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return create(c, c, key.Public(), key)
}

// Server makes the listener's certificate for names and addresses, at least one. crlURL may say where the
// operator publishes the list of revoked certificates; "" for nowhere.
func Server(root *x509.Certificate, by crypto.Signer, key crypto.PublicKey, t Terms, names []string, crlURL string) (*x509.Certificate, error) {
	c := t.template()
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
			continue
		}
		c.DNSNames = append(c.DNSNames, name)
	}
	if len(names) == 0 {
		return nil, errors.New("a server certificate needs a name or an address")
	}
	c.Subject = pkix.Name{CommonName: names[0]}
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if crlURL != "" {
		c.CRLDistributionPoints = []string{crlURL}
	}
	return create(c, root, key, by)
}

// Device makes the certificate of a device for a public key.
func Device(root *x509.Certificate, by crypto.Signer, key crypto.PublicKey, t Terms, serial pos.Serial) (*x509.Certificate, error) {
	name, err := url.Parse("urn:touchstone:device:" + string(serial))
	if err != nil {
		return nil, fmt.Errorf("device certificate: serial number: %w", err)
	}
	if err := strongEnough(key); err != nil {
		return nil, err
	}
	c := t.template()
	c.Subject, c.URIs = pkix.Name{CommonName: string(serial)}, []*url.URL{name}
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return create(c, root, key, by)
}

func create(c, parent *x509.Certificate, key crypto.PublicKey, by crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(nil, c, parent, key, by) // nil: the signature is RFC 6979's
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// RevocationList makes a CRL (RFC 5280, 5) of the numbers of revoked certificates.
func RevocationList(root *x509.Certificate, by crypto.Signer, number uint64, now time.Time, next time.Duration, revoked []x509.RevocationListEntry) ([]byte, error) {
	return x509.CreateRevocationList(nil, &x509.RevocationList{Number: new(big.Int).SetUint64(number), ThisUpdate: now.UTC(),
		NextUpdate: now.Add(next).UTC(), RevokedCertificateEntries: revoked}, root, by)
}

// ErrRequest is returned for a certificate request that is not one, is not signed by its own key, or names
// another device.
var ErrRequest = errors.New("certificate request")

// ErrWeakKey is returned for a public key that no certificate is made for.
var ErrWeakKey = errors.New("public key: want ECDSA on P-256 or P-384, or RSA of 2048 to 4096 bits")

// ParseRequest reads a PKCS #10 request (RFC 2986), PEM or DER, and gives its public key. The names in it are
// not taken over; a CN other than serial is refused, for it is another device's request.
func ParseRequest(b []byte, serial pos.Serial) (crypto.PublicKey, error) {
	if block, _ := pem.Decode(b); block != nil {
		b = block.Bytes
	}
	r, err := x509.ParseCertificateRequest(b)
	if err != nil {
		return nil, fmt.Errorf("%w: not PKCS #10 in PEM or DER", ErrRequest)
	}
	if err := r.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: not signed by its own key", ErrRequest)
	}
	if cn := r.Subject.CommonName; cn != "" && cn != string(serial) {
		return nil, fmt.Errorf("%w: it is of device %q, not %s", ErrRequest, cn, serial)
	}
	return r.PublicKey, strongEnough(r.PublicKey)
}

func strongEnough(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() {
			return nil
		}
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n >= 2048 && n <= 4096 {
			return nil
		}
	}
	return ErrWeakKey
}

// Fingerprint is SHA-256 of a certificate.
func Fingerprint(c *x509.Certificate) [32]byte { return sha256.Sum256(c.Raw) }

// Record is what the journal keeps of a certificate.
func Record(act registry.CertificateAct, device pos.Serial, by string, c *x509.Certificate) *registry.Certificate {
	id := Fingerprint(c)
	return &registry.Certificate{Act: act, Device: device, Fingerprint: hex.EncodeToString(id[:]), Number: c.SerialNumber.Text(16),
		NotBefore: pos.Instant(c.NotBefore.UnixNano()), NotAfter: pos.Instant(c.NotAfter.UnixNano()), By: by, DER: bytes.Clone(c.Raw)}
}

// PEM is a certificate in its usual text form.
func PEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
