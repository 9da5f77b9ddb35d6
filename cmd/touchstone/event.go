package main

import (
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"touchstone/effectiveness"
	"touchstone/explain"
	"touchstone/journal"
	"touchstone/proof"
	"touchstone/staff"
)

// The canary's events. What it found is in the parameters.
const (
	eventIneffective = "authentication_ineffective"
	eventEffective   = "authentication_effective"
)

// eventTitleZH is the parameter with the Chinese of another, "title".
const eventTitleZH = "title_zh"

// parseEvent reads an entry of KindEvent.
func parseEvent(e journal.Entry) (event journal.Event, ok bool) {
	return event, e.Kind == journal.KindEvent && json.Unmarshal(e.Body, &event) == nil
}

// eventWords are the names of the events in both languages; one that is not here is shown by its name.
var eventWords = map[string]explain.Text{
	eventIneffective:           {EN: "AUTHENTICATION INEFFECTIVE", ZH: "认证失效"},
	eventEffective:             {EN: "authentication proves again", ZH: "认证恢复有效"},
	proof.EventStopped:         {EN: "SALES STOPPED", ZH: "相关消费已停止"},
	eventOldPINs:               {EN: "card PINs are old: remind their holders", ZH: "持卡人密码使用已久, 请提醒更换"},
	proof.EventCloneSuspected:  {EN: "TWO DEVICES, ONE IDENTITY", ZH: "疑似克隆: 一个身份, 两台设备"},
	proof.EventCloneCleared:    {EN: "suspicion of two devices cleared", ZH: "克隆嫌疑已解除"},
	proof.EventResumed:         {EN: "sales resumed", ZH: "消费已恢复"},
	eventIncidentOpened:        {EN: "INCIDENT OPENED", ZH: "事件已立案"},
	eventClockRanOut:           {EN: "A DEADLINE RAN OUT", ZH: "报告时限已过"},
	eventClockLost:             {EN: "THE MACHINE'S CLOCK IS NOT SYNCHRONISED", ZH: "本机时钟未同步"},
	eventClockKept:             {EN: "the machine's clock is synchronised", ZH: "本机时钟已同步"},
	staff.EventWebhookDisabled: {EN: "WEBHOOK DISABLED: its receiver took nothing for three days", ZH: "回调已停用: 接收方三天未接收"},
	staff.EventLocked:          {EN: "ACCOUNT LOCKED: wrong passphrases", ZH: "账号已锁定: 连续错误口令"},
	eventSignIns:               {EN: "many sign-ins failed", ZH: "登录失败过多"},
	effectiveness.EventChanged: {EN: "terminal proves itself otherwise than before", ZH: "终端的证明方式与其历史不同"},
}

// parameterWords are the names of parameters.
var parameterWords = map[string]explain.Text{
	"proof": {EN: "proof", ZH: "证明"}, "algorithm": {EN: "algorithm", ZH: "算法"}, "probe": {EN: "message", ZH: "探测报文"},
	"expected": {EN: "expected", ZH: "应为"}, "got": {EN: "got", ZH: "实际"}, "latency_ms": {EN: "ms", ZH: "毫秒"}, "de39": {EN: "answer", ZH: "应答"},
	"trait": {EN: "trait", ZH: "特征"}, "was": {EN: "was", ZH: "原为"}, "is": {EN: "is", ZH: "现为"}, "by": {EN: "by", ZH: "操作人"},
	cloneLikelihood: {EN: "one device does this", ZH: "单台设备如此的可能"}, cloneAddressA: {EN: "A at", ZH: "甲 地址"}, cloneAddressB: {EN: "B at", ZH: "乙 地址"},
	cloneFirst: {EN: "since entry", ZH: "起始记录"}, cloneSince: {EN: "since", ZH: "自"}, cloneSaid: {EN: "it says", ZH: "依据"}, cloneNote: {EN: "note", ZH: "说明"}, proof.SuspectKeys: {EN: "under its keys", ZH: "以其密钥证明"},
	"count": {EN: "count", ZH: "数量"}, "addresses": {EN: "addresses", ZH: "来源地址"}, "days": {EN: "days", ZH: "天数"},
	"incident": {EN: "incident", ZH: "事件"}, "title": {EN: "about", ZH: "内容"}, "severity": {EN: "severity", ZH: "级别"}, "clock": {EN: "clock", ZH: "时限"},
	"error_ms": {EN: "ms off at most", ZH: "毫秒 (最大误差)"}, "account": {EN: "account", ZH: "账号"}, "webhook": {EN: "webhook", ZH: "回调"}, "until": {EN: "until", ZH: "至"},
	"due": {EN: "due", ZH: "到期"}, "drill": {EN: "DRILL", ZH: "演练"},
}

