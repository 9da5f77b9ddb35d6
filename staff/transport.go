package staff

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"touchstone/journal"
	"touchstone/pos"
)

// TransportKey is what people seal secrets to before they send them: components of keys, card numbers, PINs. One is in
// force at a time.
type TransportKey struct {
	ID        string      `json:"id"`        // TRK-1, TRK-2, ...
	Recipient string      `json:"recipient"` // of age, X25519: age1...
	Secret    []byte      `json:"secret"`    // the identity, wrapped by the module under this number
	By        []string    `json:"by"`        // who decided for it
	Since     pos.Instant `json:"since"`
}

// NounTransportKey is the noun of a transport key.
const NounTransportKey = "transport_key"

// NextTransportKey is the number of the next transport key: its secret is bound to it.
func (s *State) NextTransportKey() string { return fmt.Sprintf("TRK-%d", s.transported+1) }

// TransportKey is the one in force, nil before there is any. Whoever has it changes nothing.
func (s *State) TransportKey() *TransportKey { return s.transport }

// MakeTransportKey is the decision for another transport key. What was sealed to the one before opens no more.
func MakeTransportKey(s *State, k *TransportKey, by []string, proposal string, now pos.Instant) ([]journal.Draft, error) {
	switch {
	case k.ID != s.NextTransportKey():
		return nil, fmt.Errorf("%w: another transport key was made meanwhile: try again", ErrAccount)
	case !strings.HasPrefix(k.Recipient, "age1") || len(k.Secret) == 0:
		return nil, fmt.Errorf("%w: want a recipient of age and its wrapped identity", ErrAccount)
	}
	made := *k
	made.By, made.Since = by, now
	return draft("transport_key_made", by, proposal, NounTransportKey, made.ID, &made)
}

func (s *State) foldTransportKey(c journal.Change) error {
	n, err := strconv.Atoi(strings.TrimPrefix(c.ID, "TRK-"))
	if err != nil {
		return fmt.Errorf("%w: transport key %q", ErrAccount, c.ID)
	}
	if n < s.transported {
		return nil // an older one, folded again at a start
	}
	var k TransportKey
	if err := json.Unmarshal(c.Record, &k); err != nil {
		return fmt.Errorf("%w: transport key %q: its record does not read", ErrAccount, c.ID)
	}
	s.transported, s.transport = n, &k
	return nil
}
