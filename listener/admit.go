package listener

import "runtime"

// Memory for messages. Each connection has room of its own for one message, and what it sends beyond,
// while that one has no answer yet, takes room that all connections share. When the shared room is full a
// connection is read again when its own message is answered: TCP holds its peer back. So there are at
// most Connections + Shared exchanges, and nobody who fills the shared room can stop another's
// connection.

// sharedRoom is one place for each message.
func sharedRoom(l Limits) chan struct{} {
	if l.Shared == 0 {
		l.Shared = DefaultLimits().Shared
	}
	return make(chan struct{}, l.Shared)
}

// take waits for room for one more message; shared tells which room it is.
func (c *conn) take() (shared bool) {
	select {
	case c.own <- struct{}{}:
		return false
	default:
	}
	// Who pipelines lets all others have a turn, message by message; else a connection would be read until
	// its 32 places are taken before the next one is.
	runtime.Gosched()
	select {
	case c.own <- struct{}{}:
		return false
	case c.server.shared <- struct{}{}:
		return true
	}
}

// give gives the room back.
func (c *conn) give(shared bool) {
	if shared {
		<-c.server.shared
	} else {
		<-c.own
	}
}

// Shared is how much of the shared room is taken, and how much there is.
func (s *Server) Shared() (taken, of int) { return len(s.shared), cap(s.shared) }
