package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"touchstone/diagnosis/clone"
	"touchstone/explain"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/sqlite"
)

// errEnough ends the reading of the journal.
var errEnough = errors.New("enough was read")

// maxCloneSteps bounds what is read into a timeline.
const maxCloneSteps = 2000

// stepsBefore is how many messages before the first evidence are shown.
const stepsBefore = 3

// entriesOf gives entries from number from on, in order, until f returns an error, which it returns; at least those that tell
// of the terminal asked about.
type entriesOf func(from uint64, f func(journal.Entry) error) error

// allEntries reads everything, block by block.
func allEntries(ctx context.Context, r *sqlite.Reader) entriesOf {
	return func(from uint64, f func(journal.Entry) error) error {
		return r.Blocks(ctx, from, func(b journal.Block) error { return b.Each(f) })
	}
}

// timelineSpan says what of the journal a timeline tells.
type timelineSpan struct {
	cases []*cloneCase // the terminal's suspicions, as they were then
	at    pos.Instant  // the moment that is told of
	last  uint64       // the last entry that counts
	most  int          // messages
}

// readTimeline folds the journal once more around the newest of a terminal's suspicions, or its last hours where there is none.
func readTimeline(ctx context.Context, r *sqlite.Reader, id pos.TerminalID, span *timelineSpan, entries entriesOf) (*cloneTimeline, error) {
	b := &timelineBuilder{t: &cloneTimeline{Terminal: id.String()}, weights: clone.Builtin()}
	since, most := span.at.Add(-cloneRecent), span.most
	if n := len(span.cases); n > 0 {
		c := span.cases[n-1]
		b.t.Case, b.first, b.until = c, caseFirst(c), c.Seq
		if c.Cleared != nil {
			b.end = c.Cleared.Seq
		}
		first, err := r.Entry(ctx, b.first)
		if err != nil {
			return nil, err
		}
		since = first.At.Add(-cloneLead)
	}
	from, err := firstSince(ctx, r, since)
	if err != nil {
		return nil, err
	}
	d := clone.New(clone.Options{Weights: b.weights, Serial: proof.SerialPresented, Only: id, Step: b.step})
	err = entries(max(from, 1), func(e journal.Entry) error {
		if b.full(most) || e.Seq > span.last || b.end != 0 && e.Seq >= b.end {
			return errEnough
		}
		d.Fold(e)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return b.finish(most)
}

// caseFirst is the first entry that counts, as the event says.
func caseFirst(c *cloneCase) uint64 {
	n, err := strconv.ParseUint(c.Event.Parameters[cloneFirst], 10, 64)
	if err != nil || n == 0 || n > c.Seq {
		return max(c.Event.Cause, 1)
	}
	return n
}

// timelineBuilder gathers the steps of one terminal.
type timelineBuilder struct {
	t       *cloneTimeline
	weights *clone.Weights
	first   uint64 // the first entry that counts, 0 not known
	until   uint64 // the entry of the suspicion, 0 none
	end     uint64 // the entry that cleared it, 0 none
	after   int    // messages since until
}

// full tells whether enough was read after the suspicion.
func (b *timelineBuilder) full(most int) bool { return b.until != 0 && b.after >= most }

// step takes one message, or the cause that was found behind an earlier one.
func (b *timelineBuilder) step(s clone.Step) {
	if s.Exchange == nil {
		b.found(&s)
		return
	}
	x := s.Exchange
	m := cloneMessage{Entry: s.Seq, At: x.At.Time(), Lane: laneName(s.Lane), Keys: s.Keys, MTI: x.MTI.String(), Trace: x.STAN.String(), Answer: x.DE39.String(),
		Reason: x.Reason.String(), Address: x.Source.String(), KeySet: x.KeySet, SignIn: x.Effect == journal.KeysIssued, Says: b.sayings(s.Events), Total: tenth(s.Total)}
	if x.Certificate != [8]byte{} {
		m.Certificate = hex.EncodeToString(x.Certificate[:])
	}
	if b.until != 0 && s.Seq > b.until {
		b.after++
	}
	if len(b.t.Messages) >= 2*maxCloneSteps { // only those before anything counts can be so many
		b.t.Messages = slices.Delete(b.t.Messages, 0, maxCloneSteps)
	}
	b.t.Messages = append(b.t.Messages, m)
}

// found adds what a cause says to the message that it is about.
func (b *timelineBuilder) found(s *clone.Step) {
	for i := len(b.t.Messages) - 1; i >= 0; i-- {
		m := &b.t.Messages[i]
		if m.Entry != s.Seq {
			continue
		}
		m.Keys, m.Cause, m.Lane = true, s.Cause, laneName(s.Lane)
		m.Says = append(m.Says, b.sayings(s.Events)...)
		for j := i; j < len(b.t.Messages); j++ {
			b.t.Messages[j].Total = max(b.t.Messages[j].Total, tenth(s.Total))
		}
		return
	}
}

func (b *timelineBuilder) sayings(events []clone.Event) (all []cloneSaying) {
	for _, e := range events {
		all = append(all, cloneSaying{e.Kind.String(), tenth(e.Weight), b.weights.Of(e.Kind).Says})
	}
	return all
}

func tenth(weight int) float64 { return float64(weight) / 10 }

func laneName(l int) string {
	switch l {
	case 0:
		return "A"
	case 1:
		return "B"
	}
	return ""
}

// finish cuts the timeline to what is shown and adds it up.
func (b *timelineBuilder) finish(most int) (*cloneTimeline, error) {
	t := b.t
	if len(t.Messages) == 0 {
		return nil, errNoMessages
	}
	t.guessLanes()
	begin := slices.IndexFunc(t.Messages, func(m cloneMessage) bool { return len(m.Says) > 0 || b.first != 0 && m.Entry >= b.first })
	if begin < 0 {
		begin = len(t.Messages) - most
	} else {
		begin -= stepsBefore
	}
	begin = max(0, begin)
	t.Messages = t.Messages[begin:min(len(t.Messages), begin+most)]
	counts := map[string]*cloneDecider{}
	for i := range t.Messages {
		m := &t.Messages[i]
		t.Weight = max(t.Weight, m.Total)
		for _, s := range m.Says {
			d := counts[s.Kind]
			if d == nil {
				row := b.weights.Row(s.Kind)
				d = &cloneDecider{Kind: s.Kind, Weight: s.Weight, Says: s.Text, Why: row.Why, WhyZH: cmp.Or(row.WhyZH, row.Why), Mark: row.Confidence}
				counts[s.Kind] = d
			}
			d.Times++
		}
		t.lane(m)
	}
	for _, d := range counts {
		t.Decided = append(t.Decided, *d)
	}
	slices.SortFunc(t.Decided, func(x, y cloneDecider) int {
		return cmp.Or(cmp.Compare(y.Weight*float64(y.Times), x.Weight*float64(x.Times)), cmp.Compare(x.Kind, y.Kind))
	})
	t.OneIn = clone.OneIn(int(t.Weight*10 + 0.5))
	return t, nil
}

// guessLanes puts a message that no key stands behind into the lane of its address, where only one lane has that address.
func (t *cloneTimeline) guessLanes() {
	at := map[string]map[string]bool{}
	for _, m := range t.Messages {
		if m.Keys && m.Lane != "" {
			if at[m.Address] == nil {
				at[m.Address] = map[string]bool{}
			}
			at[m.Address][m.Lane] = true
		}
	}
	for i := range t.Messages {
		m := &t.Messages[i]
		if lanes := at[m.Address]; !m.Keys && len(lanes) == 1 {
			for only := range lanes {
				m.Lane = only
			}
		}
	}
}

// lane counts a message to its lane.
func (t *cloneTimeline) lane(m *cloneMessage) {
	if m.Lane == "" {
		return
	}
	l := &t.Lanes[m.Lane[0]-'A']
	l.Messages++
	if !slices.Contains(l.Addresses, m.Address) && len(l.Addresses) < 8 {
		l.Addresses = append(l.Addresses, m.Address)
	}
	if m.KeySet != 0 && !slices.Contains(l.KeySets, m.KeySet) && len(l.KeySets) < 16 {
		l.KeySets = append(l.KeySets, m.KeySet)
	}
}

// The columns of a timeline: entry 7, time 8, each lane 30, what it says.
const laneColumns = 31

// timeline draws the two lanes.
func (l *lines) timeline(t *cloneTimeline) error {
	w := &timelineWriter{l: l}
	w.put(" %s %s · %s", l.two("Terminal", "终端"), t.Terminal, l.cloneHeading(t))
	if t.Case != nil {
		w.put(" %s", l.two("about 1 in "+thousands(t.OneIn)+" that one device did this (the weights are careful and unverified)", "单台设备如此的可能约为 1 / "+thousands(t.OneIn)+" (权重取保守值, 未经实测验证)"))
	} else {
		w.put(" %s", l.two("what was seen weighs ", "所见合计权重 ")+w.weight(t.Weight)+l.two("; two devices are suspected from 5.0 on", "; 达到 5.0 时判为疑似克隆"))
	}
	w.put("")
	w.put(" %s %s  %s%s%s", pad(l.two("entry", "记录"), -7), pad(l.two("time", "时间"), 8), pad(l.two("A  ", "甲  ")+w.side(&t.Lanes[0]), laneColumns),
		pad(l.two("B  ", "乙  ")+w.side(&t.Lanes[1]), laneColumns), l.two("what it says against one device", "与单台设备矛盾之处"))
	for i := range t.Messages {
		w.message(&t.Messages[i], t)
	}
	if len(t.Decided) > 0 {
		w.put("")
		w.put(" %s", l.two("WHAT DECIDED", "判定依据"))
	}
	for _, d := range t.Decided {
		w.put("   %s  %2d ×  %s", w.weight(d.Weight), d.Times, textIn(l, d.Says))
	}
	if t.Case != nil {
		w.put("")
		w.put(" %s", l.two("NOT PROVEN  why: a board exchanged in repair, or a copied terminal; nor which of the two is the shop's. A visit decides.", "未证明  原因: 维修换板或终端被复制; 也未证明哪一台属于商户。须现场核实。"))
		w.put(" %s", l.two("DO          leave it powered, do not reset; read the serial number on label and screen; then touchstone clone clear "+t.Terminal,
			"处理        保持通电, 勿重启; 核对标签与屏幕序列号; 然后 touchstone clone clear "+t.Terminal))
	}
	return w.err
}

func (l *lines) cloneHeading(t *cloneTimeline) string {
	switch {
	case t.Case == nil:
		return l.two("no clone is suspected", "无克隆嫌疑")
	case t.Case.Cleared != nil:
		return l.two("one identity, two devices · cleared by ", "一个身份, 两台设备 · 已解除: ") + t.Case.Cleared.By + ": " + t.Case.Cleared.Note
	}
	return l.two("ONE IDENTITY, TWO DEVICES · since ", "一个身份, 两台设备 · 自 ") + t.Case.At.In(l.zone).Format(time.DateTime)
}

func textIn(l *lines, t clone.Text) string { return l.two(t.EN, t.ZH) }

// answered is the reason's short words, or nothing for an approval.
func (l *lines) answered(m *cloneMessage) string {
	r, err := reason.Parse(m.Reason)
	if err != nil || r == reason.None {
		return ""
	}
	if l.lang == explain.Chinese && l.catalogue != nil {
		return l.catalogue.Reason(r).Short.ZH
	}
	return m.Reason
}

// timelineWriter draws; the first failure to write is kept.
type timelineWriter struct {
	l   *lines
	err error
}

func (w *timelineWriter) put(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintln(w.l.w, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
}

func (w *timelineWriter) weight(v float64) string { return fmt.Sprintf("%+.1f", v) }

// side is what a lane's heading says beside its letter.
func (w *timelineWriter) side(s *cloneLane) string {
	if s.Messages == 0 {
		return "–"
	}
	text := strings.Join(s.Addresses[:min(len(s.Addresses), 2)], ", ")
	if len(s.Addresses) > 2 {
		text += ", …"
	}
	return text
}

// message draws one message in its lane, and beneath it what else it says.
func (w *timelineWriter) message(m *cloneMessage, t *cloneTimeline) {
	cells := [2]string{"│", "│"}
	dot := "●"
	if !m.Keys {
		dot = "○"
	}
	cell := dot + " " + m.MTI + " " + m.Trace + " " + cmp.Or(m.Answer, "–")
	switch why := w.l.answered(m); {
	case why != "":
		cell += " " + why
	case m.SignIn:
		cell += " " + w.l.two("sign-in", "签到")
	}
	cell = cutTo(cell, laneColumns-3) // a mark of an unknown lane has room before it
	if m.Lane == "" {
		cells[0] = "? " + cell
	} else {
		cells[m.Lane[0]-'A'] = cell
	}
	left, right := pad(cells[0], laneColumns), pad(cells[1], laneColumns)
	if w.l.colour {
		left, right = "\x1b[36m"+left+"\x1b[0m", "\x1b[35m"+right+"\x1b[0m"
	}
	says := w.sayings(m)
	if len(says) == 0 {
		says = []string{""}
	}
	w.put(" %7d %s  %s%s%s", m.Entry, m.At.In(w.l.zone).Format("15:04:05"), left, right, says[0])
	for _, more := range says[1:] {
		w.put(" %7s %8s  %s%s%s", "", "", pad("│", laneColumns), pad("│", laneColumns), more)
	}
	if t.Case != nil && m.Entry == t.Case.Event.Cause {
		text := w.l.two("two devices are suspected", "判定疑似克隆")
		if w.l.colour {
			text = "\x1b[1;31m" + text + "\x1b[0m"
		}
		w.put(" %7s %8s  %s%s%s", "", "", pad("│", laneColumns), pad("│", laneColumns), "── "+text)
	}
}

// sayingColumns is what the two lanes leave of a line, and sayingHang where a saying's text begins.
const (
	sayingColumns = lineWidth - 19 - 2*laneColumns
	sayingHang    = 8
)

// sayings are the lines of what a message says against one device.
func (w *timelineWriter) sayings(m *cloneMessage) (list []string) {
	for i := range m.Says {
		for _, text := range hangText("✗ "+w.weight(m.Says[i].Weight)+"  "+textIn(w.l, m.Says[i].Text), sayingColumns, sayingHang) {
			if w.l.colour {
				text = "\x1b[31m" + text + "\x1b[0m"
			}
			list = append(list, text)
		}
	}
	return list
}
