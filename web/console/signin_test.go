package console

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzWhither: a sign-in leads to a path of this console, however the address that it was asked for is written.
func FuzzWhither(f *testing.F) {
	for _, s := range []string{"/", "/staff?q=a%20b#c", "//elsewhere.example", `/\elsewhere.example`, "https://elsewhere.example", "/\t/elsewhere.example", "javascript:alert(1)", "", "/%2f/x", "/.//x", "///x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := whither(next)
		u, err := url.Parse(got)
		if err != nil {
			return // a browser that reads it another way still stays: it begins with one slash
		}
		if u.Host != "" || u.Scheme != "" || !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\r\n\t") {
			t.Errorf("%q leads to %q", next, got)
		}
	})
}
