package grade

import (
	"errors"
	"math/bits"
	"time"

	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
)

// Thresholds are the ages at which keys lose worth. No published text that was at hand gives any of them
// (unverified): they are the acquirer's to set.
type Thresholds struct {
	WorkingStrong, WorkingAccepted time.Duration // age of the keys in force
	SignInsADay                    float64       // more are too many
	MasterStrong, MasterAccepted   time.Duration // age since the master key was loaded
}

// DefaultThresholds: working keys a day as a sign-in is valid (9A.9) and twice that, 24 sign-ins a day, master keys
// one year and three. All but the first are choices of ours, unverified.
func DefaultThresholds() Thresholds {
	const day = 24 * time.Hour
	return Thresholds{WorkingStrong: day, WorkingAccepted: 2 * day, SignInsADay: 24, MasterStrong: 365 * day, MasterAccepted: 3 * 365 * day}
}

// ErrThresholds is returned for thresholds that contradict themselves.
var ErrThresholds = errors.New("thresholds of a grade")

// Check tells what is wrong with thresholds.
func (t Thresholds) Check() error {
	switch {
	case t.WorkingStrong <= 0 || t.MasterStrong <= 0 || t.SignInsADay <= 0:
		return errors.Join(ErrThresholds, errors.New("want ages and sign-ins a day above zero"))
	case t.WorkingAccepted < t.WorkingStrong || t.MasterAccepted < t.MasterStrong:
		return errors.Join(ErrThresholds, errors.New("want the accepted age not under the strong one"))
	}
	return nil
}

// Facts are what is known of one terminal.
type Facts struct {
	Code       pos.NetworkCode     // registered sign-in code
	MAC        registry.MACProfile // registered MAC
	WithoutPAN bool                // PIN blocks without PAN are accepted
	TrackOnly  bool                // a clear track is refused
	SerialKey  bool                // the device has a serial key
	Client     bool                // a client certificate is registered
	Revoked    bool                // and revoked
	Master     bool                // a master key is loaded
	MasterAt   pos.Instant         // since when; 0 unknown

	Seen Seen // what the journal saw of it lately
}

// FactsOf are those of the register; d may be nil. What was seen is the caller's to add.
func FactsOf(t *registry.Terminal, d *registry.Device) (f Facts) {
	f = Facts{Code: t.Profile.SignInCode, MAC: t.Profile.MAC, WithoutPAN: t.Profile.PINWithout, TrackOnly: t.Profile.TrackSecret,
		Master: len(t.Master) > 0, MasterAt: t.MasterAt}
	if d != nil {
		f.SerialKey, f.Client, f.Revoked = len(d.Key) > 0, d.Certificate != "", d.CertificateVoid
	}
	return f
}

// Of grades a terminal at an instant. Raising any of the facts never lowers an axis.
func Of(f *Facts, th Thresholds, now pos.Instant) (g Grade) {
	g[MAC] = macOf(f)
	g[WorkingKey] = workingOf(f, th, now)
	g[MasterKey] = masterOf(f, th, now)
	g[PIN] = pinOf(f)
	g[Serial] = serialOf(f)
	g[Track] = trackOf(f)
	g[Transport] = transportOf(f)
	return g
}

// algorithmFinding is one algorithm's worth.
func algorithmFinding(a mac.Algorithm) Finding {
	grade := a.Grade()
	f := Finding{Level: Strong}
	switch grade.Strength {
	case mac.Worthless:
		return Finding{None, NoMAC}
	case mac.Weak:
		f.Level = Weak
	}
	for _, w := range [...]struct {
		is  mac.Weakness
		why Why
	}{{mac.XORFold, XORFold}, {mac.SingleDES, SingleDES}, {mac.OpenChain, OpenChain}} {
		if grade.Why.Has(w.is) {
			f.Why |= w.why
		}
	}
	return f
}

