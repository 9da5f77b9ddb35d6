package main

import (
	"context"
	"errors"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/secret"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/console"
)

// Own implements console.Self.
func (d *desk) Own(who *web.Caller) (own console.Own, err error) {
	d.office.view(func(r *rooms) {
		a := r.staff.Account(who.Account)
		if a == nil {
			err = staff.ErrUnknown
			return
		}
		own.Account = *a
		own.Account.Passphrase, own.Account.Former, own.Account.Invited = nil, nil, nil
		if s := r.staff.SignIns(a.Name); s != nil {
			kept := *s
			own.SignIns = &kept
		}
		if f := r.staff.SecondFactor(a.Name); f != nil {
			own.Second, own.RecoveryLeft = true, len(f.Recovery)
		}
		if d.passphraseLife > 0 {
			own.PassphraseEnd = a.PassphraseAt.Add(d.passphraseLife).Time()
		}
		for _, topic := range []staff.Topic{staff.CounterTopic, staff.DeveloperTopic} {
			for _, st := range r.staff.StaffRegister(topic, d.clock()) {
				if st.Subject == "account:"+a.Name {
					own.Training = append(own.Training, st)
				}
			}
		}
	})
	return own, err
}

// Prefer implements console.Self.
func (d *desk) Prefer(ctx context.Context, who *web.Caller, lang, theme string) error {
	return d.act(ctx, func(r *rooms, _ pos.Instant) ([]journal.Draft, error) {
		return staff.Prefer(r.staff, staff.Preference{Account: who.Account, Lang: lang, Theme: theme})
	})
}

// Forget implements console.Self.
func (d *desk) Forget(ctx context.Context, who *web.Caller) error {
	return d.act(ctx, func(r *rooms, _ pos.Instant) ([]journal.Draft, error) {
		return staff.ForgetBrowsers(r.staff, who.Account)
	})
}

// Recovery implements console.Self.
func (d *desk) Recovery(ctx context.Context, who *web.Caller, a *console.Attempt) ([]string, error) {
	begun := time.Now()
	codes, hashes, err := d.newRecovery(who.Account)
	if err != nil {
		return nil, err
	}
	if wait := d.door.mayFail(a.Address); wait > 0 {
		return nil, &console.Wait{For: wait}
	}
	err = d.takeCode(ctx, who.Account, a.Code)
	if errors.Is(err, staff.ErrUnknown) {
		return nil, d.turnedAway(ctx, begun, d.failed(ctx, a, false, true, staff.ErrUnknown))
	}
	if err != nil {
		return nil, err
	}
	return codes, d.act(ctx, func(r *rooms, _ pos.Instant) ([]journal.Draft, error) {
		return staff.NewRecovery(r.staff, who.Account, hashes)
	})
}

// ChangePassphrase implements console.Self.
func (d *desk) ChangePassphrase(ctx context.Context, a *console.Attempt, fresh secret.Bytes) (console.Entry, error) {
	begun := time.Now()
	name, err := d.prove(ctx, a)
	if err != nil {
		return console.Entry{}, d.turnedAway(ctx, begun, err)
	}
	return d.Renew(ctx, &web.Pending{Account: name, Code: true}, a, fresh) // the session has proven the code
}

// Wish implements console.Self.
func (d *desk) Wish(ctx context.Context, a *console.Attempt) ([]byte, error) {
	begun := time.Now()
	name, err := d.prove(ctx, a)
	if err != nil {
		return nil, d.turnedAway(ctx, begun, err)
	}
	return d.Offer(ctx, name)
}
