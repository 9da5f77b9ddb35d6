package main

import (
	"encoding/json"
	"slices"
	"strings"

	"touchstone/explain"
	"touchstone/pos"
	"touchstone/reason"
)

// Those who are spoken to.
const (
	forAll      = "all"
	forCashier  = "cashier"
	forSupport  = "support"
	forEngineer = "engineer"
)

// speaksTo tells whether a part is for the person asked for; what is for several names all of them.
func (x *explainCall) speaksTo(who ...string) bool {
	return x.For == forAll || slices.Contains(who, x.For)
}

// explainName answers for the stable name of a reason, or of a cause with or without a variant of it.
func explainName(x *explainCall) (taken bool, err error) {
	name := strings.ToLower(x.asked)
	if r, err := reason.Parse(name); err == nil {
		return true, x.showGuide(guided{reason: r})
	}
	name, variant, _ := strings.Cut(strings.Replace(name, "/", " ", 1), " ")
	cause, err := reason.ParseCause(name)
	if err != nil || cause == reason.NoCause {
		return false, nil
	}
	entry := x.l.catalogue.Cause(cause)
	known := slices.ContainsFunc(entry.Variants, func(v explain.Variant) bool { return v.Name == variant })
	if variant != "" && !known {
		return false, nil
	}
	return true, x.showGuide(guided{reason: entry.Behind[0], cause: cause, variant: variant})
}

// guided is what a guide is asked for.
type guided struct {
	reason  reason.Reason
	cause   reason.Cause
	variant string
}

// shownGuide is a guide as one JSON object; what is not for the person asked for is left out.
type shownGuide struct {
	Reason    string         `json:"reason,omitempty"`
	Cause     string         `json:"cause,omitempty"`
	Variant   string         `json:"variant,omitempty"`
	DE39      string         `json:"de39"`
	Class     string         `json:"class"`
	Words     *explain.Words `json:"words,omitempty"`
	Family    string         `json:"family,omitempty"`
	Owner     string         `json:"owner,omitempty"`
	Money     explain.Text   `json:"money"`
	MoneyIs   explain.Money  `json:"money_state"`
	MayBe     []explain.Text `json:"possible_causes,omitempty"`
	Provable  []string       `json:"provable_causes,omitempty"`
	Variants  []string       `json:"variants,omitempty"`
	Screen    *shownScreen   `json:"screen,omitempty"`
	Cashier   []explain.Text `json:"cashier,omitempty"`
	Support   []explain.Text `json:"support,omitempty"`
	Engineer  []explain.Text `json:"engineer,omitempty"`
	Never     []explain.Text `json:"never"`
	SignIn    explain.SignIn `json:"sign_in"`
	Reboot    *explain.Text  `json:"reboot,omitempty"`
	Courier   *explain.Text  `json:"courier,omitempty"`
	Folk      []explain.Text `json:"folk_advice,omitempty"`
	NotProven *explain.Text  `json:"not_proven,omitempty"`
	Page      string         `json:"page,omitempty"`
}

// showGuide prints a guide. The cashier's part is the code's: it tells nothing of reason or cause.
func (x *explainCall) showGuide(asked guided) error {
	c := x.l.catalogue
	code, _ := c.Code(asked.reason.DE39())
	if x.For == forCashier && asked.cause == reason.NoCause && !x.ownCounter(asked) {
		return x.showCounter(code)
	}
	g := c.Guide(asked.reason, asked.cause, asked.variant)
	if x.JSON {
		return json.NewEncoder(x.a.stdout).Encode(x.jsonGuide(asked, &g, code))
	}
	s := &sheet{w: x.a.stdout, lang: x.l.lang}
	if x.For == forCashier {
		x.counterRows(s, g.Screen, g.Steps.Cashier)
		return s.err
	}
	x.guideHead(s, asked, &g, code)
	x.guideBody(s, asked, &g)
	return s.err
}

// ownCounter tells whether the cashier's words are not those of the code.
func (x *explainCall) ownCounter(asked guided) bool {
	code, _ := x.l.catalogue.Code(asked.reason.DE39())
	return x.l.catalogue.Reason(asked.reason).CashierShort != code.ActionShort
}

func (x *explainCall) guideHead(s *sheet, asked guided, g *explain.Guide, code explain.Code) {
	name := asked.reason.String()
	if asked.cause != reason.NoCause {
		name = strings.TrimSuffix(asked.cause.String()+" "+asked.variant, " ")
	}
	s.say(name + "  " + g.Cause.Short.In(s.lang))
	s.say(g.Cause.Meaning.In(s.lang))
	s.line("")
	if asked.cause != reason.NoCause {
		var behind []string
		for _, r := range x.l.catalogue.Cause(asked.cause).Behind {
			if r != reason.None {
				behind = append(behind, r.String()+" ("+answerCodeOf(r)+")")
			}
		}
		s.row(s.two("BEHIND", "所属原因"), strings.Join(behind, ", "))
	} else {
		s.row(s.two("ANSWERED", "应答码"), x.codeLine(code))
	}
	s.row(s.two("WHO", "谁处理"), g.Owner.In(s.lang))
	s.row(s.two("KIND", "类别"), g.Family.In(s.lang))
	s.row(s.two("MONEY", "资金"), g.Money.In(s.lang))
}

// answerCodeOf is a reason's DE39, or a dash where nothing is answered.
func answerCodeOf(r reason.Reason) string {
	if code := r.DE39(); code != (pos.ResponseCode{}) {
		return code.String()
	}
	return "-"
}

