package main

import (
	"touchstone/web/api"
)

// desk is what the host offers to the JSON interface and to the console: each port of api.Desk in a file desk_*.go.
type desk struct{ *engine }

// newDesk gathers the ports.
func newDesk(e *engine) *api.Desk {
	d := &desk{e}
	return &api.Desk{
		Merchants:    d,
		Terminals:    d,
		Devices:      d,
		Acts:         d,
		Figures:      d,
		Live:         d,
		Journal:      d,
		Transactions: d,
		Clones:       d,
		Find:         d,
		Stickers:     d,
		Rules:        d,
		Staff:        d,
		FleetBooks:   fleetBooks(d), Requests: requestDesk{e}, Files: fileDesk{e}, APIKeys: keyDesk{e}, Webhooks: webhookDesk{e}, Streams: streamDesk{e},
		CaseBooks: caseBooks(d),
	}
}

var (
	_ api.Merchants = (*desk)(nil)
	_ api.Acts      = (*desk)(nil)
)
