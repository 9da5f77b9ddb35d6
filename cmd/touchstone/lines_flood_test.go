package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"touchstone/journal"
	"touchstone/pos"
)

// TestFloodLine: a summary as a person reads it, in both languages, of each kind of sender; and as JSON.
func TestFloodLine(t *testing.T) {
	at := pos.Instant(1_772_424_000_000_000_000) // 12:00:00 in Shanghai
	f := journal.Flood{Suppressed: 48210, Reasons: map[string]uint64{"mac_failed": 48210}, First: at.Time(), Last: at.Add(59e9).Time()}
	source, terminal := f, f
	source.Source, terminal.Terminal = "203.0.113.9", "90000001"
	for _, c := range []struct {
		lang string
		f    journal.Flood
		want string
	}{
		{"en", source, "flood: 48210 refusals only counted, from 203.0.113.9, "},
		{"zh", source, "洪泛: 48210 笔拒绝仅计数, 来自 203.0.113.9, "},
		{"en", terminal, "flood: 48210 refusals only counted, claiming terminal 90000001, "},
		{"zh", terminal, "洪泛: 48210 笔拒绝仅计数, 自称终端 90000001, "},
		{"en", f, "flood: 48210 refusals only counted, many together, "},
		{"zh", f, "洪泛: 48210 笔拒绝仅计数, 多个来源合计, "},
	} {
		body, err := json.Marshal(&c.f)
		if err != nil {
			t.Fatal(err)
		}
		e := journal.Entry{Seq: 9, Kind: journal.KindFlood, At: at, Body: body}
		var out, raw bytes.Buffer
		show, err := newLines(&out, c.lang, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := show.entry(e); err != nil || !strings.Contains(out.String(), c.want) || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%s: %q, want %q: %v", c.lang, out.String(), c.want, err)
		}
		if err := writeJSON(&raw, e); err != nil || !strings.Contains(raw.String(), `"kind":"flood"`) || !strings.Contains(raw.String(), `"mac_failed":48210`) {
			t.Errorf("%s: %v", raw.String(), err)
		}
	}
}
