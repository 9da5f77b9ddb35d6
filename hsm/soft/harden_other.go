//go:build !linux

package soft

import (
	"errors"
	"fmt"
)

// Harden is known for Linux only and says so with errors.ErrUnsupported.
func Harden() error {
	return fmt.Errorf("forbid core dumps and debuggers: %w", errors.ErrUnsupported)
}
