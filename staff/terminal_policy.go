package staff

import (
	"fmt"

	"touchstone/journal"
	"touchstone/pos"
)

// TerminalPasswords is the policy of the passwords that terminals check, as the acquirer distributes it with their
// parameters. Its JSON is what a terminal reads.
type TerminalPasswords struct {
	Version          string `json:"version"`
	Required         bool   `json:"required"`          // nothing is operated before a user with a password has logged in
	OperatorMin      int    `json:"operator_min"`      // fewest characters
	AdministratorMin int    `json:"administrator_min"` //
	MaxAgeDays       int    `json:"max_age_days"`      // 0: no age ends a password
	Tries            int    `json:"tries"`             // wrong ones in a row before the user must wait
	WaitSeconds      int    `json:"wait_seconds"`      // the first time; doubled each further time
	Former           int    `json:"former"`            // how many newest passwords may not be set again
}

// NounTerminalPasswords is the noun of the policy; there is one.
const NounTerminalPasswords = "terminal_passwords"

// DefaultTerminalPasswords is the policy until another is decided. Sources: PCI DSS 8.3.6 names terminals with one
// card at a time as outside its 12 characters, so length is ours; 8.3.9 names 90 days (by topic, unverified).
func DefaultTerminalPasswords() TerminalPasswords {
	return TerminalPasswords{Version: "1", Required: true, OperatorMin: 6, AdministratorMin: 8, MaxAgeDays: 90, Tries: 5, WaitSeconds: 60, Former: 5}
}

// SetTerminalPasswords is the decision on a new policy; its version is counted.
func SetTerminalPasswords(s *State, p TerminalPasswords, by []string, _ pos.Instant) ([]journal.Draft, error) {
	for _, n := range []struct {
		name            string
		value, low, top int
	}{
		{"operator-min", p.OperatorMin, 6, 64}, {"administrator-min", p.AdministratorMin, 8, 64}, {"max-age-days", p.MaxAgeDays, 0, 3650},
		{"tries", p.Tries, 1, 10}, {"wait-seconds", p.WaitSeconds, 10, 86400}, {"former", p.Former, 5, 24},
	} {
		if n.value < n.low || n.value > n.top {
			return nil, fmt.Errorf("%w: %s: want %d to %d", ErrAccount, n.name, n.low, n.top)
		}
	}
	p.Version = fmt.Sprint(s.policies + 1)
	return draft("terminal_passwords_set", by, "", NounTerminalPasswords, p.Version, &p)
}

// TerminalPasswords is the policy in force.
func (s *State) TerminalPasswords() TerminalPasswords { return s.policy }