// codeLine is a code with its class and published name.
func (x *explainCall) codeLine(code explain.Code) string {
	if code.Code == (pos.ResponseCode{}) {
		return code.Name.In(x.l.lang)
	}
	text := code.Code.String() + "  " + code.Name.In(x.l.lang)
	if code.Class == 0 {
		return text + "  (" + code.ClassText.In(x.l.lang) + ")"
	}
	return text + x.l.two("  (class ", "  (") + code.Class.String() + x.l.two(": ", " 类: ") + code.ClassText.In(x.l.lang) + ")"
}

func (x *explainCall) guideBody(s *sheet, asked guided, g *explain.Guide) {
	if asked.cause == reason.NoCause {
		s.texts(s.two("MAY BE", "可能原因"), "- ", x.l.catalogue.Reason(asked.reason).Causes)
		s.row("", x.unproven(asked.reason))
	}
	x.counterRows(s, g.Screen, g.Steps.Cashier)
	if x.speaksTo(forSupport) {
		s.steps(s.two("SUPPORT", "商户服务"), g.Steps.Support)
	}
	if x.speaksTo(forEngineer) {
		s.steps(s.two("ENGINEER", "安全工程师"), g.Steps.Engineer)
	}
	s.texts(s.two("NEVER", "切勿"), "- ", g.Never)
	s.signIn(g.SignIn)
	s.row(s.two("RESTART", "重启"), g.Reboot.In(s.lang))
	s.row(s.two("VISIT", "上门寄送"), g.Courier.In(s.lang))
	s.texts(s.two("FOLK ADVICE", "民间说法"), "- ", g.Folk)
	s.row(s.two("PROVEN?", "证实与否"), g.NotProven.In(s.lang))
	x.variantRows(s, asked)
	s.row(s.two("PAGE", "文档"), g.PageIn(s.lang))
}

// unproven says what stands behind the possible causes of a reason: nothing, until an experiment says so.
func (x *explainCall) unproven(r reason.Reason) string {
	var names []string
	for _, cause := range x.l.catalogue.CausesBehind(r) {
		names = append(names, cause.String())
	}
	switch {
	case r == reason.None:
		return ""
	case len(names) == 0:
		return x.l.two("None of these is proven by the refusal.", "以上均未由拒绝本身证实。")
	}
	return x.l.two("None of these is proven by the refusal. An experiment in the security module may prove one of: ",
		"以上均未由拒绝本身证实。安全模块的试验可能证实其中之一: ") + strings.Join(names, ", ") +
		x.l.two(". See touchstone explain last.", "。见 touchstone explain last。")
}

// variantRows list the cases of a cause: who must act differs.
func (x *explainCall) variantRows(s *sheet, asked guided) {
	if asked.cause == reason.NoCause || asked.variant != "" {
		return
	}
	label := s.two("CASES", "细分情形")
	for _, v := range x.l.catalogue.Cause(asked.cause).Variants {
		s.row(label, v.Name+" ("+x.l.catalogue.Owner(v.Owner).In(s.lang)+"): "+v.Meaning.In(s.lang))
		label = ""
	}
	if label == "" {
		s.row("", s.two("What to do in one of them: touchstone explain ", "某一情形的处理: touchstone explain ")+asked.cause.String()+s.two(" CASE", " 情形"))
	}
}

// counterRows are the cashier's: the display and the steps.
func (x *explainCall) counterRows(s *sheet, screen [2][]string, steps []explain.Text) {
	if !x.speaksTo(forCashier) {
		return
	}
	s.screen(s.two("SCREEN", "屏幕"), screen[s.lang])
	s.steps(s.two("CASHIER", "收银员"), steps)
}

func (x *explainCall) jsonGuide(asked guided, g *explain.Guide, code explain.Code) shownGuide {
	shown := shownGuide{DE39: code.Code.String(), Class: code.Class.String(), Money: g.Money, MoneyIs: g.MoneyState, Never: g.Never, SignIn: g.SignIn, Folk: g.Folk}
	if x.speaksTo(forCashier) {
		shown.Screen, shown.Cashier = &shownScreen{g.Screen[explain.English], g.Screen[explain.Chinese]}, g.Steps.Cashier
	}
	if x.For == forCashier {
		shown.Money, shown.MoneyIs, shown.Never, shown.SignIn = code.Counter.Money, code.Counter.MoneyState, code.Counter.Never, code.SignIn
		return shown
	}
	shown.Reason, shown.Words, shown.Family, shown.Owner = asked.reason.String(), &g.Cause, g.FamilyIs.String(), g.OwnerIs.String()
	shown.Reboot, shown.Courier, shown.NotProven, shown.Page = &g.Reboot, &g.Courier, &g.NotProven, g.Page
	if x.speaksTo(forSupport) {
		shown.Support = g.Steps.Support
	}
	if x.speaksTo(forEngineer) {
		shown.Engineer = g.Steps.Engineer
	}
	if asked.cause != reason.NoCause {
		shown.Cause, shown.Variant = asked.cause.String(), asked.variant
		for _, v := range x.l.catalogue.Cause(asked.cause).Variants {
			shown.Variants = append(shown.Variants, v.Name)
		}
		return shown
	}
	shown.MayBe = x.l.catalogue.Reason(asked.reason).Causes
	for _, cause := range x.l.catalogue.CausesBehind(asked.reason) {
		shown.Provable = append(shown.Provable, cause.String())
	}
	return shown
}
