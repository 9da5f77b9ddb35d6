package listener

import "encoding/binary"

// recordHeader is type 1 B, version 2 B, length 2 B of a TLS record; RFC 8446, section 5.1.
const recordHeader = 5

// mostStretches bounds what is remembered of one read buffer; further pieces are joined to the last.
const mostStretches = 16

// records follows a stream of TLS records and remembers where they were read to. crypto/tls deciphers a
// record in the very buffer it was read to and leaves the plain text there until the next one comes: card
// numbers and tracks, for as long as the terminal is silent. The reader beneath it lends that buffer, so it
// can be overwritten: when crypto/tls asks for more bytes and all that it was given were whole records, it
// has taken everything out of them.
type records struct {
	head    [recordHeader]byte
	headLen int
	body    int // bytes of the record's body still to come
	read    [][]byte
}

// took remembers that b was filled from the stream.
func (r *records) took(b []byte) {
	if len(b) == 0 {
		return
	}
	if n := len(r.read); n > 0 && follows(r.read[n-1], b) {
		r.read[n-1] = r.read[n-1][:len(r.read[n-1])+len(b)]
	} else if n < mostStretches {
		r.read = append(r.read, b)
	}
	for len(b) > 0 {
		if r.body > 0 {
			skip := min(r.body, len(b))
			r.body, b = r.body-skip, b[skip:]
			continue
		}
		n := copy(r.head[r.headLen:], b)
		r.headLen, b = r.headLen+n, b[n:]
		if r.headLen == recordHeader {
			r.headLen, r.body = 0, int(binary.BigEndian.Uint16(r.head[3:]))
		}
	}
}

// follows tells whether b lies right behind a in memory, so that one slice can be both.
func follows(a, b []byte) bool {
	return cap(a)-len(a) >= len(b) && &a[:len(a)+1][len(a)] == &b[0]
}

// end overwrites everything: nobody reads any more.
func (r *records) end() {
	r.headLen, r.body = 0, 0
	r.forget()
}

// forget overwrites what was read if it was whole records. The caller is about to read for crypto/tls.
func (r *records) forget() {
	if r.headLen != 0 || r.body != 0 {
		return
	}
	for i, b := range r.read {
		clear(b)
		r.read[i] = nil
	}
	r.read = r.read[:0]
}
