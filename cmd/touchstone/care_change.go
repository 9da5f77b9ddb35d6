package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

// careChange is one step of a device's life. Exactly one field is set.
type careChange struct {
	Announce *announceChange `json:"announce,omitempty"`
	Receive  *fleet.Receipt  `json:"receive,omitempty"`
	Deploy   *deployChange   `json:"deploy,omitempty"`
	Move     *moveChange     `json:"move,omitempty"`
	Rebind   *rebindChange   `json:"rebind,omitempty"`
	Leave    *leaveChange    `json:"leave,omitempty"`
}

// announceChange is a maker's list. The register's words are the same for all of it.
type announceChange struct {
	Devices    []fleet.Announcement `json:"devices" minItems:"1" maxItems:"20"`
	Licence    string               `json:"licence"`
	DeviceType string               `json:"device_type"`
	InService  bool                 `json:"in_service,omitempty" doc:"They are registered and work already."` // they are registered and work already
}

type deployChange struct {
	Serial   string         `json:"serial"`
	Terminal string         `json:"terminal"`
	Elements fleet.Elements `json:"elements"` // without the merchant, which the terminal has
	Place    string         `json:"place,omitempty"`

	Components []string `json:"components,omitempty" file:"sealed" doc:"Components of the key, two at least, each sealed to the transport key (touchstone seal tmk-component) and uploaded before."`
}

type moveChange struct {
	Serial   string         `json:"serial"`
	Elements fleet.Elements `json:"elements"` // what is empty stays
	Place    string         `json:"place,omitempty"`
}

type leaveChange struct {
	Step   string `json:"step" enum:"repair,return,lose,retire,destroy"`
	Serial string `json:"serial"`
	Note   string `json:"note"`
	Seal   string `json:"seal,omitempty"`
}

// act is the step's name in proposals.
func (c *careChange) act() string {
	switch {
	case c.Announce != nil:
		return "device_announce"
	case c.Receive != nil:
		return "device_receive"
	case c.Deploy != nil:
		return "device_deploy"
	case c.Move != nil:
		return "device_move"
	case c.Rebind != nil:
		return "device_rebind"
	case c.Leave != nil:
		return "device_" + c.Leave.Step
	}
	return "device"
}

// changeCare carries out one step. Both people are named in its entry.
func (e *engine) changeCare(ctx context.Context, c *careChange, who fleet.Who) (changed, error) {
	switch {
	case c.Announce != nil:
		return e.announce(ctx, c.Announce, who)
	case c.Receive != nil:
		return e.receive(ctx, *c.Receive, who)
	case c.Deploy != nil:
		return e.deploy(ctx, c.Deploy, who)
	case c.Move != nil:
		return e.move(ctx, c.Move, who)
	case c.Rebind != nil:
		return e.rebindDevice(ctx, c.Rebind, who)
	case c.Leave != nil:
		return e.leave(ctx, c.Leave, who)
	}
	return changed{}, errRequest
}

// carried finishes a step whose entry is there already: the register is brought to what the life says.
func (e *engine) carried(ctx context.Context, effect careEffect, err error, serials ...pos.Serial) ([]*fleet.Life, error) {
	if !errors.Is(err, fleet.ErrCarried) {
		return nil, err
	}
	var lives []*fleet.Life
	var records []any
	e.office.view(func(r *rooms) {
		for _, s := range serials {
			if l := r.fleet.Life(s); l != nil {
				lives = append(lives, l)
			}
		}
	})
	e.certificates.Lock()
	defer e.certificates.Unlock()
	for _, l := range lives {
		before, after, err := e.registered(l, effect, e.clock())
		if err != nil {
			return nil, err
		}
		records = append(append(records, before...), after...)
	}
	return lives, e.ledger.Register(ctx, e.clock(), records...)
}

