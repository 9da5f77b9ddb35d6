package api

import (
	"context"
	"encoding/json"

	"touchstone/web"
)

// Desk is what the host offers to the interface and to the console: a port a resource.
type Desk struct {
	Merchants    Merchants
	Acts         Acts
	Figures      Figures
	Live         Live
	Journal      Journal
	Transactions Transactions
	Clones       Clones
	Find         Find
	Staff        Staff
	Terminals    Terminals
	Devices      Devices
	FleetBooks
	CaseBooks
	Stickers Stickers
}

// Mount registers every operation.
func (a *API) Mount(d *Desk) {
	a.merchants(d)
	a.terminals(d)
	a.devices(d)
	a.figures(d)
	a.live(d)
	a.journal(d)
	a.transactions(d)
	a.clones(d)
	a.fleet(d)
	a.cases(d)
	a.staff(d)
	a.stickers(d)
}

// Done is what an act tells.
type Done struct {
	What     string            `json:"what" doc:"what was done"`
	ZH       string            `json:"zh,omitempty" doc:"the same in Chinese, where it is said"`
	Proposal string            `json:"proposal,omitempty" doc:"nothing was done yet: a second person has to approve this"`
	KCV      string            `json:"kcv,omitempty" doc:"check value of a key that was loaded"`
	Facts    map[string]string `json:"facts,omitempty" doc:"what else the act made, such as the number of a case"`

	Fingerprint string `json:"fingerprint,omitempty" doc:"SHA-256 of a certificate that was made, hexadecimal"`
	PEM         string `json:"pem,omitempty" doc:"that certificate, or the list that was asked for"`
}

// Acts carries out acts of people. The name is the act's and the body its JSON, strictly read; the caller's roles, the
// second person, the journal and the rules of the room are the same as of the commands.
type Acts interface {
	Act(ctx context.Context, who *web.Caller, name string, body json.RawMessage) (Done, error)
}
