package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"touchstone/diagnosis/clone"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/sqlite"
	"touchstone/web"
	"touchstone/web/api"
)

var _ api.Clones = (*desk)(nil)

// keptClones is the suspicions that the console shows: read once, then only what is new.
type keptClones struct {
	mu   sync.Mutex // guards book; held while new events are read
	book cloneBook
}

// cloneSteps is how many messages a page of two lanes shows, and cloneEntries how many of the terminal are folded for it.
const (
	cloneSteps   = 60
	cloneEntries = 2000
)

func (d *desk) cloneCases(ctx context.Context, terminal string) ([]*cloneCase, error) {
	d.told.mu.Lock()
	defer d.told.mu.Unlock()
	if err := d.told.book.read(ctx, d.store.Reader); err != nil {
		return nil, err
	}
	return d.told.book.of(terminal), nil
}

// Clones implements api.Clones. A terminal that was suspected again is listed once, with its newest suspicion.
func (d *desk) Clones(ctx context.Context, _ *web.Caller, q *api.CloneQuery) (api.Page[api.Clone], error) {
	page := api.Page[api.Clone]{Data: []api.Clone{}}
	cases, err := d.cloneCases(ctx, "")
	if err != nil {
		return page, err
	}
	before := uint64(1 << 62)
	if q.Cursor != "" {
		if before, err = strconv.ParseUint(q.Cursor, 10, 63); err != nil {
			return page, api.Refuse(400, "invalid_request", "cursor: want next_cursor of the piece before")
		}
	}
	at, err := q.AsOf.Instant(d.line.Zone, d.clock())
	if err != nil {
		return page, err
	}
	w, err := d.epochSoon(ctx, at)
	if err != nil {
		return page, err
	}
	cases = casesKnown(cases, w.upTo())
	most := q.Limit
	if most <= 0 {
		most = 50
	}
	seen := map[string]bool{}
	for _, c := range slices.Backward(cases) {
		if seen[c.Event.Terminal] {
			continue
		}
		seen[c.Event.Terminal] = true
		state := cmp.Or(q.State, "open")
		if c.Seq >= before || state != "all" && (state == "open") != (c.Cleared == nil) {
			continue
		}
		if len(page.Data) == most {
			page.Next = strconv.FormatUint(page.Data[most-1].Entry, 10)
			break
		}
		line, err := w.cloneOf(ctx, c)
		if err != nil {
			return page, err
		}
		page.Data = append(page.Data, line)
	}
	return page, nil
}

// casesKnown are the suspicions as they were after an entry: those of then, cleared where they were by then.
func casesKnown(cases []*cloneCase, last uint64) (known []*cloneCase) {
	for _, c := range cases {
		if c.Seq > last {
			continue
		}
		if c.Cleared != nil && c.Cleared.Seq > last {
			open := *c
			open.Cleared, c = nil, &open
		}
		known = append(known, c)
	}
	return known
}

func (w *epoch) cloneOf(ctx context.Context, c *cloneCase) (t api.Clone, err error) {
	p := c.Event.Parameters
	t = api.Clone{ID: "ter_" + c.Event.Terminal, Terminal: c.Event.Terminal, Merchant: c.Event.Merchant, Model: c.Event.Model, Entry: c.Seq, At: c.At, Keys: p[proof.SuspectKeys] == "yes",
		AddressA: p[cloneAddressA], AddressB: p[cloneAddressB], State: "open"}
	_, _ = fmt.Sscanf(p[cloneLikelihood], "1 in %d", &t.OneIn) // an event of ours; 0 where it says nothing
	if since, err := time.Parse(time.RFC3339, p[cloneSince]); err == nil {
		t.Since = &since
	}
	if id, err := pos.ParseMerchantID(c.Event.Merchant); err == nil {
		if t.Shop, err = w.shopName(ctx, id); err != nil {
			return t, err
		}
	}
	if x := c.Cleared; x != nil {
		t.State, t.ClearedAt, t.ClearedBy, t.ClearNote, t.ClearEntry = "cleared", &x.At, x.By, x.Note, x.Seq
	}
	return t, nil
}

// Clone implements api.Clones.
func (d *desk) Clone(ctx context.Context, _ *web.Caller, id string, q *api.AsOf) (api.CloneDetail, error) {
	name, ok := strings.CutPrefix(id, "ter_")
	terminal, err := pos.ParseTerminalID(name)
	if !ok || err != nil {
		return api.CloneDetail{}, api.NotFound()
	}
	w, err := d.asked(ctx, q)
	if err != nil {
		return api.CloneDetail{}, err
	}
	registered, ok, err := w.permitted(ctx, terminal)
	if err != nil {
		return api.CloneDetail{}, err
	}
	if !ok {
		return api.CloneDetail{}, api.NotFound()
	}
	cases, err := d.cloneCases(ctx, name)
	if err != nil {
		return api.CloneDetail{}, err
	}
	s, err := d.speaker()
	if err != nil {
		return api.CloneDetail{}, err
	}
	span := timelineSpan{casesKnown(cases, w.upTo()), cmp.Or(w.at, pos.Instant(time.Now().UnixNano())), w.upTo(), cloneSteps}
	t, err := readTimeline(ctx, d.store.Reader, terminal, &span, d.entriesOf(ctx, terminal, w))
	if errors.Is(err, errNoMessages) {
		t, err = &cloneTimeline{Terminal: name}, nil
	}
	if err != nil {
		return api.CloneDetail{}, err
	}
	return w.cloneDetail(ctx, s, t, registered.Terminal.Merchant)
}

