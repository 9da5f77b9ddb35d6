package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/fleet"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

var (
	dutyOfficer   = &web.Caller{Account: "qian", Roles: []staff.Role{staff.Security}}
	fieldEngineer = &web.Caller{Account: "li", Roles: []staff.Role{staff.Field}}
	lipair        = fleet.Who{Actors: []string{"li", "zhou"}}
)

func keeperOf(m pos.MerchantID) *web.Caller {
	return &web.Caller{Account: "shop", Roles: []staff.Role{staff.Merchant}, Shop: m}
}

// estateBed is two shops: a terminal of the first with its five elements, one of the second that was registered alone,
// and a spare in stock.
type estateBed struct {
	e          *engine
	d          *desk
	first      pos.MerchantID
	second     pos.MerchantID
	one, other pos.TerminalID
	at         pos.Instant // after all of that
}

// awkward is what a table must carry: a quote, a comma, a formula.
const awkward = `=HYPERLINK("http://x","店") , "老王"`

func newEstateBed(t *testing.T) *estateBed {
	t.Helper()
	b := &estateBed{e: careEngine(t, filepath.Join(inMemory(t), "data")), first: testShop(1), second: testShop(2), one: sampleID(71000001), other: sampleID(71000002)}
	t.Cleanup(func() { closeEngine(t, b.e) })
	b.d = &desk{b.e}
	do := func(c *careChange) {
		t.Helper()
		if _, err := b.e.changeCare(t.Context(), c, lipair); err != nil {
			t.Fatal(err)
		}
	}
	put := func(records ...any) {
		t.Helper()
		if err := b.e.ledger.Register(t.Context(), b.e.clock(), records...); err != nil {
			t.Fatal(err)
		}
	}
	put(&registry.Merchant{ID: b.first, Name: awkward, AnyNetwork: true}, &registry.Merchant{ID: b.second, Name: "Corner 7", AnyNetwork: true},
		&registry.Device{Serial: "LONE000001", DeviceType: "04", Model: "M2", State: registry.Active})
	var list []fleet.Announcement
	for _, serial := range []pos.Serial{"CARE000001", "CARE000002"} {
		list = append(list, fleet.Announcement{Serial: serial, Model: "M1", Hardware: "2.0", Maker: "maker", Seal: "S1", Source: "maker", Shipment: "W1"})
	}
	do(&careChange{Announce: &announceChange{Devices: list, Licence: "P3100", DeviceType: "04"}})
	for _, a := range list {
		do(&careChange{Receive: &fleet.Receipt{Serial: a.Serial, Seal: "S1", Source: "maker", SealGood: true}})
	}
	profile := registry.Profile{SignInCode: 3}
	put(&registry.Terminal{ID: b.one, Merchant: b.first, Serial: "CARE000001", Permit: registry.FullPermit, Profile: profile},
		&registry.Terminal{ID: b.other, Merchant: b.second, Serial: "LONE000001", Permit: registry.FullPermit, Profile: profile})
	hash := strings.Repeat("ab", 16)
	do(&careChange{Deploy: &deployChange{Serial: "CARE000001", Terminal: b.one.String(), Elements: fleet.Elements{Acquirer: "48021000", Credit: fleet.Sealed{Kind: fleet.CreditCode, Hash: hash, Last: "0Y43"},
		Settlement: fleet.Sealed{Kind: fleet.SettlementAccount, Hash: hash, Last: "4321"}, Address: "上海市示例路 1 号, \"后门\"", Site: fleet.Counter, Risk: fleet.LowRisk}}})
	b.at = b.e.clock()
	b.e.estate.start()
	b.ready(t)
	return b
}

// ready waits until the index was built and has what was folded.
func (b *estateBed) ready(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) { // the index is built at its own pace
		b.e.estate.Settle(t.Context())
		n, _, _ := b.e.estate.index.Counts()
		if b.e.estate.built.Load() && n == 2 && b.e.watch.last() >= b.e.ledger.Durable() {
			b.e.estate.Settle(t.Context())
			return
		}
	}
	t.Fatal("the index is not ready")
}

// TestTerminalDesk runs on one data directory.
func TestTerminalDesk(t *testing.T) {
	if testing.Short() {
		t.Skip("opens a data directory")
	}
	b := newEstateBed(t)
	t.Run("a shop sees its own only", b.shopSeesItsOwn)
	t.Run("the CSV is what Python reads", b.csvIsReadByPython)
	t.Run("the account is for those who need it", b.accountIsMasked)
	t.Run("filters", b.filters)
	t.Run("a device rebound by two people", b.rebound)
}

