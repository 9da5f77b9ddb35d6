package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"touchstone/explain"
	"touchstone/grade"
	"touchstone/keys"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/web"
	"touchstone/web/api"
)

var _ api.KeyBook = (*desk)(nil)

// Bounds of lists of keys.
const (
	keysKept  = 1000 // terminals of a list
	keysFound = 100  // keys that a search returns
)

// What an identifier of a key begins with; the terminal, the device or the use follows.
const (
	keyPrefix  = "key_"
	keyMaster  = "master_"
	keyWorking = "working_"
	keyPending = "pending_"
	keySerial  = "serial_"
	keyModule  = "module_"
)

// keyFigure is the keys of every terminal: counts, short lists, and where to find a check value.
type keyFigure struct {
	masters, working, serials int
	singles, old              int
	algorithms, codes         map[string]int
	masterAges, workAges      map[string]int
	terms                     map[string]int
	shops                     map[pos.MerchantID]struct{}
	singleList, oldList       []pos.TerminalID
	values                    []keyValue // by check value
}

// keyValue is where a check value is.
type keyValue struct {
	kcv    uint32
	serial bool // of the device's serial-number key; else of the master key
	id     pos.TerminalID
}

// ageBand is one column of a histogram of ages.
type ageBand struct {
	key  string
	most time.Duration
	text explain.Text
}

const oneDay = 24 * time.Hour

var masterBands = []ageBand{{"30d", 30 * oneDay, explain.Text{EN: "up to 30 days", ZH: "30 天内"}}, {"90d", 90 * oneDay, explain.Text{EN: "up to 90 days", ZH: "90 天内"}},
	{"1y", 365 * oneDay, explain.Text{EN: "up to 1 year", ZH: "1 年内"}}, {"3y", 3 * 365 * oneDay, explain.Text{EN: "up to 3 years", ZH: "3 年内"}},
	{"older", 1 << 62, explain.Text{EN: "older", ZH: "更久"}}, {"undated", 0, explain.Text{EN: "age unknown", ZH: "年限不详"}}}

var workBands = []ageBand{{"1h", time.Hour, explain.Text{EN: "up to 1 hour", ZH: "1 小时内"}}, {"8h", 8 * time.Hour, explain.Text{EN: "up to 8 hours", ZH: "8 小时内"}},
	{"1d", oneDay, explain.Text{EN: "up to 1 day", ZH: "1 天内"}}, {"2d", 2 * oneDay, explain.Text{EN: "up to 2 days", ZH: "2 天内"}},
	{"7d", 7 * oneDay, explain.Text{EN: "up to 7 days", ZH: "7 天内"}}, {"older", 1 << 62, explain.Text{EN: "older", ZH: "更久"}}}

// bandOf is the column of an instant, seen at now; 0 is not known.
func bandOf(bands []ageBand, at, now pos.Instant) string {
	for _, b := range bands {
		if at == 0 && b.most == 0 || at != 0 && b.most != 0 && now.Sub(at) <= b.most {
			return b.key
		}
	}
	return bands[len(bands)-1].key
}

// keys looks at the keys of every terminal.
func (w *epoch) keys(ctx context.Context, pace func() error) (*keyFigure, error) {
	h, err := w.hear(ctx, pace)
	if err != nil {
		return nil, err
	}
	f := &keyFigure{algorithms: map[string]int{}, codes: map[string]int{}, masterAges: map[string]int{}, workAges: map[string]int{}, terms: map[string]int{}, shops: map[pos.MerchantID]struct{}{}}
	now := w.now()
	var failed error
	err = w.every(ctx, permitStep, pace, func(p ledger.Permitted) {
		if p.Terminal.Canary || failed != nil {
			return
		}
		set, err := w.inForce(ctx, h, p.Terminal)
		if err != nil && !errors.Is(err, errSessionFar) {
			failed = err
			return
		}
		f.take(p.Terminal, p.Device, &set, now)
	})
	if err = errors.Join(failed, err); err != nil {
		return nil, err
	}
	slices.SortFunc(f.values, func(a, b keyValue) int { return cmp.Or(cmp.Compare(a.kcv, b.kcv), slices.Compare(a.id[:], b.id[:])) })
	return f, nil
}

