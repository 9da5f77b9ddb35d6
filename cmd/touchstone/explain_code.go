package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strings"

	"touchstone/explain"
	"touchstone/pos"
	"touchstone/reason"
)

// explainCodeFlags say which of two meanings is asked for.
type explainCodeFlags struct {
	AsCode  bool `name:"as-code" xor:"as" help:"The word is an answer code (DE39)."`
	AsModel bool `name:"as-model" xor:"as" help:"The word is a terminal model."`
}

// shownCode is a code as one JSON object.
type shownCode struct {
	Code       string         `json:"code"`
	Class      string         `json:"class"`
	ClassText  explain.Text   `json:"class_text"`
	Name       explain.Text   `json:"name"`
	Unverified bool           `json:"unverified,omitempty"`
	Note       *explain.Text  `json:"note,omitempty"`
	Counter    shownCounter   `json:"counter"`
	SignIn     explain.SignIn `json:"sign_in"`
	Reasons    []string       `json:"reasons,omitempty"`         // what this host may mean by it, never which
	Provable   []string       `json:"provable_causes,omitempty"` // what an experiment may find behind them
	Learn      *explain.Text  `json:"learn,omitempty"`
}

// shownCounter is the cashier's part.
type shownCounter struct {
	explain.Counter
	Screen shownScreen `json:"screen"`
}

// explainCode answers for a word that may be an answer code or a terminal model. Where it may be both, both are told, and
// the person is asked.
func explainCode(x *explainCall) (taken bool, err error) {
	code, isCode := x.l.catalogue.Code(pos.Code(strings.ToUpper(x.asked)))
	isCode = isCode && len(x.asked) == len(code.Code)
	model, isModel, err := x.model()
	switch {
	case err != nil:
		return true, err
	case x.AsCode && !isCode:
		return true, fmt.Errorf("%q is in no table of answer codes; what the terminal shows, in words, can be asked for too", x.asked)
	case !isCode && !isModel:
		return false, nil
	case x.AsModel:
		isCode = false
	case x.AsCode:
		isModel = false
	}
	if isCode && isModel && !x.JSON {
		isCode, isModel = x.whichMeaning()
	}
	if x.JSON {
		return true, x.writeMeanings(code, isCode, model, isModel)
	}
	s := &sheet{w: x.a.stdout, lang: x.l.lang}
	if isCode && isModel {
		s.say(fmt.Sprintf(s.two("%s has two meanings: a code on the screen (1), and what some call a terminal (2).",
			"%s 有两种含义: 屏幕上的应答码 (1), 以及有人所说的终端型号 (2)。"), code.Code))
		s.line("")
	}
	if isCode {
		x.codeRows(s, code)
	}
	if isModel {
		if isCode {
			s.line("")
		}
		x.modelRows(s, model)
	}
	if isCode && isModel {
		s.line("")
		s.say(fmt.Sprintf(s.two("Which did you mean? touchstone explain %[1]s --as-code, or touchstone explain %[1]s --as-model",
			"您问的是哪一种? touchstone explain %[1]s --as-code (应答码), 或 touchstone explain %[1]s --as-model (型号)"), code.Code))
	}
	return true, s.err
}

// whichMeaning asks a person at a terminal; anybody else is told both.
func (x *explainCall) whichMeaning() (code, model bool) {
	if !x.atTerminal() {
		return true, true
	}
	fmt.Fprintf(x.a.stdout, x.l.two("%s: 1 the code on the screen, 2 a terminal model, Enter for both: ", "%s: 1 屏幕上的应答码, 2 终端型号, 回车两者都看: "), strings.ToUpper(x.asked))
	answer, _ := bufio.NewReader(x.a.stdin).ReadString('\n')
	switch strings.TrimSpace(answer) {
	case "1":
		return true, false
	case "2":
		return false, true
	}
	return true, true
}

