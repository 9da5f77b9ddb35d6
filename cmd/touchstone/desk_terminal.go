package main

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"touchstone/estate"
	"touchstone/grade"
	"touchstone/keys"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/web"
	"touchstone/web/api"
)

// missing is the problem of what is not registered, or was not then; another error stays.
func missing(err error) error {
	if errors.Is(err, ledger.ErrUnknown) {
		return api.NotFound()
	}
	return err
}

func isNotFound(err error) bool {
	var p *api.Problem
	return errors.As(err, &p) && p.Status == api.NotFound().Status
}

// permittedNamed is a terminal that a caller may see.
func (d *desk) permittedNamed(who *web.Caller, name string) (ledger.Permitted, error) {
	id, ok := terminalNamed(name)
	if !ok {
		return ledger.Permitted{}, api.NotFound()
	}
	p, ok := d.ledger.Permitted(id)
	if !ok || !who.Sees(p.Terminal.Merchant) {
		return ledger.Permitted{}, api.NotFound()
	}
	return p, nil
}

// Terminal implements api.Terminals.
func (d *desk) Terminal(ctx context.Context, who *web.Caller, name string, q *api.AsOf) (t api.TerminalDetail, err error) {
	at, err := q.Instant(d.line.Zone, d.clock())
	if err != nil {
		return t, err
	}
	p, err := d.permittedNamed(who, name)
	if err != nil {
		return t, err
	}
	w, err := d.epochSoon(ctx, at)
	if err != nil {
		return t, err
	}
	id := p.Terminal.ID
	if at != 0 {
		if t.Terminal, p, err = w.terminalThen(ctx, who, id); err != nil {
			return t, err
		}
		t.AsOf = momentOf(at)
	} else if rows := d.terminalRows(who, []pos.TerminalID{id}); len(rows) == 0 {
		return t, api.NotFound()
	} else {
		t.Terminal = rows[0]
	}
	t.Entry, t.Canary = p.Terminal.Entry, p.Terminal.Canary
	if t.Rights, err = w.permitOf(ctx, who, &p); err != nil {
		return t, err
	}
	if err := w.fillRooms(ctx, &t, &p, who); err != nil {
		return t, err
	}
	seen, err := w.seenOf(ctx, id)
	if err != nil {
		return t, err
	}
	t.Seen = momentOf(seen.Last)
	if who.Merchant() {
		t.Entry = 0
		return t, nil
	}
	shop, err := w.merchant(ctx, p.Terminal.Merchant)
	if err != nil {
		return t, err
	}
	t.Networks = networksOf(p.Terminal, shop)
	if p.Device != nil {
		t.Licence, t.Certificate = p.Device.Licence, d.deviceCertificate(p.Device)
	}
	t.Grade = overallOf(&p, seen, w.now())
	t.Axes = axesOf(&p, seen, w.now())
	if t.Keys, t.SignedIn, err = w.keysOf(ctx, &p); err != nil {
		return t, orNotKept(err)
	}
	t.Suspect, err = w.suspected(ctx, id)
	return t, err
}

func (d *desk) shopOf(id pos.MerchantID) *registry.Merchant {
	m, err := d.ledger.Merchant(id)
	if err != nil {
		return nil
	}
	return m
}

// fillRooms adds what the rooms know: five elements, people, advisories.
func (w *epoch) fillRooms(ctx context.Context, t *api.TerminalDetail, p *ledger.Permitted, who *web.Caller) error {
	now := w.now()
	shop, err := w.shopName(ctx, p.Terminal.Merchant)
	if err != nil {
		return err
	}
	w.view(func(r *rooms) {
		t.Five = fiveOf(r, p.Terminal, shop, w.e.line.Acquirer, now, who)
		t.Cashiers = cashiersOf(r, p.Terminal.Merchant, now)
		device := deviceFact(r, p, now)
		t.DeviceIs = device.State
		t.Touched = []api.Touched{}
		if who.Merchant() {
			return
		}
		advisories, campaigns := r.fleet.Touching(p.Device, r.fleet.VersionOf(p.Device))
		for _, id := range advisories {
			a := r.fleet.Advisory(id)
			t.Touched = append(t.Touched, api.Touched{ID: id, Kind: "advisory", Title: a.Title, Severity: string(a.Severity)})
		}
		for _, id := range campaigns {
			c := r.fleet.Campaign(id)
			t.Touched = append(t.Touched, api.Touched{ID: id, Kind: "campaign", Title: c.Advisory, Deadline: momentOf(c.Deadline)})
		}
	})
	return nil
}

