package console

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"touchstone/web/api"
)

// caseWords are the stable words of incidents, claims, reports, notices and the laboratory, for a person.
var caseWords = map[string]api.Text{
	"open": {EN: "open", ZH: "待处理"}, "working": {EN: "being worked on", ZH: "处理中"}, "closed": {EN: "closed", ZH: "已关闭"},
	"waiting": {EN: "waits for its start", ZH: "未开始"}, "running": {EN: "runs", ZH: "进行中"}, "answered_in_time": {EN: "answered in time", ZH: "按时答复"},
	"answered_late": {EN: "answered late", ZH: "超时答复"}, "waived": {EN: "waived", ZH: "已豁免"},
	"rule": {EN: "rule", ZH: "规则"}, "report": {EN: "report", ZH: "举报"}, "inspection": {EN: "inspection", ZH: "巡检"}, "person": {EN: "person", ZH: "人工"},
	"awareness": {EN: "awareness", ZH: "知悉"}, "engaged": {EN: "an investigator is engaged", ZH: "聘请调查机构"}, "fixed": {EN: "fixed", ZH: "已修复"}, "handled": {EN: "the handling ends", ZH: "处置完毕"},
	"V": {EN: "checked in its text", ZH: "已核对原文"}, "S": {EN: "from a secondary source", ZH: "二手来源"}, "R": {EN: "recalled", ZH: "凭记忆"}, "unverified": {EN: "not checked", ZH: "未核实"},
	"model_version": {EN: "model and version", ZH: "型号与版本"}, "model": {EN: "model", ZH: "型号"}, "version": {EN: "version", ZH: "版本"}, "network": {EN: "network", ZH: "网络"},
	// Rules that open incidents, and duties with a deadline, by their ids.
	"refusals-of-one-model": {EN: "refusals of one model", ZH: "同一型号的拒绝"}, "attached-device": {EN: "a device is attached", ZH: "发现附加装置"}, "two-devices": {EN: "two devices", ZH: "一个身份两台设备"}, "campaign": {EN: "campaign", ZH: "整改"}, "payer": {EN: "payment", ZH: "付款"}, "webhooks": {EN: "webhooks", ZH: "回调"}, "permit": {EN: "permit", ZH: "许可"}, "clock": {EN: "clock", ZH: "时限"}, "retest": {EN: "retest", ZH: "复测"}, "outbox": {EN: "notices", ZH: "通知发送"}, "incident-clocks": {EN: "deadlines", ZH: "答复时限"}, "guesses": {EN: "wrong passphrases", ZH: "口令猜测限制"},
	"webhook-patience": {EN: "webhooks", ZH: "回调"}, "refresh": {EN: "repository renewal", ZH: "发布库续期"}, "unnamed": {EN: "nobody known", ZH: "未知人员"}, "life": {EN: "device's life", ZH: "设备状态"},
	"tamper-reports": {EN: "reports of tampering", ZH: "拆机报告"}, "authentication-ineffective": {EN: "authentication is ineffective", ZH: "认证失效"}, "wrong-device": {EN: "wrong device", ZH: "设备不符"},
	"glance-report": {EN: "report from a glance", ZH: "巡查报告"}, "sign-in-ping-pong": {EN: "sign-ins alternate", ZH: "交替签到"}, "location-drift": {EN: "moved", ZH: "位置偏移"},
	"presented": {EN: "as presented", ZH: "终端上报"}, "health": {EN: "health report", ZH: "健康上报"},
	"contain": {EN: "contain", ZH: "遏制"}, "pipl-57": {EN: "personal information", ZH: "个人信息补救与通知"}, "cii-report": {EN: "critical infrastructure report", ZH: "关键设施报告"},
	"cac-report": {EN: "cyberspace administration", ZH: "网信部门报告"}, "cac-final": {EN: "final report", ZH: "网信部门总结"}, "pboc-2025-4": {EN: "People's Bank report", ZH: "人民银行报告"},
	"pboc-2020-5-danger": {EN: "People's Bank, danger", ZH: "人民银行报告（危险）"}, "pboc-2020-5-harm": {EN: "People's Bank, harm", ZH: "人民银行报告（损害）"}, "mastercard-adc": {EN: "Mastercard report", ZH: "万事达卡报告"},
	"mastercard-pfi": {EN: "investigator, Mastercard", ZH: "万事达卡取证机构"}, "visa-notify": {EN: "Visa report", ZH: "维萨报告"}, "visa-pfi": {EN: "investigator, Visa", ZH: "维萨取证机构"},
	"pfi-preliminary": {EN: "investigator's first report", ZH: "取证初步报告"}, "national-security": {EN: "national security", ZH: "国家安全报告"},
	"shop": {EN: "shop", ZH: "商户"}, "key": {EN: "key", ZH: "密钥"},
	"incident_opened": {EN: "opened", ZH: "立案"}, "incident_assigned": {EN: "assigned", ZH: "指派"}, "incident_noted": {EN: "note", ZH: "记录"}, "incident_graded": {EN: "graded", ZH: "定级"},
	"incident_scoped": {EN: "scope", ZH: "范围"}, "incident_cause_found": {EN: "cause", ZH: "原因"}, "incident_action_taken": {EN: "action", ZH: "措施"}, "incident_linked": {EN: "linked", ZH: "关联"},
	"incident_clock_answered": {EN: "deadline answered", ZH: "时限答复"}, "incident_clock_started": {EN: "deadline started", ZH: "时限开始"}, "incident_clock_waived": {EN: "deadline waived", ZH: "时限豁免"},
	"incident_closed": {EN: "closed", ZH: "关闭"}, "incident_widened": {EN: "widened", ZH: "扩大"}, "incident_opened_again": {EN: "opened again", ZH: "重新打开"}, "report_joined": {EN: "report joined", ZH: "并入举报"},

	"approved": {EN: "approved, money on its way", ZH: "已批准, 款项办理中"}, "paid": {EN: "paid", ZH: "已支付"}, "refused": {EN: "refused", ZH: "已拒绝"}, "lapsed": {EN: "approved, could not all be paid", ZH: "已批准, 有款项未能支付"},
	"due": {EN: "on its way", ZH: "办理中"}, "refund": {EN: "refund", ZH: "退款"}, "compensation": {EN: "compensation", ZH: "补偿"},
	"acquirer": {EN: "acquirer", ZH: "收单机构"}, "merchant": {EN: "merchant", ZH: "商户"}, "maker": {EN: "maker", ZH: "厂商"}, "insurer": {EN: "insurer", ZH: "保险公司"},
	"standing": {EN: "stands", ZH: "有效"}, "voided": {EN: "voided", ZH: "已撤销"}, "reversed": {EN: "reversed", ZH: "已冲正"},

	"skimmer": {EN: "something is attached to the terminal", ZH: "终端上有可疑装置"}, "report_refused": {EN: "card or terminal refused", ZH: "卡或终端被拒"}, "wrong_amount": {EN: "wrong amount", ZH: "金额不符"},
	"fake_technician": {EN: "somebody posed as a technician", ZH: "冒充维修人员"}, "other": {EN: "other", ZH: "其他"},
	"queued_report": {EN: "waits: nobody has looked at it", ZH: "待处理: 尚未查看"}, "taken": {EN: "taken up", ZH: "已受理"}, "dismissed": {EN: "answered", ZH: "已答复"},

	"drafted": {EN: "drafted", ZH: "已拟制"}, "superseded": {EN: "superseded", ZH: "已被取代"}, "queued": {EN: "waits to be sent", ZH: "待发送"}, "sending": {EN: "being sent", ZH: "发送中"},
	"sent": {EN: "delivered", ZH: "已送达"}, "written": {EN: "written to a file: somebody carries it", ZH: "已生成文件, 须人工送达"}, "failed": {EN: "refused for good", ZH: "被拒收"}, "given_up": {EN: "given up", ZH: "已放弃"}, "in_doubt": {EN: "in doubt", ZH: "存疑"},
	"issuer_file": {EN: "file to issuer", ZH: "发卡机构清单"}, "merchant_kit": {EN: "merchant's kit", ZH: "商户告示包"}, "consumer_notice": {EN: "notice to cardholders", ZH: "持卡人告知"},
	"regulator_note": {EN: "note to regulator", ZH: "监管报告"}, "internal": {EN: "to our own people", ZH: "内部通报"},
	"accepted": {EN: "accepted", ZH: "已接受"}, "refused_now": {EN: "refused for now", ZH: "暂时拒收"}, "unreachable": {EN: "unreachable", ZH: "无法连接"},

	"complete": {EN: "complete", ZH: "已完成"}, "pass": {EN: "pass", ZH: "通过"}, "fail": {EN: "fail", ZH: "不通过"}, "not_applicable": {EN: "not applicable", ZH: "不适用"},
	"inconclusive": {EN: "inconclusive", ZH: "无法判定"}, "not_tested": {EN: "not tested", ZH: "未检测"}, "axis_open": {EN: "not known yet", ZH: "尚未判定"},
	"critical": {EN: "critical", ZH: "致命"}, "high": {EN: "high", ZH: "高"}, "medium": {EN: "medium", ZH: "中"}, "low": {EN: "low", ZH: "低"}, "info": {EN: "information", ZH: "提示"},
	"answered": {EN: "answered by the maker", ZH: "厂商已答复"}, "retested": {EN: "retested", ZH: "已复测"},
	"valid": {EN: "valid", ZH: "有效"}, "suspended": {EN: "suspended", ZH: "已暂停"}, "withdrawn": {EN: "withdrawn", ZH: "已撤销"}, "expired": {EN: "expired", ZH: "已过期"},
	"satisfied": {EN: "satisfied", ZH: "满足"}, "in part": {EN: "in part", ZH: "部分满足"}, "NOT SATISFIED": {EN: "not satisfied", ZH: "不满足"}, "not applicable": {EN: "not applicable", ZH: "不适用"},
	"passed": {EN: "held", ZH: "成立"}, "not_run": {EN: "not run", ZH: "未进行"}, "unavailable": {EN: "unavailable", ZH: "不可用"},
	"general": {EN: "general", ZH: "一般"}, "considerable": {EN: "considerable", ZH: "较大"}, "major": {EN: "major", ZH: "重大"}, "extreme": {EN: "extreme", ZH: "特别重大"},
	"unsigned": {EN: "unsigned", ZH: "未签名"}, "altered": {EN: "altered after signing", ZH: "签名后被改动"}, "weak": {EN: "weak signature key", ZH: "签名密钥过弱"}, "sbom": {EN: "no list of components", ZH: "无组件清单"},
	"secret": {EN: "a key left in the package", ZH: "包内遗留密钥"}, "listing": {EN: "not as listed", ZH: "与清单不符"}, "licence": {EN: "licence revoked", ZH: "入网许可已吊销"},
}

