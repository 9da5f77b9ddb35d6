package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"touchstone/incident"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/redress"
	"touchstone/web/check"
)

// quarantineDirectory is where what a stranger sent lies while it is taken in: nothing of it survives the request.
const quarantineDirectory = "quarantine"

// TakesContact implements check.Cases.
func (d *publicDesk) TakesContact() (yes bool) {
	d.office.view(func(r *rooms) { yes = r.incident.ContactKey() != "" })
	return yes
}

// Report implements check.Cases: it is the act of touchstone report. Photograph and contact pass through files of this
// account alone, which are removed whatever becomes of the report.
func (d *publicDesk) Report(ctx context.Context, r *check.Report) (string, error) {
	c := &reportChange{Kind: r.Kind, Terminal: r.Terminal, Serial: r.Serial, Text: r.Text}
	if r.Contact != "" {
		if !d.TakesContact() {
			return "", check.ErrContact
		}
		path, remove, err := d.quarantined([]byte(r.Contact))
		if err != nil {
			return "", err
		}
		defer remove()
		c.Contact = path
	}
	if len(r.Photo) > 0 {
		path, remove, err := d.quarantined(r.Photo)
		if err != nil {
			return "", err
		}
		defer remove()
		c.Photos = []string{path}
	}
	var waiting int
	d.office.view(func(rooms *rooms) { waiting = rooms.incident.Waiting() })
	if waiting >= incident.MaxQueued {
		return "", check.ErrFull
	}
	told, err := d.apply(context.WithoutCancel(ctx), change{Report: c, public: true})
	if err != nil {
		return "", err
	}
	return told.Facts["report"], nil
}

// quarantined puts content into a file of its own.
func (d *publicDesk) quarantined(content []byte) (path string, remove func(), err error) {
	dir := filepath.Join(d.dir, quarantineDirectory)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	f, err := os.CreateTemp(dir, "sent-") // mode 0600
	if err != nil {
		return "", nil, err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", nil, errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), func() { _ = os.Remove(f.Name()) }, nil // a start empties the directory
}

// Claim implements check.Cases: it is the act of touchstone claim make.
func (d *publicDesk) Claim(ctx context.Context, c *check.Claim) (string, error) {
	told, err := d.apply(context.WithoutCancel(ctx), change{public: true, Claim: &claimChange{Date: pos.Date(c.Date.Year()*10000 + int(c.Date.Month())*100 + c.Date.Day()), Amount: c.Amount,
		Last4: c.Last4, Terminal: c.Terminal, RRN: c.RRN, Reason: c.Reason}})
	var refused *journal.Refusal
	switch {
	case errors.As(err, &refused):
		return "", check.ErrNoMatch
	case err != nil:
		return "", err
	}
	return told.Facts["claim"], nil
}

// sameEnd compares the unguessable end of a whole number. Where there is no case it compares with another's length.
func sameEnd(whole, end string) bool {
	i := strings.LastIndexByte(whole, '-')
	return subtle.ConstantTimeCompare([]byte(whole[i+1:]), []byte(end)) == 1
}

// ReportState implements check.Cases.
func (d *publicDesk) ReportState(_ context.Context, number int, end string) (s check.ReportState, ok bool) {
	d.office.view(func(r *rooms) {
		known := r.incident.ReportNumbered(number)
		if known == nil {
			sameEnd("RPT-0-00000000", end)
			return
		}
		if ok = sameEnd(known.ID, end); !ok {
			return
		}
		s = check.ReportState{Kind: known.Kind, At: known.At.Time(), State: string(known.State), Answer: known.Answer, Contact: "none",
			Closed: known.State == incident.Taken && r.incident.DoneAt(known) != 0}
		switch {
		case known.Contact == "":
		case known.Forgotten != 0:
			s.Contact = "deleted"
		default:
			s.Contact = "kept"
		}
	})
	return s, ok
}

// ClaimState implements check.Cases.
func (d *publicDesk) ClaimState(_ context.Context, number int, end string) (s check.ClaimState, ok bool) {
	d.office.view(func(r *rooms) {
		known := r.redress.ClaimNumbered(number)
		if known == nil {
			sameEnd("CLM-0-000000000000", end)
			return
		}
		if ok = sameEnd(known.ID, end); ok {
			s = publicClaim(known, d.line.Zone)
		}
	})
	return s, ok
}

// publicClaim is a claim to whoever made it. Why it was refused was written for them.
func publicClaim(c *redress.Claim, zone *time.Location) check.ClaimState {
	s := check.ClaimState{At: c.At.Time(), Date: dayOf(c.Date, zone), Terminal: c.Terminal.String(), Last4: c.Last4, Amount: c.Amount, State: string(c.State)}
	if c.State == redress.ClaimOpen {
		return s
	}
	s.Decided = c.DecidedAt.Time()
	if c.State == redress.ClaimRefused {
		s.Why = c.Why
	}
	for _, part := range []struct {
		part   journal.Part
		amount pos.Amount
	}{{journal.RefundPart, c.Refund}, {journal.CompensationPart, c.Compensation}} {
		if part.amount == 0 {
			continue
		}
		p := check.Payment{Compensation: part.part == journal.CompensationPart, Amount: part.amount}
		for _, settled := range c.Settled {
			if settled.Part != part.part {
				continue
			}
			p.Refused = settled.Refused != ""
			if !p.Refused {
				p.At, p.Reference = settled.At.Time(), fmt.Sprintf("%012d", settled.Entry)
			}
		}
		s.Paid = append(s.Paid, p)
	}
	return s
}

// forgetContactsEvery is how often contacts that have served their purpose are looked for.
const forgetContactsEvery = time.Hour

// forgetContacts deletes them until ctx ends, and whatever a killed host left in quarantine.
func (e *engine) forgetContacts(ctx context.Context) {
	_ = os.RemoveAll(filepath.Join(e.dir, quarantineDirectory)) // made anew when it is needed
	look := time.NewTicker(forgetContactsEvery)
	defer look.Stop()
	for {
		if err := e.forgetDue(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("contacts that have served their purpose could not be deleted", slog.String("error", err.Error()))
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// forgetDue journals which contacts go, and then removes their files; those of an earlier act again, which a kill may
// have left.
func (e *engine) forgetDue(ctx context.Context) error {
	for due := true; due; {
		e.office.view(func(r *rooms) { due = len(r.incident.Forgettable(e.clock())) > 0 })
		if !due {
			break
		}
		if err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) { return incident.Forget(r.incident, now) }); err != nil {
			return err
		}
	}
	var gone []string
	e.office.view(func(r *rooms) { gone = r.incident.Forgotten() })
	var failed error
	for _, digest := range gone {
		if err := os.Remove(filepath.Join(e.dir, filesDirectory, digest)); err != nil && !errors.Is(err, os.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}
