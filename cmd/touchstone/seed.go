package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"touchstone/hsm/soft"
	"touchstone/issuer"
	"touchstone/keys"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/secret"
)

// testWorkFactor keeps the start of a test data directory quick; its passphrase is published anyway.
const testWorkFactor = 10

// testLock opens the keyring of a test data directory.
func testLock(dir string) soft.Lock {
	return soft.Lock{PassphraseFile: filepath.Join(dir, testPassphrase), WorkFactor: testWorkFactor, Test: true}
}

// makeTestDirectory makes a test data directory with a published keyring and passphrase, or leaves one
// that is there already.
func makeTestDirectory(dir string, log *slog.Logger) error {
	if _, err := os.Stat(filepath.Join(dir, keyringFile)); err == nil {
		if !isTestDirectory(dir) {
			return fmt.Errorf("%s is a data directory with keys of its own, not a test data directory", dir)
		}
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, testPassphrase), []byte("published, of a test data directory\n"), 0o600); err != nil {
		return err
	}
	return makeDirectory(dir, testLock(dir), true, &publishedStream{label: "keyring"}, log)
}

// seed registers what of the sample world is not registered yet.
func (e *engine) seed(ctx context.Context) error {
	var records []any
	records = append(records, e.seedShops()...)
	for _, t := range append(staffTerminals(), visitors()...) {
		more, err := e.seedTerminal(ctx, t)
		if err != nil {
			return fmt.Errorf("sample terminal %s: %w", t.id, err)
		}
		records = append(records, more...)
	}
	more, err := e.seedCanaries(ctx)
	if err != nil {
		return err
	}
	records = append(records, more...)
	if more, err = e.seedLab(ctx); err != nil {
		return err
	}
	records = append(records, more...)
	for _, c := range cards() {
		opening, err := e.seedCard(ctx, c)
		if err != nil {
			return fmt.Errorf("sample card %q: %w", c.label, err)
		}
		if opening != nil {
			records = append(records, opening)
		}
	}
	if err := e.ledger.Register(ctx, e.clock(), records...); err != nil {
		return err
	}
	if err := e.permits.settle(ctx); err != nil {
		return err
	}
	if err := e.seedCertificates(ctx); err != nil {
		return err
	}
	if err := e.seedIncidents(ctx); err != nil {
		return err
	}
	if err := e.seedCare(ctx); err != nil {
		return err
	}
	if err := e.seedStaff(ctx); err != nil {
		return err
	}
	if err := e.seedReleases(ctx); err != nil {
		return err
	}
	return e.seedCashiers(ctx)
}

var shopNames = [sampleShops]string{"Sample Noodles 示例面馆", "Sample Pharmacy 示例药房", "Sample Books 示例书店", "Sample Tea 示例茶庄",
	"Sample Bakery 示例烘焙", "Sample Fruit 示例水果", "Sample Clinic 示例诊所", "Sample Hotel 示例酒店", "Sample Garage 示例汽修",
	"Sample Florist 示例花店", "Sample Market 示例超市", "Sample Cinema 示例影院"}

func (e *engine) seedShops() (records []any) {
	loopback := must(pos.ParseNetwork("127.0.0.0/8"))
	six := must(pos.ParseNetwork("0:0:0:0:0:0:0:1/128"))
	for i, name := range shopNames {
		m := &registry.Merchant{ID: sampleMerchant(1 + i), Name: name, Networks: []pos.Network{must(pos.ParseNetwork("127.0.0.1"))}, Sample: true}
		if _, err := e.ledger.Merchant(m.ID); errors.Is(err, ledger.ErrUnknown) {
			records = append(records, m)
		}
	}
	own := &registry.Merchant{ID: sampleMerchant(9000), Name: "Sample Visitors 示例访客", Networks: []pos.Network{loopback, six}, Sample: true}
	if _, err := e.ledger.Merchant(own.ID); errors.Is(err, ledger.ErrUnknown) {
		records = append(records, own)
	}
	return records
}

func (e *engine) seedTerminal(ctx context.Context, t sampleTerminal) ([]any, error) {
	if old, err := e.ledger.Terminal(t.id); !errors.Is(err, ledger.ErrUnknown) {
		if err != nil {
			return nil, err
		}
		return e.renewSample(t, old)
	}
	device := &registry.Device{Serial: t.serial, Licence: sampleLicence, DeviceType: sampleDeviceType, AppVersions: []string{sampleApp}, Model: t.model, Hardware: t.hardware(), State: registry.Active, MasterTerms: 1}
	var err error
	if key := t.serialKey(); key != nil {
		if device.Key, device.KeyKCV, err = e.form(ctx, keys.OfSerial(string(t.serial)), keys.SerialKey, keys.SM4, key); err != nil {
			return nil, err
		}
	}
	reg := &registry.Terminal{ID: t.id, Merchant: t.merchant, Serial: t.serial, Place: t.place, Permit: registry.FullPermit, Visitor: t.visitor, MasterAt: e.clock(),
		Profile: registry.Profile{SignInCode: t.code, MAC: t.profile, ChipReader: t.chip}}
	for _, n := range t.networks {
		reg.Networks = append(reg.Networks, must(pos.ParseNetwork(n)))
	}
	if reg.Master, reg.MasterKCV, err = e.form(ctx, keys.OfTerminal(t.id.String()), keys.TerminalMaster, keys.CipherOf(t.code), t.masterKey()); err != nil {
		return nil, err
	}
	return []any{device, reg}, nil
}

// renewSample brings a sample terminal of an earlier version to this one: its model and MAC. What people
// and devices did to it stays.
func (e *engine) renewSample(t sampleTerminal, old *registry.Terminal) (records []any, err error) {
	device, err := e.ledger.Device(t.serial)
	if err != nil {
		return nil, err
	}
	if device.Model != t.model || device.Hardware == "" {
		renewed := *device
		renewed.Model, renewed.Hardware = t.model, t.hardware()
		records = append(records, &renewed)
	}
	if old.Profile.MAC != t.profile {
		renewed := *old
		renewed.Profile.MAC = t.profile
		records = append(records, &renewed)
	}
	return records, nil
}

// form gives one published component to the module.
func (e *engine) form(ctx context.Context, owner keys.Owner, usage keys.Usage, c keys.Cipher, key []byte) (keys.Wrapped, string, error) {
	component := secret.Take(key)
	defer component.Wipe()
	return e.module.Form(ctx, owner, usage, c, []secret.Bytes{component})
}

func (e *engine) seedCard(ctx context.Context, c sampleCard) (*issuer.Opening, error) {
	pan, err := pos.ParsePAN(c.pan())
	if err != nil {
		return nil, err
	}
	hash, err := e.module.HashPAN(pan)
	if err != nil {
		return nil, err
	}
	if _, known := e.ledger.CardNow(hash); known {
		return nil, nil
	}
	expiry, err := strconv.ParseUint(c.expiry, 10, 16)
	if err != nil {
		return nil, err
	}
	o := &issuer.Opening{Card: hash, Shown: pan.Truncated(), Expiry: uint16(expiry), ServiceCode: c.service, State: issuer.CardState(c.state),
		Balance: c.balance, SaleLimit: c.limit}
	pin := secret.Take([]byte(c.pin))
	defer pin.Wipe()
	o.PINSince = e.clock()
	o.Verifier, err = e.module.MakePIN(ctx, pan, pin)
	return o, err
}
