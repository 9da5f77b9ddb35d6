package staff

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"touchstone/journal"
	"touchstone/pos"
)

// SignIns is what is kept of an account's sign-ins by a browser; its ID is the account's name.
type SignIns struct {
	Account  string      `json:"account"`
	Last     pos.Instant `json:"last"`     // of the newest
	Browsers []Browser   `json:"browsers"` // at most KnownBrowsers, the newest first
}

// Browser is one that signed in before: guesses from elsewhere do not lock it out.
type Browser struct {
	Sum   []byte      `json:"sum"`  // SHA-256 of what its cookie holds, 32 bytes
	Name  string      `json:"name"` // such as Firefox on Linux
	Since pos.Instant `json:"since"`
	Last  pos.Instant `json:"last"`
}

// NounSignIns is the noun of a SignIns.
const NounSignIns = "sign_ins"

// KnownBrowsers is how many browsers of an account are known; one more takes the place of the one used longest ago.
const KnownBrowsers = 8

// SignIns is what is known of an account's sign-ins, nil when there were none.
func (s *State) SignIns(name string) *SignIns { return s.signIns[name] }

// KnownBrowser tells whether an account signed in from the browser before, and was not told to forget it.
func (s *State) KnownBrowser(name string, sum []byte) bool {
	known := s.signIns[name]
	return known != nil && slices.ContainsFunc(known.Browsers, func(b Browser) bool { return bytes.Equal(b.Sum, sum) })
}

// SignIn is the decision to let the proven person of an account in by a browser.
func SignIn(s *State, name string, b Browser, now pos.Instant) ([]journal.Draft, error) {
	a := s.accounts[name]
	if a == nil || a.Disabled {
		return nil, ErrUnknown
	}
	x := SignIns{Account: name, Last: now}
	b.Since, b.Last = now, now
	if old := s.signIns[name]; old != nil {
		for _, k := range old.Browsers {
			if bytes.Equal(k.Sum, b.Sum) {
				b.Since = k.Since
				continue
			}
			x.Browsers = append(x.Browsers, k)
		}
	}
	x.Browsers = append([]Browser{b}, x.Browsers...)
	x.Browsers = x.Browsers[:min(len(x.Browsers), KnownBrowsers)]
	return draft("signed_in", []string{name}, "", NounSignIns, name, &x)
}

// ForgetBrowsers is the decision of an account's person that no browser is known any more.
func ForgetBrowsers(s *State, name string) ([]journal.Draft, error) {
	old := s.signIns[name]
	if old == nil || len(old.Browsers) == 0 {
		return nil, nil
	}
	return draft("browsers_forgotten", []string{name}, "", NounSignIns, name, &SignIns{Account: name, Last: old.Last, Browsers: []Browser{}})
}

// ForgetBrowser is the rule's decision that one browser is known no more: too many wrong passphrases came from it.
func ForgetBrowser(s *State, name string, sum []byte) ([]journal.Draft, error) {
	if !s.KnownBrowser(name, sum) {
		return nil, nil
	}
	x := *s.signIns[name]
	x.Browsers = slices.DeleteFunc(slices.Clone(x.Browsers), func(b Browser) bool { return bytes.Equal(b.Sum, sum) })
	return draft("browser_forgotten", []string{"rule:guesses"}, "", NounSignIns, name, &x)
}

// Preference is how an account's person reads the console; its ID is the account's name.
type Preference struct {
	Account string `json:"account"`
	Lang    string `json:"lang,omitempty"`  // en, zh or "": as the browser asks
	Theme   string `json:"theme,omitempty"` // light, dark or "": as the system is
}

// NounPreference is the noun of a Preference.
const NounPreference = "preference"

// Prefer is a person's decision on how the console is shown.
func Prefer(s *State, p Preference) ([]journal.Draft, error) {
	if a := s.accounts[p.Account]; a == nil || a.Disabled {
		return nil, ErrUnknown
	}
	if !slices.Contains([]string{"", "en", "zh"}, p.Lang) || !slices.Contains([]string{"", "light", "dark"}, p.Theme) {
		return nil, ErrAccount
	}
	if s.Preference(p.Account) == p {
		return nil, nil
	}
	return draft("preference_set", []string{p.Account}, "", NounPreference, p.Account, &p)
}

// Preference is how an account's person reads the console.
func (s *State) Preference(name string) Preference {
	if p := s.preferences[name]; p != nil {
		return *p
	}
	return Preference{Account: name}
}

// Stamp is a short digest of what of an account a session rests on: roles, shop, passphrase, and that it may act. A
// session that began under another stamp is over. "" of no account.
func (s *State) Stamp(name string) string {
	a := s.accounts[name]
	if a == nil {
		return ""
	}
	sum := sha256.New()
	fmt.Fprintln(sum, a.Name, a.Person, a.Roles, a.Shop, a.Disabled, a.Left, a.PassphraseAt)
	if a.Passphrase != nil {
		sum.Write(a.Passphrase.Salt)
	}
	if f := s.seconds[name]; f != nil {
		fmt.Fprintln(sum, f.Since)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}
