package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/alecthomas/kong"

	"touchstone/explain"
)

var rewriteHelp = flag.Bool("rewrite-help", false, "write the golden files of help anew")

// grammar is the whole table of contents, as kong reads it.
func grammar(t *testing.T) *kong.Application {
	t.Helper()
	p, err := kong.New(new(commands), kong.Name("touchstone"), kong.Description(about), kong.Configuration(loadTOML))
	if err != nil {
		t.Fatal(err)
	}
	return p.Model
}

// everyNode is every command that people may see, the first page first.
func everyNode(n *kong.Node) []*kong.Node {
	all := []*kong.Node{n}
	for _, child := range n.Children {
		if !child.Hidden {
			all = append(all, everyNode(child)...)
		}
	}
	return all
}

// helpPieces is every piece of help in the model, with where it stands first.
func helpPieces(m *kong.Application) map[string]string {
	pieces := map[string]string{}
	note := func(text, where string) {
		if text = oneSpace(text); text != "" && pieces[text] == "" {
			pieces[text] = where
		}
	}
	for _, n := range everyNode(m.Node) {
		if n != m.Node {
			note(n.Help, n.FullPath())
		}
		for _, b := range helpBlocks(n.Detail) {
			note(b.text, n.FullPath()+", longer text")
		}
		for _, x := range n.Positional {
			note(x.Help, n.FullPath()+" "+x.Summary())
		}
		for _, f := range n.Flags {
			if !f.Hidden {
				note(kong.DefaultHelpValueFormatter(f.Value), n.FullPath()+" --"+f.Name)
			}
			if f.Group != nil {
				note(f.Group.Title, n.FullPath()+" --"+f.Name+", group")
				note(f.Group.Description, n.FullPath()+" --"+f.Name+", group")
			}
		}
	}
	return pieces
}

// words that are the same in both languages: what is typed, names of standards, numbers.
var (
	typedWord = regexp.MustCompile(`--[a-z][a-z0-9-]+|\b[a-z]+(?:[_.][a-z0-9]+)+\b|\bdocs/[a-z0-9/.-]+\.md|\b[0-9]+(?:[.:][0-9]+)*\b|\bDE[0-9]+`)
	ambiguous = regexp.MustCompile(`[“”‘’…—·×±°]`) // one column or two: the terminal decides
)

// TestHelpWords: every command, argument, flag and longer text has its Chinese, nothing is there that no help says, and
// what is typed stands in both.
func TestHelpWords(t *testing.T) {
	chinese, err := helpChinese()
	if err != nil {
		t.Fatal(err)
	}
	pieces := helpPieces(grammar(t))
	for english, where := range pieces {
		zh, ok := chinese[english]
		if !ok {
			t.Errorf("%s: %q has no Chinese: add it to a file of cmd/touchstone/help", where, english)
			continue
		}
		if !regexp.MustCompile(`\p{Han}`).MatchString(zh) && strings.ContainsFunc(strings.NewReplacer("or", "", "and", "").Replace(english), unicode.IsSpace) && zh != english {
			t.Errorf("%s: %q is said as %q", where, english, zh)
		}
		if bad := ambiguous.FindString(zh); bad != "" {
			t.Errorf("%s: the width of %q in %q depends on the terminal", where, bad, zh)
		}
		for _, typed := range typedWord.FindAllString(english, -1) {
			if strings.ContainsAny(typed, "-_/") && !strings.Contains(zh, typed) {
				t.Errorf("%s: %q stands in %q and not in %q", where, typed, english, zh)
			}
		}
	}
	for english := range chinese {
		if pieces[english] == "" {
			t.Errorf("no help says %q: take it out of cmd/touchstone/help", english)
		}
	}
}

