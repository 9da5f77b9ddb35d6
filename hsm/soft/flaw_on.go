//go:build flaw

package soft

import "touchstone/proof"

// flaw is the proof that always comes out right. It exists only with the build tag flaw.
var flaw = proof.Checks

// SetFlaw makes proof.MAC or proof.Serial come out right always; proof.Checks heals it. Call it while
// nothing is proved.
func SetFlaw(c proof.Check) { flaw = c }
