package touchstone_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// attacksOfThePages are the attacks on the console, the interface and the public pages that have a test by name.
var attacksOfThePages = strings.Fields("S-01 S-02 S-03 S-04 S-05 S-06 S-07 S-08 S-14 S-21 S-22 S-27 S-28 S-30 S-32")

// TestThreatModel: the threat model has a row for each of these attacks, each row names a test that carries the attack's
// number, and every test that is named is there; a test of an attack that no row names is missing from it.
func TestThreatModel(t *testing.T) {
	text, err := os.ReadFile("docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, pattern := range []string{"*_test.go", "*/*_test.go", "*/*/*_test.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	there := map[string]bool{}
	test := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	for _, path := range files {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range test.FindAllStringSubmatch(string(source), -1) {
			there[m[1]] = true
		}
	}
	var named, rows []string
	for line := range strings.Lines(string(text)) {
		tests := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(line, -1)
		for _, m := range tests {
			if named = append(named, m[1]); !there[m[1]] {
				t.Errorf("%s is named and is not there", m[1])
			}
		}
		id := regexp.MustCompile(`^\| (S-[0-9]{2}) `).FindStringSubmatch(line)
		if id == nil {
			continue
		}
		rows = append(rows, id[1])
		prefix := "Test" + strings.ReplaceAll(id[1], "-", "")
		if !slices.ContainsFunc(tests, func(m []string) bool { return strings.HasPrefix(m[1], prefix) }) {
			t.Errorf("the row of %s names no test of its number", id[1])
		}
	}
	if !slices.Equal(rows, attacksOfThePages) {
		t.Errorf("rows are %v, want %v", rows, attacksOfThePages)
	}
	for name := range there {
		if regexp.MustCompile(`^TestS[0-9]{2}`).MatchString(name) && !slices.Contains(named, name) {
			t.Errorf("%s is an attack's test, and the threat model does not name it", name)
		}
	}
}