// TestHelpOverview: every command is on the first page once, in one line of 80 columns in both languages, and its own
// page says more.
func TestHelpOverview(t *testing.T) {
	first, err := readOverview()
	if err != nil {
		t.Fatal(err)
	}
	m, listed := grammar(t), map[string]int{}
	for _, g := range first.Groups {
		left := 0
		for _, c := range g.Commands {
			listed[c.Line]++
			left = max(left, len(c.Line))
		}
		for _, c := range g.Commands {
			for _, text := range []string{c.Text.EN, c.Text.ZH} {
				if w := helpIndent + left + helpGap + explain.Columns(text); text == "" || w > 80 {
					t.Errorf("%s: %q takes the line to %d columns", c.Line, text, w)
				}
			}
		}
	}
	for _, n := range m.Children {
		if n.Hidden != (listed[n.Name] == 0) || listed[n.Name] > 1 {
			t.Errorf("%s is on the first page %d times", n.Name, listed[n.Name])
		}
		delete(listed, n.Name)
	}
	for name := range listed {
		t.Errorf("the first page has %s, which is no command", name)
	}
}

// helpOf is the help that a person with these arguments sees in 80 columns.
func helpOf(t *testing.T, lang string, args ...string) string {
	t.Helper()
	var out, complaint bytes.Buffer
	env := map[string]string{languageVariable: lang, "COLUMNS": "80"}
	if code := run(&app{ctx: t.Context(), stdout: &out, stderr: &complaint, getenv: func(k string) string { return env[k] }}, append(args, "--help")); code != 0 || complaint.Len() > 0 {
		t.Fatalf("%v: exit code %d, %s", args, code, complaint.String())
	}
	return out.String()
}

// TestHelpWidth: no line of any help is wider than 80 columns as it is seen, but one that is to be copied whole, and a
// Chinese line neither begins with a stop nor ends with an opening bracket.
func TestHelpWidth(t *testing.T) {
	m := grammar(t)
	for _, lang := range []string{"en", "zh"} {
		for _, n := range everyNode(m.Node) {
			a := &app{getenv: func(string) string { return "80" }, chinese: lang == "zh"}
			var out bytes.Buffer
			selected := n
			if n == m.Node {
				selected = nil
			}
			if err := a.printHelp(&out, m, selected); err != nil {
				t.Fatal(err)
			}
			for line := range strings.SplitSeq(strings.TrimRight(out.String(), "\n"), "\n") {
				text := strings.TrimLeft(line, " ")
				if explain.Columns(line) > 80 && !strings.Contains(n.Detail, text) && strings.Contains(text, " ") {
					t.Errorf("%s, %s: %d columns: %q", n.FullPath(), lang, explain.Columns(line), line)
				}
				if lang == "zh" && text != "" && (strings.ContainsAny(text[:1], ",;:)") || strings.ContainsRune("，。；：、！？）", []rune(text)[0]) || strings.HasSuffix(text, "(")) {
					t.Errorf("%s: a line is broken at a stop: %q", n.FullPath(), line)
				}
			}
			// What is typed is the same in both languages.
			for _, groups := range n.AllFlags(true) {
				for _, f := range groups {
					if selected != nil && !strings.Contains(out.String(), flagTerm(f)) {
						t.Errorf("%s, %s: there is no %s", n.FullPath(), lang, flagTerm(f))
					}
				}
			}
		}
	}
}

