package listener

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"touchstone/authority"
)

// Secure is a listener whose connections speak TLS.
type Secure struct {
	Listener net.Listener
	// Certificate gives the certificate to show now; it is asked at every full handshake and must not block.
	Certificate func() (*tls.Certificate, error)
	Gate        *authority.Gate
}

// config asks for a client's certificate and lets the gate judge it. crypto/tls neither compresses nor
// renegotiates as a server.
func (d *Secure) config() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(d.Gate.Root)
	c := authority.ServerTLS(d.Certificate)
	// The gate judges, not crypto/tls: its refusals can be counted, and it is asked at a resumption too.
	c.ClientAuth, c.ClientCAs = tls.RequestClientCert, pool
	c.VerifyConnection = func(s tls.ConnectionState) error { return d.Gate.Judge(s.PeerCertificates, time.Now()) }
	return c
}

// Handshake is how a TLS handshake ended, or a connection by its certificate.
type Handshake uint8

// The ends.
const (
	HandshakeFull     Handshake = iota // done
	HandshakeResumed                   // done, from a session ticket
	RefusedNone                        // no certificate where one is required
	RefusedExpired                     // expired or not yet valid
	RefusedAuthority                   // of another authority, or recorded nowhere
	RefusedUse                         // not for client authentication
	RefusedRevoked                     // revoked or replaced
	RefusedMalformed                   // a certificate that cannot be judged
	RefusedProtocol                    // no version or suite in common, or not TLS as RFC 8446 has it
	RefusedPlain                       // plain frames on the TLS port
	RefusedHTTP                        // HTTP on the TLS port
	RefusedOversized                   // more than MaxUnproven bytes
	RefusedSlow                        // the time for a handshake was over
	RefusedGone                        // the peer ended first
	CutByCertificate                   // an open connection ended: its certificate was revoked or ran out
	TLSOnPlain                         // a ClientHello on the plain port
	HTTPOnPlain                        // HTTP on the plain port
	OversizedUnproven                  // after the handshake: MaxUnproven bytes without a frame
	Handshakes                         // the number of ends
)

var handshakeNames = [Handshakes]string{"done", "resumed", "no_certificate", "expired", "unknown_authority", "wrong_use", "revoked",
	"malformed_certificate", "protocol", "plain_on_tls", "http_on_tls", "oversized", "slow", "gone", "cut_by_certificate",
	"tls_on_plain", "http_on_plain", "oversized_unproven"}

// String is the end's stable name, for a metric's label.
func (h Handshake) String() string {
	if h < Handshakes {
		return handshakeNames[h]
	}
	return "unknown"
}

// TransportCounts are how often each Handshake was seen since the start.
type TransportCounts [Handshakes]uint64

// Transport reads the counters of TLS and of what spoke the wrong protocol to a port.
func (s *Server) Transport() (n TransportCounts) {
	for i := range n {
		n[i] = s.ends[i].Load()
	}
	return n
}

// Refused is the sum of what was refused at a handshake.
func (n *TransportCounts) Refused() (sum uint64) {
	for h := RefusedNone; h <= RefusedGone; h++ {
		sum += n[h]
	}
	return sum
}

// MaxUnproven is how many bytes are taken from a peer before its handshake is done and then between two frames
// of a peer that has proven nothing. No ClientHello or certificate message of a device comes near it.
const MaxUnproven = 16 << 10

var errUnproven = errors.New("more bytes than a peer may send that has proven nothing")

// metered counts what is read from a TLS peer, so that the buffers of crypto/tls, which would take 64 KiB of
// handshake, hold at most MaxUnproven.
type metered struct {
	net.Conn
	left atomic.Int64 // bytes; unlimited once proven
	free atomic.Bool

	records records // the reader's own
}

func newMetered(c net.Conn) *metered {
	m := &metered{Conn: c}
	m.refill()
	return m
}

func (m *metered) refill() { m.left.Store(MaxUnproven) }

// Read reads no more than is left, and overwrites the records that crypto/tls has used.
func (m *metered) Read(b []byte) (n int, err error) {
	m.records.forget()
	if m.free.Load() {
		n, err = m.Conn.Read(b)
		m.records.took(b[:n])
		return n, err
	}
	left := m.left.Load()
	if left <= 0 {
		return 0, errUnproven
	}
	n, err = m.Conn.Read(b[:min(int64(len(b)), left)])
	m.records.took(b[:n])
	m.left.Add(int64(-n))
	return n, err
}

