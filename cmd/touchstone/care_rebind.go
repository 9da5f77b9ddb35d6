package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

// rebindChange binds the device that works at a terminal in place of the one that the register names.
type rebindChange struct {
	Serial   string `json:"serial"` // the device that works there
	Terminal string `json:"terminal"`
	Note     string `json:"note"` // why, and how it was made sure
}

// rebindDevice keeps the terminal's master key, which the device that works there holds: no component of a key has to be
// entered, so it can be done from a desk. Another key is loaded at the next visit, because the device that left had it.
func (e *engine) rebindDevice(ctx context.Context, c *rebindChange, who fleet.Who) (changed, error) {
	id, err := pos.ParseTerminalID(c.Terminal)
	if err != nil {
		return changed{}, fmt.Errorf("terminal id: want 8 characters: %w", err)
	}
	reg, err := e.ledger.Terminal(id)
	if err != nil {
		return changed{}, err
	}
	serial, err := pos.ParseSerial(c.Serial)
	if err != nil {
		return changed{}, fmt.Errorf("serial number: %w", err)
	}
	device, err := e.ledger.Device(serial)
	if err != nil {
		return changed{}, fmt.Errorf("%w: it is announced, received and registered first", err)
	}
	r := fleet.Rebinding{Serial: serial, Terminal: id, Merchant: reg.Merchant, Taken: reg.Serial, Elsewhere: e.elsewhere(serial, id), Note: c.Note}
	t := *reg
	t.Serial = serial
	var drafts []journal.Draft
	if err := e.foresee(ctx, func(s *rooms, now pos.Instant) ([]journal.Draft, error) {
		var err error
		drafts, err = fleet.Rebind(s.fleet, r, who, now)
		return nil, err
	}); err != nil && !errors.Is(err, fleet.ErrCarried) {
		return changed{}, err
	} else if err == nil && len(drafts) == 0 {
		if device.State != registry.Active {
			return changed{}, fmt.Errorf("device %s is %s: it is released, or registered again as active, first", serial, device.State)
		}
		return toldRebound(&t), e.enter(ctx, registration{Kind: "terminal", ID: c.Terminal, Of: "serial"}, who.Actors, &t)
	}
	_, err = e.careAct(ctx, careEffect{terminal: &t}, func(s *rooms, now pos.Instant) ([]journal.Draft, error) {
		return fleet.Rebind(s.fleet, r, who, now)
	})
	if errors.Is(err, fleet.ErrCarried) {
		if _, err = e.carried(ctx, careEffect{}, err, serial); err == nil {
			err = e.ledger.Register(ctx, e.clock(), &t)
		}
	}
	if err != nil {
		return changed{}, err
	}
	return toldRebound(&t), nil
}

// elsewhere is the terminal, other than one, that the register binds a device to; zero when there is none.
func (e *engine) elsewhere(serial pos.Serial, id pos.TerminalID) pos.TerminalID {
	for _, other := range e.permits.at([]pos.Serial{serial}) {
		if t, err := e.ledger.Terminal(other); err == nil && t.Serial == serial && t.ID != id {
			return t.ID
		}
	}
	return pos.TerminalID{}
}

func toldRebound(t *registry.Terminal) changed {
	return changed{What: fmt.Sprintf("device %s is bound to terminal %s; the device that left had its master key: load another at the next visit", t.Serial, t.ID),
		ZH:    fmt.Sprintf("设备 %s 已绑定到终端 %s; 换下的设备曾持有其主密钥: 请在下次上门时更换主密钥", t.Serial, t.ID),
		Facts: map[string]string{"serial": string(t.Serial), "terminal": t.ID.String(), "state": string(fleet.Deployed)}}
}

// readChange reads what a proposal asks for; false for one of a later version.
func readChange(raw []byte, c *change) bool { return json.Unmarshal(raw, c) == nil }
