// Package terminal is a reference POS terminal in software: the other side of
// the host. It signs in, takes its working keys, sells, voids, refunds, reverses
// and settles as docs/protocol/unionpay-pos.md says a terminal must, keeps what
// has to survive a power cut in one file, and shows four lines of twenty columns.
// It can also misbehave in exactly one named way at a time (Fault), which is how
// a host's refusals are tried.
//
// It is not a load generator and not a driver of a real device: it has no card
// reader, no keypad and no secure element. Its keys lie in the process's memory,
// its card and PIN are handed to it, and a chip card is sold from its stripe. It
// sends no batch upload (0320) when a settlement does not balance, and it does
// not send a refund again whose answer was lost.
//
// In use:
//
//	t, err := terminal.Open(terminal.Config{Host: "127.0.0.1:8583", ...})
//	defer t.Close()
//	r, err := t.SignIn(ctx)
//	r, err = t.Sale(ctx, card, 1850)
//
// An operation returns an error only when the terminal itself cannot go on: it is
// locked, its file cannot be written, what it was asked makes no message. What the
// host said, or that it said nothing, is a Result. One Terminal is for one
// goroutine; many may run side by side.
//
// What is durable before a byte leaves: the trace, and the record of the reversal
// that would undo the message. So after any crash the next online transaction is
// preceded by that reversal. The record goes when a valid answer has been
// accepted, or when the message never left. A reversal that was sent as often as
// it may be is kept, and tried again before the settlement; a settlement that was
// not answered is repeated before anything else about money.
//
// The file holds working keys only as they came, wrapped under the terminal
// master key, and a card number only where an open reversal must carry one,
// sealed with AES-256-GCM under a key derived from the master key.
//
// Sources: docs/protocol/unionpay-pos.md, sections 1 to 7 and 9A.
package terminal