func (f *keyFigure) take(t *registry.Terminal, device *registry.Device, set *heardSet, now pos.Instant) {
	f.shops[t.Merchant] = struct{}{}
	if term, _, algorithm, _, err := t.Master.Head(); err == nil {
		f.masters++
		f.algorithms[algorithm.String()]++
		f.terms[strconv.FormatUint(uint64(term), 10)]++
		f.masterAges[bandOf(masterBands, t.MasterAt, now)]++
		if algorithm == keys.DES {
			if f.singles++; len(f.singleList) < keysKept {
				f.singleList = append(f.singleList, t.ID)
			}
		}
		if isOld(t, now) {
			if f.old++; len(f.oldList) < keysKept {
				f.oldList = append(f.oldList, t.ID)
			}
		}
		f.value(t.MasterKCV, false, t.ID)
	}
	if set.number != 0 {
		f.working++
		f.codes[set.code.String()]++
		f.workAges[bandOf(workBands, set.issued, now)]++
	}
	if device != nil && len(device.Key) > 0 {
		f.serials++
		f.value(device.KeyKCV, true, t.ID)
	}
}

// isOld tells whether a master key is older than grades accept, or of unknown age.
func isOld(t *registry.Terminal, now pos.Instant) bool {
	return t.MasterAt == 0 || now.Sub(t.MasterAt) > grade.DefaultThresholds().MasterAccepted
}

func (f *keyFigure) value(kcv string, serial bool, id pos.TerminalID) {
	if v, err := strconv.ParseUint(kcv, 16, 32); err == nil && len(kcv) == 8 {
		f.values = append(f.values, keyValue{uint32(v), serial, id})
	}
}

// find lists the keys whose check value begins with six or eight hexadecimal digits.
func (f *keyFigure) find(digits string) []keyValue {
	v, err := strconv.ParseUint(digits, 16, 32)
	if err != nil {
		return nil
	}
	low, high := uint32(v), uint32(v)
	if len(digits) == 6 {
		low, high = uint32(v)<<8, uint32(v)<<8|0xFF
	}
	at, _ := slices.BinarySearchFunc(f.values, low, func(x keyValue, v uint32) int { return cmp.Compare(x.kcv, v) })
	to := at
	for to < len(f.values) && f.values[to].kcv <= high && to-at < keysFound {
		to++
	}
	return f.values[at:to]
}

func (d *desk) keyFigure(ctx context.Context, at pos.Instant) (*keyFigure, api.Counted, error) {
	return figureAt(ctx, d.engine, "keys", at, figureLife, func(ctx context.Context, w *epoch, pace func() error) (*keyFigure, error) { return w.keys(ctx, pace) })
}

// keyEpoch is the register at the moment that a caller asks for. Keys need no rooms.
func (d *desk) keyEpoch(ctx context.Context, q *api.AsOf) (*epoch, error) {
	at, err := q.Instant(d.line.Zone, d.clock())
	if err != nil || at == 0 {
		return d.present(), err
	}
	past, err := d.registryAt(ctx, at)
	return &epoch{e: d.engine, at: at, past: past}, err
}

// KeyFigures implements api.KeyBook.
func (d *desk) KeyFigures(ctx context.Context, _ *web.Caller, q *api.AsOf) (api.KeyFigures, error) {
	at, err := q.Instant(d.line.Zone, d.clock())
	if err != nil {
		return api.KeyFigures{}, err
	}
	f, counted, err := d.keyFigure(ctx, at)
	if err != nil {
		return api.KeyFigures{}, err
	}
	return api.KeyFigures{Counted: counted, Masters: f.masters, Working: f.working, Serials: f.serials, SingleDES: f.singles, Old: f.old, Algorithms: barsOf(f.algorithms, nil),
		Codes: barsOf(f.codes, codeWords), MasterAges: bandBars(masterBands, f.masterAges), WorkAges: bandBars(workBands, f.workAges), Terms: barsOf(f.terms, nil), Module: d.moduleKeys(at), Transport: d.transportShown(at)}, nil
}

// transportShown is the public half of the transport key in force, nil before there is one, and at a moment of the past,
// when none of now would open anything.
func (d *desk) transportShown(at pos.Instant) (shown *api.TransportKey) {
	if at != 0 {
		return nil
	}
	d.office.view(func(r *rooms) {
		if k := r.staff.TransportKey(); k != nil {
			shown = &api.TransportKey{ID: k.ID, Recipient: k.Recipient, By: k.By, Since: k.Since.Time().UTC()}
		}
	})
	return shown
}

