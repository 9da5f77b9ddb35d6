package notify

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"strings"
	"text/template"

	"touchstone/pos"
	"touchstone/redress"
)

//go:embed text/*.tmpl
var texts embed.FS

// ErrText is returned for a notice that may not leave as it is.
var ErrText = errors.New("notice text")

// shownSales is how many sales stand in a text; the rest is a number. All of them stand in the files.
const shownSales = 40

// MaxText bounds what a rendered text may be, in bytes.
const MaxText = 64 << 10

// view is what a template sees: words and figures, already in one language. It has the last four digits of a card
// and no more, so no template can show more.
type view struct {
	Incident, DrillMark, Title, Severity, Cause, Exposed, Safe string
	Drill                                                      bool
	Measures                                                   []string
	From, To, Aware, Now                                       string
	Zone                                                       string // of these and of every other time, such as UTC+08:00
	Terminals, ShopCount, Cards, Count, More                   int
	Amount                                                     string
	Sales                                                      []saleView
	Clocks                                                     []clockView
	Handler, Phone, Mail, Complaint                            string
	Name, Shop, File                                           string // of the recipient, and its attachment
}

// saleView is the payments of one day with one card at one place: a reader takes the same line twice for a mistake.
type saleView struct {
	Date, Place, Last4 string
	Count              int
}

type clockView struct {
	Rule, Duty, Start, Due, Answer string
	Begun                          bool // Start and Due are known
}

// view makes the facts plain in one language.
func (f *Facts) view(lang, name, shop, file string) *view {
	day := func(at pos.Instant) string { return at.Time().In(f.Zone).Format("2006-01-02") }
	minute := func(at pos.Instant) string {
		if at == 0 {
			return Text{"not known", "不详"}.In(lang)
		}
		return at.Time().In(f.Zone).Format("2006-01-02 15:04")
	}
	list := Text{", ", "、"}.In(lang)
	cards, shops, amount := f.counts()
	v := &view{Incident: f.Incident, Drill: f.Drill, DrillMark: drillMark, Title: f.Title.In(lang), Severity: f.Severity.In(lang), Cause: f.Cause.In(lang),
		Exposed: strings.Join(f.told(true, lang), list), Safe: strings.Join(f.told(false, lang), list), From: minute(f.From), To: minute(f.To),
		Aware: minute(f.Aware), Now: minute(f.Now), Zone: f.Now.Time().In(f.Zone).Format("UTC-07:00"), Terminals: f.Terminals, ShopCount: shops, Cards: cards, Count: len(f.Sales), Amount: amount.String(),
		Handler: Text{f.Handler.NameEN, f.Handler.NameZH}.In(lang), Phone: f.Handler.Phone, Mail: f.Handler.Mail,
		Complaint: Text{f.Handler.ComplaintEN, f.Handler.ComplaintZH}.In(lang), Name: name, Shop: shop, File: file}
	if v.Cause == "" {
		v.Cause = Text{"still being looked into; we will tell you when it is known.", "仍在调查, 查明后另行告知。"}.In(lang)
	}
	for _, m := range f.Measures {
		v.Measures = append(v.Measures, m.In(lang))
	}
	v.Sales, v.More = f.lines(day)
	for _, c := range f.Clocks {
		answer := Text{"not answered yet", "尚未完成"}.In(lang)
		switch {
		case c.Answered != 0:
			answer = strings.TrimSpace(Text{"answered ", "已完成 "}.In(lang) + minute(c.Answered) + " " + c.By)
		case c.Waived != "":
			answer = Text{"waived: ", "已豁免: "}.In(lang) + c.Waived
		case c.Start == 0:
			answer = Text{"not begun", "尚未起算"}.In(lang)
		}
		if !c.Checked {
			answer += Text{" (deadline as configured, not verified)", " (时限为配置值, 未经核实)"}.In(lang)
		}
		v.Clocks = append(v.Clocks, clockView{c.Rule, c.Duty.In(lang), minute(c.Start), minute(c.Due), answer, c.Start != 0})
	}
	return v
}

