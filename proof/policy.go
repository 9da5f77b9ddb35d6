package proof

import (
	"time"

	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/registry"
)

// Policy is what the acquirer decides; docs/protocol/unionpay-pos.md 9A names the clauses.
type Policy struct {
	SignInLifetime   time.Duration // 9A.9
	ReversalLifetime time.Duration // further time in which reversals are accepted; 9A.9
	RepeatWindow     time.Duration // 9A.1
	AllowSingleDES   bool          // sign-in code 001; 9A.13
	RefuseWeakMAC    bool          // grade weak refuses
	RefuseMAC        MACRefusal    // weaknesses and algorithms of a MAC that refuse; none by default
	RequireTLS       bool          // plain TCP refuses, but for canaries; a registered certificate asks for TLS by itself
	RequireNetwork   bool          // a registration that takes any address no longer suffices
	RefusePlace      bool          // outside its circle refuses every terminal
	PlaceMetres      uint32        // uncertainty of a reported place
	RefuseTail       bool          // DE62 of a sign-in disagrees with the registered serial; 9A.11
	RefuseClones     bool          // a terminal of which two devices are suspected is refused until a person cleared it
	AllowTrackClear  bool          // a clear track after 004 and 006 unless the profile says otherwise; 9A.23
}

// DefaultPolicy is the policy of a fresh installation.
func DefaultPolicy() Policy {
	return Policy{SignInLifetime: 24 * time.Hour, ReversalLifetime: 24 * time.Hour, RepeatWindow: 180 * time.Second,
		PlaceMetres: 500, AllowTrackClear: true}
}

// AlgorithmOf is how a terminal of this profile computes DE64 after a sign-in code; 9A.20. X9.9 with
// the 16-byte MAK of that clause is CBC-MAC with TDES (unverified: no published message shows it).
func AlgorithmOf(m registry.MACProfile, code pos.NetworkCode) mac.Algorithm {
	cipher := keys.CipherOf(code)
	switch {
	case cipher == keys.SM4:
		return mac.UnionPayECBSM4
	case cipher == keys.NoCipher:
		return mac.None
	case m == registry.MACECB3DES:
		return mac.UnionPayECBTDES
	case m == registry.MACX99:
		return mac.CBCMACTDES
	case m == registry.MACX919:
		return mac.X919
	}
	return mac.UnionPayECBDES
}

// lifetime is how long a set verifies a message of this kind.
func (p *Policy) lifetime(r *Request) time.Duration {
	if r.MTI == 0x0400 {
		return p.SignInLifetime + p.ReversalLifetime
	}
	return p.SignInLifetime
}

// needsMAC: docs/protocol/unionpay-pos.md 4.4. A tamper report proves itself by MAC or by serial number.
func needsMAC(r *Request) bool { return r.Need == Financial }

// needsSerial: 9A.22.
func needsSerial(r *Request, d *registry.Device) bool {
	return d != nil && len(d.Key) > 0 &&
		((r.MTI == 0x0200 && r.Type == pos.Sale) || (r.MTI == 0x0100 && r.Type == pos.PreAuth))
}

// Prepare fills c with what the module must prove for r. The views MAB and Track are the caller's.
func Prepare(p *Policy, r *Request, s *Snapshot, now pos.Instant, c *Claims) {
	mab, track, digits, pan, laps := c.MAB, c.Track, c.TrackDigits, c.PAN, c.Laps
	*c = Claims{Terminal: r.Terminal, MAB: mab, DE64: r.DE64, HasMAC: r.HasMAC, NeedMAC: needsMAC(r) || (r.Need == TamperReport && r.HasMAC),
		TrackSealed: r.TrackSealed, Track: track, TrackDigits: digits, PAN: pan, PANFromDE2: r.HasPAN, Laps: laps}
	if s.Terminal == nil {
		return
	}
	n := 0
	for _, set := range [...]*keys.Set{&s.Session.Pending, &s.Session.InForce} {
		if s.Session.Usable(set, p.lifetime(r), now) || (flaw == SignedIn && set.Number != 0) {
			c.Sets[n], c.Algorithms[n] = set, AlgorithmOf(s.Terminal.Profile.MAC, set.Code)
			n++
		}
	}
	if s.Device == nil || len(s.Device.Key) == 0 || !r.HasA2 || !r.HasCipher || !r.HasFactor {
		return
	}
	c.CheckSerial, c.SerialKey, c.Registered = true, s.Device.Key, s.Device.Serial
	c.Serial, c.Factor, c.Cipher = r.SerialText(), r.Factor[:], r.Cipher
}
