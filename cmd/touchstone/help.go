package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"touchstone/explain"
)

// helpFiles are the words of --help: overview.json is the first page, in both languages; every other file has the
// Chinese of one group of commands, by the English that stands in the code.
//
//go:embed help/*.json
var helpFiles embed.FS

// overview is the first page: how to begin, and every command in a group, in one line.
type overview struct {
	About  explain.Text    `json:"about"`
	Begin  explain.Text    `json:"begin"`
	First  []overviewLine  `json:"first"`
	Groups []overviewGroup `json:"groups"`
	Notes  []explain.Text  `json:"notes"`
}

// overviewLine is a command line to copy, or a command's name, and what it does.
type overviewLine struct {
	Line string       `json:"line"`
	Text explain.Text `json:"text"`
}

type overviewGroup struct {
	Title    explain.Text   `json:"title"`
	Commands []overviewLine `json:"commands"`
}

// readOverview reads the first page.
func readOverview() (overview, error) {
	var o overview
	raw, err := helpFiles.ReadFile("help/overview.json")
	if err == nil {
		err = json.Unmarshal(raw, &o)
	}
	if err != nil {
		return overview{}, fmt.Errorf("read help texts: %w", err)
	}
	return o, nil
}

// helpChinese has the Chinese of each piece of help, by its English. It is read when somebody asks: the start of every
// other command is the quicker for it.
var helpChinese = sync.OnceValues(func() (map[string]string, error) {
	files, err := helpFiles.ReadDir("help")
	if err != nil {
		return nil, fmt.Errorf("read help texts: %w", err)
	}
	all := map[string]string{}
	for _, f := range files {
		if f.Name() == "overview.json" {
			continue
		}
		raw, err := helpFiles.ReadFile(path.Join("help", f.Name()))
		if err != nil {
			return nil, fmt.Errorf("read help texts: %w", err)
		}
		var words map[string]string
		if err := json.Unmarshal(raw, &words); err != nil {
			return nil, fmt.Errorf("read help texts: %s: %w", f.Name(), err)
		}
		for english, chinese := range words {
			if _, twice := all[english]; twice {
				return nil, fmt.Errorf("read help texts: %s: %q is there twice", f.Name(), english)
			}
			all[english] = chinese
		}
	}
	return all, nil
})

// helpBlock is a paragraph to be set, or one line that stands as it is, a command with or without a comment.
type helpBlock struct {
	text    string // of a paragraph, one space between words; of a line the comment, "" for none
	line    string // what stands before the comment, set in; "" of a paragraph
	gap     int    // columns between line and comment
	between bool   // an empty line comes before it
}

var lineWithComment = regexp.MustCompile(`^( +.*?\S)( {2,})(\S.*)$`)

// helpBlocks takes a longer text apart: lines that are set in stand as they are, the others are paragraphs.
func helpBlocks(text string) []helpBlock {
	var out []helpBlock
	between, open := false, false
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		switch {
		case strings.TrimSpace(line) == "":
			between, open = true, false
		case strings.HasPrefix(line, " "):
			b := helpBlock{line: line, between: between}
			if m := lineWithComment.FindStringSubmatch(line); m != nil {
				b.line, b.gap, b.text = m[1], len(m[2]), m[3]
			}
			out = append(out, b)
			between, open = false, false
		case open:
			out[len(out)-1].text += " " + oneSpace(line)
		default:
			out = append(out, helpBlock{text: oneSpace(line), between: between})
			between, open = false, true
		}
	}
	return out
}

func oneSpace(text string) string { return strings.Join(strings.Fields(text), " ") }

// helpWriter prints the help of one command, or the first page, in one language and at most width columns wide.
type helpWriter struct {
	l       *lines
	chinese map[string]string
	width   int
	out     bytes.Buffer
}

// The columns of a page: what is set in, and between a word and what it means. A word wider than widestTerm has its
// meaning on the next line.
const (
	helpIndent = 2
	helpGap    = 3
	widestTerm = 30
	narrowHelp = 60
	widestHelp = 100
)

// helpPrinter is how kong prints help; printed tells the caller that it did.
func (a *app) helpPrinter(printed *bool) kong.HelpPrinter {
	return func(_ kong.HelpOptions, ctx *kong.Context) error {
		*printed = true
		return a.printHelp(ctx.Stdout, ctx.Model, ctx.Selected())
	}
}

// printHelp prints the help of a command, nil for the first page.
func (a *app) printHelp(to io.Writer, model *kong.Application, selected *kong.Node) error {
	h := &helpWriter{l: a.words(), width: a.helpWidth(to)}
	if a.chinese {
		var err error
		if h.chinese, err = helpChinese(); err != nil {
			return err
		}
	}
	if selected == nil {
		first, err := readOverview()
		if err != nil {
			return err
		}
		h.overview(first, model)
	} else {
		h.command(model, selected)
	}
	_, err := to.Write(h.out.Bytes())
	return err
}

// helpWidth is how wide a page of help is: as the terminal, within bounds, 80 where nobody knows.
func (a *app) helpWidth(to io.Writer) int {
	width := 0
	if a.getenv != nil {
		width, _ = strconv.Atoi(a.getenv("COLUMNS"))
	}
	if f, ok := to.(*os.File); ok && width <= 0 {
		width, _, _ = term.GetSize(int(f.Fd()))
	}
	if width <= 0 {
		width = 80
	}
	return min(max(width, narrowHelp), widestHelp)
}

// say is a piece of help in the reader's language.
func (h *helpWriter) say(english string) string {
	if chinese, ok := h.chinese[oneSpace(english)]; ok {
		return chinese
	}
	return oneSpace(english)
}

