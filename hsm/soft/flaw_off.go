//go:build !flaw

package soft

// flawMAC makes every MAC right in a build made to prove that the canary sees it; in every other build
// it is false, and the compiler leaves nothing of it.
const flawMAC = false
