package main

import (
	"fmt"
	"math/bits"
	"strings"

	"touchstone/explain"
	"touchstone/grade"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/proof"
)

// levelWords are the levels.
var levelWords = map[string]explain.Text{
	"none": {EN: "none", ZH: "无"}, "weak": {EN: "weak", ZH: "弱"}, "accepted": {EN: "accepted", ZH: "可接受"}, "strong": {EN: "strong", ZH: "强"},
}

// axisWords are the axes.
var axisWords = map[string]explain.Text{
	"mac": {EN: "MAC", ZH: "MAC 算法"}, "working_key": {EN: "working keys", ZH: "工作密钥"}, "master_key": {EN: "master key", ZH: "主密钥"},
	"pin": {EN: "PIN block", ZH: "PIN 格式"}, "serial": {EN: "serial proof", ZH: "序列号证明"}, "track": {EN: "track data", ZH: "磁道数据"},
	"transport": {EN: "line", ZH: "传输"}, "overall": {EN: "overall", ZH: "总评"},
}

// whyWord says why an axis is worth no more.
var whyWord = map[string]explain.Text{
	"xor_fold":              {EN: "folded by exclusive or before any key is used: see touchstone explain fold", ZH: "未用密钥之前先异或折叠: 见 touchstone explain fold"},
	"single_des":            {EN: "single DES: a 56-bit key can be searched", ZH: "单 DES: 56 位密钥可穷举"},
	"open_chain":            {EN: "an open CBC chain: forged from two MACs of messages of different lengths", ZH: "CBC 链末尾未封闭: 可由两条不同长度报文的 MAC 伪造"},
	"no_mac":                {EN: "no MAC at all", ZH: "没有 MAC"},
	"sign_in_old":           {EN: "the keys in force are too old", ZH: "在用工作密钥过旧"},
	"sign_in_aging":         {EN: "the keys in force are getting old", ZH: "在用工作密钥渐旧"},
	"many_sign_ins":         {EN: "too many sign-ins a day: an unstable terminal, or two that use one identity", ZH: "每日签到过多: 终端不稳定, 或两台设备共用一个终端号"},
	"not_signed_in":         {EN: "no message verified lately: no key is in force that could be old", ZH: "近期无已验证报文: 没有会变旧的在用密钥"},
	"master_old":            {EN: "the master key is too old", ZH: "主密钥过旧"},
	"master_aging":          {EN: "the master key is getting old", ZH: "主密钥渐旧"},
	"master_undated":        {EN: "nobody knows when the master key was loaded: load it again", ZH: "主密钥装载时间不详: 重新装载"},
	"no_master":             {EN: "no master key is loaded", ZH: "未装载主密钥"},
	"no_pin":                {EN: "no sale carried a PIN", ZH: "没有消费带 PIN"},
	"without_pan":           {EN: "a PIN block without card number is accepted: one can be put in another card's place", ZH: "接受不含主账号的 PIN 块: 可挪到另一张卡上使用"},
	"same_pin_same_block":   {EN: "no random fill: the same PIN of the same card gives the same block (ISO 9564-1 format 4 is not in this dialect)", ZH: "无随机填充: 同卡同 PIN 得同一 PIN 块 (本报文规范没有 ISO 9564-1 格式 4)"},
	"no_serial_key":         {EN: "no serial key: the device states its number and proves nothing", ZH: "无序列号密钥: 设备只报序列号, 并未证明"},
	"serial_missed":         {EN: "sales were approved without the serial proof that was due", ZH: "有应验而未验序列号的消费被批准"},
	"clear_track":           {EN: "tracks in the clear, or no key for them", ZH: "磁道明文, 或没有磁道密钥"},
	"clear_allowed":         {EN: "clear tracks are accepted although there is a key", ZH: "已有磁道密钥但仍接受明文磁道"},
	"plain_tcp":             {EN: "plain TCP", ZH: "明文 TCP"},
	"tls_1_2":               {EN: "TLS 1.2", ZH: "TLS 1.2"},
	"no_client_certificate": {EN: "no client certificate: the line proves no device", ZH: "无客户端证书: 线路不能证明设备"},
	"certificate_revoked":   {EN: "the client certificate was revoked", ZH: "客户端证书已吊销"},
	"not_seen":              {EN: "as registered: nothing of it was seen lately", ZH: "按登记评定: 近期未见"},
}

// stepWords are the steps of a plan.
var stepWords = map[string]explain.Text{
	"double_key":         {EN: "sign-in code 001 → 003: a double-length master key", ZH: "签到码 001 → 003: 换双倍长主密钥"},
	"pin_bound":          {EN: "refuse PIN blocks without card number", ZH: "停用不含主账号的 PIN 块"},
	"retail_mac":         {EN: "MAC → X9.19 by profile", ZH: "MAC → X9.19 (终端参数)"},
	"track_key":          {EN: "sign-in code 003 → 004, 005 → 006: a track key", ZH: "签到码 003 → 004, 005 → 006: 下发磁道密钥"},
	"track_sealed":       {EN: "refuse clear tracks", ZH: "拒绝明文磁道"},
	"use_tls":            {EN: "plain TCP, TLS 1.2 → TLS 1.3", ZH: "明文 TCP, TLS 1.2 → TLS 1.3"},
	"client_certificate": {EN: "issue a client certificate", ZH: "签发客户端证书"},
	"serial_key":         {EN: "inject a serial key", ZH: "灌装序列号密钥"},
	"new_master":         {EN: "load a new master key", ZH: "重新装载主密钥"},
}

