package observe

import (
	"time"

	"touchstone/journal"
)

// Sources are where the figures come from that a Live does not count itself. All are set before use.
type Sources struct {
	Live      *Live
	Version   string
	Directory string
	Test      bool // a test data directory
	SingleDES bool // single DES is accepted
	Started   time.Time

	Registered func() Registered
	Listeners  func() []Listener
	// Transport counts the ends of TLS handshakes and what spoke the wrong protocol, by words of the program.
	Transport func() map[string]uint64
	Journal   func() Journal
	View      func() View
	Module    func() Module
	// SelfTest tells whether the security module can work now. It may take milliseconds.
	SelfTest func() error
	// Overloaded tells whether new work is being refused before it is accepted.
	Overloaded func() bool
	// Proving tells whether authentication works; nil where nothing watches it.
	Proving   func() Proving
	Admission func() Admission
	// Failures are the refusals of the last 24 hours in figures; nil where nothing counts them.
	Failures  func() Failures
	Diagnosis func() Diagnosis // nil where nobody seeks causes
	// Integration is of other programs and browsers; nil where there are none.
	Integration func() Integration
}

// Registered are the sizes of the register.
type Registered struct {
	Merchants int `json:"merchants"`
	Terminals int `json:"terminals"`
	Devices   int `json:"devices"`
	Cards     int `json:"cards"`
}

// Listener is one place terminals connect to. Kind is a word of this program: "tcp", "tls".
type Listener struct {
	Kind       string `json:"kind"`
	Address    string `json:"address"`
	Open       int64  `json:"open"`
	Accepted   uint64 `json:"accepted"`
	TurnedAway uint64 `json:"turned_away"`
	Frames     uint64 `json:"frames"`
	Answers    uint64 `json:"answers"`
	BadFrames  uint64 `json:"bad_frames"`
	Serving    bool   `json:"serving"`
}

// Journal is the state of the journal and of the queue before it.
type Journal struct {
	Queue    journal.Queue
	Durable  uint64
	Failed   bool
	Bytes    int64 // of touchstone.db and its WAL
	Writable bool  // the disk takes more
}

// View is how far the view for queries is behind.
type View struct {
	On  bool
	Lag uint64 // durable entries it does not show
}

// Module is the state of the security module.
type Module struct {
	Sealed       bool
	Hits, Misses uint64
	Kept, Most   int
}

// inFlight is how many messages were read and have no answer yet.
func (s *Sources) inFlight() uint64 {
	done := s.Live.FinishedCount() // first: a message that ends meanwhile must not make this negative
	var begun uint64
	for _, l := range s.Listeners() {
		begun += l.Frames + l.BadFrames
	}
	return max(begun, done) - done
}