func (e *engine) announce(ctx context.Context, c *announceChange, who fleet.Who) (changed, error) {
	effect := careEffect{fresh: func(l *fleet.Life) *registry.Device {
		return &registry.Device{Serial: l.Serial, Licence: c.Licence, DeviceType: c.DeviceType, Model: l.Model, Hardware: l.Hardware, State: registry.Suspended}
	}}
	var serials []pos.Serial
	for _, d := range c.Devices {
		serials = append(serials, d.Serial)
		old, err := e.ledger.Device(d.Serial)
		if err != nil || old.State != registry.Active {
			continue
		}
		// It sells now, and would stop: only one that is meant to go through its life anew does.
		if !c.InService {
			return changed{}, fmt.Errorf("device %s is registered and works: an announcement stops it until it is received and deployed; say --in-service if that is meant", d.Serial)
		}
	}
	_, err := e.careAct(ctx, effect, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return fleet.Announce(r.fleet, c.Devices, who, now)
	})
	if errors.Is(err, fleet.ErrCarried) {
		_, err = e.carried(ctx, effect, err, serials...)
	}
	return changed{What: fmt.Sprintf("announced %d: %s", len(serials), serialList(serials)), Facts: map[string]string{"state": string(fleet.Announced), "serial": serialList(serials)}}, err
}

func serialList(list []pos.Serial) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}

func (e *engine) receive(ctx context.Context, receipt fleet.Receipt, who fleet.Who) (changed, error) {
	lives, err := e.careAct(ctx, careEffect{}, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return fleet.Receive(r.fleet, receipt, who, now)
	})
	if errors.Is(err, fleet.ErrCarried) {
		lives, err = e.carried(ctx, careEffect{}, err, receipt.Serial)
	}
	return toldLife(lives, err)
}

// toldLife says in words and facts where a device is now.
func toldLife(lives []*fleet.Life, err error) (changed, error) {
	if err != nil || len(lives) == 0 {
		return changed{}, err
	}
	l := lives[0]
	what := fmt.Sprintf("device %s: %s", l.Serial, l.State)
	if l.Terminal != (pos.TerminalID{}) && l.State == fleet.Deployed {
		what += " at terminal " + l.Terminal.String()
	}
	if l.Why != "" {
		what += " (" + l.Why + ")"
	}
	facts := map[string]string{"serial": string(l.Serial), "state": string(l.State), "binding": l.Binding, "why": l.Why}
	if l.State == fleet.Deployed {
		facts["terminal"] = l.Terminal.String()
	}
	return changed{What: what, Facts: facts}, nil
}

func (e *engine) deploy(ctx context.Context, c *deployChange, who fleet.Who) (changed, error) {
	id, err := pos.ParseTerminalID(c.Terminal)
	if err != nil {
		return changed{}, fmt.Errorf("terminal id: want 8 characters: %w", err)
	}
	reg, err := e.ledger.Terminal(id)
	if err != nil {
		return changed{}, err
	}
	serial := pos.Serial(c.Serial)
	device, err := e.ledger.Device(serial)
	if err != nil {
		return changed{}, fmt.Errorf("%w: it is announced, received and then deployed", err)
	}
	d := fleet.Deployment{Serial: serial, Terminal: id, Elements: c.Elements, Taken: reg.Serial, Elsewhere: e.boundElsewhere(serial, id),
		Tampered: device.State == registry.TamperedBy && len(c.Components) < 2}
	d.Merchant = reg.Merchant
	d.Acquirer = cmp.Or(d.Acquirer, e.line.Acquirer)
	decide := func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		d := d
		d.Elements = r.fleet.Known(id, d.Elements)
		return fleet.Deploy(r.fleet, d, who, now)
	}
	// Refuse before a key is formed: nothing is half done.
	if err := e.foresee(ctx, decide); err != nil && !errors.Is(err, fleet.ErrCarried) {
		return changed{}, err
	}
	effect, kcv, err := e.rebind(ctx, *reg, serial, c)
	if err != nil {
		return changed{}, err
	}
	lives, err := e.careAct(ctx, effect, decide)
	if errors.Is(err, fleet.ErrCarried) {
		lives, err = e.carried(ctx, careEffect{}, err, serial)
	}
	told, err := toldLife(lives, err)
	told.KCV = kcv
	return told, err
}

