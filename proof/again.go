package proof

import (
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/registry"
)

// Trial judges entries of the journal again under another policy. Only what a policy decides is asked again; of every
// other check the recorded outcome stands.
type Trial struct {
	Policy  *Policy // the host's policy; nil leaves as recorded what it decides
	Clients bool    // with Policy: TLS connections without a client certificate are refused at the handshake
	Permits bool    // the permits of Past are those of another permit policy; else permits stand as recorded
}

// Past is what was known when an entry was written, before it was folded, and what the trial has found so far.
type Past struct {
	Request  *Request // as far as the journal keeps it
	Terminal *registry.Terminal
	Merchant *registry.Merchant
	Device   *registry.Device
	Session  *keys.Session

	Permit   *registry.Standing    // of the terminal under the tried permit policy; nil: its registration alone
	Cashiers [2]*registry.Standing // who asked for the pending keys, or asks now; who for those in force
	Online   bool                  // the permit in force then was online only, so that what it lets be was online

	Suspected bool // two devices are suspected by what came under the terminal's keys, and nobody cleared it

	PriorAt  pos.Instant              // when the entry was written that a repeat or a replay is of; 0 unknown
	Refused  func(seq uint64) Earlier // what the trial found of an earlier entry
	NotGiven func(number uint32) bool // keys of this terminal that a sign-in refused under the trial would not have issued
	Granted  bool                     // a sign-in that was refused would have issued keys
	Asked    bool                     // the trial refused an earlier message for keys too old: a terminal signs in again upon that
	Shifted  bool                     // the card's balance or PIN tries differ under the trial
}

// Earlier is what a trial found of an earlier entry. The zero value: nothing.
type Earlier struct {
	Reason   reason.Reason // it would have been refused
	Recorded bool          // and still been kept as a record: its MAC had verified
}

// Finding is how an entry comes out under a trial.
type Finding uint8

// The findings.
const (
	AsBefore     Finding = iota // the same answer for the same reason
	NewlyRefused                // approved then, refused now
	OtherReason                 // refused either way, for another reason
	NoLonger                    // refused then; the policy no longer does. The checks after it were not run: what they would say cannot be told, but where Whole
	CannotTell                  // the journal does not keep what decides; What names it
)

var findingNames = [...]string{"as_before", "newly_refused", "other_reason", "no_longer_refused", "cannot_be_told"}

// String is the finding's stable word.
func (f Finding) String() string {
	if int(f) < len(findingNames) {
		return findingNames[f]
	}
	return "unknown"
}

// What cannot be told, in stable words.
const (
	UntoldPlace    = "place_unreadable_or_absent" // whether coordinates came that are no place
	UntoldFallback = "fallback_or_chip_card"      // DE60.5 and the card's service code
	UntoldKeys     = "keys_of_an_earlier_sign_in" // which keys the terminal would have used
	UntoldRepeat   = "repeat_or_undone"           // whether the original still stood
	UntoldCard     = "balance_or_pin_tries"       // what the card's other refusals would have changed
	UntoldSignIn   = "after_a_sign_in"            // what follows keys that would have been issued
)

// Again is the judgment of one entry.
type Again struct {
	Finding Finding
	Check   Check         // that decides now; of NoLonger, that refused then
	Reason  reason.Reason // now; of NoLonger, then
	Follows bool          // because of an earlier entry that would have been refused
	Whole   bool          // of NoLonger: nothing that was not run remains, so it would be approved
	What    string        // of CannotTell
}

// said is what one step of a trial says.
type said uint8

const (
	keep said = iota // the recorded outcome stands
	passes
	fails
	unknown
)

// ruling is a step's answer.
type ruling struct {
	said    said
	reason  reason.Reason
	check   Check
	follows bool
	what    string
}

func fail(c Check, r reason.Reason) ruling { return ruling{said: fails, check: c, reason: r} }

// Ranks order checks as Decide runs them; what policy does not decide lies between.
const (
	rankClone    = 5
	rankNetwork  = 10
	rankLine     = 20
	rankPlace    = 30
	rankPermit   = 40
	rankCashier  = 45
	rankCode     = 46
	rankDES      = 47
	rankKey      = 48
	rankRate     = 49
	rankSession  = 50
	rankTail     = 51
	rankBatch    = 55
	rankMAC      = 57
	rankGrade    = 60
	rankReplay   = 70
	rankProofs   = 75
	rankInPerson = 80
	rankStopped  = 85
	rankMoney    = 90
	rankNever    = 1000
)