// macOf is the worst of the registered algorithm and of those under which messages verified.
func macOf(f *Facts) Finding {
	worst := algorithmFinding(proof.AlgorithmOf(f.MAC, f.Code))
	if f.Seen.Algorithms == 0 {
		worst.Why |= NotSeen
	}
	for rest := f.Seen.Algorithms; rest != 0; rest &= rest - 1 {
		one := algorithmFinding(mac.Algorithm(bits.TrailingZeros64(rest)))
		worst.lower(one.Level, one.Why)
	}
	return worst
}

func workingOf(f *Facts, th Thresholds, now pos.Instant) Finding {
	if f.Seen.InForce == 0 {
		return Finding{Accepted, NotSignedIn}
	}
	out := Finding{Level: Strong}
	switch age := now.Sub(f.Seen.InForce); {
	case age > th.WorkingAccepted:
		out.lower(Weak, SignInOld)
	case age > th.WorkingStrong:
		out.lower(Accepted, SignInAging)
	}
	if f.Seen.SignInsADay() > th.SignInsADay {
		out.lower(Weak, ManySignIns)
	}
	return out
}

func masterOf(f *Facts, th Thresholds, now pos.Instant) Finding {
	if !f.Master {
		return Finding{None, NoMaster}
	}
	out := Finding{Level: Strong}
	if keys.CipherOf(f.Code) == keys.DES {
		out.lower(Weak, SingleDES) // it wraps working keys by single DES, section 3.2
	}
	switch age := now.Sub(f.MasterAt); {
	case f.MasterAt == 0:
		out.lower(Weak, MasterUndated) // what is unknown is not good
	case age > th.MasterAccepted:
		out.lower(Weak, MasterOld)
	case age > th.MasterStrong:
		out.lower(Accepted, MasterAging)
	}
	return out
}

// pinOf never says strong: no block of this dialect has the random fill of ISO 9564-1 format 4. The journal keeps
// whether a PIN came, not in which block: a profile that accepts one without PAN is taken to use it.
func pinOf(f *Facts) Finding {
	out := Finding{Accepted, SamePIN}
	if keys.CipherOf(f.Code) == keys.DES || keys.CipherOf(f.Code) == keys.NoCipher {
		out.lower(Weak, SingleDES)
	}
	if f.WithoutPAN && keys.CipherOf(f.Code) != keys.SM4 { // 9A.21: SM4 has one form
		out.lower(Weak, WithoutPAN)
	}
	switch {
	case f.Seen.Sales == 0:
		out.Why |= NotSeen
	case f.Seen.PINs == 0:
		out.lower(Weak, NoPIN)
	}
	return out
}

func serialOf(f *Facts) Finding {
	out := Finding{Level: Strong}
	switch {
	case !f.SerialKey:
		out.lower(Weak, NoSerialKey)
	case f.Seen.Sales == 0:
		out.lower(Strong, NotSeen)
	case f.Seen.SerialMissed > 0:
		out.lower(None, SerialMissed)
	}
	return out
}

func trackOf(f *Facts) Finding {
	out := Finding{Level: Strong}
	switch {
	case !keys.HasTrackKey(f.Code):
		out.lower(Weak, ClearTrack)
	case !f.TrackOnly:
		out.lower(Accepted, ClearAllowed)
	}
	if f.Seen.ClearTracks > 0 {
		out.lower(Weak, ClearTrack)
	}
	if f.Seen.ClearTracks+f.Seen.SealedTracks == 0 {
		out.Why |= NotSeen
	}
	return out
}

// transportOf: nothing is registered of the line but the certificate, so a terminal that was not heard and has none
// is taken to speak plainly.
func transportOf(f *Facts) Finding {
	out := Finding{Level: Strong}
	switch {
	case !f.Client:
		out.lower(Accepted, NoClient)
	case f.Revoked:
		out.lower(Weak, ClientRevoked)
	}
	switch s := &f.Seen; {
	case s.Plain+s.TLS12+s.TLS13 == 0 && f.Client:
		out.Why |= NotSeen
	case s.Plain+s.TLS12+s.TLS13 == 0:
		out.lower(Weak, PlainTCP|NotSeen)
	case s.Plain > 0:
		out.lower(Weak, PlainTCP)
	case s.TLS12 > 0:
		out.lower(Accepted, TLS12)
	}
	return out
}
