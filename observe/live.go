package observe

import (
	"sync"
	"sync/atomic"
	"time"

	"touchstone/host"
	"touchstone/pos"
	"touchstone/reason"
)

// reasons bounds the numbers of reasons; what is outside the table counts as the last.
const reasons = 128

// cell counts the answers of one function and reason, by the index of their code.
type cell [maxCodes]atomic.Uint64

// maxCodes bounds the answer codes: those of the table of reasons, and one each for no answer and for
// any other.
const maxCodes = 64

// Live is what the host did since it started. Its methods may be called by many goroutines; those that
// the line, the listener and the committer call only add to counters and never wait.
type Live struct {
	cells    [int(functions) * reasons]atomic.Pointer[cell]
	codes    []pos.ResponseCode // by index; 0 is no answer, the last any other code
	codeAt   map[pos.ResponseCode]uint8
	codeOf   [reasons]uint8 // index of a reason's own code, which nearly every answer has
	finished atomic.Uint64
	decided  Histogram
	answered Histogram

	blocks, entries atomic.Uint64
	blockSize       [blockBuckets]atomic.Uint64
	append          Histogram
	lastBlock       atomic.Int64 // Unix nanoseconds, 0 before the first

	checkpoints, checkpointFailures atomic.Uint64
	checkpointTook                  Histogram
	lastCheckpoint, lastTook        atomic.Int64 // Unix nanoseconds, nanoseconds

	mu      sync.Mutex // guards the field below
	history history
}

var _ host.Watcher = (*Live)(nil)

// NewLive makes an empty one; start is when the process began to count.
func NewLive(start time.Time) *Live {
	l := &Live{codes: []pos.ResponseCode{{}}, codeAt: map[pos.ResponseCode]uint8{{}: 0}}
	for _, r := range append([]reason.Reason{reason.None}, reason.All()...) {
		c := r.DE39()
		if _, known := l.codeAt[c]; !known {
			l.codeAt[c] = uint8(len(l.codes))
			l.codes = append(l.codes, c)
		}
		if int(r) < reasons {
			l.codeOf[r] = l.codeAt[c]
		}
	}
	l.codes = append(l.codes, pos.ResponseCode{'?', '?'})
	if len(l.codes) > maxCodes {
		panic("observe: the table of reasons has more answer codes than there is room for")
	}
	l.history.begin(start)
	return l
}

// Finished implements host.Watcher.
func (l *Live) Finished(s *host.Seen) {
	r := min(int(s.Reason), reasons-1)
	code := l.codeOf[r]
	if l.codes[code] != s.Code {
		code = l.indexOf(s.Code)
	}
	at := &l.cells[int(FunctionOf(s.MTI, s.Type, s.Network))*reasons+r]
	c := at.Load()
	if c == nil {
		at.CompareAndSwap(nil, new(cell))
		c = at.Load()
	}
	c[code].Add(1)
	l.finished.Add(1)
	if s.Decided > 0 {
		l.decided.Add(s.Decided)
	}
}

// indexOf is the index of a code; the answer to a repeat has the code of another reason.
func (l *Live) indexOf(c pos.ResponseCode) uint8 {
	if i, known := l.codeAt[c]; known {
		return i
	}
	return uint8(len(l.codes) - 1)
}

// Answered tells how long after its frame was read an answer was given to its connection.
func (l *Live) Answered(d time.Duration) { l.answered.Add(d) }

// FinishedCount is how many messages have ended.
func (l *Live) FinishedCount() uint64 { return l.finished.Load() }

// each calls f for every function, reason and code that was seen.
func (l *Live) each(f func(fn Function, r reason.Reason, code pos.ResponseCode, n uint64)) {
	for i := range l.cells {
		c := l.cells[i].Load()
		if c == nil {
			continue
		}
		for code := range l.codes {
			if n := c[code].Load(); n > 0 {
				f(Function(i/reasons), reason.Reason(i%reasons), l.codes[code], n)
			}
		}
	}
}

// Totals are the sums of a Live.
type Totals struct {
	Messages  uint64
	Approved  uint64 // answers 00 to functions that can move money
	Money     uint64 // messages of those functions
	ByReason  [reasons]uint64
	Unwritten uint64 // messages that got no answer
}

// Totals adds up.
func (l *Live) Totals() (t Totals) {
	l.each(func(fn Function, r reason.Reason, code pos.ResponseCode, n uint64) {
		t.Messages += n
		t.ByReason[r] += n
		if code == (pos.ResponseCode{}) {
			t.Unwritten += n
		}
		if fn.Money() {
			t.Money += n
			if code == pos.Approved {
				t.Approved += n
			}
		}
	})
	return t
}
