package main

import (
	"cmp"
	"context"
	"encoding/hex"
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

// countKeys looks at the keys of every terminal.
func (d *desk) countKeys(_ context.Context, pace func() error) (*keyFigure, error) {
	f := &keyFigure{algorithms: map[string]int{}, codes: map[string]int{}, masterAges: map[string]int{}, workAges: map[string]int{}, terms: map[string]int{}, shops: map[pos.MerchantID]struct{}{}}
	now := d.clock()
	for from := 0; ; {
		next := d.ledger.EachPermitted(from, permitStep, func(p ledger.Permitted) {
			if p.Terminal.Canary {
				return
			}
			sets, _ := d.ledger.KeySets(p.Terminal.ID)
			f.take(p.Terminal, p.Device, &sets, now)
		})
		if from = next; from == 0 {
			break
		}
		if err := pace(); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(f.values, func(a, b keyValue) int { return cmp.Or(cmp.Compare(a.kcv, b.kcv), slices.Compare(a.id[:], b.id[:])) })
	return f, nil
}

func (f *keyFigure) take(t *registry.Terminal, device *registry.Device, sets *ledger.KeySets, now pos.Instant) {
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
	if s := &sets.InForce; s.Number != 0 && !sets.SignedOff {
		f.working++
		f.codes[s.Code.String()]++
		f.workAges[bandOf(workBands, s.Issued, now)]++
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

func (d *desk) keyFigure(ctx context.Context) (*keyFigure, api.Counted, error) {
	return figureOf(ctx, d.census, "keys", figureLife, d.countKeys)
}

// KeyFigures implements api.KeyBook.
func (d *desk) KeyFigures(ctx context.Context, _ *web.Caller) (api.KeyFigures, error) {
	f, counted, err := d.keyFigure(ctx)
	if err != nil {
		return api.KeyFigures{}, err
	}
	return api.KeyFigures{Counted: counted, Masters: f.masters, Working: f.working, Serials: f.serials, SingleDES: f.singles, Old: f.old, Algorithms: barsOf(f.algorithms, nil),
		Codes: barsOf(f.codes, codeWords), MasterAges: bandBars(masterBands, f.masterAges), WorkAges: bandBars(workBands, f.workAges), Terms: barsOf(f.terms, nil), Module: d.moduleKeys()}, nil
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
	if q.Find != "" {
		return d.findKeys(ctx, strings.TrimSpace(q.Find))
	}
	from, err := strconv.Atoi(cmp.Or(q.Cursor, "0"))
	if err != nil || from < 0 {
		return page, api.Refuse(400, "invalid_request", "cursor: want the next_cursor of the piece before")
	}
	if q.List == "single_des" || q.List == "old" {
		f, _, err := d.keyFigure(ctx)
		if err != nil {
			return page, err
		}
		list := f.singleList
		if q.List == "old" {
			list = f.oldList
		}
		to := min(from+limit, len(list))
		for _, id := range list[min(from, len(list)):to] {
			if p, ok := d.ledger.Permitted(id); ok {
				page.Data = append(page.Data, masterRecord(p.Terminal, p.Device))
			}
		}
		if to < len(list) {
			page.Next = strconv.Itoa(to)
		}
		return page, nil
	}
	next := d.ledger.EachPermitted(from, max(limit/3, 1), func(p ledger.Permitted) {
		if !p.Terminal.Canary {
			page.Data = append(page.Data, d.terminalKeys(p.Terminal, p.Device)...)
		}
	})
	if next != 0 {
		page.Next = strconv.Itoa(next)
	}
	return page, nil
}

// findKeys searches by check value, terminal or serial number.
func (d *desk) findKeys(ctx context.Context, what string) (api.Page[api.KeyRecord], error) {
	page := api.Page[api.KeyRecord]{Data: []api.KeyRecord{}}
	if id, err := pos.ParseTerminalID(what); err == nil {
		if p, ok := d.ledger.Permitted(id); ok {
			page.Data = append(page.Data, d.terminalKeys(p.Terminal, p.Device)...)
		}
	}
	if device, err := d.ledger.Device(pos.Serial(what)); err == nil && len(device.Key) > 0 {
		page.Data = append(page.Data, serialRecord(device, d.terminalOf(device.Serial)))
	}
	if _, err := hex.DecodeString(what); err == nil && (len(what) == 6 || len(what) == 8) {
		f, _, err := d.keyFigure(ctx)
		if err != nil {
			return page, err
		}
		for _, v := range f.find(what) {
			p, ok := d.ledger.Permitted(v.id)
			switch {
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

// terminalKeys are the records of one terminal: its master key, its working keys, its device's key.
func (d *desk) terminalKeys(t *registry.Terminal, device *registry.Device) []api.KeyRecord {
	list := []api.KeyRecord{masterRecord(t, device)}
	list = append(list, d.workingRecords(t)...)
	if device != nil && len(device.Key) > 0 {
		list = append(list, serialRecord(device, t))
	}
	return list
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
func (d *desk) workingRecords(t *registry.Terminal) (list []api.KeyRecord) {
	sets, _ := d.ledger.KeySets(t.ID)
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
