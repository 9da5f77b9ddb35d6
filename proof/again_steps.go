package proof

import (
	"encoding/binary"
	"slices"

	"touchstone/journal"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/transaction"
)

// The steps of a Trial, in the order of generalSteps.

func (y *trying) clone() ruling {
	if y.t.Policy == nil {
		return ruling{}
	}
	if y.p.Suspected && y.t.Policy.RefuseClones {
		return fail(Binding, reason.CloneSuspected)
	}
	return ruling{said: passes}
}

func (y *trying) network() ruling {
	if y.t.Policy == nil {
		return ruling{}
	}
	_, anywhere, ok := registry.Allowed(y.p.Terminal, y.p.Merchant, y.x.Source)
	if !ok && y.rank != rankNetwork {
		return ruling{} // it passed then: the record prevails
	}
	if !ok || anywhere && y.t.Policy.RequireNetwork {
		return fail(Network, reason.NetworkNotAllowed)
	}
	return ruling{said: passes}
}

func (y *trying) line() ruling {
	if y.t.Policy == nil {
		return ruling{}
	}
	plain := !y.r.Secure
	if plain && (y.t.Policy.RequireTLS || y.p.Device.Certificate != "") {
		return fail(DeviceCertificate, reason.TransportRefused)
	}
	if !plain && y.t.Clients && States(y.x.Checks).Of(DeviceCertificate) == NotRun {
		return fail(DeviceCertificate, reason.TransportRefused) // at the handshake
	}
	return ruling{said: passes}
}

func (y *trying) place() ruling {
	area, policy := y.p.Terminal.Place, y.t.Policy
	if policy == nil || area == nil {
		return ruling{}
	}
	refuse := area.Refuse || policy.RefusePlace
	switch {
	case y.r.HasPlace:
		inside := metres(y.r.Latitude, y.r.Longitude, area.Latitude, area.Longitude) <= float64(area.Metres)+float64(policy.PlaceMetres)
		if !inside && refuse {
			return fail(Place, reason.LocationOutside)
		}
	case y.rank == rankPlace: // coordinates that could not be read
		if refuse {
			return fail(Place, reason.LocationOutside)
		}
	case refuse && !area.Refuse && y.r.Need == Financial:
		return ruling{said: unknown, what: UntoldPlace}
	}
	return ruling{said: passes}
}

// held judges a request against a permit with what the journal keeps of it.
func (y *trying) held(c Check, may registry.Permit) ruling {
	if against(y.r, may) != "" {
		return fail(c, reason.PermitRefused)
	}
	read := y.x.Flags&journal.FlagNoFallback != 0 || y.p.Online
	if may.Sell && may.OnlineOnly && y.r.Need == Financial && y.r.Op != transaction.Reversal && !read {
		return ruling{said: unknown, what: UntoldFallback}
	}
	return ruling{said: passes}
}

func (y *trying) permit() ruling {
	if !y.t.Permits {
		return ruling{}
	}
	may := y.p.Terminal.Permit.Plain()
	if y.p.Permit != nil {
		may = y.p.Permit.Permit.Meet(may)
	}
	return y.held(PermitCheck, may)
}

func (y *trying) cashier() ruling {
	if !y.t.Permits || y.r.Need != SignIn {
		return ruling{}
	}
	if who := y.p.Cashiers[0]; who != nil && !who.Permit.SignIn() {
		return fail(PolicyCheck, reason.PermitRefused)
	}
	return ruling{said: passes}
}

func (y *trying) singleDES() ruling {
	if y.t.Policy == nil || y.r.Need != SignIn {
		return ruling{}
	}
	if y.p.Terminal.Profile.SignInCode == keys.SignInDES && !y.t.Policy.AllowSingleDES {
		return fail(MACGrade, reason.MACGradeRefused)
	}
	return ruling{said: passes}
}

// tail: a sign-in whose DE62 disagreed has both in its evidence.
func (y *trying) tail() ruling {
	if y.t.Policy == nil || y.r.Need != SignIn {
		return ruling{}
	}
	differs := false
	eachDetail(y.x.Details, func(c Check, _, _ []byte) { differs = differs || c == Serial })
	if differs && y.t.Policy.RefuseTail {
		return fail(Serial, reason.SerialMismatch)
	}
	return ruling{said: passes}
}

// usable tells whether a set would verify messages under the trial.
func (y *trying) usable(set *keys.Set) bool {
	if set.Number == 0 || y.p.Session.SignedOff || y.p.NotGiven(set.Number) {
		return false
	}
	return y.t.Policy == nil || y.p.Session.Usable(set, y.t.Policy.lifetime(y.r), y.x.At)
}

