package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"touchstone/lab"
	"touchstone/pos"
	"touchstone/terminal"
)

// Rig is what a check works with.
type Rig struct {
	TCP, TLS string // the host's endpoints
	From     string // local address of the reserved terminals, "" for any
	CA       []byte // PEM: the registered authorities of the endpoint's certificate

	// Terminal opens a reserved terminal of the assessed kind with a position, nil for none. One is open at a time.
	Terminal func(place *terminal.Location) (*terminal.Terminal, error)
	ID       pos.TerminalID // of that terminal
	Card     func() (terminal.Card, error)
	Place    terminal.Location // where the terminal is registered to stand
	Journal  Journal
	Gate     func(ctx context.Context, target string) error // waits for its turn before each message; an error ends the check
	Now      func() time.Time
}

// Journal is how the host's own record of a message is found.
type Journal interface {
	// Head is the newest durable entry.
	Head(ctx context.Context) (uint64, error)
	// Find lists the judged messages of a terminal and trace after an entry. It waits a little for the first.
	Find(ctx context.Context, after uint64, terminal pos.TerminalID, trace pos.STAN) ([]Seen, error)
}

// Seen is one judged message.
type Seen struct {
	Entry    uint64
	Reason   string // "" is none: not refused
	Approved bool
	Repeat   bool // the answer of before, sent again
	Moved    bool // money moved
	Placed   bool // the position was proven
}

// Step is one thing that was done and what came of it.
type Step struct {
	Name   string   `json:"step"`
	At     string   `json:"at"`             // RFC 3339, UTC
	Sent   string   `json:"sent,omitempty"` // without card data
	Want   []string `json:"want"`           // what may come of it
	Answer string   `json:"answer"`         // DE39, alert, closed, none ...
	Got    string   `json:"got"`            // one of Want is right
	Entry  uint64   `json:"entry,omitempty"`
	Note   string   `json:"note,omitempty"`
}

// What may come of a step besides the reasons of refusals.
const (
	GotApproved = "approved"
	GotNothing  = "no answer" // the check could not be done
	GotUnsent   = "not sent"
	GotMoney    = "money moved"
	GotRefused  = "refused" // without an entry of its own: the flood limit, or no message at all
	GotFlagged  = "accepted, the position not proven"
)

// Outcome is what a check found.
type Outcome struct {
	lab.Result
	Transcript []byte // JSON Lines, one Step each
	Start, End time.Time
}

// check is one check of the wire.
type check func(ctx context.Context, r *Rig) ([]Step, error)

// checks are the checks by the names of profiles.
var checks = map[string]check{
	"serial-binding":     serialBinding,
	"location":           location,
	"old-tls":            oldTLS,
	"server-certificate": serverCertificate,
	"mac-coverage":       macCoverage,
	"replay":             replay,
}

// ErrCheck is returned for a check that this package has not.
var ErrCheck = errors.New("probe: no such check")

// Run does a check. An error means that it was stopped: nothing is found and nothing is to be kept.
func Run(ctx context.Context, r *Rig, name string) (Outcome, error) {
	do := checks[name]
	if do == nil {
		return Outcome{}, fmt.Errorf("%w: %.40q", ErrCheck, name)
	}
	out := Outcome{Start: r.Now()}
	steps, err := do(ctx, r)
	if err != nil {
		return Outcome{}, err
	}
	out.End = r.Now()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for i := range steps {
		if err := enc.Encode(&steps[i]); err != nil {
			return Outcome{}, err
		}
	}
	out.Transcript, out.Result = b.Bytes(), Judge(steps)
	return out, nil
}

// maxTranscript bounds a transcript that is read, in bytes, and maxSteps its steps.
const (
	maxTranscript = 4 << 20
	maxSteps      = 10_000
)

// ReadTranscript reads the steps of a kept transcript.
func ReadTranscript(b []byte) (steps []Step, err error) {
	if len(b) > maxTranscript {
		return nil, fmt.Errorf("%w: a transcript of more than %d bytes", ErrCheck, maxTranscript)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	for dec.More() {
		var s Step
		if err := dec.Decode(&s); err != nil || len(steps) >= maxSteps {
			return nil, fmt.Errorf("%w: not a transcript", ErrCheck)
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// OK tells whether what came of a step is what may.
func (s *Step) OK() bool { return slices.Contains(s.Want, s.Got) }

// undone tells that nothing can be said of a step: it was not done, or was refused and nobody can tell why.
func (s *Step) undone() bool { return s.Got == GotNothing || s.Got == GotUnsent || s.Got == GotRefused }

// Judge is the verdict of steps: fail if something came of one that may not, else inconclusive if one could not be
// done, or there is none.
func Judge(steps []Step) lab.Result {
	var wrong, undone []string
	for i := range steps {
		switch s := &steps[i]; {
		case s.OK():
		case s.undone():
			undone = append(undone, s.Name)
		default:
			wrong = append(wrong, fmt.Sprintf("%s: %s", s.Name, s.Got))
		}
	}
	switch {
	case len(wrong) > 0:
		return result(lab.Fail, fmt.Sprintf("%d of %d steps ended as they must not: %.600s", len(wrong), len(steps), strings.Join(wrong, "; ")),
			fmt.Sprintf("%[2]d 步中有 %[1]d 步结果不符: %.600[3]s", len(wrong), len(steps), strings.Join(wrong, "; ")))
	case len(undone) > 0 || len(steps) == 0:
		return result(lab.Inconclusive, fmt.Sprintf("%d of %d steps could not be done: %.600s", len(undone), len(steps), strings.Join(undone, "; ")),
			fmt.Sprintf("%[2]d 步中有 %[1]d 步无法执行: %.600[3]s", len(undone), len(steps), strings.Join(undone, "; ")))
	}
	return result(lab.Pass, fmt.Sprintf("%d steps, each ended as it must", len(steps)), fmt.Sprintf("%d 步, 结果全部相符", len(steps)))
}

func result(v lab.Verdict, en, zh string) lab.Result {
	return lab.Result{Verdict: v, Detail: lab.Text{EN: en, ZH: zh}}
}

func (r *Rig) at() string { return r.Now().UTC().Format(time.RFC3339Nano) }
