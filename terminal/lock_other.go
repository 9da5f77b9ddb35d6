//go:build !unix

package terminal

import "os"

// lockFile opens the lock file only: this system has no lock that ends with the process, and it is for
// the caller to run one terminal on a file.
func lockFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}
