package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"touchstone/explain"
)

// shownFound is what is near to words, as one JSON object.
type shownFound struct {
	Asked       string            `json:"asked"`
	Which       []shownKind       `json:"which_of_three_kinds,omitempty"`
	Hits        []shownHit        `json:"near"`
	Suggestions []shownSuggestion `json:"suggestions,omitempty"`
}

type shownHit struct {
	Kind  explain.HitKind `json:"kind"`
	Name  string          `json:"name"`
	Short explain.Text    `json:"short"`
	Type  string          `json:"type"` // what to type next
}

type shownKind struct {
	Name     string            `json:"name"`
	Title    explain.Text      `json:"title"`
	Meaning  explain.Text      `json:"meaning"`
	Commands []shownSuggestion `json:"commands"`
}

type shownSuggestion struct {
	Type string       `json:"type"`
	Text explain.Text `json:"text"`
}

// explainTopic answers for the name of one of the three kinds of failure, or of what a terminal says of itself.
func explainTopic(x *explainCall) (taken bool, err error) {
	name := strings.ToLower(x.asked)
	if k, ok := x.l.catalogue.Kind(name); ok {
		if x.JSON {
			return true, json.NewEncoder(x.a.stdout).Encode(jsonKind(k))
		}
		s := &sheet{w: x.a.stdout, lang: x.l.lang}
		x.kindRows(s, "", k)
		return true, s.err
	}
	e, ok := x.l.catalogue.Screen(name)
	if !ok {
		return false, nil
	}
	return true, x.showScreen(e)
}

func (x *explainCall) showScreen(e explain.ScreenEntry) error {
	if x.JSON {
		var leads []string
		for _, r := range e.Leads {
			leads = append(leads, r.String())
		}
		return json.NewEncoder(x.a.stdout).Encode(struct {
			Name    string         `json:"name"`
			Short   explain.Text   `json:"short"`
			Meaning explain.Text   `json:"meaning"`
			Cashier []explain.Text `json:"cashier"`
			Never   []explain.Text `json:"never"`
			Leads   []string       `json:"may_lead_to"`
		}{e.Name, e.Short, e.Meaning, e.Steps, e.Never, leads})
	}
	s := &sheet{w: x.a.stdout, lang: x.l.lang}
	s.say(e.Name + "  " + e.Short.In(s.lang))
	s.say(e.Meaning.In(s.lang))
	s.line("")
	s.steps(s.two("CASHIER", "收银员"), e.Steps)
	s.texts(s.two("NEVER", "切勿"), "- ", e.Never)
	if x.For != forCashier {
		label := s.two("MAY LEAD TO", "可能相关")
		for _, r := range e.Leads {
			s.row(label, pad(r.String(), 28)+x.l.catalogue.Reason(r).Short.In(s.lang))
			label = ""
		}
	}
	return s.err
}

// explainSearch answers for whatever else was typed: the nearest entries, and asks. Words alone never yield a cause.
func explainSearch(x *explainCall) (taken bool, err error) {
	if x.asked == "" {
		return true, fmt.Errorf("%s", x.l.two("what is to be explained? A code, a reason, or what the terminal shows: touchstone explain A7",
			"要解释什么? 应答码、原因, 或终端显示的文字: touchstone explain A7"))
	}
	c := x.l.catalogue
	found := c.Search(x.asked)
	if x.JSON {
		return true, json.NewEncoder(x.a.stdout).Encode(x.jsonFound(found))
	}
	s := &sheet{w: x.a.stdout, lang: x.l.lang}
	if len(found.Hits) == 0 && !found.Which {
		s.say(fmt.Sprintf(s.two("Nothing is near to %q. What can be asked:", "没有与 %q 相近的内容。可以这样问:"), x.asked))
		x.suggestionRows(s, c.Suggestions())
		if s.err != nil {
			return true, s.err
		}
		return true, exitError{1}
	}
	if found.Which {
		s.say(fmt.Sprintf(s.two("%q may mean three things. Which is it?", "%q 可能指三种情况，是哪一种?"), x.asked))
		for i, k := range c.Kinds() {
			s.line("")
			x.kindRows(s, fmt.Sprintf("%d ", i+1), k)
		}
		s.line("")
	}
	names := x.hitRows(s, found)
	if s.err != nil {
		return true, s.err
	}
	return true, x.choose(names)
}