// TestHelpGolden: some pages, whole, in both languages. To make them anew: go test ./cmd/touchstone -run TestHelpGolden
// -rewrite-help, and look at what changed.
func TestHelpGolden(t *testing.T) {
	for name, args := range map[string][]string{"first": nil, "explain": {"explain"}, "permit": {"permit"}, "permit-show": {"permit", "show"}, "proxy": {"proxy"}, "policy-try": {"policy", "try"}, "terminal": {"terminal"}} {
		for _, lang := range []string{"en", "zh"} {
			got, path := helpOf(t, lang, args...), filepath.Join("testdata", "help", name+"-"+lang+".txt")
			if *rewriteHelp {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil || got != string(want) {
				t.Errorf("%s is not what help prints now: %v\n%s", path, err, got)
			}
		}
	}
}

// TestHelpLanguage: who reads Chinese, by the flag, wherever it stands, and by the environment.
func TestHelpLanguage(t *testing.T) {
	for _, c := range []struct {
		env  string // NAME=VALUE, several with spaces
		args string
		zh   bool
	}{
		{"", "--help", false},
		{"LANG=zh_CN.UTF-8", "--help", true},
		{"LANG=zh_CN.utf8", "lab run --help", true},
		{"LANG=zh_TW", "status --help", true},
		{"LANG=zh", "--help", true},
		{"LANG=zh_CN.GB18030", "--help", false},
		{"LANG=zh_CN.UTF-8@x", "--help", true},
		{"LANG=zh_CN.UTF-8 LC_ALL=C", "--help", false},
		{"LANG=en_US.UTF-8 LC_MESSAGES=zh_CN.UTF-8", "--help", true},
		{"LC_ALL=zh_CN.UTF-8 LANG=C", "--help", true},
		{"LANG=zh_CN.UTF-8 TOUCHSTONE_LANG=en", "--help", false},
		{"LANG=zh_CN.UTF-8 TOUCHSTONE_LANG=fr", "--help", true},
		{"TOUCHSTONE_LANG=zh", "calc --help", true},
		{"LANG=zh_CN.UTF-8", "--lang en --help", false},
		{"LANG=zh_CN.UTF-8", "status --lang en --help", false},
		{"", "--lang zh --help", true},
		{"", "--help --lang zh", true},
		{"", "--lang=zh init --help", true},
		{"", "lab --lang zh run --help", true},
		{"", "explain --lang zh --help", true},
		{"", "explain -h --lang zh", true},
		{"LANG=de_DE.UTF-8", "--help", false},
	} {
		env := map[string]string{}
		for _, v := range strings.Fields(c.env) {
			name, value, _ := strings.Cut(v, "=")
			env[name] = value
		}
		a, args := &app{ctx: t.Context(), getenv: func(k string) string { return env[k] }}, strings.Fields(c.args)
		if wantsChinese(a, args) != c.zh {
			t.Errorf("%s touchstone %s: in Chinese is %t", c.env, c.args, !c.zh)
		}
		if len(args) < 2 { // the same page each time: the others say that --lang is no hindrance
			continue
		}
		var out, complaint bytes.Buffer
		a.stdout, a.stderr = &out, &complaint
		code := run(a, args)
		if code != 0 || complaint.Len() > 0 || strings.HasPrefix(out.String(), "用法") != c.zh || !c.zh && !strings.HasPrefix(out.String(), "Usage") {
			t.Errorf("%s touchstone %s: exit code %d, %s%.80s", c.env, c.args, code, complaint.String(), out.String())
		}
	}
}

// TestUsageRefused: what kong says of a wrong call, in both languages, and where the help of it is.
func TestUsageRefused(t *testing.T) {
	p, err := kong.New(new(commands), kong.Name("touchstone"), kong.Exit(func(int) {}), kong.Configuration(loadTOML))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, en, zh, help string }{
		{"status --foo", "unknown flag --foo", "没有参数 --foo", "touchstone status --help"},
		{"status --wach", `unknown flag --wach, did you mean "--watch"?`, `没有参数 --wach, 是否指 "--watch"?`, "touchstone status --help"},
		{"explian A7", `unexpected argument explian, did you mean "explain"?`, `多余或未知的 explian, 是否指 "explain"?`, "touchstone --help"},
		{"lab rnu", `unexpected argument rnu, did you mean "run"?`, `多余或未知的 rnu, 是否指 "run"?`, "touchstone lab --help"},
		{"proposals now", "unexpected argument now", "多余或未知的 now", "touchstone proposals --help"},
		{"status --watch=perhaps", `--watch: bool value must be true, 1, yes, false, 0 or no but got "perhaps"`, `--watch: 须为 true, yes, 1 或 false, no, 0, 而不是 "perhaps"`, "touchstone status --help"},
		{"proxy --unit=byte", `--unit must be one of "frame","record","bytes" but got "byte"`, `--unit 须为以下之一: "frame","record","bytes", 而不是 "byte"`, "touchstone proxy --help"},
		{"events --lines many", `--lines: expected a valid 64 bit int but got "many"`, `--lines: 须为数字, 而不是 "many"`, "touchstone events --help"},
		{"events --lines", "--lines: want a value", "--lines: 须给出值", "touchstone events --help"},
		{"canary try --deadline soon", `--deadline: expected duration but got "soon": time: invalid duration "soon"`, `--deadline: 须为时长, 如 90s, 10m, 24h, 而不是 "soon"`, "touchstone canary try --help"},
		{"api-key revoke --data x", `expected "<id>"`, "缺少 <id>", "touchstone api-key revoke --help"},
		{"panel score --data x", "missing flags: --answers=FILE, --capture=FILE", "缺少参数: --answers=FILE, --capture=FILE", "touchstone panel score --help"},
	} {
		_, err := p.Parse(strings.Fields(c.args))
		for lang, want := range map[string]string{"en": c.en, "zh": c.zh} {
			var complaint bytes.Buffer
			code := (&app{stderr: &complaint, chinese: lang == "zh"}).refuseUsage(p.Model, err)
			told := fmt.Sprintf("touchstone: %s\n%s%s\n", want, map[string]string{"en": "Try: ", "zh": "用法："}[lang], c.help)
			if code != 2 || complaint.String() != told {
				t.Errorf("touchstone %s, %s: exit code %d\n%s, want\n%s", c.args, lang, code, complaint.String(), told)
			}
		}
	}
	for _, args := range [][]string{nil, {"lab"}, {"incident", "clock"}} { // stopped too early: the help itself
		_, err := p.Parse(args)
		for lang, begin := range map[string]string{"en": "Usage: touchstone", "zh": "用法：touchstone"} {
			var complaint bytes.Buffer
			code := (&app{stderr: &complaint, chinese: lang == "zh"}).refuseUsage(p.Model, err)
			if want := strings.Join(append([]string{begin}, args...), " ") + " "; code != 2 || !strings.HasPrefix(complaint.String(), want) {
				t.Errorf("%v, %s: exit code %d, %.60s", args, lang, code, complaint.String())
			}
		}
	}
}

