package capture

import (
	"time"

	"touchstone/pos"
)

// The bounds of a Tracker.
const (
	MaxStreams  = 65_536   // connections followed at once
	MaxHeld     = 64 << 20 // bytes held back in all streams: incomplete frames, segments out of order
	MaxSegments = 64       // segments out of order that one direction holds back
	MaxWaiting  = 64       // requests of one connection, or of one terminal, that wait for an answer
	foreignFrom = 8 << 10  // bytes without a frame after which a direction is no longer searched
	maxStray    = 1024     // connections without a frame that are remembered until their peer is known
)

// DefaultWait is how long after a request its answer is waited for; a later one is told as late.
const DefaultWait = 60 * time.Second

// idleFor is how long a connection may be silent before it may be forgotten.
const idleFor = 5 * time.Minute

// Options say what a Tracker looks for. The zero value looks at everything.
type Options struct {
	Port   uint16            // of the host; 0 looks at every port
	Wait   time.Duration     // 0 is DefaultWait
	Frames bool              // a Pair lends the bytes of its messages
	OnPair func(*Pair) error // told of every request once it is answered or given up, each terminal's in their order
	OnData func(read int64)  // told of every packet's size, of a file that is read
}

// Kind is what a request was.
type Kind uint8

// The kinds.
const (
	Message   Kind = iota + 1 // a message, whole
	Malformed                 // a frame whose elements do not fit the dialect
	Cut                       // a frame of which the stream ended before its end
	NoFrame                   // bytes that begin no frame
)

// Side is one message of a Pair. The zero value is none.
type Side struct {
	Packet   uint64 // number in the capture of the packet that completed it, from 1
	At       pos.Instant
	Size     int // bytes after LEN
	MTI      pos.MTI
	STAN     pos.STAN
	HasSTAN  bool
	Terminal pos.TerminalID // zero when it names none
	Merchant pos.MerchantID
	Type     pos.TransactionCode
	Batch    pos.BatchNo
	Network  pos.NetworkCode
	Amount   pos.Amount
	RRN      pos.RRN
	AuthCode pos.AuthCode
	Code     pos.ResponseCode // DE39
	MACed    bool             // DE64 is there
	Fault    string           // what is malformed, in words without a byte of it
	Frame    []byte           // with Options.Frames: TPDU, header and message; a view, wiped after OnPair
}

// Pair is a request and its answer, or its want of one.
type Pair struct {
	Stream   uint64 // number of the connection in the capture, from 1
	Client   Endpoint
	Server   Endpoint
	Kind     Kind
	Request  Side
	Answer   Side
	Answered bool
	Repeat   bool // the bytes of the request were seen before
	Gap      bool // bytes of this connection were not captured, so the answer may have been among them
	Closed   bool // the connection ended while it waited
}

// Took is the time from the request to its answer.
func (p *Pair) Took() time.Duration { return p.Answer.At.Sub(p.Request.At) }

// Endpoint is one end of a connection.
type Endpoint struct {
	Address pos.Address
	Port    uint16
}

// Stats count what was seen.
type Stats struct {
	Packets       uint64      `json:"packets"`
	Bytes         uint64      `json:"bytes"`
	First         pos.Instant `json:"-"` // of the first packet
	Last          pos.Instant `json:"-"`
	Shortened     uint64      `json:"packets_cut_by_snaplen"`
	Unread        uint64      `json:"packets_unread"`     // of a link type or a layer that is not read
	Fragments     uint64      `json:"ip_fragments"`       // let be
	Elsewhere     uint64      `json:"packets_not_looked"` // not TCP, or another port
	Streams       uint64      `json:"streams"`
	Payment       uint64      `json:"streams_with_messages"`
	TLS           uint64      `json:"streams_tls"` // unreadable
	Retransmitted uint64      `json:"segments_retransmitted"`
	Disordered    uint64      `json:"segments_out_of_order"`
	Gaps          uint64      `json:"gaps"`
	LostBytes     uint64      `json:"bytes_lost"`
	Resyncs       uint64      `json:"resynchronised"` // searches that found a frame again
	Skipped       uint64      `json:"bytes_skipped"`  // of searches
	Evicted       uint64      `json:"streams_evicted"`
	Messages      uint64      `json:"messages"`
	Requests      uint64      `json:"requests"`
	Answers       uint64      `json:"answers"`
	Malformed     uint64      `json:"malformed"`
	CutFrames     uint64      `json:"frames_cut"`
	NoFrames      uint64      `json:"no_frames"`
	Pairs         uint64      `json:"pairs"`
	Unanswered    uint64      `json:"unanswered"`
	Late          uint64      `json:"answers_late"`
	Orphans       uint64      `json:"answers_without_request"`
	Repeats       uint64      `json:"repeats"`
}
