package authority

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"

	"touchstone/pos"
)

// Request makes a device's PKCS #10 request (RFC 2986) in PEM, signed by its own key.
func Request(random io.Reader, key crypto.Signer, serial pos.Serial) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(random, &x509.CertificateRequest{Subject: pkix.Name{CommonName: string(serial)}}, key)
	if err != nil {
		return nil, fmt.Errorf("make certificate request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}
