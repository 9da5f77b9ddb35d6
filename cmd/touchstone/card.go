package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/secret"
)

// cardCmd is what is done to cards besides registering them.
type cardCmd struct {
	PIN cardPIN `cmd:"" name:"pin" help:"Give a card another PIN; every other term stays."`
	Due cardDue `cmd:"" help:"Cards whose PIN is old: their holders are to be reminded."`
}

// Help is shown by touchstone card --help.
func (cardCmd) Help() string {
	return `A PIN is refused inside the security module when it is one digit repeated, a run up or down, part of the card number, the
holder's birth date in a usual form, or the PIN before; which of these, nobody is told. The birth date is given once, with
the first PIN or later, and kept only as keyed values of the PINs that it makes.

  touchstone card pin --data shop --pan-file pan --pin-file new-pin --birth-date 19900214
  touchstone card due --data shop --days 365 --lang zh`
}

type cardPIN struct {
	actFlags
	PANFile   string `name:"pan-file" required:"" help:"File that holds the card number." placeholder:"FILE"`
	PINFile   string `name:"pin-file" required:"" help:"File that holds the new PIN, 4 to 12 digits." placeholder:"FILE"`
	BirthDate string `name:"birth-date" help:"The holder's, YYYYMMDD; kept only as keyed values." placeholder:"DATE"`
}

// Run changes the PIN.
func (c *cardPIN) Run(a *app) error {
	pan, err := filepath.Abs(c.PANFile)
	if err != nil {
		return err
	}
	pin, err := filepath.Abs(c.PINFile)
	if err != nil {
		return err
	}
	_, err = c.perform(a, change{Card: &cardChange{PANFile: pan, PINFile: pin, BirthDate: c.BirthDate, PINAlone: true}})
	return err
}

// changePIN gives a known card another PIN. Its wrong tries end with the old PIN.
func (e *engine) changePIN(ctx context.Context, pan pos.PAN, o *issuer.Opening, c *cardChange, actors []string) (changed, error) {
	old, known := e.ledger.CardNow(o.Card)
	if !known {
		return changed{}, fmt.Errorf("%w: card %s", ledger.ErrUnknown, o.Shown)
	}
	renewed := old.Opening
	if err := e.setPIN(ctx, &renewed, pan, c); err != nil {
		return changed{}, e.pinRefused(ctx, actors, err)
	}
	return changed{What: "PIN of card " + renewed.Shown.String() + " changed"}, e.enter(ctx, registration{Kind: "card", ID: renewed.Shown.String(), Of: "pin"}, actors, &renewed)
}

// setPIN makes the verifier of a new PIN, or keeps the one the card has when no file is given.
func (e *engine) setPIN(ctx context.Context, o *issuer.Opening, pan pos.PAN, c *cardChange) error {
	old, known := e.ledger.CardNow(o.Card)
	if known {
		o.Verifier, o.PINSince, o.PINRefused = old.Verifier, old.PINSince, old.PINRefused
	}
	if c.PINFile == "" {
		if c.BirthDate != "" {
			return errors.New("a birth date is given with a new PIN: --pin-file")
		}
		return nil
	}
	digits, err := e.secretOf(c.PINFile, purposePIN)
	if err != nil {
		return err
	}
	pin, birth := secret.Take(digits), secret.Take([]byte(c.BirthDate))
	defer pin.Wipe()
	defer birth.Wipe()
	verifier, refused, err := e.module.SetPIN(ctx, &issuer.PINChange{PAN: pan, PIN: pin, Birth: birth, Former: o.Verifier, Refused: o.PINRefused})
	if err != nil {
		return err
	}
	o.Verifier, o.PINRefused, o.PINSince = verifier, refused, e.clock()
	return nil
}

// pinsQuery asks which cards have an old PIN.
type pinsQuery struct {
	Days int `json:"days"`
}

// oldPIN is one card whose holder is to be reminded.
type oldPIN struct {
	Card  string      `json:"card"` // truncated
	Since pos.Instant `json:"since"`
	Days  int         `json:"days"` // of age
}

// maxOldPINs is the most cards of one answer.
const maxOldPINs = 5000

type pinsAnswer struct {
	Days  int      `json:"days"`
	Count int      `json:"count"`
	Cards []oldPIN `json:"cards"` // the oldest first, at most maxOldPINs
}

const day = 24 * time.Hour

func (e *engine) oldPINs(q *pinsQuery) (r pinsAnswer) {
	now := e.clock()
	r.Days = q.Days
	e.ledger.EachCard(func(c issuer.Card) bool {
		if age, ok := c.PINAge(now); ok && !c.Canary && age >= time.Duration(q.Days)*day {
			r.Count++
			r.Cards = append(r.Cards, oldPIN{c.Shown.String(), c.PINSince, int(age / day)})
		}
		return true
	})
	slices.SortFunc(r.Cards, func(a, b oldPIN) int { return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(a.Card, b.Card)) })
	r.Cards = r.Cards[:min(len(r.Cards), maxOldPINs)]
	return r
}

type cardDue struct {
	directoryFlags
	Days int    `name:"days" default:"365" help:"How old a PIN is when its holder is reminded; the host's policy is its --pin-age-days."`
	JSON bool   `name:"json" help:"One JSON object."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// Run lists the cards.
func (c *cardDue) Run(a *app) error {
	l, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	if c.Days < 0 || c.Days > 36500 {
		return errors.New("--days: want 0 to 36500")
	}
	var r pinsAnswer
	if err := c.question(a, change{OldPINs: &pinsQuery{c.Days}}, &r); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(r)
	}
	fmt.Fprintf(a.stdout, l.two("cards whose PIN is %d days old or older: %d\n", "密码已使用 %d 天以上的卡: %d\n"), r.Days, r.Count)
	for _, x := range r.Cards {
		fmt.Fprintf(a.stdout, "  %s  %s  %s\n", x.Card, x.Since.Time().In(l.zone).Format(time.DateOnly), fmt.Sprintf(l.two("%d days", "%d 天"), x.Days))
	}
	return nil
}

// eventOldPINs tells that holders are to be reminded of an old PIN.
const eventOldPINs = "pin_reminder"

// startPINReminder raises the event at the start and then once a day, while a PIN is days old or older; 0 never.
func (e *engine) startPINReminder(ctx context.Context, days int) {
	if days <= 0 {
		return
	}
	e.wait.Go(func() {
		tick := time.NewTicker(day)
		defer tick.Stop()
		for {
			if r := e.oldPINs(&pinsQuery{days}); r.Count > 0 {
				event := &journal.Event{Name: eventOldPINs, Severity: journal.Warning, Parameters: map[string]string{"count": strconv.Itoa(r.Count), "days": strconv.Itoa(days)}}
				if err := e.ledger.Register(ctx, e.clock(), event); err != nil && ctx.Err() == nil {
					e.log.Warn("the reminder of old PINs was not recorded", slog.String("error", err.Error()))
					return
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
}
