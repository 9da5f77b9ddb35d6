package main

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"touchstone/explain"
	"touchstone/journal"
	"touchstone/lab"
	"touchstone/staff"
)

// verbOf are functions of ours whose first text is the verb of an act, and fields that hold one.
var (
	verbCalls  = []string{"draft", "refuse", "refusal", "asRefusal", "claimDraft", "noticeDrafts", "refused", "refuseFleet", "notRedressed", "leave", "one", "working", "bind", "step"}
	verbFields = []string{"Verb", "verb", "act"}
	verbForm   = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
)

// verbsInSource collects every verb that the rooms and the commands write into an act, by reading the program.
func verbsInSource(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, dir := range []string{".", "../../staff", "../../fleet", "../../lab", "../../incident", "../../redress"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			verbsOf(file, func(verb string) { found[verb] = filepath.Base(path) })
		}
	}
	return found
}

func verbsOf(file *ast.File, found func(string)) {
	literal := func(x ast.Expr) {
		if b, ok := x.(*ast.BasicLit); ok && b.Kind == token.STRING {
			if s, err := strconv.Unquote(b.Value); err == nil && verbForm.MatchString(s) {
				found(s)
			}
		}
	}
	named := func(x ast.Expr) bool { id, ok := x.(*ast.Ident); return ok && slices.Contains(verbFields, id.Name) }
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			if named(n.Key) {
				literal(n.Value)
			}
		case *ast.ValueSpec:
			for i, id := range n.Names {
				if id.Name == "verb" && i < len(n.Values) {
					literal(n.Values[i])
				}
			}
		case *ast.AssignStmt:
			for i, x := range n.Lhs {
				if id, ok := x.(*ast.Ident); ok && id.Name == "verb" && len(n.Lhs) == len(n.Rhs) {
					literal(n.Rhs[i])
				} else if ok && id.Name == "verbs" {
					ast.Inspect(n.Rhs[i], func(m ast.Node) bool {
						if kv, is := m.(*ast.KeyValueExpr); is {
							literal(kv.Value)
						}
						return true
					})
				}
			}
		case *ast.CallExpr:
			name := ""
			switch f := n.Fun.(type) {
			case *ast.Ident:
				name = f.Name
			case *ast.SelectorExpr:
				name = f.Sel.Name
			}
			if slices.Contains(verbCalls, name) {
				for _, a := range n.Args[:min(len(n.Args), 2)] {
					if b, is := a.(*ast.BasicLit); name != "leave" || is && strings.Contains(b.Value, "_") { // commands have a leave of their own
						literal(a)
					}
				}
			}
		case *ast.FuncDecl:
			if n.Name.Name == "act" && n.Body != nil {
				ast.Inspect(n.Body, func(m ast.Node) bool {
					if r, is := m.(*ast.ReturnStmt); is && len(r.Results) == 1 {
						literal(r.Results[0])
					}
					return true
				})
			}
		}
		return true
	})
}

// madeVerbs are verbs that the program puts together from two words.
func madeVerbs() (verbs []string) {
	for _, state := range []lab.FindingState{lab.Open, lab.Answered, lab.Fixed, lab.Retested, lab.Closed, lab.Accepted} {
		verbs = append(verbs, "finding_"+string(state))
	}
	for _, state := range []staff.TrainingState{staff.Passed, staff.Failed} {
		verbs = append(verbs, "training_"+string(state))
	}
	for _, op := range []string{incidentOpen, incidentAssign, incidentNote, incidentGrade, incidentScope, incidentCause, incidentAction, incidentLink, incidentAnswer,
		incidentStart, incidentWaive, incidentClose, incidentRules, incidentClocks, incidentDrill, incidentDismiss, incidentJoin, incidentContacts} {
		verbs = append(verbs, "incident_"+op)
	}
	for _, step := range []string{"repair", "return", "retire", "destroy"} {
		verbs = append(verbs, "device_"+step)
	}
	for _, kind := range []string{"merchant", "device", "terminal", "card"} {
		verbs = append(verbs, kind+"_register")
	}
	return verbs
}

