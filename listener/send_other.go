//go:build !linux

package listener

import "syscall"

// send writes b to a socket that does not block.
func send(fd int, b []byte) (int, error) { return syscall.Write(fd, b) }
