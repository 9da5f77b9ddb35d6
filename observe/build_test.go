package observe

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestNoProfilerIsLinked: the program does not contain net/http/pprof, so that no mistake can serve it.
// expvar comes with Prometheus's library; it is served by nobody, see TestPortShowsNothingElse.
func TestNoProfilerIsLinked(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "touchstone/cmd/touchstone").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "net/http") || !slices.Contains(deps, "touchstone/observe") {
		t.Fatal("the list of linked packages is not what it should be")
	}
	for _, bad := range []string{"net/http/pprof", "runtime/pprof", "runtime/trace"} {
		if slices.Contains(deps, bad) {
			t.Errorf("%s is linked", bad)
		}
	}
}
