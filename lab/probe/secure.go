package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"time"
)

// What may come of an attempt to speak an old protocol.
const (
	gotNoHello = "no ServerHello"
	gotHello   = "a ServerHello"
	gotShaken  = "handshake complete"
	gotFailed  = "handshake failed"
)

// protocolVersion is the alert by which a version is refused; RFC 5246, 7.2.
const protocolVersion = 70

// tries is how often each version is tried.
const tries = 3

// helloVersions are the versions that must not be spoken, as they stand in a ClientHello.
var helloVersions = []struct {
	name    string
	version uint16
}{{"SSL 2.0", 0x0002}, {"SSL 3.0", 0x0300}, {"TLS 1.0", 0x0301}, {"TLS 1.1", 0x0302}}

// oldTLS is check old-tls, version 1.
func oldTLS(ctx context.Context, r *Rig) (steps []Step, err error) {
	for _, v := range helloVersions {
		hello := clientHello(v.version)
		for n := range tries {
			s := Step{Name: fmt.Sprintf("%s, try %d", v.name, n+1), At: r.at(), Sent: fmt.Sprintf("%x", hello), Want: []string{gotNoHello}}
			if err := r.Gate(ctx, r.TLS); err != nil {
				return nil, err
			}
			s.Answer, s.Got = r.hello(ctx, hello)
			steps = append(steps, s)
		}
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for n := range tries {
			s := Step{Name: fmt.Sprintf("%s, try %d", tls.VersionName(version), n+1), At: r.at(), Want: []string{gotShaken}}
			if err := r.Gate(ctx, r.TLS); err != nil {
				return nil, err
			}
			s.Answer, s.Got = r.shake(ctx, version)
			steps = append(steps, s)
		}
	}
	return steps, ctx.Err()
}

// hello sends bytes and looks at the first record that comes: 21 is an alert, 22 a handshake message whose first
// byte 2 is a ServerHello; RFC 5246, 6.2.1 and 7.4. A ServerHello of SSL 2.0 has its high bit set and type 4.
func (r *Rig) hello(ctx context.Context, bytes []byte) (answer, got string) {
	c, err := (&net.Dialer{Timeout: answerTime}).DialContext(ctx, "tcp", r.TLS)
	if err != nil {
		return "no-connection", GotNothing
	}
	defer c.Close()
	if c.SetDeadline(time.Now().Add(answerTime)) != nil {
		return "no-connection", GotNothing
	}
	if _, err := c.Write(bytes); err != nil {
		return "closed", gotNoHello
	}
	var head [7]byte
	n, err := io.ReadFull(c, head[:])
	switch {
	case n == 0:
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			return "none", GotNothing
		}
		return "closed", gotNoHello
	case head[0] == 21 && head[6] == protocolVersion:
		return "alert 70, protocol_version", gotNoHello
	case head[0] == 21: // of the suites perhaps: it does not say that the version is refused
		return fmt.Sprintf("alert %d", head[6]), GotRefused
	case head[0] == 22 && head[5] == 2, head[0]&0x80 != 0 && head[2] == 4:
		return fmt.Sprintf("ServerHello, version %x", head[1:3]), gotHello
	}
	return fmt.Sprintf("record type %d", head[0]), gotHello // something else than a refusal
}

// shake completes a handshake with one version and nothing else.
func (r *Rig) shake(ctx context.Context, version uint16) (answer, got string) {
	raw, err := (&net.Dialer{Timeout: answerTime}).DialContext(ctx, "tcp", r.TLS)
	if err != nil {
		return "no-connection", GotNothing
	}
	defer raw.Close()
	return shaken(ctx, raw, version)
}

func shaken(ctx context.Context, raw net.Conn, version uint16) (answer, got string) {
	c := tls.Client(raw, &tls.Config{MinVersion: version, MaxVersion: version, InsecureSkipVerify: true}) //nolint:gosec // the certificate is another check's
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	switch err := c.HandshakeContext(ctx); {
	case ctx.Err() != nil && err != nil:
		return "none", GotNothing // a machine that is busy says nothing about its versions
	case err != nil:
		return "handshake: refused", gotFailed
	}
	state := c.ConnectionState()
	return tls.VersionName(state.Version) + ", " + tls.CipherSuiteName(state.CipherSuite), gotShaken
}