// TestEveryVerbHasWords: every verb of an act that the program can write is said in Chinese too, and so are the rooms,
// the kinds of entries and the things an act changes.
func TestEveryVerbHasWords(t *testing.T) {
	verbs := verbsInSource(t)
	if len(verbs) < 120 {
		t.Fatalf("%d verbs found: the program is not read as it is written", len(verbs))
	}
	for _, v := range madeVerbs() {
		verbs[v] = "madeVerbs"
	}
	for verb, file := range verbs {
		if verbChinese[verb] == "" {
			t.Errorf("%s: verb %q has no Chinese", file, verb)
		}
	}
	for k := journal.KindExchange + 1; k <= journal.KindPermit; k++ {
		if k.OfActs() && roomChinese[k] == "" {
			t.Errorf("room %s has no Chinese", k)
		}
	}
	for _, k := range []journal.Kind{journal.KindMerchant, journal.KindTerminal, journal.KindDevice, journal.KindCard, journal.KindKey, journal.KindOpened, journal.KindLoss} {
		if recordChinese[k] == "" {
			t.Errorf("record %s has no Chinese", k)
		}
	}
}

// TestEveryNounHasWords: the constants whose names begin with Noun.
func TestEveryNounHasWords(t *testing.T) {
	form := regexp.MustCompile(`[nN]oun[A-Za-z]* *= "([a-z_]+)"`)
	found := 0
	for _, dir := range []string{".", "../../staff", "../../fleet", "../../lab", "../../incident", "../../redress"} {
		files, _ := filepath.Glob(filepath.Join(dir, "*.go"))
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range form.FindAllSubmatch(text, -1) {
				if found++; nounChinese[string(m[1])] == "" {
					t.Errorf("%s: noun %q has no Chinese", filepath.Base(path), m[1])
				}
			}
		}
	}
	if found < 30 {
		t.Errorf("%d nouns found", found)
	}
}

// TestActLineInChinese: a line of the journal about an act has no English in Chinese but names and numbers.
func TestActLineInChinese(t *testing.T) {
	c, err := journal.NewChange("proposal", "PRP-1", struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	for want, act := range map[string]journal.Act{
		"人员      提案获批    li + zhou  提案 PRP-1":    {Verb: "proposal_approved", Actors: []string{"li", "zhou"}, Changes: []journal.Change{c}},
		"人员      批准提案    li  已拒绝: 同一个人: 须由另一人同意": {Verb: "approve", Actors: []string{"li"}, Refused: staff.ErrSame.Error()},
	} {
		body, err := json.Marshal(act)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		l := &lines{w: &out, lang: explain.Chinese, zone: time.UTC}
		if err := l.act(journal.Entry{Seq: 1, Kind: journal.KindStaff, Body: body}); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(strings.TrimSpace(out.String()), want) {
			t.Errorf("%q, want %q", out.String(), want)
		}
	}
}

// TestErrorsInChinese: what people are told when they may not, in the words of each error as it reaches them.
func TestErrorsInChinese(t *testing.T) {
	english := regexp.MustCompile(`[a-z]+ [a-z]+`)
	for _, err := range []error{staff.ErrUnknown, staff.ErrRole, staff.ErrSame, staff.ErrClosed, staff.ErrNoProposal, staff.ErrProposer} {
		if got := errorInChinese(err.Error()); english.MatchString(got) || strings.Contains(got, "staff") {
			t.Errorf("%q in Chinese is %q", err, got)
		}
	}
	for text, want := range map[string]string{
		"permit_policy_set needs an account: give --as NAME":                                                     "permit_policy_set 须以账户办理: 请给出 --as NAME",
		"staff: the account's roles do not allow it: device_move is for field, security, support":                "该账户的角色无权办理: device_move 限以下角色: field, security, support",
		"staff: account zhao is the last administrator's":                                                        "账户 zhao 是最后一个管理员账户",
		"device 0090000001 is in_repair: only a deployed one is moved":                                           "设备 0090000001 状态为 in_repair: 只有在用设备可移机",
		"terminal 99999999 is not registered: touchstone permit list says which are":                             "终端 99999999 未登记: 可用 touchstone permit list 查看",
		"something that nobody translated yet":                                                                   "something that nobody translated yet",
		"staff: passphrase: want 15 characters at least: several words that nobody else would put together":      "口令: 至少 15 个字符: 请用几个旁人不会连在一起的词",
		"device 00000304TS0090000001 is registered at terminal 90000001: one device, one terminal, one merchant": "设备 00000304TS0090000001 已登记在终端 90000001: 一机一终端一商户",
	} {
		if got := errorInChinese(text); got != want {
			t.Errorf("%q\n in Chinese is %q\n        want %q", text, got, want)
		}
	}
	for format, chinese := range errorChinese {
		if n, m := len(fmtVerb.FindAllString(format, -1)), strings.Count(chinese, "%s"); n != m {
			t.Errorf("%q has %d verbs, its Chinese %d", format, n, m)
		}
	}
}