// rankOf is where a recorded refusal stands.
func rankOf(x *journal.Exchange, need Need) int {
	at, failed := States(x.Checks).First()
	if !failed {
		if x.Reason == reason.None {
			return rankNever
		}
		return 0
	}
	signIn := need == SignIn
	switch at {
	case Binding:
		return pickRank(x.Reason == reason.CloneSuspected, rankClone, 0)
	case Network:
		return rankNetwork
	case DeviceCertificate:
		return rankLine
	case Place:
		return rankPlace
	case PermitCheck:
		return rankPermit
	case SignedIn:
		return pickRank(signIn, rankKey, rankSession)
	case Batch, KeyAlgorithm:
		return rankBatch
	case MAC:
		return rankMAC
	case MACGrade:
		return pickRank(signIn, rankDES, rankGrade)
	case Replay:
		return rankReplay
	case Serial:
		return pickRank(signIn, rankTail, rankProofs)
	case Track, EMVConsistency:
		return rankProofs
	case PIN:
		return pickRank(x.Reason == reason.PINWrong || x.Reason == reason.PINTriesExceeded, rankMoney, rankProofs)
	case PolicyCheck:
		return rankOfPolicy(x.Reason, signIn)
	case Original, CardholderVerification, CardCheck, BalanceCheck:
		return rankMoney
	}
	return 0
}

func pickRank(on bool, yes, no int) int {
	if on {
		return yes
	}
	return no
}

func rankOfPolicy(r reason.Reason, signIn bool) int {
	switch {
	case r == reason.PermitRefused:
		return pickRank(signIn, rankCashier, rankInPerson)
	case r == reason.SignInCodeRefused:
		return rankCode
	case r == reason.RateLimited:
		return rankRate
	case r == reason.NetworkNotAllowed: // a settlement from elsewhere
		return rankBatch
	}
	return rankStopped
}

// trying is one entry being judged.
type trying struct {
	t *Trial
	x *journal.Exchange
	p *Past
	r *Request

	rank int // of the recorded refusal
}

// step is one thing that policy decides.
type step struct {
	rank     int
	rule     func(*trying) ruling
	explains reason.Reason // the recorded refusal at this rank that this step can lift
}

var generalSteps = []step{
	{rankClone, (*trying).clone, reason.CloneSuspected},
	{rankNetwork, (*trying).network, reason.NetworkNotAllowed},
	{rankLine, (*trying).line, reason.TransportRefused},
	{rankPlace, (*trying).place, reason.LocationOutside},
	{rankPermit, (*trying).permit, reason.PermitRefused},
	{rankCashier, (*trying).cashier, reason.PermitRefused},
	{rankDES, (*trying).singleDES, reason.MACGradeRefused},
	{rankSession, (*trying).session, reason.NotSignedIn},
	{rankTail, (*trying).tail, reason.SerialMismatch},
	{rankGrade, (*trying).grade, reason.MACGradeRefused},
	{rankReplay, (*trying).replay, reason.Replayed},
	{rankInPerson, (*trying).inPerson, reason.PermitRefused},
	{rankMoney, (*trying).original, reason.None},
}

// Judge judges one entry again. p is as it was before the entry was folded.
func (t *Trial) Judge(x *journal.Exchange, p *Past) Again {
	y := &trying{t, x, p, p.Request, rankOf(x, p.Request.Need)}
	if p.Terminal == nil || p.Merchant == nil || p.Device == nil || y.rank < rankClone {
		return Again{}
	}
	lifted := Again{}
	untold := ""
	for i := range generalSteps {
		s := &generalSteps[i]
		if lifted.Finding == AsBefore && s.rank > y.rank {
			return Again{} // the recorded refusal stands before it
		}
		ruled := s.rule(y)
		own := s.rank == y.rank && lifted.Finding == AsBefore // the step that refused then
		switch ruled.said {
		case fails:
			return y.refused(ruled, own, lifted)
		case unknown:
			if own {
				return Again{Finding: CannotTell, What: ruled.what}
			}
			if untold == "" {
				untold = ruled.what
			}
		case passes:
			if own && x.Reason == s.explains {
				check, _ := States(x.Checks).First()
				lifted = Again{Finding: NoLonger, Check: check, Reason: x.Reason, Whole: p.Request.Need == SignIn && s.rank == rankTail}
			}
		}
	}
	switch {
	case lifted.Finding == NoLonger:
		return lifted
	case y.rank == rankNever && untold != "":
		return Again{Finding: CannotTell, What: untold}
	}
	return Again{}
}

// refused is the judgment where a step refuses.
func (y *trying) refused(r ruling, own bool, lifted Again) Again {
	a := Again{Check: r.check, Reason: r.reason, Follows: r.follows}
	switch {
	case lifted.Finding == NoLonger, y.rank != rankNever && !(own && y.x.Reason == r.reason):
		a.Finding = OtherReason
	case y.rank == rankNever:
		a.Finding = NewlyRefused
	default:
		return Again{}
	}
	return a
}
