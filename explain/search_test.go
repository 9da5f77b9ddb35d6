package explain_test

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"

	"touchstone/explain"
	"touchstone/pos"
	"touchstone/reason"
)

// TestSearch finds what testdata/queries.txt wants, in both languages.
func TestSearch(t *testing.T) {
	c := load(t)
	f, err := os.Open("testdata/queries.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cases := map[bool]int{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if strings.HasPrefix(s.Text(), "#") {
			continue
		}
		rest, among, _ := strings.Cut(s.Text(), "~")
		query, first, _ := strings.Cut(rest, "=")
		first, among, query = strings.TrimSpace(first), strings.TrimSpace(among), strings.TrimSpace(query)
		found := c.Search(query)
		var names []string
		for _, h := range found.Hits {
			names = append(names, string(h.Kind)+" "+h.Name)
		}
		cases[han.MatchString(query)]++
		switch {
		case first == "nothing" && (len(names) > 0 || found.Which):
			t.Errorf("%q: found %q", query, names)
		case first == "which" && !found.Which:
			t.Errorf("%q may mean any of three kinds; found %q", query, names)
		case first != "which" && found.Which:
			t.Errorf("%q does not mean any of three kinds", query)
		case first != "" && first != "which" && first != "nothing" && (len(names) == 0 || names[0] != first):
			t.Errorf("%q: found %q, want %s first", query, names, first)
		case among != "" && !slices.Contains(names[:min(3, len(names))], among):
			t.Errorf("%q: found %q, want %s among the first three", query, names, among)
		}
	}
	if cases[true] < 30 || cases[false] < 25 {
		t.Errorf("%d queries in Chinese, %d in English", cases[true], cases[false])
	}
}

// FuzzSearch: whatever is typed, what is found is bounded, exists, comes in order, is no cause, and is the same again.
func FuzzSearch(f *testing.F) {
	for _, query := range []string{"tamper", "显示安全认证失败", "ＭＡＣ校验错！", "a7", " \x00\xff", strings.Repeat("安全认证", 200), "mac_stale_key"} {
		f.Add(query)
	}
	c := load(f)
	f.Fuzz(func(t *testing.T, query string) {
		found := c.Search(query)
		if len(found.Hits) > explain.MaxFound {
			t.Errorf("%d hits", len(found.Hits))
		}
		for i, h := range found.Hits {
			if i > 0 && h.Score > found.Hits[i-1].Score {
				t.Errorf("%q: out of order", query)
			}
			if _, err := reason.ParseCause(h.Name); err == nil || !exists(c, h) {
				t.Errorf("%q: %s %q is nothing to explain", query, h.Kind, h.Name)
			}
		}
		if again := c.Search(query); !slices.Equal(again.Hits, found.Hits) || again.Which != found.Which {
			t.Errorf("%q: another answer the second time", query)
		}
	})
}

func exists(c *explain.Catalogue, h explain.Hit) (ok bool) {
	switch h.Kind {
	case explain.HitKindOf:
		_, ok = c.Kind(h.Name)
	case explain.HitScreen:
		_, ok = c.Screen(h.Name)
	case explain.HitCode:
		_, ok = c.Code(pos.Code(h.Name))
	case explain.HitReason:
		_, err := reason.Parse(h.Name)
		ok = err == nil
	}
	return ok
}
