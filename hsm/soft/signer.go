package soft

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"touchstone/keys"
	"touchstone/secret"
)

// signingBytes is the length of a P-256 private key: a scalar in 1 to n-1, big-endian; FIPS 186-5, A.2.2.
const signingBytes = 32

// DrawSigner draws a P-256 private key inside the module and gives it out wrapped, for owner and
// keys.SigningKey. Errors are keys.ErrSealed, that of ctx and that of the random source.
func (m *Module) DrawSigner(ctx context.Context, owner keys.Owner) (keys.Wrapped, error) {
	key := make([]byte, signingBytes)
	defer clear(key)
	for range maxDraws {
		if _, err := io.ReadFull(m.hold().random, key); err != nil {
			return nil, fmt.Errorf("draw a signing key: %w", err)
		}
		if _, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), key); err == nil {
			return m.wrapSigner(ctx, owner, key)
		}
	}
	return nil, fmt.Errorf("draw a signing key: %d draws out of range: %w", maxDraws, keys.ErrUnavailable)
}

// FormSigner takes a private key of 32 bytes that is known outside: it is for the published keys of a test
// data directory and for nothing else. A scalar out of range is keys.ErrComponents; other errors as DrawSigner.
func (m *Module) FormSigner(ctx context.Context, owner keys.Owner, scalar secret.Bytes) (w keys.Wrapped, err error) {
	scalar.Use(func(key []byte) {
		if _, bad := ecdsa.ParseRawPrivateKey(elliptic.P256(), key); bad != nil {
			err = keys.ErrComponents
			return
		}
		w, err = m.wrapSigner(ctx, owner, key)
	})
	return w, err
}

func (m *Module) wrapSigner(ctx context.Context, owner keys.Owner, key []byte) (keys.Wrapped, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, leave := m.enter(0)
	if s == nil {
		return nil, keys.ErrSealed
	}
	defer leave.RUnlock()
	return s.wrap(m.hold().random, owner, keys.SigningKey, keys.P256, key)
}

// Signer lends a wrapped private key for signatures only: the key is unwrapped inside the module for each and
// forgotten after it, so a sealed module signs nothing. It may be used by many goroutines.
type Signer struct{ hold func() lent }

type lent struct {
	module *Module
	owner  keys.Owner
	key    keys.Wrapped
	public *ecdsa.PublicKey
}

var _ crypto.Signer = (*Signer)(nil)

// errDigest is returned for what is not the digest of a hash function.
var errDigest = errors.New("sign: not a digest of the hash function named")

// Signer opens a wrapped private key once, to know its public key. Errors are keys.ErrSealed, keys.ErrOwner
// and keys.ErrUsage.
func (m *Module) Signer(owner keys.Owner, w keys.Wrapped) (*Signer, error) {
	l := lent{module: m, owner: owner, key: w}
	err := l.use(func(k *ecdsa.PrivateKey) error {
		l.public = &k.PublicKey
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &Signer{func() lent { return l }}, nil
}

// use lends the private key for the time of f.
func (l lent) use(f func(*ecdsa.PrivateKey) error) error {
	s, leave := l.module.enter(0)
	if s == nil {
		return keys.ErrSealed
	}
	defer leave.RUnlock()
	c, raw, err := s.unwrap(l.key, l.owner, keys.SigningKey)
	if err != nil {
		return err
	}
	defer clear(raw)
	if c != keys.P256 {
		return keys.ErrUsage
	}
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil {
		return keys.ErrOwner
	}
	return f(k)
}

// Public is the *ecdsa.PublicKey.
func (s *Signer) Public() crypto.PublicKey { return s.hold().public }

// Sign makes an ASN.1 ECDSA signature of a digest. With a nil random it is the deterministic one of RFC 6979.
func (s *Signer) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) (signature []byte, err error) {
	if h := opts.HashFunc(); h == 0 || len(digest) != h.Size() {
		return nil, errDigest
	}
	err = s.hold().use(func(k *ecdsa.PrivateKey) (e error) {
		signature, e = k.Sign(random, digest, opts)
		return e
	})
	return signature, err
}

const shownSigner = "[signing key]"

// Format prints "[signing key]" for every verb.
func (s *Signer) Format(w fmt.State, _ rune)   { io.WriteString(w, shownSigner) }
func (s *Signer) LogValue() slog.Value         { return slog.StringValue(shownSigner) }
func (s *Signer) MarshalText() ([]byte, error) { return nil, secret.ErrPrinted }
func (s *Signer) MarshalJSON() ([]byte, error) { return nil, secret.ErrPrinted }
