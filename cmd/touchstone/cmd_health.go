package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"touchstone/authority"
	"touchstone/fleet"
	"touchstone/secret"
	"touchstone/terminal"
	"touchstone/web"
)

// healthCmd sends the reference terminal's health report.
type healthCmd struct {
	HTTPS       string `name:"https" help:"The host's HTTPS port." default:"https://127.0.0.1:8585" placeholder:"URL"`
	Fixture     string `help:"Terminals of a demonstration (touchstone demo --print-fixture), - for standard input." placeholder:"FILE" xor:"source"`
	Config      string `help:"One terminal's TOML file." placeholder:"FILE" xor:"source"`
	Terminal    string `help:"Terminal of the fixture. Default: the first that has a device certificate." placeholder:"ID"`
	State       string `help:"Directory of the terminal's file, which is scanned too. Default: as touchstone terminal." placeholder:"DIR"`
	KeyFile     string `name:"key-file" help:"Sign with this private key in place of the terminal's." placeholder:"FILE"`
	Hardware    string `help:"Hardware version." default:"2.0"`
	Firmware    string `help:"Firmware version." default:"1.0"`
	Application string `help:"Application version. Default: the terminal's." placeholder:"VERSION"`
	Definitions string `help:"Date of the scanner's definitions. Default: today; the reference scanner knows the EICAR test file alone." placeholder:"YYYY-MM-DD"`
	Network     string `help:"Network used." default:"ethernet:private" placeholder:"KIND:CLASS"`
	Tamper      string `help:"Sensor that tripped, two digits. Default: none, or 00 where the terminal's file says that it is locked." placeholder:"NN"`
	Time        string `help:"When the report says it was made (RFC 3339). Default: now." placeholder:"TIME"`
	Sequence    uint64 `help:"Its sequence. Default: microseconds since 1970." placeholder:"N"`
	Print       bool   `help:"Print the report and its signature; send nothing."`
	Body        string `name:"body" help:"Send these bytes, signed, in place of a report of its own." placeholder:"FILE"`
}

// Help is shown by touchstone terminal health --help.
func (healthCmd) Help() string {
	return `The report is JSON, signed by the private key of the terminal's device certificate: ECDSA with SHA-256 over
"touchstone-health/1", a line feed and the exact bytes; in the header Touchstone-Signature, base64 of ASN.1 DER.

  touchstone terminal health --fixture fixture.json
  touchstone terminal health --config shop.toml --https https://pos.example.com:8585
  touchstone terminal health --fixture fixture.json --print`
}

// Run sends the report; the exit code is 1 when it is refused.
func (c *healthCmd) Run(a *app) error {
	setup, dir, err := c.open(a)
	if err != nil {
		return err
	}
	defer setup.card.Wipe()
	key, err := c.key(&setup.config)
	if err != nil {
		return err
	}
	body, err := c.body(&setup.config, dir)
	if err != nil {
		return err
	}
	signature, err := authority.SignReport(rand.Reader, key, body)
	if err != nil {
		return err
	}
	text := base64.StdEncoding.EncodeToString(signature)
	if c.Print {
		_, err := fmt.Fprintf(a.stdout, "%s\n%s: %s\n", body, web.SignatureHeader, text)
		return err
	}
	return c.send(a, setup.config.TLS, body, text)
}

// open loads the terminal as touchstone terminal does.
func (c *healthCmd) open(a *app) (s terminalSetup, dir string, err error) {
	t := terminalCmd{Fixture: c.Fixture, Config: c.Config, Terminal: cmp.Or(c.Terminal, c.certified(a)), State: c.State, Lang: "en", Timeout: 10 * time.Second}
	if c.Fixture == "-" {
		return terminalSetup{}, "", errors.New("name the fixture's file: it is read twice")
	}
	if s, err = t.load(a); err != nil {
		return terminalSetup{}, "", err
	}
	if s.config.TLS == nil || len(s.config.TLS.Certificate) == 0 {
		s.card.Wipe()
		return terminalSetup{}, "", errors.New("this terminal has no device certificate, by whose key a report is signed: touchstone device certificate --help")
	}
	s.config.StateDir, err = t.stateDir(a)
	return s, s.config.StateDir, err
}

// certified is the first terminal of the fixture that has a certificate.
func (c *healthCmd) certified(a *app) string {
	var f printedFixture
	raw, err := readTerminalFile(a, c.Fixture)
	if c.Fixture == "" || c.Fixture == "-" || err != nil || json.Unmarshal(raw, &f) != nil || len(f.TLSTerminals) == 0 {
		return ""
	}
	return f.TLSTerminals[0].TerminalID
}

func (c *healthCmd) key(config *terminal.Config) (crypto.Signer, error) {
	if c.KeyFile != "" {
		text, err := readSecretFile(c.KeyFile)
		if err != nil {
			return nil, err
		}
		return deviceKey(secret.Take(text))
	}
	return deviceKey(config.TLS.Key)
}

// deviceKey reads a device's private key, PKCS #8 in PEM.
func deviceKey(text secret.Bytes) (key *ecdsa.PrivateKey, err error) {
	text.Use(func(b []byte) {
		block, _ := pem.Decode(b)
		if block == nil {
			err = errors.New("the device's private key: want PKCS #8 in PEM")
			return
		}
		defer clear(block.Bytes)
		parsed, bad := x509.ParsePKCS8PrivateKey(block.Bytes)
		var ok bool
		if key, ok = parsed.(*ecdsa.PrivateKey); bad != nil || !ok {
			err = errors.New("the device's private key: want ECDSA, PKCS #8 in PEM")
		}
	})
	return key, err
}

