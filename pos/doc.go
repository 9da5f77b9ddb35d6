// Package pos holds the words of the trade that every other package uses:
// who speaks (TerminalID, MerchantID), which message (MTI, STAN, BatchNo,
// TransactionCode), whose card (PAN), how much (Amount, Currency) and what was
// answered (ResponseCode, RRN, AuthCode).
//
// It is not a codec and knows no bytes of the wire beyond the shape of each
// word. Each word is a distinct type, small, comparable and of fixed size, so
// that a request can be copied out of a receive buffer without allocation; a
// parser that checks is the only door to it. PAN is the exception: it holds a
// secret and never prints.
//
// Sources: docs/protocol/unionpay-pos.md section 2.
package pos
