package main

import (
	"fmt"
	"io"
	"strings"

	"touchstone/explain"
	"touchstone/pos"
	"touchstone/reason"
)

// explainCmd prints the catalogue's entry for an answer code or a reason. It works offline.
type explainCmd struct {
	Name string `arg:"" help:"An answer code such as A7, or a reason such as mac_failed." placeholder:"CODE"`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// Help is shown by touchstone explain --help.
func (explainCmd) Help() string {
	return `What a code on the terminal's screen can mean, who must act, and what each person does. A code alone never tells the
cause; the journal of the host does.

  touchstone explain A7
  touchstone explain serial_proof_failed --lang zh
  touchstone explain fold`
}

// Run prints.
func (c *explainCmd) Run(a *app) error {
	lang, err := explain.ParseLanguage(c.Lang)
	if err != nil {
		return fmt.Errorf("--lang: %w", err)
	}
	catalogue, err := explain.Load()
	if err != nil {
		return err
	}
	if c.Name == "fold" { // what the folded MAC lets through
		return explainFold(a.stdout, lang)
	}
	if r, err := reason.Parse(strings.ToLower(c.Name)); err == nil {
		return explainReason(a.stdout, catalogue, r, lang)
	}
	code, ok := catalogue.Code(pos.Code(strings.ToUpper(c.Name)))
	if !ok {
		return fmt.Errorf("%q is neither an answer code (DE39) nor a reason", c.Name)
	}
	return explainCode(a.stdout, catalogue, code, lang)
}

func two(lang explain.Language, en, zh string) string { return explain.Text{EN: en, ZH: zh}.In(lang) }

func explainCode(w io.Writer, c *explain.Catalogue, code explain.Code, lang explain.Language) error {
	fmt.Fprintf(w, "%s  %s\n", code.Code, code.Name.In(lang))
	fmt.Fprintf(w, "%s: %s\n", two(lang, "cashier", "收银员"), code.Action.In(lang))
	fmt.Fprintf(w, "%s: %s (%s)\n", two(lang, "class", "类别"), code.Class, code.ClassText.In(lang))
	if note := code.Note.In(lang); note != "" {
		fmt.Fprintln(w, note)
	}
	if len(code.Reasons) > 0 {
		fmt.Fprintf(w, "%s\n", two(lang, "what this host means by it, one of:", "本系统以此码表示以下情形之一:"))
	}
	for _, r := range code.Reasons {
		fmt.Fprintf(w, "  %s  %s\n", pad(r.String(), 28), c.Reason(r).Short.In(lang))
	}
	_, err := fmt.Fprintf(w, "%s: %s\n", two(lang, "which one", "究竟是哪一种"), code.Learn.In(lang))
	return err
}

func explainReason(w io.Writer, c *explain.Catalogue, r reason.Reason, lang explain.Language) error {
	e := c.Reason(r)
	fmt.Fprintf(w, "%s  (DE39 %s)  %s\n%s\n", r, r.DE39(), e.Short.In(lang), e.Meaning.In(lang))
	fmt.Fprintf(w, "%s: %s\n", two(lang, "who acts", "谁处理"), c.Owner(r.Owner()).In(lang))
	if len(e.Causes) > 0 {
		fmt.Fprintln(w, two(lang, "possible causes, none of them proven:", "可能的原因 (均未证实):"))
	}
	for _, cause := range e.Causes {
		fmt.Fprintf(w, "  - %s\n", cause.In(lang))
	}
	_, err := fmt.Fprintf(w, "%s: %s\n%s: %s\n%s: %s\n", two(lang, "cashier", "收银员"), e.Cashier.In(lang),
		two(lang, "support", "商户支持"), e.Support.In(lang), two(lang, "engineer", "安全工程师"), e.Engineer.In(lang))
	return err
}
