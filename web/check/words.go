package check

import (
	"fmt"
	"html/template"
	"net/url"
	"time"

	"touchstone/explain"
	"touchstone/web"
)

// funcs are what templates may call, in one language.
func funcs(lang string, zone *time.Location) template.FuncMap {
	pick := func(en, zh string) string {
		if lang == "zh" {
			return zh
		}
		return en
	}
	l, _ := explain.ParseLanguage(lang)
	return template.FuncMap{
		"tr":    pick,
		"trf":   func(en, zh string, args ...any) string { return fmt.Sprintf(pick(en, zh), args...) },
		"text":  func(t explain.Text) string { return t.In(l) },
		"time":  func(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04") },
		"clock": func(t time.Time) string { return t.In(zone).Format("15:04:05") },
		"date":  func(t time.Time) string { return t.In(zone).Format("2006-01-02") },
		"month": func(t time.Time) string { return t.In(zone).Format(pick("January 2006", "2006年1月")) },
		"zone":  func(t time.Time) string { return t.In(zone).Format("UTC-07:00") },
		"path":  url.PathEscape,
		"list":  func(list ...any) []any { return list },
		"dict":  web.Dict,
	}
}
