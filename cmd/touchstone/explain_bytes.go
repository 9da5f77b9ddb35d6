package main

import (
	"context"
	"fmt"

	"touchstone/explain/anatomy"
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
	d.line("")
	if d.err != nil {
		return d.err
	}
	return a.Draw(x.a.stdout, anatomy.Style{Language: x.l.lang, Colour: d.colour})
}
