package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"touchstone/explain/anatomy"
	"touchstone/proof"
	"touchstone/sqlite"
)

// keptOf is what the data directory keeps of an entry's message, masked, beside a running host or after it ended; nil where
// nothing is. What cannot be read is nothing: it is for looking at.
func (f *finder) keptOf(ctx context.Context, p *panel) *keptMessage {
	body, err := sqlite.ReadMasked(ctx, f.dir, p.Message.Seq, int64(p.x.At))
	if err == nil && body != nil {
		var kept *keptMessage
		if kept, err = unpackMessage(body); err == nil {
			return kept
		}
	}
	if err != nil {
		fmt.Fprintf(f.x.a.stderr, "touchstone: the kept bytes of entry %d: %v\n", p.Message.Seq, err)
	}
	return nil
}

// drawBytes adds the message byte by byte, with the MAC's coverage marked, for who may see it; or says why not.
func (x *explainCall) drawBytes(d *drawing, p *panel) error {
	if x.For != "all" && x.For != "engineer" {
		return nil
	}
	if p.Bytes == nil {
		d.row(d.two("BYTES", "报文"), d.two("not kept: of every refusal but in a flood, and of some approvals, for as long as message-days and message-mib of the host say",
			"未保留: 保留全部拒绝 (洪泛时除外) 和部分通过的报文, 期限见主机的 message-days 和 message-mib"))
		return d.err
	}
	a, err := anatomy.FromShown(p.Bytes)
	if err != nil {
		return fmt.Errorf("entry %d: %w", p.Message.Seq, err)
	}
	p.drawTimes(d)
	d.line("")
	if d.err != nil {
		return d.err
	}
	return a.Draw(x.a.stdout, anatomy.Style{Language: x.l.lang, Colour: d.colour})
}

// longestSteps are told by name, the others as one.
const longestSteps = 8

// drawTimes tells where the message's time went, the longest first.
func (p *panel) drawTimes(d *drawing) {
	t := p.Timing
	if t == nil || len(t.stretches()) == 0 {
		return
	}
	spent := map[proof.Step]uint32{}
	for _, s := range t.stretches() {
		spent[s.step] += s.to - s.from
	}
	steps := slices.SortedFunc(maps.Keys(spent), func(a, b proof.Step) int {
		return cmp.Or(cmp.Compare(spent[b], spent[a]), cmp.Compare(a, b))
	})
	cells := []string{fmt.Sprintf(d.two("%.1f µs while it was judged:", "判定时共 %.1f 微秒:"), microsOf(t.total()))}
	if t.Again {
		cells[0] = fmt.Sprintf(d.two("%.1f µs, measured again after the answer:", "应答后重新测得共 %.1f 微秒:"), microsOf(t.total()))
	}
	var rest uint32
	for i, step := range steps {
		if i >= longestSteps {
			rest += spent[step]
			continue
		}
		cell := fmt.Sprintf("%s %.2f", stepName(d.l.catalogue, step).In(d.l.lang), microsOf(spent[step]))
		if i+1 < len(steps) {
			cell += ","
		}
		cells = append(cells, cell)
	}
	if n := len(steps) - longestSteps; n > 0 {
		cells = append(cells, fmt.Sprintf(d.two("%d others %.2f", "其余 %d 项 %.2f"), n, microsOf(rest)))
	}
	lead := pad(d.two("TIMES", "用时"), panelLabel)
	for _, l := range packed(cells, panelWidth-panelLabel) {
		d.line(lead + l)
		lead = strings.Repeat(" ", panelLabel)
	}
}
