package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/paycrypto"
	"touchstone/secret"
	"touchstone/terminal"
)

// The running binary seen by OpenSSL, which is not ours.

// tlsHost is a quiet demonstration with its published certificates in files.
type tlsHost struct {
	dir, data, tls string
	fixture        printedFixture
}

func startTLSHost(t *testing.T) *tlsHost {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("NOT RUN: openssl is not installed (scripts/need.sh)")
	}
	dir := t.TempDir()
	var h runningHost
	t.Cleanup(h.kill)
	data := filepath.Join(dir, "data")
	control, err := controlPath(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.start(dir, control, os.Environ(), []string{"demo", "--quiet", "--data", data, "--tcp", "127.0.0.1:0", "--tls", "127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	host := &tlsHost{dir, data, h.tls, makeFixture(h.addr, h.tls)}
	own := host.fixture.TLSTerminals[0]
	for name, text := range map[string]string{"ca.pem": host.fixture.TLSCA, "own.crt": own.Certificate, "own.key": own.CertificateKey} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return host
}

// s_client runs openssl s_client against the host with nothing to say, and returns what it prints.
func (h *tlsHost) openssl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "openssl", append([]string{"s_client", "-connect", h.tls, "-servername", "localhost", "-verify_hostname", "localhost",
		"-CAfile", "ca.pem", "-verify_return_error"}, args...)...)
	cmd.Dir, cmd.Stdin = h.dir, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out)
}

// TestOpenSSL: versions, suites, client certificate, resumption, renegotiation.
func TestOpenSSL(t *testing.T) {
	h := startTLSHost(t)
	own := []string{"-cert", "own.crt", "-key", "own.key"}
	for _, c := range []struct {
		name  string
		stdin string
		args  []string
		want  []string // each must be printed; with "!" must not
	}{
		{"TLS 1.3", "Q\n", []string{"-tls1_3"}, []string{"TLSv1.3", "Verification: OK", "Verified peername: localhost"}},
		{"TLS 1.2", "Q\n", []string{"-tls1_2"}, []string{"TLSv1.2", "Verification: OK", "ECDHE-ECDSA-", "Extended master secret: yes"}},
		{"TLS 1.3 with its certificate", "Q\n", append([]string{"-tls1_3"}, own...), []string{"Verification: OK", "Touchstone TEST CA"}},
		{"TLS 1.2 with its certificate", "Q\n", append([]string{"-tls1_2"}, own...), []string{"Verification: OK", "!alert"}},
		{"TLS 1.1", "Q\n", []string{"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"}, []string{"alert protocol version", "!Verified peername"}},
		{"TLS 1.0", "Q\n", []string{"-tls1", "-cipher", "ALL:@SECLEVEL=0"}, []string{"alert protocol version", "!Verified peername"}},
		{"only CBC", "Q\n", []string{"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:AES128-SHA"}, []string{"handshake failure"}},
		{"only static RSA", "Q\n", []string{"-tls1_2", "-cipher", "AES128-GCM-SHA256"}, []string{"handshake failure"}},
		{"only NULL", "Q\n", []string{"-tls1_2", "-cipher", "NULL:@SECLEVEL=0"}, []string{"handshake failure"}},
		{"renegotiation", "R\n", []string{"-tls1_2"}, []string{"RENEGOTIATING", "alert unexpected message"}},
	} {
		out := h.openssl(t, c.stdin, c.args...)
		for _, want := range c.want {
			if no, ok := strings.CutPrefix(want, "!"); ok && strings.Contains(out, no) || !ok && !strings.Contains(out, want) {
				t.Errorf("%s: want %q in what openssl says:\n%s", c.name, want, out)
			}
		}
	}
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		if out := h.session(t, version, "-sess_out"); !strings.Contains(out, "New,") {
			t.Errorf("%s: no new session:\n%s", version, out)
		}
		if out := h.session(t, version, "-sess_in"); !strings.Contains(out, "Reused,") {
			t.Errorf("%s: not resumed:\n%s", version, out)
		}
	}
	h.act(t, "revoke")
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		// In TLS 1.3 the client has done its part before the server refuses: it then reads the alert.
		if out := h.session(t, version, "-sess_in"); !strings.Contains(out, "alert bad certificate") {
			t.Errorf("%s: resumed after the revocation:\n%s", version, out)
		}
	}
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		out := h.openssl(t, string(signInOf(t)), append([]string{version, "-ign_eof", "-quiet"}, own...)...)
		if !strings.Contains(out, "alert bad certificate") {
			t.Errorf("%s: a full handshake after the revocation:\n%s", version, out)
		}
	}
}