func (x *explainCall) writeMeanings(code explain.Code, isCode bool, model modelAnswer, isModel bool) error {
	var out struct {
		Asked string       `json:"asked"`
		Code  *shownCode   `json:"code,omitempty"`
		Model *modelAnswer `json:"model,omitempty"`
		Which bool         `json:"which_is_meant,omitempty"` // it is not known which of the two was meant
	}
	out.Asked, out.Which = x.asked, isCode && isModel
	if isCode {
		shown := x.jsonCode(code)
		out.Code = &shown
	}
	if isModel {
		out.Model = &model
	}
	return json.NewEncoder(x.a.stdout).Encode(&out)
}

// showCounter prints what a code means at the counter, and no more.
func (x *explainCall) showCounter(code explain.Code) error {
	if x.JSON {
		return json.NewEncoder(x.a.stdout).Encode(x.jsonCode(code))
	}
	s := &sheet{w: x.a.stdout, lang: x.l.lang}
	x.codeRows(s, code)
	return s.err
}

func (x *explainCall) jsonCode(code explain.Code) shownCode {
	shown := shownCode{Code: code.Code.String(), Class: code.Class.String(), ClassText: code.ClassText, Name: code.Name, Unverified: code.Unverified,
		Counter: shownCounter{code.Counter, shownScreen{code.Counter.Screen[explain.English], code.Counter.Screen[explain.Chinese]}}, SignIn: code.SignIn}
	if x.For == forCashier {
		return shown
	}
	if code.Note != (explain.Text{}) {
		shown.Note = &code.Note
	}
	shown.Learn = &code.Learn
	for _, r := range code.Reasons {
		shown.Reasons = append(shown.Reasons, r.String())
	}
	for _, cause := range x.causesBehind(code) {
		shown.Provable = append(shown.Provable, cause.String())
	}
	return shown
}

// causesBehind lists what experiment may find behind any of a code's reasons, each once.
func (x *explainCall) causesBehind(code explain.Code) []reason.Cause {
	var list []reason.Cause
	seen := map[reason.Cause]bool{}
	for _, r := range code.Reasons {
		for _, cause := range x.l.catalogue.CausesBehind(r) {
			if !seen[cause] {
				seen[cause] = true
				list = append(list, cause)
			}
		}
	}
	return list
}

func (x *explainCall) codeRows(s *sheet, code explain.Code) {
	s.say(x.codeLine(code))
	if code.Unverified {
		s.say(s.two("(fewer than two publications have it: unverified)", "(公开资料不足两处: 未核实)"))
	}
	s.line("")
	x.counterRows(s, code.Counter.Screen, code.Counter.Steps)
	s.row(s.two("MONEY", "资金"), code.Counter.Money.In(s.lang))
	s.texts(s.two("NEVER", "切勿"), "- ", code.Counter.Never)
	s.signIn(code.SignIn)
	s.texts(s.two("FOLK ADVICE", "民间说法"), "- ", code.Counter.Folk)
	if x.For == forCashier {
		return
	}
	s.row(s.two("NOTE", "说明"), code.Note.In(s.lang))
	label := s.two("BEHIND IT", "可能含义")
	for _, r := range code.Reasons {
		s.row(label, pad(r.String(), 28)+x.l.catalogue.Reason(r).Short.In(s.lang))
		label = ""
	}
	if label != "" {
		s.row(label, s.two("This host never answers it; another host may.", "本系统不使用此代码, 其他主机可能使用。"))
	}
	label = s.two("CAUSES", "可证实原因")
	for _, cause := range x.causesBehind(code) {
		s.row(label, pad(cause.String(), 28)+x.l.catalogue.Cause(cause).Short.In(s.lang))
		label = ""
	}
	s.row(s.two("WHICH ONE", "究竟哪种"), code.Learn.In(s.lang))
	if len(code.Reasons) > 0 {
		s.row("", s.two("touchstone explain --terminal ID --trace N, or touchstone explain last", "touchstone explain --terminal 终端号 --trace 流水号, 或 touchstone explain last"))
	}
}
