package main

import (
	"strings"

	"touchstone/explain"
)

// explainCmd explains: a code, a reason, a cause, words on a screen. What it is asked decides how; see explainForms. The
// flags of a form stand in a struct beside it and are embedded here.
type explainCmd struct {
	Words []string `arg:"" optional:"" help:"An answer code such as A7, a reason or cause such as mac_stale_key, or what the terminal shows, in words." placeholder:"WORD"`
	explainFlags
	explainCodeFlags
	explainPagesFlags
	explainJournalFlags
	explainMessageFlags
}

// explainFlags are those that every form obeys.
type explainFlags struct {
	For  string `name:"for" default:"all" enum:"all,cashier,support,engineer" help:"For whom: cashier, support, engineer, or all."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
	JSON bool   `name:"json" help:"One JSON object, texts in both languages."`
	Data string `name:"data" help:"Data directory, where an answer can be fuller with one." placeholder:"DIR"`
}

// explainCall is one call: what was asked, and what is needed to answer.
type explainCall struct {
	*explainCmd
	a     *app
	l     *lines // its writer, language and catalogue
	asked string // the words, with single spaces
}

// explainForm answers a call if it is of its form; taken tells whether it was.
type explainForm func(x *explainCall) (taken bool, err error)

// explainForms are the forms in the order in which they are tried: the first that takes the call answers it.
func explainForms() []explainForm {
	return []explainForm{
		explainPages,
		explainList,
		// What finds a message or reads one stands before the words: explain_*.go.
		explainLast,
		explainFoldForm,
		explainMessage,
		explainName,
		explainCode,
		explainTopic,
		explainSearch, // takes whatever is left
	}
}

// Help is shown by touchstone explain --help.
func (explainCmd) Help() string {
	return `What a code on the terminal's screen can mean, who must act, and what each person does; what a reason or a proven cause
asks of cashier, support and engineer. A code or words alone never tell the cause; the journal of the host does. Works
offline.

  touchstone explain A7                            a code, or a terminal model: both are told
  touchstone explain A7 --as-model --data shop     with the advisories of that directory
  touchstone explain serial_proof_failed --lang zh
  touchstone explain mac_stale_key used_newer --for engineer
  touchstone explain 显示安全认证失败              what the screen says, in words
  touchstone explain list                          every reason and every cause
  touchstone explain last --data shop              the newest refusal and what was proven
  touchstone explain --terminal 00000023 --trace 42 --data shop
  touchstone explain --rrn 9001 --for support      what the merchant's support says and does
  touchstone explain sale.hex --data shop          a message (digits, a file, or -), field by field, and judged by a test host
  touchstone explain sale.hex --mac                its MAC step by step, and OpenSSL lines that recompute it
  touchstone explain fold                          why a folding MAC is weak, shown`
}

// Run answers by the first form that takes the call.
func (c *explainCmd) Run(a *app) error {
	l, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	x := &explainCall{explainCmd: c, a: a, l: l, asked: strings.Join(strings.Fields(strings.Join(c.Words, " ")), " ")}
	for _, form := range explainForms() {
		if taken, err := form(x); taken || err != nil {
			return err
		}
	}
	return nil
}

func two(lang explain.Language, en, zh string) string { return explain.Text{EN: en, ZH: zh}.In(lang) }
