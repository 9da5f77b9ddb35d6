//go:build !race

package ledger_test

const histories = "1000"
