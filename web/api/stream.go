package api

import (
	"errors"
	"sync"
	"sync/atomic"

	"touchstone/pos"
	"touchstone/web"
)

// The topics of the stream.
const (
	TopicEntry = "entry" // an event, a refusal or an act of people that became durable; it can be resumed
	TopicLive  = "live"  // aggregates of what happens now; the newest one says all
)

// Bounds of the stream. A subscriber that does not read is cut, so that nothing is kept for it.
const (
	MostSubscribers = 64  // in all
	MostOfOne       = 6   // of one account
	queueOfOne      = 512 // notices that one subscriber may be behind
)

// Notice is one message of the stream.
type Notice struct {
	Topic    string
	Seq      uint64         // of TopicEntry: the entry's number, by which a reader resumes; 0 otherwise
	Merchant pos.MerchantID // whose it is; zero: of the acquirer, and no merchant sees it
	Data     []byte         // JSON on one line; shared, so nobody changes it
}

// ErrCrowded is returned when no further subscriber is taken.
var ErrCrowded = errors.New("stream: too many subscribers")

// Stream gives what is published to whoever subscribed. Publish never waits.
type Stream struct {
	watchers map[string]*atomic.Int32 // by topic; made once

	mu     sync.Mutex // guards what follows
	all    map[*Subscription]struct{}
	closed bool
}

// NewStream makes a stream without subscribers.
func NewStream() *Stream {
	return &Stream{all: map[*Subscription]struct{}{}, watchers: map[string]*atomic.Int32{TopicEntry: {}, TopicLive: {}}}
}

// Subscription is one reader's. Notices is closed when the reader was cut or the stream ended.
type Subscription struct {
	Notices <-chan Notice

	stream *Stream
	who    *web.Caller
	topics []string
	queue  chan Notice
	cut    bool // guarded by the stream's mutex
}

// Wanted tells whether anybody reads a topic, so that what nobody reads is not made.
func (s *Stream) Wanted(topic string) bool {
	n := s.watchers[topic]
	return n != nil && n.Load() > 0
}

// Publish gives a notice to the subscribers of its topic who may see it.
func (s *Stream) Publish(n Notice) {
	if !s.Wanted(n.Topic) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for u := range s.all {
		if !u.wants(n) {
			continue
		}
		select {
		case u.queue <- n:
		default:
			s.drop(u)
		}
	}
}

func (u *Subscription) wants(n Notice) bool {
	if u.who.Merchant() && (n.Merchant == pos.MerchantID{} || !u.who.Sees(n.Merchant)) {
		return false
	}
	for _, t := range u.topics {
		if t == n.Topic {
			return true
		}
	}
	return false
}

// Subscribe adds a reader of some topics. End it.
func (s *Stream) Subscribe(who *web.Caller, topics ...string) (*Subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := 0
	for u := range s.all {
		if u.who.Account == who.Account {
			own++
		}
	}
	if s.closed || len(s.all) >= MostSubscribers || own >= MostOfOne {
		return nil, ErrCrowded
	}
	queue := make(chan Notice, queueOfOne)
	u := &Subscription{Notices: queue, queue: queue, stream: s, who: who, topics: topics}
	s.all[u] = struct{}{}
	for _, t := range topics {
		if n := s.watchers[t]; n != nil {
			n.Add(1)
		}
	}
	return u, nil
}

// Subscribers is how many read now.
func (s *Stream) Subscribers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// End takes the reader off the stream.
func (u *Subscription) End() {
	u.stream.mu.Lock()
	defer u.stream.mu.Unlock()
	u.stream.drop(u)
}

// drop is called with the mutex held.
func (s *Stream) drop(u *Subscription) {
	if u.cut {
		return
	}
	u.cut = true
	delete(s.all, u)
	for _, t := range u.topics {
		if n := s.watchers[t]; n != nil {
			n.Add(-1)
		}
	}
	close(u.queue)
}

// Close ends every subscription, and lets nobody subscribe any more.
func (s *Stream) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for u := range s.all {
		s.drop(u)
	}
}
