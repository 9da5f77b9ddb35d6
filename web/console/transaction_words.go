package console

import (
	"fmt"
	"html/template"
	"time"

	"touchstone/pos"
	"touchstone/web/api"
)

// messageFuncs are what the templates of messages, clones and the search may call besides.
func messageFuncs(lang string, zone *time.Location) template.FuncMap {
	return template.FuncMap{
		"say":       func(t api.Text) string { return t.In(lang) },
		"at":        func(t time.Time) string { return when(pos.Instant(t.UnixNano()), zone, "2006-01-02 15:04:05") },
		"hour":      func(t time.Time) string { return when(pos.Instant(t.UnixNano()), zone, "15:04:05") },
		"millis":    func(us uint32) string { return fmt.Sprintf("%.2f", float64(us)/1000) },
		"dec":       func(n int) int { return n - 1 },
		"thousands": thousands,
	}
}

// thousands is a number with commas between thousands.
func thousands(n uint64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
