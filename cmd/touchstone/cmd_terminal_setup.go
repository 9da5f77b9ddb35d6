package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"touchstone/paycrypto"
	"touchstone/pos"
	"touchstone/secret"
	"touchstone/terminal"
)

// terminalSetup is a terminal and the card in its reader.
type terminalSetup struct {
	config terminal.Config
	card   terminal.Card

	model, hardware string // of the device; "" is not known
	checkURL        string // base address of the check page; "" is not known

	second *terminalEntry // of faults that take a second terminal; nil none
}

// terminalSecret is a JSON string whose characters are secret. It never encodes.
type terminalSecret struct{ secret.Bytes }

// UnmarshalJSON takes a string without escapes, which none of ours has.
func (s *terminalSecret) UnmarshalJSON(raw []byte) error {
	if len(raw) < 2 || raw[0] != '"' || bytes.IndexByte(raw, '\\') >= 0 {
		return errors.New("secret: not a plain string")
	}
	s.Bytes = secret.Take(bytes.Clone(raw[1 : len(raw)-1]))
	return nil
}

// key is the bytes of hexadecimal digits.
func (s terminalSecret) key() (key secret.Bytes, err error) {
	s.Use(func(text []byte) { key, err = terminalKey(text) })
	return key, err
}

// terminalKey reads hexadecimal digits in either case; the empty text is the empty key.
func terminalKey(text []byte) (secret.Bytes, error) {
	raw := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(raw, text); err != nil {
		clear(raw)
		return secret.Bytes{}, errors.New("key: not hexadecimal")
	}
	return secret.Take(raw), nil
}

// terminalFixture is what touchstone demo --print-fixture prints. Members it does not name are passed over.
type terminalFixture struct {
	Listen struct {
		TCP string `json:"tcp"`
		TLS string `json:"tls"`
	} `json:"listen"`
	CheckURL  string          `json:"check_url"`
	TLSCA     string          `json:"tls_ca"`
	Terminals []terminalEntry `json:"terminals"`

	TLSTerminals []terminalEntry `json:"tls_terminals"`
	Cards        []terminalCard  `json:"cards"`
	Policy       json.RawMessage `json:"password_policy"` // of the terminals' passwords; absent: their own default
}

type terminalEntry struct {
	ID         string         `json:"terminal_id"`
	Merchant   string         `json:"merchant_id"`
	SignInCode string         `json:"sign_in_code"`
	TMK        terminalSecret `json:"tmk"`
	Serial     string         `json:"serial"`
	SerialKey  terminalSecret `json:"serial_key"`
	Licence    string         `json:"network_licence"`
	DeviceType string         `json:"device_type"`
	AppVersion string         `json:"app_version"`
	Model      string         `json:"model"`
	Hardware   string         `json:"hardware"`
	MAC        string         `json:"mac"` // "" is ecb
	Visitor    bool           `json:"visitor"`

	Certificate    string      `json:"certificate"`
	CertificateKey terminalPEM `json:"certificate_key"`
}

type terminalCard struct {
	PAN    terminalSecret `json:"pan"`
	Expiry string         `json:"expiry"` // YYMM
	Track2 terminalSecret `json:"track2"`
	PIN    terminalSecret `json:"pin"`
}

// load makes the setup of the fixture or of the TOML file.
func (c *terminalCmd) load(a *app) (s terminalSetup, err error) {
	switch {
	case c.Fixture != "":
		s, err = c.fromFixture(a)
	case c.Config != "":
		s, err = c.fromConfig(a)
	default:
		return terminalSetup{}, errors.New("no terminal: name a --fixture or a --config")
	}
	if err != nil {
		return terminalSetup{}, err
	}
	if c.Host != "" {
		s.config.Host = c.Host
	}
	if c.Place != "" {
		if s.config.Location, err = parseLocation(c.Place); err != nil {
			return terminalSetup{}, err
		}
	}
	if c.Operator != "" {
		s.config.Operator = filled(c.Operator)
	}
	if c.PasswordPolicy != "" {
		if s.config.Passwords, err = readPasswordPolicy(a, c.PasswordPolicy); err != nil {
			return terminalSetup{}, err
		}
	}
	if err := c.faultFlags.apply(a, &s); err != nil {
		return terminalSetup{}, err
	}
	s.config.KeyLoad = max(s.config.KeyLoad, c.KeyLoad)
	s.config.From, s.config.Timeout, s.config.Language = c.From, c.Timeout, terminal.Language(c.Lang)
	if c.PINFile == "" {
		return s, nil
	}
	pin, err := readTerminalFile(a, c.PINFile)
	if err != nil {
		return terminalSetup{}, fmt.Errorf("read PIN file: %w", err)
	}
	s.card.PIN = secret.Take(bytes.TrimSpace(pin))
	return s, nil
}

