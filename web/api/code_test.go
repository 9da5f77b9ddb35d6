package api_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"touchstone/web/api"
)

// TestCodes: each code that a source of the interface, of the pages or of the host answers with has its entry, so that
// doc_url leads somewhere; each entry says what it means and what to do in both languages; none is there twice.
func TestCodes(t *testing.T) {
	known := map[string]bool{}
	for _, c := range api.Codes() {
		if known[c.Code] {
			t.Errorf("%s is there twice", c.Code)
		}
		known[c.Code] = true
		if c.EN == "" || c.ZH == "" || c.DoEN == "" || c.DoZH == "" || c.Status < 400 {
			t.Errorf("%s does not say all", c.Code)
		}
	}
	used := map[string]string{}
	for _, dir := range []string{"../../web", "../../cmd/touchstone"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(f, func(n ast.Node) bool {
				for _, code := range codesIn(n) {
					used[code] = path
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(used) < 20 {
		t.Fatalf("only %d codes found in the sources", len(used))
	}
	for code, path := range used {
		if !known[code] {
			t.Errorf("%s answers with %q, which the table in web/api/code.go does not have", path, code)
		}
	}
}

// codesIn are the codes that a call or a literal answers with: Refuse(status, code, ...), Write(w, r, status, code),
// refuse(route, w, r, status, code), &web.Denied{Code: ...}.
func codesIn(n ast.Node) (codes []string) {
	switch x := n.(type) {
	case *ast.CallExpr:
		at := map[string]int{"Refuse": 1, "Write": 3, "refuse": 4, "refused": 3}
		name := ""
		switch fun := x.Fun.(type) {
		case *ast.Ident:
			name = fun.Name
		case *ast.SelectorExpr:
			name = fun.Sel.Name
		}
		if i, ok := at[name]; ok && i < len(x.Args) {
			codes = append(codes, word(x.Args[i])...)
		}
	case *ast.CompositeLit:
		if sel, ok := x.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "Denied" {
			for _, e := range x.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Code" {
						codes = append(codes, word(kv.Value)...)
					}
				}
			}
		}
	}
	return codes
}

func word(e ast.Expr) []string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return nil
	}
	text, err := strconv.Unquote(lit.Value)
	if err != nil || text == "" || strings.ContainsAny(text, " %/") {
		return nil
	}
	return []string{text}
}
