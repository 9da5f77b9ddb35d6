package observe

import (
	"errors"
	"testing"
	"time"

	"touchstone/admission"
	"touchstone/host"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// rig is sources whose figures a test sets.
type rig struct {
	*Sources
	journal    Journal
	listeners  []Listener
	module     Module
	view       View
	selfTest   error
	overloaded bool
}

var errTest = errors.New("the self-test of this test fails")

// newRig is a host that is well.
func newRig(t *testing.T, start time.Time) *rig {
	t.Helper()
	r := &rig{
		journal:   Journal{Queue: journal.Queue{MostEntries: 100, MostBytes: 1000, Next: 43}, Durable: 42, Bytes: 4096, Writable: true},
		listeners: []Listener{{Kind: "tcp", Address: "127.0.0.1:8583", Serving: true}},
		view:      View{On: true},
	}
	r.Sources = &Sources{Live: NewLive(start), Version: "0.0.0", Directory: t.TempDir(), Started: start,
		Registered: func() Registered { return Registered{1, 2, 3, 4} },
		Listeners:  func() []Listener { return r.listeners },
		Transport:  func() map[string]uint64 { return map[string]uint64{"done": 2} },
		Journal:    func() Journal { return r.journal },
		View:       func() View { return r.view },
		Module:     func() Module { return r.module },
		SelfTest:   func() error { return r.selfTest },
		Failures: func() Failures {
			return Failures{Approved: 97, Refused: 4, RefusedAmount: 4000, Wrong: 2, Unknown: 1, Least: 2.0 / 99, Most: 0.03}
		},
		Overloaded: func() bool { return r.overloaded },
		Admission: func() Admission {
			return Admission{SharedTaken: 3, SharedMost: 8192, Flood: admission.FloodCounts{Journaled: 5, Suppressed: 6, Summaries: 7, Keys: 8},
				Gate: admission.Counts{InFlight: 1, High: 2, Limit: 9, Admitted: map[admission.Work]uint64{admission.Financial: 10},
					Shed: map[admission.Work]map[admission.Cause]uint64{admission.SignIn: {admission.Late: 11}}}}
		},
	}
	return r
}

func sale(r reason.Reason, code string) *host.Seen {
	s := &host.Seen{MTI: 0x0200, Type: 22, Reason: r, Decided: 70 * time.Microsecond}
	if code != "" {
		s.Code = pos.Code(code)
	}
	return s
}
