package console

import (
	"fmt"
	"regexp"
	"strings"
)

// stableWords are stable words of the interface that pages show as words: grades and their reasons, effects, kinds of
// entries, facets. A word that is not here is an identifier, and is shown as it is.
var stableWords = map[string][2]string{
	// Axes of a grade, and why one is worth no more.
	"mac": {"MAC", "MAC 算法"}, "working_key": {"working keys", "工作密钥"}, "master_key": {"master key", "主密钥"}, "pin": {"PIN block", "PIN 格式"},
	"track": {"track data", "磁道数据"}, "transport": {"line", "传输"},
	"xor_fold": {"folded before any key is used", "未用密钥之前先折叠"}, "single_des": {"single DES", "单 DES"}, "open_chain": {"open chain", "链尾未封闭"}, "no_mac": {"no MAC", "没有 MAC"},
	"sign_in_old": {"keys too old", "工作密钥过旧"}, "sign_in_aging": {"keys getting old", "工作密钥渐旧"}, "many_sign_ins": {"many sign-ins", "签到过多"}, "not_signed_in": {"not signed in", "未签到"},
	"master_old": {"too old", "过旧"}, "master_aging": {"getting old", "渐旧"}, "master_undated": {"undated", "装载时间不详"}, "no_master": {"none loaded", "未装载"},
	"no_pin": {"no sale carried a PIN", "没有消费带密码"}, "without_pan": {"not bound to the card", "未与卡号绑定"}, "same_pin_same_block": {"same PIN, same block", "同一密码得同一密文"},
	"no_serial_key": {"no serial key", "无序列号密钥"}, "serial_missed": {"proof missed", "有漏验"}, "clear_track": {"in the clear", "明文"}, "clear_allowed": {"clear is accepted too", "仍接受明文"},
	"plain_tcp": {"plain TCP", "明文 TCP"}, "tls_1_2": {"TLS 1.2", "TLS 1.2"}, "no_client_certificate": {"no client certificate", "无客户端证书"},
	"certificate_revoked": {"certificate revoked", "证书已吊销"}, "not_seen": {"not seen lately", "近期未见"},
	// What a message changed.
	"none": {"nothing", "无"}, "recorded": {"recorded", "仅记录"}, "keys_issued": {"keys issued", "已下发密钥"}, "signed_off": {"signed off", "已签退"}, "sold": {"sold", "已消费"},
	"voided": {"voided", "已撤销"}, "refunded": {"refunded", "已退货"}, "sale_reversed": {"sale reversed", "消费已冲正"}, "void_reversed": {"void reversed", "撤销已冲正"},
	"buried": {"a reversal came first: the sale will not be taken", "冲正先到：不再接受该笔消费"}, "settled": {"batch settled", "批次已结算"}, "tampered": {"tampering recorded", "已记录拆机"},
	"reversed_without_money": {"reversed, no money moved", "已冲正，无资金变动"}, "compensated": {"compensated", "已补偿"},
	// Facets of a list of refusals.
	"reason": {"reason", "原因"}, "cause": {"cause", "成因"}, "model": {"model", "型号"}, "version": {"version", "版本"}, "merchant": {"shop", "商户"}, "terminal": {"terminal", "终端"},
	"other": {"other", "其他"}, "right": {"right", "应拒"}, "wrong": {"wrong", "误拒"}, "unknown": {"unknown", "未知"},
	// What a fact permits.
	"full": {"everything", "全部业务"}, "no_refund": {"no refunds", "不得退货"}, "online_only": {"only what is proven online", "仅限联机验证"}, "sign_in_only": {"sign-in and settlement only", "仅签到与结算"}, "blocked": {"nothing", "全部停用"},
	// Who somebody came with, where the program does not know it.
	"a browser": {"a browser", "浏览器"},
	// Answers to the questions of an inspection.
	"yes": {"yes", "是"}, "no": {"no", "否"}, "true": {"yes", "是"}, "false": {"no", "否"}, "clean": {"clean", "无异常"},
}

