package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/releases"
	"touchstone/staff"
)

// What the demonstration's estate looks back on, so that no page of it is empty: a weakness of the old model with a
// campaign that is nearly through, inspections that are due, and trainings that lapsed. The rules decide all of it, as they
// would have then; it is made up, and its actor is setup.
const (
	pastCampaign = 2 * 24 * time.Hour  // ago it began
	restCampaign = 12 * 24 * time.Hour // until its deadline
	fixedApp     = "1.0.1"             // of the old model, on hardware 2.0 alone
	formerApp    = "0.9.0"             // of the common model, before
	commonModel  = "Sample S10"
)

// sampleAdvisory is what the made-up maker publishes of two of its models; OSV.
const sampleAdvisory = `{"schema_version":"1.7.0","id":"x_sample-2026-7","modified":"2026-11-20T08:00:00Z","summary":"Sample S20, Sample S10: the receipt buffer keeps the last card number",
"details":"Sample S20 before 1.0.1 and Sample S10 before 1.0.0 keep the last card number in memory after the receipt was printed. Somebody who opens the device can read it.",
"affected":[{"database_specific":{"vendor":"Sample Maker","terminal_model":"Sample S20","hardware_versions":"vers:generic/*"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.0.1"}]}]},
{"database_specific":{"vendor":"Sample Maker","terminal_model":"Sample S10","hardware_versions":"vers:generic/*"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.0.0"}]}]}],
"database_specific":{"severity":"medium","details_zh":"Sample S20 在 1.0.1 之前、Sample S10 在 1.0.0 之前的应用, 打印签购单后内存中仍保留上一张卡号; 拆机者可读出。"}}
`

// seedPast gives the estate of the demonstration a past, once.
func (e *engine) seedPast(ctx context.Context) error {
	known := false
	e.office.view(func(r *rooms) { known = len(r.fleet.Advisories()) > 0 })
	if known {
		return nil
	}
	if err := e.seedFix(ctx); err != nil {
		return err
	}
	if err := e.seedCampaign(ctx); err != nil {
		return err
	}
	if err := e.seedVisits(ctx); err != nil {
		return err
	}
	if err := e.seedTrainings(ctx); err != nil {
		return err
	}
	text := strings.Replace(string(e.permits.standard.Text), `name = "standard"`, `name = "demonstration"`, 1)
	if _, err := e.changePermitPolicy(ctx, &permitPolicyChange{Text: text}, []string{"setup"}); err != nil {
		return err
	}
	return e.permits.settle(ctx)
}

// seedFix publishes the version of the old model that is well, which its first hardware cannot run.
func (e *engine) seedFix(ctx context.Context) error {
	e.publishing.Lock()
	defer e.publishing.Unlock()
	repository := e.repository(releases.DefaultLives())
	content := fmt.Appendf(nil, "sample application of %s, version %s: it stands for the bytes that a device runs\n", oldModel, fixedApp)
	sum := sha256.Sum256(content)
	r := fleet.Release{Model: oldModel, Hardware: "vers:generic/>=2.0", Version: fixedApp, Target: fleet.TargetPath(oldModel, fixedApp), Digest: hex.EncodeToString(sum[:]), Length: int64(len(content)),
		State: fleet.Current, Notes: "Sample. Wipes the receipt buffer.", NotesZH: "示例。打印后清除签购单缓存。"}
	if err := repository.Keep(targetOf(&r), content); err != nil {
		return err
	}
	if err := e.act(ctx, func(rooms *rooms, now pos.Instant) ([]journal.Draft, error) {
		return fleet.Publish(rooms.fleet, &r, []string{"setup"}, now)
	}); err != nil {
		return fmt.Errorf("sample release: %w", err)
	}
	people, err := e.targetKeys(sampleSigners, nil)
	if err != nil {
		return err
	}
	_, err = e.writeTargets(ctx, repository, people, []string{"setup"})
	return err
}

