package web_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"touchstone/fleet"
	"touchstone/web"
)

// desk is what a test's host says to a report.
type desk struct {
	answer    error
	body, sig []byte
	longest   int
	hold      chan struct{} // a report waits for it, where there is one
	came      chan struct{}
}

func (d *desk) TakeHealth(_ context.Context, body, signature []byte) error {
	if d.hold != nil {
		d.came <- struct{}{}
		<-d.hold
		return d.answer
	}
	d.longest = max(d.longest, len(body))
	d.body, d.sig = bytes.Clone(body), bytes.Clone(signature)
	return d.answer
}

// serve runs a server with a desk until the test ends.
func serve(t *testing.T, d *desk) (url string, client *http.Client) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	made := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, made, made, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	shown := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	s := web.New(func() (*tls.Certificate, error) { return shown, nil })
	s.Handle(web.HealthPath, web.Health(d))
	s.Handle("/releases/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	roots := x509.NewCertPool()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(c)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "https://" + ln.Addr().String(), &http.Client{Transport: transport}
}

func do(t *testing.T, client *http.Client, method, url, body, signature string) (status int, answer string, h http.Header) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if signature != "" {
		req.Header.Set(web.SignatureHeader, signature)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw), resp.Header
}

// TestHealthAnswers: every refusal is the same to the byte, whatever its cause.
func TestHealthAnswers(t *testing.T) {
	d := &desk{}
	url, client := serve(t, d)
	url += web.HealthPath
	signature := base64.StdEncoding.EncodeToString([]byte("signature"))
	if status, answer, h := do(t, client, "POST", url, "{}", signature); status != 200 || answer != `{"accepted":true}`+"\n" || string(d.body) != "{}" || string(d.sig) != "signature" ||
		h.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %q, body %q, signature %q", status, answer, d.body, d.sig)
	}
	var refused string
	for name, c := range map[string]struct {
		answer          error
		body, signature string
	}{
		"malformed": {&fleet.HealthError{Why: fleet.HealthMalformed}, "{", signature}, "signature": {&fleet.HealthError{Why: fleet.HealthSignature}, "{}", signature},
		"replayed": {&fleet.HealthError{Why: fleet.HealthReplay}, "{}", signature}, "no signature": {errors.New("x"), "{}", ""}, "no base64": {errors.New("x"), "{}", "@@"},
		"a long signature": {errors.New("x"), "{}", strings.Repeat("A", 4000)}, "empty": {errors.New("x"), "", signature}, "a fault of ours": {errors.New("disk"), "{}", signature},
		// Not so long that net/http closes before it has read all of it: then the answer could be lost with the connection.
		"oversized": {errors.New("x"), strings.Repeat("x", 200<<10), signature},
	} {
		d.answer = c.answer
		status, answer, h := do(t, client, "POST", url, c.body, c.signature)
		said := fmt.Sprint(status, answer, h.Get("Content-Type"), h.Get("Content-Length"))
		if refused == "" {
			refused = said
		}
		if status != 403 || said != refused {
			t.Errorf("%s: %q, another refusal %q", name, said, refused)
		}
	}
	if d.answer = nil; d.longest > fleet.MaxReport+1 {
		t.Errorf("the desk was given %d bytes", d.longest)
	}
	d.answer = web.ErrBusy
	if status, _, h := do(t, client, "POST", url, "{}", signature); status != 503 || h.Get("Retry-After") == "" {
		t.Errorf("busy: %d", status)
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		if status, _, h := do(t, client, method, url, "", ""); status != 405 || h.Get("Allow") != "POST" {
			t.Errorf("%s: %d", method, status)
		}
	}
	if status, _, _ := do(t, client, "GET", strings.TrimSuffix(url, web.HealthPath)+"/", "", ""); status != 404 {
		t.Errorf("/: %d", status)
	}
	if status, answer, _ := do(t, client, "GET", strings.TrimSuffix(url, web.HealthPath)+"/releases/root.json", "", ""); status != 200 || answer != "/releases/root.json" {
		t.Errorf("what is mounted beside: %d %q", status, answer)
	}
}

// TestHealthRoom: a report beyond those that are proven at once is turned away, and let in when there is room.
func TestHealthRoom(t *testing.T) {
	d := &desk{hold: make(chan struct{}), came: make(chan struct{})}
	url, client := serve(t, d)
	url += web.HealthPath
	done := make(chan int)
	for range 16 {
		go func() {
			resp, err := client.Post(url, "application/json", strings.NewReader("{}"))
			if err != nil {
				done <- 0
				return
			}
			resp.Body.Close()
			done <- resp.StatusCode
		}()
		<-d.came
	}
	if status, _, _ := do(t, client, "POST", url, "{}", ""); status != 503 {
		t.Errorf("the 17th: %d", status)
	}
	close(d.hold)
	for range 16 {
		if status := <-done; status != 200 {
			t.Errorf("%d", status)
		}
	}
	d.hold = nil
	if status, _, _ := do(t, client, "POST", url, "{}", ""); status != 200 {
		t.Errorf("afterwards: %d", status)
	}
}

// TestVersions: TLS 1.2 and 1.3, HTTP/1.1, and nothing plain.
func TestVersions(t *testing.T) {
	url, client := serve(t, &desk{})
	address := strings.TrimPrefix(url, "https://")
	for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		config := client.Transport.(*http.Transport).TLSClientConfig.Clone()
		config.MinVersion, config.MaxVersion, config.NextProtos = version, version, []string{"h2", "http/1.1"}
		c, err := tls.Dial("tcp", address, config)
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
	resp, err := http.Get("http://" + address + web.HealthPath)
	if err == nil {
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP: %d", resp.StatusCode)
		}
	}
}
