package touchstone_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// constantMessage is a short lowercase sentence; names of standards keep their capitals.
var constantMessage = regexp.MustCompile(`^[a-zA-Z][^%\n]{2,120}$`)

// attributes are the constructors that take one plain value. slog.Any would print whatever it is given.
var attributes = []string{"String", "Int", "Int64", "Uint64", "Bool", "Duration", "Time", "Float64"}

// bytesOfMessages are the names by which code reaches what a peer sent or a card holds.
var bytesOfMessages = []string{"Request", "Buffer", "Raw", "Bytes", "MAB", "Track", "Track2", "PAN", "PIN", "Frame", "frame", "Claims", "claims", "Body"}

// TestLogsAreConstant: every log line of the program has a constant message and typed attributes, none of
// which is made of a message's bytes. What varies is then only what the code names, one value at a time.
func TestLogsAreConstant(t *testing.T) {
	calls := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if message, rest, is := logCall(call); is {
				calls++
				for _, wrong := range checkLog(message, rest) {
					t.Errorf("%s: %s", set.Position(call.Pos()), wrong)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if calls < 15 {
		t.Errorf("only %d calls of a log were found: this test looks for the wrong thing", calls)
	}
}

// logCall tells whether a call writes to a log, and splits its arguments. A log is a value called log or
// Log, or the package slog.
func logCall(call *ast.CallExpr) (message ast.Expr, rest []ast.Expr, is bool) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil, nil, false
	}
	of := ""
	switch x := method.X.(type) {
	case *ast.Ident:
		of = x.Name
	case *ast.SelectorExpr:
		of = x.Sel.Name
	}
	if !slices.Contains([]string{"log", "Log", "logger", "slog"}, of) {
		return nil, nil, false
	}
	skip, ok := map[string]int{"Debug": 0, "Info": 0, "Warn": 0, "Error": 0, "DebugContext": 1, "InfoContext": 1, "WarnContext": 1,
		"ErrorContext": 1, "Log": 2, "LogAttrs": 2}[method.Sel.Name]
	if !ok || len(call.Args) <= skip {
		return nil, nil, false
	}
	return call.Args[skip], call.Args[skip+1:], true
}

func checkLog(message ast.Expr, rest []ast.Expr) (wrong []string) {
	text, ok := message.(*ast.BasicLit)
	if !ok || text.Kind != token.STRING || !constantMessage.MatchString(strings.Trim(text.Value, "`\"")) {
		wrong = append(wrong, "the message of a log line must be one constant string")
	}
	for _, arg := range rest {
		call, ok := arg.(*ast.CallExpr)
		if !ok {
			wrong = append(wrong, "a log line takes attributes only, each made by slog")
			continue
		}
		maker, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !slices.Contains(attributes, maker.Sel.Name) {
			wrong = append(wrong, "an attribute must be of a plain type")
			continue
		}
		for _, value := range call.Args[1:] {
			ast.Inspect(value, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok && slices.Contains(bytesOfMessages, sel.Sel.Name) {
					wrong = append(wrong, "an attribute is made of a message's bytes: "+sel.Sel.Name)
				}
				return true
			})
		}
	}
	return wrong
}

// TestCheckLogRefuses keeps the check from letting everything pass.
func TestCheckLogRefuses(t *testing.T) {
	for source, want := range map[string]bool{
		`s.log.Warn("accept failed", slog.String("error", err.Error()))`: true,
		`log.Info("ended", slog.Uint64("journal", n))`:                   true,
		`log.Info("ended " + id)`:                                        false,
		`log.Info(fmt.Sprintf("ended %s", id))`:                          false,
		`log.Info("ended", "terminal", id)`:                              false,
		`log.Info("ended", slog.Any("exchange", x))`:                     false,
		`log.Debug("frame", slog.String("bytes", hex(x.Buffer())))`:      false,
		`log.LogAttrs(ctx, level, text)`:                                 false,
	} {
		expr, err := parser.ParseExpr(source)
		if err != nil {
			t.Fatal(err)
		}
		message, rest, is := logCall(expr.(*ast.CallExpr))
		if !is {
			t.Errorf("%s is not taken for a log line", source)
		} else if ok := len(checkLog(message, rest)) == 0; ok != want {
			t.Errorf("%s: passes %t, want %t", source, ok, want)
		}
	}
}
