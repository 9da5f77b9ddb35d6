package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"touchstone/authority"
	"touchstone/hsm/soft"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/secret"
)

// certificateChange is one act of the built-in certificate authority.
type certificateChange struct {
	Act     string `json:"act" enum:"issue,renew,revoke" example:"revoke"`
	Serial  string `json:"serial" doc:"Serial number of the device." example:"00000304TS0000000011"`
	Request []byte `json:"request,omitempty" doc:"The request, PKCS #10 in PEM or DER, in base64."`
	// KeyFile, in a test data directory only, is a new file for a private key made here in place of a request.
	KeyFile     string        `json:"key_file,omitempty" file:"machine" hidden:"true"`
	Life        time.Duration `json:"life,omitempty" doc:"Nanoseconds; the authority's own when not given."`
	Overlap     time.Duration `json:"overlap,omitempty" doc:"Nanoseconds that the old one still holds after a renewal."`
	Fingerprint string        `json:"fingerprint,omitempty" doc:"Of the one to revoke; all of the device's when not given."`
	By          string        `json:"by" required:"false" hidden:"true"` // where there are no accounts
	Reason      string        `json:"reason,omitempty"`
}

// Bounds of what may be asked for.
const (
	maxDeviceLife = 3 * 365 * 24 * time.Hour
	maxOverlap    = 90 * 24 * time.Hour
	maxByWords    = 64
)

func (c *certificateChange) check() error {
	switch {
	case c.Act != "revoke" && (c.Life < time.Minute || c.Life > maxDeviceLife):
		return fmt.Errorf("valid for %s: want between a minute and three years", c.Life)
	case c.Overlap < 0 || c.Overlap > maxOverlap:
		return fmt.Errorf("overlap %s: want at most 90 days", c.Overlap)
	case len(c.By) > maxByWords || len(c.Reason) > maxByWords:
		return fmt.Errorf("person or reason is over %d bytes", maxByWords)
	}
	return nil
}

// changeCertificate carries out an act; one at a time, for it reads what it changes.
func (e *engine) changeCertificate(ctx context.Context, c *certificateChange) (changed, error) {
	e.certificates.Lock()
	defer e.certificates.Unlock()
	if err := c.check(); err != nil {
		return changed{}, err
	}
	device, err := e.ledger.Device(pos.Serial(c.Serial))
	if err != nil {
		return changed{}, err
	}
	switch c.Act {
	case "issue", "renew":
		return e.certify(ctx, c, *device)
	case "revoke":
		return e.revoke(ctx, c, *device)
	}
	return changed{}, errors.New("no such act on a certificate")
}

// certify issues a device's certificate or, for a renewal, a new one beside the old.
func (e *engine) certify(ctx context.Context, c *certificateChange, d registry.Device) (changed, error) {
	now := e.clock()
	old := e.certificateOf(d.Certificate)
	stands := old != nil && !d.CertificateVoid
	if stands {
		_, stands = old.Standing(now)
	}
	switch {
	case c.Act == "issue" && stands:
		return changed{}, fmt.Errorf("device %s has a certificate until %s: renew it, or revoke it first", d.Serial, old.NotAfter.Time().UTC().Format(time.DateOnly))
	case c.Act == "renew" && !stands:
		return changed{}, fmt.Errorf("device %s has no certificate that stands: issue one", d.Serial)
	}
	key, write, err := e.publicKey(c, d.Serial)
	if err != nil {
		return changed{}, err
	}
	root, by, err := e.authority(ctx)
	if err != nil {
		return changed{}, err
	}
	terms, err := authority.NewTerms(rand.Reader, now.Time(), c.Life)
	if err != nil {
		return changed{}, err
	}
	made, err := authority.Device(root, by, key, terms, d.Serial)
	if err != nil {
		return changed{}, err
	}
	if err := write(); err != nil {
		return changed{}, err
	}
	return certified(made), e.registerCertificate(ctx, d, old, made, c.By, c.Overlap, stands)
}

func certified(made *x509.Certificate) changed {
	id := authority.Fingerprint(made)
	return changed{What: "certificate of device " + made.Subject.CommonName, Fingerprint: hex.EncodeToString(id[:]), PEM: string(authority.PEM(made.Raw))}
}

// registerCertificate journals a device's new certificate and what becomes of the old one. A crash between the
// entries leaves the device with the certificate it had.
func (e *engine) registerCertificate(ctx context.Context, d registry.Device, old *registry.Certificate, made *x509.Certificate, by string, overlap time.Duration, renewal bool) error {
	now := e.clock()
	record := authority.Record(registry.CertificateIssued, d.Serial, by, made)
	record.At = now
	records := []any{record, &d}
	d.Certificate, d.CertificateVoid, d.FormerCertificate, d.FormerUntil = record.Fingerprint, false, "", 0
	if renewal {
		spent := *old
		spent.Act, spent.Until, spent.By, spent.At = registry.CertificateSpent, now.Add(overlap), by, now
		d.FormerCertificate, d.FormerUntil = old.Fingerprint, spent.Until
		records = append(records, &spent)
	}
	return e.ledger.Register(ctx, now, records...)
}

