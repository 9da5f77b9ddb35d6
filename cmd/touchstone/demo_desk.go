package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	imagedraw "image/draw"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"touchstone/incident"
	"touchstone/lab"
	"touchstone/pos"
	"touchstone/redress"
	"touchstone/web"
	"touchstone/web/api"
)

// demoDesk is what the people of the demonstration do while its terminals sell: the laboratory examines a sound sample and
// a bad one; what a customer reports joins an incident; claims are made, and one is decided. Every step is an act of
// theirs, with the same duties and second persons as anybody's, and one that was done in an earlier run is left.
type demoDesk struct {
	*desk
	pace time.Duration // between looks
}

// demoPace is how often the people look whether there is something to do.
const demoPace = 2 * time.Second

func (p *demoDesk) play(ctx context.Context) {
	for _, step := range []func(context.Context) error{p.hangPictures, p.fillShowroom, p.examineAll, p.lookAfter} {
		if err := step(ctx); err != nil && ctx.Err() == nil {
			p.log.Warn("the people of the demonstration stopped", slog.String("error", err.Error()))
		}
	}
}

// person is one of the sample people, as the door would have proven them.
func person(name string) *web.Caller {
	for _, a := range samplePeople {
		if a.Name == name {
			return &web.Caller{Account: a.Name, FullName: a.FullName, Roles: a.Roles, Via: web.BySession}
		}
	}
	return nil
}

// do carries an act out, with a second person's approval where one is named.
func (p *demoDesk) do(ctx context.Context, act string, body any, first, second string) (api.Done, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return api.Done{}, err
	}
	done, err := p.Act(ctx, person(first), act, raw)
	if err != nil || second == "" {
		return done, err
	}
	if raw, err = json.Marshal(approveChange{ID: done.Proposal}); err != nil {
		return api.Done{}, err
	}
	return p.Act(ctx, person(second), "approve", raw)
}