// TestUsageForms: every sentence that kong may say of a call has its Chinese here; no word of ours is left English.
func TestUsageForms(t *testing.T) {
	for english, want := range map[string]string{
		"missing positional arguments <file> <step>":                                       "缺少 <file> <step>",
		"expected one of \"a\", \"b\"":                                                     "须为以下之一: \"a\", \"b\"",
		"--a and --b can't be used together":                                               "--a 与 --b 不能同时使用",
		"--a and --b must be used together":                                                "--a 与 --b 须同时给出",
		"unexpected flag argument \"x\"":                                                   "该参数不带值, 却给出 \"x\"",
		"--a: expected string value but got \"--b\" (long flag); perhaps try --a=\"--b\"?": "--a: 须给出值, 而不是 --b; 是否指 --a=\"--b\"?",
		"unknown flag -x":                                                                  "没有参数 -x",
		"unexpected argument st, did you mean one of \"staff\", \"status\"?":               "多余或未知的 st, 是否指 \"staff\", \"status\"?",
		"--seed: expected a valid 64 bit uint but got \"-1\"":                              "--seed: 须为数字, 而不是 \"-1\"",
		"--rate: expected a float but got \"x\" (string)":                                  "--rate: 须为数字, 而不是 \"x\"",
		"--answer: expected \"<key>=<value>\" but got \"x\"":                               "--answer: 须为 名称=值, 而不是 x",
	} {
		if got := usageInChinese(english); got != want {
			t.Errorf("%s: %s, want %s", english, got, want)
		}
	}
}

// TestSetText: lines are broken by what is seen.
func TestSetText(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 10, nil},
		{"one two three", 7, []string{"one two", "three"}},
		{"one two three", 8, []string{"one two", "three"}},
		{"averylongword b", 5, []string{"averylongword", "b"}},
		{"终端现在可做什么", 8, []string{"终端现在", "可做什么"}},
		{"终端现在可做什么", 9, []string{"终端现在", "可做什么"}},
		{"终端现在，可做什么", 8, []string{"终端现", "在，可做", "什么"}},
		{"终端现在 (可做) 什么", 9, []string{"终端现在", "(可做) 什", "么"}},
		{"用 touchstone status 看", 8, []string{"用", "touchstone", "status", "看"}},
		{"终端A7被拒绝", 6, []string{"终端A7", "被拒绝"}},
	} {
		if got := setText(c.text, c.width); !slices.Equal(got, c.want) {
			t.Errorf("%q in %d: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}
