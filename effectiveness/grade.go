package effectiveness

import (
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
)

// Proof is one thing that an approval may rest on. The order is that of a report; it is kept nowhere.
type Proof uint8

// The proofs.
const (
	Transport Proof = iota // a device certificate, where one is registered
	Network
	Place
	Permit
	MAC
	MACGrade
	Replay
	Serial
	Track
	Cardholder
	EMV
	Original
	Proofs // the number of proofs
)

var proofNames = [Proofs]string{"transport", "network", "place", "permit", "MAC", "MAC grade", "replay", "serial", "track",
	"cardholder", "EMV", "original"}

// String is the proof's stable word.
func (p Proof) String() string {
	if p < Proofs {
		return proofNames[p]
	}
	return "unknown"
}

// Standing is how one proof stands in one approval. The zero value is the worst.
type Standing uint8

// The standings.
const (
	Missing     Standing = iota // required, not excused, and not proven: never on a sound host
	Proven                      // examined and right
	Weak                        // right, by an algorithm that the standard counts as weak
	NotRequired                 // not run by profile: the registration does not ask for it, and the standard does
	Waived                      // policy lets it go
	NotAsked                    // neither registration nor standard asks for it
	Absent                      // the message has no such thing
	standings
)

var standingNames = [standings]string{"missing", "proven", "weak", "not required", "waived", "not asked", "absent"}

// String is the standing's stable word.
func (s Standing) String() string {
	if s < standings {
		return standingNames[s]
	}
	return "unknown"
}

// Short tells whether the standing keeps an approval from being fully proven.
func (s Standing) Short() bool {
	return s == Missing || s == Weak || s == NotRequired || s == Waived
}

// Pattern is the standing of every proof of one approval, four bits each, and in the highest byte the
// number of the MAC's algorithm.
type Pattern uint64

// Of is the standing of one proof.
func (p Pattern) Of(at Proof) Standing { return Standing(p >> (4 * at) & 15) }

func (p *Pattern) set(at Proof, s Standing) { *p = *p&^(15<<(4*at)) | Pattern(s)<<(4*at) }

// Algorithm is how the MAC was computed.
func (p Pattern) Algorithm() mac.Algorithm { return mac.Algorithm(p >> 56) }

// Full tells whether every proof that is required was proven.
func (p Pattern) Full() bool {
	for at := range Proofs {
		if p.Of(at).Short() {
			return false
		}
	}
	return true
}

// Standard is what the acquirer asks of an approval.
type Standard struct {
	Weak mac.Weakness // an algorithm with any of these is weak
}

// DefaultStandard counts a key that can be searched and a chain that can be forged. The exclusive or of
// the message before any key, docs/protocol/unionpay-pos.md 4.1, is what the protocol prescribes and
// what no terminal can choose: Strict counts it too.
func DefaultStandard() Standard { return Standard{Weak: mac.SingleDES | mac.OpenChain} }

// Strict counts every weakness.
func Strict() Standard { return Standard{Weak: mac.SingleDES | mac.OpenChain | mac.XORFold} }

// facts are what the register says of one terminal, as far as a grade needs it.
type facts struct {
	merchant pos.MerchantID
	device   *deviceFacts
	code     pos.NetworkCode
	circle   bool
	canary   bool
}

type deviceFacts struct {
	model       string
	keyed       bool
	certificate bool
}

// counts tells whether an entry is an approval that a figure speaks of: an answer 00 to a message that
// must prove itself, given for the first time. A sign-in, an echo and a settlement carry no MAC by the
// protocol and move no money; what was paid for a claim rests on two people and no proof.
func counts(x *journal.Exchange) bool {
	if x.DE39 != pos.Approved || x.Reason != reason.None || x.Flags&(journal.FlagRepeat|journal.FlagRedress) != 0 {
		return false
	}
	switch x.MTI {
	case 0x0100, 0x0200, 0x0220, 0x0400:
		return true
	}
	return false
}

