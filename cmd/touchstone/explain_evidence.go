package main

import (
	"cmp"
	"regexp"
	"strings"
	"sync"
	"time"

	"touchstone/explain"
)

// evidencePatterns say in Chinese what a verdict's evidence says in English; $1 is what the expression takes. Identifiers,
// addresses and numbers stay as they are.
var evidencePatterns = sync.OnceValue(func() []evidencePattern {
	list := []evidencePattern{}
	for _, p := range [][2]string{
		{`trace (\d+)`, `流水号 $1`},
		{`a trace not used in batch (\d+)`, `批次 $1 中未用过的流水号`},
		{`journal entry (\d+)`, `日志第 $1 条记录`},
		{`([0-9A-Z]{20}) cipher ([0-9A-F]+)\.\.\.`, `$1 密文 $2…`},
		{`weak`, `弱`},
		{`acceptable`, `可接受`},
		{`strong`, `强`},
		{`unreadable`, `无法识别`},
		{`a registered network`, `已登记的网络`},
		{`any address`, `任意地址`},
		{`plain TCP`, `明文 TCP`},
		{`two devices are suspected`, `疑为两台设备`},
		{`one device, as a visit finds`, `经现场核实为一台设备`},
		{`(\d+) of (\d+)`, `终端 $1, 商户 $2`},
		{`within (\d+) m of (.+)`, `$2 周围 $1 米内`},
		{`not (weak|xor-fold|single DES|open chain.*)`, `不得为 $1`},
	} {
		list = append(list, evidencePattern{regexp.MustCompile("^" + p[0] + "$"), p[1]})
	}
	for _, p := range unreadable {
		list = append(list, evidencePattern{regexp.MustCompile("^unpack element ([0-9]+): " + p[0] + "$"), "第 $1 域：" + strings.ReplaceAll(strings.ReplaceAll(p[1], "$2", "$3"), "$1", "$2")},
			evidencePattern{regexp.MustCompile("^unpack message: " + p[0] + "$"), "报文：" + p[1]})
	}
	return list
})

// unreadable are the reasons of iso8583.DecodeError.
var unreadable = [][2]string{
	{`(\d+) of (\d+) bytes`, `应有 $2 字节，只有 $1 字节`},
	{`length (\d+) where (\d+) is allowed`, `长度为 $1，应为 $2`},
	{`(\d+) bytes after the last element`, `最后一域之后另有 $1 字节`},
	{`length (\d+) fits no layout`, `长度 $1 不合任何格式`},
	{`more than (\d+) tags`, `标签多于 $1 个`},
	{`length prefix is not BCD`, `长度前缀不是 BCD`},
	{`present with length 0`, `长度为 0`},
	{`a nibble the format does not allow`, `有格式不允许的半字节`},
	{`a character the format does not allow`, `有格式不允许的字符`},
	{`a pad nibble the format does not allow`, `填充半字节不合格式`},
	{`not in the dialect`, `不属于本报文规范`},
	{`secondary bitmap`, `有次位图`},
	{`a value outside its table`, `取值不在规定之内`},
	{`a malformed tag`, `标签格式有误`},
	{`a tag twice`, `标签重复`},
	{`absent`, `缺失`},
	{`not in ascending order`, `次序不递增`},
	{`another format`, `格式不同`},
	{`MAC missing or out of place`, `MAC 缺失或位置有误`},
	{`another dialect`, `另一种报文规范`},
	{`TPDU or header malformed`, `TPDU 或报文头有误`},
	{`not said`, `原因未记`},
}

type evidencePattern struct {
	en *regexp.Regexp
	zh string
}

// evidenceText is evidence in both languages.
func evidenceText(en string) explain.Text {
	for _, p := range evidencePatterns() {
		if p.en.MatchString(en) {
			return explain.Text{EN: en, ZH: p.en.ReplaceAllString(en, p.zh)}
		}
	}
	if strings.HasPrefix(en, "under working key set ") {
		return explain.Text{EN: en, ZH: macExpected(en)}
	}
	return explain.Text{EN: en, ZH: en}
}

// evidenceIn is evidence in words with a moment, as that of a sign-in, in a time zone, which it names; nil is the machine's.
func evidenceIn(en string, zone *time.Location) explain.Text {
	if at, err := time.Parse(time.RFC3339, en); err == nil {
		en = at.In(cmp.Or(zone, time.Local)).Format("2006-01-02 15:04:05 UTC-07:00")
		return explain.Text{EN: en, ZH: en}
	}
	return evidenceText(en)
}
