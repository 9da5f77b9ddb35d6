package main

import (
	"cmp"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"touchstone/authority"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/sqlite"
)

// deviceCertificateCmd is the built-in certificate authority.
type deviceCertificateCmd struct {
	Issue  certificateIssue  `cmd:"" help:"Make a device's certificate from the request that the device made; then it is heard over TLS with it only."`
	Renew  certificateRenew  `cmd:"" help:"Make a new one; the former stays good for an overlap."`
	Revoke certificateRevoke `cmd:"" help:"End it, now and for good: open connections end within a second."`
	List   certificateList   `cmd:"" help:"Every certificate and its state."`
	Show   certificateShow   `cmd:"" help:"One certificate, in PEM and in words."`
	CA     certificateCA     `cmd:"" name:"ca" help:"The authority's own certificate, in PEM: what a terminal must trust."`
	CRL    certificateCRL    `cmd:"" name:"crl" help:"The list of revoked certificates (RFC 5280), in PEM, for those who want one."`
}

// Help is shown by touchstone device certificate --help.
func (deviceCertificateCmd) Help() string {
	return `A terminal makes its own private key and a certificate request, which says nothing secret:

  touchstone terminal --config shop.toml certificate-request > shop.csr
  touchstone device certificate issue --data shop --serial 00000304TS0000000001 --request shop.csr > shop.crt
  touchstone device certificate ca --data shop > ca.crt

Every act is a journal entry. Works while the host runs. The authority's own key is made at the first use and stays in
the security module.`
}

type certificateBy struct {
	Person string `name:"person" help:"Who does it, for the journal. Default: the account's name." placeholder:"NAME"`
}

func (b certificateBy) by(a *app) string {
	return cmp.Or(b.Person, a.getenv("USER"), "unnamed")
}

type certificateMaking struct {
	actFlags
	certificateBy
	Serial  string `name:"serial" required:"" help:"Serial number of the device."`
	Request string `name:"request" help:"The device's certificate request, PKCS #10 in PEM or DER; - for standard input." placeholder:"FILE" xor:"key"`
	Key     string `name:"generate-key" help:"In a test data directory: make the private key here, into this new file." placeholder:"FILE" xor:"key"`
	Days    int    `name:"days" help:"How long it is valid." default:"365"`
}

func (m *certificateMaking) make(a *app, c certificateChange) error {
	c.Serial, c.By, c.Life = m.Serial, m.by(a), time.Duration(m.Days)*24*time.Hour
	var err error
	switch {
	case m.Request != "":
		c.Request, err = readTerminalFile(a, m.Request)
	case m.Key != "":
		c.KeyFile, err = filepath.Abs(m.Key)
	default:
		err = errors.New("want the device's certificate request: --request FILE")
	}
	if err != nil {
		return err
	}
	told, err := m.signed(a, change{Certificate: &c})
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "%s: SHA-256 %s\n", told.What, told.Fingerprint)
	_, err = fmt.Fprint(a.stdout, told.PEM)
	return err
}

type certificateIssue struct{ certificateMaking }

// Run issues a certificate and prints it in PEM.
func (c *certificateIssue) Run(a *app) error { return c.make(a, certificateChange{Act: "issue"}) }

type certificateRenew struct {
	certificateMaking
	Overlap time.Duration `name:"overlap" help:"How long the former stays good; 0 ends it now." default:"168h"`
}

// Run renews a certificate and prints the new one in PEM.
func (c *certificateRenew) Run(a *app) error {
	return c.make(a, certificateChange{Act: "renew", Overlap: c.Overlap})
}

type certificateRevoke struct {
	actFlags
	certificateBy
	Serial      string `name:"serial" required:"" help:"Serial number of the device."`
	Fingerprint string `name:"fingerprint" help:"SHA-256 of the one to revoke. Default: all that the device has." placeholder:"HEX"`
	Reason      string `name:"reason" help:"Why, for the journal." placeholder:"WORDS"`
}

// Run revokes.
func (c *certificateRevoke) Run(a *app) error {
	told, err := c.signed(a, change{Certificate: &certificateChange{Act: "revoke", Serial: c.Serial, Fingerprint: c.Fingerprint, By: c.by(a), Reason: c.Reason}})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, told.What)
	return err
}

// readCertificates reads the newest record of every certificate, in order of their beginning. It needs no key
// and disturbs no host.
func readCertificates(a *app, dir string) ([]registry.Certificate, error) {
	r, err := sqlite.OpenReader(dir)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var all []registry.Certificate
	err = r.Cold(a.ctx, sqlite.Cold{Certificate: func(_ uint64, c registry.Certificate) error {
		all = append(all, c)
		return nil
	}})
	slices.SortStableFunc(all, func(x, y registry.Certificate) int { return cmp.Compare(x.NotBefore, y.NotBefore) })
	return all, err
}

