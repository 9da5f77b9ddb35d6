package console

import (
	"fmt"
	"html/template"
	"time"

	"touchstone/pos"
)

// messageFuncs are what the templates of messages, clones and the search may call besides.
func messageFuncs(lang string, zone *time.Location) template.FuncMap {
	return template.FuncMap{
		"say":    func(t interface{ In(lang string) string }) string { return t.In(lang) },
		"hour":   func(t time.Time) string { return when(pos.Instant(t.UnixNano()), zone, "15:04:05") },
		"millis": func(us uint32) string { return fmt.Sprintf("%.2f", float64(us)/1000) },
		"micros": micros,
		"dec":    func(n int) int { return n - 1 },
	}
}
