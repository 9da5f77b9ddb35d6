package notify_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"filippo.io/age"

	"touchstone/notify"
	"touchstone/pos"
	"touchstone/redress"
)

// made makes every notice of a plan.
func made(t *testing.T, c *notify.Config, f *notify.Facts) (list []*notify.Made, plan []notify.Planned) {
	t.Helper()
	plan, _ = c.Plan(f)
	maker := c.Maker()
	for i := range plan {
		m, err := maker.Make(&plan[i], fmt.Sprintf("NTC-%d", i+1), fmt.Sprintf("ntc-%d.1f@acquirer.example", i+1))
		if err != nil {
			t.Fatalf("%s to %s: %v", plan[i].Kind, plan[i].To.Name, err)
		}
		list = append(list, m)
	}
	return list, plan
}

// required is what a notice to persons has to say: the rows are those of PIPL Art. 57 and of practice, each with words by which its
// presence is known, in Chinese and in English.
var required = []struct{ what, zh, en string }{
	{"kinds of information", "银行卡卡号、卡片有效期、磁条信息", "card number, expiry date of the card, data of the magnetic stripe"},
	{"cause", "终端卡槽被加装了装置", "a device was attached to the card slot"},
	{"possible harm", "复制卡片盗刷", "may copy the card"},
	{"measures taken", "涉事终端已停用", "the terminals were taken out of use"},
	{"measure of the person: freeze or replace", "冻结该卡或换发新卡", "freeze it or to replace it"},
	{"measure of the person: PIN", "修改交易密码", "change its PIN"},
	{"measure of the person: statements", "账单", "watch your statements"},
	{"measure of the person: limits", "调低交易限额", "lower the limits"},
	{"measure of the person: issuer and police", "致电发卡银行并向公安机关报案", "to the bank that issued the card, and to the police"},
	{"handler", "示例收单机构", "Sample Acquirer"},
	{"contact: phone", "电话 400-000-0000", "phone 400-000-0000"},
	{"contact: mail", "邮箱 care@acquirer.example", "mail care@acquirer.example"},
	{"date of the transactions", "2026-11-27 09:00 至 2026-11-27 12:00", "from 2026-11-27 09:00 to 2026-11-27 12:00"},
	{"place of the transactions", "示例面馆", "Sample Noodles"},
	{"last four digits", "卡号后四位 1234", "last four digits 1234"},
	{"what is not exposed", "目前未发现涉及: 银行卡密码 (PIN)", "Not known to be concerned: PIN"},
	{"complaint channel", "投诉渠道: 金融消费者投诉热线 12363", "To complain about us: consumer line 12363"},
	{"how to claim", "以 CLM 开头的编号", "a number that begins with CLM"},
	{"nobody asks for card data", "我们不会", "We never ask for the whole card number"},
}

func TestConsumerNoticeHasItsContents(t *testing.T) {
	more, _, _ := book(t)
	list, plan := made(t, config(t, "127.0.0.1:1", more), facts())
	found := false
	for i, m := range list {
		if plan[i].Kind != redress.ConsumerNotice || plan[i].To.Name != "press" {
			continue
		}
		found = true
		for _, r := range required {
			if !strings.Contains(m.Text, r.zh) {
				t.Errorf("%s: %q is missing in Chinese", r.what, r.zh)
			}
			if !strings.Contains(m.Text, r.en) {
				t.Errorf("%s: %q is missing in English", r.what, r.en)
			}
		}
	}
	if !found {
		t.Fatal("no consumer notice was planned")
	}
}

// fullNumber finds more of a card than its last four digits.
var fullNumber = regexp.MustCompile(`(?:6299991234|629999\*|622999\*|\d{6}\*{4,}\d{4})`)

// TestNothingMoreOfACard: in every text, page and list that is not encrypted there is nothing of a card but its last four
// digits, no keyed hash, and no link.
func TestNothingMoreOfACard(t *testing.T) {
	more, _, _ := book(t)
	f := facts()
	list, plan := made(t, config(t, "127.0.0.1:1", more), f)
	hash := f.Sales[0].Card.String()
	looked := 0
	for i, m := range list {
		for _, a := range append(m.Contents, notify.Attachment{Name: "message", Content: m.Message}, notify.Attachment{Name: "subject", Content: []byte(m.Subject)}) {
			if strings.HasSuffix(a.Name, ".age") {
				continue
			}
			looked++
			if fullNumber.Match(a.Content) || bytes.Contains(a.Content, []byte(hash)) {
				t.Errorf("%s to %s: %s shows more of a card than its last four digits", plan[i].Kind, plan[i].To.Name, a.Name)
			}
			if strings.HasSuffix(a.Name, ".txt") && (notify.HasLink(string(a.Content)) || notify.HasCardNumber(string(a.Content))) {
				t.Errorf("%s to %s: %s carries a link or a card number", plan[i].Kind, plan[i].To.Name, a.Name)
			}
		}
	}
	if looked < 20 {
		t.Errorf("only %d contents were looked at", looked)
	}
}

