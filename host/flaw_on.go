//go:build flaw

package host

import "time"

// flawLate delays every balance inquiry. It exists only with the build tag flaw.
var flawLate time.Duration

// SetFlawLate sets the delay. Call it while nothing is judged.
func SetFlawLate(d time.Duration) { flawLate = d }
