package terminal

import (
	"bytes"
	"context"

	"touchstone/pos"
	"touchstone/secret"
)

// SaleFrame builds a sale that is right in everything, as ProbeGoodSale sends it, and does not send it: an
// assessor sends it himself, once as it is, again, or changed. It signs in first where there are no keys. The
// frame, its length included, holds card data: the caller clears it. Its trace is taken whatever becomes of it.
func (t *Terminal) SaleFrame(ctx context.Context, card Card, amount pos.Amount) (frame []byte, trace pos.STAN, err error) {
	if err := t.usable(); err != nil {
		return nil, 0, err
	}
	if t.keys == nil {
		if err := t.probeSignIn(ctx); err != nil {
			return nil, 0, err
		}
	}
	card.PIN = secret.Bytes{}
	r, wipe, err := t.probeRequest(ProbeGoodSale, card, amount)
	if err != nil {
		return nil, 0, err
	}
	defer wipe()
	lent, err := t.probeFrame(r, nil)
	if err != nil {
		return nil, 0, err
	}
	return bytes.Clone(lent), r.trace, nil
}