// publicKey is the request's, or that of a key made here for a test; write then writes its private key.
func (e *engine) publicKey(c *certificateChange, serial pos.Serial) (key crypto.PublicKey, write func() error, err error) {
	nothing := func() error { return nil }
	if c.KeyFile == "" {
		key, err = authority.ParseRequest(c.Request, serial)
		return key, nothing, err
	}
	if !e.test {
		return nil, nil, errors.New("outside a test data directory the private key never leaves the device: give its certificate request")
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	return &k.PublicKey, func() error { return writePrivateKey(c.KeyFile, k) }, nil
}

// writePrivateKey writes a new file of mode 0600, PKCS #8 in PEM.
func writePrivateKey(path string, k *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return err
	}
	defer clear(der)
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	defer clear(text)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// certificateOf finds a record by its fingerprint, nil when there is none.
func (e *engine) certificateOf(fingerprint string) *registry.Certificate {
	var id [32]byte
	if n, err := hex.Decode(id[:], []byte(fingerprint)); err != nil || n != len(id) {
		return nil
	}
	c, err := e.ledger.Certificate(id)
	if err != nil {
		return nil
	}
	return c
}

// revoke ends certificates of a device, all that stand or the one named. It is final: the device is heard again
// when another is issued.
func (e *engine) revoke(ctx context.Context, c *certificateChange, d registry.Device) (changed, error) {
	var records []any
	what := ""
	for _, have := range e.ledger.Certificates() {
		if have.Device != d.Serial || have.Act == registry.CertificateVoid || c.Fingerprint != "" && have.Fingerprint != c.Fingerprint {
			continue
		}
		gone := *have
		gone.Act, gone.By, gone.Reason, gone.At = registry.CertificateVoid, c.By, c.Reason, e.clock()
		records = append(records, &gone)
		switch gone.Fingerprint {
		case d.Certificate:
			d.CertificateVoid = true
		case d.FormerCertificate:
			d.FormerCertificate, d.FormerUntil = "", 0
		}
		what += " " + gone.Fingerprint[:16]
	}
	if len(records) == 0 {
		return changed{}, fmt.Errorf("device %s has no such certificate that is not revoked", d.Serial)
	}
	records = append(records, &d)
	return changed{What: "revocation of" + what + " of device " + string(d.Serial)}, e.ledger.Register(ctx, e.clock(), records...)
}

// authority is the data directory's own certificate authority; made, and journaled, when first needed.
func (e *engine) authority(ctx context.Context) (*x509.Certificate, *soft.Signer, error) {
	for _, c := range e.ledger.Certificates() {
		if c.Act != registry.AuthorityMade {
			continue
		}
		root, err := x509.ParseCertificate(c.DER)
		if err != nil {
			return nil, nil, fmt.Errorf("certificate authority: %w", err)
		}
		by, err := e.module.Signer(keys.OfAuthority, c.Key)
		if err != nil {
			return nil, nil, fmt.Errorf("certificate authority: %w", err)
		}
		return root, by, nil
	}
	return e.makeAuthority(ctx)
}

// authorityOnce is authority for who holds no lock.
func (e *engine) authorityOnce(ctx context.Context) (*x509.Certificate, *soft.Signer, error) {
	e.certificates.Lock()
	defer e.certificates.Unlock()
	return e.authority(ctx)
}

func (e *engine) makeAuthority(ctx context.Context) (*x509.Certificate, *soft.Signer, error) {
	wrapped, err := e.signingKey(ctx, keys.OfAuthority, publishedAuthority)
	if err != nil {
		return nil, nil, err
	}
	by, err := e.module.Signer(keys.OfAuthority, wrapped)
	if err != nil {
		return nil, nil, err
	}
	terms, err := authority.NewTerms(rand.Reader, e.clock().Time(), authority.RootLife)
	if err != nil {
		return nil, nil, err
	}
	name := fmt.Sprintf("Touchstone device CA %x", terms.Number[8:12])
	if e.test {
		terms, name = publishedTerms(publishedAuthority), publishedAuthority
	}
	root, err := authority.Root(by, terms, name)
	if err != nil {
		return nil, nil, err
	}
	record := authority.Record(registry.AuthorityMade, "", "", root)
	record.Key = wrapped
	return root, by, e.ledger.Register(ctx, e.clock(), record)
}

// signingKey is drawn inside the module, or in a test data directory published.
func (e *engine) signingKey(ctx context.Context, owner keys.Owner, label string) (keys.Wrapped, error) {
	if !e.test {
		return e.module.DrawSigner(ctx, owner)
	}
	scalar := secret.Take(publishedScalar(label))
	defer scalar.Wipe()
	return e.module.FormSigner(ctx, owner, scalar)
}

// serverRenewBefore is how long before its end the listener's certificate is replaced.
const serverRenewBefore = 30 * 24 * time.Hour

// serverCertificate is the listener's certificate for names, made when there is none that lasts, and the key
// that signs for it inside the module.
func (e *engine) serverCertificate(ctx context.Context, names []string, crlURL string) (*x509.Certificate, *soft.Signer, error) {
	e.certificates.Lock()
	defer e.certificates.Unlock()
	root, by, err := e.authority(ctx)
	if err != nil {
		return nil, nil, err
	}
	now := e.clock().Time()
	for _, c := range e.ledger.Certificates() {
		if c.Act != registry.ServerIssued || c.NotAfter.Time().Before(now.Add(serverRenewBefore)) || c.NotBefore.Time().After(now) {
			continue
		}
		have, err := x509.ParseCertificate(c.DER)
		if err != nil || !sameNames(have, names, crlURL) {
			continue
		}
		key, err := e.module.Signer(keys.OfListener, c.Key)
		return have, key, err
	}
	wrapped, err := e.signingKey(ctx, keys.OfListener, publishedServer)
	if err != nil {
		return nil, nil, err
	}
	key, err := e.module.Signer(keys.OfListener, wrapped)
	if err != nil {
		return nil, nil, err
	}
	terms, err := authority.NewTerms(rand.Reader, now, authority.ServerLife)
	if err != nil {
		return nil, nil, err
	}
	made, err := authority.Server(root, by, key.Public(), terms, names, crlURL)
	if err != nil {
		return nil, nil, err
	}
	record := authority.Record(registry.ServerIssued, "", "", made)
	record.Key = wrapped
	return made, key, e.ledger.Register(ctx, e.clock(), record)
}

func sameNames(c *x509.Certificate, names []string, crlURL string) bool {
	var have []string
	for _, ip := range c.IPAddresses {
		have = append(have, ip.String())
	}
	have = append(have, c.DNSNames...)
	want := slices.Sorted(slices.Values(names))
	slices.Sort(have)
	var lists []string
	if crlURL != "" {
		lists = []string{crlURL}
	}
	return slices.Equal(have, want) && slices.Equal(c.CRLDistributionPoints, lists)
}

// publishedKey is the private key of a published label, for the fixture of a test data directory.
func publishedKey(label string) *ecdsa.PrivateKey {
	return must(ecdsa.ParseRawPrivateKey(elliptic.P256(), publishedScalar(label)))
}

func publishedScalar(label string) []byte { return published("P-256 private key/"+label, 32) }

// The published certificates of a test data directory, and how long they last: they say so in their names and
// are the same for everybody.
const (
	publishedAuthority = "Touchstone TEST CA (published key, trust it nowhere)"
	publishedServer    = "Touchstone test listener"
)

func publishedTerms(label string) (t authority.Terms) {
	copy(t.Number[:], published("certificate number/"+label, len(t.Number)))
	t.NotBefore, t.NotAfter = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2049, 12, 31, 0, 0, 0, 0, time.UTC)
	return t
}

