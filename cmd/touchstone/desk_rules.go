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
func (d *desk) TerminalPasswords(context.Context, *web.Caller) (staff.TerminalPasswords, error) {
	return d.passwords(), nil
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
func (d *desk) IncidentRules(context.Context, *web.Caller) (data incident.Data, err error) {
	d.office.view(func(r *rooms) { data = *r.incident.Data() })
	return data, nil
}
