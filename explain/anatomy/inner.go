package anatomy

import (
	"fmt"
	"strconv"
	"strings"

	"touchstone/explain"
	"touchstone/iso8583"
	"touchstone/pos"
)

// inside decodes every element read, masks it, and takes apart those that hold more.
func (d *dissection) inside() {
	outer := d.Parts
	d.Parts = nil
	for _, p := range outer {
		d.Parts = append(d.Parts, p)
		if number, ok := strings.CutPrefix(p.Name, "DE"); ok {
			if n, err := strconv.Atoi(number); err == nil {
				d.decode(n, d.values[n])
			}
		}
	}
}

// sub adds a part inside the last one.
func (d *dissection) sub(depth int, name string, title explain.Text, s Span, v explain.Text) {
	d.Parts = append(d.Parts, Part{Depth: depth, Name: name, Title: title, Span: s, Value: v})
}

// digitsOf is the digits of an n or z element as characters; letters of a track as they stand.
func (d *dissection) digitsOf(n int) string {
	v, ok := d.values[n]
	if !ok {
		return ""
	}
	e, _ := d.dialect.Element(n)
	from := 0
	if e.Align == iso8583.Right {
		from = v.count % 2
	}
	var s strings.Builder
	for i := from; i < from+v.count; i++ {
		s.WriteByte(hexDigits[d.nibble(v.From, i)])
	}
	return s.String()
}

// trackDigits are the characters of a clear track, to be cleared by whoever asked.
func (d *dissection) trackDigits(v value) []byte {
	digits := make([]byte, v.count)
	for i := range digits {
		digits[i] = hexDigits[d.nibble(v.From, i)]
	}
	return digits
}

func (d *dissection) bytesOf(v value) []byte { return d.b[v.From:v.To] }

// decode fills the last part's value and shows what of it may be shown.
func (d *dissection) decode(n int, v value) {
	at := len(d.Parts) - 1
	shown, say := true, explain.Text{}
	switch n {
	case 2:
		shown, say = false, d.pan(v)
	case 14:
		shown, say = false, text("not shown", "不显示")
	case 35, 36:
		shown, say = false, d.track(n, v)
	case 52:
		shown, say = false, text("8 bytes of PIN block, not shown", "8 字节 PIN 块, 不显示")
	case 58, 62:
		shown, say = false, d.sealed(n, v)
	case 55:
		shown, say = false, d.chip(v)
	case 59:
		shown, say = false, d.tags(v)
	default:
		say = d.plain(n, v)
	}
	if shown {
		d.show(v.Span)
	}
	d.Parts[at].Value = say
}

// pan shows the first six and the last four digits of a card number of 13 to 19, and nothing of another.
func (d *dissection) pan(v value) explain.Text {
	if v.count < 13 {
		return text(fmt.Sprintf("%d digits, not shown", v.count), fmt.Sprintf("%d 位, 不显示", v.count))
	}
	d.show(v.Span)
	for i := 6; i < v.count-4; i++ {
		d.hideNibble(v.From, i)
	}
	var s strings.Builder // the whole number is never put together: this runs in a host too
	for i := range v.count {
		if i >= 6 && i < v.count-4 {
			s.WriteByte('*')
			continue
		}
		s.WriteByte(hexDigits[d.nibble(v.From, i)])
	}
	return same(s.String())
}

func (d *dissection) track(n int, v value) explain.Text {
	if d.tracksEnciphered() {
		return text(fmt.Sprintf("%d digits, enciphered (DE53), not shown", v.count), fmt.Sprintf("%d 位, 已加密 (53 域), 不显示", v.count))
	}
	if n == 35 {
		digits := d.trackDigits(v)
		t, err := iso8583.ParseTrack2(digits)
		clear(digits)
		if err == nil {
			d.sub(1, "35.1", text("card number in the track", "磁道中的卡号"), Span{}, text(fmt.Sprintf("%d digits, not shown", t.PANDigits), fmt.Sprintf("%d 位, 不显示", t.PANDigits)))
			d.check(text("track 2", "二磁道"), true, explain.Text{})
		} else {
			d.check(text("track 2", "二磁道"), false, text("no card number, separator, expiry and service code can be read in it", "其中读不出卡号、分隔符、有效期和服务代码"))
		}
	}
	return text(fmt.Sprintf("%d digits in clear, not shown", v.count), fmt.Sprintf("%d 位明文, 不显示", v.count))
}