func (c *terminalCmd) fromFixture(a *app) (terminalSetup, error) {
	raw, err := readTerminalFile(a, c.Fixture)
	if err != nil {
		return terminalSetup{}, fmt.Errorf("read fixture: %w", err)
	}
	defer clear(raw)
	var fixture terminalFixture
	if err := json.Unmarshal(raw, &fixture); err != nil {
		return terminalSetup{}, errors.New("read fixture: not the JSON of touchstone demo --print-fixture")
	}
	fixture.Terminals = append(fixture.Terminals, fixture.TLSTerminals...)
	chosen := -1
	for i, t := range fixture.Terminals {
		if t.ID == c.Terminal || c.Terminal == "" && t.Visitor {
			chosen = i
			break
		}
	}
	if chosen < 0 {
		return terminalSetup{}, errors.New("read fixture: no such terminal, or no visitor among them")
	}
	if c.Card < 0 || c.Card >= len(fixture.Cards) {
		return terminalSetup{}, fmt.Errorf("read fixture: no card %d, there are %d", c.Card, len(fixture.Cards))
	}
	s := terminalSetup{}
	if s.config, err = fixture.Terminals[chosen].config(); err != nil {
		return terminalSetup{}, fmt.Errorf("read fixture: %w", err)
	}
	s.config.Host, s.checkURL = fixture.Listen.TCP, fixture.CheckURL
	s.second = fixture.second(chosen, c.Second)
	s.model, s.hardware = fixture.Terminals[chosen].Model, fixture.Terminals[chosen].Hardware
	if len(fixture.Policy) > 0 {
		if s.config.Passwords, err = parsePasswordPolicy(fixture.Policy); err != nil {
			return terminalSetup{}, fmt.Errorf("read fixture: %w", err)
		}
	}
	if t := fixture.Terminals[chosen]; c.TLS || t.Certificate != "" {
		s.config.Host = fixture.Listen.TLS
		s.config.TLS = &terminal.TLS{CA: []byte(fixture.TLSCA), Certificate: []byte(t.Certificate), Key: t.CertificateKey.Bytes}
	}
	if s.card, err = fixture.Cards[c.Card].card(); err != nil {
		return terminalSetup{}, fmt.Errorf("read fixture: card %d: %w", c.Card, err)
	}
	return s, nil
}

// config reads the words of a terminal.
func (f *terminalEntry) config() (c terminal.Config, err error) {
	if c.Terminal, err = pos.ParseTerminalID(f.ID); err != nil {
		return terminal.Config{}, fmt.Errorf("terminal_id: %w", err)
	}
	if c.Merchant, err = pos.ParseMerchantID(f.Merchant); err != nil {
		return terminal.Config{}, fmt.Errorf("merchant_id: %w", err)
	}
	if f.Serial != "" {
		if c.Serial, err = pos.ParseSerial(f.Serial); err != nil {
			return terminal.Config{}, fmt.Errorf("serial: %w", err)
		}
	}
	code, err := strconv.ParseUint(f.SignInCode, 10, 16)
	if err != nil || len(f.SignInCode) != 3 {
		return terminal.Config{}, errors.New("sign_in_code: not three digits")
	}
	c.SignInCode, c.MAC = paycrypto.SignInCode(code), terminal.MACProfile(f.MAC)
	if c.TMK, err = f.TMK.key(); err != nil {
		return terminal.Config{}, fmt.Errorf("tmk: %w", err)
	}
	if c.SerialKey, err = f.SerialKey.key(); err != nil {
		return terminal.Config{}, fmt.Errorf("serial_key: %w", err)
	}
	c.Licence, c.DeviceType, c.AppVersion = f.Licence, f.DeviceType, f.AppVersion
	return c, nil
}

// card reads a card.
func (f *terminalCard) card() (terminal.Card, error) {
	card := terminal.Card{PAN: pos.NewPAN(), Track2: f.Track2.Bytes, PIN: f.PIN.Bytes}
	var err error
	f.PAN.Use(func(digits []byte) { err = card.PAN.Set(digits) })
	if err != nil {
		return terminal.Card{}, err
	}
	if f.Expiry != "" {
		expiry, err := terminalNumber(f.Expiry, 4)
		if err != nil {
			return terminal.Card{}, errors.New("expiry: not YYMM")
		}
		card.Expiry = uint16(expiry)
	}
	return card, nil
}

