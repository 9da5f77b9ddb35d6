//go:build !flaw

package soft

import "touchstone/proof"

// flaw is the proof, MAC or serial, that always comes out right in a build made to show that the canary
// sees it; in every other build it is none, and the compiler leaves nothing of it.
const flaw = proof.Checks