// caseFuncs are what the pages of incidents and the laboratory call, in one language.
func caseFuncs(lang string, zone *time.Location) template.FuncMap {
	moment := func(layout string) func(time.Time) string {
		return func(t time.Time) string {
			if t.IsZero() {
				return "–"
			}
			return t.In(zone).Format(layout)
		}
	}
	return template.FuncMap{
		"cMoment": moment("2006-01-02 15:04:05"), "cMinute": moment("2006-01-02 15:04"), "cDay": moment("2006-01-02"), "cHour": moment("15:04:05"),
		"cSay":     func(b api.Text) string { return b.In(lang) },
		"cWord":    func(w string) string { return wordIn(w, lang) },
		"cWithin":  func(rule string) string { return within(rule, lang) },
		"cRemains": func(due, now time.Time) string { return remains(due, now, lang) },
		"cZone":    func() string { return time.Now().In(zone).Format("UTC-07:00") },
		"cTxn":     func(seq uint64) string { return "txn_" + strconv.FormatUint(seq, 10) },
		"cFew":     few,
		"cShort":   func(s string) string { return s[:min(len(s), 12)] },
		"cTone":    tone,
		"cHref":    recordHref,
		"cAdd":     func(a, b int) int { return a + b },
		"cSub":     func(a, b int) int { return a - b },
		"cElapsed": elapsed,
		"actor":    func(who string) string { return actorsIn([]string{who}, lang) },
		"actors":   func(list []string) string { return actorsIn(list, lang) },
		"cSplit":   strings.Fields,
		"stuck": func(list []api.CaseNotice) bool {
			return slices.ContainsFunc(list, func(n api.CaseNotice) bool {
				return n.State == "failed" || n.State == "given_up" || n.State == "in_doubt"
			})
		},
		"cLower": strings.ToLower,
	}
}

