package console

import (
	"strings"

	"touchstone/staff"
)

// helpChinese are the texts under an act's fields; the English ones stand at the fields of the act's type.
var helpChinese = map[string]string{
	"Components of the key, two at least, each sealed to the transport key (touchstone seal tmk-component) and uploaded before.": "密钥分量至少两份，各自加密至传输密钥（touchstone seal tmk-component）。", "Components of the key, two at least, each sealed to the transport key (touchstone seal serial-key-component) and uploaded before.": "密钥分量至少两份，各自加密至传输密钥（touchstone seal serial-key-component）。",
	"The card number, sealed to the transport key (touchstone seal pan) and uploaded before.": "卡号，加密至传输密钥（touchstone seal pan）。", "A new PIN, sealed likewise (touchstone seal pin); without it the card keeps the one it has.": "新密码，同样加密（touchstone seal pin）；不填则保持原密码。",
	"YYYYMMDD, for the check of a new PIN; not kept.": "YYYYMMDD，仅用于检查新密码，不保存。", "A new PIN, and every other term as it was.": "只改密码，其余不变。", "Why: the first, the yearly one, the one before may be known to others.": "原因：首次、年度更换、旧密钥可能外泄。",
	"A scope in force whose targets are this host's: plain, then TLS.": "有效的授权范围，其目标为本主机的明文与 TLS 地址。", "The subject's TOML, uploaded before. What files it names is not looked at.": "检测对象的 TOML；其中所写的文件名不予采用。",
	"The software package, ZIP.": "软件包 (ZIP)。", "The maker's public keys, PEM.": "厂商公钥 (PEM)。", "Snapshot of PCI's approvals, JSON.": "PCI 认可清单快照 (JSON)。", "Snapshot of UnionPay's licences, JSON.": "银联入网许可清单快照 (JSON)。",
	"A day of the host's time zone, YYYYMMDD.": "主机时区的日期，YYYYMMDD。", "A document, uploaded before.": "文件。", "A moment, RFC 3339.": "时间。", "Application versions that it may run.": "允许运行的应用版本。",
	"As it is, when not given.": "不填则保持不变。", "Begin or hand in a test; record a course outside; confirm that the rule was read.": "开始测试、交卷、登记外部课程，或确认已读守则。",
	"DE41, 8 characters.": "DE41，8 个字符。", "DE42 of its shop.": "所属商户的 DE42。", "DE42, 15 characters.": "DE42，15 个字符。", "DE60.3: which working keys a sign-in brings.": "DE60.3：签到下发哪些工作密钥。",
	"From when the campaign begins.": "自整改开始起算。", "From where it may come; its shop's, when not given.": "允许的来源网络；不填则同商户。", "From where its terminals may come: CIDR, or any.": "终端允许的来源网络：CIDR 或 any。",
	"How DE64 is computed.": "DE64 的计算方式。", "How long it opens; 90 when not given.": "有效天数；不填为 90。", "How to reach who reports: a text file, uploaded before; it is encrypted at once.": "报告人的联系方式：文本文件，收到后立即加密。",
	"It sends tracks under its track key.": "以磁道密钥加密上送磁道。", "Latitude, longitude, metres.": "纬度,经度,米。", "Links, or clocks.": "关联项或时限。", "Messages from elsewhere are refused.": "拒绝来自其他位置的报文。",
	"Minor units: 8800 is 88.00.": "最小货币单位：8800 即 88.00。", "Nanoseconds that the old one still holds after a renewal.": "换发后旧证书仍有效的纳秒数。", "Nanoseconds; the authority's own when not given.": "纳秒；不填则按默认。",
	"Network licence number.": "入网许可证号。", "None of its terminals may do anything.": "其所有终端均不可交易。", "Of the one to revoke; all of the device's when not given.": "要吊销的证书；不填则为该设备的全部证书。", "Only a strong MAC proves it.": "只接受强 MAC。",
	"Photographs, JPEG or PNG, uploaded before.": "照片，JPEG 或 PNG。", "Photographs, uploaded before.": "照片。", "Reject it; one person may.": "否决；一人即可。", "Reserved for probes: no money.": "探测专用：不涉及资金。",
	"SHA-256 of the file, hexadecimal, where you know it: another file is refused. The second person agrees to it.": "文件的 SHA-256（十六进制），如已知请填写：不符的文件将被拒绝。第二人据此同意。", "SHA-256 of the package, hexadecimal, where you know it: another file is refused. The second person agrees to it.": "发布包的 SHA-256（十六进制），如已知请填写：不符的文件将被拒绝。第二人据此同意。",
	"The package, as touchstone release sign writes it: a ZIP file, uploaded before.": "发布包，由 touchstone release sign 生成的 ZIP 文件。", "Why, where the package withdraws a release or ends its support.": "原因：发布包撤回版本或终止支持时填写。", "Bytes of the file, where you know them.": "文件字节数，如已知请填写。",
	"Seconds.": "秒。", "Serial number of the device.": "设备序列号。", "Serial number or terminal.": "序列号或终端号。",
	"The picture, JPEG, PNG or WebP of at most 8 MB, uploaded before.": "图片，JPEG、PNG 或 WebP，不超过 8 MB，须先上传。", "It is drawn, and no photograph.": "是绘制的，不是照片。", "Whose picture it is, as people are told.": "图片来源，将向公众显示。", "The same in Chinese.": "同上，中文。", "The model has no picture any more.": "该型号不再有图片。",
	"Serial number, as DE62 or DE46 carries it.": "序列号，同 DE62 或 DE46。", "Some of that account's roles.": "该账户的部分角色。", "The account whose person answers for it.": "由其本人负责的账户。", "The advisory that is closed, such as ADV-1.": "要关闭的公告，如 ADV-1。",
	"The application's file, uploaded before.": "应用文件。", "The campaign that is ended, such as CMP-1.": "要结束的整改，如 CMP-1。", "The card's last four digits, as printed.": "小票所印卡号末四位。", "The cashier no longer works there.": "该收银员已离职。",
	"The cashier's number, as at the sign-in.": "签到所用的操作员号。", "The certificate, such as CRT-1.": "证书，如 CRT-1。", "The claim's whole number.": "完整的索赔编号。", "The document, CSAF or OSV, uploaded before.": "CSAF 或 OSV 文件。",
	"The incident, such as INC-1; of a new one nothing.": "事件编号，如 INC-1；新立案不填。", "The key's number.": "密钥编号。", "The policy in TOML: touchstone permit policy shows the one in force.": "TOML 格式的策略；现行策略见 touchstone permit policy。", "The proposal.": "提案。",
	"The raw transcript, uploaded before.": "原始记录文件。", "The request, PKCS #10 in PEM or DER, in base64.": "证书请求：PKCS #10（PEM 或 DER），base64。", "The terminal that it works as.": "其对应的终端号。", "They are registered and work already.": "已登记并在使用。",
	"Two digits: 04 is a smart terminal.": "两位数字：04 为智能终端。", "What a terminal may do until it is answered, such as no_refund,online_only.": "响应前终端可做的交易，如 no_refund,online_only。", "What happened.": "发生了什么。",
	"What is wrong; nothing when not given.": "有何异常；不填为一切正常。", "What it answers, such as ADV-1.": "所响应的公告，如 ADV-1。", "What it does to security certificates, where the document does not say.": "对安全证书的影响（文件未说明时填写）。",
	"What it may do after the deadline, such as sign_in_only.": "期限后可做的交易，如 sign_in_only。", "What the key is for.": "密钥用途。",
	"Whose it is, and what for.": "归属与用途。", "HTTPS, with a public address. In a test data directory this machine too, without TLS.": "HTTPS 公网地址；测试数据目录亦可为本机，且可不用 TLS。",
	"What it is told: transaction.refused, transaction.cause, incident.opened, incident.changed, incident.closed, claim.decided, claim.paid, proposal.made, proposal.decided, advisory.changed, campaign.changed, permit.changed, clone.suspected, or event. and the name of an event.": "通知的内容：transaction.refused、transaction.cause、incident.opened、incident.changed、incident.closed、claim.decided、claim.paid、proposal.made、proposal.decided、advisory.changed、campaign.changed、permit.changed、clone.suspected，或 event. 加事件名称。",
	"The endpoint's number.": "回调编号。", "It goes on where it was left. Else it is disabled.": "从停用处继续；不选则停用。", "How long the former secret signs too; 0: it ends at once, as when it is known to others.": "旧密钥同时签名的小时数；0 为立即失效，例如已泄露时。",
	"The first message: evt_ and an entry's number.": "首条消息：evt_ 加记录编号。", "The last; the first alone, when not given.": "末条；未填则只发首条。", "What was found, by item of the checklist.": "按检查项填写所见。",
	"Which proof's sales go on; every one when not given.": "恢复哪种证明的消费；不填为全部。", "Which step; the other fields are read as it needs.": "选择步骤；其余各项按需填写。", "Who looked at it.": "查验人。", "YYMM.": "YYMM。",
}