// foresee asks a rule without registering anything but its refusal.
func (e *engine) foresee(ctx context.Context, decide func(r *rooms, now pos.Instant) ([]journal.Draft, error)) error {
	return e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		_, err := decide(r, now)
		return nil, err
	})
}

// rebind is the terminal's new record: another device needs a new master key, for the former one knew the old.
func (e *engine) rebind(ctx context.Context, reg registry.Terminal, serial pos.Serial, c *deployChange) (careEffect, string, error) {
	t := reg
	t.Serial = serial
	if c.Place != "" {
		place, err := circleOf(c.Place, reg.Place != nil && reg.Place.Refuse)
		if err != nil {
			return careEffect{}, "", err
		}
		t.Place = place
	}
	switch {
	case len(c.Components) > 0:
		if err := e.masterFor(ctx, &t, c.Components); err != nil {
			return careEffect{}, "", err
		}
		if reg.Serial != serial && t.MasterKCV == reg.MasterKCV {
			return careEffect{}, "", errors.New("this is the master key of the device that was here: another device needs a new one")
		}
	case reg.Serial != serial:
		return careEffect{}, "", fmt.Errorf("terminal %s has device %s: another one needs a new master key, --component FILE from each of two people", reg.ID, reg.Serial)
	case c.Place == "":
		return careEffect{}, "", nil
	}
	return careEffect{terminal: &t, loaded: len(c.Components) > 0}, t.MasterKCV, t.Check()
}

func (e *engine) move(ctx context.Context, c *moveChange, who fleet.Who) (changed, error) {
	serial := pos.Serial(c.Serial)
	var effect careEffect
	if c.Place != "" {
		t := e.terminalOf(serial)
		if t == nil {
			return changed{}, fmt.Errorf("device %s is at no terminal", serial)
		}
		moved := *t
		var err error
		if moved.Place, err = circleOf(c.Place, t.Place != nil && t.Place.Refuse); err != nil {
			return changed{}, err
		}
		effect.terminal = &moved
	}
	lives, err := e.careAct(ctx, effect, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return fleet.Move(r.fleet, serial, c.Elements, who, now)
	})
	if errors.Is(err, fleet.ErrCarried) {
		lives, err = e.carried(ctx, careEffect{}, err, serial)
	}
	return toldLife(lives, err)
}

func (e *engine) leave(ctx context.Context, c *leaveChange, who fleet.Who) (changed, error) {
	serial := pos.Serial(c.Serial)
	l := fleet.Leave{Serial: serial, Note: c.Note, Seal: c.Seal}
	if _, err := e.ledger.Device(serial); err == nil {
		l.Known = true
		if t := e.terminalOf(serial); t != nil {
			l.Terminal = t.ID
		}
	}
	rule := map[string]func(*fleet.State, fleet.Leave, fleet.Who, pos.Instant) ([]journal.Draft, error){
		"repair": fleet.Repair, "return": fleet.Return, "lose": fleet.Lose, "retire": fleet.Retire, "destroy": fleet.Destroy}[c.Step]
	if rule == nil {
		return changed{}, errRequest
	}
	lives, err := e.careAct(ctx, careEffect{}, func(r *rooms, now pos.Instant) ([]journal.Draft, error) { return rule(r.fleet, l, who, now) })
	if errors.Is(err, fleet.ErrCarried) {
		lives, err = e.carried(ctx, careEffect{}, err, serial)
	}
	return toldLife(lives, err)
}

// readAnnouncements reads a maker's list: CSV with the header serial,model,hardware,maker,seal,source,shipment.
func readAnnouncements(path string) ([]fleet.Announcement, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxCareFile))
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\uFEFF")))).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	const header = "serial,model,hardware,maker,seal,source,shipment"
	if len(rows) == 0 || strings.Join(rows[0], ",") != header {
		return nil, fmt.Errorf("%s: want the header %s", path, header)
	}
	var list []fleet.Announcement
	for _, r := range rows[1:] {
		list = append(list, fleet.Announcement{Serial: pos.Serial(r[0]), Model: r[1], Hardware: r[2], Maker: r[3], Seal: r[4], Source: r[5], Shipment: r[6]})
	}
	return list, nil
}
