//go:build unix

package terminal

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes the lock that ends with the process: two terminals on one file would use a trace twice.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		f.Close()
		return nil, errors.New("in use by another terminal")
	}
	return f, nil
}