// stableWord is a stable word for a person.
func stableWord(lang, word string) string {
	w, ok := stableWords[word]
	switch {
	case ok && lang == "zh":
		return w[1]
	case ok:
		return w[0]
	}
	return strings.ReplaceAll(word, "_", " ")
}

// stableList is several stable words, in order.
func stableList(lang string, words []string) string {
	said := make([]string, len(words))
	for i, w := range words {
		said[i] = stableWord(lang, w)
	}
	if lang == "zh" {
		return strings.Join(said, "、")
	}
	return strings.Join(said, ", ")
}

// kindWord is the kind of an entry of the journal for a person.
func kindWord(lang, kind string) string {
	for _, k := range kindWords {
		if k.Name == kind && lang == "zh" {
			return k.ZH
		} else if k.Name == kind {
			return k.EN
		}
	}
	return kind
}

// holderWord is who holds a key that is the host's own; another holder is a terminal or a device by its number.
func holderWord(lang, owner string) string {
	words := map[string][2]string{"module": {"security module", "安全模块"}, "TLS listener": {"TLS listener", "TLS 监听"}, "certificate authority": {"certificate authority", "证书机构"}}[owner]
	switch {
	case words[0] == "":
		return owner
	case lang == "zh":
		return words[1]
	}
	return words[0]
}

// instruments are Chinese laws and rules, by their names in English.
var instruments = strings.NewReplacer("个人信息保护法", "Personal Information Protection Law", "国家网络安全事件报告管理办法", "Measures for Reporting National Cybersecurity Incidents",
	"中国人民银行令〔2025〕第4号", "PBoC Order 2025 No. 4", "中国人民银行令〔2020〕第5号", "PBoC Order 2020 No. 5", "网络数据安全管理条例", "Regulations on Network Data Security")

var clause = regexp.MustCompile(`\b(Art|ch)\. (\d+)`)

// sourceWord is where a duty is from, in the reader's language; names of documents that have one language alone stand.
func sourceWord(lang, text string) string {
	if lang != "zh" {
		return instruments.Replace(text)
	}
	return clause.ReplaceAllStringFunc(text, func(s string) string {
		part := clause.FindStringSubmatch(s)
		if part[1] == "ch" {
			return "第" + part[2] + "章"
		}
		return "第" + part[2] + "条"
	})
}

// fieldName is a member of a request, by the last part of its path that has a label; a place in a list keeps its number.
func fieldName(lang, path string) string {
	parts := strings.Split(path, ".")
	at := ""
	for i := len(parts) - 1; i >= 0; i-- {
		if label, ok := fieldLabel(lang, parts[i]); ok {
			return label + at
		}
		at = " " + parts[i] + at
	}
	return path
}

// fieldValue is the value of a member: a word that has one is said, all else stands as it was given.
func fieldValue(lang, value string) string {
	switch {
	case value == "true" || value == "false" || value == "yes" || value == "no":
		return stableWord(lang, value)
	case caseWords[value].ZH != "":
		return wordIn(value, lang)
	case choiceChinese[value] != "" && lang == "zh":
		return choiceChinese[value]
	}
	return value
}

// numbered is a number with its noun: "1 try", "3 tries". The formats take the number.
func numbered(lang string, n int, one, many, zh string) string {
	switch {
	case lang == "zh":
		return fmt.Sprintf(zh, n)
	case n == 1:
		return fmt.Sprintf(one, n)
	}
	return fmt.Sprintf(many, n)
}

// permitWord is what a fact permits, for a person: several words with commas.
func permitWord(lang, words string) string {
	list := strings.Split(words, ",")
	for i, w := range list {
		amount, limited := strings.CutPrefix(w, "limit:")
		switch {
		case limited && lang == "zh":
			list[i] = "限额 " + amount
		case limited:
			list[i] = "up to " + amount
		default:
			list[i] = stableWord(lang, w)
		}
	}
	if lang == "zh" {
		return strings.Join(list, "、")
	}
	return strings.Join(list, ", ")
}
