package sqlite

import (
	"database/sql"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"touchstone/pos"
	"touchstone/reason"
)

// walked are the statements that look at a whole table, with why that is no page's cost. One more is a decision of a reviewer.
var walked = map[string]string{
	"SELECT terminal, sum(sales), sum(sold) FROM posting WHERE first >= ? AND last <= ? AND sales > 0 GROUP BY terminal":       "every terminal's sales, counted in the background for pages",
	"SELECT seq, at, record FROM cause WHERE certainty = ? ORDER BY verdict DESC LIMIT ?":                                      "once, when the host starts to seek causes",
	"SELECT terminal, body FROM exposed WHERE last_ms >= ? AND first_ms < ?":                                                   "the exposed set of every terminal, a command's",
	"DELETE FROM message WHERE entry IN (SELECT entry FROM message ORDER BY entry LIMIT ?)":                                    "the first rows, in the order of the table",
	"SELECT first, n, prev, head, body FROM block":                                                                             "a beginning: what follows is a search by number",
	"SELECT (SELECT count(*) FROM request), (SELECT count(*) FROM request WHERE caller = ?)":                                   "an index of at most MostRequests rows",
	"SELECT coalesce(min(first), 1), coalesce(max(first + n - 1), 0) FROM (SELECT first, n FROM block ORDER BY first LIMIT 1)": "one row, the first",
	"SELECT entry, at, refused, terminal, body FROM message ORDER BY entry":                                                    "once, when the host starts",
	"SELECT page_count, freelist_count, page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size":             "one row each: they are no tables",
	"SELECT seq, kind, noun, id, record FROM act_record ORDER BY seq":                                                          "once, when the host starts",
}

var asks = regexp.MustCompile(`(?is)^\s*(select|update|delete|insert.*select)\s`)

// statementsHere are the statements of this package's source, constants put together, by where they stand.
func statementsHere(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	set, parsed, constants := token.NewFileSet(), []*ast.File{}, map[string]ast.Expr{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
		ast.Inspect(f, func(n ast.Node) bool {
			if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST {
				for _, s := range d.Specs {
					for i, v := range s.(*ast.ValueSpec).Values {
						constants[s.(*ast.ValueSpec).Names[i].Name] = v
					}
				}
			}
			return true
		})
	}
	var text func(e ast.Expr) (string, bool)
	text = func(e ast.Expr) (string, bool) {
		switch x := e.(type) {
		case *ast.BasicLit:
			s, err := strconv.Unquote(x.Value)
			return s, err == nil && x.Kind == token.STRING
		case *ast.Ident:
			v, ok := constants[x.Name]
			if !ok {
				return "", false
			}
			return text(v)
		case *ast.BinaryExpr:
			a, okA := text(x.X)
			b, okB := text(x.Y)
			return a + b, okA && okB && x.Op == token.ADD
		}
		return "", false
	}
	found := map[string]string{}
	for _, f := range parsed {
		ast.Inspect(f, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			s, ok := text(e)
			if ok && asks.MatchString(s) && !strings.Contains(s, ";") { // several are a migration
				found[fmt.Sprint(set.Position(e.Pos()))] = strings.TrimSpace(s)
			}
			_, whole := n.(*ast.BinaryExpr)
			return !ok || !whole // the parts of a statement are none
		})
	}
	return found
}

// TestNoStatementLooksAtAWholeTable has SQLite say how it would answer each statement of this package, over the files as they are
// made: by a search of an index, whatever the number of terminals and messages.
func TestNoStatementLooksAtAWholeTable(t *testing.T) {
	files := filesToAsk(t)
	all := statementsHere(t)
	for i, q := range []*MessageQuery{{}, {Reason: reason.MACFailed}, {Merchant: pos.MerchantID{1}}, {Merchant: pos.MerchantID{1}, Reason: reason.MACFailed},
		{Terminals: []pos.TerminalID{{1}}}, {Terminals: []pos.TerminalID{{1}}, Reason: reason.MACFailed}, {Terminals: []pos.TerminalID{{1}}, Merchant: pos.MerchantID{1}}} {
		all[fmt.Sprintf("refusalRows %d", i)], _ = q.refusalRows(1, 9)
	}
	if len(all) < 40 {
		t.Fatalf("only %d statements were found", len(all))
	}
	reasons := map[string]bool{}
	var unread []string // beginnings, which a table or a condition ends
	for where, statement := range all {
		plan, err := planOf(files, statement)
		if err != nil {
			unread = append(unread, statement)
			continue
		}
		for _, step := range plan {
			if !strings.HasPrefix(step, "SCAN") || strings.HasPrefix(step, "SCAN CONSTANT ROW") || strings.HasPrefix(step, "SCAN (subquery") {
				continue
			}
			if walked[statement] == "" {
				t.Errorf("%s: %s\n%s", where, statement, strings.Join(plan, "\n"))
				break
			}
			reasons[statement] = true
		}
	}
	if len(unread) > 8 {
		t.Errorf("%d statements are none by themselves: %q", len(unread), unread)
	}
	for statement := range walked {
		if !reasons[statement] {
			t.Errorf("%q looks at no whole table any more: take it off the list", statement)
		}
	}
}

// TestRefusalsAreFoundByWhatNarrowsMost: of a terminal, or else of a merchant, not every refusal for the same reason is looked at.
func TestRefusalsAreFoundByWhatNarrowsMost(t *testing.T) {
	files := filesToAsk(t)
	one, shop := []pos.TerminalID{{1}}, pos.MerchantID{1}
	for index, list := range map[string][]MessageQuery{
		"refusal_terminal": {{Terminals: one}, {Terminals: one, Reason: reason.MACFailed}, {Terminals: one, Merchant: shop, Reason: reason.MACFailed}},
		"refusal_merchant": {{Merchant: shop}, {Merchant: shop, Reason: reason.MACFailed}},
		"refusal_reason":   {{Reason: reason.MACFailed}},
	} {
		for _, q := range list {
			statement, _ := q.refusalRows(1, 9)
			plan, err := planOf(files, statement)
			if err != nil || len(plan) != 1 || !strings.Contains(plan[0], "INDEX "+index+" (") {
				t.Errorf("%s\n%v, want %s: %v", statement, plan, index, err)
			}
		}
	}
}

// filesToAsk are the files of a data directory.
func filesToAsk(t *testing.T) (all []*sql.DB) {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	p, err := s.NewProjector(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	requests, err := OpenRequests(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { requests.Close() })
	webhooks, err := OpenWebhooks(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { webhooks.Close() })
	masked, err := OpenMasked(t.Context(), dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { masked.Close() })
	for _, name := range []string{journalFile, stateFile, viewFile, requestsFile, webhooksFile, maskedFile} {
		db, err := settings{path: filepath.Join(dir, name), readOnly: true, conns: 1}.open()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		all = append(all, db)
	}
	return all
}

// planOf is how the first file that has the tables would answer a statement.
func planOf(files []*sql.DB, statement string) (plan []string, err error) {
	for _, db := range files {
		if plan, err = explained(db, statement); err == nil {
			return plan, nil
		}
	}
	return nil, err
}

func explained(db *sql.DB, statement string) (plan []string, err error) {
	values := strings.Count(statement, "?")
	if strings.Contains(statement, "?1") {
		for values = 1; strings.Contains(statement, fmt.Sprintf("?%d", values+1)); {
			values++
		}
	}
	unbound := slices.Repeat([]any{int64(1)}, values)
	rows, err := db.Query("EXPLAIN QUERY PLAN "+statement, unbound...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			return nil, err
		}
		plan = append(plan, detail)
	}
	return plan, rows.Err()
}