// choose lets a person at a terminal name one of what was found, and explains it.
func (x *explainCall) choose(names []string) error {
	if !x.atTerminal() {
		return nil
	}
	fmt.Fprintf(x.a.stdout, x.l.two("Number 1 to %d, Enter for none: ", "编号 1 到 %d, 回车结束: "), len(names))
	answer, _ := bufio.NewReader(x.a.stdin).ReadString('\n')
	n, err := strconv.Atoi(strings.TrimSpace(answer))
	if err != nil || n < 1 || n > len(names) {
		return nil
	}
	fmt.Fprintln(x.a.stdout)
	chosen := *x.explainCmd
	chosen.Words = []string{names[n-1]}
	return chosen.Run(x.a)
}

// atTerminal tells whether a person types.
func (x *explainCall) atTerminal() bool {
	in, ok := x.a.stdin.(*os.File)
	return ok && termIsTerminal(int(in.Fd()))
}

// hitRows lists what is near and gives the names in the order of their numbers, which go on after the three kinds.
func (x *explainCall) hitRows(s *sheet, found explain.Found) (names []string) {
	hits := found.Hits
	if found.Which { // the kinds are shown already
		for _, k := range x.l.catalogue.Kinds() {
			names = append(names, k.Name)
		}
		hits = slices.DeleteFunc(slices.Clone(hits), func(h explain.Hit) bool { return h.Kind == explain.HitKindOf })
	}
	switch {
	case len(hits) > 0 && found.Which:
		s.say(s.two("Nearest otherwise:", "其他相近内容:"))
	case len(hits) > 0:
		s.say(fmt.Sprintf(s.two("Nearest to %q:", "与 %q 最接近的是:"), x.asked))
	}
	for _, h := range hits {
		names = append(names, h.Name)
		s.line(fmt.Sprintf(" %d %s %s %s", len(names), pad(hitKindWord(h.Kind).In(s.lang), 7), pad(h.Name, 28), h.Short.In(s.lang)))
	}
	s.say(s.two("Which is it? touchstone explain NAME. Words and codes name no cause; the journal does: touchstone explain last",
		"是哪一项? touchstone explain 名称。文字和代码不能说明起因，日志可以: touchstone explain last"))
	return names
}

func hitKindWord(k explain.HitKind) explain.Text {
	switch k {
	case explain.HitKindOf:
		return explain.Text{EN: "kind", ZH: "类别"}
	case explain.HitScreen:
		return explain.Text{EN: "screen", ZH: "屏幕"}
	case explain.HitCode:
		return explain.Text{EN: "code", ZH: "应答码"}
	}
	return explain.Text{EN: "reason", ZH: "原因"}
}

// kindRows are one of the three kinds of failure: what it is and what to type next.
func (x *explainCall) kindRows(s *sheet, number string, k explain.KindEntry) {
	s.say(number + k.Title.In(s.lang))
	for _, l := range breakText(k.Meaning.In(s.lang), sheetWidth-2) {
		s.line("  " + strings.TrimLeft(l, " "))
	}
	x.suggestionRows(s, kindCommands(k))
}

// kindCommands are all that can be typed next of a kind.
func kindCommands(k explain.KindEntry) []explain.Suggestion {
	var list []explain.Suggestion
	for _, n := range k.Next {
		list = append(list, explain.Suggestion{Type: "touchstone explain " + n.Type, Text: n.Text})
	}
	return append(list, k.Commands...)
}

func (x *explainCall) suggestionRows(s *sheet, list []explain.Suggestion) {
	for _, n := range list {
		s.line("  " + pad(n.Type, 44) + "  " + n.Text.In(s.lang))
	}
}

func (x *explainCall) jsonFound(found explain.Found) shownFound {
	shown := shownFound{Asked: x.asked, Hits: []shownHit{}}
	for _, h := range found.Hits {
		shown.Hits = append(shown.Hits, shownHit{h.Kind, h.Name, h.Short, "touchstone explain " + h.Name})
	}
	if found.Which {
		for _, k := range x.l.catalogue.Kinds() {
			shown.Which = append(shown.Which, jsonKind(k))
		}
	}
	if len(found.Hits) == 0 && !found.Which {
		for _, n := range x.l.catalogue.Suggestions() {
			shown.Suggestions = append(shown.Suggestions, shownSuggestion(n))
		}
	}
	return shown
}

func jsonKind(k explain.KindEntry) shownKind {
	shown := shownKind{Name: k.Name, Title: k.Title, Meaning: k.Meaning}
	for _, n := range kindCommands(k) {
		shown.Commands = append(shown.Commands, shownSuggestion(n))
	}
	return shown
}
