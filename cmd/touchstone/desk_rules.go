package main

import (
	"context"
	"encoding/pem"

	"touchstone/incident"
	"touchstone/registry"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

var _ api.RuleBook = (*desk)(nil)

// TerminalPasswords implements api.RuleBook.
func (d *desk) TerminalPasswords(ctx context.Context, _ *web.Caller, q *api.AsOf) (p staff.TerminalPasswords, err error) {
	err = d.roomsAsOf(ctx, q, func(r *rooms) { p = r.staff.TerminalPasswords() })
	return p, err
}

// OldPINs implements api.RuleBook.
func (d *desk) OldPINs(_ context.Context, _ *web.Caller, days int) (api.OldPINs, error) {
	found := d.oldPINs(&pinsQuery{days})
	list := api.OldPINs{Days: found.Days, Count: found.Count, Data: make([]api.OldPIN, len(found.Cards))}
	for i, c := range found.Cards {
		list.Data[i] = api.OldPIN{Card: c.Card, Since: c.Since.Time().UTC(), Days: c.Days}
	}
	return list, nil
}

// DeviceAuthority implements api.RuleBook. An authority that was not needed yet is not made by who reads.
func (d *desk) DeviceAuthority(context.Context, *web.Caller) (string, error) {
	for _, c := range d.ledger.Certificates() {
		if c.Act == registry.AuthorityMade {
			return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER})), nil
		}
	}
	return "", api.NotFound()
}

// IncidentRules implements api.RuleBook.
func (d *desk) IncidentRules(ctx context.Context, _ *web.Caller, q *api.AsOf) (data incident.Data, err error) {
	err = d.roomsAsOf(ctx, q, func(r *rooms) { data = *r.incident.Data() })
	return data, err
}
