package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"touchstone/explain"
	"touchstone/keys"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/sqlite"
	"touchstone/web"
	"touchstone/web/api"
)

// keyDays is how many days of sales are said to have rested on a key.
const keyDays = 30

// soldLife is how old the sum of all sales of keyDays may be.
const soldLife = 10 * time.Minute

// moduleKeys are the module's own: its master keys, term by term, and what the keyring and the authority hold. The journal
// does not say when a term was drawn: as of a past moment they are those of now, but for the keys of certificates.
func (d *desk) moduleKeys(at pos.Instant) []api.KeyRecord {
	list := []api.KeyRecord{}
	current, terms, open := d.module.Terms()
	if !open {
		return list
	}
	for i := len(terms) - 1; i >= 0; i-- {
		state := "in_force"
		if terms[i] != current {
			state = "former"
		}
		list = append(list, api.KeyRecord{ID: keyPrefix + keyModule + "master_" + strconv.FormatUint(uint64(terms[i]), 10), Usage: "master key", Label: api.Text{EN: "module master key", ZH: "模块主密钥"},
			Algorithm: "AES-256", Owner: string(keys.OfModule), State: state, Term: terms[i]})
	}
	for _, x := range []struct {
		name  string
		usage keys.Usage
	}{{"card", keys.CardHash}, {"pin", keys.PINVerify}} {
		list = append(list, api.KeyRecord{ID: keyPrefix + keyModule + x.name, Usage: x.usage.String(), Label: label(usageWords[x.usage]), Algorithm: "HMAC-SHA-256", Owner: string(keys.OfModule), State: "in_force"})
	}
	return append(list, d.signingKeys(at)...)
}

// signingKeys are those of the certificate authority and of the listener, the newest of each that was valid at an instant;
// 0 is now.
func (d *desk) signingKeys(at pos.Instant) (list []api.KeyRecord) {
	newest := map[keys.Owner]*registry.Certificate{}
	for _, c := range d.ledger.Certificates() {
		owner := keys.OfAuthority
		if c.Act == registry.ServerIssued {
			owner = keys.OfListener
		}
		if old := newest[owner]; len(c.Key) > 0 && (at == 0 || c.NotBefore <= at) && (old == nil || old.NotBefore < c.NotBefore) {
			newest[owner] = c
		}
	}
	for _, x := range []struct {
		owner keys.Owner
		name  string
	}{{keys.OfAuthority, "authority"}, {keys.OfListener, "listener"}} {
		if c := newest[x.owner]; c != nil {
			r := wrappedRecord(c.Key, x.owner)
			r.ID, r.Since = keyPrefix+keyModule+x.name, whenOf(c.NotBefore)
			list = append(list, r)
		}
	}
	return list
}

// Key implements api.KeyBook. A bare terminal number stands for its master key.
func (d *desk) Key(ctx context.Context, _ *web.Caller, id string, q *api.AsOf) (api.KeyDetail, error) {
	w, err := d.keyEpoch(ctx, q)
	if err != nil {
		return api.KeyDetail{}, err
	}
	name, prefixed := strings.CutPrefix(id, keyPrefix)
	if !prefixed {
		name = keyMaster + id
	}
	if of, ok := strings.CutPrefix(name, keySerial); ok {
		device, bound, err := w.device(ctx, pos.Serial(of))
		if err != nil {
			return api.KeyDetail{}, err
		}
		if device == nil || len(device.Key) == 0 {
			return api.KeyDetail{}, api.NotFound()
		}
		return w.serialDetail(ctx, device, bound)
	}
	if strings.HasPrefix(name, keyModule) {
		return d.moduleDetail(ctx, w, keyPrefix+name)
	}
	for _, kind := range []string{keyMaster, keyWorking, keyPending} {
		of, ok := strings.CutPrefix(name, kind)
		if !ok {
			continue
		}
		terminal, err := pos.ParseTerminalID(of)
		if err != nil {
			return api.KeyDetail{}, api.NotFound()
		}
		p, known, err := w.permitted(ctx, terminal)
		if err != nil {
			return api.KeyDetail{}, err
		}
		if known {
			a, err := w.terminalDetail(ctx, &p, keyPrefix+name)
			return a, orNotKept(err)
		}
	}
	return api.KeyDetail{}, api.NotFound()
}

