package soft

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"

	"touchstone/keys"
	"touchstone/secret"
)

// The secret of a webhook's endpoint is a text, so that a receiver uses it as it was shown: webhookPrefix and 26
// characters of base32, 130 random bits.
const (
	webhookPrefix = "whsec_"
	webhookBytes  = len(webhookPrefix) + 26
)

// DrawWebhook draws the secret of an endpoint: to be shown once, and sealed to its URL.
func (m *Module) DrawWebhook(ctx context.Context, url string) (shown secret.Bytes, sealed keys.Wrapped, err error) {
	if err := ctx.Err(); err != nil {
		return shown, nil, err
	}
	s, leave := m.enter(0)
	if s == nil {
		return shown, nil, keys.ErrSealed
	}
	defer leave.RUnlock()
	random := m.hold().random
	var drawn [17]byte
	defer clear(drawn[:])
	if _, err := io.ReadFull(random, drawn[:]); err != nil {
		return shown, nil, fmt.Errorf("draw the secret of a webhook: %w", err)
	}
	text := make([]byte, webhookBytes)
	copy(text, webhookPrefix)
	var long [28]byte
	base32.StdEncoding.WithPadding(base32.NoPadding).Encode(long[:], drawn[:])
	copy(text[len(webhookPrefix):], long[:26])
	clear(long[:])
	if sealed, err = s.wrap(random, keys.OfWebhook(url), keys.WebhookSecret, keys.HMAC, text); err != nil {
		clear(text)
		return shown, nil, err
	}
	return secret.Take(text), sealed, nil
}

// SignWebhook is HMAC-SHA-256 under an endpoint's secret over what is sent to its URL. No other URL's secret opens.
func (m *Module) SignWebhook(url string, sealed keys.Wrapped, text []byte) (sum [sha256.Size]byte, err error) {
	s, leave := m.enter(0)
	if s == nil {
		return sum, keys.ErrSealed
	}
	_, raw, err := s.unwrap(sealed, keys.OfWebhook(url), keys.WebhookSecret)
	leave.RUnlock()
	if err != nil {
		return sum, err
	}
	defer clear(raw)
	mac := hmac.New(sha256.New, raw)
	mac.Write(text)
	mac.Sum(sum[:0])
	return sum, nil
}
