package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// forPrograms are refusals that no form of a page can meet: what is wrong with a request that only a program writes.
var forPrograms = regexp.MustCompile(`Idempotency-Key|Content-Type|Content-Encoding|application/json|box: want|cursor: want|rrn: want|merchant: want|due_before: want|as_of|entry, live|under this key|with another request|with keys|follow the stream|the kept file|serves no check page|<own>`)

// literals calls f with the format of every call to one of the named functions in a directory's files.
func literals(t *testing.T, dir string, names string, f func(at token.Position, format string)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	set := token.NewFileSet()
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := ""
			switch fun := call.Fun.(type) {
			case *ast.Ident:
				name = fun.Name
			case *ast.SelectorExpr:
				name = fun.Sel.Name
			}
			if !strings.Contains(" "+names+" ", " "+name+" ") {
				return true
			}
			for i := len(call.Args) - 1; i >= 0; i-- { // the last text is the format, what is before it names an act or a code
				text, ok := call.Args[i].(*ast.BasicLit)
				if !ok || text.Kind != token.STRING {
					continue
				}
				if format, err := strconv.Unquote(text.Value); err == nil && strings.Contains(format, " ") {
					f(set.Position(text.Pos()), format)
					break
				}
			}
			return true
		})
	}
}

// TestRefusalsOfPagesInChinese: whatever a room or the interface refuses a person, the page says in Chinese.
func TestRefusalsOfPagesInChinese(t *testing.T) {
	english := regexp.MustCompile(`[a-z]{2,} [a-z]{2,}`)
	command := regexp.MustCompile(`touchstone [a-z ]+`)
	seen := 0
	check := func(at token.Position, format string) {
		if forPrograms.MatchString(format) {
			return
		}
		seen++
		sample := fmtVerb.ReplaceAllString(format, "X-1")
		if got := errorInChinese(sample); english.MatchString(command.ReplaceAllString(got, "")) {
			t.Errorf("%s:%d: in Chinese it is %q", filepath.Base(at.Filename), at.Line, got)
		}
	}
	for _, dir := range []string{"../../incident", "../../lab", "../../redress"} {
		literals(t, dir, "refuse", check)
	}
	for _, dir := range []string{".", "../../web/api"} {
		literals(t, dir, "Refuse badParam", check)
	}
	if seen < 120 {
		t.Errorf("only %d refusals were found", seen)
	}
	for english, chinese := range roomErrorChinese {
		if n, m := len(fmtVerb.FindAllString(english, -1)), strings.Count(chinese, "%s"); n != m {
			t.Errorf("%q has %d verbs, its Chinese %d", english, n, m)
		}
	}
}