// examineAll has the laboratory examine two sound samples, which get their certificates, that of the visitors' model among
// them, and one of the bad model with a key left in its package.
func (p *demoDesk) examineAll(ctx context.Context) error {
	var begun bool
	p.office.view(func(r *rooms) { begun = len(r.lab.Runs()) > 0 })
	if begun || len(p.bench.host.targets) < 2 {
		return nil
	}
	now := p.clock()
	scope, err := p.do(ctx, "lab", map[string]any{"scope": map[string]any{"targets": p.bench.host.targets, "from": (now - pos.Instant(time.Minute)).Time(), "until": (now + pos.Instant(12*time.Hour)).Time(), "rate": 200}}, "qian", "")
	if err != nil {
		return err
	}
	for _, order := range []api.ExamineOrder{{Model: commonModel, Application: sampleApp}, {Model: visitorModel, Application: sampleApp}, {Model: badModel, Application: "1.0.1", Flaws: []string{"secret"}}} {
		order.Sample, order.Scope = true, scope.Facts["scope"]
		done, err := p.Examine(ctx, person("wu"), order)
		if err != nil {
			return err
		}
		run := done.Facts["run"]
		if !p.until(ctx, func(r *rooms) bool { x := r.lab.Run(run); return x != nil && x.State == lab.Complete || p.halted(run) }) {
			return nil
		}
		if len(order.Flaws) == 0 && !p.halted(run) {
			if _, err := p.do(ctx, "lab", labChange{Issue: run}, "wu", "zheng"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *demoDesk) halted(run string) bool {
	_, why := p.bench.stands(run)
	return why != ""
}

// until waits for the rooms; false when the demonstration is over.
func (p *demoDesk) until(ctx context.Context, f func(r *rooms) bool) (came bool) {
	for ctx.Err() == nil {
		if p.office.view(func(r *rooms) { came = f(r) }); came {
			return true
		}
		pause(ctx, p.pace)
	}
	return false
}

// lookAfter waits for an incident whose terminals sold something, and does what its consumers are owed.
func (p *demoDesk) lookAfter(ctx context.Context) error {
	var claimed bool
	p.office.view(func(r *rooms) { claimed = len(r.redress.Claims("")) > 0 })
	if claimed {
		return nil
	}
	for ctx.Err() == nil {
		var open []*incident.Incident
		p.office.view(func(r *rooms) { open = r.incident.Incidents() })
		for _, i := range open {
			if i.State == incident.Closed || i.Drill || len(i.Scope.Terminals) == 0 {
				continue
			}
			if list := p.frozen(ctx, i.ID); len(list) > 1 {
				return p.serveIncident(ctx, i, list)
			}
		}
		pause(ctx, p.pace)
	}
	return nil
}

// frozen freezes the sales of an incident's terminals and returns those that a claim can tell from others.
func (p *demoDesk) frozen(ctx context.Context, id string) (distinct []redress.Exposed) {
	from := p.clock().Add(-exposedWindow)
	a, ids, err := p.scope(redress.Scope{Incident: id, From: from})
	if err != nil {
		return nil
	}
	var list []redress.Exposed
	if _, err := p.exposedSales(ctx, ids, a.Scope.From, a.Scope.To, func(x *redress.Exposed) error {
		list = append(list, *x)
		return nil
	}); err != nil || len(list) < 2 {
		return nil
	}
	if _, err := p.do(ctx, "exposure", exposureChange{redress.Scope{Incident: id, From: from}}, "chen", ""); err != nil {
		return nil
	}
	for i, x := range list {
		if !slices.ContainsFunc(list[:i], func(o redress.Exposed) bool { return o.Amount == x.Amount && o.Terminal == x.Terminal }) {
			distinct = append(distinct, x)
		}
	}
	return distinct
}

// serveIncident is the work on one incident: reports, notices, claims.
func (p *demoDesk) serveIncident(ctx context.Context, i *incident.Incident, list []redress.Exposed) error {
	terminal := i.Scope.Terminals[0]
	if _, err := p.do(ctx, "incident", incidentChange{Op: incidentAssign, ID: i.ID, Owner: "qian"}, "qian", ""); err != nil {
		return err
	}
	photo, contact, err := p.sampleEvidence()
	if err != nil {
		return err
	}
	defer os.Remove(photo)
	defer os.Remove(contact)
	for n, report := range []reportChange{
		{Kind: "refused", Terminal: terminal, Text: "My card was refused three times although the machine next to it took it.\n同一张卡在旁边的机器上可以刷, 在这台上被拒三次。"},
		{Kind: "skimmer", Terminal: terminal, Text: "The rim of the card slot is loose, and it was not last week.\n插卡口边框松动, 上周不是这样。", Photos: []string{photo}, Contact: contact},
	} {
		told, err := p.apply(ctx, change{Report: &report})
		if err != nil {
			return err
		}
		if n == 0 {
			if _, err := p.do(ctx, "incident", incidentChange{Op: incidentJoin, Report: told.Facts["report"], ID: i.ID}, "chen", ""); err != nil {
				return err
			}
		}
	}
	if err := p.tellOthers(ctx, i.ID); err != nil {
		return err
	}
	for n := range min(3, len(list)) {
		if err := p.claimFor(ctx, &list[n], i.ID, n == 0); err != nil {
			return err
		}
	}
	return nil
}

// tellOthers drafts the notices and has two people send them.
func (p *demoDesk) tellOthers(ctx context.Context, id string) error {
	if p.notices == nil {
		return nil
	}
	if _, err := p.do(ctx, "notice_draft", noticeDraftChange{Incident: id}, "chen", ""); err != nil {
		return err
	}
	seen, err := p.noticesOf(&noticesQuery{Incident: id})
	if err != nil {
		return err
	}
	_, err = p.do(ctx, "notice_send", noticeSendChange{id, seen.Set}, "chen", "wang")
	return err
}

// claimFor is what a consumer reads off a receipt; pay has two people decide for it.
func (p *demoDesk) claimFor(ctx context.Context, x *redress.Exposed, id string, pay bool) error {
	day := x.At.Time().In(p.line.Zone)
	told, err := p.apply(ctx, change{Claim: &claimChange{Date: pos.Date(day.Year()*10000 + int(day.Month())*100 + day.Day()), Amount: x.Amount, Last4: x.Last4(), Terminal: x.Terminal.String(),
		RRN: x.Seq, Incident: id, Reason: "I did not know that this machine was not in order. 我不知道这台机器有问题。"}})
	if errors.Is(err, redress.ErrClaim) {
		return nil // refunded at the counter meanwhile
	}
	if err != nil || !pay {
		return err
	}
	_, err = p.do(ctx, "decision", decisionChange{told.Facts["claim"], redress.Decision{Approve: true, Refund: x.Amount, Compensation: 2000, Payer: redress.PayMaker, Why: "the trouble of a new card"}}, "chen", "wang")
	return err
}

// sampleEvidence draws what stands in for a photograph, and writes down whom to call.
func (p *demoDesk) sampleEvidence() (photo, contact string, err error) {
	picture := image.NewRGBA(image.Rect(0, 0, 480, 360))
	fill := func(x, y, w, h int, c color.RGBA) {
		imagedraw.Draw(picture, image.Rect(x, y, x+w, y+h), image.NewUniform(c), image.Point{}, imagedraw.Src)
	}
	fill(0, 0, 480, 360, color.RGBA{214, 207, 196, 255})
	fill(150, 30, 180, 300, color.RGBA{44, 52, 56, 255}) // the terminal
	fill(166, 48, 148, 84, color.RGBA{158, 196, 178, 255})
	for row := range 4 {
		for column := range 3 {
			fill(172+column*48, 150+row*34, 38, 24, color.RGBA{206, 212, 214, 255})
		}
	}
	fill(142, 296, 196, 20, color.RGBA{92, 84, 72, 255}) // and the rim that does not belong there
	fill(176, 304, 128, 4, color.RGBA{18, 18, 18, 255})
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return "", "", err
	}
	photo, contact = filepath.Join(p.dir, "sample-photograph.png"), filepath.Join(p.dir, "sample-contact.txt")
	if err := os.WriteFile(photo, out.Bytes(), 0o600); err != nil {
		return "", "", err
	}
	return photo, contact, os.WriteFile(contact, fmt.Appendln(nil, "何小姐 Ms He, 138-0000-0000"), 0o600)
}
