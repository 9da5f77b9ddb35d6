package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"touchstone/pos"
)

// Kind is what an entry is about. Numbers are in the journal for ever.
type Kind uint8

// The kinds of entries.
const (
	KindExchange Kind = 1 // a message judged and answered; binary, see Exchange
	KindMerchant Kind = 2 // a merchant registered or changed; JSON of registry.Merchant
	KindTerminal Kind = 3 // a terminal registered or changed; JSON of registry.Terminal
	KindDevice   Kind = 4 // a device announced or its state changed; JSON of registry.Device
	KindCard     Kind = 5 // a card of the embedded issuer opened or changed; JSON of issuer.Opening
	KindKey      Kind = 6 // a key record entered; JSON of keys.Record
	KindOpened   Kind = 7 // the data directory was made; JSON of Opened
	KindEvent    Kind = 8 // something a person should know; JSON of Event

	KindCertificate Kind = 9  // a certificate made, replaced or revoked; JSON of registry.Certificate
	KindFlood       Kind = 10 // refusals that were only counted; JSON of Flood
	KindLoss        Kind = 11 // entries that a witness saw are gone and two people accepted it; JSON of Loss

	// What people, and rules of ours, did in a room; JSON of Act.
	KindStaff    Kind = 12 // accounts, proposals; cashiers and their training
	KindFleet    Kind = 13 // devices looked after, releases, advisories, campaigns, the permit's policy
	KindLab      Kind = 14 // assessments, findings, security certificates
	KindIncident Kind = 15 // incidents, their clocks, reports
	KindRedress  Kind = 16 // notices, claims, refunds, compensation
	KindPermit   Kind = 17 // what terminals may do from here on; JSON of registry.PermitSet

	KindCause Kind = 18 // what was found behind a verdict after it was answered; JSON of Cause
)

var kindNames = map[Kind]string{
	KindExchange: "exchange", KindMerchant: "merchant", KindTerminal: "terminal", KindDevice: "device",
	KindCard: "card", KindKey: "key", KindOpened: "opened", KindEvent: "event",
	KindCertificate: "certificate",
	KindFlood:       "flood",
	KindLoss:        "loss",
	KindStaff:       "staff", KindFleet: "fleet", KindLab: "lab", KindIncident: "incident", KindRedress: "redress",
	KindPermit: "permit", KindCause: "cause",
}

// String is the kind's word.
func (k Kind) String() string {
	if name, ok := kindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("kind-%d", uint8(k))
}

// Opened is the first entry of every journal: whose data directory this is.
type Opened struct {
	Test    bool   `json:"test"`    // a test data directory with published keys
	ID      string `json:"id"`      // 32 hexadecimal digits drawn at random
	Version string `json:"version"` // the program that made it
}

// Loss records that the journal is older than what a witness saw and that two people chose to go on. The
// numbers up to Resumed are then never given to a message again, since terminals hold them as RRNs: each is
// a Loss of its own, and only the first says more than that.
type Loss struct {
	After     uint64   `json:"after"`               // the last entry that was still there
	Resumed   uint64   `json:"resumed"`             // the last number that is not used again
	Witnessed uint64   `json:"witnessed,omitempty"` // what the witness saw
	Head      string   `json:"head,omitempty"`      // its chain value, hexadecimal
	Reason    string   `json:"reason,omitempty"`
	People    []string `json:"people,omitempty"`
}

// Bounds of one entry.
const (
	MaxEntry  = 16 << 10 // bytes of any entry
	headBytes = 10       // version, kind, instant
	version   = 1
)

// HashSize is the length of a chain value, SHA-256.
const HashSize = sha256.Size

// Hash is a value of the chain.
type Hash [HashSize]byte

// Entry is one decoded entry. Body is a view.
type Entry struct {
	Seq  uint64 // from 1
	Kind Kind
	At   pos.Instant
	Body []byte
}

// Errors of reading a journal.
var (
	ErrEntry   = errors.New("journal entry: malformed")
	ErrVersion = errors.New("journal entry: unknown version")
	ErrTooLong = errors.New("journal entry: too long")
)

// AppendHead starts an entry in dst: version 1, kind, 8 bytes big-endian nanoseconds.
// The body follows.
func AppendHead(dst []byte, kind Kind, at pos.Instant) []byte {
	dst = append(dst, version, byte(kind))
	return binary.BigEndian.AppendUint64(dst, uint64(at))
}

