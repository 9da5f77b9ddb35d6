// Package fleet looks after devices: how they come, are deployed, inspected, repaired, retired and destroyed; what
// software they may run and how it is replaced; which advisories touch them; and, from all that is known of a
// terminal, the permit: what it may do now.
//
// The room decides and folds; it opens no file, fetches no release and asks no clock.
package fleet
