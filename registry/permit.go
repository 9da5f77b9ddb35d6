package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"touchstone/pos"
)

// Permit is what a terminal, or a cashier, may do now. The zero value permits nothing. Two permits met permit
// what both do. Money going back by reversal, an echo, a sign-off and a report of tampering are outside it.
type Permit struct {
	Sell       bool       `json:"sell"`                   // sales, voids, balance inquiries, and to sign in
	Refund     bool       `json:"refund"`                 // refunds too; nothing without Sell
	SignInOnly bool       `json:"sign_in_only,omitempty"` // without Sell: to sign in, settle and ask for what is to be loaded
	OnlineOnly bool       `json:"online_only,omitempty"`  // only what is proven online: docs/design/015-permit.md
	Limit      pos.Amount `json:"limit,omitempty"`        // the most of one sale or refund; 0 no limit
	Reason     string     `json:"reason,omitempty"`       // of a registration: why it is less than full
}

// The plainest permits.
var (
	FullPermit    = Permit{Sell: true, Refund: true}
	NoRefund      = Permit{Sell: true}
	OnlineOnly    = Permit{Sell: true, Refund: true, OnlineOnly: true}
	SignInOnly    = Permit{SignInOnly: true}
	BlockedPermit = Permit{}
)

// LimitedTo is a full permit with a limit.
func LimitedTo(a pos.Amount) Permit { return Permit{Sell: true, Refund: true, Limit: a} }

// SignIn tells whether a sign-in is permitted.
func (p Permit) SignIn() bool { return p.Sell || p.SignInOnly }

// Plain is p in the one form in which equal permits are equal values, without its reason.
func (p Permit) Plain() Permit {
	if p.Sell {
		return Permit{Sell: true, Refund: p.Refund, OnlineOnly: p.OnlineOnly, Limit: p.Limit}
	}
	return Permit{SignInOnly: p.SignInOnly}
}

// Meet permits what both permits do, in plain form.
func (p Permit) Meet(o Permit) Permit {
	if !p.Sell || !o.Sell {
		return Permit{SignInOnly: p.SignIn() && o.SignIn()}
	}
	limit := p.Limit
	if limit == 0 || o.Limit != 0 && o.Limit < limit {
		limit = o.Limit
	}
	return Permit{Sell: true, Refund: p.Refund && o.Refund, OnlineOnly: p.OnlineOnly || o.OnlineOnly, Limit: limit}
}

// Within tells whether p permits nothing that o does not.
func (p Permit) Within(o Permit) bool { return p.Meet(o) == p.Plain() }

// The words of a permit, as policies and journals' readers know them. Those of a permit that sells combine.
const (
	wordFull       = "full"
	wordNoRefund   = "no_refund"
	wordOnlineOnly = "online_only"
	wordLimit      = "limit:" // and an amount such as 500.00
	wordSignIn     = "sign_in_only"
	wordBlocked    = "blocked"
)

// Words are the permit's words: full, blocked, sign_in_only, or any of no_refund, online_only, limit:500.00.
func (p Permit) Words() []string {
	switch {
	case !p.Sell && p.SignInOnly:
		return []string{wordSignIn}
	case !p.Sell:
		return []string{wordBlocked}
	}
	var words []string
	if !p.Refund {
		words = append(words, wordNoRefund)
	}
	if p.OnlineOnly {
		words = append(words, wordOnlineOnly)
	}
	if p.Limit != 0 {
		words = append(words, wordLimit+p.Limit.String())
	}
	if words == nil {
		return []string{wordFull}
	}
	return words
}

// String is the words with commas between them.
func (p Permit) String() string { return strings.Join(p.Words(), ", ") }

// ErrPermit is returned for words that are no permit.
var ErrPermit = errors.New("permit: want full, blocked, sign_in_only, or some of no_refund, online_only, limit:500.00 with commas between them")