// session saves or uses a session of a version, with the terminal's certificate; it says something that is no
// frame, so that the server answers with the end, and a refusal by alert is read.
func (h *tlsHost) session(t *testing.T, version, flag string) string {
	t.Helper()
	return h.openssl(t, "\x00\x00 no frame\n", version, "-ign_eof", "-cert", "own.crt", "-key", "own.key", flag, "session"+version)
}

// signInOf is bytes that would be a frame's beginning.
func signInOf(*testing.T) []byte { return []byte{0, 0} }

// act runs touchstone device certificate on the running host's directory.
func (h *tlsHost) act(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: os.Getenv}
	line := append([]string{"device", "certificate"}, args...)
	if code := run(a, append(line, "--data", h.data, "--serial", h.fixture.TLSTerminals[0].Serial)); code != 0 {
		t.Fatalf("%v: exit %d: %s", args, code, errs.String())
	}
	return out.String()
}

// open is the fixture's own terminal over TLS.
func (h *tlsHost) open(t *testing.T) *terminal.Terminal {
	t.Helper()
	own := h.fixture.TLSTerminals[0]
	s := visitors()[7]
	reader, err := terminal.Open(terminal.Config{
		Host: h.tls, Terminal: s.id, Merchant: s.merchant, SignInCode: paycrypto.SignInCode(s.code), TMK: secret.Take(s.masterKey()),
		SerialKey: secret.Take(s.serialKey()), KeyLoad: 1, Serial: s.serial, Licence: sampleLicence, DeviceType: sampleDeviceType, AppVersion: sampleApp,
		StateDir: filepath.Join(h.dir, "terminal"), Language: terminal.English, Timeout: patience,
		TLS: &terminal.TLS{CA: []byte(h.fixture.TLSCA), Certificate: []byte(own.Certificate), Key: secret.Take([]byte(own.CertificateKey))},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close() })
	return reader
}

// TestRevocationIsFelt: on the running binary an open connection ends by itself once the command has returned, the
// next sale of that terminal is not approved, and another's goes on.
func TestRevocationIsFelt(t *testing.T) {
	h := startTLSHost(t)
	reader := h.open(t)
	card, err := cardOf(cards()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer card.Wipe()
	if res, err := reader.SignIn(t.Context()); err != nil || !res.Approved {
		t.Fatalf("sign-in: %+v, %v", res, err)
	}
	if res, err := reader.Sale(t.Context(), card, 100); err != nil || !res.Approved {
		t.Fatalf("sale before: %+v, %v", res, err)
	}
	before := balanceOf(t, h)
	other, own := h.silent(t, false), h.silent(t, true)
	h.act(t, "revoke", "--reason", "test")
	res, err := reader.Sale(t.Context(), card, 100)
	if err != nil || res.Approved {
		t.Errorf("sale after: %+v, %v", res, err)
	}
	if after := balanceOf(t, h); after != before {
		t.Errorf("the balance went from %s to %s", before, after)
	}
	// A silent connection ends too, and another, older, that shows no certificate goes on: it was not its time that was over.
	_ = own.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, own); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a silent connection under the certificate goes on")
	}
	_ = other.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := other.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("an innocent connection ended: %v", err)
	}
}

