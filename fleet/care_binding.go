package fleet

import (
	"strings"
	"unicode/utf8"

	"touchstone/pos"
)

// SiteClass is the kind of place that a terminal stands in.
type SiteClass string

// The classes: how easily a stranger is alone with the terminal.
const (
	Counter    SiteClass = "counter"
	Mobile     SiteClass = "mobile"
	Unattended SiteClass = "unattended"
	OpenPublic SiteClass = "open_public"
)

// SiteClasses lists them.
var SiteClasses = [...]SiteClass{Counter, Mobile, Unattended, OpenPublic}

// Risk is how likely a site is attacked, by the acquirer's own analysis (PCI DSS 4.0.1, 12.3.1; unverified).
type Risk string

// The risks.
const (
	LowRisk    Risk = "low"
	NormalRisk Risk = "normal"
	HighRisk   Risk = "high"
)

// Risks lists them.
var Risks = [...]Risk{LowRisk, NormalRisk, HighRisk}

// NetworkClass is who shares the network that a terminal speaks by.
type NetworkClass string

// The classes.
const (
	PrivateNetwork NetworkClass = "private"
	PublicNetwork  NetworkClass = "public" // such as a guest Wi-Fi
)

// Sealed is a number of a person or an account of which only a keyed hash is kept, and its last digits for
// people to recognise it by.
type Sealed struct {
	Kind string `json:"kind"` // credit_code, personal_id or settlement_account
	Hash string `json:"hash"` // 32 lower-case hexadecimal digits: HMAC-SHA-256 under a key of the security module, cut to 16 bytes
	Last string `json:"last"` // its last four characters
}

// The kinds of Sealed.
const (
	CreditCode        = "credit_code" // 统一社会信用代码, 18 characters; GB 32100-2015
	PersonalID        = "personal_id" // of a small merchant's responsible person, 18 characters; GB 11643-1999
	SettlementAccount = "settlement_account"
)

// Elements are the five to which 银发〔2021〕259号 binds a terminal's serial number, and the classes of the place
// and its network.
type Elements struct {
	Acquirer   string         `json:"acquirer"`          // code of the acquirer, 8 to 11 digits (DE32)
	Merchant   pos.MerchantID `json:"merchant,omitzero"` // DE42
	Credit     Sealed         `json:"credit"`            // of the merchant, or of its responsible person
	Settlement Sealed         `json:"settlement"`
	Address    string         `json:"address"` // where it is installed, at most MaxCareWas bytes

	Site    SiteClass    `json:"site"`
	Risk    Risk         `json:"risk"`
	Network NetworkClass `json:"network,omitempty"` // "" is unknown
}

// Binding is the five elements of one device from one instant to another.
type Binding struct {
	ID       string         `json:"id"`
	Serial   pos.Serial     `json:"serial"`
	Terminal pos.TerminalID `json:"terminal"`
	Elements
	From  pos.Instant `json:"from"`
	Until pos.Instant `json:"until,omitempty"` // 0: in force
	By    []string    `json:"by"`

	Entry uint64 `json:"-"`
}

// check tells what is missing; the place and classes are a person's words and are named.
func (e *Elements) check() string {
	switch {
	case len(e.Acquirer) < 8 || len(e.Acquirer) > 11 || strings.Trim(e.Acquirer, "0123456789") != "":
		return "acquirer code: want 8 to 11 digits"
	case e.Merchant == pos.MerchantID{}:
		return "merchant code: missing"
	case !e.Credit.good(CreditCode) && !e.Credit.good(PersonalID):
		return "unified credit code, or personal ID of the responsible person: missing"
	case !e.Settlement.good(SettlementAccount):
		return "settlement account: missing"
	case !careText(e.Address) || len([]rune(e.Address)) < 4:
		return "installation address: want 4 characters to 200 bytes"
	case !known(SiteClasses[:], e.Site):
		return "site class: want counter, mobile, unattended or open_public"
	case !known(Risks[:], e.Risk):
		return "risk: want low, normal or high"
	case e.Network != "" && e.Network != PrivateNetwork && e.Network != PublicNetwork:
		return "network class: want private or public"
	}
	return ""
}

func (s Sealed) good(kind string) bool {
	return s.Kind == kind && len(s.Hash) == 32 && strings.Trim(s.Hash, "0123456789abcdef") == "" && len(s.Last) == 4
}

func known[T comparable](all []T, one T) bool {
	for _, x := range all {
		if x == one {
			return true
		}
	}
	return false
}

// careText tells whether a person's words may be kept: printable UTF-8 of 1 to MaxCareWas bytes.
func careText(s string) bool {
	return s != "" && len(s) <= MaxCareWas && utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7F }) < 0
}

// BindingAt is the five elements of a device as of an instant, nil when none were in force.
func (s *State) BindingAt(serial pos.Serial, at pos.Instant) *Binding {
	for _, b := range s.history[serial] {
		if b.From <= at && (b.Until == 0 || at < b.Until) {
			return b
		}
	}
	return nil
}

// BindingsAt lists every binding in force at an instant, by serial number.
func (s *State) BindingsAt(at pos.Instant) []*Binding {
	var list []*Binding
	for _, l := range s.Lives() {
		if b := s.BindingAt(l.Serial, at); b != nil {
			list = append(list, b)
		}
	}
	return list
}

// Binding is the one in force of a terminal, or nil.
func (s *State) Binding(id pos.TerminalID) *Binding { return s.bound[id] }

// lastBinding is the newest binding of a device, in force or not.
func (s *State) lastBinding(serial pos.Serial) *Binding {
	if list := s.history[serial]; len(list) > 0 {
		return list[len(list)-1]
	}
	return nil
}