// ParsePermit reads what String writes, in any order, spaces around the words allowed.
func ParsePermit(text string) (Permit, error) {
	p := FullPermit
	words := strings.Split(text, ",")
	for i, w := range words {
		w = strings.TrimSpace(w)
		words[i] = w
		amount, limited := strings.CutPrefix(w, wordLimit)
		switch {
		case slices.Contains(words[:i], w):
			return Permit{}, fmt.Errorf("%q twice: %w", w, ErrPermit)
		case w == wordFull, w == wordBlocked, w == wordSignIn:
			if len(words) > 1 {
				return Permit{}, fmt.Errorf("%q stands alone: %w", w, ErrPermit)
			}
			return map[string]Permit{wordFull: FullPermit, wordBlocked: BlockedPermit, wordSignIn: SignInOnly}[w], nil
		case w == wordNoRefund:
			p.Refund = false
		case w == wordOnlineOnly:
			p.OnlineOnly = true
		case limited:
			a, err := pos.ParseAmount(amount)
			if err != nil || a <= 0 || p.Limit != 0 {
				return Permit{}, fmt.Errorf("%q: want one amount above zero: %w", w, ErrPermit)
			}
			p.Limit = a
		default:
			return Permit{}, fmt.Errorf("%q: %w", w, ErrPermit)
		}
	}
	return p, nil
}

// Standing is a permit as it stands, and why. It is shared and never changed.
type Standing struct {
	Permit Permit      // in plain form
	Facts  []Fact      // those that make it less than full
	Since  pos.Instant // since when it is this permit; 0 unknown
	Entry  uint64      // the journal's entry that says so; 0 none
}

// PermitSet is the body of an entry of journal.KindPermit: from here on these terminals have this permit.
type PermitSet struct {
	Permit    Permit           `json:"permit"`
	Facts     []Fact           `json:"facts,omitempty"`  // those that make it less than full, the same for all
	Since     pos.Instant      `json:"since,omitempty"`  // when the permit became this one, where only its facts changed; 0 now
	Policy    string           `json:"policy,omitempty"` // by which policy: its number, or its name when built in
	Terminals []pos.TerminalID `json:"terminals"`
}

// Bounds of a set: an entry has at most 16 KiB.
const (
	MaxPermitTerminals = 1024
	maxPermitFacts     = 24
	maxFactText        = 100 // bytes of Detail and of Restore
)

// Check tells what is wrong with a set.
func (s *PermitSet) Check() error {
	switch {
	case len(s.Terminals) == 0 || len(s.Terminals) > MaxPermitTerminals:
		return fmt.Errorf("%w: a permit of %d terminals, want 1 to %d", ErrRecord, len(s.Terminals), MaxPermitTerminals)
	case len(s.Facts) > maxPermitFacts:
		return fmt.Errorf("%w: a permit with %d facts, the most is %d", ErrRecord, len(s.Facts), maxPermitFacts)
	case s.Permit != s.Permit.Plain():
		return fmt.Errorf("%w: a permit that is not in plain form", ErrRecord)
	case s.Permit.Limit < 0:
		return fmt.Errorf("%w: a permit with a limit below zero", ErrRecord)
	}
	for _, f := range s.Facts {
		if len(f.Name) > maxFactText || len(f.State) > maxFactText || len(f.Detail) > maxFactText || len(f.Restore) > maxFactText {
			return fmt.Errorf("%w: a fact of a permit with more than %d bytes of text", ErrRecord, maxFactText)
		}
	}
	for i, id := range s.Terminals {
		if i > 0 && string(id[:]) <= string(s.Terminals[i-1][:]) {
			return fmt.Errorf("%w: the terminals of a permit do not ascend", ErrRecord)
		}
	}
	return nil
}

// Standing is what the set, written at an instant as an entry, gives each of its terminals.
func (s *PermitSet) Standing(entry uint64, at pos.Instant) *Standing {
	since := s.Since
	if since == 0 {
		since = at
	}
	return &Standing{Permit: s.Permit.Plain(), Facts: s.Facts, Since: since, Entry: entry}
}

// Why is the contributing facts in a few words such as "advisory open ADV-1, inspection overdue", of at most n
// bytes: facts that find no room are counted, as in "advisory open ADV-1 +2".
func (s *Standing) Why(n int) string {
	var b strings.Builder
	for i, f := range s.Facts {
		word := f.Words()
		more := len(s.Facts) - i
		if i > 0 {
			word = ", " + word
		}
		room := n - b.Len()
		if more > 1 {
			room -= len(" +99")
		}
		if len(word) > room {
			if n-b.Len() >= len(" +99") {
				fmt.Fprintf(&b, " +%d", more)
			}
			break
		}
		b.WriteString(word)
	}
	return strings.TrimPrefix(b.String(), " ")
}

// Words are a fact's name, state and detail.
func (f *Fact) Words() string {
	state := f.State
	if state == "" {
		state = "unknown"
	}
	if f.Detail == "" {
		return string(f.Name) + " " + state
	}
	return string(f.Name) + " " + state + " " + f.Detail
}
