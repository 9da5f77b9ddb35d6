//go:build !flaw

package proof

// flaw is the check that always passes in a build made to prove that the canary sees it; in every other
// build it is no check, and the compiler leaves nothing of it.
const flaw = Checks
