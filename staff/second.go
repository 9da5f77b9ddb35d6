package staff

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"slices"

	"touchstone/journal"
	"touchstone/pos"
)

// SecondFactor is an account's one-time codes by time, RFC 6238; its ID is the account's name.
type SecondFactor struct {
	Account  string      `json:"account"`
	Secret   []byte      `json:"secret,omitempty"`   // wrapped by the security module, which alone can open it; none: not enrolled
	Since    pos.Instant `json:"since"`              // of the enrolment, or of the reset
	Step     int64       `json:"step,omitempty"`     // the newest time step whose code was taken: none up to it is taken again
	Recovery [][]byte    `json:"recovery,omitempty"` // keyed hashes, 16 bytes each, of the recovery codes that are left
	Reset    string      `json:"reset,omitempty"`    // the account that asked for the reset
}

// NounSecondFactor is the noun of a SecondFactor.
const NounSecondFactor = "second_factor"

// RecoveryCodes is how many an enrolment gives out.
const RecoveryCodes = 10

// SecondFactor is an account's, nil where none is enrolled.
func (s *State) SecondFactor(name string) *SecondFactor {
	if f := s.seconds[name]; f != nil && len(f.Secret) > 0 {
		return f
	}
	return nil
}

// Enrol is the decision of an account's person to prove it by codes too. The person has shown a code of step.
func Enrol(s *State, f SecondFactor, now pos.Instant) ([]journal.Draft, error) {
	a := s.accounts[f.Account]
	switch {
	case a == nil || a.Disabled || len(f.Secret) == 0 || len(f.Recovery) != RecoveryCodes:
		return nil, ErrUnknown
	case s.SecondFactor(f.Account) != nil:
		return nil, fmt.Errorf("%w: account %s has a second factor: two people end it before another begins", ErrAccount, f.Account)
	}
	f.Since, f.Reset = now, ""
	return draft("second_factor_enrolled", []string{f.Account}, "", NounSecondFactor, f.Account, &f)
}

// TakeCode is the decision to take a code of a time step, each once: ErrUnknown for one that was taken before, or is
// older than one that was.
func TakeCode(s *State, name string, step int64) ([]journal.Draft, error) {
	old := s.SecondFactor(name)
	if old == nil || step <= old.Step {
		return nil, ErrUnknown
	}
	f := *old
	f.Step = step
	return draft("second_factor_used", []string{name}, "", NounSecondFactor, name, &f)
}

// TakeRecovery is the decision to take a recovery code, each once, by its hash.
func TakeRecovery(s *State, name string, hash []byte) ([]journal.Draft, error) {
	old := s.SecondFactor(name)
	if old == nil {
		return nil, ErrUnknown
	}
	at := -1
	for i, h := range old.Recovery {
		if subtle.ConstantTimeCompare(h, hash) == 1 {
			at = i
		}
	}
	if at < 0 {
		return nil, ErrUnknown
	}
	f := *old
	f.Recovery = slices.DeleteFunc(slices.Clone(old.Recovery), func(h []byte) bool { return bytes.Equal(h, old.Recovery[at]) })
	return draft("recovery_code_used", []string{name}, "", NounSecondFactor, name, &f)
}

// NewRecovery is the decision of an account's person to have new recovery codes: the former ones are worth nothing.
func NewRecovery(s *State, name string, hashes [][]byte) ([]journal.Draft, error) {
	old := s.SecondFactor(name)
	if old == nil || len(hashes) != RecoveryCodes {
		return nil, ErrUnknown
	}
	f := *old
	f.Recovery = hashes
	return draft("recovery_codes_made", []string{name}, "", NounSecondFactor, name, &f)
}

// ResetSecondFactor is two people's decision to end an account's second factor: its person has lost it.
func ResetSecondFactor(s *State, name string, by []string, proposal string, now pos.Instant) ([]journal.Draft, error) {
	if s.SecondFactor(name) == nil {
		return nil, fmt.Errorf("%w: account %.32s has no second factor", ErrAccount, name)
	}
	return draft("second_factor_reset", by, proposal, NounSecondFactor, name, &SecondFactor{Account: name, Since: now, Reset: by[0]})
}

// Invitation lets the person of an account choose its passphrase, once.
type Invitation struct {
	Sum   []byte      `json:"sum"` // SHA-256 of what the link carries, 32 bytes
	Until pos.Instant `json:"until"`
}

// Invited is the account to which a link invites, nil when there is none or the link is used or over.
func (s *State) Invited(sum []byte, now pos.Instant) *Account {
	for _, a := range s.accounts {
		if a.Invited != nil && !a.Disabled && now < a.Invited.Until && subtle.ConstantTimeCompare(a.Invited.Sum, sum) == 1 {
			return a
		}
	}
	return nil
}

// Accept is the decision of an invited person to take up the account with a passphrase of their own.
func Accept(s *State, sum []byte, hash *Hash, now pos.Instant) ([]journal.Draft, error) {
	old := s.Invited(sum, now)
	if old == nil || hash == nil {
		return nil, ErrUnknown
	}
	a := *old
	a.Passphrase, a.PassphraseAt, a.Invited = hash, now, nil
	a.keepFormer(old)
	return draft("invitation_accepted", []string{a.Name}, "", NounAccount, a.Name, &a)
}
