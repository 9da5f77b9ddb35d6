package main

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"touchstone/authority"
	"touchstone/listener"
)

// tlsFlags are the flags, and configuration keys, of the TLS listener.
type tlsFlags struct {
	TLS        string   `name:"tls" help:"Address to hear terminals on over TLS 1.2 and 1.3. Without it: none." placeholder:"HOST:PORT"`
	TLSNames   []string `name:"tls-name" help:"Names and addresses that the listener's certificate is for. Default: localhost and the address." placeholder:"NAME"`
	TLSCert    string   `name:"tls-cert" help:"A certificate of one's own in PEM, with its chain, in place of one from the built-in authority." placeholder:"FILE"`
	TLSKey     string   `name:"tls-key" help:"Its private key in PEM, mode 0600." placeholder:"FILE"`
	TLSClients string   `name:"tls-client-certificates" help:"asked, or required: then a terminal without one is refused at the handshake." default:"asked" enum:"asked,required"`
	TLSListURL string   `name:"tls-crl-url" help:"Where the list of revoked certificates can be had; named in the listener's certificate." placeholder:"URL"`
	TLSList    string   `name:"tls-crl-file" help:"Keep the list of revoked certificates (RFC 5280, DER) in this file, new after every revocation and every hour." placeholder:"FILE"`

	HandshakeTime time.Duration `name:"handshake-time" help:"For a TLS handshake." default:"5s"`
	FirstByte     time.Duration `name:"first-byte" help:"Silence of a new connection that has proven nothing." default:"60s"`
	Unproven      time.Duration `name:"unproven-idle" help:"Silence after a frame of a connection that has proven nothing; at least 60s." default:"90s"`
}

// tlsDefaults are the flags of a command that opens a data directory without serving.
func tlsDefaults() tlsFlags {
	return tlsFlags{TLSClients: "asked", HandshakeTime: time.Second, FirstByte: time.Second, Unproven: time.Minute}
}

func (f *tlsFlags) check() error {
	for _, d := range []struct {
		key   string
		value time.Duration
		least time.Duration
	}{{"handshake-time", f.HandshakeTime, 100 * time.Millisecond}, {"first-byte", f.FirstByte, time.Second}, {"unproven-idle", f.Unproven, time.Minute}} {
		if d.value < d.least {
			return fmt.Errorf("%s: %s is under %s", d.key, d.value, d.least)
		}
	}
	if (f.TLSCert == "") != (f.TLSKey == "") {
		return errors.New("tls-cert and tls-key go together")
	}
	return nil
}

func (f *tlsFlags) bound(l *listener.Limits) {
	l.HandshakeTime, l.FirstByte, l.Unproven = f.HandshakeTime, f.FirstByte, f.Unproven
}

// listen opens the address; nil without one. A test data directory is served on loopback only.
func (f *tlsFlags) listen(test bool) (net.Listener, error) {
	if f.TLS == "" {
		return nil, nil
	}
	ap, err := netip.ParseAddrPort(f.TLS)
	if err != nil {
		return nil, fmt.Errorf("tls: %q: want an address and a port, such as 127.0.0.1:8584", f.TLS)
	}
	if test && !ap.Addr().IsLoopback() {
		return nil, fmt.Errorf("tls: %s is not loopback: a test data directory has published keys and is served on loopback only", f.TLS)
	}
	return net.Listen("tcp", f.TLS)
}

// names are those of the listener's certificate.
func (f *tlsFlags) names(at net.Addr) []string {
	if len(f.TLSNames) > 0 {
		return f.TLSNames
	}
	names := []string{"localhost"}
	if ap, err := netip.ParseAddrPort(at.String()); err == nil && !ap.Addr().IsUnspecified() {
		names = append(names, ap.Addr().Unmap().String())
	}
	return names
}

