package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/secret"
)

// seedDay is how long before now the sample devices were deployed and inspected.
const seedDay = 24 * 60 * 60 * 1_000_000_000

// sampleCareBatch is how many sample devices are one entry: each has three records.
const sampleCareBatch = 6

// seedCare gives the sample devices a life: announced, received, deployed with the five elements, and, but for the
// visitors', inspected. Those that have one are left alone: what people did to them stays. The rules decide it, as
// they would have two days ago; the acts of many are kept as few entries.
func (e *engine) seedCare(ctx context.Context) error {
	scratch := fleet.NewState()
	// All of them every time, so that a seeding that was cut short goes on with the same numbers.
	for batch := range slices.Chunk(append(staffTerminals(), visitors()...), sampleCareBatch) {
		newest := map[string]journal.Change{}
		var order []string
		for _, t := range batch {
			drafts, err := e.sampleLife(scratch, t)
			if err != nil {
				return fmt.Errorf("sample device %s: %w", t.serial, err)
			}
			for _, c := range drafts {
				key := c.Noun + " " + c.ID
				if _, known := newest[key]; !known {
					order = append(order, key)
				}
				newest[key] = c
			}
		}
		if !slices.ContainsFunc(batch, func(t sampleTerminal) bool { return e.lifeOf(t.serial) == nil }) {
			continue
		}
		act := journal.Act{Verb: "devices_seeded", Actors: []string{"setup"}}
		for _, key := range order {
			act.Changes = append(act.Changes, newest[key])
		}
		if err := e.ledger.Register(ctx, e.clock(), &journal.Draft{Kind: journal.KindFleet, Act: act}); err != nil {
			return err
		}
	}
	return nil
}

// sampleLife lets the rules lead one sample device to its inspection, on a state of its own.
func (e *engine) sampleLife(s *fleet.State, t sampleTerminal) (changes []journal.Change, err error) {
	seq, at := uint64(0), e.clock().Add(-2*seedDay)
	who := fleet.Who{Actors: []string{"setup"}}
	seal := "SEAL-" + t.id.String()
	elements, err := e.sampleElements(t)
	if err != nil {
		return nil, err
	}
	steps := []func() ([]journal.Draft, error){
		func() ([]journal.Draft, error) {
			return fleet.Announce(s, []fleet.Announcement{{Serial: t.serial, Model: cmp.Or(t.model, "Sample S10"), Hardware: t.hardware(), Maker: sampleMaker, Seal: seal, Source: sampleMaker, Shipment: "WB-2026-001"}}, who, at)
		},
		func() ([]journal.Draft, error) {
			return fleet.Receive(s, fleet.Receipt{Serial: t.serial, Seal: seal, Source: sampleMaker, SealGood: true}, who, at+1)
		},
		func() ([]journal.Draft, error) {
			return fleet.Deploy(s, fleet.Deployment{Serial: t.serial, Terminal: t.id, Elements: elements}, who, at+2)
		},
		func() ([]journal.Draft, error) {
			return fleet.Inspect(s, fleet.Visit{Serial: t.serial, Terminal: t.id, Merchant: t.merchant, Model: t.model, Answers: soundAnswers(s, t.serial, seal, t.model),
				Note: "made up for the demonstration"}, who, at+3)
		},
	}
	if t.visitor { // nobody looked at these yet: the first inspection is the reader's own
		steps = steps[:3]
	}
	for _, step := range steps {
		drafts, err := step()
		if err != nil {
			return nil, err
		}
		for _, c := range drafts[0].Act.Changes {
			seq++
			if err := s.Fold(seq, c); err != nil {
				return nil, err
			}
			changes = append(changes, c)
		}
	}
	return changes, nil
}

// sampleElements are the five elements of a sample terminal; its numbers are made up and published.
func (e *engine) sampleElements(t sampleTerminal) (fleet.Elements, error) {
	made := fleet.Elements{Acquirer: cmp.Or(e.line.Acquirer, "48021000"), Merchant: t.merchant, Address: fmt.Sprintf("示例市示例路 %s 号 (sample)", t.id), Site: fleet.Counter, Risk: fleet.LowRisk,
		Network: fleet.PrivateNetwork}
	for _, s := range []struct {
		kind string
		into *fleet.Sealed
	}{{fleet.CreditCode, &made.Credit}, {fleet.SettlementAccount, &made.Settlement}} {
		text := publishedDigits(s.kind+"/"+t.merchant.String(), 18)
		number := secret.Take([]byte(text))
		hash, err := e.module.HashText(s.kind, number)
		number.Wipe()
		if err != nil {
			return fleet.Elements{}, err
		}
		*s.into = fleet.Sealed{Kind: s.kind, Hash: hex.EncodeToString(hash[:]), Last: text[len(text)-4:]}
	}
	return made, nil
}

// soundAnswers are those of a device that is as it should be.
func soundAnswers(s *fleet.State, serial pos.Serial, seal, model string) map[string]string {
	list := s.Checklist()
	body := list.Models[model]
	answers := map[string]string{}
	for _, i := range list.Items {
		switch i.Kind {
		case "serial":
			answers[i.ID] = string(serial)
		case "seal":
			answers[i.ID] = seal
		case "yes_no":
			answers[i.ID] = i.Good
		case "count":
			answers[i.ID] = fmt.Sprint(body.Cables)
		default:
			answers[i.ID] = fmt.Sprint(body.Grams)
		}
	}
	return answers
}
