// Package estate is an index of terminals, merchants and devices in memory: it finds them among a million by part of a
// name, by what they are and by what they may do, counts them, and gives them page by page in the order of their ids.
//
// It keeps names, the numbers of words, and nothing else: what is shown of a terminal is read from the ledger and from
// the rooms. It is told of each row by whoever folds the journal, and is as new as what it was told last.
//
// An Estate may be used by many goroutines. Search holds it for reading; it never waits for anything else.
package estate
