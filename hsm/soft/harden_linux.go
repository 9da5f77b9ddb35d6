package soft

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Harden forbids core dumps (RLIMIT_CORE 0, soft and hard) and makes the process not dumpable
// (PR_SET_DUMPABLE 0), so that another process of the same user can neither attach a debugger nor read
// its memory; see prctl(2). It cannot be taken back. cmd calls it before Unseal.
func Harden() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("make the process not dumpable: %w", err)
	}
	return nil
}
