package check

// Answer is one of three. The zero value is not a yes.
type Answer uint8

// The answers.
const (
	CannotTell Answer = iota
	No
	Yes
)

// Name is the answer's word in the JSON interface, and the class of its shape.
func (a Answer) Name() string { return [...]string{"cannot_tell", "no", "yes"}[a] }

// Why is what an answer rests on, coarse enough to tell a stranger nothing that helps him.
type Why uint8

// The reasons that the public is told.
const (
	WhyAskCode     Why = iota // no code was given
	WhyWrongCode              // not of this number's device, whether that is known or not
	WhyOver                   // this number's device signed it, and not now
	WhyTwoCodes               // somebody guesses at this number: two codes in a row are asked for
	WhyUnavailable            // the host cannot prove anything now
	WhyUnsure                 // proven, and nobody can say yes now
	WhyBlocked                // proven, and not to be used
	WhyNoShop                 // proven, and registered for no shop
	WhyWorking
	WhyUnknown     // of a device: the number is not known here
	WhyRetired     //
	WhyStopped     //
	WhyUncertified //
	WhyAdvisory    //
	WhyUnversioned // certificates and advisories name versions, and its own is not known
	WhyRecordOnly  // nothing speaks against it, and nothing proves that it is this device
	WhyGood
)

var whyNames = [...]string{"code_needed", "not_proven", "code_over", "two_codes_needed", "unavailable", "unsure", "not_to_be_used", "no_shop", "registered",
	"unknown", "retired", "stopped", "not_certified", "advisory", "version_unknown", "record_only", "good"}

// Name is the reason's word in the JSON interface.
func (w Why) Name() string { return whyNames[w] }

// proof is what became of the codes that somebody typed.
type proof uint8

const (
	noCode proof = iota
	wrongCode
	overCode // signed, and of another minute
	rightCode
	needTwo // right or wrong, one is not enough now
	noProof // the host failed
)

// judgeTerminal is the answer to: is the terminal before me the registered one. place is read for rightCode alone.
func judgeTerminal(p proof, place *Place) (Answer, Why) {
	switch p {
	case noCode:
		return CannotTell, WhyAskCode
	case wrongCode:
		return No, WhyWrongCode
	case overCode:
		return No, WhyOver
	case needTwo:
		return CannotTell, WhyTwoCodes
	case rightCode:
	default:
		return CannotTell, WhyUnavailable
	}
	switch {
	case place == nil:
		return CannotTell, WhyUnavailable
	case !place.Registered:
		return No, WhyNoShop
	case place.Standing == Blocked:
		return No, WhyBlocked
	case place.Standing == Working:
		return Yes, WhyWorking
	}
	return CannotTell, WhyUnsure
}

// judgeDevice is the answer to: may I use this device. By the number alone it is never yes: a number can be copied.
func judgeDevice(p proof, r *Record) (Answer, Why) {
	switch {
	case p == noProof || r == nil:
		return CannotTell, WhyUnavailable
	case p == wrongCode: // first: of a number that may be another's nothing is said
		return No, WhyWrongCode
	case p == overCode:
		return No, WhyOver
	case p == needTwo:
		return CannotTell, WhyTwoCodes
	case !r.Known:
		return CannotTell, WhyUnknown
	case r.Lost: // before its end: who is offered it has to know
		return No, WhyStopped
	case r.Retired:
		return No, WhyRetired
	case r.Stopped:
		return No, WhyStopped
	case r.Certificate == Ended || r.Certificate == Uncertain:
		return No, WhyUncertified
	case len(r.Advisories) > 0 && !r.Unversioned:
		return No, WhyAdvisory
	case r.Certificate == Unversioned, len(r.Advisories) > 0:
		return CannotTell, WhyUnversioned
	case r.Certificate != Certified || !r.Announced:
		return CannotTell, WhyUncertified
	case p == rightCode:
		return Yes, WhyGood
	}
	return CannotTell, WhyRecordOnly
}
