// Package anatomy takes one ISO 8583 message apart for a person: every byte belongs to a part, every part has a name in two
// languages, and what cannot be read is told by the first byte at fault and what was expected there.
//
// It is not the parser of the line: package iso8583 is, and a test holds the two to the same boundaries and the same faults.
// It shows card data masked (a card number by its first six and last four digits, a track, a PIN block and keys not at all,
// chip data by tags and lengths) and no byte behind a fault, as what those are is not known.
//
//	bytes, form, err := anatomy.Read(input)   hexadecimal text or raw bytes
//	a := anatomy.Of(bytes, catalogue)         any bytes: a message, or a fault
//	err = a.Draw(w, anatomy.Style{...})       for a person; a.JSON() for a program
//	m, err := anatomy.NewMAC(a, profile, key) the MAC step by step, and OpenSSL lines that recompute it
//
// Sources: docs/protocol/unionpay-pos.md, sections 1 to 6.
package anatomy
