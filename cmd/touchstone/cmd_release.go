package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"touchstone/fleet"
	"touchstone/pos"
)

// releaseCmd keeps the applications of terminals.
type releaseCmd struct {
	Init     releaseInit        `cmd:"" help:"Make the repository of releases: two people's keys for root and targets, the machine's for the rest."`
	Publish  releasePublish     `cmd:"" help:"Publish an application file for a model: two people sign."`
	Sign     releaseSign        `cmd:"" help:"Sign a release on a machine of your own, whose key is nowhere else: a package, to be countersigned and sent."`
	Counter  releaseCountersign `cmd:"" name:"countersign" help:"Add your signature to a package that another signed."`
	Import   releaseImport      `cmd:"" help:"Publish a package that two people signed elsewhere."`
	List     releaseList        `cmd:"" help:"Every release, and until when the repository is believed."`
	Withdraw releaseWithdraw    `cmd:"" help:"Say that a release must not be run: two people sign."`
	Support  releaseSupport     `cmd:"" help:"Say until when an older release is good, or make it current again: two people sign."`
	Renew    releaseRenew       `cmd:"" help:"Sign root and targets anew before they expire: two people."`
	Refresh  releaseRefresh     `cmd:"" help:"Sign snapshot and timestamp anew before they expire; a running host does it by itself."`
}

// Help is shown by touchstone release --help.
func (releaseCmd) Help() string {
	return `A repository by The Update Framework (TUF) below DIR/releases/repository; a terminal fetches from it what two people signed.
What applications the host knows as good, outdated or withdrawn follows from this list.

  touchstone release init --data shop --as qian --with sun
  touchstone release publish app-1.0.3.bin --data shop --model 'Sample S20' --hardware '>=2.0' --version 1.0.3 --as qian --with sun
  touchstone release list --data shop
  touchstone terminal update --config shop.toml --repository shop/releases/repository --trusted-root 1.root.json`
}

type releaseInit struct {
	actFlags
	TimestampLife time.Duration `name:"timestamp-life" help:"How long the first timestamp is believed; 0 is a day."`
}

// Run makes the repository.
func (c *releaseInit) Run(a *app) error {
	told, err := c.perform(a, change{Repository: &repositoryChange{Do: "init", TimestampLife: int64(c.TimestampLife / time.Second)}})
	if err == nil && told.Facts["root"] != "" {
		fmt.Fprintf(a.stdout, "root of trust %s\nsha-256 %s\nA terminal is given this file when it is made, not by the network.\n", told.Facts["root"], told.Facts["root_sha256"])
	}
	return err
}

type releaseRenew struct{ actFlags }

// Run renews the repository.
func (c *releaseRenew) Run(a *app) error {
	_, err := c.perform(a, change{Repository: &repositoryChange{Do: "renew"}})
	return err
}

type releaseRefresh struct {
	actFlags
	TimestampLife time.Duration `name:"timestamp-life" help:"How long the timestamp is believed; 0 is a day."`
	SnapshotLife  time.Duration `name:"snapshot-life" help:"Likewise the snapshot; 0 is a week."`
}

// Run refreshes the repository.
func (c *releaseRefresh) Run(a *app) error {
	told, err := c.perform(a, change{Repository: &repositoryChange{Do: "refresh", TimestampLife: int64(c.TimestampLife / time.Second), SnapshotLife: int64(c.SnapshotLife / time.Second)}})
	if err == nil {
		fmt.Fprintln(a.stdout, "believed until", told.Facts["timestamp_expires"])
	}
	return err
}

// keyFlags say where people's keys for targets are, when they are not in the data directory.
type keyFlags struct {
	SigningKeys map[string]string `name:"signing-key" help:"Where an account's key for targets is, when not in DIR/releases/keys." placeholder:"NAME=FILE"`
}

func (f *keyFlags) absolute() (map[string]string, error) {
	for name, path := range f.SigningKeys {
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		f.SigningKeys[name] = abs
	}
	return f.SigningKeys, nil
}

type releasePublish struct {
	actFlags
	keyFlags
	File     string `arg:"" help:"The application file."`
	Model    string `name:"model" required:"" help:"Of the devices it is for, as they are registered."`
	Hardware string `name:"hardware" required:"" help:"Hardware versions it runs on: 2.0, 1.0-1.9, '>=2.0|<3.0', or '*' for all." placeholder:"RANGE"`
	Version  string `name:"version" required:"" help:"Application version as tag A2 presents it, such as 1.0.3; at most 8 characters."`
	State    string `name:"state" default:"current" enum:"current,supported" help:"current: what its hardware is upgraded to; supported: older, and still good."`
	Notes    string `name:"notes" help:"What is new, English."`
	NotesZH  string `name:"notes-zh" help:"What is new, Chinese."`
}

// Run publishes the file.
func (c *releasePublish) Run(a *app) error {
	content, err := readBounded(c.File, fleet.MaxRelease)
	if err != nil {
		return err
	}
	path, err := filepath.Abs(c.File)
	if err != nil {
		return err
	}
	keys, err := c.absolute()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	_, err = c.perform(a, change{Publish: &publishChange{File: path, Digest: hex.EncodeToString(sum[:]), Length: int64(len(content)), Model: c.Model,
		Hardware: c.Hardware, Version: c.Version, State: c.State, Notes: c.Notes, NotesZH: c.NotesZH, Keys: keys}})
	return err
}

