//go:build flaw

package soft

// flawMAC makes every MAC right. It exists only with the build tag flaw.
var flawMAC bool

// SetFlawMAC switches the verification of MACs off or on. Call it while nothing is proved.
func SetFlawMAC(on bool) { flawMAC = on }
