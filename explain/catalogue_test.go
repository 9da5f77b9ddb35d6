package explain_test

import (
	"bufio"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"touchstone/explain"
	"touchstone/pos"
	"touchstone/reason"
)

var languages = []explain.Language{explain.English, explain.Chinese}

func load(t testing.TB) *explain.Catalogue {
	t.Helper()
	c, err := explain.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// everyReason lists all reasons, the approval, and one outside the table.
func everyReason() []reason.Reason {
	return append(reason.All(), reason.None, reason.Reason(250))
}

var han = regexp.MustCompile(`\p{Han}`)

// inLanguage complains about an empty text and about one in the wrong language.
func inLanguage(t *testing.T, name string, text explain.Text) {
	t.Helper()
	if text.EN == "" || han.MatchString(text.EN) {
		t.Errorf("%s: the English is %q", name, text.EN)
	}
	if !han.MatchString(text.ZH) {
		t.Errorf("%s: the Chinese is %q", name, text.ZH)
	}
}

func TestEveryReasonHasEveryText(t *testing.T) {
	c := load(t)
	for _, r := range everyReason() {
		e := c.Reason(r)
		if e.Reason != r {
			t.Errorf("%s: the entry is for %s", r, e.Reason)
		}
		for name, text := range map[string]explain.Text{"short": e.Short, "meaning": e.Meaning, "cashier": e.Cashier,
			"cashier short": e.CashierShort, "support": e.Support, "engineer": e.Engineer} {
			inLanguage(t, r.String()+": "+name, text)
		}
		for _, cause := range e.Causes {
			inLanguage(t, r.String()+": cause", cause)
		}
		if (len(e.Causes) == 0) != (r == reason.None) {
			t.Errorf("%s: %d causes", r, len(e.Causes))
		}
		if code, _ := c.Code(r.DE39()); code.Code != r.DE39() {
			t.Errorf("%s: its DE39 is not in the code table", r)
		}
	}
}

func TestShortTextsFitTheirLine(t *testing.T) {
	c := load(t)
	check := func(name string, text explain.Text, most int) {
		for _, l := range languages {
			if n := explain.Columns(text.In(l)); n > most {
				t.Errorf("%s, %s: %d columns, the most is %d: %q", name, l, n, most, text.In(l))
			}
		}
		// A curly quote or a dash is one column on some terminals and two on others.
		for _, r := range text.EN + text.ZH {
			if r > '~' && explain.Columns(string(r)) != 2 {
				t.Errorf("%s: the width of %q depends on the terminal", name, r)
			}
		}
	}
	for _, r := range everyReason() {
		e := c.Reason(r)
		check(r.String(), e.Short, explain.MaxShort)
		check(r.String()+" cashier", e.CashierShort, explain.MaxCashierShort)
	}
	for _, code := range c.Codes() {
		check("code "+code.Code.String(), code.ActionShort, explain.MaxCashierShort)
	}
}

func TestIssuerPhrasesNameTheCard(t *testing.T) {
	c := load(t)
	for _, r := range reason.All() {
		e := c.Reason(r)
		issuer := r.Owner() == reason.Issuer
		if strings.HasPrefix(e.Short.EN, "card: ") != issuer || strings.HasPrefix(e.Short.ZH, "卡: ") != issuer {
			t.Errorf("%s, owner %s: %q, %q", r, r.Owner(), e.Short.EN, e.Short.ZH)
		}
	}
}

// inner are words that would tell the counter what was found inside.
var inner = regexp.MustCompile(`(?i)\b(keys?|mac|cipher\w*|crypto\w*|encrypt\w*|serial|clone\w*|cop(y|ied)|tamper\w*|replay\w*|proof|prove\w*|certificate|` +
	`suspicious|suspect\w*|security|stolen|fraud\w*|location|network|bound|counter|message code)\b|` +
	`密钥|密文|校验|加密|序列号|克隆|复制|拆|重放|证明|证书|可疑|安全岗|失窃|欺诈|作弊|位置|绑定|计数器|隔离`)

func TestCashierIsNotToldTheInnerCause(t *testing.T) {
	c := load(t)
	same := map[pos.ResponseCode]explain.Entry{}
	for _, r := range reason.All() {
		e := c.Reason(r)
		for _, l := range languages {
			if word := inner.FindString(e.Cashier.In(l) + " " + e.CashierShort.In(l)); word != "" {
				t.Errorf("%s, %s: the cashier is told %q", r, l, word)
			}
		}
		if code := r.DE39(); code != (pos.ResponseCode{}) && code != pos.Approved {
			if first, ok := same[code]; ok && (first.Cashier != e.Cashier || first.CashierShort != e.CashierShort) {
				t.Errorf("%s and %s have one DE39 and different words for the cashier", first.Reason, r)
			}
			same[code] = e
		}
	}
	for _, code := range c.Codes() {
		for _, l := range languages {
			if word := inner.FindString(code.Action.In(l) + " " + code.ActionShort.In(l)); word != "" {
				t.Errorf("code %s, %s: the cashier is told %q", code.Code, l, word)
			}
		}
	}
}

var signIn = regexp.MustCompile(`(?i)sign(ing|ed)?[ -](in|on)|log(ging|ged)?[ -](in|on)|签到|登录`)

// TestSignInAdvice: only 77, 99 and A0 are cured by a sign-in (docs/protocol/unionpay-pos.md, 9 and 10.3).
func TestSignInAdvice(t *testing.T) {
	c := load(t)
	cured := map[string]bool{"77": true, "99": true, "A0": true}
	advised := func(name, code string, texts ...explain.Text) {
		for _, text := range texts {
			for _, l := range languages {
				if signIn.MatchString(text.In(l)) != cured[code] {
					t.Errorf("%s, DE39 %q, %s: %q", name, code, l, text.In(l))
				}
			}
		}
	}
	for _, r := range everyReason() {
		e := c.Reason(r)
		advised(r.String(), r.DE39().String(), e.Cashier, e.CashierShort)
	}
	for _, code := range c.Codes() {
		advised("code", code.Code.String(), code.Action, code.ActionShort)
	}
	unknown, _ := c.Code(pos.Code("ZZ"))
	advised("unknown code", "ZZ", unknown.Action, unknown.ActionShort)
	if a7, _ := c.Code(pos.Code("A7")); !strings.Contains(a7.Action.EN, "Do not retry") || !strings.Contains(a7.Action.ZH, "不要重试") {
		t.Error("A7 is of class C: its advice must say not to retry")
	}
}

var intent = regexp.MustCompile(`(?i)\b(attack\w*|criminal\w*|thie(f|ves)|fraud\w*|malicious\w*|deliberate\w*|hacker\w*|culprit|cheat\w*|on purpose by|intend\w*|forge\w*)\b|` +
	`攻击|犯罪|窃贼|欺诈|恶意|故意|黑客|作案|骗`)

func TestNoTextClaimsIntent(t *testing.T) {
	c := load(t)
	for _, r := range everyReason() {
		e := c.Reason(r)
		for _, text := range append(e.Causes, e.Short, e.Meaning, e.Cashier, e.CashierShort, e.Support, e.Engineer) {
			for _, l := range languages {
				if word := intent.FindString(text.In(l)); word != "" {
					t.Errorf("%s, %s: %q speaks of intent", r, l, word)
				}
			}
		}
	}
}

func TestCodeAloneGivesNoCause(t *testing.T) {
	c := load(t)
	seen := 0
	for _, code := range c.Codes() {
		inLanguage(t, "code "+code.Code.String(), code.Learn)
		for _, r := range code.Reasons {
			seen++
			if r.DE39() != code.Code {
				t.Errorf("%s is listed under %s", r, code.Code)
			}
		}
	}
	if want := len(reason.All()); seen != want {
		t.Errorf("%d reasons are behind codes, want %d", seen, want)
	}
	if a0, ok := c.Code(pos.Code("A0")); !ok || len(a0.Reasons) < 2 || a0.Class != explain.MayRetry {
		t.Errorf("A0: class %s, %d reasons", a0.Class, len(a0.Reasons))
	}
}

// TestCodesAgreeWithDocument compares code, class and confidence with section 7, row by row, and asks
// that a Chinese name begin with two characters that the document's has.
func TestCodesAgreeWithDocument(t *testing.T) {
	f, err := os.Open("../docs/protocol/unionpay-pos.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, rows, inside := load(t), 0, false
	for s := bufio.NewScanner(f); s.Scan(); {
		if line := s.Text(); strings.HasPrefix(line, "## ") {
			inside = strings.HasPrefix(line, "## 7.")
		}
		cells := strings.Split(s.Text(), "|")
		if !inside || len(cells) != 8 || strings.Contains(cells[1], "code") || strings.Contains(cells[1], "---") {
			continue
		}
		class, _, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(cells[2]), "—", "-"), " ")
		weak := !strings.HasPrefix(strings.TrimSpace(cells[6]), "2")
		for _, name := range documentCodes(cells[1]) {
			rows++
			code, ok := c.Code(pos.Code(name))
			if !ok || code.Class.String() != class || code.Unverified != weak {
				t.Errorf("%s: known %v, class %s (document %s), unverified %v (document %v)", name, ok, code.Class, class, code.Unverified, weak)
			}
			if han.MatchString(cells[3]) && !shares(code.Name.ZH, cells[3]) {
				t.Errorf("%s: the Chinese is %q, the document's %q", name, code.Name.ZH, cells[3])
			}
		}
	}
	if want := len(c.Codes()) - 1; rows != want || rows < 60 { // all but "no answer came"
		t.Errorf("%d codes in the document, %d in the catalogue", rows, want)
	}
}

