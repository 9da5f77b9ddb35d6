package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"

	"touchstone/authority"
	"touchstone/paycrypto"
	"touchstone/pos"
	"touchstone/registry"
)

// The sample world of a test data directory: made up, the same every time, visibly a sample. Its keys
// are published: each is computed from the words below, so anybody can have them and nobody may use
// them. Nothing of it is written out in the repository but the rule that makes it.

// published is n bytes that everybody can compute: SHA-256("touchstone published test value 1/" || label).
func published(label string, n int) []byte {
	sum := sha256.Sum256([]byte("touchstone published test value 1/" + label))
	return sum[:n]
}

// publishedStream is an endless published stream for the keyring of a test data directory.
type publishedStream struct {
	label string
	block int
	rest  []byte
}

// Read never fails.
func (p *publishedStream) Read(b []byte) (int, error) {
	for n := 0; n < len(b); {
		if len(p.rest) == 0 {
			p.rest = published(fmt.Sprintf("%s/%d", p.label, p.block), sha256.Size)
			p.block++
		}
		k := copy(b[n:], p.rest)
		n, p.rest = n+k, p.rest[k:]
	}
	return len(b), nil
}

// sampleTerminal is one terminal of the sample world with its published keys.
type sampleTerminal struct {
	id       pos.TerminalID
	merchant pos.MerchantID
	code     pos.NetworkCode
	profile  registry.MACProfile
	serial   pos.Serial
	keyless  bool // holds no serial-number key
	visitor  bool
	networks []string // of its own; none: the shop's
	chip     bool
	place    *registry.Circle
	tls      bool // has a device certificate: it is heard over TLS only
	model    string
}

// Facts that all sample terminals share.
const (
	sampleLicence    = "P3100"
	sampleDeviceType = "04"
	sampleApp        = "1.0.0"
	sampleShops      = 12
	sampleStaff      = 40 // terminals of the demonstration's own traffic
)

func (t sampleTerminal) masterKey() []byte {
	n := 16
	if t.code == 1 {
		n = 8
	}
	key := published("terminal master key/"+t.id.String(), n)
	if t.code != 5 && t.code != 6 {
		paycrypto.AdjustParity(key)
	}
	return key
}

func (t sampleTerminal) serialKey() []byte {
	if t.keyless {
		return nil
	}
	return published("serial key/"+string(t.serial), 16)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic("touchstone: a sample value is malformed: " + err.Error())
	}
	return v
}

func sampleMerchant(n int) pos.MerchantID {
	return must(pos.ParseMerchantID(fmt.Sprintf("89831005812%04d", n)))
}

func sampleID(n int) pos.TerminalID { return must(pos.ParseTerminalID(fmt.Sprintf("%08d", n))) }

func sampleSerial(n int) pos.Serial {
	return must(pos.ParseSerial(fmt.Sprintf("000003%sTS%010d", sampleDeviceType, n)))
}

// visitors are for the reader's own client: two of code 003 first, then 001, 004, 005 and 006, and one
// of 003 without a serial key; the last, of 003, has a device certificate and is heard over TLS only. They may
// come from any loopback address.
func visitors() []sampleTerminal {
	var all []sampleTerminal
	for i, code := range []pos.NetworkCode{3, 3, 1, 4, 5, 6, 3, 3} {
		n := 90000001 + i
		all = append(all, sampleTerminal{id: sampleID(n), merchant: sampleMerchant(9000), code: code, serial: sampleSerial(n),
			keyless: i == 6, tls: i == 7, visitor: true, model: visitorModel, networks: []string{"127.0.0.0/8", "0:0:0:0:0:0:0:1/128"}})
	}
	return all
}

// hardware is the hardware version of a sample device: the old model comes in two, of which the first can run
// nothing newer.
func (t sampleTerminal) hardware() string {
	if t.model == oldModel && t.serial == sampleSerial(13) {
		return "1.0"
	}
	return "2.0"
}

// visitorModel is that of the reader's own terminals.
const visitorModel = "Sample V1"

// badModel is the one whose application goes bad during the demonstration.
const badModel = "Sample S25"

// oldModel is the one whose MAC has a key of 56 bits.
const oldModel = "Sample S20"

// staffTerminals are the demonstration's own.
func staffTerminals() []sampleTerminal {
	var all []sampleTerminal
	codes := []pos.NetworkCode{3, 5, 3, 4, 6}
	for i := range sampleStaff {
		t := sampleTerminal{id: sampleID(11 + i), merchant: sampleMerchant(1 + i%sampleShops), code: codes[i%len(codes)], serial: sampleSerial(11 + i), tls: i%3 == 1}
		switch {
		case t.code == 5 || t.code == 6:
			t.model = "Sample S30"
		case i == 7:
			t.model, t.profile = "Sample S15", registry.MACX919
		case i == 2 || i == 12: // an old model: its MAC has a key of 56 bits
			t.model = oldModel
		case i >= sampleStaff-faultyTerminals:
			t.model, t.profile = badModel, registry.MACECB3DES
		default:
			t.model, t.profile = "Sample S10", registry.MACECB3DES
		}
		t.place = samplePlace(i % sampleShops)
		t.keyless = i == 17 // states its serial number and cannot prove it
		if i == sampleStaff-1 {
			t.networks = []string{"127.0.0.1", copyFrom} // a shop with two lines
		}
		all = append(all, t)
	}
	return all
}

