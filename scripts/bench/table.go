package main

import (
	"fmt"
	"strings"
)

// row is one line of the table.
type row struct {
	what, figure, target string
	met                  verdict
}

// verdict tells whether a target was met.
type verdict string

// The verdicts. Where there is no target there is none.
const (
	noTarget verdict = ""
	met      verdict = "yes"
	missed   verdict = "**no**"
	notRun   verdict = "NOT RUN"
)

func judge(ok bool) verdict {
	if ok {
		return met
	}
	return missed
}

type table struct {
	facts []string
	rows  []row
}

func (t *table) add(r row) { t.rows = append(t.rows, r) }

// markdown is the table as a page has it.
func (t *table) markdown() string {
	var b strings.Builder
	for _, f := range t.facts {
		fmt.Fprintf(&b, "- %s\n", f)
	}
	b.WriteString("\n| what | measured | target | met |\n|---|---|---|---|\n")
	for _, r := range t.rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.what, r.figure, r.target, r.met)
	}
	return b.String()
}