// terminalFile is the TOML file of one terminal. File names in it are relative to it.
type terminalFile struct {
	Host          string `toml:"host"`
	ID            string `toml:"terminal_id"`
	Merchant      string `toml:"merchant_id"`
	SignInCode    string `toml:"sign_in_code"`
	MAC           string `toml:"mac"`
	TMKFile       string `toml:"tmk_file"`
	Serial        string `toml:"serial"`
	SerialKeyFile string `toml:"serial_key_file"`
	Licence       string `toml:"network_licence"`
	DeviceType    string `toml:"device_type"`
	AppVersion    string `toml:"app_version"`
	Model         string `toml:"model"`
	Hardware      string `toml:"hardware"`
	SealTrack     bool   `toml:"seal_track"`
	SendPAN       bool   `toml:"send_pan"`
	KeyLoad       uint32 `toml:"key_load"`
	CardFile      string `toml:"card_file"`
	Operator      string `toml:"operator"`
	PolicyFile    string `toml:"password_policy_file"`
	Place         string `toml:"place"` // degrees north, degrees east: it reports that it stands there

	TLSCAFile       string `toml:"tls_ca_file"` // then TLS
	TLSServerName   string `toml:"tls_server_name"`
	CertificateFile string `toml:"certificate_file"`
	KeyFile         string `toml:"key_file"`
}

func (c *terminalCmd) fromConfig(a *app) (s terminalSetup, err error) {
	raw, err := readTerminalFile(a, c.Config)
	if err != nil {
		return terminalSetup{}, fmt.Errorf("read config: %w", err)
	}
	file, err := parseTerminalFile(raw)
	if err != nil {
		return terminalSetup{}, fmt.Errorf("read config: %w", err)
	}
	beside := c.beside
	words := terminalEntry{
		ID: file.ID, Merchant: file.Merchant, SignInCode: file.SignInCode, MAC: file.MAC, Serial: file.Serial,
		Licence: file.Licence, DeviceType: file.DeviceType, AppVersion: file.AppVersion,
	}
	if s.config, err = words.config(); err != nil {
		return terminalSetup{}, fmt.Errorf("read config: %w", err)
	}
	s.model, s.hardware = file.Model, file.Hardware
	s.config.Host, s.config.SealTrack, s.config.SendPAN, s.config.KeyLoad = file.Host, file.SealTrack, file.SendPAN, file.KeyLoad
	s.config.Operator = filled(file.Operator)
	if s.config.Location, err = parseLocation(file.Place); err != nil {
		return terminalSetup{}, fmt.Errorf("read config: %w", err)
	}
	if file.PolicyFile != "" {
		if s.config.Passwords, err = readPasswordPolicy(a, beside(file.PolicyFile)); err != nil {
			return terminalSetup{}, fmt.Errorf("read config: password_policy_file: %w", err)
		}
	}
	if s.config.TMK, err = readTerminalKey(a, beside(file.TMKFile)); err != nil {
		return terminalSetup{}, fmt.Errorf("read config: tmk_file: %w", err)
	}
	if file.SerialKeyFile != "" {
		if s.config.SerialKey, err = readTerminalKey(a, beside(file.SerialKeyFile)); err != nil {
			return terminalSetup{}, fmt.Errorf("read config: serial_key_file: %w", err)
		}
	}
	if s.config.TLS, err = file.tls(a, beside); err != nil {
		return terminalSetup{}, fmt.Errorf("read config: %w", err)
	}
	if file.CardFile != "" {
		if s.card, err = readTerminalCard(a, beside(file.CardFile)); err != nil {
			return terminalSetup{}, fmt.Errorf("read config: card_file: %w", err)
		}
	}
	return s, nil
}

// readTerminalKey reads a file of hexadecimal digits.
func readTerminalKey(a *app, name string) (secret.Bytes, error) {
	raw, err := readTerminalFile(a, name)
	if err != nil {
		return secret.Bytes{}, err
	}
	defer clear(raw)
	return terminalKey(bytes.TrimSpace(raw))
}

// readTerminalCard reads a file with one card as the fixture has it.
func readTerminalCard(a *app, name string) (terminal.Card, error) {
	raw, err := readTerminalFile(a, name)
	if err != nil {
		return terminal.Card{}, err
	}
	defer clear(raw)
	var f terminalCard
	if json.Unmarshal(raw, &f) != nil {
		return terminal.Card{}, errors.New("not a JSON object of a card")
	}
	return f.card()
}
