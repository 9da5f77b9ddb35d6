// Package listener hears terminals over TCP: it reads frames, hands each to the
// transaction line, and writes the answers, in whatever order they become ready.
//
// A connection is only a pipe: identity is DE41, and one connection may carry
// many terminals. It knows nothing of a message but its length. Everything is
// bounded by a named limit: connections in all and from one address, frames in
// flight on one connection, and the time for a frame, a write and silence.
//
// Answers to refused proofs leave on a common 5 ms tick, so that their time tells
// nothing of the cause.
//
// Sources: docs/protocol/unionpay-pos.md sections 1, 9A.16, 9A.18.
package listener
