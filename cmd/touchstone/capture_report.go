package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"touchstone/capture"
	"touchstone/explain"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// analyzeOptions say how a capture is read. The zero value reads all of it without keys.
type analyzeOptions struct {
	world    *mirror        // with keys: what is known of terminals, and the module; nil: without
	port     uint16         // of the host; 0: found by structure
	terminal pos.TerminalID // zero: all
	progress func(read int64)
	each     func(*captureFinding) error // told of every message, in the order of each terminal's requests
	most     int                         // findings that the report keeps; 0 is maxFindings
}

// maxFindings is how many refusals a report lists; the rest is counted in Unlisted.
const maxFindings = 10_000

// captureReport is what a capture holds. Findings are its refusals and what could not be read.
type captureReport struct {
	Begins      time.Time          `json:"begins"`
	Ends        time.Time          `json:"ends"`
	Keys        string             `json:"keys"` // none; past: with those of a directory as it was when the capture began; young: of one that was made later
	Seen        capture.Stats      `json:"seen"`
	Codes       map[string]uint64  `json:"answers_by_code"` // pairs by DE39; "" is no code in the answer
	Reasons     map[string]uint64  `json:"refusals_by_reason"`
	Causes      map[string]uint64  `json:"refusals_by_cause"`
	Terminals   []*terminalTraffic `json:"terminals"` // in the order of their numbers
	Unnamed     uint64             `json:"terminals_not_listed"`
	TimesMS     captureTimes       `json:"answer_ms"`
	Refused     uint64             `json:"refused"`
	Findings    []captureFinding   `json:"findings"`
	Unlisted    uint64             `json:"findings_not_listed"`
	Torn        bool               `json:"file_breaks_off"`
	Interrupted bool               `json:"interrupted,omitempty"` // by Ctrl-C: what follows was not read
}

// captureTimes are response times in milliseconds, from the packet that completed the request to the one that completed
// the answer.
type captureTimes struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// terminalTraffic is what one terminal sent.
type terminalTraffic struct {
	Terminal   string `json:"terminal"`
	Requests   uint64 `json:"requests"`
	Refused    uint64 `json:"refused"`
	Unanswered uint64 `json:"unanswered"`
}

// maxTrafficked is how many terminals are counted one by one.
const maxTrafficked = 1 << 20

// captureFinding is one request of a capture with what is known of it. No more of a card or a key is in it than of
// an entry of the journal.
type captureFinding struct {
	Frame    uint64    `json:"frame"`                  // packet that completed the request, as Wireshark numbers them
	Answer   uint64    `json:"answer_frame,omitempty"` // packet that completed the answer, 0 none
	At       time.Time `json:"at"`
	Stream   uint64    `json:"stream"`
	Client   string    `json:"client"`
	Server   string    `json:"server"`
	Kind     string    `json:"kind"` // message, malformed, cut, no_frame
	Terminal string    `json:"terminal,omitempty"`
	Merchant string    `json:"merchant,omitempty"`
	Trace    string    `json:"trace,omitempty"`
	MTI      string    `json:"mti,omitempty"`
	What     string    `json:"what"`
	Amount   string    `json:"amount,omitempty"`
	Answered bool      `json:"answered"`
	Repeat   bool      `json:"repeat,omitempty"`
	Code     string    `json:"de39,omitempty"` // of the answer
	TookMS   float64   `json:"took_ms,omitempty"`
	Note     string    `json:"note,omitempty"` // why no answer was seen, or what is malformed

	// Without keys a code is never more than a list of what it may mean.
	Possible []string `json:"possible_reasons,omitempty"`

	// With keys: the verdict made again, and what experiment found behind it.
	Reason    string            `json:"reason,omitempty"` // "" not known
	Judged    string            `json:"judged,omitempty"` // same, other, blind: the verdict made again gives the code seen, another one, or rests on what came before the capture
	Blind     string            `json:"blind,omitempty"`  // what is missing, a stable word
	Cause     string            `json:"cause,omitempty"`  // "" with certainty proven: the verdict itself is the proof
	Certainty journal.Certainty `json:"certainty,omitempty"`
	Variant   string            `json:"variant,omitempty"`
	Owner     string            `json:"who_acts,omitempty"`
	Facts     map[string]string `json:"facts,omitempty"`
	Tried     uint32            `json:"tried,omitempty"`
	Fit       uint32            `json:"fit,omitempty"`
	OneIn     uint64            `json:"one_in,omitempty"`
	With      uint64            `json:"with_frame,omitempty"` // packet of another message that agrees

	verdict judgement
	record  *journal.Cause // of the experiment, nil none was made
}

