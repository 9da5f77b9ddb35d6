package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"touchstone/sqlite"
	"touchstone/web/api"
)

// requested is the file of requests with a key, opened at the first of them.
type requested struct {
	mu   sync.Mutex
	file *sqlite.Requests // nil until it is needed
}

type requestDesk struct{ *engine }

var _ api.Requests = requestDesk{}

func (d requestDesk) requestsFile(ctx context.Context) (*sqlite.Requests, error) {
	d.requested.mu.Lock()
	defer d.requested.mu.Unlock()
	var err error
	if d.requested.file == nil {
		d.requested.file, err = sqlite.OpenRequests(ctx, d.dir)
	}
	return d.requested.file, err
}

// Begin implements api.Requests.
func (d requestDesk) Begin(ctx context.Context, caller, key string, digest [sha256.Size]byte) (*api.Repeat, error) {
	file, err := d.requestsFile(ctx)
	if err != nil {
		return nil, err
	}
	known, err := file.Begin(ctx, caller, key, digest, time.Unix(0, int64(d.clock())))
	if errors.Is(err, sqlite.ErrRequestsFull) {
		return nil, api.ErrRequests
	}
	if err != nil || known == nil {
		return nil, err
	}
	return &api.Repeat{Digest: known.Digest, Status: known.Status, Body: known.Body}, nil
}

// End implements api.Requests.
func (d requestDesk) End(ctx context.Context, caller, key string, status int, body []byte) error {
	file, err := d.requestsFile(ctx)
	if err != nil {
		return err
	}
	return file.End(ctx, caller, key, status, body)
}

// Forget implements api.Requests.
func (d requestDesk) Forget(ctx context.Context, caller, key string) error {
	file, err := d.requestsFile(ctx)
	if err != nil {
		return err
	}
	return file.Forget(ctx, caller, key)
}

// close closes the file, where there is one.
func (r *requested) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
