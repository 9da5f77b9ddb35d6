package soft

import (
	"crypto/subtle"
	"fmt"

	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
)

// factorDigits is the length of the factor, DE59 A2 sub-tag 03.
const factorDigits = 6

// Prove examines a message in stages and stops at the first that does not pass; see host.Prover.
//
//	MAC       under every set there is, both computed whatever the first gives
//	Serial    the ciphertext over the serial number and factor as presented
//	Factor    the end of the card number, or FactorTail
//	Track     deciphers and reads as a track 2; then gives Expiry, ServiceCode and, where DE2
//	          was not sent, the card number
//	TrackPAN  where DE2 was sent
//
// Factor comes after Track where only the track names the card. A factor with nothing to compare it
// with has failed. A sealed module makes the first stage asked for Unavailable with keys.ErrSealed.
func (m *Module) Prove(c *proof.Claims, e *proof.Evidence) {
	*e = proof.Evidence{}
	s, leave := m.enter(c.Terminal[len(c.Terminal)-1])
	if s == nil {
		refuseAll(c, e)
		return
	}
	defer leave.RUnlock()
	var set *entry
	if c.NeedMAC {
		set = s.proveMAC(c, e)
		c.Laps.Mark(proof.Step(proof.MAC))
		defer set.release()
		if e.MAC != proof.Passed {
			return
		}
	}
	if c.CheckSerial {
		e.Serial = s.proveSerial(c, e)
		c.Laps.Mark(proof.Step(proof.Serial))
		if e.Serial != proof.Passed {
			return
		}
	}
	late := c.CheckSerial && c.FactorTail == nil && c.TrackSealed && !namesCard(c)
	if c.CheckSerial && !late {
		if e.Factor = proveFactor(c); e.Factor != proof.Passed {
			return
		}
	}
	if c.TrackSealed {
		right := proveTrack(c, e, set)
		c.Laps.Mark(proof.Step(proof.Track))
		if !right {
			return
		}
	}
	if late {
		e.Factor = proveFactor(c)
	}
}

// namesCard tells whether the card is known without the sealed track.
func namesCard(c *proof.Claims) bool { return c.PANFromDE2 || c.PAN.Len() > 0 }

func refuseAll(c *proof.Claims, e *proof.Evidence) {
	e.Err = keys.ErrSealed
	switch {
	case c.NeedMAC:
		e.MAC = proof.Unavailable
	case c.CheckSerial:
		e.Serial = proof.Unavailable
	case c.TrackSealed:
		e.Track = proof.Unavailable
	}
}

// proveMAC fills MAC, Used and Err and lends the set that verified, nil when none did. A key that
// cannot be used makes the outcome Unavailable unless the other one verifies: whether the code is
// wrong is then not known.
func (s *live) proveMAC(c *proof.Claims, e *proof.Evidence) *entry {
	var held [len(c.Sets)]*entry
	var right [len(c.Sets)]bool
	tried := false
	for i, set := range c.Sets {
		if set == nil || set.Number == 0 {
			continue
		}
		tried = true
		key := s.dummyFor(c.Algorithms[i])
		var err error
		if held[i], err = s.macSet(c, i); err != nil {
			e.Err = err
		} else {
			key = held[i].mac
		}
		right[i] = (key.Verify(c.MAB, c.DE64[:]) || flaw == proof.MAC) && held[i] != nil && c.HasMAC
	}
	if !tried {
		s.dummyFor(c.Algorithms[0]).Verify(c.MAB, c.DE64[:])
	}
	e.MAC = proof.Failed
	for i := range held {
		if right[i] && e.MAC != proof.Passed {
			e.MAC, e.Used = proof.Passed, i
			continue
		}
		held[i].release()
		held[i] = nil
	}
	if e.Err != nil && c.HasMAC && e.MAC == proof.Failed {
		e.MAC = proof.Unavailable
		return nil
	}
	e.Err = nil
	return held[e.Used]
}

func (s *live) macSet(c *proof.Claims, i int) (*entry, error) {
	if c.Algorithms[i] == mac.None {
		return nil, keys.ErrUsage
	}
	return s.set(&c.Terminal, c.Sets[i], c.Algorithms[i])
}

func (s *live) proveSerial(c *proof.Claims, e *proof.Evidence) proof.Outcome {
	key, err := s.serial(c.Registered, c.SerialKey)
	if err != nil {
		e.Err = err
		return proof.Unavailable
	}
	right := mac.VerifySerial(key.mac, c.Serial, c.Factor, c.Cipher[:])
	key.release()
	return outcome(right || flaw == proof.Serial)
}

func outcome(right bool) proof.Outcome {
	if right {
		return proof.Passed
	}
	return proof.Failed
}

func proveFactor(c *proof.Claims) proof.Outcome {
	right := false
	if c.FactorTail != nil {
		right = len(c.FactorTail) == factorDigits && subtle.ConstantTimeCompare(c.FactorTail, c.Factor) == 1
		return outcome(right)
	}
	c.PAN.Use(func(digits []byte) {
		if n := len(digits); n >= factorDigits {
			right = subtle.ConstantTimeCompare(digits[n-factorDigits:], c.Factor) == 1
		}
	})
	return outcome(right)
}

// Seal is DE64 of an answer; see host.Sealer. Errors are keys.ErrSealed, keys.ErrOwner and keys.ErrUsage.
func (m *Module) Seal(terminal pos.TerminalID, set *keys.Set, algorithm mac.Algorithm, mab []byte) (de64 [8]byte, err error) {
	s, leave := m.enter(terminal[len(terminal)-1])
	if s == nil {
		return de64, keys.ErrSealed
	}
	defer leave.RUnlock()
	if set == nil || set.Number == 0 || algorithm == mac.None {
		return de64, keys.ErrUsage
	}
	e, err := s.set(&terminal, set, algorithm)
	if err != nil {
		return de64, err
	}
	de64 = e.mac.Sum8(mab)
	e.release()
	if de64 == [8]byte{} {
		return de64, fmt.Errorf("MAC of an answer: %w", keys.ErrUnavailable)
	}
	return de64, nil
}
