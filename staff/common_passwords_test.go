package staff_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"touchstone/staff"
)

// TestCommonPasswords: the bundled list is one that guessers use, and what is no more than one or two of it is refused;
// what people should choose is not.
func TestCommonPasswords(t *testing.T) {
	raw, err := os.ReadFile("common.txt")
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for line := range strings.Lines(string(raw)) {
		if line[0] != '#' {
			words = append(words, strings.TrimSuffix(line, "\n"))
		}
	}
	if len(words) < 10_000 || !slices.IsSorted(words) {
		t.Fatalf("%d passwords, sorted: %v", len(words), slices.IsSorted(words))
	}
	of := &staff.Account{Name: "qian", FullName: "Qian Jin", Person: "E-1002", Organisation: "Sample Acquirer"}
	for _, w := range words {
		if len(w) >= staff.MinPassphrase && !errors.Is(staff.CheckPassphrase(text(w), of), staff.ErrPassphrase) {
			t.Errorf("%q of the list is taken", w)
		}
	}
	for passphrase, taken := range map[string]bool{
		"chelsea liverpool": false, "Liverpool+Chelsea 2019": false, "chelsea liverpool 8206417": true, "tinkerbell0butterfly": false, "t1nkerb3ll butt3rfly": false,
		"Stradivarius butterfly 12": true, "elephant riding over cold oceans": true, "monday rain in Lanzhou, no umbrella": true, "四个词拼在一起就很难猜到了吧真的": true,
		"a pelican mends gaskets": true,
	} {
		if err := staff.CheckPassphrase(text(passphrase), of); (err == nil) != taken {
			t.Errorf("%q: %v", passphrase, err)
		}
	}
}
