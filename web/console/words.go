package console

import (
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"time"

	"touchstone/pos"
	"touchstone/staff"
)

// funcs are what templates may call, in one language.
func funcs(lang string, zone *time.Location) template.FuncMap {
	pick := func(en, zh string) string {
		if lang == "zh" {
			return zh
		}
		return en
	}
	return template.FuncMap{
		"tr":       pick,
		"trf":      func(en, zh string, args ...any) string { return fmt.Sprintf(pick(en, zh), args...) },
		"clock":    func(t pos.Instant) string { return when(t, zone, "15:04:05") },
		"date":     func(t pos.Instant) string { return when(t, zone, "2006-01-02") },
		"time":     func(t pos.Instant) string { return when(t, zone, "2006-01-02 15:04:05") },
		"iso":      func(t pos.Instant) string { return when(t, zone, time.RFC3339) },
		"money":    func(a int64) string { return fmt.Sprintf("%d.%02d", a/100, a%100) },
		"join":     strings.Join,
		"words":    func(s string) string { return strings.ReplaceAll(s, "_", " ") },
		"query":    url.QueryEscape,
		"dict":     dict,
		"roleword": func(r staff.Role) string { return pick(roleWords[r][0], roleWords[r][1]) },
		"topicword": func(topic string) string {
			if w, ok := topicWords[staff.Topic(topic)]; ok {
				return pick(w[0], w[1])
			}
			return topic
		},
		"moment": func(t time.Time) string { return when(pos.Instant(t.UnixNano()), zone, "2006-01-02 15:04") },
		"at":     func(t time.Time) string { return stamp(t, zone, time.DateTime) },
		"count":  count,
		"cents":  cents,
		"share":  percent,
		"where":  reasonLink,
		"day":    func(t time.Time) string { return when(pos.Instant(t.UnixNano()), zone, "2006-01-02") },
		"holds":  func(roles []staff.Role, r staff.Role) bool { return slices.Contains(roles, r) },
		"states": func() []string { return []string{"open", "done", "rejected", "expired", ""} },
	}
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

// dict makes the argument of a shared template: dict "key" value ...
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: %d arguments", len(pairs))
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: argument %d is no name", i)
		}
		m[key] = pairs[i+1]
	}
	return m, nil
}

// roleWords are the roles as a person reads them.
var roleWords = map[staff.Role][2]string{
	staff.Administrator: {"administrator", "管理员"}, staff.KeyCustodian: {"key custodian", "密钥保管员"}, staff.Security: {"security officer", "安全主管"}, staff.Support: {"support", "商户支持"},
	staff.Field: {"field service", "现场服务"}, staff.Assessor: {"assessor", "检测员"}, staff.Merchant: {"merchant", "商户"}, staff.Auditor: {"auditor", "审计员"}, staff.Developer: {"developer", "开发员"},
}

// topicWords are the topics of trainings.
var topicWords = map[staff.Topic][2]string{staff.CounterTopic: {"counter security", "收银安全"}, staff.DeveloperTopic: {"secure development", "安全开发"}, staff.IncidentTopic: {"incident response", "事件响应"}}
