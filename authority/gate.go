package authority

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"touchstone/pos"
)

// Why a peer's certificate is refused.
var (
	ErrNone      = errors.New("no client certificate")
	ErrExpired   = errors.New("certificate is not valid at this time")
	ErrAuthority = errors.New("certificate is not of this authority")
	ErrUse       = errors.New("certificate is not for client authentication")
	ErrRevoked   = errors.New("certificate is revoked or replaced")
	ErrMalformed = errors.New("certificate is malformed")
)

// Gate judges the certificates that peers present. Its fields are set once.
type Gate struct {
	Root *x509.Certificate
	// Standing says whether a certificate is recorded and good now, and if not, why; ledger.CertificateStanding.
	Standing func(fingerprint [32]byte, now pos.Instant) (why string, ok bool)
	// Epoch moves whenever Standing may answer otherwise than before.
	Epoch func() uint64
	// Required refuses a peer without a certificate at the handshake. Else such a peer is heard, but not for
	// a device that has one registered.
	Required bool
}

// Judge decides on the chain a peer presented, its own certificate first; an empty one is ErrNone where a
// certificate is required. It is to be asked at every handshake, a resumed session's too.
func (g *Gate) Judge(chain []*x509.Certificate, now time.Time) error {
	if len(chain) == 0 {
		if g.Required {
			return ErrNone
		}
		return nil
	}
	roots := x509.NewCertPool()
	roots.AddCert(g.Root)
	// No intermediates: the root's path length is 0.
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return classOf(err)
	}
	return g.Still(Fingerprint(chain[0]), now)
}

// Still tells whether a certificate that was judged before is good now.
func (g *Gate) Still(fingerprint [32]byte, now time.Time) error {
	switch why, ok := g.Standing(fingerprint, pos.Instant(now.UnixNano())); {
	case ok:
		return nil
	case why == "revoked", why == "replaced":
		return fmt.Errorf("%w: %s", ErrRevoked, why)
	case why == "expired", why == "not yet valid":
		return fmt.Errorf("%w: %s", ErrExpired, why)
	default:
		return fmt.Errorf("%w: it is in no record", ErrAuthority)
	}
}

// classOf keeps x509's words, which can quote a peer's names, out of what is counted and logged.
func classOf(err error) error {
	var invalid x509.CertificateInvalidError
	if !errors.As(err, &invalid) {
		var unknown x509.UnknownAuthorityError
		if errors.As(err, &unknown) {
			return ErrAuthority
		}
		return ErrMalformed
	}
	switch invalid.Reason {
	case x509.Expired:
		return ErrExpired
	case x509.IncompatibleUsage:
		return ErrUse
	case x509.NotAuthorizedToSign:
		return ErrAuthority
	}
	return ErrMalformed
}