func wordIn(w, lang string) string {
	if known, ok := caseWords[w]; ok {
		return known.In(lang)
	}
	return strings.ReplaceAll(w, "_", " ")
}

// actorsIn are who acted: accounts by their names; a rule, or a consumer, in words.
func actorsIn(list []string, lang string) string {
	said := make([]string, len(list))
	for i, who := range list {
		rule, ok := strings.CutPrefix(who, "rule:")
		switch {
		case ok && lang == "zh":
			said[i] = "规则：" + wordIn(rule, lang)
		case ok:
			said[i] = "rule: " + wordIn(rule, lang)
		case who == "consumer" && lang == "zh":
			said[i] = "持卡人"
		default:
			said[i] = who
		}
	}
	return strings.Join(said, " + ")
}

// elapsed is how much of a span is over, per cent.
func elapsed(from, to, now time.Time) int {
	whole := to.Sub(from)
	if whole <= 0 {
		return 100
	}
	return int(min(100, max(0, 100*now.Sub(from)/whole)))
}

// withins are the units of a duty's time as its rule says it, in both languages; the first two of each are one and several.
var withins = map[string][3]string{"h": {"hour", "hours", "小时"}, "d": {"day", "days", "天"}, "bd": {"working day", "working days", "个工作日"}, "mo": {"month", "months", "个月"}}