// choiceChinese are the words that a field may have; codes and names of algorithms stand as they are.
var choiceChinese = map[string]string{
	"action": "采取措施", "active": "正常", "answer": "答复时限", "assign": "指派", "begin": "开始", "cause": "认定原因", "clocks": "载入时限规则", "close": "结案", "confirm": "确认已读", "considerable": "较大", "contacts": "设定联系密钥",
	"current": "当前", "destroy": "销毁", "dismiss": "驳回报告", "drill": "演练", "end": "交卷", "extreme": "特别重大", "fake_technician": "假冒维修人员", "general": "一般", "grade": "定级", "init": "建立", "issue": "签发",
	"join": "报告并案", "link": "关联", "lose": "挂失 (丢失或被盗)", "lost": "挂失", "major": "重大", "note": "备注", "open": "立案", "other": "其他", "record": "登记外部课程", "refresh": "刷新", "refused": "被拒绝", "renew": "换发", "repair": "送修",
	"restricted": "受限", "retire": "停用", "return": "收回", "revoke": "吊销", "rules": "载入规则", "scope": "划定范围", "skimmer": "盗刷装置", "start": "起算时限", "stolen": "被盗", "supported": "受支持", "suspended": "暂停", "waive": "豁免时限",
	"withdrawn": "已撤回", "wrong_amount": "金额不符",
}

// fieldHelp is the text under a field in one language; ok is false where it has only the other.
func fieldHelp(lang, english string) (text string, ok bool) {
	if lang != "zh" || english == "" {
		return english, true
	}
	text, ok = helpChinese[english]
	return text, ok
}

// FieldHelp is fieldHelp for who looks over all fields.
func FieldHelp(lang, english string) (text string, ok bool) { return fieldHelp(lang, english) }

// ChoiceWord is a word that a field may have, as a person reads it.
func ChoiceWord(lang, word string) string {
	if w, ok := roleWords[staff.Role(word)]; ok {
		if lang == "zh" {
			return w[1]
		}
		return w[0]
	}
	if lang == "zh" && choiceChinese[word] != "" {
		return choiceChinese[word]
	}
	return strings.ReplaceAll(word, "_", " ")
}