// silent is the socket of a connection whose handshake is done and on which nothing is said.
func (h *tlsHost) silent(t *testing.T, withCertificate bool) net.Conn {
	t.Helper()
	plain, err := net.Dial("tcp", h.tls)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { plain.Close() })
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(h.fixture.TLSCA)) {
		t.Fatal("no authority in the fixture")
	}
	config := &tls.Config{RootCAs: roots, ServerName: "localhost", MaxVersion: tls.VersionTLS12} // no tickets that the server sends behind the handshake
	if withCertificate {
		own := h.fixture.TLSTerminals[0]
		pair, err := tls.X509KeyPair([]byte(own.Certificate), []byte(own.CertificateKey))
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if err := tls.Client(plain, config).HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return plain
}

// balanceOf asks for the balance of the first card by another terminal, over plain TCP.
func balanceOf(t *testing.T, h *tlsHost) string {
	t.Helper()
	raw, err := json.Marshal(h.fixture)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(h.dir, "fixture.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	a := &app{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: io.Discard, getenv: os.Getenv}
	if code := run(a, []string{"terminal", "--fixture", file, "--state", filepath.Join(h.dir, "other"), "--json", "balance"}); code != 0 {
		t.Fatalf("balance: %s", out.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var m terminalMessage
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &m); err != nil || m.Balance == "" {
		t.Fatalf("balance: %s", out.String())
	}
	return m.Balance
}

// TestSSLScan: the short scan, by a program from Debian: versions and suites are those and no others. The long
// one, with testssl.sh, is scripts/tls-scan.sh.
func TestSSLScan(t *testing.T) {
	if _, err := exec.LookPath("sslscan"); err != nil {
		t.Skip("NOT RUN: sslscan is not installed (scripts/need.sh)")
	}
	h := startTLSHost(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "sslscan", "--no-colour", "--xml=-", "--sni-name=localhost", h.tls).Output()
	if err != nil {
		t.Fatal(err)
	}
	var scan struct {
		Protocols []struct {
			Type    string `xml:"type,attr"`
			Version string `xml:"version,attr"`
			Enabled string `xml:"enabled,attr"`
		} `xml:"ssltest>protocol"`
		Ciphers []struct {
			Version string `xml:"sslversion,attr"`
			Cipher  string `xml:"cipher,attr"`
			Bits    int    `xml:"bits,attr"`
		} `xml:"ssltest>cipher"`
		Renegotiation struct {
			Supported string `xml:"supported,attr"`
		} `xml:"ssltest>renegotiation"`
		Heartbleed []struct {
			Vulnerable string `xml:"vulnerable,attr"`
		} `xml:"ssltest>heartbleed"`
		Groups []struct {
			Name string `xml:"name,attr"`
		} `xml:"ssltest>group"`
	}
	if err := xml.Unmarshal(out, &scan); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	for _, p := range scan.Protocols {
		if want := map[bool]string{true: "1", false: "0"}[p.Version == "1.2" || p.Version == "1.3"]; p.Enabled != want {
			t.Errorf("%s %s: enabled %s", p.Type, p.Version, p.Enabled)
		}
	}
	suites := map[string]bool{}
	for _, c := range scan.Ciphers {
		suites[c.Cipher] = true
		if good := strings.HasPrefix(c.Cipher, "TLS_") || strings.HasPrefix(c.Cipher, "ECDHE-ECDSA-") && (strings.Contains(c.Cipher, "GCM") || strings.Contains(c.Cipher, "CHACHA20")); !good || c.Bits < 128 {
			t.Errorf("suite %s of %d bits in %s", c.Cipher, c.Bits, c.Version)
		}
	}
	for _, g := range scan.Groups {
		if !strings.Contains(g.Name, "P-256") && !strings.Contains(g.Name, "P-384") && g.Name != "x25519" {
			t.Errorf("group %s", g.Name)
		}
	}
	for _, b := range scan.Heartbleed {
		if b.Vulnerable != "0" {
			t.Error("heartbleed")
		}
	}
	if len(scan.Protocols) < 6 || len(suites) != 6 || scan.Renegotiation.Supported != "0" || len(scan.Groups) < 3 {
		t.Errorf("%d protocols, %d suites, %d groups, renegotiation %q in %s", len(scan.Protocols), len(suites), len(scan.Groups), scan.Renegotiation.Supported, out)
	}
}
