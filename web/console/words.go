package console

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"

	"touchstone/pos"
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
	all := template.FuncMap{
		"tr":         pick,
		"trf":        func(en, zh string, args ...any) string { return fmt.Sprintf(pick(en, zh), args...) },
		"clock":      func(t pos.Instant) string { return when(t, zone, "15:04:05") },
		"date":       func(t pos.Instant) string { return when(t, zone, "2006-01-02") },
		"time":       func(t pos.Instant) string { return when(t, zone, "2006-01-02 15:04:05") },
		"iso":        func(t pos.Instant) string { return when(t, zone, time.RFC3339) },
		"money":      func(a int64) string { return fmt.Sprintf("%d.%02d", a/100, a%100) },
		"join":       strings.Join,
		"words":      func(s string) string { return stableWord(lang, s) },
		"wordlist":   func(list []string) string { return stableList(lang, list) },
		"holder":     func(owner string) string { return holderWord(lang, owner) },
		"source":     func(text string) string { return sourceWord(lang, text) },
		"fieldname":  func(path string) string { return fieldName(lang, path) },
		"fieldvalue": func(value string) string { return fieldValue(lang, value) },
		"permits":    func(words string) string { return permitWord(lang, words) },
		"kindword":   func(kind string) string { return kindWord(lang, kind) },
		"query":      url.QueryEscape,
		"dict":       web.Dict,
		"at":         func(t time.Time) string { return stamp(t, zone, time.DateTime) },
		"num":        func(n int, one, many, zh string) string { return numbered(lang, n, one, many, zh) },
		"count":      count,
		"cents":      cents,
		"share":      percent,
		"where":      reasonLink,
	}
	peopleFuncs(all, pick, zone)
	return all
}

// stamp is a time for a person in the host's zone.
func stamp(t time.Time, zone *time.Location, layout string) string {
	if t.IsZero() {
		return "–"
	}
	return t.In(zone).Format(layout)
}

// count groups digits by three.
func count(n any) string {
	t := fmt.Sprint(n)
	for i := len(t) - 3; i > 0 && t[i-1] != '-'; i -= 3 {
		t = t[:i] + "," + t[i:]
	}
	return t
}

// cents is money in the currency's major unit.
func cents(a int64) string { return fmt.Sprintf("%s.%02d", count(a/100), a%100) }

func when(t pos.Instant, zone *time.Location, layout string) string {
	if t == 0 {
		return "–"
	}
	return time.Unix(0, int64(t)).In(zone).Format(layout)
}