func publishedRoot() *x509.Certificate {
	return must(authority.Root(publishedKey(publishedAuthority), publishedTerms(publishedAuthority), publishedAuthority))
}

// certificate is the published device certificate of a sample terminal that has one.
func (t sampleTerminal) certificate() *x509.Certificate {
	key := publishedKey("device " + string(t.serial))
	return must(authority.Device(publishedRoot(), publishedKey(publishedAuthority), &key.PublicKey, publishedTerms("device "+string(t.serial)), t.serial))
}

// keyPEM is the published private key of a sample terminal's certificate.
func (t sampleTerminal) keyPEM() []byte {
	der := must(x509.MarshalPKCS8PrivateKey(publishedKey("device " + string(t.serial))))
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// seedCertificates gives the sample terminals that speak TLS their published certificates.
func (e *engine) seedCertificates(ctx context.Context) error {
	e.certificates.Lock()
	defer e.certificates.Unlock()
	root, _, err := e.authority(ctx)
	if err != nil {
		return err
	}
	if !bytes.Equal(root.Raw, publishedRoot().Raw) {
		return errors.New("this test data directory has another certificate authority than the published one")
	}
	all := append(staffTerminals(), visitors()...)
	for _, c := range canaries() {
		all = append(all, c.sampleTerminal)
	}
	for _, t := range all {
		if !t.tls {
			continue
		}
		d, err := e.ledger.Device(t.serial)
		if err != nil {
			return err
		}
		if d.Certificate != "" {
			continue
		}
		if err := e.registerCertificate(ctx, *d, nil, t.certificate(), "published", 0, false); err != nil {
			return err
		}
	}
	return nil
}
