package reason_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"touchstone/reason"
)

// The journal keeps the names and other programs the numbers: testdata/causes.txt is what they were when first given.
func TestCausesKeepTheirNumbersAndNames(t *testing.T) {
	file, err := os.Open("testdata/causes.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	n := 0
	for s := bufio.NewScanner(file); s.Scan(); {
		if line := s.Text(); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var number int
		var name string
		if _, err := fmt.Sscan(s.Text(), &number, &name); err != nil {
			t.Fatal(err)
		}
		c := reason.Cause(number)
		if c.String() != name {
			t.Errorf("%d is %s, was %s", number, c, name)
		}
		if back, err := reason.ParseCause(name); err != nil || back != c {
			t.Errorf("%s reads as %d: %v", name, back, err)
		}
		n++
	}
	if want := len(reason.Causes()) + 1; n != want {
		t.Errorf("the list has %d causes, the table %d", n, want)
	}
}

func TestEveryCauseHasAnOwnerAndAFamily(t *testing.T) {
	for _, c := range reason.Causes() {
		if c.Owner() == reason.Nobody || c.Family() == reason.FamilyUnproven {
			t.Errorf("%s: owner %s, family %s", c, c.Owner(), c.Family())
		}
	}
	if out := reason.Cause(250); out.String() != "unproven" || out.Family() != reason.FamilyUnproven {
		t.Errorf("outside the table: %s %s", out, out.Family())
	}
	if _, err := reason.ParseCause("no such"); err == nil {
		t.Error("a name outside the table was read")
	}
}