// body is the report of the terminal's own state.
func (c *healthCmd) body(config *terminal.Config, dir string) ([]byte, error) {
	if c.Body != "" {
		return os.ReadFile(c.Body)
	}
	own, err := ownState(*config)
	if err != nil {
		return nil, err
	}
	return c.bodyOf(config, dir, own)
}

// bodyOf is the report of a terminal whose state is known.
func (c *healthCmd) bodyOf(config *terminal.Config, dir string, own terminalOwn) ([]byte, error) {
	now := time.Now()
	r := fleet.Report{Version: 1, Serial: config.Serial, Terminal: config.Terminal, Time: now.UTC().Truncate(time.Millisecond),
		Sequence: cmp.Or(c.Sequence, uint64(now.UnixMicro())), Hardware: c.Hardware, Firmware: c.Firmware,
		Application: cmp.Or(c.Application, own.version), Tamper: c.Tamper}
	if c.Time != "" {
		at, err := time.Parse(time.RFC3339, c.Time)
		if err != nil {
			return nil, fmt.Errorf("--time: want RFC 3339: %w", err)
		}
		r.Time = at
	}
	return c.examined(r, config, dir, own, now)
}

// examined adds to a report what the terminal finds out when it looks: its scanner's result, its networks, its sensors.
func (c *healthCmd) examined(r fleet.Report, config *terminal.Config, dir string, own terminalOwn, now time.Time) (_ []byte, err error) {
	kind, class, _ := strings.Cut(c.Network, ":")
	r.Networks = []fleet.UsedNetwork{{Kind: kind, Class: fleet.NetworkClass(class)}}
	if r.Scanner, r.Applications, err = scan(dir, config.Terminal.String()+".app"); err != nil {
		return nil, err
	}
	r.Scanner.Definitions = cmp.Or(c.Definitions, now.Format(time.DateOnly))
	if r.Tamper == "" {
		if r.Tamper = "none"; own.locked {
			r.Tamper = "00" // which sensor it was is not kept
		}
	}
	return json.Marshal(&r)
}

// terminalOwn is what the terminal's own file says.
type terminalOwn struct {
	version string // of its application
	locked  bool
}

func ownState(config terminal.Config) (own terminalOwn, err error) {
	t, err := terminal.Open(config)
	if err != nil {
		return own, err
	}
	own.version, own.locked = t.Version(), t.Locked()
	return own, t.Close()
}

// eicar is the test file that every scanner finds, in two parts so that none finds it here; eicar.org.
const eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + `EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`

// Bounds of the reference scanner.
const (
	mostScanned  = 10_000
	scannedBytes = 8 << 20 // of one file
)

// scan looks through the terminal's directory for what it knows, and makes the digest of the list of applications: the
// running program, and what the terminal has installed, in the directory of that name.
func scan(dir, installed string) (s fleet.Scanner, applications string, err error) {
	s = fleet.Scanner{Name: "Touchstone reference scanner", Result: "clean"}
	n, list := 0, ""
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if n++; n > mostScanned {
			return errors.New("scan: too many files")
		}
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another terminal's file was renamed since it was listed
		}
		if err != nil {
			return err
		}
		defer f.Close()
		content, err := io.ReadAll(io.LimitReader(f, scannedBytes))
		if bytes.Contains(content, []byte(eicar)) {
			s.Result, s.Found = "found", "EICAR test file"
		}
		if filepath.Base(filepath.Dir(path)) == installed {
			list += fmt.Sprintf("%s %x\n", d.Name(), sha256.Sum256(content))
		}
		return err
	})
	if err != nil {
		return fleet.Scanner{}, "", err
	}
	own, err := programDigest()
	if err != nil {
		return fleet.Scanner{}, "", err
	}
	list = fmt.Sprintf("touchstone %x\n", own) + list
	sum := sha256.Sum256([]byte(list))
	return s, hex.EncodeToString(sum[:]), nil
}

// programDigest is the digest of the running program, which does not change while it runs.
var programDigest = sync.OnceValues(func() ([]byte, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	f, err := os.Open(program)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
})

// healthTime bounds the whole exchange.
const healthTime = 20 * time.Second

// send posts the report and says what came back.
func (c *healthCmd) send(a *app, t *terminal.TLS, body []byte, signature string) error {
	status, err := c.post(a.ctx, t, body, signature)
	if err != nil {
		return err
	}
	switch status {
	case http.StatusOK:
		_, err := fmt.Fprintln(a.stdout, "health report accepted")
		return err
	case http.StatusServiceUnavailable:
		fmt.Fprintln(a.stdout, "no room now: send it again later")
	default:
		fmt.Fprintln(a.stdout, "health report refused: the host's journal says why")
	}
	return exitError{1}
}

// post sends the report and returns the status that came back.
func (c *healthCmd) post(ctx context.Context, t *terminal.TLS, body []byte, signature string) (status int, err error) {
	u, err := url.Parse(c.HTTPS)
	if err != nil || u.Scheme != "https" {
		return 0, fmt.Errorf("--https %.80q: want such as https://127.0.0.1:8585", c.HTTPS)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(t.CA) {
		return 0, errors.New("no certificate of an authority in PEM")
	}
	client := &http.Client{Timeout: healthTime, Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.JoinPath(web.HealthPath).String(), bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(web.SignatureHeader, signature)
	resp, err := client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("send the health report: %w", err)
	}
	return resp.StatusCode, resp.Body.Close()
}
