package main

import "testing"

func TestEvidenceIsSaidInChinese(t *testing.T) {
	for en, zh := range map[string]string{
		"trace 000007":                      "流水号 000007",
		"journal entry 814":                 "日志第 814 条记录",
		"a trace not used in batch 000001":  "批次 000001 中未用过的流水号",
		"within 500 m of 31.23037, 121.473": "31.23037, 121.473 周围 500 米内",
		"a registered network":              "已登记的网络",
		"127.0.9.9":                         "127.0.9.9",
		"00000304TS0000000040":              "00000304TS0000000040",
	} {
		if got := evidenceText(en); got.ZH != zh || got.EN != en {
			t.Errorf("%q: %q, want %q", en, got.ZH, zh)
		}
	}
}
