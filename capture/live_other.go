//go:build !linux

package capture

import (
	"context"
	"errors"
)

// ReadInterface is of Linux alone.
func (t *Tracker) ReadInterface(context.Context, string) error {
	return errors.New("listen on an interface: only on Linux; elsewhere: tcpdump -U -w - | touchstone shadow -")
}
