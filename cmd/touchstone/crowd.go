package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"touchstone/authority"
	"touchstone/paycrypto"
	"touchstone/pos"
	"touchstone/secret"
	"touchstone/terminal"
)

// crowdOf runs the demonstration's own terminals at human pace: most sell, void and refund as shops do,
// and the last few misbehave, one after the other.
type crowdOf struct {
	host  string
	tls   string // the same over TLS
	https string // where health reports go, https://HOST:PORT; "": nowhere
	state string
	log   *slog.Logger
}

// The pace of the demonstration.
const (
	faultyTerminals = 7
	openEvery       = 150 * time.Millisecond // one terminal after the other signs in
	pauseLeast      = 3 * time.Second        // between the sales of one terminal
	pauseMost       = 16 * time.Second
	faultEvery      = 10 * time.Second
	settleAfter     = 25 // messages in a batch
)

func (c *crowdOf) play(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	staff := staffTerminals()
	healthy, faulty := staff[:len(staff)-faultyTerminals], staff[len(staff)-faultyTerminals:]
	for i, t := range healthy {
		all.Go(func() {
			if pause(ctx, time.Duration(i)*openEvery) {
				c.with(t, func(reader *terminal.Terminal) { c.sell(ctx, reader, c.healthOf(t, reader)) })
			}
		})
	}
	began := time.Now()
	for i, t := range faulty {
		all.Go(func() {
			c.with(t, func(reader *terminal.Terminal) {
				c.healthOf(t, reader).due(ctx)
				c.misbehave(ctx, reader, i, began)
			})
		})
	}
}

// pause waits; false when the demonstration is over.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// with opens a sample terminal for f.
func (c *crowdOf) with(t sampleTerminal, f func(*terminal.Terminal)) {
	reader, err := terminal.Open(c.config(t))
	if err != nil {
		c.log.Warn("a demonstration terminal did not open", slog.String("terminal", t.id.String()), slog.String("error", err.Error()))
		return
	}
	f(reader)
	if err := reader.Close(); err != nil {
		c.log.Warn("a demonstration terminal did not close", slog.String("terminal", t.id.String()), slog.String("error", err.Error()))
	}
}

// config is what a sample terminal is, wherever it calls.
func (t sampleTerminal) config() terminal.Config {
	return terminal.Config{
		Location: locationOf(t.place),
		Terminal: t.id, Merchant: t.merchant, SignInCode: paycrypto.SignInCode(t.code), MAC: terminal.MACProfile(t.profile),
		TMK: secret.Take(t.masterKey()), SerialKey: secret.Take(t.serialKey()), KeyLoad: 1, Serial: t.serial, Licence: sampleLicence,
		DeviceType: sampleDeviceType, AppVersion: sampleApp, Language: terminal.English,
	}
}

// config is a sample terminal as it is made; one with a device certificate speaks TLS.
func (c *crowdOf) config(t sampleTerminal) terminal.Config {
	config := t.config()
	config.Host, config.StateDir, config.SealTrack = c.host, c.state, paycrypto.SignInCode(t.code).Track()
	if other, ok := neighbourOf(t); ok {
		config.Other = func() (terminal.Config, error) { return other.config(), nil }
	}
	if t.tls {
		config.Host, config.TLS = c.tls, &terminal.TLS{CA: authority.PEM(publishedRoot().Raw), Certificate: authority.PEM(t.certificate().Raw), Key: secret.Take(t.keyPEM())}
	}
	return config
}

// cardOf puts a sample card into the hand of a shopper.
func cardOf(s sampleCard) (terminal.Card, error) {
	pan, err := pos.ParsePAN(s.pan())
	if err != nil {
		return terminal.Card{}, err
	}
	expiry, err := strconv.ParseUint(s.expiry, 10, 16)
	return terminal.Card{PAN: pan, Expiry: uint16(expiry), Track2: secret.Take([]byte(s.track2())), PIN: secret.Take([]byte(s.pin))}, err
}

// shopper draws a card: nearly always one that pays, sometimes one that its bank declines, sometimes a
// mistyped PIN.
func shopper() (terminal.Card, error) {
	all := cards()
	paying, declining := all[7:], all[2:7]
	if rand.IntN(100) < 2 {
		return cardOf(declining[rand.IntN(len(declining))])
	}
	s := paying[rand.IntN(len(paying))]
	if rand.IntN(200) < 1 {
		s.pin = publishedDigits("mistyped/"+s.label, 6)
	}
	return cardOf(s)
}

func randomAmount() pos.Amount { return pos.Amount(500 + rand.IntN(29500)) }

// sell is a shop's day.
func (c *crowdOf) sell(ctx context.Context, t *terminal.Terminal, health *crowdHealth) {
	health.due(ctx)
	if res, err := t.SignIn(ctx); err != nil || !res.Approved {
		c.gone(ctx, err)
		return
	}
	for wait := time.Duration(rand.Int64N(int64(pauseMost - pauseLeast))); pause(ctx, wait); wait = pauseLeast + time.Duration(rand.Int64N(int64(pauseMost-pauseLeast))) {
		health.due(ctx)
		if err := c.serveShopper(ctx, t); err != nil {
			c.gone(ctx, err)
			return
		}
	}
}

func (c *crowdOf) serveShopper(ctx context.Context, t *terminal.Terminal) error {
	card, err := shopper()
	if err != nil {
		return err
	}
	defer card.Wipe()
	if len(t.Entries()) >= settleAfter {
		_, err := t.Settle(ctx)
		return err
	}
	res, err := t.Sale(ctx, card, randomAmount())
	if err != nil || !res.Approved {
		return err
	}
	switch rand.IntN(40) {
	case 0: // the cashier changes his mind
		if pause(ctx, 2*time.Second) {
			_, err = t.Void(ctx, res.Trace, terminal.Card{})
		}
	case 1: // the goods come back
		if pause(ctx, 2*time.Second) {
			_, err = t.Refund(ctx, card, terminal.Original{RRN: res.RRN, Date: monthDay(t.Clock())}, res.Amount/2+1)
		}
	case 2:
		_, err = t.Balance(ctx, card)
	}
	return err
}

func monthDay(at time.Time) uint16 {
	shanghai := time.FixedZone("CST", 8*60*60)
	at = at.In(shanghai)
	return uint16(int(at.Month())*100 + at.Day())
}

func (c *crowdOf) gone(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		c.log.Warn("a demonstration terminal stopped", slog.String("error", err.Error()))
	}
}
