package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"touchstone/authority"
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
