package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"touchstone/journal"
	"touchstone/reason"
	"touchstone/terminal"
)

// leastFaults and leastUnproven are how many the panel must have.
const (
	leastFaults   = 80
	leastUnproven = 8
)

// TestEveryReasonHasAFault: of every reason a fault yields it, or the table says why none can: one or the other.
func TestEveryReasonHasAFault(t *testing.T) {
	injected, listed := map[string]bool{}, map[string]string{}
	for _, f := range terminal.Faults() {
		row, err := terminal.Describe(f)
		if err != nil {
			t.Fatal(err)
		}
		injected[row.Reason] = true
	}
	for _, u := range terminal.NotInjected() {
		if _, err := reason.Parse(u.Reason); err != nil || u.Why == "" {
			t.Errorf("%s: %v, why %q", u.Reason, err, u.Why)
		}
		listed[u.Reason] = u.Why
	}
	for _, r := range reason.All() {
		name := r.String()
		switch {
		case r == reason.None:
		case injected[name] && listed[name] != "":
			t.Errorf("%s has a fault and is listed as having none", name)
		case !injected[name] && listed[name] == "":
			t.Errorf("%s has no fault, and nobody says why", name)
		}
	}
	for name, why := range listed {
		if uses := deciders(t, name); strings.HasPrefix(why, "this build decides it nowhere") && len(uses) > 0 {
			t.Errorf("%s is said to be decided nowhere, and %v name it", name, uses)
		}
	}
}

// deciders are the files of the rooms that decide which name a reason, but for the table of checks that could ask for it.
func deciders(t *testing.T, name string) (files []string) {
	t.Helper()
	table, err := os.ReadFile(filepath.Join("..", "..", "reason", "table.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(\w+):\s+\{"` + name + `",`).FindSubmatch(table)
	if found == nil {
		t.Fatalf("reason/table.go has no row of %s", name)
	}
	word := regexp.MustCompile(`\breason\.` + string(found[1]) + `\b`)
	for _, room := range []string{"proof", "transaction", "issuer", "admission", "host", "ledger", "hsm/soft"} {
		list, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(room), "*.go"))
		if err != nil || len(list) == 0 {
			t.Fatalf("%s: %v", room, err)
		}
		for _, file := range list {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(file, "_test.go") && !strings.HasSuffix(file, filepath.Join("proof", "check.go")) && word.Match(text) {
				files = append(files, file)
			}
		}
	}
	return files
}

// TestFaultTable: the table is in the words of the journal, and has of everything enough.
func TestFaultTable(t *testing.T) {
	unproven, caused := 0, map[string]bool{}
	for _, f := range terminal.Faults() {
		row, err := terminal.Describe(f)
		if err != nil {
			t.Fatal(err)
		}
		r, err := reason.Parse(row.Reason)
		if err != nil && row.Reason != reason.None.String() {
			t.Errorf("%s: reason %q: %v", f, row.Reason, err)
		}
		if want := strings.Trim(r.DE39().String(), "\x00"); row.DE39 != want && row.Reason != reason.FrameMalformed.String() {
			t.Errorf("%s: answered %q, the reason's code is %q", f, row.DE39, want)
		}
		if !slices.Contains(terminal.Groups(), row.Group) || row.What == "" {
			t.Errorf("%s: group %q, what %q", f, row.Group, row.What)
		}
		if row.Cause == "" {
			if row.First != "" || row.Second != "" || row.Variant != "" || r.Sought() {
				t.Errorf("%s: nothing is sought, and yet %q, %q; of its reason a cause is sought: %v", f, row.First, row.Second, r.Sought())
			}
			continue
		}
		c, err := reason.ParseCause(row.Cause)
		if err != nil || !r.Sought() {
			t.Errorf("%s: cause %q of %s: %v", f, row.Cause, row.Reason, err)
		}
		caused[row.Cause] = true
		for i, certainty := range []string{row.First, row.Second} {
			if i == 0 && row.First == string(journal.Unproven) && row.Second == string(journal.Indicated) {
				continue // one message decides nothing
			}
			named := certainty == string(journal.Proven) || certainty == string(journal.Indicated)
			if bare := certainty == string(journal.Unproven) || certainty == string(journal.Untried); named == bare || named != (c != reason.NoCause) {
				t.Errorf("%s: %s of cause %s", f, certainty, row.Cause)
			}
		}
		if c == reason.NoCause {
			unproven++
		}
	}
	if n := len(terminal.Faults()); n < leastFaults || unproven < leastUnproven {
		t.Errorf("%d faults, %d of which nothing can be proven; want %d and %d", n, unproven, leastFaults, leastUnproven)
	}
	// What is inferred of many messages, not found by experiment on one, has tests of its own.
	inferred := []string{reason.KeysNotTaken.String(), reason.TraceReset.String(), reason.TwoDevices.String()}
	for _, c := range reason.Causes() {
		if !caused[c.String()] && !slices.Contains(inferred, c.String()) {
			t.Errorf("no fault has the cause %s", c)
		}
	}
}

// TestFaultsPage: docs/protocol/faults.md is what the table makes. TOUCHSTONE_UPDATE=1 writes it.
func TestFaultsPage(t *testing.T) {
	page := filepath.Join("..", "..", "docs", "protocol", "faults.md")
	want := faultsPage()
	if os.Getenv("TOUCHSTONE_UPDATE") == "1" {
		if err := os.WriteFile(page, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/protocol/faults.md is not what the table makes: TOUCHSTONE_UPDATE=1 go test ./cmd/touchstone -run TestFaultsPage")
	}
}