// documentCodes reads a first cell: "00", "**A7**", "A2, A4", "M1-M9, E4".
func documentCodes(cell string) (codes []string) {
	for _, part := range strings.Split(strings.Trim(strings.TrimSpace(cell), "*"), ", ") {
		if from, to, ok := strings.Cut(part, "-"); ok {
			for n := from[1]; n <= to[1]; n++ {
				codes = append(codes, from[:1]+string(rune(n)))
			}
			continue
		}
		codes = append(codes, part)
	}
	return codes
}

// shares tells whether the first two Chinese characters of name are neighbours in cell.
func shares(name, cell string) bool {
	first := han.FindAllString(name, 2)
	return len(first) == 2 && strings.Contains(cell, strings.Join(first, ""))
}

func TestCodeOutsideTheTable(t *testing.T) {
	code, ok := load(t).Code(pos.Code("ZZ"))
	if ok || code.Class == explain.Success || code.Code != pos.Code("ZZ") || len(code.Reasons) != 0 {
		t.Errorf("known %v, class %s, %d reasons", ok, code.Class, len(code.Reasons))
	}
	inLanguage(t, "name", code.Name)
	if none, ok := load(t).Code(pos.ResponseCode{}); !ok || none.Class == explain.Success {
		t.Error("no answer must have words and must not be a success")
	}
}

