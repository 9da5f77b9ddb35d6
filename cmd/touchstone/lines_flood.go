package main

import (
	"encoding/json"
	"fmt"

	"touchstone/journal"
)

// flood prints a summary of refusals that were answered and only counted.
func (l *lines) flood(e journal.Entry) error {
	var f journal.Flood
	if err := json.Unmarshal(e.Body, &f); err != nil {
		return fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	who := l.two("many together", "多个来源合计")
	switch {
	case f.Source != "":
		who = l.two("from ", "来自 ") + f.Source
	case f.Terminal != "":
		who = l.two("claiming terminal ", "自称终端 ") + f.Terminal
	}
	_, err := fmt.Fprintf(l.w, " %s  %s\n", e.At.Time().In(l.zone).Format("15:04:05"),
		fmt.Sprintf(l.two("flood: %d refusals only counted, %s, %s to %s", "洪泛: %d 笔拒绝仅计数, %s, %s 至 %s"), f.Suppressed, who,
			f.First.In(l.zone).Format("15:04:05"), f.Last.In(l.zone).Format("15:04:05")))
	return err
}
