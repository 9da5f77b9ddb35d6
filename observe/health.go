package observe

import (
	"sync"
	"time"
)

// Check is one condition of readiness.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Says string `json:"says,omitempty"` // a constant text of this program
}

// Health is what /healthz and /readyz answer.
type Health struct {
	OK     bool    `json:"ok"`
	Checks []Check `json:"checks"`
}

func healthOf(checks ...Check) Health {
	h := Health{OK: true, Checks: checks}
	for _, c := range checks {
		h.OK = h.OK && c.OK
	}
	return h
}

func check(name string, ok bool, says string) Check {
	if ok {
		says = ""
	}
	return Check{name, ok, says}
}

// health is for who decides to kill the process: it lives, and its journal has not failed.
func (s *Sources) health() Health {
	return healthOf(check("journal", !s.Journal().Failed, "the journal failed: nothing more is answered"))
}

// queueReady is the share of the queue above which no new traffic should be sent here.
const queueReady = 0.8

// readiness is for who decides to send traffic here.
func (s *Sources) readiness(selfTest error) Health {
	j, serving := s.Journal(), false
	listeners := s.Listeners()
	for _, l := range listeners {
		serving = serving || l.Serving
	}
	q := j.Queue
	low := float64(q.Entries) < queueReady*float64(q.MostEntries) && float64(q.Bytes) < queueReady*float64(q.MostBytes)
	return healthOf(
		check("listening", serving, "no listener accepts"),
		check("module", !s.Module().Sealed, "the security module is sealed"),
		check("self_test", selfTest == nil, "the security module's self-test failed"),
		check("journal", !j.Failed, "the journal failed: nothing more is answered"),
		check("disk", j.Writable, "the data directory's disk is full"),
		check("queue", low, "the queue before the journal is nearly full"),
		check("load", !s.Overloaded(), "new work is being refused"),
	)
}

// selfTests keeps the result of a self-test for a while: asking for readiness must cost nothing.
type selfTests struct {
	test func() error

	mu  sync.Mutex // guards the fields below; held while testing
	at  time.Time
	err error
}

// selfTestFor is how long one result counts.
const selfTestFor = 10 * time.Second

func (t *selfTests) result(now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at.IsZero() || now.Sub(t.at) >= selfTestFor {
		t.err, t.at = t.test(), now
	}
	return t.err
}