// ParseEntry reads an entry as AppendHead began it.
func ParseEntry(seq uint64, raw []byte) (Entry, error) {
	if len(raw) < headBytes || len(raw) > MaxEntry {
		return Entry{}, ErrEntry
	}
	if raw[0] != version {
		return Entry{}, ErrVersion
	}
	return Entry{seq, Kind(raw[1]), pos.Instant(binary.BigEndian.Uint64(raw[2:])), raw[headBytes:]}, nil
}

// Block is one group commit: N entries from First, each as
//
//	length 4, big-endian | entry | the first 4 bytes of its chain value
//
// The last let a reader name the entry that was altered, not only its block; the chain does not cover
// them.
type Block struct {
	First uint64
	N     int
	Prev  Hash // chain value before the first entry
	Head  Hash // chain value after the last
	Body  []byte
	Cold  []Entry // the entries of Body that are not of KindExchange; filled by the committer for the Sink
}

// Last is the number of the last entry.
func (b Block) Last() uint64 { return b.First + uint64(b.N) - 1 }

// Each calls f with every entry of the block in order.
func (b Block) Each(f func(Entry) error) error {
	body := b.Body
	for i := range b.N {
		raw, _, rest, err := cut(body)
		if err != nil {
			return err
		}
		entry, err := ParseEntry(b.First+uint64(i), raw)
		if err != nil {
			return err
		}
		if err := f(entry); err != nil {
			return err
		}
		body = rest
	}
	if len(body) != 0 {
		return ErrEntry
	}
	return nil
}

// Sizes around an entry in a block.
const (
	lengthSize = 4
	markSize   = 4
)

// cut takes the first entry, with its mark, off a block's body.
func cut(body []byte) (raw, mark, rest []byte, err error) {
	if len(body) < lengthSize+markSize {
		return nil, nil, nil, ErrEntry
	}
	n := binary.BigEndian.Uint32(body)
	if n < headBytes || n > MaxEntry || int(n) > len(body)-lengthSize-markSize {
		return nil, nil, nil, ErrEntry
	}
	end := lengthSize + int(n)
	return body[lengthSize:end], body[end : end+markSize], body[end+markSize:], nil
}

// chain computes h_i one entry after another without allocation.
type chain struct {
	sum    hash.Hash
	head   Hash
	domain []byte
}

const domain = "touchstone/1"

func newChain(head Hash) *chain { return &chain{sha256.New(), head, []byte(domain)} }

// next folds one entry with its 4-byte length prefix into the chain.
func (c *chain) next(prefixed []byte) {
	c.sum.Reset()
	c.sum.Write(c.domain)
	c.sum.Write(c.head[:])
	c.sum.Write(prefixed)
	c.sum.Sum(c.head[:0])
}

// ChainError names the first entry or block that cannot be proven intact.
type ChainError struct {
	Seq  uint64 // the first entry that is broken
	What string // what is wrong, such as "hash differs"
}

func (e *ChainError) Error() string { return fmt.Sprintf("journal entry %d: %s", e.Seq, e.What) }

// Verifier recomputes the chain block by block.
type Verifier struct {
	next  uint64
	chain *chain
}

// NewVerifier starts at entry 1 with the zero hash, or goes on after entry last with its chain value.
func NewVerifier(last uint64, head Hash) *Verifier { return &Verifier{last + 1, newChain(head)} }

// Head is the number and chain value of the last entry verified.
func (v *Verifier) Head() (uint64, Hash) { return v.next - 1, v.chain.head }

// Block verifies one block that must follow the last. The error is a *ChainError.
func (v *Verifier) Block(b Block) error {
	switch {
	case b.First != v.next:
		return &ChainError{v.next, fmt.Sprintf("missing: the next block begins with entry %d", b.First)}
	case b.N <= 0:
		return &ChainError{v.next, "block without entries"}
	case b.Prev != v.chain.head:
		return &ChainError{b.First, "the chain value before it differs"}
	}
	body := b.Body
	for range b.N {
		raw, mark, rest, err := cut(body)
		if err != nil {
			return &ChainError{v.next, "length or bytes do not fit the block"}
		}
		if _, err := ParseEntry(v.next, raw); err != nil {
			return &ChainError{v.next, err.Error()}
		}
		v.chain.next(body[:lengthSize+len(raw)])
		if !bytes.Equal(mark, v.chain.head[:markSize]) {
			return &ChainError{v.next, "its chain value differs"}
		}
		v.next, body = v.next+1, rest
	}
	if len(body) != 0 {
		return &ChainError{v.next - 1, "bytes left over after it"}
	}
	if v.chain.head != b.Head {
		return &ChainError{b.First, fmt.Sprintf("the chain value of entries %d to %d differs", b.First, b.Last())}
	}
	return nil
}
