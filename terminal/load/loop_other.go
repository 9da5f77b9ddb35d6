//go:build !linux

package load

import "net"

// driveLoop is driveGoroutines where there is no epoll.
func driveLoop(r *run, lanes []*lane, conns []net.Conn) error {
	return driveGoroutines(r, lanes, conns)
}