// The words of Judged.
const (
	judgedSame  = "same"
	judgedOther = "other"
	judgedBlind = "blind"
)

var kindWords = map[capture.Kind]string{capture.Message: "message", capture.Malformed: "malformed", capture.Cut: "cut", capture.NoFrame: "no_frame"}

// analysis adds up the pairs of one capture.
type analysis struct {
	o         analyzeOptions
	catalogue *explain.Catalogue
	report    captureReport
	traffic   map[pos.TerminalID]*terminalTraffic
	times     *hdrhistogram.Histogram // microseconds
}

// longestTook is the longest response time that is told apart, microseconds.
const longestTook = 10 * 60 * 1_000_000

// analyzeCapture reads a capture from front to back. A file that breaks off gives the report of what was before it,
// with Torn set, as a cancelled ctx does with Interrupted. An error is that of the reader, capture.ErrFormat, or what o.each returned.
func analyzeCapture(ctx context.Context, r io.Reader, o analyzeOptions) (*captureReport, error) {
	catalogue, err := explain.Load()
	if err != nil {
		return nil, err
	}
	if o.most == 0 {
		o.most = maxFindings
	}
	n := &analysis{o: o, catalogue: catalogue, traffic: map[pos.TerminalID]*terminalTraffic{}, times: hdrhistogram.New(1, longestTook, 3)}
	n.report = captureReport{Keys: "none", Codes: map[string]uint64{}, Reasons: map[string]uint64{}, Causes: map[string]uint64{}, Findings: []captureFinding{}}
	t := capture.NewTracker(capture.Options{Port: o.port, Frames: o.world != nil, OnPair: func(p *capture.Pair) error { return n.pair(ctx, p) }, OnData: o.progress})
	if o.world != nil {
		o.world.since = func() pos.Instant { return t.Stats().First }
	}
	err = t.Read(ctx, r)
	stats, told := t.Close()
	if errors.Is(err, capture.ErrTorn) {
		n.report.Torn, err = true, nil
	}
	err = cmp.Or(err, told)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		n.report.Interrupted, err = true, nil
	}
	if err != nil {
		return nil, err
	}
	if n.finish(stats); o.world != nil {
		n.report.Keys = o.world.knows()
	}
	return &n.report, nil
}

func (n *analysis) finish(stats capture.Stats) {
	r := &n.report
	r.Seen, r.Begins, r.Ends = stats, stats.First.Time(), stats.Last.Time()
	for _, t := range n.traffic {
		r.Terminals = append(r.Terminals, t)
	}
	slices.SortFunc(r.Terminals, func(a, b *terminalTraffic) int { return cmp.Compare(a.Terminal, b.Terminal) })
	slices.SortStableFunc(r.Findings, func(a, b captureFinding) int { return cmp.Compare(a.Frame, b.Frame) })
	ms := func(q float64) float64 { return float64(n.times.ValueAtQuantile(q)) / 1000 }
	if n.times.TotalCount() > 0 {
		r.TimesMS = captureTimes{ms(50), ms(90), ms(99), float64(n.times.Max()) / 1000}
	}
}

// pair takes one request. Where nobody wants to see every message, one that is approved is only counted.
func (n *analysis) pair(ctx context.Context, p *capture.Pair) error {
	var verdict judgement
	if n.o.world != nil {
		var err error
		if verdict, err = n.o.world.judge(ctx, p); err != nil {
			return err
		}
	}
	if n.o.terminal != (pos.TerminalID{}) && n.o.terminal != p.Request.Terminal {
		return nil
	}
	bad := refusedPair(p) || closedPair(p, &verdict)
	n.count(p, bad)
	if !bad && n.o.each == nil {
		return nil
	}
	f := n.finding(p, &verdict)
	if bad {
		n.keep(f)
	}
	if n.o.each != nil {
		return n.o.each(f)
	}
	return nil
}

// refusedPair tells whether a request was refused, or not answered because it could not be read.
func refusedPair(p *capture.Pair) bool {
	return p.Kind != capture.Message || p.Answered && p.Answer.Code != pos.Approved
}

