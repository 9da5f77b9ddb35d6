package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // what a photograph may be
	_ "image/png"
	"io"
	"os"
	"path/filepath"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/staff"
)

// inspectChange is an inspector's visit. Photographs are files, read where the change is applied.
type inspectChange struct {
	Subject     string            `json:"subject" doc:"Serial number or terminal." example:"00000011"`
	Answers     map[string]string `json:"answers" doc:"What was found, by item of the checklist."`
	Note        string            `json:"note,omitempty"`
	Photographs []string          `json:"photographs,omitempty" file:"upload" doc:"Photographs, JPEG or PNG, uploaded before."`
}

// subject finds the device of an inspection by serial number or terminal.
func (e *engine) subject(name string) (device *registry.Device, t *registry.Terminal, err error) {
	if id, err := pos.ParseTerminalID(name); err == nil {
		if t, err := e.ledger.Terminal(id); err == nil {
			device, err := e.ledger.Device(t.Serial)
			return device, t, err
		}
	}
	device, err = e.ledger.Device(pos.Serial(name))
	if errors.Is(err, ledger.ErrUnknown) {
		return nil, nil, fmt.Errorf("%.50q is neither a registered terminal nor a registered device", name)
	}
	return device, e.terminalOf(pos.Serial(name)), err
}

// inspect records a visit. What raises an alarm quarantines the device before the answer.
func (e *engine) inspect(ctx context.Context, c *inspectChange, who fleet.Who) (changed, error) {
	device, t, err := e.subject(c.Subject)
	if err != nil {
		return changed{}, err
	}
	visit := fleet.Visit{Serial: device.Serial, Model: device.Model, Answers: c.Answers, Note: c.Note}
	if t != nil {
		visit.Terminal, visit.Merchant = t.ID, t.Merchant
	}
	var contents [][]byte
	for _, path := range c.Photographs {
		p, content, err := e.photograph(path)
		if err != nil {
			return changed{}, e.act(ctx, func(*rooms, pos.Instant) ([]journal.Draft, error) {
				why := fmt.Sprintf("device %s: %v", device.Serial, err)
				return nil, &journal.Refusal{Kind: journal.KindFleet, Verb: "inspection_recorded", Actors: who.Actors, Why: why, Err: err}
			})
		}
		visit.Photos, contents = append(visit.Photos, p), append(contents, content)
	}
	decide := func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return fleet.Inspect(r.fleet, visit, who, now)
	}
	if len(contents) > 0 {
		// A file is kept only for an inspection that will stand.
		if err := e.foresee(ctx, decide); err != nil {
			return changed{}, err
		}
	}
	for i, content := range contents {
		if visit.Photos[i].Digest, err = e.keepFile(content); err != nil {
			return changed{}, err
		}
	}
	if _, err := e.careAct(ctx, careEffect{}, decide); err != nil {
		return changed{}, err
	}
	var made fleet.Inspection
	e.office.view(func(r *rooms) { made = *r.fleet.LastInspection(device.Serial) })
	return toldInspection(&made), nil
}

func toldInspection(i *fleet.Inspection) changed {
	what := fmt.Sprintf("inspection %s of device %s: passed, next due %s", i.ID, i.Serial, i.Due.Time().Format("2006-01-02"))
	facts := map[string]string{"inspection": i.ID, "serial": string(i.Serial), "result": "passed", "due": i.Due.Time().Format("2006-01-02")}
	if !i.Passed {
		facts["result"] = "failed"
		what = fmt.Sprintf("inspection %s of device %s: FAILED", i.ID, i.Serial)
		var list string
		for _, f := range i.Findings {
			list += fmt.Sprintf("\n  %s: %s, expected %s", f.Item, f.Presented, f.Expected)
		}
		what += list
		facts["findings"] = list
	}
	if i.Alarm {
		facts["finding"], facts["quarantined"] = i.Finding, "true"
		what += "\n" + careQuarantined
	}
	return changed{What: what, Facts: facts}
}

// careQuarantined is what an inspector has to do then.
const careQuarantined = "device quarantined: it is refused from now on. Do not switch it off, do not open it; keep the evidence."

// errPhotograph is a file that is no photograph.
var errPhotograph = errors.New("not a photograph")

