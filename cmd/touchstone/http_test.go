package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"touchstone/web"
)

// TestConsoleAddress: a console without TLS refuses any address but loopback, a test data directory always does, and what
// is refused says what to do.
func TestConsoleAddress(t *testing.T) {
	for name, c := range map[string]struct {
		flags consoleFlags
		test  bool
		want  string // "" it may be
	}{
		"none": {consoleFlags{}, false, ""}, "loopback": {consoleFlags{HTTP: "127.0.0.1:0"}, false, ""}, "IPv6 loopback": {consoleFlags{HTTP: "[::1]:0"}, false, ""},
		"IPv4 in IPv6": {consoleFlags{HTTP: "[::ffff:127.0.0.1]:0"}, false, ""}, "loopback of a test directory": {consoleFlags{HTTP: "127.0.0.2:0"}, true, ""},
		"every address": {consoleFlags{HTTP: "0.0.0.0:0"}, false, "without TLS is served on loopback only"}, "every IPv6": {consoleFlags{HTTP: "[::]:0"}, false, "give http-tls"},
		"a private one": {consoleFlags{HTTP: "192.168.1.4:0"}, false, "without TLS"}, "one in IPv6": {consoleFlags{HTTP: "[::ffff:192.168.1.4]:0"}, false, "without TLS"},
		"a link's own": {consoleFlags{HTTP: "169.254.1.1:0"}, false, "without TLS"}, "a test directory beyond, with TLS": {consoleFlags{HTTP: "0.0.0.0:0", HTTPTLS: true, HTTPHost: []string{"x"}}, true, "published keys"},
		"every address with TLS and no name": {consoleFlags{HTTP: "0.0.0.0:0", HTTPTLS: true}, false, "give http-host"}, "with TLS and a name": {consoleFlags{HTTP: "0.0.0.0:0", HTTPTLS: true, HTTPHost: []string{"pos.example"}}, false, ""},
		"a name for an address": {consoleFlags{HTTP: "localhost:0"}, false, "want an address and a port"}, "no port": {consoleFlags{HTTP: "127.0.0.1"}, false, "want an address"},
		"a certificate without a key": {consoleFlags{HTTP: "127.0.0.1:0", HTTPCert: "x"}, false, "go together"}, "two certificates": {consoleFlags{HTTPTLS: true, HTTPCert: "x", HTTPKey: "y"}, false, "one certificate"},
		"a name with a port": {consoleFlags{HTTPHost: []string{"pos.example:443"}}, false, "without a port"}, "days below": {consoleFlags{PassphraseDays: -1}, false, "0 to 3650"}, "days above": {consoleFlags{PassphraseDays: 3651}, false, "0 to 3650"},
	} {
		ln, err := c.flags.listenHTTP(c.test)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if ln != nil {
			ln.Close()
		}
	}
}

// TestConsoleTLS: under the host's own authority the console speaks TLS 1.2 and 1.3 and HTTP/1.1 alone, answers under its
// names alone, and signs people in; what is plain gets nothing.
func TestConsoleTLS(t *testing.T) {
	h := newStaffHouse(t)
	f := &consoleFlags{HTTP: "127.0.0.1:0", HTTPTLS: true, HTTPHost: []string{"Pos.Example"}}
	ln, err := f.listenHTTP(true)
	if err != nil {
		t.Fatal(err)
	}
	link, stop, err := h.serveHTTP(f, ln)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if !strings.HasPrefix(link, "https://Pos.Example:") {
		t.Errorf("the link: %s", link)
	}
	root, _, err := h.authorityOnce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	address := ln.Addr().String()
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		c, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, ServerName: "pos.example", MinVersion: version, MaxVersion: version, NextProtos: []string{"h2", "http/1.1"}})
		if (err == nil) != want {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			if p := c.ConnectionState().NegotiatedProtocol; p != "http/1.1" {
				t.Errorf("speaks %q", p)
			}
			c.Close()
		}
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for host, want := range map[string]int{"https://pos.example/sign-in": 200, "https://127.0.0.1/sign-in": 200, "https://localhost/": 303} {
		answer, err := client.Get(host)
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		answer.Body.Close()
		if answer.StatusCode != want || answer.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: %d, %q", host, answer.StatusCode, answer.Header.Get("Strict-Transport-Security"))
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://localhost/sign-in", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "elsewhere.example"
	if answer, err := client.Do(request); err != nil || answer.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("another name: %v %v", answer, err)
	} else {
		answer.Body.Close()
	}
	plain, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	fmt.Fprintf(plain, "GET /sign-in HTTP/1.1\r\nHost: localhost\r\n\r\n")
	_ = plain.SetReadDeadline(time.Now().Add(patience))
	said, _ := io.ReadAll(plain)
	if strings.Contains(string(said), web.SessionCookie) || strings.Contains(string(said), "<form") {
		t.Errorf("plain HTTP is told %q", said)
	}
}
