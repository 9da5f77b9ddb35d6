package main

import (
	"regexp"
	"testing"

	"touchstone/iso8583"
)

// TestUnreadableInChinese: whatever can be wrong with a message's bytes has its words in Chinese.
func TestUnreadableInChinese(t *testing.T) {
	english := regexp.MustCompile(`[a-z]`)
	for kind := range iso8583.Kind(60) {
		for _, element := range []int{0, 64} {
			text := iso8583.DecodeError{Element: element, Kind: kind, Have: 4, Want: 8}.Error()
			if zh := evidenceText(text).ZH; english.MatchString(zh) {
				t.Errorf("%q is %q", text, zh)
			}
		}
	}
	if got := evidenceText(iso8583.DecodeError{Element: 64, Kind: iso8583.KindCut, Have: 4, Want: 8}.Error()).ZH; got != "第 64 域：应有 8 字节，只有 4 字节" {
		t.Error(got)
	}
}
