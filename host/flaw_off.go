//go:build !flaw

package host

// flawLate delays an answer in a build made to prove that the canary sees it; in every other build it
// is 0, and the compiler leaves nothing of it.
const flawLate = 0