// shopSeesItsOwn: another's is answered, to the byte, as what does not exist.
func (b *estateBed) shopSeesItsOwn(t *testing.T) {
	ctx, who := t.Context(), keeperOf(b.first)
	bytesOf := func(_ any, err error) string {
		var p *api.Problem
		if !errors.As(err, &p) {
			return fmt.Sprint(err)
		}
		raw, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	for what, ask := range map[string]func(terminal, device, merchant string) (any, error){
		"terminal":      func(x, _, _ string) (any, error) { return b.d.Terminal(ctx, who, x, &api.AsOf{}) },
		"terminal then": func(x, _, _ string) (any, error) { return b.d.Terminal(ctx, who, x, &api.AsOf{AsOf: exactTime(b.at)}) },
		"timeline":      func(x, _, _ string) (any, error) { return b.d.Timeline(ctx, who, x, &api.TimelineQuery{Span: "all"}) },
		"permit":        func(x, _, _ string) (any, error) { return b.d.TerminalPermit(ctx, who, x, &api.AsOf{}) },
		"repair":        func(x, _, _ string) (any, error) { return b.d.Repair(ctx, who, x, "") },
		"device":        func(_, x, _ string) (any, error) { return b.d.Device(ctx, who, x, &api.AsOf{}) },
		"merchant":      func(_, _, x string) (any, error) { return b.d.Merchant(ctx, who, x, &api.AsOf{}) },
	} {
		if _, err := ask("ter_"+b.one.String(), "dev_CARE000001", "mer_"+b.first.String()); err != nil {
			t.Errorf("%s of one's own: %v", what, err)
		}
		foreign, none := bytesOf(ask("ter_"+b.other.String(), "dev_LONE000001", "mer_"+b.second.String())), bytesOf(ask("ter_99999999", "dev_NONE", "mer_898999999999999"))
		if foreign != none || !strings.Contains(none, "not_found") {
			t.Errorf("%s: another's is %s, what does not exist %s", what, foreign, none)
		}
	}
	page, err := b.d.Terminals(ctx, who, &api.TerminalQuery{Paging: api.Paging{Limit: 50}})
	if err != nil || page.Total != 1 || page.Data[0].Merchant != b.first.String() || page.Data[0].Grade != "" {
		t.Errorf("list: %+v, %v", page, err)
	}
	if page, err := b.d.Terminals(ctx, who, &api.TerminalQuery{Paging: api.Paging{Limit: 50}, Merchant: b.second.String()}); err != nil || page.Total != 0 {
		t.Errorf("list of another's: %+v, %v", page, err)
	}
	if _, err := b.d.Terminals(ctx, who, &api.TerminalQuery{Grade: []string{"weak"}}); err == nil {
		t.Error("a shop filters by grade")
	}
	if five, err := b.d.FiveElements(ctx, who, &api.FiveQuery{Paging: api.Paging{Limit: 50}}); err != nil || len(five.Data) != 1 || five.Data[0].Terminal != b.one.String() {
		t.Errorf("five elements: %+v, %v", five, err)
	}
}

func exactTime(at pos.Instant) string { return at.Time().Format(time.RFC3339Nano) }

// csvIsReadByPython: an independent reader finds the values in the columns.
func (b *estateBed) csvIsReadByPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 to be a witness")
	}
	var file bytes.Buffer
	if err := b.d.WriteFive(t.Context(), dutyOfficer, &api.FiveQuery{BOM: true}, &file); err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(file.Bytes(), []byte("\ufeff")) || !bytes.HasSuffix(file.Bytes(), []byte("\r\n")) {
		t.Errorf("no byte order mark, or lines do not end as RFC 4180 says: %q", file.Bytes())
	}
	read := exec.Command(python, "-c", "import csv,sys,io,json;print(json.dumps(list(csv.DictReader(io.StringIO(sys.stdin.buffer.read().decode('utf-8-sig'),newline=''),strict=True))))")
	read.Stdin = &file
	out, err := read.Output()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	if err := json.Unmarshal(out, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 {
		t.Fatalf("%d rows: %v", len(rows), rows)
	}
	want := map[string]string{"serial": "CARE000001", "terminal": b.one.String(), "acquirer": "48021000", "merchant": b.first.String(), "merchant_name": "'" + awkward,
		"credit_code": "****0Y43", "settlement_account": "****4321", "address": "上海市示例路 1 号, \"后门\"", "complete": "yes"}
	for name, value := range want {
		if rows[0][name] != value {
			t.Errorf("%s is %q, want %q", name, rows[0][name], value)
		}
	}
	if r := rows[1]; r["serial"] != "LONE000001" || r["complete"] != "no" || r["settlement_account"] != "" {
		t.Errorf("registered alone: %v", r)
	}
}

