package anatomy

import "touchstone/explain"

// Masked is the anatomy of a frame as a host received it, TPDU and header first and without LEN, for showing later: what is
// returned holds nothing that may not be shown, and no copy of the frame is left.
func Masked(frame []byte, c *explain.Catalogue) Shown {
	a := dissect(frame, Framing{TPDU: true, Header: true}, c)
	s := a.JSON()
	in := a.hold()
	clear(in.bytes)
	return s
}
