package anatomy

import (
	"fmt"
	"strconv"

	"touchstone/explain"
	"touchstone/iso8583"
	"touchstone/pos"
)

// number decodes an n element that holds no secret.
func (d *dissection) number(n int, s string) explain.Text {
	switch n {
	case 3:
		return wordFor(s, processing)
	case 4:
		if v, err := strconv.ParseInt(s, 10, 64); err == nil {
			return same(pos.Amount(v).String())
		}
	case 12:
		return same(s[:2] + ":" + s[2:4] + ":" + s[4:])
	case 13, 15:
		return same(s[:2] + "-" + s[2:])
	case 22:
		return d.entry(s)
	case 25:
		return wordFor(s, conditions)
	case 48:
		return d.settlement(s)
	case 53:
		return d.security(s)
	case 60:
		return d.private(s)
	case 61:
		return d.original(s)
	}
	return same(s)
}

// wordFor is a value with its word, where one is known.
func wordFor(s string, words map[string]explain.Text) explain.Text {
	if t, ok := words[s]; ok {
		return text(s+" "+t.EN, s+" "+t.ZH)
	}
	return same(s)
}

var processing = map[string]explain.Text{
	"000000": {EN: "sale", ZH: "消费"}, "310000": {EN: "balance", ZH: "查询"}, "200000": {EN: "void or refund", ZH: "撤销或退货"}, "030000": {EN: "pre-authorization", ZH: "预授权"},
}

var conditions = map[string]explain.Text{"00": {EN: "normal", ZH: "正常"}, "06": {EN: "pre-authorization", ZH: "预授权"}}

// entry is DE22; docs/protocol/unionpay-pos.md, section 2.1.
func (d *dissection) entry(s string) explain.Text {
	modes := map[string]explain.Text{"01": {EN: "typed", ZH: "手工"}, "02": {EN: "stripe", ZH: "磁条"}, "03": {EN: "code scanned", ZH: "扫码"},
		"05": {EN: "chip", ZH: "接触式 IC"}, "07": {EN: "contactless", ZH: "非接触式"}, "80": {EN: "fallback to stripe", ZH: "降级磁条"}, "90": {EN: "fallback to stripe", ZH: "降级磁条"}}
	pins := map[byte]explain.Text{'0': {EN: "PIN not said", ZH: "未说明密码"}, '1': {EN: "PIN entered", ZH: "已输密码"}, '2': {EN: "no PIN", ZH: "无密码"}}
	mode, pin := modes[s[:2]], pins[s[2]]
	_, hasBlock := d.values[52]
	if s[2] == '1' && d.at == len(d.b) && (d.MTI == 0x0100 || d.MTI == 0x0200) { // of other types nothing is asked: section 9A.21
		d.check(text("DE22 and PIN", "22 域与密码"), hasBlock || d.hasTag("A1"), text("it says that a PIN was entered, and there is no PIN block", "表明已输密码, 但没有 PIN 块"))
	}
	return text(join(s, mode.EN, pin.EN), join(s, mode.ZH, pin.ZH))
}

// hasTag tells whether DE59 has a tag, whatever its place among the parts.
func (d *dissection) hasTag(name string) bool {
	v, ok := d.values[59]
	if !ok {
		return false
	}
	for rest := d.bytesOf(v); len(rest) > 0; {
		n, _, left, err := iso8583.NextTag(rest)
		if err != nil {
			return false
		}
		if string(n[:]) == name {
			return true
		}
		rest = left
	}
	return false
}

func join(first string, more ...string) string {
	for _, m := range more {
		if m != "" {
			first += ", " + m
		}
	}
	return first
}

