package main

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptEntry sets a variable to the number of the journal entry that a line of a terminal's JSON speaks of: its
// retrieval reference number.
func scriptEntry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: entry NAME FILE LINE")
	}
	n, err := strconv.Atoi(args[2])
	lines := strings.Split(strings.TrimSpace(ts.ReadFile(args[1])), "\n")
	if err != nil || n < 1 || n > len(lines) {
		ts.Fatalf("%s has no line %s", args[1], args[2])
	}
	var message struct {
		RRN string `json:"rrn"`
	}
	ts.Check(json.Unmarshal([]byte(lines[n-1]), &message))
	seq, err := strconv.ParseUint(message.RRN, 10, 64)
	ts.Check(err)
	ts.Setenv(args[0], strconv.FormatUint(seq, 10))
}
