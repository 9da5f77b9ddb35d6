package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"touchstone/explain"
	"touchstone/journal"
	"touchstone/reason"
)

// foundWords says what fits, from the stable facts of a cause; times are those of a zone. A fact that has no words here is shown by its name.
func foundWords(c *journal.Cause, zone *time.Location) explain.Text {
	cause, err := reason.ParseCause(c.Cause)
	if err != nil || c.Certainty == journal.Unproven {
		return explain.Text{}
	}
	told := map[string]bool{}
	// What is as it must be says nothing: a serial's cipher is over the number presented, a stale key is a former one.
	for name, value := range map[string]string{"input": "presented", "source": "own_former"} {
		told[name] = c.Facts[name] == value
	}
	fact := func(name string) string { told[name] = true; return c.Facts[name] }
	t := sentenceOf(cause, fact, zone)
	en, zh := []string{t.EN}, []string{t.ZH}
	for _, name := range factNames(c.Facts) {
		if told[name] {
			continue
		}
		w, v := causeFact(name), causeValue(c.Facts[name])
		en, zh = append(en, w.EN+": "+v.EN), append(zh, w.ZH+": "+v.ZH)
	}
	if c.With != 0 {
		en = append(en, fmt.Sprintf("the message of entry %d agrees", c.With))
		zh = append(zh, fmt.Sprintf("第 %d 条记录的另一笔报文与此一致", c.With))
	}
	return explain.Text{EN: clauses(en, "; "), ZH: clauses(zh, "; ")}
}

// clauses joins what is not empty.
func clauses(parts []string, between string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), between)
}

