package explain

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"

	"touchstone/pos"
	"touchstone/reason"
)

// MaxQuery is the most bytes of a query that are looked at; MaxFound the most entries found.
const (
	MaxQuery = 400
	MaxFound = 5
)

// HitKind is what was found. A cause is never found by words: only an experiment finds one.
type HitKind string

// The kinds of hits.
const (
	HitKindOf HitKind = "kind"   // one of the three kinds of 安全认证失败
	HitScreen HitKind = "screen" // what a terminal says of itself
	HitCode   HitKind = "code"
	HitReason HitKind = "reason"
)

// Hit is an entry near to a query.
type Hit struct {
	Kind  HitKind
	Name  string // what touchstone explain takes: "A7", "mac_failed", "screen_locked", "kind_refused"
	Short Text
	Score int // the greater, the nearer; comparable within one query only
}

// Found is what is near to a query.
type Found struct {
	Hits []Hit // the nearest first, at most MaxFound
	// Which is true where the words name no more than 安全认证失败 does: it may be any of the three kinds.
	Which bool
}

// KindEntry is one of the three kinds of failure that 安全认证失败 may mean: 认证失败, 认证失效, 未通过 / 过期.
type KindEntry struct {
	Name     string
	Title    Text
	Meaning  Text
	Next     []Suggestion // what to explain next
	Commands []Suggestion // what else to ask
}

// ScreenEntry is what a terminal says of itself, without a code of the host.
type ScreenEntry struct {
	Name    string
	Short   Text
	Meaning Text
	Steps   []Text // the cashier's
	Never   []Text
	Leads   []reason.Reason // what may come of it
}

// Suggestion is something to type, and what it is for.
type Suggestion struct {
	Type string
	Text Text
}

// document is what is searched: an entry and how much each of its tokens weighs.
type document struct {
	hit     Hit
	order   int
	weight  map[string]int
	phrases []string // normalized
}

// index is the catalogue made searchable.
type index struct {
	stop  stopWords
	which []string // normalized phrases that may mean any kind
	docs  []document
	rare  map[string]int // how telling a token is: the fewer entries have it, the more
}

// The weights of where a token stands.
const (
	inPhrase  = 6
	inName    = 4
	inShort   = 3
	inMeaning = 1
)

// Kinds lists the three kinds of failure in the order 认证失败, 认证失效, 未通过 / 过期.
func (c *Catalogue) Kinds() []KindEntry { return slices.Clone(c.kinds) }

// Screens lists what a terminal may say of itself.
func (c *Catalogue) Screens() []ScreenEntry { return slices.Clone(c.screens) }

// Kind finds one of the three kinds by its name.
func (c *Catalogue) Kind(name string) (KindEntry, bool) {
	i := slices.IndexFunc(c.kinds, func(k KindEntry) bool { return k.Name == name })
	if i < 0 {
		return KindEntry{}, false
	}
	return c.kinds[i], true
}

// Screen finds what a terminal says of itself by its name.
func (c *Catalogue) Screen(name string) (ScreenEntry, bool) {
	i := slices.IndexFunc(c.screens, func(s ScreenEntry) bool { return s.Name == name })
	if i < 0 {
		return ScreenEntry{}, false
	}
	return c.screens[i], true
}

// Suggestions are what to type where nothing is near.
func (c *Catalogue) Suggestions() []Suggestion { return slices.Clone(c.suggestions) }

// Search finds the entries nearest to what a person typed, in either language. It is deterministic. What it finds is
// where to read on, never what happened: no cause is among it.
func (c *Catalogue) Search(query string) Found {
	if len(query) > MaxQuery {
		query = query[:MaxQuery]
	}
	x := c.index()
	text := x.stop.strip(normal(query))
	tokens := tokensOf(text)
	found := Found{Which: slices.Contains(x.which, text)}
	if len(tokens) == 0 {
		return found
	}
	total := 0
	for _, t := range tokens {
		total += x.tells(t)
	}
	type scored struct {
		doc *document
		n   int
	}
	var near []scored
	for i := range x.docs {
		if n := x.docs[i].score(x, text, tokens, total); n > 0 {
			near = append(near, scored{&x.docs[i], n})
		}
	}
	slices.SortStableFunc(near, func(a, b scored) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.doc.order, b.doc.order)) })
	for _, s := range near[:min(len(near), MaxFound)] {
		if s.n*farBehind < near[0].n {
			break // far behind the first
		}
		h := s.doc.hit
		h.Score = s.n
		found.Hits = append(found.Hits, h)
	}
	return found
}