type certificateList struct {
	Data string `name:"data" required:"" help:"Data directory." placeholder:"DIR"`
	JSON bool   `name:"json" help:"One JSON object a line."`
}

// shownCertificate is one line of list --json.
type shownCertificate struct {
	Serial      string    `json:"serial,omitempty"`
	State       string    `json:"state"`
	Fingerprint string    `json:"fingerprint"`
	Number      string    `json:"certificate_number"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	By          string    `json:"by,omitempty"`
	Reason      string    `json:"reason,omitempty"`
}

func shownOf(c *registry.Certificate) shownCertificate {
	state := string(c.Act)
	if why, ok := c.Standing(pos.Instant(time.Now().UnixNano())); !ok && c.Device != "" {
		state = why
	}
	return shownCertificate{string(c.Device), state, c.Fingerprint, c.Number, c.NotBefore.Time().UTC(), c.NotAfter.Time().UTC(), c.By, c.Reason}
}

// Run lists.
func (c *certificateList) Run(a *app) error {
	all, err := readCertificates(a, c.Data)
	if err != nil {
		return err
	}
	if c.JSON {
		enc := json.NewEncoder(a.stdout)
		for i := range all {
			if err := enc.Encode(shownOf(&all[i])); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "device 设备\tstate 状态\tuntil 有效期至\tSHA-256")
	for i := range all {
		s := shownOf(&all[i])
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", cmp.Or(s.Serial, "-"), s.State, s.NotAfter.Format(time.DateOnly), s.Fingerprint)
	}
	return w.Flush()
}

type certificateShow struct {
	Data   string `name:"data" required:"" help:"Data directory." placeholder:"DIR"`
	Serial string `name:"serial" required:"" help:"Serial number of the device."`
}

// Run shows every certificate of a device, the newest last.
func (c *certificateShow) Run(a *app) error {
	all, err := readCertificates(a, c.Data)
	if err != nil {
		return err
	}
	found := false
	for i := range all {
		if string(all[i].Device) != c.Serial {
			continue
		}
		found = true
		s := shownOf(&all[i])
		fmt.Fprintf(a.stdout, "device %s\nstate %s\nSHA-256 %s\nnumber %s\nvalid %s to %s\nby %s %s\n%s", s.Serial, s.State, s.Fingerprint, s.Number,
			s.NotBefore.Format(time.RFC3339), s.NotAfter.Format(time.RFC3339), s.By, s.Reason, authority.PEM(all[i].DER))
	}
	if !found {
		return fmt.Errorf("device %s has no certificate", c.Serial)
	}
	return nil
}

type certificateCA struct {
	Data string `name:"data" required:"" help:"Data directory." placeholder:"DIR"`
}

// Run prints the authority's certificate.
func (c *certificateCA) Run(a *app) error {
	all, err := readCertificates(a, c.Data)
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].Act == registry.AuthorityMade {
			_, err := a.stdout.Write(authority.PEM(all[i].DER))
			return err
		}
	}
	return errors.New("there is no certificate authority yet: it is made with the first certificate")
}

type certificateCRL struct {
	directoryFlags
	Days int `name:"days" help:"When the next list is due." default:"7"`
}

// Run prints the list of revoked certificates.
func (c *certificateCRL) Run(a *app) error {
	told, err := c.carryOut(a, change{CRL: &crlChange{Days: c.Days}})
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(a.stdout, told.PEM)
	return err
}

// requestOf makes the private key of a terminal, where its file is not there yet, and a certificate request
// signed by it.
func requestOf(keyFile string, serial pos.Serial) ([]byte, error) {
	key, err := readPrivateKey(keyFile)
	if errors.Is(err, os.ErrNotExist) {
		if key, err = newPrivateKey(keyFile); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	return authority.Request(rand.Reader, key, serial)
}

// numberOf reads a certificate number as the records have it.
func numberOf(hexadecimal string) (*big.Int, error) {
	n, ok := new(big.Int).SetString(hexadecimal, 16)
	if !ok {
		return nil, errors.New("certificate number: not hexadecimal")
	}
	return n, nil
}

// revokedEntry is a record's line in the list of revoked certificates.
func revokedEntry(c *registry.Certificate, at time.Time) (x509.RevocationListEntry, error) {
	n, err := numberOf(c.Number)
	return x509.RevocationListEntry{SerialNumber: n, RevocationTime: at.UTC()}, err
}
