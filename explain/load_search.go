package explain

import (
	"cmp"
	"slices"
	"strings"

	"touchstone/pos"
	"touchstone/reason"
)

type searchFile struct {
	Which       bothLists   `json:"which"` // what may mean any of the three kinds
	Stop        bothLists   `json:"stop"`
	Kinds       []kindRow   `json:"kinds"`
	Screens     []screenRow `json:"screens"`
	Phrases     []phraseRow `json:"phrases"`
	Suggestions []typeRow   `json:"suggestions"`
}

type (
	bothLists struct {
		EN []string `json:"en"`
		ZH []string `json:"zh"`
	}
	typeRow struct {
		Type string `json:"type"`
		Text Text   `json:"text"`
	}
	kindRow struct {
		Name    string `json:"name"`
		Title   Text   `json:"title"`
		Meaning Text   `json:"meaning"`
		Next    []struct {
			Explain string `json:"explain"`
			Text    Text   `json:"text"`
		} `json:"next"`
		Commands []typeRow `json:"commands,omitempty"`
	}
	screenRow struct {
		Name    string   `json:"name"`
		Short   Text     `json:"short"`
		Meaning Text     `json:"meaning"`
		Steps   []Text   `json:"steps"`
		Never   []saying `json:"never"`
		Leads   []string `json:"leads"`
	}
	phraseRow struct {
		Entry string   `json:"entry"` // kind and name of a hit
		EN    []string `json:"en"`
		ZH    []string `json:"zh"`
	}
)

// kindCount is how many kinds of failure 安全认证失败 may mean.
const kindCount = 3

func (c *Catalogue) loadSearch(data string, s *sayings) error {
	var f searchFile
	if err := read("search", data, &f); err != nil {
		return err
	}
	c.stop.en = map[string]bool{}
	for _, w := range f.Stop.EN {
		c.stop.en[w] = true
	}
	for _, w := range f.Stop.ZH {
		c.stop.zh = append(c.stop.zh, normal(w))
	}
	slices.SortFunc(c.stop.zh, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	c.which = slices.Concat(f.Which.EN, f.Which.ZH)
	if len(c.which) == 0 || slices.Contains(c.stop.zh, "") {
		return bad("search: which or stop")
	}
	for i := range f.Kinds {
		if err := c.addKind(&f.Kinds[i]); err != nil {
			return err
		}
	}
	if len(c.kinds) != kindCount {
		return bad("%d kinds, want %d", len(c.kinds), kindCount)
	}
	for i := range f.Screens {
		if err := c.addScreen(&f.Screens[i], s); err != nil {
			return err
		}
	}
	for _, row := range f.Suggestions {
		if row.Type == "" || !row.Text.whole() {
			return bad("suggestion %q", row.Type)
		}
		c.suggestions = append(c.suggestions, Suggestion(row))
	}
	return c.loadPhrases(f.Phrases)
}

func (c *Catalogue) addKind(row *kindRow) error {
	k := KindEntry{Name: row.Name, Title: row.Title, Meaning: row.Meaning}
	if _, twice := c.Kind(row.Name); twice || !strings.HasPrefix(row.Name, "kind_") || !k.Title.whole() || !k.Meaning.whole() || len(row.Next) == 0 {
		return bad("kind %q: named twice, not whole or leads nowhere", row.Name)
	}
	for _, n := range row.Next {
		_, isCode := c.Code(pos.Code(n.Explain))
		_, err := reason.Parse(n.Explain)
		if !(isCode && len(n.Explain) == 2) && err != nil && n.Explain != "last" || !n.Text.whole() {
			return bad("kind %q: %q is nothing to explain", row.Name, n.Explain)
		}
		k.Next = append(k.Next, Suggestion{Type: n.Explain, Text: n.Text})
	}
	for _, n := range row.Commands {
		if !strings.HasPrefix(n.Type, "touchstone ") || !n.Text.whole() {
			return bad("kind %q: command %q", row.Name, n.Type)
		}
		k.Commands = append(k.Commands, Suggestion(n))
	}
	c.kinds = append(c.kinds, k)
	return nil
}

func (c *Catalogue) addScreen(row *screenRow, s *sayings) error {
	e := ScreenEntry{Name: row.Name, Short: row.Short, Meaning: row.Meaning, Steps: row.Steps}
	never, ok := all(row.Never, s.counter)
	if _, twice := c.Screen(row.Name); twice || !strings.HasPrefix(row.Name, "screen_") || !e.Short.whole() || !e.Meaning.whole() || !steps(e.Steps) || !ok || len(never) == 0 {
		return bad("screen %q: named twice or not whole", row.Name)
	}
	e.Never = never
	for _, name := range row.Leads {
		r, err := reason.Parse(name)
		if err != nil {
			return bad("screen %q: leads to %q", row.Name, name)
		}
		e.Leads = append(e.Leads, r)
	}
	if len(e.Leads) == 0 {
		return bad("screen %q: leads nowhere", row.Name)
	}
	c.screens = append(c.screens, e)
	return nil
}

func (c *Catalogue) loadPhrases(rows []phraseRow) error {
	c.phrases = map[string][]string{}
	for _, row := range rows {
		kind, name, _ := strings.Cut(row.Entry, " ")
		if kind == row.Entry { // "kind_refused" and "screen_locked" say what they are
			kind, _, _ = strings.Cut(row.Entry, "_")
			name = row.Entry
		}
		known := false
		switch HitKind(kind) {
		case HitKindOf:
			_, known = c.Kind(name)
		case HitScreen:
			_, known = c.Screen(name)
		case HitCode:
			_, known = c.Code(pos.Code(name))
			known = known && len(name) == 2
		case HitReason:
			_, err := reason.Parse(name)
			known = err == nil
		}
		key := kind + " " + name
		if _, twice := c.phrases[key]; twice || !known || len(row.EN) == 0 || len(row.ZH) == 0 {
			return bad("phrases of %q: named twice, not known or not in both languages", row.Entry)
		}
		for _, p := range slices.Concat(row.EN, row.ZH) {
			if normal(p) == "" {
				return bad("phrases of %q: one is empty", row.Entry)
			}
			c.phrases[key] = append(c.phrases[key], p)
		}
	}
	return nil
}