func (n *analysis) count(p *capture.Pair, bad bool) {
	r := &n.report
	if bad {
		r.Refused++
	}
	if p.Answered {
		r.Codes[p.Answer.Code.String()]++
		_ = n.times.RecordValue(min(max(p.Took().Microseconds(), 0), longestTook)) // within its bounds
	}
	id := p.Request.Terminal
	if id == (pos.TerminalID{}) {
		return
	}
	t := n.traffic[id]
	if t == nil {
		if len(n.traffic) >= maxTrafficked {
			r.Unnamed++
			return
		}
		t = &terminalTraffic{Terminal: id.String()}
		n.traffic[id] = t
	}
	t.Requests++
	if bad {
		t.Refused++
	}
	if !p.Answered {
		t.Unanswered++
	}
}

func (n *analysis) keep(f *captureFinding) {
	r := &n.report
	name := f.Reason
	if name == "" {
		name = "unknown"
	}
	r.Reasons[name]++
	if f.Certainty == journal.Proven || f.Certainty == journal.Indicated {
		r.Causes[cmp.Or(f.Cause, f.Reason)]++ // without a cause the verdict itself is the proof
	} else {
		r.Causes["unproven"]++
	}
	if len(r.Findings) >= n.o.most {
		r.Unlisted++
		return
	}
	r.Findings = append(r.Findings, *f)
}

// finding puts a pair into words of tables.
func (n *analysis) finding(p *capture.Pair, v *judgement) *captureFinding {
	f := findingOf(p)
	f.verdict = *v
	if refusedPair(p) {
		n.possible(f, p)
	}
	if n.o.world != nil {
		f.judged(p, v)
	}
	return f
}

func findingOf(p *capture.Pair) *captureFinding {
	q := &p.Request
	f := &captureFinding{Frame: q.Packet, At: q.At.Time(), Stream: p.Stream, Client: place(p.Client), Server: place(p.Server), Kind: kindWords[p.Kind],
		What: whatOf(&journal.Exchange{MTI: q.MTI, Type: q.Type, Network: q.Network}), Answered: p.Answered, Repeat: p.Repeat}
	if p.Kind == capture.Cut || p.Kind == capture.NoFrame {
		f.What = "unreadable"
	}
	if q.Terminal != (pos.TerminalID{}) {
		f.Terminal, f.Merchant = q.Terminal.String(), printableID(q.Merchant[:])
	}
	if q.HasSTAN {
		f.Trace = q.STAN.String()
	}
	if q.MTI != 0 {
		f.MTI = q.MTI.String()
	}
	if q.Amount != 0 {
		f.Amount = q.Amount.String()
	}
	if p.Answered {
		f.Answer, f.Code, f.TookMS = p.Answer.Packet, p.Answer.Code.String(), float64(p.Took().Microseconds())/1000
	}
	switch {
	case q.Fault != "":
		f.Note = q.Fault
	case p.Answered:
	case p.Gap:
		f.Note = "bytes of this connection were not captured"
	case p.Closed:
		f.Note = "the connection ended without an answer"
	default:
		f.Note = "no answer was seen"
	}
	return f
}

func place(e capture.Endpoint) string {
	host := e.Address.String()
	if !e.Address.Is4() {
		host = "[" + host + "]"
	}
	return host + ":" + portText(e.Port)
}

// possible lists what this host answers with the code, never which of it was meant. A frame that is none proves itself.
func (n *analysis) possible(f *captureFinding, p *capture.Pair) {
	switch p.Kind {
	case capture.Cut, capture.NoFrame:
		f.proves(reason.FrameMalformed)
		return
	case capture.Malformed:
		f.proves(reason.MessageMalformed)
		return
	}
	code, _ := n.catalogue.Code(p.Answer.Code)
	for _, r := range code.Reasons {
		if p.Request.MACed && r == reason.MACMissing || !p.Request.MACed && r == reason.MACFailed {
			continue // the capture itself shows whether DE64 is there
		}
		f.Possible = append(f.Possible, r.String())
	}
}

// proves is a verdict that the bytes themselves are the proof of.
func (f *captureFinding) proves(r reason.Reason) {
	f.Reason, f.Judged, f.Certainty, f.Owner = r.String(), judgedSame, journal.Proven, r.Owner().String()
}
