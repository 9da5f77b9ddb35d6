package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/sqlite"
)

// policyCmd is what one does with a policy before it is in force.
type policyCmd struct {
	Try policyTry `cmd:"" help:"Judge a past period again under another policy: who would be newly refused, and why. Nothing is changed."`
}

// Help is shown by touchstone policy --help.
func (policyCmd) Help() string {
	return `There are two kinds of policy. What a terminal or a cashier may do follows from facts by the permit policy, a TOML file that
two people put in force: touchstone permit policy show, check, set. What the host itself accepts (lifetimes, MACs, lines, places)
is its configuration: touchstone serve --help. Either is tried on what already happened before it is put in force:

  touchstone permit policy check strict.toml
  touchstone policy try strict.toml --data shop --from 2026-11-01 --to 2026-11-08
  touchstone policy try serve.toml strict.toml --data shop --from 2026-11-27T08
  touchstone permit policy set strict.toml --data shop --as qian --with sun`
}

type policyTry struct {
	Files []string `arg:"" name:"file" help:"A permit policy or a configuration of serve in TOML; one of each at most." placeholder:"FILE"`
	journalDirectory
	From string `name:"from" help:"Beginning of the period, such as 2026-11-27, 2026-11-27T08:30 or RFC 3339, local time; without it the first entry." placeholder:"TIME"`
	To   string `name:"to" help:"End of the period, which is not in it; without it the last entry." placeholder:"TIME"`
	List int    `name:"list" default:"20" help:"How many of the messages that come out otherwise are listed, at most 10000."`
	JSON bool   `name:"json" help:"One JSON object."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// Help is shown by touchstone policy try --help.
func (policyTry) Help() string {
	return `Reads the journal only, also while a host runs on it, and needs no key. The register, sessions and the facts of permits are as
they were at each message. What the journal does not keep is not guessed: it is counted as what cannot be told. A file of serve's
counts as serve would take it: a key that it does not name has serve's default. Keys that count: allow-single-des, on-clone,
place-metres, refuse-mac, refuse-place, refuse-sequence, refuse-weak-mac, repeat-window, require-network, require-tls, reversal-lifetime,
sign-in-lifetime, tls-client-certificates. See docs/operating/grades.md.

  touchstone policy try serve.toml --data shop --from 2026-11-01
  touchstone policy try strict.toml --data shop --from 2026-11-27 --to 2026-11-28 --lang zh`
}

// maxTryListed bounds --list.
const maxTryListed = 10_000

// parseMoment reads a time of day in local time; 0 for "".
func parseMoment(s string) (pos.Instant, error) {
	if s == "" {
		return 0, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02T15", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil && t.Unix() > 0 {
			return pos.Instant(t.UnixNano()), nil
		}
	}
	return 0, fmt.Errorf("%q: want a time such as 2026-11-27, 2026-11-27T08:30 or 2026-11-27T08:30:00+08:00", s)
}

func (c *policyTry) period() (d period, err error) {
	if d.from, err = parseMoment(c.From); err != nil {
		return d, fmt.Errorf("--from: %w", err)
	}
	if d.to, err = parseMoment(c.To); err != nil {
		return d, fmt.Errorf("--to: %w", err)
	}
	if d.to != 0 && d.to <= d.from {
		return d, errors.New("--to: not after --from")
	}
	if c.List < 0 || c.List > maxTryListed {
		return d, fmt.Errorf("--list: want 0 to %d", maxTryListed)
	}
	return d, nil
}

// Run tries the policy.
func (c *policyTry) Run(a *app) error {
	show, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	d, err := c.period()
	if err != nil {
		return err
	}
	tried, err := readTried(c.Files)
	if err != nil {
		return err
	}
	r, err := c.open()
	if err != nil {
		return err
	}
	defer r.Close()
	tally := newTryTally(c.List)
	if err := tryPolicy(a.ctx, r, &tried, isTestDirectory(c.Data), d, tally, c.progress(a, show, r)); err != nil {
		return err
	}
	answer := tally.answer(&tried, d, c.Files)
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(answer)
	}
	s := &screen{l: show}
	s.tried(answer)
	return s.flush(a.stdout)
}

// progressEvery is the pace of what is said while a long journal is read.
const progressEvery = 3 * time.Second

// progress says on standard error how far a long reading is.
func (c *policyTry) progress(a *app, l *lines, r *sqlite.Reader) func(uint64) {
	last := time.Now()
	head, _, err := r.Head(a.ctx)
	if err != nil {
		head = 0
	}
	return func(seq uint64) {
		if now := time.Now(); now.Sub(last) >= progressEvery {
			last = now
			fmt.Fprintf(a.stderr, l.two("read %s of %s entries\n", "已读 %s / %s 条\n"), count(seq), count(head))
		}
	}
}

// tryPolicy judges a period of a journal again.
func tryPolicy(ctx context.Context, r *sqlite.Reader, tried *triedPolicy, test bool, d period, tally *tryTally, progress func(uint64)) error {
	first, err := firstSince(ctx, r, d.from)
	if err != nil {
		return err
	}
	if back := uint64(1000); first > back { // entries stand nearly in the order of their instants
		first -= back
	} else {
		first = 1
	}
	p := newHindsight(tried.trial(test), tried.permit, first)
	p.found = tally.take
	p.at = func(seq uint64) pos.Instant {
		if seq == 0 {
			return 0
		}
		e, err := r.Entry(ctx, seq)
		if err != nil {
			return 0
		}
		return e.At
	}
	tally.place = p
	err = p.read(ctx, func(ctx context.Context, from uint64, f func(journal.Block) error) error {
		return r.Blocks(ctx, from, f)
	}, d, progress)
	if errors.Is(err, errBeyond) {
		return nil
	}
	return err
}
