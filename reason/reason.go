package reason

import (
	"errors"

	"touchstone/pos"
)

// Reason is the stable number of a cause; it is one byte in the journal.
type Reason uint8

// Owner is who must act first.
type Owner uint8

// The owners. Nobody need act.
const (
	Nobody   Owner = iota
	Terminal       // the terminal or its cashier
	Merchant
	Acquirer // acquirer operations
	Security // acquirer security
	Issuer   // the issuer or the cardholder
)

var owners = [...]string{"nobody", "terminal", "merchant", "acquirer", "security", "issuer"}

// String is the owner's word.
func (o Owner) String() string {
	if int(o) >= len(owners) {
		return "unknown"
	}
	return owners[o]
}

type row struct {
	name  string
	de39  pos.ResponseCode
	owner Owner
}

// ErrUnknown is returned for a name that is not in the table.
var ErrUnknown = errors.New("reason: not in the table")

// Parse finds a reason by its name.
func Parse(name string) (Reason, error) {
	for i, r := range table {
		if r.name == name {
			return Reason(i), nil
		}
	}
	return None, ErrUnknown
}

// All lists every reason but None in the order of their numbers.
func All() []Reason {
	all := make([]Reason, 0, count-1)
	for r := None + 1; r < count; r++ {
		all = append(all, r)
	}
	return all
}

// Known tells whether r is in the table.
func (r Reason) Known() bool { return r < count }

// String is the stable name, such as "mac_failed".
func (r Reason) String() string {
	if !r.Known() {
		return "unknown"
	}
	return table[r].name
}

// DE39 is the default answer of the UnionPay dialect; the zero value where the connection is closed
// without one. A reason outside the table answers 96.
func (r Reason) DE39() pos.ResponseCode {
	if !r.Known() {
		return pos.Code("96")
	}
	return table[r].de39
}

// Owner is who must act first; a reason outside the table is the acquirer's.
func (r Reason) Owner() Owner {
	if !r.Known() {
		return Acquirer
	}
	return table[r].owner
}

// OfIssuer tells whether the card's bank refused, every proof of the terminal having held.
func (r Reason) OfIssuer() bool {
	switch r {
	case CardUnknown, CardExpired, InsufficientFunds, PINWrong, PINTriesExceeded, CardRestricted, CardLost,
		CardStolen, CVVFailed, IssuerDeclined, IssuerUnavailable, IssuerTimeout, ARQCFailed, LimitExceeded:
		return true
	}
	return false
}
