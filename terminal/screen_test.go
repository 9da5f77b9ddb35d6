package terminal_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"touchstone/terminal"
)

var update = flag.Bool("update", false, "write the golden screens anew")

func TestWidthAndFit(t *testing.T) {
	for text, width := range map[string]int{"": 0, "SALE": 4, "消费": 4, "MAC校验错": 9, "（）": 4, "ａ": 2, "é": 1, "한": 2, "𠀀": 2} {
		if got := terminal.Width(text); got != width {
			t.Errorf("%q is %d columns, want %d", text, got, width)
		}
		if got := terminal.Width(terminal.Pad(text, 20)); got != 20 {
			t.Errorf("%q padded is %d columns", text, got)
		}
	}
	for _, c := range []struct {
		text string
		n    int
		want string
	}{{"终端已锁定", 10, "终端已锁定"}, {"终端已锁定", 9, "终端已锁"}, {"终端", 1, ""}, {"ABC", 2, "AB"}, {"A终", 2, "A"}} {
		if got := terminal.Fit(c.text, c.n); got != c.want {
			t.Errorf("%q in %d columns is %q", c.text, c.n, got)
		}
	}
}

// TestScreens compares every screen of one day in a shop with testdata/screens.LANG.txt.
func TestScreens(t *testing.T) {
	for _, lang := range []terminal.Language{terminal.Chinese, terminal.English} {
		t.Run(string(lang), func(t *testing.T) {
			p := newPeer(t)
			c := config(t, p)
			show := &screens{}
			c.Screen, c.Language = show, lang
			term := open(t, c)
			must(term.SignIn(t.Context()))(t)
			sale := must(term.Sale(t.Context(), card(t), 1850))(t)
			must(term.Void(t.Context(), sale.Trace, terminal.Card{}))(t)
			p.on(p.code("51", p.mak))
			must(term.Sale(t.Context(), card(t), 999_999_999_999))(t)
			p.on(p.code("97", nil))
			must(term.Sale(t.Context(), card(t), 100))(t)
			p.on(func(w wire) []byte {
				if w.element[3] != "310000" {
					return p.approve(w)
				}
				e := p.fields(w, "00")
				e[54] = "0020" + "3130303231353643" + "303030303030313233343536"
				return pack(t, "6000000003603100311812", "0210", e, p.mak)
			})
			must(term.Balance(t.Context(), card(t)))(t)
			must(term.Settle(t.Context()))(t)
			p.on(func(wire) []byte { return nil })
			must(term.Echo(t.Context()))(t)
			p.on(p.approve)
			must(term.TamperReport(t.Context(), 1))(t)
			golden(t, "testdata/screens."+string(lang)+".txt", draw(t, show.shown))
		})
	}
}

func draw(t *testing.T, shown [][4]string) string {
	var b strings.Builder
	for _, lines := range shown {
		for _, line := range lines {
			if terminal.Width(line) > terminal.Columns {
				t.Errorf("%q is wider than the screen", line)
			}
			b.WriteString("|" + terminal.Pad(line, terminal.Columns) + "|\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: the screens are\n%s", name, got)
	}
}
