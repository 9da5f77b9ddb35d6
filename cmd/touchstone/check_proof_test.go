package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/authority"
	"touchstone/paycrypto"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/secret"
	"touchstone/terminal"
	"touchstone/web/check"
)

// shownProof is what the screen of a sample terminal with a certificate shows at an instant.
func (t sampleTerminal) shownProof(tb testing.TB, at time.Time) string {
	return proofBy(tb, publishedKey("device "+string(t.serial)), t.serial, at)
}

func proofBy(tb testing.TB, key *ecdsa.PrivateKey, serial pos.Serial, at time.Time) string {
	tb.Helper()
	p, err := paycrypto.SignCheckProof(rand.Reader, key, string(serial), paycrypto.CheckStep(at.Unix()))
	if err != nil {
		tb.Fatal(err)
	}
	return p.String()
}

// scan opens what a screen's QR code says, as a phone does; it tells the answer and the page.
func (r *checkRig) scan(serial pos.Serial, proof string) (answer, page string) {
	r.t.Helper()
	r.from++
	req := httptest.NewRequest("GET", check.ProofURL("http://127.0.0.1:8081", serial, proof), nil)
	req.RemoteAddr = "127.0.0.1:1"
	req.Header.Set("X-Forwarded-For", fmt.Sprintf("10.9.%d.%d", r.from>>8, r.from&255))
	w := httptest.NewRecorder()
	r.pages.ServeHTTP(w, req)
	page = w.Body.String()
	for _, a := range []string{"yes", "no", "cannot_tell"} {
		if strings.Contains(page, `class="answer `+a+`"`) {
			return a, page
		}
	}
	return "", page
}

