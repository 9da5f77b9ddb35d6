package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"time"

	"touchstone/authority"
	"touchstone/ledger"
	"touchstone/paycrypto"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/web/check"
)

// decoyCertificate is a certificate of no device, DER, under a key that nobody has: what is signed for a number that is
// unknown, or has no certificate, is held against it, so that time does not tell which numbers there are.
func decoyCertificate() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	terms, err := authority.NewTerms(rand.Reader, time.Now(), time.Hour)
	if err != nil {
		return nil, err
	}
	made, err := authority.Root(key, terms, "decoy")
	if err != nil {
		return nil, err
	}
	return made.Raw, nil
}

// ProveSigned implements check.Devices. Fresh takes the registered certificate, or the former one while a renewal
// overlaps; it has to stand now. One that was revoked, replaced or has expired proves nothing, of any minute.
func (d *publicDesk) ProveSigned(_ context.Context, serial pos.Serial, proof paycrypto.CheckProof) (check.Fit, error) {
	device, err := d.ledger.Device(serial)
	if err != nil && !errors.Is(err, ledger.ErrUnknown) {
		return check.Foreign, err
	}
	if err != nil {
		device = nil
	}
	now := d.clock()
	fits := check.Foreign
	for _, one := range d.provenBy(device, now) {
		c, err := x509.ParseCertificate(one.der)
		if err != nil {
			return check.Foreign, err
		}
		if signed := proof.SignedBy(c.PublicKey, string(serial)); !signed || !one.stands {
			continue
		}
		fits = check.Over
		if paycrypto.CheckStepNear(proof.Step, paycrypto.CheckStep(now.Time().Unix())) {
			fits = check.Fresh
		}
	}
	return fits, nil
}

// candidate is a certificate whose key a proof may be of.
type candidate struct {
	der    []byte
	stands bool // it proves a device now
}

// provenBy is what a proof of a device is held against: its certificates that stand, or the decoy alone.
func (d *publicDesk) provenBy(device *registry.Device, now pos.Instant) (list []candidate) {
	if device != nil {
		for _, fingerprint := range []string{device.Certificate, device.FormerCertificate} {
			var id [32]byte
			if n, err := hex.Decode(id[:], []byte(fingerprint)); fingerprint == "" || err != nil || n != len(id) || !device.MayPresent(fingerprint, now) {
				continue
			}
			record, err := d.ledger.Certificate(id)
			if err != nil || record.Device != device.Serial {
				continue
			}
			if _, ok := record.Standing(now); ok {
				list = append(list, candidate{record.DER, true})
			}
		}
	}
	if len(list) == 0 {
		list = append(list, candidate{d.decoy, false})
	}
	return list
}
