package main

import (
	"context"

	"touchstone/web/api"
)

type keyDesk struct{ *engine }

var _ api.APIKeys = keyDesk{}

// APIKeys implements api.APIKeys.
func (d keyDesk) APIKeys(context.Context) ([]api.APIKey, error) { return d.apiKeys(), nil }