// signed: a device that has a certificate and no serial-number key proves itself by what its screen signs, within one
// step; a copied picture, another device's, a revoked or replaced certificate's proof never does.
func (r *checkRig) signed(t *testing.T) {
	another := slices.IndexFunc(staffTerminals()[:20], func(s sampleTerminal) bool { return s.tls })
	own, other, keyless := visitors()[7], staffTerminals()[another], visitors()[6]
	for _, x := range []sampleTerminal{own, other} {
		d, err := r.ledger.Device(x.serial)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.registerCertificate(t.Context(), *d, nil, x.certificate(), "published", 0, false); err != nil {
			t.Fatal(err)
		}
	}
	device, err := r.ledger.Device(own.serial)
	if err != nil {
		t.Fatal(err)
	}
	r.put(with(device, func(x *registry.Device) { x.Key, x.KeyKCV = nil, "" })) // a certificate alone
	for steps := -3; steps <= 3; steps++ {
		want := "no"
		if steps >= -1 && steps <= 1 {
			want = "yes"
		}
		got, page := r.scan(own.serial, own.shownProof(t, r.now().Add(time.Duration(steps)*time.Minute)))
		if got != want || want == "no" && !strings.Contains(page, "and that is over") {
			t.Errorf("clock %d minutes off: %s, want %s", steps, got, want)
		}
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		serial pos.Serial
		proof  string
	}{
		"another terminal's proof under this number": {own.serial, other.shownProof(t, r.now())},
		"this terminal's proof under another number": {other.serial, own.shownProof(t, r.now())},
		"another key for this number":                {own.serial, proofBy(t, stranger, own.serial, r.now())},
		"a number without a certificate":             {keyless.serial, proofBy(t, stranger, keyless.serial, r.now())},
		"an unknown number":                          {"00000304TS0099999999", proofBy(t, stranger, "00000304TS0099999999", r.now())},
	} {
		if got, page := r.scan(c.serial, c.proof); got != "no" || !strings.Contains(page, "not the code of the terminal") {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got, _ := r.ask(own.serial, own.shownCode(r.now())); got != "no" {
		t.Errorf("a digit code of a device without a serial-number key: %s", got)
	}
	r.certificatesOfProofs(t, own)
}

// certificatesOfProofs: a renewed certificate's key and, while both stand, the former one's; after a revocation neither.
func (r *checkRig) certificatesOfProofs(t *testing.T, own sampleTerminal) {
	file := filepath.Join(t.TempDir(), "new.pem")
	if _, err := r.changeCertificate(t.Context(), &certificateChange{Act: "renew", Serial: string(own.serial), KeyFile: file, Life: time.Hour, Overlap: 10 * time.Minute, By: "qian"}); err != nil {
		t.Fatal(err)
	}
	raw := must(readBounded(file, 1<<12))
	block, _ := pem.Decode(raw)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	renewed := parsed.(*ecdsa.PrivateKey)
	is := func(what, want string, key *ecdsa.PrivateKey) {
		t.Helper()
		if got, _ := r.scan(own.serial, proofBy(t, key, own.serial, r.now())); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	former := publishedKey("device " + string(own.serial))
	is("the renewed certificate's key", "yes", renewed)
	is("the former one's while both stand", "yes", former)
	r.ahead += 11 * time.Minute
	is("the former one's after that", "no", former)
	is("the renewed one's after that", "yes", renewed)
	r.ahead += time.Hour
	is("the renewed one's after its end", "no", renewed)
	r.ahead -= time.Hour
	if _, err := r.changeCertificate(t.Context(), &certificateChange{Act: "revoke", Serial: string(own.serial), By: "qian"}); err != nil {
		t.Fatal(err)
	}
	is("a revoked certificate's key", "no", renewed)
}

// TestCheckProofCommand: the reference terminal signs what the page verifies, prints it as a QR code, and shows none when
// it was tampered with.
func TestCheckProofCommand(t *testing.T) {
	own := visitors()[7]
	out, code := checkCodeOut(t, "--terminal", own.id.String(), "--json", "--check-url", "https://check.example")
	var shown shownCheckCode
	if err := json.Unmarshal([]byte(out), &shown); err != nil || code != 0 {
		t.Fatalf("%d %v: %s", code, err, out)
	}
	text, ok := strings.CutPrefix(shown.Proof, "https://check.example/p/"+string(own.serial)+"/")
	proof, err := paycrypto.ParseCheckProof(text)
	if !ok || err != nil || !proof.SignedBy(own.certificate().PublicKey, string(own.serial)) || !paycrypto.CheckStepNear(proof.Step, paycrypto.CheckStep(time.Now().Unix())) {
		t.Errorf("shown %q: %v", shown.Proof, err)
	}
	if shown.Code == "" { // it has a serial-number key too
		t.Error("no code beside the proof")
	}
	if out, _ := checkCodeOut(t, "--json"); strings.Contains(out, "proof_url") {
		t.Errorf("a terminal without a certificate: %s", out)
	}
}

// TestCheckProofLocked: a tampered terminal signs nothing.
func TestCheckProofLocked(t *testing.T) {
	own := visitors()[7]
	config := own.proofConfig(t)
	term, err := terminal.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	defer term.Close()
	if _, left, ok := term.CheckProof(); !ok || left <= 0 || left > time.Minute {
		t.Errorf("before: %v %v", left, ok)
	}
	_, _ = term.TamperReport(t.Context(), 1) // nobody listens
	if _, _, ok := term.CheckProof(); ok {
		t.Error("a locked terminal signs")
	}
}

// proofConfig is the sample terminal without a host, and without a serial-number key.
func (t sampleTerminal) proofConfig(tb testing.TB) terminal.Config {
	tb.Helper()
	return terminal.Config{Host: "127.0.0.1:1", Terminal: t.id, Merchant: t.merchant, SignInCode: paycrypto.SignInCode(t.code), TMK: secret.Take(t.masterKey()), Serial: t.serial, Licence: sampleLicence,
		DeviceType: sampleDeviceType, AppVersion: sampleApp, StateDir: tb.TempDir(), DialTimeout: time.Second, Timeout: time.Second,
		TLS: &terminal.TLS{CA: authority.PEM(publishedRoot().Raw), Certificate: authority.PEM(t.certificate().Raw), Key: secret.Take(t.keyPEM())}}
}
