package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"touchstone/fleet"
	"touchstone/pos"
)

// Help is shown by touchstone device --help.
func (deviceCmd) Help() string {
	return `A device's life: announced by its maker, received, deployed, moved, in repair, back, retired, destroyed. Every step is of two
people: --as NAME --with NAME when both are here, else the second says touchstone approve. Only a deployed device may sell.

  touchstone device announce --data shop --serial 00000304S30000000001 --model "Sample S30" --hardware B --maker "Sample Maker" \
      --seal SEAL-0001 --source "Sample Maker" --shipment WB-77 --as li --with zhou
  touchstone device receive 00000304S30000000001 --data shop --seal SEAL-0001 --source "Sample Maker" --as li --with zhou
  touchstone device deploy 00000304S30000000001 --data shop --terminal 10000001 --credit-code-file code.txt \
      --settlement-file account.txt --address "上海市示例路 1 号" --site counter --component a.hex --component b.hex --as li --with zhou
  touchstone device show 00000304S30000000001 --data shop --as-of 2026-11-01
  touchstone device list --data shop --csv > five-elements.csv`
}

// careFlags are those of an act on devices: who, where, and the language of what is said.
type careFlags struct {
	actFlags
	Lang string `name:"lang" default:"en" enum:"en,zh" help:"en or zh."`
}

// do carries an act out, or proposes it, and says in the person's language what became of it.
func (f *careFlags) do(a *app, c change) (changed, error) {
	if err := f.sign(f.Data, &c); err != nil {
		return changed{}, err
	}
	told, err := f.carryOut(a, c)
	if err != nil {
		return changed{}, err
	}
	show, err := newLines(a.stdout, f.Lang, false)
	if err != nil {
		return changed{}, err
	}
	if told.Proposal != "" {
		_, err := fmt.Fprintf(a.stdout, show.two("proposed %s: nothing is done until a second person agrees\n  %s approve %s --data %s --as NAME\n",
			"已提议 %s: 须第二人同意后才生效\n  %s approve %s --data %s --as 账号\n"), told.Proposal, program(), told.Proposal, f.Data)
		return told, err
	}
	_, err = fmt.Fprintln(a.stdout, show.careTold(&told))
	return told, err
}

// deviceAnnounce takes a maker's announcement.
type deviceAnnounce struct {
	careFlags
	File      string `name:"file" help:"The maker's list, CSV with the header serial,model,hardware,maker,seal,source,shipment; at most 20 devices." placeholder:"FILE" xor:"one"`
	Serial    string `name:"serial" help:"One device's serial number." xor:"one"`
	Model     string `name:"model"`
	Hardware  string `name:"hardware" help:"Hardware version."`
	Maker     string `name:"maker"`
	Seal      string `name:"seal" help:"Number of the seal it leaves the factory under."`
	Source    string `name:"source" help:"Who sends it."`
	Shipment  string `name:"shipment" help:"Waybill."`
	Licence   string `name:"licence" default:"P3100" help:"Network licence (入网认证编号)."`
	Type      string `name:"type" default:"04" help:"Device type, two digits."`
	InService bool   `name:"in-service" help:"They are registered and work already, and go through their life anew: each stops until it is deployed."`
}

// Run announces.
func (c *deviceAnnounce) Run(a *app) error {
	request := &announceChange{Licence: c.Licence, DeviceType: c.Type, InService: c.InService}
	switch {
	case c.File != "":
		list, err := readAnnouncements(c.File)
		if err != nil {
			return err
		}
		request.Devices = list
	case c.Serial != "":
		request.Devices = []fleet.Announcement{{Serial: pos.Serial(c.Serial), Model: c.Model, Hardware: c.Hardware, Maker: c.Maker, Seal: c.Seal, Source: c.Source, Shipment: c.Shipment}}
	default:
		return errors.New("want --serial with its words, or the maker's --file")
	}
	_, err := c.do(a, change{Care: &careChange{Announce: request}})
	return err
}

// deviceReceive checks what came against what was announced.
type deviceReceive struct {
	careFlags
	Serial string `arg:"" help:"Serial number on its label."`
	Seal   string `name:"seal" required:"" help:"Number of the seal that it bears."`
	Source string `name:"source" required:"" help:"Who sent it, by the delivery note."`
	Broken bool   `name:"seal-broken" help:"The seal is not whole."`
}

// Run receives; a device that is not as announced is quarantined, and the exit code is 1.
func (c *deviceReceive) Run(a *app) error {
	told, err := c.do(a, change{Care: &careChange{Receive: &fleet.Receipt{Serial: pos.Serial(c.Serial), Seal: c.Seal, Source: c.Source, SealGood: !c.Broken}}})
	if err == nil && told.Facts["state"] == string(fleet.Quarantined) {
		return exitError{1}
	}
	return err
}