// sealed is DE58 and DE62: only the sequence of a sign-in request is known to hold no secret.
func (d *dissection) sealed(n int, v value) explain.Text {
	if n == 62 && d.MTI == 0x0800 {
		if s, err := iso8583.ParseSequence(d.bytesOf(v)); err == nil {
			d.show(v.Span)
			return text(fmt.Sprintf("licence %s, serial ends %s", s.Licence, s.Serial), fmt.Sprintf("入网认证编号 %s, 序列号末位 %s", s.Licence, s.Serial))
		}
	}
	if n == 62 && d.MTI == 0x0810 {
		return text(fmt.Sprintf("%d bytes of enciphered keys, not shown", v.count), fmt.Sprintf("%d 字节加密密钥, 不显示", v.count))
	}
	return text(fmt.Sprintf("%d bytes, not shown", v.count), fmt.Sprintf("%d 字节, 不显示", v.count))
}

// maxChipTags bounds the tags of DE55, of at most 255 bytes.
const maxChipTags = 64

// chip lists the tags of DE55 by their lengths; values are not shown. EMV Book 3, Annex B: BER-TLV.
func (d *dissection) chip(v value) explain.Text {
	type tlv struct{ tag, value Span }
	var tags []tlv
	for at := v.From; at < v.To; {
		tag := Span{at, at + 1}
		if d.b[at]&0x1F == 0x1F {
			for tag.To < v.To && d.b[tag.To]&0x80 != 0 {
				tag.To++
			}
			tag.To++
		}
		if tag.To >= v.To || len(tags) == maxChipTags {
			return d.badChip(v)
		}
		n, from := int(d.b[tag.To]), tag.To+1
		if n == 0x81 && from < v.To {
			n, from = int(d.b[from]), from+1
		} else if n > 0x7F {
			return d.badChip(v)
		}
		if from+n > v.To {
			return d.badChip(v)
		}
		tags = append(tags, tlv{tag, Span{from, from + n}})
		at = from + n
	}
	for _, t := range tags {
		d.show(Span{t.tag.From, t.value.From}) // tag and length
		name := fmt.Sprintf("%X", d.b[t.tag.From:t.tag.To])
		d.sub(1, name, chipTitle(name), t.value, text(fmt.Sprintf("%d bytes, not shown", t.value.Len()), fmt.Sprintf("%d 字节, 不显示", t.value.Len())))
	}
	d.check(text("DE55 tags", "55 域标签"), true, explain.Text{})
	return text(fmt.Sprintf("tags: %d", len(tags)), fmt.Sprintf("%d 个标签", len(tags)))
}

func (d *dissection) badChip(v value) explain.Text {
	d.check(text("DE55 tags", "55 域标签"), false, text("a tag or a length runs past the end", "标签或长度越过末尾"))
	return text(fmt.Sprintf("%d bytes, no tags can be read, not shown", v.count), fmt.Sprintf("%d 字节, 读不出标签, 不显示", v.count))
}

// tags takes DE59 apart: section 6.1.
func (d *dissection) tags(v value) explain.Text {
	raw := d.bytesOf(v)
	if _, err := iso8583.ParseDE59(raw); err != nil {
		d.check(text("DE59 tags", "59 域标签"), false, text("a tag, its length or its order is malformed", "标签、长度或次序有误"))
		return text(fmt.Sprintf("%d bytes, no tags can be read, not shown", v.count), fmt.Sprintf("%d 字节, 读不出标签, 不显示", v.count))
	}
	n, ok := 0, true
	for at, rest := v.From, raw; len(rest) > 0; n++ {
		name, val, left, err := iso8583.NextTag(rest)
		if err != nil {
			break // ParseDE59 took it
		}
		s := Span{at + 5, at + 5 + len(val)}
		d.show(Span{at, s.From})
		ok = d.tag(string(name[:]), s) && ok
		at, rest = s.To, left
	}
	d.check(text("DE59 tags", "59 域标签"), ok, text("A2 or A5 cannot be read", "A2 或 A5 读不出"))
	return text(fmt.Sprintf("tags: %d", n), fmt.Sprintf("%d 个标签", n))
}

