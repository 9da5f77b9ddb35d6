package web

import "testing"

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{"": "", "示例 <b>x</b>": "示例 <b>x</b>", "a\u202egnp.exe": "a⟦202E⟧gnp.exe", "\u2066x\u2069\u202c": "⟦2066⟧x⟦2069⟧⟦202C⟧"} {
		if got := Visible(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
