package main

import (
	"fmt"
	"os"
	"path/filepath"

	"touchstone/explain"
	"touchstone/reason"
	"touchstone/terminal"
)

// The pages in docs/reasons are made by this, and a test compares them.
//go:generate go run . explain --pages ../../docs/reasons

// explainPagesFlags ask for the pages of the catalogue.
type explainPagesFlags struct {
	Pages string `name:"pages" help:"Write one page for each reason and cause, in both languages, into this directory." placeholder:"DIR"`
}

// explainPages writes the pages. What else stands in the directory stays.
func explainPages(x *explainCall) (taken bool, err error) {
	if x.Pages == "" {
		return false, nil
	}
	pages, err := x.pages()
	if err != nil {
		return true, err
	}
	for _, page := range pages {
		path := filepath.Join(x.Pages, filepath.FromSlash(page.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return true, err
		}
		if err := os.WriteFile(path, []byte(page.Text), 0o644); err != nil {
			return true, fmt.Errorf("write page: %w", err)
		}
	}
	_, err = fmt.Fprintf(x.a.stdout, x.l.two("%d pages written to %s\n", "已写入 %d 页: %s\n"), len(pages), x.Pages)
	return true, err
}

func (x *explainCall) pages() ([]explain.Page, error) {
	faults, err := shownFaults()
	if err != nil {
		return nil, err
	}
	return x.l.catalogue.Pages(faults), nil
}

// shownFaults are the faults of the reference terminal with what they show, in the order of its table.
func shownFaults() ([]explain.Shown, error) {
	var shown []explain.Shown
	for _, f := range terminal.Faults() {
		row, err := terminal.Describe(f)
		if err != nil {
			return nil, err
		}
		s := explain.Shown{Fault: string(f), Variant: row.Variant}
		if s.Reason, err = reason.Parse(row.Reason); err != nil {
			return nil, fmt.Errorf("fault %s: reason %q: %w", f, row.Reason, err)
		}
		if row.Cause != "" {
			if s.Cause, err = reason.ParseCause(row.Cause); err != nil {
				return nil, fmt.Errorf("fault %s: cause %q: %w", f, row.Cause, err)
			}
		}
		shown = append(shown, s)
	}
	return shown, nil
}
