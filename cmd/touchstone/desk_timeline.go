package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/sqlite"
	"touchstone/web"
	"touchstone/web/api"
)

// Bounds of one lane of a timeline.
const (
	laneMarks    = 40
	laneFailures = 60
)

// timeline gathers the marks of one terminal.
type timeline struct {
	d    *desk
	who  *web.Caller
	id   pos.TerminalID
	from pos.Instant
	upTo uint64
	out  *api.Timeline
}

// Timeline implements api.Terminals.
func (d *desk) Timeline(ctx context.Context, who *web.Caller, name string, q *api.TimelineQuery) (out api.Timeline, err error) {
	at, err := q.AsOf.Instant(d.line.Zone, d.clock())
	if err != nil {
		return out, err
	}
	p, err := d.permittedNamed(who, name)
	if err != nil {
		return out, err
	}
	t := timeline{d: d, who: who, id: p.Terminal.ID, upTo: d.ledger.Durable(), out: &out}
	until := d.clock()
	if at != 0 {
		until = at
		if t.upTo, err = d.seqAt(ctx, at); err != nil {
			return out, err
		}
	}
	switch q.Span {
	case "hour":
		t.from = until.Add(-time.Hour)
	case "day":
		t.from = until.Add(-24 * time.Hour)
	case "all":
	default:
		t.from = until.Add(-7 * 24 * time.Hour)
	}
	out.Terminal, out.Marks = t.id.String(), []api.Mark{}
	for _, lane := range []func(context.Context) error{t.signIns, t.records, t.permits, t.failures, t.acts} {
		if err := lane(ctx); err != nil {
			return out, err
		}
	}
	slices.SortStableFunc(out.Marks, func(a, b api.Mark) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Entry, b.Entry)) })
	out.From, out.To = t.from.Time(), until.Time()
	if t.from == 0 && len(out.Marks) > 0 {
		out.From = out.Marks[0].At
	}
	return out, nil
}

// add takes a mark that is not too old. A permit that began before still holds, so it is kept.
func (t *timeline) add(lane string, at pos.Instant, entry uint64, state string, what api.Text) {
	if at < t.from && lane != lanePermit && lane != laneVersion {
		return
	}
	m := api.Mark{Lane: lane, At: at.Time(), Entry: entry, State: state, What: what}
	if lane == laneSignIn || lane == laneFailure {
		m.Link = fmt.Sprintf("%s%d", transactionPrefix, entry)
	}
	if t.who.Merchant() && lane != laneSignIn && lane != laneFailure {
		m.Entry = 0
	}
	t.out.Marks = append(t.out.Marks, m)
}

// The lanes.
const (
	laneSignIn     = "sign_in"
	laneKey        = "key"
	laneVersion    = "version"
	laneMove       = "move"
	laneFailure    = "failure"
	laneInspection = "inspection"
	lanePermit     = "permit"
)

// past are the newest entries of a noun, oldest first.
func (t *timeline) past(ctx context.Context, noun sqlite.PastNoun, id string, most int) (seqs []uint64, err error) {
	err = t.d.projectedTo(ctx, t.upTo, func() (err error) { seqs, err = t.d.view.Past(ctx, noun, id, t.upTo, most+1); return err })
	if len(seqs) > most {
		seqs, t.out.Truncated = seqs[:most], true
	}
	slices.Reverse(seqs)
	return seqs, err
}

func (t *timeline) signIns(ctx context.Context) error {
	if t.d.view == nil {
		return nil
	}
	list, _, err := t.d.view.SignIns(ctx, t.id)
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.Seq > t.upTo {
			continue
		}
		entry, err := t.d.store.Entry(ctx, s.Seq)
		if err != nil {
			return err
		}
		what := api.Text{EN: "signed in: working keys issued", ZH: "签到：已下发工作密钥"}
		if !s.Used {
			what = api.Text{EN: "signed in: working keys issued, and never used", ZH: "签到：已下发工作密钥，但未使用"}
		}
		t.add(laneSignIn, entry.At, s.Seq, "", what)
	}
	return nil
}

// records are the register's: another master key, device, shop or place.
func (t *timeline) records(ctx context.Context) error {
	seqs, err := t.past(ctx, sqlite.PastTerminal, t.id.String(), laneMarks)
	if err != nil {
		return err
	}
	var was *registry.Terminal
	for _, n := range seqs {
		entry, err := t.d.store.Entry(ctx, n)
		if err != nil {
			return err
		}
		now := new(registry.Terminal)
		if err := json.Unmarshal(entry.Body, now); err != nil {
			return err
		}
		if was == nil || was.MasterKCV != now.MasterKCV || was.MasterAt != now.MasterAt {
			what := api.Text{EN: "master key loaded", ZH: "已装载主密钥"}
			if !t.who.Merchant() {
				what = api.Text{EN: "master key loaded, KCV " + now.MasterKCV, ZH: "已装载主密钥，校验值 " + now.MasterKCV}
			}
			t.add(laneKey, entry.At, n, "", what)
		}
		t.moved(entry, moveWords(was, now))
		was = now
	}
	return nil
}

func (t *timeline) moved(entry journal.Entry, what *api.Text) {
	if what != nil {
		t.add(laneMove, entry.At, entry.Seq, "", *what)
	}
}