// seedCampaign takes the sample advisory in, with the campaign that answers it and the hours in which it burned down. All is
// one act: no terminal is restricted between the advisory and its campaign.
func (e *engine) seedCampaign(ctx context.Context) error {
	a, err := readAdvisory([]byte(sampleAdvisory))
	if err != nil {
		return err
	}
	if a.Digest, err = e.keepFile([]byte(sampleAdvisory)); err != nil {
		return err
	}
	scratch, places := fleet.NewState(), e.places()
	seq := uint64(0)
	fold := func(changes []journal.Change) error {
		for _, c := range changes {
			seq++
			if err := scratch.Fold(seq, c); err != nil {
				return err
			}
		}
		return nil
	}
	var made []journal.Change
	take := func(drafts []journal.Draft, err error) error {
		if err != nil || len(drafts) == 0 {
			return err
		}
		made = append(made, drafts[0].Act.Changes...)
		return fold(drafts[0].Act.Changes)
	}
	if err := fold(e.releaseChanges()); err != nil {
		return err
	}
	begun := e.clock().Add(-pastCampaign)
	var common []*registry.Device
	for _, p := range places {
		if p.Device.Model == commonModel {
			common = append(common, p.Device)
		}
	}
	run := func(list []*registry.Device, version string, at pos.Instant) error {
		var presented []fleet.Presentation
		for _, d := range list {
			presented = append(presented, fleet.Presentation{Device: d, Version: version, At: at})
		}
		for _, d := range fleet.Learn(scratch, presented) {
			if err := fold(d.Act.Changes); err != nil {
				return err
			}
		}
		return nil
	}
	if err := run(common, formerApp, begun); err != nil {
		return err
	}
	drafts, _, err := fleet.Add(scratch, a, []string{"setup"}, begun)
	if err := take(drafts, err); err != nil {
		return err
	}
	c := fleet.Campaign{Advisory: "ADV-1", Restriction: "full", After: "no_refund", Deadline: begun.Add(pastCampaign + restCampaign)}
	drafts, id, err := fleet.Start(scratch, &c, places, []string{"setup"}, begun)
	if err := take(drafts, err); err != nil {
		return err
	}
	for n, at := 0, begun; n < len(common); n++ { // one device after the other, each some hours later than the one before
		at = begun.Add(pastCampaign * time.Duration(n+1) / time.Duration(len(common)+2))
		if err := run(common[n:n+1], sampleApp, at); err != nil {
			return err
		}
		if err := take(fleet.Progress(scratch, scratch.Campaign(id), places, at), nil); err != nil {
			return err
		}
	}
	return e.ledger.Register(ctx, e.clock(), &journal.Draft{Kind: journal.KindFleet, Act: journal.Act{Verb: "campaign_seeded", Actors: []string{"setup"}, Changes: newestOf(made)}})
}

// releaseChanges are the releases as they are, for another state of the room.
func (e *engine) releaseChanges() (changes []journal.Change) {
	e.office.view(func(r *rooms) {
		for _, x := range r.fleet.Releases() {
			if c, err := journal.NewChange(fleet.NounRelease, x.ID, x); err == nil {
				changes = append(changes, c)
			}
		}
	})
	return changes
}

// newestOf keeps the newest record of each noun: a campaign's hours are counted more than once.
func newestOf(all []journal.Change) (list []journal.Change) {
	for _, c := range all {
		list = slices.DeleteFunc(list, func(old journal.Change) bool { return old.Noun == c.Noun && old.ID == c.ID })
		list = append(list, c)
	}
	return list
}

// pastVisit is an inspection of a sample terminal some days ago.
type pastVisit struct {
	terminal string
	days     int
	answer   [2]string // one item that is otherwise than it should be
}

