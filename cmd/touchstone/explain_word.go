package main

import (
	"fmt"
	"io"
	"strings"

	"touchstone/explain"
	"touchstone/pos"
	"touchstone/reason"
)

// explainName answers for the stable name of a reason.
func explainName(x *explainCall) (taken bool, err error) {
	r, err := reason.Parse(strings.ToLower(x.asked))
	if err != nil {
		return false, nil
	}
	return true, printReason(x.a.stdout, x.l.catalogue, r, x.l.lang)
}

// explainCodeFlags say which of two meanings is asked for.
type explainCodeFlags struct {
	AsCode  bool `name:"as-code" xor:"as" help:"The word is an answer code."`
	AsModel bool `name:"as-model" xor:"as" help:"The word is a terminal model."`
}

// explainCode answers for an answer code.
func explainCode(x *explainCall) (taken bool, err error) {
	code, ok := x.l.catalogue.Code(pos.Code(strings.ToUpper(x.asked)))
	if !ok {
		return false, nil
	}
	return true, printCode(x.a.stdout, x.l.catalogue, code, x.l.lang)
}

// explainSearch answers for whatever else was typed.
func explainSearch(x *explainCall) (taken bool, err error) {
	return true, fmt.Errorf("%q is neither an answer code (DE39) nor a reason", x.asked)
}

func printCode(w io.Writer, c *explain.Catalogue, code explain.Code, lang explain.Language) error {
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

func printReason(w io.Writer, c *explain.Catalogue, r reason.Reason, lang explain.Language) error {
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
