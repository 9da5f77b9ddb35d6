package main

import (
	"cmp"
	"fmt"
	"strings"

	"touchstone/explain"
	"touchstone/fleet"
	"touchstone/pos"
	"touchstone/registry"
)

// careWords are the words of devices that a person reads; one that is not here is shown as it is.
var careWords = map[string]explain.Text{
	"announced": {EN: "announced", ZH: "已申报"}, "quarantined": {EN: "QUARANTINED", ZH: "隔离"}, "received": {EN: "received", ZH: "已验收"},
	"deployed": {EN: "deployed", ZH: "在用"}, "in_repair": {EN: "in repair", ZH: "送修"}, "returned": {EN: "back in stock", ZH: "已收回"},
	"retired": {EN: "retired", ZH: "已停用"}, "destroyed": {EN: "destroyed", ZH: "已销毁"},
	"device_announced": {EN: "announced", ZH: "申报"}, "device_received": {EN: "received", ZH: "验收"}, "device_deployed": {EN: "deployed", ZH: "布放"},
	"device_moved": {EN: "moved", ZH: "移机"}, "device_rebound": {EN: "bound in another's place", ZH: "换绑"}, "device_repaired": {EN: "sent to repair", ZH: "送修"}, "device_returned": {EN: "came back", ZH: "收回"}, "device_lost": {EN: "LOST OR STOLEN", ZH: "挂失"},
	"device_retired": {EN: "retired", ZH: "停用"}, "device_destroyed": {EN: "destroyed", ZH: "销毁"}, "device_quarantined": {EN: "quarantined", ZH: "隔离"},
	"counter": {EN: "counter", ZH: "柜台"}, "mobile": {EN: "mobile", ZH: "移动"}, "unattended": {EN: "unattended", ZH: "无人值守"}, "open_public": {EN: "open public", ZH: "开放公共场所"},
	"low": {EN: "low", ZH: "低"}, "normal": {EN: "normal", ZH: "一般"}, "high": {EN: "high", ZH: "高"}, "private": {EN: "private", ZH: "专用网络"}, "public": {EN: "public", ZH: "公共网络"},
	"device": {EN: "device", ZH: "设备"}, "inspection": {EN: "inspection", ZH: "巡检"}, "health": {EN: "health report", ZH: "健康报告"}, "site": {EN: "site", ZH: "场所"}, "network": {EN: "network", ZH: "网络"},
	"good": {EN: "good", ZH: "正常"}, "": {EN: "unknown", ZH: "未知"}, "overdue": {EN: "OVERDUE", ZH: "逾期"}, "failed": {EN: "FAILED", ZH: "未通过"},
	"stale": {EN: "stale", ZH: "过期未报"}, "malware": {EN: "MALWARE", ZH: "发现恶意软件"}, "definitions_old": {EN: "old definitions", ZH: "病毒库过旧"},
	"tampered": {EN: "TAMPERED", ZH: "拆机"}, "version_differs": {EN: "another version", ZH: "版本不符"}, "scanner_not_run": {EN: "scanner did not run", ZH: "未扫描"},
	"active": {EN: "active", ZH: "启用"}, "suspended": {EN: "suspended", ZH: "暂停"},
}

func (l *lines) word(name string) string {
	if w, ok := careWords[name]; ok {
		return w.In(l.lang)
	}
	return name
}

// careTold is what an act on a device came to; in English the act's own words.
func (l *lines) careTold(t *changed) string {
	f := t.Facts
	switch {
	case l.lang != explain.Chinese:
		return t.What
	case f["result"] == "passed":
		return fmt.Sprintf("巡检 %s, 设备 %s: 通过, 下次到期 %s", f["inspection"], f["serial"], f["due"])
	case f["result"] == "failed":
		text := fmt.Sprintf("巡检 %s, 设备 %s: 未通过%s", f["inspection"], f["serial"], strings.ReplaceAll(f["findings"], ", expected ", ", 应为 "))
		if f["quarantined"] != "" {
			text += "\n设备已隔离: 自即刻起拒绝其交易。不要关机, 不要打开, 保留证据。"
		}
		return text
	case f["wrong"] != "":
		return fmt.Sprintf("报告 %s: 终端 %s: %s。停止使用, 不要打开, 请致电服务热线。", f["glance"], f["terminal"], f["wrong"])
	case f["glance"] != "":
		return fmt.Sprintf("终端 %s: 一切正常", f["terminal"])
	case f["state"] != "":
		text := "设备 " + f["serial"] + ": " + l.word(f["state"])
		if f["terminal"] != "" {
			text += ", 终端 " + f["terminal"]
		}
		if f["why"] != "" {
			text += " (" + f["why"] + ")"
		}
		return text
	}
	return t.What
}

