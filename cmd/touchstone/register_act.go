package main

import (
	"context"
	"errors"

	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/pos"
)

// nounRegistration is who asked for a record of the register: the entry before the record's own.
const nounRegistration = "registration"

// registration names the record that follows.
type registration struct {
	Kind string `json:"kind"`         // merchant, device, terminal, card
	ID   string `json:"id"`           // of a card its first six and last four digits
	Of   string `json:"of,omitempty"` // what of it: pin; "" is all of it
}

// enter puts a record into the register after an act that says who asked for it. Both are durable when it
// returns; a record that the ledger does not take leaves a refused act behind.
func (e *engine) enter(ctx context.Context, what registration, actors []string, record any) error {
	if len(actors) == 0 {
		actors = []string{setupActor}
	}
	c, err := journal.NewChange(nounRegistration, what.Kind+" "+what.ID, what)
	if err != nil {
		return err
	}
	asked := &journal.Draft{Kind: journal.KindStaff, Act: journal.Act{Verb: what.Kind + "_register", Actors: actors, Changes: []journal.Change{c}}}
	if err := e.ledger.Register(ctx, e.clock(), asked, record); err != nil {
		return e.notRegistered(ctx, what.Kind, actors, err)
	}
	return nil
}

// notRegistered keeps that a record was asked for and refused. why holds no secret.
func (e *engine) notRegistered(ctx context.Context, kind string, actors []string, why error) error {
	if errors.Is(why, journal.ErrStopped) || ctx.Err() != nil {
		return why
	}
	if len(actors) == 0 {
		actors = []string{setupActor}
	}
	return e.act(ctx, func(*rooms, pos.Instant) ([]journal.Draft, error) {
		return nil, &journal.Refusal{Kind: journal.KindStaff, Verb: kind + "_register", Actors: actors, Why: why.Error(), Err: why}
	})
}

// pinRefused keeps that a PIN was refused for what it is; another failure is no act.
func (e *engine) pinRefused(ctx context.Context, actors []string, why error) error {
	if errors.Is(why, issuer.ErrTrivialPIN) || errors.Is(why, issuer.ErrPIN) {
		return e.notRegistered(ctx, "card", actors, why)
	}
	return why
}
