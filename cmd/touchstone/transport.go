package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/secret"
	"touchstone/staff"
)

// What is sealed says first what it is: the line transportMark and one of these words, so that a component of one kind of
// key forms no other, and a PIN is not read as something that shows. PCI PIN Security 18-3 (unverified) wants a key's use bound to it.
const (
	transportMark  = "touchstone-sealed/1 "
	purposeMaster  = "tmk-component"
	purposeSerial  = "serial-key-component"
	purposePAN     = "pan"
	purposePIN     = "pin"
	sealedSource   = "sealed:" // begins a source that is the sealed file itself, in base64; a path never does
	maxSealed      = 4096      // bytes of a sealed file
	ageFileBegins  = "age-encryption.org/v1\n"
	notSealedWords = "a secret is sent sealed to the transport key alone: touchstone seal, or age with a first line that says what it is; see docs/operating/keys.md"
)

var purposes = []string{purposeMaster, purposeSerial, purposePAN, purposePIN}

// transportKeyChange draws another transport key.
type transportKeyChange struct {
	Note string `json:"note,omitempty" maxLength:"200" doc:"Why: the first, the yearly one, the one before may be known to others."`
}

// makeTransportKey has the module draw a key. Its recipient is public and told; what was sealed to the one before opens no more.
func (e *engine) makeTransportKey(ctx context.Context, _ *transportKeyChange, actors []string, proposal string) (changed, error) {
	id := ""
	e.office.view(func(r *rooms) { id = r.staff.NextTransportKey() })
	recipient, sealed, err := e.module.DrawTransport(ctx, id)
	if err != nil {
		return changed{}, err
	}
	k := &staff.TransportKey{ID: id, Recipient: recipient, Secret: sealed}
	err = e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		drafts, err := staff.MakeTransportKey(r.staff, k, actors, proposal, now)
		return hookRefusal("transport_key", actors, drafts, err)
	})
	return changed{What: "transport key " + id + ": seal to " + recipient, ZH: "传输密钥 " + id + "：加密至 " + recipient, Facts: map[string]string{"transport_key": id, "recipient": recipient}}, err
}

// looksSealed tells whether a file is one of age, by its first bytes.
func looksSealed(file []byte) bool {
	return bytes.HasPrefix(file, []byte(ageFileBegins)) || bytes.HasPrefix(file, []byte(armor.Header))
}

// secretOf reads one secret for a purpose: a small file of this machine, or what somebody sealed. The caller clears it.
func (e *engine) secretOf(source, purpose string) ([]byte, error) {
	var file []byte
	if text, sent := strings.CutPrefix(source, sealedSource); sent {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || !looksSealed(raw) {
			return nil, errors.New(notSealedWords)
		}
		file = raw
	} else {
		text, err := readSecretFile(source)
		if err != nil || !looksSealed(text) {
			return text, err
		}
		if file, err = os.ReadFile(source); err != nil { // whole: readSecretFile trims
			return nil, err
		}
	}
	var k *staff.TransportKey
	e.office.view(func(r *rooms) { k = r.staff.TransportKey() })
	if k == nil {
		return nil, errors.New("there is no transport key yet: two people make one, act transport_key")
	}
	opened, err := e.module.OpenTransported(k.ID, k.Secret, file)
	if err != nil {
		return nil, err
	}
	defer opened.Wipe()
	var out []byte
	opened.Use(func(b []byte) {
		if rest, right := bytes.CutPrefix(b, []byte(transportMark+purpose+"\n")); right {
			out = bytes.Clone(bytes.TrimSpace(rest))
		}
	})
	if out == nil {
		return nil, fmt.Errorf("what was sealed is no %s: its first line has to be %q", purpose, transportMark+purpose)
	}
	return out, nil
}

// nameOfSource is how an error names where a secret came from.
func nameOfSource(source string) string {
	if strings.HasPrefix(source, sealedSource) {
		return "the sealed file"
	}
	return source
}

// hexSecret reads hexadecimal digits and clears them.
func hexSecret(text []byte, source string) (secret.Bytes, error) {
	defer clear(text)
	key := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(key, text); err != nil {
		clear(key)
		return secret.Bytes{}, fmt.Errorf("read %s: want hexadecimal digits", nameOfSource(source))
	}
	return secret.Take(key), nil
}

// loading is the duty of an act that loads a key. By HTTP two custodians agree to it: who asks there is known, and no
// ceremony stands around the machine.
func (c *change) loading(d duty, components []string) duty {
	if c.caller != nil && len(components) > 0 {
		d.roles, d.two = []staff.Role{staff.KeyCustodian, staff.Security}, true
	}
	return d
}

// transportKeyCmd draws the key to which people seal what they send.
type transportKeyCmd struct {
	actFlags
	Note string `name:"note" help:"Why."`
}

// Run makes it.
func (c *transportKeyCmd) Run(a *app) error {
	told, err := c.perform(a, change{TransportKey: &transportKeyChange{Note: c.Note}})
	if err == nil && told.Facts["recipient"] != "" {
		fmt.Fprintln(a.stdout, told.Facts["recipient"])
	}
	return err
}

// sealCmd seals one secret for the console or the interface. It needs no host: it is for the custodian's own machine.
type sealCmd struct {
	Purpose string `arg:"" help:"tmk-component, serial-key-component, pan or pin."`
	In      string `arg:"" help:"File that holds the secret: hexadecimal digits of a component, digits of a card number or PIN." placeholder:"FILE"`
	To      string `name:"to" required:"" help:"The host's transport key, age1..., as the page Keys shows it." placeholder:"RECIPIENT"`
	Out     string `name:"out" required:"" help:"New file." placeholder:"FILE"`
}

// Run seals.
func (c *sealCmd) Run(a *app) error {
	if !slices.Contains(purposes, c.Purpose) {
		return fmt.Errorf("%.30q: want one of %s", c.Purpose, strings.Join(purposes, ", "))
	}
	recipient, err := age.ParseX25519Recipient(c.To)
	if err != nil {
		return errors.New("--to: want a recipient of age, age1...")
	}
	text, err := readSecretFile(c.In)
	if err != nil {
		return err
	}
	defer clear(text)
	f, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w, err := age.Encrypt(f, recipient)
	if err == nil {
		_, err1 := io.WriteString(w, transportMark+c.Purpose+"\n")
		_, err2 := w.Write(text)
		err = errors.Join(err1, err2, w.Close())
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		fmt.Fprintln(a.stdout, "wrote", c.Out)
	}
	return err
}
