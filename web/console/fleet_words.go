package console

import (
	"strings"

	"touchstone/web/api"
)

// fleetWord says a stable word of the fleet's resources to a person; one that is not here stands as it is.
func fleetWord(s, lang string) string {
	if l, ok := fleetWords[s]; ok {
		return l.In(lang)
	}
	return strings.ReplaceAll(s, "_", " ")
}

var fleetWords = map[string]api.Text{
	"none": {EN: "none", ZH: "无"}, "weak": {EN: "weak", ZH: "弱"}, "accepted": {EN: "accepted", ZH: "可接受"}, "strong": {EN: "strong", ZH: "强"},
	"open": {EN: "open", ZH: "进行中"}, "closed": {EN: "closed", ZH: "已关闭"}, "current": {EN: "current", ZH: "当前版本"}, "supported": {EN: "supported", ZH: "受支持"}, "withdrawn": {EN: "withdrawn", ZH: "已撤回"},
	"critical": {EN: "critical", ZH: "严重"}, "high": {EN: "high", ZH: "高"}, "medium": {EN: "medium", ZH: "中"}, "low": {EN: "low", ZH: "低"}, "unknown": {EN: "unknown", ZH: "未知"}, "reason.unknown": {EN: "nothing restricts it", ZH: "无限制"},
	"upgrade": {EN: "upgrade", ZH: "升级"}, "replace": {EN: "replace", ZH: "更换"}, "inspect": {EN: "inspect first", ZH: "先检查"}, "nothing": {EN: "nothing", ZH: "无需处理"},
	"good": {EN: "trained", ZH: "已培训"}, "due": {EN: "due soon", ZH: "即将到期"}, "lapsed": {EN: "lapsed", ZH: "已过期"}, "untrained": {EN: "not trained", ZH: "未培训"}, "left": {EN: "left", ZH: "已离职"},
	"sitting": {EN: "under way", ZH: "考试中"}, "passed": {EN: "passed", ZH: "通过"}, "failed": {EN: "failed", ZH: "未通过"},
	"counter": {EN: "counter", ZH: "柜台"}, "mobile": {EN: "mobile", ZH: "移动"}, "unattended": {EN: "unattended", ZH: "无人值守"}, "open_public": {EN: "open public place", ZH: "开放公共场所"},
	"in_force": {EN: "in force", ZH: "在用"}, "pending": {EN: "issued, not used yet", ZH: "已下发, 未启用"}, "signed_off": {EN: "signed off", ZH: "已签退"}, "former": {EN: "former", ZH: "旧"},
	"full": {EN: "may do everything", ZH: "可办全部业务"}, "restricted": {EN: "may sell, restricted", ZH: "可收款, 受限"}, "stopped": {EN: "may not sell", ZH: "不可收款"},
	"overdue": {EN: "Past due", ZH: "已逾期"}, "upcoming": {EN: "Upcoming", ZH: "即将到期"}, "done": {EN: "Done", ZH: "已完成"}, "findings": {EN: "Findings", ZH: "发现问题"},

	"sell.yes": {EN: "yes", ZH: "是"}, "sell.limited": {EN: "restricted", ZH: "受限"}, "sell.no": {EN: "no", ZH: "否"},
	"active": {EN: "in use", ZH: "在用"}, "suspended": {EN: "suspended", ZH: "暂停"}, "merchant_suspended": {EN: "shop suspended", ZH: "商户暂停"},
	"device.good": {EN: "good", ZH: "正常"}, "inspection.good": {EN: "good", ZH: "正常"}, "certificate.good": {EN: "good", ZH: "有效"}, "inspection.overdue": {EN: "past due", ZH: "已逾期"},
	"tampered": {EN: "tampering reported", ZH: "报告拆机"}, "quarantined": {EN: "quarantined", ZH: "已隔离"}, "in_repair": {EN: "in repair", ZH: "维修中"}, "returned": {EN: "returned", ZH: "已退库"}, "retired": {EN: "retired", ZH: "已退役"},
	"destroyed": {EN: "destroyed", ZH: "已销毁"}, "announced": {EN: "announced", ZH: "已预告"}, "received": {EN: "in stock", ZH: "在库"}, "expired": {EN: "expired", ZH: "已过期"}, "not_covered": {EN: "does not cover it", ZH: "未覆盖"},
	"private": {EN: "private", ZH: "专用网络"}, "public": {EN: "public", ZH: "公共网络"},
}