// lines are the sales as a reader is told of them, shownSales lines at most, and how many sales stand in none of them. Two
// cards with the same last digits are two lines.
func (f *Facts) lines(day func(pos.Instant) string) (list []saleView, more int) {
	type key struct {
		day  string
		shop pos.MerchantID
		card pos.PANHash
	}
	at := map[key]int{}
	for i := range f.Sales {
		s := &f.Sales[i]
		k := key{day(s.At), s.Merchant, s.Card}
		n, known := at[k]
		switch {
		case known:
			list[n].Count++
		case len(list) == shownSales:
			more++
		default:
			at[k] = len(list)
			list = append(list, saleView{k.day, f.shop(s.Merchant), s.Last4(), 1})
		}
	}
	return list, more
}

// render fills one template. The text it gives carries no link and is bounded, or it is an error.
func (v *view) render(name, lang string) (string, error) {
	t, err := template.New("").Option("missingkey=error").Funcs(template.FuncMap{"n": plural}).ParseFS(texts, "text/shared."+lang+".tmpl", "text/"+name+"."+lang+".tmpl")
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name+"."+lang+".tmpl", v); err != nil {
		return "", err
	}
	text := strings.TrimSpace(b.String())
	switch {
	case len(text) > MaxText:
		return "", fmt.Errorf("%w: %d bytes, the most is %d", ErrText, len(text), MaxText)
	case HasLink(text):
		return "", fmt.Errorf("%w: it carries a link", ErrText)
	case HasCardNumber(text):
		return "", fmt.Errorf("%w: it carries 13 digits or more that may be a card number", ErrText)
	}
	return text, nil
}

// plural is a number and its English noun.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// HasCardNumber tells whether a text holds a run of 13 to 19 digits that passes the Luhn check, also when blanks or hyphens
// stand between them, or more of a card than its last four digits (622588******3157).
func HasCardNumber(s string) bool {
	run := make([]byte, 0, 20)
	for i := 0; i <= len(s); i++ {
		c := byte(0)
		if i < len(s) {
			c = s[i]
		}
		switch {
		case c >= '0' && c <= '9':
			if run = append(run, c); len(run) > 64 {
				run = run[1:]
			}
			continue
		case (c == ' ' || c == '-') && len(run) > 0 && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
			continue
		}
		if cardIn(run) || c == '*' && len(run) >= 4 && i+1 < len(s) && s[i+1] == '*' {
			return true
		}
		run = run[:0]
	}
	return false
}

func cardIn(run []byte) bool {
	for n := 13; n <= 19; n++ {
		for at := 0; at+n <= len(run); at++ {
			if luhn(run[at : at+n]) {
				return true
			}
		}
	}
	return false
}

// luhn is the check of ISO/IEC 7812-1, Annex B.
func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// languages are those of a recipient, Chinese first where both are wanted.
func languages(of string) []string {
	if of == "both" {
		return []string{"zh", "en"}
	}
	return []string{of}
}

// body is the text of a notice in the recipient's languages.
func (f *Facts) body(name, language, to, shop, file string) (string, error) {
	var parts []string
	for _, lang := range languages(language) {
		text, err := f.view(lang, to, shop, file).render(name, lang)
		if err != nil {
			return "", fmt.Errorf("%s in %s: %w", name, lang, err)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "\n\n----------------------------------------\n\n") + "\n", nil
}

// subject is one line; a drill says so first.
func (f *Facts) subject(k redress.NoticeKind, language string) string {
	words := map[redress.NoticeKind]Text{
		redress.IssuerFile:     {"Exposed cards, incident ", "涉险卡片清单, 事件 "},
		redress.MerchantKit:    {"Notice for your counter and receipts concerned, incident ", "收银台告示及涉及的签购单, 事件 "},
		redress.ConsumerNotice: {"Notice to cardholders, incident ", "致持卡人的告知, 事件 "},
		redress.RegulatorNote:  {"Report of a security incident, ", "安全事件报告, "},
		redress.InternalNotice: {"Incident ", "内部通报, 事件 "},
	}[k]
	var parts []string
	for _, lang := range languages(language) {
		parts = append(parts, words.In(lang)+f.Incident)
	}
	text := strings.Join(parts, " / ")
	if f.Drill {
		text = "[" + drillMark + "] " + text
	}
	return text
}
