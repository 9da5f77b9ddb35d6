//go:build race

package ledger_test

// histories under the race detector, which is some ten times slower.
const histories = "250"
