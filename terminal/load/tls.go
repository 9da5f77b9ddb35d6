package load

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// TLS makes the Dial of a connection that speaks TLS 1.2 or 1.3 to a host whose certificate an authority
// of ca, in PEM, has made. Every connection is a full handshake: nothing is kept to resume one. own are
// the client's certificates, if any.
func TLS(ca []byte, own ...tls.Certificate) (func(ctx context.Context, address string) (net.Conn, error), error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("no certificate of an authority in PEM")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, Certificates: own}
	return func(ctx context.Context, address string) (net.Conn, error) {
		d := tls.Dialer{Config: config}
		return d.DialContext(ctx, "tcp", address)
	}, nil
}
