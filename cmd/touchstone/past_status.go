package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/observe"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/web/api"
)

// statusNotKept are the members of a status that the journal does not have, or not without reading all of it. What waited for a person on
// account of them is not known either.
var statusNotKept = []string{"host", "registered.cards", "traffic", "journal.bytes", "journal.queue", "journal.queue_limit", "journal.checkpoint_age_seconds",
	"journal.checkpoint_took_seconds", "journal.view_lag", "journal.append_p99_ms", "journal.entries_per_block", "journal.proof", "listeners", "in_flight", "module", "memory", "disk",
	"failures", "observe"}

// pastStatus is what the journal says of a host at a past moment.
type pastStatus struct {
	registered api.StatusRegistered
	hour       api.StatusHour
	last       uint64      // the newest entry
	at         pos.Instant // when it was written
	needs      []api.StatusNeed
}

// statusThen is the status as of a moment of the past.
func (d *desk) statusThen(ctx context.Context, at pos.Instant) (api.Status, error) {
	p, _, err := figureAt(ctx, d.engine, "status", at, figureLife, func(ctx context.Context, w *epoch, pace func() error) (*pastStatus, error) {
		return w.status(ctx, pace)
	})
	if err != nil {
		return api.Status{}, err
	}
	return p.told(at), nil
}

func (p *pastStatus) told(at pos.Instant) api.Status {
	block := p.at.Time()
	return api.Status{At: at.Time(), AsOf: momentOf(at), NotKept: statusNotKept, Registered: p.registered, LastHour: p.hour, Needs: p.needs,
		Journal: api.StatusJournal{Head: p.last, Durable: p.last, LastBlock: &block}}
}

// status reads the hour before a past epoch, and counts its register.
func (w *epoch) status(ctx context.Context, pace func() error) (*pastStatus, error) {
	p := &pastStatus{last: w.past.Seq, needs: []api.StatusNeed{}}
	entry, err := w.e.store.Entry(ctx, p.last)
	if err != nil {
		return nil, err
	}
	p.at = entry.At
	if err := w.count(ctx, pace, &p.registered); err != nil {
		return nil, err
	}
	if p.hour, err = w.lastHour(ctx, pace); err != nil {
		return nil, err
	}
	proven := &pastProven{ineffective: map[string]bool{}}
	if err := proven.events(ctx, w.e, p.last, pace); err != nil {
		return nil, err
	}
	if n := len(proven.ineffective); n > 0 {
		p.needs = append(p.needs, api.StatusNeed{Code: observe.NeedIneffective, Value: float64(n)})
	}
	if n := len(proven.stops.Names()); n > 0 {
		p.needs = append(p.needs, api.StatusNeed{Code: observe.NeedStopped, Value: float64(n)})
	}
	return p, nil
}

// count counts the register.
func (w *epoch) count(ctx context.Context, pace func() error, n *api.StatusRegistered) error {
	for _, now := range w.e.ledger.Merchants() {
		m, err := w.merchant(ctx, now.ID)
		if err != nil {
			return err
		}
		if m != nil {
			n.Merchants++
		}
	}
	for i, now := range w.e.ledger.Devices() {
		d, err := w.deviceRecord(ctx, now.Serial)
		if err != nil {
			return err
		}
		if d != nil {
			n.Devices++
		}
		if i%pastStep == 0 {
			if err := pace(); err != nil {
				return err
			}
		}
	}
	return w.every(ctx, permitStep, pace, func(ledger.Permitted) { n.Terminals++ })
}

// lastHour counts the messages of the hour before a past epoch, as the running figures do. What a flood had counted only left no entry.
func (w *epoch) lastHour(ctx context.Context, pace func() error) (h api.StatusHour, err error) {
	since := w.at.Add(-time.Hour)
	first, err := firstSince(ctx, w.e.store.Reader, since)
	if err != nil {
		return h, err
	}
	h.Seconds = time.Hour.Seconds()
	if begun, err := w.e.store.Entry(ctx, 1); err == nil && begun.At > since {
		h.Seconds = w.at.Sub(begun.At).Seconds()
	}
	by := map[reason.Reason]uint64{}
	var x journal.Exchange
	err = w.e.eachEntry(ctx, first, w.past.Seq, pace, func(e journal.Entry) error {
		if e.Kind != journal.KindExchange || x.Parse(e) != nil {
			return nil
		}
		h.Messages++
		if x.DE39 == (pos.ResponseCode{}) {
			h.NoAnswer++
		}
		if observe.FunctionOf(x.MTI, x.Type, x.Network).Money() {
			h.Money++
			if x.DE39 == pos.Approved {
				h.Approved++
			}
		}
		if x.Reason != reason.None {
			by[x.Reason]++
		}
		return nil
	})
	h.Refused = []api.StatusReason{}
	for r, n := range by {
		h.Refused = append(h.Refused, api.StatusReason{Reason: r.String(), Count: n})
	}
	slices.SortFunc(h.Refused, func(a, b api.StatusReason) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return h, err
}

// statusAt answers touchstone status --as-of. The socket's caller waits for it.
func (e *engine) statusAt(ctx context.Context, at pos.Instant) (api.Status, error) {
	w, err := e.epochAt(ctx, at)
	if err != nil {
		return api.Status{}, err
	}
	p, err := w.status(ctx, ctx.Err)
	if err != nil {
		return api.Status{}, err
	}
	return p.told(at), nil
}

// writeStatusThen is the screen of a past moment.
func writeStatusThen(out io.Writer, l *lines, st *api.Status) error {
	s := &screen{l: l}
	s.line("\n  "+l.two("As it was at %s: what the journal says of it.", "%s 的状态：以日志所记为准。"), st.At.In(l.zone).Format(time.DateTime))
	s.row(l.two("register", "登记"), l.two("%s merchants, %s terminals, %s devices", "商户 %s, 终端 %s, 设备 %s"),
		count(uint64(st.Registered.Merchants)), count(uint64(st.Registered.Terminals)), count(uint64(st.Registered.Devices)))
	h := observe.HourStatus{Seconds: st.LastHour.Seconds, Messages: st.LastHour.Messages, Money: st.LastHour.Money, Approved: st.LastHour.Approved, NoAnswer: st.LastHour.NoAnswer}
	for _, r := range st.LastHour.Refused {
		h.Refused = append(h.Refused, observe.ReasonCount(r))
	}
	s.hour(&h)
	s.line("")
	s.row(l.two("journal", "日志"), l.two("entry %s of %s", "第 %s 条, %s"), count(st.Journal.Head), st.Journal.LastBlock.In(l.zone).Format(time.DateTime))
	for _, n := range st.Needs {
		s.line("  ! %s", l.need(observe.Need(n)))
	}
	s.line("  %s", l.two("Not kept: rates, times of answering, connections, queues, the module, memory and disk, and what waited for a person on their account.",
		"未保留：速率、应答用时、连接、队列、安全模块、内存、磁盘，以及因此需要人处理的事项。"))
	return s.flush(out)
}

// errNoHostThen is told where the past is asked for and no host runs.
func errNoHostThen(dir string) error {
	return fmt.Errorf("%s: no host runs there, which tells the past: touchstone journal, events and clone read a journal without one", dir)
}