func (w *epoch) cloneDetail(ctx context.Context, s *speaker, t *cloneTimeline, shop pos.MerchantID) (c api.CloneDetail, err error) {
	c = api.CloneDetail{AsOf: momentOf(w.at), Clone: api.Clone{ID: "ter_" + t.Terminal, Terminal: t.Terminal, Merchant: shop.String(), State: "none", OneIn: t.OneIn}, Weight: t.Weight, Suspect: tenth(clone.Builtin().Threshold),
		Decided: []api.CloneDecider{}, Messages: []api.CloneMessage{}}
	told := uint64(0)
	if t.Case != nil {
		if c.Clone, err = w.cloneOf(ctx, t.Case); err != nil {
			return c, err
		}
		told = t.Case.Event.Cause
		c.OneIn = t.OneIn
	} else if c.Shop, err = w.shopName(ctx, shop); err != nil {
		return c, err
	}
	for _, x := range t.Decided {
		c.Decided = append(c.Decided, api.CloneDecider{Kind: x.Kind, Times: x.Times, Weight: x.Weight, Says: api.Text(x.Says), Why: x.Why, WhyZH: x.WhyZH, Confidence: x.Mark})
	}
	for i, x := range t.Lanes {
		c.Lanes[i] = api.CloneLane{Addresses: append([]string{}, x.Addresses...), KeySets: x.KeySets, Messages: x.Messages}
	}
	for _, x := range t.Messages {
		m := api.CloneMessage{Entry: x.Entry, At: x.At, Lane: x.Lane, Keys: x.Keys, MTI: x.MTI, Trace: x.Trace, Answer: x.Answer, Reason: x.Reason, Address: x.Address,
			Certificate: x.Certificate, KeySet: x.KeySet, SignIn: x.SignIn, Cause: x.Cause, Total: x.Total, Tells: told != 0 && x.Entry == told}
		if r, err := reason.Parse(x.Reason); err == nil && r != reason.None {
			m.Why = textOf(s.catalogue.Reason(r).Short)
		}
		for _, y := range x.Says {
			m.Says = append(m.Says, api.CloneSaying{Kind: y.Kind, Weight: y.Weight, Text: api.Text(y.Text)})
		}
		c.Messages = append(c.Messages, m)
	}
	return c, nil
}

// entriesOf reads what tells of one terminal by the indexes of view.db: its messages, what was found behind them, and that it
// was registered anew, up to an epoch. Without a view everything is read.
func (d *desk) entriesOf(ctx context.Context, id pos.TerminalID, w *epoch) entriesOf {
	if d.view == nil {
		return allEntries(ctx, d.store.Reader)
	}
	return func(from uint64, f func(journal.Entry) error) error {
		list, err := d.view.MessagesAfter(ctx, id, from-1, cloneEntries)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(list, func(m sqlite.Judged) bool { return m.Seq > w.upTo() }); i >= 0 {
			list = list[:i]
		}
		entries, err := d.cloneCauses(ctx, list, w.at)
		if err != nil {
			return err
		}
		if seq, err := d.registeredBy(ctx, id, w.upTo()); err == nil && seq >= from {
			e, err := d.store.Reader.Entry(ctx, seq)
			if err != nil {
				return err
			}
			entries = append(entries, e)
		}
		for i := range list {
			body, kind := list[i].AppendEntry(nil, list[i].Seq)
			head := len(journal.AppendHead(nil, kind, list[i].At))
			entries = append(entries, journal.Entry{Seq: list[i].Seq, Kind: kind, At: list[i].At, Body: body[head:]})
		}
		slices.SortFunc(entries, func(a, b journal.Entry) int { return cmp.Compare(a.Seq, b.Seq) })
		for _, e := range entries {
			if err := f(e); err != nil {
				return err
			}
		}
		return nil
	}
}

// registeredBy is the entry of a terminal's newest record up to entry last.
func (d *desk) registeredBy(ctx context.Context, id pos.TerminalID, last uint64) (uint64, error) {
	seq, err := d.store.Reader.Registered(ctx, id)
	if err != nil || seq <= last {
		return seq, err
	}
	var seqs []uint64
	err = d.projectedTo(ctx, last, func() (err error) {
		seqs, err = d.view.Past(ctx, sqlite.PastTerminal, id.String(), last, 1)
		return err
	})
	if err != nil || len(seqs) == 0 {
		return 0, err
	}
	return seqs[0], nil
}

// Bounds of looking for a cause that another one followed: entries between a message and the newest cause that names it, and
// messages for which that is done.
const (
	causeApart = 20_000
	causesLook = 128
)

// cloneCauses are the entries of what was found behind messages: of each the newest, as view.db has it
// or as it was at an instant, and those before it.
func (d *desk) cloneCauses(ctx context.Context, list []sqlite.Judged, at pos.Instant) (entries []journal.Entry, err error) {
	causes, err := d.causesOf(ctx, list, at)
	if err != nil {
		return nil, err
	}
	looked := 0
	for _, c := range causes {
		body, err := json.Marshal(&c.Cause)
		if err != nil {
			return nil, err
		}
		entries = append(entries, journal.Entry{Seq: c.Seq, Kind: journal.KindCause, At: c.At, Body: body})
		if looked++; looked > causesLook || c.Seq-c.Verdict > causeApart {
			continue
		}
		err = d.store.Reader.Blocks(ctx, c.Verdict+1, func(b journal.Block) error {
			return b.Each(func(e journal.Entry) error {
				if e.Seq >= c.Seq {
					return errEnough
				}
				if e.Kind != journal.KindCause || e.Seq <= c.Verdict {
					return nil
				}
				if before, err := parseCause(e); err == nil && before.Verdict == c.Verdict {
					e.Body = slices.Clone(e.Body)
					entries = append(entries, e)
				}
				return nil
			})
		})
		if err != nil && !errors.Is(err, errEnough) {
			return nil, err
		}
	}
	return entries, nil
}