// clientHello builds a ClientHello record by hand: crypto/tls cannot offer these versions. The random bytes are
// fixed, for nothing is to be kept secret.
//
// SSL 2.0 (two-byte header with the high bit set, then type 1, version 0.2, lengths of ciphers, session and
// challenge); SSL 3.0 to TLS 1.1 by RFC 6101 and RFC 5246: record type 22, version, length; handshake type 1,
// length of 3 bytes; version, 32 random bytes, no session, the suites of the time, compression null.
func clientHello(version uint16) []byte {
	random := make([]byte, 32)
	for i := range random {
		random[i] = byte(i)
	}
	if version == 0x0002 {
		body := []byte{1, 0x00, 0x02, 0, 9, 0, 0, 0, 16, 0x01, 0x00, 0x80, 0x07, 0x00, 0xC0, 0x03, 0x00, 0x80}
		body = append(body, random[:16]...)
		return append([]byte{0x80, byte(len(body))}, body...)
	}
	suites := []uint16{0xC009, 0xC00A, 0xC013, 0xC014, 0x002F, 0x0035, 0x000A, 0x0005, 0x0004}
	body := binary.BigEndian.AppendUint16(nil, version)
	body = append(body, random...)
	body = append(body, 0)
	body = binary.BigEndian.AppendUint16(body, uint16(2*len(suites)))
	for _, s := range suites {
		body = binary.BigEndian.AppendUint16(body, s)
	}
	body = append(body, 1, 0)
	if version > 0x0300 {
		// supported_groups X25519, P-256; ec_point_formats uncompressed: without them ECDHE is not offered.
		extensions := []byte{0, 10, 0, 6, 0, 4, 0, 29, 0, 23, 0, 11, 0, 2, 1, 0}
		body = binary.BigEndian.AppendUint16(body, uint16(len(extensions)))
		body = append(body, extensions...)
	}
	message := append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	record := append([]byte{22}, byte(version>>8), byte(version))
	record = binary.BigEndian.AppendUint16(record, uint16(len(message)))
	return append(record, message...)
}

// gotSound and gotUnsound are what may come of looking at a certificate.
const (
	gotSound   = "sound"
	gotUnsound = "not sound"
)

// leastLeft is how long a certificate must still last.
const leastLeft = 14 * 24 * time.Hour

// serverCertificate is check server-certificate, version 1: each step is one property of the chain that the
// endpoint shows.
func serverCertificate(ctx context.Context, r *Rig) (steps []Step, err error) {
	if err := r.Gate(ctx, r.TLS); err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(r.TLS)
	if err != nil {
		return nil, err
	}
	chain, answer := r.chain(ctx, host)
	if chain == nil {
		return []Step{{Name: "handshake", At: r.at(), Want: []string{gotSound}, Answer: answer, Got: GotNothing}}, ctx.Err()
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(r.CA) {
		return []Step{{Name: "registered root", At: r.at(), Want: []string{gotSound}, Answer: "no root in PEM", Got: GotUnsent}}, nil
	}
	look := func(name string, ok bool, answer string) {
		s := Step{Name: name, At: r.at(), Want: []string{gotSound}, Answer: answer, Got: gotUnsound}
		if ok {
			s.Got = gotSound
		}
		steps = append(steps, s)
	}
	leaf, now := chain[0], r.Now()
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	look("chain to the registered root, for server authentication", err == nil, fmt.Sprint(leaf.Subject))
	look("name: subject alternative name of "+host, leaf.VerifyHostname(host) == nil, fmt.Sprint(leaf.DNSNames, leaf.IPAddresses))
	look("more than 14 days left", now.After(leaf.NotBefore) && leaf.NotAfter.Sub(now) > leastLeft, leaf.NotAfter.UTC().Format(time.RFC3339))
	for i, c := range chain {
		kind, ok := strength(c)
		look(fmt.Sprintf("certificate %d: key and signature", i), ok, kind)
	}
	look("not an authority itself", !leaf.IsCA && leaf.KeyUsage&x509.KeyUsageDigitalSignature != 0, fmt.Sprintf("CA %v, key usage %b", leaf.IsCA, leaf.KeyUsage))
	return steps, ctx.Err()
}

func (r *Rig) chain(ctx context.Context, host string) ([]*x509.Certificate, string) {
	raw, err := (&net.Dialer{Timeout: answerTime}).DialContext(ctx, "tcp", r.TLS)
	if err != nil {
		return nil, "no-connection"
	}
	defer raw.Close()
	c := tls.Client(raw, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, InsecureSkipVerify: true}) //nolint:gosec // judged step by step
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if c.HandshakeContext(ctx) != nil {
		return nil, "handshake failed"
	}
	return c.ConnectionState().PeerCertificates, ""
}

// strength judges the key of a certificate and the hash of its signature.
func strength(c *x509.Certificate) (kind string, ok bool) {
	weak := []x509.SignatureAlgorithm{x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1, x509.UnknownSignatureAlgorithm}
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		kind, ok = fmt.Sprintf("RSA %d", k.N.BitLen()), k.N.BitLen() >= 2048
	case *ecdsa.PublicKey:
		kind, ok = "EC "+k.Curve.Params().Name, k.Curve.Params().BitSize >= 256
	case ed25519.PublicKey:
		kind, ok = "Ed25519", true
	}
	return kind + ", " + c.SignatureAlgorithm.String(), ok && !slices.Contains(weak, c.SignatureAlgorithm)
}
