package listener

import (
	"syscall"
	"unsafe"
)

// send writes b to a socket that does not block. The runtime is not told of the call: it would take the
// processor away from a thread that is back within microseconds, and give it to another.
func send(fd int, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