// within is the time of a duty in words: 4h is 4 hours, 5bd is 5 working days. What it does not know it leaves as it is.
func within(rule, lang string) string {
	at := strings.IndexFunc(rule, func(r rune) bool { return r < '0' || r > '9' })
	if at < 1 {
		return rule
	}
	unit, ok := withins[rule[at:]]
	switch {
	case !ok:
		return rule
	case lang == "zh":
		return rule[:at] + " " + unit[2]
	case rule[:at] == "1":
		return "1 " + unit[0]
	}
	return rule[:at] + " " + unit[1]
}

// few is the first n of a list.
func few(n int, list []string) []string { return list[:min(n, len(list))] }

// remains says how much of a deadline is left, or since when it is over.
func remains(due, now time.Time, lang string) string {
	d := due.Sub(now)
	if d < 0 {
		if lang == "zh" {
			return "已超时 " + inWords(-d, lang)
		}
		return "overdue by " + inWords(-d, lang)
	}
	if lang == "zh" {
		return "剩余 " + inWords(d, lang)
	}
	return inWords(d, lang) + " left"
}

func inWords(d time.Duration, lang string) string {
	unit := func(n int, en, zh string) string {
		if lang == "zh" {
			return fmt.Sprintf("%d %s", n, zh)
		}
		return fmt.Sprintf("%d %s", n, en)
	}
	switch {
	case d >= 14*24*time.Hour:
		return unit(int(d.Hours())/24, "d", "天")
	case d >= 48*time.Hour:
		return unit(int(d.Hours())/24, "d", "天") + " " + unit(int(d.Hours())%24, "h", "小时")
	case d >= time.Hour:
		return unit(int(d.Hours()), "h", "小时") + " " + unit(int(d.Minutes())%60, "min", "分")
	case d >= time.Minute:
		return unit(int(d.Minutes()), "min", "分钟")
	}
	return unit(int(d.Seconds()), "s", "秒")
}

// tones are the badge of a state: good, warn, bad or none.
var tones = map[string]string{
	"open": "warn", "working": "", "closed": "none", "waiting": "none", "running": "", "answered_in_time": "good", "answered_late": "bad", "waived": "none",
	"approved": "", "paid": "good", "refused": "none", "lapsed": "bad", "due": "",
	"queued_report": "warn", "taken": "good", "dismissed": "none", "drafted": "none", "superseded": "none", "queued": "", "sending": "", "sent": "good", "written": "warn", "failed": "bad", "given_up": "bad", "in_doubt": "warn",
	"complete": "good", "pass": "good", "fail": "bad", "inconclusive": "warn", "not_tested": "none", "not_applicable": "none", "axis_open": "warn",
	"critical": "bad", "high": "bad", "medium": "warn", "low": "", "info": "none", "answered": "", "fixed": "", "retested": "good", "accepted": "good",
	"valid": "good", "suspended": "warn", "withdrawn": "bad", "expired": "bad",
	"satisfied": "good", "in part": "warn", "NOT SATISFIED": "bad", "not applicable": "none", "passed": "good", "not_run": "none", "unavailable": "warn",
	"general": "none", "considerable": "warn", "major": "bad", "extreme": "bad", "issuable": "good", "conditional": "warn", "blocked": "warn",
}

func tone(state string) string { return tones[state] }

// recordHref is the page of a record by its id, "" where it has none.
func recordHref(id string) string {
	kind, _, _ := strings.Cut(id, "-")
	switch kind {
	case "INC":
		return "/incidents/" + id
	case "CLM":
		return "/claims/" + id
	case "RPT":
		return "/reports/" + id
	case "NTC":
		return "/notices/" + id
	case "RUN":
		return "/laboratory/runs/" + id
	case "FND":
		return "/laboratory/findings/" + id
	case "CRT":
		return "/laboratory/certificates/" + id
	case "ADV", "CMP", "REL", "INS", "GLN":
		return "/find?q=" + id
	}
	return ""
}
