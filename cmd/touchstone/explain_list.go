package main

import (
	"fmt"

	"touchstone/reason"
)

// explainPagesFlags ask for the pages of the catalogue.
type explainPagesFlags struct {
	Pages string `name:"pages" help:"Write one page for each reason and cause, in both languages, into this directory." placeholder:"DIR"`
}

// explainPages writes the pages.
func explainPages(x *explainCall) (taken bool, err error) {
	if x.Pages == "" {
		return false, nil
	}
	return true, fmt.Errorf("--pages: there are none yet")
}

// explainList lists reasons and causes.
func explainList(x *explainCall) (taken bool, err error) {
	if x.asked != "list" {
		return false, nil
	}
	for _, r := range reason.All() {
		fmt.Fprintf(x.a.stdout, "%s %s\n", pad(r.String(), 28), x.l.catalogue.Reason(r).Short.In(x.l.lang))
	}
	return true, nil
}
