package main

import (
	"context"
	"errors"
	"fmt"

	"touchstone/authority"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/secret"
	"touchstone/terminal"
)

// The canary of the sample world: its keys are published as all others.
const (
	canaryFrom         = "127.0.9.5" // where its terminals are registered to speak from
	canaryElsewhere    = "127.0.9.6"
	canaryShop         = 9500
	canaryOtherShop    = 9501
	canaryUnregistered = 95009999
	canaryModel        = "Sample Canary"
)

// sampleCanary is one reserved terminal of the sample world.
type sampleCanary struct {
	sampleTerminal
	role string
}

func canaries() (all []sampleCanary) {
	add := func(role string, code pos.NetworkCode, profile registry.MACProfile) {
		n := 95000001 + len(all)
		all = append(all, sampleCanary{sampleTerminal{id: sampleID(n), merchant: sampleMerchant(canaryShop), code: code, profile: profile,
			serial: sampleSerial(n), model: canaryModel, networks: []string{canaryFrom},
			tls: role == roleCertified || role == roleUnshown || role == roleTLS}, role})
	}
	add(roleMain, 6, "")
	add("mac-1", 3, registry.MACECB)
	add("mac-2", 3, registry.MACECB3DES)
	add("mac-3", 3, registry.MACX99)
	add("mac-4", 3, registry.MACX919)
	add(roleGraded, 3, registry.MACECB)
	add(roleCertified, 5, "")
	add(roleSignedOff, 5, "")
	add(roleUnshown, 5, "")
	add(roleTLS, 5, "")
	return all
}

func canaryCard() sampleCard {
	c := sampleCard{label: "canary", service: "101", expiry: "4912", balance: canaryBalance, state: "active", limit: canarySaleLimit}
	c.pin = publishedDigits("pin/"+c.label, 6)
	return c
}

// seedCanaries registers what of the canary is not registered yet.
func (e *engine) seedCanaries(ctx context.Context) (records []any, err error) {
	for _, n := range []int{canaryShop, canaryOtherShop} {
		m := &registry.Merchant{ID: sampleMerchant(n), Name: "Sample Canary 示例探测", Sample: true, Networks: []pos.Network{must(pos.ParseNetwork(canaryFrom))}}
		if _, err := e.ledger.Merchant(m.ID); errors.Is(err, ledger.ErrUnknown) {
			records = append(records, m)
		}
	}
	for _, c := range canaries() {
		more, err := e.seedTerminal(ctx, c.sampleTerminal)
		if err != nil {
			return nil, fmt.Errorf("canary terminal %s: %w", c.id, err)
		}
		for _, r := range more {
			c.adjust(r)
		}
		records = append(records, more...)
	}
	opening, err := e.seedCard(ctx, canaryCard())
	if err != nil || opening == nil {
		return records, err
	}
	opening.NoPINLimit, opening.Canary = canaryNoPINLimit, true
	return append(records, opening), nil
}

// adjust makes a sample record a canary's of its role.
func (c *sampleCanary) adjust(record any) {
	r, ok := record.(*registry.Terminal)
	if !ok {
		return
	}
	r.Canary = true
	switch c.role {
	case roleMain:
		// Shanghai, the People's Square.
		r.Place = &registry.Circle{Latitude: 31_230_400, Longitude: 121_473_700, Metres: 300, Refuse: true}
		r.Permit = registry.Permit{Sell: true, Reason: "a canary may not refund"}
	case roleGraded:
		r.Profile.MACStrong = true
	}
}

// sampleCanarySet plays the published canary against a host; without an address for TLS those that need it
// are left out.
func sampleCanarySet(host, secure, state string) *canarySet {
	s := &canarySet{merchant: true, network: true, from: must(addressOf(canaryFrom)), elsewhere: must(addressOf(canaryElsewhere)),
		card: func() (terminal.Card, error) { return cardOf(canaryCard()) }}
	for _, c := range canaries() {
		overTLS := c.role == roleUnshown || c.role == roleTLS
		if overTLS && secure == "" {
			continue
		}
		config := func() terminal.Config {
			cfg := c.config()
			cfg.Host, cfg.From, cfg.StateDir, cfg.SealTrack = host, canaryFrom, state, c.role == roleMain
			cfg.FaultFrom, cfg.FaultTerminal, cfg.FaultMerchant = canaryElsewhere, sampleID(canaryUnregistered), sampleMerchant(canaryOtherShop)
			if overTLS {
				cfg.Host, cfg.TLS = secure, &terminal.TLS{CA: authority.PEM(publishedRoot().Raw)}
			}
			if c.role == roleTLS {
				cfg.TLS.Certificate, cfg.TLS.Key = authority.PEM(c.certificate().Raw), secret.Take(c.keyPEM())
			}
			return cfg
		}
		cfg := config()
		cfg.TMK.Wipe()
		cfg.SerialKey.Wipe()
		s.terminals = append(s.terminals, &canaryTerminal{role: c.role, id: c.id, algorithm: algorithmOf(&cfg), config: config})
	}
	return s
}
