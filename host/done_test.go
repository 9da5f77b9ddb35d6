package host_test

import (
	"testing"

	"touchstone/host"
)

// TestDoneWaitsForTheLedger: the committer may be quicker than the ledger, which still folds the entry it has
// just enqueued. Until it returns, the Exchange is not given back: the next message in it would be folded in
// the place of this one.
func TestDoneWaitsForTheLedger(t *testing.T) {
	for _, function := range []string{"sale", "reversal", "sign-in", "settlement", "echo"} {
		t.Run(function, func(t *testing.T) {
			g := newRig(t)
			g.healthyFor(function)
			early := 0
			inner := g.ledger.commit
			g.ledger.commit = func(x *host.Exchange) error {
				err := inner(x) // tells x that its entry is durable
				early = g.done
				return err
			}
			mti, m := message(t, function)
			if g.say(t, pack(t, mti, m)) == nil { // which wants Done called once by the end of Begin
				t.Fatal("no answer")
			}
			if early != 0 {
				t.Error("the Exchange was given back while the ledger had it")
			}
		})
	}
}
