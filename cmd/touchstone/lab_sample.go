package main

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"touchstone/lab"
	"touchstone/lab/inspect"
)

// labSample makes a subject for the laboratory to examine.
type labSample struct {
	Out         string   `name:"out" required:"" help:"Directory to make." placeholder:"DIR"`
	Model       string   `name:"model" default:"Sample S10" help:"The terminal model."`
	Application string   `name:"application" default:"1.0.0" help:"Version of the application in the package."`
	Covers      string   `name:"covers" help:"Application versions that a certificate would cover, x for any one character. Default: the last part free, such as 1.0.x." placeholder:"PATTERN"`
	Maker       string   `name:"maker" help:"Who makes it: an organisation." placeholder:"NAME"`
	Flaws       []string `name:"flaw" help:"What is wrong with it: unsigned, altered, weak, sbom, secret, listing, licence; may be given again."`
}

// Help is shown by touchstone lab sample-package --help.
func (labSample) Help() string {
	return `Writes subject.toml, package.zip signed with a published test key, the maker's public key, and the two imported lists: all that a
run needs. With --flaw it is wrong in that way, for real:

  touchstone lab sample-package --out good
  touchstone lab sample-package --out bad --application 1.0.1 --flaw secret`
}

// labFlaws are the ways in which a sample may be wrong.
var labFlaws = []string{"unsigned", "altered", "weak", "sbom", "secret", "listing", "licence"}

// subjectFile is the TOML file of a subject. Files are relative to it.
type subjectFile struct {
	Maker              string `toml:"maker"`
	Model              string `toml:"model"`
	Hardware           string `toml:"hardware"`
	Firmware           string `toml:"firmware"`
	Application        string `toml:"application"`
	HardwarePattern    string `toml:"hardware_pattern"`
	FirmwarePattern    string `toml:"firmware_pattern"`
	ApplicationPattern string `toml:"application_pattern"`
	Class              string `toml:"class"`
	Licence            string `toml:"licence"`
	Package            string `toml:"package"`
	MakerKeys          string `toml:"maker_keys"`
	PTSList            string `toml:"pts_list"`
	LicenceList        string `toml:"licence_list"`
	Delta              string `toml:"delta_class"`
}

// Run writes the sample.
func (c *labSample) Run(a *app) error {
	c.Maker = cmp.Or(c.Maker, sampleMaker)
	for _, f := range c.Flaws {
		if !slices.Contains(labFlaws, f) {
			return fmt.Errorf("--flaw %q: want one of %s", f, strings.Join(labFlaws, ", "))
		}
	}
	if err := os.MkdirAll(c.Out, 0o700); err != nil {
		return err
	}
	packed, public, err := c.pack()
	if err != nil {
		return err
	}
	lists, err := c.lists(time.Now())
	if err != nil {
		return err
	}
	subject := fmt.Sprintf(`# A subject of the laboratory, made up: touchstone lab sample-package.
maker = %q
model = %q
hardware = "1.02"
firmware = "2.1.0"
application = %q
# What a certificate covers: x is any one character, * everything.
hardware_pattern = "*"
firmware_pattern = "2.1.x"
application_pattern = %q
class = "PED"
licence = %q
package = "package.zip"
maker_keys = "maker-keys.pem"
pts_list = "pts-list.json"
licence_list = "licence-list.json"
`, c.Maker, c.Model, c.Application, cmp.Or(c.Covers, lastFree(c.Application)), sampleLicence)
	files := map[string][]byte{"subject.toml": []byte(subject), "package.zip": packed, "maker-keys.pem": public, "pts-list.json": lists[0], "licence-list.json": lists[1]}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(c.Out, name), content, 0o600); err != nil {
			return err
		}
	}
	flaws := "no flaw"
	if len(c.Flaws) > 0 {
		flaws = "flaws: " + strings.Join(c.Flaws, ", ")
	}
	_, err = fmt.Fprintf(a.stdout, "%s: %s, application %s, %s\n", filepath.Join(c.Out, "subject.toml"), c.Model, c.Application, flaws)
	return err
}

// lastFree frees the last part of a version: 1.0.x of 1.0.0.
func lastFree(version string) string {
	at := strings.LastIndexByte(version, '.') + 1
	return version[:at] + strings.Repeat("x", len(version)-at)
}

func (c *labSample) has(flaw string) bool { return slices.Contains(c.Flaws, flaw) }

// pack makes the package and the public key that is registered for its maker.
func (c *labSample) pack() (packed, public []byte, err error) {
	key := publishedKey("maker of packages")
	b := inspect.Build{Key: key, Algorithm: inspect.ECDSASHA256, NoSBOM: c.has("sbom"),
		Manifest: inspect.Manifest{Maker: c.Maker, Model: c.Model, Hardware: "1.xx", Application: c.Application, SecurityCounter: 1},
		Payload: map[string][]byte{
			"app/pos.bin":               published("application "+c.Application, 32),
			"app/config.properties":     []byte("host.tls.min=1.2\nupdate.channel=stable\nserial.key.store=secure_element\n"),
			"app/lib/tlslib-3.5.1.so":   published("tlslib", 32),
			"app/lib/jsonlib-1.7.18.so": published("jsonlib", 32),
		}}
	var verify any = &key.PublicKey
	switch {
	case c.has("unsigned"):
		b.Key = nil
	case c.has("weak"):
		weak, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, nil, err
		}
		b.Key, b.Algorithm, verify = weak, inspect.RSA256, &weak.PublicKey
	}
	if c.has("secret") {
		// One serial-number key for every device, left in the configuration: the kind of fault that makes one
		// model's ciphertexts wrong everywhere at once. The value is a published test value.
		b.Payload["app/config.properties"] = fmt.Appendf(b.Payload["app/config.properties"], "serial_key=%x\n", published("left in the package", 16))
	}
	if c.has("altered") {
		b.After = map[string][]byte{"app/pos.bin": published("altered after signing", 32)}
	}
	packed, err = b.Pack(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(verify)
	return packed, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
}

// lists are the two imported lists, made up and dated today.
func (c *labSample) lists(now time.Time) (lists [2][]byte, err error) {
	day := func(text string) (d lab.Day) {
		if e := d.UnmarshalText([]byte(text)); e != nil {
			err = errors.Join(err, e)
		}
		return d
	}
	today := day(now.UTC().Format(time.DateOnly))
	listing := lab.PTSListing{Number: "4-90001", Vendor: c.Maker, Model: c.Model, Hardware: []string{"1.xx"}, Firmware: []string{"2.1.x"}, Class: "PED",
		Expires: day("2030-04-30"), FirmwareExpires: day("2029-03-31")}
	if c.has("listing") {
		listing.Firmware = []string{"3.1.x"}
	}
	licence := lab.LicenceRecord{Number: sampleLicence, Maker: c.Maker, Model: c.Model, Certificate: "SAMPLE-2026-0001", Expires: day("2029-06-30"), Revoked: c.has("licence")}
	const source = "made up by touchstone lab sample-package"
	pts, e1 := json.MarshalIndent(lab.PTSList{Source: source, Taken: today, Listings: []lab.PTSListing{listing}}, "", " ")
	union, e2 := json.MarshalIndent(lab.LicenceList{Source: source, Taken: today, Licences: []lab.LicenceRecord{licence}}, "", " ")
	return [2][]byte{pts, union}, errors.Join(err, e1, e2)
}
