package main

import (
	"context"
	"errors"
	"fmt"

	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/terminal"
)

// The laboratory's reserved terminal of the sample world: as the canary's, it moves no money, and its keys are
// published. It is one of its own, so that a run and a canary's round do not end each other's sessions.
const (
	labFrom     = "127.0.9.7"
	labShop     = 9600
	labTerminal = 96000001
	labModel    = "Sample Laboratory"
)

func sampleLab() sampleTerminal {
	return sampleTerminal{id: sampleID(labTerminal), merchant: sampleMerchant(labShop), code: 6, serial: sampleSerial(labTerminal), model: labModel, networks: []string{labFrom}}
}

func labCard() sampleCard {
	c := canaryCard()
	c.label = "laboratory"
	c.pin = publishedDigits("pin/"+c.label, 6)
	return c
}

// labPlace is where it is registered to stand: Shanghai, the People's Square.
var labPlace = terminal.Location{Longitude: "+121.47370", Latitude: "+31.23040", System: "GCJ02"}

// seedLab registers what of the laboratory is not registered yet.
func (e *engine) seedLab(ctx context.Context) (records []any, err error) {
	m := &registry.Merchant{ID: sampleMerchant(labShop), Name: "Sample Laboratory 示例检测实验室", Sample: true, Networks: []pos.Network{must(pos.ParseNetwork(labFrom))}}
	if _, err := e.ledger.Merchant(m.ID); errors.Is(err, ledger.ErrUnknown) {
		records = append(records, m)
	}
	more, err := e.seedTerminal(ctx, sampleLab())
	if err != nil {
		return nil, fmt.Errorf("the laboratory's terminal: %w", err)
	}
	for _, r := range more {
		if t, ok := r.(*registry.Terminal); ok {
			t.Canary = true
			t.Place = &registry.Circle{Latitude: 31_230_400, Longitude: 121_473_700, Metres: 300, Refuse: true}
		}
	}
	records = append(records, more...)
	opening, err := e.seedCard(ctx, labCard())
	if err != nil || opening == nil {
		return records, err
	}
	opening.NoPINLimit, opening.Canary = canaryNoPINLimit, true
	return append(records, opening), nil
}
