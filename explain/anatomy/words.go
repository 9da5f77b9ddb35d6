package anatomy

import (
	"fmt"

	"touchstone/explain"
	"touchstone/iso8583"
	"touchstone/pos"
)

func text(en, zh string) explain.Text { return explain.Text{EN: en, ZH: zh} }
func same(s string) explain.Text      { return explain.Text{EN: s, ZH: s} }

var titles = map[string]explain.Text{
	"LEN": {EN: "length of what follows", ZH: "后续长度"}, "TPDU": {EN: "transport header", ZH: "传输层报头 TPDU"}, "HEADER": {EN: "message header", ZH: "报文头"},
	"MTI": {EN: "message type", ZH: "消息类型"}, "BITMAP": {EN: "bitmap", ZH: "位元表"}, unread: {EN: "not read", ZH: "未读"},
}

// elementNames are the Chinese names of the elements; docs/protocol/unionpay-pos.md, section 2. English ones are the dialect's.
var elementNames = map[int]string{
	2: "主账号", 3: "交易处理码", 4: "交易金额", 11: "受卡方系统跟踪号", 12: "受卡方所在地时间", 13: "受卡方所在地日期", 14: "卡有效期", 15: "清算日期",
	22: "服务点输入方式码", 23: "卡序列号", 25: "服务点条件码", 26: "服务点 PIN 获取码", 32: "受理方标识码", 35: "二磁道数据", 36: "三磁道数据",
	37: "检索参考号", 38: "授权标识应答码", 39: "应答码", 41: "受卡机终端标识码", 42: "受卡方标识码", 44: "附加响应数据", 48: "附加数据 (私有)",
	49: "交易货币代码", 52: "个人标识码数据", 53: "安全控制信息", 54: "余额", 55: "IC 卡数据域", 58: "电子现金数据", 59: "扩展数据", 60: "自定义域 60",
	61: "原始信息域", 62: "自定义域 62", 63: "自定义域 63", 64: "报文鉴别码",
}

// ElementTitle names an element of a dialect in both languages.
func ElementTitle(e *iso8583.Element) explain.Text {
	zh, ok := elementNames[e.Number]
	if !ok {
		zh = fmt.Sprintf("%d 域", e.Number)
	}
	return text(e.Name, zh)
}

// chipTitles are the tags of DE55 that terminals send; EMV Book 3, Annex A.
var chipTitles = map[string]explain.Text{
	"9F26": {EN: "application cryptogram", ZH: "应用密文"}, "9F27": {EN: "cryptogram information data", ZH: "密文信息数据"}, "9F10": {EN: "issuer application data", ZH: "发卡行应用数据"},
	"9F37": {EN: "unpredictable number", ZH: "不可预知数"}, "9F36": {EN: "application transaction counter", ZH: "应用交易计数器"}, "95": {EN: "terminal verification results", ZH: "终端验证结果"},
	"9A": {EN: "transaction date", ZH: "交易日期"}, "9C": {EN: "transaction type", ZH: "交易类型"}, "9F02": {EN: "amount, authorised", ZH: "授权金额"}, "5F2A": {EN: "transaction currency", ZH: "交易货币代码"},
	"82": {EN: "application interchange profile", ZH: "应用交互特征"}, "9F1A": {EN: "terminal country", ZH: "终端国家代码"}, "9F03": {EN: "amount, other", ZH: "其他金额"}, "9F33": {EN: "terminal capabilities", ZH: "终端性能"},
	"9F34": {EN: "cardholder verification results", ZH: "持卡人验证结果"}, "9F35": {EN: "terminal type", ZH: "终端类型"}, "9F1E": {EN: "interface device serial number", ZH: "接口设备序列号"}, "84": {EN: "dedicated file name", ZH: "专用文件名称"},
	"9F09": {EN: "application version", ZH: "应用版本号"}, "9F41": {EN: "transaction sequence counter", ZH: "交易序列计数器"}, "91": {EN: "issuer authentication data", ZH: "发卡行认证数据"}, "71": {EN: "issuer script 1", ZH: "发卡行脚本 1"}, "72": {EN: "issuer script 2", ZH: "发卡行脚本 2"},
}

func chipTitle(tag string) explain.Text {
	if t, ok := chipTitles[tag]; ok {
		return t
	}
	return text("tag "+tag, "标签 "+tag)
}

