package explain

import (
	"errors"
	"strings"
	"testing"

	"touchstone/reason"
)

// TestLoadRefuses changes one thing in a data file and wants the whole catalogue refused. The inside
// is the point: the files themselves are embedded.
func TestLoadRefuses(t *testing.T) {
	wide := strings.Repeat("w", MaxShort+1)
	cases := []struct{ name, file, old, with string }{
		{"reason without English", "reasons", `"message code does not match"`, `""`},
		{"reason without Chinese", "reasons", `"报文校验码不符"`, `""`},
		{"phrase one column too wide", "reasons", `"message code does not match"`, `"` + wide + `"`},
		{"phrase with a line break", "reasons", `"message code does not match"`, `"message\ncode"`},
		{"unknown reason", "reasons", `"mac_failed"`, `"mac_felled"`},
		{"reason named twice", "reasons", `"mac_failed"`, `"mac_missing"`},
		{"unknown field", "reasons", `"meaning"`, `"meanings"`},
		{"own words for the cashier", "reasons", `"reason": "mac_failed",`,
			`"reason": "mac_failed", "counter": {"action": {"en": "a", "zh": "甲"}, "short": {"en": "a", "zh": "甲"}},`},
		{"causes of an approval", "reasons", `"causes": []`, `"causes": [{"en": "a", "zh": "甲"}]`},
		{"failure without causes", "reasons", "\"请用写入该记录的版本查看。\"\n  }", "\"请用写入该记录的版本查看。\"\n  }, \"causes\": []"},
		{"cut short", "reasons", `"outside"`, ``},
		{"code of three characters", "codes", `"code": "A7"`, `"code": "A70"`},
		{"code named twice", "codes", `"code": "A7"`, `"code": "A6"`},
		{"code of a reason absent", "codes", `"code": "A7"`, `"code": "ZZ"`},
		{"unknown class", "codes", `"class": "E"`, `"class": "F"`},
		{"note without Chinese", "codes", `"部分公开码表列为 B 类。"`, `" "`},
		{"no way to learn", "codes", `"en": "A code alone`, `"en": " A code alone`},
		{"check without words", "words", `"报文解析"`, `""`},
		{"check named twice", "words", `"name": "frame"`, `"name": "parse"`},
		{"owner absent", "words", `"name": "issuer"`, `"name": "nobody else"`},
	}
	files := map[string]string{"reasons": reasonsFile, "codes": codesFile, "words": wordsFile}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(files[c.file], c.old) {
				t.Fatalf("%s has no %s to change", c.file, c.old)
			}
			changed := map[string]string{c.file: strings.Replace(files[c.file], c.old, c.with, 1)}
			for name, data := range files {
				if name != c.file {
					changed[name] = data
				}
			}
			got, err := load(changed["reasons"], changed["codes"], changed["words"])
			if !errors.Is(err, ErrCatalogue) || got != nil {
				t.Errorf("%v", err)
			}
		})
	}
	for name := range files {
		more := map[string]string{"reasons": reasonsFile, "codes": codesFile, "words": wordsFile}
		more[name] += "{}"
		if _, err := load(more["reasons"], more["codes"], more["words"]); !errors.Is(err, ErrCatalogue) {
			t.Errorf("%s with more behind it: %v", name, err)
		}
	}
}

// FuzzLoad: whatever is read in place of a data file, nothing panics, and what is accepted is whole.
func FuzzLoad(f *testing.F) {
	f.Add(reasonsFile, 0)
	f.Add(codesFile, 1)
	f.Add(wordsFile, 2)
	f.Add(`{"reasons":[{"reason":"none"}]}`, 0)
	f.Add(`{"codes":[{"code":"00","class":""}],"learn":{"en":"a","zh":"b"}}`, 1)
	f.Add(`{"checks":[{"name":""}]}`, 2)
	f.Fuzz(func(t *testing.T, data string, which int) {
		files := [3]string{reasonsFile, codesFile, wordsFile}
		if which < 0 || which > 2 {
			return
		}
		files[which] = data
		c, err := load(files[0], files[1], files[2])
		if err != nil {
			if !errors.Is(err, ErrCatalogue) || c != nil {
				t.Errorf("refused with %v", err)
			}
			return
		}
		for _, r := range append(reason.All(), reason.None, reason.Reason(250)) {
			e := c.Reason(r)
			if !fits(e.Short, MaxShort) || !fits(e.CashierShort, MaxCashierShort) || !e.Meaning.whole() || !e.Support.whole() || !e.Engineer.whole() {
				t.Errorf("%s was accepted and is not whole", r)
			}
		}
	})
}