type releaseWithdraw struct {
	actFlags
	keyFlags
	Model   string `name:"model" required:"" help:"Its model."`
	Version string `name:"version" required:"" help:"Its version."`
	Why     string `name:"why" required:"" help:"Why it must not be run."`
}

// Run withdraws the release.
func (c *releaseWithdraw) Run(a *app) error {
	keys, err := c.absolute()
	if err != nil {
		return err
	}
	_, err = c.perform(a, change{ReleaseState: &releaseStateChange{Model: c.Model, Version: c.Version, State: string(fleet.Withdrawn), Why: c.Why, Keys: keys}})
	return err
}

type releaseSupport struct {
	actFlags
	keyFlags
	Model   string `name:"model" required:"" help:"Its model."`
	Version string `name:"version" required:"" help:"Its version."`
	Until   string `name:"until" help:"It is outdated from then on, such as 2027-03-31; without: no end." placeholder:"DATE"`
	Current bool   `name:"current" help:"Make it current again."`
	Why     string `name:"why" help:"Why."`
}

// Run changes the support of the release.
func (c *releaseSupport) Run(a *app) error {
	keys, err := c.absolute()
	if err != nil {
		return err
	}
	x := &releaseStateChange{Model: c.Model, Version: c.Version, State: string(fleet.Supported), Why: c.Why, Keys: keys}
	if c.Current {
		x.State = string(fleet.Current)
	}
	if c.Until != "" {
		day, err := time.ParseInLocation(time.DateOnly, c.Until, time.Local)
		if err != nil {
			return fmt.Errorf("--until %q: want a date such as 2027-03-31", c.Until)
		}
		x.Until = pos.Instant(day.UnixNano())
	}
	_, err = c.perform(a, change{ReleaseState: x})
	return err
}

// readFlags are those of a command that shows something.
type readFlags struct {
	directoryFlags
	JSON bool   `name:"json" help:"One JSON object."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// ask asks a question on releases, advisories or campaigns; shown tells that it was answered as JSON already.
func (f *readFlags) ask(a *app, q updatesQuery) (answer updatesAnswer, l *lines, shown bool, err error) {
	if l, err = newLines(a.stdout, f.Lang, false); err != nil {
		return answer, nil, false, err
	}
	if err = f.question(a, change{Updates: &q}, &answer); err != nil || !f.JSON {
		return answer, l, false, err
	}
	return answer, l, true, json.NewEncoder(a.stdout).Encode(&answer)
}

type releaseList struct{ readFlags }

// Run lists the releases.
func (c *releaseList) Run(a *app) error {
	answer, l, shown, err := c.ask(a, updatesQuery{What: "releases"})
	if err != nil || shown {
		return err
	}
	if answer.Repository == nil {
		_, err := fmt.Fprintln(a.stdout, l.two("no repository yet: touchstone release init", "还没有发布仓库: touchstone release init"))
		return err
	}
	fmt.Fprintf(a.stdout, " %s %s %s %s %s %s\n", pad(l.two("id", "编号"), 8), pad(l.two("model", "型号"), 20), pad(l.two("version", "版本"), 9),
		pad(l.two("hardware", "硬件"), 14), pad(l.two("state", "状态"), 10), l.two("published", "发布"))
	for _, r := range answer.Releases {
		state := releaseStateText(l, &r, answer.Now)
		fmt.Fprintf(a.stdout, " %s %s %s %s %s %s  %s\n", pad(r.ID, 8), pad(r.Model, 20), pad(r.Version, 9), pad(r.Hardware, 14), pad(state, 10),
			r.Published.Time().In(l.zone).Format("2006-01-02 15:04"), strings.Join(r.By, ", "))
		if notes := l.two(r.Notes, r.NotesZH); notes != "" {
			fmt.Fprintf(a.stdout, "          %s\n", notes)
		}
	}
	x := answer.Repository.Expiries
	_, err = fmt.Fprintf(a.stdout, l.two("\n believed until: timestamp %s, snapshot %s, targets %s, root %s\n root of trust: %s\n",
		"\n 有效至: timestamp %s, snapshot %s, targets %s, root %s\n 信任根: %s\n"),
		when(l, x.Timestamp), when(l, x.Snapshot), when(l, x.Targets), when(l, x.Root), answer.Repository.Root)
	return err
}

func when(l *lines, t time.Time) string { return t.In(l.zone).Format("2006-01-02 15:04") }

func releaseStateText(l *lines, r *fleet.Release, now pos.Instant) string {
	switch {
	case r.State == fleet.Withdrawn:
		return l.two("withdrawn", "已撤回")
	case r.State == fleet.Supported && r.SupportedUntil != 0 && now >= r.SupportedUntil:
		return l.two("outdated", "已过时")
	case r.State == fleet.Supported:
		return l.two("supported", "支持")
	}
	return l.two("current", "现行")
}