func (d *desk) shopName(id pos.MerchantID) string {
	if m := d.shopOf(id); m != nil {
		return m.Name
	}
	return ""
}

func cashiersOf(r *rooms, m pos.MerchantID, now pos.Instant) []api.ShopCashier {
	list := []api.ShopCashier{}
	for _, c := range r.staff.Cashiers(m.String()) {
		f := r.staff.CashierFact(m, c.Operator, now)
		list = append(list, api.ShopCashier{Operator: c.Operator, Name: c.Name, State: f.State, Words: bothLines(func(l *lines) string { return factWords(l, &f) }), Until: momentOf(f.Until)})
	}
	return list
}

func networksOf(t *registry.Terminal, shop *registry.Merchant) (list []string) {
	nets, anywhere := t.Networks, t.AnyNetwork
	if len(nets) == 0 && !anywhere && shop != nil {
		nets, anywhere = shop.Networks, shop.AnyNetwork
	}
	for _, n := range nets {
		list = append(list, n.String())
	}
	if anywhere {
		list = append(list, "any")
	}
	return list
}

func (d *desk) deviceCertificate(device *registry.Device) *api.DeviceCertificate {
	if device.Certificate == "" {
		return nil
	}
	var fingerprint [32]byte
	raw, err := hex.DecodeString(device.Certificate)
	if err != nil || copy(fingerprint[:], raw) != len(raw) || len(raw) != len(fingerprint) {
		return nil
	}
	c, err := d.ledger.Certificate(fingerprint)
	if err != nil {
		return nil
	}
	return &api.DeviceCertificate{Fingerprint: c.Fingerprint, NotBefore: c.NotBefore.Time(), NotAfter: c.NotAfter.Time(), Revoked: device.CertificateVoid}
}