// mtiText names a message type; docs/protocol/unionpay-pos.md, section 3.
func mtiText(m pos.MTI) explain.Text {
	names := map[pos.MTI]explain.Text{0x0100: {EN: "authorization request", ZH: "授权请求"}, 0x0200: {EN: "financial request", ZH: "金融请求"}, 0x0220: {EN: "financial advice", ZH: "金融通知"},
		0x0320: {EN: "batch upload", ZH: "批上送"}, 0x0400: {EN: "reversal", ZH: "冲正"}, 0x0500: {EN: "settlement", ZH: "批结算"}, 0x0800: {EN: "sign-in", ZH: "签到"}, 0x0820: {EN: "sign-off or status", ZH: "签退或状态"}}
	if t, ok := names[m]; ok {
		return text(m.String()+" "+t.EN, m.String()+" "+t.ZH)
	}
	if t, ok := names[m&^0x10]; ok && m&0x10 != 0 {
		return text(m.String()+" "+t.EN+", answer", m.String()+" "+t.ZH+"应答")
	}
	return same(m.String())
}

// headerText is the header's parts; section 1.
func headerText(h []byte) explain.Text {
	class := map[byte]explain.Text{0x60: {EN: "stripe", ZH: "磁条"}, 0x61: {EN: "chip", ZH: "IC"}, 0x62: {EN: "stripe, value-added", ZH: "磁条增值"}, 0x63: {EN: "chip, value-added", ZH: "IC 增值"}}[h[0]]
	return text(fmt.Sprintf("class %s, version %02X, status %X, requirement %X, software %X", join(fmt.Sprintf("%02X", h[0]), class.EN), h[1], h[2]>>4, h[2]&15, h[3:]),
		fmt.Sprintf("类别 %s, 版本 %02X, 状态 %X, 处理要求 %X, 分版本 %X", join(fmt.Sprintf("%02X", h[0]), class.ZH), h[1], h[2]>>4, h[2]&15, h[3:]))
}

func (d *dissection) byteText(at int) explain.Text { return same(fmt.Sprintf("%02X", d.b[at])) }
func (d *dissection) wordText(s Span) explain.Text {
	return same(fmt.Sprintf("%X", d.b[s.From:s.To]))
}

func bytesText(n int) explain.Text {
	return text(fmt.Sprintf("%d more bytes", n), fmt.Sprintf("还应有 %d 字节", n))
}

// What stands there, and what to look at.
var (
	endText    = text("the end of the input", "输入到此为止")
	hiddenText = text("not shown: it may be card data", "不显示: 可能是卡数据")
	twoDigits  = text("two digits, 0 to 9 each", "两位数字, 各为 0 至 9")

	doCut      = text("see whether the capture is whole; then whether the length before these bytes is BCD and counts digits in n and z elements", "先看抓取是否完整; 再看此前的长度是否为 BCD, n 和 z 类域的长度以数字个数计")
	doLength   = text("LEN counts all bytes after itself, in binary, the high byte first; see whether the capture was cut or two frames were joined", "LEN 为其后全部字节数, 二进制, 高字节在前; 看抓取是否被截断, 或两帧相连")
	doFrame    = text("a message begins with LEN (2 bytes), TPDU (60 …), header (6 bytes), or with its type; see what stands before it", "报文以 LEN (2 字节)、TPDU (60 …)、报文头 (6 字节) 开头, 或直接以消息类型开头; 看其前多了或少了什么")
	doBitmap   = text("compare the bitmap with the elements that the terminal means to send: one bit too many shifts all that follow", "将位图与终端要发送的域核对: 多置一位, 其后全部错位")
	doPrefix   = text("lengths are BCD: one byte up to 99, two bytes above; a binary length is the usual mistake", "长度为 BCD: 99 以内 1 字节, 以上 2 字节; 常见错误是写成二进制")
	doShift    = text("see the element before it first: a wrong length there shifts this one; then how the terminal packs this format", "先看前一个域: 其长度错误会使本域错位; 再看终端如何压缩此格式")
	doTrack    = text("if the track is enciphered, digit 3 of DE53 must be 1", "若磁道已加密, 53 域第 3 位须为 1")
	doTrailing = text("see whether a bit of the bitmap is missing, or the last length is too short", "看位图是否少置一位, 或最后的长度偏短")
)