func TestWords(t *testing.T) {
	c := load(t)
	for _, name := range []string{"frame", "parse", "identity", "binding", "network", "device certificate", "place", "permit", "signed in",
		"batch", "key algorithm", "MAC", "MAC grade", "replay", "serial", "track", "PIN", "cardholder verification", "EMV consistency", "policy"} {
		text, ok := c.Check(name)
		under, _ := c.Check(strings.ToLower(strings.ReplaceAll(name, " ", "_")))
		if !ok || under != text {
			t.Errorf("check %q: known %v", name, ok)
		}
		inLanguage(t, name, text)
	}
	for _, name := range []string{"passed", "failed", "not run", "unavailable"} {
		text, _ := c.Outcome(name)
		inLanguage(t, name, text)
	}
	for o := reason.Nobody; o <= reason.Issuer; o++ {
		inLanguage(t, o.String(), c.Owner(o))
	}
	if _, ok := c.Check("no such check"); ok {
		t.Error("an unknown check has words")
	}
	if c.Owner(reason.Owner(99)) != c.Owner(reason.Acquirer) {
		t.Error("an owner outside the table is the acquirer's")
	}
}

func TestCodesAreACopy(t *testing.T) {
	c := load(t)
	c.Codes()[0].Name = explain.Text{}
	inLanguage(t, "first code", c.Codes()[0].Name)
}