// moduleTree is a term of the module's master key with what is shown below it.
func moduleTree(term uint32, below ...api.KeyTree) []api.KeyTree {
	r := api.KeyRecord{ID: keyPrefix + keyModule + "master_" + strconv.FormatUint(uint64(term), 10), Usage: "master key", Label: api.Text{EN: "module master key", ZH: "模块主密钥"}, Algorithm: "AES-256",
		Owner: string(keys.OfModule), State: "in_force", Term: term}
	return []api.KeyTree{{KeyRecord: r, Below: below}}
}

func leafOf(r api.KeyRecord) api.KeyTree { return api.KeyTree{KeyRecord: r, Below: []api.KeyTree{}} }

func (w *epoch) terminalDetail(ctx context.Context, p *ledger.Permitted, id string) (api.KeyDetail, error) {
	master := leafOf(masterRecord(p.Terminal, p.Device))
	working, err := w.keySets(ctx, p.Terminal)
	if err != nil {
		return api.KeyDetail{}, err
	}
	sets := workingRecords(p.Terminal, &working)
	for _, s := range sets {
		master.Below = append(master.Below, leafOf(s))
	}
	tops := []api.KeyTree{master}
	if p.Device != nil && len(p.Device.Key) > 0 {
		tops = append(tops, leafOf(serialRecord(p.Device, p.Terminal)))
	}
	a := api.KeyDetail{Lineage: moduleTree(master.Term, tops...)}
	since := w.now().Add(-keyDays * oneDay)
	says := masterFalls
	for _, r := range append([]api.KeyRecord{master.KeyRecord}, sets...) {
		if r.ID == id {
			a.KeyRecord = r
		}
	}
	switch {
	case a.ID == "":
		return api.KeyDetail{}, api.NotFound()
	case a.Usage == keys.WorkingSet.String():
		says = workingFalls
		if issued := pos.Instant(a.Since.UnixNano()); issued > since {
			since = issued
		}
	default:
		a.Falls.Keys = len(sets)
	}
	a.Falls.Terminals, a.Falls.Shops, a.Falls.Days, a.Falls.Says = 1, 1, keyDays, label(says)
	sold, err := w.soldBy(ctx, p.Terminal.ID, since)
	a.Falls.Sold = soldOf(sold.Sales, sold.Amount)
	return a, err
}

// soldBy is what a terminal sold since an instant.
func (w *epoch) soldBy(ctx context.Context, id pos.TerminalID, since pos.Instant) (sqlite.Sold, error) {
	if w.past != nil {
		return w.e.store.Reader.SoldByThen(ctx, id, since, w.past.Seq)
	}
	sold, _, err := w.e.soldBy(ctx, id, since)
	return sold, err
}

func (w *epoch) serialDetail(ctx context.Context, device *registry.Device, t *registry.Terminal) (api.KeyDetail, error) {
	r := serialRecord(device, t)
	a := api.KeyDetail{KeyRecord: r, Lineage: moduleTree(r.Term, leafOf(r)), Falls: api.KeyFalls{Days: keyDays, Says: label(serialFalls)}}
	if t == nil {
		return a, nil
	}
	a.Falls.Terminals, a.Falls.Shops = 1, 1
	sold, err := w.soldBy(ctx, t.ID, w.now().Add(-keyDays*oneDay))
	a.Falls.Sold = soldOf(sold.Sales, sold.Amount)
	return a, err
}

