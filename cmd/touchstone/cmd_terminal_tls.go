package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"

	"touchstone/pos"
	"touchstone/secret"
	"touchstone/terminal"
)

// certificateRequest is the action that needs no host.
const certificateRequest = "certificate-request"

// terminalPEM is a JSON string of a private key in PEM, whose line ends are escaped. It never encodes.
type terminalPEM struct{ secret.Bytes }

// UnmarshalJSON takes any string.
func (s *terminalPEM) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return errors.New("secret: not a string")
	}
	s.Bytes = secret.Take([]byte(text))
	return nil
}

func parseTerminalFile(raw []byte) (file terminalFile, err error) {
	if err := toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields().Decode(&file); err != nil {
		var unknown *toml.StrictMissingError
		if errors.As(err, &unknown) {
			return terminalFile{}, errors.New("a name that is not known; touchstone terminal --help has them")
		}
		return terminalFile{}, errors.New("not TOML, or a value of another type")
	}
	return file, nil
}

// beside is a file named by the configuration, relative to it.
func (c *terminalCmd) beside(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(c.Config), name)
}

// tls reads the files of a terminal that speaks TLS; nil without an authority to trust.
func (f *terminalFile) tls(a *app, beside func(string) string) (*terminal.TLS, error) {
	if f.TLSCAFile == "" {
		if f.CertificateFile != "" || f.TLSServerName != "" {
			return nil, errors.New("tls_ca_file: missing, and there is a certificate or a server name")
		}
		return nil, nil
	}
	t := &terminal.TLS{ServerName: f.TLSServerName}
	var err error
	if t.CA, err = readTerminalFile(a, beside(f.TLSCAFile)); err != nil {
		return nil, fmt.Errorf("tls_ca_file: %w", err)
	}
	if f.CertificateFile == "" {
		return t, nil
	}
	if t.Certificate, err = readTerminalFile(a, beside(f.CertificateFile)); err != nil {
		return nil, fmt.Errorf("certificate_file: %w", err)
	}
	key, err := readSecretFile(beside(f.KeyFile))
	if err != nil {
		return nil, fmt.Errorf("key_file: %w", err)
	}
	t.Key = secret.Take(key)
	return t, nil
}

// request makes the terminal's private key, where its file is not there yet, and prints its certificate request.
func (c *terminalCmd) request(a *app) error {
	if c.Config == "" {
		return errors.New("certificate-request wants a --config with serial and key_file")
	}
	raw, err := readTerminalFile(a, c.Config)
	if err != nil {
		return fmt.Errorf("read config: %w", err)
	}
	file, err := parseTerminalFile(raw)
	if err != nil {
		return fmt.Errorf("read config: %w", err)
	}
	serial, err := pos.ParseSerial(file.Serial)
	if err != nil || file.KeyFile == "" {
		return errors.New("read config: certificate-request wants serial and key_file")
	}
	text, err := requestOf(c.beside(file.KeyFile), serial)
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(text)
	return err
}
