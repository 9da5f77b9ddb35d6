package main

import "testing"

func TestEvidenceIsSaidInChinese(t *testing.T) {
	for en, zh := range map[string]string{
		"trace 000007":                        "流水号 000007",
		"journal entry 814":                   "日志第 814 条记录",
		"a trace not used in batch 000001":    "批次 000001 中未用过的流水号",
		"within 500 m of 31.23037, 121.473":   "31.23037, 121.473 周围 500 米内",
		"a registered network":                "已登记的网络",
		"00000304TS0090000001 cipher 54E2...": "00000304TS0090000001 密文 54E2…",
		"weak":                                "弱",
		"127.0.9.9":                           "127.0.9.9",
		"00000304TS0000000040":                "00000304TS0000000040",
	} {
		if got := evidenceText(en); got.ZH != zh || got.EN != en {
			t.Errorf("%q: %q, want %q", en, got.ZH, zh)
		}
	}
}

// TestCutToAWord: a line is cut between words where that costs little, within its columns in any case.
func TestCutToAWord(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"two devices use one identity", 40, "two devices use one identity"},
		{"two devices use one identity", 24, "two devices use one…"},
		{"two devices use one identity", 20, "two devices use one…"},
		{"presented 00000304TS0090000001", 20, "presented 00000304T…"}, // the word begins too early
		{"密钥正确, 算法不对", 12, "密钥正确…"},
		{"两台机具一个身份", 9, "两台机具…"},
	} {
		if got := cutTo(c.in, c.n); got != c.want {
			t.Errorf("%q to %d columns: %q, want %q", c.in, c.n, got, c.want)
		}
	}
}
