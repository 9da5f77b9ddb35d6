package console

// groupWords are the groups of acts, in the order in which they are shown.
var groupWords = []struct{ name, en, zh string }{
	{"register", "Register", "登记"}, {"devices", "Devices", "设备"}, {"authentication", "Authentication", "认证"}, {"updates", "Releases and advisories", "版本与公告"},
	{"incidents", "Incidents", "事件"}, {"claims", "Claims and notices", "索赔与通知"}, {"laboratory", "Laboratory", "检测"}, {"people", "People", "人员"}, {"programs", "Programs", "程序"},
}

// fieldWords are the labels of an act's fields, by the member's name.
var fieldWords = map[string][2]string{
	"EN": {"In English", "英文"}, "ZH": {"In Chinese", "中文"}, "en": {"In English", "英文"}, "zh": {"In Chinese", "中文"},
	"account": {"Account", "账户"}, "acquirer": {"Acquirer code", "收单机构代码"}, "acquirers": {"Acquirers of record", "登记的收单机构"}, "act": {"What to do", "操作"}, "address": {"Address", "地址"},
	"administrator_min": {"Fewest characters, administrator", "管理员密码最少位数"}, "advisory": {"Advisory", "公告"}, "after_deadline": {"Permit after the deadline", "期限后的许可"}, "also": {"Terminals besides", "另含终端"},
	"amount": {"Amount in cents", "金额（分）"}, "announce": {"Announce", "预告"}, "answers": {"Answers", "答案"}, "application": {"Application version", "应用版本"}, "application_pattern": {"Application versions covered", "覆盖的应用版本"},
	"approve": {"Approve", "批准"}, "approver": {"Approved by", "批准人"}, "apps": {"Application versions", "应用版本"}, "at": {"When", "时间"}, "balance": {"Balance", "余额"}, "canary": {"Reserved for probes", "探测专用"},
	"catalogue": {"Catalogue", "目录"}, "catalogue_digest": {"Digest of the catalogue", "目录摘要"}, "cause": {"Cause", "原因"}, "certificate": {"Certificate", "证书"}, "check": {"Check", "检查"},
	"chip_reader": {"Has a chip reader", "具备芯片读卡器"}, "claim": {"Claim", "索赔"}, "class": {"Approval class", "批准类别"}, "close": {"Close", "关闭"}, "compensation": {"Compensation in cents", "补偿（分）"},
	"contact": {"Contact", "联系方式"}, "course": {"Course", "课程"}, "credit": {"Credit code", "统一社会信用代码"}, "whose": {"Whose picture it is", "图片来源"}, "whose_zh": {"Whose it is, in Chinese", "图片来源（中文）"}, "drawing": {"A drawing", "手绘图"}, "remove": {"Remove it", "移除"}, "date": {"Date, YYYYMMDD", "日期 YYYYMMDD"}, "days": {"Days", "天数"}, "url": {"URL", "网址"}, "types": {"Is told", "通知内容"}, "enable": {"Go on", "恢复"}, "hours": {"Hours", "小时数"}, "first": {"First message", "首条消息"},
	"deadline_seconds": {"Deadline in seconds", "期限（秒）"}, "decision": {"Decision", "裁定"}, "delta_class": {"Class of the difference", "差异类别"}, "deploy": {"Deploy", "布放"}, "detail": {"What was seen", "所见"},
	"device_type": {"Device type", "设备类型"}, "devices": {"Devices", "设备"}, "contents": {"What the package changes", "发布包内容"}, "digest": {"SHA-256 digest", "SHA-256 摘要"}, "disabled": {"May no longer act", "停用"}, "do": {"What to do", "操作"},
	"elements": {"Five elements", "五要素"}, "end": {"End", "结束"}, "entries": {"Journal entries", "日志记录号"}, "evidence": {"Evidence", "证据"}, "expiry": {"Expiry", "有效期"},
	"externals": {"Approvals by others", "外部批准"}, "file": {"File", "文件"}, "finding": {"Finding", "问题项"}, "fingerprint": {"Fingerprint", "指纹"}, "finish": {"Run to complete", "要完成的检测"},
	"firmware": {"Firmware", "固件"}, "firmware_pattern": {"Firmware covered", "覆盖的固件"}, "former": {"Former passwords kept", "保留的旧密码数"}, "from": {"From", "自"}, "full_name": {"Full name", "姓名"},
	"hardware": {"Hardware", "硬件"}, "hardware_pattern": {"Hardware covered", "覆盖的硬件"}, "hash": {"Keyed hash", "带密钥散列"}, "id": {"Number", "编号"}, "ids": {"Numbers", "编号列表"},
	"in_service": {"In service already", "已在使用"}, "incident": {"Incident", "事件"}, "inputs_digest": {"Digest of the inputs", "输入摘要"}, "issue": {"Run to certify", "要签发证书的检测"}, "key": {"Public key", "公钥"},
	"kind": {"Kind", "类别"}, "kinds": {"Kinds of information", "信息类别"}, "last": {"Last characters", "末几位"}, "last4": {"Last four digits of the card", "卡号末四位"}, "leave": {"Leaves", "离开"},
	"length": {"Bytes", "字节数"}, "licence": {"Network licence", "入网许可"}, "life": {"Life in nanoseconds", "有效时长（纳秒）"}, "link": {"Linked certificate", "关联证书"}, "mac": {"MAC algorithm", "MAC 算法"},
	"mac_strong": {"Only a strong MAC", "仅接受强 MAC"}, "maker": {"Maker", "制造商"}, "mark": {"Mark as not applicable", "标为不适用"}, "max_age_days": {"Longest age in days", "最长使用天数"}, "measures": {"Measures", "措施"},
	"merchant": {"Merchant number", "商户号"}, "model": {"Model", "型号"}, "models": {"Models", "型号"}, "more_terminals": {"Further terminals", "其他终端数"}, "move": {"Move", "移机"}, "name": {"Name", "名称"},
	"network": {"Network", "网络"}, "networks": {"Networks", "网络"}, "no_pin_limit": {"Limit without PIN", "免密限额"}, "no_refunds": {"No refunds", "禁止退货"}, "no_sales": {"No sales", "禁止消费"},
	"note": {"Note", "说明"}, "notes": {"Notes", "说明"}, "notes_zh": {"Notes in Chinese", "中文说明"}, "notice": {"Notice", "通知"}, "observation": {"Observation", "结果"}, "observe": {"Record a result", "记录结果"},
	"op": {"Step", "步骤"}, "operator": {"Operator number", "操作员号"}, "operator_min": {"Fewest characters, operator", "操作员密码最少位数"}, "organisation": {"Organisation", "机构"}, "overlap": {"Overlap in nanoseconds", "重叠时长（纳秒）"},
	"owner": {"Owner", "负责人"}, "package_digest": {"Digest of the package", "软件包摘要"}, "payer": {"Who pays", "付款方"}, "people": {"People", "人员"}, "person": {"Person number", "人员编号"},
	"photographs": {"Photographs", "照片"}, "photos": {"Photographs", "照片"}, "pin_without_pan": {"PIN block without PAN", "PIN 块不含卡号"}, "place": {"Place", "位置"}, "place_refuse": {"Refuse from elsewhere", "异地拒绝"},
	"policy": {"Policy", "策略"}, "profile": {"Profile", "方案"}, "profile_digest": {"Digest of the profile", "方案摘要"}, "proof": {"Proof", "证明"}, "rate": {"Messages a second", "每秒报文数"}, "reason": {"Reason", "原因"},
	"receive": {"Receive", "验收"}, "refund": {"Refund in cents", "退款（分）"}, "reject": {"Reject it", "否决"}, "report": {"Report", "报告"}, "request": {"Certificate request", "证书请求"}, "required": {"Required", "必须"},
	"requirement": {"Requirement", "要求"}, "rescope": {"Go on under another scope", "换用范围"}, "rebind": {"Bind again", "重新绑定"}, "reset": {"Account whose device is lost", "遗失设备的账户"}, "restriction": {"Permit until it is answered", "响应前的许可"}, "review": {"Every account was looked at", "已复核全部账户"},
	"risk": {"Risk", "风险"}, "roles": {"Roles", "角色"}, "rrn": {"Reference number", "参考号"}, "run": {"Run", "检测"}, "sale_limit": {"Limit of a sale", "单笔限额"}, "scope": {"Scope", "范围"}, "seal": {"Seal number", "封签号"},
	"seal_good": {"The seal is whole", "封签完好"}, "self_declaration": {"Why it is a self-declaration", "自我声明的原因"}, "serial": {"Serial number", "序列号"}, "service_code": {"Service code", "服务代码"}, "set": {"Digest of the set", "集合摘要"},
	"settlement": {"Settlement account", "结算账户"}, "severity": {"Severity", "级别"}, "shop": {"Shop", "商户"}, "shops": {"Shops", "商户"}, "sign_in_code": {"Sign-in code", "签到代码"}, "site": {"Kind of site", "场所类别"},
	"snapshot_life": {"Life of the snapshot", "快照有效期"}, "source": {"From whom", "来源"}, "start": {"Start", "开始"}, "state": {"State", "状态"}, "step": {"Step", "步骤"}, "stop": {"Scope to stop", "要停止的范围"},
	"subject": {"Subject", "对象"}, "successor": {"Successor", "接替者"}, "suspended": {"Suspended", "暂停"}, "targets": {"Targets", "目标"}, "tcp": {"TCP address", "TCP 地址"}, "terminal": {"Terminal", "终端"}, "terminals": {"Terminals", "终端"},
	"text": {"Text", "内容"}, "timestamp_life": {"Life of the timestamp", "时间戳有效期"}, "title": {"Title", "标题"}, "tls": {"TLS address", "TLS 地址"}, "to": {"To", "至"}, "tool": {"Tool", "工具"}, "topic": {"Topic", "主题"},
	"track_encrypted": {"Sends tracks encrypted", "磁道加密"}, "transcript_file": {"Transcript", "原始记录"}, "tries": {"Wrong tries", "允许错误次数"}, "unlock": {"Account to unlock", "要解锁的账户"}, "until": {"Until", "至"},
	"verdict": {"Verdict", "结论"}, "version": {"Version", "版本"}, "versions": {"Versions", "版本"}, "void_needs_pin": {"A void needs the PIN", "撤销须输密码"}, "wait_seconds": {"Wait in seconds", "等待（秒）"}, "whole": {"Every terminal of these", "包含其全部终端"},
	"pan_file": {"Card number, sealed", "卡号（已加密）"}, "pin_file": {"PIN, sealed", "密码（已加密）"}, "pin_alone": {"The PIN alone", "仅改密码"}, "birth_date": {"Date of birth", "出生日期"}, "components": {"Components, sealed", "密钥分量（已加密）"},
	"examine": {"Examine here", "在本主机检测"}, "subject_file": {"Subject, TOML", "检测对象 (TOML)"}, "package_file": {"Software package, ZIP", "软件包 (ZIP)"}, "maker_keys_file": {"Maker's public keys, PEM", "厂商公钥 (PEM)"},
	"pts_list_file": {"PTS list, JSON", "PTS 清单 (JSON)"}, "licence_list_file": {"Licence list, JSON", "入网许可清单 (JSON)"},
	"why": {"Why", "原因"}, "wrong": {"What is wrong", "异常情况"},
}

// FieldLabel is the label of a member of an act's body in one language; ok is false for one that has none.
func FieldLabel(lang, name string) (label string, ok bool) { return fieldLabel(lang, name) }

// fieldLabel is the label of a member in one language; ok is false for one that no table has.
func fieldLabel(lang, name string) (label string, ok bool) {
	words, ok := fieldWords[name]
	if lang == "zh" {
		return words[1], ok
	}
	return words[0], ok
}