// moduleDetail is one of the module's own keys: everything below it falls with it.
func (d *desk) moduleDetail(ctx context.Context, w *epoch, id string) (api.KeyDetail, error) {
	a := api.KeyDetail{Lineage: []api.KeyTree{}, Falls: api.KeyFalls{Days: keyDays}}
	for _, r := range d.moduleKeys(w.at) {
		if r.ID == id {
			a.KeyRecord = r
		}
	}
	if a.ID == "" {
		return a, api.NotFound()
	}
	f, _, err := d.keyFigure(ctx, w.at)
	if err != nil {
		return a, err
	}
	a.Falls.Terminals, a.Falls.Shops, a.Falls.Says = f.masters, len(f.shops), label(moduleFalls[strings.TrimPrefix(id, keyPrefix+keyModule)])
	if term, ok := strings.CutPrefix(id, keyPrefix+keyModule+"master_"); ok {
		a.Falls.Terminals, a.Falls.Says = f.terms[term], label(moduleFalls["master"])
		a.Falls.Keys = f.terms[term] + f.working + f.serials
		a.Lineage = moduleTree(a.Term)
	} else if a.Term != 0 {
		a.Lineage = moduleTree(a.Term, leafOf(a.KeyRecord))
	} else {
		a.Lineage = []api.KeyTree{leafOf(a.KeyRecord)}
	}
	sold, _, err := figureAt(ctx, d.engine, "sold", w.at, soldLife, func(ctx context.Context, w *epoch, _ func() error) (sqlite.Sold, error) { return w.soldOfDays(ctx) })
	var counting *api.Problem
	if errors.As(err, &counting) && counting.Code == api.BeingCounted().Code {
		a.Falls.Counting = true
		return a, nil
	}
	a.Falls.Sold = soldOf(sold.Sales, sold.Amount)
	return a, err
}

// soldBy is what a terminal sold since an instant.
func (e *engine) soldBy(ctx context.Context, id pos.TerminalID, since pos.Instant) (sold sqlite.Sold, covered uint64, err error) {
	if e.view != nil {
		return e.view.SoldBy(ctx, id, since)
	}
	return e.store.Reader.SoldBy(ctx, id, since)
}

// soldOfDays is what every terminal sold in keyDays.
func (w *epoch) soldOfDays(ctx context.Context) (all sqlite.Sold, err error) {
	sold, err := w.e.store.Reader.SoldBetween(ctx, w.now().Add(-keyDays*oneDay), w.upTo())
	for _, s := range sold {
		all.Sales, all.Amount = all.Sales+s.Sales, all.Amount+s.Amount
	}
	return all, err
}

// What falls with a key, and what has to be done when somebody knows it.
var (
	masterFalls = explain.Text{EN: "Whoever knows it opens every working key that this terminal is sent, and with those its PIN blocks and MACs. Suspend the terminal, load a new master key in two components by two people, let it sign in.",
		ZH: "知悉此密钥者可解开下发给该终端的每一套工作密钥, 进而解开其 PIN 块与 MAC。请暂停该终端, 双人分量装载新主密钥, 再签到。"}
	workingFalls = explain.Text{EN: "PIN blocks, MACs and tracks of this terminal from this sign-in on. Let it sign in again: the next set replaces it.",
		ZH: "该终端自此次签到起的 PIN 块、MAC 与磁道。请重新签到: 下一套将取代它。"}
	serialFalls = explain.Text{EN: "Whoever knows it answers as this device. Load another, or replace the device; until then its serial number proves nothing.",
		ZH: "知悉此密钥者可冒充该设备。请装载另一把或更换设备; 在此之前其序列号不能证明任何事。"}
	moduleFalls = map[string]explain.Text{
		"master":    {EN: "Every key that is wrapped under this term, together with a copy of the journal. Draw another term (RotateMaster), load the terminals' keys anew.", ZH: "凡以此期主密钥封装的密钥, 若日志副本亦外泄。请轮换主密钥, 并重新装载各终端密钥。"},
		"card":      {EN: "Card numbers can be searched from their hashes in the journal: every card that was ever used here.", ZH: "可由日志中的散列穷举卡号: 涉及在此用过的每一张卡。"},
		"pin":       {EN: "PINs can be searched from the verification values: every card of the embedded bank needs another PIN.", ZH: "可由验证值穷举 PIN: 内置银行的每张卡都须更换 PIN。"},
		"authority": {EN: "Whoever knows it issues device certificates. Make another authority and issue every device's certificate anew.", ZH: "知悉者可签发设备证书。请另建证书机构并重新签发全部设备证书。"},
		"listener":  {EN: "Whoever knows it poses as this host to terminals. Issue the listener another certificate and revoke this one.", ZH: "知悉者可向终端冒充本主机。请为监听端另发证书并吊销此证书。"},
	}
)