func (b *estateBed) accountIsMasked(t *testing.T) {
	for who, want := range map[*web.Caller]string{dutyOfficer: "****4321", fieldEngineer: "****", keeperOf(b.first): "****4321"} {
		five, err := b.d.FiveElements(t.Context(), who, &api.FiveQuery{Paging: api.Paging{Limit: 1}})
		if err != nil || len(five.Data) != 1 || five.Data[0].Settlement != want || !five.Data[0].Complete {
			t.Errorf("%s: %+v, %v", who.Account, five, err)
		}
	}
}

func (b *estateBed) filters(t *testing.T) {
	for name, c := range map[string]struct {
		q    api.TerminalQuery
		want int
	}{
		"everything":     {api.TerminalQuery{}, 2},
		"part of serial": {api.TerminalQuery{Search: "care0"}, 1},
		"part of name":   {api.TerminalQuery{Search: "老王"}, 1},
		"address":        {api.TerminalQuery{Search: "示例路 1"}, 1},
		"model":          {api.TerminalQuery{Model: []string{"M2"}}, 1},
		"two models":     {api.TerminalQuery{Model: []string{"M1", "M2"}}, 2},
		"site":           {api.TerminalQuery{Site: []string{"counter"}}, 1},
		"nobody":         {api.TerminalQuery{Search: "zz9"}, 0},
		"due soon":       {api.TerminalQuery{DueBefore: "2199-01-01"}, 1},
	} {
		c.q.Limit, c.q.Counts = 50, true
		page, err := b.d.Terminals(t.Context(), dutyOfficer, &c.q)
		if err != nil || page.Total != c.want || len(page.Data) != c.want || page.Counts["model"] == nil && c.want > 0 {
			t.Errorf("%s: %d, want %d, %v", name, page.Total, c.want, err)
		}
	}
}

// rebound: the spare takes the place of the device that was there, the five elements but for the serial number stay,
// and as of before that everything is as it was.
func (b *estateBed) rebound(t *testing.T) {
	ctx := t.Context()
	ask := func(serial, terminal, note string) error {
		_, err := b.e.changeCare(ctx, &careChange{Rebind: &rebindChange{Serial: serial, Terminal: terminal, Note: note}}, lipair)
		return err
	}
	for name, c := range map[string]struct{ serial, terminal, note, says string }{
		"to itself":          {"CARE000001", b.one.String(), "why not", "already"},
		"no reason":          {"CARE000002", b.one.String(), "", "say why"},
		"works elsewhere":    {"LONE000001", b.one.String(), "swapped", "bring each device back"},
		"not known":          {"NONE", b.one.String(), "swapped", "announced"},
		"no such terminal":   {"CARE000002", "99999999", "swapped", "not registered"},
		"elements not known": {"CARE000002", b.other.String(), "swapped", "five elements"},
	} {
		if err := ask(c.serial, c.terminal, c.note); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	if err := ask("CARE000002", b.one.String(), "read on label and screen by li"); err != nil {
		t.Fatal(err)
	}
	b.ready(t)
	now, err := b.d.Terminal(ctx, dutyOfficer, b.one.String(), &api.AsOf{})
	if err != nil || now.Serial != "CARE000002" || !now.Five.Complete || now.Five.Serial != "CARE000002" || now.Five.Settlement != "****4321" {
		t.Errorf("after: %+v, %v", now.Five, err)
	}
	then, err := b.d.Terminal(ctx, dutyOfficer, b.one.String(), &api.AsOf{AsOf: exactTime(b.at)})
	if err != nil || then.Serial != "CARE000001" || then.Five.Serial != "CARE000001" || !then.Five.Complete {
		t.Errorf("as of before: %+v, %v", then.Five, err)
	}
	for serial, state := range map[string]string{"CARE000001": "returned", "CARE000002": "deployed"} {
		dev, err := b.d.Device(ctx, dutyOfficer, serial, &api.AsOf{})
		if err != nil || dev.State != state {
			t.Errorf("%s is %s, %v", serial, dev.State, err)
		}
	}
	custody, err := b.d.Custody(ctx, dutyOfficer, "dev_CARE000002", &api.AsOf{})
	if err != nil || len(custody.Data) != 3 || custody.Data[0].Step != "device_rebound" || fmt.Sprint(custody.Data[0].By) != "[li zhou]" {
		t.Errorf("custody: %+v, %v", custody, err)
	}
	line, err := b.d.Timeline(ctx, dutyOfficer, b.one.String(), &api.TimelineQuery{Span: "all"})
	moves := 0
	for _, m := range line.Marks {
		if m.Lane == laneMove {
			moves++
		}
	}
	if err != nil || moves < 3 {
		t.Errorf("timeline: %+v, %v", line, err)
	}
	if permits, err := b.d.TerminalPermit(ctx, dutyOfficer, b.one.String(), &api.AsOf{}); err != nil || permits.Sell != "yes" {
		t.Errorf("permit: %+v, %v", permits, err)
	}
}
