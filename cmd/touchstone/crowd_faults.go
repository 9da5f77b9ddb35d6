package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"touchstone/terminal"
)

// scene is what one faulty terminal does at a time of the demonstration.
type scene struct {
	at    time.Duration // since the beginning
	place int           // which of the faulty terminals, from 0
	fault terminal.Fault
}

// twoDevices is the scene of a terminal that somebody copied: both devices go on selling.
const twoDevices terminal.Fault = "two-devices"

// The faulty terminals that have a part of their own. The first, third, fifth and sixth are of badModel.
const (
	placeCopied = 6 // somebody copies it
	placeTamper = 3 // it ends by reporting tampering
)

// opening is the first minute and a half: everything that can be said of a cause is said once. A proof that two messages
// agree on needs the second; a model that goes bad needs three terminals in three shops.
var opening = []scene{
	{7 * time.Second, 0, "serial-other-device"},
	{15 * time.Second, 1, "sign-in-answer-lost"},
	{21 * time.Second, 0, "serial-other-device"},
	{27 * time.Second, 3, terminal.AlteredAmount},
	{34 * time.Second, 1, "random-key"},
	{40 * time.Second, placeCopied, twoDevices},
	{48 * time.Second, 3, terminal.PINStaleKey},
	{54 * time.Second, 0, badRelease},
	{56 * time.Second, 2, badRelease},
	{58 * time.Second, 4, badRelease},
	{60 * time.Second, 5, badRelease},
	{62 * time.Second, 2, badRelease},
	{68 * time.Second, 2, terminal.DuplicateTrace},
	{74 * time.Second, 4, terminal.OtherSerial},
	{80 * time.Second, 5, terminal.WrongNetwork},
	{86 * time.Second, 1, terminal.Replay},
	{92 * time.Second, placeTamper, terminal.Tamper},
}

// badRelease is what the terminals of badModel do since an application of theirs was changed: they take the header into
// the MAC.
const badRelease terminal.Fault = "header-in-mac"

// mischief is what the faulty terminals do when the opening is over, in turn, again and again.
var mischief = []terminal.Fault{
	terminal.WrongSerialCipher, terminal.StaleKey, terminal.CiphertextStripped, terminal.WrongBatch, terminal.Unregistered, terminal.MissingMAC64,
	terminal.WrongSignInCode, terminal.Garbage, terminal.WrongMAC64, terminal.CutFrame, terminal.DuplicateTrace, terminal.AlteredAmount,
	terminal.OtherSerial, terminal.PINStaleKey, terminal.WrongNetwork, terminal.Replay,
}

// neighbourOf is another sample terminal of the same shop, whose device may turn up under this one's name.
func neighbourOf(t sampleTerminal) (sampleTerminal, bool) {
	for _, other := range staffTerminals() {
		if other.merchant == t.merchant && other.id != t.id && other.code == t.code && !other.keyless {
			return other, true
		}
	}
	for _, other := range staffTerminals() {
		if other.merchant == t.merchant && other.id != t.id && !other.keyless {
			return other, true
		}
	}
	return sampleTerminal{}, false
}

// misbehave plays a faulty terminal's scenes of the opening and then the rest of the mischief, one terminal after the other.
func (c *crowdOf) misbehave(ctx context.Context, t *terminal.Terminal, place int, began time.Time) {
	for _, s := range opening {
		if s.place != place {
			continue
		}
		if !pause(ctx, time.Until(began.Add(s.at))) {
			return
		}
		c.act(ctx, t, s.fault, place)
	}
	over := opening[len(opening)-1].at + faultEvery
	for turn := place; !t.Locked(); turn += faultyTerminals {
		if !pause(ctx, time.Until(began.Add(over+time.Duration(turn)*faultEvery))) {
			return
		}
		c.act(ctx, t, mischief[turn%len(mischief)], place)
	}
}

// act does one fault with a shopper's card.
func (c *crowdOf) act(ctx context.Context, t *terminal.Terminal, fault terminal.Fault, place int) {
	card, err := cardOf(cards()[7+place])
	if err != nil {
		c.gone(ctx, err)
		return
	}
	defer card.Wipe()
	if fault == twoDevices {
		err = c.copied(ctx, t, card)
	} else {
		_, err = t.Misbehave(ctx, fault, card, randomAmount())
	}
	if err != nil {
		c.log.Debug("a fault was not done", slog.String("fault", string(fault)), slog.String("error", err.Error()))
	}
}

// The copy of a terminal that the demonstration plays: it calls from an address of its own, which its network allows.
const (
	copyFrom  = "127.0.0.66"
	copyTurns = 3
	copyPause = 1500 * time.Millisecond
)

// copied plays a terminal and its copy, who both have everything the terminal had: they sell in turn, and each signs in
// again when the other's sign-in took its keys away.
func (c *crowdOf) copied(ctx context.Context, t *terminal.Terminal, card terminal.Card) error {
	sell := func(t *terminal.Terminal) error {
		_, err := t.Sale(ctx, card, randomAmount())
		return err
	}
	if err := sell(t); err != nil {
		return err
	}
	second, err := t.Clone(terminal.Copying{StateDir: filepath.Join(c.state, "copy"), From: copyFrom, Fresh: true})
	if err != nil {
		return err
	}
	defer second.Close()
	for range copyTurns {
		for _, device := range []*terminal.Terminal{second, t} {
			if !pause(ctx, copyPause) {
				return nil
			}
			if err := sell(device); err != nil {
				return err
			}
		}
	}
	return nil
}