// elementFlags are the five elements of 银发〔2021〕259号, the merchant's own code apart, and the classes of the place.
type elementFlags struct {
	Acquirer   string `name:"acquirer" help:"Acquirer code. Default: the host's own (DE32)." placeholder:"DIGITS"`
	CreditCode string `name:"credit-code-file" help:"File with the merchant's unified social credit code (统一社会信用代码)." placeholder:"FILE" xor:"credit"`
	PersonalID string `name:"responsible-id-file" help:"File with the ID of a small merchant's responsible person." placeholder:"FILE" xor:"credit"`
	Settlement string `name:"settlement-file" help:"File with the settlement account." placeholder:"FILE"`
	Address    string `name:"address" help:"Installation address."`
	Site       string `name:"site" default:"" enum:",counter,mobile,unattended,open_public" help:"Class of the place: counter, mobile, unattended, open_public."`
	Risk       string `name:"risk" default:"" enum:",low,normal,high" help:"Risk of the place: low, normal, high."`
	Network    string `name:"network-class" default:"" enum:",private,public" help:"Who shares its network: private or public."`
	Place      string `name:"place" help:"Where it stands: latitude,longitude,metres." placeholder:"PLACE"`
}

// elements has the numbers in the files hashed by the module of the data directory: they are in no request.
func (f *elementFlags) elements(a *app, dir *directoryFlags) (fleet.Elements, error) {
	e := fleet.Elements{Acquirer: f.Acquirer, Address: f.Address, Site: fleet.SiteClass(f.Site), Risk: fleet.Risk(f.Risk), Network: fleet.NetworkClass(f.Network)}
	for _, s := range []struct {
		kind, file string
		into       *fleet.Sealed
	}{{fleet.CreditCode, f.CreditCode, &e.Credit}, {fleet.PersonalID, f.PersonalID, &e.Credit}, {fleet.SettlementAccount, f.Settlement, &e.Settlement}} {
		if s.file == "" {
			continue
		}
		abs, err := filepath.Abs(s.file)
		if err != nil {
			return fleet.Elements{}, err
		}
		if err := dir.question(a, change{Seal: &sealQuery{Kind: s.kind, File: abs}}, s.into); err != nil {
			return fleet.Elements{}, err
		}
	}
	return e, nil
}

// deviceDeploy binds a device to a terminal.
type deviceDeploy struct {
	careFlags
	elementFlags
	Serial     string   `arg:"" help:"Serial number."`
	Terminal   string   `name:"terminal" required:"" help:"The terminal it works at; it must be registered."`
	Components []string `name:"component" help:"Component of a new master key, where another device was there before; one from each of two people." placeholder:"FILE"`
}

// Run deploys. What is not said is taken from the terminal's last binding.
func (c *deviceDeploy) Run(a *app) error {
	e, err := c.elements(a, &c.directoryFlags)
	if err != nil {
		return err
	}
	if e.Risk == "" {
		e.Risk = fleet.NormalRisk
	}
	files, err := absolute(c.Components)
	if err != nil {
		return err
	}
	_, err = c.do(a, change{Care: &careChange{Deploy: &deployChange{Serial: c.Serial, Terminal: c.Terminal, Elements: e, Place: c.Place, Components: files}}})
	return err
}

// deviceMove lets a deployed device work elsewhere.
type deviceMove struct {
	careFlags
	elementFlags
	Serial string `arg:"" help:"Serial number."`
}

// Run moves; what is not said stays.
func (c *deviceMove) Run(a *app) error {
	e, err := c.elements(a, &c.directoryFlags)
	if err != nil {
		return err
	}
	if e == (fleet.Elements{}) && c.Place == "" {
		return errors.New("nothing changes: say --address, --site, --risk, --network-class or --place")
	}
	_, err = c.do(a, change{Care: &careChange{Move: &moveChange{Serial: c.Serial, Elements: e, Place: c.Place}}})
	return err
}

// deviceRebind binds the device that works at a terminal in another's place.
type deviceRebind struct {
	careFlags
	Serial   string `arg:"" help:"Serial number of the device that works there: what its messages present."`
	Terminal string `name:"terminal" required:"" help:"Terminal." placeholder:"ID"`
	Note     string `name:"note" required:"" help:"Why, and how it was made sure." placeholder:"WORDS"`
}

// Run binds; the master key stays, and the device that left goes to stock.
func (c *deviceRebind) Run(a *app) error {
	_, err := c.do(a, change{Care: &careChange{Rebind: &rebindChange{Serial: c.Serial, Terminal: c.Terminal, Note: c.Note}}})
	return err
}

type leaveFlags struct {
	careFlags
	Serial string `arg:"" help:"Serial number."`
	Note   string `name:"note" required:"" help:"Why, and who takes it." placeholder:"WORDS"`
}

func (c *leaveFlags) leave(a *app, step, seal string) error {
	_, err := c.do(a, change{Care: &careChange{Leave: &leaveChange{Step: step, Serial: c.Serial, Note: c.Note, Seal: seal}}})
	return err
}

type deviceRepair struct{ leaveFlags }

