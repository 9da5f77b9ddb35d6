package soft

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
	"filippo.io/age/armor"

	"touchstone/keys"
	"touchstone/secret"
)

// transportBytes is the length of an X25519 identity as age writes it: AGE-SECRET-KEY-1 and 58 characters of Bech32.
const transportBytes = 74

// maxTransported bounds what is opened, in bytes: one secret with its purpose.
const maxTransported = 1024

// ErrTransport is returned for a file that is not sealed to the transport key, or is damaged. It carries nothing of it.
var ErrTransport = errors.New("not sealed to the transport key in force: seal it to the recipient that the page Keys shows")

// DrawTransport draws a transport key. People seal to its recipient (age, X25519) what they send; the identity that
// opens it stays wrapped.
func (m *Module) DrawTransport(ctx context.Context, id string) (recipient string, sealed keys.Wrapped, err error) {
	if err := ctx.Err(); err != nil {
		return "", nil, err
	}
	s, leave := m.enter(0)
	if s == nil {
		return "", nil, keys.ErrSealed
	}
	defer leave.RUnlock()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return "", nil, fmt.Errorf("draw a transport key: %w", err)
	}
	raw := []byte(identity.String())
	defer clear(raw)
	if sealed, err = s.wrap(m.hold().random, keys.OfTransport(id), keys.TransportKey, keys.X25519, raw); err != nil {
		return "", nil, err
	}
	return identity.Recipient().String(), sealed, nil
}

// OpenTransported opens what was sealed to a transport key. The library needs the identity as a string, which the
// collector frees and nobody wipes.
func (m *Module) OpenTransported(id string, sealed keys.Wrapped, file []byte) (secret.Bytes, error) {
	s, leave := m.enter(0)
	if s == nil {
		return secret.Bytes{}, keys.ErrSealed
	}
	_, raw, err := s.unwrap(sealed, keys.OfTransport(id), keys.TransportKey)
	leave.RUnlock()
	if err != nil {
		return secret.Bytes{}, err
	}
	defer clear(raw)
	identity, err := age.ParseX25519Identity(string(raw))
	if err != nil {
		return secret.Bytes{}, keys.ErrUsage
	}
	var in io.Reader = bytes.NewReader(file)
	if bytes.HasPrefix(file, []byte(armor.Header)) {
		in = armor.NewReader(in)
	}
	out, err := age.Decrypt(in, identity)
	if err != nil {
		return secret.Bytes{}, ErrTransport
	}
	text, err := io.ReadAll(io.LimitReader(out, maxTransported+1))
	if err != nil || len(text) > maxTransported {
		clear(text)
		return secret.Bytes{}, ErrTransport
	}
	return secret.Take(text), nil
}
