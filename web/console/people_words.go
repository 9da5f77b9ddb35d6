package console

import (
	"html/template"
	"slices"
	"time"

	"touchstone/pos"
	"touchstone/staff"
)

// peopleFuncs adds what the templates of people call.
func peopleFuncs(all template.FuncMap, pick func(en, zh string) string, zone *time.Location) {
	word := func(w [2]string, ok bool, other string) string {
		if !ok {
			return other
		}
		return pick(w[0], w[1])
	}
	all["roleword"] = func(r staff.Role) string {
		w, ok := roleWords[r]
		return word(w, ok, string(r))
	}
	all["topicword"] = func(topic string) string {
		w, ok := topicWords[staff.Topic(topic)]
		return word(w, ok, topic)
	}
	all["moment"] = func(t time.Time) string { return when(pos.Instant(t.UnixNano()), zone, "2006-01-02 15:04") }
	all["day"] = func(t time.Time) string { return when(pos.Instant(t.UnixNano()), zone, time.DateOnly) }
	all["holds"] = func(roles []staff.Role, r staff.Role) bool { return slices.Contains(roles, r) }
	all["states"] = func() []string { return []string{"open", "done", "rejected", "expired", ""} }
}

// roleWords are the roles as a person reads them.
var roleWords = map[staff.Role][2]string{
	staff.Administrator: {"administrator", "管理员"}, staff.KeyCustodian: {"key custodian", "密钥保管员"}, staff.Security: {"security officer", "安全主管"}, staff.Support: {"support", "商户支持"},
	staff.Field: {"field service", "现场服务"}, staff.Assessor: {"assessor", "检测员"}, staff.Merchant: {"merchant", "商户"}, staff.Auditor: {"auditor", "审计员"}, staff.Developer: {"developer", "开发员"},
}

// topicWords are the topics of trainings.
var topicWords = map[staff.Topic][2]string{staff.CounterTopic: {"counter security", "收银安全"}, staff.DeveloperTopic: {"secure development", "安全开发"}, staff.IncidentTopic: {"incident response", "事件响应"}}