func (y *trying) session() ruling {
	if y.r.Need != Financial && y.r.Need != Settlement {
		return ruling{}
	}
	s := y.p.Session
	some := y.usable(&s.Pending) || y.usable(&s.InForce)
	if y.x.KeySet != 0 {
		used := &s.InForce
		if s.Pending.Number == y.x.KeySet {
			used = &s.Pending
		}
		notGiven := y.p.NotGiven(y.x.KeySet)
		switch {
		case used.Number != y.x.KeySet || y.usable(used):
			return ruling{said: passes}
		case notGiven && some:
			return ruling{said: unknown, what: UntoldKeys}
		case y.p.Asked && !notGiven:
			return ruling{said: unknown, what: UntoldSignIn}
		case some: // another set is tried, and the MAC is wrong under it
			return fail(MAC, reason.MACFailed)
		}
		return ruling{said: fails, check: SignedIn, reason: reason.NotSignedIn, follows: notGiven}
	}
	switch {
	case some:
		return ruling{said: passes}
	case y.p.Granted, y.p.Asked:
		return ruling{said: unknown, what: UntoldSignIn}
	case y.t.Policy == nil && y.rank == rankSession:
		return ruling{}
	}
	follows := y.p.NotGiven(s.Pending.Number) || y.p.NotGiven(s.InForce.Number)
	return ruling{said: fails, check: SignedIn, reason: reason.NotSignedIn, follows: follows}
}

func (y *trying) grade() ruling {
	policy := y.t.Policy
	if policy == nil || y.r.Need != Financial {
		return ruling{}
	}
	algorithm, code := AlgorithmOfEntry(y.x), y.p.Session.InForce.Code
	if y.p.Session.Pending.Number == y.x.KeySet && y.x.KeySet != 0 {
		code = y.p.Session.Pending.Code
	}
	if algorithm == mac.None {
		algorithm = AlgorithmOf(y.p.Terminal.Profile.MAC, code)
	}
	weak := (policy.RefuseWeakMAC || y.p.Terminal.Profile.MACStrong) && algorithm.Grade().Strength != mac.Strong
	if policy.RefuseMAC.Refuses(algorithm) || code == keys.SignInDES && !policy.AllowSingleDES || weak {
		return fail(MACGrade, reason.MACGradeRefused)
	}
	return ruling{said: passes}
}

func (y *trying) replay() ruling {
	repeat := y.x.Flags&journal.FlagRepeat != 0
	if repeat {
		if e := y.p.Refused(y.x.Original); e.Reason != reason.None {
			return ruling{said: fails, check: Replay, reason: e.Reason, follows: true}
		}
	}
	if y.x.Reason == reason.DuplicateTrace && y.p.Refused(PriorOfEntry(y.x)).Reason != reason.None {
		return ruling{said: unknown, what: UntoldRepeat}
	}
	if y.t.Policy == nil || !repeat && y.x.Reason != reason.Replayed {
		return ruling{}
	}
	if y.p.PriorAt == 0 {
		return ruling{said: unknown, what: UntoldRepeat}
	}
	late := y.x.At.Sub(y.p.PriorAt) > y.t.Policy.RepeatWindow
	switch {
	case late:
		return fail(Replay, reason.Replayed)
	case repeat:
		return ruling{said: passes}
	}
	return ruling{said: unknown, what: UntoldRepeat}
}

func (y *trying) inPerson() ruling {
	if !y.t.Permits || y.r.Need != Financial || y.x.KeySet == 0 || y.x.Flags&journal.FlagRepeat != 0 {
		return ruling{}
	}
	who := y.p.Cashiers[1]
	if y.x.KeySet == y.p.Session.Pending.Number {
		who = y.p.Cashiers[0]
	}
	if who == nil {
		return ruling{said: passes}
	}
	return y.held(PolicyCheck, who.Permit)
}

// cardReasons are refusals that depend on what else the card did.
var cardReasons = []reason.Reason{reason.InsufficientFunds, reason.LimitExceeded, reason.PINTriesExceeded, reason.PINWrong}

// original: what undid a sale that would have been refused finds nothing to undo; a reversal finds the refused record
// and has nothing to give back.
func (y *trying) original() ruling {
	if y.x.Flags&journal.FlagRepeat != 0 {
		return ruling{}
	}
	if y.p.Shifted && slices.Contains(cardReasons, y.x.Reason) {
		return ruling{said: unknown, what: UntoldCard}
	}
	if y.x.Original == 0 {
		return ruling{}
	}
	e := y.p.Refused(y.x.Original)
	if e.Reason == reason.None || y.r.Op == transaction.Reversal && e.Recorded {
		return ruling{}
	}
	return ruling{said: fails, check: Original, reason: reason.OriginalNotFound, follows: true}
}

// PriorOfEntry is the entry whose trace a message used again, from its evidence; 0 none.
func PriorOfEntry(x *journal.Exchange) (seq uint64) {
	eachDetail(x.Details, func(c Check, _, expected []byte) {
		if c == Replay && len(expected) == 2+8 && expected[0] == tagEntry {
			seq = binary.BigEndian.Uint64(expected[2:])
		}
	})
	return seq
}