// tag is one tag of DE59; false when what it holds cannot be read.
func (d *dissection) tag(name string, s Span) bool {
	title := text("tag "+name, "标签 "+name)
	size := text(fmt.Sprintf("%d bytes, not shown", s.Len()), fmt.Sprintf("%d 字节, 不显示", s.Len()))
	switch name {
	case "A1":
		d.sub(1, name, text("PIN block under SM4", "SM4 加密的 PIN 块"), s, size)
	case "A2":
		d.sub(1, name, text("terminal serial number and its proof", "终端硬件序列号及其证明"), s, explain.Text{})
		if _, err := iso8583.ParseA2(d.b[s.From:s.To]); err != nil {
			return false
		}
		d.serial(s)
	case "A5":
		d.sub(1, name, text("place of the terminal", "终端位置"), s, explain.Text{})
		x, err := iso8583.ParseA5(d.b[s.From:s.To])
		if err != nil {
			return false
		}
		d.show(s)
		if x.Located {
			d.last().Value = same(fmt.Sprintf("%.5f, %.5f", float64(x.LatitudeMicro)/1e6, float64(x.LongitudeMicro)/1e6))
		}
	case "A3":
		d.sub(1, name, text("payment code that was scanned", "扫描的付款码"), s, size)
	default:
		d.sub(1, name, title, s, size)
	}
	return true
}

var a2Titles = map[string]explain.Text{
	"01": {EN: "device type", ZH: "设备类型"}, "02": {EN: "serial number", ZH: "硬件序列号"}, "03": {EN: "random factor: the end of the card number", ZH: "加密随机因子: 卡号末 6 位"},
	"04": {EN: "cipher of the serial number", ZH: "硬件序列号密文"}, "05": {EN: "application version", ZH: "应用程序版本"},
}

// serial takes A2 apart. The factor is part of the card number: its last four digits are shown.
func (d *dissection) serial(s Span) {
	for at, rest := s.From, d.b[s.From:s.To]; len(rest) > 0; {
		name, val, left, err := iso8583.NextTag(rest)
		if err != nil {
			return
		}
		v := Span{at + 5, at + 5 + len(val)}
		d.show(Span{at, v.From})
		title, known := a2Titles[string(name[:])]
		say := text(fmt.Sprintf("%d bytes, not shown", len(val)), fmt.Sprintf("%d 字节, 不显示", len(val)))
		switch string(name[:]) {
		case "01", "02", "05":
			d.show(v)
			say = same(strings.TrimRight(string(val), " "))
		case "03":
			d.show(Span{v.From + 2, v.To})
			say = same("**" + string(val[2:]))
		case "04":
			d.show(v)
			say = same(safe(val))
		}
		if !known {
			title = text("sub-tag "+string(name[:]), "子标签 "+string(name[:]))
		}
		d.sub(2, "A2."+string(name[:]), title, v, say)
		at, rest = v.To, left
	}
}

// safe shows printable characters as they are and anything else as hexadecimal.
func safe(b []byte) string {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return fmt.Sprintf("0x%X", b)
		}
	}
	return string(b)
}

// plain decodes an element that holds no secret.
func (d *dissection) plain(n int, v value) explain.Text {
	e, _ := d.dialect.Element(n)
	if e.Format == iso8583.N {
		return d.number(n, d.digitsOf(n))
	}
	raw := d.bytesOf(v)
	switch n {
	case 39:
		code, known := d.catalogue.Code(pos.Code(string(raw)))
		if !known {
			return same(safe(raw))
		}
		return text(safe(raw)+" "+code.Name.EN, safe(raw)+" "+code.Name.ZH)
	case 49:
		if string(raw) == "156" {
			return text("156 yuan", "156 人民币")
		}
	case 63:
		if x, err := iso8583.ParseDE63(raw); err == nil {
			return text(fmt.Sprintf("%s, then %d bytes of text", safe(x.Code[:]), len(x.Text)), fmt.Sprintf("%s, 其后 %d 字节文本", safe(x.Code[:]), len(x.Text)))
		}
	case 64:
		return same(safe(raw))
	}
	return same(strings.TrimRight(safe(raw), " "))
}