// TestWhatPeopleWriteIsNotSent: a person's cause or measure with a link or a card number keeps the notice from being made.
func TestWhatPeopleWriteIsNotSent(t *testing.T) {
	more, _, _ := book(t)
	c := config(t, "127.0.0.1:1", more)
	for name, text := range map[string]string{"link": "see https://bank.example/check", "bare host": "go to www.bank.example", "card number": "card 6299990000000004 was used",
		"parted card number": "6299 9900 0000 0004", "hyphens": "6299-9900-0000-0004", "first six": "629999******1234", "long": strings.Repeat("long ", 20_000)} {
		f := facts()
		f.Cause = notify.Text{EN: text, ZH: text}
		plan, _ := c.Plan(f)
		if _, err := c.Maker().Make(&plan[0], "NTC-1", "k@x"); !errors.Is(err, notify.ErrText) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHasCardNumber(t *testing.T) {
	for text, want := range map[string]bool{"": false, "6299990000000004": true, "1234567890123": false, "terminal 00000023 and 2026-11-27 10:01": false,
		"400-000-0000": false, "RRN 000000004001": false, "x6299 9900 0000 0004y": true, "last four 1234 2026-11-27": false, "898310000000001": false,
		"**1234": false, "6299**1234": true, "4111111111111111.": true, "12 3456789 41111111 11111111 9": true} {
		if got := notify.HasCardNumber(text); got != want {
			t.Errorf("%q: %t, want %t", text, got, want)
		}
	}
}

func TestDrillIsMarkedAndStaysInside(t *testing.T) {
	more, _, _ := book(t)
	f := facts()
	f.Drill, f.Incident = true, "INC-2-DRILL"
	list, plan := made(t, config(t, "127.0.0.1:1", more), f)
	kinds := map[redress.NoticeKind]bool{}
	for i, m := range list {
		kinds[plan[i].Kind] = true
		if plan[i].To.Group != redress.GroupDrill || !plan[i].Drill {
			t.Errorf("%s goes to %s, who is no drill recipient", plan[i].Kind, plan[i].To.Name)
		}
		if !strings.Contains(m.Subject, "DRILL 演练") || strings.Count(m.Text, "DRILL 演练") < 2 {
			t.Errorf("%s is not marked in subject and body: %q", plan[i].Kind, m.Subject)
		}
		for _, a := range m.Contents[1:] {
			if !strings.HasPrefix(a.Name, "DRILL-") {
				t.Errorf("%s carries %s, which does not say that it is of a drill", plan[i].Kind, a.Name)
			}
		}
	}
	if len(kinds) != len(notify.Kinds) {
		t.Errorf("the drill exercises %d kinds of notices, want all %d", len(kinds), len(notify.Kinds))
	}
	f.Drill = false
	_, plan = made(t, config(t, "127.0.0.1:1", more), f)
	for _, p := range plan {
		if p.To.Group == redress.GroupDrill {
			t.Error("what is no drill goes to a drill recipient")
		}
	}
}

// TestPlan: each issuer hears of its own cards and each shop of its own receipts; who is not in the book is told of to
// the person who drafts.
func TestPlan(t *testing.T) {
	more, _, _ := book(t)
	plan, missed := config(t, "127.0.0.1:1", more).Plan(facts())
	got := map[string]int{}
	for _, p := range plan {
		got[string(p.Kind)+" "+p.To.Name+" "+string(p.To.Channel)] = p.Exposed()
	}
	want := map[string]int{"issuer_file bank smtp": 3, "merchant_kit noodles smtp": 2, "merchant_kit tea smtp": 1, "merchant_kit merchant-898310000000003 file": 1,
		"consumer_notice press file": 4, "consumer_notice desk smtp": 4, "regulator_note branch smtp": 4, "internal duty smtp": 4}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("plan %v\nwant %v", got, want)
	}
	if fmt.Sprint(missed) != "[{issuer 622999 1}]" {
		t.Errorf("missed %v", missed)
	}
}

func TestBasis(t *testing.T) {
	more, _, _ := book(t)
	c := config(t, "127.0.0.1:1", more)
	bases := func(change func(*notify.Facts)) map[string]string {
		f := facts()
		change(f)
		plan, _ := c.Plan(f)
		all := map[string]string{}
		for _, p := range plan {
			all[string(p.Kind)+p.To.Name] = p.Basis
		}
		return all
	}
	first := bases(func(*notify.Facts) {})
	if later := bases(func(f *notify.Facts) { f.Now += 1e12 }); fmt.Sprint(later) != fmt.Sprint(first) {
		t.Error("the instant of drafting alone makes another notice")
	}
	for name, change := range map[string]func(*notify.Facts){"a sale more": func(f *notify.Facts) { f.Sales = append(f.Sales, sale(5, "6299991111", shopA, 100)) },
		"another cause": func(f *notify.Facts) { f.Cause.EN += " again" }, "another kind": func(f *notify.Facts) { f.Kinds = f.Kinds[:2] },
		"another window": func(f *notify.Facts) { f.To++ }, "a measure more": func(f *notify.Facts) { f.Measures = append(f.Measures, notify.Text{EN: "x"}) }} {
		if bases(change)["issuer_filebank"] == first["issuer_filebank"] {
			t.Errorf("%s makes no other notice", name)
		}
	}
}

// TestIssuerFileOpensWithAge: the age program of Debian, which is another implementation than the library's command of today,
// opens the file with the issuer's identity and with no other.
func TestIssuerFileOpensWithAge(t *testing.T) {
	program := need(t, "age")
	issuer, other := must(age.GenerateX25519Identity()), must(age.GenerateX25519Identity())
	sealed, err := facts().IssuerFile(issuer.Recipient().String())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "exposed.csv.age")
	for name, text := range map[string]string{"exposed.csv.age": string(sealed), "issuer": issuer.String() + "\n", "other": other.String() + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	plain, err := exec.Command(program, "--decrypt", "-i", filepath.Join(dir, "issuer"), file).Output()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(plain)).ReadAll()
	if err != nil || len(rows) != 5 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if got := strings.Join(rows[0], ","); got != "incident,rrn,at,terminal,merchant,place,card,card_hash,amount,currency" {
		t.Errorf("header %s", got)
	}
	want := "INC-1,000000004001,2026-11-27T02:01:05.000Z,00000021,898310000000001,Sample Noodles 示例面馆,629999******1234," + facts().Sales[0].Card.String() + ",18.50,156"
	if got := strings.Join(rows[1], ","); got != want {
		t.Errorf("row %s\nwant %s", got, want)
	}
	if out, err := exec.Command(program, "--decrypt", "-i", filepath.Join(dir, "other"), file).Output(); err == nil {
		t.Errorf("another identity opens it: %d bytes", len(out))
	}
}