// moveWords says what a record changed of who, what and where; nil for nothing.
func moveWords(was, now *registry.Terminal) *api.Text {
	switch {
	case was == nil:
		return &api.Text{EN: "registered with device " + string(now.Serial), ZH: "登记，设备 " + string(now.Serial)}
	case was.Serial != now.Serial:
		return &api.Text{EN: fmt.Sprintf("device %s in place of %s", now.Serial, was.Serial), ZH: fmt.Sprintf("设备由 %s 换为 %s", was.Serial, now.Serial)}
	case was.Merchant != now.Merchant:
		return &api.Text{EN: fmt.Sprintf("to merchant %s from %s", now.Merchant, was.Merchant), ZH: fmt.Sprintf("商户由 %s 变为 %s", was.Merchant, now.Merchant)}
	case (was.Place == nil) != (now.Place == nil) || was.Place != nil && *was.Place != *now.Place:
		return &api.Text{EN: "registered at another place", ZH: "登记位置变更"}
	case was.Suspended != now.Suspended && now.Suspended:
		return &api.Text{EN: "suspended", ZH: "已停用"}
	case was.Suspended != now.Suspended:
		return &api.Text{EN: "in use again", ZH: "恢复使用"}
	}
	return nil
}

func (t *timeline) permits(ctx context.Context) error {
	seqs, err := t.past(ctx, sqlite.PastPermit, t.id.String(), laneMarks)
	if err != nil {
		return err
	}
	for _, n := range seqs {
		entry, err := t.d.store.Entry(ctx, n)
		if err != nil {
			return err
		}
		var set registry.PermitSet
		if err := json.Unmarshal(entry.Body, &set); err != nil {
			return err
		}
		what := bothLines(func(l *lines) string {
			why := set.Standing(n, entry.At).Why(maxPermitWhy)
			if why == "" || t.who.Merchant() {
				return permitWords(l, set.Permit)
			}
			return permitWords(l, set.Permit) + " (" + l.whyWords(why) + ")"
		})
		t.add(lanePermit, entry.At, n, sellOf(set.Permit), what)
	}
	return nil
}

func (t *timeline) failures(ctx context.Context) error {
	if t.d.view == nil {
		return nil
	}
	seqs, err := t.d.view.RefusalsOf(ctx, t.id, t.upTo, laneFailures+1)
	if err != nil {
		return err
	}
	if len(seqs) > laneFailures {
		seqs, t.out.Truncated = seqs[:laneFailures], true
	}
	s, err := t.d.speaker()
	if err != nil {
		return err
	}
	for _, n := range seqs {
		entry, err := t.d.store.Entry(ctx, n)
		if err != nil {
			return err
		}
		var x journal.Exchange
		if err := x.Parse(entry); err != nil || x.Reason == reason.None {
			continue
		}
		if t.who.Merchant() && !t.d.owns(t.who.Shop, &x) {
			continue
		}
		m := sqlite.Judged{Seq: n, Exchange: x}
		line := t.d.transactionOf(t.who, s, &m, nil)
		t.add(laneFailure, entry.At, n, line.Answer, line.Why)
	}
	return nil
}

// acts are what people did: inspections, moves, versions.
func (t *timeline) acts(ctx context.Context) error {
	seqs, err := t.past(ctx, sqlite.AboutTerminal, t.id.String(), laneMarks)
	if err != nil {
		return err
	}
	if reg, err := t.d.ledger.Terminal(t.id); err == nil {
		more, err := t.past(ctx, sqlite.AboutDevice, string(reg.Serial), laneMarks)
		if err != nil {
			return err
		}
		seqs = append(seqs, more...)
		slices.Sort(seqs)
		seqs = slices.Compact(seqs)
	}
	for _, n := range seqs {
		entry, err := t.d.store.Entry(ctx, n)
		if err != nil {
			return err
		}
		var act journal.Act
		if entry.Kind != journal.KindFleet || json.Unmarshal(entry.Body, &act) != nil {
			continue
		}
		for _, c := range act.Changes {
			t.act(entry, c)
		}
	}
	return nil
}

func (t *timeline) act(entry journal.Entry, c journal.Change) {
	switch c.Noun {
	case fleet.NounInspection:
		var i fleet.Inspection
		if json.Unmarshal(c.Record, &i) != nil || i.Terminal != t.id {
			return
		}
		state, what := "passed", api.Text{EN: c.ID + ": inspected, nothing found", ZH: c.ID + "：巡检无异常"}
		if !i.Passed {
			state, what = "failed", api.Text{EN: c.ID + ": inspection found something", ZH: c.ID + "：巡检发现异常"}
		}
		t.add(laneInspection, i.At, entry.Seq, state, what)
	case fleet.NounInstalled:
		var i fleet.Installed
		if json.Unmarshal(c.Record, &i) != nil || t.who.Merchant() || t.d.boundTo(pos.Serial(c.ID)) == nil || t.d.boundTo(pos.Serial(c.ID)).ID != t.id {
			return
		}
		t.add(laneVersion, i.At, entry.Seq, i.Version, api.Text{EN: "runs version " + i.Version, ZH: "运行版本 " + i.Version})
	case fleet.NounBinding:
		var b fleet.Binding
		if json.Unmarshal(c.Record, &b) != nil || b.Terminal != t.id || b.Until != 0 {
			return
		}
		t.add(laneMove, b.From, entry.Seq, "", api.Text{EN: "five elements bound: " + b.Address, ZH: "五要素绑定：" + b.Address})
	}
}
