package main

import "fmt"

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
