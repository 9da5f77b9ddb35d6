package soft

import (
	"crypto/subtle"
	"time"

	"touchstone/diagnosis"
	"touchstone/iso8583"
	"touchstone/keys"
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/paycrypto/pinblock"
	"touchstone/pos"
	"touchstone/proof"
)

// serial tries the explanations of a ciphertext that did not prove the serial number.
func (x *experiment) serial(digest [16]byte) diagnosis.Finding {
	c := x.c
	if c.Presented.Cipher == ([8]byte{}) || c.Presented.Factor == ([6]byte{}) || c.Presented.Serial == "" {
		return diagnosis.NotTried("no_cipher")
	}
	reading := diagnosis.Read(c.Presented.Cipher)
	var fits []diagnosis.SerialFit
	tried := uint32(0)
	plan := c.PlanSerial()
	for len(plan) > 0 {
		some := plan[:min(stepTrials, len(plan))]
		plan = plan[len(some):]
		if !x.step(func(s *live) {
			for _, t := range some {
				code := x.serialCode(s, &c.Serials[t.Device], &t)
				if code == nil {
					continue
				}
				tried++
				if reading.Match(code, t.Part) {
					fits = append(fits, diagnosis.SerialFit{Trial: t, Encoding: reading.Encoding})
				}
				clear(code)
			}
		}) {
			return diagnosis.NotTried("sealed")
		}
	}
	if tried == 0 {
		return diagnosis.NotTried("no_keys")
	}
	return c.ConcludeSerial(tried, fits, digest)
}

// serialCode is the 16-byte code of a trial under a device's key, nil where the key does not open.
func (x *experiment) serialCode(s *live, d *diagnosis.Candidate, t *diagnosis.SerialTrial) []byte {
	if len(d.Key) == 0 || d.Serial == "" {
		return nil
	}
	_, key, err := s.unwrap(d.Key, keys.OfSerial(string(d.Serial)), keys.SerialKey)
	if err != nil {
		return nil
	}
	defer clear(key)
	serial, factor := []byte(x.c.Presented.Serial), x.c.Presented.Factor[:]
	if t.Own {
		serial = []byte(d.Serial)
	}
	if t.Factor != nil {
		factor = t.Factor
	}
	data := append(append([]byte(nil), serial...), factor...)
	switch t.Form {
	case diagnosis.FactorFirst:
		data = append(append(data[:0:0], factor...), serial...)
	case diagnosis.FactorOut:
		data = serial
	}
	trial := diagnosis.Trial{Algorithm: mac.UnionPayECBSM4, Plain: t.Form == diagnosis.PlainXOR}
	if t.Form == diagnosis.ByChain {
		trial.Algorithm, trial.Padding = mac.CBCMACSM4, mac.Padding1
	}
	return codeOf(&trial, key, data)
}

// pinOpen tells whether the PIN block may still be examined.
func (x *experiment) pinOpen() bool {
	p := x.c.PIN
	return p != nil && (p.Size == 8 || p.Size == 16) && x.m.hold().now() <= p.Until
}

// pin tries the explanations of a PIN block that could not be read. Only whether it reads is learnt, never what.
func (x *experiment) pin(digest [16]byte) diagnosis.Finding {
	c := x.c
	if c.PIN == nil {
		return diagnosis.NotTried("no_pin")
	}
	if !x.pinOpen() {
		return diagnosis.NotTried("late")
	}
	var fits []diagnosis.PINTrial
	tried := uint32(0)
	if !x.step(func(s *live) {
		for _, t := range c.PlanPIN() {
			o := x.open(s, t.Key)
			f := formatOfTrial(t.Format)
			if o == nil || !x.pinOpen() || !tries(t.Cipher, o, f, c.PIN.Size) {
				continue
			}
			tried++
			if x.reads(o.pik(), t.Cipher, f, t.Digits) {
				fits = append(fits, t)
			}
		}
	}) {
		return diagnosis.NotTried("sealed")
	}
	if tried == 0 {
		return diagnosis.NotTried("no_keys")
	}
	return c.ConcludePIN(tried, fits, digest)
}