func (h *helpWriter) line(text string) { h.out.WriteString(strings.TrimRight(text, " ") + "\n") }

// paragraph sets text, in columns from the left.
func (h *helpWriter) paragraph(text string, in int) {
	for _, line := range setText(text, h.width-in) {
		h.line(strings.Repeat(" ", in) + line)
	}
}

func (h *helpWriter) overview(o overview, model *kong.Application) {
	h.line(h.l.two("Usage: ", "用法：") + model.Name + h.l.two(" <command> [flags]", " <命令> [参数]"))
	h.line("")
	h.paragraph(o.About.In(h.l.lang), 0)
	h.line("")
	h.line(o.Begin.In(h.l.lang))
	h.terms(overviewTerms(o.First, h.l.lang))
	for _, g := range o.Groups {
		h.line("")
		h.line(g.Title.In(h.l.lang))
		h.terms(overviewTerms(g.Commands, h.l.lang))
	}
	h.line("")
	for _, note := range o.Notes {
		h.paragraph(note.In(h.l.lang), 0)
	}
}

func overviewTerms(of []overviewLine, lang explain.Language) []helpTerm {
	terms := make([]helpTerm, len(of))
	for i, l := range of {
		terms[i] = helpTerm{l.Line, l.Text.In(lang)}
	}
	return terms
}

func (h *helpWriter) command(model *kong.Application, n *kong.Node) {
	usage := strings.NewReplacer("<command>", h.l.two("<command>", "<命令>"), "[flags]", h.l.two("[flags]", "[参数]")).Replace(n.Summary())
	for i, line := range setText(h.l.two("Usage: ", "用法：")+model.Name+" "+usage, h.width-4) {
		h.line(strings.Repeat(" ", 4*min(i, 1)) + line)
	}
	h.line("")
	h.paragraph(h.say(n.Help), 0)
	if n.Detail != "" {
		h.line("")
		h.detail(n.Detail)
	}
	h.arguments(n)
	h.commands(n)
	h.flags(n)
	if len(n.Children) > 0 {
		h.line("")
		h.paragraph(fmt.Sprintf(h.l.two("More of one of these: %s %s <command> --help", "每一项的详情：%s %s <命令> --help"), model.Name, n.Path()), 0)
	}
}

// leastComment is how many columns a comment beside an example has at least; with fewer it stands below the example.
const leastComment = 24

// detail prints the longer text: paragraphs set to the width, examples as they are, to be copied, their comments beside
// or below them.
func (h *helpWriter) detail(text string) {
	for _, b := range helpBlocks(text) {
		if b.between {
			h.line("")
		}
		switch at := explain.Columns(b.line) + b.gap; {
		case b.line == "":
			h.paragraph(h.say(b.text), 0)
		case b.text == "":
			h.line(b.line)
		case h.width-at < leastComment:
			h.line(b.line)
			h.paragraph(h.say(b.text), 3*helpIndent)
		default:
			for i, line := range setText(h.say(b.text), h.width-at) {
				if i == 0 {
					h.line(b.line + strings.Repeat(" ", b.gap) + line)
					continue
				}
				h.line(strings.Repeat(" ", at) + line)
			}
		}
	}
}

func (h *helpWriter) arguments(n *kong.Node) {
	if len(n.Positional) == 0 {
		return
	}
	h.line("")
	h.line(h.l.two("Arguments:", "操作数："))
	var terms []helpTerm
	for _, x := range n.Positional {
		terms = append(terms, helpTerm{x.Summary(), h.say(x.Help)})
	}
	h.terms(terms)
}

func (h *helpWriter) commands(n *kong.Node) {
	var terms []helpTerm
	for _, x := range n.Children {
		if !x.Hidden {
			terms = append(terms, helpTerm{x.Name, h.say(x.Help)})
		}
	}
	if len(terms) == 0 {
		return
	}
	h.line("")
	h.line(h.l.two("Commands:", "命令："))
	h.terms(terms)
}

// flags prints the command's own flags first, --help last.
func (h *helpWriter) flags(n *kong.Node) {
	var terms []helpTerm
	groups := n.AllFlags(true)
	for i := len(groups) - 1; i >= 0; i-- {
		for _, f := range groups[i] {
			terms = append(terms, helpTerm{flagTerm(f), h.say(kong.DefaultHelpValueFormatter(f.Value))})
		}
	}
	h.line("")
	h.line(h.l.two("Flags:", "参数："))
	h.terms(terms)
}

// flagTerm is a flag as it is typed.
func flagTerm(f *kong.Flag) string {
	term := "--" + f.Name
	if f.Short != 0 {
		term = "-" + string(f.Short) + ", " + term
	}
	if f.IsBool() && f.Tag.Negatable != "" {
		term = "--[no-]" + f.Name
	}
	if !f.IsBool() && !f.IsCounter() {
		term += "=" + f.FormatPlaceHolder()
	}
	return term
}

// helpTerm is a word and what it means.
type helpTerm struct{ term, means string }

// terms prints two columns.
func (h *helpWriter) terms(terms []helpTerm) {
	left := 0
	for _, t := range terms {
		if w := explain.Columns(t.term); w <= widestTerm {
			left = max(left, w)
		}
	}
	at := helpIndent + left + helpGap
	for _, t := range terms {
		means := setText(t.means, h.width-at)
		head := strings.Repeat(" ", helpIndent) + t.term
		if explain.Columns(t.term) > left || len(means) == 0 {
			h.line(head)
		} else {
			h.line(head + strings.Repeat(" ", at-explain.Columns(head)) + means[0])
			means = means[1:]
		}
		for _, line := range means {
			h.line(strings.Repeat(" ", at) + line)
		}
	}
}