func TestParseLanguage(t *testing.T) {
	for s, want := range map[string]explain.Language{"en": explain.English, "EN": explain.English, "en-US": explain.English,
		"zh": explain.Chinese, "zh-CN": explain.Chinese, "zh_Hans_CN": explain.Chinese} {
		if got, err := explain.ParseLanguage(s); err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "e", "eng", "de", "-zh", "中文"} {
		if _, err := explain.ParseLanguage(s); !errors.Is(err, explain.ErrLanguage) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestColumns(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "卡: 余额不足": 12, "，。": 4, "é": 1, "ｱ": 1, "Ａ": 2, "한": 2, "😀": 2} {
		if got := explain.Columns(s); got != want {
			t.Errorf("%q: %d columns, want %d", s, got, want)
		}
	}
}

func FuzzParseLanguage(f *testing.F) {
	for _, s := range []string{"en", "zh-CN", "", "zh_", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := explain.ParseLanguage(s)
		if err != nil {
			return
		}
		if back, err := explain.ParseLanguage(l.String()); err != nil || back != l {
			t.Errorf("%q gives %v, which reads back as %v, %v", s, l, back, err)
		}
	})
}

// TestCausesAgreeWithDocument compares each cause's reasons, family, owners and cases with the table of causes in
// docs/protocol/failures.md.
func TestCausesAgreeWithDocument(t *testing.T) {
	f, err := os.Open("../docs/protocol/failures.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, rows, inside := load(t), 0, false
	quoted := regexp.MustCompile("`([a-z_]+)`")
	for s := bufio.NewScanner(f); s.Scan(); {
		if line := s.Text(); strings.HasPrefix(line, "## ") {
			inside = line == "## Causes"
		}
		cells := strings.Split(s.Text(), "|")
		if !inside || len(cells) != 7 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		rows++
		cause, err := reason.ParseCause(strings.Trim(cells[1], " `"))
		if err != nil {
			t.Errorf("%s: %v", cells[1], err)
			continue
		}
		e := c.Cause(cause)
		var behind []string
		for _, m := range quoted.FindAllStringSubmatch(cells[2], -1) {
			behind = append(behind, m[1])
		}
		if len(behind) == 0 {
			behind = []string{"none"}
		}
		for i, r := range e.Behind {
			if len(behind) != len(e.Behind) || behind[i] != r.String() {
				t.Errorf("%s is behind %v, the document says %v", cause, e.Behind, behind)
				break
			}
		}
		letter := map[reason.Owner]string{reason.Terminal: "T", reason.Acquirer: "A", reason.Security: "S"}
		if strings.TrimSpace(cells[3]) != cause.Family().String() || !strings.HasPrefix(strings.TrimSpace(cells[4]), letter[cause.Owner()]) {
			t.Errorf("%s: family %s, owner %s; the document says%s,%s", cause, cause.Family(), cause.Owner(), cells[3], cells[4])
		}
		for _, v := range e.Variants {
			if !strings.Contains(cells[5], "`"+v.Name+"`") || !strings.Contains(cells[4], letter[v.Owner]) {
				t.Errorf("%s %s, owner %s, is not in the document", cause, v.Name, v.Owner)
			}
		}
	}
	if rows != len(reason.Causes()) {
		t.Errorf("%d causes in the document, %d in the table", rows, len(reason.Causes()))
	}
}
