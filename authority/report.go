package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
)

// ReportDomain stands before the bytes of a report when a device signs it, so that no signature for another
// purpose, a TLS handshake's or a certificate request's, is ever one of a report.
const ReportDomain = "touchstone-health/1\n"

// ErrSignature is returned for a report that a device's key did not sign.
var ErrSignature = errors.New("report signature")

// MaxSignature is the most bytes of a signature: ASN.1 of two numbers of P-384.
const MaxSignature = 112

// reportDigest is SHA-256 over the domain and the exact bytes.
func reportDigest(body []byte) []byte {
	h := sha256.New()
	h.Write([]byte(ReportDomain))
	h.Write(body)
	return h.Sum(nil)
}

// SignReport signs the exact bytes of a report with a device's private key: ECDSA with SHA-256 (FIPS 186-5), in
// ASN.1 DER as openssl dgst -sha256 -sign writes it.
func SignReport(random io.Reader, key crypto.Signer, body []byte) ([]byte, error) {
	if _, ok := key.Public().(*ecdsa.PublicKey); !ok {
		return nil, fmt.Errorf("%w: a device signs with an ECDSA key", ErrSignature)
	}
	return key.Sign(random, reportDigest(body), crypto.SHA256)
}

// VerifyReport proves that the key of a device certificate signed exactly these bytes. Whether the certificate stands
// is not asked here.
func VerifyReport(c *x509.Certificate, body, signature []byte) error {
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || len(signature) > MaxSignature || !ecdsa.VerifyASN1(key, reportDigest(body), signature) {
		return ErrSignature
	}
	return nil
}
