// Package witness keeps the journal's head outside the data directory: the number
// and chain value of the newest durable entry, in a small file, best on another
// disk. A data directory put back from an older copy proves itself intact; only
// somebody who saw a later head can tell that it is old.
//
// A witness is one line of JSON, replaced whole: written beside itself, synced,
// renamed, and the directory synced. It names its journal and carries a sum, which
// shows damage, not forgery: whoever can write the file can make the host refuse
// to start, or make the witness say less. Where that matters, keep one where the
// host's machine can add but not replace.
//
// Watch writes while the host runs, once a second at most, so what a witness saw is
// up to a second behind. Compare judges at start.
package witness