// secure makes the TLS side of a listener, nothing without an address. ctx ends what keeps its certificate
// fresh; wait waits for that.
func (e *engine) secure(ctx context.Context, f *tlsFlags, ln net.Listener) (doors []listener.Secure, wait func(), err error) {
	if ln == nil {
		return nil, func() {}, nil
	}
	root, _, err := e.authorityOnce(ctx)
	if err != nil {
		return nil, nil, err
	}
	gate := &authority.Gate{Root: root, Standing: e.ledger.CertificateStanding, Epoch: e.ledger.CertificateEpoch, Required: f.TLSClients == "required"}
	shown := new(atomic.Pointer[tls.Certificate])
	refresh := func() error {
		c, err := e.showing(ctx, f, f.names(ln.Addr()))
		if err == nil {
			shown.Store(c)
			e.integration.shows("terminals", c)
		}
		return err
	}
	if err := refresh(); err != nil {
		return nil, nil, err
	}
	if err := e.keepList(ctx, f.TLSList); err != nil {
		return nil, nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.keepFresh(ctx, f.TLSList, refresh)
	}()
	return []listener.Secure{{Listener: ln, Certificate: func() (*tls.Certificate, error) { return shown.Load(), nil }, Gate: gate}}, func() { <-done }, nil
}

// keepFresh renews the listener's certificate and the list of revoked ones until ctx ends.
func (e *engine) keepFresh(ctx context.Context, list string, refresh func() error) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	epoch, last := e.ledger.CertificateEpoch(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		now, due := e.ledger.CertificateEpoch(), time.Since(last) >= refreshEvery
		if now == epoch && !due {
			continue
		}
		epoch = now
		if err := e.keepList(ctx, list); err != nil && ctx.Err() == nil {
			e.log.Error("the list of revoked certificates could not be written", slog.String("error", err.Error()))
		}
		if !due {
			continue
		}
		last = time.Now()
		if err := refresh(); err != nil && ctx.Err() == nil {
			e.log.Error("the listener's certificate could not be renewed", slog.String("error", err.Error()))
		}
	}
}

// lookEvery is how soon the list of revoked certificates follows a revocation. The listener itself does not wait
// for it.
const lookEvery = time.Second

// listDays is how long a list that is kept in a file says it is good for.
const listDays = 7

// keepList writes the list in place of the former; nothing without a file.
func (e *engine) keepList(ctx context.Context, path string) error {
	if path == "" {
		return nil
	}
	made, err := e.revocationList(ctx, &crlChange{Days: listDays})
	if err != nil {
		return err
	}
	block, _ := pem.Decode([]byte(made.PEM))
	f, err := os.CreateTemp(filepath.Dir(path), ".revoked-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // of no effect after the rename
	_, err = f.Write(block.Bytes)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// refreshEvery is how often it is seen to that the listener's certificate lasts, and that a file of one's own
// is the newest.
const refreshEvery = time.Hour

// showing is the certificate that the listener shows now.
func (e *engine) showing(ctx context.Context, f *tlsFlags, names []string) (*tls.Certificate, error) {
	if f.TLSCert != "" {
		return ownCertificate(f.TLSCert, f.TLSKey)
	}
	c, key, err := e.serverCertificate(ctx, slices.Clone(names), f.TLSListURL)
	if err != nil {
		return nil, fmt.Errorf("the listener's certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key, Leaf: c}, nil
}

// ownCertificate reads a certificate and its key, which is then in this process's memory and outside the
// security module.
func ownCertificate(certFile, keyFile string) (*tls.Certificate, error) {
	stat, err := os.Stat(keyFile)
	if err != nil {
		return nil, fmt.Errorf("tls-key: %w", err)
	}
	if stat.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("tls-key: others than its owner may use %s: want mode 0600 or 0400", keyFile)
	}
	c, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("tls-cert: %s", strings.TrimPrefix(err.Error(), "tls: "))
	}
	return &c, nil
}

func addressOrNone(ln net.Listener) string {
	if ln == nil {
		return "none"
	}
	return ln.Addr().String()
}
