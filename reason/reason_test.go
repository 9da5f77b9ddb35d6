package reason_test

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"touchstone/reason"
)

// TestTableAgreesWithDocument reads docs/protocol/failures.md and compares name, DE39 and owner of
// every reason that is known at a decision.
func TestTableAgreesWithDocument(t *testing.T) {
	f, err := os.Open("../docs/protocol/failures.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		cells := strings.Split(s.Text(), "|")
		if len(cells) != 6 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		names := strings.Split(strings.ReplaceAll(strings.TrimSpace(cells[1]), "`", ""), ", ")
		codes := strings.Split(strings.TrimSpace(cells[2]), ", ")
		whos := strings.TrimSpace(cells[3])
		for i, name := range names {
			r, err := reason.Parse(name)
			if err != nil {
				continue // a cause proven afterwards, not a reason of a decision
			}
			seen++
			code := codes[min(i, len(codes)-1)]
			if got := r.DE39().String(); len(code) == 2 && got != code {
				t.Errorf("%s: DE39 %s, the document says %s", name, got, code)
			}
			if got := strings.ToUpper(r.Owner().String()[:1]); !strings.Contains(whos, got) {
				t.Errorf("%s: owner %s, the document says %s", name, got, whos)
			}
		}
	}
	if seen != len(reason.All()) {
		t.Errorf("%d of %d reasons are in the document", seen, len(reason.All()))
	}
}

func TestNamesAreStable(t *testing.T) {
	want, err := os.ReadFile("testdata/numbers.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, r := range reason.All() {
		got.WriteString(r.String() + "\n")
		back, err := reason.Parse(r.String())
		if err != nil || back != r {
			t.Errorf("%s does not parse back: %v", r, err)
		}
	}
	if !strings.HasPrefix(got.String(), string(want)) {
		t.Error("a reason was renamed, moved or removed: testdata/numbers.txt only grows at its end")
	}
}

func TestOutsideTheTable(t *testing.T) {
	r := reason.Reason(250)
	if r.Known() || r.DE39().String() != "96" || r.Owner() != reason.Acquirer || r.String() != "unknown" {
		t.Error("a reason outside the table must refuse")
	}
}