// stepNeedWords are what a step takes.
var stepNeedWords = map[string]explain.Text{
	"register": {EN: "the register", ZH: "改登记"}, "download": {EN: "a download", ZH: "远程下载"}, "visit": {EN: "a visit", ZH: "上门"}, "two_people": {EN: "two people", ZH: "双人"},
}

// wordsOf joins the words of stable names.
func (l *lines) wordsOf(names []string, words map[string]explain.Text) string {
	var list []string
	for _, n := range names {
		list = append(list, words[n].In(l.lang))
	}
	return strings.Join(list, l.two(", ", "、"))
}

// registeredAs is what is registered of an axis.
func (l *lines) registeredAs(axis string, f *grade.Facts) string {
	switch axis {
	case "mac":
		return proof.AlgorithmOf(f.MAC, f.Code).String()
	case "working_key":
		return fmt.Sprintf(l.two("sign-in code %s", "签到码 %s"), f.Code)
	case "master_key":
		if f.MasterAt == 0 {
			return keys.CipherOf(f.Code).String()
		}
		return fmt.Sprintf(l.two("%s, loaded %s", "%s, 装载于 %s"), keys.CipherOf(f.Code), l.day(f.MasterAt))
	case "pin":
		return l.pinForm(f)
	case "serial":
		return pickText(f.SerialKey, l.two("a key", "有密钥"), l.two("no key", "无密钥"))
	case "track":
		return l.trackForm(f)
	case "transport":
		return pickText(f.Client, l.two("a client certificate", "有客户端证书"), l.two("no client certificate", "无客户端证书"))
	}
	return ""
}

func pickText(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}

func (l *lines) pinForm(f *grade.Facts) string {
	cipher := keys.CipherOf(f.Code)
	switch {
	case cipher == keys.SM4:
		return l.two("SM4 block with card number", "SM4 块, 含主账号")
	case f.WithoutPAN:
		return fmt.Sprintf(l.two("ISO 9564-1 format 0 or without card number, %s", "ISO 9564-1 格式 0 或不含主账号, %s"), cipher)
	}
	return fmt.Sprintf(l.two("ISO 9564-1 format 0, %s", "ISO 9564-1 格式 0, %s"), cipher)
}

func (l *lines) trackForm(f *grade.Facts) string {
	switch {
	case !keys.HasTrackKey(f.Code):
		return l.two("no track key", "无磁道密钥")
	case f.TrackOnly:
		return l.two("sealed alone", "只收密文")
	}
	return l.two("a track key, clear accepted", "有磁道密钥, 也收明文")
}

// seenAs is what was seen of an axis lately; "" nothing.
func (l *lines) seenAs(axis string, s *grade.Seen) string {
	switch axis {
	case "mac":
		var names []string
		for rest := s.Algorithms; rest != 0; rest &= rest - 1 {
			names = append(names, mac.Algorithm(bits.TrailingZeros64(rest)).String())
		}
		return strings.Join(names, ", ")
	case "working_key":
		if s.SignIns == 0 && s.InForce == 0 {
			return ""
		}
		issued := l.two("none in force", "无在用")
		if s.InForce != 0 {
			issued = fmt.Sprintf(l.two("issued %s", "下发于 %s"), l.day(s.InForce))
		}
		return fmt.Sprintf(l.two("%s, %.1f sign-ins a day", "%s, 每日签到 %.1f 次"), issued, s.SignInsADay())
	case "pin":
		return l.of(s.PINs, s.Sales, "%d of %d sales with a PIN", "%d / %d 笔消费带 PIN")
	case "serial":
		return l.of(s.Sales-s.SerialMissed, s.Sales, "%d of %d sales proven", "%d / %d 笔消费已证明")
	case "track":
		return l.of(s.SealedTracks, s.SealedTracks+s.ClearTracks, "%d of %d tracks sealed", "%d / %d 条磁道为密文")
	case "transport":
		if s.Plain+s.TLS12+s.TLS13 == 0 {
			return ""
		}
		return fmt.Sprintf(l.two("%d plain, %d by TLS 1.2, %d by TLS 1.3", "明文 %d, TLS 1.2 %d, TLS 1.3 %d"), s.Plain, s.TLS12, s.TLS13)
	}
	return ""
}

// of is some of some, "" of none.
func (l *lines) of(n, whole uint32, en, zh string) string {
	if whole == 0 {
		return ""
	}
	return fmt.Sprintf(l.two(en, zh), n, whole)
}
