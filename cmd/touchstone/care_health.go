package main

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"touchstone/authority"
	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/web"
)

// Bounds of health reports: each that is taken costs an entry of the journal, each refused one up to a rate.
const (
	reportBurst  = 20               // of one device at once
	reportEvery  = 30 * time.Second // then one each
	refusedBurst = 20               // refusals journaled at once
	refusedEvery = 10 * time.Second // then one each; the others are counted
	mostDevices  = 1 << 20          // whose rate is remembered
)

// healthDesk proves health reports and has them journaled. What the wire is told is the same for every refusal.
type healthDesk struct {
	engine *engine

	mu      sync.Mutex // guards what follows
	devices map[pos.Serial]*tokens
	refused tokens
	counted int // refusals since the last one that was journaled
}

// tokens is a bucket that fills at a rate.
type tokens struct {
	left float64
	at   pos.Instant
}

// take takes one of at most burst, which come back one each every.
func (t *tokens) take(now pos.Instant, burst int, every time.Duration) bool {
	if t.at == 0 {
		t.left = float64(burst)
	} else if gone := now.Sub(t.at); gone > 0 {
		t.left = min(float64(burst), t.left+float64(gone)/float64(every))
	}
	t.at = now
	if t.left < 1 {
		return false
	}
	t.left--
	return true
}

var _ web.HealthDesk = (*healthDesk)(nil)

func (e *engine) healthDesk() *healthDesk {
	return &healthDesk{engine: e, devices: map[pos.Serial]*tokens{}}
}

// TakeHealth implements web.HealthDesk: the signature by a certificate that is the device's and stands, then the
// rule, then a durable entry.
func (d *healthDesk) TakeHealth(ctx context.Context, body, signature []byte) error {
	err := d.takeHealth(ctx, body, signature)
	var refusal *fleet.HealthError
	if errors.As(err, &refusal) {
		d.refuse(ctx, refusal)
	} else if err != nil && !errors.Is(err, web.ErrBusy) {
		d.engine.log.Error("a health report could not be taken", slog.String("error", err.Error()))
	}
	return err
}

func (d *healthDesk) takeHealth(ctx context.Context, body, signature []byte) error {
	e := d.engine
	report, err := fleet.ParseReport(body)
	if err != nil {
		return &fleet.HealthError{Why: fleet.HealthMalformed}
	}
	refuse := func(why fleet.HealthRefusal) error { return &fleet.HealthError{Why: why, Serial: report.Serial} }
	device, err := e.ledger.Device(report.Serial)
	if err != nil {
		return refuse(fleet.HealthUnknown)
	}
	by, err := e.signedBy(device, body, signature)
	if errors.Is(err, errNoCertificate) {
		return refuse(fleet.HealthNoKey)
	}
	if err != nil {
		return refuse(fleet.HealthSignature)
	}
	if !d.may(report.Serial) {
		return web.ErrBusy
	}
	proven := fleet.Proven{Certificate: by, Digest: digestOf(body), Applications: device.AppVersions}
	if t, err := e.ledger.Terminal(report.Terminal); err == nil {
		proven.Bound = t.Serial == report.Serial
	}
	// Whoever sent it may be gone: what was proven is taken all the same.
	_, err = e.careAct(context.WithoutCancel(ctx), careEffect{}, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		if len(proven.Applications) > 0 && r.fleet.Release(device.Model, report.Application) != nil {
			proven.Applications = append(slices.Clone(proven.Applications), report.Application)
		}
		return fleet.TakeReport(r.fleet, report, proven, now)
	})
	return err
}

// errNoCertificate is a device that has none to sign by.
var errNoCertificate = errors.New("no certificate of the device stands")

// signedBy proves the signature by the device's registered certificate, or by the former one during the overlap of a
// renewal, and returns its fingerprint.
func (e *engine) signedBy(d *registry.Device, body, signature []byte) (fingerprint string, err error) {
	err = errNoCertificate
	now := e.clock()
	for _, id := range []string{d.Certificate, d.FormerCertificate} {
		raw, bad := hex.DecodeString(id)
		if id == "" || bad != nil || len(raw) != 32 || !d.MayPresent(id, now) {
			continue
		}
		print := [32]byte(raw)
		record, bad := e.ledger.Certificate(print)
		if bad != nil || record.Device != d.Serial {
			continue
		}
		if _, good := e.ledger.CertificateStanding(print, now); !good {
			continue
		}
		c, bad := x509.ParseCertificate(record.DER)
		if bad != nil {
			continue
		}
		if err = authority.VerifyReport(c, body, signature); err == nil {
			return id, nil
		}
	}
	return "", err
}

// may bounds what one device may have journaled.
func (d *healthDesk) may(serial pos.Serial) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.engine.clock()
	t := d.devices[serial]
	if t == nil {
		if len(d.devices) >= mostDevices { // each is a registered device with a right signature
			clear(d.devices)
		}
		t = new(tokens)
		d.devices[serial] = t
	}
	return t.take(now, reportBurst, reportEvery)
}

// refuse journals a refusal, or counts it where there were too many.
func (d *healthDesk) refuse(ctx context.Context, refusal *fleet.HealthError) {
	d.mu.Lock()
	if !d.refused.take(d.engine.clock(), refusedBurst, refusedEvery) {
		d.counted++
		d.mu.Unlock()
		return
	}
	counted := d.counted
	d.counted = 0
	d.mu.Unlock()
	err := d.engine.act(context.WithoutCancel(ctx), func(*rooms, pos.Instant) ([]journal.Draft, error) {
		return nil, fleet.RefusedReport(refusal, counted)
	})
	if !errors.Is(err, refusal) {
		d.engine.log.Error("a refused health report was not journaled", slog.String("error", err.Error()))
	}
}
