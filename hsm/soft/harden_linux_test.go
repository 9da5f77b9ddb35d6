package soft_test

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"touchstone/hsm/soft"
)

// TestHarden runs in a process of its own, as it cannot be taken back.
func TestHarden(t *testing.T) {
	const mark = "TOUCHSTONE_TEST_HARDEN"
	if os.Getenv(mark) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestHarden$", "-test.v")
		cmd.Env = append(os.Environ(), mark+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if err := soft.Harden(); err != nil {
		t.Fatal(err)
	}
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil || core.Cur != 0 || core.Max != 0 {
		t.Errorf("core limit %d of %d, %v", core.Cur, core.Max, err)
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || n != 0 {
		t.Errorf("dumpable %d, %v", n, err)
	}
}
