// Package admission says what a host lets in: new work when it has room for it
// (Gate), and refusals when they may cost a journal entry (Flood).
//
// A message is admitted before it is judged. Beyond the ordinary share of the
// room only work that undoes, closes or reports tampering is let in; a message
// that is not let in is answered 96, has changed nothing and is nowhere in the
// journal.
//
// A refusal without effect costs an entry of its own as long as buckets of its
// source, of the terminal it claims and of the whole host have a token. Beyond
// them it is answered in the same way and only counted, and the counts become an
// entry when the flood ends or has lasted a while.
//
// The package has no clock: time is an argument. It knows no message and no
// connection.
//
// Sources: docs/design/009-admission.md.
package admission
