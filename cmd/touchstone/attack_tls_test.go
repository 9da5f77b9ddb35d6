package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/xml"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// badCertificates are certificates that prove nobody to this host: by lifetime, use and issuer, under names that mean
// something to it.
func badCertificates(t *testing.T) map[string]tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	issuer := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Touchstone"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	all := map[string]tls.Certificate{}
	for i, name := range []string{"zhao", "administrator", "00000304TS0000000011", "localhost", "key:KEY-1"} {
		for kind, edit := range map[string]func(*x509.Certificate){
			"its own issuer": func(*x509.Certificate) {}, "expired": func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) }, "not yet": func(c *x509.Certificate) { c.NotBefore = now.Add(time.Minute) },
			"of a server": func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, "of code": func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} },
			"an authority's": func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }, "another authority's": nil, "without a name": func(c *x509.Certificate) { c.Subject = pkix.Name{} },
		} {
			c := &x509.Certificate{SerialNumber: big.NewInt(int64(2 + i)), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
			parent := c
			if edit != nil {
				edit(c)
			} else {
				parent = issuer
			}
			der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, key)
			if err != nil {
				t.Fatal(err)
			}
			all[name+", "+kind] = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
		}
	}
	return all
}

// TestS01ClientCertificates: neither the console nor the HTTPS port asks a client for a certificate, so none proves
// anybody there: with each of forty the answer is that of nobody. (Who speaks TLS to the terminals' port is proven by one:
// package listener.)
func TestS01ClientCertificates(t *testing.T) {
	r := newAttackRig(t)
	r.who = nil
	console := r.secureConsole(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := ln.Addr().String()
	stop, err := r.e.serveHTTPS(&tlsFlags{}, ln)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	ask := func(url string, c *tls.Certificate) (answer string, wanted bool) {
		t.Helper()
		config := &tls.Config{InsecureSkipVerify: true}
		if c != nil {
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { wanted = true; return c, nil }
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		w, err := client.Get(url)
		if err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		defer w.Body.Close()
		body, err := io.ReadAll(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(w.StatusCode, requestIDs.ReplaceAllString(string(body), "REQ")), wanted
	}
	certificates := badCertificates(t)
	if len(certificates) < 40 {
		t.Fatalf("%d certificates", len(certificates))
	}
	for url, want := range map[string]string{"https://" + console.at + "/api/v1/staff": "401", "https://" + console.at + "/": "303", "https://" + at + releasesPath: "404"} {
		plain, _ := ask(url, nil)
		if !strings.HasPrefix(plain, want) {
			t.Errorf("%s: nobody is answered %.200s", url, plain)
		}
		for name, c := range certificates {
			if got, wanted := ask(url, &c); wanted || got != plain {
				t.Errorf("%s with the certificate %s: asked for %t, %.200s", url, name, wanted, got)
			}
		}
	}
}

// nmapTLS is what nmap's ssl-enum-ciphers says of the console's port, sorted.
const nmapTLS = `TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
TLSv1.2 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
TLSv1.3 TLS_AKE_WITH_AES_128_GCM_SHA256
TLSv1.3 TLS_AKE_WITH_AES_256_GCM_SHA384
TLSv1.3 TLS_AKE_WITH_CHACHA20_POLY1305_SHA256`

// TestS21Nmap has another scanner look at the console's port.
func TestS21Nmap(t *testing.T) {
	if os.Getenv("TOUCHSTONE_LONG") == "" {
		t.Skip("some seconds: TOUCHSTONE_LONG=1")
	}
	if _, err := exec.LookPath("nmap"); err != nil {
		t.Skip("NOT RUN: nmap is not installed (make attack-tools installs it)")
	}
	r := newAttackRig(t).secureConsole(t)
	_, port, err := net.SplitHostPort(r.at)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nmap", "-n", "-Pn", "-sT", "--script", "+ssl-enum-ciphers", "-p", port, "-oX", "-", "127.0.0.1").Output()
	if err != nil {
		t.Fatal(err)
	}
	type table struct {
		Key    string `xml:"key,attr"`
		Tables []struct {
			Key    string `xml:"key,attr"`
			Tables []struct {
				Elements []struct {
					Key  string `xml:"key,attr"`
					Text string `xml:",chardata"`
				} `xml:"elem"`
			} `xml:"table"`
		} `xml:"table"`
	}
	var scan struct {
		Tables []table `xml:"host>ports>port>script>table"`
	}
	if err := xml.Unmarshal(out, &scan); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	var found []string
	for _, version := range scan.Tables {
		for _, inner := range version.Tables {
			if inner.Key != "ciphers" {
				continue
			}
			for _, cipher := range inner.Tables {
				for _, e := range cipher.Elements {
					if e.Key == "name" {
						found = append(found, version.Key+" "+e.Text)
					}
				}
			}
		}
	}
	slices.Sort(found)
	if got := strings.Join(found, "\n"); got != nmapTLS {
		t.Errorf("nmap finds\n%s\nwant\n%s\nin %s", got, nmapTLS, out)
	}
}
