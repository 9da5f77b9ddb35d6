package main

import (
	"touchstone/journal"
	"touchstone/lab/probe"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
)

// seenOf is a judged message as a check of the laboratory reads it.
func seenOf(seq uint64, x *journal.Exchange) probe.Seen {
	s := probe.Seen{Entry: seq, Approved: x.Reason == reason.None && x.DE39 == pos.Approved, Repeat: x.Flags&journal.FlagRepeat != 0, Moved: x.Delta != 0,
		Placed: proof.States(x.Checks).Of(proof.Place) == proof.Passed}
	if x.Reason != reason.None {
		s.Reason = x.Reason.String()
	}
	return s
}