// pastVisits leave some devices due soon, two past due, and one with a finding.
var pastVisits = []pastVisit{{terminal: "00000041", days: 64}, {terminal: "00000042", days: 68}, {terminal: "00000043", days: 71}, {terminal: "00000044", days: 77}, {terminal: "00000045", days: 83}, {terminal: "00000046", days: 87},
	{terminal: "00000049", days: 96}, {terminal: "00000050", days: 104}, {"90000007", 3, [2]string{"seals_intact", "no"}}}

func (e *engine) seedVisits(ctx context.Context) error {
	for _, v := range pastVisits {
		id, err := pos.ParseTerminalID(v.terminal)
		if err != nil {
			return err
		}
		t, err := e.ledger.Terminal(id)
		if err != nil {
			return err
		}
		device, err := e.ledger.Device(t.Serial)
		if err != nil {
			return err
		}
		err = e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
			answers := soundAnswers(r.fleet, t.Serial, "SEAL-"+v.terminal, device.Model)
			if v.answer[0] != "" {
				answers[v.answer[0]] = v.answer[1]
			}
			visit := fleet.Visit{Serial: t.Serial, Terminal: id, Merchant: t.Merchant, Model: device.Model, Answers: answers, Note: "made up for the demonstration"}
			return fleet.Inspect(r.fleet, visit, fleet.Who{Actors: []string{"setup"}}, now.Add(-time.Duration(v.days)*24*time.Hour))
		})
		if err != nil {
			return fmt.Errorf("sample inspection of %s: %w", v.terminal, err)
		}
	}
	return nil
}

// seedTrainings leaves one cashier whose training lapsed, two whose will, and some of the staff trained.
func (e *engine) seedTrainings(ctx context.Context) error {
	bank, err := staff.LoadBank()
	if err != nil {
		return err
	}
	right := map[string]string{}
	for _, q := range bank.Questions {
		right[q.ID] = q.Right
	}
	const year = 365
	for _, x := range []struct {
		shop int
		name string
		days int // ago the test was passed
	}{{2, "毕晓 Bi Xiao", year + 9}, {3, "方圆 Fang Yuan", year - 12}, {4, "石磊 Shi Lei", year - 25}} {
		merchant, operator := sampleMerchant(x.shop), must(pos.ParseOperator("003"))
		at := func(now pos.Instant) pos.Instant { return now.Add(-time.Duration(x.days) * 24 * time.Hour) }
		if err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
			return staff.AddCashier(r.staff, merchant, operator, x.name, []string{"setup"}, at(now).Add(-time.Hour))
		}); err != nil {
			return err
		}
		if err := e.seedTest(ctx, bank, staff.CashierActor(merchant, operator), right, at); err != nil {
			return err
		}
	}
	for _, name := range []string{"chen", "wang", "qian"} {
		if err := e.seedTest(ctx, bank, "account:"+name, right, func(now pos.Instant) pos.Instant { return now }); err != nil {
			return err
		}
	}
	for _, name := range []string{"qian", "sun"} {
		if err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
			return staff.RecordTraining(r.staff, name, staff.IncidentTopic, "made up for the demonstration", []string{"zhao"}, now)
		}); err != nil {
			return err
		}
	}
	return nil
}

// seedTest lets somebody pass the test at a moment.
func (e *engine) seedTest(ctx context.Context, bank *staff.Bank, subject string, right map[string]string, at func(pos.Instant) pos.Instant) error {
	by, id := []string{"setup"}, ""
	seed := hex.EncodeToString(published("training/"+subject, 16))
	if err := e.act(ctx, func(r *rooms, now pos.Instant) (drafts []journal.Draft, err error) {
		t, drafts, err := staff.BeginTraining(r.staff, bank, subject, seed, by, at(now))
		if err == nil {
			id = t.ID
		}
		return drafts, err
	}); err != nil {
		return fmt.Errorf("sample test of %s: %w", subject, err)
	}
	return e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		_, _, drafts, err := staff.EndTraining(r.staff, bank, id, right, by, at(now).Add(time.Minute))
		return drafts, err
	})
}
