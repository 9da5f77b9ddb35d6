// Package grade says what the proofs of a terminal are worth: its MAC, its
// working and master keys by age, its PIN blocks, its serial number, its track
// data and its line, each on an axis of its own, and over all as much as the
// weakest of them, with the reasons.
//
// Of judges one terminal from Facts: what is registered, and what the journal
// saw of it lately (Book, a fold). The worse of the two counts, so that a
// registration never grades a terminal better than its messages were. Fleet adds
// terminals up. Plan says which steps would raise grades most for the least
// work; each Step changes facts, and what it gains is what Of then says.
//
// The package is pure. It refuses nothing: package proof does, by policy. It
// says nothing of what a card scheme asks; the thresholds of age are no rule of
// anybody, and configuration (Thresholds).
//
// Sources: docs/design/031-grades-and-policies.md;
// docs/protocol/unionpay-pos.md sections 4, 5, 6, 8 and 9A.13, 9A.20 to 9A.23;
// ISO 9564-1 for PIN block formats.
package grade