// photograph reads a file and proves by its header that it is a picture. It is kept as it came: what a camera wrote
// into it is evidence.
func (e *engine) photograph(path string) (fleet.Photograph, []byte, error) {
	var policy fleet.CarePolicy
	e.office.view(func(r *rooms) { policy = r.fleet.CarePolicy() })
	limit := policy.Photograph
	bad := func(why string) (fleet.Photograph, []byte, error) {
		return fleet.Photograph{}, nil, fmt.Errorf("%w: %.60s: %s", errPhotograph, filepath.Base(path), why)
	}
	f, err := os.Open(path)
	if err != nil {
		return fleet.Photograph{}, nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, int64(limit.Bytes)+1))
	switch {
	case err != nil:
		return fleet.Photograph{}, nil, err
	case len(content) > limit.Bytes:
		return bad(fmt.Sprintf("more than %d bytes", limit.Bytes))
	}
	c, kind, err := image.DecodeConfig(bytes.NewReader(content))
	switch {
	case err != nil || kind != "jpeg" && kind != "png":
		return bad("neither JPEG nor PNG")
	case min(c.Width, c.Height) < limit.Least || max(c.Width, c.Height) > limit.Sides:
		return bad(fmt.Sprintf("%d by %d pixels, want sides of %d to %d", c.Width, c.Height, limit.Least, limit.Sides))
	}
	return fleet.Photograph{Digest: digestOf(content), Type: kind, Bytes: len(content), Width: c.Width, Height: c.Height}, content, nil
}

// glanceChange is a cashier's look.
type glanceChange struct {
	Terminal string `json:"terminal" minLength:"8" maxLength:"8" example:"00000011"`
	Operator string `json:"operator" minLength:"1" maxLength:"3" doc:"The cashier's number, as at the sign-in." example:"001"`
	Wrong    string `json:"wrong,omitempty" maxLength:"400" doc:"What is wrong; nothing when not given."`
}

// notAtTheCounter tells that "all well" is said under a number that nobody has in a shop that names its cashiers.
// That something is wrong anybody may say.
func notAtTheCounter(r *rooms, merchant pos.MerchantID, c *glanceChange) string {
	operator, err := pos.ParseOperator(c.Operator)
	if c.Wrong != "" || err != nil || len(c.Operator) != len(operator) || len(r.staff.Cashiers(merchant.String())) == 0 {
		return ""
	}
	id := staff.CashierID(merchant, operator)
	if known := r.staff.Cashier(id); known != nil && known.Left == 0 {
		return ""
	}
	return "no cashier " + id + " works there"
}

func (e *engine) glance(ctx context.Context, c *glanceChange, actors []string) (changed, error) {
	id, err := pos.ParseTerminalID(c.Terminal)
	if err != nil {
		return changed{}, fmt.Errorf("terminal id: want 8 characters: %w", err)
	}
	t, err := e.ledger.Terminal(id)
	if err != nil {
		return changed{}, err
	}
	if len(actors) == 1 && actors[0] == "setup" {
		actors = nil
	}
	g := fleet.Glance{Terminal: id, Merchant: t.Merchant, Serial: t.Serial, Operator: c.Operator, Wrong: c.Wrong}
	err = e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		if why := notAtTheCounter(r, t.Merchant, c); why != "" {
			return nil, &journal.Refusal{Kind: journal.KindFleet, Verb: "glance_recorded", Actors: []string{"cashier:" + t.Merchant.String() + "/" + c.Operator}, Why: why}
		}
		return fleet.Look(r.fleet, g, fleet.Who{Actors: actors}, now)
	})
	if err != nil {
		return changed{}, err
	}
	var made fleet.Glance
	e.office.view(func(r *rooms) { made = *r.fleet.LastGlance(id) })
	if c.Wrong == "" {
		return changed{What: "terminal " + c.Terminal + ": all well", Facts: map[string]string{"glance": made.ID, "terminal": c.Terminal}}, nil
	}
	return changed{What: fmt.Sprintf("report %s: terminal %s: %s. Do not use it, do not open it; call the service line.", made.ID, c.Terminal, c.Wrong),
		Facts: map[string]string{"glance": made.ID, "terminal": c.Terminal, "wrong": c.Wrong}}, nil
}