func formatOfTrial(f diagnosis.PINFormat) pinblock.Format {
	return [...]pinblock.Format{0, pinblock.ISO0, pinblock.NoPAN, pinblock.SM4PAN1, pinblock.SM4PAN2, pinblock.SM4NoPAN}[f]
}

// tries tells whether a block of this size can have come from the set's PIN key under the cipher in the format.
func tries(c keys.Cipher, o *opened, f pinblock.Format, size int) bool {
	return f.Size() == size && (c == keys.SM4) == (size == 16) && (c == keys.DES || o.size() == 16)
}

// reads deciphers the block under a PIN key and tells whether it reads as a PIN.
func (x *experiment) reads(pik []byte, cipher keys.Cipher, f pinblock.Format, which diagnosis.PINDigits) (reads bool) {
	if cipher == keys.DES {
		pik = pik[:8]
	}
	c, err := paycrypto.NewCipher(algorithmOf(cipher), pik)
	if err != nil {
		return false
	}
	defer c.Wipe()
	p := x.c.PIN
	from := p.PAN
	if which == diagnosis.TrackDigits {
		from = p.Track
	}
	from.Use(func(pan []byte) {
		var room [pos.MaxPAN]byte
		defer clear(room[:])
		shaped := shape(&room, pan, which)
		var pin [pinblock.MaxPIN]byte
		defer clear(pin[:])
		_, err := pinblock.Decipher(&pin, c, f, p.Block[:p.Size], shaped)
		reads = err == nil
	})
	return reads
}

// shape is a card number whose last twelve digits before the check digit are the ones of the trial.
func shape(room *[pos.MaxPAN]byte, pan []byte, which diagnosis.PINDigits) []byte {
	n := len(pan)
	switch {
	case which == diagnosis.WithCheckDigit && n >= 12:
		return append(append(room[:0], pan[n-12:]...), '0')
	case which == diagnosis.FirstDigits && n >= 12:
		return append(append(room[:0], pan[:12]...), '0')
	}
	return pan
}

// track tries former track keys on a sealed track. Where there are none, or the track is clear, there is nothing that the
// rules allow to be tried: it is unproven, with nothing tried.
func (x *experiment) track(digest [16]byte) diagnosis.Finding {
	c := x.c
	var fits []diagnosis.TrackTrial
	tried := uint32(0)
	if !x.step(func(s *live) {
		for _, t := range c.PlanTrack() {
			o := x.open(s, t.Key)
			if o == nil || zero(o.tdk()) {
				continue
			}
			tried++
			if x.trackReads(o) {
				fits = append(fits, t)
			}
		}
	}) {
		return diagnosis.NotTried("sealed")
	}
	return c.ConcludeTrack(tried, fits, digest)
}

// trackReads tells whether the sealed track reads under a set's track key, with the card number of DE2 where that was sent.
func (x *experiment) trackReads(o *opened) bool {
	tdk, err := paycrypto.NewCipher(algorithmOf(o.cipher), o.tdk())
	if err != nil {
		return false
	}
	defer tdk.Wipe()
	var text [2 * trackRoom]byte
	defer clear(text[:])
	t := x.c.Track
	n := decipherTrack(&text, tdk, &proof.Claims{Track: x.c.Frame[t.From:t.To], TrackDigits: t.Digits})
	if n == 0 {
		return false
	}
	read, err := iso8583.ParseTrack2(text[:n])
	if err != nil {
		return false
	}
	pan := x.c.CardNumber()
	defer clear(pan)
	return pan == nil || subtle.ConstantTimeCompare(pan, text[:read.PANDigits]) == 1
}

// clock is the time a PIN block's term is measured by.
func clock() pos.Instant { return pos.Instant(time.Now().UnixNano()) }
