// Package iso8583 turns the bytes of a point-of-sale link into frames and
// messages, and back.
//
// A frame is what ReadFrame reads: TPDU, header and message, without the two
// length bytes before them. A Dialect is a table with one row for each data
// element; Dialect.Parse makes a Message of a frame: a view that keeps offsets
// into the received bytes, copies nothing and allocates nothing once the
// Message has been used before. A Builder packs a message over a buffer of the
// caller's, element by element in ascending order. What Parse accepts, Repack
// packs back to the same bytes. UnionPay is the dialect of the UnionPay-style
// terminals; a second dialect is a second table.
//
// Layouts inside elements (DE22, 26, 35, 48, 53, 54, 59, 60, 61, 62, 63) have
// readers and writers here too. Those that hold cardholder data give offsets,
// never bytes, so that printing one shows nothing.
//
// It is not a judge: it knows whether the bytes have the shape the table gives,
// not whether a terminal may say so, and it computes no MAC, opens no PIN and
// decrypts no track. DE55 belongs to package emv, working keys in DE62 to
// package keys.
//
// A Message never prints what it carries: every printing route shows the
// message type and the numbers of its elements. Errors name an element and a
// count, never the bytes.
//
// In use:
//
//	frame, err := iso8583.ReadFrame(conn, buf)
//	err = iso8583.UnionPay.Parse(&msg, frame)
//	trace, ok := msg.Number(11)
//
//	b.Begin(out, msg.Envelope().Answer(iso8583.SignInAgain), msg.MTI().Response())
//	b.Echo(msg, 11)
//	b.PutText(39, code[:])
//	b.ReserveMAC()
//	b.SetMAC(compute(b.MAB()))
//	answer, err := b.Frame()
//
// Sources: docs/protocol/unionpay-pos.md, sections 1, 2, 5.1, 6.1 and 9A. The
// clauses of ISO 8583 behind them are unverified: the standard's text was not at hand.
package iso8583
