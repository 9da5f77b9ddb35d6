package touchstone_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sqlCalls are the methods of database/sql that take a statement, and which argument it is.
var sqlCalls = map[string]int{"Query": 0, "QueryContext": 1, "QueryRow": 0, "QueryRowContext": 1, "Exec": 0, "ExecContext": 1, "Prepare": 0, "PrepareContext": 1}

// sqlVariables are the variables that stand in a statement: file, and how it is written there. Each was read: it is
// chosen among constants of the package and holds nothing that anybody sent. One more is a decision of a reviewer.
var sqlVariables = []string{
	"sqlite/cause.go query", "sqlite/cold.go p.sql", "sqlite/cold.go table", "sqlite/event.go query", "sqlite/exposed.go query", "sqlite/file.go step", "sqlite/file.go w[0]", "sqlite/intact.go q.query",
	"sqlite/intact.go t.key", "sqlite/intact.go t.table", "sqlite/messages.go query", "sqlite/seal.go query", "sqlite/seal.go table", "sqlite/seal.go where", "sqlite/state.go query", "sqlite/state.go table",
}

var sqlText = regexp.MustCompile(`(?i)^\s*(select|insert|update|delete|replace|create|drop|alter|pragma|attach)\s`)

// TestS06NoStringBuiltSQL reads every program of the repository: a statement is a constant, or constants put together,
// or one of the variables above; none is formatted.
func TestS06NoStringBuiltSQL(t *testing.T) {
	statements, variables := 0, map[string]bool{}
	var files []string
	for _, pattern := range []string{"*/*.go", "*/*/*.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	constants := map[string][]string{} // of a directory
	parsed := map[string]*ast.File{}
	set := token.NewFileSet()
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed[path] = f
		constants[filepath.Dir(path)] = append(constants[filepath.Dir(path)], constantsOf(f)...)
	}
	for path, f := range parsed {
		importsSQL := slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool {
			return i.Path.Value == `"database/sql"` || i.Path.Value == `"database/sql/driver"`
		})
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := sel.X.(*ast.Ident); ok && (pkg.Name == "fmt" || pkg.Name == "strings") {
				if sel.Sel.Name == "Errorf" { // says what failed, and is no statement
					return true
				}
				for _, a := range call.Args {
					if text, ok := a.(*ast.BasicLit); ok && text.Kind == token.STRING && sqlText.MatchString(strings.Trim(text.Value, "`\"")) && strings.HasPrefix(path, "sqlite/") {
						t.Errorf("%s: a statement is formatted", set.Position(call.Pos()))
					}
				}
				return true
			}
			at, is := sqlCalls[sel.Sel.Name]
			if !is || len(call.Args) <= at || !importsSQL && !strings.HasPrefix(path, "sqlite/") {
				return true
			}
			statements++
			eachPart(call.Args[at], func(e ast.Expr) {
				if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					return
				}
				text := types.ExprString(e)
				if slices.Contains(constants[filepath.Dir(path)], text) || preparedArgument(sel) {
					return
				}
				name := filepath.ToSlash(path) + " " + text
				variables[name] = true
				if !slices.Contains(sqlVariables, name) {
					t.Errorf("%s: %s stands in a statement and is no constant", set.Position(e.Pos()), text)
				}
			})
			return true
		})
	}
	for _, name := range sqlVariables {
		if !variables[name] {
			t.Errorf("%s is no longer in a statement: take it off the list", name)
		}
	}
	if statements < 60 {
		t.Errorf("only %d statements were found", statements)
	}
}

// preparedArgument tells whether a call is of a prepared statement, whose arguments are values and no text: those are
// fields and variables named for what they do, and no database, connection or transaction.
func preparedArgument(sel *ast.SelectorExpr) bool {
	text := types.ExprString(sel.X)
	name := text[strings.LastIndexByte(text, '.')+1:]
	return !slices.Contains([]string{"db", "tx", "conn", "view", "read", "write", "c"}, name)
}

func eachPart(e ast.Expr, f func(ast.Expr)) {
	switch x := e.(type) {
	case *ast.BinaryExpr:
		if x.Op == token.ADD {
			eachPart(x.X, f)
			eachPart(x.Y, f)
			return
		}
	case *ast.ParenExpr:
		eachPart(x.X, f)
		return
	}
	f(e)
}

func constantsOf(f *ast.File) (names []string) {
	ast.Inspect(f, func(n ast.Node) bool {
		if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST {
			for _, s := range d.Specs {
				for _, name := range s.(*ast.ValueSpec).Names {
					names = append(names, name.Name)
				}
			}
		}
		return true
	})
	return names
}