// grade judges one approval.
func (std Standard) grade(f *facts, x *journal.Exchange) (p Pattern) {
	checks := proof.States(x.Checks)
	passed := func(c proof.Check, otherwise Standing) Standing {
		if checks.Of(c) == proof.Passed {
			return Proven
		}
		return otherwise
	}
	sale := x.MTI == 0x0200 && x.Type == pos.Sale
	algorithm := proof.AlgorithmOfEntry(x)
	p = Pattern(algorithm) << 56
	p.set(Transport, std.transport(f, checks))
	p.set(Network, passed(proof.Network, Missing))
	if p.Of(Network) == Proven && proof.AnyNetwork(x) {
		p.set(Network, NotRequired)
	}
	p.set(Place, std.place(f, x, checks))
	p.set(Permit, passed(proof.PermitCheck, Missing))
	p.set(MAC, passed(proof.MAC, Missing))
	p.set(MACGrade, passed(proof.MACGrade, Missing))
	if grade := algorithm.Grade(); p.Of(MACGrade) == Proven && (grade.Strength == mac.Worthless || grade.Why&std.Weak != 0) {
		p.set(MACGrade, Weak)
	}
	p.set(Replay, passed(proof.Replay, Missing))
	p.set(Serial, Absent)
	p.set(Cardholder, Absent)
	p.set(Original, Absent)
	switch {
	case x.MTI == 0x0400:
		p.set(Replay, Absent) // a reversal names its original's trace and may come again
	case sale:
		p.set(Serial, serial(f, checks))
		p.set(Cardholder, cardholder(x, checks))
	case x.Type == pos.Balance:
		p.set(Cardholder, cardholder(x, checks))
	case x.Type == pos.Void, x.Type == pos.Refund:
		p.set(Original, passed(proof.Original, Missing))
	}
	p.set(Track, track(f, x, checks))
	p.set(EMV, Absent)
	if entry := x.EntryMode / 10; x.Flags&journal.FlagChip != 0 || entry == 5 || entry == 7 {
		p.set(EMV, passed(proof.EMVConsistency, Waived))
	}
	return p
}

// transport: a device certificate proves which device speaks; only who has one registered must show it.
func (std Standard) transport(f *facts, checks proof.States) Standing {
	switch {
	case checks.Of(proof.DeviceCertificate) == proof.Passed:
		return Proven
	case f.device != nil && f.device.certificate:
		return Missing
	}
	return NotAsked
}

// place: outside its circle, or silent about where it stands, and policy let it be.
func (std Standard) place(f *facts, x *journal.Exchange, checks proof.States) Standing {
	switch {
	case checks.Of(proof.Place) == proof.Passed:
		return Proven
	case !f.circle && x.Flags&journal.FlagOutside == 0:
		return NotAsked
	}
	return Waived
}

// serial: a device without a serial-number key only states its number.
func serial(f *facts, checks proof.States) Standing {
	switch {
	case f.device != nil && !f.device.keyed:
		return NotRequired
	case checks.Of(proof.Serial) == proof.Passed:
		return Proven
	}
	return Missing
}

// cardholder: a PIN verified; without one the card's bank let the sale go.
func cardholder(x *journal.Exchange, checks proof.States) Standing {
	switch {
	case x.Flags&journal.FlagPIN == 0:
		return Waived
	case checks.Of(proof.PIN) == proof.Passed:
		return Proven
	}
	return Missing
}

// track: a clear one although a track key was issued is policy's leave (9A.23).
func track(f *facts, x *journal.Exchange, checks proof.States) Standing {
	switch {
	case x.Flags&journal.FlagTrack2 == 0:
		return Absent
	case checks.Of(proof.Track) != proof.Passed:
		return Missing
	case x.Flags&journal.FlagTrackSealed == 0 && keys.HasTrackKey(f.code):
		return Waived
	}
	return Proven
}
