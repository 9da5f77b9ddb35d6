// Package listener hears terminals over TCP and TLS: it reads frames, hands each to the
// transaction line, and writes the answers, in whatever order they become ready.
//
// A connection is only a pipe: identity is DE41, and one connection may carry
// many terminals. It knows nothing of a message but its length. Everything is
// bounded by a named limit: connections in all and from one address, frames in
// flight on one connection, and the time for a frame, a write and silence.
//
// A peer has proven something when its handshake proved a device certificate, or
// when a message's MAC verified; before that it has less time and at most 16 KiB.
// Certificates are judged at every handshake, resumed ones too, before every
// message, and every second: package authority says how.
//
// Answers to refused proofs leave on a common 5 ms tick, so that their time tells
// nothing of the cause.
//
// Sources: docs/protocol/unionpay-pos.md sections 1, 9A.16, 9A.18; RFC 8446, RFC 5246 (TLS).
package listener
