package main

import (
	"context"

	"touchstone/web/api"
)

type keyDesk struct{ *engine }

var _ api.APIKeys = keyDesk{}

// APIKeys implements api.APIKeys.
func (d keyDesk) APIKeys(ctx context.Context, q *api.AsOf) ([]api.APIKey, error) {
	at, err := q.Instant(d.line.Zone, d.clock())
	if err != nil {
		return nil, err
	}
	return d.apiKeys(ctx, at)
}