// TestCounterNoticeIsOnePage: what poppler reads of the page is what the text says, in both languages, on one A4 page.
func TestCounterNoticeIsOnePage(t *testing.T) {
	reader, info := need(t, "pdftotext"), need(t, "pdfinfo")
	for lang, words := range map[string][]string{"zh": {"致刷卡顾客的告示", "终端卡槽被加装了装置", "以 CLM 开头的编号", "投诉渠道"},
		"en": {"Notice to our customers", "a device was attached", "begins with CLM", "To complain about us"}} {
		f := facts()
		f.Handler = config(t, "127.0.0.1:1").Handler
		page, err := f.CounterNotice(lang)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "page.pdf")
		if err := os.WriteFile(path, page, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(info, path).Output()
		if err != nil || !regexp.MustCompile(`Pages:\s+1\n`).Match(out) || !bytes.Contains(out, []byte("(A4)")) {
			t.Errorf("%s: %v\n%s", lang, err, out)
		}
		out, err = exec.Command(reader, path, "-").Output()
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(string(out)), " ")
		for _, w := range words {
			if !strings.Contains(strings.ReplaceAll(text, " ", ""), strings.ReplaceAll(w, " ", "")) {
				t.Errorf("%s: %q is not on the page:\n%s", lang, w, text)
			}
		}
	}
	f := facts()
	f.Cause = notify.Text{EN: strings.Repeat("much too much of a cause ", 400)}
	if _, err := f.CounterNotice("en"); !errors.Is(err, notify.ErrText) {
		t.Errorf("a text that fits no page: %v", err)
	}
}

func TestReceipts(t *testing.T) {
	list, err := facts().Receipts()
	want := "\ufeffterminal 终端号,date 日期,time 时间,last four 卡号后四位,amount 金额 (CNY)\n00000021,2026-11-27,10:01:05,1234,18.50\n"
	if err != nil || !strings.HasPrefix(string(list), want) {
		t.Errorf("%v\n%s", err, list)
	}
}