// handshake makes the connection speak TLS; false when it may not go on. It is bounded by time and bytes.
func (c *conn) handshake() bool {
	s := c.server
	until := time.Now().Add(s.limits.HandshakeTime)
	if c.deadlineAt(until) != nil || c.raw.SetWriteDeadline(until) != nil {
		return false
	}
	c.meter = newMetered(c.raw)
	t := tls.Server(c.meter, c.door.config)
	err := t.Handshake()
	if err != nil {
		end := endOf(err)
		s.ends[end].Add(1)
		s.log.Debug("handshake refused", slog.String("class", end.String()), slog.String("address", c.peer.Address.String()))
		c.raw.Close()
		return false
	}
	state := t.ConnectionState()
	if state.DidResume {
		s.ends[HandshakeResumed].Add(1)
	} else {
		s.ends[HandshakeFull].Add(1)
	}
	c.peer.Secure, c.peer.TLS13 = true, state.Version == tls.VersionTLS13
	if len(state.PeerCertificates) > 0 {
		c.peer.Certificate = authority.Fingerprint(state.PeerCertificates[0])
		c.meter.free.Store(true)
		c.proven.Store(true) // the handshake proved that it holds a registered device's key
	}
	c.net = t
	c.meter.refill()
	return c.raw.SetWriteDeadline(time.Time{}) == nil
}

// endOf sorts the error of a handshake.
func endOf(err error) Handshake {
	for _, e := range []struct {
		err error
		end Handshake
	}{{authority.ErrNone, RefusedNone}, {authority.ErrExpired, RefusedExpired}, {authority.ErrAuthority, RefusedAuthority},
		{authority.ErrUse, RefusedUse}, {authority.ErrRevoked, RefusedRevoked}, {authority.ErrMalformed, RefusedMalformed},
		{errUnproven, RefusedOversized}, {os.ErrDeadlineExceeded, RefusedSlow}, {io.EOF, RefusedGone}, {io.ErrUnexpectedEOF, RefusedGone},
		{syscall.ECONNRESET, RefusedGone}, {syscall.EPIPE, RefusedGone}, {net.ErrClosed, RefusedGone}} {
		if errors.Is(err, e.err) {
			return e.end
		}
	}
	var record tls.RecordHeaderError
	if !errors.As(err, &record) {
		return RefusedProtocol
	}
	switch h := record.RecordHeader; {
	case looksHTTP(h[:]):
		return RefusedHTTP
	case h[0] <= maxLengthHigh:
		return RefusedPlain
	}
	return RefusedProtocol
}

// maxLengthHigh is the high byte of the longest frame's LEN.
const maxLengthHigh = 0x08

// looksHTTP tells whether the first two bytes or more begin a request line of RFC 9112.
func looksHTTP(b []byte) bool {
	for _, method := range []string{"GE", "PO", "HE", "PU", "OP", "DE", "CO", "TR", "PA", "PR"} {
		if len(b) >= 2 && string(b[:2]) == method {
			return true
		}
	}
	return false
}

// foreign counts what is no frame by the protocol it looks like; head are its first two bytes, which as LEN
// are over the bound, so that no further byte was waited for.
func (s *Server) foreign(head []byte) {
	switch {
	case looksHTTP(head):
		s.ends[HTTPOnPlain].Add(1)
	case len(head) >= 2 && head[0] == 0x16 && head[1] == 0x03: // handshake record of SSL 3.0 or later; RFC 8446, 5.1
		s.ends[TLSOnPlain].Add(1)
	}
}

// certified tells whether the connection may go on by its certificate. It costs one load while nothing
// happens to any certificate.
func (c *conn) certified() bool {
	if c.peer.Certificate == [32]byte{} {
		return true
	}
	epoch := c.door.gate.Epoch()
	if epoch == c.epoch.Load() {
		return true
	}
	if c.door.gate.Still(c.peer.Certificate, time.Now()) != nil {
		c.cut()
		return false
	}
	c.epoch.Store(epoch)
	return true
}

// cut ends the reading of a connection because of its certificate, once; what was judged before is answered.
func (c *conn) cut() {
	if c.lost.CompareAndSwap(false, true) {
		c.server.ends[CutByCertificate].Add(1)
		c.stopReading()
	}
}

// sweepEvery is how often open connections are held against their certificates: expiry moves no epoch.
const sweepEvery = time.Second

// sweep ends the connections whose certificates have been revoked or have run out.
func (s *Server) sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		// c.proven orders what the handshake wrote before what is read here.
		if c.door == nil || !c.proven.Load() || c.lost.Load() || c.peer.Certificate == [32]byte{} {
			continue
		}
		if c.door.gate.Still(c.peer.Certificate, now) != nil {
			c.cut()
		}
	}
}
