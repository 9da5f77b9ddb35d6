package check

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"touchstone/explain"
	"touchstone/pos"
	"touchstone/reason"
)

// The catalogue for everybody: what a code, a message on the screen or a reason means, and what is done at the counter.
// The steps of the acquirer's staff are left out (support asks back by them, engineers prove by them), and so is which
// experiment proves which cause: whoever fakes a terminal would read there what to avoid. No page knows of any case.

// explained is what a page of one word shows. A word may be a code and a model.
type explained struct {
	Word  string
	Code  *explain.Code
	Model *modelSaid
	Entry *entrySaid
	Kind  *explain.KindEntry
	// Screen is what a terminal says of itself.
	Screen *explain.ScreenEntry
	Behind []link // reasons that a code may stand for
}

// Both tells that nobody can know which of two things was meant.
func (e explained) Both() bool { return e.Code != nil && e.Model != nil }

// modelSaid is what is said of a terminal model.
type modelSaid struct {
	Name       string
	Said       *explain.Text
	Advisories []Advisory
}

// entrySaid is a reason, or a cause, in words for the counter.
type entrySaid struct {
	Name    string
	Short   explain.Text
	Meaning explain.Text
	Cause   bool
	MayBe   []explain.Text
	Code    *explain.Code // what the terminal shows for it; nil: nothing
	Owner   explain.Text
	Reboot  explain.Text
	Visit   explain.Text
}

// link is a word to read on at.
type link struct {
	Word string
	Text explain.Text
	Code bool // the word is what the screen shows; any other is a name of ours
}

// searched is what a search shows.
type searched struct {
	Query string
	Hits  []link
	Kinds []explain.KindEntry // where the words may mean any of the three
	None  bool
	Codes []explain.Code // the commonest, to choose from
}

func (p *Pages) mountExplain() {
	p.get("/explain", p.search)
	p.get("/explain/{word}", p.explain)
}

// maxWord is the longest word that is looked up.
const maxWord = 60

func (p *Pages) search(w http.ResponseWriter, r *http.Request) {
	q, err := query(r, "q")
	if err != nil || len(q.Get("q")) > explain.MaxQuery {
		p.refused(w, r, http.StatusBadRequest, "")
		return
	}
	s := searched{Query: strings.TrimSpace(q.Get("q"))}
	if word := strings.TrimSpace(narrow(s.Query)); word != "" && len(word) <= maxWord {
		if _, known := p.about(r, word); known {
			to := "/explain/" + url.PathEscape(word)
			if lang, chosen := langOf(r); chosen {
				to += "?" + langField + "=" + lang
			}
			http.Redirect(w, r, to, http.StatusSeeOther)
			return
		}
	}
	if s.Query != "" {
		found := p.Catalogue.Search(s.Query)
		if found.Which {
			s.Kinds = p.Catalogue.Kinds()
		}
		for _, h := range found.Hits {
			if found.Which && h.Kind == explain.HitKindOf {
				continue // all three are shown
			}
			s.Hits = append(s.Hits, link{h.Name, h.Short, h.Kind == explain.HitCode})
		}
		s.None = len(s.Hits) == 0 && !found.Which
	}
	for _, c := range [...]string{"A7", "A0", "97", "58", "99", "96"} {
		if code, ok := p.Catalogue.Code(pos.Code(c)); ok {
			s.Codes = append(s.Codes, code)
		}
	}
	p.show(w, r, http.StatusOK, "search", view{Title: two(r, "What does the message mean?", "终端上的提示是什么意思?"), Data: s})
}

func (p *Pages) explain(w http.ResponseWriter, r *http.Request) {
	word := r.PathValue("word")
	if _, err := query(r); err != nil || len(word) > maxWord || !soundText(word) {
		p.refused(w, r, http.StatusBadRequest, "")
		return
	}
	e, known := p.about(r, word)
	if !known {
		p.refused(w, r, http.StatusNotFound, "")
		return
	}
	p.show(w, r, http.StatusOK, "explain", view{Title: e.Word, Data: e})
}

// about is what the catalogue has for a word.
func (p *Pages) about(r *http.Request, word string) (e explained, known bool) {
	c := p.Catalogue
	e.Word = word
	if code, ok := c.Code(pos.Code(strings.ToUpper(word))); ok && len(word) == len(code.Code) {
		e.Word, e.Code = code.Code.String(), &code
		for _, behind := range code.Reasons {
			e.Behind = append(e.Behind, link{behind.String(), c.Reason(behind).Short, false})
		}
	}
	e.Model = p.model(r, word)
	name := strings.ToLower(word)
	switch kind, screen := kindOf(c, name), screenOf(c, name); {
	case kind != nil:
		e.Kind = kind
	case screen != nil:
		e.Screen = screen
	default:
		e.Entry = entryOf(c, name)
	}
	return e, e.Code != nil || e.Model != nil || e.Entry != nil || e.Kind != nil || e.Screen != nil
}

func kindOf(c *explain.Catalogue, name string) *explain.KindEntry {
	if k, ok := c.Kind(name); ok {
		return &k
	}
	return nil
}

func screenOf(c *explain.Catalogue, name string) *explain.ScreenEntry {
	if s, ok := c.Screen(name); ok {
		return &s
	}
	return nil
}

// entryOf is a reason or a cause. Whatever stands behind a code, the counter does the same.
func entryOf(c *explain.Catalogue, name string) *entrySaid {
	if r, err := reason.Parse(name); err == nil && r != reason.None {
		g, said := c.Guide(r, reason.NoCause, ""), c.Reason(r)
		e := &entrySaid{Name: name, Short: said.Short, Meaning: said.Meaning, MayBe: said.Causes, Owner: g.Owner, Reboot: g.Reboot, Visit: g.Courier}
		if code, ok := c.Code(r.DE39()); ok {
			e.Code = &code
		}
		return e
	}
	cause, err := reason.ParseCause(name)
	if err != nil || cause == reason.NoCause {
		return nil
	}
	said := c.Cause(cause)
	e := &entrySaid{Name: name, Short: said.Short, Meaning: said.Meaning, Cause: true, Owner: c.Owner(cause.Owner())}
	if len(said.Behind) > 0 && said.Behind[0] != reason.None {
		if code, ok := c.Code(said.Behind[0].DE39()); ok {
			e.Code = &code
		}
	}
	return e
}

// model is what is known of a word as a terminal model, nil for nothing.
func (p *Pages) model(r *http.Request, word string) *modelSaid {
	m := &modelSaid{Name: strings.ToUpper(word)}
	if said, ok := p.Catalogue.Model(word); ok {
		m.Said = &said
	}
	list, err := p.Devices.Advisories(r.Context(), word)
	if err != nil {
		p.Log.Error("advisories are not known", slog.String("error", err.Error()))
	}
	m.Advisories = list
	if m.Said == nil && len(list) == 0 {
		return nil
	}
	return m
}