// valueWords are values that a person reads; a value that is not here is shown as it is.
var valueWords = map[string]string{
	"MAC algorithm": "MAC 算法", "serial proof": "序列号证明", "transport": "传输", "track": "磁道", "PIN": "PIN",
	"proven": "已证明", "stated only": "仅声明", "not sent": "未上送", "device certificate": "设备证书", "none": "无", "plain TCP": "明文 TCP", "TLS": "TLS", "sealed": "加密", "clear": "明文",
	"with a PIN": "有 PIN", "without a PIN": "无 PIN", "approved": "通过", "late": "超时", "no answer": "无应答", "not in the journal": "日志中没有",
	notRunNoTerminal: "无此类探测终端", notRunNoShop: "未指定其他商户", notRunNoNetwork: "未指定其他网络的地址", notRunNoAddress: "未指定发出地址",
	"general": "一般", "considerable": "较大", "major": "重大", "extreme": "特别重大", "yes": "是", "no": "否",
	"money moved": "资金变动", "could not be sent": "无法发出", "refused": "拒绝",
}

// eventLine is one event for a person, without its time.
func (l *lines) eventLine(e *journal.Event) string {
	name := e.Name
	if words, ok := eventWords[e.Name]; ok {
		name = words.In(l.lang)
	}
	parts := []string{name}
	for _, part := range []struct{ label, value string }{
		{l.two("terminal", "终端"), e.Terminal}, {l.two("model", "型号"), e.Model}, {l.two("shop", "商户"), e.Merchant},
	} {
		if part.value != "" {
			parts = append(parts, part.label+" "+part.value)
		}
	}
	names := make([]string, 0, len(e.Parameters))
	for name := range e.Parameters {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool { return parameterOrder(names[i]) < parameterOrder(names[j]) })
	for _, name := range names {
		if name == eventTitleZH || name == cloneSaid || name == cloneFirst { // touchstone clone show draws them
			continue
		}
		label, value := name, e.Parameters[name]
		if zh := e.Parameters[eventTitleZH]; name == "title" && zh != "" && l.lang == explain.Chinese {
			value = zh
		}
		if words, ok := parameterWords[name]; ok {
			label = words.In(l.lang)
		}
		parts = append(parts, label+" "+l.parameter(name, value))
	}
	if e.Cause != 0 {
		parts = append(parts, fmt.Sprintf("%s %d", l.two("entry", "记录"), e.Cause))
	}
	return strings.Join(parts, "  ")
}

// parameter is a parameter's value for a person.
func (l *lines) parameter(name, value string) string {
	if name == cloneLikelihood {
		if n, err := strconv.ParseUint(strings.TrimPrefix(value, "1 in "), 10, 64); err == nil {
			return fmt.Sprintf(l.two("about 1 time in %s", "约 %s 次中 1 次"), count(n))
		}
	}
	return l.value(value)
}

// parameterOrder sorts the parameters as a sentence would have them, unknown ones last.
func parameterOrder(name string) string {
	for i, known := range []string{"trait", "was", "is", "proof", "algorithm", "probe", "expected", "got", "de39", "latency_ms", "by"} {
		if name == known {
			return string(rune('a' + i))
		}
	}
	return "z" + name
}

func (l *lines) value(text string) string {
	if l.lang == explain.Chinese {
		if c, ok := proof.ParseCheck(text); ok {
			if words, ok := l.catalogue.Check(c.String()); ok {
				return words.ZH
			}
		}
		if zh, ok := valueWords[text]; ok {
			return zh
		}
	}
	return text
}

// event prints one event; an alarm in red.
func (l *lines) event(at time.Time, e *journal.Event) error {
	line := fmt.Sprintf(" %s  ── %s", at.In(l.zone).Format("15:04:05"), l.eventLine(e))
	if l.colour && e.Severity == journal.Alarm {
		line = "\x1b[1;31m" + line + "\x1b[0m"
	}
	_, err := fmt.Fprintln(l.w, line)
	return err
}