// Run sends the device to repair.
func (c *deviceRepair) Run(a *app) error { return c.leave(a, "repair", "") }

type deviceReturn struct {
	leaveFlags
	Seal string `name:"seal" required:"" help:"Number of the seal that was put on."`
}

// Run takes the device back into stock.
func (c *deviceReturn) Run(a *app) error { return c.leave(a, "return", c.Seal) }

type deviceLose struct{ leaveFlags }

// Run records that the device was lost or stolen. One person's word is enough: it only stops.
func (c *deviceLose) Run(a *app) error { return c.leave(a, "lose", "") }

type deviceRetire struct{ leaveFlags }

// Run retires the device, for good.
func (c *deviceRetire) Run(a *app) error { return c.leave(a, "retire", "") }

type deviceDestroy struct{ leaveFlags }

// Run records the device's destruction.
func (c *deviceDestroy) Run(a *app) error { return c.leave(a, "destroy", "") }

// deviceShow shows one device.
type deviceShow struct {
	directoryFlags
	Subject string `arg:"" help:"Serial number, or the terminal it works at."`
	AsOf    string `name:"as-of" help:"As it was on a day, its end (YYYY-MM-DD), or at an instant (RFC 3339)." placeholder:"DATE"`
	JSON    bool   `name:"json" help:"One JSON object."`
	Lang    string `name:"lang" default:"en" enum:"en,zh" help:"en or zh."`
}

// asOf reads a day, of which the last instant counts, or an instant. None is now, and so is today, as the interface has it.
func asOf(text string) (pos.Instant, error) {
	if text == "" {
		return 0, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		end := day.AddDate(0, 0, 1)
		if now := time.Now(); !day.After(now) && end.After(now) {
			return 0, nil
		}
		return pos.Instant(end.UnixNano() - 1), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, fmt.Errorf("--as-of %.40q: want a day such as 2026-11-01, or an instant such as 2026-11-01T10:00:00+08:00", text)
	}
	return pos.Instant(at.UnixNano()), nil
}

// Run shows the device.
func (c *deviceShow) Run(a *app) error {
	at, err := asOf(c.AsOf)
	if err != nil {
		return err
	}
	var answer careAnswer
	if err := c.question(a, change{Devices: &careQuery{Serial: c.Subject, AsOf: at}}, &answer); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(answer.Devices[0])
	}
	show, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	return show.device(&answer.Devices[0], at, answer.Now)
}

// deviceList lists devices.
type deviceList struct {
	directoryFlags
	State string `name:"state" help:"Only these: announced, quarantined, received, deployed, in_repair, returned, retired, destroyed."`
	AsOf  string `name:"as-of" help:"As they were on a day (its end), or at an instant." placeholder:"DATE"`
	CSV   bool   `name:"csv" help:"The five elements in force, for the clearing institution."`
	JSON  bool   `name:"json" help:"One JSON object a line."`
	Lang  string `name:"lang" default:"en" enum:"en,zh" help:"en or zh."`
}

// Run lists.
func (c *deviceList) Run(a *app) error {
	at, err := asOf(c.AsOf)
	if err != nil {
		return err
	}
	var answer careAnswer
	if err := c.question(a, change{Devices: &careQuery{List: true, State: c.State, AsOf: at}}, &answer); err != nil {
		return err
	}
	switch {
	case c.CSV:
		return writeElements(a.stdout, answer.Devices)
	case c.JSON:
		enc := json.NewEncoder(a.stdout)
		for i := range answer.Devices {
			if err := enc.Encode(&answer.Devices[i]); err != nil {
				return err
			}
		}
		return nil
	}
	show, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	return show.devices(answer.Devices)
}

// elementsHeader names the columns of the export.
var elementsHeader = []string{"serial", "acquirer", "merchant", "credit_kind", "credit_hash", "credit_last", "settlement_hash", "settlement_last", "address",
	"terminal", "model", "site", "risk", "network", "from", "until", "by"}

// writeElements writes a row for each device that has the five elements at the instant asked for.
func writeElements(w io.Writer, list []shownDevice) error {
	out := csv.NewWriter(w)
	if err := out.Write(elementsHeader); err != nil {
		return err
	}
	for _, d := range list {
		b := d.Binding
		if b == nil {
			continue
		}
		until := ""
		if b.Until != 0 {
			until = b.Until.Time().Format(time.RFC3339)
		}
		row := []string{string(b.Serial), b.Acquirer, b.Merchant.String(), b.Credit.Kind, b.Credit.Hash, b.Credit.Last, b.Settlement.Hash, b.Settlement.Last,
			b.Address, b.Terminal.String(), d.Model, string(b.Site), string(b.Risk), string(b.Network), b.From.Time().Format(time.RFC3339), until, strings.Join(b.By, "+")}
		for i, cell := range row {
			// A cell that a spreadsheet would compute is text: a person typed the address.
			if strings.ContainsRune("=+-@\t\r", rune((cell + " ")[0])) {
				row[i] = "'" + cell
			}
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