func (l *lines) day(at pos.Instant) string { return at.Time().In(l.zone).Format("2006-01-02 15:04") }

// row prints a label and what belongs to it.
func (l *lines) row(label string, parts ...string) {
	kept := parts[:0]
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	fmt.Fprintf(l.w, "%s %s\n", pad(label, 14), strings.Join(kept, "  "))
}

// device prints all that is known of one device, its five elements as of an instant.
func (l *lines) device(d *shownDevice, at, now pos.Instant) error {
	l.row(l.two("device", "设备"), string(d.Serial), d.Model, l.two("register: ", "登记: ")+cmp.Or(l.word(string(d.Register)), "-"))
	if d.Life == nil {
		l.row(l.two("life", "生命周期"), l.two("no record: it was registered without one", "无记录: 直接登记的设备"))
	} else {
		l.row(l.two("life", "生命周期"), l.word(string(d.Life.State)), l.day(d.Life.Since), d.Life.Why)
		for _, s := range d.Life.Steps {
			l.row("", l.day(s.At), pad(l.word(s.Verb), 16), strings.Join(s.By, " + "), s.Note)
		}
	}
	when := l.two("now", "当前")
	if at != 0 {
		when = l.two("as of ", "截至 ") + l.day(at)
	}
	l.elements(d.Binding, when)
	for _, f := range d.Facts {
		until := ""
		if f.Until != 0 {
			until = l.two("until ", "至 ") + l.day(f.Until)
		}
		l.row(l.word(string(f.Name)), pad(l.word(f.State), 12), l.detail(f), until)
	}
	_, err := fmt.Fprint(l.w)
	return err
}

// detail is a fact's detail; that of a site is a risk.
func (l *lines) detail(f registry.Fact) string {
	if f.Name == registry.FactSite && f.Detail != "" {
		risk, _, _ := strings.Cut(f.Detail, " ")
		return l.two("risk ", "风险 ") + l.word(risk)
	}
	return f.Detail
}

func (l *lines) elements(b *fleet.Binding, when string) {
	if b == nil {
		l.row(l.two("five elements", "五要素"), when, l.two("none", "无"))
		return
	}
	l.row(l.two("five elements", "五要素"), when, b.ID, l.two("since ", "起 ")+l.day(b.From), strings.Join(b.By, " + "))
	l.row("", l.two("acquirer", "收单机构代码"), b.Acquirer)
	l.row("", l.two("merchant", "商户编码"), b.Merchant.String(), l.two("terminal", "终端"), b.Terminal.String())
	kind := l.two("credit code", "统一社会信用代码")
	if b.Credit.Kind == fleet.PersonalID {
		kind = l.two("responsible person's ID", "负责人身份证件")
	}
	l.row("", kind, "…"+b.Credit.Last)
	l.row("", l.two("settlement account", "收单结算账户"), "…"+b.Settlement.Last)
	l.row("", l.two("address", "布放地址"), b.Address, l.word(string(b.Site)), l.two("risk ", "风险 ")+l.word(string(b.Risk)), l.word(string(b.Network)))
}

// devices prints one line a device.
func (l *lines) devices(list []shownDevice) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(l.w, l.two("no device has a life record: touchstone device --help", "没有设备档案: touchstone device --help"))
		return err
	}
	for i := range list {
		d := &list[i]
		address, state := "", ""
		if d.Binding != nil {
			address = d.Binding.Address
		}
		if d.Life != nil {
			state = l.word(string(d.Life.State))
		}
		facts := ""
		for _, f := range d.Facts {
			if (f.Name == registry.FactInspection || f.Name == registry.FactHealth) && f.State != "" && f.State != registry.Good {
				facts += "  " + l.word(string(f.Name)) + ": " + l.word(f.State)
			}
		}
		if _, err := fmt.Fprintf(l.w, "%s  %s  %s  %s  %s%s\n", pad(string(d.Serial), 22), pad(d.Model, 12), pad(state, 13), pad(cmp.Or(d.Terminal, "-"), 8), address, facts); err != nil {
			return err
		}
	}
	return nil
}
