package terminal

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"

	"touchstone/secret"
)

// TLS is how a terminal speaks TLS 1.2 or 1.3 to the host.
type TLS struct {
	CA          []byte       // certificates in PEM: the authorities one of which must have made the host's
	Certificate []byte       // the device's own certificate in PEM; empty for none
	Key         secret.Bytes // its private key, PKCS #8 in PEM
	ServerName  string       // what the host's certificate must be for; "" is the host part of Config.Host
}

// config makes the client's side. The private key is parsed once and stays in crypto/tls.
func (t *TLS) config(host string) (*tls.Config, string) {
	name := t.ServerName
	if name == "" {
		var err error
		if name, _, err = net.SplitHostPort(host); err != nil {
			return nil, "host: not host:port"
		}
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name, RootCAs: x509.NewCertPool(), ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	if !c.RootCAs.AppendCertsFromPEM(t.CA) {
		return nil, "no certificate of an authority in PEM"
	}
	if len(t.Certificate) == 0 {
		return c, ""
	}
	var own tls.Certificate
	var err error
	t.Key.Use(func(key []byte) { own, err = tls.X509KeyPair(t.Certificate, key) })
	if err != nil {
		return nil, "certificate and key are not a pair in PEM"
	}
	c.Certificates = []tls.Certificate{own}
	return c, ""
}

// secured makes a dialled connection speak TLS, where the terminal does.
func (c *Config) secured(ctx context.Context, conn net.Conn) (net.Conn, error) {
	if c.secure == nil {
		return conn, nil
	}
	over := tls.Client(conn, c.secure)
	if err := over.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return over, nil
}