// What a phrase that is all of the query, or a part of it, adds.
const (
	wholePhrase = 400
	partPhrase  = 60
	perToken    = 30
	farBehind   = 20 // an entry of less than this part of the first's score is not near
	enough      = 40 // percent of what the query tells that an entry must have, unless a phrase of it is there
)

// score is how near the document is to the query; 0 is not near.
func (d *document) score(x *index, text string, tokens []string, total int) int {
	n, told, named := 0, 0, false
	for _, t := range tokens {
		if w := d.weight[t]; w > 0 {
			n += w * x.tells(t)
			told += x.tells(t)
			named = named || w > inMeaning
		}
	}
	bonus := 0
	for _, p := range d.phrases {
		switch {
		case p == text:
			bonus = max(bonus, wholePhrase)
		case holds(text, p):
			bonus = max(bonus, partPhrase+perToken*len(tokensOf(p)))
		}
	}
	if bonus == 0 && (!named || told*100 < enough*total) {
		return 0
	}
	return n*told/max(total, 1) + bonus
}

// tells is how telling a token is: 1 for one that most entries have, 8 for one that hardly any has or that is unknown.
func (x *index) tells(token string) int {
	if n, ok := x.rare[token]; ok {
		return n
	}
	return 6
}

// makeIndex makes the catalogue searchable.
func (c *Catalogue) makeIndex() *index {
	x := &index{stop: c.stop, rare: map[string]int{}}
	for _, p := range c.which {
		x.which = append(x.which, x.stop.strip(normal(p)))
	}
	for _, k := range c.kinds {
		x.add(c, Hit{Kind: HitKindOf, Name: k.Name, Short: k.Title}, k.Meaning)
	}
	for _, s := range c.screens {
		x.add(c, Hit{Kind: HitScreen, Name: s.Name, Short: s.Short}, s.Meaning)
	}
	for _, code := range c.codes {
		if code.Code != (pos.ResponseCode{}) && code.Name.EN != "" {
			x.add(c, Hit{Kind: HitCode, Name: code.Code.String(), Short: code.Name}, code.Note)
		}
	}
	for _, r := range reason.All() {
		e := c.entries[r]
		x.add(c, Hit{Kind: HitReason, Name: r.String(), Short: e.Short}, append([]Text{e.Meaning}, e.Causes...)...)
	}
	count := map[string]int{}
	for i := range x.docs {
		for t := range x.docs[i].weight {
			count[t]++
		}
	}
	for t, n := range count {
		x.rare[t] = min(bits.Len(uint(len(x.docs)/n)), 8)
	}
	return x
}

func (x *index) add(c *Catalogue, hit Hit, texts ...Text) {
	d := document{hit: hit, order: len(x.docs), weight: map[string]int{}}
	put := func(s string, weight int) {
		for _, t := range tokensOf(x.stop.strip(normal(s))) {
			d.weight[t] = max(d.weight[t], weight)
		}
	}
	for _, p := range c.phrases[string(hit.Kind)+" "+hit.Name] {
		put(p, inPhrase)
		d.phrases = append(d.phrases, x.stop.strip(normal(p)))
	}
	put(strings.TrimPrefix(strings.TrimPrefix(hit.Name, "screen_"), "kind_"), inName)
	put(hit.Short.EN, inShort)
	put(hit.Short.ZH, inShort)
	for _, t := range texts {
		put(t.EN, inMeaning)
		put(t.ZH, inMeaning)
	}
	x.docs = append(x.docs, d)
}
