package main

import "fmt"

// explainSearch answers for whatever else was typed.
func explainSearch(x *explainCall) (taken bool, err error) {
	return true, fmt.Errorf("%q is neither an answer code (DE39) nor a reason", x.asked)
}
