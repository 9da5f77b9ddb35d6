package soft

import (
	"context"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"touchstone/keys"
	"touchstone/pos"
	"touchstone/secret"
)

// One-time codes by time as a person's second factor. RFC 6238 with its defaults: SHA-1, steps of 30 seconds from 1970,
// 6 digits, which is what every authenticator app computes; a secret of 160 bits as RFC 4226, section 4, R6 recommends.
const (
	secondBytes = 20
	SecondStep  = 30 * time.Second
	codeDigits  = otp.DigitsSix
	// codeDrift is how many steps a person's clock, or a slow hand, may be off to either side; RFC 6238, section 5.2,
	// recommends one.
	codeDrift = 1
)

// ErrCode is returned for what is not the code of a step in reach, or of one that was used.
var ErrCode = errors.New("second factor: not a code of now")

// DrawSecond draws a secret that is offered to the person of an account: wrapped so that it can be shown, and not yet used.
func (m *Module) DrawSecond(ctx context.Context, account string) (keys.Wrapped, error) {
	raw := make([]byte, secondBytes)
	defer clear(raw)
	if _, err := io.ReadFull(m.hold().random, raw); err != nil {
		return nil, fmt.Errorf("draw a second factor: %w", err)
	}
	return m.wrapSecond(ctx, keys.OfSecondOffered(account), raw)
}

func (m *Module) wrapSecond(ctx context.Context, owner keys.Owner, raw []byte) (keys.Wrapped, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, leave := m.enter(0)
	if s == nil {
		return nil, keys.ErrSealed
	}
	defer leave.RUnlock()
	return s.wrap(m.hold().random, owner, keys.SecondFactor, keys.HMAC, raw)
}

// openSecond lends a secret for the time of f.
func (m *Module) openSecond(owner keys.Owner, w keys.Wrapped, f func(raw []byte) error) error {
	s, leave := m.enter(0)
	if s == nil {
		return keys.ErrSealed
	}
	_, raw, err := s.unwrap(w, owner, keys.SecondFactor)
	leave.RUnlock()
	if err != nil {
		return err
	}
	defer clear(raw)
	return f(raw)
}

// ShowSecond gives out an offered secret in base32, for the app that will compute the codes. One that was taken up does
// not open here: it is never shown again.
func (m *Module) ShowSecond(account string, offered keys.Wrapped) (text secret.Bytes, err error) {
	err = m.openSecond(keys.OfSecondOffered(account), offered, func(raw []byte) error {
		text = secret.Take([]byte(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)))
		return nil
	})
	return text, err
}

// TakeSecond takes an offered secret up, whose code the person has shown: kept is what CheckCode opens.
func (m *Module) TakeSecond(ctx context.Context, account string, offered keys.Wrapped, code string, now pos.Instant) (kept keys.Wrapped, step int64, err error) {
	err = m.openSecond(keys.OfSecondOffered(account), offered, func(raw []byte) (err error) {
		if step, err = matchCode(raw, code, now, 0); err != nil {
			return err
		}
		kept, err = m.wrapSecond(ctx, keys.OfSecond(account), raw)
		return err
	})
	return kept, step, err
}

// CheckCode finds the step of a code, later than after; else it returns ErrCode. It takes the same time whichever step
// it was, or none.
func (m *Module) CheckCode(account string, kept keys.Wrapped, code string, now pos.Instant, after int64) (step int64, err error) {
	err = m.openSecond(keys.OfSecond(account), kept, func(raw []byte) (err error) {
		step, err = matchCode(raw, code, now, after)
		return err
	})
	return step, err
}

func matchCode(raw []byte, code string, now pos.Instant, after int64) (step int64, err error) {
	code = strings.Map(func(r rune) rune {
		if r == ' ' {
			return -1 // apps show 123 456
		}
		return r
	}, code)
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)
	current := int64(now) / int64(SecondStep)
	found := int64(-1)
	for at := current - codeDrift; at <= current+codeDrift; at++ {
		want, err := hotp.GenerateCodeCustom(text, uint64(max(at, 0)), hotp.ValidateOpts{Digits: codeDigits, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, fmt.Errorf("second factor: %w", keys.ErrUnavailable)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && at > after {
			found = at
		}
	}
	if found < 0 {
		return 0, ErrCode
	}
	return found, nil
}