// bandBars are the columns of a histogram in their order, empty ones too.
func bandBars(bands []ageBand, counts map[string]int) []api.Bar {
	list := []api.Bar{}
	for _, b := range bands {
		list = append(list, api.Bar{Key: b.key, Label: label(b.text), Terminals: counts[b.key]})
	}
	return list
}

// codeWords are the sign-in codes by the keys that they issue; DE60.3.
var codeWords = map[string]explain.Text{
	"001": {EN: "001 single DES", ZH: "001 单 DES"}, "003": {EN: "003 TDES", ZH: "003 TDES"}, "004": {EN: "004 TDES with a track key", ZH: "004 TDES, 含磁道密钥"},
	"005": {EN: "005 SM4", ZH: "005 SM4"}, "006": {EN: "006 SM4 with a track key", ZH: "006 SM4, 含磁道密钥"},
}

// Keys implements api.KeyBook.
func (d *desk) Keys(ctx context.Context, _ *web.Caller, q *api.KeyQuery) (api.Page[api.KeyRecord], error) {
	page := api.Page[api.KeyRecord]{Data: []api.KeyRecord{}}
	limit := cmp.Or(q.Limit, 50)
	w, err := d.keyEpoch(ctx, &q.AsOf)
	if err != nil {
		return page, err
	}
	if q.Find != "" {
		return d.findKeys(ctx, w, strings.TrimSpace(q.Find))
	}
	from, err := strconv.Atoi(cmp.Or(q.Cursor, "0"))
	if err != nil || from < 0 {
		return page, api.Refuse(400, "invalid_request", "cursor: want the next_cursor of the piece before")
	}
	if q.List == "single_des" || q.List == "old" {
		f, _, err := d.keyFigure(ctx, w.at)
		if err != nil {
			return page, err
		}
		list := f.singleList
		if q.List == "old" {
			list = f.oldList
		}
		to := min(from+limit, len(list))
		for _, id := range list[min(from, len(list)):to] {
			p, ok, err := w.permitted(ctx, id)
			if err != nil {
				return page, err
			}
			if ok {
				page.Data = append(page.Data, masterRecord(p.Terminal, p.Device))
			}
		}
		if to < len(list) {
			page.Next = strconv.Itoa(to)
		}
		return page, nil
	}
	var some []ledger.Permitted
	next, err := w.each(ctx, from, max(limit/3, 1), func(p ledger.Permitted) {
		if !p.Terminal.Canary {
			some = append(some, p)
		}
	})
	for i := 0; i < len(some) && err == nil; i++ {
		err = w.addKeys(ctx, &page, &some[i])
	}
	if next != 0 {
		page.Next = strconv.Itoa(next)
	}
	return page, orNotKept(err)
}

// findKeys searches by check value, terminal or serial number.
func (d *desk) findKeys(ctx context.Context, w *epoch, what string) (api.Page[api.KeyRecord], error) {
	page := api.Page[api.KeyRecord]{Data: []api.KeyRecord{}}
	if id, err := pos.ParseTerminalID(what); err == nil {
		p, ok, err := w.permitted(ctx, id)
		if ok && err == nil {
			err = w.addKeys(ctx, &page, &p)
		}
		if err != nil {
			return page, orNotKept(err)
		}
	}
	device, of, err := w.device(ctx, pos.Serial(what))
	if err != nil {
		return page, err
	}
	if device != nil && len(device.Key) > 0 {
		page.Data = append(page.Data, serialRecord(device, of))
	}
	if _, err := hex.DecodeString(what); err == nil && (len(what) == 6 || len(what) == 8) {
		f, _, err := d.keyFigure(ctx, w.at)
		if err != nil {
			return page, err
		}
		for _, v := range f.find(what) {
			p, ok, err := w.permitted(ctx, v.id)
			switch {
			case err != nil:
				return page, err
			case !ok:
			case v.serial && p.Device != nil:
				page.Data = append(page.Data, serialRecord(p.Device, p.Terminal))
			case !v.serial:
				page.Data = append(page.Data, masterRecord(p.Terminal, p.Device))
			}
		}
	}
	return page, nil
}

// addKeys adds the records of one terminal: its master key, its working keys, its device's key.
func (w *epoch) addKeys(ctx context.Context, page *api.Page[api.KeyRecord], p *ledger.Permitted) error {
	sets, err := w.keySets(ctx, p.Terminal)
	if err != nil {
		return err
	}
	page.Data = append(append(page.Data, masterRecord(p.Terminal, p.Device)), workingRecords(p.Terminal, &sets)...)
	if p.Device != nil && len(p.Device.Key) > 0 {
		page.Data = append(page.Data, serialRecord(p.Device, p.Terminal))
	}
	return nil
}

