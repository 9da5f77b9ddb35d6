package faultproxy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Direction is which way bytes go.
type Direction uint8

// The directions.
const (
	Request Direction = iota // from the terminal to the host
	Answer                   // from the host to the terminal
)

// String is the direction's word.
func (d Direction) String() string {
	if d == Request {
		return "request"
	}
	return "answer"
}

// Kind is what is done to a unit.
type Kind string

// The kinds. Wait, Spread and Bytes are those of the Toxic.
const (
	Delay     Kind = "delay"     // it leaves after Wait and, by seed, up to Spread more
	Stall     Kind = "stall"     // nothing passes on its connection, either way, for Wait
	Split     Kind = "split"     // it leaves in segments of 1 to Bytes bytes, by seed
	Throttle  Kind = "throttle"  // it leaves at Bytes bytes a second
	Coalesce  Kind = "coalesce"  // it leaves in one write with the next of its connection, after Wait at the latest
	Duplicate Kind = "duplicate" // it leaves twice, at once
	Replay    Kind = "replay"    // it leaves, and once more Wait after the next unit of any connection
	Reorder   Kind = "reorder"   // it leaves Wait after the next unit of any connection, also when its sender has hung up
	Drop      Kind = "drop"      // it does not leave
	Alter     Kind = "alter"     // the lowest bit of its byte number Bytes, from its end, is turned over
	Cut       Kind = "cut"       // its first Bytes bytes leave, then both connections end in order (FIN)
	Reset     Kind = "reset"     // the same, but both connections are torn down (RST)
	HalfOpen  Kind = "half-open" // neither it nor anything after it, the end included, leaves this way; the other way stays open
	Refuse    Kind = "refuse"    // of requests: the connection with this number is closed as soon as it is there
)

// row is what a kind takes and what it has when nothing is said.
type row struct {
	kind   Kind
	wait   time.Duration
	spread time.Duration
	bytes  int
	takes  string // the names of its parameters
}

var rows = []row{
	{Delay, 50 * time.Millisecond, 50 * time.Millisecond, 0, "wait spread"},
	{Stall, 100 * time.Millisecond, 0, 0, "wait"},
	{Split, 0, 0, 7, "bytes"},
	{Throttle, 0, 0, 4096, "bytes"},
	{Coalesce, 5 * time.Millisecond, 0, 0, "wait"},
	{Duplicate, 0, 0, 0, ""},
	{Replay, 20 * time.Millisecond, 0, 0, "wait"},
	{Reorder, 20 * time.Millisecond, 0, 0, "wait"},
	{Drop, 0, 0, 0, ""},
	{Alter, 0, 0, 1, "bytes"},
	{Cut, 0, 0, 7, "bytes"},
	{Reset, 0, 0, 7, "bytes"},
	{HalfOpen, 0, 0, 0, ""},
	{Refuse, 0, 0, 0, ""},
}

func rowOf(k Kind) (row, bool) {
	i := slices.IndexFunc(rows, func(r row) bool { return r.kind == k })
	if i < 0 {
		return row{}, false
	}
	return rows[i], true
}

// Kinds are all kinds in the order of this file.
func Kinds() (all []Kind) {
	for _, r := range rows {
		all = append(all, r.kind)
	}
	return all
}

// Toxic is one thing that is done to one unit, or to every one.
type Toxic struct {
	Direction Direction
	Unit      int // the n-th in its direction since Arm, over all connections, from 1; 0 is every one
	Kind      Kind
	Wait      time.Duration
	Spread    time.Duration
	Bytes     int
}

// New is a toxic with its kind's own parameters.
func New(d Direction, unit int, k Kind) Toxic {
	r, _ := rowOf(k)
	return Toxic{d, unit, k, r.wait, r.spread, r.bytes}
}

// ErrToxic is returned for a text that is no toxic or no schedule.
var ErrToxic = errors.New("toxic")

// The bounds of a toxic: it may not keep a person waiting for ever.
const (
	maxWait  = time.Minute
	maxBytes = 1 << 20
)

