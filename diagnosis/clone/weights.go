package clone

import (
	"bytes"
	_ "embed" // the table of weights
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

//go:embed weights.json
var weightsFile []byte

// ErrWeights is returned for a table of weights that may not be used.
var ErrWeights = errors.New("clone weights")

// Kind is what one event says against one device.
type Kind uint8

// The kinds; Follows contradicts nothing.
const (
	Follows Kind = iota
	TraceBack
	SameTraceFirst
	SameTrace
	ReturnNear
	ReturnFar
	StaleKey
	AddressReturn
	PingPong
	CertificateReturn
	Travel
	SerialReturn
	VersionReturn
	kinds
)

var kindNames = [kinds]string{"follows", "trace_back", "same_trace_first", "same_trace", "trace_return_near", "trace_return_far",
	"stale_key", "address_return", "sign_in_ping_pong", "certificate_return", "travel", "serial_return", "version_return"}

// String is the kind's stable word.
func (k Kind) String() string {
	if k < kinds {
		return kindNames[k]
	}
	return kindNames[Follows]
}

// Text is one text in both languages.
type Text struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// Weight is one row of the table.
type Weight struct {
	Kind       string  `json:"kind"`
	Weight     int     `json:"weight"`         // ten times log10 of two over one, rounded down
	One        float64 `json:"one"`            // chance of a message that one honest device does so: an upper bound
	Two        float64 `json:"two"`            // chance when two devices take turns: a lower bound
	Once       bool    `json:"once,omitempty"` // counted once in a window however often
	Most       int     `json:"most,omitempty"` // all of the kind together, 0 no bound
	Soft       bool    `json:"soft,omitempty"` // a defect or a habit of one device shows it again and again: with the other such kinds at most SoftMost
	Confidence string  `json:"confidence"`     // unverified: no fleet was measured
	Says       Text    `json:"says"`
	Why        string  `json:"why"` // the derivation
	WhyZH      string  `json:"why_zh,omitempty"`
}

// Weights is the table and what the rules around it need.
type Weights struct {
	Threshold   int      `json:"threshold"`     // sum of weights at which two devices are suspected
	Window      string   `json:"window"`        // events older than this count no more
	AtOnce      string   `json:"at_once"`       // two addresses are at once within this
	Apart       string   `json:"apart"`         // certificates, serial numbers and versions are in turn within this
	Gap         uint32   `json:"gap"`           // a sequence goes on within so many traces
	Near        uint32   `json:"near"`          // one that another sequence overtook goes on within so many
	Far         uint32   `json:"far"`           // two sequences are far from each other beyond this
	Speed       float64  `json:"speed_km_h"`    // nothing travels faster
	Uncertainty float64  `json:"uncertainty_m"` // of each reported place
	SoftMost    int      `json:"soft_most"`     // all soft kinds together: with a restart of the traces still below the threshold
	Kinds       []Weight `json:"kinds"`

	rows   [kinds]Weight
	window time.Duration
	atOnce time.Duration
	apart  time.Duration
}

// Builtin is the table of this release.
func Builtin() *Weights {
	w, err := ParseWeights(weightsFile)
	if err != nil {
		panic("touchstone: " + err.Error()) // a broken invariant of ours: a test reads it too
	}
	return w
}

// ParseWeights reads a table. A weight greater than its own derivation gives is refused.
func ParseWeights(raw []byte) (*Weights, error) {
	w := &Weights{}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(w); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWeights, err)
	}
	for _, d := range []struct {
		text string
		to   *time.Duration
	}{{w.Window, &w.window}, {w.AtOnce, &w.atOnce}, {w.Apart, &w.apart}} {
		v, err := time.ParseDuration(d.text)
		if err != nil || v < time.Second || v > 24*time.Hour {
			return nil, fmt.Errorf("%w: a time is not 1s to 24h", ErrWeights)
		}
		*d.to = v
	}
	if w.SoftMost < 0 || w.SoftMost >= w.Threshold-25 {
		return nil, fmt.Errorf("%w: soft_most and one loss of traces reach the threshold", ErrWeights)
	}
	if w.Threshold < 50 || w.Gap < 1 || w.Near < 1 || w.Near > w.Gap || w.Far <= w.Gap || w.Far > 1000 || !(w.Speed >= 100) || !(w.Uncertainty >= 0) {
		return nil, fmt.Errorf("%w: threshold at least 50, gap at least 1 and less than far, speed at least 100", ErrWeights)
	}
	for _, row := range w.Kinds {
		k := kindOf(row.Kind)
		bound := math.Floor(10*math.Log10(row.Two/row.One) + 1e-9)
		switch {
		case k == Follows || w.rows[k].Kind != "":
			return nil, fmt.Errorf("%w: %.40q is no kind, or is there twice", ErrWeights, row.Kind)
		case !(row.One > 0 && row.One < row.Two && row.Two <= 1) || row.Weight < 0 || float64(row.Weight) > bound:
			return nil, fmt.Errorf("%w: %s: its weight is more than its chances give", ErrWeights, row.Kind)
		case row.Says.EN == "" || row.Says.ZH == "" || row.Why == "" || row.Confidence == "":
			return nil, fmt.Errorf("%w: %s: says, why or confidence is missing", ErrWeights, row.Kind)
		}
		w.rows[k] = row
	}
	for k := TraceBack; k < kinds; k++ {
		if w.rows[k].Kind == "" {
			return nil, fmt.Errorf("%w: %s is missing", ErrWeights, k)
		}
	}
	return w, nil
}

func kindOf(name string) Kind {
	for k, known := range kindNames {
		if known == name {
			return Kind(k)
		}
	}
	return Follows
}

// Of is the row of a kind.
func (w *Weights) Of(k Kind) Weight { return w.rows[min(k, kinds-1)] }

// Row is the row of a kind by its name; the zero Weight where there is none.
func (w *Weights) Row(name string) Weight { return w.rows[kindOf(name)] }

// OneIn is a sum of weights as "one device does this once in so many", to two digits, at most 10^15.
func OneIn(weight int) uint64 {
	v := math.Pow(10, math.Min(15, float64(weight)/10))
	unit := math.Pow(10, math.Max(0, math.Floor(math.Log10(v)+1e-9)-1))
	return uint64(math.Floor(v/unit+1e-9) * unit)
}
