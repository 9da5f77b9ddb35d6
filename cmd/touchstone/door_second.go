package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"image/png"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"

	"touchstone/hsm/soft"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/secret"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/console"
)

// secondIssuer is the name under which an authenticator app lists the codes.
const secondIssuer = "Touchstone"

// qrSide is the QR code's width in pixels; a page shows it larger or smaller.
const qrSide = 264

// Code implements console.Door. A wrong one counts like a wrong passphrase. On a locked account few are looked at.
func (d *desk) Code(ctx context.Context, p *web.Pending, a *console.Attempt) (console.Entry, error) {
	begun := time.Now()
	guess := *a
	guess.Account = p.Account
	var locked, known bool
	sum := sha256.Sum256([]byte(a.Known))
	d.office.view(func(r *rooms) {
		locked, known = r.staff.Locked(p.Account, d.clock()) != 0, a.Known != "" && r.staff.KnownBrowser(p.Account, sum[:])
	})
	known = known && d.door.mayTry(sum)
	if wait := d.door.mayFail(a.Address); wait > 0 && !known {
		d.door.fold(a.Address)
		return console.Entry{}, &console.Wait{For: wait}
	}
	if locked && !known && !d.door.mayCode(p.Account) {
		return console.Entry{}, d.turnedAway(ctx, begun, d.failed(ctx, &guess, false, false, &wrongPassphrase{inJournal: lockedWhy}))
	}
	err := d.takeCode(ctx, p.Account, a.Code)
	if errors.Is(err, staff.ErrUnknown) {
		return console.Entry{}, d.turnedAway(ctx, begun, d.failed(ctx, &guess, known, !locked, staff.ErrUnknown))
	}
	if err != nil {
		return console.Entry{}, err
	}
	proven := *p
	proven.Code = true
	entry, err := d.goOn(ctx, &proven, a)
	entry.Coded = true
	return entry, err
}

// takeCode takes a code of now, or a recovery code, once. Any other is staff.ErrUnknown.
func (d *desk) takeCode(ctx context.Context, name, code string) error {
	f := d.secondOf(name)
	if f == nil {
		return staff.ErrUnknown
	}
	take := func(s *staff.State) ([]journal.Draft, error) { return nil, staff.ErrUnknown }
	step, err := d.module.CheckCode(name, f.Secret, code, d.clock(), f.Step)
	switch {
	case err == nil:
		take = func(s *staff.State) ([]journal.Draft, error) { return staff.TakeCode(s, name, step) }
	case !errors.Is(err, soft.ErrCode):
		return err
	default:
		if hash, ok := d.recoveryHash(name, code); ok {
			take = func(s *staff.State) ([]journal.Draft, error) { return staff.TakeRecovery(s, name, hash) }
		}
	}
	return d.act(ctx, func(r *rooms, _ pos.Instant) ([]journal.Draft, error) { return take(r.staff) })
}

// Recovery codes are twelve characters of base32: 60 random bits.
const recoveryLength = 12

// recoveryHash is how a recovery code is kept; false of what cannot be one.
func (d *desk) recoveryHash(name, code string) ([]byte, bool) {
	code = strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(code))
	if len(code) != recoveryLength || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return nil, false
	}
	text := secret.Take([]byte(code))
	defer text.Wipe()
	hash, err := d.module.HashText("recovery code of "+name, text)
	return hash[:], err == nil
}

// newRecovery draws recovery codes and their hashes.
func (d *desk) newRecovery(name string) (codes []string, hashes [][]byte, err error) {
	for range staff.RecoveryCodes {
		code := rand.Text()[:recoveryLength]
		hash, ok := d.recoveryHash(name, code)
		if !ok {
			return nil, nil, errors.New("recovery codes: the security module did not answer")
		}
		codes, hashes = append(codes, code[:4]+"-"+code[4:8]+"-"+code[8:]), append(hashes, hash)
	}
	return codes, hashes, nil
}

// Offer implements console.Door.
func (d *desk) Offer(ctx context.Context, account string) ([]byte, error) {
	return d.module.DrawSecond(ctx, account)
}

// Show implements console.Door.
func (d *desk) Show(account string, offered []byte) (shown console.Offered, err error) {
	text, err := d.module.ShowSecond(account, offered)
	if err != nil {
		return shown, err
	}
	defer text.Wipe()
	text.Use(func(b []byte) {
		for i := 0; i < len(b); i += 4 {
			shown.Secret += " " + string(b[i:min(i+4, len(b))])
		}
		shown.Secret = shown.Secret[1:]
		uri := url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + secondIssuer + ":" + account,
			RawQuery: url.Values{"secret": {string(b)}, "issuer": {secondIssuer}}.Encode()}
		shown.Image, err = qrCode(uri.String())
	})
	return shown, err
}

func qrCode(uri string) ([]byte, error) {
	key, err := otp.NewKeyFromURL(uri)
	if err != nil {
		return nil, errors.New("second factor: its address does not read") // the error would quote it
	}
	image, err := key.Image(qrSide, qrSide)
	if err != nil {
		return nil, errors.New("second factor: no picture of it")
	}
	var out bytes.Buffer
	if err := png.Encode(&out, image); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// TakeUp implements console.Door.
func (d *desk) TakeUp(ctx context.Context, p *web.Pending, a *console.Attempt) (console.Entry, []string, error) {
	if d.next(p) != console.StepSecond {
		return console.Entry{}, nil, console.ErrWrong
	}
	kept, step, err := d.module.TakeSecond(ctx, p.Account, p.Offered, a.Code, d.clock())
	if errors.Is(err, soft.ErrCode) {
		return console.Entry{}, nil, console.ErrWrong
	}
	if err != nil {
		return console.Entry{}, nil, err
	}
	codes, hashes, err := d.newRecovery(p.Account)
	if err != nil {
		return console.Entry{}, nil, err
	}
	if err := d.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return staff.Enrol(r.staff, staff.SecondFactor{Account: p.Account, Secret: kept, Step: step, Recovery: hashes}, now)
	}); err != nil {
		return console.Entry{}, nil, err
	}
	proven := *p
	proven.Code = true
	entry, err := d.goOn(ctx, &proven, a)
	return entry, codes, err
}

// secondChange is what two people do about a second factor.
type secondChange struct {
	Reset string `json:"reset"` // the account whose person has lost it
}

func (e *engine) changeSecond(ctx context.Context, c *secondChange, actors []string, proposal string) (changed, error) {
	err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return asRefusal("second_factor_reset", actors)(staff.ResetSecondFactor(r.staff, c.Reset, actors, proposal, now))
	})
	return changed{What: "second factor of " + c.Reset + " reset: its person enrols another at the next sign-in",
		ZH: "账户 " + c.Reset + " 的第二因素已重置: 本人下次登录时须重新绑定"}, err
}

// staffSecond proposes the reset of a second factor.
type staffSecond struct {
	actFlags
	Name string `arg:"" help:"The account."`
}

// Run proposes it, or with a second person has it done.
func (c *staffSecond) Run(a *app) error {
	_, err := c.perform(a, change{Second: &secondChange{Reset: c.Name}})
	return err
}
