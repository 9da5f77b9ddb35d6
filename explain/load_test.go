package explain

import (
	"errors"
	"strings"
	"testing"

	"touchstone/reason"
)

// embedded are the data files as they are.
func embedded(t testing.TB) files {
	t.Helper()
	f := files{}
	for _, name := range fileNames {
		data, err := dataFiles.ReadFile("data/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		f[name] = string(data)
	}
	return f
}

// TestLoadRefuses changes one thing in a data file and wants the whole catalogue refused. The inside
// is the point: the files themselves are embedded.
func TestLoadRefuses(t *testing.T) {
	wide := strings.Repeat("w", MaxShort+1)
	nine := strings.TrimSuffix(strings.Repeat(`{"en": "a", "zh": "甲"}, `, MaxSteps), ", ")
	cases := []struct{ name, file, old, with string }{
		{"reason without English", "reasons_proof", `"message code does not match"`, `""`},
		{"reason without Chinese", "reasons_proof", `"报文校验码不符"`, `""`},
		{"phrase one column too wide", "reasons_proof", `"message code does not match"`, `"` + wide + `"`},
		{"phrase with a line break", "reasons_proof", `"message code does not match"`, `"message\ncode"`},
		{"unknown reason", "reasons_proof", `"mac_failed"`, `"mac_felled"`},
		{"reason named twice", "reasons_proof", `"mac_failed"`, `"mac_missing"`},
		{"reason absent", "reasons_proof", `"reason": "mac_failed"`, `"reason": "none"`},
		{"unknown field", "reasons_proof", `"meaning"`, `"meanings"`},
		{"own words for the cashier", "reasons_proof", `"reason": "mac_failed",`,
			`"reason": "mac_failed", "counter": {"steps": [{"en": "a", "zh": "甲"}], "short": {"en": "a", "zh": "甲"}, "screen": {"en": ["a"], "zh": ["甲"]}, "never": ["no_pin"]},`},
		{"causes of an approval", "reasons_line", `"causes": []`, `"causes": [{"en": "a", "zh": "甲"}]`},
		{"failure without causes", "reasons_line", `"family": "network",`, `"family": "network", "causes": [],`},
		{"cut short", "reasons_line", `"outside"`, ``},
		{"two rows for what is outside", "reasons_sale", `"reasons": [`, `"outside": {}, "reasons": [`},
		{"unknown family", "reasons_proof", `"family": "key"`, `"family": "keys"`},
		{"money of no name", "reasons_proof", `"money": "not_charged"`, `"money": "charged"`},
		{"no support step", "reasons_proof", `"support": [`, `"support": [], "supported": [`},
		{"nine engineer's steps", "reasons_proof", `"engineer": [`, `"engineer": [` + nine + `,`},
		{"saying of no name", "reasons_proof", `"reboot": "keys"`, `"reboot": "locks"`},
		{"own saying without Chinese", "reasons_proof", `"reboot": "keys"`, `"reboot": {"en": "a", "zh": ""}`},
		{"own saying with another field", "reasons_proof", `"reboot": "keys"`, `"reboot": {"en": "a", "zh": "甲", "fr": "a"}`},
		{"nothing is never to be done", "reasons_proof", `"never": ["copy_key", "bypass"]`, `"never": []`},
		{"nothing is said of proof", "reasons_proof", `"not_proven": {`, `"not_proven": null, "x": {`},
		{"sign-in where none cures", "reasons_proof", `"reason": "key_absent",`, `"reason": "key_absent", "sign_in": {"do": true, "text": {"en": "a", "zh": "甲"}},`},
		{"cause of no name", "causes_mac", `"mac_stale_key"`, `"mac_stale_keys"`},
		{"cause behind nothing", "causes_mac", `"behind": ["mac_failed"]`, `"behind": []`},
		{"cause behind no reason of ours", "causes_mac", `"behind": ["mac_failed"]`, `"behind": ["mac_felled"]`},
		{"cause tells the cashier", "causes_mac", `"behind": ["none"]`, `"behind": ["mac_failed"]`},
		{"cause without a word on signing in", "causes_mac", `"sign_in": {`, `"signing": {`},
		{"variant named twice", "causes_mac", `"variant": "used_newer"`, `"variant": "sign_in_answer_lost"`},
		{"variant without an owner", "causes_mac", `"owner": "terminal"`, `"owner": "somebody"`},
		{"cause cured by a sign-in, its code is not", "causes_other", `"do": false`, `"do": true, "done": false`},
		{"code of three characters", "codes", `"code": "A7"`, `"code": "A70"`},
		{"code named twice", "codes", `"code": "A7"`, `"code": "A6"`},
		{"code of a reason absent", "codes", `"code": "A7"`, `"code": "ZZ"`},
		{"unknown class", "codes", `"class": "E"`, `"class": "F"`},
		{"note without Chinese", "codes", `"部分公开码表列为 B 类。"`, `" "`},
		{"no way to learn", "codes", `"en": "A code alone`, `"en": " A code alone`},
		{"counter of no name", "codes", `"counter": "stop_a7"`, `"counter": "stop_a8"`},
		{"cured code of no table", "codes", `"cured": ["77"`, `"cured": ["ZY"`},
		{"five lines on the screen", "counters", `"en": ["Approved", "Print receipt"]`, `"en": ["a", "b", "c", "d", "e"]`},
		{"no line on the screen", "counters", `"en": ["Approved", "Print receipt"]`, `"en": []`},
		{"line of seventeen columns", "counters", `"en": ["Approved", "Print receipt"]`, `"en": ["abcdefghijklmnopq"]`},
		{"line of nine Chinese characters", "counters", `"zh": ["交易成功", "请打印签购单"]`, `"zh": ["一二三四五六七八九"]`},
		{"counter without money", "counters", `"money": "approved",`, ``},
		{"money of no state", "sayings", `"state": "reversed"`, `"state": "undone"`},
		{"saying named twice", "sayings", `"name": "wait"`, `"name": "restart"`},
		{"check without words", "words", `"报文解析"`, `""`},
		{"check named twice", "words", `"name": "frame"`, `"name": "parse"`},
		{"owner absent", "words", `"name": "issuer"`, `"name": "nobody else"`},
		{"family absent", "words", `"name": "hardware"`, `"name": "hard ware"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			changed := embedded(t)
			if !strings.Contains(changed[c.file], c.old) {
				t.Fatalf("%s has no %s to change", c.file, c.old)
			}
			changed[c.file] = strings.Replace(changed[c.file], c.old, c.with, 1)
			got, err := load(changed)
			if !errors.Is(err, ErrCatalogue) || got != nil {
				t.Errorf("%v", err)
			}
		})
	}
	for _, name := range fileNames {
		more := embedded(t)
		more[name] += "{}"
		if _, err := load(more); !errors.Is(err, ErrCatalogue) {
			t.Errorf("%s with more behind it: %v", name, err)
		}
	}
}

// FuzzLoad: whatever is read in place of a data file, nothing panics, and what is accepted is whole.
func FuzzLoad(f *testing.F) {
	for i, name := range fileNames {
		f.Add(embedded(f)[name], i)
	}
	f.Add(`{"reasons":[{"reason":"none"}]}`, 3)
	f.Add(`{"codes":[{"code":"00","class":""}],"learn":{"en":"a","zh":"b"}}`, 2)
	f.Add(`{"causes":[{"cause":"mac_stale_key","variants":[{}]}]}`, 6)
	f.Add(`{"checks":[{"name":""}]}`, 8)
	whole := embedded(f)
	f.Fuzz(func(t *testing.T, data string, which int) {
		if which < 0 || which >= len(fileNames) {
			return
		}
		changed := files{}
		for name, text := range whole {
			changed[name] = text
		}
		changed[fileNames[which]] = data
		c, err := load(changed)
		if err != nil {
			if !errors.Is(err, ErrCatalogue) || c != nil {
				t.Errorf("refused with %v", err)
			}
			return
		}
		for _, r := range append(reason.All(), reason.None, reason.Reason(250)) {
			e, g := c.Reason(r), c.Guide(r, reason.NoCause, "")
			if !fits(e.Short, MaxShort) || !fits(e.CashierShort, MaxCashierShort) || !e.Meaning.whole() || !steps(g.Steps.Support) || !steps(g.Steps.Engineer) ||
				!onScreen(g.Screen[English]) || !onScreen(g.Screen[Chinese]) {
				t.Errorf("%s was accepted and is not whole", r)
			}
		}
	})
}