// device is a device's record and the terminal that it is bound to; nil for what is not there.
func (w *epoch) device(ctx context.Context, serial pos.Serial) (device *registry.Device, of *registry.Terminal, err error) {
	if device, err = w.deviceRecord(ctx, serial); device != nil {
		of, err = w.boundTo(ctx, serial)
	}
	return device, of, err
}

// deviceRecord is a device's record, nil where it is not registered.
func (w *epoch) deviceRecord(ctx context.Context, serial pos.Serial) (device *registry.Device, err error) {
	if w.past == nil {
		device, err = w.e.ledger.Device(serial)
	} else {
		device, err = w.past.Device(ctx, serial)
	}
	if errors.Is(err, ledger.ErrUnknown) {
		return nil, nil
	}
	return device, err
}

var usageWords = map[keys.Usage]explain.Text{
	keys.TerminalMaster: {EN: "terminal master key", ZH: "终端主密钥"}, keys.SerialKey: {EN: "serial-number key", ZH: "序列号密钥"}, keys.WorkingSet: {EN: "working keys: PIN, MAC, track", ZH: "工作密钥: PIN、MAC、磁道"},
	keys.CardHash: {EN: "card-hash key", ZH: "卡号散列密钥"}, keys.PINVerify: {EN: "PIN-verification key", ZH: "PIN 验证密钥"}, keys.SigningKey: {EN: "signing key", ZH: "签名密钥"},
}

// wrappedRecord is what the clear part of a wrapped key tells.
func wrappedRecord(w keys.Wrapped, owner keys.Owner) api.KeyRecord {
	r := api.KeyRecord{Owner: string(owner), State: "none"}
	if term, usage, algorithm, id, err := w.Head(); err == nil {
		r.Usage, r.Label, r.Algorithm, r.Reference, r.Term, r.State = usage.String(), label(usageWords[usage]), algorithm.String(), hex.EncodeToString(id[:]), term, "in_force"
		r.Weak = algorithm == keys.DES
	}
	return r
}

func masterRecord(t *registry.Terminal, device *registry.Device) api.KeyRecord {
	r := wrappedRecord(t.Master, keys.OfTerminal(t.ID.String()))
	if r.State == "none" {
		r.Usage, r.Label = keys.TerminalMaster.String(), label(usageWords[keys.TerminalMaster])
	}
	r.ID, r.KCV, r.Terminal, r.Since, r.Entry = keyPrefix+keyMaster+t.ID.String(), t.MasterKCV, t.ID.String(), whenOf(t.MasterAt), t.Entry
	if device != nil {
		r.Serial, r.Loadings = string(device.Serial), device.MasterTerms
	}
	return r
}

func serialRecord(device *registry.Device, t *registry.Terminal) api.KeyRecord {
	r := wrappedRecord(device.Key, keys.OfSerial(string(device.Serial)))
	r.ID, r.KCV, r.Serial, r.Entry = keyPrefix+keySerial+string(device.Serial), device.KeyKCV, string(device.Serial), device.Entry
	if t != nil {
		r.Terminal = t.ID.String()
	}
	return r
}

// workingRecords are the working key sets of a terminal: that in force, and one that was issued and not used yet.
func workingRecords(t *registry.Terminal, sets *ledger.KeySets) (list []api.KeyRecord) {
	for _, x := range []struct {
		set           *ledger.KeySet
		prefix, state string
	}{{&sets.InForce, keyWorking, "in_force"}, {&sets.Pending, keyPending, "pending"}} {
		if x.set.Number == 0 {
			continue
		}
		if sets.SignedOff {
			x.state = "signed_off"
		}
		algorithm := keys.CipherOf(x.set.Code)
		list = append(list, api.KeyRecord{ID: keyPrefix + x.prefix + t.ID.String(), Usage: keys.WorkingSet.String(), Label: label(usageWords[keys.WorkingSet]), Algorithm: algorithm.String(),
			Reference: hex.EncodeToString(x.set.ID[:]), Term: x.set.Term, Owner: string(keys.OfTerminal(t.ID.String())), Terminal: t.ID.String(), Serial: string(t.Serial), State: x.state,
			Since: whenOf(x.set.Issued), Number: x.set.Number, Code: x.set.Code.String(), Weak: algorithm == keys.DES})
	}
	return list
}
