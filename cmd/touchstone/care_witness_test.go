package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/fleet"
	"touchstone/pos"
)

// healthRig is a demonstration with its HTTPS port, and the files of visitor 90000008, who has a device certificate.
type healthRig struct {
	t                *testing.T
	dir, data, https string
	fixture          printedFixture
}

func newHealthRig(t *testing.T) *healthRig {
	t.Helper()
	r := &healthRig{t: t, dir: t.TempDir()}
	r.data = filepath.Join(r.dir, "data")
	var h runningHost
	t.Cleanup(h.kill)
	control, err := controlPath(r.data)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.start(r.dir, control, os.Environ(), []string{"demo", "--quiet", "--canary", "off", "--data", r.data, "--tcp", "127.0.0.1:0", "--tls", "127.0.0.1:0", "--https", "127.0.0.1:0", "--observe", "127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	r.https = h.https
	r.fixture = makeFixture(h.addr, h.tls)
	raw, err := json.Marshal(r.fixture)
	if err != nil {
		t.Fatal(err)
	}
	r.write("fixture.json", string(raw))
	r.write("ca.crt", r.fixture.TLSCA)
	r.write("device.key", r.fixture.TLSTerminals[0].CertificateKey)
	r.write("other.key", string(staffTerminals()[1].keyPEM())) // of terminal 00000012, which has a certificate of its own
	return r
}

func (r *healthRig) path(name string) string { return filepath.Join(r.dir, name) }

func (r *healthRig) write(name, content string) {
	r.t.Helper()
	if err := os.WriteFile(r.path(name), []byte(content), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// touchstone runs a command in this process.
func (r *healthRig) touchstone(args ...string) (code int, stdout, stderr string) {
	var out, bad bytes.Buffer
	code = run(&app{ctx: r.t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: &bad, getenv: os.Getenv}, args)
	return code, out.String(), bad.String()
}

// health sends a report as the reference terminal would.
func (r *healthRig) health(args ...string) (code int, said string) {
	code, out, bad := r.touchstone(append([]string{"terminal", "health", "--fixture", r.path("fixture.json"), "--https", "https://" + r.https, "--state", r.path("state")}, args...)...)
	return code, out + bad
}

// fact is what the host knows of the device's health.
func (r *healthRig) fact() (state, detail string) {
	r.t.Helper()
	code, out, bad := r.touchstone("device", "show", "90000008", "--data", r.data, "--json")
	var d shownDevice
	if code != 0 || json.Unmarshal([]byte(out), &d) != nil {
		r.t.Fatalf("device show: %d %s", code, bad)
	}
	for _, f := range d.Facts {
		if f.Name == "health" {
			return f.State, f.Detail
		}
	}
	return "", ""
}

// refusals are the journal's refused health reports, the oldest first.
func (r *healthRig) refusals() (list []string) {
	r.t.Helper()
	code, out, bad := r.touchstone("journal", "tail", "--data", r.data, "-n", "1000", "--json")
	if code != 0 {
		r.t.Fatal(bad)
	}
	for line := range strings.Lines(out) {
		if strings.Contains(line, "health_reported") && strings.Contains(line, "refused") {
			list = append(list, line)
		}
	}
	return list
}

// TestHealthReports: what is taken, what is refused for which cause, and that the wire tells none of them.
func TestHealthReports(t *testing.T) {
	r := newHealthRig(t)
	if state, _ := r.fact(); state != "" {
		t.Fatalf("never reported, and the fact is %q", state)
	}
	sequence := uint64(1_000_000)
	next := func() string { sequence++; return fmt.Sprint(sequence) }
	for _, c := range []struct {
		name  string
		args  []string
		state string
	}{
		{"good", nil, "good"},
		{"definitions of last year", []string{"--definitions", "2025-11-01"}, fleet.DefinitionsOld},
		{"another application", []string{"--application", "9.9.9"}, fleet.VersionDiffers},
		{"another hardware", []string{"--hardware", "Z"}, fleet.VersionDiffers},
		{"a public network", []string{"--network", "wifi:public"}, "good"},
	} {
		if code, said := r.health(append(c.args, "--sequence", next())...); code != 0 || said != "health report accepted\n" {
			t.Fatalf("%s: %d %s", c.name, code, said)
		}
		if state, _ := r.fact(); state != c.state {
			t.Errorf("%s: the fact is %q, want %q", c.name, state, c.state)
		}
	}
	r.write("state/planted", eicar)
	if code, said := r.health("--sequence", next()); code != 0 {
		t.Fatal(said)
	}
	if state, detail := r.fact(); state != fleet.Malware || detail != "EICAR test file" {
		t.Errorf("EICAR planted: %q %q", state, detail)
	}
	if err := os.Remove(r.path("state/planted")); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", fleet.MaxReport+1)
	r.write("long", long)
	r.write("malformed", `{"version":1}`)
	_, printed := r.health("--print", "--sequence", fmt.Sprint(sequence))
	body, _, _ := strings.Cut(printed, "\n")
	r.write("of-another-terminal", strings.Replace(strings.Replace(body, `"terminal":"90000008"`, `"terminal":"90000002"`, 1), fmt.Sprintf(`"sequence":%d`, sequence), `"sequence":9999999`, 1))
	r.write("of-another-device", strings.Replace(body, "00000304TS0090000008", "00000304TS0000000012", 1))
	r.write("of-nobody", strings.Replace(body, "00000304TS0090000008", "NOBODY", 1))
	r.write("without-certificate", strings.Replace(body, "00000304TS0090000008", "00000304TS0090000001", 1))
	for _, c := range []struct {
		name, why string
		args      []string
	}{
		{"by another device's key", "00000304TS0090000008 refused: signature", []string{"--key-file", r.path("other.key"), "--sequence", next()}},
		{"of another device", "00000304TS0000000012 refused: signature", []string{"--body", r.path("of-another-device")}},
		{"from last week", "too_old", []string{"--time", time.Now().Add(-7 * 24 * time.Hour).Format(time.RFC3339), "--sequence", next()}},
		{"from tomorrow", "ahead", []string{"--time", time.Now().Add(24 * time.Hour).Format(time.RFC3339), "--sequence", next()}},
		{"the sequence of before", "replayed", []string{"--sequence", "1000001"}},
		{"of a terminal that is another's", "other_terminal", []string{"--body", r.path("of-another-terminal")}},
		{"of a device that nobody knows", "NOBODY refused: unknown_device", []string{"--body", r.path("of-nobody")}},
		{"of a device without a certificate", "no_certificate", []string{"--body", r.path("without-certificate")}},
		{"longer than it may be", "malformed", []string{"--body", r.path("long")}},
		{"malformed", "malformed", []string{"--body", r.path("malformed")}},
	} {
		before := len(r.refusals())
		state, _ := r.fact()
		if code, said := r.health(c.args...); code != 1 || said != "health report refused: the host's journal says why\n" {
			t.Errorf("%s: %d %s", c.name, code, said)
		}
		list := r.refusals()
		if len(list) != before+1 || !strings.Contains(list[before], c.why) {
			t.Errorf("%s: %d refusals in the journal, the last %v", c.name, len(list)-before, list[max(0, len(list)-1):])
		}
		if now, _ := r.fact(); now != state {
			t.Errorf("%s: a refused report made the fact %q", c.name, now)
		}
	}
	// A tamper word quarantines the device: its next message is refused. Until a good report malware is on record.
	if code, said := r.health("--sequence", next()); code != 0 {
		t.Fatal(said)
	}
	sale := []string{"terminal", "--fixture", r.path("fixture.json"), "--terminal", "90000008", "--state", r.path("state"), "--json", "sale", "1.00"}
	if code, out, bad := r.touchstone(sale...); code != 0 {
		t.Fatal(out, bad)
	}
	if code, said := r.health("--tamper", "07", "--sequence", next()); code != 0 {
		t.Fatal(said)
	}
	if code, out, _ := r.touchstone(sale...); code == 0 {
		t.Error("sold after a tamper word: ", out)
	}
	if state, detail := r.fact(); state != fleet.ReportsTamper || detail != "sensor 07" {
		t.Errorf("%q %q", state, detail)
	}
}

// TestHealthByHand: a report that OpenSSL alone signs and curl alone sends is accepted once; python3 wrote its JSON.
// curl trusts the built-in authority's certificate and speaks nothing older than TLS 1.2.
func TestHealthByHand(t *testing.T) {
	needPrograms(t, "openssl", "curl", "python3")
	r := newHealthRig(t)
	made, err := runWitness(t, "", "python3", "-c", `import json,datetime,hashlib
print(json.dumps({"version":1,"serial":"00000304TS0090000008","terminal":"90000008","time":datetime.datetime.now(datetime.timezone.utc).isoformat(),
"sequence":5,"hardware":"2.0","firmware":"2.1","application":"1.0.0","applications_sha256":hashlib.sha256(b"pay 1.0.0").hexdigest(),
"scanner":{"name":"By hand","definitions":datetime.date.today().isoformat(),"result":"clean","found":""},"tamper":"none",
"networks":[{"kind":"ethernet","class":"private"}]}, indent=1),end="")`)
	if err != nil {
		t.Fatal(err)
	}
	r.write("report.json", made)
	r.write("signed", "touchstone-health/1\n"+made)
	if _, err := runWitness(t, "", "openssl", "dgst", "-sha256", "-sign", r.path("device.key"), "-out", r.path("signature"), r.path("signed")); err != nil {
		t.Fatal(err)
	}
	signature, err := runWitness(t, "", "openssl", "base64", "-A", "-in", r.path("signature"))
	if err != nil {
		t.Fatal(err)
	}
	curl := func(args ...string) (string, error) {
		return runWitness(t, "", "curl", append([]string{"--silent", "--show-error", "--cacert", r.path("ca.crt"), "--write-out", " %{http_code} %{http_version}", "--max-time", "120"}, args...)...)
	}
	post := func() string {
		t.Helper()
		said, err := curl("--data-binary", "@"+r.path("report.json"), "-H", "Touchstone-Signature: "+strings.TrimSpace(signature), "https://"+r.https+"/device/v1/health")
		if err != nil {
			t.Fatal(err, said)
		}
		return said
	}
	if said := post(); said != "{\"accepted\":true}\n 200 1.1" {
		t.Errorf("curl was told %q", said)
	}
	if state, detail := r.fact(); state != "good" || detail != "1.0.0" {
		t.Errorf("the fact is %q %q", state, detail)
	}
	if said := post(); said != "{\"accepted\":false}\n 403 1.1" { // the same once more
		t.Errorf("a replay was told %q", said)
	}
	if list := r.refusals(); len(list) != 1 || !strings.Contains(list[0], "replayed") {
		t.Errorf("%v", list)
	}
	if said, err := curl("--tls-max", "1.1", "https://"+r.https+"/"); err == nil {
		t.Errorf("TLS 1.1 was spoken: %q", said)
	}
	if said, err := runWitness(t, "", "curl", "--silent", "https://"+r.https+"/"); err == nil {
		t.Errorf("trusted without the authority's certificate: %q", said)
	}
	// And the other way: OpenSSL verifies what the reference terminal signs.
	_, printed := r.health("--print")
	body, rest, _ := strings.Cut(printed, "\n")
	text, ok := strings.CutPrefix(strings.TrimSpace(rest), "Touchstone-Signature: ")
	if !ok {
		t.Fatal(printed)
	}
	r.write("signed", "touchstone-health/1\n"+body)
	r.write("signature.b64", text)
	r.write("device.crt", r.fixture.TLSTerminals[0].Certificate)
	for _, step := range [][]string{{"base64", "-d", "-A", "-in", r.path("signature.b64"), "-out", r.path("signature")}, {"x509", "-in", r.path("device.crt"), "-pubkey", "-noout", "-out", r.path("device.pub")},
		{"dgst", "-sha256", "-verify", r.path("device.pub"), "-signature", r.path("signature"), r.path("signed")}} {
		if said, err := runWitness(t, "", "openssl", step...); err != nil {
			t.Fatalf("openssl %s: %v %s", step[0], err, said)
		}
	}
}

// TestRefusalRate: beyond the rate refusals are counted, and the next entry says how many.
func TestRefusalRate(t *testing.T) {
	var b tokens
	taken := 0
	for range 100 {
		if b.take(1, refusedBurst, refusedEvery) {
			taken++
		}
	}
	if taken != refusedBurst {
		t.Errorf("%d at once, want %d", taken, refusedBurst)
	}
	if b.take(2, refusedBurst, refusedEvery) || !b.take(3+2*pos.Instant(refusedEvery), refusedBurst, refusedEvery) {
		t.Error("the rate is not kept")
	}
}
