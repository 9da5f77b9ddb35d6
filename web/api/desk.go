package api

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
	Requests Requests // nil: repeats are not known
	Files    Files
	APIKeys  APIKeys
	Webhooks Webhooks
	Streams  Streams
	CaseBooks
	Stickers Stickers
	Rules    RuleBook
}

// Mount registers every operation.
func (a *API) Mount(d *Desk) {
	a.desk, a.requests = d, d.Requests
	a.merchants(d)
	a.terminals(d)
	a.devices(d)
	a.figures(d)
	a.live(d)
	a.journal(d)
	a.transactions(d)
	a.clones(d)
	a.fleet(d)
	a.acts(d)
	a.files(d)
	a.rules(d)
	a.apiKeys(d)
	a.webhooks(d)
	a.streams(d)
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

	Secret string `json:"secret,omitempty" doc:"an API key, or the secret of a webhook, that was made; it is shown this once"`
}
