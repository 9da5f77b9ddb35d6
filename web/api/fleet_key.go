package api

import (
	"context"
	"net/http"
	"time"

	"touchstone/staff"
	"touchstone/web"
)

// KeyRecord is what may be told of a key: never its bytes, in the clear or wrapped.
type KeyRecord struct {
	ID        string    `json:"id" doc:"key_master_ and the terminal, key_working_ and the terminal, key_serial_ and the device, key_module_ and the use" example:"key_master_00000011"`
	Usage     string    `json:"usage" example:"TMK"`
	Label     Text      `json:"label"`
	Algorithm string    `json:"algorithm" example:"TDES"`
	KCV       string    `json:"kcv,omitempty" doc:"check value; absent where none is kept"`
	Reference string    `json:"reference,omitempty" doc:"names this key: the 12 bytes that it was wrapped with, hexadecimal"`
	Term      uint32    `json:"module_term,omitempty" doc:"of the module's master key that wraps it"`
	Owner     string    `json:"owner" example:"terminal 00000011"`
	Terminal  string    `json:"terminal,omitempty"`
	Serial    string    `json:"serial,omitempty"`
	State     string    `json:"state" enum:"in_force,pending,signed_off,former,none"`
	Since     time.Time `json:"since,omitzero" doc:"when it was loaded or issued, where that is known"`
	Number    uint32    `json:"number,omitempty" doc:"of a working key set: it counts the terminal's sign-ins"`
	Code      string    `json:"sign_in_code,omitempty" doc:"of a working key set: DE60.3 of its sign-in"`
	Loadings  uint32    `json:"loadings,omitempty" doc:"how often a master key was loaded into the device"`
	Entry     uint64    `json:"entry,omitempty" doc:"the newest entry of the journal about its holder"`
	Weak      bool      `json:"weak" doc:"56 bits: it can be searched"`
}

// KeyFigures counts the keys of the estate.
type KeyFigures struct {
	Counted
	Masters    int         `json:"masters"`
	Working    int         `json:"working_sets"`
	Serials    int         `json:"serial_keys"`
	SingleDES  int         `json:"single_des" doc:"terminals whose master key has 56 bits"`
	Old        int         `json:"old" doc:"terminals whose master key is older than three years, or of unknown age"`
	Algorithms []Bar       `json:"algorithms" nullable:"false" doc:"of the master keys"`
	Codes      []Bar       `json:"sign_in_codes" nullable:"false" doc:"of the working key sets in force"`
	MasterAges []Bar       `json:"master_ages" nullable:"false"`
	WorkAges   []Bar       `json:"working_ages" nullable:"false"`
	Terms      []Bar       `json:"module_terms" nullable:"false" doc:"master keys by the term of the module's master key that wraps them"`
	Module     []KeyRecord `json:"module" nullable:"false" doc:"the module's own keys"`

	Transport *TransportKey `json:"transport_key,omitempty" doc:"to which people seal what they send now; none before two custodians made one, and with as_of"`
}

// TransportKey is the public half of the key to which components, card numbers and PINs are sealed.
type TransportKey struct {
	ID        string    `json:"id" example:"TRK-1"`
	Recipient string    `json:"recipient" doc:"of age, X25519"`
	By        []string  `json:"by" nullable:"false" doc:"who decided for it"`
	Since     time.Time `json:"since"`
}

// KeyQuery lists keys.
type KeyQuery struct {
	Paging
	AsOf
	List string `query:"list" enum:"all,single_des,old" default:"all"`
	Find string `query:"q" maxLength:"60" doc:"a check value (6 or 8 hexadecimal digits), a terminal or a serial number"`
}

// KeyFalls is what depends on a key: what falls with it.
type KeyFalls struct {
	Terminals int  `json:"terminals"`
	Shops     int  `json:"shops"`
	Keys      int  `json:"keys" doc:"that rest on it"`
	Sold      Sold `json:"sold" doc:"approved sales of the last 30 days that rested on it"`
	Days      int  `json:"days"`
	Counting  bool `json:"counting" doc:"the sales are being added up: ask again in some seconds"`
	Says      Text `json:"says" doc:"in words: what has to be done when it is known to somebody"`
}

// KeyTree is a key and those that rest on it.
type KeyTree struct {
	KeyRecord
	Below []KeyTree `json:"below" nullable:"false"`
}

// KeyDetail is a key, where it comes from and what falls with it.
type KeyDetail struct {
	KeyRecord
	Lineage []KeyTree `json:"lineage" nullable:"false" doc:"from the module's master key down"`
	Falls   KeyFalls  `json:"falls"`
}

// KeyBook is what the host knows of keys.
type KeyBook interface {
	KeyFigures(ctx context.Context, who *web.Caller, q *AsOf) (KeyFigures, error)
	Keys(ctx context.Context, who *web.Caller, q *KeyQuery) (Page[KeyRecord], error)
	Key(ctx context.Context, who *web.Caller, id string, q *AsOf) (KeyDetail, error)
}

// KeyRule is who may look at records of keys.
var KeyRule = web.Rule{Roles: []staff.Role{staff.Security, staff.KeyCustodian, staff.Administrator, staff.Auditor}}

type keyInput struct {
	AsOf
	ID string `path:"id" maxLength:"80" example:"key_master_00000011"`
}

func (a *API) keys(d *Desk) {
	Add(a, Operation{ID: "list-keys", Method: http.MethodGet, Path: "/keys", Summary: "Records of keys, never key material", Tag: "keys", Rule: KeyRule}, d.Keys.Keys)
	Add(a, Operation{ID: "get-key-figures", Method: http.MethodGet, Path: "/keys/figures", Summary: "How many keys of what age and algorithm", Tag: "keys", Rule: KeyRule},
		d.Keys.KeyFigures)
	Add(a, Operation{ID: "get-key", Method: http.MethodGet, Path: "/keys/{id}", Summary: "One key: its lineage and what falls with it", Tag: "keys", Rule: KeyRule},
		func(ctx context.Context, who *web.Caller, in *keyInput) (KeyDetail, error) {
			return d.Keys.Key(ctx, who, in.ID, &in.AsOf)
		})
}