// keysOf are the ages and check values of a terminal's keys.
func (w *epoch) keysOf(ctx context.Context, p *ledger.Permitted) (list []api.TerminalKey, signedIn *time.Time, err error) {
	t := p.Terminal
	session, err := w.keySets(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	master := api.TerminalKey{Key: "master", Name: api.Text{EN: "Master key (TMK)", ZH: "主密钥 (TMK)"}, KCV: t.MasterKCV, Cipher: cipherOf(t.Master), Since: momentOf(t.MasterAt), State: "held"}
	if t.MasterAt == 0 {
		master.State = "unknown_age"
	}
	list = append(list, master)
	working := api.TerminalKey{Key: "working", Name: api.Text{EN: "Working keys (MAC, PIN)", ZH: "工作密钥 (MAC, PIN)"}, Cipher: keys.CipherOf(t.Profile.SignInCode).String(), State: "none"}
	if session.InForce.Number != 0 && !session.SignedOff {
		working.Set, working.Since, working.State = session.InForce.Number, momentOf(session.InForce.Issued), "in_force"
		signedIn = working.Since
	}
	list = append(list, working)
	if session.Pending.Number != 0 {
		list = append(list, api.TerminalKey{Key: "working", Name: api.Text{EN: "Working keys, issued and not used yet", ZH: "已下发、尚未使用的工作密钥"}, Cipher: working.Cipher,
			Set: session.Pending.Number, Since: momentOf(session.Pending.Issued), State: "pending"})
	}
	serial := api.TerminalKey{Key: "serial", Name: api.Text{EN: "Serial-number key", ZH: "序列号密钥"}, State: "none"}
	if p.Device != nil && len(p.Device.Key) > 0 {
		serial.KCV, serial.Cipher, serial.State = p.Device.KeyKCV, cipherOf(p.Device.Key), "held"
	}
	return append(list, serial), signedIn, nil
}

func cipherOf(w keys.Wrapped) string {
	_, _, c, _, err := w.Head()
	if err != nil {
		return ""
	}
	return c.String()
}

func axesOf(p *ledger.Permitted, seen grade.Seen, now pos.Instant) (list []api.ProofAxis) {
	facts := grade.FactsOf(p.Terminal, p.Device)
	facts.Seen = seen
	g := grade.Of(&facts, grade.DefaultThresholds(), now)
	for a := range grade.Axes {
		list = append(list, api.ProofAxis{Axis: a.String(), Level: g[a].Level.String(), Why: g[a].Why.Words()})
	}
	return list
}

// TerminalPermit implements api.Terminals.
func (d *desk) TerminalPermit(ctx context.Context, who *web.Caller, name string, q *api.AsOf) (a api.TerminalPermit, err error) {
	at, err := q.Instant(d.line.Zone, d.clock())
	if err != nil {
		return a, err
	}
	p, err := d.permittedNamed(who, name)
	if err != nil {
		return a, err
	}
	w, err := d.epochSoon(ctx, at)
	if err != nil {
		return a, err
	}
	if at != 0 {
		if _, p, err = w.terminalThen(ctx, who, p.Terminal.ID); err != nil {
			return a, err
		}
	}
	return w.permitOf(ctx, who, &p)
}

// permitOf is what explainPermit says, for a caller.
func (w *epoch) permitOf(ctx context.Context, who *web.Caller, p *ledger.Permitted) (api.TerminalPermit, error) {
	may := p.May()
	a := api.TerminalPermit{Terminal: p.Terminal.ID.String(), Merchant: p.Terminal.Merchant.String(), Sell: sellOf(may), Permit: may.String(),
		May: bothLines(func(l *lines) string { return permitWords(l, may) }), Facts: []api.PermitFact{}}
	if w.past != nil {
		var err error
		if p.Operator, err = w.operator(ctx, p.Terminal); err != nil {
			return a, err
		}
	}
	known := w.explainPermit(ctx, p)
	a.Since, a.Entry, a.Policy, a.Waiting, a.Operator = momentOf(known.Since), known.Entry, known.Policy, known.Waiting, known.Operator
	for _, f := range known.Facts {
		if f.Restricts || !who.Merchant() {
			a.Facts = append(a.Facts, permitFactOf(who, f))
		}
	}
	slices.SortStableFunc(a.Facts, func(x, y api.PermitFact) int {
		switch {
		case x.Restricts == y.Restricts:
			return 0
		case x.Restricts:
			return -1
		}
		return 1
	})
	if who.Merchant() {
		a.Policy, a.Entry = "", 0
	}
	return a, nil
}

func sellOf(may registry.Permit) string {
	switch {
	case may == registry.FullPermit:
		return estate.SellYes
	case may.Sell:
		return estate.SellLimited
	}
	return estate.SellNo
}

// permitFactOf is a fact in words; details are for staff.
func permitFactOf(who *web.Caller, f permitFact) api.PermitFact {
	out := api.PermitFact{Fact: string(f.Name), Name: textOf(factWord[f.Name]), State: f.State, Words: bothLines(func(l *lines) string { return factWords(l, &f.Fact) }),
		Since: momentOf(f.Since), Until: momentOf(f.Until), Restricts: f.Restricts, Tolerated: f.Tolerated, Permits: f.Permits}
	if out.State == "" {
		out.State = estate.Unknown
	}
	if f.Restricts {
		out.Restore = bothLines(func(l *lines) string { return restoreWords(l, &f.Fact) })
	}
	if who.Merchant() {
		out.Permits, out.Restore = "", merchantRestore(f.Name)
		return out
	}
	out.Detail, out.Entry = f.Detail, f.Entry
	return out
}

// merchantRestore is what a shop can do, or that others do it: how the estate is defended is not the shop's to know.
func merchantRestore(name registry.FactName) api.Text {
	switch name {
	case registry.FactCashier:
		return api.Text{EN: "The cashier passes the training's test, or another cashier signs in.", ZH: "该收银员通过培训测试，或由其他收银员签到。"}
	case registry.FactInspection:
		return api.Text{EN: "An engineer will visit and inspect the terminal. Ask support for the date.", ZH: "工程师将上门巡检。请向客服询问时间。"}
	case registry.FactApplication, registry.FactAdvisory:
		return api.Text{EN: "Leave the terminal switched on and connected: it is offered an update. Else support will call.", ZH: "请保持终端开机并联网，等待升级；否则客服会与您联系。"}
	}
	return api.Text{EN: "Call support: this is mended from there.", ZH: "请联系客服，由客服处理。"}
}
