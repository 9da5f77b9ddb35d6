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

	wanted []uint64                               // entries that lanes ask for: all are read in one pass, each block once
	say    map[uint64][]func(journal.Entry) error // what lanes say of an entry, in the order of the lanes
}

// read has an entry told to a lane.
func (t *timeline) read(seq uint64, say func(journal.Entry) error) {
	t.wanted = append(t.wanted, seq)
	t.say[seq] = append(t.say[seq], say)
}

func (t *timeline) tell(e journal.Entry) error {
	for _, say := range t.say[e.Seq] {
		if err := say(e); err != nil {
			return err
		}
	}
	return nil
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
	t := timeline{d: d, who: who, id: p.Terminal.ID, upTo: d.ledger.Durable(), out: &out, say: map[uint64][]func(journal.Entry) error{}}
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
	if err := d.store.Entries(ctx, t.wanted, t.tell); err != nil {
		return out, err
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
		what := api.Text{EN: "signed in: working keys issued", ZH: "签到：已下发工作密钥"}
		if !s.Used {
			what = api.Text{EN: "signed in: working keys issued, and never used", ZH: "签到：已下发工作密钥，但未使用"}
		}
		t.read(s.Seq, func(e journal.Entry) error { t.add(laneSignIn, e.At, e.Seq, "", what); return nil })
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
	record := func(entry journal.Entry) error {
		now := new(registry.Terminal)
		if err := json.Unmarshal(entry.Body, now); err != nil {
			return err
		}
		if was == nil || was.MasterKCV != now.MasterKCV || was.MasterAt != now.MasterAt {
			what := api.Text{EN: "master key loaded", ZH: "已装载主密钥"}
			if !t.who.Merchant() {
				what = api.Text{EN: "master key loaded, KCV " + now.MasterKCV, ZH: "已装载主密钥，校验值 " + now.MasterKCV}
			}
			t.add(laneKey, entry.At, entry.Seq, "", what)
		}
		t.moved(entry, moveWords(was, now))
		was = now
		return nil
	}
	for _, n := range seqs { // ascending, as they are read
		t.read(n, record)
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
	permit := func(entry journal.Entry) error {
		var set registry.PermitSet
		if err := json.Unmarshal(entry.Body, &set); err != nil {
			return err
		}
		what := bothLines(func(l *lines) string {
			why := set.Standing(entry.Seq, entry.At).Why(maxPermitWhy)
			if why == "" || t.who.Merchant() {
				return permitWords(l, set.Permit)
			}
			return permitWords(l, set.Permit) + " (" + l.whyWords(why) + ")"
		})
		t.add(lanePermit, entry.At, entry.Seq, sellOf(set.Permit), what)
		return nil
	}
	for _, n := range seqs {
		t.read(n, permit)
	}
	return nil
}

// failures are the newest refusals. A row of the projection has what staff are told of one; whether it is a shop's to see, its
// entry says.
func (t *timeline) failures(ctx context.Context) error {
	if t.d.view == nil {
		return nil
	}
	list, err := t.d.view.RefusalsOf(ctx, t.id, t.upTo, laneFailures+1)
	if err != nil {
		return err
	}
	if len(list) > laneFailures {
		list, t.out.Truncated = list[:laneFailures], true
	}
	s, err := t.d.speaker()
	if err != nil {
		return err
	}
	for i := range list {
		m := &list[i]
		if !t.who.Merchant() {
			t.add(laneFailure, m.At, m.Seq, m.DE39.String(), s.whyOf(&journal.Exchange{At: m.At, DE39: m.DE39, Reason: m.Reason, Flags: m.Flags}))
			continue
		}
		t.read(m.Seq, func(e journal.Entry) error {
			var x journal.Exchange
			if err := x.Parse(e); err == nil && t.d.owns(t.who.Shop, &x) {
				t.add(laneFailure, e.At, e.Seq, x.DE39.String(), s.counterWord(&x))
			}
			return nil
		})
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
		t.read(n, t.changes)
	}
	return nil
}

// changes are those of an act of the estate's care.
func (t *timeline) changes(entry journal.Entry) error {
	var act journal.Act
	if entry.Kind != journal.KindFleet || json.Unmarshal(entry.Body, &act) != nil {
		return nil
	}
	for _, c := range act.Changes {
		t.act(entry, c)
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
