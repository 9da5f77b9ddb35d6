package proof

import (
	"bytes"

	"touchstone/journal"
	"touchstone/paycrypto/mac"
)

// AlgorithmOfEntry is the algorithm under which an entry's MAC was examined, from the evidence it
// carries; mac.None when it carries none.
func AlgorithmOfEntry(x *journal.Exchange) (found mac.Algorithm) {
	eachDetail(x.Details, func(c Check, _, expected []byte) {
		if c == MAC && len(expected) == 2+7 && expected[0] == tagKey {
			found = mac.Algorithm(expected[2+4])
		}
	})
	return found
}

// AnyNetwork tells whether an entry's source address was accepted because its registration takes every
// address.
func AnyNetwork(x *journal.Exchange) (any bool) {
	eachDetail(x.Details, func(c Check, _, expected []byte) {
		if c == Network && len(expected) > 2 && expected[0] == tagText && bytes.Equal(expected[2:], []byte(anyAddress)) {
			any = true
		}
	})
	return any
}

// SerialPresented is the serial number, or its tail in a sign-in, that an entry's message presented, a view of the
// entry; nil when the evidence holds none. wrong tells that another was expected.
func SerialPresented(x *journal.Exchange) (serial []byte, wrong bool) {
	eachDetail(x.Details, func(c Check, presented, expected []byte) {
		if c == Serial && len(presented) > 2 && presented[0] == tagText {
			serial, wrong = presented[2:], len(expected) > 2
		}
	})
	return serial, wrong
}

// eachDetail gives every pair of values, tag and length included, without allocation.
func eachDetail(b []byte, f func(c Check, presented, expected []byte)) {
	for len(b) > 0 {
		c := Check(b[0])
		presented, rest, ok1 := firstValue(b[1:])
		expected, rest, ok2 := firstValue(rest)
		if !ok1 || !ok2 {
			return
		}
		f(c, presented, expected)
		b = rest
	}
}

func firstValue(b []byte) (value, rest []byte, ok bool) {
	if len(b) < 2 || len(b) < 2+int(b[1]) {
		return nil, nil, false
	}
	return b[:2+int(b[1])], b[2+int(b[1]):], true
}