// sampleCard is one card of the embedded bank.
type sampleCard struct {
	label   string
	service string
	expiry  string // YYMM
	pin     string
	balance pos.Amount
	state   string
	limit   pos.Amount
	visitor bool
	number  string // nine digits of the card number; "": published digits of the label
}

// cards: the first two are for the reader's own client, magnetic-stripe cards that nothing limits; the
// others are the demonstration's, and some of them decline for a reason.
func cards() []sampleCard {
	all := []sampleCard{
		{label: "visitor 1", service: "101", expiry: "4912", balance: 100_000_000, state: "active", visitor: true},
		{label: "visitor 2", service: "101", expiry: "4912", balance: 200_000_000, state: "active", visitor: true},
		{label: "poor", service: "101", expiry: "4912", balance: 100, state: "active"},
		{label: "expired", service: "101", expiry: "2001", balance: 10_000_000, state: "active"},
		{label: "lost", service: "101", expiry: "4912", balance: 10_000_000, state: "lost"},
		{label: "limited", service: "101", expiry: "4912", balance: 10_000_000, state: "active", limit: 1000},
		{label: "restricted", service: "101", expiry: "4912", balance: 10_000_000, state: "restricted"},
	}
	for i := range 30 {
		all = append(all, sampleCard{label: fmt.Sprintf("shopper %d", i+1), service: "101", expiry: "4912", balance: 900_000_000, state: "active"})
	}
	for i := range all {
		if all[i].pin == "" {
			all[i].pin = publishedDigits("pin/"+all[i].label, 6)
		}
	}
	return all
}

func publishedDigits(label string, n int) string {
	out := make([]byte, n)
	for i, b := range published(label, n) {
		out[i] = '0' + b%10
	}
	return string(out)
}

// pan is 16 digits with a right check digit, under a prefix that begins as UnionPay numbers do; the
// digits after it are published, of no real card that we know.
func (c sampleCard) pan() string {
	nine := c.number
	if nine == "" {
		nine = publishedDigits("card/"+c.label, 9)
	}
	body := "629999" + nine
	sum := 0
	for i := range body {
		d := int(body[len(body)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return body + string(rune('0'+(10-sum%10)%10))
}

func (c sampleCard) track2() string {
	return c.pan() + "=" + c.expiry + c.service + publishedDigits("track/"+c.label, 10)
}

// fixture is what --print-fixture prints: everything a client of one's own needs.
type printedFixture struct {
	Listen struct {
		TCP string `json:"tcp"`
		TLS string `json:"tls"`
	} `json:"listen"`
	CheckURL  string            `json:"check_url"` // base address of the check page
	TLSCA     string            `json:"tls_ca"`    // PEM; published, trust it nowhere
	Terminals []printedTerminal `json:"terminals"`
	// TLSTerminals are apart from Terminals because they are heard over TLS only.
	TLSTerminals []printedTerminal `json:"tls_terminals"`
	Cards        []printedCard     `json:"cards"`
}

type printedTerminal struct {
	TerminalID     string `json:"terminal_id"`
	MerchantID     string `json:"merchant_id"`
	SignInCode     string `json:"sign_in_code"`
	TMK            string `json:"tmk"`
	Serial         string `json:"serial"`
	SerialKey      string `json:"serial_key"`
	NetworkLicence string `json:"network_licence"`
	DeviceType     string `json:"device_type"`
	AppVersion     string `json:"app_version"`
	Model          string `json:"model"`
	Hardware       string `json:"hardware"`
	Visitor        bool   `json:"visitor"`

	// Of one that is heard over TLS only, in PEM: published test values.
	Certificate    string `json:"certificate,omitempty"`
	CertificateKey string `json:"certificate_key,omitempty"`
}

type printedCard struct {
	PAN     string `json:"pan"`
	Expiry  string `json:"expiry"`
	Track2  string `json:"track2"`
	PIN     string `json:"pin"`
	Balance int64  `json:"balance"`
}

func makeFixture(tcp, tls string) (f printedFixture) {
	f.Listen.TCP, f.Listen.TLS = tcp, tls
	f.CheckURL = "http://" + demoPublic
	f.TLSCA = string(authority.PEM(publishedRoot().Raw))
	for _, t := range visitors() {
		printed := printedTerminal{
			TerminalID: t.id.String(), MerchantID: t.merchant.String(), SignInCode: t.code.String(),
			TMK: upperHex(t.masterKey()), Serial: string(t.serial), SerialKey: upperHex(t.serialKey()),
			NetworkLicence: sampleLicence, DeviceType: sampleDeviceType, AppVersion: sampleApp, Model: t.model, Hardware: t.hardware(), Visitor: true,
		}
		if t.tls {
			printed.Certificate, printed.CertificateKey = string(authority.PEM(t.certificate().Raw)), string(t.keyPEM())
			f.TLSTerminals = append(f.TLSTerminals, printed)
			continue
		}
		f.Terminals = append(f.Terminals, printed)
	}
	for _, c := range cards()[:7] {
		f.Cards = append(f.Cards, printedCard{c.pan(), c.expiry, c.track2(), c.pin, int64(c.balance)})
	}
	return f
}

func upperHex(b []byte) string { return fmt.Sprintf("%X", b) }

func printFixture(w io.Writer, tcp, tls string) error {
	return json.NewEncoder(w).Encode(makeFixture(tcp, tls))
}

// version is the program's own version, for the journal's first entry.
func version() string { return "0.1.0" }
