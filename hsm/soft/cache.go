package soft

import (
	"bytes"
	"sync"
	"sync/atomic"

	"touchstone/keys"
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
)

// The bounds of the cache.
const (
	// MaxCached is the most expanded keys kept: a working key set in force and a serial-number key
	// for each of 65,536 terminals. The two weigh about 1.7 kB, all of them 110 MB.
	MaxCached = 131_072
	shards    = 64 // a power of two
)

// entry is an opened key, expanded: a working key set or a serial-number key.
type entry struct {
	wrapped   [keys.SetSize]byte // the first size bytes are the record that was opened
	size      uint8
	cipher    keys.Cipher
	algorithm mac.Algorithm // of mac; None where the set was opened for its PIK or TDK only
	kept      bool          // it is in the cache; else who uses it wipes it
	owner     keys.Owner
	mac       *mac.Key          // MAK or serial-number key
	pik       *paycrypto.Cipher // nil in a serial-number key
	tdk       *paycrypto.Cipher // nil without a track key

	users atomic.Int32 // who uses it now; raised under the shard's lock
	used  atomic.Bool  // since the hand passed
}

func (e *entry) wipe() {
	e.mac.Wipe()
	e.pik.Wipe()
	e.tdk.Wipe()
}

// release ends a use; nil is no use.
func (e *entry) release() {
	if e == nil {
		return
	}
	e.users.Add(-1)
	if !e.kept {
		e.wipe()
	}
}

// is tells whether the entry is the very record w of the owner with this kind ("terminal ", "serial ")
// and name. What is cached was authenticated; a record that differs anywhere was not.
func (e *entry) is(w []byte, kind string, name []byte) bool {
	return bytes.Equal(e.wrapped[:e.size], w) && len(e.owner) == len(kind)+len(name) &&
		string(e.owner[:len(kind)]) == kind && string(e.owner[len(kind):]) == string(name)
}

// cache holds entries by key id. When a shard is full the CLOCK rule evicts: of the entries nobody
// uses, the first that was not used since the hand last passed.
type cache struct {
	shards [shards]shard
}

type shard struct {
	sync.RWMutex
	byID map[keys.ID]*entry
	ring []ringSlot
	hand int
	most int

	hits, misses atomic.Uint64
}

type ringSlot struct {
	id keys.ID
	e  *entry
}

func newCache(most int) *cache {
	c := &cache{}
	for i := range c.shards {
		c.shards[i].byID, c.shards[i].most = map[keys.ID]*entry{}, max(1, most/shards)
	}
	return c
}

// get lends the entry of a key; nil when it is not here. The caller releases it.
func (c *cache) get(id keys.ID) *entry {
	s := &c.shards[id[0]%shards]
	s.RLock()
	e := s.byID[id]
	if e != nil {
		e.users.Add(1)
		s.hits.Add(1)
	} else {
		s.misses.Add(1)
	}
	s.RUnlock()
	if e != nil && !e.used.Load() {
		e.used.Store(true)
	}
	return e
}

// put keeps a new entry if there is room and none of this id; either way the caller may use e, and
// releases it.
func (c *cache) put(id keys.ID, e *entry) {
	e.users.Store(1)
	s := &c.shards[id[0]%shards]
	s.Lock()
	defer s.Unlock()
	if s.byID[id] != nil {
		return
	}
	switch at := s.victim(); {
	case len(s.ring) < s.most:
		s.ring = append(s.ring, ringSlot{id, e})
	case at < 0:
		return
	default:
		old := s.ring[at]
		delete(s.byID, old.id)
		old.e.wipe()
		s.ring[at] = ringSlot{id, e}
	}
	s.byID[id], e.kept = e, true
}

// victim is the slot to give up in a full shard, -1 when all are in use.
func (s *shard) victim() int {
	if len(s.ring) < s.most {
		return -1
	}
	for range 2 * len(s.ring) {
		at := s.hand
		s.hand = (s.hand + 1) % len(s.ring)
		if e := s.ring[at].e; !e.used.Swap(false) && e.users.Load() == 0 {
			return at
		}
	}
	return -1
}

// wipe empties the cache; nobody uses it.
func (c *cache) wipe() {
	for i := range c.shards {
		s := &c.shards[i]
		s.Lock()
		for _, slot := range s.ring {
			slot.e.wipe()
		}
		clear(s.byID)
		s.ring = nil
		s.Unlock()
	}
}
