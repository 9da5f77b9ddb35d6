package listener_test

import (
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"time"
)

// errRecorded ends a handshake whose first flight was all that was wanted.
var errRecorded = errors.New("recorded")

// recorder keeps what is written first and answers nothing.
type recorder struct {
	net.Conn
	first []byte
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.first == nil {
		r.first = append([]byte(nil), b...)
	}
	return len(b), nil
}
func (r *recorder) Read([]byte) (int, error)         { return 0, errRecorded }
func (r *recorder) Close() error                     { return nil }
func (r *recorder) SetDeadline(time.Time) error      { return nil }
func (r *recorder) SetWriteDeadline(time.Time) error { return nil }

// hello is the record of a ClientHello as crypto/tls sends it.
func hello(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	r := &recorder{}
	if err := tls.Client(r, config).Handshake(); !errors.Is(err, errRecorded) || len(r.first) < 50 {
		t.Fatalf("recording a ClientHello: %v", err)
	}
	return r.first
}