func FuzzTexts(f *testing.F) {
	f.Add("cause", "Shop", "6299991234", int64(1850))
	f.Add("{{.Handler}} \x00\xff", "Shop\r\nBcc: x@y", "0000000000", int64(-1))
	f.Add("https://x.example", "6299990000000004", "629999\x00123", int64(1<<62))
	base := handler + "[[recipient]]\nname=\"press\"\ngroup=\"public\"\nchannel=\"file\"\n[[recipient]]\nname=\"duty\"\ngroup=\"internal\"\nchannel=\"file\"\n"
	c := must(notify.ParseConfig([]byte(base)))
	f.Fuzz(func(t *testing.T, cause, shop, shown string, amount int64) {
		x := facts()
		x.Cause, x.Title = notify.Text{EN: cause}, notify.Text{ZH: cause}
		x.Sales = x.Sales[:1]
		copy(x.Sales[0].Shown[:], shown)
		x.Sales[0].Amount = pos.Amount(amount)
		x.Shops[shopA] = shop
		plan, _ := c.Plan(x)
		for i := range plan {
			if plan[i].Kind == redress.MerchantKit {
				continue // its page is made by a library, slowly
			}
			m, err := c.Maker().Make(&plan[i], "NTC-1", "k@x")
			if err != nil {
				continue
			}
			if notify.HasLink(m.Text) || notify.HasCardNumber(m.Text) || len(m.Text) > 2*notify.MaxText+100 {
				t.Errorf("a text that may not leave: %q", m.Text)
			}
		}
	})
}

// TestRegulatorNoteHasTheClocks: each deadline with its state, and one that nobody verified says so, in both languages.
func TestRegulatorNoteHasTheClocks(t *testing.T) {
	more, _, _ := book(t)
	list, plan := made(t, config(t, "127.0.0.1:1", more), facts())
	for i, m := range list {
		if plan[i].Kind != redress.RegulatorNote {
			continue
		}
		for _, want := range []string{"pipl-57  notify the individuals  from 2026-11-27 12:00  due 2026-11-28 12:00  not answered yet (deadline as configured, not verified)",
			"cac-report  report  from 2026-11-27 12:00  due 2026-11-27 16:00  answered 2026-11-27 12:30 NTC-9\n", "visa-pfi  engage  from 2026-11-27 12:00  due 2026-11-27 16:00  waived: no such cards (deadline",
			"cac-final  final report  not begun\n", "severity: II major", "等级: Ⅱ 级 重大", "(UTC+08:00, ", "2 terminals, 3 shops, 3 cards, 4 payments, CNY 156.40", "known since: 2026-11-27 12:00",
			"cac-report  报告  起算 2026-11-27 12:00  截止 2026-11-27 16:00  已完成 2026-11-27 12:30 NTC-9\n", "尚未完成 (时限为配置值, 未经核实)", "终端 2 台, 商户 3 家, 卡片 3 张, 交易 4 笔, 金额 156.40 元"} {
			if !strings.Contains(m.Text, want) {
				t.Errorf("%q is missing in\n%s", want, m.Text)
			}
		}
		return
	}
	t.Fatal("no note to the regulator")
}

// TestCardholderIsToldOncePerDay: the payments of one card at one shop on one day are one line with their number, and two
// cards that end alike are two.
func TestCardholderIsToldOncePerDay(t *testing.T) {
	x := facts()
	first := x.Sales[0]
	again, alike := first, first
	again.RRN[11], again.Amount = again.RRN[11]^1, 100
	alike.RRN[11], alike.Card = alike.RRN[11]^2, pos.PANHash{9}
	x.Sales = []notify.Sale{first, again, alike}
	more, _, _ := book(t)
	c := config(t, "127.0.0.1:1", more)
	list, plan := made(t, c, x)
	for i, m := range list {
		if plan[i].Kind != redress.ConsumerNotice {
			continue
		}
		for _, want := range []string{"卡号后四位 1234  2 笔\n", "last four digits 1234  2 payments\n", "last four digits 1234\n", "3 payments, 2 cards"} {
			if !strings.Contains(m.Text, want) {
				t.Errorf("%q is missing in\n%s", want, m.Text)
			}
		}
		if n := strings.Count(m.Text, "last four digits 1234"); n != 2 {
			t.Errorf("%d lines, want 2", n)
		}
		return
	}
	t.Fatal("no notice to cardholders")
}
