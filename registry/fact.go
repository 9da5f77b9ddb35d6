package registry

import "touchstone/pos"

// FactName is one thing that a terminal's permit depends on.
type FactName string

// The facts. The rooms that know them give them; the rule of package fleet makes a permit of them.
const (
	FactRegistration FactName = "registration" // what was restricted when the terminal was registered
	FactDevice       FactName = "device"       // the device's state and its life: announced, deployed, in repair
	FactCertificate  FactName = "certificate"  // the security certificate of the model
	FactApplication  FactName = "application"  // the application version against the list of releases
	FactAdvisory     FactName = "advisory"     // open advisories and the campaigns that answer them
	FactInspection   FactName = "inspection"   // the last inspection, and whether one is due
	FactHealth       FactName = "health"       // the device's last health report
	FactCashier      FactName = "cashier"      // the training of the cashier who signed in
	FactNetwork      FactName = "network"      // private, public or unknown
	FactSite         FactName = "site"         // the class of the place: counter, mobile, unattended, open public
)

// Fact is what is known of one thing at one instant. The zero State is unknown, and unknown is never good: the
// permit's policy says what it means.
type Fact struct {
	Name    FactName    `json:"name"`
	State   string      `json:"state"`             // "" unknown, "good", or a word of the fact's own such as overdue; policies name it
	Detail  string      `json:"detail,omitempty"`  // which, such as CRT-3 or 1.0.1; no secret, at most 100 bytes
	Since   pos.Instant `json:"since,omitempty"`   // when it became so
	Until   pos.Instant `json:"until,omitempty"`   // when time alone changes it; 0 never
	Entry   uint64      `json:"entry,omitempty"`   // the journal entry it rests on
	Restore string      `json:"restore,omitempty"` // an argument of the words that say what would restore it, such as 1.0.3
	Permit  *Permit     `json:"permit,omitempty"`  // a restriction that the fact brings itself, met with the policy's: of a registration, of a campaign
}

// Good is the state of a fact that restricts nothing by itself.
const Good = "good"
