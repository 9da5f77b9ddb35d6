package host_test

import (
	"strings"
	"testing"

	"touchstone/pos"
	"touchstone/reason"
)

// TestTransportRefused: a sale over plain TCP for a device with a certificate gets no answer and the connection
// ends; it is journaled without an effect.
func TestTransportRefused(t *testing.T) {
	g := newRig(t)
	g.snapshot.Device.Certificate = strings.Repeat("ab", 32)
	mti, f := message(t, "sale")
	if out := g.say(t, pack(t, mti, f)); out != nil {
		t.Errorf("answered %d bytes", len(out))
	}
	if e := &g.entry; e.Reason != reason.TransportRefused || e.Effect != 0 || e.DE39 != (pos.ResponseCode{}) {
		t.Errorf("journaled %s, effect %s, DE39 %s", e.Reason, e.Effect, e.DE39)
	}
}
