package main

import (
	"strconv"

	"touchstone/capture"
	"touchstone/diagnosis"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

func portText(p uint16) string { return strconv.Itoa(int(p)) }

// mirror judges captured messages as a host would that knew what a data directory knows; it writes nothing.
type mirror struct{}

// judgement is what a mirror says of one request.
type judgement struct {
	made    bool
	reason  reason.Reason
	code    pos.ResponseCode
	blind   string // what would have to be known from before the capture; "" nothing
	entry   journal.Exchange
	finding *diagnosis.Finding // of an experiment, nil none was made
}

func (m *mirror) judge(p *capture.Pair) (judgement, error) { return judgement{}, nil }

// judged takes over what the mirror says.
func (f *captureFinding) judged(p *capture.Pair, v *judgement) {}