// settlement is DE48 of an 0500 and its answer.
func (d *dissection) settlement(s string) explain.Text {
	if d.MTI != 0x0500 && d.MTI != 0x0510 {
		return same(s)
	}
	x, err := iso8583.ParseSettlement([]byte(s))
	if d.check(text("DE48 totals", "48 域合计"), err == nil, text("not 62 digits of totals", "不是 62 位合计")); err != nil {
		return same(s)
	}
	for i, t := range []iso8583.Totals{x.Domestic, x.Foreign} {
		who := []explain.Text{{EN: "domestic cards", ZH: "内卡"}, {EN: "foreign cards", ZH: "外卡"}}[i]
		d.sub(1, fmt.Sprintf("48.%d", i+1), who, Span{}, text(
			fmt.Sprintf("debit %s in %d, credit %s in %d, result %d", t.Debit, t.DebitCount, t.Credit, t.CreditCount, t.Result),
			fmt.Sprintf("借记 %s 共 %d 笔, 贷记 %s 共 %d 笔, 结果 %d", t.Debit, t.DebitCount, t.Credit, t.CreditCount, t.Result)))
	}
	return text("settlement totals", "结算合计")
}

// security is DE53; section 5.1.
func (d *dissection) security(s string) explain.Text {
	x, err := iso8583.ParseDE53([]byte(s))
	if d.check(text("DE53", "53 域"), err == nil, text("a value outside its table", "值不在表内")); err != nil {
		return same(s)
	}
	format := []explain.Text{{EN: "no PIN", ZH: "无 PIN"}, {EN: "PIN without card number", ZH: "PIN 不带主账号"}, {EN: "PIN with card number", ZH: "PIN 带主账号"}}[x.Format]
	cipher := map[iso8583.PINAlgorithm]string{iso8583.SingleDES: "DES", iso8583.TripleDES: "3DES", iso8583.SM4: "SM4"}[x.Algorithm]
	track := text("tracks in clear", "磁道明文")
	if x.TracksEncrypted {
		track = text("tracks enciphered", "磁道加密")
	}
	return text(join(s[:3]+"…", format.EN, cipher, track.EN), join(s[:3]+"…", format.ZH, cipher, track.ZH))
}

// private is DE60; section 2.2.
func (d *dissection) private(s string) explain.Text {
	x, err := iso8583.ParseDE60([]byte(s))
	if d.check(text("DE60 layout", "60 域结构"), err == nil, text("its length ends inside a sub-field", "长度止于某子域中间")); err != nil {
		return same(s)
	}
	rows := []struct {
		digits int
		name   explain.Text
		value  string
	}{
		{8, text("transaction", "交易类型码"), x.Code.String()}, {8, text("batch", "批次号"), x.Batch.String()}, {11, text("network management code", "网络管理信息码"), x.Network.String()},
		{12, text("terminal reading ability", "终端读取能力"), fmt.Sprint(x.Reading)}, {13, text("IC condition", "IC 卡条件代码"), fmt.Sprint(x.Condition)},
		{14, text("partial approval", "部分扣款标志"), fmt.Sprint(x.Partial)}, {17, text("account type", "账户类型"), fmt.Sprintf("%03d", x.AccountType)},
	}
	for i, r := range rows {
		if x.Digits >= r.digits {
			d.sub(1, fmt.Sprintf("60.%d", i+1), r.name, Span{}, same(r.value))
		}
	}
	return same(s)
}

// original is DE61; section 2.3.
func (d *dissection) original(s string) explain.Text {
	x, err := iso8583.ParseDE61([]byte(s))
	if d.check(text("DE61 layout", "61 域结构"), err == nil, text("its length ends inside a sub-field", "长度止于某子域中间")); err != nil {
		return same(s)
	}
	d.sub(1, "61.1", text("batch of the original", "原批次号"), Span{}, same(x.Batch.String()))
	d.sub(1, "61.2", text("trace of the original", "原流水号"), Span{}, same(x.Trace.String()))
	if x.Digits >= 16 {
		d.sub(1, "61.3", text("date of the original", "原交易日期"), Span{}, same(fmt.Sprintf("%04d", x.Date)))
	}
	return same(s)
}
