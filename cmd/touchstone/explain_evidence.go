package main

import (
	"regexp"
	"strings"
	"sync"

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
	return list
})

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
