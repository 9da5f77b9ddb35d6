package main

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"touchstone/authority"
	"touchstone/journal"
	"touchstone/registry"
)

// crlChange asks for a list of revoked certificates. It changes nothing but needs the authority's key.
type crlChange struct {
	Days int `json:"days"`
}

// maxCRLDays is the longest that a list may say it is good for.
const maxCRLDays = 31

// revocationList signs the list of revoked certificates as of now; its number is the epoch of certificates.
func (e *engine) revocationList(ctx context.Context, c *crlChange) (changed, error) {
	e.certificates.Lock()
	defer e.certificates.Unlock()
	if c.Days < 1 || c.Days > maxCRLDays {
		return changed{}, fmt.Errorf("next list in %d days: want 1 to %d", c.Days, maxCRLDays)
	}
	root, by, err := e.authority(ctx)
	if err != nil {
		return changed{}, err
	}
	var gone []x509.RevocationListEntry
	for _, r := range e.ledger.Certificates() {
		if r.Act != registry.CertificateVoid {
			continue
		}
		entry, err := revokedEntry(r, r.At.Time())
		if err != nil {
			return changed{}, err
		}
		gone = append(gone, entry)
	}
	now := e.clock().Time()
	der, err := authority.RevocationList(root, by, uint64(now.Unix()), now, time.Duration(c.Days)*24*time.Hour, gone)
	if err != nil {
		return changed{}, err
	}
	return changed{What: "list of revoked certificates", PEM: string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))}, nil
}

var errPrivateKey = errors.New("private key: want PKCS #8 in PEM, ECDSA on P-256")

// readPrivateKey reads a file of writePrivateKey.
func readPrivateKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := readSecretFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errPrivateKey
	}
	defer clear(block.Bytes)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errPrivateKey
	}
	k, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errPrivateKey
	}
	return k, nil
}

func newPrivateKey(path string) (*ecdsa.PrivateKey, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return k, writePrivateKey(path, k)
}

// certificate prints an act on a certificate.
func (l *lines) certificate(e journal.Entry) error {
	var c registry.Certificate
	if err := json.Unmarshal(e.Body, &c); err != nil {
		return fmt.Errorf("entry %d: certificate: malformed record", e.Seq)
	}
	act := string(c.Act)
	switch c.Act {
	case registry.AuthorityMade:
		act = l.two("certificate authority made", "证书机构已建立")
	case registry.ServerIssued:
		act = l.two("certificate of the listener", "监听端证书已签发")
	case registry.CertificateIssued:
		act = l.two("device certificate issued", "设备证书已签发")
	case registry.CertificateSpent:
		act = l.two("device certificate replaced", "设备证书已更换")
	case registry.CertificateVoid:
		act = l.two("device certificate revoked", "设备证书已吊销")
	}
	_, err := fmt.Fprintf(l.w, " %s  %s  %s  %.16s\n", e.At.Time().In(l.zone).Format("15:04:05"), act, cmp.Or(string(c.Device), "–"), c.Fingerprint)
	return err
}