func factNames(facts map[string]string) []string {
	names := make([]string, 0, len(facts))
	for name := range facts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// sentenceOf is what fits, in a clause. fact gives a fact and marks it as told.
func sentenceOf(cause reason.Cause, fact func(string) string, zone *time.Location) explain.Text {
	keyOf := func() explain.Text {
		set, issued := fact("key_set"), fact("issued")
		t := explain.Text{EN: "key set " + set, ZH: "第 " + set + " 套密钥"}
		if set == "" {
			t = explain.Text{EN: "a former key set", ZH: "以前的一套密钥"}
		}
		if at, err := time.Parse(time.RFC3339, issued); err == nil {
			when := at.In(zone).Format("01-02 15:04:05")
			t.EN, t.ZH = t.EN+", issued "+when, t.ZH+" ("+when+" 下发) "
		}
		return t
	}
	under := func(t explain.Text) explain.Text { // says under which keys, where that is a fact
		if fact("key_set") != "" {
			k := keyOf()
			t.EN, t.ZH = t.EN+"; under "+k.EN, t.ZH+"; "+k.ZH+"下"
		}
		return t
	}
	switch cause {
	case reason.MACStaleKey:
		k := keyOf()
		return explain.Text{EN: "the MAC is right under this terminal's " + k.EN, ZH: "此 MAC 在本终端" + k.ZH + "下正确"}
	case reason.PINStaleKey:
		k := keyOf()
		return explain.Text{EN: "the PIN block reads under this terminal's " + k.EN, ZH: "PIN 块可用本终端" + k.ZH + "读出"}
	case reason.TrackStaleKey:
		k := keyOf()
		return explain.Text{EN: "the track reads under this terminal's " + k.EN, ZH: "磁道可用本终端" + k.ZH + "读出"}
	case reason.MACOtherTerminalKey, reason.PINOtherTerminalKey:
		owner := fact("terminal")
		k := keyOf()
		if cause == reason.PINOtherTerminalKey {
			return explain.Text{EN: "the PIN block reads under a key of terminal " + owner + ": " + k.EN, ZH: "PIN 块可用终端 " + owner + " 的" + k.ZH + "读出"}
		}
		return explain.Text{EN: "the MAC is right under a key of terminal " + owner + ": " + k.EN, ZH: "此 MAC 在终端 " + owner + " 的" + k.ZH + "下正确"}
	case reason.SerialOtherDeviceKey:
		serial, bound := fact("serial"), fact("bound_to")
		t := explain.Text{EN: "the cipher is right under the serial key of " + tailOf(serial), ZH: "此密文在 " + tailOf(serial) + " 的序列号密钥下正确"}
		if bound != "" {
			t.EN, t.ZH = t.EN+", registered to terminal "+bound, t.ZH+", 该机登记在终端 "+bound
		}
		if source := fact("source"); source != "" {
			w := causeValue(source)
			t.EN, t.ZH = t.EN+" ("+w.EN+")", t.ZH+" ("+w.ZH+")"
		}
		return t
	case reason.MACWrongAlgorithm:
		a := fact("algorithm")
		return under(explain.Text{EN: "the MAC is right under this terminal's own key by " + a, ZH: "按 " + a + " 计算, 此 MAC 在本终端自己的密钥下正确"})
	case reason.MACWrongCoverage:
		w := causeValue(fact("coverage"))
		return under(explain.Text{EN: "the MAC is right over another byte range: " + w.EN, ZH: "此 MAC 在另一计算范围下正确: " + w.ZH})
	case reason.MACWrongEncoding:
		w := causeValue(fact("encoding"))
		return under(explain.Text{EN: "DE64 holds the right MAC in another form: " + w.EN, ZH: "64 域是正确的 MAC, 但写法不同: " + w.ZH})
	case reason.MACKeyHalfLoaded:
		w := causeValue(fact("form"))
		return under(explain.Text{EN: "the MAC is right under a key loaded wrongly: " + w.EN, ZH: "此 MAC 在装载有误的密钥下正确: " + w.ZH})
	case reason.MACMasterKeyMismatch:
		return explain.Text{EN: "the MAC is right under the working key as a former master key unwraps it", ZH: "用以前的主密钥解出的工作密钥, 可使此 MAC 正确"}
	case reason.MessageAltered:
		return under(alteredWords(fact))
	case reason.TraceReset:
		return explain.Text{EN: "the terminal counts its traces from the start again", ZH: "终端流水号从头计起"}
	}
	return explain.Text{}
}

// alteredWords says what is known of an alteration: no more than a fold leaves known.
func alteredWords(fact func(string) string) explain.Text {
	element, was, is := fact("element"), fact("was"), fact("is")
	t := explain.Text{EN: "the MAC is right for a message that differs", ZH: "此 MAC 对另一内容的报文正确"}
	switch {
	case element != "" && was != "":
		t.EN += fmt.Sprintf(": DE%s was %s and arrived as %s", element, was, is)
		t.ZH += fmt.Sprintf(": %s 域原为 %s, 收到时为 %s", element, was, is)
	case element != "":
		t.EN, t.ZH = t.EN+" in DE"+element, t.ZH+", 差别在 "+element+" 域"
	default:
		t.EN, t.ZH = t.EN+" in a known way; which field it is the fold does not tell", t.ZH+", 差异已知; 折叠算法不能说明是哪个域"
	}
	return t
}

// causeFact names a fact that no sentence tells.
func causeFact(name string) explain.Text {
	if t, ok := causeFacts[name]; ok {
		return t
	}
	plain := strings.ReplaceAll(name, "_", " ")
	return explain.Text{EN: plain, ZH: name}
}

var causeFacts = map[string]explain.Text{
	"source": {EN: "key taken from", ZH: "密钥来源"}, "key_set": {EN: "key set", ZH: "密钥套号"}, "issued": {EN: "issued", ZH: "下发于"},
	"terminal": {EN: "terminal", ZH: "终端"}, "serial": {EN: "serial", ZH: "序列号"}, "bound_to": {EN: "bound to", ZH: "绑定于"},
	"algorithm": {EN: "algorithm", ZH: "算法"}, "padding": {EN: "padding", ZH: "填充"}, "coverage": {EN: "coverage", ZH: "计算范围"},
	"encoding": {EN: "encoding", ZH: "编码"}, "form": {EN: "key form", ZH: "密钥形态"}, "column": {EN: "column", ZH: "列"},
	"difference": {EN: "difference", ZH: "差异"}, "element": {EN: "element", ZH: "域"}, "was": {EN: "was", ZH: "原为"}, "is": {EN: "is", ZH: "现为"},
	"pin_format": {EN: "PIN format", ZH: "PIN 格式"}, "pin_algorithm": {EN: "PIN cipher", ZH: "PIN 加密算法"},
	"direction": {EN: "direction", ZH: "方向"}, "cipher": {EN: "cipher", ZH: "算法"}, "candidates": {EN: "elements it could be in", ZH: "可能涉及的域数"}, "copy": {EN: "a copy agrees, in field", ZH: "另有副本一致, 位于域"},
	"agrees": {EN: "of the same message agrees", ZH: "同一报文中另有一致项"}, "pan": {EN: "made with", ZH: "所用卡号"}, "factor": {EN: "factor", ZH: "因子"}, "input": {EN: "computed over serial number", ZH: "参与计算的序列号"},
	"fits": {EN: "what fits besides", ZH: "同时吻合"}, "why": {EN: "because", ZH: "原因"},
}

// causeValue puts a stable value into words; a number, a name or what is not known here stands as it is.
func causeValue(v string) explain.Text {
	if n, ok := strings.CutPrefix(v, "last_missing:"); ok {
		return explain.Text{EN: "DE" + n + ", the last, left out", ZH: "漏算最后的 " + n + " 域"}
	}
	if t, ok := causeValues[v]; ok {
		return t
	}
	plain := strings.ReplaceAll(v, "_", " ")
	return explain.Text{EN: plain, ZH: v}
}

var causeValues = map[string]explain.Text{
	"header_in": {EN: "the header taken in", ZH: "算入了报文头"}, "mti_out": {EN: "the message type left out", ZH: "漏算消息类型"},
	"bitmap_out": {EN: "the bitmap left out", ZH: "漏算位图"}, "last_byte_missing": {EN: "the last byte left out", ZH: "漏算最后一个字节"}, "bit64_clear": {EN: "bit 64 of the bitmap clear", ZH: "位图第 64 位为 0"},
	"binary": {EN: "four binary bytes, not eight hexadecimal characters", ZH: "4 字节二进制, 而非 8 个十六进制字符"}, "lower_case": {EN: "lower-case letters", ZH: "小写字母"},
	"left_half": {EN: "only its left half", ZH: "只有左半"}, "right_half": {EN: "only its right half", ZH: "只有右半"}, "swapped": {EN: "its halves swapped", ZH: "左右两半颠倒"},
	"undecrypted": {EN: "still enciphered", ZH: "未解密"}, "wrong_cipher": {EN: "unwrapped by the wrong cipher", ZH: "用错算法解出"},
	"own_in_force": {EN: "the keys in force", ZH: "在用密钥"}, "own_pending": {EN: "keys issued and not used", ZH: "已下发未使用的密钥"}, "own_former": {EN: "an earlier sign-in", ZH: "以前的签到"},
	"sibling": {EN: "another terminal of the shop", ZH: "同店其他终端"}, "neighbour": {EN: "a terminal of the same address", ZH: "同一地址的其他终端"}, "serial_device": {EN: "the device of the number presented", ZH: "所出示序列号的机具"},
	"serial_sibling": {EN: "another device of the shop", ZH: "同店其他机具"}, "serial_nearby": {EN: "a device of the same address", ZH: "同一地址的其他机具"},
	"before": {EN: "before", ZH: "之前"}, "after": {EN: "after", ZH: "之后"}, "serial": {EN: "the serial number", ZH: "序列号"}, "pin": {EN: "the PIN block", ZH: "PIN 块"},
	"presented": {EN: "the one presented", ZH: "所出示的"}, "own": {EN: "its own", ZH: "本机的"}, "none": {EN: "none", ZH: "无"}, "track": {EN: "the track's card number", ZH: "磁道卡号"},
	"with_check_digit": {EN: "the digits with the check digit", ZH: "含校验位的数字"}, "first_digits": {EN: "the first digits", ZH: "卡号首部数字"},
	"offset_4": {EN: "read 4 bytes off", ZH: "错位 4 字节"}, "offset_8": {EN: "read 8 bytes off", ZH: "错位 8 字节"},
}