// String is the toxic as Parse reads it: "request:2:cut:bytes=7".
func (t Toxic) String() string {
	unit := "*"
	if t.Unit > 0 {
		unit = strconv.Itoa(t.Unit)
	}
	s := fmt.Sprintf("%s:%s:%s", t.Direction, unit, t.Kind)
	r, _ := rowOf(t.Kind)
	var params []string
	for name := range strings.FieldsSeq(r.takes) {
		switch name {
		case "wait":
			params = append(params, "wait="+t.Wait.String())
		case "spread":
			params = append(params, "spread="+t.Spread.String())
		case "bytes":
			params = append(params, "bytes="+strconv.Itoa(t.Bytes))
		}
	}
	if len(params) == 0 {
		return s
	}
	return s + ":" + strings.Join(params, ",")
}

// ParseToxic reads DIRECTION:UNIT:KIND[:NAME=VALUE,...]; UNIT is a number from 1, or * for every unit.
// What is not said has the kind's own value. It fails with ErrToxic.
func ParseToxic(text string) (Toxic, error) {
	bad := func(what string) (Toxic, error) { return Toxic{}, fmt.Errorf("%w %q: %s", ErrToxic, text, what) }
	parts := strings.SplitN(text, ":", 4)
	if len(parts) < 3 {
		return bad("want DIRECTION:UNIT:KIND, such as request:2:drop")
	}
	d := Request
	switch parts[0] {
	case "request":
	case "answer":
		d = Answer
	default:
		return bad("the direction is request or answer")
	}
	unit := 0
	if parts[1] != "*" {
		var err error
		if unit, err = strconv.Atoi(parts[1]); err != nil || unit < 1 {
			return bad("the unit is a number from 1, or *")
		}
	}
	r, known := rowOf(Kind(parts[2]))
	if !known {
		return bad("no such kind")
	}
	if r.kind == Refuse && d != Request {
		return bad("refuse is of requests")
	}
	t := New(d, unit, r.kind)
	if len(parts) == 4 {
		for param := range strings.SplitSeq(parts[3], ",") {
			if what := t.set(r, param); what != "" {
				return bad(what)
			}
		}
	}
	return t, nil
}

// set takes one NAME=VALUE, or tells what is wrong with it.
func (t *Toxic) set(r row, param string) (wrong string) {
	name, value, _ := strings.Cut(param, "=")
	if !slices.Contains(strings.Fields(r.takes), name) {
		return fmt.Sprintf("%s takes no %q", r.kind, name)
	}
	if name == "bytes" {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > maxBytes || n == 0 && (r.kind == Split || r.kind == Throttle || r.kind == Alter) {
			return "bytes is a number"
		}
		t.Bytes = n
		return ""
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 || d > maxWait {
		return name + " is a time such as 50ms, up to " + maxWait.String()
	}
	if name == "wait" {
		t.Wait = d
	} else {
		t.Spread = d
	}
	return ""
}

// Schedule is a whole plan. The zero value does nothing.
type Schedule struct {
	Seed   uint64 // of every draw
	Toxics []Toxic
}

// String is the schedule as ParseSchedule reads it.
func (s Schedule) String() string {
	var words []string
	for _, t := range s.Toxics {
		words = append(words, t.String())
	}
	return strings.Join(append(words, "seed="+strconv.FormatUint(s.Seed, 10)), " ")
}

// ParseSchedule reads toxics with spaces between them, and seed=N anywhere. It fails with ErrToxic.
func ParseSchedule(text string) (s Schedule, err error) {
	for word := range strings.FieldsSeq(text) {
		if n, ok := strings.CutPrefix(word, "seed="); ok {
			if s.Seed, err = strconv.ParseUint(n, 10, 64); err != nil {
				return Schedule{}, fmt.Errorf("%w: the seed is a number", ErrToxic)
			}
			continue
		}
		t, err := ParseToxic(word)
		if err != nil {
			return Schedule{}, err
		}
		s.Toxics = append(s.Toxics, t)
	}
	return s, nil
}
