// Package probe examines a running host over the wire, as an assessor does: with terminals and a card that are
// reserved for it, inside a signed scope, at the scope's pace, and no longer than the scope is in force. Each check
// is a list of steps; a step says what was sent, what may come of it, what was answered and what the host's
// journal says. The verdict follows from the steps alone (Judge), so that it can be computed again from the kept
// transcript. No card number, track, PIN or key is in a step.
//
//	rig := &probe.Rig{TCP: "127.0.0.1:8583", Gate: scope, ...}
//	outcome := probe.Run(ctx, rig, "serial-binding")
//
// It is no load generator and no fuzzer: a check sends some dozens of messages. Sources: the procedures of the
// catalogue of package lab; RFC 5246, RFC 6101 and RFC 8446 for the records of check old-tls.
package probe
