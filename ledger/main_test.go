package ledger_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// defaults are how rapid runs here unless its own flags say so: how many random histories a property is
// held against, how long a failing one is made smaller, and no files: the seed it prints is enough.
var defaults = map[string]string{"rapid.checks": histories, "rapid.shrinktime": "8s", "rapid.nofailfile": "true"}

func TestMain(m *testing.M) {
	flag.Parse()
	asked := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { asked[f.Name] = true })
	for name, value := range defaults {
		if asked[name] {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}
